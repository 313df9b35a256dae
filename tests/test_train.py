"""Training on the airfoil data: from scratch against torch.optim, what is recorded, what is left alone, errors."""

import itertools
import math
import random
import re
import time
import warnings

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

import d2l_utils as d2l
from d2l_utils import train

SEEDS = range(10)


# Update rules with ε where torch.optim has it, each an entry of (rule, states a parameter, torch's class and options).


def sgd(params, states, hyperparams):  # noqa: ARG001
    for p in params:
        p.data -= hyperparams["lr"] * p.grad


def momentum(params, states, hyperparams):
    for p, v in zip(params, states, strict=True):
        v[:] = hyperparams["momentum"] * v + p.grad
        p.data -= hyperparams["lr"] * v


def adagrad(params, states, hyperparams):
    for p, s in zip(params, states, strict=True):
        s += p.grad**2
        p.data -= hyperparams["lr"] * p.grad / (torch.sqrt(s) + hyperparams["eps"])


def rmsprop(params, states, hyperparams):
    gamma = hyperparams["gamma"]
    for p, s in zip(params, states, strict=True):
        s[:] = gamma * s + (1 - gamma) * p.grad**2
        p.data -= hyperparams["lr"] * p.grad / (torch.sqrt(s) + hyperparams["eps"])


def rmsprop_centered_momentum(params, states, hyperparams):
    gamma = hyperparams["gamma"]
    for p, (s, m, v) in zip(params, states, strict=True):
        s[:] = gamma * s + (1 - gamma) * p.grad**2
        m[:] = gamma * m + (1 - gamma) * p.grad
        v[:] = hyperparams["momentum"] * v + p.grad / (torch.sqrt(s - m**2) + hyperparams["eps"])
        p.data -= hyperparams["lr"] * v


def adadelta(params, states, hyperparams):
    rho, eps = hyperparams["rho"], hyperparams["eps"]
    for p, (s, delta) in zip(params, states, strict=True):
        s[:] = rho * s + (1 - rho) * p.grad**2
        change = torch.sqrt(delta + eps) / torch.sqrt(s + eps) * p.grad
        delta[:] = rho * delta + (1 - rho) * change**2
        p.data -= change


def adam(params, states, hyperparams):
    beta1, beta2 = hyperparams["betas"]
    for p, (v, s, t) in zip(params, states, strict=True):
        t += 1
        v[:] = beta1 * v + (1 - beta1) * p.grad
        s[:] = beta2 * s + (1 - beta2) * p.grad**2
        v_hat, s_hat = v / (1 - beta1**t), s / (1 - beta2**t)
        p.data -= hyperparams["lr"] * v_hat / (torch.sqrt(s_hat) + hyperparams["eps"])


def init_states(count, dtype=torch.float32, counter=False):
    """`count` zero tensors for the weight and as many for the bias; with a step counter if asked."""
    shapes = ((5, 1), (1,))
    entries = [tuple(torch.zeros(shape, dtype=dtype) for _ in range(count)) for shape in shapes]
    if counter:
        return [(*entry, torch.zeros((), dtype=dtype)) for entry in entries]
    return [entry[0] for entry in entries] if count == 1 else entries


RULES = {
    "sgd": (sgd, 0, False, {"lr": 0.05}, torch.optim.SGD, {"lr": 0.05}),
    "momentum": (
        momentum, 1, False, {"lr": 0.02, "momentum": 0.5}, torch.optim.SGD, {"lr": 0.02, "momentum": 0.5},
    ),
    "adagrad": (adagrad, 1, False, {"lr": 0.1, "eps": 1e-8}, torch.optim.Adagrad, {"lr": 0.1, "eps": 1e-8}),
    "rmsprop": (
        rmsprop, 1, False, {"lr": 0.01, "gamma": 0.9, "eps": 1e-8},
        torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-8},
    ),
    "rmsprop_centered_momentum": (
        rmsprop_centered_momentum, 3, False, {"lr": 1e-3, "gamma": 0.99, "momentum": 0.5, "eps": 1e-2},
        torch.optim.RMSprop, {"lr": 1e-3, "alpha": 0.99, "momentum": 0.5, "centered": True, "eps": 1e-2},
    ),
    "adadelta": (
        adadelta, 2, False, {"rho": 0.9, "eps": 1e-5}, torch.optim.Adadelta, {"rho": 0.9, "eps": 1e-5, "lr": 1.0},
    ),
    "adam": (
        adam, 2, True, {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}, torch.optim.Adam, {"lr": 0.01},
    ),
}  # fmt: skip

