"""Grids of settings: what a sequence among the hyperparameters means."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

#: Hyperparameters of torch.optim whose single value is a pair; a grid of them is a sequence of pairs.
PAIRS = ("betas", "etas", "step_sizes")


def grid_values(name: str, value: Any) -> list[Any]:
    """Return the values that ``value`` stands for: its own entries if it is a sequence, else itself.

    Raises
    ------
    ValueError
        If it is an empty sequence.
    """
    values = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(values, Iterator):
        values = list(values)
    is_sequence = isinstance(values, Sequence) and not isinstance(values, str | bytes)
    if is_sequence and name in PAIRS:
        is_sequence = len(values) == 0 or isinstance(values[0], Sequence)
        if is_sequence:
            values = [tuple(pair) for pair in values]
    if not is_sequence:
        return [values]
    if len(values) == 0:
        raise ValueError(f"{name} is empty: the grid has no runs")
    return list(values)


def as_grid(hyperparams: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return every hyperparameter as the list of its values.

    >>> as_grid({"lr": [0.1, 1], "gamma": 0.9, "betas": (0.9, 0.999)})
    {'lr': [0.1, 1], 'gamma': [0.9], 'betas': [(0.9, 0.999)]}
    """
    if not isinstance(hyperparams, Mapping):
        raise TypeError(f"hyperparams must be a dict, got {hyperparams!r}")
    return {name: grid_values(name, value) for name, value in hyperparams.items()}


def grid_size(grid: Mapping[str, Sequence[Any]]) -> int:
    """Return the number of settings, without listing them."""
    return math.prod(map(len, grid.values()))


def settings_of(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return the product of the grid, one dict a setting; the last hyperparameter changes fastest.

    >>> settings_of({"lr": [0.1, 1], "gamma": [0.5, 0.9]})[:2]
    [{'lr': 0.1, 'gamma': 0.5}, {'lr': 0.1, 'gamma': 0.9}]
    """
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
