"""The description and the static figure of `explore_runs` say what the sweep holds."""

import base64
import gzip
import json
import math
import re
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import LogNorm, to_rgb
from scipy import stats

import d2l_utils as d2l
from d2l_utils.explore.figure import short
from d2l_utils.explore.runs import runs_spec, vlq
from d2l_utils.explore.runs_figure import color, log_ticks, runs_html
from d2l_utils.explore.runs_words import difference, sentence, t95

from .swept import make_sweep

NOTHING = dict.fromkeys(("labels", "x", "y", "at", "compare", "goal", "title", "predict", "seen"))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def described(*sweeps, **options):
    return runs_spec(sweeps, **NOTHING | options)


def tree_of(figure):
    return ElementTree.fromstring(re.sub(r"(<script[^>]*>).*?(</script>)", r"\1\2", figure.to_html(), flags=re.DOTALL))


def numbers_of(text):
    numbers, value, shift = [], 0, 0
    for char in text:
        digit = ALPHABET.index(char)
        value += (digit & 31) << shift
        shift += 5
        if digit < 32:
            numbers.append(value)
            value = shift = 0
    return numbers


def finals_of(packed):
    planes = np.frombuffer(base64.b64decode(packed["finals"]), dtype=np.uint8).reshape(4, -1)
    return planes.T.copy().view("<f4").reshape(-1, len(packed["seeds"]))


