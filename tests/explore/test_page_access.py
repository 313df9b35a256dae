"""The figures serve everyone: names, keyboard, contrast, small screens, zoom, forced colours, and no scripts at all."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from .driving import apply, edit, wait_until

THEME = "html {{ background: {paper}; color: {text}; --pst-color-text-base: {text}; --pst-color-background: {paper} }}"


def violations(page):
    found = Axe().run(page, context="figure.d2l-explorer").response["violations"]
    return [(violation["id"], [node["html"] for node in violation["nodes"]][:3]) for violation in found]


@pytest.mark.parametrize(("theme", "text", "paper"), [("light", "#222832", "#ffffff"), ("dark", "#ced6dd", "#121212")])
def test_axe_finds_nothing(page, address, theme, text, paper):
    page.goto(address)
    page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
    page.add_style_tag(content=THEME.format(text=text, paper=paper))
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    assert violations(page) == []
    edit(figure, "x1 -= eta", "x1 -= (eta")
    wait_until(figure, "error")
    for details in figure.locator("details").all():
        details.locator("summary").click()
    assert violations(page) == []


def test_every_input_has_a_visible_label_and_a_name(figure):
    for slider in figure.locator("input[type=range]").all():
        label = figure.locator(f"label[for='{slider.get_attribute('id')}']")
        assert label.count() == 1
        assert label.inner_text() != "" or not slider.is_visible()
        name = slider.get_attribute("name")
        assert figure.locator(f"input[type=number][name={name}]").get_attribute("aria-label")


def test_everything_can_be_reached_by_tab_and_shows_its_focus(figure, page):
    figure.locator("[data-handle=start]").focus()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, inside, outline = page.evaluate(
            """() => { const e = document.activeElement; return [e.name || e.dataset.action || e.tagName,
               Boolean(e.closest('figure[data-rule=rmsprop_2d]')), getComputedStyle(e).outlineStyle]; }"""
        )
        if not inside:
            break
        assert outline != "none", name
        reached.append(name)
    for name in ("eta", "gamma", "steps", "objective", "play", "reset", "copy-link", "edit"):
        assert name in reached


@pytest.mark.parametrize("width", [390, 500])  # 500 px is what a window of 1000 px leaves at 200 % zoom
def test_nothing_overflows_on_a_small_screen(page, address, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    figure.locator("[data-action=edit]").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for element in figure.locator(".d2l-plots > svg, input, button, select, textarea").all():
        box = element.bounding_box()
        if box:
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
    labels = figure.locator(".d2l-plane .tick").first.evaluate("t => t.getBoundingClientRect().height")
    assert labels >= 9


def test_forced_colours_keep_the_paths_and_the_controls(browser, address):
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    ink = figure.locator(".d2l-plane .line").evaluate("e => getComputedStyle(e).stroke")
    paper = figure.evaluate("e => getComputedStyle(e).backgroundColor")
    assert ink != paper
    [answer] = apply(figure, {"gamma": 0.95})
    assert answer["state"] == "ready"
    context.close()


def test_result_is_announced_in_words(figure):
    live = figure.locator("[aria-live=polite]")
    assert live.inner_text() == "f = 1.12e-5 after 20 steps"
    apply(figure, {"steps": 40})
    assert live.inner_text().startswith("converged: f < 1e-6 at step ")


def test_without_scripts_the_figure_tells_its_story(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    assert figure.locator(".d2l-plane").is_visible()
    assert json.loads(figure.get_attribute("data-end")) == [-0.01059867213411372, 1.0362121337275157e-14]
    assert "−0.0106" in figure.inner_text()
    assert figure.locator("svg title").first.text_content()
    assert figure.locator("svg desc").first.text_content()
    assert figure.locator("table tbody tr").count() == 21
    context.close()


def test_taking_over_does_not_move_the_picture(browser, address):
    boxes = []
    for scripts in (False, True):
        context = browser.new_context(java_script_enabled=scripts, viewport={"width": 1000, "height": 900})
        page = context.new_page()
        page.goto(address)
        figure = page.locator("figure[data-rule=rmsprop_2d]").first
        boxes.append([svg.bounding_box() for svg in figure.locator(".d2l-plots > svg").all()])
        context.close()
    for static, live in zip(*boxes, strict=True):
        assert static == pytest.approx(live, abs=1)
