"""What an interactive figure computes: from the state of its controls to everything that is drawn.

The same source runs in CPython, in a live kernel and when the book is built, and in MicroPython, in the page. So it
keeps to their common subset, and reads the signature of edited code from its text: MicroPython has no ``inspect``.
"""

from __future__ import annotations

import io
import json
import math
import struct
import sys
from typing import Any

from d2l_utils.objectives import OBJECTIVES
from d2l_utils.trace import follow

#: Columns and rows of the grid on which f is computed for its contour lines; the drawing halves its intervals.
_COLUMNS, _ROWS = 51, 39
#: Sizes of the contour lines that are drawn of a quadratic, largest first. Those of another function enclose such parts
#: of the picture as circles of these sizes do of the largest.
_RADII = [1 - k / 11 for k in range(1, 11)]
#: A run that goes further than so many sizes of the picture has diverged, although its numbers are still finite.
_FAR = 100.0
#: Edited code that runs for longer than so many seconds is stopped.
TIME_LIMIT = 1.5
#: Where f counts as minimal if the figure has no goal of its own.
_SMALL = 1e-6
#: A rule applied again and again. Written out, as packing and unpacking arguments, and looking at every point, is slow
#: in MicroPython.
_LOOP = """
def _bind({bound}):
    def step({names}):
        return _trainer({passed})
    def run(_0, _1, _steps, _add):
        {states} = 0.0
        for _ in range(_steps):
            {names} = _trainer({passed})
            _add(_0)
            _add(_1)
    return step, run
"""
#: What :func:`_path` has compiled of it, by what it depends on: the same few for all values of the hyperparameters.
_BINDERS: dict[Any, Any] = {}
_KEYS_OF_NUMBERS = ("path", "f", "slope", "rate", "grid")
#: So many numbers are packed at once; MicroPython has no room for many more arguments.
_PACKED = 500


class OvertimeError(BaseException):
    """Code has run for too long. As no ``Exception``, it is not caught by an ``except Exception`` of that code."""


