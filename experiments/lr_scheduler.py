"""Train a small network on MNIST-1D under every schedule of the chapter, and write ``results/lr_scheduler.json``.

The network and the schedules are those of the notebook: the cells tagged ``imports`` and ``scratch`` are run, so there
is no second copy of them. In the root of the repository, about ten minutes on two cores:

    python experiments/lr_scheduler.py --executor process --workers 2
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent import futures
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import nn

import d2l_utils as d2l
from d2l_utils.chapters import from_chapter

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "lr_scheduler.json"

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
def data(seed: int) -> d2l.Classification:
    """MNIST-1D, read once a process."""
    return d2l.get_mnist1d(seed)


def run(setting: dict[str, Any]) -> dict[str, Any]:
    """Train once. A setting holds `schedule`, `base_lr`, `seed` and `data`; it is returned with the run's record."""
    torch.set_num_threads(1)
    schedule = getattr(chapter(), setting["schedule"])
    options = SCHEDULES[setting["schedule"]]
    net = chapter().conv_net(setting["seed"])
    record = d2l.train_classifier(
        net,
        torch.optim.SGD(net.parameters(), lr=setting["base_lr"], momentum=MOMENTUM),
        data(setting["data"]),
        num_epochs=NUM_EPOCHS,
        batch_size=BATCH_SIZE,
        schedule=lambda t: schedule(t, base_lr=setting["base_lr"], **options),
        seed=setting["seed"],
    )
    return setting | {
        "train_loss": [float(f"{value:.4g}") for value in record.train_loss],
        "train_accuracy": [round(value, 5) for value in record.train_accuracy],
        "test_accuracy": [round(value, 5) for value in record.test_accuracy],
        "diverged_at": record.diverged_at,
    }


def curvature(setting: dict[str, Any]) -> dict[str, Any]:
    """Largest eigenvalue of the Hessian along the first steps of a run.

    A setting holds `base_lr`, `warmup_steps` and `seed`.
    """
    torch.set_num_threads(1)
    names, problem = chapter(), data(TEST_DATA)
    net = names.conv_net(setting["seed"])
    optimizer = torch.optim.SGD(net.parameters(), lr=setting["base_lr"], momentum=MOMENTUM)
    generator = torch.Generator().manual_seed(setting["seed"])
    order = torch.cat([torch.randperm(len(problem.features), generator=generator) for _ in range(8)])
    X, y = problem.features[:1000], problem.labels[:1000]
    sharpness, losses, direction = [], [], None
    for t in range(CURVATURE_STEPS[-1] + 1):
        if t in CURVATURE_STEPS:
            value, direction = names.largest_curvature(net, X, y, start=direction)
            sharpness.append(float(f"{value:.4g}"))
            losses.append(float(f"{d2l.evaluate_classifier(net, X, y)[0]:.4g}"))
        batch = order[t * BATCH_SIZE : (t + 1) * BATCH_SIZE]
        warm = setting["warmup_steps"]
        optimizer.param_groups[0]["lr"] = setting["base_lr"] * (min(1.0, t / warm) if warm else 1.0)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(problem.features[batch]), problem.labels[batch]).backward()
        optimizer.step()
    return setting | {"sharpness": sharpness, "loss": losses}


def best_rates(runs: Iterable[dict[str, Any]]) -> dict[str, float]:
    """Choose for each schedule the rate with the highest mean of the final test accuracies."""
    accuracies: dict[tuple[str, float], list[float]] = defaultdict(list)
    for r in runs:
        # A run that diverged guesses.
        accuracies[r["schedule"], r["base_lr"]].append(0.1 if r["diverged_at"] else r["test_accuracy"][-1])
    best: dict[str, float] = {}
    for name, rate in accuracies:
        if name not in best or np.mean(accuracies[name, rate]) > np.mean(accuracies[name, best[name]]):
            best[name] = rate
    return best


