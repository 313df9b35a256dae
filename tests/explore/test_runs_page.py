"""What a reader does with the figures of many runs, under a strict content policy: no runtime, no inline styles."""

import http.server
import json
import random

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from d2l_utils import explore_runs
from d2l_utils.explore.runs import runs_spec
from d2l_utils.explore.runs_figure import color
from d2l_utils.explore.runs_words import sentence
from d2l_utils.explore.site import write_page

from .conftest import Handler, served
from .driving import apply, wait_until
from .swept import make_sweep
from .test_page_links import FUZZ, PIECES
from .test_runs import NOTHING

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'"
ONE = make_sweep()
PAIR = make_sweep("adam", chance=2), make_sweep("sgd", {"lr": [0.01, 0.1, 1.0], "momentum": [0.0, 0.5, 0.9]})
ROW = make_sweep("adagrad", {"lr": [0.01, 0.02, 0.5, 1.0, 2.0]})
WORDS = make_sweep("lion", {"betas": [(0.9, 0.99), (0.8, 0.9)], "lr": [0.001, 0.01, 0.1]}, lost=False)


#: Where a picture is in its figure.
PLACE = """svg => { const [a, b] = [svg, svg.closest('figure')].map((node) => node.getBoundingClientRect());
                    return [a.x - b.x, a.y - b.y, a.width, a.height]; }"""


class Strict(Handler):
    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        http.server.SimpleHTTPRequestHandler.end_headers(self)


@pytest.fixture(scope="module")
def runs_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "index.html"
    figures = [
        explore_runs(
            ONE, compare={"lr": 0.01, "gamma": 0.5}, goal={"alike": True}, predict="Which one?", seen="The second."
        ),
        explore_runs(*PAIR, title="Two optimizers"),
        explore_runs(ROW),
        explore_runs(WORDS, compare=True),
        explore_runs(ONE, labels=["again"]),
    ]
    write_page(path, *(figure.to_html() for figure in figures))
    return path


@pytest.fixture(scope="module")
def address(runs_file):
    with served(runs_file, Strict) as address:
        yield address


@pytest.fixture
def figure(page, address):
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop]").first
    figure.locator("input[type=range]").first.wait_for()
    return figure


def losses(figure):
    return json.loads(figure.get_attribute("data-loss"))


def loss_at(sweep, **setting):
    return float(sweep.select(**setting).mean_final_loss[0])


def middle(figure, column, row, columns=7, rows=4, plane=0):
    """The page's coordinates of a cell of a map."""
    box = figure.locator(".d2l-map").nth(plane).bounding_box()
    x = 64 + (column + 0.5) / columns * 340
    y = 318 - (row + 0.5) / rows * 292
    return box["x"] + box["width"] * x / 480, box["y"] + box["height"] * y / 360


def assert_same_colours(these, those):
    """But for the rounding of a half."""
    these, those = ([[int(fill[i : i + 2], 16) for i in (1, 3, 5)] for fill in fills] for fills in (these, those))
    np.testing.assert_allclose(these, those, atol=1)


def test_live_figure_says_what_the_static_one_says(browser, address):
    shown = []
    for scripts in (False, True):
        context = browser.new_context(java_script_enabled=scripts, viewport={"width": 1000, "height": 900})
        page = context.new_page()
        page.goto(address)
        for i, figure in enumerate(page.locator("figure").all()):
            wait_until(figure, "ready")
            pictures = figure.locator(".d2l-plots > svg")
            shown.append(
                {
                    "boxes": [svg.evaluate(PLACE) for svg in pictures.all()],
                    "words": figure.locator(".d2l-summary").text_content(),
                    "lines": figure.locator(".d2l-rules li:visible").all_text_contents(),
                    "fills": figure.locator(".d2l-map rect").evaluate_all(
                        "all => all.map(r => r.getAttribute('fill'))"
                    ),
                    "texts": sorted(figure.locator(".d2l-plots text").all_text_contents()),
                    "loss": losses(figure),
                    "number": i,
                }
            )
        context.close()
    half = len(shown) // 2
    assert half == 5
    for static, live in zip(shown[:half], shown[half:], strict=True):
        for a, b in zip(static.pop("boxes"), live.pop("boxes"), strict=True):
            assert a == pytest.approx(b, abs=1)
        hidden = [text for text in live["texts"] if text == "B"]  # there, but not shown, where nothing is compared
        if len(static["loss"]) == 1:
            for text in hidden:
                live["texts"].remove(text)
        assert static.pop("loss") == pytest.approx(live.pop("loss"), rel=1e-12)
        assert_same_colours(static.pop("fills"), live.pop("fills"))
        assert static == live


