"""The house style of every figure: a colour-blind safe palette in which no curve is told apart by colour alone."""

from __future__ import annotations

import sys
from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.axes import Axes

#: Okabe and Ito's colours (2008), ordered so that neighbours differ in lightness too; yellow is left out, as it
#: vanishes on white. The interactive figures use the same ones.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000", "#E69F00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1.5)), (0, (8, 2)), (0, (2, 2)))

#: One dict a curve, for ``ax.plot(x, y, **STYLES[i])``.
STYLES: tuple[dict[str, Any], ...] = tuple(
    {"color": color, "marker": marker, "linestyle": dash}
    for color, marker, dash in zip(PALETTE, MARKERS, DASHES, strict=True)
)

HOUSE_STYLE: dict[Any, Any] = {
    "figure.figsize": (4.5, 3.0),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 9.5,
    "axes.prop_cycle": cycler(color=PALETTE) + cycler(linestyle=DASHES),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d7dce1",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "d2l_utils",  # the same figure gives the same file
}


def use_svg_display() -> None:
    """Show figures as SVG in notebooks; elsewhere it changes nothing."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return  # without a shell the next call would make one, and put its own module in the place of `__main__`
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg")  # type: ignore[no-untyped-call]


def set_figsize(figsize: tuple[float, float] = (4.5, 3.0)) -> None:
    """Turn on the house style for this session, with the given figure size.

    Parameters
    ----------
    figsize : (float, float)
        Width and height in inches, both above 0.

    Raises
    ------
    ValueError
        If a side is not above 0.
    """
    width, height = figsize
    if not (width > 0 and height > 0):
        raise ValueError(f"figsize must be two positive lengths in inches, got {figsize!r}")
    use_svg_display()
    plt.rcParams.update(HOUSE_STYLE | {"figure.figsize": (width, height)})


def new_axes(figsize: tuple[float, float]) -> Axes:
    """Return the axes of a new figure in the house style, which stays as it is for other figures."""
    with plt.rc_context(HOUSE_STYLE | {"figure.figsize": figsize}):
        _, ax = plt.subplots()
    return ax
