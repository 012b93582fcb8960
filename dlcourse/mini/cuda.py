"""What programs ask about graphics cards: there are none here."""

from dlcourse.mini import amp

__all__ = ["amp", "device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all"]


def is_available():
    """False: mini computes on the CPU alone."""
    return False


def device_count():
    """0."""
    return 0


def manual_seed(seed):
    """Nothing: there is no device to seed."""


def manual_seed_all(seed):
    """Nothing: there is no device to seed."""


def empty_cache():
    """Nothing: there is no memory to give back."""
