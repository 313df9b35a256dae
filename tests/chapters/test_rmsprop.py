"""The RMSProp chapter: its functions against torch.optim, its formulas against its functions, its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
import torch
from notebook import Chapter, appears

import d2l_utils as d2l

SEEDS = range(10)


@pytest.fixture(scope="module")
def rmsprop_chapter(load: Callable[[str], Chapter]) -> Chapter:
    return load("rmsprop")


@pytest.fixture(scope="module")
def scratch(rmsprop_chapter: Chapter) -> SimpleNamespace:
    return rmsprop_chapter.scratch()


def states(scratch: SimpleNamespace, *, pairs: bool = False, dtype: torch.dtype = torch.float64) -> object:
    single = scratch.init_rmsprop_states(5, dtype)
    return tuple(zip(single, scratch.init_rmsprop_states(5, dtype), strict=True)) if pairs else single


def test_2d_end_points_are_the_published_ones(scratch: SimpleNamespace) -> None:
    path = d2l.train_2d(scratch.rmsprop_2d, 20, scratch.f_2d_grad, eta=0.4, gamma=0.9)
    assert path[-1] == pytest.approx((-0.01059867213411372, 1.0362121337275157e-14), rel=1e-12)
    path = d2l.train_2d(scratch.adagrad_2d, 20, scratch.f_2d_grad, eta=0.4)
    assert path[-1] == pytest.approx((-2.382563, -0.158591), abs=5e-7)


@pytest.mark.parametrize(
    ("name", "ours", "options"),
    [
        ("rmsprop", {}, {}),
        ("rmsprop_momentum", {"momentum": 0.9}, {"momentum": 0.9}),
        ("rmsprop_centered", {}, {"centered": True}),
    ],
)
@pytest.mark.parametrize("gamma", [0.9, 0.99])
def test_scratch_equals_torch_after_300_steps(
    scratch: SimpleNamespace, name: str, ours: dict[str, float], options: dict[str, object], gamma: float
) -> None:
    features, labels = (tensor.double() for tensor in d2l.get_data_ch7())
    a = d2l.train_ch7(
        getattr(scratch, name),
        states(scratch, pairs=name != "rmsprop"),
        {"lr": 0.01, "gamma": gamma, **ours},
        features,
        labels,
        verbose=False,
    )
    b = d2l.train_pytorch_ch7(
        torch.optim.RMSprop, {"lr": 0.01, "alpha": gamma, **options}, features, labels, verbose=False
    )
    assert a.losses == pytest.approx(b.losses, abs=1e-12)
    for p, q in zip(a.params, b.params, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_scratch_and_framework_agree_in_every_recorded_loss(scratch: SimpleNamespace, seed: int) -> None:
    features, labels = d2l.get_data_ch7()
    ours = d2l.train_ch7(
        scratch.rmsprop,
        scratch.init_rmsprop_states(5),
        {"lr": 0.01, "gamma": 0.9},
        features,
        labels,
        seed=seed,
        verbose=False,
    )
    theirs = d2l.train_pytorch_ch7(
        torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9}, features, labels, seed=seed, verbose=False
    )
    assert ours.losses == pytest.approx(theirs.losses, abs=1e-5)
    assert 0.2415 <= ours.final_loss <= 0.2500


def test_displayed_update_equals_every_version_in_code(scratch: SimpleNamespace) -> None:
    # The update as displayed, equation (rmsprop-update), in exact symbols.
    x, g, s, eta, gamma, eps = sympy.symbols("x g s eta gamma epsilon", positive=True)
    average = gamma * s + (1 - gamma) * g * g
    inside = sympy.lambdify((x, g, s, eta, gamma, eps), (x - eta / sympy.sqrt(average + eps) * g, average))
    outside = sympy.lambdify((x, g, s, eta, gamma, eps), (x - eta / (sympy.sqrt(average) + eps) * g, average))
    rng = np.random.default_rng(0)
    for _ in range(50):
        x0, g0, s0 = rng.normal(), rng.normal(), rng.exponential()
        eta0, gamma0, eps0 = rng.uniform(0.01, 1), rng.uniform(0, 1), 10.0 ** rng.uniform(-8, -2)
        expected = inside(x0, g0, s0, eta0, gamma0, eps0)
        options = {"eta": eta0, "gamma": gamma0, "eps": eps0}
        x1, _, s1, _ = scratch.rmsprop_2d(x0, 0.0, s0, 0.0, lambda *_, g0=g0: (g0, 0.0), **options)
        assert (x1, s1) == pytest.approx(expected, rel=1e-12)
        assert scratch.rmsprop_step(x0, s0, g0, **options) == pytest.approx(expected, rel=1e-12)
        p = torch.tensor([x0], dtype=torch.float64, requires_grad=True)
        p.grad = torch.tensor([g0], dtype=torch.float64)
        state = torch.tensor([s0], dtype=torch.float64)
        scratch.rmsprop([p], [state], {"lr": eta0, "gamma": gamma0, "eps": eps0})
        assert (p.item(), state.item()) == pytest.approx(outside(x0, g0, s0, eta0, gamma0, eps0), rel=1e-12)


def test_weights_of_the_leaky_average_add_up() -> None:
    gamma, i, t = sympy.symbols("gamma i t", positive=True)
    total = sympy.summation((1 - gamma) * gamma**i, (i, 0, t - 1))
    for value in (0.7, 0.9, 0.99):
        for steps in (1, 5, 40):
            assert float(total.subs({gamma: value, t: steps})) == pytest.approx(1 - value**steps)
    assert 0.9 ** (math.log(0.5) / math.log(0.9)) == pytest.approx(0.5)


def test_cycle_has_half_the_learning_rate_as_amplitude(scratch: SimpleNamespace) -> None:
    for eta in (0.05, 0.2, 0.4, 0.8):
        path = d2l.train_2d(scratch.rmsprop_2d, 3000, scratch.f_2d_grad, eta=eta, gamma=0.9)
        for point in path[-10:]:
            for x, curvature in zip(point, (0.2, 4.0), strict=True):
                assert abs(x) == pytest.approx(math.sqrt(eta**2 / 4 - 1e-6 / curvature**2), rel=1e-6)


def test_rprop_drifts_away_and_rmsprop_does_not(scratch: SimpleNamespace) -> None:
    minibatches = ([0.1] * 9 + [-0.9]) * 20
    assert scratch.rprop_1d(minibatches, delta=0.01)[-1] < -5
    assert abs(scratch.rmsprop_1d(minibatches, eta=0.01, gamma=0.99)[-1]) < 0.5


def test_published_table_comes_from_the_wrong_index(rmsprop_chapter: Chapter, scratch: SimpleNamespace) -> None:
    (cell,) = (cell for cell in rmsprop_chapter.code_cells if cell.source.startswith("published = "))
    names: dict[str, object] = {"np": np}
    exec(cell.source.split("\nstart = ")[0], names)
    published = names["published"]
    assert published.shape == (50, 2)
    options = {"eta": 0.01, "gamma": 0.99}
    wrong = scratch.rmsprop_program(50, wrong_index=True, **options)
    right = scratch.rmsprop_program(50, wrong_index=False, **options)
    np.testing.assert_array_equal(wrong.round(8), published)
    np.testing.assert_array_equal(right[:, 1].round(8), published[:, 1])
    assert not (right[:, 0].round(8) == published[:, 0]).any()
    # The true run, by PyTorch.
    start = np.random.RandomState(1).uniform(-1, 1, size=2)
    p = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.RMSprop([p], lr=0.01, alpha=0.99)
    for row in right:
        optimizer.zero_grad()
        (p**2).sum().backward()
        optimizer.step()
        np.testing.assert_allclose(p.detach().numpy(), row, rtol=1e-9, atol=1e-30)


def test_first_step_is_as_long_as_the_formula_says() -> None:
    for gamma in (0.9, 0.99, 0.999):
        p = torch.tensor([3.0], dtype=torch.float64, requires_grad=True)
        optimizer = torch.optim.RMSprop([p], lr=0.01, alpha=gamma, eps=0.0)
        (p**2).sum().backward()
        optimizer.step()
        assert 3 - p.item() == pytest.approx(0.01 / math.sqrt(1 - gamma))


@pytest.mark.parametrize(
    "line",
    [
        "epoch 20, x1 -2.382563, x2 -0.158591",
        "epoch 20, x1 -0.010599, x2 0.000000",
        "|x1| < 0.1 for the first time at step 165",
        "rows of the table reproduced by `point[i]`: 50 of 50",
        "rows of the table reproduced by `point[j]`: 0 of 50",
        "gradient correct to 1e-6: True",
        "from scratch and framework differ by less than 1e-5: True",
        "plain     largest difference of a parameter < 1e-12: True",
        "momentum  largest difference of a parameter < 1e-12: True",
        "centered  largest difference of a parameter < 1e-12: True",
        "equal to Adam with beta1 = 0 up to 1e-12: True",
    ],
)
def test_page_prints(rmsprop_chapter: Chapter, line: str) -> None:
    assert line in rmsprop_chapter.printed


def test_half_life_on_the_page(rmsprop_chapter: Chapter) -> None:
    assert appears("6.58", rmsprop_chapter.printed)
    assert "6.58 steps" in rmsprop_chapter.prose


@pytest.fixture(scope="module")
def rate_and_memory(scratch: SimpleNamespace) -> d2l.Sweep:
    grid = {"lr": (0.001, 0.003, 0.01, 0.1), "gamma": (0.5, 0.9, 0.99, 0.999)}
    return d2l.sweep(scratch.rmsprop, scratch.init_rmsprop_states, grid, *d2l.get_data_ch7())


def test_rate_matters_more_than_memory_and_a_long_memory_wants_a_smaller_one(rate_and_memory: d2l.Sweep) -> None:
    means = rate_and_memory.mean_final_loss.reshape(4, 4)
    at_the_usual_rate = means[2, :3]
    assert np.ptp(at_the_usual_rate) < rate_and_memory.select(lr=0.01, gamma=0.9).final_loss.std(ddof=1)
    assert (means[[0, 3], :3].min(axis=0) > means[2, :3] + 0.03).all()
    assert (np.diff(means[0]) < 0).all()
    assert rate_and_memory.best().settings == [{"lr": 0.003, "gamma": 0.999}]
    assert not rate_and_memory.diverged.any()


def test_memory_longer_than_the_run_is_adagrad(scratch: SimpleNamespace) -> None:
    # The closer gamma is to 1, at the rate to match, the less is forgotten.
    features, labels = (tensor.double() for tensor in d2l.get_data_ch7())
    states = scratch.init_rmsprop_states(5, torch.float64)
    total = d2l.sweep(scratch.adagrad, states, {"lr": 0.1}, features, labels, seeds=range(10, 20))
    gaps = []
    for gamma in (0.999, 0.9999, 1 - 1e-9):
        options = {"lr": 0.1 * math.sqrt(1 - gamma), "gamma": gamma, "eps": 0.0}
        runs = d2l.sweep(scratch.rmsprop, states, options, features, labels, seeds=range(10, 20))
        gaps.append(np.abs(runs.final_loss - total.final_loss).max())
    assert gaps[0] < 4e-4
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-8


def test_page_compares_on_seeds_that_chose_nothing(rmsprop_chapter: Chapter) -> None:
    printed = rmsprop_chapter.printed
    assert "480 runs, of which 0 diverged" in printed
    for name in ("SGD, η = 0.03", "RMSProp, η = 0.01, γ = 0.9"):
        (line,) = (line for line in printed.splitlines() if line.startswith(name))
        assert line.endswith("higher in 10 of 10")
