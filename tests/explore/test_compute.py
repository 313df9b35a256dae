import __future__

import copy
import inspect
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from d2l_utils import explore_2d, explore_schedule, train_2d
from d2l_utils.explore import compute, derived
from d2l_utils.explore.compute import Figure, contours, ellipse, number, reply, signature
from d2l_utils.explore.derived import heights
from d2l_utils.explore.site import page_source
from d2l_utils.objectives import OBJECTIVES, quadratic

from . import rules


def figure_of(*trainers, **options):
    """A figure that, as in the page, knows nothing but its spec."""
    return Figure(json.loads(json.dumps(explore_2d(*trainers, **options).spec)))


def ask(figure, sources=None, **changes):
    state = copy.deepcopy(figure.spec["state"]) | {"sources": sources}
    state["values"] |= {name: value for name, value in changes.items() if name in state["values"]}
    return figure.answer(state | {name: value for name, value in changes.items() if name not in state["values"]})


@settings(max_examples=40, deadline=None)
@given(
    eta=st.floats(1e-3, 1),
    gamma=st.floats(0, 0.999),
    steps=st.integers(1, 100),
    start=st.tuples(st.floats(-6, 6), st.floats(-6, 6)),
)
def test_path_is_that_of_train_2d(eta, gamma, steps, start):
    figure = figure_of(rules.rmsprop_2d)
    run = ask(figure, eta=eta, gamma=gamma, steps=steps, start=list(start))["rules"][0]
    points = train_2d(rules.rmsprop_2d, steps, quadratic()[1], start=start, eta=eta, gamma=gamma)
    assert run["path"] == [x for point in points for x in point]


def test_published_end_point():
    run = ask(figure_of(rules.rmsprop_2d))["rules"][0]
    assert run["path"][-2:] == pytest.approx([-0.01059867213411372, 1.0362121337275157e-14], rel=1e-12)


def test_f_and_step_per_unit_of_gradient():
    run = ask(figure_of(rules.gd_2d, eta=0.1))["rules"][0]
    f, _ = quadratic()
    assert run["f"] == [f(*point) for point in zip(run["path"][::2], run["path"][1::2], strict=True)]
    assert derived.rates_along(run, 0) == pytest.approx([0.1] * 20)
    assert derived.rates_along(run, 1) == pytest.approx([0.1] * 20)


def test_rate_is_nan_where_there_is_no_gradient():
    run = ask(figure_of(rules.gd_2d, eta=0.1), start=[-5.0, 0.0])["rules"][0]
    assert derived.rates_along(run, 0) == pytest.approx([0.1] * 20)
    assert all(math.isnan(rate) for rate in derived.rates_along(run, 1))


def test_verdicts_in_words():
    figure = figure_of(rules.gd_2d, values={"eta": 0.4}, steps=100)
    converged = ask(figure, eta=0.4)["rules"][0]
    k = converged["reached_at"]
    assert converged["f"][k] < 1e-6 <= converged["f"][k - 1]
    assert converged["summary"] == f"converged: f < 1e-6 at step {k}"
    assert ask(figure, eta=0.01)["summary"].startswith("f = ")
    diverged = ask(figure, eta=2)["rules"][0]
    assert diverged["diverged_at"] is not None
    assert diverged["summary"] == f"diverged at step {diverged['diverged_at']}"


def test_a_run_whose_numbers_overflow_diverges_and_stays_finite():
    result = ask(figure_of(rules.gd_2d, values={"eta": 0.4}, steps=1000), eta=10.0)
    run = result["rules"][0]
    assert run["diverged_at"] is not None
    assert all(map(math.isfinite, run["path"] + result["window"] + derived.f_axis([run])[0]))


def test_touching_the_goal_is_not_converging():
    figure = figure_of(rules.rmsprop_2d, steps=60)
    run = ask(figure, eta=0.4)["rules"][0]
    assert min(run["f"]) < 1e-6 < run["f"][-1]
    assert run["reached_at"] is None


