"""A sweep as a table: its rows, its file, its choices."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import d2l_utils as d2l
from d2l_utils._grid import as_grid, settings_of

ROOT = Path(__file__).resolve().parents[1]


def table(final, grid, seeds=(0, 1), name="rule"):
    """A sweep with these final losses, one row a setting; None for a diverged run."""
    losses = np.full((np.size(final), 3), 0.5)
    losses[:, -1] = np.array(final, dtype=float).reshape(-1)
    return d2l.Sweep(name, grid, tuple(seeds), 10, 2, np.array([0.0, 1.0, 2.0]), losses)


@pytest.fixture
def swept():
    final = [[0.30, 0.32], [0.25, 0.27], [0.28, 0.26], [None, 0.4], [0.2, None], [None, None]]
    return table(final, {"lr": [0.1, 0.2, 0.3], "gamma": [0.5, 0.9], "eps": [1e-8]})


def test_frame_has_one_row_a_run(swept):
    frame = swept.to_frame()
    assert list(frame) == ["lr", "gamma", "eps", "seed", "final_loss", "diverged"]
    assert len(frame) == len(swept) == 12
    assert frame.iloc[3].to_dict() == {
        "lr": 0.1, "gamma": 0.9, "eps": 1e-8, "seed": 1, "final_loss": 0.27, "diverged": False,
    }  # fmt: skip
    assert frame.diverged.sum() == 4
    assert np.isinf(frame.final_loss[frame.diverged]).all()
    assert frame.groupby("lr").final_loss.min().to_dict() == {0.1: 0.25, 0.2: 0.26, 0.3: 0.2}


def test_frame_without_pandas_says_what_to_do(swept, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        swept.to_frame()


def test_best_setting_has_no_diverged_run(swept):
    assert swept.best().settings == [{"lr": 0.1, "gamma": 0.9, "eps": 1e-8}]
    assert swept.best().final_loss.tolist() == [0.25, 0.27]
    with pytest.raises(ValueError, match="no setting of rule is without a diverged run"):
        swept.select(lr=0.3).best()


def test_within_noise_is_one_standard_deviation_of_the_best_setting(swept):
    assert swept.mean_final_loss[:3] == pytest.approx([0.31, 0.26, 0.27])  # the noise is 0.0141
    assert swept.within_noise().tolist() == [False, True, True, False, False, False]
    assert not swept.select(lr=0.3).within_noise().any()
    assert table([0.3, 0.2], {"lr": [1, 2]}, seeds=[0]).within_noise().tolist() == [False, True]


def test_select(swept):
    part = swept.select(lr=[0.3, 0.1], gamma=0.9)
    assert part.settings == [{"lr": lr, "gamma": 0.9, "eps": 1e-8} for lr in (0.3, 0.1)]
    np.testing.assert_array_equal(part.losses, swept.losses[[10, 11, 2, 3]])
    assert part.varied == ["lr"]
    assert swept.select(lr=np.array([0.3, 0.1]), gamma=(0.9,)).settings == part.settings
    with pytest.raises(ValueError, match="unknown hyperparameter 'eta': the grid has lr, gamma, eps"):
        swept.select(eta=0.1)
    with pytest.raises(ValueError, match=r"lr must be one of \[0.1, 0.2, 0.3\], got 0.4"):
        swept.select(lr=0.4)


def test_says_what_it_is(swept):
    assert repr(swept) == "<Sweep of rule: 3 lr × 2 gamma × 2 seeds = 12 runs, 4 diverged>"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_file_gives_back_the_same_sweep(tmp_path, swept, dtype):
    grid = {"lr": [1 / 3, 1e-300], "betas": [(0.9, 0.999), (0.0, 0.5)], "nesterov": [True], "eps": [None, "none", 1]}
    losses = np.random.default_rng(0).random((12, 3)).astype(dtype)
    before = d2l.Sweep("adam", grid, (7,), 10, 2, np.array([0, 1 / 3, 2]), losses)
    path = before.save(tmp_path / "sweep.npz", command="python make.py")
    after = d2l.Sweep.load(path)
    assert (after.name, after.grid, after.seeds, after.settings) == ("adam", grid, (7,), before.settings)
    assert after.losses.dtype == dtype
    np.testing.assert_array_equal(after.losses, losses)
    np.testing.assert_array_equal(after.epochs, before.epochs)
    assert after.made_with["command"] == "python make.py"
    assert after.made_with["torch"] == torch.__version__
    first = path.read_bytes()
    before.save(path, command="python make.py")
    assert path.read_bytes() == first  # no date inside: the same sweep is the same file
    swept.save(path)
    np.testing.assert_array_equal(d2l.Sweep.load(path).diverged, swept.diverged)


def test_file_is_compact(tmp_path):
    runs, records = 6250, 31
    losses = np.random.default_rng(0).random((runs, records)).astype(np.float32)
    grid = {"lr": list(range(25)), "gamma": list(range(25))}
    swept = d2l.Sweep("rule", grid, tuple(range(10)), 10, 2, np.arange(31.0), losses)
    assert swept.save(tmp_path / "sweep.npz").stat().st_size < 4.1 * runs * records  # 4 bytes a loss


def test_file_names_the_command_line(tmp_path):
    script = tmp_path / "make.py"
    script.write_text(
        "import sys, numpy as np, d2l_utils as d2l\n"
        "d2l.Sweep('r', {}, (0,), 1, 1, np.zeros(1), np.zeros((1, 1))).save(sys.argv[2])\n"
    )
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy; sys.argv = ['make.py', 'a b', 'x.npz']; "
    subprocess.run([sys.executable, "-c", code + "runpy.run_path('make.py')"], cwd=tmp_path, check=True)
    assert d2l.Sweep.load(tmp_path / "x.npz").made_with["command"] == "python make.py 'a b' x.npz"


def test_files_that_cannot_be(tmp_path, swept):
    with pytest.raises(ValueError, match=r"path must end in \.npz, got 'sweep\.csv'"):
        swept.save(tmp_path / "sweep.csv")
    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ValueError, match=r"is not a file of Sweep\.save"):
        d2l.Sweep.load(tmp_path / "other.npz")
    with pytest.raises(TypeError, match="a hyperparameter cannot be written"):
        table([1, 2], {"schedule": [print]}).save(tmp_path / "sweep.npz")
    path = swept.save(tmp_path / "sweep.npz")
    with np.load(path) as file:
        parts = dict(file)
    np.savez(path, **parts | {"losses": parts["losses"][1:]})
    with pytest.raises(ValueError, match="is damaged"):
        d2l.Sweep.load(path)
    np.savez(path, **parts | {"about": np.array(json.loads, dtype=object)})
    with pytest.raises(ValueError, match="pickle"):  # nothing in a file is ever run
        d2l.Sweep.load(path)


def test_read_sweep_can_be_checked_run_by_run(tmp_path, airfoil):
    """What a page with a committed file does: recompute a few of its runs."""

    def sgd(params, states, hyperparams):  # noqa: ARG001
        for p in params:
            p.data -= hyperparams["lr"] * p.grad

    path = d2l.sweep(sgd, None, {"lr": np.logspace(-3, -1, 5)}, *airfoil, seeds=3).save(tmp_path / "sgd.npz")
    swept = d2l.Sweep.load(path)
    for row in np.random.default_rng(0).choice(len(swept), 3, replace=False):
        setting, seed = swept.settings[row // 3], swept.seeds[row % 3]
        record = d2l.train_ch7(sgd, None, setting, *airfoil, seed=seed, verbose=False)
        np.testing.assert_allclose(swept.losses[row], record.losses, rtol=1e-6)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.1, [0.1]), ([0.1], [0.1]), ((1, 2), [1, 2]), (range(2), [0, 1]), (np.array([0.5, 1.0]), [0.5, 1.0]),
        (np.float64(2), [2.0]), (torch.tensor([1.0, 2.0]), [1.0, 2.0]), (torch.tensor(3), [3]), ("cos", ["cos"]),
        (None, [None]), (iter([1, 2]), [1, 2]),
    ],
)  # fmt: skip
def test_what_counts_as_a_sequence(value, expected):
    assert as_grid({"lr": value}) == {"lr": expected}


def test_betas_are_one_value():
    pair = (0.9, 0.999)
    assert as_grid({"betas": pair}) == as_grid({"betas": [pair]}) == {"betas": [pair]}
    assert as_grid({"betas": [[0.9, 0.99], [0.8, 0.9]]}) == {"betas": [(0.9, 0.99), (0.8, 0.9)]}
    assert settings_of({}) == [{}]
