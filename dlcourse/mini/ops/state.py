"""What one asks a tensor: numbers, sizes, types.

No gradient passes here but through `to`.
"""

import builtins
import copy

from dlcourse.mini import _dtype
from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._device import CPU, require_cpu
from dlcourse.mini._dtype import contiguous_format, preserve_format
from dlcourse.mini.ops.creation import Dtype
from dlcourse.mini.ops.pointwise import To
from dlcourse.mini.ops.shape import unbind, wrap_dim

import numpy as np

# -- as something of Python or NumPy ---------------------------------------------------------------


def item(self):
    """The one element as a Python number."""
    if self._data.size != 1:
        raise RuntimeError(
            f"a Tensor with {self._data.size} elements cannot be converted to Scalar"
        )
    return self._data.item()


def to_float(self):
    """`float(tensor)` of one element."""
    return builtins.float(item(self))


def to_int(self):
    """`int(tensor)` of one element."""
    return builtins.int(item(self))


def to_bool(self):
    """The truth of one element."""
    if self._data.size != 1:
        what = "no values" if self._data.size == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
    return builtins.bool(item(self))


def to_index(self):
    """A tensor of one integer where Python wants an index."""
    if self._data.dtype.kind not in "iub" or self._data.size != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return builtins.int(item(self))


def tolist(self):
    """Nested lists of Python numbers; of a 0-d tensor the number itself."""
    return self._data.tolist()


def numpy(self, *, force=False):
    """The array itself, memory shared."""
    if self.requires_grad and not force:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    return self._data


def to_array(self, dtype=None, copy=None):
    """What np.asarray(tensor) asks for."""
    return np.array(numpy(self), dtype=dtype, copy=copy)


def identity(self):
    """The hash of a tensor: its identity, for == compares element by element."""
    return id(self)


def length(self):
    """The length of the first dimension."""
    if self._data.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return self._data.shape[0]


def iterate(self):
    """The slices along the first dimension."""
    if self._data.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(unbind(self, 0))


def formatted(self, spec):
    """`format(tensor, spec)`: of a 0-d tensor that of its number."""
    return format(self._data.item(), spec) if self._data.ndim == 0 else format(repr(self), spec)


def deepcopy(self, memo):
    """A copy of a leaf, with a copy of its gradient."""
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
            "protocol at the moment."
        )
    out = memo[id(self)] = rebuild(builtins.type(self), self._data.copy(), self._requires_grad)
    if self._grad is not None:
        out._grad = wrap(self._grad._data.copy())
    vars(out).update(copy.deepcopy(vars(self), memo))
    return out


def reduce(self):
    """What pickle keeps: kind, values, whether it requires a gradient, what users have set."""
    return rebuild, (builtins.type(self), self._data, self.requires_grad), vars(self)


def rebuild(kind, array, requires_grad):
    """The tensor that `reduce` took apart."""
    out = object.__new__(kind)
    out._hold(array, requires_grad)
    return out


# -- its shape -------------------------------------------------------------------------------------


def size(self, dim=None):
    """The shape, or the length of one dimension."""
    if dim is None:
        return self.shape
    dim = wrap_dim(dim, self._data.ndim)
    if self._data.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return self._data.shape[dim]


def numel(self):
    """The number of elements."""
    return self._data.size


def dim(self):
    """The number of dimensions."""
    return self._data.ndim