def test_goal_is_recognised():
    figure = figure_of(rules.gd_2d, values={"eta": 0.1}, steps=40, goal={"below": 0.01, "within": 30})
    assert ask(figure)["goal"] == {"reached": False, "text": "not yet reached: f < 0.01 in 30 steps"}
    assert ask(figure, eta=0.45)["goal"]["reached"]
    late = ask(figure, eta=0.1, steps=200)
    assert late["rules"][0]["reached_at"] > 30
    assert not late["goal"]["reached"]
    wild = figure_of(rules.gd_2d, values={"eta": 0.1}, goal={"diverge": True})
    assert not ask(wild)["goal"]["reached"]
    assert ask(wild, eta=1.0)["goal"]["reached"]


@settings(max_examples=40, deadline=None)
@given(start=st.tuples(st.floats(-300, 300), st.floats(-300, 300)))
def test_window_holds_a_bounded_path(start):
    result = ask(figure_of(rules.rmsprop_2d), start=list(start))
    path, (left, right, low, high) = result["rules"][0]["path"], result["window"]
    assert left <= min(path[::2])
    assert max(path[::2]) <= right
    assert low <= min(path[1::2])
    assert max(path[1::2]) <= high


def test_window_moves_seldom_and_not_at_all_when_told():
    figure = figure_of(rules.rmsprop_2d)
    windows = {tuple(ask(figure, start=[-5.0, -2.0 - k / 50])["window"]) for k in range(200)}
    assert len(windows) < 8
    assert ask(figure, start=[-50.0, 0.0], window=[-5.5, 1.0, -3.0, 1.0])["window"] == [-5.5, 1.0, -3.0, 1.0]


def test_contours_are_sent_only_if_the_page_has_others():
    figure = figure_of(rules.rmsprop_2d)
    first = ask(figure)["contours"]
    assert "contours" not in ask(figure, view=first["key"], eta=0.1)
    for change in ({"condition": 50.0}, {"angle": 30.0}, {"objective": "beale"}, {"start": [-20.0, 0.0]}):
        assert ask(figure, view=first["key"], **change)["contours"]["key"] != first["key"]


def test_grid_and_levels():
    window = [-5.5, 1.0, -3.0, 1.0]
    grid = contours(quadratic()[0], window)
    assert len(grid["grid"]) == grid["nx"] * grid["ny"]
    left, right, bottom, top = grid["box"]  # one interval more on every side
    assert right - left == pytest.approx(6.5 * (grid["nx"] - 1) / (grid["nx"] - 3))
    assert left + right == pytest.approx(-4.5)
    assert top - bottom == pytest.approx(4 * (grid["ny"] - 1) / (grid["ny"] - 3))
    assert grid["grid"][0] == pytest.approx(0.1 * left**2 + 2 * bottom**2)
    assert grid["grid"][grid["nx"] - 1] == pytest.approx(0.1 * right**2 + 2 * bottom**2)
    lines = grid["levels"]
    assert lines == sorted(lines, reverse=True)
    assert min(grid["grid"]) < lines[-1] < lines[0] < max(grid["grid"])
    broken = contours(lambda x1, x2: 1 / (x1 - x1) if x2 > 0 else x1 * x1, [-1.0, 1.0, -1.0, 1.0])
    assert any(math.isnan(z) for z in broken["grid"])
    assert all(map(math.isfinite, broken["levels"]))
    nowhere = contours(lambda *_: math.inf, window)
    assert nowhere["levels"] == []


def test_halving_the_grid_is_exact_for_a_quadratic():
    f, _ = quadratic(condition=20.0, angle=30.0)
    grid = contours(f, [-60.5, 1.0, -3.0, 41.0])
    left, right, bottom, top = grid["box"]
    columns = np.linspace(left, right, 2 * grid["nx"] - 1)
    rows = np.linspace(bottom, top, 2 * grid["ny"] - 1)
    expected = np.array([[f(x1, x2) for x1 in columns] for x2 in rows])
    np.testing.assert_allclose(heights(grid), expected, rtol=1e-12, atol=1e-12 * expected.max())


