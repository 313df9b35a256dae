"""What the training loop of the book costs beside a bare loop and beside d2l's DataLoader loop.

    python benchmarks/bench_train.py [ROUNDS]

All three train for two epochs on batches of 10 and record as many losses; the bare loop does the same arithmetic. They
take turns, and the median over the rounds of each round's ratio counts, in processor time: other programs on the
machine and its changing clock then hardly matter.
"""

from __future__ import annotations

import sys
import time

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812, the field's name
from torch.utils.data import DataLoader, TensorDataset

import d2l_utils as d2l

BATCH_SIZE, NUM_EPOCHS, SAMPLES_PER_RECORD = 10, 2, 100
HYPERPARAMS = {"lr": 0.01, "gamma": 0.9}


def rmsprop(params, states, hyperparams):
    lr, gamma = hyperparams["lr"], hyperparams["gamma"]
    for p, s in zip(params, states, strict=True):
        s[:] = gamma * s + (1 - gamma) * p.grad**2
        p.data -= lr * p.grad / torch.sqrt(s + 1e-6)


def init_rmsprop_states(num_features: int) -> tuple[Tensor, Tensor]:
    return torch.zeros(num_features, 1), torch.zeros(1)


def book(features: Tensor, labels: Tensor) -> list[float]:
    states = init_rmsprop_states(features.shape[1])
    return d2l.train_ch7(rmsprop, states, HYPERPARAMS, features, labels, BATCH_SIZE, NUM_EPOCHS, verbose=False).losses


def bare(features: Tensor, labels: Tensor) -> list[float]:
    """Nothing but the work: no checks, no clock, no divergence test. Same seed, so the same batches as `book`."""
    generator = torch.Generator().manual_seed(0)
    labels = labels.reshape(-1, 1)
    w = (torch.randn(features.shape[1], 1, generator=generator) * 0.01).requires_grad_()
    b = torch.zeros(1, requires_grad=True)
    states = init_rmsprop_states(features.shape[1])
    losses = []

    def evaluate():
        with torch.no_grad():
            losses.append((F.mse_loss(d2l.linreg(features, w, b), labels) * 0.5).item())

    evaluate()
    for _ in range(NUM_EPOCHS):
        order = torch.randperm(len(features), generator=generator)
        X_all, y_all = features.index_select(0, order), labels.index_select(0, order)
        batches = zip(X_all.split(BATCH_SIZE), y_all.split(BATCH_SIZE), strict=True)
        for i, (X, y) in enumerate(batches, start=1):
            (F.mse_loss(d2l.linreg(X, w, b), y) * 0.5).backward()
            rmsprop((w, b), states, HYPERPARAMS)
            w.grad = b.grad = None
            if i * BATCH_SIZE % SAMPLES_PER_RECORD == 0:
                evaluate()
    return losses


def data_loader(features: Tensor, labels: Tensor) -> list[float]:
    """Train the way d2l does: its model, its loss, and a DataLoader that fetches sample by sample."""

    def linreg(X, w, b):
        return torch.mm(X, w) + b

    def squared_loss(y_hat, y):
        return (y_hat - y.view(y_hat.size())) ** 2 / 2

    w = (torch.randn(features.shape[1], 1) * 0.01).requires_grad_()
    b = torch.zeros(1, requires_grad=True)
    states = init_rmsprop_states(features.shape[1])
    losses = []

    def evaluate():
        with torch.no_grad():
            losses.append(squared_loss(linreg(features, w, b), labels).mean().item())

    evaluate()
    data_iter = DataLoader(TensorDataset(features, labels), BATCH_SIZE, shuffle=True)
    for _ in range(NUM_EPOCHS):
        for i, (X, y) in enumerate(data_iter, start=1):
            squared_loss(linreg(X, w, b), y).mean().backward()
            rmsprop((w, b), states, HYPERPARAMS)
            w.grad.zero_()
            b.grad.zero_()
            if i * BATCH_SIZE % SAMPLES_PER_RECORD == 0:
                evaluate()
    return losses


def measure(rounds: int) -> tuple[Tensor, float, float]:
    """Let the three loops take turns.

    Returns the median seconds of `book`, `bare` and `data_loader`, and the median ratios of book to bare and of
    data_loader to book.
    """
    features, labels = d2l.get_data_ch7()
    seconds = torch.zeros(rounds + 1, 3)
    for i in range(rounds + 1):
        for j, loop in enumerate((book, bare, data_loader)):
            begin = time.process_time()
            loop(features, labels)
            seconds[i, j] = time.process_time() - begin
    ours, bare_loop, loader = seconds[1:].T  # the first round warms up
    return seconds[1:].median(dim=0).values, (ours / bare_loop).median().item(), (loader / ours).median().item()


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    seconds, over_bare, faster_than_loader = measure(rounds)
    ours, bare_loop, loader = (1e3 * seconds).tolist()
    print(f"train_ch7, {NUM_EPOCHS} epochs in batches of {BATCH_SIZE}, median of {rounds} rounds:")
    print(f"  train_ch7   {ours:7.2f} ms")
    print(f"  bare loop   {bare_loop:7.2f} ms   train_ch7 takes {over_bare:.3f} times as long (<= 1.15)")
    print(f"  DataLoader  {loader:7.2f} ms   train_ch7 is {faster_than_loader:.2f} times as fast (>= 1.5)")


if __name__ == "__main__":
    main()