class Figure:
    """One interactive figure: its rules, compiled, and the functions they descend.

    Parameters
    ----------
    spec : dict
        As made by :mod:`d2l_utils.explore.spec`.
    functions : dict, optional
        The functions of a live kernel by name; without them, and for edited code, the source is run.
    """

    def __init__(self, spec: dict[str, Any], functions: dict[str, Any] | None = None) -> None:
        self.spec = spec
        self.functions = functions or {}
        self.loaded: dict[str, Any] = {}  # name -> (source, function, signature)
        self.known = [slider["name"] for slider in spec["sliders"]] + list(spec["fixed"])
        self.current = ""

    def answer(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return everything that is drawn for ``state``; an error in the reader's code is part of the answer."""
        try:
            make = _schedules if self.spec["kind"] == "schedule" else _traces
            result = make(self, state)
        except (Exception, OvertimeError) as error:
            result = {"error": self._explain(error, state)}
        else:
            result["error"] = None
        result["seq"] = state["seq"]
        return result

    def rules(self, state: dict[str, Any]) -> list[tuple[dict[str, Any], Any]]:
        """Return each rule of the figure as it now stands, with its function."""
        sources = state.get("sources") or {}
        pairs = []
        for rule in self.spec["rules"]:
            self.current = rule["name"]
            source = sources.get(rule["name"], rule["source"])
            if source == rule["source"]:
                if rule["name"] not in self.functions:
                    self.functions[rule["name"]] = self._run(rule["name"], source)
                pairs.append((rule, self.functions[rule["name"]]))
            else:
                if self.loaded.get(rule["name"], (None,))[0] != source:
                    function = self._run(rule["name"], source)
                    self.loaded[rule["name"]] = (source, function, signature(source, rule["name"], self.known))
                _, function, changed = self.loaded[rule["name"]]
                edited = dict(rule)
                edited.update(changed)
                pairs.append((edited, function))
        return pairs

    def objective(self, state: dict[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
        """Return f, its gradient and its entry in the menu."""
        for entry in self.spec["objectives"]:
            if entry["name"] == state["objective"]:
                break
        else:
            raise ValueError("there is no objective called " + repr(state["objective"]))
        if "f" in entry:
            self.current = ""
            for name in (entry["f"], entry["f_grad"]):
                if name not in self.functions:
                    self.functions[name] = self._run(name, self.spec["f_source"])
            return self.functions[entry["f"]], self.functions[entry["f_grad"]], entry
        values = {name: float(state["values"][name]) for name in entry["params"] if name in state["values"]}
        f, f_grad = OBJECTIVES[entry["name"]]["make"](**values)
        return f, f_grad, entry

    def _run(self, name: str, source: str) -> Any:
        namespace: dict[str, Any] = {"__name__": "page"}
        exec(compile(self.spec["prelude_source"], "prelude", "exec"), namespace)
        exec(compile(source, name, "exec"), namespace)
        if name not in namespace:
            raise ValueError("the code must define " + name)
        return namespace[name]

    def _explain(self, error: BaseException, state: dict[str, Any]) -> dict[str, Any]:
        """Say what went wrong, and in which line of the rule's source."""
        rule = self.current
        if isinstance(error, SyntaxError):
            message = "SyntaxError: " + str(error.args[0] if error.args else error)
        elif isinstance(error, OvertimeError):
            message = "stopped, as the code ran for more than " + str(TIME_LIMIT) + " s"
        else:
            message = type(error).__name__ + ": " + str(error)
        file, first = rule, 1
        source = (state.get("sources") or {}).get(rule)
        code = getattr(self.functions.get(rule), "__code__", None)
        if code is not None and not (source and source != self._source(rule)):
            file, first = getattr(code, "co_filename", rule), getattr(code, "co_firstlineno", 1)
        line = None
        for part in _traceback(error).split('File "' + file + '", line ')[1:]:
            line = int(part.replace(",", "\n").split("\n")[0]) - first + 1
        return {"message": message, "line": line, "rule": rule}

    def _source(self, name: str) -> str:
        return "".join([rule["source"] for rule in self.spec["rules"] if rule["name"] == name])


def _traceback(error: BaseException) -> str:
    out = io.StringIO()
    print_exception = getattr(sys, "print_exception", None)  # MicroPython's
    if print_exception:
        print_exception(error, out)
    else:
        import traceback

        traceback.print_exception(error, file=out)
    return out.getvalue()


def signature(source: str, name: str, known: Any = ()) -> dict[str, Any]:
    """Read from its text what a function takes (a class: what its ``__init__`` takes).

    Parameters
    ----------
    source, name : str
        The text and the name of what it defines.
    known : collection of str
        Names that are hyperparameters even if they are positional and have no default.

    Returns
    -------
    dict
        ``hyperparams``: names of the parameters that are known, keyword-only or have a default; ``defaults``: the
        defaults that are plain numbers; ``gradient``: whether there is an ``f_grad``; ``positional``: all other names;
        ``states``: how many of these come after the first two.
    """
    head = "def __init__" if ("\n" + source).find("\nclass " + name) >= 0 else "def " + name
    at = source.find(head)
    begin = source.find("(", at) + 1
    if at < 0 or begin == 0:
        raise ValueError("the code must define a function called " + name)
    positional: list[str] = []
    hyperparams: list[str] = []
    defaults: dict[str, float] = {}
    keyword_only = gradient = False
    for text in _split(source, begin):
        parameter, _, default = text.partition("=")
        parameter = parameter.partition(":")[0].strip()
        if parameter == "*":
            keyword_only = True
        elif parameter == "f_grad":
            gradient = True
        elif parameter and parameter != "self" and parameter[0] != "*":
            if keyword_only or default or parameter in known:
                hyperparams.append(parameter)
                for kind in (int, float):
                    try:
                        defaults[parameter] = kind(default)
                        break
                    except ValueError:  # no plain number
                        continue
            else:
                positional.append(parameter)
    return {
        "positional": positional,
        "states": max(len(positional) - 2, 0),
        "gradient": gradient,
        "hyperparams": hyperparams,
        "defaults": defaults,
    }


def _split(source: str, begin: int) -> list[str]:
    """Split the parameter list that begins at ``begin`` at its commas, leaving comments out."""
    parts, depth, text, i = [], 0, "", begin
    while i < len(source):
        c = source[i]
        if c == "#":
            i = source.find("\n", i)
            if i < 0:
                break
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
            if depth < 0:
                break
        if c == "," and depth == 0:
            parts.append(text)
            text = ""
        elif c != "#":
            text += c
        i += 1
    parts.append(text)
    return parts


def around(value: float) -> tuple[float, float]:
    """Return a range for a slider around ``value``: [0, 1] for what looks like a weight, else up to twice as much."""
    if isinstance(value, int):
        high = max(10, 2 * abs(value))
        return (0 if value >= 0 else -high), high
    size = 1.0 if 0 <= value <= 1 else 2 * abs(value)
    return (0.0 if value >= 0 else -size), size


def new_sliders(rule: dict[str, Any], known: list[str]) -> list[dict[str, Any]]:
    """Sliders for the parameters with a default that edited code takes and the figure has no slider for."""
    sliders = []
    for name in rule["hyperparams"]:
        if name not in known and name in rule["defaults"]:
            value = rule["defaults"][name]
            low, high = around(value)
            sliders.append(
                {
                    "name": name,
                    "label": name,
                    "min": low,
                    "max": high,
                    "step": 1 if isinstance(value, int) else (high - low) / 200,
                    "log": False,
                    "integer": isinstance(value, int),
                    "default": value,
                    "group": "rule",
                }
            )
    return sliders


def _arguments(figure: Figure, rule: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the hyperparameters that ``rule`` takes."""
    integers = [slider["name"] for slider in figure.spec["sliders"] if slider["integer"]]
    values = dict(rule["defaults"])
    values.update(figure.spec["fixed"])
    values.update(state["values"])
    chosen = {}
    for name in rule["hyperparams"]:
        if name in values:
            chosen[name] = int(values[name]) if name in integers else float(values[name])
    return chosen


def _path(
    rule: dict[str, Any], function: Any, f_grad: Any, arguments: dict[str, Any], start: tuple[float, float], steps: int
) -> list[float]:
    """Return x1 and x2 of each point in turn, as :func:`follow` finds them."""
    key = (rule["states"], rule["gradient"]) + tuple(arguments)  # noqa: RUF005 - MicroPython has no (*a, b)
    if key not in _BINDERS:
        names = ["_" + str(i) for i in range(2 + rule["states"])]
        passed = names + (["f_grad=f_grad"] if rule["gradient"] else []) + [name + "=" + name for name in arguments]
        namespace: dict[str, Any] = {}
        text = _LOOP.format(
            bound=", ".join(["_trainer", "f_grad"] + list(arguments)),  # noqa: RUF005
            states=" = ".join(names[2:]) or "_",
            names=", ".join(names),
            passed=", ".join(passed),
        )
        exec(text, namespace)
        _BINDERS[key] = namespace["_bind"]
    step, run = _BINDERS[key](function, f_grad, *arguments.values())
    path = [start[0], start[1]]
    try:
        run(start[0], start[1], steps, path.append)
        usual = math.isfinite(sum(path))
    except Exception:  # whatever it is, `follow` meets it again and says so
        usual = False
    return path if usual else [x for point in follow(step, start, rule["states"], steps) for x in point]


def _traces(figure: Figure, state: dict[str, Any]) -> dict[str, Any]:
    f, f_grad, entry = figure.objective(state)
    steps = int(state["values"]["steps"])
    start = (float(state["start"][0]), float(state["start"][1]))
    goal = figure.spec["goal"] or {}
    known = list(figure.known)
    runs, added = [], []
    fixed = state.get("window")  # while the start point is dragged, so that the picture does not slide under it
    window = list(fixed or entry["window"])
    for rule, function in figure.rules(state):
        figure.current = rule["name"]
        path = _path(rule, function, f_grad, _arguments(figure, rule, state), start, steps)
        run = _measure(path, f, f_grad, steps, entry["window"], goal.get("below", _SMALL))
        run["name"] = rule["name"]
        runs.append(run)
        box = run.pop("box")
        if not fixed:
            if run["diverged_at"]:  # the picture shows where it goes, not how far it gets: the path leaves the frame
                reach = 1.2 * _reach(entry["window"], start)
                shown = [_clip(x, reach) for x in run["path"][: 2 * (run["diverged_at"] + 3)]]
                box = [min(shown[::2]), max(shown[::2]), min(shown[1::2]), max(shown[1::2])]
            _widen(window, entry["window"], box)
        for slider in new_sliders(rule, known):
            known.append(slider["name"])
            added.append(slider)
    figure.current = ""
    labels = [rule["label"] for rule in figure.spec["rules"]]
    result: dict[str, Any] = {
        "rules": runs,
        "window": window,
        "summary": _sentence(labels, runs),
        "goal": _judge(goal, runs[0], steps),
        "new_sliders": added,
    }
    shape = [entry["name"]] + [state["values"].get(name) for name in entry["params"]] + window
    key = json.dumps(shape)
    if state.get("view") != key:  # the page says which contours it has, a live kernel always sends them
        # A function that has sliders is a convex quadratic, and must be drawn while they move.
        result["contours"] = ellipse(f, f_grad, window) if entry["params"] else contours(f, window)
        result["contours"]["key"] = key
    return result


def _measure(path: list[float], f: Any, f_grad: Any, steps: int, window: list[float], below: float) -> dict[str, Any]:
    """Return the numbers of one run: its points, f there, and the gradient at each point but the last."""
    # Built-in functions and comprehensions rather than one loop: MicroPython spends most of its time on bytecode.
    reach = _reach(window, path[:2])
    x1, x2 = path[::2], path[1::2]
    box = [min(x1), max(x1), min(x2), max(x2)]
    heights = _heights(f, x1, x2)
    slopes: list[float] = []
    add = slopes.append
    for g1, g2 in _slopes(f_grad, x1[:-1], x2[:-1]):
        add(g1)
        add(g2)
    diverged_at = None if len(x1) > steps else len(x1)
    if not -reach < min(box) <= max(box) < reach:
        diverged_at = [max(abs(x1[k]), abs(x2[k])) < reach for k in range(len(x1))].index(False)
    settled = len(heights)
    while settled and 0 <= heights[settled - 1] < below:
        settled -= 1
    reached_at = settled if settled < len(heights) else None
    run: dict[str, Any] = {"path": path, "box": box, "f": heights, "slope": slopes}
    run.update({"diverged_at": diverged_at, "reached_at": reached_at if diverged_at is None else None})
    if diverged_at is not None:
        run["summary"] = "diverged at step " + str(diverged_at)
    elif reached_at is not None:
        run["summary"] = "converged: f < " + number(below) + " at step " + str(reached_at)
    else:
        run["summary"] = "f = " + number(heights[-1]) + " after " + str(steps) + (" step" if steps == 1 else " steps")
    return run


def _heights(f: Any, x1: list[float], x2: list[float]) -> list[float]:
    """Return f at each point, infinity where it overflows."""
    try:
        return list(map(f, x1, x2))
    except OverflowError:
        return [_or_else(math.inf, f, x1[k], x2[k]) for k in range(len(x1))]


def _slopes(f_grad: Any, x1: list[float], x2: list[float]) -> list[tuple[float, float]]:
    """Return the gradient at each point, NaN where it overflows."""
    try:
        return list(map(f_grad, x1, x2))
    except OverflowError:
        return [_or_else((math.nan, math.nan), f_grad, x1[k], x2[k]) for k in range(len(x1))]


def _or_else(otherwise: Any, function: Any, x1: float, x2: float) -> Any:
    try:
        return function(x1, x2)
    except OverflowError:
        return otherwise


def _reach(window: list[float], start: list[float] | tuple[float, float]) -> float:
    """Return the distance from the origin beyond which a run has diverged."""
    return _FAR * max([window[1] - window[0], window[3] - window[2]] + [abs(x) for x in start])


def _clip(value: float, limit: float) -> float:
    return max(-limit, min(limit, value))


def _widen(window: list[float], base: list[float], box: list[float]) -> None:
    """Let ``window`` hold ``box``; a side moves seldom, by 1, 2 or 5 times a power of ten of its length."""
    for i in (0, 1):
        size = base[2 * i + 1] - base[2 * i]
        low = base[2 * i] - box[2 * i]
        high = box[2 * i + 1] - base[2 * i + 1]
        if low > 0:
            window[2 * i] = min(window[2 * i], base[2 * i] - size * max(0.1, _nice(1.1 * low / size)))
        if high > 0:
            window[2 * i + 1] = max(window[2 * i + 1], base[2 * i + 1] + size * max(0.1, _nice(1.1 * high / size)))


def _nice(value: float) -> float:
    """Round up to 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    for factor in (1.0, 2.0, 5.0):
        if value <= factor * power:
            return factor * power
    return 10 * power


def ellipse(f: Any, f_grad: Any, window: list[float]) -> dict[str, Any]:
    """Return the contour line of a convex quadratic ``f`` through the highest corner of ``window``.

    As [c1, c2, a, b, c]: the points (c1 + a u + b v, c2 + c v) with u² + v² = 1. The contour lines to be drawn are the
    same ellipse, smaller: where u² + v² = r², f is r² times as high above its minimum.
    """
    g1, g2 = f_grad(0.0, 0.0)
    h11 = f_grad(1.0, 0.0)[0] - g1
    h12, h22 = f_grad(0.0, 1.0)
    h12, h22 = h12 - g1, h22 - g2
    # The Hessian is C Cᵀ with C = [[p, 0], [q, r]], so its form is u² + v² in (u, v) = Cᵀ x.
    p = math.sqrt(h11)
    q = h12 / p
    r = math.sqrt(h22 - q * q)
    c2 = (q / p * g1 - g2) / (r * r)
    c1 = -(g1 + h12 * c2) / h11
    size = math.sqrt(2 * (max([f(x1, x2) for x1 in window[:2] for x2 in window[2:]]) - f(c1, c2)))
    return {"ellipse": [c1, c2, size / p, -size * q / (p * r), size / r], "radii": _RADII}


def contours(f: Any, window: list[float]) -> dict[str, Any]:
    """Return ``f`` on a grid that reaches beyond ``window`` by one interval on every side, and the levels to draw.

    The grid begins with the lowest x2.
    """
    sides = [(window[1] - window[0]) / (_COLUMNS - 3), (window[3] - window[2]) / (_ROWS - 3)]
    columns = [window[0] + sides[0] * (i - 1) for i in range(_COLUMNS)]
    rows = [window[2] + sides[1] * (j - 1) for j in range(_ROWS)]
    try:
        grid = [f(x1, x2) for x2 in rows for x1 in columns]
    except (OverflowError, ValueError, ZeroDivisionError):
        grid = [_height(f, x1, x2) for x2 in rows for x1 in columns]
    ranked = sorted([z for z in grid[::4] if math.isfinite(z)])  # of rows of 51 points: some all over the picture
    return {
        "grid": grid,
        "nx": _COLUMNS,
        "ny": _ROWS,
        "box": [columns[0], columns[-1], rows[0], rows[-1]],
        "levels": [ranked[int((len(ranked) - 1) * radius**2)] for radius in _RADII] if ranked else [],
    }


def _height(f: Any, x1: float, x2: float) -> float:
    try:
        return float(f(x1, x2))
    except (OverflowError, ValueError, ZeroDivisionError):
        return math.nan


def _sentence(labels: list[str], runs: list[dict[str, Any]]) -> str:
    if len(runs) == 1:
        return str(runs[0]["summary"])
    return "; ".join([labels[i] + ": " + runs[i]["summary"] for i in range(len(runs))])


def _judge(goal: dict[str, Any], run: dict[str, Any], steps: int) -> dict[str, Any] | None:
    """Say whether the first rule has reached the goal of the figure."""
    if not goal:
        return None
    if "at" in goal:
        reached = goal["at"] < steps and goal["low"] <= run["rate"][goal["at"]] <= goal["high"]
    elif goal.get("diverge"):
        reached = run["diverged_at"] is not None
    else:
        within = goal["within"]
        reached = run["reached_at"] is not None and run["reached_at"] <= within and steps >= run["reached_at"]
    return {"reached": reached, "text": ("reached: " if reached else "not yet reached: ") + goal["text"]}


def _schedules(figure: Figure, state: dict[str, Any]) -> dict[str, Any]:
    steps = int(state["values"]["steps"])
    known = list(figure.known)
    runs, added = [], []
    for rule, function in figure.rules(state):
        figure.current = rule["name"]
        arguments = _arguments(figure, rule, state)
        if rule["factory"]:
            schedule = function(**arguments)
            rates = [float(schedule(t)) for t in range(steps)]
        else:
            rates = [float(function(t, **arguments)) for t in range(steps)]
        bad = [t for t in range(steps) if not math.isfinite(rates[t])]
        if bad:
            raise ValueError("the rate must be finite, got " + repr(rates[bad[0]]) + " at step " + str(bad[0]))
        words = number(rates[0]) + " at step 0, " + number(rates[-1]) + " at step " + str(steps - 1)
        runs.append({"name": rule["name"], "rate": rates, "summary": words})
        for slider in new_sliders(rule, known):
            known.append(slider["name"])
            added.append(slider)
    figure.current = ""
    every = [rate for run in runs for rate in run["rate"]]
    low, high = min(0.0, min(every)), max(every)
    axes = {"rate": [low, high + 0.08 * ((high - low) or 1.0)]}
    labels = [rule["label"] for rule in figure.spec["rules"]]
    goal = _judge(figure.spec["goal"] or {}, runs[0], steps)
    return {"rules": runs, "axes": axes, "summary": _sentence(labels, runs), "goal": goal, "new_sliders": added}


def number(value: float) -> str:
    """Write a number briefly: three digits, and 1e-6 rather than 1e-06."""
    text = "%.3g" % value  # noqa: UP031 - the same text in MicroPython
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


FIGURES: dict[str, Figure] = {}


def reply(text: str) -> tuple[str, bytearray]:
    """Answer a request of the page: JSON in; JSON out, and beside it a row of doubles.

    The request is ``{"figure": id, "spec": {…}}`` to open a figure and ``{"figure": id, "state": {…}}`` to compute it.
    In the answer a list of many numbers is ``[offset, length]``, its place in the row.
    """
    request = json.loads(text)
    if "spec" in request:
        FIGURES[request["figure"]] = Figure(request["spec"])
    result = FIGURES[request["figure"]].answer(request["state"]) if "state" in request else {"error": None}
    parts = list(result.get("rules") or [])
    parts.append(result.get("contours") or {})
    lists, total = [], 0
    for part in parts:
        for key in _KEYS_OF_NUMBERS:
            if key in part:
                lists.append(part[key])
                part[key] = [total, len(part[key])]
                total += part[key][1]
    numbers, offset = bytearray(8 * total), 0
    for values in lists:
        for i in range(0, len(values), _PACKED):
            some = values[i : i + _PACKED]
            struct.pack_into(str(len(some)) + "d", numbers, offset, *some)
            offset += 8 * len(some)
    return json.dumps(result), numbers
