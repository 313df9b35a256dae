"""From trainers and sliders to the description of an interactive figure, which is plain JSON.

The source of every function is taken along with the numbers and functions it uses, because the page runs it again.
What the page's MicroPython cannot run is an error here, with the line and the reason.
"""

from __future__ import annotations

import ast
import inspect
import math
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from types import CodeType, FunctionType, ModuleType
from typing import Any

from d2l_utils._checks import check_hyperparams, require_point, require_positive_int
from d2l_utils.explore.compute import around, number, signature
from d2l_utils.objectives import OBJECTIVES
from d2l_utils.plot import DASHES, MARKERS, PALETTE

#: What a rule may import.
MODULES = ("math",)
#: What `math` of MicroPython does not have.
_NO_MATH = (
    *("cbrt", "comb", "dist", "exp2", "fma", "fsum", "gcd", "hypot", "isqrt", "lcm", "log1p", "nextafter", "perm"),
    *("prod", "remainder", "sumprod", "ulp"),
)
#: Built-in names that MicroPython, or a worker, does not have.
_NO_BUILTINS = ("ascii", "breakpoint", "format", "help", "input", "memoryview", "open", "vars", "__import__")

#: name: (label, lowest, highest, step or None, logarithmic, value to start with)
KNOWN: dict[str, tuple[str, float, float, float | None, bool, float]] = {
    "eta": ("learning rate η", 0.001, 10.0, None, True, 0.1),
    "lr": ("learning rate", 0.001, 10.0, None, True, 0.1),
    "base_lr": ("base learning rate", 0.001, 10.0, None, True, 0.1),
    "eps": ("ε", 1e-10, 1.0, None, True, 1e-6),
    "gamma": ("memory γ", 0.0, 0.999, 0.001, False, 0.9),
    "beta": ("momentum β", 0.0, 0.999, 0.001, False, 0.9),
    "beta1": ("memory β₁", 0.0, 0.999, 0.001, False, 0.9),
    "beta2": ("memory β₂", 0.0, 0.999, 0.001, False, 0.999),
    "rho": ("memory ρ", 0.0, 0.999, 0.001, False, 0.9),
    "alpha": ("memory α", 0.0, 0.999, 0.001, False, 0.99),
    "momentum": ("momentum", 0.0, 0.999, 0.001, False, 0.9),
    "condition": ("condition number", 1.0, 1000.0, None, True, 20.0),
    "angle": ("rotation in degrees", -90.0, 90.0, 1.0, False, 0.0),
}
#: Steps of a logarithmic slider, in decades.
_LOG_STEP = 0.01
_LABELS = {
    "gd": "gradient descent",
    "sgd": "SGD",
    "rprop": "Rprop",
    "adagrad": "AdaGrad",
    "rmsprop": "RMSProp",
    "adadelta": "Adadelta",
    "adam": "Adam",
    "nag": "Nesterov",
}
#: The markers of matplotlib as SVG paths of radius 3, relative to their centre.
_MARKER_PATHS = {
    "o": "m-2.6,0a2.6,2.6 0 1,0 5.2,0a2.6,2.6 0 1,0-5.2,0z",
    "s": "m-2.4,-2.4h4.8v4.8h-4.8z",
    "^": "m0,-3.1l3,5.4h-6z",
    "D": "m0,-3.3l3.3,3.3l-3.3,3.3l-3.3,-3.3z",
    "v": "m0,3.1l3,-5.4h-6z",
    "P": "m-1,-3h2v2h2v2h-2v2h-2v-2h-2v-2h2z",
    "X": "m-3,-1.6l1.4,-1.4l1.6,1.6l1.6,-1.6l1.4,1.4l-1.6,1.6l1.6,1.6l-1.4,1.4l-1.6,-1.6l-1.6,1.6l-1.4,-1.4l1.6,-1.6z",
}
_seen: Counter[str] = Counter()


