"""Tensors print as torch's do, to the letter but for the framework's name."""

from dlcourse import mini

import numpy as np
import pytest
import torch

RNG = np.random.default_rng(0)
ARRAYS = [
    np.float32(1.5), np.float64(1.5), np.int64(3), np.bool_(True), np.float32(0), np.float32("nan"),
    np.array([1.0, 2.0], "f4"), np.array([1.0, 2.5], "f4"), np.array([0.1, 100.0], "f4"),
    np.array([1e-5, 1.0], "f4"), np.array([1e-5, 1e-4], "f4"), np.array([1e9, 1.0], "f4"),
    np.array([1e9], "f4"), np.array([1000.5, 1.0], "f4"), np.array([1001.0, 1.0], "f4"),
    np.array([-1.0, 0.0, 2.0], "f4"), np.array([-0.0, 0.5], "f4"), np.array([0.0, 0.0], "f4"),
    np.array([np.nan, 1.0], "f4"), np.array([np.inf, -np.inf, 1.5], "f4"), np.array([np.nan], "f4"),
    np.array([[np.nan, 1.0], [1.0, 200.0]], "f4"), np.array([123456.7, 0.1], "f4"),
    np.array([True, False]), np.array([1, 20, -300]), np.array([1, 2], "i4"), np.array([1], "u1"),
    np.array([0.5], "f2"), np.array([0.1, 0.2], "f8"), np.array([1 / 3, 1e-7], "f8"),
    np.zeros(0, "f4"), np.zeros((0, 3), "f4"), np.zeros((2, 0), "i8"), np.zeros(0, "i8"),
    np.zeros((3, 0), "f8"), np.zeros((0,), bool),
    RNG.standard_normal((2, 3)).astype("f4"), RNG.standard_normal((2, 2, 3)).astype("f4"),
    RNG.standard_normal((2, 1, 2, 2)), RNG.standard_normal(40).astype("f4"),
    RNG.integers(-5, 500, (3, 30)), np.arange(1001), np.arange(1000),
    np.arange(2000).reshape(2, 1000),
    RNG.standard_normal((100, 20)).astype("f4"), RNG.standard_normal((10, 11, 12)).astype("f4"),
    RNG.standard_normal((7, 200)), np.arange(40).reshape(1, 40) * 1000003,
    RNG.standard_normal((3, 4)).astype("f4") * 1e6, RNG.standard_normal((3, 4)).astype("f4") * 1e-3,
]  # fmt: skip


def in_torchs_name(text):
    return text.replace("mini.", "torch.")


@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{np.asarray(a).dtype}{np.shape(a)}")
def test_tensor_prints_as_torchs(array):
    array = np.asarray(array)
    ours, theirs = mini.from_numpy(array.copy()), torch.from_numpy(array.copy())
    assert in_torchs_name(repr(ours)) == repr(theirs)
    assert in_torchs_name(str(ours)) == str(theirs)


def suffixes(f):
    a = f.tensor([1.5, 2.0], requires_grad=True)
    wide = f.arange(20.0, requires_grad=True) + 0.123
    b = (a * 2).double()
    return [
        repr(t) for t in (
            a, a * 2, a.detach(), b, wide, wide.sum(), (a + 1)[0], a.reshape(2, 1) @ a.reshape(1, 2)
        )
    ]  # fmt: skip


def other_things(f):
    nn = f.nn
    return [
        repr(f.Size([2, 3])), str(f.float32), repr([f.int64, f.bool, f.float16]),
        f"{f.tensor(1.23456):.2f}",
        f"{f.tensor(3):5d}", f"{f.tensor([1.0, 2.0])}", repr(f.ones(2).shape), str(f.ones(2).dtype),
        repr(nn.Parameter(f.ones(2))), repr(nn.BatchNorm1d(2).state_dict()),
        repr(f.ones(2, 3).max(1)[1]), repr(f.ones(2, 3).size()[1:]),
        repr((f.ones(1, requires_grad=True) * 2).grad_fn).split(" ")[0].strip("<>"),
    ]  # fmt: skip


@pytest.mark.parametrize("program", [suffixes, other_things])
def test_prints_as_torch(program):
    assert [in_torchs_name(text) for text in program(mini)] == program(torch)


def test_default_dtype_is_not_named():
    mini.set_default_dtype(mini.float64)
    torch.set_default_dtype(torch.float64)
    try:
        for values in ([1.5], [1], []):
            assert in_torchs_name(repr(mini.tensor(values))) == repr(torch.tensor(values))
        assert in_torchs_name(repr(mini.tensor([1.5]).float())) == repr(torch.tensor([1.5]).float())
    finally:
        mini.set_default_dtype(mini.float32)
        torch.set_default_dtype(torch.float32)
