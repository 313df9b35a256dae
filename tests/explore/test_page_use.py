"""What a reader does with a figure: sliders, the start point, play, reset, links."""

import json
import math
import re

import pytest
from playwright.sync_api import expect

from d2l_utils import explore_2d

from . import rules
from .driving import apply, wait_until


def end(figure):
    return json.loads(figure.get_attribute("data-end"))


def start_point(figure):
    handle = figure.locator("[data-handle=start]")
    box = handle.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def fragment(page):
    """The settings in the address, once they are there."""
    page.wait_for_timeout(400)
    return page.evaluate("location.hash")


def test_the_static_state_is_taken_over_without_the_runtime(page, address):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 1000, "height": 50})  # no figure in sight
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    wait_until(figure, "ready")
    assert figure.get_attribute("data-seq") == "0"
    assert end(figure) == [-0.01059867213411372, 1.0362121337275157e-14]
    page.wait_for_timeout(300)
    assert not any("runtime" in url for url in asked)
    apply(figure, {"gamma": 0.95})
    apply(page.locator("figure[data-rule=momentum_2d]"), {"beta": 0.8})
    assert sum("runtime" in url for url in asked) == 1


def test_an_old_browser_keeps_the_static_figure(page, address):
    page.add_init_script("CSS.supports = () => false")
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    page.wait_for_timeout(300)
    assert figure.locator("input").count() == 0
    assert figure.locator("svg[role=img]").count() == 3


def extents_of_levels(paths):
    """For each path of curves the least and largest x and y of the points that it passes."""
    extents = []
    for d in paths:
        points = [part.split()[-2:] for part in re.findall(r"[MQT]([^MQTZ]+)", d)]
        xs, ys = ([float(point[i]) for point in points] for i in (0, 1))
        extents.append((min(xs), max(xs), min(ys), max(ys)))
    return extents


#: Where on the screen the shapes of the contour lines are drawn, as [left, right, top, bottom].
BOXES = """shapes => shapes.map((shape) => {
  const { left, right, top, bottom } = shape.getBoundingClientRect();
  return [left, right, top, bottom];
})"""


def test_the_page_draws_the_ellipses_of_the_static_figure(browser, page, address):
    bare = browser.new_context(java_script_enabled=False, viewport=page.viewport_size).new_page()
    bare.goto(address)
    page.goto(address)
    for rule in ("rmsprop_2d", "momentum_2d"):  # the latter on the rotated bowl
        static, live = (where.locator(f"figure[data-rule={rule}]").first for where in (bare, page))
        live.scroll_into_view_if_needed()
        wait_until(live, "ready")
        boxes = [where.locator(".d2l-plane .level").evaluate_all(BOXES) for where in (static, live)]
        origins = [where.locator(".d2l-plane").bounding_box() for where in (static, live)]
        assert [len(shapes) for shapes in boxes] == [10, 10]
        shift = [origins[1][axis] - origins[0][axis] for axis in ("x", "x", "y", "y")]
        for expected, drawn in zip(*boxes, strict=True):
            moved = [place + by for place, by in zip(expected, shift, strict=True)]
            assert drawn == pytest.approx(moved, abs=0.5, rel=1e-3)
    bare.context.close()


def test_the_page_draws_the_contours_of_the_static_figure(page, address):
    html = explore_2d(rules.rmsprop_2d, objective="himmelblau", values={"eta": 0.4, "gamma": 0.9}).to_html()
    static = re.findall(r'<path class="level"[^>]* d="([^"]*)"', html)
    page.goto(address)
    figure = page.locator("figure.d2l-explorer").first
    figure.locator("select[name=objective]").select_option("himmelblau")
    wait_until(figure, "ready", seq=1)
    live = figure.locator(".d2l-plane .level").evaluate_all("paths => paths.map((path) => path.getAttribute('d'))")
    assert len(static) == len(live) == 10
    for expected, drawn in zip(extents_of_levels(static), extents_of_levels(live), strict=True):
        assert [tenths / 10 for tenths in drawn] == pytest.approx(expected, abs=0.25)  # pixels