def points_of(ellipse, radius=1.0, count=24):
    """Points of an ellipse, array (2, count), drawn ``radius`` times its size."""
    c1, c2, a, b, c = ellipse
    turns = np.linspace(0, 2 * math.pi, count)
    u, v = radius * np.cos(turns), radius * np.sin(turns)
    return np.array([c1 + a * u + b * v, c2 + c * v])


@pytest.mark.parametrize("window", [[-5.5, 1.0, -3.0, 1.0], [-60.5, 1.0, -3.0, 41.0]])
@pytest.mark.parametrize(("condition", "angle"), [(1.0, 0.0), (20.0, 0.0), (20.0, 30.0), (1000.0, -77.0), (0.5, 90.0)])
def test_contour_lines_of_a_quadratic_are_ellipses(window, condition, angle):
    f, f_grad = quadratic(condition=condition, angle=angle)
    line = ellipse(f, f_grad, window)["ellipse"]
    top = max(f(x1, x2) for x1 in window[:2] for x2 in window[2:])
    for radius in (1, 0.5, 1 / 11):
        assert f(*points_of(line, radius)) == pytest.approx(radius**2 * top, rel=1e-9)


def test_the_ellipse_of_a_moved_quadratic():
    f, f_grad = quadratic(condition=7.0, angle=20.0)
    moved = ellipse(
        lambda x1, x2: f(x1 - 3, x2 + 2) + 5, lambda x1, x2: f_grad(x1 - 3, x2 + 2), [-2.5, 4.0, -5.0, -1.0]
    )
    here = ellipse(f, f_grad, [-5.5, 1.0, -3.0, 1.0])
    assert moved["ellipse"] == pytest.approx(here["ellipse"] + np.array([3, -2, 0, 0, 0]), rel=1e-9, abs=1e-9)


def test_every_function_with_sliders_is_a_convex_quadratic():
    """Its contour lines are drawn as ellipses."""
    for name, entry in OBJECTIVES.items():
        if entry["params"]:
            f, f_grad = entry["make"]()
            line = ellipse(f, f_grad, list(entry["window"]))["ellipse"]
            for radius in (1, 0.3):
                f_on_line = f(*points_of(line, radius)) - f(*line[:2])
                assert f_on_line == pytest.approx(f_on_line[0], rel=1e-9), name
            assert f_on_line[0] > 0


EDITED = """def rmsprop_2d(x1, x2, s1, s2, f_grad, *, eta=0.4, gamma=0.9, eps=1e-6, {}):
    g1, g2 = f_grad(x1, x2)
    return {}
"""


def test_edited_code_runs_and_its_new_parameters_get_sliders():
    figure = figure_of(rules.rmsprop_2d)
    source = EDITED.format("clip=0.5, warm=30", "x1 - clip * g1, x2 - clip * g2, s1, s2")
    result = ask(figure, {"rmsprop_2d": source})
    assert result["rules"][0]["path"][2:4] == pytest.approx([-5 + 0.5, -2 + 0.5 * 8])
    clip, warm = result["new_sliders"]
    assert (clip["name"], clip["min"], clip["max"], clip["default"]) == ("clip", 0, 1, 0.5)
    assert (warm["name"], warm["min"], warm["max"], warm["default"]) == ("warm", 0, 60, 30)
    assert (clip["integer"], warm["integer"]) == (False, True)
    state = copy.deepcopy(figure.spec["state"]) | {"sources": {"rmsprop_2d": source}}
    state["values"]["clip"] = 0.1
    assert figure.answer(state)["rules"][0]["path"][2:4] == pytest.approx([-5 + 0.1, -2 + 0.1 * 8])


