"""Switches that torch's programs set once at their top.  What mini cannot do is refused."""

import warnings

from dlcourse.mini._device import CPU, require_cpu
from dlcourse.mini._dtype import set_default_dtype
from dlcourse.mini.ops.creation import empty


def set_num_threads(num_threads):
    """Accept a number of threads."""
    # NB: in torch it sets how many threads compute; NumPy's are set before Python starts, by the
    # environment variables OMP_NUM_THREADS and OPENBLAS_NUM_THREADS.
    if not isinstance(num_threads, int):
        raise TypeError(f"set_num_threads expects an int, but got {type(num_threads).__name__}")
    if num_threads <= 0:
        raise RuntimeError("set_num_threads expects a positive integer")


def get_num_threads():
    """1: mini itself computes in one thread, whatever NumPy's matrix products do."""
    return 1


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Accept any mode: mini computes the same numbers from the same seed anyhow."""


def are_deterministic_algorithms_enabled():
    """True: mini computes the same numbers from the same seed."""
    return True


def set_default_device(device):
    """Accept the CPU."""
    require_cpu(device)


def get_default_device():
    """The CPU."""
    return CPU


def set_default_tensor_type(t):
    """`set_default_dtype` by an old name: DoubleTensor or "torch.DoubleTensor"."""
    warnings.warn(
        "torch.set_default_tensor_type() is deprecated as of PyTorch 2.1, please use "
        "torch.set_default_dtype() and torch.set_default_device() as alternatives.",
        stacklevel=2,
    )
    set_default_dtype(empty(0).type(t).dtype)


def is_autocast_enabled(device_type=None):
    """False: mini computes in the types of its operands."""
    return False


def set_float32_matmul_precision(precision):
    """Accept a precision; matrix products of float32 are always exact to float32."""
    if precision not in ("highest", "high", "medium"):
        warnings.warn(f"{precision} is not one of 'highest', 'high', or 'medium'", stacklevel=2)


def get_float32_matmul_precision():
    """The precision of matrix products of float32: the highest."""
    return "highest"
