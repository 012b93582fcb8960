"""torch's compiler to TorchScript, and `compile`: here programs run as they are."""

__all__ = ["export", "ignore", "is_scripting", "is_tracing", "script", "unused"]


def compile(model=None, **options):
    """The model or function itself."""
    # NB: in torch compile returns a faster twin, made on its first call; mini has no compiler.
    return (lambda function: function) if model is None else model


def script(obj, **options):
    """The module or function itself."""
    # NB: in torch jit.script translates what it gets to TorchScript, which runs without Python.
    return obj


def ignore(drop=False, **kwargs):
    """A decorator that does nothing, with or without arguments."""
    return drop if callable(drop) else lambda function: function


def unused(function):
    """A decorator that does nothing."""
    return function


def export(function):
    """A decorator that does nothing."""
    return function


def is_scripting():
    """False: nothing is ever translated."""
    return False


def is_tracing():
    """False: nothing is ever traced."""
    return False
