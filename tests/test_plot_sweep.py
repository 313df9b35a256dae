"""Maps and curves show what the sweep holds."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PatchCollection, PolyCollection, QuadMesh
from test_results import table

import d2l_utils as d2l
from d2l_utils.plot_sweep import _outline


def of(ax, kind):
    return [artist for artist in ax.collections if isinstance(artist, kind)]


@pytest.fixture
def swept():
    """Final loss 0.2 at lr 0.1, gamma 0.9; diverged at lr 1, gamma 0.5; the other cells far apart."""
    means = {
        (0.01, 0.5): 0.31,
        (0.01, 0.9): 0.27,
        (0.1, 0.5): 0.205,
        (0.1, 0.9): 0.2,
        (1.0, 0.5): None,
        (1.0, 0.9): 0.4,
    }
    final = [[None, 0.3] if mean is None else [mean - 0.01, mean + 0.01] for mean in means.values()]
    return table(final, {"lr": [0.01, 0.1, 1.0], "gamma": [0.5, 0.9]})


def test_cells_are_mean_final_losses(swept):
    ax = d2l.plot_map(swept)
    (mesh,) = of(ax, QuadMesh)
    shown = mesh.get_array()
    assert shown.shape == (2, 3)  # gamma upwards, lr to the right
    np.testing.assert_allclose(shown[1], [0.27, 0.2, 0.4])
    np.testing.assert_allclose(shown[0, :2], [0.31, 0.205])
    assert shown.mask.tolist() == [[False, False, True], [False, False, False]]
    assert mesh.norm.vmin == pytest.approx(0.2)
    assert mesh.norm.vmax == pytest.approx(0.5)  # the loss before training
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "linear")
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title()) == ("learning rate η", "decay γ", "rule")
    np.testing.assert_allclose(ax.get_xlim(), [0.1**2.5, 10**0.5])


def test_diverged_cells_are_hatched(swept):
    ax = d2l.plot_map(swept)
    (hatched,) = of(ax, PatchCollection)
    assert hatched.get_hatch()
    (box,) = hatched.get_paths()
    np.testing.assert_allclose(box.vertices.min(axis=0), [10**-0.5, 0.3])
    assert not of(d2l.plot_map(swept.select(lr=[0.01, 0.1])), PatchCollection)


def test_star_and_outline_mark_the_best_and_its_equals(swept):
    ax = d2l.plot_map(swept)
    (star,) = (line for line in ax.lines if line.get_marker() == "*")
    np.testing.assert_allclose(star.get_xydata(), [[0.1, 0.9]])
    halo, outline = of(ax, LineCollection)
    corners = np.concatenate(outline.get_segments())  # around lr 0.1 with both gammas
    np.testing.assert_allclose(corners.min(axis=0), [10**-1.5, 0.3])
    np.testing.assert_allclose(corners.max(axis=0), [10**-0.5, 1.1])
    assert len(outline.get_segments()) == len(halo.get_segments()) == 6


def test_outline_has_a_segment_for_every_border():
    rng = np.random.default_rng(0)
    cells = rng.random((5, 7)) < 0.5
    padded = np.pad(cells, 1)
    borders = (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()
    segments = _outline(np.arange(8.0), np.arange(6.0), cells)
    assert len(segments) == borders
    for (x1, y1), (x2, y2) in segments:
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        before, after = ((x, y - 0.5), (x, y + 0.5)) if y1 == y2 else ((x - 0.5, y), (x + 0.5, y))
        inside = [padded[int(np.floor(b)) + 1, int(np.floor(a)) + 1] for a, b in (before, after)]
        assert inside[0] != inside[1]


def test_axes_can_be_swapped_and_values_unsorted(swept):
    ax = d2l.plot_map(swept.select(lr=[1.0, 0.01, 0.1]), x="gamma")
    (mesh,) = of(ax, QuadMesh)
    np.testing.assert_allclose(mesh.get_array()[:, 1], [0.27, 0.2, 0.4])
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")


def test_unevenly_spaced_and_other_values_get_one_step_each():
    final = np.linspace(0.2, 0.4, 8)
    ax = d2l.plot_map(table(final, {"gamma": [0.5, 0.9, 0.99, 0.999], "nesterov": ["no", "yes"]}, seeds=[0]))
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0.5", "0.9", "0.99", "0.999"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["no", "yes"]


def test_map_of_nothing_but_diverged_runs_draws():
    ax = d2l.plot_map(table([None] * 4, {"lr": [1, 10], "gamma": [0.1, 0.2]}, seeds=[0]))
    ax.figure.canvas.draw()
    assert len(of(ax, PatchCollection)[0].get_paths()) == 4


def test_map_needs_two_axes(swept):
    with pytest.raises(ValueError, match="a map has two axes, but lr varies"):
        d2l.plot_map(swept.select(gamma=0.5))
    with pytest.raises(ValueError, match="x and y must be lr and gamma, got 'eta' and 'lr'"):
        d2l.plot_map(swept, x="eta")


def test_curves_have_a_band_over_seeds(swept):
    other = table([[0.3, 0.5]], {"lr": [0.1], "momentum": [0.9]}, name="other")
    ax = d2l.plot_runs(swept.best(), other)
    (mean, mean_of_other), bands = ax.lines, of(ax, PolyCollection)
    np.testing.assert_allclose(mean.get_ydata(), [0.5, 0.5, 0.2])
    np.testing.assert_allclose(mean_of_other.get_ydata(), [0.5, 0.5, 0.4])
    ends = bands[0].get_paths()[0].vertices
    assert sorted(set(ends[ends[:, 0] == 2][:, 1].round(6))) == [0.19, 0.21]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["rule, γ = 0.9", "other, μ = 0.9"]
    for key in ("get_color", "get_marker", "get_linestyle"):
        assert getattr(mean, key)() != getattr(mean_of_other, key)()


def test_curve_of_a_diverged_setting_ends(swept):
    ax = d2l.plot_runs(swept.select(lr=1.0))
    diverged, alive = ax.lines
    assert diverged.get_xdata().tolist() == [0, 1]
    assert alive.get_xdata().tolist() == [0, 1, 2]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["γ = 0.5, diverges", "γ = 0.9"]


def test_a_curve_that_explodes_leaves_room_for_the_others():
    swept = table([[0.2], [1e30]], {"lr": [0.1, 1]}, seeds=[0])
    ax = d2l.plot_runs(swept)
    assert ax.get_ylim() == pytest.approx((0.19, 50))


def test_no_more_curves_than_can_be_told_apart(swept):
    many = table(np.full(8, 0.3), {"lr": range(1, 9)}, seeds=[0])
    with pytest.raises(ValueError, match="between 1 and 7 curves can be told apart, got 8"):
        d2l.plot_runs(many)
    with pytest.raises(ValueError, match="got 0"):
        d2l.plot_runs()
    with pytest.raises(ValueError, match="labels must have one entry for each of the 6 curves, got 1"):
        d2l.plot_runs(swept, labels=["a"])


def test_draws_where_it_is_told_and_leaves_the_style_alone(swept):
    before = dict(plt.rcParams)
    _, axes = plt.subplots(1, 2, figsize=(11, 5))
    assert d2l.plot_map(swept, ax=axes[0]) is axes[0]
    assert d2l.plot_runs(swept, ax=axes[1]) is axes[1]
    axes[0].figure.canvas.draw()
    assert dict(plt.rcParams) == before
