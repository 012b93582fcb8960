"""Which types of numbers an operation takes, and of which type its result is: as in torch."""

import itertools

from dlcourse import mini
from dlcourse.testing import assert_matches

import pytest
import torch
from both import same_error, sentence

TYPES = ("bool", "uint8", "int64", "float32", "float64")
NUMBERS = {"True": True, "2": 2, "1.5": 1.5}
PAIRS = [*itertools.product(TYPES, repeat=2)]
WITH_NUMBERS = [p for a in TYPES for n in NUMBERS for p in ((a, n), (n, a))]
GRID = [[1, 2, 3], [3, 1, 2]]


def value(f, kind, data=GRID):
    """A tensor of that type, or the number of that name."""
    if kind in NUMBERS:
        return NUMBERS[kind]
    data = [[n > 1 for n in row] for row in data] if kind == "bool" else data
    return f.tensor(data, dtype=getattr(f, kind))


def outcome(f, program):
    """What a program returns, or the type and the sentence of its error."""
    try:
        return program(f)
    except Exception as error:
        return type(error).__name__.strip("_"), sentence(error)


def same_outcome(program, where):
    ours, theirs = outcome(mini, program), outcome(torch, program)
    if isinstance(ours, tuple) or isinstance(theirs, tuple):
        assert ours == theirs, where
    else:
        assert_matches(ours, theirs)


def test_there_is_no_subtraction_with_booleans():
    def masks(f, alpha):
        return [
            lambda x, y: x - y, lambda x, y: f.sub(x, y, alpha=alpha), lambda x, y: y - x,
            lambda x, y: f.rsub(y, x, alpha=alpha) if isinstance(y, f.Tensor) else x - y,
        ]  # fmt: skip

    kinds = [p for p in PAIRS + WITH_NUMBERS if "bool" in p or "True" in p]
    for a, b in kinds:
        for way, alpha in itertools.product(range(4), (1, 2)):
            same_error(
                lambda f, a=a, b=b, way=way, alpha=alpha: masks(f, alpha)[way](
                    value(f, a), value(f, b)
                )
            )


def test_nothing_is_subtracted_from_booleans_in_place():
    for a, b in PAIRS + [(a, n) for a in TYPES for n in NUMBERS]:
        same_outcome(lambda f, a=a, b=b: value(f, a).sub_(value(f, b)), (a, b))


@pytest.mark.parametrize("name", ["add", "sub", "rsub"])
@pytest.mark.parametrize("alpha", [True, 2, 0.5])
def test_alpha_fits_the_result(name, alpha):
    for a, b in PAIRS + [(a, n) for a in TYPES for n in NUMBERS]:
        same_outcome(
            lambda f, a=a, b=b: getattr(f, name)(value(f, a), value(f, b), alpha=alpha), (a, b)
        )


# -- losses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"reduction": "none"}, {"reduction": "sum"}, {}])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_losses_of_two_types(name, options):
    for a, b in PAIRS:
        same_outcome(
            lambda f, a=a, b=b: getattr(f.nn.functional, name)(value(f, a), value(f, b), **options),
            (a, b),
        )


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("name", ["mse_loss", "smooth_l1_loss", "huber_loss"])
def test_gradients_of_losses_of_two_types(name, which):
    def program(f, kinds):
        pair = [value(f, kind) for kind in kinds]
        x = pair[which].requires_grad_()
        getattr(f.nn.functional, name)(*pair).backward()
        return x.grad

    for kinds in PAIRS:
        if "float" in kinds[which]:
            same_outcome(lambda f, kinds=kinds: program(f, kinds), kinds)
