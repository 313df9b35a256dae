"""A page with figures, served under the content policy that the book documents, and a Chromium to drive it."""

import functools
import http.server
import threading
from contextlib import contextmanager

import pytest

from d2l_utils import explore_2d, explore_schedule
from d2l_utils.explore.site import write_page

from . import rules

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
)


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves with the policy, and silently."""

    def end_headers(self):
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def do_GET(self):
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *args):
        pass


@contextmanager
def served(path, handler):
    """Serve the folder of a page; give the page's address."""
    make = functools.partial(handler, directory=path.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{path.name}"
        server.shutdown()


@pytest.fixture(scope="session")
def explorers():
    return {
        "rmsprop_2d": explore_2d(
            rules.rmsprop_2d,
            values={"eta": 0.4, "gamma": 0.9},
            goal={"below": 1e-6, "within": 20},
            predict="Where does the path go with γ = 0.99?",
            seen="Long memory overshoots.",
        ),
        "gd_2d": explore_2d(rules.gd_2d, rules.adagrad_2d, rules.rmsprop_2d, values={"eta": 0.4}, title="Three rules"),
        "momentum_2d": explore_2d(rules.momentum_2d, values={"eta": 0.4, "beta": 0.5}, objective="rotated"),
        "MultiFactor": explore_schedule(rules.MultiFactor, rules.factor, steps=60),
    }


@pytest.fixture(scope="session")
def page_file(explorers, tmp_path_factory):
    """The page as a file, with all its assets beside it."""
    path = tmp_path_factory.mktemp("page") / "index.html"
    write_page(path, *(figure._repr_mimebundle_()[0]["text/html"] for figure in explorers.values()))
    return path


@pytest.fixture(scope="session")
def address(page_file):
    """The page's address on a server with a strict content policy."""
    with served(page_file, Handler) as address:
        yield address


@pytest.fixture
def page(browser):
    """An empty page; the test fails if anything on it reports an error or asks another server."""
    context = browser.new_context(viewport={"width": 1000, "height": 900})
    page = context.new_page()
    problems = []
    page.on("console", lambda message: message.type == "error" and problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("request", lambda request: outside(request.url) and problems.append(request.url))
    page.set_default_timeout(10_000)
    yield page
    context.close()
    assert problems == []


def outside(url):
    return not url.startswith(("http://127.0.0.1:", "file:", "blob:", "data:"))


@pytest.fixture
def figure(page, address):
    """The first figure of the page, RMSProp alone."""
    page.goto(address)
    return page.locator("figure[data-rule=rmsprop_2d]").first
