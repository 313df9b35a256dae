"""Checks of arguments that several modules share; every message names the argument and the value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

#: Step sizes: finite and not negative (0 is allowed, as in torch.optim).
_NON_NEGATIVE = ("lr", "eta", "learning_rate", "eps", "weight_decay", "lr_decay")
#: Weights of a leaky average.
_UNIT_INTERVAL = ("gamma", "beta", "beta1", "beta2", "rho", "alpha", "momentum")


def require_positive_int(name: str, value: object) -> int:
    """Return ``value`` if it is an integer >= 1, else raise TypeError or ValueError."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    number = int(value.__index__())
    if number < 1:
        raise ValueError(f"{name} must be at least 1, got {number}")
    return number


def require_point(name: str, value: object) -> tuple[float, float]:
    """Return ``value`` as two finite floats, else raise TypeError or ValueError."""
    try:
        x1, x2 = (float(x) for x in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be two numbers (x1, x2), got {value!r}") from None
    if not (math.isfinite(x1) and math.isfinite(x2)):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return x1, x2


def check_hyperparams(hyperparams: Mapping[str, Any]) -> None:
    """Check the hyperparameters whose range is part of their meaning; others pass untouched.

    ``lr``, ``eta``, ``eps``, ``weight_decay`` and the like must be finite and >= 0; ``gamma``, ``beta``,
    ``beta1``, ``beta2``, ``rho``, ``alpha``, ``momentum`` and each of ``betas`` must be in [0, 1).
    Tensors and arrays are checked element by element.

    Raises
    ------
    TypeError
        If a rate is not a number.
    ValueError
        If it is outside its range, or NaN.
    """
    for name, value in hyperparams.items():
        if name in _NON_NEGATIVE:
            _check_range(name, value, upper=None)
        elif name in _UNIT_INTERVAL:
            _check_range(name, value, upper=1.0)
        elif name == "betas":
            if not isinstance(value, tuple | list):
                raise TypeError(f"betas must be a pair of numbers, got {value!r}")
            for i, beta in enumerate(value):
                _check_range(f"betas[{i}]", beta, upper=1.0)


def _check_range(name: str, value: Any, upper: float | None) -> None:
    entries = value.reshape(-1).tolist() if hasattr(value, "reshape") else [value]
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(entry, Real):
            raise TypeError(f"{name} must be a number, got {entry!r}")
        number = float(entry)
        if upper is None:
            if not (math.isfinite(number) and number >= 0):
                raise ValueError(f"{name} must be finite and at least 0, got {number!r}")
        elif not 0 <= number < upper:
            raise ValueError(f"{name} must be in [0, {upper:g}), got {number!r}")
