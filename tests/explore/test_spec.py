import math
from types import SimpleNamespace

import ipywidgets
import pytest

from d2l_utils import explore_2d, explore_schedule
from d2l_utils.explore.spec import Prelude, check_subset, source_of
from d2l_utils.plot import PALETTE

from . import rules


def sliders_of(*trainers, **options):
    return {slider["name"]: slider for slider in explore_2d(*trainers, **options).spec["sliders"]}


def test_every_declared_hyperparameter_gets_a_slider():
    assert list(sliders_of(rules.rmsprop_2d)) == ["eta", "gamma", "eps", "steps", "condition", "angle"]
    assert list(sliders_of(rules.rmsprop_2d, rules.momentum_2d)) == [
        *("eta", "gamma", "eps", "beta"),
        *("steps", "condition", "angle"),
    ]


def test_defaults_are_those_of_the_trainer_then_values():
    assert sliders_of(rules.rmsprop_2d)["eta"]["default"] == 0.4
    assert sliders_of(rules.gd_2d)["eta"]["default"] == 0.1
    assert sliders_of(rules.rmsprop_2d, values={"eta": 0.2})["eta"]["default"] == 0.2
    assert sliders_of(rules.gd_2d, values={"condition": 100})["condition"]["default"] == 100
    assert sliders_of(rules.gd_2d, steps=50)["steps"] | {"label": ""} == {
        "name": "steps", "label": "", "log": False, "integer": True, "group": "figure",
        "min": 1, "max": 250, "step": 1, "default": 50,
    }  # fmt: skip


def test_sliders_follow_ipywidgets():
    eta = sliders_of(rules.gd_2d, eta=(0.01, 1))["eta"]
    assert (eta["min"], eta["max"], eta["log"], eta["default"]) == (0.01, 1, True, 0.1)
    gamma = sliders_of(rules.rmsprop_2d, gamma=(0.5, 0.99, 0.01))["gamma"]
    assert (gamma["min"], gamma["max"], gamma["step"], gamma["log"]) == (0.5, 0.99, 0.01, False)
    eta = sliders_of(rules.gd_2d, eta=ipywidgets.FloatLogSlider(value=0.5, min=-3, max=1, step=0.1))["eta"]
    assert (eta["min"], eta["max"], eta["step"], eta["log"], eta["default"]) == (0.001, 10, 0.1, True, 0.5)
    eta = sliders_of(rules.gd_2d, eta=ipywidgets.FloatSlider(value=0.5, min=0, max=1, step=0.1))["eta"]
    assert (eta["min"], eta["max"], eta["log"], eta["default"]) == (0, 1, False, 0.5)
    assert sliders_of(rules.gd_2d, eta=(0, 1))["eta"]["log"] is False


def test_whole_numbers():
    schedule = explore_schedule(rules.MultiFactor, milestone=(1, 30)).spec["sliders"]
    milestone = next(slider for slider in schedule if slider["name"] == "milestone")
    assert milestone["integer"]
    assert type(milestone["default"]) is int


def test_a_number_fixes_a_hyperparameter():
    spec = explore_2d(rules.rmsprop_2d, eps=1e-8).spec
    assert spec["fixed"] == {"eps": 1e-8}
    assert "eps" not in [slider["name"] for slider in spec["sliders"]]


def test_a_known_name_is_a_hyperparameter_even_without_the_star():
    def plain_2d(x1, x2, s1, s2, eta, gamma):
        return x1 * eta, x2 * gamma, s1, s2

    (rule,) = explore_2d(plain_2d).spec["rules"]
    assert (rule["states"], rule["hyperparams"]) == (2, ["eta", "gamma"])


