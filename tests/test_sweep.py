"""A sweep: each run is the run that train_ch7 makes, whatever goes on beside it; errors come before any training."""

import copy
import itertools
import math
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import scratch_optimizers
import torch

import d2l_utils as d2l
from d2l_utils import _together

SCRATCH = list(scratch_optimizers.find())
ROOT = Path(__file__).resolve().parents[1]


def sgd(params, states, hyperparams):  # noqa: ARG001
    for p in params:
        p.data -= hyperparams["lr"] * p.grad


def rmsprop(params, states, hyperparams):
    gamma = hyperparams["gamma"]
    for p, s in zip(params, states, strict=True):
        s[:] = gamma * s + (1 - gamma) * p.grad**2
        p.data -= hyperparams["lr"] * p.grad / (torch.sqrt(s) + 1e-8)


def adam(params, states, hyperparams):
    beta1, beta2 = hyperparams["betas"]
    for p, (v, s, t) in zip(params, states, strict=True):
        t += 1
        v[:] = beta1 * v + (1 - beta1) * p.grad
        s[:] = beta2 * s + (1 - beta2) * p.grad**2
        p.data -= hyperparams["lr"] * (v / (1 - beta1**t)) / (torch.sqrt(s / (1 - beta2**t)) + 1e-8)


def init_one(feature_dim):
    return torch.zeros(feature_dim, 1), torch.zeros(1)


def init_adam(feature_dim):
    return [(torch.zeros_like(z), torch.zeros_like(z), torch.zeros(())) for z in init_one(feature_dim)]


def small(airfoil, optimizer_fn=rmsprop, init=init_one, hyperparams=None, **options):
    hyperparams = {"lr": [0.003, 0.02], "gamma": [0.9, 0.99]} if hyperparams is None else hyperparams
    return d2l.sweep(optimizer_fn, init, hyperparams, *airfoil, **{"seeds": 2} | options)


def assert_each_run_is_its_own(swept, train, rtol=1e-6):
    assert len(swept) == len(swept.settings) * len(swept.seeds)
    for row, (setting, seed) in enumerate(itertools.product(swept.settings, swept.seeds)):
        record = train(setting, seed)
        losses = swept.losses[row]
        assert swept.diverged[row] == record.diverged, (setting, seed)
        alive = len(record.losses)
        np.testing.assert_array_equal(swept.epochs[:alive], record.epochs)
        np.testing.assert_allclose(losses[:alive], record.losses, rtol=rtol, err_msg=f"{setting}, seed {seed}")
        assert np.isnan(losses[alive:]).all()
        assert swept.final_loss[row] == pytest.approx(record.final_loss, rel=rtol)


def one_run(rule, states, data, **options):
    def train(setting, seed):
        own = states(data[0].shape[1]) if callable(states) else copy.deepcopy(states)
        return d2l.train_ch7(rule, own, setting, *data, seed=seed, verbose=False, **options)

    return train


# Each run = train_ch7


def test_the_chapters_have_optimizers():
    assert {"sgd", "adagrad", "rmsprop", "rmsprop_momentum", "rmsprop_centered"} <= {name for _, name, _, _ in SCRATCH}


