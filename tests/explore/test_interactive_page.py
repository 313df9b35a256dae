"""What `interactive.md` says about its own figures is true."""

import linecache
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "interactive.md"


@pytest.fixture(scope="module")
def page():
    """The names of the page, and its figures."""
    cells = re.findall(r"```\{code-cell\}.*\n(?::.*\n)*([\s\S]*?)```", PAGE.read_text("utf-8"))
    namespace, figures = {"__name__": "page"}, []
    for i, source in enumerate(cells):
        name = f"<cell {i}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        if source.startswith("d2l.explore"):
            figures.append(eval(source.strip(), namespace))
        else:
            exec(compile(source, name, "exec"), namespace)
    return namespace, figures


@pytest.fixture
def figure(page):
    return page[1][0]


def result_at(figure, eta):
    figure.state = figure.state | {"values": figure.state["values"] | {"eta": eta}}
    return figure.result


def test_the_goal_is_out_of_reach_but_for_the_range_that_is_named(figure):
    reached = [eta / 1000 for eta in range(300, 520) if result_at(figure, eta / 1000)["goal"]["reached"]]
    assert min(reached) == pytest.approx(0.44, abs=0.005)
    assert max(reached) == pytest.approx(0.475, abs=0.005)


def test_beyond_one_half_the_steep_direction_grows(figure):
    for eta, grows in ((0.49, False), (0.51, True)):
        x2 = [abs(x) for x in result_at(figure, eta)["rules"][0]["path"][1::2]]
        assert (x2 == sorted(x2)) is grows


def test_only_the_ridge_of_momentum_is_slanted(page):
    names, _ = page
    rates = names["rates"]

    def best_rates(sweep, name):
        return [sweep.select(**{name: value}).best().settings[0]["lr"] for value in names["fading"]]

    assert best_rates(names["with_momentum"], "momentum") == [0.03, 0.01, 0.003, 0.001]
    places = [rates.index(rate) for rate in best_rates(names["with_rmsprop"], "gamma")]
    assert max(places) - min(places) <= 1


def test_the_goal_of_the_map_is_open_but_can_be_reached(page):
    names, (_, figure) = page
    assert 'data-reached="false"' in figure.to_html()
    options = {"labels": ["RMSProp", "momentum"], "goal": {"alike": True}}
    reached = [
        'data-reached="true"'
        in names["d2l"].explore_runs(names["with_rmsprop"], names["with_momentum"], at=at, **options).to_html()
        for at in names["with_rmsprop"].settings
    ]
    assert any(reached)
    assert not all(reached)
