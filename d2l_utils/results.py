"""What many runs leave behind, as one small table that fits in one small file."""

from __future__ import annotations

import builtins
import json
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from d2l_utils._grid import PAIRS, grid_size, grid_values, settings_of

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]


@dataclass(frozen=True, eq=False)
class Sweep:
    """Losses of every setting of a grid with every seed.

    Row ``i`` of ``losses`` is setting ``i // len(seeds)`` with seed ``i % len(seeds)``.

    Attributes
    ----------
    name : str
        Of the optimizer.
    grid : dict
        Every hyperparameter with the list of its values; the settings are their product.
    seeds : tuple of int
    batch_size, num_epochs : int
    epochs : ndarray, shape (records,)
        Where the losses were taken.
    losses : ndarray, shape (runs, records)
        As :class:`~d2l_utils.Record` has them; NaN from where a run diverged.
    made_with : dict
        The command and the versions that made a file; empty if the sweep was not read from one.
    """

    name: str
    grid: dict[str, list[Any]]
    seeds: tuple[int, ...]
    batch_size: int
    num_epochs: int
    epochs: np.ndarray[Any, np.dtype[np.float64]]
    losses: np.ndarray[Any, Any]
    made_with: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.losses)

    def __repr__(self) -> str:
        varied = " × ".join(f"{len(self.grid[name])} {name}" for name in self.varied) or "1 setting"
        diverged = f", {self.diverged.sum()} diverged" if self.diverged.any() else ""
        return f"<Sweep of {self.name}: {varied} × {len(self.seeds)} seeds = {len(self)} runs{diverged}>"

    @property
    def varied(self) -> list[str]:
        """Names of the hyperparameters with more than one value."""
        return [name for name, values in self.grid.items() if len(values) > 1]

    @property
    def settings(self) -> list[dict[str, Any]]:
        """Hyperparameters of each setting."""
        return settings_of(self.grid)

    @property
    def diverged(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether each run ended because its loss was no longer finite; shape (runs,)."""
        return np.asarray(np.isnan(self.losses[:, -1]))

    @property
    def final_loss(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """The last loss of each run, infinite after divergence; shape (runs,)."""
        return np.where(self.diverged, np.inf, self.losses[:, -1].astype(np.float64))

    @property
    def mean_final_loss(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Final loss of each setting, mean over the seeds; infinite if one of them diverged; shape (settings,)."""
        return np.asarray(self.final_loss.reshape(-1, len(self.seeds)).mean(axis=1))

    def select(self, **hyperparams: Any) -> Sweep:
        """Keep the settings with these hyperparameters, each a value of the grid or a sequence of its values.

        Raises
        ------
        ValueError
            If the grid has no such hyperparameter or value.
        """
        kept = {name: range(len(values)) for name, values in self.grid.items()}
        grid = dict(self.grid)
        for name, wanted in hyperparams.items():
            if name not in grid:
                raise ValueError(f"unknown hyperparameter {name!r}: the grid has {', '.join(self.grid)}")
            grid[name] = grid_values(name, wanted)
            for value in grid[name]:
                if value not in self.grid[name]:
                    raise ValueError(f"{name} must be one of {self.grid[name]}, got {value!r}")
            kept[name] = [self.grid[name].index(value) for value in grid[name]]  # type: ignore[assignment]
        losses = self.losses.reshape(*map(len, self.grid.values()), len(self.seeds), -1)
        for axis, indices in enumerate(kept.values()):
            losses = losses.take(list(indices), axis=axis)
        return replace(self, grid=grid, losses=losses.reshape(-1, losses.shape[-1]))

    def best(self) -> Sweep:
        """Keep the setting with the lowest final loss, mean over the seeds.

        Raises
        ------
        ValueError
            If every setting has a seed that diverged.
        """
        best = int(self.mean_final_loss.argmin())
        if not np.isfinite(self.mean_final_loss[best]):
            raise ValueError(f"no setting of {self.name} is without a diverged run")
        return self.select(**self.settings[best])

    def within_noise(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Tell which settings a single run would hardly tell from the best one; shape (settings,).

        Their mean final loss exceeds the best one by at most one standard deviation of the best setting's seeds.
        """
        mean = self.mean_final_loss
        if not np.isfinite(mean).any():
            return np.zeros(mean.shape, dtype=bool)
        of_best = self.final_loss.reshape(-1, len(self.seeds))[mean.argmin()]
        noise = of_best.std(ddof=1) if len(self.seeds) > 1 else 0.0
        return np.asarray(mean <= mean.min() + noise)

    def to_frame(self) -> pd.DataFrame:
        """One row a run: the hyperparameters, ``seed``, ``final_loss`` and ``diverged``.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = import_pandas()
        rows = [setting | {"seed": seed} for setting in self.settings for seed in self.seeds]
        return pandas.DataFrame(rows).assign(final_loss=self.final_loss, diverged=self.diverged)

    def save(self, path: str | Path, command: str | None = None) -> Path:
        """Write one compressed ``.npz`` file.

        Parameters
        ----------
        path : str or Path
            Must end in ``.npz``.
        command : str, optional
            What makes this file; by default the command line of the running program.

        Raises
        ------
        TypeError
            If a hyperparameter is not a number, a string, a bool or None.
        """
        path = _npz(path)
        about = {
            "name": self.name,
            "grid": self.grid,
            "seeds": self.seeds,
            "batch_size": self.batch_size,
            "num_epochs": self.num_epochs,
            "made_with": made_with(command),
        }
        try:
            text = json.dumps(about)
        except TypeError as error:
            raise TypeError(
                f"a hyperparameter cannot be written to {path.name}: {error}; the grid is {self.grid}"
            ) from None
        np.savez_compressed(path, about=np.array(text), epochs=self.epochs, losses=self.losses)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Sweep:
        """Read a file that :meth:`save` has written; nothing in it is run.

        Raises
        ------
        ValueError
            If the file is not one of these, or its table does not fit its grid.
        """
        with np.load(_npz(path), allow_pickle=False) as file:
            if not {"about", "epochs", "losses"} <= set(file.files):
                raise ValueError(f"{path} is not a file of Sweep.save: it holds {', '.join(file.files)}")
            about, epochs, losses = json.loads(str(file["about"])), file["epochs"], file["losses"]
        for name in set(PAIRS) & set(about["grid"]):
            about["grid"][name] = [tuple(pair) for pair in about["grid"][name]]
        about["seeds"] = tuple(about["seeds"])
        if losses.shape != (grid_size(about["grid"]) * len(about["seeds"]), len(epochs)):
            raise ValueError(f"{path} is damaged: losses of shape {losses.shape} do not fit its grid")
        return cls(epochs=epochs, losses=losses, **about)


def made_with(command: str | None = None) -> dict[str, str]:
    """Return the command that runs now and the versions that what it makes depends on."""
    from d2l_utils import __version__

    return {
        "command": _command_line() if command is None else command,
        "d2l_utils": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def import_pandas() -> Any:
    """Return pandas, or say how to get it."""
    try:
        import pandas as pd
    except ImportError:
        raise ImportError("to_frame() needs pandas: pip install pandas") from None
    return pd


def describe(setting: Mapping[str, Any], names: Sequence[str] | None = None) -> str:
    """Write a setting the way it is typed.

    >>> describe({"lr": 0.01, "gamma": 0.9})
    'lr=0.01, gamma=0.9'
    """
    return ", ".join(f"{name}={setting[name]!r}" for name in (setting if names is None else names))


def _command_line() -> str:
    program, *arguments = sys.argv or [""]
    if hasattr(builtins, "__IPYTHON__") or program in ("", "-c"):
        return "interactive"
    path = Path(program).resolve()  # relative to where it was started: other machines have other folders
    program = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
    return shlex.join(["python", program, *arguments])


def _npz(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(f"path must end in .npz, got {path.name!r}")
    return path