def test_slider_by_keyboard_moves_the_number_and_the_picture(figure):
    before = end(figure)
    slider = figure.locator("input[type=range][name=gamma]")
    slider.press("ArrowRight")
    wait_until(figure, "ready")
    assert figure.locator("input[type=number][name=gamma]").input_value() == "0.901"
    assert slider.get_attribute("aria-valuetext") == "0.901"
    assert end(figure) != before


def test_logarithmic_slider_tells_the_value_itself(figure):
    slider = figure.locator("input[type=range][name=eta]")
    slider.press("Home")
    field = figure.locator("input[type=number][name=eta]")
    assert slider.get_attribute("aria-valuetext") == field.input_value() == field.get_attribute("min")
    assert math.isclose(float(slider.input_value()), math.log10(float(field.input_value())))


def test_number_field_takes_any_digits_on_enter_and_refuses_words(figure):
    field = figure.locator("input[type=number][name=eta]")
    field.fill("0.123456789012")
    assert figure.get_attribute("data-seq") == "0"  # not before Enter
    field.press("Enter")
    wait_until(figure, "ready")
    assert figure.get_attribute("data-seq") == "1"
    assert field.input_value() == "0.123456789012"
    field.fill("")
    field.press("Enter")
    assert field.input_value() == "0.123456789012"
    field.fill("1e9")
    field.press("Enter")
    assert field.input_value() == field.get_attribute("max")


def test_dragging_the_start_point_moves_the_path(figure):
    before = figure.locator(".d2l-plane .line").get_attribute("d")
    x, y = start_point(figure)
    mouse = figure.page.mouse
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 60, y - 40, steps=5)
    wait_until(figure, "ready")
    moved = start_point(figure)
    assert moved == pytest.approx((x + 60, y - 40), abs=1.5)  # stays under the pointer
    mouse.up()
    wait_until(figure, "ready")
    assert figure.locator(".d2l-plane .line").get_attribute("d") != before


def test_touch_drags_the_start_point_too(browser, address):
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    figure.scroll_into_view_if_needed()
    x, y = start_point(figure)
    client = context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 40, "y": y - 20}]),
        ("touchEnd", []),
    ):
        client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    wait_until(figure, "ready", seq=2)
    assert start_point(figure) == pytest.approx((x + 40, y - 20), abs=2)
    context.close()


def test_arrow_keys_move_the_start_point(figure, page):
    handle = figure.locator("[data-handle=start]")
    handle.focus()
    x, y = start_point(figure)
    handle.press("ArrowRight")
    handle.press("ArrowUp")
    wait_until(figure, "ready")
    moved = start_point(figure)
    assert moved[0] > x + 2
    assert moved[1] < y - 2
    assert "start=-4.87,-1.92" in fragment(page)
    assert handle.get_attribute("aria-valuetext") == "x₁ −4.87, x₂ −1.92"


def test_divergence_is_seen_and_said(page, address):
    page.goto(address)
    figure = page.locator("figure[data-rule=gd_2d]")
    [answer] = apply(figure, {"eta": 0.6})
    assert answer["state"] == "diverged"
    assert "diverged at step" in answer["words"]
    ticks = figure.locator(".d2l-plane .tick").all_text_contents()
    assert any(float(text.replace("−", "-")) >= 10 for text in ticks)  # the axes have followed the path


def test_goal_is_recognised(figure):
    goal = figure.locator(".d2l-goal")
    assert "not yet reached" in goal.inner_text()
    assert goal.get_attribute("data-reached") == "false"
    apply(figure, {"gamma": 0.95, "eta": 0.5})
    assert goal.get_attribute("data-reached") == "true"


def test_each_objective_can_be_chosen(figure):
    menu = figure.locator("select[name=objective]")
    ends = set()
    for name in menu.locator("option").evaluate_all("options => options.map(option => option.value)"):
        menu.select_option(name)
        apply(figure, {})
        ends.add(figure.get_attribute("data-end"))
        has_angle = figure.locator("input[type=range][name=angle]").is_visible()
        assert has_angle == (name == "quadratic")
    assert len(ends) >= 5


