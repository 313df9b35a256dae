"""What the website adds to the figures: the front end as classic scripts, and the packed runtime.

Module scripts, workers and ``fetch`` do not work from file://, so everything is a classic script: the front end is
imported from its text, and MicroPython comes compressed in base64.
"""

from __future__ import annotations

import ast
import base64
import gzip
import hashlib
import importlib.util
import inspect
import json
from pathlib import Path

from d2l_utils import objectives
from d2l_utils.explore import compute
from d2l_utils.explore.widget import front_end
from d2l_utils.trace import follow

_HERE = Path(__file__).parent
RUNTIME_PACKAGE = "microdriver==0.0.6"
#: MicroPython 1.28 for WebAssembly, as it is in that package.
RUNTIME_SHA256 = {
    "micropython.mjs": "8c4067836ce5b71aeddac0315c25f73b642399fdb2e2e94acea612f60747b21a",
    "micropython.wasm": "3f705482c97498cb24c90275b33038d9a2d1868439d8216002d90a75bdd28997",
}
#: Names of the files that :func:`write_assets` writes.
STYLE, PAGE_SCRIPT, RUNTIME_SCRIPT = "explorer.css", "explorer-page.js", "explorer-runtime.js"


def runtime_file(name: str) -> bytes:
    """Return a file of the runtime from the installed package.

    Raises
    ------
    FileNotFoundError
        If the package is not installed.
    ValueError
        If the file is not the one the book was tested with.
    """
    package = importlib.util.find_spec("microdriver")
    folder = Path(package.origin).parent / "public" / "mpy" if package and package.origin else None
    if folder is None or not (folder / name).is_file():
        raise FileNotFoundError(f"{name} is missing: run `pip install --no-deps {RUNTIME_PACKAGE}`")
    content = (folder / name).read_bytes()
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != RUNTIME_SHA256[name]:
        raise ValueError(
            f"{folder / name} has sha256 {checksum}, not {RUNTIME_SHA256[name]}: "
            f"run `pip install --no-deps {RUNTIME_PACKAGE}`"
        )
    return content


def page_source() -> str:
    """Return the Python that the page runs: the objectives, the loop of ``train_2d`` and what the figures compute."""
    texts = [inspect.getsource(objectives), inspect.getsource(follow), inspect.getsource(compute)]
    return "\n\n".join(_without_missing_imports(text) for text in texts)


def _without_missing_imports(source: str) -> str:
    """Drop the imports of what MicroPython lacks or the page has already, and what is only for type checkers."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        for_types = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        if for_types or module.startswith(("__future__", "collections", "typing", "d2l_utils")):
            for i in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[i] = ""
    return "\n".join(lines)


def page_script() -> str:
    """Return the classic script of a page with figures: the front end, no longer a module, and ``page.js``."""
    module = front_end("js")
    if module.count("export default ") != 1:
        raise ValueError("the front end must have exactly one export, the default one")
    script = module.replace("export default ", "const explorer = ")
    # The runtime is asked for by its checksum, so that no browser takes an old one from its cache.
    version = hashlib.sha256(runtime_script().encode()).hexdigest()[:8]
    name = f"const RUNTIME_FILE = {json.dumps(f'{RUNTIME_SCRIPT}?v={version}')};\n"
    return "(() => {\n" + name + script + (_HERE / "page.js").read_text("utf-8") + "})();\n"


def runtime_script() -> str:
    """Return the classic script, about 320 KB, that carries MicroPython, the worker and the Python of the page."""
    parts = {
        "micropython": _packed(_classic(runtime_file("micropython.mjs").decode()).encode()),
        "wasm": _packed(runtime_file("micropython.wasm")),
        "worker": (_HERE / "worker.js").read_text("utf-8"),
        "python": _packed(page_source().encode()),
    }
    return f"globalThis.d2lRuntime = {json.dumps(parts)};\n"


def _classic(module: str) -> str:
    """Return MicroPython's module as a classic script, in which ``loading`` is the promise of ``loadMicroPython``."""
    for text in ("export default _createMicroPythonModule;", "export async function loadMicroPython("):
        if module.count(text) != 1:
            raise ValueError(f"MicroPython's module must have one {text!r}")
        module = module.replace(text, text.removeprefix("export default ").removeprefix("export "))
    module = module.replace("import.meta.url", "self.location.href")
    return f"const loading = (async () => {{\n{module}\nreturn loadMicroPython;\n}})();"


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode("ascii")


def write_assets(folder: Path) -> None:
    """Write the style sheet and the two scripts into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STYLE).write_text(front_end("css"), "utf-8")
    (folder / PAGE_SCRIPT).write_text(page_script(), "utf-8")
    (folder / RUNTIME_SCRIPT).write_text(runtime_script(), "utf-8")


def write_page(path: Path, *figures: str, title: str = "Interactive figures") -> None:
    """Write a page with figures (their HTML) and, beside it, the assets: a way to publish figures without a book."""
    write_assets(path.parent)
    path.write_text(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="stylesheet" href="{STYLE}">
<script src="{PAGE_SCRIPT}" defer></script>
</head>
<body>
<main>
<h1>{title}</h1>
{"".join(figures)}
</main>
</body>
</html>
""",
        "utf-8",
    )
