"""What a figure shows that follows from what Python has computed: learning rates, the ranges of two axes, contours.

For the static picture; ``explorer.js`` derives the same from the same numbers while a figure is used. (In the page,
MicroPython would spend a third of each update on it.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

#: The logarithmic axes show no smaller f, and so many decades below the largest value.
_LOWEST_F = 1e-16
_F_DECADES = 60
_RATE_DECADES = 8


def rates_along(run: Mapping[str, Any], i: int) -> list[float]:
    """Return the step taken per unit of gradient along coordinate ``i`` (0 or 1), NaN where the gradient is 0."""
    x, slopes = run["path"][i::2], run["slope"][i::2]
    steps = zip(x, x[1:], slopes, strict=False)
    return [(then - now) / slope if slope else math.nan for then, now, slope in steps]


def rate_axis(runs: Iterable[Mapping[str, Any]]) -> list[float]:
    """Return the whole exponents of ten between which the effective learning rates of ``runs`` lie."""
    return decades(*extent([rates_along(run, i) for run in runs for i in (0, 1)], 0.0, (0.1, 10.0)), _RATE_DECADES)


def f_axis(runs: Iterable[Mapping[str, Any]]) -> tuple[list[float], bool]:
    """Return the range of f along ``runs`` and whether it is in exponents of ten, as it is if no f is negative."""
    low, high = extent([run["f"] for run in runs], -math.inf, (1.0, 1.0))
    if low >= 0:
        return decades(max(low, _LOWEST_F), max(high, _LOWEST_F), _F_DECADES), True
    margin = 0.05 * (high - low) or 1.0
    return [low - margin, high + margin], False


def extent(lists: Iterable[Sequence[float]], above: float, otherwise: tuple[float, float]) -> tuple[float, float]:
    """Return the least and the largest of the finite values larger than ``above``."""
    values = [value for values in lists for value in values if above < value < math.inf]
    return (min(values), max(values)) if values else otherwise


def decades(lowest: float, highest: float, most: int) -> list[float]:
    """Return the exponents of ten that enclose two positive values, at most ``most`` apart (the larger one is kept)."""
    high = math.ceil(math.log10(highest) - 1e-9)
    low = math.floor(math.log10(lowest) + 1e-9)
    if low == high:  # all are one power of ten, which would lie on the edge
        low, high = low - 1, high + 1
    return [float(max(low, high - most)), float(high)]


def heights(contours: Mapping[str, Any]) -> Any:
    """Return f on the grid of ``contours``, array (rows, columns), with its intervals halved.

    A new point gets the value of the cubic through its four neighbours on the line, of a quadratic next to the border:
    exact for a quadratic f. What is not finite becomes NaN, as does what lies next to it.
    """
    grid = np.asarray(contours["grid"], dtype=float).reshape(contours["ny"], contours["nx"])
    grid = np.where(np.isfinite(grid), grid, np.nan)
    for _ in range(2):
        outside = [3 * (grid[:, i] - grid[:, j]) + grid[:, k] for i, j, k in ((0, 1, 2), (-1, -2, -3))]
        wide = np.column_stack([outside[0], grid, outside[1]])
        finer = np.empty((2 * grid.shape[1] - 1, grid.shape[0]))  # transposed: the columns are next
        finer[::2] = grid.T
        finer[1::2] = ((9 * (wide[:, 1:-2] + wide[:, 2:-1]) - wide[:, :-3] - wide[:, 3:]) / 16).T
        grid = finer
    return grid