RMSPROP = {"lr": 0.01, "gamma": 0.9, "eps": 1e-8}


def run(airfoil, **options):
    return d2l.train_ch7(rmsprop, init_states(1), RMSPROP, *airfoil, verbose=False, **options)


def quick(airfoil, optimizer_fn=sgd, states=None, hyperparams=None, **options):
    hyperparams = {"lr": 0.05} if hyperparams is None else hyperparams
    return d2l.train_ch7(optimizer_fn, states, hyperparams, *airfoil, verbose=False, **options)


# Scratch = framework


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-14)])
@pytest.mark.parametrize("name", RULES)
def test_scratch_equals_framework_in_every_recorded_loss(airfoil, name, dtype, tolerance, seed):
    rule, count, counter, hyperparams, optimizer, options = RULES[name]
    features, labels = (t.to(dtype) for t in airfoil)
    states = init_states(count, dtype, counter) if count else None
    ours = d2l.train_ch7(rule, states, hyperparams, features, labels, seed=seed, verbose=False)
    theirs = d2l.train_pytorch_ch7(optimizer, options, features, labels, seed=seed, verbose=False)
    assert ours.epochs == theirs.epochs
    assert len(ours.losses) == 31
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=0, atol=tolerance)
    for p, q in zip(ours.params, theirs.params, strict=True):
        assert p.shape == q.shape
        torch.testing.assert_close(p, q, rtol=0, atol=1e-4 if dtype == torch.float32 else 1e-12)
    assert ours.losses[-1] < 0.27 < ours.losses[0]  # and both have learned something


def rmsprop_eps_inside(params, states, hyperparams):
    gamma = hyperparams["gamma"]
    for p, s in zip(params, states, strict=True):
        s[:] = gamma * s + (1 - gamma) * p.grad**2
        p.data -= hyperparams["lr"] * p.grad / torch.sqrt(s + 1e-6)


def test_eps_inside_the_root_shows_only_where_a_first_gradient_is_tiny(airfoil):
    """d2l's ε = 1e-6 inside the root against torch's 1e-8 outside: seldom visible, and soon forgotten."""
    largest, last = [], []
    for seed in SEEDS:
        ours = d2l.train_ch7(rmsprop_eps_inside, init_states(1), RMSPROP, *airfoil, seed=seed, verbose=False)
        theirs = d2l.train_pytorch_ch7(
            torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9}, *airfoil, seed=seed, verbose=False
        )
        differences = np.abs(np.subtract(ours.losses, theirs.losses))
        largest.append(differences.max())
        last.append(differences[-1])
    assert largest[0] < 1e-5
    assert 1e-4 < max(largest) < 1e-3
    assert max(last) < 1e-5


# What is learned and recorded


@pytest.mark.parametrize("seed", SEEDS)
def test_rmsprop_lands_near_the_optimum(airfoil, seed):
    record = run(airfoil, seed=seed)
    assert 0.2415 < record.losses[-1] < 0.2500
    assert record.final_loss == record.losses[-1]
    assert not record.diverged


def test_losses_are_recorded_before_training_and_after_every_100_samples(airfoil):
    record = run(airfoil)
    np.testing.assert_allclose(record.epochs, np.arange(31) / 15, rtol=1e-15)
    assert (record.epochs[0], record.epochs[15], record.epochs[-1]) == (0, 1, 2)


def test_losses_are_those_of_the_parameters(airfoil):
    features, labels = airfoil
    record = run(airfoil)
    w, b = record.params
    assert (w.shape, b.shape) == ((5, 1), (1,))
    assert not w.requires_grad
    by_hand = ((features @ w + b)[:, 0] - labels).double().pow(2).mean().item() / 2
    assert record.losses[-1] == pytest.approx(by_hand, abs=1e-6)
    assert record.losses[0] == pytest.approx(0.493259, abs=0.03)  # w ~ N(0, 0.01²), b = 0


