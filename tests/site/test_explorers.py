"""Every interactive figure of the book, in the built page: the same code and the same numbers as in CPython."""

from __future__ import annotations

import base64
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from explore.driving import apply
from playwright.sync_api import Locator
from tab import Tab

from d2l_utils.explore.compute import Figure
from d2l_utils.objectives import OBJECTIVES
from d2l_utils.trace import bind, follow

ROOT = Path(__file__).resolve().parents[2]
SETTINGS_PER_FIGURE = 40


def specs(page: Path) -> list[dict[str, Any]]:
    html = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    return [json.loads(script.string)["spec"] for script in html.select("figure.d2l-explorer script.d2l-data")]


@pytest.fixture(scope="session")
def explored(pages: list[Path], site: Path) -> dict[str, list[dict[str, Any]]]:
    """Figures of each page that has some, by the page's address in the site."""
    found = {page.relative_to(site).as_posix(): specs(page) for page in pages}
    return {address: figures for address, figures in found.items() if figures}


def settings_of(spec: dict[str, Any]) -> list[dict[str, float]]:
    """The default, each slider at both ends, and values drawn over the whole range of all of them."""
    draw = random.Random(spec["id"])
    default = dict(spec["state"]["values"])
    settings = [default]
    for slider in spec["sliders"]:
        settings += [default | {slider["name"]: slider["min"]}, default | {slider["name"]: slider["max"]}]
    for _ in range(SETTINGS_PER_FIGURE):
        drawn = {}
        for slider in spec["sliders"]:
            low, high, part = slider["min"], slider["max"], draw.random()
            value = low * (high / low) ** part if slider["log"] else low + (high - low) * part
            drawn[slider["name"]] = round(value) if slider["integer"] else value
        settings.append(default | drawn)
    return settings


def first_rule(spec: dict[str, Any]) -> Any:
    """The first rule of a figure, run by CPython from the source that the page runs."""
    names: dict[str, Any] = {}
    exec(spec["prelude_source"] + "\n\n" + spec["f_source"] + "\n\n" + spec["rules"][0]["source"], names)
    return names[spec["rules"][0]["name"]], names


def end_by_train_2d(spec: dict[str, Any], setting: dict[str, float], nudge: float = 0.0) -> tuple[float, float] | None:
    """Where ``train_2d`` ends, or None if it diverges; ``nudge`` shifts the start a little."""
    trainer, names = first_rule(spec)
    rule = spec["rules"][0]
    if spec["objective"] in OBJECTIVES:
        entry = OBJECTIVES[spec["objective"]]
        _, f_grad = entry["make"](**{name: setting[name] for name in entry["params"]})
    else:
        f_grad = next((value for name, value in names.items() if name.endswith("_grad")), None)
    chosen = spec["fixed"] | setting
    hyperparams = {name: chosen[name] for name in rule["hyperparams"] if name in chosen}
    step, num_states = bind(trainer, f_grad if rule["gradient"] else None, hyperparams)
    start = [x * (1 + nudge) for x in spec["start"]]
    points = follow(step, start, num_states, int(setting["steps"]))
    return points[-1] if len(points) == setting["steps"] + 1 else None


