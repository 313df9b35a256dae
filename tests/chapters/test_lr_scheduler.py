"""The chapter on schedules: its functions against torch and their formulas, its theory, its stored experiment."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from notebook import ROOT, Chapter, load_experiment
from torch import nn
from torch.optim import lr_scheduler

import d2l_utils as d2l


@pytest.fixture(scope="module")
def lr_chapter(load: Callable[[str], Chapter]) -> Chapter:
    return load("lr_scheduler")


@pytest.fixture(scope="module")
def scratch(lr_chapter: Chapter) -> SimpleNamespace:
    return lr_chapter.scratch()


@pytest.fixture(scope="module")
def experiment() -> ModuleType:
    return load_experiment("lr_scheduler")


RESULTS = ROOT / "results"
FILES = ("lr_scheduler_search.jsonl", "lr_scheduler_runs.jsonl", "lr_scheduler_curvature.jsonl")


def lines_of(name: str) -> list[dict[str, Any]]:
    """Return the runs of a result file, each with its setting and its value."""
    about, *rows = map(json.loads, (RESULTS / name).read_text(encoding="utf-8").splitlines())
    assert set(about["made_with"]) >= {"command", "python", "torch", "numpy"}
    return rows


@pytest.fixture(scope="module")
def stored() -> list[dict[str, Any]]:
    """Return the runs of the comparison as the page has them."""
    return [row["setting"] | row["value"] for row in lines_of("lr_scheduler_runs.jsonl")]


BASE = 0.2
TORCH: list[tuple[str, dict[str, Any], Callable[..., Any]]] = [
    ("constant", {}, lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    ("square_root", {"every": 7}, lambda o: lr_scheduler.LambdaLR(o, lambda t: (1 + t // 7) ** -0.5)),
    ("factor_decay", {"factor": 0.99}, lambda o: lr_scheduler.ExponentialLR(o, 0.99)),
    ("factor_decay", {"factor": 0.5, "every": 40}, lambda o: lr_scheduler.StepLR(o, 40, 0.5)),
    ("piecewise", {"milestones": (15, 200), "gamma": 0.3}, lambda o: lr_scheduler.MultiStepLR(o, [15, 200], 0.3)),
    ("polynomial", {"total": 250}, lambda o: lr_scheduler.PolynomialLR(o, 250)),
    ("polynomial", {"total": 300, "power": 0.5}, lambda o: lr_scheduler.PolynomialLR(o, 300, 0.5)),
    ("cosine", {"total": 300, "final_lr": 0.01}, lambda o: lr_scheduler.CosineAnnealingLR(o, 300, 0.01)),
    ("one_cycle", {"total": 300}, lambda o: lr_scheduler.OneCycleLR(o, BASE, 300, cycle_momentum=False)),
    (
        "one_cycle",
        {"total": 301, "up": 0.4, "div": 10.0, "final_div": 100.0},
        lambda o: lr_scheduler.OneCycleLR(
            o, BASE, 301, pct_start=0.4, div_factor=10.0, final_div_factor=100.0, cycle_momentum=False
        ),
    ),
    (
        "cosine_restarts",
        {"period": 20, "mult": 2, "final_lr": 0.01},
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 20, 2, 0.01),
    ),
    ("cosine_restarts", {"period": 17}, lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 17)),
]


@pytest.mark.parametrize(("name", "options", "make"), TORCH)
def test_rates_and_weights_equal_torch_over_a_full_run(
    scratch: SimpleNamespace, name: str, options: dict[str, Any], make: Callable[..., Any]
) -> None:
    schedule = getattr(scratch, name)
    theirs = scratch.framework_rates(make, 300, BASE)
    assert [schedule(t, base_lr=BASE, **options) for t in range(300)] == pytest.approx(theirs, rel=0, abs=1e-12)
    # The weights, too: the scheduler drives one run, the function the other.
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(300, 5, generator=generator, dtype=torch.float64)
    ours, other = (nn.Parameter(torch.ones(5, dtype=torch.float64)) for _ in range(2))
    a, b = (torch.optim.SGD([p], lr=BASE, momentum=0.9) for p in (ours, other))
    scheduler = make(b)
    for t, g in enumerate(gradients):
        a.param_groups[0]["lr"] = schedule(t, base_lr=BASE, **options)
        ours.grad, other.grad = g.clone(), g.clone()
        a.step()
        b.step()
        scheduler.step()
    torch.testing.assert_close(ours, other, rtol=0, atol=1e-12)


@pytest.mark.parametrize("begin", [0.1, 0.5])
def test_warmup_equals_linear_lr_in_front_of_others(scratch: SimpleNamespace, begin: float) -> None:
    behind = {
        "cosine": ({"total": 250}, lambda o: lr_scheduler.CosineAnnealingLR(o, 250)),
        "polynomial": ({"total": 250, "power": 2.0}, lambda o: lr_scheduler.PolynomialLR(o, 250, 2.0)),
        "piecewise": ({"milestones": (100,), "gamma": 0.1}, lambda o: lr_scheduler.MultiStepLR(o, [100], 0.1)),
    }
    for name, (options, make) in behind.items():

        def sequential(o: torch.optim.Optimizer, make: Any = make) -> Any:
            climb = lr_scheduler.LinearLR(o, begin, total_iters=50)
            return lr_scheduler.SequentialLR(o, [climb, make(o)], [50])

        ours = scratch.with_warmup(getattr(scratch, name), warmup_steps=50, begin_lr=begin * BASE)
        rates = [ours(t, base_lr=BASE, **options) for t in range(300)]
        assert rates == pytest.approx(scratch.framework_rates(sequential, 300, BASE), rel=0, abs=1e-12)


def test_displayed_formulas_equal_the_functions(scratch: SimpleNamespace) -> None:
    t, T, base, final, p, k, alpha, floor = sympy.symbols("t T eta_0 eta_T p k alpha eta_min", positive=True)
    square_root = sympy.lambdify((t, base, k), base / sympy.sqrt(1 + sympy.floor(t / k)))
    factor = sympy.lambdify((t, base, alpha, floor, k), sympy.Max(floor, base * alpha ** sympy.floor(t / k)))
    polynomial = sympy.lambdify((t, T, base, final, p), final + (base - final) * (1 - t / T) ** p)
    cosine = sympy.lambdify(
        (t, T, base, final), final + sympy.Rational(1, 2) * (base - final) * (1 + sympy.cos(sympy.pi * t / T))
    )
    rng = random.Random(0)
    for _ in range(200):
        total = rng.randint(2, 1000)
        step, every = rng.randint(0, total), rng.randint(1, 50)
        lr, last, share, power = rng.uniform(0.01, 2), rng.uniform(0, 0.01), rng.uniform(0.1, 1), rng.uniform(0.2, 4)
        same = pytest.approx
        assert scratch.square_root(step, base_lr=lr, every=every) == same(square_root(step, lr, every))
        ours = scratch.factor_decay(step, base_lr=lr, factor=share, floor=last, every=every)
        assert ours == same(factor(step, lr, share, last, every))
        ours = scratch.polynomial(step, base_lr=lr, total=total, power=power, final_lr=last)
        assert ours == same(polynomial(step, total, lr, last, power))
        ours = scratch.cosine(step, base_lr=lr, total=total, final_lr=last)
        assert ours == same(cosine(step, total, lr, last))
        warm = rng.randint(1, total)
        ours = scratch.warmup_cosine(step, base_lr=lr, total=total + 1, warmup_steps=warm, begin_lr=last)
        displayed = last + (lr - last) * step / warm if step < warm else cosine(step - warm, total + 1 - warm, lr, 0.0)
        assert ours == same(displayed)


def test_edge_values(scratch: SimpleNamespace) -> None:
    for t, expected in ((0, 0.0), (5, 0.15), (10, 0.3), (38, 0.3), (44, 0.15), (50, 0.0), (70, 0.0)):
        rate = scratch.warmup_stable_decay(t, base_lr=0.3, total=50, warmup_steps=10, decay_steps=12)
        assert rate == pytest.approx(expected)
    for name, options in (("polynomial", {}), ("cosine", {}), ("warmup_cosine", {"warmup_steps": 10})):
        schedule = getattr(scratch, name)
        assert [schedule(t, base_lr=0.3, total=50, final_lr=0.01, **options) for t in (50, 51, 500)] == [0.01] * 3
    assert scratch.one_cycle(14, base_lr=0.3, total=50) == 0.3
    assert scratch.one_cycle(49, base_lr=0.3, total=50) == pytest.approx(0.3 / 25 / 1e4)
    rates = [scratch.two_drops(t, base_lr=0.5, first=15, second=30, gamma=0.5) for t in (14, 15, 29, 30)]
    assert rates == [0.5, 0.25, 0.25, 0.125]


def test_cosine_scheduler_has_the_rates_of_d2l_and_no_memory(scratch: SimpleNamespace) -> None:
    ours = scratch.CosineScheduler(20, base_lr=0.3, final_lr=0.01, warmup_steps=5)
    # The values that d2l's class gives when it is called in order: a climb of five, then (20, 0.3 -> 0.01) in fifteen.
    expected = [0.3 * t / 5 for t in range(5)]
    expected += [0.01 + 0.29 * (1 + math.cos(math.pi * (t - 5) / 15)) / 2 for t in range(5, 21)]
    expected += [0.01] * 10
    order = list(range(31))
    random.Random(0).shuffle(order)
    for t in [25, *order, *order]:
        assert ours(t) == pytest.approx(expected[t], rel=1e-14)
    default = scratch.CosineScheduler(20)
    assert (default(0), default(20)) == (0.01, 0.0)


def test_noise_floor_and_best_rates_of_the_quadratic(scratch: SimpleNamespace) -> None:
    eta, lam, sigma, e = sympy.symbols("eta lambda sigma e", positive=True)
    after = (1 - eta * lam) ** 2 * e + eta**2 * sigma**2
    (fixed,) = sympy.solve(sympy.Eq(after, e), e)
    assert sympy.simplify(fixed - eta * sigma**2 / (lam * (2 - eta * lam))) == 0
    (best,) = sympy.solve(sympy.diff(after, eta), eta)
    assert sympy.simplify(1 / after.subs(eta, best) - (1 / e + lam**2 / sigma**2)) == 0
    for rate, curvature, noise in ((0.4, 1.0, 1.0), (0.05, 3.0, 0.2)):
        loss = scratch.expected_loss([rate] * 2000, curvature, sigma=noise)
        assert loss == pytest.approx(rate * noise**2 / (2 * (2 - rate * curvature)))
    # No other schedule beats eta_t = 1 / (lam (t + 1 + c)).
    optimum = scratch.expected_loss([1 / (t + 1 + 1 / 100) for t in range(50)], 1.0)
    assert optimum == pytest.approx(0.5 / (1 / 100 + 50))
    rng = np.random.default_rng(0)
    for _ in range(100):
        jitter = np.exp(0.1 * rng.normal(size=50))
        assert scratch.expected_loss([j / (t + 1.01) for t, j in enumerate(jitter)], 1.0) > optimum


def test_power_iteration_finds_the_largest_eigenvalue(scratch: SimpleNamespace) -> None:
    generator = torch.Generator().manual_seed(0)
    X = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    y = torch.randint(0, 3, (40,), generator=generator)
    net = nn.Linear(3, 3, dtype=torch.float64)

    def loss(flat: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(X @ flat[:9].reshape(3, 3).T + flat[9:], y)

    point = torch.cat([net.weight.reshape(-1), net.bias]).detach()
    exact = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, point))[-1].item()
    value, vector = scratch.largest_curvature(net, X, y, tolerance=1e-10, most=2000)
    assert value == pytest.approx(exact, rel=1e-6)
    assert vector.norm().item() == pytest.approx(1)


class Refuses(Executor):
    """Takes no run."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ARG002
        raise AssertionError(f"this run should have been read from the file: {kwargs}")