def test_full_batch_gradient_descent_follows_its_closed_form(airfoil):
    features, labels = (t.double() for t in airfoil)
    design = torch.cat([features, torch.ones(1500, 1, dtype=torch.float64)], dim=1)
    start = torch.randn(5, 1, generator=torch.Generator().manual_seed(7)) * 0.01
    w = torch.cat([start.double(), torch.zeros(1, 1, dtype=torch.float64)])
    expected = []
    for _ in range(21):
        error = design @ w - labels[:, None]
        expected.append((error**2).mean().item() / 2)
        w = w - design.T @ error / 1500
    record = quick((features, labels), hyperparams={"lr": 1.0}, batch_size=1500, num_epochs=20, seed=7)
    np.testing.assert_allclose(record.losses, expected, rtol=1e-12)
    assert record.losses[6] < record.losses[20]  # lr = 1 is above 2/L = 0.953: unstable
    assert record.epochs == list(range(21))


@pytest.mark.parametrize("batch_size", [1, 7, 64, 100, 150, 999, 1499, 1500])
def test_any_batch_size_sees_every_sample_once_an_epoch(airfoil, batch_size):
    sizes = []

    def count(params, states, hyperparams):  # noqa: ARG001
        sizes.append(1)

    features, labels = airfoil
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record = quick((features, labels), count, batch_size=batch_size)
    assert len(sizes) == 2 * math.ceil(1500 / batch_size)
    crossings = []  # the first batch end at or after each multiple of 100 samples, and the very end
    ends = [e * 1500 + min(k * batch_size, 1500) for e in range(2) for k in range(1, math.ceil(1500 / batch_size) + 1)]
    for before, after in itertools.pairwise([0, *ends]):
        if after // 100 > before // 100 or after == 3000:
            crossings.append(after / 1500)
    assert record.epochs == [0, *crossings]


def test_batches_are_a_fresh_permutation_each_epoch():
    n = 23
    features = torch.eye(n)  # the gradient of w then shows which samples were in the batch
    seen = []

    def spy(params, states, hyperparams):  # noqa: ARG001
        seen.append(params[0].grad[:, 0].nonzero()[:, 0].tolist())

    with pytest.warns(UserWarning, match="the weight is what it was"):
        d2l.train_ch7(spy, None, {}, features, torch.ones(n), 5, 2, verbose=False)
    first, second = seen[:5], seen[5:]
    assert [len(batch) for batch in first] == [5, 5, 5, 5, 3]
    assert sorted(itertools.chain(*first)) == sorted(itertools.chain(*second)) == list(range(n))
    assert first != second


def test_a_last_partial_batch_is_averaged_over_its_own_size():
    features, labels = torch.ones(3, 1), torch.tensor([1.0, 1.0, 1.0])
    gradients = []

    def spy(params, states, hyperparams):  # noqa: ARG001
        gradients.append(params[1].grad.item())

    with pytest.warns(UserWarning, match="the weight is what it was"):
        record = d2l.train_ch7(spy, None, {}, features, labels, 2, 1, verbose=False)
    w = record.params[0].item()
    assert gradients == pytest.approx([w - 1, w - 1])
    assert record.epochs == [0, 1]


def test_labels_may_be_a_column_and_features_a_view(airfoil):
    features, labels = airfoil
    record = run(airfoil)
    assert run((features, labels[:, None])).losses == record.losses
    assert run((features.T.contiguous().T, labels)).losses == pytest.approx(record.losses, abs=1e-6)


# Repeatable, and without side effects


@pytest.mark.parametrize("seed", [0, 5])
def test_same_seed_gives_the_same_bits(airfoil, seed):
    a, b = run(airfoil, seed=seed), run(airfoil, seed=seed)
    assert a.losses == b.losses
    assert all(torch.equal(p, q) for p, q in zip(a.params, b.params, strict=True))
    assert run(airfoil, seed=seed + 1).losses != a.losses


def test_global_random_state_is_neither_used_nor_changed(airfoil):
    def state():
        return torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())  # noqa: NPY002

    before = state()
    expected = run(airfoil).losses
    d2l.train_pytorch_ch7(torch.optim.RMSprop, {"lr": 0.01}, *airfoil, verbose=False)
    assert state() == before
    torch.manual_seed(123)
    assert run(airfoil).losses == expected


