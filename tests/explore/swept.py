"""Sweeps made up for the tests of the figures of many runs: quick to make, with noise, divergence and explosions."""

import numpy as np

from d2l_utils import Sweep
from d2l_utils._grid import grid_size


def make_sweep(name="rmsprop", grid=None, seeds=range(10), records=31, chance=0, lost=True, dtype=np.float32):
    """A sweep whose loss falls from 0.5 the faster the higher its settings, until the highest ones diverge."""
    grid = {"lr": [10.0 ** (k / 2) for k in range(-6, 1)], "gamma": [0.0, 0.5, 0.9, 0.99]} if grid is None else grid
    draw = np.random.default_rng(chance)
    size, seeds = grid_size(grid), tuple(seeds)
    shape = [len(values) for values in grid.values()]
    place = np.array(list(np.ndindex(*shape))) / np.maximum(1, np.array(shape) - 1)
    speed = 10 ** (2 * place.mean(axis=1) - 1)
    epochs = np.linspace(0, 2, records)
    rough = 0.002 + 0.02 * place.mean(axis=1) ** 4
    curves = 0.24 + 0.26 * np.exp(-np.outer(speed, epochs))
    noise = rough[:, None, None] * draw.normal(size=(size, len(seeds), records)).clip(-3, 3)
    noise[:, :, 0] = 0
    losses = curves[:, None, :] + noise + 0.01 * draw.random((1, len(seeds), 1))
    if lost and size > 4:
        losses[-1, :, records // 3 :] = np.nan
        losses[-2, -1, records // 2 :] = np.nan
        losses[-3] = losses[-3] * np.exp(12 * epochs)
    losses = losses.reshape(-1, records).astype(dtype)
    return Sweep(name, grid, seeds, 10, 2, epochs, losses)
