import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from d2l_utils import explore_2d
from d2l_utils.explore import site
from d2l_utils.explore.spec import check_subset

from . import rules

REPOSITORY = Path(__file__).parents[2]


def test_runtime_is_the_tested_one():
    for name in site.RUNTIME_SHA256:
        assert len(site.runtime_file(name)) > 100_000


def test_a_changed_runtime_is_refused(tmp_path, monkeypatch):
    original = Path(importlib.util.find_spec("microdriver").origin).parent
    package = tmp_path / "microdriver"
    shutil.copytree(original / "public" / "mpy", package / "public" / "mpy")
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    site.runtime_file("micropython.mjs")
    wasm = package / "public" / "mpy" / "micropython.wasm"
    wasm.write_bytes(wasm.read_bytes()[:-1] + b"\x00")
    with pytest.raises(ValueError, match=r"micropython\.wasm has sha256"):
        site.runtime_file("micropython.wasm")


def test_a_missing_runtime_says_what_to_do(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(FileNotFoundError, match=r"pip install --no-deps microdriver==0\.0\.6"):
        site.runtime_file("micropython.wasm")


def test_scripts_are_classic_and_small():
    page, runtime = site.page_script(), site.runtime_script()
    for script in (page, runtime):
        assert "\nexport " not in script
        assert "\nimport " not in script
    assert len(page) < 75_000  # of all kinds of figures together
    assert len(runtime) < 350_000
    assert page == site.page_script()  # the same build gives the same file


def test_the_python_of_the_page_is_in_its_subset():
    check_subset(site.page_source(), "page", modules=("io", "json", "math", "struct", "sys", "traceback"))


def test_assets_and_standalone_page(tmp_path):
    figure = explore_2d(rules.rmsprop_2d)
    site.write_page(tmp_path / "page.html", figure.to_html())
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"page.html", site.STYLE, site.PAGE_SCRIPT, site.RUNTIME_SCRIPT}
    assert 'class="d2l-explorer"' in (tmp_path / "page.html").read_text("utf-8")


@pytest.fixture(scope="module")
def site_with_one_figure(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sphinx")
    (folder / "conf.py").write_text(
        f"import sys\nsys.path.insert(0, {str(REPOSITORY / '_ext')!r})\n"
        "project = 'try'\nextensions = ['explorers']\nexclude_patterns = []\n"
    )

    def failing_2d(x1, x2):
        return x1 / 0, x2

    for name, figure in (("with", explore_2d(rules.rmsprop_2d)), ("broken", explore_2d(failing_2d))):
        (folder / f"{name}.html.txt").write_text(figure.to_html(), "utf-8")
        (folder / f"{name}.rst").write_text(f":orphan:\n\nWith\n====\n\n.. raw:: html\n   :file: {name}.html.txt\n")
    (folder / "index.rst").write_text("Without\n=======\n")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(folder), str(folder / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return folder / "out", done.stderr


def test_only_pages_with_a_figure_load_the_front_end(site_with_one_figure):
    out, _ = site_with_one_figure
    page = (out / "with.html").read_text("utf-8")
    assert f"_static/{site.PAGE_SCRIPT}?v=" in page
    assert f"_static/{site.STYLE}?v=" in page
    assert f'src="_static/{site.RUNTIME_SCRIPT}' not in page  # asked for when it is needed
    assert (out / "_static" / site.RUNTIME_SCRIPT).is_file()
    assert "explorer" not in (out / "index.html").read_text("utf-8")


def test_a_figure_that_fails_is_a_warning_of_the_build(site_with_one_figure):
    _, warnings = site_with_one_figure
    assert warnings.count("shows an error in its default state") == 1
    assert "broken" in warnings


def test_the_front_end_stays_small():
    folder = Path(site.__file__).parent
    assert sum((folder / name).stat().st_size for name in ("explorer.js", "explorer.css")) <= 40 * 1024