def test_arguments_are_left_alone_but_states_are_changed(airfoil):
    features, labels = airfoil
    copies = features.clone(), labels.clone()
    hyperparams = {"lr": 0.01, "gamma": 0.9, "eps": 1e-8, "t": 1}

    def counting(params, states, hyperparams):
        rmsprop(params, states, hyperparams)
        hyperparams["t"] += 1
        counts.append(hyperparams["t"])

    counts = []
    states = init_states(1)
    d2l.train_ch7(counting, states, hyperparams, features, labels, verbose=False)
    assert hyperparams == {"lr": 0.01, "gamma": 0.9, "eps": 1e-8, "t": 1}
    assert counts == list(range(2, 302))  # the run's own copy counts on
    assert all((s > 0).all() for s in states)
    assert torch.equal(features, copies[0])
    assert torch.equal(labels, copies[1])
    assert features.grad is None


def test_framework_hyperparams_are_left_alone(airfoil):
    hyperparams = {"lr": 0.01, "alpha": 0.9}
    d2l.train_pytorch_ch7(torch.optim.RMSprop, hyperparams, *airfoil, verbose=False)
    assert hyperparams == {"lr": 0.01, "alpha": 0.9}


def test_gradients_are_fresh_at_every_step(airfoil):
    """Zeroed by the loop, so that d2l's newer rules, which zero them too, do the same thing."""

    def zeroing(params, states, hyperparams):
        sgd(params, states, hyperparams)
        for p in params:
            p.grad.data.zero_()

    assert quick(airfoil, zeroing).losses == quick(airfoil).losses


def test_updates_under_no_grad_work_too(airfoil):
    def in_place(params, states, hyperparams):  # noqa: ARG001
        with torch.no_grad():
            for p in params:
                p[:] -= hyperparams["lr"] * p.grad

    assert quick(airfoil, in_place).losses == quick(airfoil).losses


@pytest.mark.parametrize("batch_size", [10, 1000])
def test_only_training_is_timed(airfoil, monkeypatch, batch_size):
    """On a clock that only the optimizer (1 s a step) and the recorded losses (1000 s each) move."""
    now = 0.0

    def half_mse(y_hat, y, original=train.half_mse):
        nonlocal now
        now += 1000 * (len(y) == 1500)
        return original(y_hat, y)

    def slow_sgd(params, states, hyperparams):
        nonlocal now
        now += 1
        sgd(params, states, hyperparams)

    monkeypatch.setattr(train, "half_mse", half_mse)
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    record = quick(airfoil, slow_sgd, batch_size=batch_size, num_epochs=3)
    assert record.seconds_per_epoch == math.ceil(1500 / batch_size)
    assert now == 3 * math.ceil(1500 / batch_size) + 1000 * len(record.losses)


def test_report_is_one_line_and_one_figure(airfoil, capsys):
    record = d2l.train_ch7(rmsprop, init_states(1), RMSPROP, *airfoil)
    out = capsys.readouterr().out
    assert re.fullmatch(r"loss: 0\.\d{6}, \d+\.\d{6} sec per epoch\n", out)
    assert out == f"loss: {record.losses[-1]:f}, {record.seconds_per_epoch:f} sec per epoch\n"
    (ax,) = plt.gcf().axes
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.column_stack([record.epochs, record.losses]))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "loss")


def test_framework_report_has_the_same_form(airfoil, capsys):
    d2l.train_pytorch_ch7(torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9}, *airfoil)
    assert re.fullmatch(r"loss: 0\.\d{6}, \d+\.\d{6} sec per epoch\n", capsys.readouterr().out)
    assert len(plt.get_fignums()) == 1


def test_quiet_run_prints_and_draws_nothing(airfoil, capsys):
    run(airfoil)
    d2l.train_pytorch_ch7(torch.optim.SGD, {"lr": 0.01}, *airfoil, verbose=False)
    assert capsys.readouterr().out == ""
    assert plt.get_fignums() == []


# Divergence


@pytest.mark.parametrize("framework", [False, True])
def test_run_to_infinity_ends_and_says_so(airfoil, framework, capsys):
    if framework:
        record = d2l.train_pytorch_ch7(torch.optim.SGD, {"lr": 1e3}, *airfoil)
    else:
        record = d2l.train_ch7(sgd, None, {"lr": 1e3}, *airfoil)
    assert record.diverged
    assert 1 <= record.diverged_at < 20
    assert record.final_loss == math.inf
    assert record.losses[0] == pytest.approx(0.493, abs=0.03)
    assert np.isfinite(record.losses).all()
    assert len(record.losses) == len(record.epochs) < 31
    assert capsys.readouterr().out == (
        f"diverged at step {record.diverged_at}; last finite loss: {record.losses[-1]:f}\n"
    )


