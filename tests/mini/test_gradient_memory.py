"""Whose memory a gradient lies in: its own, copied only where somebody else holds it."""

from dlcourse import mini

import numpy as np
import pytest


class Handed(mini.autograd.Function):
    """A function whose gradient is what `make()` gives."""

    @staticmethod
    def forward(ctx, x, make):
        ctx.make = make
        return x * 2

    @staticmethod
    def backward(ctx, grad_output):
        return ctx.make(), None


# -- who may hold a gradient beside its leaf -------------------------------------------------------


def by_the_caller(a):
    given = mini.ones(3)
    (a + 0).backward(given)
    return given


def by_another_leaf(a):
    b = mini.zeros(3, requires_grad=True)
    (a + b).backward(mini.ones(3))
    return b.grad


def by_a_hook(a):
    seen = []
    a.register_hook(seen.append)
    (a * 2).sum().backward()
    return seen[0]


def by_a_function(a):
    kept = mini.ones(3)
    Handed.apply(a, lambda: kept).sum().backward()
    return kept


def its_array(a):
    array = np.ones(3, np.float32)
    Handed.apply(a, lambda: mini.from_numpy(array)).sum().backward()
    return mini.from_numpy(array)


def what_it_is_a_view_of(a):
    kept = mini.ones(1, 3)
    Handed.apply(a, lambda: kept.view(3)).sum().backward()
    return kept


HOLDERS = by_the_caller, by_another_leaf, by_a_hook, by_a_function, its_array, what_it_is_a_view_of


@pytest.mark.parametrize("program", HOLDERS, ids=lambda p: p.__name__)
def test_a_gradient_shares_its_memory_with_nobody(program):
    a = mini.zeros(3, requires_grad=True)
    other = program(a)
    assert not np.shares_memory(a.grad.numpy(), other.numpy())


# -- nobody holds it -------------------------------------------------------------------------------


def handed(make):
    """(the gradient that a leaf gets, where the memory was that `make` gave)."""
    where = []

    def noted():
        out = make()
        where.append(out.data_ptr())
        return out

    a = mini.zeros(2, 3, requires_grad=True)
    Handed.apply(a, noted).sum().backward()
    assert a.grad.is_contiguous()
    return a.grad, where[0]


@pytest.mark.parametrize(
    "make",
    [lambda: mini.ones(2, 3), lambda: mini.from_numpy(np.ones((3, 2), np.float32, "F")).T],
    ids=["new", "the transpose of something new"],
)
def test_a_gradient_that_nobody_else_holds_is_not_copied(make):
    grad, where = handed(make)
    assert grad.data_ptr() == where


@pytest.mark.parametrize(
    "make",
    [
        lambda: mini.from_numpy(np.ones((2, 3), np.float32, "F")),
        lambda: mini.ones(4, 3)[1:3],
        lambda: mini.ones(1, 3).expand(2, 3),
        lambda: mini.from_numpy(np.frombuffer(bytearray(24), np.float32).reshape(2, 3)),
    ],
    ids=["in another order", "a slice", "expanded", "the memory of something else"],
)
def test_what_is_no_memory_for_a_gradient_is_copied(make):
    grad, where = handed(make)
    assert grad.data_ptr() != where
