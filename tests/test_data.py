"""The airfoil data: the figures themselves, and that they are found wherever the package is."""

import csv
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import d2l_utils as d2l
from d2l_utils import data

REPOSITORY = Path(__file__).resolve().parents[1]
CSV = REPOSITORY / "data" / "airfoil_self_noise.csv"


@pytest.fixture(scope="module")
def rows():
    """The 1503 rows as the csv module reads them, free of the loader under test."""
    with CSV.open(newline="") as file:
        return [[float(x) for x in row] for row in csv.reader(file)]


def test_file_holds_the_published_table(rows):
    assert len(rows) == 1503
    assert rows[0] == [800, 0, 0.3048, 71.3, 0.00266337, 126.201]
    means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    published = [2886.38057, 6.78230206, 0.136548237, 50.8607452, 0.0111398804, 124.835943]
    assert means == pytest.approx(published, rel=1e-8)


def test_shapes_and_dtypes(airfoil):
    features, labels = airfoil
    assert features.shape == (1500, 5)
    assert labels.shape == (1500,)
    assert features.dtype == labels.dtype == torch.float32
    assert features.is_contiguous()
    assert labels.is_contiguous()
    assert not features.requires_grad


def test_values_are_z_scores_over_all_rows(airfoil, rows):
    features, labels = airfoil
    for j, column in enumerate(zip(*rows, strict=True)):
        mean, std = statistics.fmean(column), statistics.pstdev(column)
        expected = [(x - mean) / std for x in column[:1500]]
        ours = labels if j == 5 else features[:, j]
        np.testing.assert_allclose(ours, expected, rtol=0, atol=3e-7)


def test_every_call_gives_fresh_tensors(airfoil):
    features, labels = d2l.get_data_ch7()
    features.zero_()
    labels.zero_()
    again = d2l.get_data_ch7()
    assert torch.equal(again[0], airfoil[0])
    assert torch.equal(again[1], airfoil[1])


def test_least_squares_optimum_and_loss_at_zero(airfoil):
    X, y = (t.double() for t in airfoil)
    assert (y**2).mean().item() / 2 == pytest.approx(0.493259, abs=5e-7)
    design = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], dim=1)
    solution = torch.linalg.lstsq(design, y[:, None]).solution
    assert ((design @ solution - y[:, None]) ** 2).mean().item() / 2 == pytest.approx(0.241688, abs=5e-7)


def test_hessian_is_what_the_book_says(airfoil):
    X = airfoil[0].double()
    design = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], dim=1)
    eigenvalues = torch.linalg.eigvalsh(design.T @ design / len(X))
    assert eigenvalues[0].item() == pytest.approx(0.174, abs=5e-4)
    assert eigenvalues[-1].item() == pytest.approx(2.098, abs=5e-4)
    assert (eigenvalues[-1] / eigenvalues[0]).item() == pytest.approx(12.08, abs=5e-3)
    assert math.isclose(2 / eigenvalues[-1].item(), 0.953, abs_tol=5e-4)


def test_found_from_any_working_directory(airfoil, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert torch.equal(d2l.get_data_ch7()[0], airfoil[0])


def test_missing_file_says_where_it_looked_and_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "_PACKAGE", tmp_path / "d2l_utils")
    with pytest.raises(FileNotFoundError, match=r"git checkout -- data/airfoil_self_noise\.csv") as error:
        d2l.get_data_ch7()
    assert str(tmp_path / "data" / "airfoil_self_noise.csv") in str(error.value)
    assert str(tmp_path / "d2l_utils" / "_data" / "airfoil_self_noise.csv") in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.replace(b"126.201", b"126.202", 1),
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content + b"\n",
        lambda content: b"",  # noqa: ARG005
    ],
    ids=["digit", "line-endings", "extra-line", "empty"],
)
def test_changed_file_is_refused_and_says_what_to_do(tmp_path, monkeypatch, change):
    path = tmp_path / "data" / CSV.name
    path.parent.mkdir()
    path.write_bytes(change(CSV.read_bytes()))
    monkeypatch.setattr(data, "_PACKAGE", tmp_path / "d2l_utils")
    with pytest.raises(ValueError, match=r"has changed: its sha256 is [0-9a-f]{64}, not .*git checkout") as error:
        d2l.get_data_ch7()
    assert str(path) in str(error.value)


