"""Progress shows to someone who waits at a terminal or in a notebook, and to nobody else."""

import io
import sys
from types import SimpleNamespace

import nbformat
import pytest
from nbclient import NotebookClient

from d2l_utils._progress import _is_watched, progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def no_notebook(monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))


def bar_after(seconds, monkeypatch, stream):
    """What a bar writes for a loop of two steps of so many seconds, on a clock of its own."""
    now = 0.0
    monkeypatch.setattr("sys.stderr", stream)
    with progress(2, "work") as bar:
        if not bar.disable:
            bar._time, bar.start_t, bar.last_print_t = (lambda: now), 0.0, 0.0
        for _ in range(2):
            now += seconds
            bar.update()
    return stream.getvalue()


@pytest.mark.usefixtures("no_notebook")
def test_bar_appears_after_a_second_at_a_terminal(monkeypatch):
    assert "work" in bar_after(2.0, monkeypatch, Terminal())
    assert "work" not in bar_after(0.3, monkeypatch, Terminal())


@pytest.mark.usefixtures("no_notebook")
def test_nothing_is_written_to_a_file(monkeypatch):
    assert bar_after(2.0, monkeypatch, io.StringIO()) == ""


CELL = """
import time
from d2l_utils._progress import progress
with progress(3, "work") as bar:
    for _ in range(3):
        time.sleep(0.6)
        bar.update()
"""


def test_notebook_is_quiet_when_a_program_runs_it():
    """As the book's build does."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, timeout=60).execute()
    assert notebook.cells[0].outputs == []


@pytest.mark.parametrize("takes_input", [True, False])
def test_a_readers_jupyter_says_that_it_takes_input(monkeypatch, takes_input):
    shell = SimpleNamespace(kernel=SimpleNamespace(_allow_stdin=takes_input))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert _is_watched() == takes_input
