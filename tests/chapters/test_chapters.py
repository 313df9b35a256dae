"""What holds for every chapter."""

from __future__ import annotations

import re

import nbformat
from notebook import Chapter, appears, numbers_claimed


def test_every_cell_ran_without_error_or_warning(chapter: Chapter) -> None:
    assert chapter.outputs("error") == []
    assert [output.text for output in chapter.outputs("stream") if output.name == "stderr"] == []


def test_committed_notebook_is_stripped_and_canonical(chapter: Chapter) -> None:
    assert all(cell.outputs == [] and cell.execution_count is None for cell in chapter.code_cells)
    assert chapter.path.read_text(encoding="utf-8") == nbformat.writes(chapter.source) + "\n"
    assert chapter.source.metadata.kernelspec.name == "python3"


def test_first_code_cell_holds_the_imports(chapter: Chapter) -> None:
    assert chapter.tagged("imports") == chapter.code_cells[:1]


def test_scratch_cells_only_define_functions(chapter: Chapter) -> None:
    for cell in chapter.tagged("scratch"):
        starts = re.findall(r"^\S.*", cell.source, flags=re.MULTILINE)
        assert all(re.match(r"def |class |@|\)|from |import ", line) for line in starts), cell.source
    assert chapter.scratch()


def test_every_figure_has_an_alternative_text(chapter: Chapter) -> None:
    executed_cells = [cell for cell in chapter.executed.cells if cell.cell_type == "code"]
    for source, executed in zip(chapter.code_cells, executed_cells, strict=True):
        if any("image" in kind for output in executed.outputs for kind in output.get("data", {})):
            alt = source.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
            assert len(alt.split()) >= 8, f"cell {source.id} draws a figure without describing it"


def test_no_page_shows_the_name_of_an_object(chapter: Chapter) -> None:
    plain = [output.data for output in chapter.outputs("execute_result") if "text/html" not in output.data]
    shown = [data.get("text/plain", "") for data in plain]
    assert [text for text in shown if re.match(r"<|\[<", text)] == []


def test_every_number_in_the_prose_is_on_the_page(chapter: Chapter) -> None:
    # Measured numbers are printed by a cell; chosen ones (a rate, say) are in the code.
    evidence = chapter.printed + "\n" + "\n".join(cell.source for cell in chapter.code_cells)
    missing = {number for number in numbers_claimed(chapter.prose) if not appears(number, evidence)}
    assert missing == set()


def test_rhythm_of_a_chapter(chapter: Chapter) -> None:
    headings = re.findall(r"^## (.+)$", chapter.prose, flags=re.MULTILINE)
    assert headings[-3:] == ["Summary", "Exercises", "References"]
    assert "*Predict*" in chapter.prose or "} Predict" in chapter.prose
    exercises = re.findall(r"^:label: (ex-\S+)$", chapter.prose, flags=re.MULTILINE)
    solutions = re.findall(r"^:{3,}\{solution(?:-start)?\} (ex-\S+)$", chapter.prose, flags=re.MULTILINE)
    assert len(exercises) >= 8
    assert solutions == exercises


def test_numbers_claimed_finds_decimals_and_powers() -> None:
    text = "ends at −0.25 or $2.7 \\cdot 10^{-14}$ after `0.1` of 12 steps (0.5, 1.5)."
    assert numbers_claimed(text) == {"0.25", "2.7e-14", "0.5", "1.5"}
    assert appears("0.25", "x -0.25,")
    assert not appears("0.25", "10.25 0.255 0.25.1")
