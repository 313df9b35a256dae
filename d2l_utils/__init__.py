"""Helpers of the book: ``import d2l_utils as d2l``."""

from matplotlib import pyplot as plt

from d2l_utils.classify import ClassifierRecord, evaluate_classifier, train_classifier
from d2l_utils.data import Classification, data_file, get_data_ch7, get_mnist1d
from d2l_utils.explore import explore_2d, explore_runs, explore_schedule
from d2l_utils.plot import DASHES, HOUSE_STYLE, MARKERS, PALETTE, STYLES, set_figsize, use_svg_display
from d2l_utils.plot_sweep import plot_map, plot_runs
from d2l_utils.results import Sweep
from d2l_utils.runs import Runs, RunsFailedError, map_runs
from d2l_utils.sweep import sweep, sweep_pytorch
from d2l_utils.trace import show_trace_2d, train_2d
from d2l_utils.train import Record, linreg, squared_loss, train_ch7, train_pytorch_ch7

__version__ = "0.1.0"

__all__ = [
    "DASHES",
    "HOUSE_STYLE",
    "MARKERS",
    "PALETTE",
    "STYLES",
    "Classification",
    "ClassifierRecord",
    "Record",
    "Runs",
    "RunsFailedError",
    "Sweep",
    "data_file",
    "evaluate_classifier",
    "explore_2d",
    "explore_runs",
    "explore_schedule",
    "get_data_ch7",
    "get_mnist1d",
    "linreg",
    "map_runs",
    "plot_map",
    "plot_runs",
    "plt",
    "set_figsize",
    "show_trace_2d",
    "squared_loss",
    "sweep",
    "sweep_pytorch",
    "train_2d",
    "train_ch7",
    "train_classifier",
    "train_pytorch_ch7",
    "use_svg_display",
]
