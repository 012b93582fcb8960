"""mini: a small torch on NumPy.  `from dlcourse import mini` reads like `import torch`."""

import importlib
from math import e, inf, nan, pi

from dlcourse.mini import (
    _dtype,
    accelerator,
    amp,
    autograd,
    backends,
    compiler,
    cuda,
    distributed,
    func,
    jit,
    linalg,
    mps,
    nn,
    ops,
    optim,
    random,
    special,
    utils,
    version,
    xpu,
)
from dlcourse.mini._absent import ABSENT
from dlcourse.mini._core import Tensor
from dlcourse.mini._device import device
from dlcourse.mini._dtype import (
    Size,
    channels_last,
    channels_last_3d,
    contiguous_format,
    dtype,
    finfo,
    get_default_dtype,
    iinfo,
    memory_format,
    preserve_format,
    set_default_dtype,
)
from dlcourse.mini._format import set_printoptions
from dlcourse.mini._grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from dlcourse.mini._integers import count_in_int64
from dlcourse.mini._memory import keep_freed_memory
from dlcourse.mini._serialization import load, save
from dlcourse.mini._settings import (
    are_deterministic_algorithms_enabled,
    get_default_device,
    get_float32_matmul_precision,
    get_num_threads,
    is_autocast_enabled,
    set_default_device,
    set_default_tensor_type,
    set_float32_matmul_precision,
    set_num_threads,
    use_deterministic_algorithms,
)
from dlcourse.mini.amp import autocast
from dlcourse.mini.autograd.anomaly import is_anomaly_enabled
from dlcourse.mini.func import vmap
from dlcourse.mini.jit import compile
from dlcourse.mini.ops.creation import Generator, default_generator

__version__ = version.__version__
newaxis = None  # x[:, newaxis]

count_in_int64()
keep_freed_memory()

__all__ = [
    "Generator", "Size", "Tensor", "accelerator", "amp",
    "are_deterministic_algorithms_enabled", "autocast", "autograd", "backends", "channels_last",
    "channels_last_3d", "compile", "compiler", "contiguous_format", "cuda", "default_generator",
    "device", "distributed", "distributions", "dtype", "e", "enable_grad", "finfo", "func",
    "get_default_device", "get_default_dtype", "get_float32_matmul_precision",
    "get_num_threads", "iinfo", "inf", "inference_mode", "is_anomaly_enabled",
    "is_autocast_enabled", "is_grad_enabled", "is_inference_mode_enabled", "jit", "linalg",
    "load", "memory_format", "mps", "nan", "nn", "no_grad", "optim",
    "pi", "preserve_format", "random", "save", "set_default_device",
    "set_default_dtype", "set_default_tensor_type", "set_float32_matmul_precision",
    "set_grad_enabled", "set_num_threads", "set_printoptions", "special",
    "use_deterministic_algorithms", "utils", "version", "vmap", "xpu",
]  # fmt: skip

# mini.float32 and the like, mini.add and the like: each stands in one table.
globals().update(_dtype.DTYPES, **ops.FUNCTIONS, **ops.FREE)
__all__ += [*_dtype.DTYPES, *ops.FUNCTIONS, *ops.FREE]

# Functions of nn.functional that are mini.name as well, with the same arguments.
FUNCTIONAL = """
    adaptive_avg_pool1d avg_pool1d bilinear celu celu_ channel_shuffle
    conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity
    dropout group_norm hardshrink layer_norm max_pool1d max_pool2d max_pool3d pairwise_distance
    pixel_shuffle pixel_unshuffle prelu relu_ rms_norm rrelu selu selu_ threshold threshold_
"""
# In-place methods that are functions, too: mini.exp_(x) is x.exp_().
IN_PLACE = """
    abs_ acos_ acosh_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_
    ceil_ clamp_ clamp_max_ clamp_min_ clip_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_
    expm1_ fill_ fix_ floor_ frac_ gcd_ index_put_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_
    nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_
    square_ tan_ tanh_ trunc_ xlogy_ zero_
"""
globals().update({name: getattr(nn.functional, name) for name in FUNCTIONAL.split()})
globals().update({name: getattr(Tensor, name) for name in IN_PLACE.split()})
__all__ += [*FUNCTIONAL.split(), *IN_PLACE.split()]


def __getattr__(name):
    """What few programs need is imported when it is first asked for."""
    if name == "distributions":
        return importlib.import_module("dlcourse.mini.distributions")
    why = f": {ABSENT[name]}" if name in ABSENT else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{why}")
