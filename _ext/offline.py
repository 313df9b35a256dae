"""Keep the site self-contained: MathJax from its own files, nothing from any other address.

MathJax is taken from the PyPI package ``sphinx-mathjax-offline``. As an extension that package copies all 24 MB of it;
this one copies the component that pages load, its fonts, and the small TeX extensions that MathJax loads on demand.
"""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ExtensionError

_PACKAGE = "sphinx-mathjax-offline"
_COMPONENT = "tex-chtml.js"
_FONTS = "output/chtml/fonts/woff-v2"
_TEX_EXTENSIONS = "input/tex/extensions"


def mathjax_folder() -> Path:
    """Folder of MathJax inside the installed package.

    Raises
    ------
    ExtensionError
        If the package is missing or no longer has the files we rely on.
    """
    # The folder's name has hyphens, so that an import statement cannot say it.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise ExtensionError(f"offline: the package {_PACKAGE} is missing; run `pip install -r requirements.txt`")
    folder = Path(spec.origin).parent / "static" / "mathjax"
    for needed in (_COMPONENT, f"{_FONTS}/MathJax_Main-Regular.woff", f"{_TEX_EXTENSIONS}/boldsymbol.js"):
        if not (folder / needed).is_file():
            raise ExtensionError(f"offline: {_PACKAGE} has no {needed}; install the version in requirements.txt")
    return folder


def _mathjax_files(folder: Path) -> Iterator[Path]:
    yield Path(_COMPONENT)
    for pattern in (f"{_FONTS}/*.woff", f"{_TEX_EXTENSIONS}/*.js"):
        yield from (path.relative_to(folder) for path in folder.glob(pattern) if path.name != "all-packages.js")


def _use_local_mathjax(app: Sphinx, config: Config) -> None:
    if "sphinx_thebe" in app.extensions:
        raise ExtensionError(
            "offline: remove sphinx_thebe from the extensions in _config.yml; its script comes from a CDN"
        )
    mathjax_folder()
    config.mathjax_path = f"mathjax/{_COMPONENT}"


def _refuse_outside_files(_app: Sphinx, page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    for kind in ("script_files", "css_files"):
        for file in context.get(kind, ()):
            address = str(getattr(file, "filename", None) or "")
            if "//" in address:
                raise ExtensionError(f"offline: page {page} would load {address}, which is outside the site")


def _copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is not None or app.builder.format != "html":
        return
    folder = mathjax_folder()
    for file in _mathjax_files(folder):
        target = Path(app.outdir, "_static", "mathjax", file)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / file, target)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("config-inited", _use_local_mathjax)
    app.connect("html-page-context", _refuse_outside_files, priority=999)
    app.connect("build-finished", _copy_mathjax)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}
