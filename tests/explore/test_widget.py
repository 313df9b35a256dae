import json
import math
import sys
import time

import pytest
from jupyter_client.manager import start_new_kernel

from d2l_utils import explore_2d
from d2l_utils.explore.widget import TIME_LIMIT, OvertimeError, time_limit
from d2l_utils.objectives import quadratic

from . import rules

ENDLESS = "def gd_2d(x1, x2, f_grad, *, eta):\n    while True:\n        pass\n"


def test_bundle_carries_widget_and_html():
    figure = explore_2d(rules.gd_2d)
    data, _ = figure._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == figure.model_id
    assert data["text/html"] == figure.to_html()
    assert "export default" in figure._esm


def test_state_makes_result():
    figure = explore_2d(rules.gd_2d, values={"eta": 0.1})
    figure.state = figure.state | {"seq": 7, "values": figure.state["values"] | {"eta": 0.2}}
    assert figure.result["seq"] == 7
    assert figure.result["rules"][0]["path"][2:4] == pytest.approx([-5 + 0.2, -2 + 0.2 * 8])
    assert figure.result["contours"]["ellipse"] == pytest.approx([0, 0, 14.5, 0, 3.24], rel=0.01)


def walled(x1, x2):
    return x1 * x1 + x2 * x2 if x1 < 0.5 else math.inf


def test_result_is_json():
    figure = explore_2d(rules.gd_2d, f=walled, f_grad=quadratic()[1])
    assert None in figure.result["contours"]["grid"]
    assert json.loads(json.dumps(figure.result, allow_nan=False)) == figure.result


@pytest.mark.parametrize("source", [ENDLESS, "while True:\n    pass\n"])
def test_an_endless_loop_is_stopped_and_the_figure_goes_on(source):
    figure = explore_2d(rules.gd_2d)
    good = figure.result
    begin = time.monotonic()
    figure.state = figure.state | {"seq": 1, "sources": {"gd_2d": source}}
    assert time.monotonic() - begin < TIME_LIMIT + 1
    assert "stopped" in figure.result["error"]["message"]
    figure.state = figure.state | {"seq": 2, "sources": None}
    assert figure.result == good | {"seq": 2}


def test_time_limit_leaves_no_trace():
    before = sys.gettrace()

    def endless():
        while True:
            try:
                pass
            except Exception:
                continue

    with pytest.raises(OvertimeError), time_limit(0.05):
        endless()
    assert sys.gettrace() is before
    with time_limit(10):
        pass
    assert sys.gettrace() is before


CELL = """
import d2l_utils as d2l

def gd_2d(x1, x2, f_grad, *, eta=0.1):
    g1, g2 = f_grad(x1, x2)
    if eta > 5:
        raise ValueError("too fast")
    return x1 - {factor} * eta * g1, x2 - eta * g2

d2l.explore_2d(gd_2d)
"""


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_cell(client, code):
    """Run a cell; return the id of the widget it shows."""
    shown = []

    def collect(message):
        assert message["msg_type"] != "error", message["content"]
        if message["msg_type"] == "execute_result":
            shown.append(message["content"]["data"])

    client.execute_interactive(code, output_hook=collect, timeout=60)
    (data,) = shown
    assert "text/html" in data
    return data["application/vnd.jupyter.widget-view+json"]["model_id"]


def send_state(client, model, state):
    """Do what the front end does when a slider moves; return the result that the kernel sends back."""
    content = {"comm_id": model, "data": {"method": "update", "state": {"state": state}, "buffer_paths": []}}
    client.shell_channel.send(client.session.msg("comm_msg", content))
    while True:
        message = client.get_iopub_msg(timeout=30)
        if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == model:
            result = message["content"]["data"].get("state", {}).get("result")
            if result:
                return result


def state_with(eta, seq):
    values = {"eta": eta, "steps": 5, "condition": 20.0, "angle": 0.0}
    return {"seq": seq, "values": values, "start": [-5.0, -2.0], "objective": "quadratic", "sources": None}


def test_in_a_live_kernel_its_own_function_runs(kernel):
    model = run_cell(kernel, CELL.format(factor=1))
    result = send_state(kernel, model, state_with(0.2, seq=1))
    assert result["seq"] == 1
    assert result["rules"][0]["path"][2:4] == pytest.approx([-4.8, -0.4])
    again = run_cell(kernel, CELL.format(factor=2))
    assert send_state(kernel, again, state_with(0.2, seq=1))["rules"][0]["path"][2:4] == pytest.approx([-4.6, -0.4])


def test_in_a_live_kernel_an_error_comes_back_with_its_line(kernel):
    model = run_cell(kernel, CELL.format(factor=1))
    error = send_state(kernel, model, state_with(6.0, seq=1))["error"]
    assert error == {"message": "ValueError: too fast", "line": 4, "rule": "gd_2d"}
