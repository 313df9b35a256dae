"""Progress bars that show only to someone who waits."""

from __future__ import annotations

import sys
from typing import Any


def progress(total: int, description: str) -> Any:
    """Return a tqdm bar that appears after a second, and never when nobody watches (a built page, a log file)."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    return tqdm(total=total, desc=description, delay=1, leave=False, disable=not _is_watched())


def _is_watched() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:  # a notebook opened by a reader can ask for input; one that a program executes cannot
        return bool(getattr(kernel, "_allow_stdin", False))
    return sys.stderr is not None and sys.stderr.isatty()
