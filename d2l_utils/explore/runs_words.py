"""What a figure of :func:`d2l_utils.explore_runs` says about its cells A and B, in the words of ``runs.js``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from d2l_utils.explore.figure import short
from d2l_utils.explore.runs import Map


def setting(one: Map, cell: int) -> str:
    """Write the hyperparameters of a cell: "η = 0.01, γ = 0.9"."""
    j, i = divmod(cell, len(one.x["texts"]))
    parts = [f"{one.x['symbol']} = {one.x['texts'][i]}"]
    if one.y is not None:
        parts.append(f"{one.y['symbol']} = {one.y['texts'][j]}")
    return ", ".join(parts)


def ending(one: Map, cell: int) -> str:
    """Say how the runs of a cell end: the mean final loss and its spread, or that some diverged."""
    runs = one.finals[cell]
    if one.lost[cell]:
        return "diverged" if len(runs) == 1 else f"diverged with {one.lost[cell]} of {len(runs)} seeds"
    return short(one.mean[cell]) + (f" ± {short(runs.std(ddof=1), 2)}" if len(runs) > 1 else "")


def sentence(maps: Sequence[Map], chosen: Sequence[tuple[Map, int]]) -> str:
    """Say what the chosen cells are, how their runs end and what the seeds allow to say about the difference."""
    parts = []
    for letter, (one, cell) in zip("AB", chosen, strict=False):
        name = f"{one.label}, {setting(one, cell)}" if len(maps) > 1 else setting(one, cell)
        if one.lost[cell]:
            parts.append(f"{letter} ({name}) {ending(one, cell)}.")
            continue
        rank = ", the best" if cell == one.best else ", within seed noise of the best" if one.close[cell] else ""
        count = one.finals.shape[1]
        spread = f" (mean ± standard deviation of {count} seeds)" if letter == "A" else ""
        spread = " (one seed)" if count == 1 else spread
        parts.append(f"{letter} ({name}): final loss {ending(one, cell)}{spread}{rank}.")
    if len(chosen) == 2:
        if chosen[0] == chosen[1]:
            return f"{parts[0]} B is the same cell."
        parts.append(_difference_in_words(chosen))
    return " ".join(parts)


def _difference_in_words(chosen: Sequence[tuple[Map, int]]) -> str:
    (one, a), (other, b) = chosen
    if one.lost[a] or other.lost[b]:
        return "Without a mean there is no difference to estimate."
    found = difference(one, a, other, b)
    if found is None:
        return "One seed has no spread to compare with."
    mean, low, high, paired = found
    verdict = "A ends lower" if high < 0 else "A ends higher" if low > 0 else "the spread does not tell them apart"
    how = "paired by seed" if paired else "different seeds"
    return f"A − B = {short(mean, 3)}, 95 % interval {short(low, 3)} to {short(high, 3)} ({how}): {verdict}."


def difference(one: Map, a: int, other: Map, b: int) -> tuple[float, float, float, bool] | None:
    """Return the difference of the mean final losses with the ends of its 95 % interval, and whether it is paired.

    Student's t for the differences seed by seed if both sweeps have the same seeds, else Welch's t. None if there is
    one seed only.
    """
    first, second = one.finals[a], other.finals[b]
    if min(len(first), len(second)) < 2:
        return None
    mean = first.mean() - second.mean()
    seeds, others = one.sweep.seeds, other.sweep.seeds
    paired = sorted(seeds) == sorted(others)
    if paired:
        differences = first - second[[others.index(seed) for seed in seeds]]
        half = t95(len(seeds) - 1) * differences.std(ddof=1) / math.sqrt(len(seeds))
    else:
        u, v = (runs.var(ddof=1) / len(runs) for runs in (first, second))
        freedom = (u + v) ** 2 / (u**2 / (len(first) - 1) + v**2 / (len(second) - 1)) if u + v else 1
        half = t95(freedom) * math.sqrt(u + v)
    return float(mean), float(mean - half), float(mean + half), paired


def t95(freedom: float) -> float:
    """Return the 97.5 % point of Student's t; from 5 degrees of freedom on by the expansion in 1 / freedom.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), formula 26.7.5.

    >>> [round(t95(k), 3) for k in (1, 4, 9, 30)]
    [12.706, 2.776, 2.262, 2.042]
    """
    if freedom < 5:
        return (12.7062, 4.3027, 3.1824, 2.7764)[max(0, math.floor(freedom) - 1)]
    z = 1.959964
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom**k for k, term in enumerate(terms, 1))


def goal_reached(goal: Mapping[str, Any], chosen: Sequence[tuple[Map, int]]) -> bool:
    """Tell whether the chosen cells are what the figure asks for."""
    one, a = chosen[0]
    if "below" in goal:
        return bool(one.mean[a] < goal["below"])
    if "diverge" in goal:
        return bool(one.lost[a])
    if len(chosen) < 2 or chosen[0] == chosen[1] or one.lost[a] or chosen[1][0].lost[chosen[1][1]]:
        return False
    found = difference(one, a, *chosen[1])
    return found is not None and found[1] <= 0 <= found[2]