@pytest.mark.parametrize(("chapter", "name", "rule", "names"), SCRATCH, ids=[f"{c}-{n}" for c, n, _, _ in SCRATCH])
def test_every_scratch_optimizer_of_the_book(airfoil, chapter, name, rule, names):  # noqa: ARG001
    states, hyperparams = scratch_optimizers.states_for(rule, names, name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it must take all settings at once
        swept = d2l.sweep(rule, states, hyperparams, *airfoil, seeds=2)
    assert_each_run_is_its_own(swept, one_run(rule, states, airfoil))
    if states is not None:  # those handed over are as they were
        assert all(not s.any() for entry in states for s in (entry if isinstance(entry, tuple) else (entry,)))


def test_adam_with_a_step_counter_and_pairs(airfoil):
    grid = {"lr": [0.01, 0.03], "betas": [(0.9, 0.999), (0.8, 0.99)]}
    swept = small(airfoil, adam, init_adam, grid)
    assert swept.settings[1] == {"lr": 0.01, "betas": (0.8, 0.99)}
    assert_each_run_is_its_own(swept, one_run(adam, init_adam, airfoil))
    alone = small(airfoil, adam, init_adam, {"lr": [0.01], "betas": (0.9, 0.999)})
    np.testing.assert_allclose(alone.losses, swept.select(lr=0.01, betas=(0.9, 0.999)).losses, rtol=1e-6)


@pytest.mark.parametrize(("batch_size", "num_epochs"), [(1, 1), (7, 2), (150, 3), (999, 2), (1500, 4)])
def test_any_batch_size(airfoil, batch_size, num_epochs):
    options = {"batch_size": batch_size, "num_epochs": num_epochs}
    swept = small(airfoil, **options, hyperparams={"lr": [0.003, 0.01], "gamma": 0.9})
    assert_each_run_is_its_own(swept, one_run(rmsprop, init_one, airfoil, **options))


def test_in_double_precision_even_wild_runs_agree(airfoil):
    """Rates so large that training is chaotic, where single precision would forget its start."""
    data = tuple(t.double() for t in airfoil)

    def init(feature_dim):
        return tuple(s.double() for s in init_one(feature_dim))

    swept = small(data, init=init, hyperparams={"lr": [0.1, 0.3, 1.0], "gamma": [0.0, 0.5, 0.999]})
    assert swept.losses.dtype == np.float64
    assert_each_run_is_its_own(swept, one_run(rmsprop, init, data))


def test_diverged_runs_are_marked_and_disturb_no_other(airfoil):
    swept = small(airfoil, sgd, None, {"lr": [0.01, 1.5, 0.02, 1e30]}, seeds=3)
    assert swept.diverged.reshape(4, 3).all(axis=1).tolist() == [False, True, False, True]
    assert np.isinf(swept.final_loss[3:6]).all()
    sane = small(airfoil, sgd, None, {"lr": [0.01, 0.02]}, seeds=3)
    np.testing.assert_array_equal(swept.select(lr=[0.01, 0.02]).losses, sane.losses)
    tame = swept.select(lr=[0.01, 0.02, 1e30])
    assert_each_run_is_its_own(tame, one_run(sgd, None, airfoil))
    # A run that explodes doubles its rounding errors, too; what must agree is where it ends.
    for seed in range(3):
        record = one_run(sgd, None, airfoil)({"lr": 1.5}, seed)
        assert np.isfinite(swept.select(lr=1.5).losses[seed]).sum() == len(record.losses)


def test_pieces_make_the_same_table(airfoil, monkeypatch):
    whole = small(airfoil, seeds=[4, 9, 2])
    monkeypatch.setattr(_together, "_CHUNK_BYTES", 1)  # one run at a time
    np.testing.assert_array_equal(small(airfoil, seeds=[4, 9, 2]).losses, whole.losses)
    assert_each_run_is_its_own(whole, one_run(rmsprop, init_one, airfoil))


def test_state_forms(airfoil):
    """Lists, shared counters, numbers: each as a single run would have it."""
    shared = torch.zeros(())

    def counting(params, states, hyperparams):
        for p, entry in zip(params, states, strict=True):
            entry["t"] += 1
            entry["steps"][0] += 1
            p.data -= hyperparams["lr"] / (entry["t"] + entry["steps"][0]) ** 0.5 * p.grad

    states = [{"t": shared, "steps": [0]}, {"t": shared, "steps": [0]}]
    swept = small(airfoil, counting, states, {"lr": [0.01, 0.1]})
    assert_each_run_is_its_own(swept, one_run(counting, states, airfoil))


def test_hyperparameters_enter_arithmetic_as_numbers_do(airfoil):
    """In double precision among themselves, in the parameters' beside them, and never changed in place."""

    def decaying(params, states, hyperparams):
        lr, gamma = hyperparams["lr"], hyperparams["gamma"]
        lr *= 0.5  # a new number; the next step starts from the same one
        for p, s in zip(params, states, strict=True):
            s[:] = gamma * s + (1 - gamma) / (1 - gamma**2) ** 0.5 * p.grad
            p.data = p.data - lr * s

    grid = {"lr": [0.003, 0.01], "gamma": [0.9999, 0.5]}
    assert_each_run_is_its_own(small(airfoil, decaying, hyperparams=grid), one_run(decaying, init_one, airfoil))


def test_hyperparameters_that_are_no_numbers(airfoil):
    def scheduled(params, states, hyperparams):
        hyperparams["t"] += 1
        for p, m in zip(params, states, strict=True):
            m[:] = 0.5 * m + p.grad
            step = p.grad + 0.5 * m if hyperparams["nesterov"] else m
            p.data -= hyperparams["lr"] * hyperparams["schedule"](hyperparams["t"]) * step

    grid = {"lr": [0.01, 0.02], "nesterov": [True, False], "schedule": [math.cos, lambda t: 1 / t], "t": 0}
    swept = small(airfoil, scheduled, hyperparams=grid)
    assert_each_run_is_its_own(swept, one_run(scheduled, init_one, airfoil))


def test_a_rule_that_branches_goes_setting_by_setting(airfoil):
    def branching(params, states, hyperparams):  # noqa: ARG001
        for p in params:
            step = math.sqrt(hyperparams["lr"]) if hyperparams["lr"] > 0.001 else hyperparams["lr"]
            p.data.add_(p.grad, alpha=-step)

    with pytest.warns(UserWarning, match="branching cannot take several settings at once"):
        swept = small(airfoil, branching, None, {"lr": [0.0001, 0.01]})
    assert_each_run_is_its_own(swept, one_run(branching, None, airfoil))


# Framework


@pytest.mark.parametrize(
    ("optimizer", "grid"),
    [
        (torch.optim.SGD, {"lr": [0.01, 0.02], "momentum": [0.0, 0.5]}),
        (torch.optim.RMSprop, {"lr": [0.001, 0.01], "centered": [False, True], "alpha": 0.9}),
        (torch.optim.Adam, {"lr": 0.01, "betas": [(0.9, 0.999), (0.8, 0.99)]}),
        (torch.optim.Adadelta, {"rho": [0.9, 0.95]}),
        (torch.optim.AdamW, {"lr": [0.01], "weight_decay": [0.0, 0.1], "amsgrad": True}),
    ],
)
def test_framework_optimizers(airfoil, optimizer, grid):
    def train(setting, seed):
        return d2l.train_pytorch_ch7(optimizer, setting, *airfoil, seed=seed, verbose=False)

    swept = d2l.sweep_pytorch(optimizer, grid, *airfoil, seeds=2)
    assert swept.name == optimizer.__name__
    assert_each_run_is_its_own(swept, train)


def test_framework_errors_name_the_setting(airfoil):
    with pytest.raises(TypeError) as caught:
        d2l.sweep_pytorch(torch.optim.SGD, {"lr": 0.1, "gama": [1, 2]}, *airfoil)
    assert "gama=1" in "".join(caught.value.__notes__)
    with pytest.raises(ValueError, match="Nesterov"):
        d2l.sweep_pytorch(torch.optim.SGD, {"lr": 0.1, "momentum": [0.9, 0], "nesterov": True}, *airfoil)


# Errors, before anything is trained


def mixing(params, states, hyperparams):  # noqa: ARG001
    norm = torch.sqrt(sum((p.grad**2).sum() for p in params))
    for p in params:
        p.data -= hyperparams["lr"] * p.grad / norm


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hyperparams": {"lr": [], "gamma": 0.9}}, "lr is empty: the grid has no runs"),
        ({"seeds": []}, "seeds is empty"),
        ({"seeds": 0}, "seeds must be at least 1, got 0"),
        ({"seeds": [1, 1]}, r"seeds must differ, got \[1, 1\]"),
        ({"hyperparams": {"lr": [0.1, -1.0], "gamma": 0.9}}, "lr must be finite and at least 0, got -1.0"),
        ({"hyperparams": {"lr": [0.1], "gamma": [0.9, math.nan]}}, r"gamma must be in \[0, 1\), got nan"),
        ({"hyperparams": {"lr": [0.1], "gama": [0.9, 0.8]}}, "hyperparams lacks 'gamma', which rmsprop reads"),
        (
            {"hyperparams": {"lr": [0.1], "gamma": 0.9, "gama": [0.9, 0.8]}},
            "unknown hyperparameter 'gama': rmsprop reads gamma, lr",
        ),
        ({"init": lambda d: (torch.zeros(d, 2), torch.zeros(1))}, r"states\[0\] must have shape \(5, 1\)"),
        ({"init": lambda d: (torch.zeros(d, 1),)}, "states must have one entry for each of the 2 parameters, got 1"),
        ({"hyperparams": {"lr": range(1, 10**6), "gamma": 0.9}, "seeds": 10**3}, "the losses of 999999000 runs take"),
        ({"max_memory": 100}, "the losses of 8 runs take 9.92e-07 GB, more than max_memory"),
        ({"optimizer_fn": mixing, "hyperparams": {"lr": [0.1, 0.2]}}, "mixing cannot take several runs at once"),
        ({"batch_size": 1501}, "batch_size must be at most the number of samples"),
    ],
)
def test_errors_come_before_training(airfoil, monkeypatch, changes, message):
    def no_training(*args):  # noqa: ARG001
        pytest.fail("training has begun")

    monkeypatch.setitem(sys.modules["d2l_utils.sweep"].__dict__, "fit_together", no_training)
    with pytest.raises(ValueError, match=message):
        small(airfoil, **changes)


