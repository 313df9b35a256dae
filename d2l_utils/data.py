"""Data sets of the book. Nothing is downloaded: the files come with the package."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_PACKAGE = Path(__file__).resolve().parent
AIRFOIL_SHA256 = "edee1d3483abb29c7ffd57cf3db51650948ddd5bf51d749e1cc2e39a1e8cb019"
_NUM_KEPT = 1500  # d2l keeps 1500 of the 1503 rows, so that batches of 10 come out even


def data_file(name: str) -> Path:
    """Path of a data file: in the installed package, or in ``data/`` of the repository the package was imported from.

    Raises
    ------
    FileNotFoundError
        If it is in neither place.
    """
    candidates = (_PACKAGE / "_data" / name, _PACKAGE.parent / "data" / name)
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"{name} is missing; looked at {' and '.join(map(str, candidates))}. "
        f"In a clone of the book run `git checkout -- data/{name}`; otherwise install the package again."
    )


def get_data_ch7() -> tuple[Tensor, Tensor]:
    """NASA's airfoil self-noise measurements as a regression problem.

    Five features (frequency, angle of attack, chord length, free-stream velocity, displacement thickness) and the sound
    pressure level, each shifted and scaled to mean 0 and standard deviation 1 over all 1503 rows.

    Returns
    -------
    features : Tensor, shape (1500, 5), float32
        The first 1500 rows.
    labels : Tensor, shape (1500,), float32

    Raises
    ------
    FileNotFoundError
        If the data file is missing.
    ValueError
        If it is not the file the book was written with.

    References
    ----------
    Brooks, Pope and Marcolini, *Airfoil self-noise and prediction*, NASA RP-1218, 1989.
    UCI Machine Learning Repository.
    """
    path = data_file("airfoil_self_noise.csv")
    content = path.read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != AIRFOIL_SHA256:
        raise ValueError(
            f"{path} has changed: its sha256 is {checksum}, not {AIRFOIL_SHA256}. In a clone of the book run "
            f"`git checkout -- data/{path.name}` (line endings count, too); otherwise install the package again."
        )
    table = np.loadtxt(content.decode("ascii").splitlines(), delimiter=",")
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    kept = torch.tensor(table[:_NUM_KEPT], dtype=torch.float32)
    return kept[:, :-1].contiguous(), kept[:, -1].contiguous()
