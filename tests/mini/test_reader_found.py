"""What a reader of the chapters stumbled over in the engine, each mistake with its own test."""

from dlcourse import mini

import numpy as np
import pytest
import torch

ENGINES = pytest.mark.parametrize("lib", [mini, torch], ids=["mini", "torch"])


def run_with_hook(lib, hook, on_leaf):
    x = lib.ones(3, requires_grad=True)
    y = x * 2
    (x if on_leaf else y).register_hook(hook)
    y.sum().backward()
    return x.grad


@ENGINES
@pytest.mark.parametrize("on_leaf", [False, True])
@pytest.mark.parametrize(
    ("hook_for", "error", "sentence"),
    [
        (lambda lib: lambda grad: 2.0, TypeError, "hook returned 'float'"),
        (lambda lib: lambda grad: grad.numpy(), TypeError, "hook returned 'ndarray'"),
        (lambda lib: lambda grad: lib.ones(2), RuntimeError, "has changed the size of value"),
        (
            lambda lib: lambda grad: grad.to(lib.float64),
            RuntimeError,
            "'<lambda>' has changed the type of value",
        ),
    ],
    ids=["number", "array", "shape", "dtype"],
)
def test_a_hook_gives_back_a_gradient_like_the_one_it_got(lib, on_leaf, hook_for, error, sentence):
    if lib is torch:
        sentence = sentence.replace("ndarray", "numpy.ndarray")
    with pytest.raises(error, match=sentence):
        run_with_hook(lib, hook_for(lib), on_leaf)


@ENGINES
@pytest.mark.parametrize("on_leaf", [False, True])
def test_a_hook_that_is_an_object_is_called(lib, on_leaf):
    class Halve:
        def __call__(self, grad):
            return grad / 2

    assert run_with_hook(lib, Halve(), on_leaf).tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("result", "kind"),
    [(lambda x: None, "NoneType"), (lambda x: x.numpy(), "ndarray"), (lambda x: [x], "list")],
    ids=["forgotten return", "array", "list"],
)
@pytest.mark.parametrize("in_a_tuple", [False, True])
def test_a_forward_without_a_tensor_says_so(result, kind, in_a_tuple):
    class Careless(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            out = result(x.detach())
            return (x * 2, out) if in_a_tuple else out

    sentence = f"forward of Careless must return a Tensor or a tuple of Tensors, but got {kind}"
    with pytest.raises(TypeError, match=sentence):
        Careless.apply(mini.ones(2, requires_grad=True))


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "conv3d"])
@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize(
    ("foreign", "kind"),
    [(torch.tensor, "torch.Tensor"), (np.array, "numpy.ndarray"), (list, "list")],
    ids=["torch", "array", "list"],
)
def test_a_convolution_names_what_is_not_a_tensor(name, transposed, position, foreign, kind):
    shape = (1, 1, *[2] * int(name[4]))
    values = [np.ones(shape).tolist(), np.ones(shape).tolist(), [0.0]]
    args = [(foreign if i == position else mini.tensor)(v) for i, v in enumerate(values)]
    name = name.replace("conv", "conv_transpose") if transposed else name
    label = ("input", "weight", "bias")[position]
    sentence = (
        rf"{name}\(\): argument '{label}' \(position {position + 1}\) must be Tensor, not {kind}$"
    )
    with pytest.raises(TypeError, match=sentence):
        getattr(mini.nn.functional, name)(*args)
