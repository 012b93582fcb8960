"""Helpers, under the names of torch.utils."""

from dlcourse.mini.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
