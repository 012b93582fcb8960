"""The state of generators, fork_rng, and functional_call."""

import io

from dlcourse import mini

import pytest
import torch
from both import agree, same_error


def test_a_state_is_a_tensor_of_bytes_that_can_be_saved():
    def program(f):
        g = f.Generator().manual_seed(3)
        f.rand(5, generator=g)
        file = io.BytesIO()
        f.save({"rng": g.get_state()}, file)
        first = f.rand(4, generator=g)
        file.seek(0)
        g.set_state(f.load(file)["rng"].clone())
        again = f.rand(4, generator=g)
        other = f.Generator()
        other.set_state(g.get_state())
        same = f.equal(f.randn(3, generator=g), f.randn(3, generator=other))
        return f.equal(first, again), same, other.initial_seed(), g.get_state().dtype is f.uint8

    agree(program)


def test_the_default_generator_goes_on_from_a_state():
    def program(f):
        f.manual_seed(5)
        state = f.get_rng_state()
        first = f.rand(3)
        f.random.set_rng_state(state)
        return f.equal(first, f.rand(3)), f.random.initial_seed(), str(f.Generator().device)

    agree(program)


def the_default_generator(f):
    generator = f.default_generator
    f.manual_seed(7)
    seed, state = generator.initial_seed(), generator.get_state()
    first = f.rand(3)
    generator.set_state(state)
    repeated = f.equal(f.rand(3), first)
    same = generator is f.random.default_generator
    return seed, repeated, same, f.equal(generator.get_state(), f.get_rng_state())


def test_the_default_generator_is_one_and_draws():
    agree(the_default_generator)


def test_fork_rng():
    def program(f):
        seen = []
        for enabled in (True, False):
            f.manual_seed(1)
            with f.random.fork_rng(enabled=enabled):
                inside = f.rand(3)
            seen.append(f.equal(inside, f.rand(3)))
            f.manual_seed(1)
            with pytest.raises(RuntimeError), f.random.fork_rng(devices=[]):
                f.rand(1) @ f.rand(2)
            seen.append(f.equal(inside, f.rand(3)))
        return seen

    agree(program)


def test_wrong_states_are_refused():
    g = mini.Generator()
    with pytest.raises(TypeError, match="uint8"):
        g.set_state({"state": 1})
    with pytest.raises(RuntimeError, match="no state of a generator"):
        g.set_state(mini.zeros(3, dtype=mini.uint8))
    with pytest.raises(RuntimeError, match="CPU alone"), mini.random.fork_rng(devices=[0]):
        pass


# -- functional_call -------------------------------------------------------------------------------


def model_of(f):
    model = f.nn.Sequential(f.nn.Linear(2, 3), f.nn.BatchNorm1d(3), f.nn.Linear(3, 1))
    with f.no_grad():
        for i, p in enumerate(model.parameters()):
            p.copy_(f.arange(float(p.numel())).reshape(p.shape) * 0.1 + i)
    return model


def called(f):
    model, x = model_of(f), f.arange(8.0).reshape(4, 2).sin()
    given = {n: (p.detach() * 2).requires_grad_() for n, p in model.named_parameters()}
    buffers = {n: b + 1 for n, b in model.named_buffers()}
    call, before = f.func.functional_call, model.state_dict()["0.weight"].clone()
    out = call(model, (given, buffers), x)
    out.sum().backward()
    part = call(model, {"2.bias": f.ones(1) * 5}, (x,))
    after = model.state_dict()["0.weight"]
    kept = [type(p).__name__ for p in model.parameters()]
    grads = [given[n].grad for n in given], [p.grad for p in model.parameters()]
    ignored = call(model, {"nothing": f.ones(1)}, x)
    return out, part, ignored, f.equal(before, after), kept, grads, buffers


def tied(f):
    class Tied(f.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = f.nn.Parameter(f.ones(1))
            self.b = self.a

        def forward(self, x=1.0, *, scale=1.0):
            return (self.a * 2 + self.b) * x * scale

    model, given = Tied(), {"a": f.tensor([5.0])}
    call = f.func.functional_call
    return [
        call(model, given), call(model, given, tie_weights=False), model(),
        call(model, given, (2.0,), {"scale": 3.0}),
    ]  # fmt: skip


def failing(f):
    """An error in the middle leaves the module as it was."""
    model = f.nn.Linear(2, 1)
    weight = model.weight
    with pytest.raises(RuntimeError):
        f.func.functional_call(model, {"weight": f.ones(7, 7)}, f.ones(1, 2))
    return model.weight is weight


@pytest.mark.parametrize("program", [called, tied, failing])
def test_functional_call(program):
    agree(program)


def replaced(f, *args, **options):
    f.func.functional_call(f.nn.Linear(1, 1), *args, f.ones(1), **options)


ERRORS = {
    "strict and a stranger": lambda f: replaced(f, {"x": f.ones(1)}, strict=True),
    "strict and one missing": lambda f: replaced(f, {"weight": f.ones(1, 1)}, strict=True),
    "a number": lambda f: replaced(f, {"weight": 3}),
    "no dict": lambda f: replaced(f, 3),
    "no dicts": lambda f: replaced(f, [3]),
    "twice": lambda f: replaced(f, [{"weight": 3}, {"weight": 4}]),
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name])
    if name.startswith("strict"):
        with pytest.raises(RuntimeError) as theirs:
            ERRORS[name](torch)
        with pytest.raises(RuntimeError) as ours:
            ERRORS[name](mini)
        assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("draw", ["rand", "randn"])
def test_draws_have_all_the_digits_of_their_type(draw):
    def program(f):
        draws = [getattr(f, draw)(200, dtype=dtype).double() for dtype in (f.float32, f.float64)]
        return [bool((x.float().double() == x).all()) for x in draws]

    agree(program)
    assert program(mini) == [True, False]
