"""Training of many runs in one pass over the batches: the engine of :mod:`d2l_utils.sweep`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from d2l_utils.train import SAMPLES_PER_RECORD, _generator, initial_weight

Setting = dict[str, Any]
Params = tuple[Tensor, Tensor]
#: Given settings and the parameters of their runs (weight and bias), returns what updates these from their gradients.
#: The runs go through all settings once for every seed.
Start = Callable[[Sequence[Setting], Params], Callable[[], None]]

#: Bytes that the runs going forward together may take: more does not fit in a processor's cache and is not faster.
_CHUNK_BYTES = 2**24


@dataclass(frozen=True)
class Problem:
    """What all runs have in common."""

    features: Tensor  # shape (n, d)
    labels: Tensor  # shape (n, 1)
    seeds: tuple[int, ...]
    batch_size: int
    num_epochs: int

    def records(self) -> list[int]:
        """List the samples seen at each recorded loss, as in `train_ch7`."""
        n = len(self.features)
        ends = [
            e * n + min(k, n)
            for e in range(self.num_epochs)
            for k in range(self.batch_size, n + self.batch_size, self.batch_size)
        ]
        crossed = (b for a, b in itertools.pairwise([0, *ends]) if b // SAMPLES_PER_RECORD > a // SAMPLES_PER_RECORD)
        return sorted({0, *crossed, ends[-1]})


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: tensors this small gain nothing from more, and on a busy machine wait for them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def fit_together(
    start: Start,
    settings: Sequence[Setting],
    seeds: Sequence[int],
    problem: Problem,
    records: set[int],
    tick: Callable[[], object],
) -> np.ndarray[Any, Any]:
    """Train all settings with all seeds at once; returns losses of shape (settings, seeds, records)."""
    features, labels = problem.features, problem.labels
    (n, d), dtype = features.shape, features.dtype
    shape = (len(seeds), len(settings))  # of the runs, the settings of one seed side by side
    runs = math.prod(shape)
    generators = [_generator(seed) for seed in seeds]
    start_w = torch.stack([initial_weight(d, generator).to(dtype) for generator in generators])
    w = start_w.repeat_interleave(len(settings), dim=0).requires_grad_()
    b = torch.zeros(runs, 1, 1, dtype=dtype, requires_grad=True)
    update = start(settings, (w, b))
    evaluate = _full_loss(features, labels)
    losses = [evaluate(w, b)]
    squares = torch.zeros(runs, dtype=dtype)  # largest sum of squared errors in a batch so far
    seen = 0
    for _ in range(problem.num_epochs):
        order = torch.cat([torch.randperm(n, generator=generator) for generator in generators])
        shuffled = (data.index_select(0, order).view(len(seeds), 1, n, -1) for data in (features, labels))
        for X, y in zip(*(torch.split(data, problem.batch_size, dim=2) for data in shuffled), strict=True):
            m = X.shape[2]
            X_runs, y_runs = (data.expand(*shape, m, -1).reshape(runs, m, -1) for data in (X, y))
            # The loss ½ mean (Xw + b − y)² and its gradient, written out. One matrix product for each run, as if alone:
            # sharing X among the settings of a seed would be a little faster, but would round differently.
            error = torch.bmm(X_runs, w.detach()).add_(b.detach()).sub_(y_runs)
            torch.maximum(squares, torch.linalg.vecdot(error, error, dim=1)[:, 0], out=squares)
            error *= 1 / m
            w.grad, b.grad = torch.bmm(X_runs.mT, error), error.sum(1, keepdim=True)
            update()
            seen += m
            if seen in records:
                losses.append(evaluate(w, b).where(squares.isfinite(), math.nan))
            tick()
    if not losses[0].isfinite().all():
        raise ValueError("the loss before training is not finite: features and labels must be finite and not too large")
    table = torch.stack(losses, dim=1)
    table[table.isnan().cummax(dim=1).values.bool()] = math.nan  # a run ends where it diverges
    return table.view(*shape, -1).transpose(0, 1).numpy()


def _full_loss(features: Tensor, labels: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function from weights (runs, d, 1) and biases (runs, 1, 1) to the mean loss over all n samples, (runs,).

    With A = QR the features and a column of ones, ‖Aθ − y‖² = ‖Rθ − Qᵀy‖² + ‖y − QQᵀy‖²: d + 1 rows do the work of n.
    """
    n, dtype = len(features), features.dtype
    y = labels.double()
    Q, R = torch.linalg.qr(torch.cat([features, torch.ones_like(labels)], dim=1).double())
    target = Q.T @ y
    rest = (y - Q @ target).square().sum()
    largest = torch.finfo(dtype).max

    def evaluate(w: Tensor, b: Tensor) -> Tensor:
        theta = torch.cat([w.detach(), b.detach()], dim=1)[..., 0].double()
        squares: Tensor = (theta @ R.T - target[:, 0]).square().sum(dim=1) + rest
        return (squares / (2 * n)).where(squares <= largest, math.nan).to(dtype)

    return evaluate


def chunks(group: Sequence[int], num_seeds: int, problem: Problem) -> Iterator[tuple[Sequence[int], slice]]:
    """Split settings × seeds into pieces of at most `_CHUNK_BYTES`, or a single run."""
    (n, d), m = problem.features.shape, problem.batch_size
    itemsize = problem.features.element_size()
    per_run_bytes = itemsize * (m * (d + 4) + 16 * (d + 1)) + 8 * len(problem.records())
    per_seed_bytes = n * (itemsize * (d + 1) + 8)
    seeds_at_once = max(1, min(num_seeds, _CHUNK_BYTES // 2 // (per_seed_bytes + per_run_bytes)))
    settings_at_once = max(1, (_CHUNK_BYTES - seeds_at_once * per_seed_bytes) // (seeds_at_once * per_run_bytes))
    for first in range(0, len(group), settings_at_once):
        for seed in range(0, num_seeds, seeds_at_once):
            yield group[first : first + settings_at_once], slice(seed, min(seed + seeds_at_once, num_seeds))
