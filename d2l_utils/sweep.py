"""Many trainings at once: every setting of a grid with every seed, in one pass over the batches.

Each run is the run of :func:`~d2l_utils.train_ch7` (or :func:`~d2l_utils.train_pytorch_ch7`) with the same setting and
seed. Together they cost little more than one, because the optimizer works on tensors that hold all runs.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2l_utils._checks import check_hyperparams, require_positive_int
from d2l_utils._grid import as_grid, grid_size, settings_of
from d2l_utils._per_run import per_run
from d2l_utils._progress import progress
from d2l_utils._together import Params, Problem, Setting, Start, chunks, fit_together, one_thread
from d2l_utils._trial import Watched, spread, try_out
from d2l_utils.results import Sweep, describe
from d2l_utils.train import OptimizerFn, _check_data, _check_options, _check_states, _generator


def sweep(
    optimizer_fn: OptimizerFn,
    init_states: Any,
    hyperparams: Mapping[str, Any],
    features: Tensor,
    labels: Tensor,
    *,
    seeds: int | Sequence[int] = 10,
    batch_size: int = 10,
    num_epochs: int = 2,
    max_memory: float = 1e9,
) -> Sweep:
    """Train linear regression with every setting of a grid and every seed, with an optimizer written from scratch.

    Parameters
    ----------
    optimizer_fn : callable
        The same as for :func:`~d2l_utils.train_ch7`. Here its parameters have the shapes (runs, d, 1) and (runs, 1, 1),
        its states likewise, and a hyperparameter that varies has shape (runs, 1, 1). A rule that works entry by entry
        needs no change. If it cannot take such hyperparameters (it asks ``if lr > 0``, say), the settings go one after
        another, each with all its seeds, and a warning says so.
    init_states : callable, sequence or None
        ``init_states(feature_dim)`` gives the states of one run; or these states themselves, which stay as they are.
    hyperparams : mapping
        Each a value, or a sequence of values; the grid is their product. (``betas`` is a pair, or a sequence of pairs.)
    features : Tensor, shape (n, d), floating
    labels : Tensor, shape (n,) or (n, 1)
    seeds : int or sequence of int
        How many, counted from 0, or which.
    batch_size, num_epochs : int
    max_memory : float
        Bytes that the losses of all runs may take. What is needed beside them is small.

    Returns
    -------
    Sweep
        Every loss agrees with that of the single run to a few roundings. They grow as any difference at the start
        does: on the airfoil data to less than 1e-6 of the loss in single precision, but without bound where the rate
        is so large that training is chaotic (RMSProp from lr = 0.3 on); use double precision to compare such runs.

    Raises
    ------
    TypeError, ValueError
        Before anything is trained: as :func:`~d2l_utils.train_ch7`, and if the grid is empty or its losses take more
        than ``max_memory``, if ``optimizer_fn`` does not read a hyperparameter or lacks one, or if it mixes the runs
        (by a norm over all entries of a tensor, say); such a rule can be run with :func:`~d2l_utils.map_runs`.
    """
    problem, grid = _check(optimizer_fn, hyperparams, features, labels, seeds, batch_size, num_epochs, max_memory)
    states = init_states(problem.features.shape[1]) if callable(init_states) else init_states
    _check_states(states, _params_of_one_run(problem))

    def alone(settings: Sequence[Setting], params: Params) -> Callable[[], None]:
        own_states, (setting,) = copy.deepcopy(states), settings
        own_setting = Watched(setting)

        def update() -> None:
            try:
                optimizer_fn(params, own_states, own_setting)
            except KeyError as error:
                if error.args and error.args[0] not in own_setting:
                    raise ValueError(
                        f"hyperparams lacks {error.args[0]!r}, which {_name(optimizer_fn)} reads"
                    ) from error
                raise
            if unread := set(setting) - own_setting.read:
                raise ValueError(
                    f"unknown hyperparameter {', '.join(sorted(map(repr, unread)))}: {_name(optimizer_fn)} reads "
                    f"{', '.join(sorted(map(str, own_setting.read))) or 'none'}"
                )

        return update

    def together(settings: Sequence[Setting], params: Params) -> Callable[[], None]:
        known: dict[int, Tensor] = {}
        all_states = [spread(s, p, known) for s, p in zip(states or (), params, strict=False)]
        all_settings = per_run(settings, repeats=len(params[0]) // len(settings))

        def update() -> None:
            optimizer_fn(params, all_states, all_settings)

        return update

    settings, groups = settings_of(grid), []
    for group in _numeric_groups(grid):
        fits = try_out(_name(optimizer_fn), alone, together, [settings[i] for i in group], problem)
        groups += [group] if fits else [[i] for i in group]
    return _run(_name(optimizer_fn), together, grid, groups, problem)


def sweep_pytorch(
    optimizer_fn: Callable[..., torch.optim.Optimizer],
    hyperparams: Mapping[str, Any],
    features: Tensor,
    labels: Tensor,
    *,
    seeds: int | Sequence[int] = 10,
    batch_size: int = 10,
    num_epochs: int = 2,
    max_memory: float = 1e9,
) -> Sweep:
    """Train the same model on the same batches as :func:`sweep`, with optimizers of the framework.

    Its optimizers want plain numbers, so there is one for every setting, which works on all seeds at once.

    Parameters
    ----------
    optimizer_fn : callable
        A class such as ``torch.optim.RMSprop``, or ``(params, **hyperparams) -> optimizer``.
    hyperparams, features, labels, seeds, batch_size, num_epochs, max_memory
        As in :func:`sweep`.

    Returns
    -------
    Sweep

    Raises
    ------
    TypeError, ValueError
        As :func:`sweep`, and whatever the optimizer raises for one of the settings.
    """
    problem, grid = _check(optimizer_fn, hyperparams, features, labels, seeds, batch_size, num_epochs, max_memory)

    def start(settings: Sequence[Setting], params: Params) -> Callable[[], None]:
        count = len(settings)
        # Views that share their memory with `params`, which therefore change with them.
        parts = [tuple(p.detach()[g::count].requires_grad_() for p in params) for g in range(count)]
        optimizers = [optimizer_fn(part, **setting) for part, setting in zip(parts, settings, strict=True)]

        def update() -> None:
            for g, (part, optimizer) in enumerate(zip(parts, optimizers, strict=True)):
                for own, p in zip(part, params, strict=True):
                    own.grad = p.grad[g::count]  # type: ignore[index]
                optimizer.step()

        return update

    def alone(settings: Sequence[Setting], params: Params) -> Callable[[], None]:
        w, b = params
        own_w, own_b = w.detach().T.requires_grad_(), b.detach().requires_grad_()
        optimizer = optimizer_fn([own_w, own_b], **settings[0])

        def update() -> None:
            own_w.grad, own_b.grad = w.grad.T, b.grad  # type: ignore[union-attr]
            optimizer.step()

        return update

    settings = settings_of(grid)
    for setting in settings:
        try:
            optimizer_fn(_params_of_one_run(problem), **setting)
        except (TypeError, ValueError) as error:
            error.add_note(f"raised for {describe(setting)}")
            raise
    try_out(_name(optimizer_fn), alone, start, settings, problem)
    return _run(_name(optimizer_fn), start, grid, [range(len(settings))], problem)


def _check(
    optimizer_fn: object,
    hyperparams: Mapping[str, Any],
    features: Tensor,
    labels: Tensor,
    seeds: int | Sequence[int],
    batch_size: int,
    num_epochs: int,
    max_memory: float,
) -> tuple[Problem, dict[str, list[Any]]]:
    features, labels = _check_data(features, labels)
    _check_options(optimizer_fn, {}, batch_size, num_epochs, len(features))
    grid = as_grid(hyperparams)
    for name, values in grid.items():
        for value in values:
            check_hyperparams({name: value})
    if isinstance(seeds, Sequence):
        all_seeds = tuple(seeds)
        if len(set(all_seeds)) < len(all_seeds):
            raise ValueError(f"seeds must differ, got {seeds!r}")
    else:
        all_seeds = tuple(range(require_positive_int("seeds", seeds)))
    if not all_seeds:
        raise ValueError("seeds is empty: the grid has no runs")
    for seed in all_seeds:
        _generator(seed)
    problem = Problem(features, labels, all_seeds, batch_size, num_epochs)
    runs = grid_size(grid) * len(all_seeds)
    needed = runs * len(problem.records()) * features.element_size()
    if needed > max_memory:
        raise ValueError(
            f"the losses of {runs} runs take {needed / 1e9:.3g} GB, more than max_memory = {max_memory / 1e9:.3g} GB: "
            "take a coarser grid or fewer seeds, or raise max_memory"
        )
    return problem, grid


def _run(
    name: str, start: Start, grid: dict[str, list[Any]], groups: Sequence[Sequence[int]], problem: Problem
) -> Sweep:
    """Run all settings, group by group, in pieces that fit in `_CHUNK_BYTES`."""
    settings, seeds = settings_of(grid), problem.seeds
    records = problem.records()
    losses = np.empty((len(settings), len(seeds), len(records)), dtype=problem.features.numpy().dtype)
    pieces = [piece for group in groups for piece in chunks(group, len(seeds), problem)]
    steps = math.ceil(len(problem.features) / problem.batch_size) * problem.num_epochs
    with one_thread(), progress(len(pieces) * steps, f"{name}, {len(settings) * len(seeds)} runs") as bar:
        for group, seed_slice in pieces:
            part = fit_together(
                start, [settings[i] for i in group], seeds[seed_slice], problem, set(records), bar.update
            )
            losses[np.array(group), seed_slice] = part
    return Sweep(
        name=name,
        grid=grid,
        seeds=seeds,
        batch_size=problem.batch_size,
        num_epochs=problem.num_epochs,
        epochs=np.array(records) / len(problem.features),
        losses=losses.reshape(-1, len(records)),
    )


def _params_of_one_run(problem: Problem) -> Params:
    shape, dtype = (problem.features.shape[1], 1), problem.features.dtype
    return torch.zeros(shape, dtype=dtype, requires_grad=True), torch.zeros(1, dtype=dtype, requires_grad=True)


def _numeric_groups(grid: Mapping[str, Sequence[Any]]) -> list[list[int]]:
    """Group the indices of settings that differ only in numbers, so that they can go together."""
    others = [name for name, values in grid.items() if len(values) > 1 and not all(map(_is_numeric, values))]
    groups: dict[tuple[int, ...], list[int]] = {}
    positions = itertools.product(*(range(len(values)) for values in grid.values()))
    for i, position in enumerate(positions):
        where = dict(zip(grid, position, strict=True))
        groups.setdefault(tuple(where[name] for name in others), []).append(i)
    return list(groups.values())


def _is_numeric(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_numeric, value))
    return isinstance(value, Real) and not isinstance(value, bool)


def _name(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
