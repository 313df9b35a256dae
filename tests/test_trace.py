"""The 2-D toy: d2l's published end points, torch.optim as oracle over ranges of hyperparameters, divergence, errors."""

import contextlib
import io
import math
import re
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt

import d2l_utils as d2l
from d2l_utils.trace import follow

START = (-5.0, -2.0)


def f_2d(x1, x2):
    return 0.1 * x1**2 + 2 * x2**2


def f_2d_grad(x1, x2):
    return 0.2 * x1, 4 * x2


def gd_2d(x1, x2, f_grad, *, eta):
    g1, g2 = f_grad(x1, x2)
    return x1 - eta * g1, x2 - eta * g2


def momentum_2d(x1, x2, v1, v2, f_grad, *, eta, gamma):
    """As in d2l's first edition: the rate is inside the velocity."""
    g1, g2 = f_grad(x1, x2)
    v1, v2 = gamma * v1 + eta * g1, gamma * v2 + eta * g2
    return x1 - v1, x2 - v2, v1, v2


def adagrad_2d(x1, x2, s1, s2, f_grad, *, eta, eps=1e-6):
    g1, g2 = f_grad(x1, x2)
    s1, s2 = s1 + g1**2, s2 + g2**2
    return x1 - eta / math.sqrt(s1 + eps) * g1, x2 - eta / math.sqrt(s2 + eps) * g2, s1, s2


def rmsprop_2d(x1, x2, s1, s2, f_grad, *, eta, gamma, eps=1e-6):
    g1, g2 = f_grad(x1, x2)
    s1, s2 = gamma * s1 + (1 - gamma) * g1**2, gamma * s2 + (1 - gamma) * g2**2
    return x1 - eta / math.sqrt(s1 + eps) * g1, x2 - eta / math.sqrt(s2 + eps) * g2, s1, s2


def adam_2d(
    x1, x2, v1, v2, s1, s2, t, f_grad, *, eta, beta1=0.9, beta2=0.999, eps=1e-6, corrected=True
):  # fmt: skip
    g1, g2 = f_grad(x1, x2)
    t += 1
    v1, v2 = beta1 * v1 + (1 - beta1) * g1, beta1 * v2 + (1 - beta1) * g2
    s1, s2 = beta2 * s1 + (1 - beta2) * g1**2, beta2 * s2 + (1 - beta2) * g2**2
    c1, c2 = (1 - beta1**t, 1 - beta2**t) if corrected else (1, 1)
    x1 -= eta * (v1 / c1) / (math.sqrt(s1 / c2) + eps)
    x2 -= eta * (v2 / c1) / (math.sqrt(s2 / c2) + eps)
    return x1, x2, v1, v2, s1, s2, t


PUBLISHED = [
    pytest.param(gd_2d, {"eta": 0.4}, "x1 -0.943467, x2 -0.000073", id="gd"),
    pytest.param(gd_2d, {"eta": 0.6}, "x1 -0.387814, x2 -1673.365109", id="gd-diverging"),
    pytest.param(momentum_2d, {"eta": 0.4, "gamma": 0.5}, "x1 -0.062843, x2 0.001202", id="momentum"),
    pytest.param(momentum_2d, {"eta": 0.6, "gamma": 0.5}, "x1 0.007188, x2 0.002553", id="momentum-fast"),
    pytest.param(momentum_2d, {"eta": 0.6, "gamma": 0.25}, "x1 -0.126340, x2 -0.186632", id="momentum-light"),
    pytest.param(adagrad_2d, {"eta": 0.4}, "x1 -2.382563, x2 -0.158591", id="adagrad"),
    pytest.param(adagrad_2d, {"eta": 2}, "x1 -0.002295, x2 -0.000000", id="adagrad-fast"),
    pytest.param(rmsprop_2d, {"eta": 0.4, "gamma": 0.9}, "x1 -0.010599, x2 0.000000", id="rmsprop"),
    pytest.param(adam_2d, {"eta": 0.4}, "x1 0.996029, x2 -0.212750", id="adam"),
    pytest.param(adam_2d, {"eta": 0.4, "corrected": False}, "x1 0.384875, x2 -0.557979", id="adam-uncorrected"),
]