def close(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return all(math.isclose(p, q, rel_tol=1e-9, abs_tol=1e-9 * max(map(abs, b))) for p, q in zip(a, b, strict=True))


def figures_of(
    kind: str, tab: Tab, server: str, explored: dict[str, list[dict[str, Any]]]
) -> Iterator[tuple[str, dict[str, Any], Locator]]:
    """Open each page; give its address and, one after the other, its figures of this kind."""
    for address, specs_of_page in explored.items():
        tab.open(server + address)
        for i, spec in enumerate(specs_of_page):
            if spec["kind"] == kind:
                yield address, spec, tab.page.locator("figure.d2l-explorer").nth(i)


def test_the_book_has_figures(explored: dict[str, list[dict[str, Any]]]) -> None:
    assert {"index.html", "chapters/rmsprop.html"} <= set(explored)


def test_the_source_shown_is_the_source_of_the_cell(explored: dict[str, list[dict[str, Any]]]) -> None:
    for address, figures in explored.items():
        notebook = ROOT / Path(address).with_suffix(".ipynb")
        if notebook.exists():
            cells = [cell.source for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
            for rule in (rule for spec in figures if spec["kind"] != "runs" for rule in spec["rules"]):
                assert any(rule["source"].strip() in cell for cell in cells), (address, rule["name"])


def test_numbers_agree_with_train_2d(tab: Tab, server: str, explored: dict[str, list[dict[str, Any]]]) -> None:
    compared = 0
    for address, spec, figure in figures_of("trace", tab, server, explored):
        settings = settings_of(spec)
        python = Figure(spec)
        for setting, answer in zip(settings, apply(figure, *settings), strict=True):
            where = (address, spec["id"], setting)
            result = python.answer(spec["state"] | {"values": setting})
            diverged = result["rules"][0]["diverged_at"] is not None
            assert answer["alert"] == "", where
            assert answer["state"] == ("diverged" if diverged else "ready"), where
            end = end_by_train_2d(spec, setting)
            assert diverged or end is not None, where
            chaotic = end is None or not close(end_by_train_2d(spec, setting, 1e-15) or (math.inf, 0.0), end)
            if not diverged and not chaotic:
                assert close(tuple(answer["end"]), end), (*where, answer["end"], end)
                compared += 1
    assert compared > SETTINGS_PER_FIGURE * len(explored) / 3


def test_schedules_say_what_python_says(tab: Tab, server: str, explored: dict[str, list[dict[str, Any]]]) -> None:
    for address, spec, figure in figures_of("schedule", tab, server, explored):
        settings = settings_of(spec)
        for setting, answer in zip(settings, apply(figure, *settings), strict=True):
            result = Figure(spec).answer(spec["state"] | {"values": setting})
            assert answer["alert"] == (result["error"]["message"] if result.get("error") else "")
            if not result.get("error"):
                assert answer["words"] == result["summary"], (address, spec["id"], setting)


def finals_of(packed: dict[str, Any]) -> Any:
    """Final losses of the cells of a map, one row a cell, as the page holds them: planes of the bytes of floats."""
    planes = np.frombuffer(base64.b64decode(packed["finals"]), dtype=np.uint8).reshape(4, -1)
    return planes.T.copy().view("<f4").reshape(-1, len(packed["seeds"])).astype(float)


def test_maps_of_many_runs_say_the_means_of_their_runs(
    tab: Tab, server: str, explored: dict[str, list[dict[str, Any]]]
) -> None:
    compared = 0
    for address, spec, figure in figures_of("runs", tab, server, explored):
        figure.locator("input[type=checkbox][name=compare]").set_checked(True)
        draw = random.Random(spec["id"])
        for _ in range(SETTINGS_PER_FIGURE):
            setting, means = {}, []
            for packed, end in ((spec["maps"][0], ""), (spec["maps"][-1], "_2")):
                cell, stride = 0, 1
                for axis in filter(None, (packed["x"], packed["y"])):
                    index = draw.randrange(len(axis["texts"]))
                    setting[axis["name"] + end] = axis["values"][index] if axis["values"] else index
                    cell += stride * index
                    stride *= len(axis["texts"])
                mean = finals_of(packed)[cell].mean()
                means.append(None if math.isnan(mean) else pytest.approx(mean, rel=1e-9))
            [answer] = apply(figure, setting)
            where = (address, spec["id"], setting)
            assert json.loads(answer["loss"]) == means, where
            assert answer["state"] == ("diverged" if None in means else "ready"), where
            compared += 1
    assert compared >= SETTINGS_PER_FIGURE


def test_every_figure_asks_and_tells(explored: dict[str, list[dict[str, Any]]]) -> None:
    for address, figures in explored.items():
        if address.startswith("chapters/"):
            for spec in figures:
                assert spec["task"]["predict"], (address, spec["id"])
                assert spec["task"]["seen"], (address, spec["id"])
                assert spec["goal"], (address, spec["id"])
