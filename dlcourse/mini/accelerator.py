"""What programs ask about any other device than the CPU: there is none."""

from dlcourse.mini._errors import refusing


def is_available():
    """False: mini computes on the CPU alone."""
    return False


def device_count():
    """0."""
    return 0


def current_accelerator(check_available=False):
    """None: there is no accelerator."""


NEEDS_ONE = "current_device_index empty_cache memory_allocated set_device_index synchronize"
NONE = "Cannot access accelerator device when none is available."
globals().update(refusing(NEEDS_ONE, RuntimeError, NONE))

__all__ = ["current_accelerator", "device_count", "is_available", *NEEDS_ONE.split()]
