"""map_runs: any executor, failures with their setting, resumed from the file of results."""

import json
import math
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_all_start_methods, get_context

import distributed
import numpy as np
import pytest
import torch

import d2l_utils as d2l

# At the top of a module, so that other processes find them.


def power(base, exponent):
    return {"value": base**exponent, "log": math.log(base)}


def fragile(x, calls=None):
    if calls is not None:
        with open(calls, "a") as file:  # noqa: PTH123
            file.write(f"{x}\n")
    if x == 3:
        raise ArithmeticError("three is not allowed")
    return x**2


def deadly(x):
    if x == 2:
        os._exit(1)
    return x**2


def processes(workers=2):
    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    context = get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["d2l_utils"])  # torch is imported once, not by every worker
    return ProcessPoolExecutor(workers, mp_context=context)


def test_grid_is_a_product_and_order_is_kept():
    runs = d2l.map_runs(power, {"base": [3, 2], "exponent": range(3)})
    assert [v["value"] for v in runs.values] == [1, 3, 9, 1, 2, 4]
    frame = runs.to_frame()
    assert list(frame) == ["base", "exponent", "value", "log"]
    assert frame.value.tolist() == [1, 3, 9, 1, 2, 4]


def test_settings_one_by_one():
    runs = d2l.map_runs(fragile, ({"x": x} for x in (1, 2)))
    assert runs.values == [1, 4]
    assert runs.to_frame().to_dict("list") == {"x": [1, 2], "value": [1, 4]}


@pytest.mark.parametrize("make", [processes, lambda: ThreadPoolExecutor(3)], ids=["processes", "threads"])
def test_executors(make):
    with make() as executor:
        runs = d2l.map_runs(power, {"base": [2, 3, 5], "exponent": [1, 2]}, executor=executor)
        assert runs.values == d2l.map_runs(power, {"base": [2, 3, 5], "exponent": [1, 2]}).values
        assert executor.submit(abs, -1).result() == 1  # it stays open


@pytest.fixture(scope="module")
def dask():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_dask_on_two_workers(dask):
    def local(x, workers):  # a function of a notebook, with a hyperparameter called like an option of Dask's
        return {"value": x * workers, "pid": os.getpid()}

    runs = d2l.map_runs(local, {"x": range(12), "workers": 3}, executor=dask.get_executor())
    assert [v["value"] for v in runs.values] == [3 * x for x in range(12)]
    assert os.getpid() not in {v["pid"] for v in runs.values}


def test_dask_failures_have_their_setting(dask):
    def local(x):
        if x == 3:
            raise ArithmeticError("three is not allowed")
        return x**2

    with pytest.raises(d2l.RunsFailedError, match="x=3: ArithmeticError: three is not allowed") as caught:
        d2l.map_runs(local, {"x": range(5)}, executor=dask.get_executor())
    assert caught.value.runs.values == [0, 1, 4, None, 16]


@pytest.mark.parametrize("make", [lambda: None, processes], ids=["here", "processes"])
def test_a_run_that_raises_is_named_and_the_others_finish(make):
    executor = make()
    with pytest.raises(d2l.RunsFailedError) as caught:
        d2l.map_runs(fragile, {"x": range(6)}, executor=executor)
    assert "1 of 6 runs of fragile failed:\n  x=3: ArithmeticError: three is not allowed" in str(caught.value)
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert caught.value.runs.values == [0, 1, 4, None, 16, 25]
    assert list(caught.value.runs.failed) == [3]
    if executor:
        executor.shutdown()


def test_a_dead_worker_is_reported_and_the_rest_resumed(tmp_path):
    file = tmp_path / "runs.jsonl"
    with processes(1) as executor, pytest.raises(d2l.RunsFailedError) as caught:
        d2l.map_runs(deadly, {"x": range(6)}, executor=executor, results=file)
    message = str(caught.value)
    assert "x=2: BrokenProcessPool" in message
    assert "3 were not started: resume with a new executor" in message
    assert caught.value.runs.values == [0, 1, None, None, None, None]
    with processes(1) as executor:
        runs = d2l.map_runs(deadly, {"x": [0, 1, 3, 4, 5]}, executor=executor, results=file)
    assert runs.values == [0, 1, 9, 16, 25]


