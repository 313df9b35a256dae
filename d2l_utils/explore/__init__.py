"""Interactive figures: the same in a live kernel and on the website, where the page itself runs the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from d2l_utils.explore.spec import schedule_spec, trace_spec
from d2l_utils.explore.widget import Explorer

__all__ = ["Explorer", "explore_2d", "explore_schedule"]


def explore_2d(
    *trainers: Callable[..., Any],
    f: Callable[[float, float], float] | None = None,
    f_grad: Callable[[float, float], Sequence[float]] | None = None,
    start: Sequence[float] = (-5.0, -2.0),
    steps: int = 20,
    objective: str = "quadratic",
    goal: Mapping[str, Any] | None = None,
    title: str | None = None,
    labels: Sequence[str] | None = None,
    predict: str | None = None,
    seen: str | None = None,
    values: Mapping[str, float] | None = None,
    **sliders: Any,
) -> Explorer:
    """Explore update rules on a function of two variables: paths, f along them, and the effective learning rates.

    Parameters
    ----------
    *trainers : callable
        Up to seven rules ``trainer(x1, x2, *state[, f_grad], **hyperparams) -> (x1, x2, *state)``, as for
        :func:`~d2l_utils.train_2d`; a gradient must be called ``f_grad``. They may use ``math``, numbers and functions
        from around them. A rule that works out its gradient itself is shown on its one objective.
    f, f_grad : callable, optional
        An objective of your own, first in the menu.
    start : pair of float
        The start point.
    steps : int
        Number of updates to begin with, at least 1.
    objective : str
        The objective to begin with: a key of ``d2l_utils.objectives.OBJECTIVES``.
    goal : mapping, optional
        What the first rule is to reach, ``dict(below=1e-6, within=20)`` or ``dict(diverge=True)``, and ``text`` to say
        it otherwise.
    title, labels, predict, seen : str, sequence of str, str, str, optional
        Heading, names of the rules, a question to answer beforehand and what there is to see.
    values : mapping, optional
        Where the sliders stand to begin with. Otherwise at the trainer's own default or a usual value.
    **sliders
        For a hyperparameter, or ``condition`` and ``angle`` of the quadratic: an ipywidgets slider, ``(min, max)``,
        ``(min, max, step)``, or a number to fix it. Learning rates and ε are logarithmic, their step counts in decades.

    Returns
    -------
    Explorer
        A widget in a live kernel, and self-contained HTML where there is none.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the above says, or a rule cannot run in the page; the message has the line and the
        reason.

    Examples
    --------
    >>> from d2l_utils import explore_2d
    >>> def gd_2d(x1, x2, f_grad, *, eta):
    ...     g1, g2 = f_grad(x1, x2)
    ...     return x1 - eta * g1, x2 - eta * g2
    >>> figure = explore_2d(gd_2d, eta=(0.01, 1), values={"eta": 0.4})  # doctest: +SKIP
    """
    spec = trace_spec(
        trainers,
        f=f,
        f_grad=f_grad,
        start=start,
        steps=steps,
        objective=objective,
        goal=goal,
        title=title,
        labels=labels,
        predict=predict,
        seen=seen,
        values=values or {},
        sliders=sliders,
    )
    functions = {function.__name__: function for function in (*trainers, f, f_grad) if function is not None}
    return Explorer(spec, functions)


def explore_schedule(
    *schedules: Callable[..., Any],
    steps: int = 30,
    goal: Mapping[str, Any] | None = None,
    title: str | None = None,
    labels: Sequence[str] | None = None,
    predict: str | None = None,
    seen: str | None = None,
    values: Mapping[str, float] | None = None,
    **sliders: Any,
) -> Explorer:
    """Explore learning-rate schedules: the rate against the step.

    Parameters
    ----------
    *schedules : callable
        Functions ``schedule(t, **hyperparams) -> rate``, or classes whose ``__init__`` takes the hyperparameters and
        whose instances are called with t = 0, 1, … in turn.
    steps : int
        Number of steps to begin with, at least 1.
    goal : mapping, optional
        What the first schedule is to reach: a rate between ``low`` and ``high`` (either may be left out) at a step,
        such as ``dict(at=29, high=0.01)``, and ``text`` to say it otherwise.
    title, labels, predict, seen, values, **sliders
        As for :func:`explore_2d`.

    Returns
    -------
    Explorer

    Raises
    ------
    TypeError, ValueError
        As :func:`explore_2d`.
    """
    spec = schedule_spec(
        schedules,
        steps=steps,
        goal=goal,
        title=title,
        labels=labels,
        predict=predict,
        seen=seen,
        values=values or {},
        sliders=sliders,
    )
    return Explorer(spec, {schedule.__name__: schedule for schedule in schedules})