@pytest.mark.parametrize(
    ("source", "message", "line"),
    [
        (EDITED.format("k=1", "x1 x2"), "SyntaxError", 3),
        (EDITED.format("k=1", "y, x2, s1, s2"), "NameError: name 'y'", 3),
        (EDITED.format("k=1", "x1 / 0, x2, s1, s2"), "ZeroDivisionError", 3),
        (EDITED.format("k=1", "x1, x2"), "must return 4 values", None),
        (EDITED.format("k=1", "g1"), "must return 4 values", None),
        ("x = 1\n", "must define", None),
        ("x = 1 / 0\n", "ZeroDivisionError", 1),
        ("", "must define", None),
    ],
)
def test_an_error_names_the_line_and_leaves_the_figure_alive(source, message, line):
    figure = figure_of(rules.rmsprop_2d)
    before = ask(figure)
    error = ask(figure, {"rmsprop_2d": source})["error"]
    assert message in error["message"]
    assert (error["line"], error["rule"]) == (line, "rmsprop_2d")
    assert ask(figure) == before


def test_an_error_of_the_kernels_own_function_names_the_line_in_its_source():
    def failing_2d(x1, x2, *, eta=0.1):
        if eta > 0.5:
            raise RuntimeError("too fast")
        return x1, x2

    widget = explore_2d(failing_2d)
    assert widget.result["error"] is None
    widget.state = widget.state | {"values": widget.state["values"] | {"eta": 1.0}}
    assert widget.result["error"] == {"message": "RuntimeError: too fast", "line": 3, "rule": "failing_2d"}


def test_rule_that_works_out_its_gradient_itself():
    figure = figure_of(rules.own_gradient_2d)
    assert [entry["name"] for entry in figure.spec["objectives"]] == ["quadratic"]
    assert [slider["name"] for slider in figure.spec["sliders"]] == ["eta", "steps"]
    expected = ask(figure_of(rules.gd_2d, eta=0.4))["rules"][0]["path"]
    assert ask(figure)["rules"][0]["path"] == pytest.approx(expected, rel=1e-12)


def test_objective_of_ones_own():
    def bowl(x1, x2):
        """A round bowl."""
        return x1**2 + x2**2

    def bowl_grad(x1, x2):
        return 2 * x1, 2 * x2

    figure = figure_of(rules.gd_2d, f=bowl, f_grad=bowl_grad, eta=0.25, start=(2, 2))
    assert figure.spec["objectives"][0]["label"] == "A round bowl"
    assert len(figure.spec["objectives"]) > 1
    assert ask(figure)["rules"][0]["path"][2:4] == [1.0, 1.0]


@pytest.mark.parametrize(
    "source",
    [
        "def f(x1, x2, s1, s2, f_grad, *, eta, gamma=0.9, eps=1e-6): pass",
        "def f(x1: float, x2: float = 3.0, *, a: dict[str, int] = {'b': (1, 2)}, c=(1, 2), d=-2): pass",
        "def f(\n    x1,\n    x2,  # the point, (a comment, with commas)\n    s1,\n    *,\n    eta=0.4,\n): pass",
        "def f(x1, x2, *states, f_grad, eta=1, **others): pass",
        "class f:\n    rate = 1\n    def __init__(self, base_lr, decay=0.5, *, steps=10): pass",
    ],
)
def test_signature_read_from_the_text_is_that_of_inspect(source):
    namespace = {}
    exec(source, namespace)
    parameters = [p for p in inspect.signature(namespace["f"]).parameters.values() if p.name != "f_grad"]
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    hyper = [p for p in named if p.kind is p.KEYWORD_ONLY or p.default is not p.empty]
    found = signature(source, "f")
    assert found["hyperparams"] == [p.name for p in hyper]
    assert found["positional"] == [p.name for p in named if p not in hyper]
    assert found["gradient"] == ("f_grad" in source)
    assert found["defaults"] == {p.name: p.default for p in hyper if isinstance(p.default, int | float)}


