"""Layers that learn their sizes from the first input do so as torch's."""

import copy
import re
import warnings

from dlcourse import mini
from dlcourse.mini import nn
from dlcourse.testing import assert_matches

import pytest
import torch

SIZES = {1: (2, 4, 5), 2: (2, 4, 5, 5), 3: (2, 4, 5, 5, 5)}
CASES = {
    "LazyLinear": ((3,), {}, (2, 5, 4)),
    "LazyLinear without bias": ((3,), {"bias": False}, (4,)),
    **{f"LazyConv{n}d": ((6, 3, 2), {"groups": 2}, SIZES[n]) for n in SIZES},
    **{f"LazyConvTranspose{n}d": ((6, 3, 2, 1, 1), {"groups": 2}, SIZES[n]) for n in SIZES},
    "LazyConv2d of one image": ((6, 3), {"padding": 1, "bias": False}, (4, 5, 5)),
    "LazyConv2d by other borders": ((6, 3), {"padding": 1, "padding_mode": "circular"}, SIZES[2]),
    **{f"LazyBatchNorm{n}d": ((), {}, SIZES[n]) for n in SIZES},
    "LazyBatchNorm1d of vectors": ((1e-3, None), {"bias": False}, (5, 3)),
    "LazyBatchNorm2d plain": ((), {"affine": False, "track_running_stats": False}, SIZES[2]),
    **{f"LazyInstanceNorm{n}d": ((), {}, SIZES[n]) for n in SIZES},
}
NAMES = {case.split()[0] for case in CASES} | {"UninitializedParameter", "UninitializedBuffer"}


def made(framework, case):
    args, kwargs, _ = CASES[case]
    return getattr(framework.nn, case.split()[0])(*args, **kwargs)


@pytest.fixture(params=CASES)
def case(request):
    return request.param


def test_it_waits_as_torchs_does(case):
    ours, theirs = made(mini, case), made(torch, case)
    assert repr(ours) == repr(theirs)
    assert repr(ours.state_dict()) == repr(theirs.state_dict())
    assert ours.has_uninitialized_params() == theirs.has_uninitialized_params()


def test_it_has_the_default_dtype_of_where_it_was_made():
    for f in (mini, torch):
        kept = f.get_default_dtype()
        f.set_default_dtype(f.float64)
        layer = f.nn.LazyLinear(3)
        f.set_default_dtype(kept)
        assert layer(f.ones(2, 4, dtype=f.float64)).dtype is f.float64


def test_it_computes_what_torchs_does(case):
    *_, shape = CASES[case]
    ours, theirs = made(mini, case).double(), made(torch, case).double()
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    a, b = mini.tensor(x.numpy(), requires_grad=True), x.clone().requires_grad_()
    with torch.no_grad():
        theirs(x)  # the first call sets it up
        ours(mini.tensor(x.numpy()))
    # NB: in torch a norm without parameters and statistics goes on as one of 0 channels.
    assert repr(ours) == repr(theirs).replace("Norm2d(0", "Norm2d(4")
    assert type(ours) is getattr(nn, type(theirs).__name__)
    ours.load_state_dict(theirs.state_dict())
    y, z = ours(a), theirs(b)
    assert_matches(y, z)
    (y * y).sum().backward()
    (z * z).sum().backward()
    assert_matches(a.grad, b.grad)
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert type(p) is nn.Parameter, name
        assert_matches(p.grad, q.grad)
    assert not ours._forward_pre_hooks


def test_it_starts_with_the_values_of_the_layer_it_becomes(case):
    *_, shape = CASES[case]
    lazy = made(mini, case)
    lazy(mini.ones(shape))
    fresh = copy.deepcopy(lazy)
    mini.manual_seed(0)
    fresh.reset_parameters()
    again = made(mini, case)
    mini.manual_seed(0)
    again(mini.ones(shape))
    for (name, p), q in zip(again.named_parameters(), fresh.parameters(), strict=True):
        assert mini.equal(p, q), name