@pytest.mark.parametrize("step", [1, 7, 10, 299, 300])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_the_step_that_broke_the_loss_is_reported(airfoil, step, value):
    steps = itertools.count(1)

    def breaks(params, states, hyperparams):
        sgd(params, states, hyperparams)
        if next(steps) == step:
            params[1].data.fill_(value)

    record = quick(airfoil, breaks)
    assert record.diverged_at == step
    assert len(record.losses) == 1 + (step - 1) // 10
    assert np.isfinite(record.losses).all()
    assert next(steps) == step + 1  # no update after it
    assert record.seconds_per_epoch > 0


def test_nan_from_a_root_of_a_negative_number_ends_the_run(airfoil):
    def wrong_sign(params, states, hyperparams):  # noqa: ARG001
        for p in params:
            p.data -= hyperparams["lr"] / torch.sqrt(-p.grad.abs())

    record = quick(airfoil, wrong_sign)
    assert record.diverged_at == 1
    assert len(record.losses) == 1


# Errors: each names the argument and the value

WRONG_SHAPE = [torch.zeros(5), torch.zeros(1)]


@pytest.mark.parametrize("function", [d2l.train_ch7, d2l.train_pytorch_ch7])
@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"hyperparams": {"lr": -0.1}}, ValueError, "lr must be finite and at least 0, got -0.1"),
        ({"hyperparams": {"lr": math.nan}}, ValueError, "lr must be finite and at least 0, got nan"),
        ({"hyperparams": {"lr": math.inf}}, ValueError, "lr must be finite and at least 0, got inf"),
        ({"hyperparams": {"lr": torch.tensor(-1.0)}}, ValueError, "lr must be .* got -1.0"),
        ({"hyperparams": {"lr": "0.1"}}, TypeError, "lr must be a number, got '0.1'"),
        ({"hyperparams": {"lr": True}}, TypeError, "lr must be a number, got True"),
        ({"hyperparams": {"lr": 0.1, "alpha": 1}}, ValueError, r"alpha must be in \[0, 1\), got 1.0"),
        ({"hyperparams": {"lr": 0.1, "gamma": 1.2}}, ValueError, r"gamma must be in \[0, 1\), got 1.2"),
        ({"hyperparams": {"lr": 0.1, "gamma": -0.1}}, ValueError, r"gamma must be in \[0, 1\), got -0.1"),
        ({"hyperparams": {"lr": 0.1, "momentum": math.nan}}, ValueError, r"momentum must be .* got nan"),
        ({"hyperparams": {"lr": 0.1, "betas": (0.9, 1.0)}}, ValueError, r"betas\[1\] must be in \[0, 1\), got 1.0"),
        ({"hyperparams": {"lr": 0.1, "betas": 0.9}}, TypeError, "betas must be a pair of numbers, got 0.9"),
        ({"hyperparams": {"lr": 0.1, "eps": -1e-8}}, ValueError, "eps must be finite and at least 0, got -1e-08"),
        ({"hyperparams": None}, TypeError, "hyperparams must be a dict, got None"),
        ({"hyperparams": 0.1}, TypeError, "hyperparams must be a dict, got 0.1"),
        ({"optimizer_fn": 3}, TypeError, "optimizer_fn must be a function or a class, got 3"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"batch_size": 1501}, ValueError, "batch_size must be at most the number of samples, 1500, got 1501"),
        ({"batch_size": 10.0}, TypeError, "batch_size must be an integer, got 10.0"),
        ({"num_epochs": 0}, ValueError, "num_epochs must be at least 1, got 0"),
        ({"num_epochs": "2"}, TypeError, "num_epochs must be an integer, got '2'"),
        ({"seed": None}, TypeError, "seed must be an integer, got None"),
        ({"seed": 0.5}, TypeError, "seed must be an integer, got 0.5"),
        ({"features": np.zeros((1500, 5))}, TypeError, r"features must be a torch.Tensor, got ndarray"),
        ({"features": torch.zeros(1500, 5, dtype=int)}, TypeError, "features must hold floating-point .* torch.int64"),
        ({"features": torch.zeros(1500)}, ValueError, r"features must have shape \(n, d\) .*got \(1500,\)"),
        ({"features": torch.zeros(0, 5)}, ValueError, r"features must have shape \(n, d\) .*got \(0, 5\)"),
        ({"features": torch.full((1500, 5), math.nan)}, ValueError, "the loss before training is not finite"),
        ({"labels": [1.0] * 1500}, TypeError, "labels must be a torch.Tensor, got list"),
        ({"labels": torch.zeros(1499)}, ValueError, r"labels must have shape \(1500,\) .*got \(1499,\)"),
        ({"labels": torch.zeros(1500, 2)}, ValueError, r"labels must have shape \(1500,\) .*got \(1500, 2\)"),
        ({"labels": torch.zeros(1500).double()}, TypeError, "labels must have the dtype of features.*torch.float64"),
        ({"labels": torch.full((1500,), math.inf)}, ValueError, "the loss before training is not finite"),
    ],
)
def test_bad_arguments_are_named(airfoil, function, change, error, message):
    features, labels = airfoil
    arguments = {"hyperparams": {"lr": 0.1}, "features": features, "labels": labels, "verbose": False} | change
    if function is d2l.train_ch7:
        arguments = {"optimizer_fn": sgd, "states": None} | arguments
    else:
        arguments = {"optimizer_fn": torch.optim.SGD} | arguments
        arguments["optimizer_hyperparams"] = arguments.pop("hyperparams")
    with pytest.raises(error, match=message):
        function(**arguments)


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ([torch.zeros(5, 1)], "states must have one entry for each of the 2 parameters, got 1"),
        (WRONG_SHAPE, r"states\[0\] must have shape \(5, 1\) like parameter 0, got \(5,\)"),
        ([torch.zeros(5, 1), torch.zeros(2)], r"states\[1\] must have shape \(1,\) like parameter 1, got \(2,\)"),
        ([(torch.zeros(5, 1), torch.zeros(6, 1)), torch.zeros(1)], r"states\[0\] must have shape .*got \(6, 1\)"),
    ],
)
def test_states_of_the_wrong_shape_are_named(airfoil, states, message):
    with pytest.raises(ValueError, match=message):
        d2l.train_ch7(rmsprop, states, RMSPROP, *airfoil)


