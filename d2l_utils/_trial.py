"""A rule for one run, applied to many: try it on made-up gradients before anything is trained."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from d2l_utils._together import Params, Problem, Setting, Start
from d2l_utils.results import describe

_STEPS = 3


class Watched(dict[str, Any]):
    """Hyperparameters of one run that remember which of them were read."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self.read.update(super().keys())
        return super().__iter__()

    def keys(self) -> Any:
        self.read.update(super().keys())
        return super().keys()

    def items(self) -> Any:
        self.read.update(super().keys())
        return super().items()

    def values(self) -> Any:
        self.read.update(super().keys())
        return super().values()


def spread(state: Any, p: Tensor, known: dict[int, Tensor]) -> Any:
    """Return the state of one run of parameter ``p`` for every run, in the form of ``p``: (runs, d, 1) or (runs, 1, 1).

    Tensors that are one and the same stay so (``known`` holds those seen); what is no tensor is copied.
    """
    if isinstance(state, Tensor):
        if id(state) not in known:
            runs = len(p)
            known[id(state)] = state.detach().reshape(1, -1, 1).expand(runs, -1, 1).clone()
        return known[id(state)]
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(spread(entry, p, known) for entry in state))
    if isinstance(state, tuple | list):
        return type(state)(spread(entry, p, known) for entry in state)
    if isinstance(state, dict):
        return {name: spread(entry, p, known) for name, entry in state.items()}
    return copy.deepcopy(state)


def try_out(name: str, alone: Start, together: Start, settings: Sequence[Setting], problem: Problem) -> bool:
    """Tell whether the first and the last setting can go together; if not, each can go with all its seeds.

    Raises
    ------
    ValueError
        If not even that: the rule mixes the runs.
    Exception
        Whatever the rule raises for a single run.
    """
    ends = [settings[0], settings[-1]] if len(settings) > 1 else [settings[0]]
    wrong = _compare(alone, together, ends, problem)
    if wrong is None:
        return True
    if len(ends) > 1 and (still_wrong := _compare(alone, together, ends[:1], problem)) is None:
        warnings.warn(
            f"{name} cannot take several settings at once ({wrong}): they go one after another, which is slower. "
            "Arithmetic and torch's functions can be used on a hyperparameter; `if`, `math` and `value=` cannot",
            stacklevel=3,
        )
        return False
    wrong = still_wrong if len(ends) > 1 else wrong
    raise ValueError(f"{name} cannot take several runs at once: {wrong}. map_runs trains such runs one by one")


def _compare(alone: Start, together: Start, settings: Sequence[Setting], problem: Problem) -> str | None:
    """Make a few steps with two runs a setting, alone and together; return what is wrong with the latter."""
    runs, d = 2 * len(settings), problem.features.shape[1]
    values = torch.randn(_STEPS + 1, runs, d + 1, 1, generator=torch.Generator().manual_seed(0))
    values = values.to(problem.features.dtype)
    values[0] *= 0.01  # as at the start of training; the others are gradients
    setting_of = [settings[run % len(settings)] for run in range(runs)]
    expected = torch.stack([_steps(alone, [setting_of[run]], values[:, run]) for run in range(runs)])
    change = (expected - values[0]).abs()
    if not change.any() and all(setting.get("lr") != 0 for setting in settings):
        warnings.warn(
            "the weight is what it was before: optimizer_fn must update each p in place (p.data -= …), "
            "as p = p - … only renames",
            stacklevel=4,
        )
    try:
        got = _steps(together, settings, values)
    except Exception as error:  # a rule may fail in any way on tensors that it was not written for
        return f"{type(error).__name__}: {error}"
    tolerance = 1e-3 * change.nan_to_num(0, 0, 0).max().item()
    same = torch.isclose(got, expected, rtol=0, atol=tolerance, equal_nan=True).flatten(1).all(dim=1)
    if same.all():
        return None
    setting = describe(setting_of[int(same.int().argmin())]) or "its setting"
    return f"with {setting} a run among others takes other steps than alone"


def _steps(start: Start, settings: Sequence[Setting], values: Tensor) -> Tensor:
    """Parameters after a few steps from ``values[0]`` with the gradients ``values[1:]``."""
    single = values.ndim == 3
    params: Params = (
        values[0][..., :-1, :].clone().requires_grad_(),
        (values[0][-1] if single else values[0][:, -1:]).clone().requires_grad_(),
    )
    w, b = params
    update = start(settings, params)
    for gradient in values[1:]:
        w.grad = gradient[..., :-1, :].clone()
        b.grad = (gradient[-1] if single else gradient[:, -1:]).clone()
        update()
    return torch.cat([w.detach(), b.detach().view(*w.shape[:-2], 1, 1)], dim=-2)
