"""The widget of a live kernel, which also carries the static figure for pages without one."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import anywidget
import traitlets

from d2l_utils.explore.compute import TIME_LIMIT, Figure, OvertimeError
from d2l_utils.explore.figure import plain, to_html

_HERE = Path(__file__).parent
#: What all figures share, and what only those of many runs need.
_PARTS = ("explorer", "runs")


def front_end(kind: str) -> str:
    """Return the script ("js", an ES module) or the style sheet ("css") of the figures."""
    return "\n".join((_HERE / f"{part}.{kind}").read_text("utf-8") for part in _PARTS)


class Explorer(anywidget.AnyWidget):
    """An interactive figure; made by ``explore_2d``, ``explore_schedule`` and ``explore_runs`` of :mod:`d2l_utils`.

    Attributes
    ----------
    spec : dict
        What the figure is; constant.
    state : dict
        What the reader has set; written by the front end.
    result : dict
        What Python has computed for it; empty if all numbers are in ``spec``.
    """

    _esm = front_end("js")
    _css = front_end("css")
    spec = traitlets.Dict().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)
    result = traitlets.Dict().tag(sync=True)

    def __init__(
        self, spec: dict[str, Any], functions: Mapping[str, Callable[..., Any]] | None = None, html: str = ""
    ) -> None:
        """Take the functions that compute, or the static figure where nothing is left to compute."""
        if functions is None:
            self._html = html
            super().__init__(spec=spec, state=spec["state"], result={})
            return
        self._figure = Figure(spec, dict(functions))
        first = self._figure.answer(spec["state"])
        self._html = to_html(spec, first)
        super().__init__(spec=spec, state=spec["state"], result=plain(first))
        self.observe(self._update, "state")

    def to_html(self) -> str:
        """Return the figure in its default state as HTML; the website's scripts make it interactive."""
        return self._html

    def _update(self, change: Mapping[str, Any]) -> None:
        state = change["new"]
        # Only edited code is timed: tracing is slow, and the reader's own functions can be interrupted as ever.
        guard = time_limit(TIME_LIMIT) if state.get("sources") else nullcontext()
        with guard:
            result = self._figure.answer(state)
        self.result = plain(result)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return {**data, "text/html": self._html}, metadata


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise an OvertimeError in the Python functions called inside, should they run for longer."""
    end = time.monotonic() + seconds

    def trace(_frame: FrameType, _event: str, _argument: Any) -> Any:
        if time.monotonic() > end:
            raise OvertimeError
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
