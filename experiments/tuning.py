"""Search the settings of six optimizers on MNIST-1D, train the chosen ones afresh, and write ``results/tuning.json``.

The network is that of the notebook: the cells tagged ``imports`` and ``scratch`` are run, so there is no second copy
of it. In the root of the repository, about ten minutes on one core:

    python experiments/tuning.py --workers 1
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import d2l_utils as d2l
from d2l_utils._grid import settings_of
from d2l_utils.chapters import from_chapter
from d2l_utils.results import made_with

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results" / "tuning.json"

NUM_EPOCHS, BATCH_SIZE = 10, 100
NUM_TRAIN = 3000  # of the 4000 training samples; the rest is for validation
SEARCH_SEEDS, REPORT_SEEDS = range(100, 105), range(20)


def rates(lowest: int, decades: int = 4) -> list[float]:
    """Learning rates from 10**lowest on, four a decade, both ends included."""
    return [float(f"{10 ** (lowest + k / 4):.3g}") for k in range(4 * decades + 1)]


#: The search space of each optimizer: four decades of rates, and the other hyperparameters it is tuned in.
SPACES: dict[str, dict[str, list[Any]]] = {
    "SGD": {"lr": rates(-3)},
    "momentum": {"lr": rates(-3), "momentum": [0.0, 0.5, 0.9, 0.97]},
    "AdaGrad": {"lr": rates(-3)},
    "RMSProp": {"lr": rates(-5), "alpha": [0.9, 0.99, 0.999]},
    "Adam": {"lr": rates(-5), "beta1": [0.0, 0.5, 0.9, 0.97], "beta2": [0.9, 0.99, 0.999]},
    "AdamW": {"lr": rates(-5), "weight_decay": [0.01, 0.1, 1.0]},
}
#: What is held fixed when only the rate is tuned.
DEFAULTS: dict[str, dict[str, float]] = {
    "SGD": {},
    "momentum": {"momentum": 0.9},
    "AdaGrad": {},
    "RMSProp": {"alpha": 0.99},
    "Adam": {"beta1": 0.9, "beta2": 0.999},
    "AdamW": {"weight_decay": 0.01},
}


def optimizer(name: str, params: Any, setting: Mapping[str, float]) -> torch.optim.Optimizer:
    """Make an optimizer of the framework; what a setting does not name keeps its default."""
    options: dict[str, Any] = dict(setting)
    if name == "Adam":
        options["betas"] = (options.pop("beta1"), options.pop("beta2"))
    classes: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "SGD": torch.optim.SGD,
        "momentum": torch.optim.SGD,
        "AdaGrad": torch.optim.Adagrad,
        "RMSProp": torch.optim.RMSprop,
        "Adam": torch.optim.Adam,
        "AdamW": torch.optim.AdamW,
    }
    return classes[name](params, **options)


@cache
def chapter() -> SimpleNamespace:
    """Return the network that the chapter defines."""
    return from_chapter(ROOT / "chapters" / "tuning.ipynb")


@cache
def parts() -> tuple[d2l.Classification, torch.Tensor, torch.Tensor]:
    """Training and validation part (in the place of the test part), and the features and labels of the test."""
    data = d2l.get_mnist1d()
    n = NUM_TRAIN
    split = d2l.Classification(data.features[:n], data.labels[:n], data.features[n:], data.labels[n:])
    return split, data.test_features, data.test_labels


def run(name: str, setting: Mapping[str, float], seed: int) -> dict[str, float | None]:
    """Train once; return the losses and error rates at the end, None for what is not finite."""
    torch.set_num_threads(1)
    data, test_features, test_labels = parts()
    net = chapter().mlp(seed)
    record = d2l.train_classifier(
        net,
        optimizer(name, net.parameters(), setting),
        data,
        num_epochs=NUM_EPOCHS,
        batch_size=BATCH_SIZE,
        seed=seed,
    )
    valid_loss, valid_accuracy = d2l.evaluate_classifier(net, data.test_features, data.test_labels)
    test_loss, test_accuracy = d2l.evaluate_classifier(net, test_features, test_labels)
    if record.diverged:
        valid_loss = test_loss = math.nan
    return {
        "train_loss": rounded(record.train_loss[-1] if record.train_loss else math.nan),
        "valid_loss": rounded(valid_loss),
        "valid_error": round(1 - valid_accuracy, 4),
        "test_loss": rounded(test_loss),
        "test_error": round(1 - test_accuracy, 4),
    }


def rounded(value: float) -> float | None:
    """Five significant digits; None for what is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None


