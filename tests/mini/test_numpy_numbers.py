"""A number of NumPy counts as Python's: np.sqrt(2) does not make float64 of float32."""

import warnings

from dlcourse import mini

import numpy as np
import optable
import pytest
import test_functional
import torch
from both import agree
from rows import apply, make
from test_ops import flat, forms


def of_numpy(value):
    """The numbers in an argument as NumPy's; tensors, booleans and strings stay."""
    if type(value) in (int, float):
        return (np.int64 if type(value) is int else np.float64)(value)
    return type(value)(of_numpy(v) for v in value) if type(value) in (list, tuple) else value


def has_numbers(row):
    values = [*row.args, *row.options.values()]
    values += [part for v in values if isinstance(v, list | tuple) for part in v]
    return any(type(v) in (int, float) for v in values)


ROWS = [(row, form) for row in optable.ROWS if has_numbers(row) for form in forms(row)]
ROWS += [(row, "functional") for row in test_functional.ROWS if has_numbers(row)]
NAMES = sorted({row.name for row, _ in ROWS})


def results(row, f, form):
    args, options, _ = make(row, f, "float32")
    options = {name: of_numpy(v) for name, v in options.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return flat(apply(row, f, form, [of_numpy(a) for a in args], options))
        except Exception:
            return None  # this is not the place to compare errors


@pytest.mark.parametrize("name", NAMES)
def test_types_and_shapes_are_those_of_torch(name):
    for row, form in ROWS:
        if row.name != name or (theirs := results(row, torch, form)) is None:
            continue
        ours = results(row, mini, form)
        assert ours is not None, (row, form)
        for a, b in zip(ours, theirs, strict=True):
            if isinstance(b, torch.Tensor):
                assert (a.dtype.name, tuple(a.shape)) == (str(b.dtype)[6:], tuple(b.shape)), row


@pytest.mark.parametrize("f", [mini, torch], ids=["mini", "torch"])
def test_layers_take_sizes_of_numpy(f):
    one, two, three = np.int64(1), np.int64(2), np.int64(3)
    layers = (
        f.nn.Linear(three, two), f.nn.Conv2d(one, two, three, padding=one), f.nn.Unfold(two),
        f.nn.MaxPool2d(two), f.nn.ZeroPad2d(one), f.nn.LayerNorm(three), f.nn.Conv1d(one, one, two),
    )  # fmt: skip
    shapes = (2, 3), (1, 1, 4, 4), (1, 1, 3, 3), (1, 1, 4, 4), (1, 1, 2, 2), (2, 3), (1, 1, 4)
    sizes = [tuple(layer(f.ones(s)).shape) for layer, s in zip(layers, shapes, strict=True)]
    wanted = [(2, 2), (1, 2, 4, 4), (1, 4, 4), (1, 1, 2, 2), (1, 1, 4, 4), (2, 3), (1, 1, 3)]
    assert sizes == wanted


def test_a_range_between_numbers_of_numpy():
    def program(f):
        return (
            f.arange(np.float32(0), 3, np.float32(0.5)), f.arange(np.float64(2.5)),
            f.arange(np.int32(3)), f.arange(f.tensor(2.5)), f.arange(1, f.tensor(4)),
        )  # fmt: skip

    agree(program)


def test_a_typed_tensor_of_a_size_of_numpys():
    agree(lambda f: [f.LongTensor(np.int64(2)).shape, f.FloatTensor(np.int32(2), 3).shape])
