"""Interactive figures: the same in a live kernel and on the website, where the page itself runs the code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from d2l_utils.explore.runs import runs_spec
from d2l_utils.explore.runs_figure import runs_html
from d2l_utils.explore.spec import schedule_spec, trace_spec
from d2l_utils.explore.widget import Explorer
from d2l_utils.results import Sweep

__all__ = ["Explorer", "explore_2d", "explore_runs", "explore_schedule"]


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


def explore_runs(
    *sweeps: Sweep,
    labels: Sequence[str] | None = None,
    x: str | None = None,
    y: str | None = None,
    at: Mapping[str, Any] | None = None,
    compare: Mapping[str, Any] | bool | None = None,
    goal: Mapping[str, Any] | None = None,
    title: str | None = None,
    predict: str | None = None,
    seen: str | None = None,
) -> Explorer:
    """Explore the runs of one sweep or two: the map of :func:`~d2l_utils.plot_map`, and the curves of chosen cells.

    Two cells, A and B, are compared by the difference of their mean final losses with its 95 % interval, seed by seed
    if both sweeps have the same seeds. With one sweep both are on its map, with two each is on its own. The figure
    holds all numbers: no Python runs after a pick.

    Parameters
    ----------
    *sweeps : Sweep
        One or two, each varying one or two hyperparameters; ``sweep.select(name=value)`` fixes the rest.
    labels : sequence of str, optional
        One a sweep; by default the optimizers' names.
    x, y : str, optional
        Hyperparameters of the axes; by default those that vary, in their order.
    at, compare : mapping, optional
        Hyperparameters of A and of B to begin with, ``dict(lr=0.01, gamma=0.9)``; of those left out the best ones. By
        default A is the best cell, and B the best of the second sweep. ``compare=False`` hides B, ``True`` shows it;
        with one sweep it is hidden by default.
    goal : mapping, optional
        What the reader is to find: ``dict(below=0.245)`` (the mean final loss of A), ``dict(diverge=True)``, or
        ``dict(alike=True)`` (two cells that the spread does not tell apart), and ``text`` to say it otherwise.
    title, predict, seen : str, optional
        As for :func:`explore_2d`.

    Returns
    -------
    Explorer

    Raises
    ------
    TypeError, ValueError
        If an argument is not what the above says; the message names it.

    Examples
    --------
    >>> from d2l_utils import explore_runs
    >>> figure = explore_runs(swept, other, at={"lr": 0.01})  # doctest: +SKIP
    """
    spec, maps = runs_spec(
        sweeps,
        labels=labels,
        x=x,
        y=y,
        at=at,
        compare=compare,
        goal=goal,
        title=title,
        predict=predict,
        seen=seen,
    )
    return Explorer(spec, html=runs_html(spec, maps))
