"""Training on real data: linear regression on the airfoil measurements, from scratch and with torch.optim.

Both functions start from the same weights and see the same batches for the same seed, so their losses can be compared
number by number.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812, the field's name

from d2l_utils._checks import check_hyperparams, require_positive_int
from d2l_utils.plot import new_axes

OptimizerFn = Callable[[Sequence[Tensor], Any, dict[str, Any]], object]

#: A loss is recorded whenever another so many samples have been seen.
SAMPLES_PER_RECORD = 100
_INITIAL_STD = 0.01


@dataclass
class Record:
    """What one training run leaves behind.

    Attributes
    ----------
    losses : list of float
        Mean loss over all samples: before training, after every 100 samples, and at the end; finite values only.
    epochs : list of float
        Where each loss was taken, in epochs.
    params : tuple of Tensor
        Weight of shape (d, 1) and bias of shape (1,), as the run left them.
    seconds_per_epoch : float
        Training time alone; computing the recorded losses is not counted.
    diverged_at : int or None
        The step (1 is the first) after which the loss was no longer finite, or None.
    """

    losses: list[float] = field(default_factory=list)
    epochs: list[float] = field(default_factory=list)
    params: tuple[Tensor, ...] = ()
    seconds_per_epoch: float = math.nan
    diverged_at: int | None = None

    @property
    def diverged(self) -> bool:
        """Whether the run ended because its loss was no longer finite."""
        return self.diverged_at is not None

    @property
    def final_loss(self) -> float:
        """The last recorded loss, or infinity after divergence."""
        return math.inf if self.diverged else self.losses[-1]


def linreg(X: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Linear model ŷ = Xw + b; X of shape (n, d), w (d, 1), b (1,); returns shape (n, 1)."""
    return torch.addmm(b, X, w)


def squared_loss(y_hat: Tensor, y: Tensor) -> Tensor:
    """Half the squared error, ½(ŷ − y)², elementwise; ``y`` is reshaped to ``y_hat``'s shape."""
    return (y_hat - y.reshape(y_hat.shape)) ** 2 / 2


def half_mse(y_hat: Tensor, y: Tensor) -> Tensor:
    """Mean of :func:`squared_loss`, in one operation forwards and one backwards."""
    return F.mse_loss(y_hat, y) * 0.5


def initial_weight(num_features: int, generator: torch.Generator) -> Tensor:
    """Draw w ~ N(0, 0.01²) of shape (num_features, 1) in float32, which every run of one seed shares."""
    return torch.randn(num_features, 1, generator=generator) * _INITIAL_STD


def train_ch7(
    optimizer_fn: OptimizerFn,
    states: Any,
    hyperparams: Mapping[str, Any],
    features: Tensor,
    labels: Tensor,
    batch_size: int = 10,
    num_epochs: int = 2,
    *,
    seed: int = 0,
    verbose: bool = True,
) -> Record:
    """Train linear regression with an optimizer written from scratch.

    Parameters
    ----------
    optimizer_fn : callable
        ``optimizer_fn(params, states, hyperparams)`` reads ``p.grad`` of each of the two parameters (weight of shape
        (d, 1), bias of shape (1,)) and updates ``p`` and the states in place. The loop zeroes the gradients.
    states : sequence or None
        One entry a parameter, each a tensor or a tuple of tensors, changed in place; None or empty if there is none.
    hyperparams : mapping
        Handed to ``optimizer_fn`` as a copy, so that the same dict can be used for another run.
    features : Tensor, shape (n, d), floating
    labels : Tensor, shape (n,) or (n, 1)
    batch_size, num_epochs : int
    seed : int
        Of the initial weight and of the order of the samples. The global random state is not touched.
    verbose : bool
        Print the final loss and draw the curve.

    Returns
    -------
    Record
        A run that diverges ends with what it has and says so.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range or has the wrong shape, or a gradient is None.
    """
    features, labels = _check_data(features, labels)
    hyperparams = _check_options(optimizer_fn, hyperparams, batch_size, num_epochs, len(features))
    generator = _generator(seed)
    w = initial_weight(features.shape[1], generator).to(features.dtype).requires_grad_()
    b = torch.zeros(1, dtype=features.dtype, requires_grad=True)
    _check_states(states, (w, b))
    start = w.detach().clone()

    def update() -> None:
        optimizer_fn((w, b), states, hyperparams)
        for name, p in (("w", w), ("b", b)):
            if not p.requires_grad:
                raise ValueError(f"the gradient of {name} is now None: optimizer_fn must leave {name}.requires_grad on")
        w.grad = b.grad = None

    def loss(X: Tensor, y: Tensor) -> Tensor:
        return half_mse(linreg(X, w, b), y)

    record = _fit(loss, update, (w, b), features, labels, batch_size, num_epochs, generator)
    if hyperparams.get("lr") != 0 and not record.diverged and torch.equal(w.detach(), start):
        warnings.warn(
            "the weight is what it was before training: optimizer_fn must update each p in place "
            "(p.data -= …), as p = p - … only renames",
            stacklevel=2,
        )
    return _report(record) if verbose else record


