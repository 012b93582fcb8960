"""Views, their memory, and shapes changed in place: each program runs under mini and torch."""

from dlcourse import mini

import pytest
import torch
from both import agree, same_error


def leaf(f, *shape):
    size = 1
    for n in shape:
        size *= n
    return f.arange(float(size), dtype=f.float64).reshape(shape).requires_grad_()


def reshaped_in_place(name, *args):
    def program(f):
        a = leaf(f, 1, 3, 2)
        x, y = a * 2, f.ones(1, 3, 2)
        assert getattr(x, name)(*args) is x
        getattr(y, name)(*args)
        weight = f.arange(6.0, dtype=f.float64).reshape(x.shape)
        (x * x * weight).sum().backward()
        return x, y, a.grad, y._version

    return program


def strided(f):
    a = leaf(f, 12)
    x = a * 2
    windows = f.as_strided(x, (3, 4), (2, 1), storage_offset=1)
    (windows * windows * leaf(f, 3, 4).detach()).sum().backward()
    plain = f.zeros(6)
    plain.as_strided((3,), (2,)).fill_(1)
    return windows, a.grad, plain, a.detach().as_strided(size=(2, 2), stride=(0, 3))


def written_by_mixed_indices(f):
    """An integer beside arrays: the value broadcasts to what x[index] would be."""
    a, v = leaf(f, 2, 3, 5), leaf(f, 3, 2)
    x, plain, mask = a * 1, f.zeros(2, 3, 4), f.tensor([True, False, True])
    x[0, :, [1, 2]] = v * 2
    x[1, mask] = 7
    x[..., f.tensor(4)] += v[:, 0]
    plain[1, :, [0, 3]] = f.ones(3, 2)
    plain[f.tensor(0)].fill_(2)
    plain[:, mask, 1] = -1
    (x * x).sum().backward()
    return x, a.grad, v.grad, plain, plain._version


PROGRAMS = {
    "mixed indices": written_by_mixed_indices,
    "squeeze_": reshaped_in_place("squeeze_"),
    "unsqueeze_": reshaped_in_place("unsqueeze_", -1),
    "transpose_": reshaped_in_place("transpose_", 0, 1),
    "swapaxes_": reshaped_in_place("swapaxes_", 0, 2),
    "swapdims_": reshaped_in_place("swapdims_", 1, 2),
    "t_": lambda f: [x.t_() for x in (f.arange(6).reshape(2, 3), f.arange(2))],
    "H": lambda f: leaf(f, 2, 3).H,
    "mH": lambda f: leaf(f, 2, 3, 4).mH,
    "storage_offset": lambda f: [
        x.storage_offset()
        for y in (leaf(f, 3, 4).detach(),)
        for x in (y, y[1], y[:, 2], y.t()[1:, 1:], y.clone()[2])
    ],
    "data_ptr": lambda f: [
        x.data_ptr() - y.data_ptr()
        for y in (leaf(f, 3, 4).detach(),)
        for x in (y.view(-1), y.t(), y[1], y[:, 1:])
    ],
    "broadcast_shapes": lambda f: (
        f.broadcast_shapes((2, 1), (3,), (1, 1, 1)), f.broadcast_shapes(3, (2, 1)),
        f.broadcast_shapes(), f.broadcast_shapes((0, 1), (1, 4)),
    ),
    "as_strided": strided,
    "stride of one dim": lambda f: [leaf(f, 2, 3, 4).stride(d) for d in (0, 1, -1)],
    "windows written to": lambda f: [x for x in (f.zeros(6),) if x.unfold(0, 2, 2).add_(1) is x],
}  # fmt: skip


def covered():
    """The names that these programs are about."""
    return set(PROGRAMS)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_runs_as_in_torch(name):
    agree(PROGRAMS[name])


VIEWS = {
    "diagonal": lambda x: x.diagonal(0, 0, 1),
    "flatten": lambda x: x.flatten(1),
    "index": lambda x: x[1, :, 1:3],
    "movedim": lambda x: x.movedim(2, 0),
    "mT": lambda x: x.mT,
    "narrow": lambda x: x.narrow(2, 1, 2),
    "permute": lambda x: x.permute(2, 0, 1),
    "select": lambda x: x.select(1, 2),
    "squeeze": lambda x: x[:, :1].squeeze(1),
    "T": lambda x: x[0].T,
    "transpose": lambda x: x.transpose(0, 2),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "unfold": lambda x: x.unfold(2, 2, 2),
    "unsqueeze": lambda x: x.unsqueeze(1),
    "view": lambda x: x.view(6, 4),
}


@pytest.mark.parametrize("name", VIEWS)
def test_what_is_written_through_a_view_reaches_the_gradient(name):
    def program(f):
        a = leaf(f, 2, 3, 4)
        x = a * 1
        VIEWS[name](x).mul_(3)
        (x * x).sum().backward()
        return x, a.grad

    agree(program)


ERRORS = {
    "a leaf": lambda f: leaf(f, 2, 3).t_(),
    "H of a batch": lambda f: leaf(f, 2, 3, 4).H,
    "shapes that do not broadcast": lambda f: f.broadcast_shapes((2,), (3,)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name == "shapes that do not broadcast")


def test_views_of_other_types_are_refused():
    from dlcourse import mini

    with pytest.raises(NotImplementedError, match=r"view\(mini.int32\).*takes sizes"):
        mini.ones(2).view(mini.int32)


@pytest.mark.parametrize("f", [mini, torch], ids=["mini", "torch"])
def test_a_view_reshaped_in_place_keeps_the_nodes_it_has(f):
    rows = f.ones(2, 3, requires_grad=True) * 3
    row = rows[0]
    node = row.grad_fn
    row.unsqueeze_(0)
    assert row.grad_fn.next_functions[0][0] is node
    assert row.grad_fn is row.grad_fn