def test_cells_have_the_colours_of_their_losses(figure):
    spec, maps = runs_spec([ONE], **NOTHING)
    fills = figure.locator(".d2l-map rect").evaluate_all("all => all.map(r => r.getAttribute('fill'))")
    assert_same_colours(fills[:26], [color(spec, loss) for loss in maps[0].mean if np.isfinite(loss)])


@pytest.mark.parametrize(("number", "sweeps"), [(0, [ONE]), (1, PAIR), (2, [ROW]), (3, [WORDS])])
def test_words_are_those_of_python_for_any_two_cells(page, address, number, sweeps):
    page.goto(address)
    figure = page.locator("figure").nth(number)
    figure.locator("input[type=checkbox]").set_checked(True)
    spec, maps = runs_spec(sweeps, **NOTHING)
    draw = random.Random(number)
    told = []
    for _ in range(60):
        cells = [draw.randrange(len(one.mean)) for one in (maps[0], maps[-1])]
        settings = {}
        for one, cell, end in ((maps[0], cells[0], ""), (maps[-1], cells[1], "_2")):
            columns = len(one.x["texts"])
            for axis, index in ((one.x, cell % columns), (one.y, cell // columns)):
                if axis:
                    settings[axis["name"] + end] = axis["values"][index] if axis["values"] else index
        [answer] = apply(figure, settings)
        chosen = [(maps[0], cells[0]), (maps[-1], cells[1])]
        assert answer["words"] == sentence(maps, chosen)
        assert answer["state"] == ("diverged" if any(one.lost[cell] for one, cell in chosen) else "ready")
        expected = [None if one.lost[cell] else pytest.approx(one.mean[cell], rel=1e-6) for one, cell in chosen]
        assert json.loads(answer["loss"]) == expected
        told.append(answer["words"])
    assert len(set(told)) > 15
    assert spec["rules"][0]["name"] == figure.get_attribute("data-rule")


def test_no_python_is_loaded(page, address):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop]").first
    apply(figure, {"lr": 0.1})
    figure.scroll_into_view_if_needed()
    page.wait_for_timeout(500)
    assert figure.get_attribute("data-seq") == "1"
    assert not any("runtime" in url for url in asked)


def test_slider_walks_through_the_grid(figure):
    slider = figure.locator("input[type=range][name=lr]")
    slider.press("Home")
    assert slider.get_attribute("aria-valuetext") == "0.001"
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "0.003162"
    assert float(figure.locator("input[type=number][name=lr]").input_value()) == ONE.grid["lr"][1]
    assert figure.get_attribute("data-state") == "ready"
    gamma = float(figure.locator("input[type=number][name=gamma]").input_value())
    assert losses(figure)[0] == pytest.approx(loss_at(ONE, lr=ONE.grid["lr"][1], gamma=gamma), rel=1e-6)


@pytest.mark.parametrize(
    ("typed", "taken"), [("0.055", 0.031623), ("0.06", 0.1), ("1e9", 1.0), ("-3", 0.001), ("0", 0.001)]
)
def test_typed_number_goes_to_the_nearest_value_by_ratio(figure, typed, taken):
    field = figure.locator("input[type=number][name=lr]")
    figure.locator("input[type=range][name=lr]").press("ArrowLeft")
    field.fill(typed)
    field.press("Enter")
    assert float(field.input_value()) == pytest.approx(taken, rel=1e-4)
    field.fill("")
    field.press("Enter")
    assert float(field.input_value()) == pytest.approx(taken, rel=1e-4)


def test_click_picks_a_and_shift_click_or_the_button_b(figure):
    mouse, keyboard = figure.page.mouse, figure.page.keyboard
    mouse.click(*middle(figure, 2, 1))
    assert losses(figure)[0] == pytest.approx(loss_at(ONE, lr=0.01, gamma=0.5), rel=1e-6)
    keyboard.down("Shift")
    mouse.click(*middle(figure, 1, 3))
    keyboard.up("Shift")
    assert losses(figure)[1] == pytest.approx(loss_at(ONE, lr=ONE.grid["lr"][1], gamma=0.99), rel=1e-6)
    button = figure.locator("[data-action=pick-second]")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    mouse.click(*middle(figure, 4, 0))
    assert losses(figure) == [
        pytest.approx(loss_at(ONE, lr=0.01, gamma=0.5), rel=1e-6),
        pytest.approx(loss_at(ONE, lr=0.1, gamma=0.0), rel=1e-6),
    ]
    assert figure.get_attribute("data-seq") == "3"


def test_each_map_has_its_own_cell(page, address):
    page.goto(address)
    figure = page.locator("figure[data-rule=adam]")
    figure.scroll_into_view_if_needed()
    page.mouse.click(*middle(figure, 1, 1))
    page.mouse.click(*middle(figure, 2, 0, columns=3, rows=3, plane=1))
    assert losses(figure) == [
        pytest.approx(loss_at(PAIR[0], lr=ONE.grid["lr"][1], gamma=0.5), rel=1e-6),
        pytest.approx(loss_at(PAIR[1], lr=1.0, momentum=0.0), rel=1e-6),
    ]


def test_pointing_shows_a_cell_without_choosing_it(figure):
    line = figure.locator(".d2l-side .line").first
    before, words = line.get_attribute("d"), figure.locator(".d2l-rules").first.inner_text()
    figure.page.mouse.move(*middle(figure, 0, 0))
    expect(figure.locator(".d2l-rules").first).to_contain_text("A η = 0.001, γ = 0:")
    assert line.get_attribute("d") != before
    assert figure.locator(".pointed").get_attribute("d")
    figure.page.mouse.move(0, 0)
    expect(line).to_have_attribute("d", before)
    assert figure.locator(".d2l-rules").first.inner_text() == words
    assert figure.get_attribute("data-seq") == "0"


def test_a_pick_leaves_the_cells_of_the_map_alone(figure):
    count = figure.evaluate(
        """figure => { window.seen = 0; new MutationObserver(changes => { seen += changes.length })
           .observe(figure.querySelector('.cells'), { childList: true, attributes: true, subtree: true });
           return figure.querySelectorAll('.cells rect').length; }"""
    )
    assert count > 26
    figure.locator("input[type=range][name=lr]").press("ArrowRight")
    figure.page.mouse.click(*middle(figure, 1, 1))
    assert figure.get_attribute("data-seq") == "2"
    assert figure.page.evaluate("seen") == 0


def test_handles_are_moved_by_arrow_keys_and_dragged(figure):
    a, b = figure.locator("[data-handle=cell]"), figure.locator("[data-handle=compare]")
    figure.page.mouse.click(*middle(figure, 2, 1))
    a.focus()
    a.press("ArrowRight")
    a.press("ArrowUp")
    assert losses(figure)[0] == pytest.approx(loss_at(ONE, lr=ONE.grid["lr"][3], gamma=0.9), rel=1e-6)
    assert a.get_attribute("aria-valuetext") == "η = 0.03162, γ = 0.9"
    assert a.evaluate("e => document.activeElement === e")
    for _ in range(9):
        b.press("ArrowLeft")
        b.press("ArrowDown")
    assert losses(figure)[1] == pytest.approx(loss_at(ONE, lr=0.001, gamma=0.0), rel=1e-6)
    box = a.locator(".stamp").bounding_box()
    mouse = figure.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(*middle(figure, 5, 0), steps=4)
    mouse.up()
    assert losses(figure)[0] == pytest.approx(loss_at(ONE, lr=ONE.grid["lr"][5], gamma=0.0), rel=1e-6)


def test_touch_picks_and_drags(browser, address):
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop]").first
    figure.locator(".d2l-map").scroll_into_view_if_needed()
    page.touchscreen.tap(*middle(figure, 3, 2))
    wait_until(figure, "ready", seq=1)
    assert losses(figure)[0] == pytest.approx(loss_at(ONE, lr=ONE.grid["lr"][3], gamma=0.9), rel=1e-6)
    context.close()


