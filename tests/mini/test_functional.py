"""Every function of mini.nn.functional against torch's, by the machinery of test_ops."""

from dlcourse import mini
from dlcourse.mini.nn import functional as F

import numpy as np
import optable
import pytest
import rows_activation
import rows_attention
import rows_convolution
import rows_functional
import rows_lookup
import rows_loss
import rows_normalization
import rows_pooling
import rows_resampling
import torch
from both import agree, same_error
from optable import T, row
from test_ops import check

FILES = (  # one or more a family; each has ROWS and ERRORS
    rows_functional,
    rows_activation,
    rows_attention,
    rows_lookup,
    rows_loss,
    rows_convolution,
    rows_normalization,
    rows_pooling,
    rows_resampling,
)
ELSEWHERE = {name for file in FILES for name in getattr(file, "ELSEWHERE", ())}
ROWS = [case for file in FILES for case in file.ROWS]
FIRST = [case for file in FILES for case in getattr(file, "FIRST", ())]
ERRORS = [case for file in FILES for case in file.ERRORS]
VARIANTS = (("float64", "plain"), ("float64", "transposed"), ("float32", "plain"))


@pytest.fixture(autouse=True)
def _twice_differentiable():
    """torch's fast attention has no second derivative."""
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        yield


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_function_matches_torch(case):
    for dtype, layout in VARIANTS:
        check(case, "functional", dtype, layout, may_do_more=True)


@pytest.mark.parametrize("case", FIRST, ids=str)
def test_function_and_its_gradient_match_torch(case):
    for dtype, layout in VARIANTS:
        check(case, "functional", dtype, layout, may_do_more=True, twice=False)


@pytest.mark.parametrize("case", ERRORS, ids=str)
def test_error_is_torchs(case):
    same_error(lambda f: optable.call(case, f, "functional"), case.sentence)


def test_every_function_has_a_row():
    assert sorted(set(F.__all__) - {case.name for case in ROWS + FIRST} - ELSEWHERE) == []


# -- what a row cannot say -------------------------------------------------------------------------


def in_place(f):
    a = f.tensor([-1.0, 2.0], requires_grad=True)
    b = a * 1
    c = f.nn.functional.relu(b, inplace=True)
    c.sum().backward()
    return [c is b], b, a.grad


def running_statistics(f):
    x = f.arange(24.0).reshape(2, 3, 4) ** 2
    mean, var = f.zeros(3), f.ones(3)
    seen = []
    for momentum in (0.1, 0.5, 0.0):
        f.nn.functional.batch_norm(x, mean, var, training=True, momentum=momentum)
        seen += [mean.clone(), var.clone()]
    return seen


def nothing_but_ignored_targets(f):
    x, target = f.zeros(2, 3, requires_grad=True), f.tensor([-100, -100])
    loss = f.nn.functional.nll_loss(x, target)
    loss.backward()
    return loss, x.grad


@pytest.mark.parametrize("program", [in_place, running_statistics, nothing_but_ignored_targets])
def test_program(program):
    agree(program)


@pytest.mark.parametrize("at_a_time", [1, 2, 3, 5])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_in_blocks_of_images(at_a_time, groups, monkeypatch):
    """Five images, some at a time: the last block is shorter."""
    from dlcourse.mini.ops import conv

    window_bytes = 4 * 3 * 2 * (5 * 5) * 8  # C * kh * kw * H' * W' * itemsize
    monkeypatch.setattr(conv, "BLOCK_BYTES", at_a_time * window_bytes)
    assert conv.blocks(5, window_bytes)[0] == at_a_time
    images, weight = T((5, 4, 7, 6)), T((6, 4 // groups, 3, 2))
    case = row("conv2d", images, weight, T((6,)), groups=groups)
    check(case, "functional", "float64", "plain")


def test_sizes_that_broadcast_are_warned_of():
    for f in (mini, torch):
        for name in ("mse_loss", "l1_loss"):
            with pytest.warns(UserWarning, match="Using a target size .*2, 1.* that is different"):
                getattr(f.nn.functional, name)(f.ones(2), f.ones(2, 1))


def test_dropout_drops_and_scales():
    x = mini.ones(200, 300, requires_grad=True)
    mini.manual_seed(0)
    y = F.dropout(x, 0.25)
    values = np.unique(y.detach().numpy())
    np.testing.assert_allclose(values, [0, 1 / 0.75], rtol=1e-6)
    assert abs((y == 0).sum().item() / y.numel() - 0.25) < 0.01
    y.sum().backward()
    assert mini.equal(x.grad, y.detach())
    mini.manual_seed(0)
    assert mini.equal(F.dropout(x, 0.25), y)
    z = x.detach() * 1
    mini.manual_seed(0)
    assert F.dropout(z, 0.25, inplace=True) is z
    assert mini.equal(z, y)


def test_what_is_not_supported_is_said():
    with pytest.raises(RuntimeError, match="floating point"):
        F.max_pool2d(mini.ones(1, 4, 4, dtype=mini.int64), 2)
    with pytest.raises(TypeError):
        F.relu(mini.ones(1), colour="red")
