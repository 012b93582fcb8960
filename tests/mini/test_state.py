"""What one asks a tensor, conversions, random numbers, the default dtype."""

import copy
import pickle

from dlcourse import mini
from dlcourse.mini import ops

import numpy as np
import pytest
import test_devices
import test_types
import torch
from both import agree, same_error


def x(f):
    return f.tensor([[1.5, -2.0, 0.0], [4.0, 5.5, 6.0]])


# name: what to ask.  The names are those of METHODS, SPECIAL and PROPERTIES in dlcourse.mini.ops.
QUESTIONS = {
    "item": lambda f: (f.tensor(2.5).item(), f.tensor([[3]]).item(), f.tensor(True).item()),
    "numpy": lambda f: (x(f).numpy(), (x(f) * 2).requires_grad_().numpy(force=True)),
    "tolist": lambda f: (x(f).tolist(), f.tensor(3).tolist(), f.ones(0, 2).tolist()),
    "to": lambda f: (
        x(f).to(f.int32), x(f).to(dtype=f.float64), x(f).to("cpu"), x(f).to(device="cpu"),
        x(f).to(f.ones(1, dtype=f.int64)), x(f).to("cpu", f.bool),
        [y.to(f.float32) is y for y in [x(f)]],
    ),
    "type_as": lambda f: x(f).type_as(f.ones(1, dtype=f.int64)),
    "float": lambda f: f.tensor([1, 2]).float(),
    "double": lambda f: x(f).double(),
    "long": lambda f: x(f).long(),
    "int": lambda f: x(f).int(),
    "bool": lambda f: x(f).bool(),
    "cpu": lambda f: [y.cpu() is y for y in [x(f)]],
    "contiguous": lambda f: (x(f).t().contiguous().stride(), [y.contiguous() is y for y in [x(f)]]),
    "size": lambda f: (x(f).size(), x(f).size(-1), x(f).size(dim=0), f.tensor(1).size()),
    "numel": lambda f: (x(f).numel(), f.tensor(1).numel(), f.ones(0, 3).numel()),
    "dim": lambda f: (x(f).dim(), f.tensor(1).dim()),
    "stride": lambda f: (x(f).stride(), x(f).t().stride(), x(f)[:, 1].stride()),
    "is_contiguous": lambda f: (x(f).is_contiguous(), x(f).t().is_contiguous()),
    "is_floating_point": lambda f: (x(f).is_floating_point(), x(f).long().is_floating_point()),
    "fill_": lambda f: (x(f).fill_(3), x(f).fill_(f.tensor(2.5))),
    "zero_": lambda f: x(f).zero_(),
    "copy_": lambda f: x(f).copy_(f.tensor([1, 2, 3])),
    "detach_": lambda f: (f.ones(2, requires_grad=True) * 2).detach_().requires_grad,
    "requires_grad_": lambda f: x(f).requires_grad_().requires_grad,
    "__neg__": lambda f: -x(f),
    "__pos__": lambda f: +x(f),
    "__abs__": lambda f: abs(x(f)),
    "__invert__": lambda f: (~f.tensor([True, False]), ~f.tensor([1, 2])),
    "__getitem__": lambda f: x(f)[1, 2],
    "__setitem__": lambda f: [(y.__setitem__((0, 1), 7), y)[1] for y in [x(f)]],
    "__bool__": lambda f: (bool(f.tensor(0.0)), bool(f.tensor([3]))),
    "__int__": lambda f: (int(f.tensor(2.7)), int(f.tensor(True))),
    "__float__": lambda f: (float(f.tensor(2)), float(f.tensor([2.5]))),
    "__index__": lambda f: ([1, 2, 3][f.tensor(1)], list(range(f.tensor(3)))),
    "__len__": lambda f: (len(x(f)), len(f.ones(0))),
    "__iter__": lambda f: list(x(f)),
    "__array__": lambda f: (np.asarray(x(f)), np.asarray(x(f), dtype=np.int32)),
    "__hash__": lambda f: [len({y, y, x(f)}) for y in [x(f)]],
    "__deepcopy__": lambda f: __import__("copy").deepcopy(x(f)),
    "__format__": lambda f: (f"{f.tensor(2.345):.1f}", f"{f.tensor(7):03d}"),
    "__repr__": lambda f: repr(x(f)),
    "T": lambda f: (x(f).T, x(f).T.is_contiguous()),
    "mT": lambda f: (x(f).mT, f.ones(2, 3, 4).mT.shape),
    "ndim": lambda f: x(f).ndim,
    "device": lambda f: str(x(f).device),
    "itemsize": lambda f: (x(f).itemsize, x(f).double().itemsize),
    "nbytes": lambda f: x(f).nbytes,
    "_base": lambda f: [(y[0]._base is y, y._base is None, y[0][1]._base is y) for y in [x(f)]],
    "shape": lambda f: (x(f).shape, x(f).shape.numel(), x(f).shape[1:], tuple(x(f).shape * 2)),
    "dtype": lambda f: [
        (str(d).split(".")[1], d.is_floating_point, d.itemsize, d == f.float32)
        for d in (f.float32, f.float64, f.float16, f.int64, f.int32, f.int16, f.int8, f.uint8)
    ],
    "finfo": lambda f: (f.float is f.float32, f.double is f.float64, f.half is f.float16,
                        f.long is f.int64, f.int is f.int32, f.short is f.int16),
    "is_tensor": lambda f: (f.is_tensor(x(f)), f.is_tensor(3), f.is_tensor(np.ones(2))),
    "equal": lambda f: (f.equal(x(f), x(f)), f.equal(x(f), x(f) + 1), f.equal(x(f), f.ones(3))),
    "allclose": lambda f: (
        f.allclose(x(f), x(f) + 1e-7), f.allclose(x(f), x(f) + 0.1),
        f.allclose(x(f), x(f) + 0.1, atol=0.2), f.allclose(x(f), x(f) * 1.1, rtol=0.2),
        *[f.allclose(n, n, equal_nan=e) for n in [x(f) * float("nan")] for e in (True, False)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_as_torch(name):
    agree(QUESTIONS[name])


def covered():
    """The names of the tables that these questions, or tests below, ask about."""
    others = {
        *test_devices.METHODS.split(),
        "uniform_",
        "normal_",
        "__reduce__",
        "new",
        "float_power_",
    }
    return {*QUESTIONS, *test_types.QUESTIONS, *test_types.DRAWS, *others}


ERRORS = {
    "device": lambda f: x(f).to("gpu"),
    "mT of a vector": lambda f: f.ones(3).mT,
    "allclose of two types": lambda f: f.allclose(x(f), x(f).double()),
    "default dtype": lambda f: f.set_default_dtype(f.int64),
    "complex": lambda f: f.from_numpy(np.array(["a"])),
}
OTHER_WORDS = {"device", "default dtype", "complex"}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in OTHER_WORDS)


def test_memory_is_shared_where_torch_shares_it():
    array = np.zeros(3, "f4")
    shared = mini.from_numpy(array)
    for tensor in (
        shared,
        mini.as_tensor(array),
        shared.detach(),
        shared.data,
        shared.reshape(3, 1),
    ):
        assert np.shares_memory(tensor.numpy(), array)
    assert np.shares_memory(np.asarray(shared), array)
    for tensor in (mini.tensor(array), mini.tensor(shared), shared.clone(), shared * 1):
        assert not np.shares_memory(tensor.numpy(), array)


def test_dtypes_survive_pickling():
    assert pickle.loads(pickle.dumps(mini.float64)) is mini.float64


# -- random numbers --------------------------------------------------------------------------------


def test_random_numbers_come_from_the_distributions_named():
    g = mini.Generator().manual_seed(0)
    n = 40_000
    uniform, normal = mini.rand(n, generator=g), mini.randn(n, generator=g)
    integers, order = mini.randint(3, 7, (n,), generator=g), mini.randperm(n, generator=g)
    assert uniform.dtype is mini.float32
    assert uniform.min().item() >= 0
    assert uniform.max().item() < 1
    assert abs(uniform.mean().item() - 0.5) < 0.01
    assert abs(uniform.var().item() - 1 / 12) < 0.01
    assert abs(normal.mean().item()) < 0.02
    assert abs(normal.std().item() - 1) < 0.02
    assert sorted(set(integers.tolist())) == [3, 4, 5, 6]
    assert sorted(order.tolist()) == list(range(n))
    assert order.tolist() != list(range(n))
    assert mini.zeros(n).uniform_(2, 4, generator=g).mean().item() == pytest.approx(3, abs=0.02)
    assert mini.zeros(n).normal_(5, 2, generator=g).std().item() == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_uniform_numbers_never_round_up_to_one(dtype):
    dtype = getattr(mini, dtype)
    out = mini.rand(200_000, dtype=dtype, generator=mini.Generator().manual_seed(0))
    assert out.dtype is dtype
    assert out.max().item() < 1


DRAWS = {
    "rand": lambda g: mini.rand(5, generator=g),
    "randn": lambda g: mini.randn(5, generator=g),
    "randint": lambda g: mini.randint(1000, (5,), generator=g),
    "randperm": lambda g: mini.randperm(20, generator=g),
    "uniform_": lambda g: mini.zeros(5).uniform_(generator=g),
    "normal_": lambda g: mini.zeros(5).normal_(generator=g),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_repeats_the_draw(name):
    draw = DRAWS[name]
    first = draw(mini.Generator().manual_seed(7))
    assert mini.equal(first, draw(mini.Generator().manual_seed(7)))
    assert not mini.equal(first, draw(mini.Generator().manual_seed(8)))
    mini.manual_seed(7)
    assert mini.equal(first, draw(None))
    assert not mini.equal(first, draw(None))
    # The default generator is not touched by draws from another.
    mini.manual_seed(7)
    draw(mini.Generator())
    assert mini.equal(first, draw(None))


def test_generators_remember_seed_and_state():
    g = mini.Generator().manual_seed(3)
    assert g.initial_seed() == 3
    state = g.get_state()
    first = mini.rand(3, generator=g)
    g.set_state(state)
    assert mini.equal(first, mini.rand(3, generator=g))
    assert g.seed() == g.initial_seed() != 3
    assert mini.manual_seed(-1).initial_seed() == -1


def test_shapes_and_types_of_random_tensors():
    def shapes(f):
        return [
            (tuple(t.shape), str(t.dtype).split(".")[1], t.requires_grad) for t in (
                f.rand(2, 3), f.rand((2, 3)), f.rand(()), f.rand(2, dtype=f.float64),
                f.randn(0, 2), f.randn(2, requires_grad=True), f.randint(5, (2, 3)),
                f.randint(1, 5, (2,)), f.randint(2, 5, (3,), dtype=f.int32), f.randperm(4),
                f.empty(2, 3), f.empty((2,), dtype=f.int64), f.empty(2, requires_grad=True),
            )
        ]  # fmt: skip

    assert shapes(mini) == shapes(torch)


def test_impossible_ranges_are_refused():
    same_error(lambda f: f.randint(5, 5, (2,)))
    same_error(lambda f: f.rand(-1), same_sentence=False)


def test_the_default_dtype_is_taken_everywhere():
    mini.set_default_dtype(mini.float64)
    try:
        assert mini.get_default_dtype() is mini.float64
        made = [mini.tensor(1.5), mini.zeros(1), mini.rand(1), mini.arange(0.5), mini.eye(2),
                mini.linspace(0, 1, 2), mini.tensor([1, 2]) / 2, mini.tensor([1, 2]).exp(),
                mini.nn.Linear(1, 1).weight]  # fmt: skip
        assert {t.dtype for t in made} == {mini.float64}
    finally:
        mini.set_default_dtype(mini.float32)
    assert mini.tensor(1.5).dtype is mini.float32


def test_every_method_of_the_tables_is_asked_about():
    tables = {**ops.METHODS, **ops.SPECIAL, **ops.PROPERTIES}
    rows = {case.name for case in __import__("optable").ROWS}
    views = __import__("test_views").covered()
    assert sorted(tables.keys() - covered() - rows - views) == []


@pytest.mark.parametrize("f", [mini, torch], ids=["mini", "torch"])
def test_a_tensor_keeps_what_users_set(f):
    x = f.ones(2)
    x.decay = [1]
    deep, shallow, stored = copy.deepcopy(x), copy.copy(x), pickle.loads(pickle.dumps(x))
    assert deep.decay == shallow.decay == stored.decay == [1]
    assert deep.decay is not x.decay
    assert shallow.decay is x.decay
    assert not hasattr(x.clone(), "decay")
    assert not hasattr(x.detach(), "decay")
    assert not hasattr(copy.deepcopy(f.nn.Parameter(x)), "decay")
    with pytest.raises(AttributeError):
        x.shape = 3


class Marked(mini.Tensor):
    """A subclass with arguments of its own."""

    def __init__(self, data, mark):
        super().__init__(data)
        self.mark = mark


def test_a_subclass_is_copied_and_pickled():
    marked = Marked([1.0, 2.0], mark="m")
    for out in (copy.copy(marked), copy.deepcopy(marked), pickle.loads(pickle.dumps(marked))):
        assert type(out) is Marked
        assert (out.tolist(), out.mark, out.grad_fn) == ([1.0, 2.0], "m", None)


@pytest.mark.parametrize("f", [mini, torch], ids=["mini", "torch"])
def test_a_buffer_is_copied_and_pickled(f):
    buffer = f.nn.Buffer(f.ones(2), persistent=False)
    buffer.mark = "m"
    for out in (copy.copy(buffer), copy.deepcopy(buffer), pickle.loads(pickle.dumps(buffer))):
        assert isinstance(out, f.nn.Buffer)
        assert (out.tolist(), out.mark, out.persistent) == ([1.0, 1.0], "m", False)


def test_copies_of_parameters_have_no_gradient():
    def program(f):
        x, weight = f.ones(2, requires_grad=True), f.nn.Parameter(f.ones(2))
        (x * weight).sum().backward()
        layer = f.nn.Linear(1, 1)
        layer(f.ones(1)).sum().backward()
        deep = copy.deepcopy(layer)
        grads = copy.deepcopy(x).grad, copy.deepcopy(weight).grad, deep.weight.grad
        return [None if g is None else g.tolist() for g in grads]

    agree(program)


def test_tensors_are_pickled():
    def program(f):
        base = f.arange(6.0).reshape(2, 3)
        tensors = [base[1], base.T, f.ones(2, requires_grad=True), f.nn.Parameter(f.zeros(2)),
                   f.tensor(True)]  # fmt: skip
        back = pickle.loads(pickle.dumps(tensors))
        shallow = copy.copy(base)
        shallow += 1
        assert type(back[3]) is f.nn.Parameter
        return back, [t.requires_grad for t in back], base

    agree(program)
    part = mini.zeros(1000)[:2]
    assert len(pickle.dumps(part)) < 400  # not the whole memory that it is a view of


@pytest.mark.parametrize(
    "data",
    [[[1, 2], [3, 4]], (1.5, True), [], range(3), np.ones(2), np.array(3.5), np.array([True]),
     [np.arange(2), np.ones(2)], np.arange(3, dtype=np.float32)[::2]],
    ids=repr,
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Creating a tensor from a list")
def test_tensor_of_data_is_of_floats(data):
    """Tensor([1, 2]) was of integers, Tensor(np.ones(2)) of float64."""
    agree(lambda f: (f.Tensor(data), f.Tensor(data).dtype is f.float32))


def test_tensor_by_sizes_and_of_tensors():
    sizes = [(), (0,), (2, 3), (np.int64(2), 3)]
    agree(lambda f: [f.Tensor(*size).shape for size in sizes])
    agree(lambda f: f.Tensor(f.Size([2, 1]), device="cpu").shape)
    agree(lambda f: f.Tensor(f.ones(2, dtype=f.int64)))

    def shared(f):
        array = np.zeros(2, np.float32)
        f.Tensor(array)[0] = 5
        x = f.ones(2, requires_grad=True)
        f.Tensor(x * 2).sum().backward()
        return array, f.Tensor(x).requires_grad, x.grad

    agree(shared)
    for wrong in (2.5, None, True, {1, 2}):
        same_error(lambda f, wrong=wrong: f.Tensor(wrong))
    for wrong in ((2, 3.0), ([1], 2), (np.float64(3),)):
        same_error(lambda f, wrong=wrong: f.Tensor(*wrong), same_sentence=False)
