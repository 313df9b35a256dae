"""The from-scratch functions of a chapter, for other pages and for tests: the notebook holds their only copy."""

from __future__ import annotations

import json
import linecache
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def from_chapter(path: str | Path) -> SimpleNamespace:
    """Run the cells of a notebook that are tagged ``imports`` or ``scratch``, and nothing else of it.

    Parameters
    ----------
    path : str or Path
        The notebook.

    Returns
    -------
    SimpleNamespace
        What the cells define. ``inspect.getsource`` works on its functions, so that they can be explored.

    Raises
    ------
    FileNotFoundError
        If there is no such notebook.
    ValueError
        If it has no cell tagged ``scratch``.

    Examples
    --------
    >>> rmsprop_2d = from_chapter("chapters/rmsprop.ipynb").rmsprop_2d  # doctest: +SKIP
    """
    path = Path(path)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    tags = [set(cell["metadata"].get("tags", ())) for cell in cells]
    if not any("scratch" in names for names in tags):
        raise ValueError(f"{path} has no cell tagged 'scratch'")
    defined: dict[str, Any] = {}
    for i, cell in enumerate(cells):
        if tags[i] & {"imports", "scratch"}:
            source = "".join(cell["source"])
            name = f"<{path.name}, cell {i}>"
            linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
            exec(compile(source, name, "exec"), defined)
    return SimpleNamespace(**defined)
