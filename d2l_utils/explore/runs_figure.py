"""A figure of :func:`d2l_utils.explore_runs` in its default state, as HTML that needs no script.

Boxes, ticks, colours and sentences are those of ``runs.js``, so that nothing moves when the script takes over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from d2l_utils.explore.figure import (
    Box,
    _axes,
    _clipped,
    _group,
    _nice_ticks,
    _pixel,
    _power_ticks,
    _raw,
    _shape,
    _svg,
    _tag,
    _text,
    framed,
    power_of_ten,
    short,
)
from d2l_utils.explore.runs import Map
from d2l_utils.explore.runs_words import ending, goal_reached, sentence, setting

_MAP, _MAP_BOX = (480, 360), (64.0, 26.0, 404.0, 318.0)
_ROW, _ROW_BOX = (640, 136), (58.0, 26.0, 560.0, 92.0)
_SIDE, _SIDE_BOX = (320, 288), (46.0, 26.0, 312.0, 246.0)
_WIDE, _WIDE_BOX = (640, 262), (58.0, 26.0, 632.0, 222.0)
#: The table of a page without scripts holds at most so many settings.
_MOST_ROWS = 30
_BAR_STEPS = 32
#: A diverging curve leaves the picture at so many times the loss before training, as in ``plot_runs``.
_HIGHEST = 100
_STAR = "m0,-7l1.76,4.57l4.9,.26l-3.81,3.08l1.26,4.74l-4.11,-2.67l-4.11,2.67l1.26,-4.74l-3.81,-3.08l4.9,-.26z"


def runs_html(spec: Mapping[str, Any], maps: Sequence[Map]) -> str:
    """Return the figure as HTML: the default cells of ``spec`` on the ``maps`` it was made of."""
    cells = default_cells(spec, maps)
    compared = bool(spec["state"]["values"]["compare"])
    chosen = [(maps[0], cells[0]), (maps[-1], cells[1])][: 1 + compared]
    lost = any(one.lost[cell] for one, cell in chosen)
    means = [None if one.lost[cell] else float(one.mean[cell]) for one, cell in chosen]
    attributes = {
        "data-seq": 0,
        "data-state": "diverged" if lost else "ready",
        "data-loss": json.dumps(means),
    }
    body = _plots(spec, maps, chosen) + _words(spec, maps, chosen)
    return framed(spec, attributes, body, _table(spec["title"], maps), {})


def default_cells(spec: Mapping[str, Any], maps: Sequence[Map]) -> list[int]:
    """Return where A and B are to begin with."""
    cells = []
    for one, end in ((maps[0], ""), (maps[-1], "_2")):
        cell = 0
        for axis, stride in ((one.x, 1), (one.y, len(one.x["texts"]))):
            if axis is not None:
                value = spec["state"]["values"][axis["name"] + end]
                cell += stride * (value if axis["values"] is None else axis["values"].index(value))
        cells.append(cell)
    return cells


# Words


def _words(spec: Mapping[str, Any], maps: Sequence[Map], chosen: Sequence[tuple[Map, int]]) -> str:
    entries = ""
    for rule, (one, cell) in zip(spec["rules"], chosen, strict=False):
        line = _shape("line", d="M1 6H33", dasharray=rule["dash"]) + _shape("dots", d="M17 6" + rule["marker"])
        name = f"{one.label}, " if len(maps) > 1 else ""
        words = _tag("span", {}, f"{name}{setting(one, cell)}: {ending(one, cell)}")
        entries += _raw("li", {}, f"{_swatch(_group(rule, line))} {_tag('b', {}, rule['label'])} {words}")
    words = _raw("ul", {"class": "d2l-rules"}, entries) + _key(maps)
    words += _tag("p", {"class": "d2l-summary"}, sentence(maps, chosen))
    if spec["goal"]:
        reached = goal_reached(spec["goal"], chosen)
        text = ("Goal reached: " if reached else "Goal not yet reached: ") + spec["goal"]["text"]
        words += _tag("p", {"class": "d2l-goal", "data-reached": str(reached).lower()}, text)
    return words


def _swatch(drawn: str) -> str:
    return _raw("svg", {"viewBox": "0 0 34 12", "width": 34, "height": 12, "aria-hidden": "true"}, drawn)


def _key(maps: Sequence[Map]) -> str:
    """Say what the marks on the maps mean."""
    marks = [
        (_marked("star", "M17 6" + _STAR), "best"),
        (_marked("noise", "M8 1H26V11H8Z"), "within seed noise of the best"),
    ]
    if any(one.lost.any() for one in maps):
        marks.append(
            (
                _marked("lost", "M8 1H26V11H8Z") + _marked("hatch", "M8 11L18 1M16 11L26 1M8 6L13 1M21 11L26 6"),
                "diverged",
            )
        )
    entries = "".join(_raw("li", {}, f"{_swatch(drawn)} {_tag('span', {}, text)}") for drawn, text in marks)
    return _raw("ul", {"class": "d2l-rules d2l-key"}, entries)


def _table(title: str, maps: Sequence[Map]) -> str:
    rows = sorted(((one, cell) for one in maps for cell in range(len(one.mean))), key=lambda row: row[0].mean[row[1]])
    names = ["optimizer"] if len(maps) > 1 else []
    head = [*names, "setting", "mean final loss", "standard deviation", "diverged"]
    body = ""
    for one, cell in rows[:_MOST_ROWS]:
        cells = [setting(one, cell), *_numbers(one, cell)]
        first, *rest = [one.label, *cells] if len(maps) > 1 else cells
        body += _raw("tr", {}, _tag("th", {"scope": "row"}, first) + "".join(_tag("td", {}, text) for text in rest))
    heading = "".join(_tag("th", {"scope": "col"}, text) for text in head)
    table = f"<table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table>"
    region = _raw("div", {"tabindex": 0, "role": "region", "aria-label": f"table of settings: {title}"}, table)
    few = f"The {_MOST_ROWS} best of " if len(rows) > _MOST_ROWS else "The "
    return _raw("details", {"class": "d2l-table"}, f"<summary>{few}{len(rows)} settings in numbers</summary>{region}")


def _numbers(one: Map, cell: int) -> list[str]:
    count = one.finals.shape[1]
    if one.lost[cell]:
        return ["–", "–", f"{one.lost[cell]} of {count}"]
    spread = short(one.finals[cell].std(ddof=1), 2) if count > 1 else "–"
    return [short(one.mean[cell]), spread, f"0 of {count}"]


# Pictures


def _plots(spec: Mapping[str, Any], maps: Sequence[Map], chosen: Sequence[tuple[Map, int]]) -> str:
    beside = len(maps) == 1 and maps[0].y is not None
    layout = "one" if beside else "rows" if all(one.y is None for one in maps) else "two"
    drawn = "".join(_map(spec, one, m, len(maps), chosen) for m, one in enumerate(maps))
    return _raw("div", {"class": f"d2l-plots d2l-{layout}"}, drawn + _curves(spec, maps, chosen, beside=beside))


def color(spec: Mapping[str, Any], loss: float) -> str:
    """Return the colour of a mean final loss."""
    low, high = spec["range"]
    part = max(0.0, min(1.0, math.log(loss / low) / math.log(high / low)))
    colors = spec["colors"]
    place = part * (len(colors) - 1)
    k = min(int(place), len(colors) - 2)
    pair = [[int(text[i : i + 2], 16) for i in (1, 3, 5)] for text in colors[k : k + 2]]
    mixed = (math.floor(a + (b - a) * (place - k) + 0.5) for a, b in zip(*pair, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _edges_of(one: Map, box: Box) -> tuple[list[float], list[float]]:
    """Borders of the cells in pixels."""
    left, top, right, bottom = box

    def spread(edges: Sequence[float], start: float, end: float) -> list[float]:
        return [_pixel(start + (edge - edges[0]) / (edges[-1] - edges[0]) * (end - start)) for edge in edges]

    rows = [0.0, 1.0] if one.y is None else one.y["edges"]
    return spread(one.x["edges"], left, right), spread(rows, bottom, top)


def _map(spec: Mapping[str, Any], one: Map, number: int, count: int, chosen: Sequence[tuple[Map, int]]) -> str:
    size, box = (_ROW, _ROW_BOX) if one.y is None else (_MAP, _MAP_BOX)
    left, top, right, bottom = box
    xs, ys = _edges_of(one, box)
    columns = len(xs) - 1
    cells = lost = ""
    for cell, mean in enumerate(one.mean):
        j, i = divmod(cell, columns)
        if one.lost[cell]:
            lost += _box_path(xs[i], ys[j + 1], xs[i + 1], ys[j])
        else:
            place = {"x": f"{xs[i]:g}", "y": f"{ys[j + 1]:g}"}
            place |= {"width": f"{xs[i + 1] - xs[i]:.4g}", "height": f"{ys[j] - ys[j + 1]:.4g}"}
            cells += _raw("rect", place | {"fill": color(spec, mean)}, "")
    drawn = _raw("g", {"class": "cells", "shape-rendering": "crispEdges"}, cells)
    if lost:
        drawn += _marked("lost", lost) + _marked("hatch", _hatch(one, xs, ys))
    line = _outline(one.close.reshape(-1, columns), xs, ys)
    drawn += _marked("halo", line) + _marked("noise", line)
    if not one.lost[one.best]:
        j, i = divmod(one.best, columns)
        drawn += _marked("star", f"M{(xs[i] + xs[i + 1]) / 2:g} {(ys[j] + ys[j + 1]) / 2:g}{_STAR}")
    frames = badges = ""
    for letter, (_, cell) in enumerate(chosen):
        if count == 1 or letter == number:
            j, i = divmod(cell, columns)
            corners = (xs[i], ys[j + 1], xs[i + 1], ys[j])
            frames += _cell_frame(spec["rules"][letter], corners)
            badges += _badge(spec["rules"][letter], letter, corners, box)
    frame = _shape("frame", d=f"M{left:g} {top:g}V{bottom:g}H{right:g}")
    span = one.x["edges"][-1] - one.x["edges"][0]
    words = "".join(
        _text("tick", _pixel(left + (at - one.x["edges"][0]) / span * (right - left)), bottom + 15, text, "middle")
        for at, text in one.x["ticks"]
    )
    words += _text("name", (left + right) / 2, bottom + 30, one.x["label"], "middle")
    if one.y is not None:
        span = one.y["edges"][-1] - one.y["edges"][0]
        words += "".join(
            _text("tick", left - 6, _pixel(bottom - (at - one.y["edges"][0]) / span * (bottom - top)) + 4, text, "end")
            for at, text in one.y["ticks"]
        )
        middle = f"translate(12 {(top + bottom) / 2:g}) rotate(-90)"
        words += _text("name", 0, 0, one.y["label"], "middle", transform=middle)
    words += _text("name", left, 15, one.label, "start") + _text("name", size[0] - 4, 15, "final loss", "end")
    title = f"Map of the final loss of {one.label}"
    ident = f"{spec['id']}-map{number}"
    content = drawn + frame + words + _bar(spec, box) + frames + badges
    name = "d2l-map d2l-row" if one.y is None else "d2l-map"
    return _svg(name, size, title, _map_in_words(one), content, ident)


def _map_in_words(one: Map) -> str:
    over = one.x["label"] + (f" and {one.y['label']}" if one.y is not None else "")
    parts = [f"Mean final loss of {len(one.mean)} settings of {over}, {one.finals.shape[1]} seeds each"]
    if not one.lost[one.best]:
        parts.append(f"the best is {setting(one, one.best)} with {short(one.mean[one.best])}")
        parts.append(f"{int(one.close.sum())} settings are within seed noise of it")
    parts.append(f"{int((one.lost > 0).sum())} settings have a diverged run")
    return "; ".join(parts) + "."


def _box_path(x0: float, y0: float, x1: float, y1: float) -> str:
    return f"M{x0:g} {y0:g}H{x1:g}V{y1:g}H{x0:g}Z"


def _hatch(one: Map, xs: Sequence[float], ys: Sequence[float]) -> str:
    d = ""
    for cell in np.flatnonzero(one.lost):
        j, i = divmod(int(cell), len(xs) - 1)
        x0, x1, y0, y1 = xs[i], xs[i + 1], ys[j + 1], ys[j]
        x, y = _pixel((x0 + x1) / 2), _pixel((y0 + y1) / 2)
        d += f"M{x0:g} {y1:g}L{x1:g} {y0:g}M{x0:g} {y:g}L{x:g} {y0:g}M{x:g} {y1:g}L{x1:g} {y:g}"
    return d


def _outline(inside: Any, xs: Sequence[float], ys: Sequence[float]) -> str:
    """Lines between the cells that are in and those that are not."""
    padded = np.pad(inside, 1)
    d = ""
    for j, i in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1]):
        d += f"M{xs[i]:g} {ys[j]:g}V{ys[j + 1]:g}"
    for j, i in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1]):
        d += f"M{xs[i]:g} {ys[j]:g}H{xs[i + 1]:g}"
    return d


def _cell_frame(rule: Mapping[str, Any], corners: Sequence[float]) -> str:
    x0, y0, x1, y1 = corners
    d = _box_path(_pixel(x0 - 1), _pixel(y0 - 1), _pixel(x1 + 1), _pixel(y1 + 1))
    dash = {"stroke-dasharray": rule["dash"]} if rule["dash"] else {}
    frame = _raw("path", {"class": "chosen", "fill": "none", "stroke-width": 2.6, "d": d} | dash, "")
    return _group(rule, _marked("halo", d) + frame)


def _badge(rule: Mapping[str, Any], letter: int, corners: Sequence[float], box: Box) -> str:
    """Draw the letter of a cell at a corner of it."""
    x0, y0, x1, y1 = corners
    left, top, right, bottom = box
    x, y = (max(left, x0 - 3), min(bottom - 9, y1 + 3)) if letter else (min(right, x1 + 3), max(top, y0 - 3))
    d = f"M{x - 8:g} {y - 8:g}h16v16h-16z" if letter else f"M{x - 8:g} {y:g}a8 8 0 1 0 16 0a8 8 0 1 0 -16 0z"
    drawn = _raw("path", {"class": "stamp", "d": d, "stroke": "white", "stroke-width": 1.4}, "")
    place = {"x": f"{x:g}", "y": f"{y + 4:g}", "text-anchor": "middle", "fill": "white", "stroke": "none"}
    return _group(rule, drawn + _tag("text", {"class": "letter"} | place, rule["label"]))


def _bar(spec: Mapping[str, Any], box: Box) -> str:
    """Draw the colours beside the map, with their losses; above the loss before training they stay the same."""
    _, top, right, bottom = box
    x = right + 16
    low, high = (math.log10(loss) for loss in spec["range"])
    top += 8
    step = (bottom - top) / _BAR_STEPS
    drawn = ""
    for k in range(_BAR_STEPS):
        loss = 10 ** (low + (high - low) * (k + 0.5) / _BAR_STEPS)
        place = {"x": f"{x:g}", "y": f"{_pixel(bottom - (k + 1) * step):g}", "width": 12, "height": f"{step + 0.2:.4g}"}
        drawn += _raw("rect", place | {"fill": color(spec, loss)}, "")
    drawn = _raw("g", {"class": "cells", "shape-rendering": "crispEdges"}, drawn)
    peak = {"class": "peak", "d": f"M{x:g} {top:g}h12l-6 -8z", "fill": color(spec, spec["range"][1])}
    drawn += _raw("path", peak, "")
    for exponent, text in log_ticks(low, high, few=bottom - top < 100):
        y = _pixel(bottom - (exponent - low) / (high - low) * (bottom - top))
        drawn += _text("tick", x + 16, y + 4, text, "start")
    return drawn


def log_ticks(low: float, high: float, *, few: bool = False) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis, as exponents with their text: plain numbers while it spans less than two decades."""
    if high - low >= 2:
        powers = _power_ticks(math.ceil(low), math.floor(high), 2 if few else 5)
        return [(k, power_of_ten(int(k))) for k in powers]
    if high - low < math.log10(3):
        values = _nice_ticks(2 if few else 5, 10**low, 10**high)
    else:
        decades = range(math.floor(low), math.floor(high) + 1)
        values = [factor * 10.0**k for k in decades for factor in ((1, 3) if few else (1, 1.5, 2, 3, 5, 7))]
    exponents = [(math.log10(value), short(value)) for value in values]
    return [(exponent, text) for exponent, text in exponents if low <= exponent <= high]


