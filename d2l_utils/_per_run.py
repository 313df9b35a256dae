"""A hyperparameter with another value in every run, for update rules that were written for numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor


class PerRun(Tensor):
    """One number a run, shape (runs, 1, 1), that enters arithmetic as a Python number does.

    Among their like, such numbers count in double precision (``1 - gamma``), and beside an ordinary tensor they take
    its type. So a rule does in every run what it does with a plain number, to the last bit; a tensor in single
    precision would get ``1 - 0.999`` wrong in the fifth digit.
    """

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        dtype = next((a.dtype for a in (*args, *kwargs.values()) if isinstance(a, Tensor) and type(a) is not cls), None)
        if dtype is None:
            return super().__torch_function__(func, types, args, kwargs)  # type: ignore[no-untyped-call]
        if not dtype.is_floating_point:  # a step counter
            dtype = torch.get_default_dtype()

        def plain(value: Any) -> Any:
            return value.as_subclass(Tensor).to(dtype) if type(value) is cls else value

        with torch._C.DisableTorchFunctionSubclass():
            return func(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()})

    # Numbers do not change: `lr *= 0.9` makes a new one and leaves the hyperparameter as it is.
    __iadd__ = Tensor.__add__
    __isub__ = Tensor.__sub__
    __imul__ = Tensor.__mul__
    __itruediv__ = Tensor.__truediv__
    __ipow__ = Tensor.__pow__  # type: ignore[assignment]


def per_run(settings: Sequence[Mapping[str, Any]], repeats: int) -> dict[str, Any]:
    """Merge settings into one: what they share stays as it is, what differs becomes :class:`PerRun`.

    The runs go through all settings ``repeats`` times.
    """
    return {name: _merge([setting[name] for setting in settings], repeats) for name in settings[0]}


def _merge(values: Sequence[Any], repeats: int) -> Any:
    if all(value == values[0] for value in values):
        return values[0]
    if isinstance(values[0], tuple):
        return tuple(_merge(column, repeats) for column in zip(*values, strict=True))
    return torch.tensor(values, dtype=torch.float64).repeat(repeats).view(-1, 1, 1).as_subclass(PerRun)