def trace_spec(
    trainers: Sequence[Callable[..., Any]],
    *,
    f: Callable[..., Any] | None,
    f_grad: Callable[..., Any] | None,
    start: Sequence[float],
    steps: int,
    objective: str,
    goal: Mapping[str, Any] | None,
    title: str | None,
    labels: Sequence[str] | None,
    predict: str | None,
    seen: str | None,
    values: Mapping[str, float],
    sliders: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe a figure of :func:`d2l_utils.explore_2d`, whose arguments these are."""
    steps = require_positive_int("steps", steps)
    point = require_point("start", start)
    if (f is None) != (f_grad is None):
        raise TypeError("f and f_grad go together: give both or none")
    rules, prelude = _rules(trainers, labels, "trainer", sliders)
    _check_names(rules, sliders, values, also=("condition", "angle"))
    for rule in rules:
        if len(rule["positional"]) < 2:
            raise TypeError(f"{rule['name']} must take x1 and x2 as its first two parameters")
    takes_gradient = any(rule["gradient"] for rule in rules)
    own, f_source = [], ""
    if f is not None and f_grad is not None:
        f_source = prelude.add_source(f) + "\n" + prelude.add_source(f_grad)
        own = [_own_objective(f, f_grad, point)]
    elif objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {sorted(OBJECTIVES)}, got {objective!r}")
    # A rule that computes the gradient itself knows one objective only.
    names = list(OBJECTIVES) if takes_gradient else [] if own else [objective]
    menu = own + [_menu_entry(name, with_params=takes_gradient) for name in names]
    figure_sliders = [_steps_slider(steps)]
    for name in ("condition", "angle"):
        if any(name in entry["params"] for entry in menu):
            slider = _slider(name, sliders.get(name), values.get(name), None, "figure")
            figure_sliders.append(slider | {"objectives": [entry["name"] for entry in menu if name in entry["params"]]})
    spec = _spec("trace", rules, prelude, title, predict, seen)
    spec |= {
        "objectives": menu,
        "objective": own[0]["name"] if own else objective,
        "f_source": f_source,
        "start": list(point),
        "goal": _goal(goal, steps),
    }
    _add_sliders(spec, rules, sliders, values, figure_sliders)
    return spec


def schedule_spec(
    schedules: Sequence[Callable[..., Any]],
    *,
    steps: int,
    goal: Mapping[str, Any] | None,
    title: str | None,
    labels: Sequence[str] | None,
    predict: str | None,
    seen: str | None,
    values: Mapping[str, float],
    sliders: Mapping[str, Any],
) -> dict[str, Any]:
    """Describe a figure of :func:`d2l_utils.explore_schedule`, whose arguments these are."""
    steps = require_positive_int("steps", steps)
    rules, prelude = _rules(schedules, labels, "schedule", sliders)
    _check_names(rules, sliders, values, also=())
    for rule in rules:
        if not rule["factory"] and not rule["positional"]:
            raise TypeError(f"{rule['name']} must take the step t as its first parameter")
    spec = _spec("schedule", rules, prelude, title, predict, seen)
    spec |= {"objectives": [], "objective": None, "f_source": "", "start": None, "goal": _rate_goal(goal)}
    _add_sliders(spec, rules, sliders, values, [_steps_slider(steps)])
    return spec


def _spec(
    kind: str, rules: list[dict[str, Any]], prelude: Prelude, title: str | None, predict: str | None, seen: str | None
) -> dict[str, Any]:
    return {
        "kind": kind,
        "id": unique_id(rules[0]["name"]),
        "title": title or " and ".join(rule["label"] for rule in rules),
        "rules": rules,
        "prelude_source": prelude.text,
        "task": {"predict": predict, "seen": seen},
    }


def unique_id(name: str) -> str:
    """Return ``name``, or with a number if it was asked for before."""
    _seen[name] += 1
    return name if _seen[name] == 1 else f"{name}-{_seen[name]}"


class Prelude:
    """Collects what functions use from around them: imports, numbers and other functions, as source."""

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}

    @property
    def text(self) -> str:
        """The source that defines it all."""
        return "\n".join(self._parts.values())

    def add_source(self, function: Any) -> str:
        """Check a function or class, collect what it uses, and return its own source."""
        name = function.__name__
        source = source_of(function)
        check_subset(source, name)
        for used, value in _surroundings(function):
            self._add(used, value, name)
        return source

    def _add(self, name: str, value: Any, user: str) -> None:
        if isinstance(value, ModuleType):
            if value.__name__ not in MODULES:
                raise ValueError(f"{user} uses {name}: the page has no module {value.__name__!r}, only math")
            part = f"import {value.__name__}" + ("" if name == value.__name__ else f" as {name}")
        elif getattr(value, "__module__", None) == "math" and hasattr(math, getattr(value, "__name__", "")):
            part = f"from math import {value.__name__}" + ("" if name == value.__name__ else f" as {name}")
        elif _is_data(value):
            part = f"{name} = {value!r}".replace("inf", 'float("inf")')
        elif isinstance(value, FunctionType | type):
            if self._parts.get(name) is not None:
                return
            self._parts[name] = ""  # stops recursion
            part = self.add_source(value)
            del self._parts[name]  # and comes after what it uses
            if value.__name__ != name:
                part += f"\n{name} = {value.__name__}"
        else:
            raise ValueError(f"{user} uses {name}, {value!r}: only numbers, functions and math can go to the page")
        if self._parts.setdefault(name, part) != part:
            raise ValueError(f"{user} uses {name}, which stands for something else in another function of the figure")


def _is_data(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_is_data(entry) for entry in value)
    return value is None or isinstance(value, bool | str | int | float)


def source_of(function: Any) -> str:
    """Return the source of a function or class that was written with ``def`` or ``class``, without indentation."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):
        raise TypeError(f"the source of {function!r} cannot be found: write it in a cell or a file with def") from None
    if not source.startswith(("def ", "class ")):
        raise TypeError(f"{function.__name__} must be written with a plain def or class, not as {source.split()[0]!r}")
    return source


def _surroundings(function: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names that a function or the methods of a class take from around them, with their values."""
    members = list(vars(function).values()) if isinstance(function, type) else [function]
    for member in members:
        if not isinstance(member, FunctionType):
            continue
        closure = dict(zip(member.__code__.co_freevars, member.__closure__ or (), strict=True))
        for name in sorted(_names(member.__code__)):
            if name in closure and name != "__class__":
                yield name, closure[name].cell_contents
            elif name in member.__globals__ and member.__globals__[name] is not function:
                yield name, member.__globals__[name]
    if isinstance(function, type):
        for base in function.__bases__:
            if base is not object:
                yield base.__name__, base


def _names(code: CodeType) -> set[str]:
    """Global and free names of a function and of those inside it. Names of attributes may be among them."""
    names = set(code.co_names) | set(code.co_freevars)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names(constant)
    return names


def check_subset(source: str, name: str, modules: Sequence[str] = MODULES) -> None:
    """Raise a ValueError with line and reason if MicroPython cannot run ``source``, which may import ``modules``."""
    for node in ast.walk(ast.parse(source)):
        reason = _not_in_subset(node, modules)
        if reason:
            line = getattr(node, "lineno", 1)
            text = source.splitlines()[line - 1].strip()
            raise ValueError(f"{name}, line {line}: {reason} does not work in the page's MicroPython: {text}")


def _not_in_subset(node: ast.AST, modules: Sequence[str]) -> str | None:
    match node:
        case ast.Match():
            return "match"
        case ast.arguments(posonlyargs=[first, *_]):
            return f"a positional-only parameter ({first.arg}, /)"
        case ast.List(elts=entries) | ast.Tuple(elts=entries) | ast.Set(elts=entries):
            target = isinstance(getattr(node, "ctx", None), ast.Store)
            if not target and any(isinstance(entry, ast.Starred) for entry in entries):
                return "unpacking with *"
        case ast.Dict(keys=keys) if None in keys:
            return "unpacking with **"
        case ast.AsyncFunctionDef() | ast.Await():
            return "async"
        case ast.Import(names=names):
            for alias in names:
                if alias.name not in modules:
                    return f"import {alias.name}"
        case ast.ImportFrom(module=module, names=names):
            if module not in modules:
                return f"import from {module}"
            for alias in names:
                if module == "math" and alias.name in _NO_MATH:
                    return f"math.{alias.name}"
        case ast.Name(id=name) if name in _NO_BUILTINS:
            return f"the built-in {name}"
        case ast.Attribute(value=ast.Name(id="math"), attr=attribute) if attribute in _NO_MATH:
            return f"math.{attribute}"
        case _ if type(node).__name__ in ("TryStar", "TypeAlias", "TemplateStr"):
            return type(node).__name__
        case ast.FunctionDef() | ast.ClassDef() if getattr(node, "type_params", None):
            return "a type parameter"
    return None


def _rules(
    functions: Sequence[Callable[..., Any]], labels: Sequence[str] | None, what: str, sliders: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], Prelude]:
    if not functions:
        raise TypeError(f"give at least one {what}")
    if len(functions) > len(PALETTE):
        raise ValueError(f"give at most {len(PALETTE)} {what}s, got {len(functions)}")
    if labels is not None and len(labels) != len(functions):
        raise ValueError(f"labels must have one entry for each {what}, {len(functions)}, got {len(labels)}")
    prelude = Prelude()
    rules: list[dict[str, Any]] = []
    for i, function in enumerate(functions):
        if not isinstance(function, FunctionType | type):
            raise TypeError(f"{what} must be a function, got {function!r}")
        source = prelude.add_source(function)
        name = function.__name__
        if any(rule["name"] == name for rule in rules):
            raise ValueError(f"two {what}s are called {name}; their names must differ")
        rules.append(
            {
                "name": name,
                "label": labels[i] if labels is not None else _label(name),
                "source": source,
                "factory": isinstance(function, type),
                "color": PALETTE[i] if PALETTE[i] != "#000000" else "currentColor",
                "dash": _dash(DASHES[i]),
                "marker": _MARKER_PATHS[MARKERS[i]],
            }
            | signature(source, name, {*KNOWN, *sliders})
        )
    return rules, prelude


def _dash(style: Any) -> str:
    """Return matplotlib's dash pattern, in line widths, as that of an SVG line."""
    return "" if isinstance(style, str) else " ".join(number(1.5 * part) for part in style[1])


def _label(name: str) -> str:
    name = name.removesuffix("_2d")
    return _LABELS.get(name, name.replace("_", " "))


def _check_names(
    rules: Sequence[Mapping[str, Any]], sliders: Mapping[str, Any], values: Mapping[str, float], also: Sequence[str]
) -> None:
    known = {name for rule in rules for name in rule["hyperparams"]} | set(also)
    for name in [*sliders, *values]:
        if name not in known and not (name == "steps" and name in values):
            owner = " and ".join(rule["name"] for rule in rules)
            raise TypeError(f"{owner} takes no hyperparameter {name!r}; there are {sorted(known)}")


def _own_objective(f: Any, f_grad: Any, start: tuple[float, float]) -> dict[str, Any]:
    x1, x2 = start
    if (x1, x2) == OBJECTIVES["quadratic"]["start"]:
        window = list(OBJECTIVES["quadratic"]["window"])
    else:
        size1, size2 = 1.2 * max(abs(x1), 1e-3), 1.2 * max(abs(x2), 1e-3)
        window = [-size1, size1, -size2, size2]
    label = (inspect.getdoc(f) or f.__name__).splitlines()[0].rstrip(".")
    entry = {"name": f.__name__, "label": label, "params": [], "start": list(start), "window": window}
    return entry | {"f": f.__name__, "f_grad": f_grad.__name__}


def _menu_entry(name: str, *, with_params: bool) -> dict[str, Any]:
    entry = OBJECTIVES[name]
    return {
        "name": name,
        "label": entry["label"],
        "params": list(entry["params"]) if with_params else [],
        "start": list(entry["start"]),
        "window": list(entry["window"]),
    }


def _goal(goal: Mapping[str, Any] | None, steps: int) -> dict[str, Any] | None:
    if goal is None:
        return None
    if not isinstance(goal, Mapping) or not set(goal) <= {"below", "within", "diverge", "text"}:
        raise TypeError(f"goal must be a dict(below=…, within=…) or dict(diverge=True), got {goal!r}")
    if goal.get("diverge"):
        return {"diverge": True, "text": str(goal.get("text", "make it diverge"))}
    below = goal.get("below", 1e-6)
    if not _is_number(below) or not below > 0:
        raise ValueError(f"goal['below'] must be above 0, got {below!r}")
    within = require_positive_int("goal['within']", goal.get("within", steps))
    text = str(goal.get("text", f"f < {number(float(below))} in {within} steps"))
    return {"below": float(below), "within": within, "text": text}


def _rate_goal(goal: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if goal is None:
        return None
    if not isinstance(goal, Mapping) or not {"at"} < set(goal) - {"text"} <= {"at", "low", "high"}:
        raise TypeError(f"goal must be a dict(at=…) with low=… or high=… or both, got {goal!r}")
    at, low, high = goal["at"], goal.get("low", -sys.float_info.max), goal.get("high", sys.float_info.max)
    if isinstance(at, bool) or not isinstance(at, int) or at < 0:
        raise ValueError(f"goal['at'] must be a step, 0 or more, got {at!r}")
    if not (_is_number(low) and _is_number(high) and low <= high):
        raise ValueError(f"goal must have low <= high, got {goal!r}")
    limits = [f"at least {number(float(goal['low']))}"] if "low" in goal else []
    limits += [f"at most {number(float(goal['high']))}"] if "high" in goal else []
    text = str(goal.get("text", f"a rate of {' and '.join(limits)} at step {at}"))
    return {"at": at, "low": float(low), "high": float(high), "text": text}


def _add_sliders(
    spec: dict[str, Any],
    rules: Sequence[Mapping[str, Any]],
    sliders: Mapping[str, Any],
    values: Mapping[str, float],
    figure_sliders: list[dict[str, Any]],
) -> None:
    spec["sliders"], spec["fixed"] = [], {}
    for rule in rules:
        for name in rule["hyperparams"]:
            if name in spec["fixed"] or any(slider["name"] == name for slider in spec["sliders"]):
                continue
            choice = sliders.get(name)
            if isinstance(choice, Real) and not isinstance(choice, bool):
                check_hyperparams({name: choice})
                spec["fixed"][name] = choice
            elif choice is not None or name in KNOWN or name in rule["defaults"] or name in values:
                default = rule["defaults"].get(name)
                spec["sliders"].append(_slider(name, choice, values.get(name), default, "rule"))
            else:
                raise TypeError(f"{rule['name']} needs a slider for {name!r}: {name}=(lowest, highest)")
    spec["sliders"] += figure_sliders
    spec["state"] = {
        "seq": 0,
        "values": {slider["name"]: slider["default"] for slider in spec["sliders"]},
        "start": spec["start"],
        "objective": spec["objective"],
        "sources": None,
        "window": None,
    }


def _steps_slider(steps: int) -> dict[str, Any]:
    slider = _slider("steps", (1, max(100, 5 * steps), 1), steps, None, "figure")
    return slider | {"label": "steps", "integer": True}


def _slider(name: str, choice: Any, value: float | None, default: float | None, group: str) -> dict[str, Any]:
    """Describe one slider; ``choice`` is an ipywidgets slider, (min, max), (min, max, step) or None (a usual range).

    The step of a logarithmic slider is in decades.
    """
    label, low, high, step, log, usual = KNOWN.get(name, (name, 0.0, 1.0, None, False, math.nan))
    integer = False
    if choice is None:
        if name not in KNOWN and default is not None:
            low, high = around(default)
            integer = isinstance(default, int)
    elif hasattr(choice, "min") and hasattr(choice, "max") and hasattr(choice, "value"):
        low, high, step, log = choice.min, choice.max, choice.step, hasattr(choice, "base")
        value = choice.value if value is None else value
        integer = isinstance(choice.value, int)
        if log:
            low, high = choice.base**low, choice.base**high
            step = step * math.log10(choice.base)
    elif isinstance(choice, tuple) and len(choice) in (2, 3) and all(_is_number(entry) for entry in choice):
        low, high = choice[0], choice[1]
        step = choice[2] if len(choice) == 3 else step
        log = log and low > 0
        integer = name not in KNOWN and all(isinstance(entry, int) for entry in choice)
    else:
        raise TypeError(f"{name} must be a slider, (min, max), (min, max, step) or a number, got {choice!r}")
    if not low < high:
        raise ValueError(f"{name} must go from a smaller to a larger number, got {low!r} to {high!r}")
    if step is not None and not step > 0:
        raise ValueError(f"the step of {name} must be above 0, got {step!r}")
    if step is None:
        step = _LOG_STEP if log else 1 if integer else 10.0 ** (math.floor(math.log10((high - low) / 100)))
    if value is None:
        value = default if default is not None else usual
        if math.isnan(value) or (choice is not None and default is None and not low <= value <= high):
            value = math.sqrt(low * high) if log else (low + high) // 2 if integer else (low + high) / 2
    if not _is_number(value) or not low <= value <= high:
        raise ValueError(f"the value of {name} must be between {low!r} and {high!r}, got {value!r}")
    check_hyperparams({name: value})
    numbers = {"min": low, "max": high, "step": step, "default": value}
    numbers = {key: int(entry) if integer else float(entry) for key, entry in numbers.items()}
    return {"name": name, "label": label, "log": log, "integer": integer, "group": group} | numbers


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