def train_pytorch_ch7(
    optimizer_fn: Callable[..., torch.optim.Optimizer],
    optimizer_hyperparams: Mapping[str, Any],
    features: Tensor,
    labels: Tensor,
    batch_size: int = 10,
    num_epochs: int = 2,
    *,
    seed: int = 0,
    verbose: bool = True,
) -> Record:
    """Train the same model on the same batches as :func:`train_ch7`, with an optimizer of the framework.

    Parameters
    ----------
    optimizer_fn : callable
        A class such as ``torch.optim.RMSprop``, or ``(params, **hyperparams) -> optimizer``.
    optimizer_hyperparams : mapping
        Passed to ``optimizer_fn`` by name.
    features, labels, batch_size, num_epochs, seed, verbose
        As in :func:`train_ch7`.

    Returns
    -------
    Record

    Raises
    ------
    TypeError, ValueError
        As :func:`train_ch7`, and whatever the optimizer raises for its own hyperparameters.
    """
    features, labels = _check_data(features, labels)
    hyperparams = _check_options(optimizer_fn, optimizer_hyperparams, batch_size, num_epochs, len(features))
    generator = _generator(seed)
    net = nn.utils.skip_init(nn.Linear, features.shape[1], 1, dtype=features.dtype)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        net.weight.copy_(initial_weight(features.shape[1], generator).T)
        net.bias.zero_()
    optimizer = optimizer_fn(net.parameters(), **hyperparams)

    def update() -> None:
        optimizer.step()
        optimizer.zero_grad()

    def loss(X: Tensor, y: Tensor) -> Tensor:
        return half_mse(net(X), y)

    params = (net.weight, net.bias)
    record = _fit(loss, update, params, features, labels, batch_size, num_epochs, generator)
    record.params = (record.params[0].T, record.params[1])
    return _report(record) if verbose else record


def _fit(
    loss: Callable[[Tensor, Tensor], Tensor],
    update: Callable[[], None],
    params: Sequence[Tensor],
    features: Tensor,
    labels: Tensor,
    batch_size: int,
    num_epochs: int,
    generator: torch.Generator,
) -> Record:
    """Run the training loop: ``update`` once a batch, a record every 100 samples and at the end."""
    record = Record()
    num_samples = len(features)
    total = num_samples * num_epochs
    evaluating = 0.0

    def evaluate(seen: int) -> bool:
        nonlocal evaluating
        begin = time.perf_counter()
        with torch.no_grad():
            value = loss(features, labels).item()
        finite = math.isfinite(value)
        if finite:
            record.losses.append(value)
            record.epochs.append(seen / num_samples)
        evaluating += time.perf_counter() - begin
        return finite

    if not evaluate(0):
        raise ValueError("the loss before training is not finite: features and labels must be finite and not too large")
    seen, recorded = 0, 0
    begin = time.perf_counter()
    evaluating = 0.0
    for step, (X, y) in enumerate(_batches(features, labels, batch_size, num_epochs, generator)):
        batch_loss = loss(X, y)
        if not math.isfinite(batch_loss.item()):
            record.diverged_at = step
            break
        batch_loss.backward()  # type: ignore[no-untyped-call]
        update()
        seen += len(y)
        if seen // SAMPLES_PER_RECORD > recorded // SAMPLES_PER_RECORD or seen == total:
            recorded = seen
            if not evaluate(seen):
                record.diverged_at = step + 1
                break
    elapsed = time.perf_counter() - begin - evaluating
    record.seconds_per_epoch = elapsed * num_samples / max(seen, 1)
    record.params = tuple(p.detach().clone() for p in params)
    return record


