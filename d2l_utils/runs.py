"""Many runs of any function: one after another, on all cores, or on a cluster."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from d2l_utils._grid import as_grid, settings_of
from d2l_utils._progress import progress
from d2l_utils.results import describe, import_pandas, made_with

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

Setting = dict[str, Any]
_NUM_NAMED = 5  # failed runs that an error message names


@dataclass(frozen=True, eq=False)
class Runs:
    """What :func:`map_runs` leaves behind: settings and, in the same order, what the function returned for each.

    Attributes
    ----------
    name : str
        Of the function.
    settings : list of dict
    values : list
        None where a run has not finished.
    failed : dict
        The index of each run that failed, with what it raised.
    """

    name: str
    settings: list[Setting]
    values: list[Any]
    failed: dict[int, BaseException] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.settings)

    def to_frame(self) -> pd.DataFrame:
        """One row a run: its setting and what the function returned (its entries, if a mapping; else ``value``)."""
        named = (value if isinstance(value, Mapping) else {"value": value} for value in self.values)
        return import_pandas().DataFrame(
            [setting | dict(value) for setting, value in zip(self.settings, named, strict=True)]
        )


class RunsFailedError(RuntimeError):
    """Some runs failed; ``runs`` holds those that finished."""

    def __init__(self, message: str, runs: Runs) -> None:
        super().__init__(message)
        self.runs = runs


def map_runs(
    fn: Callable[..., Any],
    grid: Mapping[str, Any] | Iterable[Mapping[str, Any]],
    *,
    executor: Executor | None = None,
    results: str | Path | None = None,
) -> Runs:
    """Call ``fn(**setting)`` for every setting of a grid.

    For what :func:`~d2l_utils.sweep` cannot do in one pass: networks of different shape, schedules with a loop of their
    own. A run that fails does not keep the others from finishing.

    Parameters
    ----------
    fn : callable
        With an executor of processes it must be a function of a module; Dask also takes those of a notebook.
    grid : mapping or iterable of mapping
        Hyperparameters, of which each may be a sequence (the runs are their product), or the settings one by one.
    executor : concurrent.futures.Executor, optional
        For example ``ProcessPoolExecutor()`` or, with Dask, ``distributed.Client(...).get_executor()``. It stays open.
        Without one, the runs go one after another in this process.
    results : str or Path, optional
        A file of JSON lines, to which each run is added when it finishes, after a line with the command and versions.
        Runs that it holds already are not run again: so a broken series is resumed. The values must be numbers,
        strings, lists, mappings, arrays or tensors (these come back as lists).

    Returns
    -------
    Runs

    Raises
    ------
    ValueError
        Before anything runs: if the grid is empty, or ``results`` belongs to another function.
    RunsFailedError
        When all others have finished: a run raised, or its worker died. Names their settings, and has the rest in
        ``runs``.

    Examples
    --------
    >>> map_runs(pow, [{"base": 2, "exp": 5}, {"base": 3, "exp": 2}]).values
    [32, 9]
    """
    settings = settings_of(as_grid(grid)) if isinstance(grid, Mapping) else [dict(setting) for setting in grid]
    if not settings:
        raise ValueError("grid is empty: there are no runs")
    if not callable(fn):
        raise TypeError(f"fn must be a function, got {fn!r}")
    name = str(getattr(fn, "__qualname__", type(fn).__name__))
    file = None if results is None else _ResultFile(Path(results), name)
    finished = {} if file is None else file.read()
    keys = [str(i) for i in range(len(settings))] if file is None else [_key(setting) for setting in settings]
    runs = Runs(name, settings, [finished.get(key) for key in keys])
    todo = [i for i, key in enumerate(keys) if key not in finished]
    not_started = set(todo)

    with progress(len(todo), f"{name}, {len(settings)} runs") as bar:
        for i, future in _completed(fn, settings, todo, executor or _Here()):
            not_started.discard(i)
            error = future.exception()
            if error is None:
                runs.values[i] = future.result() if file is None else file.add(settings[i], future.result())
            else:
                runs.failed[i] = error
            bar.update()
    if runs.failed:
        raise RunsFailedError(_report(runs, len(not_started)), runs) from next(iter(runs.failed.values()))
    return runs


def _completed(
    fn: Callable[..., Any], settings: list[Setting], todo: list[int], executor: Executor
) -> Iterable[tuple[int, Future[Any]]]:
    """Yield each run when it is done; stop when the executor is broken.

    A pool is never given more runs than it has workers: should a worker die, those in it are all that can be to blame.
    """
    at_once = getattr(executor, "_max_workers", None) or len(todo)
    waiting = iter(todo)
    running: dict[Future[Any], int] = {}
    broken = False
    try:
        while True:
            while not broken and len(running) < at_once and (i := next(waiting, None)) is not None:
                running[_submit(executor, fn, settings[i])] = i
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                broken = broken or isinstance(future.exception(), BrokenExecutor)
                yield running.pop(future), future
    finally:
        for future in running:
            future.cancel()


def _submit(executor: Executor, fn: Callable[..., Any], setting: Setting) -> Future[Any]:
    try:
        return executor.submit(_call, fn, setting)
    except BrokenExecutor as error:
        future: Future[Any] = Future()
        future.set_exception(error)
        return future


def _call(fn: Callable[..., Any], setting: Setting) -> Any:
    # Executors have keywords of their own, which a hyperparameter might be called like.
    return fn(**setting)


class _Here(Executor):
    """Runs each call at once, in this process."""

    _max_workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # reported with the setting
            future.set_exception(error)
        return future


def _report(runs: Runs, num_not_started: int) -> str:
    lines = [f"{len(runs.failed)} of {len(runs)} runs of {runs.name} failed:"]
    failed = sorted(runs.failed.items())
    lines += [f"  {describe(runs.settings[i])}: {type(error).__name__}: {error}" for i, error in failed[:_NUM_NAMED]]
    if len(failed) > _NUM_NAMED:
        lines.append(f"  and {len(failed) - _NUM_NAMED} more")
    if any(isinstance(error, BrokenExecutor) for _, error in failed):
        lines.append(
            f"A worker died in one of them, and {num_not_started} were not started: resume with a new executor."
        )
    return "\n".join([*lines, "The runs that finished are in .runs of this error."])


class _ResultFile:
    """JSON lines, the first about the file, the others one a run; a last line cut short by a crash does not count."""

    def __init__(self, path: Path, name: str) -> None:
        self.path, self.name = path, name

    def read(self) -> dict[str, Any]:
        """Return the values of the finished runs by key; a new file gets its first line."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            self._append({"function": self.name, "made_with": made_with()})
            return {}
        text = self.path.read_text(encoding="utf-8")
        complete, _, cut = text.rpartition("\n")
        if cut:
            warnings.warn(f"{self.path}: the last line is incomplete; that run is made again", stacklevel=4)
            with self.path.open("r+b") as file:
                file.truncate(len((complete + "\n").encode()) if complete else 0)
            return self.read()
        try:
            about, *rows = map(json.loads, complete.split("\n"))
            name, finished = about["function"], {_key(row["setting"]): row["value"] for row in rows}
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{self.path} is not a result file of map_runs") from None
        if name != self.name:
            raise ValueError(f"{self.path} holds runs of {name}, not of {self.name}: choose another file")
        return finished

    def add(self, setting: Setting, value: Any) -> Any:
        """Write a finished run and return its value as it will be read."""
        return self._append({"setting": setting, "value": value})["value"]

    def _append(self, row: Mapping[str, Any]) -> Any:
        line = json.dumps(row, default=_plain)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        return json.loads(line)


def _key(setting: Setting) -> str:
    return json.dumps(setting, default=_plain, sort_keys=True)


def _plain(value: Any) -> Any:
    """Give JSON what it does not know: arrays and tensors as lists, functions and classes by their name."""
    if isinstance(value, torch.Tensor):
        return value.detach().tolist()
    if hasattr(value, "tolist"):
        return value.tolist()
    if callable(value) and "<" not in (name := getattr(value, "__qualname__", "<")):
        return f"{value.__module__}.{name}"
    raise TypeError(f"{value!r} cannot be written to a result file")