@pytest.mark.parametrize(("trainer", "hyperparams", "end"), PUBLISHED)
def test_published_end_points(trainer, hyperparams, end, capsys):
    points = d2l.train_2d(trainer, f_grad=f_2d_grad, **hyperparams)
    assert capsys.readouterr().out == f"epoch 20, {end}\n"
    assert len(points) == 21
    assert points[0] == START


def test_rmsprop_end_point_in_full_precision():
    x1, x2 = d2l.train_2d(rmsprop_2d, f_grad=f_2d_grad, eta=0.4, gamma=0.9)[-1]
    assert x1 == pytest.approx(-0.01059867213411372, rel=1e-13)
    assert x2 == pytest.approx(1.0362121337275157e-14, rel=1e-9)


def test_gradient_descent_follows_its_closed_form():
    points = d2l.train_2d(gd_2d, 30, f_2d_grad, eta=0.1, start=(3, 1))
    expected = [(3 * (1 - 0.1 * 0.2) ** k, (1 - 0.1 * 4) ** k) for k in range(31)]
    np.testing.assert_allclose(points, expected, rtol=1e-12)


def test_points_are_tuples_of_python_floats():
    for point in d2l.train_2d(gd_2d, f_grad=f_2d_grad, eta=0.4, start=np.array([-5, -2])):
        assert type(point) is tuple
        assert [type(x) for x in point] == [float, float]


# Call forms

eta, gamma = 0.4, 0.5


def test_first_edition_form_closes_over_globals(monkeypatch, capsys):
    def trainer(x1, x2, v1, v2):
        v1 = gamma * v1 + eta * 0.2 * x1
        v2 = gamma * v2 + eta * 4 * x2
        return x1 - v1, x2 - v2, v1, v2

    d2l.train_2d(trainer)
    monkeypatch.setattr(sys.modules[__name__], "eta", 0.6)
    d2l.train_2d(trainer)
    assert capsys.readouterr().out == "epoch 20, x1 -0.062843, x2 0.001202\nepoch 20, x1 0.007188, x2 0.002553\n"


def test_first_edition_stateless_trainer_returns_zeros(capsys):
    d2l.train_2d(lambda x1, x2, s1, s2: (x1 - 0.4 * 0.2 * x1, x2 - 0.4 * 4 * x2, 0, 0))  # noqa: ARG005
    assert capsys.readouterr().out == "epoch 20, x1 -0.943467, x2 -0.000073\n"


@pytest.mark.parametrize("name_of_gradient", ["f_grad", "grad"])
def test_current_edition_form_takes_steps_and_gradient(name_of_gradient, capsys):
    namespace = {"eta": 0.1}
    exec(
        f"def gd(x1, x2, s1, s2, {name_of_gradient}):\n"
        f"    g1, g2 = {name_of_gradient}(x1, x2)\n"
        "    return x1 - eta * g1, x2 - eta * g2, 0, 0\n",
        namespace,
    )

    def grad(x1, x2):
        return 2 * x1, 4 * x2

    named = d2l.train_2d(namespace["gd"], steps=20, f_grad=grad)
    positional = d2l.train_2d(namespace["gd"], 20, grad)
    assert named == positional
    assert capsys.readouterr().out == 2 * "epoch 20, x1 -0.057646, x2 -0.000073\n"


def test_trainer_with_star_args_gets_two_states():
    seen = []

    def trainer(*values):
        seen.append(values)
        return values

    d2l.train_2d(trainer, 1)
    assert seen == [(-5.0, -2.0, 0.0, 0.0)]


def test_gradient_may_be_keyword_only_or_optional():
    def keyword_only(x1, x2, *, f_grad, eta):
        return gd_2d(x1, x2, f_grad, eta=eta)

    def optional(x1, x2, f_grad=f_2d_grad, *, eta):
        return gd_2d(x1, x2, f_grad, eta=eta)

    expected = d2l.train_2d(gd_2d, f_grad=f_2d_grad, eta=0.4)
    assert d2l.train_2d(keyword_only, f_grad=f_2d_grad, eta=0.4) == expected
    assert d2l.train_2d(optional, f_grad=f_2d_grad, eta=0.4) == expected
    assert d2l.train_2d(optional, eta=0.4) == expected
    with pytest.raises(TypeError, match="keyword_only takes f_grad, but no gradient was given"):
        d2l.train_2d(keyword_only, eta=0.4)