def test_comparison_can_be_switched_off(figure):
    figure.locator("input[type=checkbox][name=compare]").click()
    assert len(losses(figure)) == 1
    assert not figure.locator("[data-handle=compare]").is_visible()
    assert not figure.locator("input[type=range][name=lr_2]").is_visible()
    assert "B (" not in figure.locator("[aria-live]").inner_text()
    assert figure.locator(".d2l-goal").get_attribute("data-reached") == "false"
    figure.page.keyboard.down("Shift")
    figure.page.mouse.click(*middle(figure, 1, 1))
    figure.page.keyboard.up("Shift")
    assert len(losses(figure)) == 2  # who picks B wants to see it


def test_divergence_is_seen_and_said(figure):
    [answer] = apply(figure, {"lr": 1, "gamma": 0.99})
    assert answer["state"] == "diverged"
    assert "diverged with 10 of 10 seeds" in answer["words"]
    assert len(figure.locator(".d2l-side .line").first.get_attribute("d")) > 20  # until then there is a curve


def test_link_restores_both_cells(page, address, browser):
    page.goto(address)
    first, second = page.locator("figure[data-rule=rmsprop]").first, page.locator("figure[data-rule=adam]")
    apply(first, {"lr": 0.1, "gamma": 0.9, "lr_2": 0.001})
    second.locator("input[type=checkbox]").click()
    page.wait_for_timeout(400)
    shared = page.evaluate("location.hash")
    assert shared.startswith("#rmsprop:lr=0.1&gamma=0.9&lr_2=0.001&gamma_2=0.5&compare=1;adam:")
    again = browser.new_page()
    again.goto(address + shared)
    for figure, rule in ((first, "rmsprop"), (second, "adam")):
        other = again.locator(f"figure[data-rule={rule}]").first
        wait_until(other, figure.get_attribute("data-state"), seq=1)
        assert losses(other) == losses(figure)
    again.close()
    page.evaluate("location.hash = '#rmsprop-2:lr=0.001&gamma=0'")
    third = page.locator("figure[data-rule=rmsprop]").nth(1)
    wait_until(third, "ready", seq=1)
    assert losses(third)[0] == pytest.approx(loss_at(ONE, lr=0.001, gamma=0.0), rel=1e-6)
    assert losses(first)[0] == pytest.approx(loss_at(ONE, lr=0.1, gamma=0.9), rel=1e-6)


