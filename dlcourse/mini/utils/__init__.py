"""Helpers, under the names of torch.utils."""

from dlcourse.mini.utils import data

__all__ = ["data"]
