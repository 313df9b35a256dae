"""Pictures of many runs: a map of the final loss, and curves with their spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from d2l_utils._grid import settings_of
from d2l_utils.plot import PALETTE, STYLES, new_axes
from d2l_utils.results import Sweep

Array = np.ndarray[Any, Any]

_SYMBOLS = {
    "lr": "learning rate η",
    "eta": "learning rate η",
    "gamma": "decay γ",
    "momentum": "momentum μ",
    "alpha": "smoothing α",
    "rho": "decay ρ",
    "beta1": "β₁",
    "beta2": "β₂",
    "eps": "ε",
    "weight_decay": "weight decay λ",
}
_RATES = ("lr", "eta", "eps", "weight_decay")
_STAR: dict[str, Any] = {
    "marker": "*", "markersize": 11, "color": "white", "markeredgecolor": PALETTE[5], "linestyle": "none",
}  # fmt: skip
_DIVERGED: dict[str, Any] = {"facecolor": "#eceff1", "edgecolor": "#78838c", "linewidth": 0, "hatch": "////"}
_MARKERS_PER_CURVE = 6
#: A diverging curve leaves the picture at so many times the loss before training.
_HIGHEST = 100


def plot_map(sweep: Sweep, x: str | None = None, y: str | None = None, *, ax: Axes | None = None) -> Axes:
    """Draw the final loss, mean over the seeds, over the two hyperparameters that vary.

    Settings with a diverged run are hatched. A star marks the best one, and a line surrounds all within seed noise of
    it (:meth:`Sweep.within_noise <d2l_utils.Sweep.within_noise>`). Colours end at the loss before training: a setting
    that has learned nothing looks the same however bad it is.

    Parameters
    ----------
    sweep : Sweep
    x, y : str, optional
        Hyperparameters of the axes; by default the two that vary, in their order.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If not exactly two hyperparameters vary, or x and y are not these two.
    """
    if len(sweep.varied) != 2:
        raise ValueError(
            f"a map has two axes, but {', '.join(sweep.varied) or 'nothing'} varies: use sweep.select(name=value)"
        )
    x = next(name for name in sweep.varied if name != y) if x is None else x
    y = next(name for name in sweep.varied if name != x) if y is None else y
    if {x, y} != set(sweep.varied):
        raise ValueError(f"x and y must be {' and '.join(sweep.varied)}, got {x!r} and {y!r}")
    as_table = (len(sweep.grid[sweep.varied[0]]), len(sweep.grid[sweep.varied[1]]))
    loss, close = (values.reshape(as_table) for values in (sweep.mean_final_loss, sweep.within_noise()))
    if sweep.varied[0] == x:
        loss, close = loss.T, close.T
    # Now shape (y, x), sorted along both.
    order_x, order_y = (_order(sweep.grid[name]) for name in (x, y))
    loss, close = loss[np.ix_(order_y, order_x)], close[np.ix_(order_y, order_x)]
    ax = new_axes((5.2, 3.6)) if ax is None else ax
    edges_x = _axis(ax, "x", x, [sweep.grid[x][i] for i in order_x])
    edges_y = _axis(ax, "y", y, [sweep.grid[y][i] for i in order_y])
    ax.grid(visible=False)
    before = float(sweep.losses[:, 0].mean())
    best = float(loss.min()) if np.isfinite(loss).any() else before
    norm = LogNorm(best, before if before > best else best * 1.01)
    mesh = ax.pcolormesh(edges_x, edges_y, np.ma.masked_invalid(loss), norm=norm, cmap="viridis_r", rasterized=True)
    _hatch(ax, edges_x, edges_y, ~np.isfinite(loss))
    for color, width in (("white", 3.2), (PALETTE[5], 1.4)):
        ax.add_collection(LineCollection(_outline(edges_x, edges_y, close), colors=color, linewidths=width))
    if np.isfinite(loss).any():
        j, i = divmod(int(loss.argmin()), loss.shape[1])
        ax.plot(_middle(ax.get_xscale(), edges_x, i), _middle(ax.get_yscale(), edges_y, j), **_STAR)
    bar = ax.figure.colorbar(mesh, ax=ax, extend="max", label=f"final loss, mean of {len(sweep.seeds)} seeds")
    _plain_ticks(bar.ax, best, norm.vmax or before)
    ax.set_title(sweep.name)
    keys: list[Any] = [
        Line2D([], [], **_STAR, label="best"),
        Line2D([], [], color=PALETTE[5], label="within seed noise"),
    ]
    if not np.isfinite(loss).all():
        keys.append(Rectangle((0, 0), 1, 1, label="diverged", **_DIVERGED))
    ax.legend(
        handles=keys, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=len(keys), frameon=False, handlelength=1.3
    )
    return ax


def plot_runs(*sweeps: Sweep, labels: Sequence[str] | None = None, ax: Axes | None = None) -> Axes:
    """Draw the loss of every setting against epochs: the mean over the seeds, in a band from the lowest to the highest.

    A curve ends where the first of its runs diverges, or at the top, at 100 times the loss before training.

    Parameters
    ----------
    *sweeps : Sweep
        Seven settings at most in all; choose them with ``sweep.best()`` and ``sweep.select(name=value)``.
    labels : sequence of str, optional
        One a curve; by default the optimizer and the hyperparameters in which the curves differ.
    ax : Axes, optional
        Where to draw; by default a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is no curve or too many, or ``labels`` is of another length.
    """
    curves = [
        (sweep, setting, table)
        for sweep in sweeps
        for setting, table in zip(
            settings_of(sweep.grid), sweep.losses.reshape(-1, len(sweep.seeds), len(sweep.epochs)), strict=True
        )
    ]
    if not 1 <= len(curves) <= len(STYLES):
        raise ValueError(
            f"between 1 and {len(STYLES)} curves can be told apart, got {len(curves)}: "
            "choose settings with sweep.best() or sweep.select(name=value)"
        )
    if labels is not None and len(labels) != len(curves):
        raise ValueError(f"labels must have one entry for each of the {len(curves)} curves, got {len(labels)}")
    ax = new_axes((5.2, 2.9 + 0.2 * len(curves))) if ax is None else ax
    texts = _labels(curves) if labels is None else labels
    for i, ((sweep, _, table), text) in enumerate(zip(curves, texts, strict=True)):
        alive = np.isfinite(table).all(axis=0)
        diverges = not alive.all()
        epochs, table = sweep.epochs[alive], table[:, alive].astype(float)
        style = STYLES[i] | {"markersize": 4, "markevery": (2 * i, max(1, len(epochs) // _MARKERS_PER_CURVE))}
        (line,) = ax.plot(epochs, table.mean(axis=0), label=text + (", diverges" if diverges else ""), **style)
        ax.fill_between(epochs, table.min(axis=0), table.max(axis=0), color=line.get_color(), alpha=0.18, linewidth=0)
    ax.set(xlabel="epoch", ylabel="loss", yscale="log")
    lowest = 0.95 * min(float(np.nanmin(sweep.losses)) for sweep in sweeps)
    highest = ax.get_ylim()[1]
    highest = min(highest, _HIGHEST * max(float(sweep.losses[:, 0].max()) for sweep in sweeps))
    ax.set_ylim(lowest, highest)
    _plain_ticks(ax, lowest, highest)
    ax.legend(
        title=f"mean and range of {len(sweeps[0].seeds)} seeds",
        title_fontsize="small",
        loc="lower left",
        bbox_to_anchor=(0, 1),
        alignment="left",
        frameon=False,
    )
    return ax


def _order(values: Sequence[Any]) -> list[int]:
    """Return the indices that sort numbers; other values keep their order."""
    indices = list(range(len(values)))
    return sorted(indices, key=values.__getitem__) if all(isinstance(v, int | float) for v in values) else indices


def _axis(ax: Axes, which: str, name: str, values: Sequence[Any]) -> Array:
    """Scale and label an axis for these values, and return the edges of their cells."""
    scale, positions = _scale(name, values)
    edges = _edges(positions)
    if scale == "log":
        ax.set(**{f"{which}scale": "log"})
        edges = 10**edges
    elif scale == "steps":
        ax.set(**{f"{which}ticks": range(len(values)), f"{which}ticklabels": [str(value) for value in values]})
    ax.set(**{f"{which}label": _SYMBOLS.get(name, name)})
    return edges


def _scale(name: str, values: Sequence[Any]) -> tuple[str, Array]:
    """Return the scale on which the values are evenly spaced and their positions on it.

    It is "linear", "log" (the positions are exponents of ten), or else "steps", one a value.
    """
    numbers = np.array(values, dtype=float) if all(isinstance(v, int | float) for v in values) else np.full(1, np.nan)
    positive = bool((numbers > 0).all())
    if positive and (name in _RATES or (_is_even(np.log10(numbers)) and not _is_even(numbers))):
        return "log", np.log10(numbers)
    if np.isfinite(numbers).all() and _is_even(numbers):
        return "linear", numbers
    return "steps", np.arange(len(values), dtype=float)


def _is_even(positions: Array) -> bool:
    gaps = np.diff(positions)
    return bool(np.allclose(gaps, gaps.mean(), rtol=0.02))


def _edges(positions: Array) -> Array:
    """Borders halfway between neighbours; the outer ones as far out."""
    middles = (positions[1:] + positions[:-1]) / 2
    return np.concatenate([[2 * positions[0] - middles[0]], middles, [2 * positions[-1] - middles[-1]]])


def _middle(scale: str, edges: Array, i: int) -> float:
    low, high = float(edges[i]), float(edges[i + 1])
    return math.sqrt(low * high) if scale == "log" else (low + high) / 2


def _hatch(ax: Axes, edges_x: Array, edges_y: Array, cells: Array) -> None:
    boxes = [
        Rectangle((edges_x[i], edges_y[j]), edges_x[i + 1] - edges_x[i], edges_y[j + 1] - edges_y[j])
        for j, i in np.argwhere(cells)
    ]
    if boxes:
        ax.add_collection(PatchCollection(boxes, **_DIVERGED))


def _outline(edges_x: Array, edges_y: Array, cells: Array) -> list[Array]:
    """Segments between the cells that are in and those that are not."""
    padded = np.pad(cells, 1)
    segments = []
    for j, i in np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1]):  # left and right borders
        segments.append(np.array([(edges_x[i], edges_y[j]), (edges_x[i], edges_y[j + 1])]))
    for j, i in np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1]):
        segments.append(np.array([(edges_x[i], edges_y[j]), (edges_x[i + 1], edges_y[j])]))
    return segments


def _plain_ticks(ax: Axes, low: float, high: float) -> None:
    """Label a logarithmic y axis that spans less than a decade or two with plain numbers."""
    if high / low < 100:
        ax.yaxis.set_major_locator(
            LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if high / low > 3 else tuple(np.arange(1, 10, 0.5)))
        )
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_locator(NullLocator())


def _labels(curves: Sequence[tuple[Sweep, dict[str, Any], Array]]) -> list[str]:
    optimizers = {sweep.name for sweep, _, _ in curves}
    settings = [setting for _, setting, _ in curves]
    keys = dict.fromkeys(name for setting in settings for name in setting)
    differing = [key for key in keys if any(s.get(key) != settings[0].get(key) for s in settings)]
    texts = []
    for sweep, setting, _ in curves:
        parts = [sweep.name] if len(optimizers) > 1 or not differing else []
        parts += [
            f"{_SYMBOLS.get(key, key).split()[-1]} = {_short(setting[key])}" for key in differing if key in setting
        ]
        texts.append(", ".join(parts))
    return texts


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
