"""Deep learning twice: from scratch on NumPy (`dlcourse.mini`) and in PyTorch, proved equal.

Importing this package imports neither NumPy nor torch nor matplotlib: each part brings its own. It
only sees to it that a later `import torchvision` works beside any build of torch.
"""

from dlcourse import _torchvision

__version__ = "0.1.0"

_torchvision.install()
