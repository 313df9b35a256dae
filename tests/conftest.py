"""What every test shares: no window opens, no figure is left over, chance is fixed."""

import random

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import settings

matplotlib.use("Agg")

from matplotlib import pyplot as plt

import d2l_utils as d2l

pytest_plugins = ["built_book"]

# The same examples on every run, and no limit of time for one of them: the first call of an optimizer takes seconds.
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")


@pytest.fixture(autouse=True)
def _clean_figures_and_style():
    with matplotlib.rc_context():
        yield
    plt.close("all")


@pytest.fixture(autouse=True)
def _fixed_random_state():
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, code under test may use the global state
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def airfoil():
    """Features (1500, 5) and labels (1500,); tests must not change them."""
    return d2l.get_data_ch7()