def _batches(
    features: Tensor, labels: Tensor, batch_size: int, num_epochs: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of every epoch in a fresh random order; the last of an epoch may be smaller."""
    for _ in range(num_epochs):
        order = torch.randperm(len(features), generator=generator)
        # One gather an epoch, then views: this is what makes the loop cheaper than a DataLoader. `index_select` and not
        # `features[order]`, which wakes a second thread and, on a busy machine, waits 10 ms for it.
        X, y = features.index_select(0, order), labels.index_select(0, order)
        yield from zip(torch.split(X, batch_size), torch.split(y, batch_size), strict=True)


def _report(record: Record) -> Record:
    if record.diverged:
        print(f"diverged at step {record.diverged_at}; last finite loss: {record.losses[-1]:f}")
    else:
        print(f"loss: {record.losses[-1]:f}, {record.seconds_per_epoch:f} sec per epoch")
    ax = new_axes((4.5, 2.6))
    ax.plot(record.epochs, record.losses, marker="." if len(record.losses) < 5 else None)
    ax.set(xlabel="epoch", ylabel="loss")
    return record


def _generator(seed: int) -> torch.Generator:
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"seed must be an integer, got {seed!r}")
    return torch.Generator().manual_seed(int(seed))


def _check_data(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    for name, value in (("features", features), ("labels", labels)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(value).__name__}")
        if not value.is_floating_point():
            raise TypeError(f"{name} must hold floating-point numbers, got {value.dtype}")
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features must have shape (n, d) with n and d at least 1, got {tuple(features.shape)}")
    n = len(features)
    if labels.shape not in ((n,), (n, 1)):
        raise ValueError(f"labels must have shape ({n},) like the rows of features, got {tuple(labels.shape)}")
    if labels.dtype != features.dtype:
        raise TypeError(f"labels must have the dtype of features, {features.dtype}, got {labels.dtype}")
    # The labels become a column once, so that no step has to reshape them.
    return features.detach(), labels.detach().reshape(n, 1)


def _check_options(
    optimizer_fn: object, hyperparams: Mapping[str, Any], batch_size: int, num_epochs: int, num_samples: int
) -> dict[str, Any]:
    if not callable(optimizer_fn):
        raise TypeError(f"optimizer_fn must be a function or a class, got {optimizer_fn!r}")
    if not isinstance(hyperparams, Mapping):
        raise TypeError(f"hyperparams must be a dict, got {hyperparams!r}")
    check_hyperparams(hyperparams)
    if require_positive_int("batch_size", batch_size) > num_samples:
        raise ValueError(f"batch_size must be at most the number of samples, {num_samples}, got {batch_size}")
    require_positive_int("num_epochs", num_epochs)
    return dict(hyperparams)


def _check_states(states: Any, params: Sequence[Tensor]) -> None:
    if states is None or len(states) == 0:
        return
    if len(states) != len(params):
        raise ValueError(f"states must have one entry for each of the {len(params)} parameters, got {len(states)}")
    for i, (entry, p) in enumerate(zip(states, params, strict=True)):
        for state in entry if isinstance(entry, tuple | list) else (entry,):
            if isinstance(state, Tensor) and state.numel() != 1 and state.shape != p.shape:
                raise ValueError(
                    f"states[{i}] must have shape {tuple(p.shape)} like parameter {i}, got {tuple(state.shape)}"
                )