@pytest.mark.parametrize(
    ("steps", "limits", "reached"), [(25, {"high": 0.6}, True), (25, {"low": 0.6}, False), (15, {"high": 0.6}, False)]
)
def test_goal_of_a_schedule(steps, limits, reached):
    figure = Figure(explore_schedule(rules.factor, steps=steps, goal={"at": 20, **limits}, values={"decay": 0.5}).spec)
    answer = figure.answer(figure.spec["state"])
    goal = answer["goal"]
    assert goal["reached"] is reached
    assert goal["text"].startswith("reached: a rate of at" if reached else "not yet reached: a rate of at")


def test_schedules():
    figure = Figure(explore_schedule(rules.factor, rules.MultiFactor, steps=25).spec)
    result = figure.answer(figure.spec["state"])
    assert result["rules"][0]["rate"] == [0.1 * 0.9**t for t in range(25)]
    # `decay` is one slider; its value is the default of the first schedule that has it.
    assert result["rules"][1]["rate"] == pytest.approx([0.1] * 10 + [0.09] * 10 + [0.081] * 5)
    assert result == figure.answer(figure.spec["state"])  # a stateful schedule starts afresh each time
    assert result["summary"].startswith("factor: 0.1 at step 0, ")


def test_the_source_for_the_page_is_complete_and_computes_the_same():
    namespace = {"__name__": "page"}
    annotations = __future__.annotations
    # Annotations are not evaluated, as in MicroPython.
    exec(compile(page_source(), "page", "exec", flags=annotations.compiler_flag), namespace)
    spec = json.loads(json.dumps(explore_2d(rules.rmsprop_2d, rules.adagrad_2d).spec))
    request = json.dumps({"figure": "a", "spec": spec, "state": spec["state"]})
    text, packed = namespace["reply"](request)
    numbers = memoryview(packed).cast("d")
    assert text == reply(request)[0]
    result, expected = json.loads(text), Figure(spec).answer(spec["state"])
    for run, wanted in zip(result["rules"], expected["rules"], strict=True):
        for key in ("path", "f", "slope"):
            offset, length = run[key]
            assert list(numbers[offset : offset + length]) == wanted[key]
    assert result["contours"] == expected["contours"]


@pytest.mark.parametrize(
    ("value", "text"), [(1e-6, "1e-6"), (0.4, "0.4"), (0, "0"), (1234567.0, "1.23e6"), (-1e-12, "-1e-12"), (20.0, "20")]
)
def test_numbers_are_written_briefly(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("lowest", "highest", "decades"),
    [(0.1, 0.1, [-2, 0]), (0.2, 0.5, [-1, 0]), (1e-3, 50.0, [-3, 2]), (1e-30, 1.0, [-8, 0])],
)
def test_logarithmic_axes_are_whole_decades(lowest, highest, decades):
    assert derived.decades(lowest, highest, 8) == decades


@pytest.mark.parametrize(
    ("lists", "above", "expected"),
    [
        ([[0.5, 2.0], [1.0]], 0.0, (0.5, 2.0)),
        ([[0.5, -1.0, 0.0]], 0.0, (0.5, 0.5)),
        ([[math.nan, 3.0], [math.inf, 4.0]], 0.0, (3.0, 4.0)),
        ([[-2.0, math.nan, 1.0]], -math.inf, (-2.0, 1.0)),
        ([[math.nan], []], 0.0, (1.0, 2.0)),
        ([], 0.0, (1.0, 2.0)),
    ],
)
def test_range_leaves_out_what_an_axis_cannot_show(lists, above, expected):
    assert derived.extent(lists, above, (1.0, 2.0)) == expected


def test_nice_steps():
    assert [compute._nice(value) for value in (0.11, 0.9, 1, 1.1, 3, 7, 80)] == pytest.approx(
        [0.2, 1, 1, 2, 5, 10, 100]
    )


def test_picture_of_an_explosion_keeps_a_scale_to_read():
    figure = Figure(explore_2d(rules.gd_2d, objective="rosenbrock", values={"eta": 0.4}).spec)
    result = figure.answer(figure.spec["state"])
    assert result["rules"][0]["diverged_at"] is not None
    assert max(map(abs, result["rules"][0]["path"])) > 1e60
    assert 400 < max(map(abs, result["window"])) < 5000
