import html
import json
import math
import re
from xml.etree import ElementTree

import pytest

from d2l_utils import explore_2d, explore_schedule
from d2l_utils.explore.figure import power_of_ten, short
from d2l_utils.objectives import quadratic

from . import rules


def tree_of(figure):
    """The figure, which is well-formed XML as well, without the JSON in its script."""
    return ElementTree.fromstring(re.sub(r"(<script[^>]*>).*?(</script>)", r"\1\2", figure.to_html(), flags=re.DOTALL))


def data_of(figure):
    return json.loads(re.search(r"<script[^>]*>(.*)</script>", figure.to_html(), re.DOTALL)[1])


@pytest.fixture
def figure():
    return explore_2d(
        rules.rmsprop_2d,
        rules.gd_2d,
        goal={"within": 20},
        title="RMSProp & co",
        predict="Is a < b?",
        seen="</script><b>",
    )


def test_hooks(figure):
    root = tree_of(figure)
    assert root.tag == "figure"
    assert root.get("class") == "d2l-explorer"
    assert (root.get("data-kind"), root.get("data-rule")) == ("trace", "rmsprop_2d")
    assert (root.get("data-state"), root.get("data-seq")) == ("ready", "0")
    assert json.loads(root.get("data-end")) == figure.result["rules"][0]["path"][-2:]


def test_every_picture_has_title_and_description(figure):
    pictures = [svg for svg in tree_of(figure).iter("svg") if svg.get("role") == "img"]
    assert len(pictures) == 3
    for svg in pictures:
        title, desc = svg.find("title"), svg.find("desc")
        assert svg.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
        assert len(title.text) > 5
        assert len(desc.text) > 20


def test_numbers_are_there_as_text(figure):
    text = " ".join(tree_of(figure).itertext())
    assert "step 20: x = (−0.0106, 1.036·10⁻¹⁴)" in text
    assert "Goal not yet reached: f < 1e-6 in 20 steps" in text
    rows = list(tree_of(figure).iter("tr"))
    assert [cell.text for cell in rows[1]] == ["0", "−5", "−2", "10.5"]
    assert [cell.text for cell in rows[-1]][:2] == ["20", "−0.01059867"]
    assert len(rows) == 22


def test_the_path_is_drawn_where_the_points_are(figure):
    run = figure.result["rules"][0]
    window = figure.result["window"]
    line = next(path for path in tree_of(figure).iter("path") if path.get("class") == "line")
    pixels = [tuple(map(float, pair.split())) for pair in re.findall(r"[-\d.]+ [-\d.]+", line.get("d"))]
    assert len(pixels) == 21
    for (px, py), x1, x2 in zip(pixels, run["path"][::2], run["path"][1::2], strict=True):
        assert px == pytest.approx(46 + (x1 - window[0]) / (window[1] - window[0]) * 426, abs=0.06)
        assert py == pytest.approx(322 - (x2 - window[2]) / (window[3] - window[2]) * 314, abs=0.06)


def test_rules_differ_in_colour_dash_and_marker(figure):
    groups = [group for group in tree_of(figure).find(".//svg/svg").iter("g") if group.get("class") == "rule"]
    assert len({group.get("stroke") for group in groups}) == 2
    assert len({group.find("path[@class='line']").get("stroke-dasharray") for group in groups}) == 2


def levels_of(figure):
    return [shape for shape in tree_of(figure).iter() if shape.get("class") == "level"]


def test_contour_levels_of_the_quadratic_are_ellipses(figure):
    levels = levels_of(figure)
    assert [circle.tag for circle in levels] == ["circle"] * 10
    assert [float(circle.get("r")) for circle in levels] == pytest.approx([1 - k / 11 for k in range(1, 11)], abs=1e-4)
    [field] = [group for group in tree_of(figure).iter("g") if group.find("circle[@class='level']") is not None]
    a, _, b, c, x, y = map(float, field.get("transform")[len("matrix(") : -1].split())
    x1_from, x1_to, x2_from, x2_to = figure.result["window"]
    f, _ = quadratic()
    for k in range(7):  # points of the unit circle, through pixels, back to x1 and x2
        u, v = math.cos(k), math.sin(k)
        x1 = x1_from + (a * u + b * v + x - 46) / 426 * (x1_to - x1_from)
        x2 = x2_from + (322 - c * v - y) / 314 * (x2_to - x2_from)
        assert f(x1, x2) == pytest.approx(f(x1_from, x2_from), rel=1e-3)  # the highest corner


def test_contour_levels_are_closed_regions():
    levels = levels_of(explore_2d(rules.gd_2d, objective="beale"))
    assert len(levels) == 10
    assert all(path.get("d").startswith("M") and path.get("d").endswith("Z") for path in levels)


def test_text_cannot_become_markup(figure):
    page = figure.to_html()
    assert html.escape("Is a < b?") in page
    assert page.count("</script>") == 1
    assert page.count("<script") == 1
    assert data_of(figure)["spec"]["task"]["seen"] == "</script><b>"


def test_data_for_the_script(figure):
    data = data_of(figure)
    assert data["spec"] == figure.spec
    assert data["state"] == figure.state
    assert data["result"]["rules"][0]["path"] == figure.result["rules"][0]["path"]


def test_divergence_is_said():
    root = tree_of(explore_2d(rules.gd_2d, values={"eta": 1.0}))
    assert root.get("data-state") == "diverged"
    assert re.search(r"diverged at step \d+", " ".join(root.itertext()))


def test_a_rule_that_fails_says_so_instead_of_a_picture():
    def failing_2d(x1, x2):
        return x1 / 0 + x2, x2

    root = tree_of(explore_2d(failing_2d))
    assert root.get("data-state") == "error"
    assert root.find("p[@role='alert']").text == "Line 2: ZeroDivisionError: float division by zero"
    assert root.find(".//svg") is None


def test_schedule():
    root = tree_of(explore_schedule(rules.factor, rules.MultiFactor, steps=12))
    assert root.get("data-kind") == "schedule"
    assert len([svg for svg in root.iter("svg") if svg.get("role") == "img"]) == 1
    rows = list(root.iter("tr"))
    assert [cell.text for cell in rows[2]] == ["1", "0.09"]


def test_figure_asks_for_nothing_from_outside(figure):
    assert not re.search(r'(?:src|href)="|https?:(?!//www\.w3\.org)', figure.to_html())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-2.5, "−2.5"),
        (123456.7, "123500"),
        (1e6, "1·10⁶"),
        (1.0362121337275157e-14, "1.036·10⁻¹⁴"),
        (None, "0"),
        (0.0001, "0.0001"),
    ],
)
def test_short_numbers(value, text):
    assert short(value) == text


def test_powers_of_ten():
    assert [power_of_ten(i) for i in (-12, 0, 3)] == ["10⁻¹²", "10⁰", "10³"]
