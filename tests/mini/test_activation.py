"""What the rows of rows_activation cannot say: writing in place, chance, fused against plain."""

from dlcourse import mini
from dlcourse.mini.nn import functional as F
from dlcourse.mini.ops import activation
from dlcourse.mini.ops.erf import erf_array
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import rows_activation
import torch
from both import agree, same_error


def written(f, name, args):
    a = f.tensor([-4.0, -0.3, 0.2, 0.4, 2.0, 7.0], requires_grad=True)
    seen = []
    for in_place in (
        lambda b: getattr(f.nn.functional, name)(b, *args, inplace=True),
        getattr(f.nn.functional, f"{name}_", None),
    ):
        if in_place is not None:
            b = a * 1
            c = in_place(b) if in_place.__name__ == "<lambda>" else in_place(b, *args)
            (c * c).sum().backward()
            seen += [[c is b], b, a.grad.clone()]
            a.grad = None
    return seen


@pytest.mark.parametrize(("name", "args"), rows_activation.IN_PLACE)
def test_in_place(name, args):
    agree(lambda f: written(f, name, args), rtol=1e-5, atol=1e-6)
    same_error(
        lambda f: getattr(f.nn.functional, name)(
            f.ones(2, requires_grad=True), *args, inplace=True
        ),
        same_sentence=False,
    )


def test_hardsigmoid():
    """torch has no second derivative of it."""

    def program(f):
        x = f.tensor(rows_activation.KINKS.values, requires_grad=True)
        y = f.nn.functional.hardsigmoid(x)
        (y * y).sum().backward()
        return y, x.grad, f.nn.functional.hardsigmoid(f.tensor(1.5))

    agree(program)


def test_modules_write_in_place():
    for name in ("ReLU", "LeakyReLU", "RReLU", "Hardtanh", "ReLU6", "ELU", "SELU", "CELU", "SiLU",
                 "Mish", "Hardswish", "Hardsigmoid"):  # fmt: skip
        x = mini.tensor([-1.0, 0.5])
        assert getattr(mini.nn, name)(inplace=True)(x) is x
        y = mini.tensor([-1.0, 0.5])
        assert getattr(mini.nn, name)()(y) is not y
        assert y.tolist() == [-1.0, 0.5]


def test_rrelu_draws_its_slopes():
    x = -mini.ones(1000, dtype=mini.float64, requires_grad=True)
    mini.manual_seed(0)
    y = mini.nn.RReLU(0.2, 0.4)(x)
    slopes = -y.detach().numpy()
    assert slopes.min() >= 0.2
    assert slopes.max() < 0.4
    assert slopes.mean() == pytest.approx(0.3, abs=0.01)
    leaf = mini.ones(1000, dtype=mini.float64, requires_grad=True)
    mini.manual_seed(0)
    out = F.rrelu(-leaf, 0.2, 0.4, training=True)
    out.sum().backward()
    assert_matches(leaf.grad, -slopes)


def test_gumbel_softmax_chooses_with_the_probabilities_of_softmax():
    logits = mini.tensor([1.0, 0.0, -1.0], dtype=mini.float64).expand(20000, 3)
    mini.manual_seed(0)
    hard = F.gumbel_softmax(logits, hard=True)
    assert sorted(np.unique(hard.numpy().round(9))) == [0, 1]
    assert_matches(hard.sum(1), np.ones(20000))
    assert_matches(hard.mean(0), logits[0].softmax(0), rtol=0, atol=0.02)
    leaf = mini.zeros(4, 3, requires_grad=True)
    grads = []
    for choice in (True, False):
        mini.manual_seed(1)
        out = F.gumbel_softmax(leaf, tau=0.5, hard=choice, dim=0)
        assert_matches(out.sum(0), np.ones(3, np.float32))
        (out * mini.arange(12.0).reshape(4, 3)).sum().backward()
        grads.append(leaf.grad)
        leaf.grad = None
    assert_matches(*grads)  # straight through
    with pytest.warns(UserWarning, match="eps"):
        F.gumbel_softmax(leaf, eps=0.1)


def test_fused_gelu_is_its_formula():
    values = np.linspace(-5, 5, 101)
    for fused, plain in (
        (activation.GeluTanh.apply, activation.gelu_plain),
        (activation.Gelu.apply, lambda x: x * activation.Phi.apply(x)),
    ):
        seen = []
        for function in (fused, plain):
            x = mini.tensor(values, requires_grad=True)
            y = function(x)
            y.backward(mini.tensor(values))  # the gradient in place
            seen.append((y, x.grad))
        assert_matches(*seen)


def test_gelu_of_infinity_is_its_limit():
    """In float32 torch returns NaN on processors with AVX-512, in float64 the limit everywhere."""
    for dtype in ("float32", "float64"):
        ours = F.gelu(mini.tensor([float("inf")], dtype=getattr(mini, dtype)))
        theirs = torch.nn.functional.gelu(torch.tensor([float("inf")], dtype=torch.float64))
        assert ours.item() == theirs.item() == float("inf")


def test_erf():
    values = np.concatenate([np.linspace(-7, 7, 4001), [np.inf, -np.inf, np.nan, 1e-30]])
    for dtype, atol in (("float64", 2e-16), ("float32", 4e-7), ("float16", 1e-3)):
        x = values.astype(dtype)
        theirs = torch.erf(torch.tensor(x)).numpy()
        assert_matches(erf_array(x), theirs, rtol=atol, atol=atol)


def test_other_shapes_are_refused():
    same_error(lambda f: f.nn.Softmax2d()(f.ones(2, 2)))
    same_error(lambda f: f.nn.Hardtanh(1.0, 1.0), same_sentence=False)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigmoid_of_a_negative_number_keeps_its_digits(dtype):
    """1/2 + tanh/2 was exact to an absolute 1e-8 only: sigmoid(-20) was 0, and its log -inf."""
    x = np.linspace(-80, 0, 161).astype(dtype)
    rtol = 1e-6 if dtype == "float32" else 1e-14
    assert_matches(mini.sigmoid(mini.tensor(x)), torch.sigmoid(torch.tensor(x)), rtol=rtol, atol=0)
