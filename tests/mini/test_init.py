"""Starting values that are not drawn, shapes of those that are, and parameters as one vector."""

from dlcourse import mini
from dlcourse.mini import nn
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import agree, same_error


def fixed(f):
    init, z = f.nn.init, f.zeros
    return [
        init.eye_(z(3, 5)), init.dirac_(z(4, 3, 3)), init.dirac_(z(6, 2, 3, 4), 2),
        init.dirac_(f.ones(2, 3, 1, 2, 3)),
        init.dirac_(f.nn.Conv1d(3, 3, 3).weight).requires_grad,
    ]  # fmt: skip


def test_values_that_are_not_drawn():
    agree(fixed)
    x = mini.tensor(np.random.default_rng(0).standard_normal((2, 3, 5, 5)).astype(np.float32))
    layer = nn.Conv2d(3, 3, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight)
    assert_matches(layer(x), x)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (3, 2, 5), (0, 3)])
def test_orthogonal(shape):
    w = nn.init.orthogonal_(mini.zeros(shape, dtype=mini.float64), 2.0)
    if w.numel():
        w = w.numpy().reshape(shape[0], -1)
        product = w @ w.T if w.shape[0] < w.shape[1] else w.T @ w
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), atol=1e-12)


def test_sparse():
    w = nn.init.sparse_(mini.zeros(10, 30), 0.25)
    assert ((w == 0).sum(0) == 3).all()


@pytest.mark.parametrize(
    ("mean", "std", "a", "b"), [(0, 1, -2, 2), (0, 1, 1, 1.5), (0, 1, 2, 30), (3, 0.5, -2, 2.5)]
)
def test_truncated_normal(mean, std, a, b):
    args = float(mean), float(std), float(a), float(b)
    mini.manual_seed(0)
    torch.manual_seed(0)
    ours = nn.init.trunc_normal_(mini.zeros(20000, dtype=mini.float64), *args).numpy()
    theirs = torch.nn.init.trunc_normal_(torch.zeros(20000, dtype=torch.float64), *args).numpy()
    assert ours.min() >= a
    assert ours.max() <= b
    assert ours.mean() == pytest.approx(theirs.mean(), abs=0.03 * std)
    assert ours.std() == pytest.approx(theirs.std(), rel=0.05)
    with pytest.warns(UserWarning, match="more than 2 std"):
        nn.init.trunc_normal_(mini.zeros(1), mean=5.0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda f: f.nn.init.eye_(f.ones(2)),
        lambda f: f.nn.init.dirac_(f.ones(2)),
        lambda f: f.nn.init.dirac_(f.ones(3, 2, 1), groups=2),
        lambda f: f.nn.init.orthogonal_(f.ones(2)),
        lambda f: f.nn.init.sparse_(f.ones(2), 0.1),
        lambda f: f.nn.utils.vector_to_parameters([1.0], []),
    ],
)
def test_errors(wrong):
    same_error(wrong)


def vectors(f):
    layer, utils = f.nn.Linear(2, 3), f.nn.utils
    f.nn.init.eye_(layer.weight)
    f.nn.init.ones_(layer.bias)
    vector = utils.parameters_to_vector(layer.parameters())
    (vector * f.arange(9.0)).sum().backward()
    utils.vector_to_parameters(f.arange(9.0), layer.parameters())
    return vector, layer.weight, layer.bias, layer.weight.grad, layer.weight.is_leaf


def norms(f):
    parameters = [f.ones(2, requires_grad=True), f.ones(3, 1, requires_grad=True)]
    sum((p**2).sum() for p in parameters).backward()
    utils, grads = f.nn.utils, [p.grad for p in parameters]
    seen = [
        utils.get_total_norm(grads),
        utils.get_total_norm(grads[0], 1),
        utils.get_total_norm([]),
    ]
    utils.clip_grads_with_norm_(parameters, 1.0, seen[0])
    return seen, [g.clone() for g in grads]


def test_parameters_as_a_vector():
    agree(vectors)


def test_norms():
    agree(norms)
