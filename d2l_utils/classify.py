"""Training of a classifier, with the learning rate set before each step by a schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name

from d2l_utils._checks import require_positive_int
from d2l_utils.data import Classification


@dataclass
class ClassifierRecord:
    """What one training run leaves behind.

    Attributes
    ----------
    train_loss, train_accuracy, test_accuracy : list of float
        Over all samples of the part, after each epoch. The loss is the mean cross-entropy in nats.
    learning_rates : list of float
        The rate of the first parameter group, one entry a step: what that step used.
    seconds_per_epoch : float
        Training time alone.
    diverged_at : int or None
        The step (1 is the first) whose loss was not finite, or None. Such a run ends there.
    """

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    learning_rates: list[float] = field(default_factory=list)
    seconds_per_epoch: float = math.nan
    diverged_at: int | None = None

    @property
    def diverged(self) -> bool:
        """Whether the run ended because its loss was no longer finite."""
        return self.diverged_at is not None


def train_classifier(
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    data: Classification,
    *,
    num_epochs: int,
    batch_size: int,
    schedule: Callable[[int], float] | None = None,
    seed: int = 0,
) -> ClassifierRecord:
    """Train ``net`` on the cross-entropy of its outputs; ``schedule(t)`` is the learning rate of step t = 0, 1, ….

    Parameters
    ----------
    net : Module
        From features of shape (n, channels, length) to scores of shape (n, classes). Trained in place.
    optimizer : Optimizer
        Over the parameters of ``net``.
    data : Classification
    num_epochs, batch_size : int
    schedule : callable, optional
        Called once before each step, and never otherwise; what it returns is the rate of that step, in every
        parameter group. Without one the optimizer keeps its rates.
    seed : int
        Of the order of the samples. The global random state is not touched.

    Returns
    -------
    ClassifierRecord
        A run whose loss is no longer finite ends with what it has.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range, or the schedule returns a rate that is negative or not finite.
    """
    num_samples = len(data.features)
    if require_positive_int("batch_size", batch_size) > num_samples:
        raise ValueError(f"batch_size must be at most the number of samples, {num_samples}, got {batch_size}")
    require_positive_int("num_epochs", num_epochs)
    if schedule is not None and not callable(schedule):
        raise TypeError(f"schedule must be a function of the step, got {schedule!r}")
    generator = torch.Generator().manual_seed(seed)
    record = ClassifierRecord()
    step, elapsed = 0, 0.0
    for _ in range(num_epochs):
        begin = time.perf_counter()
        net.train()
        order = torch.randperm(num_samples, generator=generator)
        X, y = data.features.index_select(0, order), data.labels.index_select(0, order)
        for X_batch, y_batch in zip(torch.split(X, batch_size), torch.split(y, batch_size), strict=True):
            if schedule is not None:
                _set_rate(optimizer, schedule(step), step)
            record.learning_rates.append(float(optimizer.param_groups[0]["lr"]))
            step += 1
            loss = F.cross_entropy(net(X_batch), y_batch)
            if not math.isfinite(loss.item()):
                record.diverged_at = step
                return record
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        elapsed += time.perf_counter() - begin
        train_loss, train_accuracy = evaluate_classifier(net, data.features, data.labels)
        _, test_accuracy = evaluate_classifier(net, data.test_features, data.test_labels)
        record.train_loss.append(train_loss)
        record.train_accuracy.append(train_accuracy)
        record.test_accuracy.append(test_accuracy)
        record.seconds_per_epoch = elapsed / len(record.train_loss)
    return record


def evaluate_classifier(net: nn.Module, features: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (in nats) and accuracy (between 0 and 1) of ``net``; it is in evaluation mode afterwards."""
    net.eval()
    with torch.no_grad():
        scores = net(features)
        return F.cross_entropy(scores, labels).item(), (scores.argmax(1) == labels).double().mean().item()


def _set_rate(optimizer: torch.optim.Optimizer, rate: float, step: int) -> None:
    if not (math.isfinite(rate) and rate >= 0):
        raise ValueError(f"schedule({step}) must be a finite rate of at least 0, got {rate!r}")
    for group in optimizer.param_groups:
        group["lr"] = rate
