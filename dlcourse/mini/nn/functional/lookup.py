"""Rows of a table by their number, and numbers as rows."""

from dlcourse.mini.ops.creation import one_hot

__all__ = ["one_hot"]
