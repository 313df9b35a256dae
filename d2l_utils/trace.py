"""The two-dimensional toy: follow an update rule from a start point and draw its path.

Everything that computes here is plain Python and ``math``, because the same source also runs in the reader's browser.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from d2l_utils._checks import check_hyperparams, require_point, require_positive_int
from d2l_utils.plot import STYLES, new_axes

Point = tuple[float, float]
Trainer = Callable[..., Sequence[float]]
Gradient = Callable[[float, float], Sequence[float]]

#: d2l's trainers carry two state scalars; used only where a signature does not tell (``*args``).
_DEFAULT_NUM_STATES = 2
#: Matplotlib's own arithmetic overflows on points much larger than this, and a diverging run ends with such a point.
_LARGEST_DRAWN = 1e300


def follow(step: Callable[..., Sequence[float]], point: Sequence[float], num_states: int, steps: int) -> list[Any]:
    """Apply ``step(x1, x2, *state) -> (x1, x2, *state)`` repeatedly and collect the finite points.

    The state starts at zero. The list ends early, with the last finite point, when the run diverges (a point that is
    infinite or NaN, or an arithmetic overflow).

    Raises
    ------
    ValueError
        If ``step`` does not return ``2 + num_states`` values.
    """
    # This function is also shipped to the page and run there by MicroPython: keep to its subset of the language, and to
    # local names, which are quicker there.
    isfinite, is_a, sequences = math.isfinite, isinstance, (tuple, list)
    values: Sequence[float] = [float(point[0]), float(point[1])] + [0.0] * num_states
    count = len(values)
    points = [(values[0], values[1])]
    add = points.append
    try:
        for _ in range(steps):
            values = step(*values)
            if not is_a(values, sequences) or len(values) != count:
                got = str(len(values)) + " values" if is_a(values, sequences) else repr(values)
                raise ValueError("the trainer must return " + str(count) + " values (x1, x2, *state), got " + got)
            x1, x2 = values[0], values[1]
            if not (isfinite(x1) and isfinite(x2)):
                break
            add((x1, x2))
    except OverflowError:
        pass
    return points


def state_names(trainer: Trainer, hyperparams: Mapping[str, Any], *, takes_gradient: bool) -> list[str] | None:
    """Names of the state scalars that ``trainer(x1, x2, *state[, f_grad], **hyperparams)`` declares.

    They are the positional parameters without a default after ``x1, x2``, less the gradient and less those that
    ``hyperparams`` sets by name. ``None`` if the signature does not tell (``*args``).

    Raises
    ------
    TypeError
        If the trainer cannot take a point, needs a gradient and gets none, or does not know a hyperparameter.
    """
    if not callable(trainer):
        raise TypeError(f"trainer must be a function, got {trainer!r}")
    name = getattr(trainer, "__name__", repr(trainer))
    parameters = inspect.signature(trainer).parameters.values()
    kinds = {p.kind for p in parameters}
    known = {p.name for p in parameters if p.kind not in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    unknown = [h for h in hyperparams if h not in known]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds:
        raise TypeError(f"{name} takes no hyperparameter {unknown[0]!r}; it takes {sorted(known)}")
    missing = [
        p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty and p.name not in hyperparams
    ]
    if "f_grad" in missing:
        missing.remove("f_grad")
        if not takes_gradient:
            raise TypeError(f"{name} takes f_grad, but no gradient was given: pass f_grad=…")
    if missing:
        raise TypeError(f"{name} needs a value for {missing[0]!r}")
    positional = [
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) and p.default is p.empty and p.name not in hyperparams
    ]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return None
    if len(positional) < 2:
        raise TypeError(f"{name} must take x1 and x2 as its first two parameters, it takes {positional}")
    states = positional[2:]
    if takes_gradient:
        if "f_grad" in states:
            states.remove("f_grad")
        elif "f_grad" in known:
            pass  # keyword-only or with a default: passed by name
        elif states:
            states.pop()
        else:
            raise TypeError(f"{name} takes no gradient, but f_grad was given")
    elif "f_grad" in states:
        raise TypeError(f"{name} takes f_grad, but no gradient was given: pass f_grad=…")
    return states


def bind(
    trainer: Trainer, f_grad: Gradient | None, hyperparams: Mapping[str, Any]
) -> tuple[Callable[..., Sequence[float]], int]:
    """Fix gradient and hyperparameters of ``trainer``; return ``step(x1, x2, *state)`` and the number of states.

    Raises
    ------
    TypeError, ValueError
        As :func:`state_names`, and if a hyperparameter is out of its range.
    """
    check_hyperparams(hyperparams)
    states = state_names(trainer, hyperparams, takes_gradient=f_grad is not None)
    num_states = _DEFAULT_NUM_STATES if states is None else len(states)
    if f_grad is None:
        return (lambda *values: trainer(*values, **hyperparams)), num_states
    if not callable(f_grad):
        raise TypeError(f"f_grad must be a function (x1, x2) -> (g1, g2), got {f_grad!r}")

    def gradient(x1: float, x2: float) -> Sequence[float]:
        value = f_grad(x1, x2)
        if not hasattr(value, "__len__") or len(value) != 2:
            raise TypeError(f"f_grad must return two numbers (g1, g2), got {value!r}")
        return value

    parameter = inspect.signature(trainer).parameters.get("f_grad")
    if parameter is not None and parameter.kind is not parameter.POSITIONAL_ONLY:
        return (lambda *values: trainer(*values, f_grad=gradient, **hyperparams)), num_states
    return (lambda *values: trainer(*values, gradient, **hyperparams)), num_states


def train_2d(
    trainer: Trainer,
    steps: int = 20,
    f_grad: Gradient | None = None,
    *,
    start: Sequence[float] = (-5.0, -2.0),
    **hyperparams: Any,
) -> list[Point]:
    """Run an update rule on a function of two variables and print where it ends.

    Parameters
    ----------
    trainer : callable
        ``trainer(x1, x2, *state[, f_grad], **hyperparams) -> (x1, x2, *state)``. Every further positional parameter
        without a default is one state scalar and starts at 0; d2l's trainers, which close over globals, work too.
    steps : int
        Number of updates, at least 1.
    f_grad : callable, optional
        ``f_grad(x1, x2) -> (g1, g2)``; passed to the trainer if given.
    start : pair of float
        The start point.
    **hyperparams
        Passed to the trainer by name.

    Returns
    -------
    list of (float, float)
        The ``steps + 1`` points, start included. A run that diverges ends with its last finite point and says so.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the above says, or the trainer returns the wrong number of values.

    Examples
    --------
    >>> def gd_2d(x1, x2, *, eta):
    ...     return x1 - eta * 0.2 * x1, x2 - eta * 4 * x2
    >>> points = train_2d(gd_2d, eta=0.4)
    epoch 20, x1 -0.943467, x2 -0.000073
    """
    steps = require_positive_int("steps", steps)
    point = require_point("start", start)
    step, num_states = bind(trainer, f_grad, hyperparams)
    points: list[Point] = follow(step, point, num_states, steps)
    x1, x2 = points[-1]
    if len(points) <= steps:
        print(f"diverged at step {len(points)}; last finite point (step {len(points) - 1}): x1 {x1:f}, x2 {x2:f}")
    else:
        print(f"epoch {steps}, x1 {x1:f}, x2 {x2:f}")
    return points


def show_trace_2d(
    f: Callable[[Any, Any], Any], results: Sequence[Point] | Mapping[str, Sequence[Point]], *, ax: Axes | None = None
) -> Axes:
    """Draw the path of :func:`train_2d` over the contour lines of ``f``.

    The picture covers d2l's window, x1 in [-5.5, 1] and x2 in [-3, 1], and grows to hold every point: a diverging path
    is shown, not cut off.

    Parameters
    ----------
    f : callable
        ``f(x1, x2)``; called with arrays, or point by point if it does not take arrays.
    results : sequence of (float, float), or mapping of label to such a sequence
        One path, or several with their labels.
    ax : matplotlib Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is no point, or one that is not a pair of finite numbers.
    """
    paths = dict(results) if isinstance(results, Mapping) else {"": results}
    arrays = {label: _as_path(path) for label, path in paths.items()}
    if not arrays:
        raise ValueError("results must hold at least one path, got none")
    every = np.concatenate(list(arrays.values()))
    low, high = _window(every)
    grid1, grid2 = np.meshgrid(np.linspace(low[0], high[0], 161), np.linspace(low[1], high[1], 121))
    heights = _evaluate(f, grid1, grid2)
    if ax is None:
        ax = new_axes((4.5, 3.0))
    ax.contour(grid1, grid2, heights, levels=_contour_levels(heights), colors="#7a8793", linewidths=0.7)
    for style, (label, path) in zip(_cycle(len(arrays)), arrays.items(), strict=True):
        ax.plot(path[:, 0], path[:, 1], label=label or None, zorder=3, **style)
    ax.plot(*every[0], marker="*", markersize=9, color="black", linestyle="none", zorder=4)
    ax.set(xlabel="$x_1$", ylabel="$x_2$", xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    if any(arrays):
        ax.legend()
    return ax


def _cycle(count: int) -> list[dict[str, Any]]:
    return [STYLES[i % len(STYLES)] | {"markersize": 3.5, "linewidth": 1.3} for i in range(count)]


def _as_path(points: Sequence[Point]) -> np.ndarray[Any, np.dtype[np.float64]]:
    path = np.array(points, dtype=float)
    if path.ndim != 2 or path.shape[0] < 1 or path.shape[1] != 2:
        raise ValueError(f"a path must be a sequence of points (x1, x2), got an array of shape {path.shape}")
    if not np.isfinite(path).all():
        raise ValueError("a path must hold finite points; train_2d leaves out the others")
    np.clip(path, -_LARGEST_DRAWN, _LARGEST_DRAWN, out=path)
    return path


def _window(points: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.05 * (high - low)  # keeps markers off the frame
    return np.minimum(low - margin, (-5.5, -3.0)), np.maximum(high + margin, (1.0, 1.0))


def _evaluate(f: Callable[[Any, Any], Any], grid1: Any, grid2: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    with np.errstate(over="ignore", invalid="ignore"):
        try:
            heights = f(grid1, grid2)
        except TypeError:  # written with `math`: one point at a time
            heights = np.vectorize(f, otypes=[float])(grid1, grid2)
    return np.broadcast_to(np.asarray(heights, dtype=float), grid1.shape)


def _contour_levels(heights: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Levels that crowd towards the minimum, where the paths end."""
    finite = heights[np.isfinite(heights)]
    if finite.size == 0 or finite.max() <= finite.min():
        return np.array([0.0])
    low, high = float(finite.min()), float(finite.max())
    levels: np.ndarray[Any, Any] = low + (high - low) * np.linspace(0.05, 1, 10) ** 2
    return levels