def test_copy_link_and_reset(page, address):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop]").first
    before = losses(figure)
    apply(figure, {"gamma": 0})
    figure.locator("[data-action=copy-link]").click()
    figure.get_by_text("Link copied").wait_for()
    assert "gamma=0&" in page.evaluate("navigator.clipboard.readText()")
    figure.locator("[data-action=reset]").click()
    assert losses(figure) == before


@pytest.mark.parametrize(
    ("words", "ignored"),
    [
        ("lr=abc", "lr=abc"),
        ("lr=7&gamma=0.5", "lr=7"),
        ("compare=2", "compare=2"),
        ("compare=0.5", "compare=0.5"),
        ("gamma_2=%3Cb%3E", "gamma_2=<b>"),
        ("__proto__=1", "__proto__=1"),
        ("start=1,2", "start=1,2"),
    ],
)
def test_what_is_not_understood_is_named(page, address, words, ignored):
    page.goto(f"{address}#rmsprop:{words}")
    figure = page.locator("figure[data-rule=rmsprop]").first
    assert figure.locator(".d2l-note").inner_text() == f"Not understood in the link, and ignored: {ignored}"
    if "gamma=0.5" in words:
        assert figure.locator("input[type=number][name=gamma]").input_value() == "0.5"


def test_hostile_fragments_do_no_harm(figure, page):
    draw = random.Random(5)
    pieces = [piece.replace("rmsprop_2d", "rmsprop").replace("eta", "lr") for piece in PIECES]
    pieces += ["lr=", "gamma=", "lr_2=", "compare=", "lr=0.02", "compare=0", "&"]
    fragments = ["rmsprop:" + "".join(draw.choice(pieces) for _ in range(draw.randint(1, 10))) for _ in range(400)]
    wrong = page.evaluate(FUZZ.replace("rmsprop_2d", "rmsprop").replace("'input'", "'input[type=number]'"), fragments)
    assert wrong == []
    figure.locator("[data-action=reset]").click()
    best = ONE.best()
    assert losses(figure)[0] == pytest.approx(float(best.mean_final_loss[0]), rel=1e-6)