def test_only_as_many_suspects_as_workers():
    with processes(2) as executor, pytest.raises(d2l.RunsFailedError) as caught:
        d2l.map_runs(deadly, {"x": [5] * 3 + [2] + [5] * 40}, executor=executor)
    assert 1 <= len(caught.value.runs.failed) <= 2
    assert 3 in caught.value.runs.failed


def test_finished_runs_are_not_run_again(tmp_path):
    calls, file = tmp_path / "calls", tmp_path / "runs.jsonl"
    grid = {"x": [1, 3, 2], "calls": str(calls)}
    for _ in range(2):
        with pytest.raises(d2l.RunsFailedError, match="x=3"):
            d2l.map_runs(fragile, grid, results=file)
    assert calls.read_text().split() == ["1", "3", "2", "3"]
    runs = d2l.map_runs(fragile, grid | {"x": [2, 4, 1]}, results=file)
    assert runs.values == [4, 16, 1]
    assert calls.read_text().split()[4:] == ["4"]
    about = json.loads(file.read_text().splitlines()[0])
    assert about["function"] == "fragile"
    assert about["made_with"]["torch"] == torch.__version__


def test_a_line_cut_short_is_made_again(tmp_path):
    file = tmp_path / "runs.jsonl"
    d2l.map_runs(fragile, {"x": [1, 2]}, results=file)
    whole = file.read_text()
    for cut in (3, len(whole.splitlines()[-1]) + 1 + 5):
        file.write_text(whole[:-cut])
        with pytest.warns(UserWarning, match="incomplete"):
            assert d2l.map_runs(fragile, {"x": [1, 2]}, results=file).values == [1, 4]
        assert file.read_text() == whole


def test_values_in_a_file_are_as_they_were(tmp_path):
    def awkward(x):
        return {"nan": math.nan, "inf": math.inf, "third": 1 / 3, "array": np.arange(2) * x, "tensor": torch.ones(2)}

    file = tmp_path / "runs.jsonl"
    for _ in range(2):  # as returned now, and as read
        (value,) = d2l.map_runs(awkward, {"x": 1.5}, results=file).values
        assert math.isnan(value.pop("nan"))
        assert value == {"inf": math.inf, "third": 1 / 3, "array": [0.0, 1.5], "tensor": [1.0, 1.0]}


def test_functions_in_a_setting_are_known_by_name(tmp_path):
    def call(schedule):
        return schedule(4)

    file = tmp_path / "runs.jsonl"
    assert d2l.map_runs(call, {"schedule": [math.sqrt, math.cos]}, results=file).values == [2, math.cos(4)]
    assert d2l.map_runs(call, {"schedule": math.cos}, results=file).values == [math.cos(4)]
    assert len(file.read_text().splitlines()) == 3
    with pytest.raises(TypeError, match="cannot be written to a result file"):
        d2l.map_runs(call, {"schedule": [lambda t: t]}, results=file)


def test_errors_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match="grid is empty"):
        d2l.map_runs(fragile, [])
    with pytest.raises(ValueError, match="x is empty"):
        d2l.map_runs(fragile, {"x": []})
    with pytest.raises(TypeError, match="fn must be a function, got 3"):
        d2l.map_runs(3, {"x": 1})
    file = tmp_path / "runs.jsonl"
    d2l.map_runs(fragile, {"x": 1}, results=file)
    with pytest.raises(ValueError, match="holds runs of fragile, not of deadly"):
        d2l.map_runs(deadly, {"x": 1}, results=file)
    (tmp_path / "other").write_text("hello\n")
    with pytest.raises(ValueError, match="is not a result file"):
        d2l.map_runs(fragile, {"x": 1}, results=tmp_path / "other")
    assert (tmp_path / "other").read_text() == "hello\n"
