"""The cells of a notebook run in order, though tests do not; see compare.py."""

from dlcourse.book.compare import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]