def test_stored_runs_are_all_that_the_program_makes(
    experiment: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The program resumes from the files of the repository, finds every run, and adds none.
    for name in FILES:
        shutil.copy(RESULTS / name, tmp_path)
    experiment.experiment(Refuses(), tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (RESULTS / name).read_bytes()
        keys = [json.dumps(row["setting"], sort_keys=True) for row in lines_of(name)]
        assert len(keys) == len(set(keys))
    assert capsys.readouterr().out.startswith("search: 50 pairs of schedule and rate")


def test_best_rate_is_that_of_the_best_mean(scratch: SimpleNamespace) -> None:
    def run(schedule: str, rate: float, accuracy: float, diverged_at: int | None = None) -> dict[str, Any]:
        return {"schedule": schedule, "base_lr": rate, "test_accuracy": [0.0, accuracy], "diverged_at": diverged_at}

    search = [run("a", 0.1, 0.7), run("a", 0.1, 0.9), run("a", 0.2, 0.85), run("a", 0.2, 0.85), run("a", 0.4, 0.6)]
    search += [run("b", 0.1, 0.2), run("b", 0.2, 0.99, diverged_at=3)]
    assert scratch.best_rates(search) == {"a": 0.2, "b": 0.1}


def test_comparison_has_ten_seeds_of_each_schedule_at_its_best(
    scratch: SimpleNamespace, experiment: ModuleType, stored: list[dict[str, Any]]
) -> None:
    search = [row["setting"] | row["value"] for row in lines_of("lr_scheduler_search.jsonl")]
    best = scratch.best_rates(search)
    assert set(best) == set(experiment.SCHEDULES)
    for name, rate in best.items():
        seeds = [r["seed"] for r in stored if (r["schedule"], r["base_lr"]) == (name, rate)]
        assert sorted(seeds) == list(range(10))
    assert {r["data"] for r in search}.isdisjoint(r["data"] for r in stored)


@pytest.mark.parametrize("pick", range(2))
def test_a_stored_run_drawn_at_random_comes_out_again(
    experiment: ModuleType, stored: list[dict[str, Any]], tmp_path: Path, pick: int
) -> None:
    # A rounding difference between two machines grows along 1200 steps; on one machine the runs are equal.
    calm = [i for i, r in enumerate(stored) if r["test_accuracy"][-1] > 0.85]
    lost = random.SystemRandom().choice(calm) if pick else calm[0]
    old = stored[lost]
    lines = (RESULTS / "lr_scheduler_runs.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    file = tmp_path / "runs.jsonl"
    file.write_text("".join(lines[: lost + 1] + lines[lost + 2 :]), encoding="utf-8")
    settings = [row["setting"] for row in lines_of("lr_scheduler_runs.jsonl")]
    runs = d2l.map_runs(experiment.train, settings, results=file)
    assert file.read_text(encoding="utf-8").count("\n") == len(lines)
    new = runs.values[lost]
    assert new["train_loss"][0] == pytest.approx(old["train_loss"][0], rel=0.02), old
    assert new["test_accuracy"][-1] == pytest.approx(old["test_accuracy"][-1], abs=0.04), old
    assert [v["train_loss"] for i, v in enumerate(runs.values) if i != lost] == [
        r["train_loss"] for i, r in enumerate(stored) if i != lost
    ]


@pytest.fixture(scope="module")
def airfoil_map(lr_chapter: Chapter, scratch: SimpleNamespace) -> tuple[Callable[..., d2l.Sweep], dict[str, Any]]:
    """Return what trains on the airfoil data by the page's own function, and the schedules it knows."""
    (cell,) = (cell for cell in lr_chapter.code_cells if "def sgd_scheduled(" in cell.source)
    names = dict(vars(scratch))
    exec(cell.source.split("\nfeatures, labels = ")[0], names)

    def train(seeds: int | range = 10, **grid: Any) -> d2l.Sweep:
        return d2l.sweep(names["sgd_scheduled"], ({"t": 0}, {"t": 0}), grid, *d2l.get_data_ch7(), seeds=seeds)

    return train, names["schedules"]


def test_scheduled_sgd_is_torch_sgd_with_the_same_rates(
    airfoil_map: tuple[Callable[..., d2l.Sweep], dict[str, Any]],
) -> None:
    train, _ = airfoil_map
    features, labels = d2l.get_data_ch7()
    ours = train(1, lr=0.1, schedule="cosine").losses[0]

    class ScheduledSGD(torch.optim.SGD):
        done = 0

        def step(self, closure: Any = None) -> Any:
            self.param_groups[0]["lr"] = 0.1 * (1 + math.cos(math.pi * self.done / 300)) / 2
            self.done += 1
            return super().step(closure)

    theirs = d2l.train_pytorch_ch7(ScheduledSGD, {"lr": 0.1}, features, labels, verbose=False)
    assert ours == pytest.approx(theirs.losses, abs=1e-5)


def test_decay_to_zero_ends_lower_and_bears_a_larger_rate(
    airfoil_map: tuple[Callable[..., d2l.Sweep], dict[str, Any]],
) -> None:
    train, schedules = airfoil_map
    fresh = range(10, 20)
    constant = train(fresh, lr=0.03, schedule="constant").final_loss
    straight = train(fresh, lr=0.1, schedule="polynomial").final_loss
    assert (straight < constant).all()
    assert straight.std(ddof=1) < constant.std(ddof=1) / 4
    large = train(lr=1.0, schedule=("constant", "cosine")).mean_final_loss
    assert large[1] < 0.245 < 0.5 < large[0]
    too_large = train(lr=3.0, schedule=tuple(schedules))
    diverged = dict(zip(schedules, too_large.diverged.reshape(-1, 10).all(axis=1).tolist(), strict=True))
    assert diverged == dict.fromkeys(schedules, True) | {"square_root": False}


@pytest.mark.parametrize(
    "line",
    [
        "LinearLR, SequentialLR       all 1200 rates equal to 1e-12: True",
        "CosineAnnealingWarmRestarts  all 1200 rates equal to 1e-12: True",
        "OneCycleLR                   all 1200 rates equal to 1e-12: True",
        "asked after  the epoch: 0.30 0.00 0.06 0.12 0.18",
        "asked before the epoch: 0.00 0.06 0.12 0.18 0.24",
        "drawn: [0.5, 0.25]",
        "used:  [0.125]",
        "first rate 1.8, last of 50 rates 0.010308",
        "as a function: floor met for the first time at t = 51",
        "resumed run equal bit for bit: True",
        "iterated 0.513514, formula 0.513514",
    ],
)
def test_page_prints(lr_chapter: Chapter, line: str) -> None:
    assert line in lr_chapter.printed


def test_every_schedule_equals_torch_on_the_page(lr_chapter: Chapter) -> None:
    assert lr_chapter.printed.count("equal to 1e-12: True") == 9
    assert "equal to 1e-12: False" not in lr_chapter.printed


def test_the_dead_epoch_is_on_the_page(lr_chapter: Chapter) -> None:
    line = next(line for line in lr_chapter.printed.splitlines() if line.startswith("training loss after epochs"))
    first, second, third = line.split()[-3:]
    assert first == second != third


def test_warmup_matters_at_a_sharp_start_and_not_at_the_usual_one(
    lr_chapter: Chapter, stored: list[dict[str, Any]]
) -> None:
    learnt = [line for line in lr_chapter.printed.splitlines() if "learnt (loss < 2)" in line]
    without, with_warmup = (int(line.split("learnt (loss < 2)")[1].split()[0]) for line in learnt)
    assert without <= 3
    assert with_warmup >= 8
    means = {
        name: np.mean([r["test_accuracy"][-1] for r in stored if (r["schedule"], r["base_lr"]) == (name, 0.2)])
        for name in ("cosine", "warmup_cosine")
    }
    assert abs(means["cosine"] - means["warmup_cosine"]) < 0.005


def test_goals_of_the_figures_can_be_reached_as_the_tasks_say(lr_chapter: Chapter, scratch: SimpleNamespace) -> None:
    names: dict[str, Any] = vars(scratch)
    reach = {
        "factor_decay": {"factor": 0.93},
        "two_drops": {"gamma": 0.1},
        "cosine": {"total": 60},
        "warmup_cosine": {"warmup_steps": 10},
        "warmup_stable_decay": {"decay_steps": 5},
    }
    seen = set()
    for cell in lr_chapter.code_cells:
        if cell.source.startswith("d2l.explore_schedule("):
            spec = eval(cell.source, names).spec
            goal, first = spec["goal"], spec["rules"][0]["name"]
            values = {name: spec["state"]["values"][name] for name in spec["rules"][0]["hyperparams"]}
            fixed = {name: value for name, value in values.items() if name not in reach[first]}
            for reached, change in ((False, values), (True, fixed | reach[first])):
                rate = getattr(scratch, first)(goal["at"], **change)
                assert (goal["low"] <= rate <= goal["high"]) == reached, (first, rate)
            seen.add(first)
    assert seen == set(reach)