def test_positional_hyperparameter_given_by_name_is_no_state():
    def trainer(x1, x2, s1, s2, eta):
        return x1 - eta * (0.2 * x1), x2 - eta * (4 * x2), s1, s2

    assert d2l.train_2d(trainer, eta=0.4) == d2l.train_2d(gd_2d, f_grad=f_2d_grad, eta=0.4)


# torch.optim as oracle, over ranges of hyperparameters and quadratics ½ xᵀAx

curvature = st.floats(0.05, 5)
rate = st.floats(1e-4, 1)
decay = st.floats(0, 0.999)
start = st.tuples(st.floats(-10, 10), st.floats(-10, 10))


def follow_torch(make_optimizer, points, f_grad):
    """Where a torch.optim optimizer goes in float64 when it is given the gradients at `points`.

    Its own path does not feed back, so rounding cannot grow even where the run is chaotic.
    """
    x = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in points[0]]
    optimizer = make_optimizer(x)
    path = [points[0]]
    for point in points[:-1]:
        for parameter, g in zip(x, f_grad(*point), strict=True):
            parameter.grad = torch.tensor(g, dtype=torch.float64)
        optimizer.step()
        path.append((x[0].item(), x[1].item()))
    return path


def quadratic_grad(matrix):
    a, b, c = matrix
    return lambda x1, x2: (a * x1 + b * x2, b * x1 + c * x2)


@st.composite
def quadratics(draw):
    """Entries (a, b, c) of a symmetric matrix [[a, b], [b, c]] with positive eigenvalues, turned by any angle."""
    low, high, angle = draw(curvature), draw(curvature), draw(st.floats(0, math.pi))
    cos, sin = math.cos(angle), math.sin(angle)
    return low * cos**2 + high * sin**2, (low - high) * cos * sin, low * sin**2 + high * cos**2


def assert_same_path(trainer, make_optimizer, matrix, start, **hyperparams):
    f_grad = quadratic_grad(matrix)
    with contextlib.redirect_stdout(io.StringIO()):
        ours = d2l.train_2d(trainer, 30, f_grad, start=start, **hyperparams)
    theirs = follow_torch(make_optimizer, ours, f_grad)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12 * max(1.0, np.abs(theirs).max()))


def outside(rule):
    """The same rule with ε outside the root, where torch.optim has it."""

    def root_plus_eps(x1, x2, s1, s2, f_grad, *, eta, eps, **hyperparams):
        g1, g2 = f_grad(x1, x2)
        _, _, s1, s2 = rule(x1, x2, s1, s2, f_grad, eta=0, eps=1, **hyperparams)
        return x1 - eta * g1 / (math.sqrt(s1) + eps), x2 - eta * g2 / (math.sqrt(s2) + eps), s1, s2

    return root_plus_eps


@given(quadratics(), start, rate, decay)
def test_momentum_2d_is_sgd_with_momentum(matrix, start, eta, gamma):
    # With the rate outside (as in torch) or inside the velocity, the path is the same while the rate is constant.
    assert_same_path(
        momentum_2d, lambda p: torch.optim.SGD(p, lr=eta, momentum=gamma), matrix, start, eta=eta, gamma=gamma
    )


@given(quadratics(), start, rate, st.floats(1e-10, 1e-2))
def test_adagrad_2d_is_torch_adagrad(matrix, start, eta, eps):
    assert_same_path(
        outside(adagrad_2d), lambda p: torch.optim.Adagrad(p, lr=eta, eps=eps), matrix, start, eta=eta, eps=eps
    )


@given(quadratics(), start, rate, decay, st.floats(1e-8, 1e-2))
def test_rmsprop_2d_is_torch_rmsprop(matrix, start, eta, gamma, eps):
    assert_same_path(
        outside(rmsprop_2d),
        lambda p: torch.optim.RMSprop(p, lr=eta, alpha=gamma, eps=eps),
        matrix,
        start,
        eta=eta,
        gamma=gamma,
        eps=eps,
    )


