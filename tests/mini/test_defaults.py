"""The defaults of arguments are torch's: what is nowhere left out in a test is wrong unseen."""

import inspect

from dlcourse import mini

import pytest
import torch

PLACES = {
    "nn": lambda f: f.nn,
    "nn.functional": lambda f: f.nn.functional,
    "nn.init": lambda f: f.nn.init,
    "nn.utils": lambda f: f.nn.utils,
    "optim": lambda f: f.optim,
    "optim.lr_scheduler": lambda f: f.optim.lr_scheduler,
    "autograd": lambda f: f.autograd,
    "utils.data": lambda f: f.utils.data,
}


def defaults(module, name):
    """Those that are numbers or words; none for what torch has in C++."""
    try:
        parameters = inspect.signature(getattr(module, name)).parameters.values()
    except (AttributeError, TypeError, ValueError):
        return {}
    kinds = bool | int | float | str
    return {p.name: p.default for p in parameters if isinstance(p.default, kinds)}


def compared(place):
    ours, theirs = PLACES[place](mini), PLACES[place](torch)
    names = [n for n in dir(ours) if not n.startswith("_")]
    return [(f"{place}.{n}", defaults(ours, n), defaults(theirs, n)) for n in names]


@pytest.mark.parametrize("place", PLACES)
def test_defaults_are_torchs(place):
    rows = compared(place)
    assert any(theirs for _, _, theirs in rows)
    for name, ours, theirs in rows:
        shared = ours.keys() & theirs.keys()
        assert {n: ours[n] for n in shared} == {n: theirs[n] for n in shared}, name