def test_ids_are_unique():
    def unique_2d(x1, x2):
        return x1, x2

    assert [explore_2d(unique_2d).spec["id"] for _ in range(3)] == ["unique_2d", "unique_2d-2", "unique_2d-3"]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "words"),
    [
        ((), {}, TypeError, "at least one trainer"),
        ((3,), {}, TypeError, "trainer must be a function, got 3"),
        ((rules.gd_2d,), {"gama": (0, 1)}, TypeError, "'gama'"),
        ((rules.gd_2d,), {"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ((rules.gd_2d,), {"start": (0, math.nan)}, ValueError, "start must be finite"),
        ((rules.gd_2d,), {"objective": "bowl"}, ValueError, "'bowl'"),
        ((rules.gd_2d,), {"eta": (1, 0.1)}, ValueError, "eta must go from a smaller"),
        ((rules.gd_2d,), {"eta": (0.1, 1, 0)}, ValueError, "step of eta"),
        ((rules.gd_2d,), {"eta": "fast"}, TypeError, "eta must be a slider"),
        ((rules.gd_2d,), {"eta": (0.1, math.inf)}, TypeError, "eta must be a slider"),
        ((rules.gd_2d,), {"eta": -0.1}, ValueError, "eta must be finite and at least 0, got -0.1"),
        ((rules.gd_2d,), {"values": {"eta": 100}}, ValueError, "value of eta"),
        ((rules.rmsprop_2d,), {"gamma": (0, 1.5), "values": {"gamma": 1.2}}, ValueError, r"gamma must be in \[0, 1\)"),
        ((rules.gd_2d,), {"f": max}, TypeError, "f and f_grad"),
        ((rules.gd_2d,), {"labels": ["a", "b"]}, ValueError, "labels"),
        ((rules.gd_2d, rules.gd_2d), {}, ValueError, "two trainers are called gd_2d"),
        ((rules.gd_2d,), {"goal": 3}, TypeError, "goal"),
        ((rules.gd_2d,), {"goal": {"below": -1}}, ValueError, "below"),
        ((lambda x1, x2: (x1, x2),), {}, TypeError, "plain def"),
        ((len,), {}, TypeError, "must be a function"),
    ],
)
def test_errors_name_argument_and_value(arguments, options, error, words):
    with pytest.raises(error, match=words):
        explore_2d(*arguments, **options)


def test_unknown_hyperparameter_without_default_needs_a_slider():
    def odd_2d(x1, x2, *, kappa):
        return x1 * kappa, x2

    with pytest.raises(TypeError, match=r"odd_2d needs a slider for 'kappa'"):
        explore_2d(odd_2d)
    assert sliders_of(odd_2d, kappa=(2, 4))["kappa"]["default"] == 3


def test_at_most_as_many_rules_as_colours():
    with pytest.raises(ValueError, match=f"at most {len(PALETTE)}"):
        explore_2d(*[rules.gd_2d] * 8)


SCALE = 0.5
TABLE = [1.0, (2.0, math.inf)]


def half(x):
    return SCALE * x


def uses_surroundings_2d(x1, x2):
    return half(x1) + TABLE[0], math.sqrt(abs(x2))


def test_what_a_rule_uses_comes_along():
    offset = 3.0

    def closure_2d(x1, x2):
        return half(x1) + offset, sum(x2 for _ in TABLE)

    for function in (uses_surroundings_2d, closure_2d):
        prelude = Prelude()
        source = prelude.add_source(function)
        namespace = {}
        exec(prelude.text, namespace)
        exec(source, namespace)
        assert namespace[function.__name__](4.0, 9.0) == function(4.0, 9.0)


ARRAY = SimpleNamespace(x=1)


def test_what_cannot_go_to_the_page_is_an_error():
    import random

    def noisy_2d(x1, x2):
        return x1 + random.random(), x2

    def with_object_2d(x1, x2):
        return x1 + ARRAY.x, x2

    with pytest.raises(ValueError, match="no module 'random'"):
        explore_2d(noisy_2d)
    with pytest.raises(ValueError, match="with_object_2d uses ARRAY"):
        explore_2d(with_object_2d)


def test_two_rules_may_not_mean_different_things_by_one_name():
    def make(rate):
        def first_2d(x1, x2):
            return x1 - rate, x2

        def second_2d(x1, x2):
            return x1 + rate, x2

        return first_2d, second_2d

    explore_2d(*make(1.0))
    with pytest.raises(ValueError, match="uses rate, which stands for something else"):
        explore_2d(make(1.0)[0], make(2.0)[1])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("    return [*x1, x2]", "unpacking with *"),
        ("    return x1, *x2", "unpacking with *"),
        ("    return {**x1}", "unpacking with **"),
        ("    match x1:\n        case 0: pass", "match"),
        ("    return math.hypot(x1, x2), x2", "math.hypot"),
        ("    import numpy", "import numpy"),
        ("    from math import gcd", "math.gcd"),
        ("    return open('f')", "the built-in open"),
        ("    async def g(): pass", "async"),
    ],
)
def test_what_micropython_cannot_run_is_refused_with_its_line(body, reason):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - both parts of the message are looked at below
        check_subset(f"def f(x1, x2):\n{body}\n", "f")
    assert str(refusal.value).startswith(f"f, line 2: {reason} does not work")


def test_positional_only_parameters_are_refused():
    with pytest.raises(ValueError, match=r"f, line 1: a positional-only parameter \(x1, /\)"):
        check_subset("def f(x1, /): pass\n", "f")


def test_what_works_in_micropython_is_accepted():
    check_subset(
        '''def f(x1, x2, *states: float, f_grad, eta: float | None = 0.1) -> tuple:
    """A docstring."""
    import math
    first, *rest = [x1, x2]
    if (size := math.sqrt(x1 * x1)) > 1e-6:
        return max(*rest), f"{size:.3f}"
    try:
        return {k: v for k, v in zip(rest, rest)}
    except (ValueError, ZeroDivisionError):
        return sum(x for x in rest), lambda y: y
''',
        "f",
    )


def test_source_loses_its_indentation():
    def nested_2d(x1, x2):
        return x1, x2

    assert source_of(nested_2d) == "def nested_2d(x1, x2):\n    return x1, x2\n"


@pytest.mark.parametrize("goal", [{"at": 3}, {"low": 1}, {"at": 3, "text": "x"}, {"at": 3, "below": 1}, 7])
def test_goal_of_a_schedule_must_say_where_and_what(goal):
    with pytest.raises(TypeError, match=r"goal must be a dict\(at=…\)"):
        explore_schedule(rules.factor, goal=goal)


@pytest.mark.parametrize("goal", [{"at": -1, "low": 0}, {"at": 1.5, "low": 0}, {"at": 1, "low": 2, "high": 1}])
def test_goal_of_a_schedule_must_be_possible(goal):
    with pytest.raises(ValueError, match="goal"):
        explore_schedule(rules.factor, goal=goal)