def _curves(spec: Mapping[str, Any], maps: Sequence[Map], chosen: Sequence[tuple[Map, int]], *, beside: bool) -> str:
    size, box = (_SIDE, _SIDE_BOX) if beside else (_WIDE, _WIDE_BOX)
    left, _, right, bottom = box
    low, high = loss_window(maps, chosen)
    last = max(one.epochs[-1] for one in maps)
    x, y, axes = _axes(box, (0, last, low, high), _nice_ticks(6, 0, last), [])
    for exponent, text in log_ticks(low, high):
        axes += _shape("grid", d=f"M{left:g} {y(exponent):g}H{right:g}")
        axes += _text("tick", left - 6, y(exponent) + 4, text, "end")
    drawn = ""
    for rule, (one, cell) in zip(spec["rules"], chosen, strict=False):
        mean, lowest, highest = (
            [(x(epoch), y(exponent)) for epoch, exponent in zip(one.epochs, curve, strict=False)]
            for curve in one.exponents(cell)
        )
        band = "M" + "L".join(f"{px:g} {py:g}" for px, py in [*highest, *lowest[::-1]]) + "Z"
        line = "".join(f"{'L' if k else 'M'}{px:g} {py:g}" for k, (px, py) in enumerate(mean))
        dots = "".join(f"M{px:g} {py:g}{rule['marker']}" for px, py in mean[:: _stride(one)])
        shapes = _raw("path", {"class": "band", "fill-opacity": 0.18, "stroke": "none", "d": band}, "")
        shapes += _shape("line", d=line, dasharray=rule["dash"]) + _shape("dots", d=dots)
        drawn += _group(rule, shapes)
    words = _text("name", (left + right) / 2, bottom + 30, "epoch", "middle")
    counts = " and ".join(dict.fromkeys(str(one.finals.shape[1]) for one in maps))
    words += _text("name", left, 15, f"loss: mean and range of {counts} seeds", "start")
    desc = "Loss against epochs. " + sentence(maps, chosen)
    panel = "d2l-side" if beside else "d2l-wide"
    content = _clipped(box, drawn) + axes + words
    return _svg(panel, size, "Loss of the chosen settings", desc, content, f"{spec['id']}-curves")


def _stride(one: Map) -> int:
    return max(1, math.ceil(len(one.epochs) / 8))


def loss_window(maps: Sequence[Map], chosen: Sequence[tuple[Map, int]]) -> tuple[float, float]:
    """Exponents of the lowest and the highest loss in the picture: room for every curve, but not for an explosion."""
    low = min(one.floor for one in maps) + math.log10(0.95)
    before = max(one.before for one in maps)
    tops = [one.exponents(cell)[2].max() for one, cell in chosen]
    return low, max(math.log10(1.15 * before), min(max(tops) + 0.03, math.log10(_HIGHEST * before)))


def _marked(name: str, d: str) -> str:
    look: dict[str, dict[str, object]] = {
        "lost": {"fill": "#eceff1"},
        "hatch": {"fill": "none", "stroke": "#78838c", "stroke-width": 0.8},
        "halo": {"fill": "none", "stroke": "white", "stroke-width": 4},
        "noise": {"fill": "none", "stroke": "black", "stroke-width": 1.6},
        "star": {"fill": "white", "stroke": "black", "stroke-width": 1.2},
    }
    return _raw("path", {"class": name, **look[name], "d": d}, "")