@given(quadratics(), start, rate, decay, decay, st.floats(1e-8, 1e-2))
def test_adam_2d_is_torch_adam(matrix, start, eta, beta1, beta2, eps):
    assert_same_path(
        adam_2d,
        lambda p: torch.optim.Adam(p, lr=eta, betas=(beta1, beta2), eps=eps),
        matrix,
        start,
        eta=eta,
        beta1=beta1,
        beta2=beta2,
        eps=eps,
    )


@settings(max_examples=50)
@given(rate, decay, st.floats(1e-8, 1e-2))
def test_first_rmsprop_step_has_its_closed_form(eta, gamma, eps):
    with contextlib.redirect_stdout(io.StringIO()):
        _, (x1, x2) = d2l.train_2d(rmsprop_2d, 1, f_2d_grad, eta=eta, gamma=gamma, eps=eps)
    assert x1 == pytest.approx(-5 + eta / math.sqrt((1 - gamma) + eps), rel=1e-9, abs=1e-9)
    assert x2 == pytest.approx(-2 + 8 * eta / math.sqrt((1 - gamma) * 64 + eps), rel=1e-9, abs=1e-9)


# Divergence


def test_run_to_infinity_ends_with_its_finite_points(capsys):
    points = d2l.train_2d(gd_2d, 1000, f_2d_grad, eta=1e3)
    out = capsys.readouterr().out
    assert out.startswith(f"diverged at step {len(points)}; last finite point (step {len(points) - 1}): x1 ")
    assert 1 < len(points) < 200
    assert np.isfinite(points).all()
    assert abs(points[-1][1]) > 1e300  # it went as far as floats go


def test_nan_ends_the_run(capsys):
    def nan_at_third_step(x1, x2, t):
        return (math.nan if t == 2 else x1 + 1), x2, t + 1

    assert d2l.train_2d(nan_at_third_step) == [(-5, -2), (-4, -2), (-3, -2)]
    assert capsys.readouterr().out == ("diverged at step 3; last finite point (step 2): x1 -3.000000, x2 -2.000000\n")


def test_overflow_error_ends_the_run(capsys):
    points = d2l.train_2d(lambda x1, x2: (x1**9, x2), 10, start=(10, 1))  # floats raise OverflowError in **
    assert points == [(10, 1), (1e9, 1), (1e81, 1)]
    assert capsys.readouterr().out.startswith("diverged at step 3; ")


def test_divergence_at_the_last_step_is_reported(capsys):
    points = d2l.train_2d(lambda x1, x2, t: (math.inf if t == 2 else x1, x2, t + 1), 3)
    assert points == 3 * [START]
    assert capsys.readouterr().out.startswith("diverged at step 3; ")


def test_divergence_at_the_first_step_leaves_the_start(capsys):
    assert d2l.train_2d(lambda x1, x2: (math.inf, x2)) == [START]  # noqa: ARG005
    assert capsys.readouterr().out.startswith("diverged at step 1; last finite point (step 0)")


# Errors: each names the argument and the value


