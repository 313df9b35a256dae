"""The chapters, run once through the book's own build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from notebook import CHAPTERS, ROOT, Chapter


@pytest.fixture(scope="session", params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request: pytest.FixtureRequest, site: Path) -> Chapter:  # noqa: ARG001, `site` has run the chapters
    """Every chapter of the book."""
    return Chapter.load(request.param)


@pytest.fixture(scope="session")
def load(site: Path) -> Callable[[str], Chapter]:  # noqa: ARG001, `site` has run the chapters
    """Load a chapter by its name."""
    return lambda name: Chapter.load(ROOT / "chapters" / f"{name}.ipynb")