def test_wrong_types(airfoil):
    with pytest.raises(TypeError, match="hyperparams must be a dict"):
        small(airfoil, hyperparams=[0.1])
    with pytest.raises(TypeError, match=r"lr must be a number, got '0\.1'"):
        small(airfoil, hyperparams={"lr": "0.1", "gamma": 0.9})


def test_renamed_parameters_are_noticed(airfoil):
    def renaming(params, states, hyperparams):  # noqa: ARG001
        for p in params:
            p = p - hyperparams["lr"] * p.grad

    with pytest.warns(UserWarning, match="must update each p in place"):
        small(airfoil, renaming, None, {"lr": [0.1]})


# Side effects, size and speed


def test_nothing_outside_is_touched(airfoil):
    before = torch.get_rng_state().tolist(), torch.get_num_threads(), [t.clone() for t in airfoil]
    hyperparams = {"lr": [0.003, 0.02], "gamma": 0.9}
    small(airfoil, hyperparams=hyperparams)
    assert torch.get_rng_state().tolist() == before[0]
    assert torch.get_num_threads() == before[1]
    assert all(torch.equal(a, b) for a, b in zip(airfoil, before[2], strict=True))
    assert hyperparams == {"lr": [0.003, 0.02], "gamma": 0.9}


def test_quiet_when_nobody_watches(airfoil, capfd):
    small(airfoil)
    assert capfd.readouterr() == ("", "")


