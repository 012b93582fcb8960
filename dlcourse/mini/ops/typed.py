"""The old names of tensors by their types: FloatTensor, LongTensor and so on, and `Tensor.new`."""

from dlcourse.mini import _dtype
from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import Size
from dlcourse.mini.ops.creation import empty, tensor

import numpy as np


class TensorType:
    """The tensors of one dtype: a constructor, of data or by sizes, and what isinstance asks."""

    def __init__(self, name, dtype):
        self.__name__, self.dtype = name, dtype
        self.__doc__ = f"Makes a {dtype} tensor of data or by sizes; also for `isinstance`."

    def __call__(self, *args):
        """`FloatTensor([1, 2])` of data, FloatTensor(2, 3) by size."""
        if args and not isinstance(args[0], int | np.integer | Size):
            return tensor(args[0], dtype=self.dtype)
        return empty(*(args or (0,)), dtype=self.dtype)

    def __instancecheck__(self, value):
        return isinstance(value, Tensor) and value.dtype is self.dtype

    def __repr__(self):
        return f"<class 'mini.{self.__name__}'>"


class AbsentTensorType:
    """The tensors of a device that is not there: none is of this type, and none can be made."""

    def __init__(self, name):
        self.__name__ = name

    def __call__(self, *args):
        raise TypeError(
            f"type torch.{self.__name__} not available. Torch not compiled with CUDA enabled."
        )

    def __instancecheck__(self, value):
        return False

    def __repr__(self):
        return f"<class 'mini.{self.__name__}'>"


FloatTensor = TensorType("FloatTensor", _dtype.float32)
DoubleTensor = TensorType("DoubleTensor", _dtype.float64)
HalfTensor = TensorType("HalfTensor", _dtype.float16)
LongTensor = TensorType("LongTensor", _dtype.int64)
IntTensor = TensorType("IntTensor", _dtype.int32)
ShortTensor = TensorType("ShortTensor", _dtype.int16)
CharTensor = TensorType("CharTensor", _dtype.int8)
ByteTensor = TensorType("ByteTensor", _dtype.uint8)
BoolTensor = TensorType("BoolTensor", _dtype.bool_)


def new(self, *args):
    """A tensor of the same dtype, of data or by sizes: the old `new_tensor` and `new_empty`."""
    return TensorType("new", self.dtype)(*args)


def typename(obj):
    """The name of an object's type; of a tensor "torch.FloatTensor" and the like."""
    if isinstance(obj, Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = named.__module__
    return named.__qualname__ if module in ("builtins", None) else f"{module}.{named.__qualname__}"
