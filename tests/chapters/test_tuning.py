"""The chapter on fair comparisons: its rules, its statistics against brute force, its claims, its stored experiment."""

from __future__ import annotations

import itertools
import json
import math
import random
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from notebook import ROOT, load_experiment
from scipy import stats

import d2l_utils as d2l
from d2l_utils.chapters import from_chapter

OPTIMUM = 0.241688
SEEDS = range(2000, 2060)  # none that the chapter uses


@pytest.fixture(scope="module")
def scratch() -> SimpleNamespace:
    return from_chapter(ROOT / "chapters" / "tuning.ipynb")


@pytest.fixture(scope="module")
def experiment() -> ModuleType:
    return load_experiment("tuning")


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return json.loads(d2l.data_file("tuning.json", "results").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def data() -> tuple[torch.Tensor, torch.Tensor]:
    return d2l.get_data_ch7()


def excess(sweep: d2l.Sweep) -> np.ndarray:
    loss = sweep.final_loss.reshape(-1, len(sweep.seeds))
    return 1000 * (np.minimum(loss, sweep.losses[0, 0]) - OPTIMUM)


def run(scratch: SimpleNamespace, name: str, data: Any, seeds: Any = SEEDS, **setting: Any) -> np.ndarray:
    init = {"sgd": None, "adam": scratch.init_adam_states}.get(name, scratch.zeros_for)
    return excess(d2l.sweep(getattr(scratch, name), init, setting, *data, seeds=seeds))


RULES: list[tuple[str, dict[str, Any], Any, dict[str, Any]]] = [
    ("sgd", {"lr": 0.02}, torch.optim.SGD, {"lr": 0.02}),
    ("momentum", {"lr": 0.003, "momentum": 0.9}, torch.optim.SGD, {"lr": 0.003, "momentum": 0.9}),
    ("adagrad", {"lr": 0.1}, torch.optim.Adagrad, {"lr": 0.1}),
    ("rmsprop", {"lr": 0.01, "gamma": 0.9}, torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9}),
    ("adam", {"lr": 0.01, "beta1": 0.9, "beta2": 0.999}, torch.optim.Adam, {"lr": 0.01}),
]


@pytest.mark.parametrize(("name", "setting", "optimizer", "options"), RULES)
def test_rules_equal_torch_in_double_precision(
    scratch: SimpleNamespace,
    data: Any,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    setting: dict[str, Any],
    optimizer: Any,
    options: dict[str, Any],
) -> None:
    monkeypatch.setattr(torch, "zeros", lambda *size: torch.ones(*size, dtype=torch.float64) * 0)
    states = scratch.init_adam_states(5) if name == "adam" else scratch.zeros_for(5)
    monkeypatch.undo()
    X, y = (part.double() for part in data)
    ours = d2l.train_ch7(getattr(scratch, name), states, setting, X, y, verbose=False)
    theirs = d2l.train_pytorch_ch7(optimizer, options, X, y, verbose=False)
    for a, b in zip(ours.params, theirs.params, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("n", "k"), [(5, 1), (5, 3), (4, 4), (3, 6)])
def test_weights_of_the_lowest_equal_an_enumeration(scratch: SimpleNamespace, n: int, k: int) -> None:
    counts = np.zeros(n)
    for draws in itertools.product(range(n), repeat=k):
        counts[min(draws)] += 1
    assert scratch.best_weights(n, k) == pytest.approx(counts / n**k, abs=1e-12)


def test_budget_equals_an_enumeration_of_all_searches(scratch: SimpleNamespace) -> None:
    table = np.array([[3.0, 9.0, 5.0], [4.0, 1.0, 8.0]])
    others = (table.sum(axis=1, keepdims=True) - table) / 2
    seen, fresh = [], []
    for draws in itertools.product(range(6), repeat=3):
        best = min(draws, key=table.ravel().__getitem__)
        seen.append(table.ravel()[best])
        fresh.append(others.ravel()[best])
    assert scratch.budget(table, 3) == pytest.approx((np.mean(seen), np.mean(fresh)), abs=1e-12)
    for probability in (0.11, 0.43, 0.91):
        band = scratch.budget_band(table, 3, probability)
        assert np.mean(np.array(fresh) <= band) >= probability
        assert np.mean(np.array(fresh) < band) <= probability


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 19, 199])
def test_t_point_equals_scipy(scratch: SimpleNamespace, freedom: int) -> None:
    for probability in (0.975, 0.9) if freedom == 1 else (0.975, 0.9975):
        expected = stats.t.ppf(probability, freedom)
        assert scratch.t_point(freedom, probability) == pytest.approx(expected, rel=1e-4)


