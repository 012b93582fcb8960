"""Deep learning twice: from scratch on NumPy (`dlcourse.mini`) and in PyTorch, proved equal.

Importing this package imports neither NumPy nor torch nor matplotlib: each part brings its own.
"""

__version__ = "0.1.0"

from dlcourse._torchvision import install as _install_torchvision_finder

_install_torchvision_finder()