def curves_of(packed):
    numbers = iter(numbers_of(packed["curves"]))
    for count in numbers:
        steps = np.array([[next(numbers) for _ in range(count)] for _ in range(3)])
        mean = np.where(steps[0] % 2, -(steps[0] + 1) // 2, steps[0] // 2).cumsum()
        yield packed["floor"] + packed["unit"] * np.array([mean, mean - steps[1], mean + steps[2]])


@pytest.fixture
def swept():
    return make_sweep()


def test_every_final_loss_is_in_the_description(swept):
    spec, _ = described(swept)
    finals = finals_of(spec["maps"][0])
    for k, (x, y) in enumerate((x, y) for y in swept.grid["gamma"] for x in swept.grid["lr"]):
        expected = swept.select(lr=x, gamma=y).losses[:, -1]
        np.testing.assert_array_equal(finals[k], expected)


def test_curves_are_mean_and_range_until_a_seed_diverges(swept):
    spec, maps = described(swept)
    packed = spec["maps"][0]
    assert len(packed["epochs"]) == 21
    assert (packed["epochs"][0], packed["epochs"][-1]) == (0, 2)
    times = [int(np.argmin(abs(swept.epochs - epoch))) for epoch in packed["epochs"]]
    settings = [(x, y) for y in swept.grid["gamma"] for x in swept.grid["lr"]]
    ended = 0
    for k, ((x, y), curve) in enumerate(zip(settings, curves_of(packed), strict=True)):
        losses = swept.select(lr=x, gamma=y).losses[:, times].astype(float)
        alive = np.isfinite(losses).all(axis=0)
        ended += not alive.all()
        losses = losses[:, alive]
        highest = 300 * swept.losses[:, 0].max()
        expected = np.log10(np.minimum([losses.mean(axis=0), losses.min(axis=0), losses.max(axis=0)], highest))
        np.testing.assert_allclose(curve, expected, atol=0.51 * packed["unit"])
        np.testing.assert_allclose(np.array(maps[0].exponents(k)), curve)
    assert ended == 2


@pytest.mark.parametrize("size", [(25, 25)])
def test_a_large_figure_stays_small(size):
    grid = {
        "lr": [float(f"{v:.4g}") for v in np.geomspace(1e-4, 1, size[0])],
        "gamma": np.linspace(0, 0.99, size[1]).round(4).tolist(),
    }
    figure = d2l.explore_runs(make_sweep("rmsprop", grid), make_sweep("adam", grid, chance=1))
    html = figure.to_html().encode()
    assert len(gzip.compress(html, 6)) <= 150_000
    assert len(finals_of(figure.spec["maps"][1])) == 625


def test_numbers_of_five_bits():
    draw = np.random.default_rng(0)
    numbers = [0, 1, 31, 32, 1023, 1024, *draw.integers(0, 70_000, 200).tolist()]
    assert numbers_of(vlq(numbers)) == numbers


def test_colours_are_those_of_plot_map(swept):
    spec, maps = described(swept)
    ax = d2l.plot_map(swept)
    norm = ax.collections[0].norm
    assert spec["range"] == pytest.approx([norm.vmin, norm.vmax])
    assert isinstance(norm, LogNorm)
    for loss in [*maps[0].mean[np.isfinite(maps[0].mean)], 0.01, 100.0]:
        np.testing.assert_allclose(to_rgb(color(spec, loss)), mpl.colormaps["viridis_r"](norm(loss))[:3], atol=0.02)


def test_both_maps_share_one_scale():
    low, high = make_sweep("low"), make_sweep("high", chance=5)
    high.losses[:, 1:] *= 0.5
    spec, maps = described(low, high)
    assert spec["range"][0] == min(maps[0].mean.min(), maps[1].mean.min())


def test_cells_and_outline_are_those_of_plot_map(swept):
    root = tree_of(d2l.explore_runs(swept))
    plane = root.find(".//svg[@class='d2l-map']")
    lost = swept.diverged.reshape(-1, 10).any(axis=1)
    assert len(plane.find("g[@class='cells']")) == 28 - lost.sum() == 26
    assert plane.find("path[@class='lost']").get("d").count("Z") == lost.sum() == 2
    segments = plane.find("path[@class='noise']").get("d").count("M")
    ax = d2l.plot_map(swept)
    assert segments == len(ax.collections[-1].get_segments())
    assert plane.find("path[@class='star']") is not None


def test_cells_stand_where_their_values_are(swept):
    plane = tree_of(d2l.explore_runs(swept, x="gamma")).find(".//svg[@class='d2l-map']")
    rects = [
        [float(rect.get(key)) for key in ("x", "y", "width", "height")] for rect in plane.find("g[@class='cells']")
    ]
    assert rects[0] == pytest.approx([64, 318 - 292 / 7, 85, 292 / 7], abs=0.1)
    names = [text.text for text in plane.iter("text") if text.get("class") == "name"]
    assert names[:2] == ["decay γ", "learning rate η"]


def test_hooks_words_and_table(swept):
    figure = d2l.explore_runs(swept, compare={"gamma": 0.5}, predict="Which?", seen="This.", goal={"below": 0.1})
    root = tree_of(figure)
    assert (root.get("class"), root.get("data-kind"), root.get("data-rule")) == ("d2l-explorer", "runs", "rmsprop")
    assert (root.get("data-state"), root.get("data-seq")) == ("ready", "0")
    best, other = swept.best(), swept.select(gamma=0.5).best()
    losses = json.loads(root.get("data-loss"))
    assert losses == pytest.approx([best.mean_final_loss[0], other.mean_final_loss[0]], rel=1e-9)
    words = root.find("p[@class='d2l-summary']").text
    spread = best.final_loss.std(ddof=1)
    assert f"final loss {losses[0]:.4g} ± {short(spread, 2)} (mean ± standard deviation of 10 seeds), the best" in words
    assert f"η = {short(other.settings[0]['lr'])}, γ = 0.5" in words
    assert root.find("p[@class='d2l-goal']").get("data-reached") == "false"
    rows = list(root.iter("tr"))
    assert len(rows) == 29
    assert [cell.text for cell in rows[1]][1:] == [f"{losses[0]:.4g}", short(spread, 2), "0 of 10"]
    assert [cell.text for cell in rows[-1]][1:3] == ["–", "–"]
    assert {row[3].text for row in rows[-2:]} == {"10 of 10", "1 of 10"}
    for svg in (svg for svg in root.iter("svg") if svg.get("role") == "img"):
        title, desc = svg.find("title"), svg.find("desc")
        assert svg.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert len(desc.text) > 40


def test_difference_is_students_for_the_same_seeds_in_any_order(swept):
    other = make_sweep("adam", seeds=reversed(range(10)), chance=3)
    _, maps = described(swept, other)
    a, b = maps[0].best, maps[1].best
    first, second = swept.best().final_loss, other.best().final_loss[::-1]
    mean, low, high, paired = difference(maps[0], a, maps[1], b)
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert paired
    assert mean == pytest.approx(first.mean() - second.mean(), rel=1e-6)
    assert (low, high) == pytest.approx((expected.low, expected.high), rel=1e-3)


def test_difference_is_welchs_for_other_seeds(swept):
    other = make_sweep("adam", seeds=range(100, 107), chance=3)
    _, maps = described(swept, other)
    _, low, high, paired = difference(maps[0], maps[0].best, maps[1], maps[1].best)
    expected = stats.ttest_ind(swept.best().final_loss, other.best().final_loss, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert not paired
    assert (low, high) == pytest.approx((interval.low, interval.high), rel=1e-3)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 5.5, 7, 9, 19, 29, 100, 1e6])
def test_point_of_students_t(freedom):
    assert t95(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-3)