def test_t_interval_equals_scipy(scratch: SimpleNamespace) -> None:
    d = np.random.default_rng(0).exponential(size=12)
    expected = stats.t.interval(0.95, 11, loc=d.mean(), scale=stats.sem(d))
    assert scratch.t_interval(d) == pytest.approx(expected, rel=1e-4)


def test_intervals_cover_the_mean_of_normal_differences_as_often_as_the_chapter_says(
    scratch: SimpleNamespace,
) -> None:
    rng = np.random.default_rng(0)
    covered = {}
    for n in (3, 20):
        d = rng.normal(size=(2000, n))
        intervals = {"t": scratch.t_interval(d), "bootstrap": scratch.bootstrap_interval(d, rng, 400)}
        for name, (low, high) in intervals.items():
            covered[name, n] = np.mean((low <= 0) & (high >= 0))
    assert covered["t", 3] == pytest.approx(0.95, abs=0.02)
    assert covered["t", 20] == pytest.approx(0.95, abs=0.02)
    assert covered["bootstrap", 3] < 0.85
    assert 0.90 < covered["bootstrap", 20] < 0.96


def test_winners_curse_is_nothing_without_noise_and_all_there_is_without_signal(scratch: SimpleNamespace) -> None:
    rng = np.random.default_rng(0)
    certain = np.repeat(np.arange(5.0)[:, None], 6, axis=1)
    assert scratch.winners_curse(certain, 2, rng, rounds=20) == (0.0, 0.0)
    seen, fresh = scratch.winners_curse(rng.normal(size=(50, 40)), 1, rng, rounds=400)
    assert seen < -1.5
    assert abs(fresh) < 0.3


def test_good_width_of_a_parabola(scratch: SimpleNamespace) -> None:
    rates = np.logspace(-4, 0, 401)
    means = 1 + (np.log10(rates) + 2) ** 2
    assert scratch.good_width(rates, means, 1.25) == pytest.approx(1.0, abs=0.01)
    assert scratch.good_width(rates, means, 0.9) == 0
    assert scratch.good_width(rates, means, 9.0) == pytest.approx(4.0)


def test_single_seeds_often_name_the_wrong_winner(scratch: SimpleNamespace, data: Any) -> None:
    a = run(scratch, "sgd", data, lr=0.05)[0]
    b = run(scratch, "adam", data, lr=0.01, beta1=0.9, beta2=0.999)[0]
    assert a.mean() > b.mean()
    wrong = np.mean(a[:, None] < b)
    assert 0.2 < wrong < 0.5
    assert np.mean(a < b) < wrong  # sharing the seed helps


def test_tuned_methods_are_close_but_for_adagrad_and_the_falling_rate_explains_it(
    scratch: SimpleNamespace, data: Any
) -> None:
    sgd = run(scratch, "sgd", data, lr=0.0316)[0]
    adagrad = run(scratch, "adagrad", data, lr=0.0562)[0]
    rmsprop = run(scratch, "rmsprop", data, lr=0.00562, gamma=0.9)[0]
    adam = run(scratch, "adam", data, lr=0.00562, beta1=0.9, beta2=0.999)[0]
    heavy = run(scratch, "momentum", data, lr=0.00178, momentum=0.9)[0]
    for losses in (rmsprop, adam, heavy):
        assert abs(losses.mean() - sgd.mean()) < 0.6
        low, _ = scratch.t_interval(losses - adagrad)
        assert low > 0.2

    def sgd_falling(params: Any, states: Any, hyperparams: Any) -> None:
        for p, t in zip(params, states, strict=True):
            t += 1
            p.data -= hyperparams["lr"] / torch.sqrt(t) * p.grad

    counters = (torch.zeros(1), torch.zeros(1))
    falling = excess(d2l.sweep(sgd_falling, counters, {"lr": 0.316}, *data, seeds=SEEDS))[0]
    assert scratch.t_interval(falling - adagrad)[1] < 0


def test_rmsprop_that_may_choose_gamma_draws_level_with_adagrad(scratch: SimpleNamespace, data: Any) -> None:
    adagrad = run(scratch, "adagrad", data, lr=0.0562)[0]
    rmsprop = run(scratch, "rmsprop", data, lr=0.00178, gamma=0.999)[0]
    assert np.corrcoef(adagrad, rmsprop)[0, 1] > 0.95
    assert abs(adagrad.mean() - rmsprop.mean()) < 0.1
    gamma = 1 - 1e-6
    limit = run(scratch, "rmsprop", data, lr=0.075 * math.sqrt(1 - gamma), gamma=gamma)
    assert np.abs(limit - run(scratch, "adagrad", data, lr=0.075)).max() < 0.01


