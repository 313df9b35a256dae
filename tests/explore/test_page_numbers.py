"""The page computes what CPython computes."""

import itertools
import random

import pytest

from d2l_utils import objectives, train_2d

from . import rules
from .driving import apply

RATE_NAMES = {"rmsprop_2d": ("eta", "gamma", "eps"), "gd_2d": ("eta",), "momentum_2d": ("eta", "beta")}


def random_settings(sliders, count, seed):
    """Values drawn over each slider's whole range, evenly in the logarithm where the slider is logarithmic."""
    draw = random.Random(seed)
    settings = []
    for _ in range(count):
        setting = {}
        for slider in sliders:
            low, high = slider["min"], slider["max"]
            value = low * (high / low) ** draw.random() if slider["log"] else draw.uniform(low, high)
            setting[slider["name"]] = round(value) if slider["integer"] else value
        settings.append(setting)
    return settings


def grid_settings(sliders, points=3):
    """Every combination of ``points`` values of the rule's sliders."""
    axes = {}
    for slider in sliders:
        if slider["group"] == "rule":
            low, high = slider["min"], slider["max"]
            parts = [i / (points - 1) for i in range(points)]
            axes[slider["name"]] = [
                low * (high / low) ** part if slider["log"] else low + (high - low) * part for part in parts
            ]
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def reference(name, setting, angle=None):
    """CPython's end point, and whether the run left the finite numbers."""
    angle = setting["angle"] if angle is None else angle
    _, f_grad = objectives.quadratic(condition=setting["condition"], angle=angle)
    rates = {key: setting[key] for key in RATE_NAMES[name]}
    points = train_2d(getattr(rules, name), setting["steps"], f_grad, **rates)
    return points[-1], len(points) <= setting["steps"]


@pytest.mark.parametrize(("name", "angle"), [("rmsprop_2d", None), ("gd_2d", None), ("momentum_2d", 45.0)])
def test_end_point_and_verdict_agree_with_train_2d(page, address, explorers, name, angle):
    spec = explorers[name].spec
    page.goto(address)
    figure = page.locator(f"figure[data-rule={name}]")
    defaults = dict(spec["state"]["values"])
    settings = [
        defaults | setting for setting in grid_settings(spec["sliders"]) + random_settings(spec["sliders"], 150, 7)
    ]
    # Hidden rows (the angle of a bowl that is always turned) have no field to type into for a reader.
    answers = apply(figure, *settings)
    bounded = 0
    for setting, answer in zip(settings, answers, strict=True):
        end, left_the_numbers = reference(name, setting, angle)
        expected = explorers[name]._figure.answer(spec["state"] | {"values": setting})
        diverged = expected["rules"][0]["diverged_at"] is not None
        assert answer["alert"] == "", setting
        assert answer["state"] == ("diverged" if diverged else "ready"), setting
        assert diverged or not left_the_numbers, setting
        if not diverged:
            scale = max(map(abs, end))
            assert answer["end"] == pytest.approx(end, rel=1e-9, abs=1e-9 * scale), setting
            bounded += 1
    assert bounded > len(settings) / 3  # the comparison is not empty


def test_published_end_point_in_full_precision(figure):
    [answer] = apply(figure, {"eta": 0.4, "gamma": 0.9})
    assert answer["end"] == [-0.01059867213411372, 1.0362121337275157e-14]
    [changed, back] = apply(figure, {"gamma": 0.5}, {"gamma": 0.9})
    assert changed["end"] != answer["end"]
    assert back["end"] == pytest.approx(answer["end"], rel=1e-9)
    assert int(back["seq"]) > int(changed["seq"]) > int(answer["seq"])


def test_live_page_and_cpython_draw_the_same_result(page, address, explorers):
    """Other objectives, all rules of a figure: the words, which hold every verdict, agree with CPython's."""
    page.goto(address)
    figure = page.locator("figure[data-rule=gd_2d]")
    spec = explorers["gd_2d"].spec
    for entry in spec["objectives"]:
        setting = {"objective": entry["name"], "eta": 0.01, "steps": 60}
        [answer] = apply(figure, setting)
        state = spec["state"] | {"objective": entry["name"], "start": entry["start"], "seq": 1}
        state["values"] = state["values"] | {"eta": 0.01, "steps": 60}
        expected = explorers["gd_2d"]._figure.answer(state)
        assert answer["words"] == expected["summary"]
        assert answer["end"] == pytest.approx(expected["rules"][0]["path"][-2:], rel=1e-9)
