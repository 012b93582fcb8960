"""utils.checkpoint: torch's values and gradients, the memory that it frees, what it refuses."""

import contextlib
import gc
import tracemalloc
import weakref

from dlcourse import mini
from dlcourse.mini.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    noop_context_fn,
)

import numpy as np
import pytest
import torch
import torch.utils.checkpoint  # bound to torch by its import alone
from both import agree, same_error


def numbers(f, *shape, seed=0):
    array = np.random.default_rng(seed).uniform(-1, 1, shape)
    return f.from_numpy(array).requires_grad_()


def block(f):
    """Layers whose parameters the checkpoint is not told of."""
    layers = f.nn.Sequential(f.nn.Linear(3, 5), f.nn.Tanh(), f.nn.Linear(5, 3)).double()
    with f.no_grad():
        for i, p in enumerate(layers.parameters()):
            p.copy_(numbers(f, *p.shape, seed=i + 1))
    return layers


def run(f, function, *args, **options):
    options = {"use_reentrant": False, **options}
    return f.utils.checkpoint.checkpoint(function, *args, **options)


# -- gradients, as with no checkpoint --------------------------------------------------------------


def a_module(f):
    layers, x = block(f), numbers(f, 4, 3)
    y = run(f, layers, x)
    (y**2).sum().backward()
    return y, x.grad, layers


def inputs_without_gradient(f):
    layers, x = block(f), numbers(f, 4, 3).detach()
    run(f, layers, x).sin().sum().backward()
    return x.grad, layers


def twice_differentiated(f):
    layers, x = block(f), numbers(f, 4, 3)
    y = run(f, lambda x: layers(x).exp(), x)
    (slope,) = f.autograd.grad((y * x.cos()).sum(), x, create_graph=True)
    (slope**2).sum().backward()
    return slope, x.grad, layers


def what_the_closure_holds(f):
    """A leaf, and a tensor that was computed from the same leaf; used outside, too."""
    w, x = numbers(f, 3), numbers(f, 3, seed=1)
    h = w.exp()
    y = run(f, lambda x: (x * h).sin() * w + h, x) * h
    (y * w).sum().backward()
    return y, w.grad, x.grad


def in_a_row(f):
    layers, x = [block(f) for _ in range(3)], numbers(f, 4, 3)
    h = x
    for layer in layers:
        h = h + run(f, layer, h)
    h.pow(2).mean().backward()
    return h, x.grad, layers


def one_inside_another(f):
    inner, outer, x = block(f), block(f), numbers(f, 4, 3)

    def both(x):
        return outer(run(f, lambda z: run(f, inner, z).sin(), x) * x)

    y = run(f, both, x)
    y.exp().sum().backward()
    return y, x.grad, inner, outer


def several_outputs(f):
    x, w = numbers(f, 4, 3), numbers(f, 3)

    def function(x, scale=1.0, *, more):
        a, b = (x * w).sin(), x.exp() * scale
        return {"a": a, "rest": [b, (more["y"] * b, None, 7)], "n": x.shape[0], "index": a.argmax()}

    y = numbers(f, 3, seed=5)
    out = run(f, function, x, 2.0, more={"y": y})
    (out["a"].sum() + (out["rest"][1][0] ** 2).sum()).backward()  # b itself is not used
    return out, x.grad, w.grad, y.grad


def one_tensor_twice(f):
    x = numbers(f, 3)
    a, b = run(f, lambda x: (x.sin(),) * 2, x)
    (a * b).sum().backward()
    return a is b, x.grad


def no_gradient_wanted(f):
    layers, x = block(f), numbers(f, 4, 3)
    with f.no_grad():
        y = run(f, layers, x)
    z = run(f, lambda x: x.sin(), x.detach())
    return y, y.requires_grad, z, z.requires_grad


def what_comes_back_as_it_went_in(f):
    x, w = numbers(f, 3), numbers(f, 3, seed=1)
    a, b, c = run(f, lambda x: (x, x * w, w), x)
    (a * b * c).sum().backward()
    return x.grad, w.grad, a is x


def gradients_asked_for(f):
    layers, x = block(f), numbers(f, 4, 3)
    y = run(f, layers, x).pow(3).sum()
    first = f.autograd.grad(y, [x], retain_graph=True)
    second = f.autograd.grad(y, list(layers.parameters()))
    return first, second, [p.grad for p in layers.parameters()]


