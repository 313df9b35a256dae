"""Build the book once and look at every page of it in Chromium, with the network out of reach."""

from __future__ import annotations

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from tab import DESKTOP, Tab

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
_JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"  # it has no `python -m jupyter_book`


@pytest.fixture(scope="session")
def site() -> Path:
    """Folder of the built book; the build takes unchanged chapters from the execution cache."""
    html = BUILD / "html"
    for page in _pages_of(html):  # written afresh, so that no page of a removed chapter is left
        page.unlink()
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    run = subprocess.run(
        [sys.executable, "-c", _JUPYTER_BOOK, "build", "-n", "-W", "--keep-going", str(ROOT)],
        env=os.environ | {"PYTHONPATH": python_path, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if run.returncode:
        # Sphinx does not repeat the warnings of a page it has read: without this, the next build would pass.
        shutil.rmtree(BUILD / ".doctrees", ignore_errors=True)
        print(run.stdout)  # pytest shows it once, at the first test
        pytest.fail("the book does not build without warnings: see the log at the first failing test", pytrace=False)
    return html


@pytest.fixture(scope="session")
def pages(site: Path) -> list[Path]:
    """Every page of the site."""
    return _pages_of(site)


def _pages_of(html: Path) -> list[Path]:
    # Themes leave templates in _static.
    return sorted(page for page in html.rglob("*.html") if "_static" not in page.relative_to(html).parts)


@pytest.fixture(scope="session")
def server(site: Path) -> Iterator[str]:
    """Address at which the built book is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/"
        httpd.shutdown()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Headless Chromium; without it these tests are skipped, but on a CI machine they fail."""
    executable = shutil.which("chromium")
    if executable is None:
        _unavailable("there is no `chromium` on the PATH")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        _unavailable("the package playwright is missing")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> Any:
    """The accessibility checker axe-core."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        _unavailable("the package axe-playwright-python is missing")
    return Axe()


def _unavailable(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def tab(browser: Any, server: str) -> Iterator[Tab]:
    """A fresh tab of the size of a desktop window."""
    context = browser.new_context(viewport=DESKTOP)
    context.set_default_timeout(10_000)
    tab = Tab(context.new_page())
    outside = re.compile(rf"^(?!{re.escape(server)}|file:|data:|blob:)")

    def refuse(route: Any) -> None:
        tab.outside.append(route.request.url)
        route.abort()

    context.route(outside, refuse)
    tab.page.on("websocket", lambda socket: tab.outside.append(socket.url))
    tab.page.on("console", lambda message: tab.errors.append(message.text) if message.type == "error" else None)
    tab.page.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.page.on("response", lambda response: response.ok or tab.errors.append(f"{response.url}: {response.status}"))
    tab.page.on("requestfailed", lambda request: tab.errors.append(f"{request.url}: {request.failure}"))
    yield tab
    context.close()
