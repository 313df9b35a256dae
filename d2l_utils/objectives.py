"""Functions of two variables on which the book tries its update rules, each with its gradient written by hand.

An objective is a function of its shape that returns the pair ``f, f_grad``::

    f, f_grad = d2l.objectives.quadratic(condition=20, angle=30)

``f(x1, x2)`` is a number, ``f_grad(x1, x2)`` the pair of partial derivatives. All is plain Python and ``math``: the
same source runs in the reader's browser.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    Pair = tuple[Callable[[float, float], float], Callable[[float, float], tuple[float, float]]]


def quadratic(*, condition: float = 20.0, angle: float = 0.0) -> Pair:
    """Return the book's bowl, f = 2 (u² / condition + v²), where (u, v) is (x1, x2) turned by ``angle``.

    The defaults give f = 0.1 x1² + 2 x2². The minimum is f(0, 0) = 0.

    Parameters
    ----------
    condition : float
        Condition number of the Hessian, above 0: how many times steeper the bowl is across than along.
    angle : float
        Angle from the x1 axis to the long axis, in degrees, anticlockwise.
    """
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    h11 = 4 * (c * c / condition + s * s)
    h12 = 4 * c * s * (1 / condition - 1)
    h22 = 4 * (s * s / condition + c * c)

    def f(x1: float, x2: float) -> float:
        return 0.5 * (h11 * x1 * x1 + 2 * h12 * x1 * x2 + h22 * x2 * x2)

    def f_grad(x1: float, x2: float) -> tuple[float, float]:
        return h11 * x1 + h12 * x2, h12 * x1 + h22 * x2

    return f, f_grad


def rotated(*, condition: float = 20.0) -> Pair:
    """Return :func:`quadratic` turned by 45°, so that no coordinate is an axis of the bowl."""
    return quadratic(condition=condition, angle=45.0)


def rosenbrock() -> Pair:
    """Return Rosenbrock's valley, f = (1 - x1)² + 100 (x2 - x1²)²; the minimum is f(1, 1) = 0.

    References
    ----------
    H. H. Rosenbrock, An automatic method for finding the greatest or least value of a function, 1960.
    """

    def f(x1: float, x2: float) -> float:
        return (1 - x1) ** 2 + 100 * (x2 - x1 * x1) ** 2

    def f_grad(x1: float, x2: float) -> tuple[float, float]:
        across = x2 - x1 * x1
        return -2 * (1 - x1) - 400 * x1 * across, 200 * across

    return f, f_grad


def beale() -> Pair:
    """Return Beale's function, flat with steep corners.

    f is the sum of (c - x1 + x1 x2ᵏ)² over (c, k) = (1.5, 1), (2.25, 2), (2.625, 3). The minimum is f(3, 0.5) = 0.

    References
    ----------
    E. M. L. Beale, On an iterative method for finding a local minimum of a function of more than one variable, 1958.
    """
    constants = (1.5, 2.25, 2.625)

    def f(x1: float, x2: float) -> float:
        total, power = 0.0, 1.0
        for c in constants:
            power = power * x2
            total = total + (c - x1 + x1 * power) ** 2
        return total

    def f_grad(x1: float, x2: float) -> tuple[float, float]:
        g1, g2, k, power = 0.0, 0.0, 1, 1.0
        for c in constants:
            slope = k * power
            power = power * x2
            residual = c - x1 + x1 * power
            g1 = g1 + 2 * residual * (power - 1)
            g2 = g2 + 2 * residual * x1 * slope
            k += 1
        return g1, g2

    return f, f_grad


def saddle() -> Pair:
    """Return the saddle f = x1² - x2², which has no minimum but a stationary point (0, 0) that is easy to stick to."""

    def f(x1: float, x2: float) -> float:
        return x1 * x1 - x2 * x2

    def f_grad(x1: float, x2: float) -> tuple[float, float]:
        return 2 * x1, -2 * x2

    return f, f_grad


def himmelblau() -> Pair:
    """Return Himmelblau's function, f = (x1² + x2 - 11)² + (x1 + x2² - 7)².

    There are four minima of height 0, one of them at (3, 2).

    References
    ----------
    D. M. Himmelblau, Applied Nonlinear Programming, 1972.
    """

    def f(x1: float, x2: float) -> float:
        return (x1 * x1 + x2 - 11) ** 2 + (x1 + x2 * x2 - 7) ** 2

    def f_grad(x1: float, x2: float) -> tuple[float, float]:
        a, b = x1 * x1 + x2 - 11, x1 + x2 * x2 - 7
        return 4 * a * x1 + 2 * b, 2 * a + 4 * b * x2

    return f, f_grad


#: The menu of the interactive figures: the function, what it is called, the parameters of its shape that get a slider,
#: where to start, and what to show, as (x1 from, x1 to, x2 from, x2 to).
OBJECTIVES: dict[str, dict[str, Any]] = {
    "quadratic": {
        "make": quadratic,
        "label": "quadratic bowl",
        "params": ("condition", "angle"),
        "start": (-5.0, -2.0),
        "window": (-5.5, 1.0, -3.0, 1.0),
    },
    "rotated": {
        "make": rotated,
        "label": "bowl turned by 45°",
        "params": ("condition",),
        "start": (-5.0, -2.0),
        "window": (-5.5, 1.0, -3.0, 1.0),
    },
    "rosenbrock": {
        "make": rosenbrock,
        "label": "Rosenbrock’s valley",
        "params": (),
        "start": (-1.2, 1.0),
        "window": (-2.0, 2.0, -1.0, 3.0),
    },
    "beale": {
        "make": beale,
        "label": "Beale’s function",
        "params": (),
        "start": (1.0, 1.5),
        "window": (-1.0, 4.5, -2.0, 2.0),
    },
    "saddle": {
        "make": saddle,
        "label": "saddle",
        "params": (),
        "start": (-2.0, 0.01),
        "window": (-3.0, 3.0, -3.0, 3.0),
    },
    "himmelblau": {
        "make": himmelblau,
        "label": "four valleys (Himmelblau)",
        "params": (),
        "start": (-0.5, -1.0),
        "window": (-5.0, 5.0, -5.0, 5.0),
    },
}
