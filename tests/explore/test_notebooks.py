"""In JupyterLab and Notebook 7 the figure appears, and the functions of the reader's own kernel move it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

RULE = """import d2l_utils as d2l

def gd_2d(x1, x2, f_grad, *, eta=0.1):
    g1, g2 = f_grad(x1, x2)
    if eta > 5:
        raise ValueError("too fast")
    return x1 - eta * g1, x2 - eta * g2
"""
CHANGED = """def gd_2d(x1, x2, f_grad, *, eta=0.1):
    return x1 + 1, x2

d2l.explore_2d(gd_2d, steps=3)
"""
RUNS = """import numpy as np

losses = np.array([[0.5, 0.5, 0.5, 0.5], [0.3, 0.32, 0.25, 0.27]]).T
d2l.explore_runs(d2l.Sweep("rule", {"lr": [0.1, 0.2]}, (0, 1), 10, 2, np.array([0.0, 2.0]), losses))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a Jupyter server with a notebook, and nothing of the user's own settings."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [new_code_cell(source) for source in (RULE, "d2l.explore_2d(gd_2d, steps=3)", CHANGED, RUNS)]
    kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernelspec}), folder / "figures.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        *("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"),
    ]
    own = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    }
    with (folder / "log.txt").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], stdout=log, stderr=log, env=os.environ | own, cwd=folder
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(address, server, folder / "log.txt")
            yield address
        finally:
            server.terminate()
            server.wait(timeout=30)


def _wait_for(address, server, log):
    for _ in range(240):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(f"{address}/api", timeout=1).close()
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise TimeoutError(log.read_text())


def end_of(figure):
    return json.loads(figure.get_attribute("data-end"))


def set_number(page, figure, name, value):
    before = figure.get_attribute("data-seq")
    field = figure.locator(f'input[type="number"][name="{name}"]')
    field.fill(str(value))
    field.press("Enter")
    page.wait_for_function(
        "([figure, before]) => figure.dataset.seq !== before && figure.dataset.state !== 'running'",
        arg=[figure.element_handle(), before],
    )


@pytest.mark.parametrize("place", ["lab/tree/figures.ipynb?reset", "notebooks/figures.ipynb"])
def test_figure_in_a_live_notebook(server, browser, place):
    page = browser.new_page(viewport={"width": 1300, "height": 3200})  # Jupyter hides cells that are out of sight
    page.set_default_timeout(30_000)
    page.goto(f"{server}/{place}")
    page.locator(".jp-Notebook .jp-CodeCell").nth(3).wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    figures = page.locator("figure.d2l-explorer")
    figures.nth(2).locator('input[type="range"]').first.wait_for()
    first, changed, runs = figures.nth(0), figures.nth(1), figures.nth(2)

    assert end_of(first) == pytest.approx([-5 * 0.98**3, -2 * 0.6**3])
    set_number(page, first, "eta", 0.2)
    assert end_of(first) == pytest.approx([-5 * 0.96**3, -2 * 0.2**3])
    first.locator('input[type="range"][name="steps"]').focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "figure => figure.dataset.seq === '2' && figure.dataset.state !== 'running'", arg=first.element_handle()
    )
    assert end_of(first) == pytest.approx([-5 * 0.96**4, -2 * 0.2**4])

    set_number(page, first, "eta", 6)
    assert first.get_attribute("data-state") == "error"
    assert first.locator('[role="alert"]').inner_text() == "Line 4: ValueError: too fast"

    assert end_of(changed) == [-2, -2]  # the function as redefined in the third cell

    assert json.loads(runs.get_attribute("data-loss")) == pytest.approx([0.26], rel=1e-6)
    set_number(page, runs, "lr", 0.1)
    assert json.loads(runs.get_attribute("data-loss")) == pytest.approx([0.31], rel=1e-6)
    page.close()
