"""NVIDIA's library of layers, which is not there: its switches are kept, and change nothing."""

import contextlib

__all__ = ["flags", "is_available", "version"]

enabled, benchmark, deterministic, allow_tf32 = True, False, False, True


def is_available():
    """False: mini computes with NumPy alone."""
    return False


def version():
    """None: it is not there."""


@contextlib.contextmanager
def flags(enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True):
    """A context in which nothing changes."""
    yield