def ok(x1, x2, *, eta=0.1, gamma=0.9, beta1=0.9):  # noqa: ARG001
    return x1, x2


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": -3}, ValueError, "steps must be at least 1, got -3"),
        ({"steps": 2.5}, TypeError, "steps must be an integer, got 2.5"),
        ({"steps": True}, TypeError, "steps must be an integer, got True"),
        ({"steps": None}, TypeError, "steps must be an integer, got None"),
        ({"start": (1, 2, 3)}, TypeError, r"start must be two numbers .*got \(1, 2, 3\)"),
        ({"start": 1}, TypeError, "start must be two numbers .*got 1"),
        ({"start": (math.nan, 0)}, ValueError, r"start must be finite, got \(nan, 0\)"),
        ({"eta": -0.1}, ValueError, "eta must be finite and at least 0, got -0.1"),
        ({"eta": math.nan}, ValueError, "eta must be finite and at least 0, got nan"),
        ({"eta": math.inf}, ValueError, "eta must be finite and at least 0, got inf"),
        ({"eta": "0.1"}, TypeError, "eta must be a number, got '0.1'"),
        ({"eta": None}, TypeError, "eta must be a number, got None"),
        ({"gamma": 1}, ValueError, r"gamma must be in \[0, 1\), got 1.0"),
        ({"gamma": 1.2}, ValueError, r"gamma must be in \[0, 1\), got 1.2"),
        ({"gamma": -0.5}, ValueError, r"gamma must be in \[0, 1\), got -0.5"),
        ({"gamma": math.nan}, ValueError, r"gamma must be in \[0, 1\), got nan"),
        ({"beta1": 2}, ValueError, r"beta1 must be in \[0, 1\), got 2.0"),
        ({"rho": 0.9}, TypeError, "ok takes no hyperparameter 'rho'"),
        ({"f_grad": f_2d_grad}, TypeError, "ok takes no gradient, but f_grad was given"),
    ],
)
def test_bad_arguments_are_named(kwargs, error, message):
    with pytest.raises(error, match=message):
        d2l.train_2d(ok, **kwargs)


@pytest.mark.parametrize(
    ("trainer", "kwargs", "error", "message"),
    [
        (3, {}, TypeError, "trainer must be a function, got 3"),
        (lambda x1: x1, {}, TypeError, r"must take x1 and x2 .*\['x1'\]"),
        (gd_2d, {"f_grad": f_2d_grad}, TypeError, "gd_2d needs a value for 'eta'"),
        (gd_2d, {"eta": 0.1}, TypeError, "gd_2d takes f_grad, but no gradient was given"),
        (gd_2d, {"eta": 0.1, "f_grad": 3}, TypeError, r"f_grad must be a function .*got 3"),
        (lambda x1, x2, s1, s2: (x1, x2), {}, ValueError, "must return 4 values .*got 2 values"),  # noqa: ARG005
        (lambda x1, x2: (x1, x2, 0, 0), {}, ValueError, "must return 2 values .*got 4 values"),
        (lambda x1, x2: None, {}, ValueError, "must return 2 values .*got None"),  # noqa: ARG005
        (lambda x1, x2: x1 + x2, {}, ValueError, "must return 2 values .*got -7.0"),
    ],
)
def test_bad_trainers_are_named(trainer, kwargs, error, message):
    with pytest.raises(error, match=message):
        d2l.train_2d(trainer, **kwargs)


@pytest.mark.parametrize("value", [None, 1.0, (1.0,), (1.0, 2.0, 3.0)])
def test_bad_gradients_are_named(value):
    with pytest.raises(TypeError, match=f"f_grad must return two numbers .*got {re.escape(repr(value))}"):
        d2l.train_2d(gd_2d, f_grad=lambda x1, x2: value, eta=0.1)  # noqa: ARG005


def test_an_error_of_the_trainer_itself_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        d2l.train_2d(lambda x1, x2: (x1 / 0, x2))


def test_follow_is_pure():
    start = [1.0, 2.0]
    assert follow(lambda x1, x2, s: (x1 + s, x2, s + 1), start, 1, 3) == [(1, 2), (1, 2), (2, 2), (4, 2)]
    assert start == [1.0, 2.0]


# The picture


def all_points_inside(ax, points):
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    return all(left < x1 < right and bottom < x2 < top for x1, x2 in points)


def test_picture_has_d2l_window_by_default():
    ax = d2l.show_trace_2d(f_2d, d2l.train_2d(rmsprop_2d, f_grad=f_2d_grad, eta=0.4, gamma=0.9))
    assert isinstance(ax, plt.Axes)
    assert ax.get_xlim() == pytest.approx((-5.5, 1.0))
    assert ax.get_ylim() == pytest.approx((-3.0, 1.0))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("$x_1$", "$x_2$")


@pytest.mark.parametrize("eta", [0.6, 1.0])
def test_diverging_path_is_drawn_whole_and_inside(eta):
    points = d2l.train_2d(gd_2d, f_grad=f_2d_grad, eta=eta)
    ax = d2l.show_trace_2d(f_2d, points)
    assert all_points_inside(ax, points)
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), points)
    ax.figure.canvas.draw()