def test_a_value_between_two_of_the_grid_is_taken_to_one(page, address):
    page.goto(f"{address}#rmsprop:lr=0.09")
    field = page.locator("figure[data-rule=rmsprop]").first.locator("input[type=number][name=lr]")
    expect(field).to_have_value("0.1")


@pytest.mark.parametrize(("theme", "text", "paper"), [("light", "#222832", "#ffffff"), ("dark", "#ced6dd", "#121212")])
def test_axe_finds_nothing(page, address, theme, text, paper):
    page.goto(address)
    page.evaluate(
        """([theme, text, paper]) => { const root = document.documentElement; root.dataset.theme = theme;
           for (const [name, value] of [['background', paper], ['color', text], ['--pst-color-text-base', text],
                ['--pst-color-background', paper]]) root.style.setProperty(name, value); }""",
        [theme, text, paper],
    )
    for summary in page.locator("figure summary").all():
        summary.click()
    page.locator("[data-action=pick-second]").first.click()
    found = Axe().run(page, context="figure.d2l-explorer").response["violations"]
    assert [(entry["id"], [node["html"] for node in entry["nodes"]][:3]) for entry in found] == []


def test_every_slider_has_a_visible_label_and_a_field(figure):
    names = figure.locator("input[type=range]").evaluate_all("all => all.map(input => input.name)")
    assert names == ["lr", "gamma", "lr_2", "gamma_2"]
    for name in names:
        slider = figure.locator(f"input[type=range][name={name}]")
        assert figure.locator(f"label[for='{slider.get_attribute('id')}']").is_visible()
        assert figure.locator(f"input[type=number][name={name}]").get_attribute("aria-label")


@pytest.mark.parametrize("width", [390, 500])
def test_nothing_overflows_on_a_small_screen(page, address, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for element in page.locator("figure :is(.d2l-plots > svg, input, button, select)").all():
        box = element.bounding_box()
        if box:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    for text in page.locator(".d2l-plots .tick").all():
        assert text.evaluate("t => t.getBoundingClientRect().height") >= 9


def test_forced_colours_keep_the_map_and_its_marks(browser, address):
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop]").first
    fills = figure.locator(".cells rect").evaluate_all("all => all.map(r => getComputedStyle(r).fill)")
    assert len(set(fills)) > 15
    ink = figure.locator(".d2l-side .line").first.evaluate("e => getComputedStyle(e).stroke")
    assert ink != figure.evaluate("e => getComputedStyle(e).backgroundColor")
    context.close()


def test_without_scripts_there_are_maps_words_and_a_table(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop]").first
    assert figure.locator(".d2l-map").is_visible()
    assert "A − B = " in figure.inner_text()
    assert figure.locator("table tbody tr").count() == 28
    assert figure.locator("svg desc").count() == 2
    context.close()


def test_table_holds_every_setting_from_the_best_on(figure):
    figure.locator(".d2l-table summary").click()
    rows = figure.locator(".d2l-table tbody tr")
    expect(rows).to_have_count(28)  # filled in a task of its own
    best = ONE.best()
    assert f"{best.mean_final_loss[0]:.4g}" in rows.first.inner_text()
    assert "10 of 10" in figure.locator(".d2l-table tbody").inner_text()


def test_works_from_a_file(page, runs_file):
    page.goto(runs_file.as_uri() + "#adagrad:lr=0.5")
    figure = page.locator("figure[data-rule=adagrad]")
    wait_until(figure, "ready", seq=1)
    assert losses(figure)[0] == pytest.approx(loss_at(ROW, lr=0.5), rel=1e-6)
