"""What all operations share: the base class, the types of results, shapes that broadcast."""

import warnings

from dlcourse.mini._core import Function, Tensor, wrap
from dlcourse.mini._dtype import from_numpy_dtype, get_default_dtype
from dlcourse.mini._grad_mode import quietly

import numpy as np


class Op(Function):
    """A built-in operation; torch names its node after it, with the number of the overload."""

    overload = 0
    _makes_new = True

    def save_for_backward(self, *tensors):
        self._saved = tensors  # ours are tensors: no need to look

    def name(self):
        return f"{type(self).__name__}Backward{self.overload}"


# -- operands and their types ----------------------------------------------------------------------


class NotAnOperand(TypeError):
    """Neither a tensor nor a number.  An operator such as + turns it into NotImplemented."""


def as_tensor_operand(x, other):
    """A Python number beside the tensor `other`: its kind counts, its width does not.

    So 3.0 leaves float32 alone, and turns int64 into the default float type.
    """
    # NB: in torch float16 times 0.1 is rounded once; here 0.1 is rounded first, and 1e5 to inf.
    mine = other._data.dtype
    # Nearly always; the rest takes a microsecond.  What is larger may be inf in the type.
    if type(x) in (float, int) and mine.kind == "f" and -6e4 < x < 6e4:
        return wrap(np.array(x, mine))
    if isinstance(x, Tensor):
        return x
    if isinstance(x, bool | np.bool_):
        return wrap(np.asarray(x))
    if isinstance(x, int | np.integer):  # what is too large, or below 0, goes round
        wanted = np.int64 if mine.kind == "b" else mine
        return wrap(quietly(np.asarray, np.asarray(x), wanted))
    if isinstance(x, float | np.floating):
        wanted = mine if mine.kind == "f" else get_default_dtype().numpy
        return wrap(quietly(np.asarray, x, wanted))
    if isinstance(x, np.ndarray):
        return wrap(x)
    raise NotAnOperand(f"argument 'other' must be Tensor, not {type(x).__name__}")


def plain(number):
    """A number of NumPy as Python's, for beside a float32 array a np.float64 would win."""
    return number.item() if isinstance(number, np.generic) else number


def operands(x, y):
    """x and y, of which one may be a number, as tensors."""
    if type(x) is Tensor and type(y) is Tensor:
        return x, y
    if isinstance(x, Tensor):
        return x, as_tensor_operand(y, x)
    return as_tensor_operand(x, y), y


def summands(x, y):
    """As `operands`, but a number beside floats stays one: a sum keeps nothing for backward."""
    if type(y) is float and isinstance(x, Tensor) and x._data.dtype.kind == "f":
        return x, y
    return operands(x, y)


def result_dtype(x, y):
    """The NumPy dtype of x (op) y.

    A tensor with dimensions outranks a 0-d one of the same kind, as in torch.
    """
    a, b = x._data.dtype, y._data.dtype
    if a == b:
        return a
    if (x._data.ndim > 0) != (y._data.ndim > 0):
        strong, weak = (a, b) if x._data.ndim else (b, a)
        return strong if kind(strong) >= kind(weak) else weak
    return promote(a, b)


def kind(numpy_dtype):
    """0 for booleans, 1 for integers, 2 for floats."""
    return from_numpy_dtype(numpy_dtype).priority


def promote(a, b):
    """The NumPy dtype that holds both; a float beats an integer whatever their widths."""
    if kind(a) != kind(b):
        return a if kind(a) > kind(b) else b
    return np.promote_types(a, b)


def check_kernel(kernel, numpy_dtype, kinds="f"):
    """Refuse a dtype for which torch's `kernel` is not written, with torch's sentence."""
    if numpy_dtype.kind not in kinds:
        name = from_numpy_dtype(numpy_dtype).scalar_type
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{name}'")


def check_broadcast(shape_a, shape_b):
    """Refuse shapes that do not broadcast, with torch's sentence."""
    for back in range(1, min(len(shape_a), len(shape_b)) + 1):
        a, b = shape_a[-back], shape_b[-back]
        if a != b and a != 1 and b != 1:
            dim = max(len(shape_a), len(shape_b)) - back
            raise RuntimeError(
                f"The size of tensor a ({a}) must match the size of tensor b ({b}) at "
                f"non-singleton dimension {dim}"
            )


def arrays(x, y):
    """The two arrays in the type of the result; a number beside floats as it is."""
    a = x._data
    if type(y) is float:
        return (a if a.ndim else a[()]), y
    b = y._data
    if a.shape != b.shape:
        check_broadcast(a.shape, b.shape)
    if a.dtype is b.dtype:
        # NumPy multiplies two scalars in an eighth of the time of two arrays without dimensions.
        return (a, b) if a.ndim or b.ndim else (a[()], b[()])
    dtype = result_dtype(x, y)
    return a.astype(dtype, copy=False), b.astype(dtype, copy=False)


def float_array(x):
    """Integers and booleans become the default float type, as in torch's exp and the like."""
    return x._data if x._data.dtype.kind == "f" else x._data.astype(get_default_dtype().numpy)


def each_for_the_other(needs_x, needs_y):
    """`_asks_for` of a product: a factor is asked for where the other's gradient is wanted."""
    return needs_y, needs_x


class OfTwo(Op):
    """`compute` of two arrays; both tensors are kept for backward."""

    compute = None

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(x, y)
        return wrap(ctx.compute(*arrays(x, y)))


def masked(array, mask):
    """`array` where `mask`, else 0.

    By bits, because np.where branches at every element (14 times slower on a random mask), and
    because inf * 0 is not 0.
    """
    integer = np.dtype(f"i{array.itemsize}")
    bits = np.negative(np.asarray(mask, np.bool_).view(np.int8))  # 1 becomes all ones, in any width
    return np.asarray(array.view(integer) & bits).view(array.dtype)


def number_last(name, keyword, given, count):
    """Arguments in an old order, add(x, alpha, y) for add(x, y, alpha=alpha): the number, last.

    It warns, as torch does.
    """
    number, *tensors = given
    if len(given) != count or isinstance(number, Tensor):
        raise TypeError(
            f"{name}() takes {count - 1} positional argument but {len(given)} were given"
        )
    warnings.warn(
        f"This overload of {name} is deprecated: the number stands before the tensors. Give it "
        f"last, as {keyword}=",
        stacklevel=4,
    )
    return *tensors, number
