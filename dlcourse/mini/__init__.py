"""mini: a small torch on NumPy.  `from dlcourse import mini` reads like `import torch`."""

from dlcourse.mini import _dtype, autograd, nn, ops, optim, utils
from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import Size, dtype, get_default_dtype, set_default_dtype
from dlcourse.mini._grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from dlcourse.mini._serialization import load, save
from dlcourse.mini.ops.compare import is_tensor
from dlcourse.mini.ops.creation import Generator, default_generator

__all__ = [
    "Generator", "Size", "Tensor", "autograd", "default_generator", "dtype",
    "enable_grad", "get_default_dtype", "inference_mode", "is_grad_enabled",
    "is_inference_mode_enabled", "is_tensor", "load", "nn", "no_grad", "optim", "save",
    "set_default_dtype", "set_grad_enabled", "utils",
]  # fmt: skip

# mini.float32 and the like, mini.add and the like: each stands in one table.
globals().update(_dtype.DTYPES, **ops.FUNCTIONS, **ops.FREE)
__all__ += [*_dtype.DTYPES, *ops.FUNCTIONS, *ops.FREE]
