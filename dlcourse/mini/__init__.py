"""mini: a small torch on NumPy.  `from dlcourse import mini` reads like `import torch`."""

from math import e, inf, nan, pi

from dlcourse.mini import (
    _dtype,
    autograd,
    backends,
    cuda,
    func,
    jit,
    linalg,
    nn,
    ops,
    optim,
    random,
    special,
    utils,
)
from dlcourse.mini._core import Tensor
from dlcourse.mini._device import device
from dlcourse.mini._dtype import Size, dtype, finfo, get_default_dtype, iinfo, set_default_dtype
from dlcourse.mini._grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from dlcourse.mini._memory import keep_freed_memory
from dlcourse.mini._serialization import load, save
from dlcourse.mini.autograd.anomaly import is_anomaly_enabled
from dlcourse.mini.jit import compile
from dlcourse.mini.ops.creation import Generator, default_generator

keep_freed_memory()

__all__ = [
    "Generator", "Size", "Tensor", "autograd", "backends", "compile", "cuda",
    "default_generator", "device", "dtype", "e", "enable_grad", "finfo", "func",
    "get_default_dtype", "iinfo", "inf", "inference_mode", "is_anomaly_enabled",
    "is_grad_enabled", "is_inference_mode_enabled", "jit", "linalg", "load", "nan", "nn",
    "no_grad", "optim", "pi", "random", "save", "set_default_dtype", "set_grad_enabled",
    "special", "utils",
]  # fmt: skip

# mini.float32 and the like, mini.add and the like: each stands in one table.
globals().update(_dtype.DTYPES, **ops.FUNCTIONS, **ops.FREE)
__all__ += [*_dtype.DTYPES, *ops.FUNCTIONS, *ops.FREE]
