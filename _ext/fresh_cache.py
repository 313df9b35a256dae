"""Run every chapter again when the code that the chapters import has changed.

The execution cache of Jupyter Book compares the code cells of a notebook and nothing else, so after a change in
``d2l_utils`` or in the data it would go on showing old outputs. This extension keeps a checksum of both beside the
cache; when it differs, it empties the cache and has Sphinx read the notebooks again.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
#: Packages whose version changes what the chapters print or draw.
PACKAGES = ("matplotlib", "numpy", "torch")


def checksum_of_imports() -> str:
    """Checksum of everything that decides a chapter's outputs besides its own cells."""
    digest = hashlib.sha256(platform.python_version().encode())
    for package in PACKAGES:
        digest.update(f"{package} {version(package)}\n".encode())
    for path in sorted([*ROOT.glob("d2l_utils/**/*.py"), *ROOT.glob("data/*.csv"), *ROOT.glob("results/*")]):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def empty_stale_cache(app: Sphinx) -> None:
    """Remove the execution cache if it was made with other imports."""
    cache = Path(app.config.nb_execution_cache_path or Path(app.outdir).parent / ".jupyter_cache")
    stamp = cache / "imports.sha256"
    checksum = checksum_of_imports()
    app.config.imports_changed = not (stamp.is_file() and stamp.read_text() == checksum)
    if app.config.imports_changed:
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        stamp.write_text(checksum)


def notebooks_to_read_again(app: Sphinx, env: Any, *_: Any) -> list[str]:
    """Name the chapters already read with other imports."""
    if not app.config.imports_changed:
        return []
    return [name for name in env.found_docs if env.doc2path(name).endswith(".ipynb")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension."""
    app.add_config_value("imports_changed", False, "")
    app.connect("builder-inited", empty_stale_cache)
    app.connect("env-get-outdated", notebooks_to_read_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
