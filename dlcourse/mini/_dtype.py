"""Data types, sizes, orders of memory, by torch's names: `mini.float32`, `mini.Size([2, 3])`."""

import numpy as np


class dtype:
    """A data type; `numpy` is NumPy's own, `itemsize` its bytes."""

    __slots__ = ("is_complex", "is_floating_point", "itemsize", "name", "numpy", "priority")

    def __init__(self, name, numpy_name, priority):
        self.name, self.numpy, self.priority = name, np.dtype(numpy_name), priority
        self.itemsize = self.numpy.itemsize
        self.is_floating_point, self.is_complex = self.numpy.kind == "f", self.numpy.kind == "c"

    @property
    def c_type(self):
        """The name that some of torch's error sentences use: "double"."""
        return _C_TYPES[self.name]

    @property
    def scalar_type(self):
        """The name that others use: "Double"."""
        rare = {"uint8": "Byte", "int8": "Char", "float16": "Half"}
        return rare.get(self.name) or _C_TYPES[self.name].split()[0].capitalize()

    def __repr__(self):
        return f"mini.{self.name}"

    def __reduce__(self):
        return named_dtype, (self.name,)


class AbsentDtype(dtype):
    """A data type that programs may name and compare, and that no tensor can have."""

    # NB: in torch tensors may be bfloat16; NumPy does not know it, so here it is a name alone.

    __slots__ = ()

    def __init__(self, name, itemsize):
        self.name, self.itemsize, self.priority = name, itemsize, 2
        self.is_floating_point, self.is_complex = True, False

    @property
    def numpy(self):
        raise TypeError(
            f"mini computes with NumPy, which has no {self.name}: use mini.float32, or "
            "mini.float16 for half the memory"
        )


class Size(tuple):
    """The shape of a tensor: a tuple that prints as torch's and knows its number of elements."""

    __slots__ = ()

    def numel(self):
        """The number of elements."""
        out = 1
        for size in self:
            out *= size
        return out

    def __repr__(self):
        return f"mini.Size({list(self)})"

    def __getitem__(self, index):
        out = tuple.__getitem__(self, index)
        return Size(out) if isinstance(index, slice) else out

    def __add__(self, other):
        return Size(tuple(self) + tuple(other))


class memory_format:
    """How the elements of a tensor lie in memory; their values and indices stay what they are."""

    # NB: in torch what is computed from a tensor in channels_last is in channels_last again; here
    # it lies as NumPy leaves it.

    __slots__ = ("name", "order")

    def __init__(self, name, order=None):
        self.name, self.order = name, order  # the dimensions from the outermost in

    def __repr__(self):
        return f"mini.{self.name}"

    def __reduce__(self):
        return self.name  # as which it stands in this module: each is the only one

    def arranged(self, array):
        """A copy of `array` whose elements lie in this order."""
        if self.order is None:
            return array.copy()
        if array.ndim != len(self.order):
            raise RuntimeError(f"required rank {len(self.order)} tensor to use {self.name} format")
        return array.transpose(self.order).copy().transpose(np.argsort(self.order))


preserve_format = memory_format("preserve_format")
contiguous_format = memory_format("contiguous_format")
channels_last = memory_format("channels_last", (0, 2, 3, 1))
channels_last_3d = memory_format("channels_last_3d", (0, 2, 3, 4, 1))


_C_TYPES = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int",
    "int32": "int", "int64": "long int", "float16": "c10::Half", "float32": "float",
    "float64": "double",
}  # fmt: skip

# `priority` orders the kinds for promotion: bool < integers < floats.
bool_ = dtype("bool", "bool", 0)
uint8 = dtype("uint8", "uint8", 1)
int8 = dtype("int8", "int8", 1)
int16 = dtype("int16", "int16", 1)
int32 = dtype("int32", "intc", 1)
int64 = dtype("int64", "int64", 1)
float16 = dtype("float16", "float16", 2)
float32 = dtype("float32", "float32", 2)
float64 = dtype("float64", "float64", 2)
bfloat16 = AbsentDtype("bfloat16", 2)

# All the names under which mini has them.
DTYPES = {
    "bool": bool_, "uint8": uint8, "int8": int8, "int16": int16, "short": int16, "int32": int32,
    "int": int32, "int64": int64, "long": int64, "float16": float16, "half": float16,
    "float32": float32, "float": float32, "float64": float64, "double": float64,
    "bfloat16": bfloat16,
}  # fmt: skip
_BY_NUMPY = {d.numpy: d for d in DTYPES.values() if d is not bfloat16}
_default = float32


class finfo:
    """The limits of a floating point type: `finfo(mini.float32).eps`; without one the default's."""

    def __init__(self, type=None):
        type = _default if type is None else type
        if not type.is_floating_point:
            raise TypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                "'torch.finfo'"
            )
        info = np.finfo(type.numpy)
        self.bits, self.dtype = info.bits, type.name
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.tiny)
        self.resolution = 10.0**-info.precision

    def __repr__(self):
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.tiny:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer type: `iinfo(mini.int64).max`."""

    def __init__(self, type):
        if type.numpy.kind not in "iu":
            raise TypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle "
                "'torch.iinfo'"
            )
        info = np.iinfo(type.numpy)
        self.bits, self.dtype, self.max, self.min = info.bits, type.name, info.max, info.min

    def __repr__(self):
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


def named_dtype(name):
    """mini's dtype of that name."""
    return DTYPES[name]


def from_numpy_dtype(numpy_dtype):
    """mini's dtype for one of NumPy's."""
    try:
        return _BY_NUMPY[numpy_dtype]
    except KeyError:
        known = ", ".join(d.name for d in _BY_NUMPY.values())
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{numpy_dtype.type.__name__}. "
            f"The only supported types are: {known}."
        ) from None


def get_default_dtype():
    """The type of floats that state none: float32."""
    return _default


def set_default_dtype(d):
    """Make `d`, a floating point dtype, the type of floats that state none."""
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    np.dtype(d.numpy)  # refuses what NumPy does not know
    _default = d
