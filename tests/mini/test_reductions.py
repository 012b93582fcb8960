"""Gradients of reductions where the rows of the table cannot look: at 0, and of cdist."""

import pytest
from both import agree


def leaf(f, *values):
    return f.tensor(values, dtype=f.float64, requires_grad=True)


def norm_of_zero(f):
    x = leaf(f, 0.0, 0.0)
    f.norm(x).backward()
    return x.grad


def std_of_equal_numbers(f):
    x = leaf(f, 3.0, 3.0, 3.0)
    x.std().backward()
    return x.grad


def product_with_one_zero_and_with_two(f):
    x, y = leaf(f, 2.0, 0.0, 5.0), leaf(f, 2.0, 0.0, 0.0)
    (x.prod() + y.prod()).backward()
    return x.grad, y.grad


def distances_of_rows(f):
    out = []
    for p in (1.0, 2.0, 3.0, float("inf")):
        x, y = leaf(f, [0.0, 1.0], [2.0, 5.0]), leaf(f, [0.5, -1.0], [3.0, 2.5], [2.0, 5.0])
        d = f.cdist(x, y[:2], p)
        (d * f.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=f.float64)).sum().backward()
        out += [d, x.grad, y.grad]
    return out


def distance_of_a_row_to_itself(f):
    x = leaf(f, [0.0, 1.0], [2.0, 5.0])
    f.cdist(x, x).sum().backward()
    return x.grad


PROGRAMS = [
    norm_of_zero,
    std_of_equal_numbers,
    product_with_one_zero_and_with_two,
    distances_of_rows,
    distance_of_a_row_to_itself,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_gradient_is_torchs(program):
    agree(program)


def names_of_the_results(f):
    x = f.tensor([[3.0, 1.0], [2.0, 5.0]])
    results = x.median(1), x.mode(1), x.cummax(0), x.aminmax(dim=0), x.max(dim=1), x.nanmedian(0)
    return [sorted(n for n in dir(r) if n in ("values", "indices", "min", "max")) for r in results]


def test_results_have_torchs_names():
    agree(names_of_the_results)
