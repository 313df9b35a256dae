"""Helpers of the book: ``import d2l_utils as d2l``."""

from matplotlib import pyplot as plt

from d2l_utils.data import get_data_ch7
from d2l_utils.explore import explore_2d, explore_schedule
from d2l_utils.plot import DASHES, HOUSE_STYLE, MARKERS, PALETTE, STYLES, set_figsize, use_svg_display
from d2l_utils.trace import show_trace_2d, train_2d
from d2l_utils.train import Record, linreg, squared_loss, train_ch7, train_pytorch_ch7

__version__ = "0.1.0"

__all__ = [
    "DASHES",
    "HOUSE_STYLE",
    "MARKERS",
    "PALETTE",
    "STYLES",
    "Record",
    "explore_2d",
    "explore_schedule",
    "get_data_ch7",
    "linreg",
    "plt",
    "set_figsize",
    "show_trace_2d",
    "squared_loss",
    "train_2d",
    "train_ch7",
    "train_pytorch_ch7",
    "use_svg_display",
]
