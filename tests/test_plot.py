"""House style: readable by everyone, set on request, without side effects."""

import itertools

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

import d2l_utils as d2l
from d2l_utils.plot import new_axes


def test_set_figsize_turns_on_the_house_style():
    d2l.set_figsize((7, 2))
    assert plt.rcParams["figure.figsize"] == [7, 2]
    for name in set(d2l.HOUSE_STYLE) - {"figure.figsize", "axes.prop_cycle"}:
        assert plt.rcParams[name] == mpl.RcParams({name: d2l.HOUSE_STYLE[name]})[name], name
    _, ax = plt.subplots()
    lines = [ax.plot([0, 1])[0] for _ in d2l.PALETTE]
    assert [line.get_color() for line in lines] == list(d2l.PALETTE)


def test_set_figsize_has_a_default():
    d2l.set_figsize()
    assert plt.rcParams["figure.figsize"] == [4.5, 3.0]


@pytest.mark.parametrize("figsize", [(0, 3), (3, -1), (float("nan"), 3)])
def test_set_figsize_rejects_empty_figures(figsize):
    before = dict(plt.rcParams)
    with pytest.raises(ValueError, match=r"figsize must be two positive lengths in inches, got \("):
        d2l.set_figsize(figsize)
    assert dict(plt.rcParams) == before


def test_new_axes_has_the_style_and_leaves_the_session_alone():
    before = dict(plt.rcParams)
    ax = new_axes((5, 2))
    assert dict(plt.rcParams) == before
    assert tuple(ax.figure.get_size_inches()) == (5, 2)
    assert not ax.spines["top"].get_visible()


def luminance(color):
    """Relative luminance of WCAG 2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_neighbouring_colours_differ_in_lightness_too():
    for a, b in itertools.pairwise(d2l.PALETTE):
        light, dark = sorted((luminance(a), luminance(b)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) > 1.1, (a, b)


def test_no_two_curves_share_colour_marker_or_dash():
    for key in ("color", "marker", "linestyle"):
        assert len({style[key] for style in d2l.STYLES}) == len(d2l.STYLES) == 7


def test_every_style_draws():
    _, ax = plt.subplots()
    for i, style in enumerate(d2l.STYLES):
        ax.plot([0, 1], [i, i], **style)
    ax.figure.canvas.draw()
    assert len(ax.lines) == 7


def test_same_figure_gives_the_same_svg(tmp_path):
    files = []
    d2l.set_figsize()
    for name in ("a.svg", "b.svg"):
        ax = d2l.show_trace_2d(lambda x1, x2: x1**2 + x2**2, [(-5, -2), (0, 0)])
        ax.figure.savefig(tmp_path / name, metadata={"Date": None})
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
