"""The AdaGrad chapter: functions against torch.optim, formulas against functions, its bound and its numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from notebook import Chapter

import d2l_utils as d2l

SEEDS = range(10)


@pytest.fixture(scope="module")
def adagrad_chapter(load: Callable[[str], Chapter]) -> Chapter:
    return load("adagrad")


@pytest.fixture(scope="module")
def scratch(adagrad_chapter: Chapter) -> SimpleNamespace:
    return adagrad_chapter.scratch()


def definition(chapter: Chapter, name: str) -> str:
    """Source of a function defined in the chapter."""
    sources = "\n\n\n".join(cell.source for cell in chapter.code_cells)
    (match,) = re.finditer(rf"^def {name}\(.*?(?=\n\S|\Z)", sources + "\n", flags=re.MULTILINE | re.DOTALL)
    return match.group().strip()


def test_2d_end_points_are_the_published_ones(scratch: SimpleNamespace) -> None:
    for eta, end in ((0.4, (-2.382563, -0.158591)), (2, (-0.002295, -0.000000))):
        path = d2l.train_2d(scratch.adagrad_2d, 20, scratch.f_2d_grad, eta=eta)
        assert path[-1] == pytest.approx(end, abs=5e-7)


@pytest.mark.parametrize("name", ["f_2d", "f_2d_grad", "adagrad_2d"])
def test_shared_functions_read_the_same_in_both_chapters(
    adagrad_chapter: Chapter, load: Callable[[str], Chapter], name: str
) -> None:
    assert definition(adagrad_chapter, name) == definition(load("rmsprop"), name)


@pytest.mark.parametrize("eta", [0.01, 0.1, 1.0])
@pytest.mark.parametrize(
    "options",
    [{}, {"lr_decay": 0.01}, {"weight_decay": 0.1}, {"initial_accumulator_value": 0.1}, {"eps": 1e-3}],
    ids=lambda options: next(iter(options), "plain"),
)
def test_scratch_equals_torch_after_300_steps(scratch: SimpleNamespace, eta: float, options: dict[str, float]) -> None:
    features, labels = (tensor.double() for tensor in d2l.get_data_ch7())
    theirs = {"lr": eta, **options}
    ours = dict(theirs)
    start = ours.pop("initial_accumulator_value", 0.0)
    b = d2l.train_pytorch_ch7(torch.optim.Adagrad, theirs, features, labels, verbose=False)
    runs = [(scratch.adagrad_options, scratch.init_adagrad_options_states(5, torch.float64, start))]
    if set(options) <= {"eps"}:
        runs.append((scratch.adagrad, scratch.init_adagrad_states(5, torch.float64)))
    for optimizer_fn, states in runs:
        a = d2l.train_ch7(optimizer_fn, states, ours, features, labels, verbose=False)
        assert a.losses == pytest.approx(b.losses, abs=1e-12)
        for p, q in zip(a.params, b.params, strict=True):
            torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_scratch_and_framework_agree_in_every_recorded_loss(scratch: SimpleNamespace, seed: int) -> None:
    features, labels = d2l.get_data_ch7()
    states = scratch.init_adagrad_states(5)
    ours = d2l.train_ch7(scratch.adagrad, states, {"lr": 0.1}, features, labels, seed=seed, verbose=False)
    theirs = d2l.train_pytorch_ch7(torch.optim.Adagrad, {"lr": 0.1}, features, labels, seed=seed, verbose=False)
    assert ours.losses == pytest.approx(theirs.losses, abs=1e-5)
    assert 0.2415 <= ours.final_loss <= 0.2470


def test_displayed_update_equals_every_version_in_code(scratch: SimpleNamespace) -> None:
    # The update as displayed, equation (adagrad-update), in exact symbols.
    x, g, s, eta, eps = sympy.symbols("x g s eta epsilon", positive=True)
    total = s + g * g
    inside = sympy.lambdify((x, g, s, eta, eps), (x - eta / sympy.sqrt(total + eps) * g, total))
    outside = sympy.lambdify((x, g, s, eta, eps), (x - eta / (sympy.sqrt(total) + eps) * g, total))
    rng = np.random.default_rng(0)
    for _ in range(50):
        x0, g0, s0 = rng.normal(), rng.normal(), rng.exponential()
        eta0, eps0 = rng.uniform(0.01, 1), 10.0 ** rng.uniform(-8, -2)
        x1, _, s1, _ = scratch.adagrad_2d(x0, 0.0, s0, 0.0, lambda *_, g0=g0: (g0, 0.0), eta=eta0, eps=eps0)
        assert (x1, s1) == pytest.approx(inside(x0, g0, s0, eta0, eps0), rel=1e-12)
        for name, with_counter in (("adagrad", False), ("adagrad_options", True)):
            p = torch.tensor([x0], dtype=torch.float64, requires_grad=True)
            p.grad = torch.tensor([g0], dtype=torch.float64)
            state = torch.tensor([s0], dtype=torch.float64)
            entry = (state, torch.zeros(1, dtype=torch.float64)) if with_counter else state
            getattr(scratch, name)([p], [entry], {"lr": eta0, "eps": eps0})
            assert (p.item(), state.item()) == pytest.approx(outside(x0, g0, s0, eta0, eps0), rel=1e-12)


def test_a_batch_of_rates_gives_the_runs_one_by_one(scratch: SimpleNamespace) -> None:
    X, y, _ = scratch.make_word_data(60, num_words=12)
    rates = [0.25, 1.0, 4.0]
    for name in ("adagrad", "sgd"):
        together, _ = scratch.train_words(getattr(scratch, name), rates, X[None], y[None])
        for i, rate in enumerate(rates):
            alone, _ = scratch.train_words(getattr(scratch, name), [rate], X[None], y[None])
            torch.testing.assert_close(together[i], alone[0])


def test_training_on_words_is_torch_training(scratch: SimpleNamespace) -> None:
    X, y, _ = scratch.make_word_data(80, num_words=12)
    w, _ = scratch.train_words(scratch.adagrad, [0.5], X[None], y[None])
    p = torch.zeros(12, requires_grad=True)
    optimizer = torch.optim.Adagrad([p], lr=0.5)
    for features, label in zip(X, y, strict=True):
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(features @ p, label).backward()
        optimizer.step()
    torch.testing.assert_close(w[0, 0], p.detach(), rtol=1e-4, atol=1e-5)


def test_word_data_follow_their_description(scratch: SimpleNamespace) -> None:
    X, y, w = scratch.make_word_data(20_000)
    expected = torch.minimum(torch.tensor(0.5), 1 / torch.arange(1, 401))
    assert X.shape == (20_000, 400)
    assert y.shape == (20_000,)
    assert w.std() == pytest.approx(2.0, rel=0.1)
    deviation = (X.mean(dim=0) - expected) / (expected * (1 - expected) / 20_000).sqrt()
    assert deviation.abs().max() < 5
    probability = torch.sigmoid(X @ w)
    assert (y - probability).mean().abs() < 0.02
    assert ((y - 0.5) * (probability - 0.5)).mean() > 0.1


def test_path_ignores_the_condition_number_until_the_valley_turns(scratch: SimpleNamespace) -> None:
    def end(degrees: float, condition: float) -> tuple[float, float]:
        Q = scratch.turned_hessian(degrees, condition)
        return d2l.train_2d(scratch.adagrad_2d, 20, lambda *x: tuple(Q @ x), eta=1.0, eps=0.0)[-1]

    assert end(0, 20) == pytest.approx(end(0, 1000), abs=1e-12)
    assert end(30, 20) != pytest.approx(end(30, 1000), abs=0.1)


def test_dividing_by_the_diagonal(scratch: SimpleNamespace) -> None:
    rng = np.random.default_rng(0)
    A = rng.normal(size=(9, 4))
    Q = A.T @ A
    D = np.diag(1 / np.sqrt(np.diag(Q)))
    np.testing.assert_allclose(scratch.precondition(Q), D @ Q @ D)
    # The valley at an angle: after scaling, the eigenvalues are 1 ± r with r the off-diagonal entry.
    for degrees in (5, 15, 30, 45):
        c2, s2 = math.cos(math.radians(degrees)) ** 2, math.sin(math.radians(degrees)) ** 2
        r = math.sqrt(c2 * s2) * (4 - 0.2) / math.sqrt((0.2 * c2 + 4 * s2) * (0.2 * s2 + 4 * c2))
        kappa = np.linalg.cond(scratch.precondition(scratch.turned_hessian(degrees)))
        assert kappa == pytest.approx((1 + r) / (1 - r))


@given(
    gradients=st.lists(st.floats(-100, 100), min_size=1, max_size=40),
    eta=st.floats(0.01, 10),
    side=st.floats(0.1, 10),
    u=st.floats(-1, 1),
)
def test_theorem_holds_for_any_linear_losses(
    scratch: SimpleNamespace, gradients: list[float], eta: float, side: float, u: float
) -> None:
    p, s = torch.zeros(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    paid = 0.0
    for g in gradients:
        paid += g * p.item()
        p.grad = torch.tensor([g], dtype=torch.float64)
        scratch.adagrad([p], [s], {"lr": eta, "eps": 1e-300})
        p.data.clamp_(-side / 2, side / 2)
    regret = paid - sum(gradients) * u * side / 2
    bound = (side**2 / (2 * eta) + eta) * s.sqrt().item()
    assert regret <= bound * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("seed", SEEDS)
def test_regret_stays_below_the_bound_and_is_not_far_from_it(scratch: SimpleNamespace, seed: int) -> None:
    for opponent in ("random signs", "hostile", "least squares"):
        regret, bound = scratch.play(opponent, np.random.default_rng(seed), games=20, rounds=200)
        assert (regret > 0).mean() > 0.9
        assert (regret <= bound).all()
    regret, bound = scratch.play("hostile", np.random.default_rng(seed), games=20, rounds=200)
    assert (regret > 0.4 * bound).all()


def test_random_signs_cost_what_the_chapter_derives(scratch: SimpleNamespace) -> None:
    regret, bound = scratch.play("random signs", np.random.default_rng(1), games=1000, rounds=300)
    assert (regret / bound).mean() == pytest.approx(1 / (2 * math.sqrt(math.pi)), abs=0.01)


def test_full_matrix_version_has_the_inverse_root(adagrad_chapter: Chapter) -> None:
    names: dict[str, object] = {"math": math}
    exec(definition(adagrad_chapter, "adagrad_full_2d"), names)
    rng = np.random.default_rng(0)
    for _ in range(20):
        A, x, g = rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=2)
        G = A.T @ A
        values, vectors = np.linalg.eigh(G + np.outer(g, g) + 1e-6 * np.eye(2))
        expected = x - 0.3 * vectors @ np.diag(values**-0.5) @ vectors.T @ g
        result = names["adagrad_full_2d"](*x, G[0, 0], G[0, 1], G[1, 1], lambda *_, g=g: g, eta=0.3)
        assert result[:2] == pytest.approx(expected)


@pytest.mark.parametrize(
    "line",
    [
        "epoch 20, x1 -2.382563, x2 -0.158591",
        "epoch 20, x1 -0.002295, x2 -0.000000",
        "f < 1e-6 at step 327",
        "condition 20 and 1000: same path to 1e-12: True",
        "curvatures as printed: 0.4 and 8.0",
        "curvatures rotated: 0.2 and 4.0",
        "from scratch and framework differ by less than 1e-5: True",
        "plain: largest difference of a parameter < 1e-12: True",
        "lr_decay = 0.01: < 1e-12: True",
        "weight_decay = 0.1: < 1e-12: True",
        "initial_accumulator_value = 1.0: < 1e-12: True",
        "dense and sparse equal to 1e-6: True",
        "RMSprop: RMSprop does not support sparse gradients",
    ],
)
def test_page_prints(adagrad_chapter: Chapter, line: str) -> None:
    assert line in adagrad_chapter.printed


def test_rare_words_learn_more_with_adagrad(adagrad_chapter: Chapter) -> None:
    blocks = re.split(r"^(?=\S.*: best rate)", adagrad_chapter.printed, flags=re.MULTILINE)[1:4]
    rarest = [float(re.search(r"65-400 +error (\d\.\d+)", block)[1]) for block in blocks]
    assert [block.split(":")[0] for block in blocks] == ["SGD", "SGD, 1/√t", "AdaGrad"]
    assert rarest[2] < 0.6 * min(rarest[:2])
    gains = re.findall(r"minus AdaGrad's: (\d\.\d+)\n.*positive for 10 of 10", adagrad_chapter.printed)
    assert len(gains) == 3  # two on the page, one in an exercise


def test_map_holds_both_methods(scratch: SimpleNamespace) -> None:
    data = d2l.get_data_ch7()
    grid = {"lr": (0.1, 30.0, 100.0), "eps": (1e-10, 0.01, 1000.0)}
    sweep = d2l.sweep(scratch.adagrad, scratch.init_adagrad_states, grid, *data)
    default, small, large = (sweep.select(lr=0.1, eps=eps).mean_final_loss[0] for eps in grid["eps"])
    assert small == pytest.approx(default, abs=2e-4)
    assert large > default + 0.2
    # With an epsilon that dwarfs the root of the sum it is SGD with the rate eta / epsilon.
    descent = d2l.sweep(scratch.sgd, None, {"lr": 0.03}, *data)
    limit = sweep.select(lr=30.0, eps=1000.0)
    np.testing.assert_allclose(limit.final_loss, descent.final_loss, atol=2e-4)
    assert sweep.within_noise().reshape(3, 3).tolist() == [[True, True, False], [False, False, True], [False] * 3]
    far = sweep.select(lr=100.0, eps=0.01)
    assert far.mean_final_loss < far.losses[:, 0].mean()


def test_lead_over_sgd_is_that_of_a_falling_rate(adagrad_chapter: Chapter, scratch: SimpleNamespace) -> None:
    names: dict[str, object] = {"torch": torch}
    exec(definition(adagrad_chapter, "sgd_falling"), names)
    data, seeds = d2l.get_data_ch7(), range(10, 20)
    adagrad = d2l.sweep(scratch.adagrad, scratch.init_adagrad_states, {"lr": 0.1}, *data, seeds=seeds).final_loss
    constant = d2l.sweep(scratch.sgd, None, {"lr": 0.03}, *data, seeds=seeds).final_loss
    counters = (torch.zeros(1), torch.zeros(1))
    falling = d2l.sweep(names["sgd_falling"], counters, {"lr": 0.3}, *data, seeds=seeds).final_loss
    assert (adagrad < constant).sum() >= 9
    assert (falling < adagrad).sum() >= 8
    assert (constant - adagrad).mean() < constant.std(ddof=1)