def test_first_and_second_cell_are_chosen_by_hyperparameters(swept):
    spec, maps = described(swept)
    assert spec["state"]["values"]["compare"] == 0
    values = spec["state"]["values"]
    assert {"lr": values["lr"], "gamma": values["gamma"]} == swept.best().settings[0]
    order = np.argsort(maps[0].mean)
    second = maps[0].sweep.settings[order[1]]
    assert {"lr": values["lr_2"], "gamma": values["gamma_2"]} == second
    values = described(swept, at={"lr": 0.1, "gamma": 0.5}, compare={"lr": 0.01})[0]["state"]["values"]
    best = swept.select(lr=0.01).best().settings[0]
    assert values == {"lr": 0.1, "gamma": 0.5, "lr_2": 0.01, "gamma_2": best["gamma"], "compare": 1}
    assert described(swept, make_sweep("adam"))[0]["state"]["values"]["compare"] == 1
    assert described(swept, make_sweep("adam"), compare=False)[0]["state"]["values"]["compare"] == 0
    assert described(swept, compare=True)[0]["state"]["values"]["compare"] == 1


def test_two_sweeps_may_vary_different_things(swept):
    figure = d2l.explore_runs(swept, make_sweep("sgd", {"lr": [0.01, 0.1, 1.0]}))
    names = [slider["name"] for slider in figure.spec["sliders"]]
    assert names == ["lr", "gamma", "lr_2", "compare"]
    assert [svg.get("class") for svg in tree_of(figure).findall("div/svg")] == [
        "d2l-map",
        "d2l-map d2l-row",
        "d2l-wide",
    ]
    assert "A (RMSProp, η = " in figure.to_html()


def test_values_that_are_no_numbers_and_unsorted_ones():
    swept = make_sweep(grid={"betas": [(0.9, 0.99), (0.8, 0.9)], "lr": [0.1, 0.001, 0.01]})
    spec, maps = described(swept, at={"betas": (0.8, 0.9), "lr": 0.01})
    assert spec["maps"][0]["x"]["texts"] == ["(0.9, 0.99)", "(0.8, 0.9)"]
    assert spec["maps"][0]["y"]["values"] == [0.001, 0.01, 0.1]
    assert (spec["state"]["values"]["betas"], spec["state"]["values"]["lr"]) == (1, 0.01)
    alone = swept.select(betas=[(0.8, 0.9)], lr=0.01)
    assert maps[0].mean[3] == pytest.approx(alone.mean_final_loss[0])


def test_divergence_and_single_seeds_are_said(swept):
    root = tree_of(d2l.explore_runs(swept, at={"lr": 1.0, "gamma": 0.99}, compare=True, goal={"diverge": True}))
    assert root.get("data-state") == "diverged"
    assert json.loads(root.get("data-loss"))[0] is None
    assert "diverged with 10 of 10 seeds. B (" in root.find("p[@class='d2l-summary']").text
    assert "Without a mean" in root.find("p[@class='d2l-summary']").text
    assert root.find("p[@class='d2l-goal']").text == "Goal reached: make A diverge"
    one = d2l.explore_runs(make_sweep(seeds=[4]), compare=True)
    assert "(one seed)" in one.to_html()
    assert "One seed has no spread to compare with." in one.to_html()


def test_nothing_but_diverged_runs_draws():
    swept = make_sweep(grid={"lr": [0.1, 1.0], "gamma": [0.1, 0.2]})
    swept.losses[:, 5:] = np.nan
    root = tree_of(d2l.explore_runs(swept, compare=True))
    assert root.get("data-state") == "diverged"
    assert root.find(".//path[@class='star']/..[@class='d2l-map']") is None
    assert len(root.find(".//svg[@class='d2l-map']/g[@class='cells']")) == 0


@pytest.mark.parametrize(
    ("compare", "reached"), [({"lr": 0.001, "gamma": 0.0}, "false"), (True, "true"), (False, "false")]
)
def test_goal_of_two_cells_alike(swept, compare, reached):
    root = tree_of(d2l.explore_runs(swept, goal={"alike": True}, compare=compare))
    assert root.find("p[@class='d2l-goal']").get("data-reached") == reached


