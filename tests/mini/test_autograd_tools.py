"""autograd.functional and the detection of anomalies, beside torch."""

import warnings

from dlcourse import mini
from dlcourse.mini.autograd import functional

import pytest
import torch
from both import agree, same_error


def values(f, *shape):
    n = 1
    for size in shape:
        n *= size
    return (f.arange(n, dtype=f.float64) * 0.7 + 0.3).reshape(shape)


def one(f):
    return lambda x: (x * x.sin()).reshape(-1)[:3], values(f, 2, 3)


def several(f):
    return lambda x, y: ((x * y).sum(0), (x**3).sum()), (values(f, 2, 3), values(f, 3))


def unused(f):
    return lambda x, y: (x**3, x.sum() * 2), (values(f, 2), values(f, 3))


def scalar(f):
    return lambda x: x**3, values(f)


def number(f):
    return lambda x: (x**3).sum() * x.reshape(-1)[0], values(f, 2, 2)


def number_of_two(f):
    return lambda x, y: ((x**2) * y.sin()).sum(), (values(f, 2, 3), values(f, 3))


def linear(f):
    return lambda x: x.sum() * 3, values(f, 3)


def constant(f):
    return lambda x: f.ones(2, dtype=f.float64), values(f, 3)


MAPS = [one, several, unused, scalar, number, number_of_two, linear, constant]
NUMBERS = [scalar, number, number_of_two, linear]


def like(inputs):
    parts = [x.cos() for x in (inputs if isinstance(inputs, tuple) else (inputs,))]
    return tuple(parts) if isinstance(inputs, tuple) else parts[0]


@pytest.mark.parametrize("case", MAPS, ids=lambda c: c.__name__)
def test_jacobians_and_products(case):
    def program(f):
        func, inputs = case(f)
        a = f.autograd.functional
        out = func(*inputs) if isinstance(inputs, tuple) else func(inputs)
        return (
            a.jacobian(func, inputs), a.vjp(func, inputs, like(out)),
            a.jvp(func, inputs, like(inputs)),
        )  # fmt: skip

    agree(program)


@pytest.mark.parametrize("case", NUMBERS, ids=lambda c: c.__name__)
def test_hessians_and_products(case):
    def program(f):
        func, inputs = case(f)
        a = f.autograd.functional
        v = like(inputs)
        return a.hessian(func, inputs), a.vhp(func, inputs, v), a.hvp(func, inputs, v)

    agree(program)


def test_a_vector_of_one_element_may_be_left_out():
    def program(f):
        a, (func, x) = f.autograd.functional, scalar(f)
        return [getattr(a, name)(func, x) for name in ("vjp", "jvp", "vhp", "hvp")]

    agree(program)


@pytest.mark.parametrize("name", ["jacobian", "vjp", "jvp", "hessian", "vhp", "hvp"])
def test_results_can_be_differentiated_again(name):
    def program(f):
        func, x = number(f)
        x.requires_grad_()
        v = () if name in ("jacobian", "hessian") else (f.ones_like(x),)
        if name == "vjp":
            v = (f.tensor(1.0, dtype=f.float64),)
        out = getattr(f.autograd.functional, name)(func, x, *v, create_graph=True)
        out = out if isinstance(out, f.Tensor) else out[1]
        (again,) = f.autograd.grad((out * out).sum(), x)
        plain = getattr(f.autograd.functional, name)(func, x, *v)
        plain = plain if isinstance(plain, f.Tensor) else plain[1]
        return out, again, plain.requires_grad, x.grad

    agree(program)


def test_it_works_where_gradients_are_off():
    def program(f):
        a, (func, x) = f.autograd.functional, number(f)
        with f.no_grad():
            return a.jacobian(func, x), a.hessian(func, x), a.jvp(func, x, x), a.hvp(func, x, x)

    agree(program)


def use(name, case, *args, **options):
    def program(f):
        func, inputs = case(f)
        given = [arg(f) if callable(arg) else arg for arg in args]
        getattr(f.autograd.functional, name)(func, inputs, *given, **options)

    return program


