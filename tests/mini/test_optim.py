"""Every optimiser beside torch.optim, step by step, with every option."""

import inspect
import tracemalloc
from itertools import product

from dlcourse import mini
from dlcourse.mini import optim
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import agree, same_error
from rows_optim import ROWS

SGD = [
    {"lr": 0.1, "momentum": m, "dampening": d, "weight_decay": w, "nesterov": n, "maximize": x}
    for m, d, w, n, x in product((0, 0.9), (0, 0.3), (0, 0.01), (False, True), (False, True))
    if not n or (m and not d)
]
ADAM = [
    {"lr": 0.05, "weight_decay": w, "amsgrad": a, "maximize": x}
    for w, a, x in product((0, 0.1), (False, True), (False, True))
]
OPTIONS = [
    *[("SGD", o) for o in [{}, {"lr": 0.0}, *SGD]],
    *[(n, o) for n in ("Adam", "AdamW") for o in [{}, {"betas": (0.5, 0.9), "eps": 0.1}, *ADAM]],
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    *ROWS,
]
NAMES = sorted({name for name, _ in OPTIONS})
# Those that ask for speed or for a GPU: see test_what_is_not_supported_is_said.
SCHEDULING = {"lr_scheduler", "swa_utils"}
WAYS = {"foreach", "fused", "differentiable", "capturable"}


def parameters(f):
    """A matrix, a vector and a parameter that never gets a gradient."""
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((3, 2)), rng.standard_normal(4), np.ones(2)
    return [f.tensor(a, requires_grad=True) for a in arrays]


def gradients(f, ps, step):
    """A loss whose gradients differ from step to step; in step 3 the vector gets none."""
    loss = ((ps[0] * (step + 1)).sin() ** 2).sum()
    if step != 3:
        loss = loss + (ps[1] ** 4).sum() * 0.1
    loss.backward()
    return loss


