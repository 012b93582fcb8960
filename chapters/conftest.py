"""The cells of a notebook run in their order, though the order of tests is random; see compare.py."""

from dlcourse.book.compare import pytest_collection_modifyitems

__all__ = ["pytest_collection_modifyitems"]
