"""gradcheck and gradgradcheck, and that they see a planted wrong derivative."""

import inspect

from dlcourse import mini
from dlcourse.mini.autograd import Function, GradcheckError, gradcheck, gradgradcheck

import pytest
import torch
from both import same_error


def leaf(*values, dtype=mini.float64):
    return mini.tensor(values, dtype=dtype, requires_grad=True)


def cube(first=3.0, second=6.0):
    """x ** 3 with derivative first * x ** 2 (3 is right), whose own derivative is second * x."""

    class Slope(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return first * x**2

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * second * x

    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return grad * Slope.apply(x)

    return Cube.apply


FUNCTIONS = [
    (lambda x, y: x * y, [leaf(1.0, 2.0), leaf(3.0)]),
    (lambda x: (x.exp(), x.sin().sum()), [leaf(0.1, 0.2, -0.3)]),
    (lambda x, n: x * n, [leaf(1.0), mini.tensor([2, 3])]),
    (lambda x, y: x @ y, [mini.rand(2, 3, dtype=mini.float64, requires_grad=True),
                          mini.rand(3, 2, dtype=mini.float64, requires_grad=True)]),
    (lambda x: x.max(0), [leaf(1.0, 3.0, 2.0)]),
    (lambda x: x[:0], [leaf(1.0, 3.0)]),
]  # fmt: skip


@pytest.mark.parametrize(("function", "inputs"), FUNCTIONS)
def test_right_derivatives_pass(function, inputs):
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


def test_a_right_function_of_ones_own_passes():
    assert gradcheck(cube(), leaf(0.5, -1.5))
    assert gradgradcheck(cube(), leaf(0.5, -1.5))


@pytest.mark.parametrize("wrong", [-3.0, 3.01, 0.0])
def test_a_wrong_first_derivative_is_seen(wrong):
    with pytest.raises(
        GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"
    ):
        gradcheck(cube(first=wrong), leaf(0.5, -1.5))
    assert gradcheck(cube(first=wrong), leaf(0.5, -1.5), raise_exception=False) is False


@pytest.mark.parametrize("wrong", [-6.0, 6.02, 0.0])
def test_a_wrong_second_derivative_is_seen_by_gradgradcheck_alone(wrong):
    assert gradcheck(cube(second=wrong), leaf(0.5, -1.5))
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradgradcheck(cube(second=wrong), leaf(0.5, -1.5))
    assert gradgradcheck(cube(second=wrong), leaf(0.5, -1.5), raise_exception=False) is False


def test_a_wrong_derivative_of_the_second_of_two_inputs_is_seen():
    class Mul(Function):
        @staticmethod
        def forward(ctx, x, y):
            ctx.save_for_backward(x, y)
            return x * y

        @staticmethod
        def backward(ctx, grad):
            x, y = ctx.saved_tensors
            return grad * y, -grad * x

    with pytest.raises(GradcheckError, match="with respect to input 1"):
        gradcheck(Mul.apply, [leaf(1.0, 2.0), leaf(3.0, 4.0)])


def test_a_forgotten_dependence_is_seen():
    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck(lambda x: x * x.detach(), leaf(1.0, 2.0))


def test_inputs_are_left_as_they_were():
    x = leaf(0.5, -1.5)
    gradcheck(cube(), x)
    assert x.tolist() == [0.5, -1.5]
    assert x.grad is None


def test_gradients_of_the_outputs_may_be_given():
    assert gradgradcheck(cube(), leaf(0.5), grad_outputs=leaf(2.0))


def test_refused_as_in_torch():
    same_error(lambda f: f.autograd.gradcheck(lambda x: x * 2, f.ones(1, dtype=f.float64)))
    with pytest.raises(GradcheckError, match="not a double precision floating point"):
        gradcheck(lambda x: x * 2, leaf(1.0, dtype=mini.float32))
    with pytest.raises(GradcheckError, match="no output requires a gradient"):
        gradcheck(lambda x: x.detach(), leaf(1.0))


def test_torchs_own_check_takes_the_same_call():
    x = torch.tensor([0.5, -1.5], dtype=torch.float64, requires_grad=True)
    options = {"eps": 1e-6, "atol": 1e-5, "rtol": 1e-3, "raise_exception": True}
    assert torch.autograd.gradcheck(lambda x: x**3, x, **options)
    assert gradcheck(lambda x: x**3, leaf(0.5, -1.5), **options)


def test_the_signatures_are_torchs_and_the_rest_is_refused():
    for name in ("gradcheck", "gradgradcheck"):
        ours, theirs = (inspect.signature(getattr(f.autograd, name)) for f in (mini, torch))
        assert [(p.name, p.kind, p.default) for p in ours.parameters.values()] == [
            (p.name, p.kind, p.default) for p in theirs.parameters.values()
        ]
    assert gradcheck(cube(), leaf(0.5), fast_mode=True, nondet_tol=1e-3)
    assert gradgradcheck(cube(), leaf(0.5), fast_mode=True, check_undefined_grad=False)
    for check, option in ((gradcheck, "check_forward_ad"), (gradgradcheck, "check_batched_grad")):
        with pytest.raises(NotImplementedError, match=option):
            check(cube(), leaf(0.5), **{option: True})


@pytest.mark.parametrize("f", [mini, torch], ids=["mini", "torch"])
def test_outputs_that_need_no_gradient_stand_before_others(f):
    def constant_first(x, y):
        return f.ones(2, dtype=f.float64), x * y

    x, y = (f.tensor([0.3, 0.7], dtype=f.float64, requires_grad=r) for r in (True, False))
    assert f.autograd.gradcheck(constant_first, (x, y))
    assert f.autograd.gradgradcheck(constant_first, (x, y.clone().requires_grad_()))
    z = x.detach().clone().requires_grad_()  # d/dz is 0, and comes before that by x
    assert f.autograd.gradgradcheck(lambda z, x: (z * 0 + 1).detach() * x**2, (z, x))
