"""One source under two frameworks: `agree(program)` runs program(mini) and program(torch)."""

import re

from dlcourse import mini
from dlcourse.testing import assert_matches

import pytest
import torch


def agree(program, **tolerance):
    """What the program returns must match; tensors, tuples, dicts, modules, numbers, strings."""
    assert_matches(program(mini), program(torch), **tolerance)


def sentence(error):
    """The first line of an error, without the framework's own name and torch's hints."""
    text = re.sub(r"\b(torch|mini)\.", "", str(error)).split("\n")[0]
    return text.split(" Hint: ")[0].strip()


def same_error(program, same_sentence=True):
    """Both must raise the same type of error, in the same words."""
    with pytest.raises(Exception) as theirs:
        program(torch)
    with pytest.raises(theirs.type) as ours:
        program(mini)
    if same_sentence:
        assert sentence(ours.value) == sentence(theirs.value)


# What programs of both begin with: the same weights and inputs, without a random number.
START = """
def start(model):
    with torch.no_grad():
        for i, p in enumerate(model.parameters()):
            wave = torch.arange(p.numel()).reshape(p.shape).double() * (0.7 + i)
            p.copy_(wave.sin() / p[0].numel() ** 0.5)
    return model

def numbers(*shape, times=1.3):
    n = 1
    for size in shape:
        n *= size
    return (torch.arange(n).double() * times).cos().reshape(*shape)
"""
