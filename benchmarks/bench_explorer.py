"""How fast the interactive figures are, in the page and beside ipywidgets with matplotlib in a live kernel.

Run ``python benchmarks/bench_explorer.py``; the limits are those the book sets itself. Those of one update are for a
machine on which matplotlib needs 56 ms to draw the same picture. So rounds of updates alternate with rounds of that
redraw, as machines change their speed, and each time is also given as it would be there.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

from jupyter_client.manager import start_new_kernel
from playwright.sync_api import Page, sync_playwright

import d2l_utils
from d2l_utils.chapters import from_chapter
from d2l_utils.explore.site import write_page

#: Where the rule is: RMSProp as in the book.
CHAPTER = Path(__file__).resolve().parents[1] / "chapters" / "rmsprop.ipynb"
#: What matplotlib needs for the picture, in ms, on the machine for which the limits of one update are.
REFERENCE_REDRAW = 56.0

#: Move a slider once a frame; the time from the event to the picture in the document, in ms.
SLIDE = """
async ([name, low, high, events]) => {
  const figure = document.querySelector('figure.d2l-explorer');
  const range = figure.querySelector(`input[type=range][name=${name}]`);
  const times = [];
  let began = 0;
  const watch = new MutationObserver(() => {
    if (figure.dataset.state !== 'running' && began) { times.push(performance.now() - began); began = 0; }
  });
  watch.observe(figure, { attributes: true });
  for (let i = 0; i < events; i++) {
    await new Promise(requestAnimationFrame);
    range.value = low + (high - low) * i / events;
    began ||= performance.now();  // an event that finds the last one unfinished waits with it
    range.dispatchEvent(new Event('input'));
  }
  await new Promise((resolve) => setTimeout(resolve, 500));
  watch.disconnect();
  return times.sort((a, b) => a - b);
}
"""

#: Updates one after the other, as fast as they come.
MANY = """
async (updates) => {
  const figure = document.querySelector('figure.d2l-explorer');
  const range = figure.querySelector('input[type=range][name=gamma]');
  const done = () => new Promise((resolve) => {
    const watch = new MutationObserver(() => figure.dataset.state !== 'running' && (watch.disconnect(), resolve()));
    watch.observe(figure, { attributes: true });
  });
  for (let i = 0; i < updates; i++) {
    range.value = 0.5 + 0.4 * (i % 100) / 100;
    const update = done();
    range.dispatchEvent(new Event('input'));
    await update;
  }
}
"""

#: The first result of a page that has just been opened, the loading of the runtime included.
FIRST = """
async () => {
  const figure = document.querySelector('figure.d2l-explorer');
  const began = performance.now();
  const done = new Promise((resolve) => {
    new MutationObserver(() => figure.dataset.state !== 'running' && resolve()).observe(figure, { attributes: true });
  });
  const range = figure.querySelector('input[type=range][name=gamma]');
  range.value = 0.8;
  range.dispatchEvent(new Event('input'));
  await done;
  return performance.now() - began;
}
"""

#: The same update in a kernel: ipywidgets.interact calls train_2d and draws with matplotlib.
IN_A_KERNEL = """
import contextlib, io, time
from statistics import median
import ipywidgets
import d2l_utils as d2l
from d2l_utils.chapters import from_chapter

rmsprop_2d = from_chapter(CHAPTER).rmsprop_2d
f = lambda x1, x2: 0.1 * x1**2 + 2 * x2**2
f_grad = lambda x1, x2: (0.2 * x1, 4 * x2)

def draw(gamma):
    d2l.show_trace_2d(f, d2l.train_2d(rmsprop_2d, 100, f_grad, eta=0.4, gamma=gamma))
    d2l.plt.show()

def timed(call):
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)

def redraw(gamma):
    with contextlib.redirect_stdout(io.StringIO()):
        path = d2l.train_2d(rmsprop_2d, 100, f_grad, eta=0.4, gamma=gamma)
    d2l.show_trace_2d(f, path).figure.savefig(io.BytesIO(), format="png")
    d2l.plt.close()

slider = ipywidgets.FloatSlider(0.9, min=0.5, max=0.999, step=0.001)
ipywidgets.interact(draw, gamma=slider)
"""
#: Each prints a median.
REDRAW = "print('median', median([timed(lambda: redraw(0.5 + i / 100)) for i in range(20)]))"
UPDATE = "print('median', median([timed(lambda: setattr(slider, 'value', 0.5 + i / 100)) for i in range(40)]))"
ROUNDS = 5
SLIDERS = (("gamma", 0.5, 0.999), ("eta", -2, 0), ("angle", -90, 90))


class Silent(http.server.SimpleHTTPRequestHandler):
    """Serves without a log."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served() -> Iterator[str]:
    """Serve a page with one figure of 100 steps."""
    rmsprop_2d = from_chapter(CHAPTER).rmsprop_2d
    figure = d2l_utils.explore_2d(rmsprop_2d, steps=100, values={"eta": 0.4, "gamma": 0.9})
    html = figure._repr_mimebundle_()[0]["text/html"]
    with tempfile.TemporaryDirectory() as folder:
        write_page(Path(folder) / "index.html", html)
        handler = functools.partial(Silent, directory=folder)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}/index.html"
            server.shutdown()


