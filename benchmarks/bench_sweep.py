"""What a run costs in a sweep, beside the same run with train_ch7.

    python benchmarks/bench_sweep.py [RUNS ...]

A run is RMSProp on the airfoil data: two epochs in batches of 10, 31 recorded losses, 10 seeds a learning rate. Both
are measured in processor time, in turn: other programs on the machine then hardly matter. `sweep` keeps to one thread.
"""

from __future__ import annotations

import math
import statistics
import sys
import time

import numpy as np
import torch

import d2l_utils as d2l

RUNS = (1, 10, 100, 1_000, 10_000)
GAMMA = 0.9


def rmsprop(params, states, hyperparams):
    lr, gamma = hyperparams["lr"], hyperparams["gamma"]
    for p, s in zip(params, states, strict=True):
        s[:] = gamma * s + (1 - gamma) * p.grad**2
        p.data -= lr * p.grad / (torch.sqrt(s) + 1e-8)


def init_rmsprop_states(feature_dim):
    return torch.zeros(feature_dim, 1), torch.zeros(1)


def together(runs: int) -> d2l.Sweep:
    seeds = min(runs, 10)
    grid = {"lr": np.logspace(-4, -1, runs // seeds), "gamma": GAMMA}
    return d2l.sweep(rmsprop, init_rmsprop_states, grid, *d2l.get_data_ch7(), seeds=seeds)


def alone() -> d2l.Record:
    features, labels = d2l.get_data_ch7()
    states = init_rmsprop_states(features.shape[1])
    return d2l.train_ch7(rmsprop, states, {"lr": 1e-4, "gamma": GAMMA}, features, labels, verbose=False)


def seconds(function, *args) -> float:
    begin = time.process_time()
    function(*args)
    return time.process_time() - begin


def measure(runs: int, rounds: int) -> tuple[float, float]:
    """Return the median seconds of one run in a sweep of so many, and of one train_ch7 beside it."""
    seconds(alone), seconds(together, 1)  # warm up
    pairs = [(seconds(together, runs) / runs, seconds(alone)) for _ in range(rounds)]
    ours, loop = (statistics.median(column) for column in zip(*pairs, strict=True))
    return ours, loop


def main() -> None:
    sizes = [int(argument) for argument in sys.argv[1:]] or RUNS
    print("     runs    ms a run   train_ch7, ms   a run costs    all runs, s   grows as")
    previous = None
    for runs in sizes:
        ours, loop = measure(runs, rounds=3 if runs >= 10_000 else 7)
        growth = ""
        if previous is not None:  # the exponent of time ~ runs^p between this line and the last
            growth = f"runs^{math.log(ours * runs / previous[1]) / math.log(runs / previous[0]):.2f}"
        previous = runs, ours * runs
        promise = " (<= 1/60)" if runs == 1_000 else ""
        cost = f"1/{loop / ours:.1f}{promise}"
        print(f"{runs:9,} {1e3 * ours:11.3f} {1e3 * loop:15.1f}   {cost:17} {ours * runs:8.3f}   {growth}")


if __name__ == "__main__":
    main()
