"""A chapter as the tests see it: the notebook as committed, and as the book's build executed it."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
from jupyter_cache import get_cache
from nbformat import NotebookNode

from d2l_utils.chapters import from_chapter

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "_build" / ".jupyter_cache"
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))


@dataclass(frozen=True)
class Chapter:
    """One notebook, with the outputs it had when the book was built."""

    path: Path
    source: NotebookNode
    executed: NotebookNode

    @classmethod
    def load(cls, path: Path) -> Chapter:
        cache = get_cache(CACHE)
        executed = cache.get_cache_bundle(cache.match_cache_file(str(path)).pk).nb
        return cls(path, nbformat.read(path, as_version=4), executed)

    @property
    def prose(self) -> str:
        return "\n\n".join(cell.source for cell in self.source.cells if cell.cell_type == "markdown")

    @property
    def code_cells(self) -> list[NotebookNode]:
        return [cell for cell in self.source.cells if cell.cell_type == "code"]

    def outputs(self, kind: str) -> list[NotebookNode]:
        cells = (cell for cell in self.executed.cells if cell.cell_type == "code")
        return [output for cell in cells for output in cell.outputs if output.output_type == kind]

    @property
    def printed(self) -> str:
        """All that the code cells wrote to standard output."""
        return "\n".join(output.text for output in self.outputs("stream") if output.name == "stdout")

    def tagged(self, tag: str) -> list[NotebookNode]:
        return [cell for cell in self.code_cells if tag in cell.metadata.get("tags", [])]

    def scratch(self) -> SimpleNamespace:
        """What the cells tagged `imports` and `scratch` define; nothing else is run."""
        return from_chapter(self.path)


def load_experiment(name: str) -> ModuleType:
    """Import a program of the folder ``experiments``."""
    spec = importlib.util.spec_from_file_location(f"{name}_experiment", ROOT / "experiments" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers_claimed(prose: str) -> set[str]:
    """Numbers of a text that look measured: with a decimal point, three digits, or a power of ten (``2.7e-14``)."""
    prose = re.sub(r"`[^`]*`|\(#[^)]*\)|^:::.*$|^:\w+:.*$", " ", prose, flags=re.MULTILINE)  # code, links, directives
    prose = prose.replace("−", "-").replace("{,}", "")
    powers = re.findall(r"(\d+(?:\.\d+)?) *\\cdot *10\^\{(-?\d+)\}", prose)
    prose = re.sub(r"\d+(?:\.\d+)? *\\cdot *10\^\{-?\d+\}", " ", prose)
    plain = re.findall(r"(?<![\w.^{])(?:\d+\.\d+|\d{3,})(?![\w.]*\w)", prose)
    return set(plain) | {f"{mantissa}e{int(exponent):+03d}" for mantissa, exponent in powers}


def appears(number: str, text: str) -> bool:
    """Whether a text holds the number, not as a part of a longer one."""
    return re.search(rf"(?<![\d.]){re.escape(number)}(?!\d|\.\d)", text) is not None
