"""Whose memory a gradient lies in: its own, copied only where somebody else holds it."""

from dlcourse import mini

import numpy as np
import pytest


def kept_by_the_caller(a):
    given = mini.ones(3)
    (a + 0).backward(given)
    return [given]


def the_same_for_two_leaves(a):
    b = mini.zeros(3, requires_grad=True)
    (a + b).backward(mini.ones(3))
    return [b.grad]


def kept_by_a_hook(a):
    seen = []
    b = a * 2
    a.register_hook(seen.append)
    b.sum().backward()
    return seen


def kept_by_a_function(a):
    class Scale(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad_output):
            kept.append(grad_output * 2)
            return kept[0]

    kept = []
    Scale.apply(a).sum().backward()
    return kept


def kept_as_an_array(a):
    class Scale(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad_output):
            array = np.full(3, 2.0, np.float32)
            kept.append(mini.from_numpy(array))
            return mini.from_numpy(array)

    kept = []
    Scale.apply(a).sum().backward()
    return kept


def kept_as_the_base_of_a_view(a):
    class Scale(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad_output):
            kept.append(grad_output * 2)
            return kept[0].view(3)

    kept = []
    Scale.apply(a).sum().backward()
    return kept


HOLDERS = [
    kept_as_the_base_of_a_view,
    kept_by_the_caller,
    the_same_for_two_leaves,
    kept_by_a_hook,
    kept_by_a_function,
    kept_as_an_array,
]


@pytest.mark.parametrize("program", HOLDERS, ids=lambda p: p.__name__)
def test_a_gradient_shares_its_memory_with_nobody(program):
    a = mini.zeros(3, requires_grad=True)
    (other,) = program(a)
    assert not np.shares_memory(a.grad.numpy(), other.numpy())
    assert a.grad.is_contiguous()


class Handed(mini.autograd.Function):
    """A function whose gradient is what `make()` gives."""

    @staticmethod
    def forward(ctx, x, make):
        ctx.make = make
        return x * 2

    @staticmethod
    def backward(ctx, grad_output):
        return ctx.make(), None


def handed(make, shape=(2, 3)):
    """(the gradient that a leaf gets, where the memory was that `make` gave)."""
    where = []

    def noted():
        out = make()
        where.append(out.data_ptr())
        return out

    a = mini.zeros(shape, requires_grad=True)
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