def hooks(f):
    """Those of leaves run once; those that the function registers, as often as backward runs."""
    x, w, seen = numbers(f, 3), numbers(f, 3, seed=1), []
    w.register_hook(lambda g: seen.append("leaf") or g * 2)

    def function(x):
        h = x * w
        h.register_hook(lambda g: seen.append("inside") or g * 3)
        return h.sin()

    run(f, function, x).sum().backward()
    return seen, x.grad, w.grad


def statistics(f):
    """A layer in training counts a batch twice, in torch as well."""
    norm, x = f.nn.BatchNorm1d(3).double(), numbers(f, 4, 3)
    y = run(f, lambda x: norm(x).sin(), x)
    (y**2).sum().backward()
    return y, x.grad, norm


def in_place_inside_and_outside(f):
    x, w = numbers(f, 4, 3), numbers(f, 3)

    def function(x):
        h = x * w
        h.mul_(h.detach() + 2).add_(w)
        return h[1:]

    y = run(f, function, x)
    y.mul_(3)
    y[0] = 1
    y.sin().sum().backward()
    return y, x.grad, w.grad


def the_old_way(f):
    layers, x = block(f), numbers(f, 4, 3)
    y = run(f, layers, x, use_reentrant=True)
    y.sin().sum().backward()
    return y, x.grad, layers


def contexts(f):
    x, seen = numbers(f, 3), []

    @contextlib.contextmanager
    def noted(name):
        seen.append(name)
        try:
            yield
        finally:
            seen.append(f"end of {name}")

    y = run(f, lambda x: x.sin().exp(), x, context_fn=lambda: (noted("first"), noted("again")))
    seen.append("between")
    y.sum().backward()
    return seen, x.grad


def in_segments(f):
    layers, x = f.nn.Sequential(*[block(f) for _ in range(5)]), numbers(f, 4, 3)
    out = []
    for given in (layers, list(layers)):
        for segments in (1, 2, 3):
            y = f.utils.checkpoint.checkpoint_sequential(given, segments, x, use_reentrant=False)
            (y**2).sum().backward()
            out.append(y)
    return out, x.grad, layers


PROGRAMS = [
    a_module, inputs_without_gradient, twice_differentiated, what_the_closure_holds, in_a_row,
    one_inside_another, several_outputs, one_tensor_twice, no_gradient_wanted,
    what_comes_back_as_it_went_in, gradients_asked_for, hooks, statistics,
    in_place_inside_and_outside, the_old_way, contexts, in_segments,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS)
def test_matches_torch(program):
    agree(program, rtol=1e-10, atol=1e-12)


def test_gradcheck():
    w = numbers(mini, 3, seed=1)

    def function(x, y):
        return checkpoint(lambda x: (checkpoint(lambda z: (z * y).sin(), x) * w).exp(), x)

    inputs = numbers(mini, 2, 3), numbers(mini, 3, seed=2)
    assert mini.autograd.gradcheck(function, inputs)
    assert mini.autograd.gradgradcheck(function, inputs)


# -- random numbers --------------------------------------------------------------------------------


def dropped(f, use):
    f.manual_seed(3)
    layers, x = block(f), numbers(f, 40, 3)
    drop = f.nn.Dropout(0.5)

    def function(x):
        return drop(layers(drop(x)))

    y = use(function, x)
    after = f.rand(2)  # backward must not draw what comes next
    y.pow(2).sum().backward()
    return y, x.grad, [p.grad for p in layers.parameters()], after, f.rand(2)


@pytest.mark.parametrize("f", [mini, torch])
def test_dropout_draws_the_same_mask_again(f):
    plain = dropped(f, lambda function, x: function(x))
    kept = dropped(f, lambda function, x: run(f, function, x))
    other = dropped(f, lambda function, x: run(f, function, x, preserve_rng_state=False))
    for a, b in zip(plain[2] + [*plain[:2], *plain[3:]], kept[2] + [*kept[:2], *kept[3:]]):  # noqa: B905
        assert f.equal(a, b)
    assert f.equal(other[0], plain[0])
    assert not f.equal(other[1], plain[1])
    assert not f.equal(other[4], plain[4])  # backward has drawn


# -- memory ----------------------------------------------------------------------------------------


