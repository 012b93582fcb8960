"""nn.utils.prune against torch's: names, masks, gradients, one method on another."""

from importlib import import_module

from dlcourse import mini

import pytest
import torch
from both import agree, same_error


def prune_of(f):
    return import_module(f"{f.__name__}.nn.utils.prune")


def layer_of(f, kind="Conv2d", *sizes):
    layer = getattr(f.nn, kind)(*sizes or (2, 3, 2)).double()
    with f.no_grad():
        for i, p in enumerate(layer.parameters()):
            wave = f.arange(float(p.numel()), dtype=f.float64).reshape(p.shape)
            p.copy_((wave * (0.7 + i) + 1).sin())
    return layer


WAYS = {
    "identity": lambda p, m: p.identity(m, "weight"),
    "share": lambda p, m: p.l1_unstructured(m, "weight", 0.32),
    "number": lambda p, m: p.l1_unstructured(m, "weight", amount=5),
    "nothing": lambda p, m: p.l1_unstructured(m, "weight", 0),
    "everything": lambda p, m: p.l1_unstructured(m, "weight", 1.0),
    "bias": lambda p, m: p.l1_unstructured(m, "bias", 1),
    "by importance": lambda p, m: p.l1_unstructured(m, "weight", 7, (m.weight + 0.4).cos()),
    "channels out": lambda p, m: p.ln_structured(m, "weight", 1, n=2, dim=0),
    "channels in": lambda p, m: p.ln_structured(m, "weight", 0.5, n=1, dim=-3),
    "the last dim": lambda p, m: p.ln_structured(m, "weight", 1, n=float("inf"), dim=-1),
    "no channel": lambda p, m: p.ln_structured(m, "weight", 0.0, 2, 1),
    "channels by importance": lambda p, m: p.ln_structured(
        m, "weight", 1, 2, 0, importance_scores=(m.weight * 3).exp()
    ),
    "mask": lambda p, m: p.custom_from_mask(m, "weight", mask=m.weight > 0),
    "elements of elements": lambda p, m: [
        p.l1_unstructured(m, "weight", 0.3), p.l1_unstructured(m, "weight", 0.5)
    ],
    "channels of elements": lambda p, m: [
        p.l1_unstructured(m, "weight", 9), p.ln_structured(m, "weight", 1, 2, dim=-3)
    ],
    "channels of channels": lambda p, m: [
        p.ln_structured(m, "weight", 1, 2, 0), p.ln_structured(m, "weight", 1, 2, dim=0),
        p.custom_from_mask(m, "weight", m.weight < 0.9), p.identity(m, "weight"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_it_prunes_as_torch_does(way):
    def program(f):
        layer, p = layer_of(f), prune_of(f)
        parameters = dict(layer.named_parameters())
        before = p.is_pruned(layer)
        WAYS[way](p, layer)
        name = "bias" if way == "bias" else "weight"
        same = getattr(layer, f"{name}_orig") is parameters[name]
        kept = getattr(layer, name).detach().clone()
        x = f.arange(32.0, dtype=f.float64).reshape(1, 2, 4, 4).cos()
        optimizer = f.optim.SGD(layer.parameters(), lr=0.1)
        outs = []
        for _ in range(2):
            out = layer(x)
            optimizer.zero_grad()
            (out**2).sum().backward()
            optimizer.step()
            outs += [out, *[q.grad.clone() for q in layer.parameters()]]
        state = {n: t.clone() for n, t in layer.state_dict().items()}
        flags = [before, p.is_pruned(layer), p.is_pruned(f.nn.Sequential(layer)), same]
        removed = p.remove(layer, name) is layer
        flags += [removed, p.is_pruned(layer), getattr(layer, name) is parameters[name]]
        return kept, outs, list(state), state, flags, layer.state_dict(), layer(x)

    agree(program)


def test_a_container_holds_what_was_done():
    def program(f):
        layer, p = layer_of(f), prune_of(f)
        p.l1_unstructured(layer, "weight", 2)
        p.ln_structured(layer, "weight", 1, 2, 0)
        p.l1_unstructured(layer, "bias", 1)
        hooks = list(layer._forward_pre_hooks.values())
        (container,) = [h for h in hooks if h._tensor_name == "weight"]
        kinds = [type(m).__name__ for m in container], len(container), type(container[1]).__name__
        return kinds, [type(h).__name__ for h in hooks], isinstance(container, p.PruningContainer)

    agree(program)


def test_several_tensors_are_pruned_as_one():
    def program(f):
        p = prune_of(f)
        model = f.nn.Sequential(layer_of(f), f.nn.Flatten(), layer_of(f, "Linear", 27, 4))
        which = [(model[0], "weight"), (model[2], "weight"), (model[2], "bias")]
        p.l1_unstructured(model[0], "weight", 3)
        p.global_unstructured(which, pruning_method=p.L1Unstructured, amount=0.4)
        first = model.state_dict()
        scores = {(model[0], "weight"): (model[0].weight * 5).cos() * 0.01}
        p.global_unstructured(which, p.L1Unstructured, importance_scores=scores, amount=20)
        zeros = sum((getattr(m, n) == 0).sum().item() for m, n in which)
        return first, model.state_dict(), zeros, model(f.ones(1, 2, 4, 4).double())

    agree(program)


@pytest.mark.parametrize("f", [mini, torch], ids=["mini", "torch"])
def test_at_random(f):
    """As many zeros as were asked for, elsewhere each time."""
    p = prune_of(f)

    def zeros(prune):
        layer = layer_of(f, "Linear", 8, 6)
        prune(layer)
        return layer.weight_mask == 0

    masks = [zeros(lambda m: p.random_unstructured(m, "weight", 0.25)) for _ in range(20)]
    assert {m.sum().item() for m in masks} == {12}
    assert not all(f.equal(m, masks[0]) for m in masks)
    masks = [zeros(lambda m: p.random_structured(m, "weight", 2, dim=1)) for _ in range(20)]
    assert all(sorted(m.sum(0).tolist()) == [0] * 6 + [6] * 2 for m in masks)
    assert not all(f.equal(m, masks[0]) for m in masks)
    several = [(layer_of(f), "weight"), (layer_of(f, "Linear", 3, 3), "weight")]
    p.global_unstructured(several, p.RandomUnstructured, amount=10)
    assert sum((getattr(m, n) == 0).sum().item() for m, n in several) == 10


def own_method(f):
    p = prune_of(f)

    class EverySecond(p.BasePruningMethod):
        PRUNING_TYPE = "unstructured"

        def compute_mask(self, t, default_mask):
            mask = default_mask.clone()
            mask.view(-1)[::2] = 0
            return mask

    layer = layer_of(f)
    EverySecond.apply(layer, "weight")
    EverySecond.apply(layer, "weight")
    t = f.arange(6.0) - 2.2
    free = [
        p.L1Unstructured(2).prune(t),
        p.L1Unstructured(2).prune(t, default_mask=(t > 1).float()),
        p.L1Unstructured(amount=1).prune(t, importance_scores=-t.exp()),
        p.LnStructured(1, 2).prune(t.reshape(2, 3)), EverySecond().prune(t),
        p.CustomFromMask(t > 0).prune(t),
        (p.RandomStructured(1, dim=0).prune(t.reshape(2, 3)) == 0).sum(),
    ]  # fmt: skip
    return layer.weight_mask, layer.weight, free


def test_a_method_of_ones_own():
    agree(own_method)


def unknown_kind(f, kind):
    p = prune_of(f)

    class Odd(p.Identity):
        PRUNING_TYPE = kind

    layer = layer_of(f)
    p.identity(layer, "weight")
    Odd.apply(layer, "weight")


ERRORS = {
    "text": lambda p, m: p.l1_unstructured(m, "weight", "much"),
    "more than all": lambda p, m: p.l1_unstructured(m, "weight", 1.5),
    "negative": lambda p, m: p.random_unstructured(m, "weight", -1),
    "negative share": lambda p, m: p.random_structured(m, "weight", -0.5, 0),
    "too many": lambda p, m: p.l1_unstructured(m, "weight", 25),
    "too many channels": lambda p, m: p.ln_structured(m, "weight", 4, 2, 0),
    "a vector": lambda p, m: p.ln_structured(m, "bias", 1, 2, 0),
    "a dim": lambda p, m: p.ln_structured(m, "weight", 1, 2, 4),
    "a dim below": lambda p, m: p.ln_structured(m, "weight", 1, 2, -5),
    "importance": lambda p, m: p.l1_unstructured(m, "weight", 1, m.bias),
    "importance of a tensor": lambda p, m: p.L1Unstructured(1).prune(
        m.weight, importance_scores=m.bias
    ),
    "mask": lambda p, m: p.custom_from_mask(m, "weight", m.bias),
    "not pruned": lambda p, m: p.remove(m, "weight"),
    "no such": lambda p, m: p.identity(m, "wait"),
    "structured of many": lambda p, m: p.global_unstructured(
        [(m, "weight")], p.LnStructured, amount=1, n=2
    ),
    "scores of many": lambda p, m: p.global_unstructured(
        [(m, "weight")], p.L1Unstructured, importance_scores=[m.weight], amount=1
    ),
    "no method": lambda p, m: p.PruningContainer(p.l1_unstructured(m, "weight", 1)),
    "another tensor": lambda p, m: p.PruningContainer(
        p.L1Unstructured.apply(m, "bias", 1)
    ).add_pruning_method(p.L1Unstructured.apply(m, "weight", 1)),
}
SAME_WORDS = {
    "another tensor": False,
    "no method": False,
    "structured of many": False,
}  # they show an object


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(lambda f: ERRORS[name](prune_of(f), layer_of(f)), SAME_WORDS.get(name, True))


@pytest.mark.parametrize("kind", ["structured", "else"])
def test_a_kind_that_is_not_known_is_refused(kind):
    same_error(lambda f: unknown_kind(f, kind))


def test_an_error_leaves_the_layer_as_it_was():
    def program(f):
        layer, p = layer_of(f), prune_of(f)
        with pytest.raises(ValueError, match="amount=99"):
            p.l1_unstructured(layer, "weight", 99)
        return sorted(layer.state_dict()), p.is_pruned(layer), layer(f.ones(1, 2, 3, 3).double())

    agree(program)