def run(f, name, options, steps=6):
    ps = parameters(f)
    optimizer = getattr(f.optim, name)(ps, **options)
    seen = []
    for step in range(steps):
        optimizer.zero_grad()
        gradients(f, ps, step)
        assert optimizer.step() is None
        seen += [p.detach().clone() for p in ps]
    return seen, optimizer.state_dict(), repr(optimizer)


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_steps_as_torchs(name, options):
    agree(lambda f: run(f, name, options))


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32(name):
    def program(f):
        p = f.full((2, 1), 0.5, requires_grad=True)
        optimizer = getattr(f.optim, name)([p], lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (p * 3).square().sum().backward()
            optimizer.step()
        return p, optimizer.state_dict()["state"]

    agree(program)


def test_every_optimizer_has_a_row():
    # LBFGS, which needs a closure, and Muon, which rounds as torch does not, are in test_optimizers
    assert set(optim.__all__) == {*NAMES, "Optimizer", "LBFGS", "Muon", *SCHEDULING}
    for name in NAMES:  # every option of torch's is tried, or refused below
        known = set(inspect.signature(getattr(torch.optim, name)).parameters)
        tried = {key for n, o in OPTIONS if n == name for key in o} | {"lr", "params"}
        assert known - tried - WAYS == set()


@pytest.mark.parametrize("name", [n for n in optim.__all__ if n not in SCHEDULING])
def test_signatures_are_torchs(name):
    ours, theirs = (inspect.signature(getattr(f.optim, name)) for f in (mini, torch))
    assert [(p.name, p.kind) for p in ours.parameters.values()] == [
        (p.name, p.kind) for p in theirs.parameters.values()
    ]
    assert [p.default for p in ours.parameters.values()] == [
        p.default for p in theirs.parameters.values()
    ]


def groups(f):
    ps = parameters(f)
    optimizer = f.optim.SGD(
        [{"params": ps[0], "lr": 0.5, "momentum": 0.9}, {"params": [ps[1]], "weight_decay": 0.1}],
        lr=0.01,
    )
    optimizer.add_param_group({"params": ps[2:], "name": "last"})
    for step in range(3):
        optimizer.zero_grad()
        gradients(f, ps, step)
        optimizer.step()
        optimizer.param_groups[1]["lr"] *= 0.5
    described = [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]
    return ps, described, [len(g["params"]) for g in optimizer.param_groups], optimizer.defaults


def resumed(f, name, options):
    """Saved in the middle and loaded into a fresh optimiser: the same as going on."""
    ps = parameters(f)
    optimizer = getattr(f.optim, name)(ps, **options)
    for step in range(6):
        if step == 3:
            state = optimizer.state_dict()
            optimizer = getattr(f.optim, name)(ps, lr=99.0)
            optimizer.load_state_dict(state)
        optimizer.zero_grad()
        gradients(f, ps, step)
        optimizer.step()
    return ps, optimizer.state_dict()


def closures(f):
    ps, calls = parameters(f), []
    optimizer = f.optim.SGD(ps, lr=0.1)

    def closure():
        calls.append(f.is_grad_enabled())
        optimizer.zero_grad()
        return gradients(f, ps, 0)

    losses = [optimizer.step(closure), optimizer.step(closure)]
    with f.no_grad():
        losses.append(optimizer.step(closure))
    return losses, calls, ps


def zeroed(f):
    ps = parameters(f)
    optimizer = f.optim.SGD(ps, lr=0.1)
    gradients(f, ps, 0)
    kept = ps[0].grad
    optimizer.zero_grad(set_to_none=False)
    seen = [p.grad for p in ps], kept
    optimizer.zero_grad()
    return seen, [p.grad for p in ps]


def a_step_counts_as_a_write(f):
    ps = parameters(f)
    gradients(f, ps, 0)
    f.optim.SGD(ps, lr=0.1).step()
    return [p._version for p in ps], [p.requires_grad and p.is_leaf for p in ps]


def the_first_momentum_is_the_first_gradient(f):
    p = f.tensor([1.0], requires_grad=True)
    optimizer = f.optim.SGD([p], lr=1.0, momentum=0.9, dampening=0.5)
    p.grad = f.tensor([2.0])
    optimizer.step()
    first = optimizer.state[p]["momentum_buffer"].clone()
    optimizer.step()
    return first, optimizer.state[p]["momentum_buffer"], p


PROGRAMS = [
    groups, closures, zeroed, a_step_counts_as_a_write, the_first_momentum_is_the_first_gradient,
    lambda f: resumed(f, "SGD", {"lr": 0.1, "momentum": 0.9}),
    lambda f: resumed(f, "Adam", {"lr": 0.1, "amsgrad": True}), lambda f: resumed(f, "AdamW", {}),
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_program(program):
    agree(program)


@pytest.mark.parametrize(
    ("name", "options"), [(n, {"momentum": 0.9} if n == "SGD" else {}) for n in NAMES]
)
def test_takes_over_a_state_of_torchs(name, options):
    theirs, ours = parameters(torch), parameters(mini)
    source = getattr(torch.optim, name)(theirs, lr=0.1, **options)
    for step in range(3):
        source.zero_grad()
        gradients(torch, theirs, step)
        source.step()
    target = getattr(optim, name)(ours, lr=0.5)
    target.load_state_dict(source.state_dict())
    state, source = source.state_dict(), getattr(torch.optim, name)(theirs, lr=0.5)
    source.load_state_dict(state)  # which brings some counts to the parameter's type
    assert_matches(target.state_dict(), source.state_dict())
    for a, b in zip(ours, theirs, strict=True):
        a.data = mini.tensor(b.detach().numpy())
    for f, ps, optimizer in ((mini, ours, target), (torch, theirs, source)):
        optimizer.zero_grad()
        gradients(f, ps, 5)
        optimizer.step()
    assert_matches(ours, theirs)


def leaf(f):
    return f.ones(1, requires_grad=True)


def other_groups(f, change):
    first = f.optim.SGD([leaf(f), leaf(f)], lr=0.1)
    second = f.optim.SGD(change(f), lr=0.1)
    second.load_state_dict(first.state_dict())


ERRORS = {
    "a tensor": lambda f: f.optim.SGD(leaf(f), lr=0.1),
    "nothing": lambda f: f.optim.SGD([], lr=0.1),
    "a number": lambda f: f.optim.SGD([3.0], lr=0.1),
    "a computed tensor": lambda f: f.optim.SGD([leaf(f) * 2], lr=0.1),
    "twice in two groups": lambda f: (
        f.optim.SGD([{"params": p}, {"params": p}], lr=0.1) for p in [leaf(f)]
    ).__next__(),
    "a group that is no dict": lambda f: f.optim.SGD([leaf(f)], lr=0.1).add_param_group([leaf(f)]),
    "negative lr": lambda f: f.optim.SGD([leaf(f)], lr=-0.1),
    "negative momentum": lambda f: f.optim.SGD([leaf(f)], lr=0.1, momentum=-0.5),
    "negative weight decay": lambda f: f.optim.SGD([leaf(f)], lr=0.1, weight_decay=-0.5),
    "nesterov without momentum": lambda f: f.optim.SGD([leaf(f)], lr=0.1, nesterov=True),
    "nesterov with dampening": lambda f: f.optim.SGD(
        [leaf(f)], lr=0.1, nesterov=True, momentum=0.9, dampening=0.1
    ),
    "unknown option": lambda f: f.optim.SGD([leaf(f)], lr=0.1, colour="red"),
    "Adam's lr": lambda f: f.optim.Adam([leaf(f)], lr=-0.1),
    "Adam's eps": lambda f: f.optim.Adam([leaf(f)], eps=-0.1),
    "Adam's first beta": lambda f: f.optim.Adam([leaf(f)], betas=(1.0, 0.9)),
    "Adam's second beta": lambda f: f.optim.Adam([leaf(f)], betas=(0.9, -0.1)),
    "Adam's weight decay": lambda f: f.optim.Adam([leaf(f)], weight_decay=-0.1),
    "another number of groups": lambda f: other_groups(
        f, lambda f: [{"params": leaf(f)}, {"params": leaf(f)}]
    ),
    "another number of parameters": lambda f: other_groups(f, lambda f: [leaf(f)]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name != "unknown option")


def test_a_parameter_twice_in_a_group_is_warned_of():
    for f in (mini, torch):
        p = leaf(f)
        with pytest.warns(UserWarning, match="duplicate parameters"):
            f.optim.SGD([p, p], lr=0.1)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "Rprop"])  # its steps are bounded
def test_training_that_diverges_does_so_without_a_word(name):
    """As in torch: infinities and NaN come without NumPy's warnings, which are errors here."""
    nn = mini.nn
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(8, 5), nn.LogSoftmax(1),
    )  # fmt: skip
    optimizer = getattr(optim, name)(net.parameters(), lr=1e30, weight_decay=1e10)
    x, y = mini.rand(4, 1, 6, 6) * 1e20, mini.tensor([0, 1, 2, 3])
    for _ in range(4):
        optimizer.zero_grad()
        loss = nn.functional.nll_loss(net(x), y) + sum((p**2).sum() for p in net.parameters())
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1e38, norm_type=3)
        optimizer.step()
    assert not loss.isfinite()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_not_supported_is_said(name):
    known = WAYS & set(inspect.signature(getattr(torch.optim, name)).parameters)
    assert known
    for option in known:
        getattr(optim, name)([leaf(mini)], **{option: False})
        if option in ("differentiable", "capturable"):
            with pytest.raises(NotImplementedError, match=option):
                getattr(optim, name)([leaf(mini)], **{option: True})
        else:  # it asks for speed: the numbers are the same
            agree(lambda f, option=option: run(f, name, {option: True}, 2)[0])


