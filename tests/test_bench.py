"""The training loop does not pay for a DataLoader, nor for its own checks."""

import runpy
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[1] / "benchmarks" / "bench_train.py"


@pytest.fixture(scope="module")
def bench():
    return runpy.run_path(str(BENCHMARK))


def test_bare_loop_does_the_same_work(bench, airfoil):
    assert bench["bare"](*airfoil) == bench["book"](*airfoil)


def test_data_loader_loop_does_as_much_work(bench, airfoil):
    losses = bench["data_loader"](*airfoil)
    assert len(losses) == len(bench["book"](*airfoil)) == 31
    assert 0.2415 < losses[-1] < 0.2500


def test_loop_is_as_fast_as_promised(bench):
    for _ in range(5):  # a busy machine can spoil a measurement, but cannot make a slow loop fast
        _, over_bare, faster_than_loader = bench["measure"](rounds=15)
        if over_bare <= 1.15 and faster_than_loader >= 1.5:
            return
    pytest.fail(
        f"{over_bare:.3f} times a bare loop (<= 1.15), {faster_than_loader:.2f} times as fast as d2l's (>= 1.5)"
    )


def test_main_prints_both_ratios(bench, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["bench_train.py", "1"])
    bench["main"]()
    out = capsys.readouterr().out
    assert "train_ch7 takes" in out
    assert "times as fast (>= 1.5)" in out