def best_setting(table: Sequence[Sequence[float | None]], settings: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the setting with the lowest mean of its row; a run that diverged counts as infinite."""
    means = [np.mean([math.inf if value is None else value for value in row]) for row in table]
    return settings[int(np.argmin(means))]


def chosen(name: str, table: Sequence[Sequence[float | None]]) -> dict[str, dict[str, float]]:
    """Return the best setting of the whole space (``all``) and of its part at the defaults (``rate``)."""
    settings = settings_of(SPACES[name])
    fixed = DEFAULTS[name]
    part = [i for i, s in enumerate(settings) if all(s[key] == value for key, value in fixed.items())]
    return {
        "all": best_setting(table, settings),
        "rate": best_setting([table[i] for i in part], [settings[i] for i in part]),
    }


def experiment(executor: futures.Executor, report: Callable[[str], None] = print) -> dict[str, Any]:
    """Search with one set of seeds, train what was chosen with another; the runs go to ``executor``."""
    search: dict[str, Any] = {}
    final: dict[str, Any] = {}
    for name, space in SPACES.items():
        settings = settings_of(space)
        grid = [{"name": name, "setting": s, "seed": seed} for s in settings for seed in SEARCH_SEEDS]
        values = d2l.map_runs(run, grid, executor=executor).values
        shape = (len(settings), len(SEARCH_SEEDS))
        tables = {
            key: np.array([v[key] for v in values], dtype=object).reshape(shape).tolist()
            for key in ("train_loss", "valid_loss", "valid_error")
        }
        search[name] = {"grid": space, **tables}
        final[name] = {}
        for kind, setting in chosen(name, tables["valid_loss"]).items():
            grid = [{"name": name, "setting": setting, "seed": seed} for seed in REPORT_SEEDS]
            values = d2l.map_runs(run, grid, executor=executor).values
            keys = ("valid_loss", "valid_error", "test_loss", "test_error")
            final[name][kind] = {"setting": setting} | {key: [v[key] for v in values] for key in keys}
            report(f"{name}, {kind}: {setting}")
    data, *_ = parts()
    before = [
        d2l.evaluate_classifier(chapter().mlp(seed), data.test_features, data.test_labels)[0] for seed in SEARCH_SEEDS
    ]
    return {"before": [rounded(value) for value in before], "search": search, "final": final}


def main() -> None:
    """Run the experiment and write its results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    d2l.get_mnist1d()  # fill the cache before the workers look into it
    begin = time.monotonic()
    with futures.ProcessPoolExecutor(max_workers=options.workers) as executor:
        results = experiment(executor)
    about = {
        **made_with(),
        "date": time.strftime("%Y-%m-%d"),
        "minutes": round((time.monotonic() - begin) / 60, 1),
        "num_epochs": NUM_EPOCHS,
        "batch_size": BATCH_SIZE,
        "num_train": NUM_TRAIN,
        "search_seeds": list(SEARCH_SEEDS),
        "report_seeds": list(REPORT_SEEDS),
    }
    lines = [f'"about": {json.dumps(about)}', f'"before": {json.dumps(results["before"])}']
    for part in ("search", "final"):
        rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in results[part].items())
        lines.append(f'"{part}": {{\n{rows}\n}}')
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
