"""What `interactive.md` says about its own figure is true."""

import linecache
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "interactive.md"


@pytest.fixture(scope="module")
def figure():
    cells = re.findall(r"```\{code-cell\}.*\n(?::.*\n)*([\s\S]*?)```", PAGE.read_text("utf-8"))
    namespace = {"__name__": "page"}
    for i, source in enumerate(cells[:-1]):
        name = f"<cell {i}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), namespace)
    return eval(cells[-1].strip(), namespace)


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