STRICT = {"strict": True}
ERRORS = {
    "inputs": lambda f: f.autograd.functional.jacobian(lambda x: x, 3.0),
    "inputs in a tuple": lambda f: f.autograd.functional.vjp(lambda x: x, (f.ones(1), 2)),
    "outputs": lambda f: f.autograd.functional.jvp(lambda x: 3, f.ones(1)),
    "no v": use("vjp", one),
    "no v for the input": use("jvp", one),
    "no v for a hessian": use("hvp", number),
    "v of another size": use("vjp", one, lambda f: values(f, 2)),
    "v of another size in a tuple": use("jvp", several, lambda f: (values(f, 2), values(f, 3))),
    "v of another length": use("jvp", several, lambda f: (values(f, 2, 3),)),
    "two v": use("jvp", one, lambda f: (values(f, 2), values(f, 3))),
    "hessian of two outputs": use("hessian", several),
    "hessian of a vector": use("hessian", one),
    "vhp of a vector": use("vhp", one, lambda f: values(f, 2, 3)),
    "strict and constant": use("jacobian", constant, **STRICT),
    "strict and unused": use("jacobian", unused, **STRICT),
    "strict vjp and unused": use(
        "vjp", unused, lambda f: (values(f, 2), values(f)), **STRICT
    ),
    "strict hessian of a line": use("hessian", linear, **STRICT),
    "strict jacobian of a line": use("jacobian", linear, create_graph=True, **STRICT),
    "strategy": lambda f: f.autograd.functional.jacobian(lambda x: x, f.ones(1), strategy="x"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name])


def test_what_is_not_supported_is_said():
    for options in ({"vectorize": True}, {"strategy": "forward-mode", "vectorize": True}):
        with pytest.raises(NotImplementedError, match="row by row"):
            functional.jacobian(lambda x: x, mini.ones(2), **options)
    with pytest.raises(NotImplementedError, match="row by row"):
        functional.hessian(lambda x: x.sum(), mini.ones(2), vectorize=True)


# -- anomalies -------------------------------------------------------------------------------------


def detecting(f):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Anomaly Detection has been enabled")
        return f.autograd.detect_anomaly()


def wrong_root(f, x):
    return (x * 0).sqrt()  # the line that the report must name


def watched(f, program):
    """The error's type and words, and what the warnings say."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            program(f)
            error = None
        except RuntimeError as raised:
            error = str(raised)
    return error, [str(w.message) for w in seen]


def makes_nan(f):
    x = f.zeros(2, requires_grad=True)
    with detecting(f):
        (wrong_root(f, x) * 0).sum().backward()


def makes_no_nan(f):
    x = f.ones(2, requires_grad=True)
    with detecting(f):
        x.sqrt().sum().backward()


def forward_outside(f):
    loss = (wrong_root(f, f.zeros(2, requires_grad=True)) * 0).sum()
    with detecting(f):
        loss.backward()


@pytest.mark.parametrize("program", [makes_nan, makes_no_nan, forward_outside])
def test_anomalies_as_torchs(program):
    (error, ours), (their_error, theirs) = watched(mini, program), watched(torch, program)
    assert error == their_error
    assert [m.split(". ")[0] for m in ours] == [m.split(". ")[0] for m in theirs]
    for messages in (ours, theirs):
        named = any("the line that the report must name" in m for m in messages)
        assert named is (program is makes_nan)


def test_the_switches():
    def program(f):
        a, seen = f.autograd, [f.is_anomaly_enabled()]
        with detecting(f):
            seen.append(f.is_anomaly_enabled())
            with a.set_detect_anomaly(False):
                seen.append(f.is_anomaly_enabled())
            seen.append(f.is_anomaly_enabled())
        seen.append(f.is_anomaly_enabled())
        a.set_detect_anomaly(True)
        seen.append(f.is_anomaly_enabled())
        a.set_detect_anomaly(False)
        return [*seen, f.is_anomaly_enabled()]

    agree(program)


def test_entering_is_warned_of():
    for f in (mini, torch):
        with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
            f.autograd.detect_anomaly()


def test_nan_may_pass_unchecked():
    def program(f):
        x = f.zeros(2, requires_grad=True)
        with f.autograd.set_detect_anomaly(True, check_nan=False):
            (x.sqrt() * 0).sum().backward()
        return x.grad

    agree(program)