def test_play_draws_the_path_step_by_step_and_only_when_asked(figure):
    line = figure.locator(".d2l-plane .line")
    whole = line.get_attribute("d")
    figure.page.wait_for_timeout(400)
    assert line.get_attribute("d") == whole  # nothing moves by itself
    play = figure.locator("[data-action=play]")
    play.click()
    assert play.inner_text() == "Pause"
    figure.page.wait_for_timeout(500)
    part = line.get_attribute("d")
    assert 0 < len(part) < len(whole)
    assert whole.startswith(part)
    play.click()
    assert line.get_attribute("d") == whole


def test_play_jumps_for_readers_who_want_less_motion(browser, address):
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    figure.locator("[data-action=play]").click()
    drawn = set()
    for _ in range(10):
        drawn.add(figure.locator(".d2l-plane .line").get_attribute("d"))
        page.wait_for_timeout(100)
    assert len(drawn) <= 3  # a jump at most every 0.7 s
    context.close()


def test_pointing_at_a_step_reads_it_out(figure):
    panel = figure.locator(".d2l-side").first
    box = panel.bounding_box()
    figure.page.mouse.move(box["x"] + box["width"] * 46 / 320, box["y"] + box["height"] / 2)
    assert "step 0: x = (−5, −2), f = 10.5" in figure.locator(".d2l-rules").inner_text()
    figure.page.mouse.move(0, 0)
    assert "step 20" in figure.locator(".d2l-rules").inner_text()


def test_reset_returns_to_the_first_state(figure):
    before = end(figure)
    apply(figure, {"gamma": 0.3, "steps": 50})
    figure.locator("[data-action=reset]").click()
    wait_until(figure, "ready")
    assert end(figure) == pytest.approx(before, rel=1e-9)
    assert figure.locator("input[type=number][name=steps]").input_value() == "20"


def test_table_holds_the_path(figure):
    figure.locator(".d2l-table summary").click()
    expect(figure.locator(".d2l-table tbody tr")).to_have_count(21)  # filled in a task of its own
    apply(figure, {"steps": 5})
    assert figure.locator(".d2l-table tbody tr").count() == 6
    assert "−5" in figure.locator(".d2l-table tbody tr").first.inner_text()


def test_schedule_has_its_slider_and_its_curve(page, address):
    page.goto(address)
    figure = page.locator("figure[data-kind=schedule]")
    before = figure.locator(".line").first.get_attribute("d")
    [answer] = apply(figure, {"decay": 0.7})
    assert answer["state"] == "ready"
    assert figure.locator(".line").first.get_attribute("d") != before


def test_link_restores_the_state_of_every_figure(page, address, browser):
    page.goto(address)
    first, third = page.locator("figure[data-rule=rmsprop_2d]").first, page.locator("figure[data-rule=momentum_2d]")
    [one] = apply(first, {"eta": 0.7, "gamma": 0.8, "objective": "rosenbrock"})
    [other] = apply(third, {"beta": 0.25})
    shared = fragment(page)
    assert shared.startswith("#rmsprop_2d:")
    assert "eta=0.7&gamma=0.8" in shared
    assert ";momentum_2d:" in shared
    again = browser.new_page()
    again.goto(address + shared)
    for name, expected in (("rmsprop_2d", one), ("momentum_2d", other)):
        figure = again.locator(f"figure[data-rule={name}]").first
        wait_until(figure, expected["state"], seq=1)
        assert end(figure) == expected["end"]
    again.close()


def test_copy_link_puts_the_link_on_the_clipboard(page, address):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(address)
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    apply(figure, {"gamma": 0.75})
    figure.locator("[data-action=copy-link]").click()
    figure.get_by_text("Link copied").wait_for()
    assert "gamma=0.75" in page.evaluate("navigator.clipboard.readText()")


def test_works_from_a_file_without_a_server(page, page_file):
    page.goto(page_file.as_uri() + "#rmsprop_2d:gamma=0.5")
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    wait_until(figure, "ready", seq=1)
    before = end(figure)
    [answer] = apply(figure, {"gamma": 0.95})
    assert answer["end"] != before


def test_an_ordinary_anchor_is_left_alone(page, address):
    page.goto(address + "#some-section")
    figure = page.locator("figure[data-rule=rmsprop_2d]").first
    wait_until(figure, "ready")
    page.wait_for_timeout(300)
    assert page.evaluate("location.hash") == "#some-section"
    assert figure.locator(".d2l-note").inner_text() == ""