def test_a_wheel_carries_the_data(airfoil, tmp_path):
    """Build the wheel from a copy of the repository, install it elsewhere, delete the copy, load the data."""
    source, target = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for name in ("d2l_utils", "data", "results"):
        shutil.copytree(REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(REPOSITORY / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    offline = ["--no-deps", "--no-index"]
    subprocess.run(
        [*pip, "install", *offline, "--no-build-isolation", "--target", target, source], check=True, cwd=tmp_path
    )
    shutil.rmtree(source)
    program = (
        "import d2l_utils, torch, sys\n"
        "features, labels = d2l_utils.get_data_ch7()\n"
        "torch.save((d2l_utils.__file__, features, labels), sys.argv[1])\n"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment |= {"PYTHONPATH": str(target), "MPLBACKEND": "Agg"}
    subprocess.run([sys.executable, "-c", program, tmp_path / "out.pt"], check=True, cwd=tmp_path, env=environment)
    imported_from, features, labels = torch.load(tmp_path / "out.pt")
    assert Path(imported_from).parent == target / "d2l_utils"
    assert torch.equal(features, airfoil[0])
    assert torch.equal(labels, airfoil[1])
    assert (target / "d2l_utils" / "py.typed").is_file()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("D2L_UTILS_CACHE", str(folder))
    return folder


def test_mnist1d_is_the_data_set_of_its_paper(cache):
    made = d2l.get_mnist1d()
    assert made.features.shape == (4000, 1, 40)
    assert made.test_features.shape == (1000, 1, 40)
    assert made.labels.shape == (4000,)
    assert made.test_labels.shape == (1000,)
    assert made.features.dtype == torch.float32
    assert made.labels.dtype == torch.int64
    assert torch.bincount(torch.cat([made.labels, made.test_labels])).tolist() == [500] * 10
    everything = torch.cat([made.features, made.test_features]).double()
    assert everything.mean().item() == pytest.approx(0, abs=1e-6)
    assert everything.std(correction=0).item() == pytest.approx(1, rel=1e-6)
    from mnist1d.data import get_dataset_args, make_dataset

    theirs = make_dataset(get_dataset_args())
    np.testing.assert_array_equal(made.features[:, 0], theirs["x"].astype(np.float32))
    np.testing.assert_array_equal(made.test_labels, theirs["y_test"])
    # From the cache the same, even where the package could not make it again.
    assert [path.name for path in cache.iterdir()] == ["mnist1d-42.npz"]
    assert torch.equal(d2l.get_mnist1d().features, made.features)


def test_mnist1d_leaves_random_states_alone_and_follows_its_seed(cache):
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state()  # noqa: NPY002
    made = d2l.get_mnist1d(7)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), before[2])
    for damage in (b"damaged", (cache / "mnist1d-7.npz").read_bytes()[:1000]):
        (cache / "mnist1d-7.npz").write_bytes(damage)
        assert torch.equal(d2l.get_mnist1d(7).features, made.features)
    assert not torch.equal(d2l.get_mnist1d(8).features, made.features)


@pytest.mark.usefixtures("cache")
def test_mnist1d_without_its_package_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    with pytest.raises(ModuleNotFoundError, match=r"get_mnist1d needs the package mnist1d.*: pip install mnist1d"):
        d2l.get_mnist1d(7)


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("seed", "error"), [(0.5, TypeError), (True, TypeError), (-1, ValueError), (2**32, ValueError)]
)
def test_mnist1d_refuses_other_seeds(seed, error):
    with pytest.raises(error, match="seed must be"):
        d2l.get_mnist1d(seed)


def test_mnist1d_works_where_nothing_can_be_written(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("D2L_UTILS_CACHE", str(blocked / "cache"))
    assert d2l.get_mnist1d(7).features.shape == (4000, 1, 40)
