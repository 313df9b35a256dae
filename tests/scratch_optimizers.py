"""Every optimizer that a chapter writes from scratch, found by its cell's tag, with states and values to run it."""

from __future__ import annotations

import inspect
import itertools
import json
from pathlib import Path

import torch

CHAPTERS = sorted((Path(__file__).resolve().parents[1] / "chapters").glob("*.ipynb"))
#: Values for a sweep, of which a rule takes the ones it reads.
VALUES = {
    "lr": [0.003, 0.02], "eta": [0.003, 0.02], "gamma": [0.9, 0.99], "rho": [0.9, 0.95], "momentum": [0.3, 0.8],
    "beta": [0.8, 0.9], "beta1": [0.8, 0.9], "beta2": [0.99, 0.999], "betas": [(0.9, 0.99), (0.8, 0.999)],
    "eps": [1e-6, 1e-4], "weight_decay": [0.0, 0.1], "t": 1,
    "lr_decay": [0.0, 0.01], "momentum_decay": [0.004, 0.01],
}  # fmt: skip


class Keys(dict):
    """Hyperparameters that note which of them a rule reads."""

    def __init__(self):
        super().__init__({name: v[0] if isinstance(v, list) else v for name, v in VALUES.items()})
        self.read = set()

    def __getitem__(self, name):
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name, default=None):
        self.read.add(name)
        return super().get(name, default)


def find():
    """Yield (chapter, name, rule, all names of the chapter)."""
    for path in CHAPTERS:
        names: dict[str, object] = {}
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if {"imports", "scratch"} & set(cell["metadata"].get("tags", [])):
                exec(compile("".join(cell["source"]), path.name, "exec"), names)
        for name, value in names.items():
            if inspect.isfunction(value) and list(inspect.signature(value).parameters) == [
                "params",
                "states",
                "hyperparams",
            ]:
                yield path.stem, name, value, names


def states_for(rule, names, name):
    """States of one run: from the chapter's own `init_…_states`, or the first form that the rule accepts."""
    own = names.get(f"init_{name}_states")
    forms = [own(5)] if own else []
    forms.append(None)
    for count, counter in itertools.product(range(1, 4), (False, True)):
        zeros = [torch.zeros(5, 1), torch.zeros(1)]
        entries = [tuple(torch.zeros_like(z) for _ in range(count)) for z in zeros]
        if counter:
            forms.append([(*entry, torch.zeros(1)) for entry in entries])
        else:
            forms.append([entry[0] for entry in entries] if count == 1 else entries)
    for form in forms:
        keys = Keys()
        params = [torch.zeros(5, 1, requires_grad=True), torch.zeros(1, requires_grad=True)]
        for p in params:
            p.grad = torch.ones_like(p)
        try:
            for _ in range(2):
                rule(params, form, keys)
        except (TypeError, ValueError, AttributeError, IndexError, RuntimeError):
            continue
        unknown = keys.read - set(VALUES)
        assert not unknown, f"{name} reads {unknown}: give values for them in tests/scratch_optimizers.py"
        for entry in form or ():
            for state in entry if isinstance(entry, tuple) else (entry,):
                state.zero_()
        return form, {key: VALUES[key] for key in VALUES if key in keys.read}
    raise AssertionError(f"{name}: no form of states fits; add one to tests/scratch_optimizers.py")