@pytest.mark.parametrize(("which", "name"), [((0,), "w"), ((1,), "b"), ((0, 1), "w")])
def test_a_gradient_that_becomes_none_is_named(airfoil, which, name):
    def switches_off(params, states, hyperparams):
        sgd(params, states, hyperparams)
        for i in which:
            params[i].requires_grad_(False)

    with pytest.raises(ValueError, match=f"the gradient of {name} is now None"):
        quick(airfoil, switches_off)


def test_a_rule_that_only_renames_is_warned_about(airfoil):
    def renames(params, states, hyperparams):  # noqa: ARG001
        for p in params:
            p = p.data - hyperparams["lr"] * p.grad

    with pytest.warns(UserWarning, match="optimizer_fn must update each p in place") as caught:
        quick(airfoil, renames)
    assert caught[0].filename == __file__


def test_a_rate_of_zero_is_allowed_and_changes_nothing(airfoil):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        record = quick(airfoil, hyperparams={"lr": 0})
    assert record.losses == [record.losses[0]] * 31


def test_errors_of_the_framework_pass_through(airfoil):
    with pytest.raises(TypeError, match="gamma"):
        d2l.train_pytorch_ch7(torch.optim.RMSprop, {"lr": 0.01, "gamma": 0.9}, *airfoil)


def test_squared_loss_is_half_the_square_whatever_the_shape_of_y():
    y_hat = torch.tensor([[1.0], [2.0]])
    expected = torch.tensor([[0.5], [2.0]])
    for y in (torch.zeros(2), torch.zeros(2, 1)):
        torch.testing.assert_close(d2l.squared_loss(y_hat, y), expected)


def test_linreg_is_the_linear_model():
    X, w, b = torch.randn(7, 5), torch.randn(5, 1), torch.randn(1)
    torch.testing.assert_close(d2l.linreg(X, w, b), X @ w + b)


def test_the_loss_that_is_trained_is_the_mean_of_squared_loss():
    y_hat, y = torch.randn(7, 1), torch.randn(7, 1)
    torch.testing.assert_close(train.half_mse(y_hat, y), d2l.squared_loss(y_hat, y).mean())