def references(use):
    """Whether each tensor made inside is alive after forward, and how often it was made."""
    made = []

    def function(x):
        for _ in range(4):
            x = x.exp().sin()
            made.append(weakref.ref(x))
        return x * 2

    x = numbers(mini, 3)
    y = use(function, x)
    alive = [ref() is not None for ref in made]
    # What exp and sin have saved: nodes that hold tensors.
    return alive, y, x, made


def saved_below(y):
    """How many tensors the graph of y holds."""
    waiting, seen, count = [y.grad_fn], set(), 0
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen and hasattr(node, "_saved"):
            seen.add(node)
            count += len(node._saved or ())
            waiting += [child for child, _ in node.next_functions]
    return count


def test_the_graph_inside_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        _, y, x, made = references(lambda function, x: function(x))
        assert saved_below(y) > 8
        alive, y, x, made = references(checkpoint)
        assert alive == [False] * 4
        assert saved_below(y) == 2  # the argument and the leaf are one
        y.sum().backward()
        assert len(made) == 8
        assert [ref() is not None for ref in made] == [False] * 8
        gone = weakref.ref(y)
        del y
        assert gone() is None
        assert saved_below(x * 1) <= 2
    finally:
        gc.enable()


def peak(use):
    """The most memory that a step through 16 layers takes."""
    layers = mini.nn.Sequential(*[mini.nn.Tanh() for _ in range(16)])
    x = mini.ones(250, 1000, requires_grad=True)  # 1 MB
    gc.collect()
    tracemalloc.start()
    use(layers, x).sum().backward()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found / 1e6


def test_a_step_takes_less_memory():
    plain, spared = peak(lambda m, x: m(x)), peak(lambda m, x: checkpoint_sequential(m, 4, x))
    assert plain > 16
    assert spared < 12


def test_after_backward_what_was_kept_is_gone():
    x = numbers(mini, 3)
    h = x.exp()
    y = checkpoint(lambda h: h.sin(), h)
    y.sum().backward()
    ref = weakref.ref(h)
    del h
    assert ref() is None
    with pytest.raises(RuntimeError, match="a second time"):
        y.sum().backward()


# -- what goes wrong -------------------------------------------------------------------------------


def changing(f, *functions, **options):
    """A function that is another when it runs again."""
    x, turn = numbers(f, 3), iter(functions)
    run(f, lambda x: next(turn)(x), x, **options).sum().backward()


ERRORS = {
    "another shape": lambda f: changing(f, lambda x: x.exp(), lambda x: x[:2].exp()),
    "determinism_check": lambda f: run(f, f.sin, numbers(f, 3), determinism_check="some"),
    "keyword with reentrant": lambda f: run(
        f, lambda x, scale: x, numbers(f, 3), scale=2, use_reentrant=True
    ),
    "context with reentrant": lambda f: run(
        f, f.sin, numbers(f, 3), context_fn=lambda: noop_context_fn(), use_reentrant=True
    ),
    "keyword of a sequence": lambda f: f.utils.checkpoint.checkpoint_sequential(
        [f.sin, f.cos], 2, numbers(f, 3), use_reentrant=False, scale=2
    ),
    "an error inside": lambda f: run(f, lambda x: x @ x[:2], numbers(f, 3)),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    if name == "another shape":
        for f in (mini, torch):
            with pytest.raises(f.utils.checkpoint.CheckpointError):
                ERRORS[name](f)
    else:
        same_error(ERRORS[name], same_sentence=name not in ("determinism_check", "an error inside"))


def test_what_changes_between_the_runs_is_noticed():
    w = numbers(mini, 3, seed=1)
    with pytest.raises(CheckpointError, match="on others"):
        changing(mini, lambda x: x * 2, lambda x: x * w)
    with pytest.raises(CheckpointError, match="1 outputs"):
        changing(mini, lambda x: x * 2, lambda x: (x, x))
    with pytest.raises(CheckpointError, match="metadata"):
        changing(mini, lambda x: x.exp(), lambda x: x.exp().float())
    changing(mini, lambda x: x.exp(), lambda x: x.exp().float(), determinism_check="none")
    y = checkpoint(lambda x: x * w, numbers(mini, 3))
    with mini.no_grad():
        w.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


def test_what_is_not_there_is_refused():
    x = numbers(mini, 3)
    with pytest.raises(NotImplementedError, match="debug"):
        checkpoint(mini.sin, x, debug=True)
    h = x * 2
    y = checkpoint(lambda h: h.view(3, 1), h)
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        y.add_(1)
    y.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
