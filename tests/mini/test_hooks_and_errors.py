"""Hooks of a module whose call raises an error."""

import pytest
from both import agree, same_error


def seen_by_hooks(f):
    def wrong(*_):
        raise ValueError("wrong")

    layer, seen = f.nn.Linear(2, 2), []
    layer.register_forward_pre_hook(lambda layer, args: (f.ones(1, 2),))
    for before in (True, False):
        layer.register_forward_hook(
            lambda layer, args, out: seen.extend([args[0], out is None]), always_call=True
        )
        if before:
            layer.register_forward_hook(wrong)
    with pytest.raises(ValueError, match="wrong"):
        layer(f.zeros(1, 2))
    return seen


def two_errors(f):
    def wrong(*_):
        raise ValueError("wrong")

    layer = f.nn.Linear(2, 2)
    layer.register_forward_hook(wrong, always_call=True)
    with pytest.warns(UserWarning, match="silenced as another error was raised .*: wrong"):
        layer(f.ones(1, 3))


def no_pair(f):
    layer = f.nn.Linear(2, 2)
    layer.register_forward_pre_hook(lambda layer, args, kwargs: 3, with_kwargs=True)
    layer(f.ones(1, 2))


def test_a_hook_that_is_always_called_sees_what_there_is():
    agree(seen_by_hooks)


@pytest.mark.parametrize("program", [two_errors, no_pair])
def test_the_error_is_that_of_torch(program):
    same_error(program)