MEMORY = """
import resource, sys
import numpy as np
sys.path.insert(0, {tests!r})
from test_sweep import d2l, init_one, rmsprop
airfoil = d2l.get_data_ch7()
grid = {{"lr": np.logspace(-4, 0, 25), "gamma": np.linspace(0, 0.96, 25)}}
assert len(d2l.sweep(rmsprop, init_one, grid, *airfoil)) == 6250
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def test_6250_runs_in_less_than_a_gigabyte():
    pytest.importorskip("resource")
    script = MEMORY.format(tests=str(ROOT / "tests"))
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert float(result.stdout) < 1  # GiB, Python and torch included


def test_a_run_costs_as_little_as_promised():
    bench = runpy.run_path(str(ROOT / "benchmarks" / "bench_sweep.py"))
    for _ in range(5):  # a busy machine can spoil a measurement, but cannot make a slow sweep fast
        ours, loop = bench["measure"](runs=1000, rounds=3)
        if ours <= loop / 60:
            return
    pytest.fail(f"a run costs 1/{loop / ours:.0f} of train_ch7 (<= 1/60)")


def test_benchmark_does_the_same_work(capsys, monkeypatch):
    bench = runpy.run_path(str(ROOT / "benchmarks" / "bench_sweep.py"))
    np.testing.assert_allclose(bench["together"](1).losses[0], bench["alone"]().losses, rtol=1e-6)
    monkeypatch.setattr("sys.argv", ["bench_sweep.py", "1", "10"])
    bench["main"]()
    assert "1/" in capsys.readouterr().out.splitlines()[-1]
