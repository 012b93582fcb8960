"""What programs ask about Intel's graphics cards: mini does not use them."""

__all__ = [
    "device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all", "synchronize",
]  # fmt: skip


def is_available():
    """False: mini computes on the CPU alone."""
    return False


def device_count():
    """0."""
    return 0


def manual_seed(seed):
    """Nothing: there is no device to seed."""


manual_seed_all = manual_seed


def empty_cache():
    """Nothing: there is no memory to give back."""


def synchronize(device=None):
    """Refused: there is nothing to wait for."""
    raise AssertionError("Torch not compiled with XPU enabled")
