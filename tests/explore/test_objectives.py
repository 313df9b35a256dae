import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from d2l_utils.objectives import OBJECTIVES, quadratic

point = st.tuples(st.floats(-5, 5), st.floats(-5, 5))


@pytest.mark.parametrize("name", OBJECTIVES)
@given(x=point)
def test_gradient_is_that_of_autograd(name, x):
    f, f_grad = OBJECTIVES[name]["make"]()
    x1, x2 = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in x)
    f(x1, x2).backward()
    assert f_grad(*x) == pytest.approx((x1.grad.item(), x2.grad.item()), rel=1e-9, abs=1e-9)


@given(x=point, condition=st.floats(1, 1000), angle=st.floats(-90, 90))
def test_gradient_of_any_quadratic_is_that_of_autograd(x, condition, angle):
    f, f_grad = quadratic(condition=condition, angle=angle)
    x1, x2 = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in x)
    f(x1, x2).backward()
    assert f_grad(*x) == pytest.approx((x1.grad.item(), x2.grad.item()), rel=1e-9, abs=1e-9)


@given(x=point)
def test_default_quadratic_has_the_gradient_of_the_book_to_the_last_bit(x):
    f, f_grad = quadratic()
    assert f_grad(*x) == (0.2 * x[0], 4 * x[1])
    assert f(*x) == pytest.approx(0.1 * x[0] ** 2 + 2 * x[1] ** 2)


def test_condition_number_and_angle_are_those_of_the_hessian():
    _, f_grad = quadratic(condition=50, angle=30)
    hessian = torch.tensor([f_grad(1, 0), f_grad(0, 1)], dtype=torch.float64)
    eigenvalues, vectors = torch.linalg.eigh(hessian)
    assert (eigenvalues[1] / eigenvalues[0]).item() == pytest.approx(50)
    long_axis = vectors[:, 0]
    assert math.degrees(math.atan(long_axis[1] / long_axis[0])) == pytest.approx(30)


@pytest.mark.parametrize(
    ("name", "minimum"),
    [
        ("quadratic", (0, 0)),
        ("rotated", (0, 0)),
        ("rosenbrock", (1, 1)),
        ("beale", (3, 0.5)),
        ("himmelblau", (3, 2)),
        ("himmelblau", (-2.805118, 3.131312)),
    ],
)
def test_minimum_is_where_the_docstring_says(name, minimum):
    f, f_grad = OBJECTIVES[name]["make"]()
    assert f(*minimum) == pytest.approx(0, abs=1e-8)
    assert f_grad(*minimum) == pytest.approx((0, 0), abs=1e-3)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_start_lies_in_the_window(name):
    (x1, x2), window = OBJECTIVES[name]["start"], OBJECTIVES[name]["window"]
    assert window[0] <= x1 <= window[1]
    assert window[2] <= x2 <= window[3]
