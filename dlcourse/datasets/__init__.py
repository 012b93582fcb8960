"""Real data as NumPy arrays.

embedded.py     sets that come with the course and are always there
full.py         the full sets, through torchvision, when they can be had
"""

from dlcourse.datasets.embedded import DataError, digits, embedded_path
from dlcourse.datasets.full import FallbackWarning, cache_folder, mnist

__all__ = ["DataError", "FallbackWarning", "cache_folder", "digits", "embedded_path", "mnist"]