def test_a_misspelt_option_is_refused_and_a_note_is_kept():
    with pytest.raises(TypeError, match="no option weight_decy; did you mean weight_decay"):
        optim.SGD([{"params": [leaf(mini)], "weight_decy": 0.1}], lr=0.1)

    def notes(f):
        group = {"params": [leaf(f)], "initial_lr": 0.3, "lr_scale": 2, "name": "head"}
        optimizer = f.optim.AdamW([group])
        return {k: v for k, v in optimizer.param_groups[0].items() if k != "params"}

    agree(notes)


def test_an_optimizer_of_ones_own():
    class SignDescent(optim.Optimizer):
        def __init__(self, params, lr=0.5):
            super().__init__(params, {"lr": lr})

        def update(self, x, grad, state, group):
            state["count"] = state.get("count", 0) + 1
            x -= group["lr"] * np.sign(grad)

    p = mini.tensor([1.0, -1.0], requires_grad=True)
    optimizer = SignDescent([p])
    for _ in range(2):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    assert p.tolist() == [0, 0]
    assert optimizer.state_dict()["state"] == {0: {"count": 2}}
    p.grad = mini.ones(2)
    with pytest.raises(NotImplementedError):
        optim.Optimizer([p], {}).step()


def test_a_plain_step_holds_no_array_as_large_as_the_weight():
    weight = mini.zeros(500, 400, requires_grad=True)  # 0.8 MB, the gradient another 0.8
    weight.grad = mini.ones(500, 400)
    optimizer = mini.optim.SGD([weight], lr=0.5)
    tracemalloc.start()
    optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000
    assert weight.eq(-0.5).all()  # every piece, to the last
