"""A chapter's functions, taken from its notebook."""

import inspect
import json

import pytest

from d2l_utils.chapters import from_chapter


def write(path, *cells):
    notebook = {"cells": [{"cell_type": "code", "metadata": {"tags": tags}, "source": text} for tags, text in cells]}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def test_only_tagged_cells_run_and_sources_are_known(tmp_path):
    square = "def square(x):\n    return x * x + offset\n"
    path = write(
        tmp_path / "a.ipynb", (["imports"], "offset = 1"), (["scratch"], square), ([], "raise SystemExit('not this')")
    )
    chapter = from_chapter(path)
    assert chapter.square(3) == 10
    assert inspect.getsource(chapter.square) == square


def test_a_notebook_without_functions_is_named(tmp_path):
    path = write(tmp_path / "b.ipynb", ([], "x = 1"))
    with pytest.raises(ValueError, match=r"b\.ipynb has no cell tagged 'scratch'"):
        from_chapter(path)
    with pytest.raises(FileNotFoundError, match=r"c\.ipynb"):
        from_chapter(tmp_path / "c.ipynb")