@pytest.mark.parametrize("size", [1e3, 1e153, 1e292])
def test_huge_points_are_drawn_without_a_warning(size, recwarn):
    points = [START, (size, 1), (-size, size)]
    ax = d2l.show_trace_2d(f_2d, points)
    ax.figure.canvas.draw()
    assert all_points_inside(ax, points)
    assert [str(w.message) for w in recwarn] == []


def test_path_to_the_edge_of_floats_is_drawn(recwarn):
    points = d2l.train_2d(lambda x1, x2: (x1, -1.1 * x2), 10_000)  # a run that ends just below 1.8e308
    assert abs(points[-1][1]) > 1.5e308
    ax = d2l.show_trace_2d(f_2d, points)
    ax.figure.canvas.draw()
    assert np.isfinite([ax.get_xlim(), ax.get_ylim()]).all()
    assert ax.get_ylim()[0] < -1e300 < 1e300 < ax.get_ylim()[1]
    assert [str(w.message) for w in recwarn] == []


def test_several_paths_get_a_legend_and_different_styles():
    paths = {
        "gd": d2l.train_2d(gd_2d, f_grad=f_2d_grad, eta=0.4),
        "adagrad": d2l.train_2d(adagrad_2d, f_grad=f_2d_grad, eta=0.4),
    }
    ax = d2l.show_trace_2d(f_2d, paths)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["gd", "adagrad"]
    first, second = ax.lines[:2]
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()
    assert first.get_linestyle() != second.get_linestyle()


def test_single_path_needs_no_legend():
    assert d2l.show_trace_2d(f_2d, [START, (0, 0)]).get_legend() is None


def test_objective_written_with_math_is_evaluated_point_by_point():
    ax = d2l.show_trace_2d(lambda x1, x2: math.exp(-(x1**2)) + math.cos(x2), [START, (0, 0)])
    ax.figure.canvas.draw()
    arrays = d2l.show_trace_2d(lambda x1, x2: np.exp(-(x1**2)) + np.cos(x2), [START, (0, 0)])
    ours, expected = (a.collections[0].get_paths() for a in (ax, arrays))
    assert sum(len(p.vertices) for p in ours) > 100
    for path, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(path.vertices, other.vertices, atol=1e-9)


def test_contours_are_those_of_the_objective():
    contours = d2l.show_trace_2d(f_2d, [START, (0, 0)]).collections[0]
    checked = 0
    for level, path in zip(contours.levels, contours.get_paths(), strict=True):
        for x1, x2 in path.vertices:
            # Linear interpolation on the grid is off by at most ⅛ (h₁²·0.2 + h₂²·4).
            assert f_2d(x1, x2) == pytest.approx(level, abs=0.125 * (0.0407**2 * 0.2 + 0.0334**2 * 4) + 1e-9)
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("f", [lambda x1, x2: 1.0, lambda x1, x2: 0 * x1 + np.nan])  # noqa: ARG005
def test_flat_or_undefined_objective_still_shows_the_path(f):
    ax = d2l.show_trace_2d(f, [START, (0, 0)])
    ax.figure.canvas.draw()
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [START, (0, 0)])


def test_draws_into_given_axes():
    _, axes = plt.subplots(1, 2)
    assert d2l.show_trace_2d(f_2d, [START, (0, 0)], ax=axes[1]) is axes[1]
    assert len(axes[0].lines) == 0
    assert len(plt.get_fignums()) == 1


def test_drawing_leaves_rcparams_alone():
    before = dict(plt.rcParams)
    d2l.show_trace_2d(f_2d, {"a": [START, (0, 0)]})
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([], "a path must be a sequence of points"),
        ({}, "results must hold at least one path"),
        ({"a": []}, "a path must be a sequence of points"),
        ([(1, 2, 3)], r"a path must be .*shape \(1, 3\)"),
        ([1, 2], r"a path must be .*shape \(2,\)"),
        ([(0, math.nan)], "a path must hold finite points"),
        ([(0, math.inf)], "a path must hold finite points"),
    ],
)
def test_bad_paths_are_named(results, message):
    with pytest.raises(ValueError, match=message):
        d2l.show_trace_2d(f_2d, results)
