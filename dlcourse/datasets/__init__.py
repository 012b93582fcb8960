"""Real data as NumPy arrays: embedded sets that are always there, and the full sets when they can be had."""

from dlcourse.datasets.embedded import DataError, digits, embedded_path

__all__ = ["DataError", "digits", "embedded_path"]
