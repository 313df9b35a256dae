"""The figure in its default state, as HTML that needs no script: SVG, words and a table.

Boxes, ticks and classes are those of ``explorer.js``, so that nothing moves when the script takes over. Every shape has
presentation attributes as well, for viewers that bring no style sheet.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import contourpy
import numpy as np

from d2l_utils.explore.derived import f_axis, heights, rate_axis, rates_along

Box = tuple[float, float, float, float]  # left, top, right, bottom
Scale = Callable[[float], float]

_PLANE, _PLANE_BOX = (480, 360), (46.0, 8.0, 472.0, 322.0)
_SIDE, _SIDE_BOX = (320, 174), (46.0, 20.0, 312.0, 136.0)
_WIDE, _WIDE_BOX = (640, 260), (58.0, 10.0, 632.0, 222.0)
_FAR = 4000.0  # pixels; what is further away is cut off anyway

#: Presentation attributes by class; explorer.css overrides them.
_LOOK: dict[str, dict[str, object]] = {
    "level": {
        "fill": "#4a7fb5",
        "fill-opacity": 0.075,
        "stroke": "#4a7fb5",
        "stroke-opacity": 0.4,
        "stroke-width": 0.8,
        "vector-effect": "non-scaling-stroke",
    },
    "frame": {"fill": "none", "stroke": "currentColor", "stroke-opacity": 0.7},
    "grid": {"fill": "none", "stroke": "currentColor", "stroke-opacity": 0.2, "stroke-width": 0.6},
    "line": {"fill": "none", "stroke-width": 1.8, "stroke-linejoin": "bevel"},
    "thin": {"fill": "none", "stroke-width": 1.2, "stroke-dasharray": "2 3"},
    "start": {"fill": "currentColor", "stroke": "Canvas", "stroke-width": 2},
}


def to_html(spec: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    """Return the figure as HTML: the default state of ``spec`` with the ``result`` that was computed for it."""
    attributes: dict[str, object] = {"data-seq": 0}
    if result["error"]:
        body = _tag("p", {"class": "d2l-alert", "role": "alert"}, _error_text(result["error"]))
        attributes["data-state"] = "error"
    else:
        body = _plots(spec, result) + _words(spec, result)
        diverged = result["rules"][0].get("diverged_at") is not None
        attributes["data-state"] = "diverged" if diverged else "ready"
        if spec["kind"] == "trace":
            attributes["data-end"] = json.dumps(result["rules"][0]["path"][-2:])
    table = "" if result["error"] else _table(result["rules"][0])
    return framed(spec, attributes, body, table, brief(plain(result)))


def framed(
    spec: Mapping[str, Any], attributes: Mapping[str, object], body: str, table: str, result: Mapping[str, Any]
) -> str:
    """Return the figure element: question, body, what there is to see, table, caption and the data for the script."""
    data = {"spec": spec, "state": spec["state"], "result": result}
    # Inside a script element only "<" could end it.
    packed = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    hooks = {"id": spec["id"], "data-kind": spec["kind"], "data-rule": spec["rules"][0]["name"]}
    task = spec["task"]
    predict = task["predict"] and _raw(
        "p", {"class": "d2l-predict"}, "<b>Predict first. </b>" + escape(task["predict"])
    )
    seen = task["seen"] and _raw(
        "details",
        {"class": "d2l-seen"},
        "<summary>What you should have seen</summary>" + _tag("p", {}, task["seen"]),
    )
    caption = _tag("figcaption", {}, spec["title"])
    script = _raw("script", {"type": "application/json", "class": "d2l-data"}, packed)
    content = (predict or "") + body + (seen or "") + table + caption + script
    return _raw("figure", {"class": "d2l-explorer"} | hooks | dict(attributes), content)


def plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def brief(result: dict[str, Any]) -> dict[str, Any]:
    """Round what is only drawn, not the points of the path, so that the page stays small."""

    def rounded(values: list[float | None]) -> list[float | None]:
        return [value if value is None else float(f"{value:.5g}") for value in values]

    rules = [
        {key: rounded(entry) if key in ("f", "slope") else entry for key, entry in rule.items()}
        for rule in result.get("rules", [])
    ]
    shown = dict(result)
    if rules:
        shown["rules"] = rules
    contours = result.get("contours")
    if contours and "grid" in contours:
        shown["contours"] = contours | {"grid": rounded(contours["grid"])}
    return shown


# Words


def short(value: float | None, digits: int = 4) -> str:
    """Write a number for the eye: four digits, powers of ten outside 10⁻⁴ … 10⁶."""
    if not value:
        return "0"
    if not math.isfinite(value):
        return "not finite"
    if 1e-4 <= abs(value) < 1e6:
        text = f"{float(f'{value:.{digits}g}'):.10f}".rstrip("0").rstrip(".")
    else:
        mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
        text = f"{float(mantissa):g}·{power_of_ten(int(exponent))}"
    return text.replace("-", "\N{MINUS SIGN}")


def power_of_ten(exponent: int) -> str:
    """Write 10⁻³."""
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _error_text(error: Mapping[str, Any]) -> str:
    return f"Line {error['line']}: {error['message']}" if error["line"] else str(error["message"])


def _words(spec: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    entries = []
    for rule, run in zip(spec["rules"], result["rules"], strict=True):
        line = _shape("line", d="M1 6H33", dasharray=rule["dash"])
        swatch = line + _shape("dots", d="M17 6" + rule["marker"])
        swatch = _raw(
            "svg", {"viewBox": "0 0 34 12", "width": 34, "height": 12, "aria-hidden": "true"}, _group(rule, swatch)
        )
        entries.append(_raw("li", {}, f"{swatch} {_tag('b', {}, rule['label'])} {_tag('span', {}, _last(run))}"))
    goal = result["goal"]
    words = _raw("ul", {"class": "d2l-rules"}, "".join(entries)) + _tag(
        "p", {"class": "d2l-summary"}, result["summary"]
    )
    if goal:
        reached = str(goal["reached"]).lower()
        words += _tag("p", {"class": "d2l-goal", "data-reached": reached}, f"Goal {goal['text']}")
    return words


def _last(run: Mapping[str, Any]) -> str:
    if "rate" in run:
        return f"step {len(run['rate']) - 1}: rate {short(run['rate'][-1])}"
    x1, x2 = run["path"][-2:]
    return f"step {len(run['f']) - 1}: x = ({short(x1)}, {short(x2)}), f = {short(run['f'][-1])}"


def _table(run: Mapping[str, Any]) -> str:
    if "rate" in run:
        title, names = "The schedule in numbers", ["step", "rate"]
        rows: list[Sequence[float]] = [(rate,) for rate in run["rate"]]
    else:
        title, names = "The path in numbers", ["step", "x₁", "x₂", "f"]
        rows = list(zip(run["path"][::2], run["path"][1::2], run["f"], strict=True))
    head = "".join(_tag("th", {"scope": "col"}, name) for name in names)
    body = "".join(
        "<tr>" + _tag("th", {"scope": "row"}, str(k)) + "".join(_tag("td", {}, short(x, 7)) for x in row) + "</tr>"
        for k, row in enumerate(rows)
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    region = _raw("div", {"tabindex": 0, "role": "region", "aria-label": "table of steps"}, table)
    return _raw("details", {"class": "d2l-table"}, _tag("summary", {}, title) + region)


# Pictures


def _plots(spec: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    rules = list(zip(spec["rules"], result["rules"], strict=True))
    who = ", ".join(rule["label"] for rule in spec["rules"])
    if spec["kind"] == "schedule":
        parts = [
            _steps_panel(
                f"Learning rate of {who}", result["summary"], rules, result["axes"]["rate"], {"line": "rate"},
                panel="d2l-wide", size=_WIDE, box=_WIDE_BOX, name="learning rate", title="", first=0, log=False,
            )
        ]  # fmt: skip
    else:
        f_range, f_log = f_axis(result["rules"])
        rules = [(rule, run | {f"rate{i + 1}": rates_along(run, i) for i in (0, 1)}) for rule, run in rules]
        side: dict[str, Any] = {"panel": "d2l-side", "size": _SIDE, "box": _SIDE_BOX, "name": ""}
        rates = "step per unit of gradient: x₁ bold, x₂ fine"
        parts = [
            _plane(spec, result, rules),
            _steps_panel(
                f"f along the steps of {who}", result["summary"], rules, f_range, {"line": "f"},
                title="f after each step", first=0, log=f_log, **side,
            ),
            _steps_panel(
                f"Effective learning rates of {who}", _rates_in_words(rules), rules, rate_axis(result["rules"]),
                {"line": "rate1", "thin": "rate2"}, title=rates, first=1, log=True, **side,
            ),
        ]  # fmt: skip
    return _raw("div", {"class": "d2l-plots"}, "".join(parts))


def _rates_in_words(rules: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    said = []
    for rule, run in rules:
        if run["rate1"]:
            ends = [f"from {short(run[key][0])} to {short(run[key][-1])}" for key in ("rate1", "rate2")]
            said.append(f"{rule['label']}: x₁ {ends[0]}, x₂ {ends[1]}")
    return "; ".join(said)


def _plane(spec: Mapping[str, Any], result: Mapping[str, Any], rules: Sequence[tuple[Any, Any]]) -> str:
    window = result["window"]
    x, y, axes = _axes(_PLANE_BOX, window, _nice_ticks(7, window[0], window[1]), _nice_ticks(6, window[2], window[3]))
    contours = result["contours"]
    drawn = _ellipses(contours, window) if "ellipse" in contours else _regions(contours, x, y)
    for rule, run in rules:
        points = [(x(x1), y(x2)) for x1, x2 in zip(run["path"][::2], run["path"][1::2], strict=True)]
        drawn += _curve(rule, {"line": points}, most=45)
    objective = next(entry for entry in spec["objectives"] if entry["name"] == spec["objective"])
    desc = f"Contour lines of the {objective['label']} from the start point {_point(spec['start'])}. " + "; ".join(
        f"{rule['label']} ends at {_point(run['path'][-2:])} after {len(run['f']) - 1} steps" for rule, run in rules
    )
    start = _shape("start", element="circle", cx=x(spec["start"][0]), cy=y(spec["start"][1]), r=7)
    names = _text("name", 259, 352, "x₁", "middle")
    names += _text("name", 0, 0, "x₂", "middle", transform="translate(12 165) rotate(-90)")
    title = "Contours of f and the path"
    return _svg(
        "d2l-plane", _PLANE, title, desc, _clipped(_PLANE_BOX, drawn) + axes + names + start, spec["id"] + "-plane"
    )


def _point(point: Sequence[float]) -> str:
    return f"({short(point[0])}, {short(point[1])})"


def _ellipses(contours: Mapping[str, Any], window: Sequence[float]) -> str:
    """Draw contour lines that are ellipses of one shape, as circles in the coordinates of the ellipse."""
    left, top, right, bottom = _PLANE_BOX
    x_scale = (right - left) / (window[1] - window[0])
    y_scale = (top - bottom) / (window[3] - window[2])
    c1, c2, a, b, c = contours["ellipse"]
    origin = (left + x_scale * (c1 - window[0]), bottom + y_scale * (c2 - window[2]))
    transform = f"matrix({x_scale * a:.6g} 0 {x_scale * b:.6g} {y_scale * c:.6g} {origin[0]:.6g} {origin[1]:.6g})"
    circles = "".join(_shape("level", element="circle", r=f"{radius:.4g}") for radius in contours["radii"])
    return _raw("g", {"aria-hidden": "true", "transform": transform}, circles)


def _regions(contours: Mapping[str, Any], x: Scale, y: Scale) -> str:
    """Draw, from the highest level to the lowest, the region in which f is at most the level."""
    grid = heights(contours)
    box = contours["box"]
    rows = np.linspace(y(box[2]), y(box[3]), grid.shape[0])
    columns = np.linspace(x(box[0]), x(box[1]), grid.shape[1])
    generator = contourpy.contour_generator(columns, rows, np.ma.masked_invalid(grid), fill_type="OuterOffset")
    paths = []
    for level in dict.fromkeys(contours["levels"]):
        d = ""
        for points, offsets in zip(*generator.filled(-math.inf, level), strict=True):
            for begin, end in pairwise(offsets):
                d += _smooth(points[begin : end - 1])
        paths.append(_shape("level", d=d))
    return _raw("g", {"aria-hidden": "true"}, "".join(paths))


def _smooth(loop: Any) -> str:
    """Draw a closed curve through the middles of the sides of a polygon, as quadratic Bézier curves."""
    middles = (loop + np.roll(loop, -1, axis=0)) / 2
    begin = f"M{middles[-1][0]:.1f} {middles[-1][1]:.1f}"
    curves = "".join(
        f"Q{corner[0]:.1f} {corner[1]:.1f} {middle[0]:.1f} {middle[1]:.1f}"
        for corner, middle in zip(loop, middles, strict=True)
    )
    return f"{begin}{curves}Z"


def _steps_panel(
    label: str,
    desc: str,
    rules: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    limits: Sequence[float],
    curves: Mapping[str, str],
    *,
    panel: str,
    size: tuple[int, int],
    box: Box,
    name: str,
    title: str,
    first: int,
    log: bool,
) -> str:
    """Draw curves over the steps; the first value belongs to step ``first``."""
    keys = list(curves.values())
    last = max(len(run[keys[0]]) for _, run in rules) - 1 + first
    y_ticks = _power_ticks(int(limits[0]), int(limits[1]), 5) if log else _nice_ticks(5, limits[0], limits[1])
    x, y, axes = _axes(box, (0, max(last, 1), *limits), _nice_ticks(6, 0, max(last, 1), whole=True), y_ticks, log=log)
    drawn = ""
    for rule, run in rules:
        shapes = {
            layer: [(x(k), y(_height(value, log=log))) for k, value in enumerate(run[key], first)]
            for layer, key in curves.items()
        }
        drawn += _curve(rule, shapes, most=12)
    left, top, right, bottom = box
    words = _text("name", (left + right) / 2, bottom + 30, "step", "middle")
    if title:
        words += _text("name", left, top - 7, title, "start")
    if name:
        words += _text("name", 0, 0, name, "middle", transform=f"translate(12 {(top + bottom) / 2:g}) rotate(-90)")
    ident = f"{rules[0][0]['name']}-{keys[0]}"
    return _svg(panel, size, label, desc, _clipped(box, drawn) + axes + words, ident)


def _height(value: float | None, *, log: bool) -> float:
    if value is None or not math.isfinite(value) or (log and value <= 0):
        return math.nan
    return math.log10(value) if log else value


def _curve(rule: Mapping[str, Any], shapes: Mapping[str, Sequence[tuple[float, float]]], most: int) -> str:
    """Draw the lines of one rule, and markers on the first of them, thinned to about ``most``."""
    drawn = ""
    for layer, points in shapes.items():
        d, pen = "", "M"
        for px, py in points:
            if math.isfinite(py):
                d, pen = d + f"{pen}{px:g} {py:g}", "L"
            else:
                pen = "M"
        drawn += _shape(layer, d=d, dasharray=rule["dash"] if layer == "line" else None)
    line = shapes["line"]
    stride = max(1, math.ceil(len(line) / most))
    dots = "".join(f"M{px:g} {py:g}{rule['marker']}" for px, py in line[::stride] if math.isfinite(py))
    return _group(rule, drawn + _shape("dots", d=dots))


def _group(rule: Mapping[str, Any], content: str) -> str:
    return _raw("g", {"class": "rule", "stroke": rule["color"], "fill": rule["color"]}, content)


def _axes(
    box: Box, limits: Sequence[float], x_ticks: Sequence[float], y_ticks: Sequence[float], *, log: bool = False
) -> tuple[Scale, Scale, str]:
    """Return the maps from data to pixels and the drawn axes; with ``log`` the y values are exponents of ten."""
    left, top, right, bottom = box
    x0, x1, y0, y1 = limits

    def x(value: float) -> float:
        return _pixel(left + (value - x0) / (x1 - x0) * (right - left))

    def y(value: float) -> float:
        return _pixel(bottom - (value - y0) / (y1 - y0) * (bottom - top))

    drawn = _shape("frame", d=f"M{left:g} {top:g}V{bottom:g}H{right:g}")
    ticks = "".join(_text("tick", x(value), bottom + 15, short(value), "middle") for value in x_ticks)
    for value in y_ticks:
        if log:
            ticks += _shape("grid", d=f"M{left:g} {y(value):g}H{right:g}")
        ticks += _text("tick", left - 6, y(value) + 4, power_of_ten(int(value)) if log else short(value), "end")
    return x, y, drawn + _raw("g", {"aria-hidden": "true"}, ticks)


def _pixel(value: float) -> float:
    return value if math.isnan(value) else round(max(-_FAR, min(_FAR, value)), 1)


def _nice_ticks(count: int, low: float, high: float, *, whole: bool = False) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``, about ``count`` of them."""
    raw = (high - low) / count
    scale = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * scale for factor in (1, 2, 5) if factor * scale >= 0.999 * raw), 10 * scale)
    if whole:
        step = max(1, round(step))
    return [i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _power_ticks(low: int, high: int, count: int) -> list[float]:
    return [float(i) for i in range(low, high + 1, math.ceil((high - low + 1) / count))]


# Markup


def _svg(panel: str, size: tuple[int, int], title: str, desc: str, content: str, ident: str) -> str:
    width, height = size
    attributes = {
        "class": panel,
        "viewBox": f"0 0 {width} {height}",
        "width": width,
        "height": height,
        "role": "img",
        "aria-labelledby": f"{ident}-title {ident}-desc",
        "font-size": 12,
        "font-family": "system-ui, sans-serif",
    }
    words = _tag("title", {"id": f"{ident}-title"}, title) + _tag("desc", {"id": f"{ident}-desc"}, desc)
    return _raw("svg", attributes, words + content)


def _clipped(box: Box, content: str) -> str:
    left, top, right, bottom = box
    size = {"x": f"{left:g}", "y": f"{top:g}", "width": f"{right - left:g}", "height": f"{bottom - top:g}"}
    return _raw("svg", {**size, "viewBox": " ".join(size.values())}, content)


def _shape(name: str, element: str = "path", dasharray: str | None = None, **attributes: object) -> str:
    dash = {"stroke-dasharray": dasharray} if dasharray else {}
    return _raw(element, {"class": name, **_LOOK.get(name, {}), **dash, **attributes}, "")


def _text(name: str, x: float, y: float, text: str, anchor: str, transform: str | None = None) -> str:
    place = {"transform": transform} if transform else {"x": f"{x:g}", "y": f"{y:g}"}
    return _tag("text", {"class": name, **place, "text-anchor": anchor, "fill": "currentColor"}, text)


def _tag(name: str, attributes: Mapping[str, object], text: str) -> str:
    return _raw(name, attributes, escape(text))


def _raw(name: str, attributes: Mapping[str, object], content: str) -> str:
    listed = "".join(f' {key}="{escape(str(value))}"' for key, value in attributes.items())
    return f"<{name}{listed}>{content}</{name}>"