def test_loading_gives_the_shapes(case):
    *_, shape = CASES[case]
    trained = made(torch, case)
    trained(torch.ones(shape))
    lazy = made(mini, case)
    assert not lazy.load_state_dict(trained.state_dict()).missing_keys
    assert not lazy.has_uninitialized_params()
    lazy.eval()
    trained.eval()
    assert_matches(lazy(mini.ones(shape)), trained(torch.ones(shape)))
    assert type(lazy).__name__ == type(trained).__name__


def test_the_state_of_a_waiting_layer_can_be_loaded_into_another():
    for f in (mini, torch):
        waiting = f.nn.LazyLinear(3)
        waiting.load_state_dict(f.nn.LazyLinear(3).state_dict())
        assert waiting.has_uninitialized_params()
        with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized"):
            f.nn.Linear(4, 3).load_state_dict(waiting.state_dict())


def test_a_copy_waits_by_itself():
    first = nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(2))
    second = copy.deepcopy(first)
    first(mini.ones(1, 4))
    assert first[0].weight.shape == (3, 4)
    assert second[0].has_uninitialized_params()
    second(mini.ones(1, 7))
    assert second[0].weight.shape == (3, 7)
    assert first[0].weight.shape == (3, 4)


@pytest.mark.parametrize(
    "act",
    [
        lambda f: f.nn.LazyLinear(2).weight + 1,
        lambda f: f.nn.LazyLinear(2).weight.numel(),
        lambda f: f.nn.LazyLinear(2).weight.shape,
        lambda f: f.nn.init.zeros_(f.nn.LazyLinear(2).weight),
        lambda f: len(f.nn.LazyLinear(2).weight),
        lambda f: f.nn.LazyConv2d(3, 3)(f.ones(2, 2)),
        lambda f: f.nn.LazyConv2d(4, 3, groups=2)(f.ones(1, 3, 4, 4)),
        lambda f: f.nn.LazyConv1d(4, 3, padding="some"),
        lambda f: f.nn.LazyConvTranspose2d(4, 3, padding_mode="circular"),
        lambda f: f.nn.LazyBatchNorm1d()(f.ones(2, 3, 4, 4)),
        lambda f: f.nn.LazyLinear(2)(f.tensor(1.0)),
    ],
)
def test_refused_as_in_torch(act):
    with pytest.raises((ValueError, RuntimeError, IndexError)) as theirs:
        act(torch)
    start = str(theirs.value).split(" in <")[0].split("torch.Size")[0]
    start = start.split("{")[0]  # of a set, whose order is anybody's
    with pytest.raises(type(theirs.value), match=f"^{re.escape(start)}"):
        act(mini)


def test_an_optimizer_may_take_them_before_they_have_a_shape():
    losses = {}
    for f in (mini, torch):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = f.nn.LazyLinear(1, bias=False)
        optimizer = f.optim.SGD(model.parameters(), lr=0.1)
        model(f.ones(1, 3))
        with f.no_grad():
            model.weight.fill_(1.0)
        for _ in range(2):
            optimizer.zero_grad()
            loss = (model(f.ones(1, 3)) ** 2).sum()
            loss.backward()
            optimizer.step()
        losses[f] = loss.item()
    assert losses[mini] == pytest.approx(losses[torch])


def test_a_parameter_can_be_given_its_shape_by_hand():
    for f in (mini, torch):
        waiting = f.nn.UninitializedParameter(requires_grad=False, dtype=f.float64)
        waiting.materialize((2, 3))
        assert type(waiting) is f.nn.Parameter
        assert waiting.shape == (2, 3)
        assert waiting.dtype == f.float64
        assert not waiting.requires_grad
        buffer = f.nn.UninitializedBuffer()
        buffer.materialize((2,))
        assert isinstance(buffer, f.nn.Buffer)
        assert buffer.shape == (2,)
