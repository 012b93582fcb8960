"""Shapes that nobody thought of: Hypothesis draws them, NumPy or torch knows the answer."""

from dlcourse import mini
from dlcourse.testing import assert_matches

import hypothesis.extra.numpy as hnp
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

# The same examples in every run: a test that fails now and then is broken.
fixed = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def both(shape):
    """The same numbers for both, on memory that is not contiguous for more than one dimension."""
    array = np.random.default_rng(0).standard_normal(shape[::-1]).T
    ours, theirs = mini.from_numpy(array.copy(order="K")), torch.from_numpy(array.copy(order="K"))
    return ours.requires_grad_(), theirs.requires_grad_()


def check(function, *pairs):
    """Value and gradients of `function` agree, or both refuse."""
    ours, theirs = zip(*pairs, strict=True)
    try:
        expected = function(*theirs)
    except (RuntimeError, IndexError, ValueError):
        try:
            function(*ours)
        except (RuntimeError, IndexError, ValueError):
            return
        raise AssertionError("torch refuses this, mini does not") from None
    got = function(*ours)
    assert_matches(got, expected)
    weight = np.random.default_rng(1).standard_normal(tuple(expected.shape))
    (got * mini.from_numpy(np.asarray(weight))).sum().backward()
    (expected * torch.from_numpy(np.asarray(weight))).sum().backward()
    for a, b in pairs:
        assert_matches(a.grad, b.grad)


@fixed
@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=4, max_side=3, min_side=0))
def test_broadcasting(shapes):
    check(lambda x, y, z: x * y + z, *[both(s) for s in shapes.input_shapes])


@fixed
@given(
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
)
def test_any_two_shapes_broadcast_or_are_refused(a, b):
    check(lambda x, y: x - y, both(a), both(b))


@fixed
@given(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=2, max_side=3))
def test_matmul(shapes):
    check(lambda x, y: x @ y, *[both(s) for s in shapes.input_shapes])


@fixed
@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=4, max_side=4))
def test_basic_indexing(data, shape):
    index = data.draw(hnp.basic_indices(shape, allow_newaxis=True).filter(forward))
    check(lambda x: x[index], both(shape))


def forward(index):
    """Neither torch nor mini steps backwards through memory."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(p.step is None or p.step > 0 for p in parts if isinstance(p, slice))


@fixed
@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_integer_indexing(data, shape):
    index = data.draw(
        hnp.integer_array_indices(shape, result_shape=hnp.array_shapes(max_dims=2, max_side=3))
    )

    def take(x):
        f = torch if isinstance(x, torch.Tensor) else mini
        return x[tuple(f.from_numpy(np.asarray(i)) for i in index)]

    check(take, both(shape))


@fixed
@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_boolean_indexing(data, shape):
    dims = data.draw(st.integers(1, len(shape)))
    mask = data.draw(hnp.arrays(bool, shape[:dims]))

    def take(x):
        f = torch if isinstance(x, torch.Tensor) else mini
        return x[f.from_numpy(mask)]

    check(take, both(shape))


@fixed
@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_writing_by_a_basic_index(data, shape):
    index = data.draw(hnp.basic_indices(shape).filter(forward))

    def write(x):
        y = x * 1
        y[index] = 7.0
        y[index] *= x[index]
        return y

    check(write, both(shape))


@fixed
@given(st.data(), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
def test_reshape(data, shape):
    size = int(np.prod(shape))
    new = data.draw(st.lists(st.sampled_from([-1, 0, 1, 2, 3, 4, 6, size]), max_size=4))
    check(lambda x: x.reshape(new), both(shape))


@fixed
@given(st.data(), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3))
def test_permute_and_sum(data, shape):
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    dims = tuple(data.draw(st.sets(st.sampled_from(order or (0,)))))
    check(lambda x: (x.permute(order) * 2).sum(dims), both(shape))


@fixed
@given(
    hnp.array_shapes(min_dims=0, max_dims=3, max_side=3),
    hnp.array_shapes(min_dims=0, max_dims=4, max_side=3),
)
def test_expand(shape, new):
    check(lambda x: x.expand(new), both(shape))


@fixed
@given(st.data(), hnp.array_shapes(min_dims=1, max_dims=3, max_side=4))
def test_views_of_views(data, shape):
    """A chain of views, written to in the middle."""
    index = data.draw(hnp.basic_indices(shape).filter(forward))
    order = tuple(data.draw(st.permutations(range(len(shape)))))

    def chain(x):
        base = x * 1
        view = base.permute(order)
        part = base[index]
        part.mul_(3)
        view.add_(1)
        part.mul_(x.sum())
        return base * 2 + view.permute(tuple(np.argsort(order).tolist())) + part.sum()

    check(chain, both(shape))