def test_long_searches_with_one_seed_a_trial_end_worse(scratch: SimpleNamespace, data: Any) -> None:
    rates = [float(f"{10 ** (-4 + k / 4):.3g}") for k in range(17)]
    table = run(scratch, "sgd", data, range(40), lr=rates)
    seen, fresh = zip(*(scratch.budget(table, k) for k in (4, 16, 64, 512)), strict=True)
    assert list(seen) == sorted(seen, reverse=True)
    assert fresh[0] > fresh[1] > fresh[2] < fresh[3]
    assert all(f > s for s, f in zip(seen, fresh, strict=True))


def test_adaptive_methods_win_on_unequal_units(scratch: SimpleNamespace, data: Any) -> None:
    unequal = (data[0] * torch.tensor([10.0, 3.0, 1.0, 0.3, 0.1]), data[1])
    rates = [float(f"{10 ** (-5 + k / 4):.3g}") for k in range(17)]
    sgd = run(scratch, "sgd", unequal, range(10), lr=rates).mean(axis=1).min()
    heavy = run(scratch, "momentum", unequal, range(10), lr=rates, momentum=[0.5, 0.9, 0.97]).mean(axis=1).min()
    adagrad = run(scratch, "adagrad", unequal, lr=0.1)[0]
    adam = run(scratch, "adam", unequal, lr=0.01, beta1=0.0, beta2=0.999)[0]
    assert max(adagrad.mean(), adam.mean()) < 0.5 * min(sgd, heavy)


def test_stored_file_is_small_and_of_this_search(stored: dict[str, Any], experiment: ModuleType) -> None:
    assert (ROOT / "results" / "tuning.json").stat().st_size < 300_000
    assert {name: entry["grid"] for name, entry in stored["search"].items()} == experiment.SPACES
    for name, entry in stored["search"].items():
        settings = experiment.settings_of(experiment.SPACES[name])
        for key in ("train_loss", "valid_loss", "valid_error"):
            assert np.shape(entry[key]) == (len(settings), len(experiment.SEARCH_SEEDS))
        assert len(entry["grid"]["lr"]) == 17
    assert not set(stored["about"]["search_seeds"]) & set(stored["about"]["report_seeds"])


def test_stored_settings_are_those_that_the_search_chose(stored: dict[str, Any], experiment: ModuleType) -> None:
    for name, kinds in stored["final"].items():
        chosen = experiment.chosen(name, stored["search"][name]["valid_loss"])
        assert {kind: entry["setting"] for kind, entry in kinds.items()} == chosen
        rates = stored["search"][name]["grid"]["lr"]
        assert rates[0] < chosen["all"]["lr"] < rates[-1]


def test_settings_are_in_the_order_of_a_sweep(experiment: ModuleType) -> None:
    for name, space in experiment.SPACES.items():
        sweep = d2l.Sweep(name, space, (0,), 1, 1, np.zeros(1), np.zeros((0, 1)))
        assert experiment.settings_of(experiment.SPACES[name]) == sweep.settings


def test_some_stored_runs_come_out_again(stored: dict[str, Any], experiment: ModuleType) -> None:
    rng = random.Random()
    for name in rng.sample(list(experiment.SPACES), 2):
        entry = stored["search"][name]
        settings = experiment.settings_of(experiment.SPACES[name])
        # Where the rate is far too large, training is chaotic: other processors give other numbers.
        calm = [i for i, s in enumerate(settings) if 3 * s["lr"] <= stored["final"][name]["rate"]["setting"]["lr"]]
        i, j = rng.choice(calm), rng.randrange(len(experiment.SEARCH_SEEDS))
        again = experiment.run(name, settings[i], experiment.SEARCH_SEEDS[j])
        assert again["valid_loss"] == pytest.approx(entry["valid_loss"][i][j], rel=0.02), (name, settings[i], j)
        assert again["valid_error"] == pytest.approx(entry["valid_error"][i][j], abs=0.02)
    name = rng.choice(list(experiment.SPACES))
    final = stored["final"][name]["rate"]
    seed = rng.choice(list(experiment.REPORT_SEEDS))
    again = experiment.run(name, final["setting"], seed)
    assert again["test_loss"] == pytest.approx(final["test_loss"][seed], rel=0.02)


def test_the_network_is_drawn_from_its_seed_and_leaves_the_global_state_alone(scratch: SimpleNamespace) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (scratch.mlp(seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(3), expected)
    weights = [net[1].weight for net in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert first(torch.zeros(2, 1, 40)).shape == (2, 10)