def experiment(
    executor: futures.Executor, known: Iterable[dict[str, Any]] = (), report: Callable[[str], None] = print
) -> dict[str, Any]:
    """Search the rates, compare the schedules at their best, and measure curvature; the runs go to ``executor``.

    Runs in ``known`` are not made again.
    """
    made = {key_of(r): r for r in known}

    def train(what: str, pairs: Iterable[tuple[str, float]], seeds: Iterable[int], draw: int) -> list[dict[str, Any]]:
        settings = [
            {"schedule": name, "base_lr": rate, "seed": seed, "data": draw} for name, rate in pairs for seed in seeds
        ]
        missing = [setting for setting in settings if key_of(setting) not in made]
        begin = time.monotonic()
        for i, result in enumerate(executor.map(run, missing), start=1):
            made[key_of(result)] = result
            if i % 10 == 0 or i == len(missing):
                report(f"{what}: {i} of {len(missing)} runs, {time.monotonic() - begin:.0f} s")
        return [made[key_of(setting)] for setting in settings]

    search = train("search", [(name, rate) for name in SCHEDULES for rate in RATES], SEARCH_SEEDS, SEARCH_DATA)
    while wider := beyond_the_edge(search):
        search += train(f"search at {wider}", wider, SEARCH_SEEDS, SEARCH_DATA)
    best = best_rates(search)
    report(f"best rates: {best}")
    final = set(best.items()) | {(name, rate) for name in ("cosine", "warmup_cosine") for rate in WARMUP_RATES}
    runs = train("comparison", sorted(final), SEEDS, TEST_DATA)
    report("curvature")
    settings = [
        {"base_lr": rate, "warmup_steps": warm, "seed": seed}
        for rate in CURVATURE_RATES
        for warm in CURVATURE_WARMUPS
        for seed in CURVATURE_SEEDS
    ]
    last = [r | {key: r[key][-1:] for key in ("train_loss", "train_accuracy", "test_accuracy")} for r in search]
    return {"best_rates": best, "runs": runs, "search": last, "curvature": list(executor.map(curvature, settings))}


def key_of(setting: dict[str, Any]) -> tuple[Any, ...]:
    """Return what tells one run from all others."""
    return tuple(setting[key] for key in ("schedule", "base_lr", "seed", "data"))


def beyond_the_edge(search: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """For each schedule whose best rate is the lowest (highest) tried: half (twice) that rate."""
    wider = []
    for name, rate in best_rates(search).items():
        tried = {r["base_lr"] for r in search if r["schedule"] == name}
        if rate == min(tried):
            wider.append((name, rate / 2))
        elif rate == max(tried):
            wider.append((name, rate * 2))
    return wider


def main() -> None:
    """Run the experiment and write its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executor", choices=("process", "thread"), default="process")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="keep the runs of the results file; make what is missing")
    options = parser.parse_args()
    data(SEARCH_DATA), data(TEST_DATA)  # fill the cache before the workers look into it
    kinds: dict[str, type[futures.Executor]] = {
        "process": futures.ProcessPoolExecutor,
        "thread": futures.ThreadPoolExecutor,
    }
    known: list[dict[str, Any]] = []
    minutes = 0.0
    if options.keep:
        stored = json.loads(RESULTS.read_text(encoding="utf-8"))
        known, minutes = stored["runs"] + stored["search"], stored["about"]["minutes"]
    begin = time.monotonic()
    with kinds[options.executor](max_workers=options.workers) as executor:  # type: ignore[call-arg]
        results = experiment(executor, known)
    about = {
        "command": " ".join(["python", "experiments/lr_scheduler.py", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "minutes": round(minutes + (time.monotonic() - begin) / 60, 1),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "num_epochs": NUM_EPOCHS,
        "batch_size": BATCH_SIZE,
        "momentum": MOMENTUM,
        "rates": RATES,
        "options": SCHEDULES,
        "curvature_steps": CURVATURE_STEPS,
    }
    lines = [f'"about": {json.dumps(about)}', f'"best_rates": {json.dumps(results["best_rates"])}']
    for name in ("runs", "search", "curvature"):
        rows = ",\n".join(json.dumps(row) for row in results[name])
        lines.append(f'"{name}": [\n{rows}\n]')
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
