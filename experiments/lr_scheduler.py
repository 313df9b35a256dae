"""Train a small network on MNIST-1D under every schedule of the chapter, into ``results/lr_scheduler_*.jsonl``.

The network, the schedules and the choice of the best rates are those of the notebook: its cells tagged ``imports`` and
``scratch`` are run, so there is no second copy of them. In the root of the repository, about ten minutes on two cores:

    python experiments/lr_scheduler.py --executor process --workers 2

Runs that the files hold are not made again: a broken series is resumed, and after a schedule was added here, only its
runs are made. To start over, delete the files.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent import futures
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

import d2l_utils as d2l
from d2l_utils.chapters import from_chapter

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"

NUM_EPOCHS, BATCH_SIZE, MOMENTUM = 30, 100, 0.9
STEPS_PER_EPOCH = 40
TOTAL = NUM_EPOCHS * STEPS_PER_EPOCH
RATES = (0.05, 0.1, 0.2, 0.3, 0.4)
SEARCH_SEEDS = range(100, 103)
SEEDS = range(10)
SEARCH_DATA, TEST_DATA = 43, 42  # rates are chosen on another draw of the data

#: Options of each schedule besides base_lr, in steps.
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "square_root": {"every": STEPS_PER_EPOCH},
    "factor_decay": {"factor": 0.86, "every": STEPS_PER_EPOCH},
    "piecewise": {"milestones": (15 * STEPS_PER_EPOCH, 25 * STEPS_PER_EPOCH), "gamma": 0.1},
    "polynomial": {"total": TOTAL, "power": 1.0},
    "cosine": {"total": TOTAL},
    "warmup_cosine": {"total": TOTAL, "warmup_steps": 120},
    "one_cycle": {"total": TOTAL},
    "warmup_stable_decay": {"total": TOTAL, "warmup_steps": 120, "decay_steps": 300},
    "cosine_restarts": {"period": 10 * STEPS_PER_EPOCH},
}
#: Warmup against none: the same cosine behind, 10 seeds a rate.
WARMUP_RATES = (0.2, 0.3, 0.4)
#: Curvature: measured before these steps of runs at these rates, without and with warmup.
CURVATURE_RATES, CURVATURE_WARMUPS = (0.2, 0.4), (0, 120)
CURVATURE_STEPS = (0, 2, 5, 10, 20, 30, 40, 60, 80, 100, 120, 160, 200, 280)
CURVATURE_SEEDS = range(5)


@cache
def chapter() -> SimpleNamespace:
    """Return the network and the schedules that the chapter defines."""
    return from_chapter(ROOT / "chapters" / "lr_scheduler.ipynb")


@cache
def draw(seed: int) -> d2l.Classification:
    """MNIST-1D, read once a process."""
    return d2l.get_mnist1d(seed)


def train(schedule: str, options: dict[str, Any], base_lr: float, seed: int, data: int) -> dict[str, Any]:
    """Train once, on draw ``data`` of the data set, and return the record by epoch."""
    torch.set_num_threads(1)
    rate = getattr(chapter(), schedule)
    net = chapter().conv_net(seed)
    record = d2l.train_classifier(
        net,
        torch.optim.SGD(net.parameters(), lr=base_lr, momentum=MOMENTUM),
        draw(data),
        num_epochs=NUM_EPOCHS,
        batch_size=BATCH_SIZE,
        schedule=lambda t: rate(t, base_lr=base_lr, **options),
        seed=seed,
    )
    return {
        "train_loss": [float(f"{value:.4g}") for value in record.train_loss],
        "train_accuracy": [round(value, 5) for value in record.train_accuracy],
        "test_accuracy": [round(value, 5) for value in record.test_accuracy],
        "diverged_at": record.diverged_at,
    }


def train_for_the_end(**setting: Any) -> dict[str, Any]:
    """Train once and keep the last values only."""
    return {name: value[-1:] if isinstance(value, list) else value for name, value in train(**setting).items()}


def curvature(base_lr: float, warmup_steps: int, seed: int) -> dict[str, Any]:
    """Largest eigenvalue of the Hessian along the first steps of a run."""
    torch.set_num_threads(1)
    names, problem = chapter(), draw(TEST_DATA)
    net = names.conv_net(seed)
    optimizer = torch.optim.SGD(net.parameters(), lr=base_lr, momentum=MOMENTUM)
    generator = torch.Generator().manual_seed(seed)
    order = torch.cat([torch.randperm(len(problem.features), generator=generator) for _ in range(8)])
    X, y = problem.features[:1000], problem.labels[:1000]
    sharpness, losses, direction = [], [], None
    for t in range(CURVATURE_STEPS[-1] + 1):
        if t in CURVATURE_STEPS:
            value, direction = names.largest_curvature(net, X, y, start=direction)
            sharpness.append(float(f"{value:.4g}"))
            losses.append(float(f"{d2l.evaluate_classifier(net, X, y)[0]:.4g}"))
        batch = order[t * BATCH_SIZE : (t + 1) * BATCH_SIZE]
        optimizer.param_groups[0]["lr"] = base_lr * (min(1.0, t / warmup_steps) if warmup_steps else 1.0)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(problem.features[batch]), problem.labels[batch]).backward()
        optimizer.step()
    return {"steps": list(CURVATURE_STEPS), "sharpness": sharpness, "loss": losses}


def rows(runs: d2l.Runs) -> list[dict[str, Any]]:
    """One dict a run: its setting and what came out."""
    return [setting | value for setting, value in zip(runs.settings, runs.values, strict=True)]


def settings(pairs: Iterable[tuple[str, float]], seeds: Iterable[int], data: int) -> list[dict[str, Any]]:
    """Return the settings of these schedules at these rates, with every seed."""
    return [
        {"schedule": name, "options": SCHEDULES[name], "base_lr": rate, "seed": seed, "data": data}
        for name, rate in pairs
        for seed in seeds
    ]


def beyond_the_edge(search: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """For each schedule whose best rate is the lowest (highest) tried: half (twice) that rate."""
    wider = []
    for name, rate in chapter().best_rates(search).items():
        tried = {r["base_lr"] for r in search if r["schedule"] == name}
        if rate == min(tried):
            wider.append((name, rate / 2))
        elif rate == max(tried):
            wider.append((name, rate * 2))
    return wider


def experiment(executor: futures.Executor, folder: Path = RESULTS) -> None:
    """Search the rates, compare the schedules at their best, and measure curvature; the runs go to ``executor``."""
    wanted = [(name, rate) for name in SCHEDULES for rate in RATES]
    search: list[dict[str, Any]] = []
    while wanted:
        print(f"search: {len(wanted)} pairs of schedule and rate")
        search += rows(
            d2l.map_runs(
                train_for_the_end,
                settings(wanted, SEARCH_SEEDS, SEARCH_DATA),
                executor=executor,
                results=folder / "lr_scheduler_search.jsonl",
            )
        )
        wanted = beyond_the_edge(search)
    best = chapter().best_rates(search)
    print(f"comparison at the best rates: {best}")
    final = set(best.items()) | {(name, rate) for name in ("cosine", "warmup_cosine") for rate in WARMUP_RATES}
    d2l.map_runs(
        train,
        settings(sorted(final), SEEDS, TEST_DATA),
        executor=executor,
        results=folder / "lr_scheduler_runs.jsonl",
    )
    print("curvature")
    d2l.map_runs(
        curvature,
        {"base_lr": CURVATURE_RATES, "warmup_steps": CURVATURE_WARMUPS, "seed": CURVATURE_SEEDS},
        executor=executor,
        results=folder / "lr_scheduler_curvature.jsonl",
    )


def main() -> None:
    """Make the runs that the files do not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executor", choices=("process", "thread"), default="process")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    draw(SEARCH_DATA), draw(TEST_DATA)  # fill the cache before the workers look into it
    kinds: dict[str, type[futures.Executor]] = {
        "process": futures.ProcessPoolExecutor,
        "thread": futures.ThreadPoolExecutor,
    }
    with kinds[options.executor](max_workers=options.workers) as executor:  # type: ignore[call-arg]
        experiment(executor)


if __name__ == "__main__":
    main()
