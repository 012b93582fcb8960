"""What programs ask about the graphics processor of a Mac: mini does not use it."""

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "synchronize"]


def is_available():
    """False: mini computes on the CPU alone."""
    return False


def device_count():
    """0."""
    return 0


def manual_seed(seed):
    """Nothing: there is no device to seed."""


def empty_cache():
    """Refused: there is no memory to give back."""
    raise RuntimeError("Cannot execute emptyCache() without MPS backend.")


def synchronize():
    """Refused: there is nothing to wait for."""
    raise RuntimeError("Cannot execute deviceSynchronize() without MPS backend.")