def report(what: str, value: float, unit: str, limit: float | None = None) -> None:
    verdict = "" if limit is None else f"   (limit {limit:g} {unit}: {'kept' if value <= limit else 'EXCEEDED'})"
    print(f"{what:72} {value:9.2f} {unit}{verdict}", flush=True)


def slide(page: Page, name: str, low: float, high: float) -> list[float]:
    times: list[float] = page.evaluate(SLIDE, [name, low, high, 180])
    check(page)
    return times


def check(page: Page) -> None:
    """Errors come faster than pictures: do not time them."""
    alert = page.locator("figure.d2l-explorer [role=alert]").inner_text()
    if alert:
        raise RuntimeError(f"the figure failed: {alert}")


def bench_start(page: Page, address: str) -> None:
    first = []
    for _ in range(5):
        page.goto("about:blank")
        page.goto(address)
        first.append(float(page.evaluate(FIRST)))
        check(page)
    report("first result from cold, median of 5", median(first), "ms", 600)


def bench_memory(page: Page) -> None:
    client = page.context.new_cdp_session(page)
    heaps = []
    for _ in range(2):
        page.evaluate(MANY, 5000)
        check(page)
        client.send("HeapProfiler.collectGarbage")
        heaps.append(client.send("Runtime.getHeapUsage")["usedSize"] / 1e6)
    report("heap of the page after 5,000 updates", heaps[0], "MB")
    report("heap of the page after 10,000 updates", heaps[1], "MB", heaps[0] * 1.05)


def bench_updates(page: Page, kernel: Kernel) -> None:
    slide(page, *SLIDERS[0])  # until the browser has compiled what is run often
    times: dict[str, list[float]] = {name: [] for name, _, _ in SLIDERS}
    redraws = [kernel.median(REDRAW)]
    for _ in range(ROUNDS):
        for name, low, high in SLIDERS:
            times[name] += slide(page, name, low, high)
        redraws.append(kernel.median(REDRAW))
    report("matplotlib draws the same picture, median", median(redraws), "ms")
    report("ipywidgets.interact and matplotlib in a kernel, median", kernel.median(UPDATE), "ms")
    report_updates({name: sorted(values) for name, values in times.items()}, median(redraws) / REFERENCE_REDRAW)


def report_updates(times: dict[str, list[float]], slowness: float) -> None:
    for name, values in times.items():
        for what, value, limit in (
            ("median", median(values), 4),
            ("95th percentile", values[int(0.95 * len(values))], 16.7),
        ):
            events = f"{ROUNDS} × 180 events at 60 a second, {len(values)} pictures"
            report(f"{name}: {events}, {what}", value, "ms", limit)
            report(f"{name}: {what} where matplotlib needs {REFERENCE_REDRAW:g} ms", value / slowness, "ms", limit)


class Kernel:
    """A live kernel in which :data:`IN_A_KERNEL` has run."""

    def __init__(self) -> None:
        self.manager, self.client = start_new_kernel(extra_arguments=["--IPKernelApp.log_level=CRITICAL"])
        self.run(f"CHAPTER = {str(CHAPTER)!r}\n{IN_A_KERNEL}")

    def run(self, code: str) -> str:
        """Return what the code prints."""
        printed: list[str] = []

        def hear(message: dict[str, dict[str, str]]) -> None:
            if message["content"].get("name") == "stdout":
                printed.append(message["content"]["text"])

        reply = self.client.execute_interactive(code, output_hook=hear, timeout=120)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"the kernel failed: {reply['content']['evalue']}")
        return "".join(printed)

    def median(self, code: str) -> float:
        """Return the median, in ms, that the code prints."""
        return float(self.run(code).rpartition("median")[2])

    def close(self) -> None:
        """End the kernel."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def main() -> None:
    folder = Path(d2l_utils.__file__).parent / "explore"
    size = sum((folder / name).stat().st_size for name in ("explorer.js", "explorer.css"))
    report("explorer.js and explorer.css", size / 1024, "KB", 40)
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with closing(Kernel()) as kernel, served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1000, "height": 1200})
        bench_start(page, address)
        bench_updates(page, kernel)
        bench_memory(page)
        browser.close()


if __name__ == "__main__":
    sys.exit(main())
