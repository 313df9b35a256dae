"""The Adam chapter: its functions against torch.optim, its formulas against its functions, its theorem, its numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from notebook import Chapter

import d2l_utils as d2l


@pytest.fixture(scope="module")
def adam_chapter(load: Callable[[str], Chapter]) -> Chapter:
    return load("adam")


@pytest.fixture(scope="module")
def scratch(adam_chapter: Chapter) -> SimpleNamespace:
    return adam_chapter.scratch()


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    # torch.optim.NAdam keeps the product of its momenta in the default dtype.
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def test_2d_end_points_are_the_published_ones(scratch: SimpleNamespace) -> None:
    run = partial(d2l.train_2d, scratch.adam_2d, 20, scratch.f_2d_grad, eta=0.4, beta1=0.9, beta2=0.999)
    assert run()[-1] == pytest.approx((0.996029, -0.212750), abs=5e-7)
    assert run(debias=0)[-1] == pytest.approx((0.384875, -0.557979), abs=5e-7)


@pytest.mark.parametrize(
    ("name", "init", "hyperparams", "optimizer", "options"),
    [
        ("adam", "adam", {}, torch.optim.Adam, {}),
        (
            "adam",
            "adam",
            {"beta1": 0.5, "beta2": 0.9, "eps": 1e-3},
            torch.optim.Adam,
            {"betas": (0.5, 0.9), "eps": 1e-3},
        ),
        ("amsgrad", "amsgrad", {}, torch.optim.Adam, {"amsgrad": True}),
        ("adamw", "adam", {"weight_decay": 0.1}, torch.optim.AdamW, {"weight_decay": 0.1}),
        ("nadam", "nadam", {}, torch.optim.NAdam, {}),
        ("nadam", "nadam", {"momentum_decay": 0.1}, torch.optim.NAdam, {"momentum_decay": 0.1}),
        ("radam", "adam", {}, torch.optim.RAdam, {}),
        ("radam", "adam", {"beta2": 0.9}, torch.optim.RAdam, {"betas": (0.9, 0.9)}),
        ("sgd_momentum", "momentum", {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    ],
)
def test_scratch_equals_torch_after_300_steps(
    scratch: SimpleNamespace,
    float64_by_default: None,  # noqa: ARG001
    name: str,
    init: str,
    hyperparams: dict[str, float],
    optimizer: type[torch.optim.Optimizer],
    options: dict[str, object],
) -> None:
    features, labels = (tensor.double() for tensor in d2l.get_data_ch7())
    states = getattr(scratch, f"init_{init}_states")(5, torch.float64)
    rate = {"lr": 0.005}
    ours = d2l.train_ch7(getattr(scratch, name), states, rate | hyperparams, features, labels, verbose=False)
    theirs = d2l.train_pytorch_ch7(optimizer, rate | options, features, labels, verbose=False)
    assert ours.losses == pytest.approx(theirs.losses, abs=1e-12)
    for p, q in zip(ours.params, theirs.params, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_displayed_update_equals_every_version_in_code(scratch: SimpleNamespace) -> None:
    # The update as displayed, equations (adam-averages) and (adam-update), in exact symbols.
    x, v, s, g, t, eta, beta1, beta2, eps = symbols = sympy.symbols("x v s g t eta beta1 beta2 epsilon")
    new_v = beta1 * v + (1 - beta1) * g
    new_s = beta2 * s + (1 - beta2) * g**2
    step = eta * (new_v / (1 - beta1**t)) / (sympy.sqrt(new_s / (1 - beta2**t)) + eps)
    update = sympy.lambdify(symbols, (x - step, new_v, new_s))
    rng = np.random.default_rng(0)
    for _ in range(50):
        x0, v0, s0, g0 = rng.normal(), rng.normal(), rng.exponential(), rng.normal()
        t0 = int(rng.integers(1, 1000))
        eta0, b1, b2, eps0 = rng.uniform(0.01, 1), rng.uniform(0, 1), rng.uniform(0, 1), 10.0 ** rng.uniform(-8, -2)
        expected = update(x0, v0, s0, g0, t0, eta0, b1, b2, eps0)
        x1, _, v1, _, s1, _, t1 = scratch.adam_2d(
            x0, 0.0, v0, 0.0, s0, 0.0, t0 - 1, lambda *_, g=g0: (g, 0.0), eta=eta0, beta1=b1, beta2=b2, eps=eps0
        )
        assert t1 == t0
        assert (x1, v1, s1) == pytest.approx(expected, rel=1e-12)
        p, state = (
            torch.tensor([x0], dtype=torch.float64),
            [torch.tensor([z], dtype=torch.float64) for z in (v0, s0, t0 - 1)],
        )
        p.grad = torch.tensor([g0], dtype=torch.float64)
        scratch.adam([p], [state], {"lr": eta0, "beta1": b1, "beta2": b2, "eps": eps0})
        assert (p.item(), state[0].item(), state[1].item()) == pytest.approx(expected, rel=1e-12)


def test_yogi_is_its_formula(scratch: SimpleNamespace) -> None:
    # Equation (adam-yogi); no framework to compare with.
    rng = np.random.default_rng(0)
    states = scratch.init_adam_states(1, torch.float64)[1:]
    p, x, v, s = torch.zeros(1, dtype=torch.float64), 0.0, 0.0, 0.0
    for t in range(1, 200):
        g = rng.normal() * 10.0 ** rng.integers(-2, 2)
        v = 0.9 * v + 0.1 * g
        s = s + 0.001 * math.copysign(1, g * g - s) * g * g
        x -= 0.01 * (v / (1 - 0.9**t)) / (math.sqrt(s / (1 - 0.999**t)) + 1e-3)
        p.grad = torch.tensor([g], dtype=torch.float64)
        scratch.yogi([p], states, {"lr": 0.01})
        assert p.item() == pytest.approx(x, rel=1e-12)


@pytest.mark.parametrize("name", ["adam", "amsgrad", "yogi", "adamw", "nadam", "radam"])
def test_update_works_on_a_batch_of_runs(scratch: SimpleNamespace, name: str) -> None:
    # Parameters and states with a leading dimension of runs, hyperparameters that broadcast.
    kind = name if name in ("amsgrad", "nadam") else "adam"
    make = partial(getattr(scratch, f"init_{kind}_states"), 5, torch.float64)
    rates, memories = (0.01, 0.1), (0.9, 0.999)
    start, gradients = torch.randn(5, 1).double(), torch.randn(20, 5, 1).double()
    batched = [tuple(torch.stack([z, z]) for z in make()[0])]
    both = start.repeat(2, 1, 1)
    singles = []
    for rate, beta2 in zip(rates, memories, strict=True):
        p, states = start.clone(), make()[:1]
        for g in gradients:
            p.grad = g
            getattr(scratch, name)([p], states, {"lr": rate, "beta2": beta2, "weight_decay": 0.1})
        singles.append(p)
    column = partial(torch.tensor, dtype=torch.float64)
    options = {"lr": column(rates)[:, None, None], "beta2": column(memories)[:, None, None], "weight_decay": 0.1}
    for g in gradients:
        both.grad = g.repeat(2, 1, 1)
        getattr(scratch, name)([both], batched, options)
    torch.testing.assert_close(both, torch.stack(singles), rtol=0, atol=1e-12)


@given(
    st.floats(0, 0.999),
    st.floats(0.01, 0.9999),
    st.lists(st.floats(-1e3, 1e3).filter(lambda g: g == 0 or abs(g) > 1e-3), min_size=1, max_size=60).filter(any),
)
@settings(max_examples=200, deadline=None)
def test_no_step_is_longer_than_the_theorem_says(
    scratch: SimpleNamespace, beta1: float, beta2: float, gradients: list[float]
) -> None:
    v = s = 0.0
    for t, g in enumerate(gradients, start=1):
        v, s = beta1 * v + (1 - beta1) * g, beta2 * s + (1 - beta2) * g * g
        if s > 1e-200:
            ratio = abs(v) / (1 - beta1**t) / math.sqrt(s / (1 - beta2**t))
            assert ratio <= scratch.longest_step(t, beta1, beta2) * (1 + 1e-6)


def test_bound_is_reached_and_beats_the_published_one(scratch: SimpleNamespace) -> None:
    growing = np.array([[(0.999 / 0.9) ** i] for i in range(500)])
    assert scratch.last_step_of_torch_adam(growing)[0] == pytest.approx(scratch.longest_step(500, 0.9, 0.999), rel=1e-9)
    assert scratch.longest_step(500, 0.9, 0.999) > 1.3 * 0.1 / math.sqrt(0.001)
    limit = 0.1 / math.sqrt(0.001 * (1 - 0.9**2 / 0.999))
    assert scratch.longest_step(100_000, 0.9, 0.999) == pytest.approx(limit, rel=1e-9)
    assert scratch.longest_step(77, 0.9, 0.9) == pytest.approx(1)


@pytest.mark.parametrize(
    "options", [{}, {"weight_decay": 0.1}, {"weight_decay": 0.1, "decoupled_weight_decay": True}, {"amsgrad": True}]
)
def test_adam_again_is_torch_adam_bit_for_bit(scratch: SimpleNamespace, options: dict[str, float | bool]) -> None:
    generator = torch.Generator().manual_seed(0)
    start, gradients = torch.randn(40, generator=generator), torch.randn(200, 40, generator=generator)
    ends = []
    for make in (scratch.AdamAgain, partial(torch.optim.Adam, foreach=False)):
        p = start.clone().requires_grad_()
        optimizer = make([p], lr=0.01, **options)
        for g in gradients:
            p.grad = g.clone()
            optimizer.step()
        ends.append(p.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize(
    "bad",
    [
        {"lr": -1.0},
        {"lr": math.nan},
        {"eps": -1.0},
        {"betas": (1.0, 0.9)},
        {"betas": (0.9, -0.1)},
        {"weight_decay": -1.0},
    ],
)
def test_adam_again_refuses_what_torch_refuses(scratch: SimpleNamespace, bad: dict[str, object]) -> None:
    for make in (scratch.AdamAgain, torch.optim.Adam):
        with pytest.raises(ValueError, match=r"lr|learning rate|eps|beta|weight_decay"):
            make([torch.zeros(1, requires_grad=True)], **bad)


def test_adam_fails_on_the_counter_example_and_amsgrad_does_not(scratch: SimpleNamespace) -> None:
    problem = {"large": 1010, "small": 10, "period": 101, "steps": 101 * 150}
    end = scratch.online_adam(0.9, np.array([0.99, 0.99, 0.9999]), np.array([False, True, False]), **problem)[-1]
    assert end[0] > 0.9
    assert end[1] < -0.9
    assert end[2] < -0.7


@pytest.mark.parametrize("beta2", [0.99, 0.999, 0.9999])
def test_drift_is_the_long_run_of_adam(scratch: SimpleNamespace, beta2: float) -> None:
    # Follow Adam at a constant rate, far from the ends of the interval, until its averages repeat.
    cycle = np.array([1010.0] + [-10.0] * 100)
    x, v, s, before = 0.0, 0.0, 0.0, 0.0
    num_cycles = math.ceil(20 / (1 - beta2) / 101)
    for n in range(num_cycles + 1):
        if n == num_cycles:
            before = x
        for g in cycle:
            v, s = 0.9 * v + 0.1 * g, beta2 * s + (1 - beta2) * g * g
            x -= v / math.sqrt(s)
    assert (x - before) / 101 == pytest.approx(scratch.drift(0.9, beta2, cycle), rel=1e-4)


def test_softmax_gradient_is_that_of_autograd(scratch: SimpleNamespace) -> None:
    X, y = scratch.softmax_problem([3, 2, 1], seeds=(0, 1), num_features=4)
    W = torch.randn(2, 5, 3, dtype=X.dtype, requires_grad=True)
    scratch.sample_losses(W, X, y).mean(dim=1).sum().backward()
    torch.testing.assert_close(scratch.softmax_gradient(W.detach(), X, y), W.grad)


def test_gradient_descent_leaves_rare_classes_untouched_and_adam_does_not(scratch: SimpleNamespace) -> None:
    counts = [max(1, round(100 / k)) for k in range(1, 101)]
    X, y = scratch.softmax_problem(counts, seeds=(200, 201))
    rare = y >= 16
    descent = scratch.train_softmax(scratch.gradient_descent, {"lr": 1.0}, X, y)[:, rare].mean()
    adam = scratch.train_softmax(scratch.adam, {"lr": 0.3}, X, y)[:, rare].mean()
    assert descent > math.log(100)
    assert adam < 1


def test_the_transcribed_bugs_differ_from_adam_where_the_page_says(scratch: SimpleNamespace) -> None:
    lengths = {}
    for fn in (scratch.adam, scratch.adam_two_bugs):
        p, states = torch.zeros(1), scratch.init_adam_states(1)[1:]
        steps = []
        for _ in range(2000):
            before = p.item()
            p.grad = torch.ones(1)
            fn([p], states, {"lr": 0.01})
            steps.append(before - p.item())
        lengths[fn.__name__] = steps
    assert lengths["adam"] == pytest.approx([0.01] * 2000, rel=1e-3)
    # In the long run both averages are 1, divided by the corrections of the first step for ever.
    limit = 0.01 * (1 - 0.999**2000) ** -0.5 / 0.1 * math.sqrt(0.001)
    assert lengths["adam_two_bugs"][-1] == pytest.approx(limit, rel=2e-3)


@pytest.mark.parametrize(
    "line",
    [
        "epoch 20, x1 0.996029, x2 -0.212750",
        "epoch 20, x1 0.384875, x2 -0.557979",
        "equal bit for bit: True, options {'amsgrad': True}",
        "state kept True: equal True, gap 0.000",
        "Adam: largest difference of a parameter < 1e-12: True",
        "AMSGrad  largest difference of a parameter < 1e-12: True",
        "AdamW    largest difference of a parameter < 1e-12: True",
        "NAdam    largest difference of a parameter < 1e-12: True",
        "RAdam    largest difference of a parameter < 1e-12: True",
        "Adam does not support sparse gradients, please consider SparseAdam instead",
        "published bound 3.16, limit of B_t 7.27",
        "scaled eps equal to 1e-12: True",
        "formula 2.51, PyTorch 2.51",
    ],
)
def test_page_prints(adam_chapter: Chapter, line: str) -> None:
    assert line in adam_chapter.printed


def test_page_finds_no_option_unequal(adam_chapter: Chapter) -> None:
    assert "equal bit for bit: False" not in adam_chapter.printed
    assert "1e-12: False" not in adam_chapter.printed
    assert "equal to 1e-6: False" not in adam_chapter.printed


def test_rate_matters_more_than_the_betas(scratch: SimpleNamespace) -> None:
    for name, values in (("beta1", (0.0, 0.9, 0.95)), ("beta2", (0.5, 0.9, 0.9999))):
        grid = {"lr": (0.001, 0.01, 0.1), name: values}
        sweep = d2l.sweep(scratch.adam, scratch.init_adam_states, grid, *d2l.get_data_ch7())
        too_small, right, too_large = sweep.mean_final_loss.reshape(3, 3)
        assert np.ptp(right) < sweep.select(lr=0.01, **{name: 0.9}).final_loss.std(ddof=1)
        assert min(too_small.min(), too_large.min()) > right.max() + 0.01
        assert not sweep.diverged.any()


def test_star_of_the_map_does_not_hold_on_other_seeds_and_momentum_is_no_worse(scratch: SimpleNamespace) -> None:
    data = d2l.get_data_ch7()
    finals = {
        (seeds, beta1): d2l.sweep(
            scratch.adam, scratch.init_adam_states, {"lr": 0.01, "beta1": beta1}, *data, seeds=seeds
        ).final_loss
        for seeds in (range(10), range(100, 200))
        for beta1 in (0.9, 0.99)
    }
    promised = (finals[range(10), 0.9] - finals[range(10), 0.99]).mean()
    gaps = finals[range(100, 200), 0.9] - finals[range(100, 200), 0.99]
    assert abs(gaps.mean()) < 2 * gaps.std(ddof=1) / math.sqrt(len(gaps))
    assert gaps.mean() < promised / 2
    momentum = d2l.sweep(
        scratch.sgd_momentum, scratch.init_momentum_states, {"lr": 0.003, "momentum": 0.9}, *data
    ).final_loss
    assert (momentum < finals[range(10), 0.9]).sum() >= 7