def test_same_cell_twice(swept):
    _, maps = described(swept)
    assert sentence(maps, [(maps[0], 3), (maps[0], 3)]).endswith("B is the same cell.")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ([], {}, TypeError, "one sweep or two, got 0"),
        ([make_sweep(), make_sweep("a"), make_sweep("b")], {}, TypeError, "one sweep or two, got 3"),
        ([3], {}, TypeError, "takes sweeps, as d2l.sweep returns them, got 3"),
        ([make_sweep(grid={"lr": [1.0]})], {}, ValueError, "nothing varies in the sweep of rmsprop"),
        ([make_sweep(grid={"a": [1, 2], "b": [1, 2], "c": [1, 2]})], {}, ValueError, r"a, b, c varies .* sweep.select"),
        ([make_sweep(), make_sweep()], {}, ValueError, "both sweeps are called 'RMSProp'"),
        ([make_sweep()], {"labels": ["a", "b"]}, ValueError, "labels must have one entry for each of the 1"),
        ([make_sweep()], {"labels": "a"}, ValueError, "labels must have one entry"),
        ([make_sweep()], {"x": "eta"}, ValueError, "x must be gamma or lr, got 'eta'"),
        ([make_sweep()], {"x": "lr", "y": "lr"}, ValueError, "x and y must differ"),
        ([make_sweep(grid={"lr": [1, 2]})], {"y": "lr"}, ValueError, "it belongs to the x axis"),
        ([make_sweep()], {"at": {"eta": 1}}, ValueError, "at must name lr or gamma, which vary, got 'eta'"),
        ([make_sweep()], {"compare": {"lr": 7}}, ValueError, r"compare\['lr'\] must be one of"),
        ([make_sweep()], {"at": 3}, TypeError, "at must be a dict of hyperparameters, got 3"),
        ([make_sweep()], {"goal": {"above": 3}}, TypeError, "goal must be a dict"),
        ([make_sweep()], {"goal": {"below": -1}}, ValueError, r"goal\['below'\] must be above 0, got -1"),
        ([make_sweep()], {"goal": {"alike": False}}, ValueError, "goal must be"),
        ([make_sweep(grid={"lr": [1, 1]})], {}, ValueError, "the values of lr must differ"),
        ([make_sweep(grid={"lr": [1, 2], "compare": [1, 2]})], {}, ValueError, "rename a hyperparameter"),
    ],
)
def test_what_cannot_be_shown_is_an_error(arguments, options, error, message):
    with pytest.raises(error, match=message):
        d2l.explore_runs(*arguments, **options)


def test_losses_must_be_positive(swept):
    swept.losses[3, 4] = 0
    with pytest.raises(ValueError, match="losses must be above 0 to be drawn on a logarithmic scale, got 0"):
        d2l.explore_runs(swept)


def test_widget_needs_no_kernel_after_a_pick(swept):
    figure = d2l.explore_runs(swept)
    data, _ = figure._repr_mimebundle_()
    assert data["text/html"] == figure.to_html()
    assert "application/vnd.jupyter.widget-view+json" in data
    figure.state = figure.state | {"seq": 3}
    assert figure.result == {}


def test_text_cannot_become_markup(swept):
    figure = d2l.explore_runs(swept, make_sweep("other"), labels=["</script><b>", "<i>"], seen="</script><b>")
    page = figure.to_html()
    assert page.count("</script>") == page.count("<script") == 1
    assert "<b>" not in page.replace("<b>A</b>", "").replace("<b>B</b>", "")
    assert "<i>" not in page


def test_ticks_of_many_even_values_are_round_numbers():
    spec, _ = described(make_sweep(grid={"lr": [0.1, 0.2], "gamma": np.linspace(0, 0.99, 25).round(4).tolist()}))
    assert [text for _, text in spec["maps"][0]["y"]["ticks"]] == ["0", "0.2", "0.4", "0.6", "0.8"]
    assert [text for _, text in spec["maps"][0]["x"]["ticks"]] == ["0.1", "0.2"]


def test_ticks_are_plain_numbers_within_two_decades():
    texts = [text for _, text in log_ticks(math.log10(0.23), math.log10(0.55))]
    assert texts == ["0.25", "0.3", "0.35", "0.4", "0.45", "0.5", "0.55"] or texts == ["0.3", "0.4", "0.5"]
    assert [text for _, text in log_ticks(math.log10(0.2), math.log10(5))] == [
        "0.2",
        "0.3",
        "0.5",
        "0.7",
        "1",
        "1.5",
        "2",
        "3",
        "5",
    ]
    assert [text for _, text in log_ticks(-2.5, 3.2)] == ["10⁻²", "10⁰", "10²"]


def test_the_figure_does_not_depend_on_the_order_of_values(swept):
    shuffled = swept.select(lr=swept.grid["lr"][::-1], gamma=[0.9, 0.0, 0.99, 0.5])
    for first, second in zip(described(swept)[0]["maps"], described(shuffled)[0]["maps"], strict=True):
        assert first == second
    spec, maps = described(shuffled)
    assert runs_html(spec, maps)