def stride(self, dim=None):
    """How many elements further the next one of each dimension (or of one) lies in memory."""
    strides = tuple(s // self._data.itemsize for s in self._data.strides)
    return strides if dim is None else strides[wrap_dim(dim, self._data.ndim)]


def storage_offset(self):
    """How many elements into the memory that it shares its first element lies."""
    root = self._data
    while isinstance(root.base, np.ndarray):
        root = root.base
    return (data_ptr(self) - root.ctypes.data) // self._data.itemsize


def data_ptr(self):
    """The address of the first element: equal for tensors that start at the same memory."""
    return self._data.ctypes.data


def is_contiguous(self, memory_format=contiguous_format):
    """Whether the elements lie in memory in the order of their indices, or of that format."""
    if memory_format.order is None:
        return self._data.flags.c_contiguous
    fits = self._data.ndim == len(memory_format.order)
    return fits and self._data.transpose(memory_format.order).flags.c_contiguous


def contiguous(self, memory_format=contiguous_format):
    """Itself when its memory is in that order, else a copy."""
    if is_contiguous(self, memory_format):
        return self
    return self.clone(memory_format=memory_format)


# -- its type --------------------------------------------------------------------------------------


def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False,
       memory_format=preserve_format):  # fmt: skip
    """`to(dtype)`, `to(other)` or `to("cpu")`; the tensor itself when nothing changes, or a copy.

    `non_blocking` changes nothing: there is nothing to wait for.  `memory_format` is the order of
    the elements in memory.
    """
    require_cpu(device)
    for arg in args:
        if isinstance(arg, Dtype | Tensor):
            dtype = arg if isinstance(arg, Dtype) else arg.dtype
        elif not isinstance(arg, builtins.bool):
            require_cpu(arg)
    out = self
    if dtype is not None and dtype is not self.dtype:
        out = To.apply(self, dtype)
    elif copy:
        out = self.clone()
    return out if memory_format is preserve_format else contiguous(out, memory_format)


def type_as(self, other):
    """In the type of `other`."""
    return to(self, other.dtype)


def is_floating_point(self):
    """Whether the elements are floats."""
    return self.dtype.is_floating_point


def cpu(self):
    """Itself: mini knows no other device."""
    return self


def pin_memory(self):
    """Refused: memory is pinned for a device that copies from it, and there is none."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


def is_pinned(self):
    """False: it lies in ordinary memory."""
    return False


def float(self):
    """As float32."""
    return to(self, _dtype.float32)


def double(self):
    """As float64."""
    return to(self, _dtype.float64)


def long(self):
    """As int64."""
    return to(self, _dtype.int64)


def int(self):
    """As int32."""
    return to(self, _dtype.int32)


def bool(self):
    """As booleans: what is not 0 is True."""
    return to(self, _dtype.bool_)


def half(self):
    """As float16."""
    return to(self, _dtype.float16)


def bfloat16(self):
    """Refused: NumPy has no bfloat16."""
    return to(self, _dtype.bfloat16)


def short(self):
    """As int16."""
    return to(self, _dtype.int16)


def char(self):
    """As int8."""
    return to(self, _dtype.int8)


def byte(self):
    """As uint8."""
    return to(self, _dtype.uint8)


_NAMES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "int64": "Long", "int32": "Int",
    "int16": "Short", "int8": "Char", "uint8": "Byte", "bool": "Bool",
}  # fmt: skip


def type(self, dtype=None):
    """As that dtype, LongTensor or the like, or "torch.LongTensor"; without one the name."""
    if dtype is None:
        return f"torch.{_NAMES[self.dtype.name]}Tensor"
    if isinstance(dtype, str):
        known = {f"torch.{kind}Tensor": name for name, kind in _NAMES.items()}
        if dtype not in known:
            raise ValueError(f"invalid type: '{dtype}'")
        dtype = _dtype.DTYPES[known[dtype]]
    return to(self, getattr(dtype, "dtype", dtype))  # LongTensor stands for its dtype


def element_size(self):
    """The bytes of one element."""
    return self._data.itemsize


def nbytes(self):
    """The bytes of all elements."""
    return self._data.nbytes


def device(self):
    """Where it lives: the CPU."""
    return CPU


def is_cpu(self):
    """True: mini knows no other device."""
    return True


def is_cuda(self):
    """False: mini knows no other device than the CPU."""
    return False


def is_sparse(self):
    """False: mini's tensors are dense, and hold their numbers."""
    return False


is_meta = is_mps = is_quantized = is_xpu = is_sparse


def is_complex(self):
    """False: mini has no complex numbers."""
    return False


def is_signed(self):
    """Whether the type has negative numbers."""
    return self._data.dtype.kind in "if"


def is_nonzero(self):
    """Whether the one element is not 0."""
    return to_bool(self)


def get_device(self):
    """-1: on the CPU."""
    return -1


def cuda(self, device=None, non_blocking=False):
    """Refused: mini knows no other device."""
    raise AssertionError("Torch not compiled with CUDA enabled")


def is_same_size(self, other):
    """Whether both have the same shape."""
    return self._data.shape == other._data.shape
