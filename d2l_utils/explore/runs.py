"""From sweeps to the description of a figure of :func:`d2l_utils.explore_runs`: axes, sliders and all numbers, packed.

Nothing is computed after a pick, so everything that the figure can say is in its description, as small as the eye
allows: the final loss of every run in single precision, and curves at a few times in steps of a quarter of a per cent.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_hex

from d2l_utils.explore.figure import _nice_ticks, power_of_ten, short
from d2l_utils.explore.spec import _MARKER_PATHS, _dash, _label, unique_id
from d2l_utils.plot import DASHES, MARKERS, PALETTE
from d2l_utils.plot_sweep import _SYMBOLS, _edges, _order, _scale
from d2l_utils.results import Sweep

Array = np.ndarray[Any, Any]

#: A curve is drawn at so many times, evenly spread, with the first and the last one.
MOST_TIMES = 21
#: Decades of loss between two heights that are told apart, and a diverging curve's last height, times the first loss.
_UNIT, _HIGHEST = 0.001, 300.0
_VLQ = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NUM_COLORS = 33
_MOST_TICKS = 7


@dataclass(frozen=True, eq=False)
class Map:
    """One sweep as the figure shows it; cell ``j * nx + i`` is column ``i`` and row ``j``, counted from below.

    Attributes
    ----------
    sweep : Sweep
        With its settings in the order of the cells.
    x, y : dict
        The axes; ``y`` is None for a sweep of one hyperparameter.
    mean, close, lost : ndarray, shape (cells,)
        Mean final loss, whether it is within seed noise of the best one, and how many seeds diverged.
    finals : ndarray, shape (cells, seeds)
        Final losses, NaN where a run diverged.
    epochs : list of float
        The times of the curves.
    curves : list of (mean, lowest, highest)
        Of each cell, in steps of ``unit`` decades above ``floor``, until the first of its seeds diverges.
    """

    sweep: Sweep
    label: str
    x: dict[str, Any]
    y: dict[str, Any] | None
    mean: Array
    close: Array
    lost: Array
    finals: Array
    epochs: list[float]
    floor: float
    unit: float
    curves: list[tuple[Array, Array, Array]]

    @property
    def best(self) -> int:
        """The cell with the lowest mean; the first one if all have diverged."""
        return int(self.mean.argmin())

    @property
    def before(self) -> float:
        """Loss before training, mean over all runs."""
        return float(self.sweep.losses[:, 0].mean())

    def exponents(self, cell: int) -> list[Array]:
        """Mean, lowest and highest loss along the curve of a cell, as exponents of ten."""
        return [self.floor + self.unit * steps for steps in self.curves[cell]]


def runs_spec(
    sweeps: Sequence[Sweep],
    *,
    labels: Sequence[str] | None,
    x: str | None,
    y: str | None,
    at: Mapping[str, Any] | None,
    compare: Mapping[str, Any] | bool | None,
    goal: Mapping[str, Any] | None,
    title: str | None,
    predict: str | None,
    seen: str | None,
) -> tuple[dict[str, Any], list[Map]]:
    """Describe a figure of :func:`d2l_utils.explore_runs`, whose arguments these are."""
    if not 1 <= len(sweeps) <= 2:
        raise TypeError(f"give one sweep or two, got {len(sweeps)}")
    for sweep in sweeps:
        if not isinstance(sweep, Sweep):
            raise TypeError(f"explore_runs takes sweeps, as d2l.sweep returns them, got {sweep!r}")
    if labels is not None and (isinstance(labels, str) or len(labels) != len(sweeps)):
        raise ValueError(f"labels must have one entry for each of the {len(sweeps)} sweeps, got {labels!r}")
    names = [_label(sweep.name) for sweep in sweeps] if labels is None else [str(label) for label in labels]
    if len(set(names)) < len(names):
        raise ValueError(f"both sweeps are called {names[0]!r}: give labels=")
    _check_axes(sweeps, x, y)
    maps = [_map(sweep, label, x, y) for sweep, label in zip(sweeps, names, strict=True)]
    first = _cell(maps[0], "at", {} if at is None else at)
    cells = [first, _second(maps, compare, first)]
    compared = len(maps) == 2 if compare is None else compare is not False
    sliders = [slider for letter in (0, 1) for slider in _sliders(maps[min(letter, len(maps) - 1)], letter, cells)]
    sliders.append(
        {"name": "compare", "label": "compare with a second cell, B", "log": False, "integer": True}
        | {"min": 0, "max": 1, "default": int(compared)}
    )
    used = [slider["name"] for slider in sliders]
    if len(set(used)) < len(used):
        raise ValueError(f"the figure needs the names {', '.join(used)} for its sliders: rename a hyperparameter")
    who = [sweeps[0].name, sweeps[-1].name]
    spec = {
        "kind": "runs",
        "id": unique_id(sweeps[0].name),
        "title": title or "Final loss of " + " and ".join(names),
        "rules": [
            {
                "name": name,
                "label": "AB"[i],
                "color": PALETTE[i],
                "dash": _dash(DASHES[i]),
                "marker": _MARKER_PATHS[MARKERS[i]],
            }
            for i, name in enumerate(who)
        ],
        "maps": [_packed(one) for one in maps],
        "colors": [to_hex(mpl.colormaps["viridis_r"](i / (_NUM_COLORS - 1))) for i in range(_NUM_COLORS)],
        "range": loss_range(maps),
        "sliders": sliders,
        "goal": _goal(goal),
        "task": {"predict": predict, "seen": seen},
        "state": {"seq": 0, "values": {slider["name"]: slider["default"] for slider in sliders}},
    }
    return spec, maps


def loss_range(maps: Sequence[Map]) -> list[float]:
    """Losses of the first and the last colour: the best mean and the loss before training, as in ``plot_map``."""
    before = float(np.mean([one.before for one in maps]))
    best = min(float(one.mean.min()) for one in maps)
    best = best if math.isfinite(best) else before
    return [best, before if before > best else best * 1.01]


def _check_axes(sweeps: Sequence[Sweep], x: str | None, y: str | None) -> None:
    for sweep in sweeps:
        varied = sweep.varied
        if not 1 <= len(varied) <= 2:
            raise ValueError(
                f"a map has one axis or two, but {', '.join(varied) or 'nothing'} varies in the sweep of {sweep.name}: "
                "use sweep.select(name=value)"
            )
        for name in varied:
            values = sweep.grid[name]
            if any(value in values[:i] for i, value in enumerate(values)):
                raise ValueError(f"the values of {name} must differ, got {values}")
        losses = sweep.losses[np.isfinite(sweep.losses)]
        if not (losses > 0).all():
            raise ValueError(f"losses must be above 0 to be drawn on a logarithmic scale, got {losses.min():g}")
        if not np.isfinite(sweep.losses[:, 0]).all():
            raise ValueError(f"the loss before training must be finite in the sweep of {sweep.name}")
    known = {name for sweep in sweeps for name in sweep.varied}
    for axis, wanted in (("x", x), ("y", y)):
        if wanted is not None and wanted not in known:
            raise ValueError(f"{axis} must be {' or '.join(sorted(known))}, got {wanted!r}")
    if x is not None and x == y:
        raise ValueError(f"x and y must differ, got {x!r} for both")


def _map(sweep: Sweep, label: str, x: str | None, y: str | None) -> Map:
    first, *others = sweep.varied
    if others and (first == y or others[0] == x):
        first, others = others[0], [first]
    if not others and first == y:
        raise ValueError(f"only {first} varies in the sweep of {sweep.name}: it belongs to the x axis")
    names = [*others, first]  # y, x
    values = {name: [sweep.grid[name][i] for i in _order(sweep.grid[name])] for name in names}
    sweep = sweep.select(**values)
    if sweep.varied != names:
        losses = sweep.losses.reshape(len(values[first]), len(values[names[0]]), -1)
        losses = losses.swapaxes(0, 1).reshape(sweep.losses.shape)
        grid = {name: sweep.grid[name] for name in sweep.grid if name not in names} | {n: sweep.grid[n] for n in names}
        sweep = Sweep(sweep.name, grid, sweep.seeds, sweep.batch_size, sweep.num_epochs, sweep.epochs, losses)
    times = np.unique(np.linspace(0, len(sweep.epochs) - 1, MOST_TIMES).round().astype(int))
    finals = sweep.losses[:, -1].astype(np.float64).reshape(-1, len(sweep.seeds))
    floor, unit, curves = _curves(sweep.losses.reshape(*finals.shape, -1)[:, :, times].astype(np.float64))
    return Map(
        sweep=sweep,
        label=label,
        x=_axis(first, values[first]),
        y=_axis(names[0], values[names[0]]) if others else None,
        mean=sweep.mean_final_loss,
        close=sweep.within_noise(),
        lost=np.isnan(finals).sum(axis=1),
        finals=finals,
        epochs=[float(f"{epoch:.6g}") for epoch in sweep.epochs[times]],
        floor=floor,
        unit=unit,
        curves=curves,
    )


def _axis(name: str, values: Sequence[Any]) -> dict[str, Any]:
    scale, positions = _scale(name, values)
    edges = [float(edge) for edge in _edges(positions)]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    texts = [short(float(value)) if numeric else str(value) for value in values]
    ticks = [[float(position), text] for position, text in zip(positions, texts, strict=True)]
    if scale == "log":
        powers = [float(k) for k in range(math.ceil(edges[0] - 1e-9), math.floor(edges[-1] + 1e-9) + 1)]
        if len(powers) > 1:
            ticks = [[k, power_of_ten(int(k))] for k in powers]
    elif scale == "linear" and len(values) > _MOST_TICKS:
        ticks = [[value, short(value)] for value in _nice_ticks(6, float(positions[0]), float(positions[-1]))]
    stride = math.ceil(len(ticks) / _MOST_TICKS)
    symbol = _SYMBOLS.get(name, name).split()[-1]
    return {
        "name": name,
        "label": _SYMBOLS.get(name, name),
        "symbol": symbol,
        "log": scale == "log",
        "values": [float(value) for value in values] if numeric else None,
        "texts": texts,
        "edges": edges,
        "ticks": ticks[::stride],
    }


def _curves(losses: Array) -> tuple[float, float, list[tuple[Array, Array, Array]]]:
    """Height 0 and unit in decades, and the curves of losses of shape (cells, seeds, times)."""
    highest = _HIGHEST * losses[:, :, 0].max()
    low, high = math.log10(np.nanmin(losses)), math.log10(highest)
    unit = max(_UNIT, (high - low) / 60_000)
    curves = []
    for runs in losses:
        alive = np.isfinite(runs).all(axis=0)
        runs = runs[:, : len(alive) if alive.all() else int(alive.argmin())]
        stats = np.stack([runs.mean(axis=0), runs.min(axis=0), runs.max(axis=0)])
        steps = ((np.log10(np.minimum(stats, highest)) - low) / unit).round().astype(int)
        curves.append((steps[0], steps[1], steps[2]))
    return low, unit, curves


def _packed(one: Map) -> dict[str, Any]:
    limit = float(np.finfo(np.float32).max)
    planes = np.clip(one.finals, -limit, limit).astype("<f4").view(np.uint8).reshape(-1, 4).T
    numbers: list[int] = []
    for mean, low, high in one.curves:
        changes = np.diff(mean, prepend=0)
        zigzag = np.where(changes < 0, -2 * changes - 1, 2 * changes)
        numbers += [len(mean), *zigzag.tolist(), *(mean - low).tolist(), *(high - mean).tolist()]
    return {
        "name": one.sweep.name,
        "label": one.label,
        "x": one.x,
        "y": one.y,
        "seeds": list(one.sweep.seeds),
        "epochs": one.epochs,
        "before": one.before,
        "floor": one.floor,
        "unit": one.unit,
        "finals": base64.b64encode(planes.tobytes()).decode("ascii"),
        "curves": vlq(numbers),
    }


def vlq(numbers: Sequence[int]) -> str:
    """Write whole numbers from 0 on in digits of five bits, the lowest first; a sixth bit says that more follow.

    >>> vlq([0, 31, 32])
    'AfgB'
    """
    text = []
    for value in numbers:
        while value > 31:
            text.append(_VLQ[value & 31 | 32])
            value >>= 5
        text.append(_VLQ[value])
    return "".join(text)


def _cell(one: Map, argument: str, chosen: Mapping[str, Any]) -> int:
    """Return the best of the cells with these hyperparameters."""
    if not isinstance(chosen, Mapping):
        raise TypeError(f"{argument} must be a dict of hyperparameters, got {chosen!r}")
    varied = one.sweep.varied
    keep = np.ones([len(one.sweep.grid[name]) for name in varied], dtype=bool)
    for name, value in chosen.items():
        if name not in varied:
            raise ValueError(f"{argument} must name {' or '.join(varied[::-1])}, which vary, got {name!r}")
        values = one.sweep.grid[name]
        if value not in values:
            raise ValueError(f"{argument}[{name!r}] must be one of {values}, got {value!r}")
        others = np.arange(len(values)) != values.index(value)
        keep[(slice(None),) * varied.index(name) + (others,)] = False
    kept = np.flatnonzero(keep)
    return int(kept[one.mean[kept].argmin()])


def _second(maps: Sequence[Map], compare: Mapping[str, Any] | bool | None, first: int) -> int:
    """Return the second cell: as told, or the best of the second sweep, or the runner-up of the only one."""
    if isinstance(compare, bool) or compare is None:
        if len(maps) == 2:
            return maps[1].best
        order = np.argsort(maps[0].mean, kind="stable")
        return int(order[0] if order[0] != first else order[1])
    return _cell(maps[-1], "compare", compare)


def _sliders(one: Map, letter: int, cells: Sequence[int]) -> list[dict[str, Any]]:
    sliders = []
    columns = len(one.x["texts"])
    for axis, index in ((one.x, cells[letter] % columns), (one.y, cells[letter] // columns)):
        if axis is None:
            continue
        values = axis["values"]
        sliders.append(
            {
                "name": axis["name"] + ("_2" if letter else ""),
                "label": f"{'AB'[letter]}: {axis['label']}",
                "log": axis["log"],
                "integer": values is None,
                "min": 0 if values is None else values[0],
                "max": len(axis["texts"]) - 1 if values is None else values[-1],
                "default": index if values is None else values[index],
            }
        )
    return sliders


def _goal(goal: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if goal is None:
        return None
    kinds = {"below", "diverge", "alike"}
    if not isinstance(goal, Mapping) or len(set(goal) & kinds) != 1 or not set(goal) <= kinds | {"text"}:
        raise TypeError(f"goal must be a dict(below=…), dict(diverge=True) or dict(alike=True), got {goal!r}")
    if "below" in goal:
        below = goal["below"]
        if isinstance(below, bool) or not isinstance(below, int | float) or not 0 < below < math.inf:
            raise ValueError(f"goal['below'] must be above 0, got {below!r}")
        return {"below": float(below), "text": str(goal.get("text", f"a mean final loss of A below {short(below)}"))}
    if goal.get("diverge"):
        return {"diverge": True, "text": str(goal.get("text", "make A diverge"))}
    if goal.get("alike"):
        return {"alike": True, "text": str(goal.get("text", "two cells that the spread does not tell apart"))}
    raise ValueError(f"goal must be dict(diverge=True) or dict(alike=True), got {goal!r}")
