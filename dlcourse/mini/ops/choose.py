"""Choosing, element by element: by a condition, the larger or the smaller, within bounds."""

import warnings

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import bool_, get_default_dtype, int64, uint8
from dlcourse.mini.ops.creation import fitting
from dlcourse.mini.ops.operation import (
    OfTwo,
    Op,
    arrays,
    as_tensor_operand,
    check_broadcast,
    check_kernel,
    operands,
    plain,
    promote,
)
from dlcourse.mini.ops.pointwise import Keep

import numpy as np

# -- by a condition --------------------------------------------------------------------------------


class Where(Op):
    @staticmethod
    def forward(ctx, condition, x, y):
        if condition.dtype is uint8:
            warnings.warn(
                "where received a uint8 condition tensor. This behavior is deprecated and will be "
                "removed in a future version of PyTorch. Use a boolean condition instead.",
                stacklevel=4,
            )
            condition = condition.to(bool_)
        if condition._data.dtype.kind != "b":
            raise RuntimeError(
                "where expected condition to be a boolean tensor, but got a tensor with dtype "
                f"{condition.dtype.scalar_type}"
            )
        ctx.save_for_backward(condition)
        a, b = arrays(x, y)
        check_broadcast(condition._data.shape, np.broadcast_shapes(a.shape, b.shape))
        return wrap(np.where(condition._data, a, b))

    @staticmethod
    def backward(ctx, grad_output):
        (condition,) = ctx.saved_tensors
        _, needs_x, needs_y = ctx.needs_input_grad
        chosen = condition._data  # chosen, not multiplied: NaN * 0 is NaN
        return (
            None,
            Keep.apply(grad_output, chosen) if needs_x else None,
            Keep.apply(grad_output, ~chosen) if needs_y else None,
        )


class MaskedFill(Op):
    @staticmethod
    def forward(ctx, x, mask, value):
        if mask._data.dtype.kind != "b":
            raise RuntimeError(
                "masked_fill_ only supports boolean masks, but got mask with dtype "
                f"{mask.dtype.c_type}"
            )
        check_broadcast(mask._data.shape, x._data.shape)
        ctx.save_for_backward(mask)
        return wrap(np.where(mask._data, value, x._data))

    @staticmethod
    def backward(ctx, grad_output):
        (mask,) = ctx.saved_tensors
        return Keep.apply(grad_output, ~mask._data), None, None


# -- the larger and the smaller -------------------------------------------------------------------


class Maximum(OfTwo):
    """The larger; a tie splits the gradient evenly."""

    compute, loses = np.maximum, np.less

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        shared = where(x == y, grad_output / 2, grad_output)
        return (
            Keep.apply(shared, ~ctx.loses(x._data, y._data)),
            Keep.apply(shared, ~ctx.loses(y._data, x._data)),
        )


class Minimum(Maximum):
    """The smaller; a tie splits the gradient evenly."""

    compute, loses = np.minimum, np.greater


class Fmax(OfTwo):
    """The larger, where NaN stands for "nothing there"; at a tie the first has the gradient."""

    compute, wins = np.fmax, np.greater_equal

    @staticmethod
    def backward(ctx, grad_output):
        x, y = ctx.saved_tensors
        first = ctx.wins(x._data, y._data) | np.isnan(y._data)
        return Keep.apply(grad_output, first), Keep.apply(grad_output, ~first)


class Fmin(Fmax):
    """The smaller, where NaN stands for "nothing there"; at a tie the first has the gradient."""

    compute, wins = np.fmin, np.less_equal


# -- within bounds --------------------------------------------------------------------------------


class Clamp(Op):
    overload = 1

    @staticmethod
    def forward(ctx, x, low, high):
        if low is None and high is None:
            raise RuntimeError("clamp: At least one of 'min' or 'max' must not be None")
        ctx.save_for_backward(x)
        ctx.low, ctx.high = low, high
        if x._data.dtype.kind == "b":
            x = _whole_beside(x, low, high)
        out = x._data if low is None else np.maximum(x._data, low)
        return wrap(out if high is None else np.minimum(out, high))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        inside = np.ones(x._data.shape, bool)
        if ctx.low is not None:
            inside &= x._data >= ctx.low
        if ctx.high is not None:
            inside &= x._data <= ctx.high
        return Keep.apply(grad_output, inside), None, None


class ClampMin(Clamp):
    """`Clamp` from below, under the name that torch gives its node."""

    overload = 0


class ClampMax(Clamp):
    """`Clamp` from above, under the name that torch gives its node."""

    overload = 0


class ClampTensor(Op):
    """x limited by tensors; a bound has the gradient where it is the result."""

    def name(self):
        return "ClampBackward0"

    @staticmethod
    def forward(ctx, x, low, high):
        ctx.low, ctx.high, out = low, high, x
        ctx.save_for_backward(x, low, high)
        if low is not None and high is not None and x._data.dtype.kind == "b":
            check_kernel("clamp_cpu", promote(low._data.dtype, high._data.dtype), "iuf")
        if low is not None:
            out = wrap(np.maximum(*arrays(out, low)))
        return out if high is None else wrap(np.minimum(*arrays(out, high)))

    @staticmethod
    def backward(ctx, grad_output):
        x, low, high = [None if t is None else t._data for t in ctx.saved_tensors]
        below = False if low is None else x < low
        above = False if high is None else x > high
        crossed = False if low is None or high is None else low > high
        shape = grad_output._data.shape
        masks = ~(below | above | crossed), below & ~crossed, above | crossed
        return tuple(
            Keep.apply(grad_output, np.broadcast_to(mask, shape)) if needed else None
            for mask, needed in zip(masks, ctx.needs_input_grad, strict=True)
        )


# -- the functions that users call -----------------------------------------------------------------


def only_tensors(name, x, y):
    """Refuse a number where torch wants a tensor."""
    for position, (label, value) in enumerate((("input", x), ("other", y)), 1):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name}(): argument '{label}' (position {position}) must be Tensor, not "
                f"{type(value).__name__}"
            )
    return x, y


def maximum(input, other):
    """The larger of the two tensors, element by element; a tie splits the gradient evenly."""
    return Maximum.apply(*operands(input, other))


def minimum(input, other):
    """The smaller of the two tensors, element by element; a tie splits the gradient evenly."""
    return Minimum.apply(*operands(input, other))


def fmax(input, other):
    """The larger; where one is NaN, the other."""
    return Fmax.apply(*only_tensors("fmax", input, other))


def fmin(input, other):
    """The smaller; where one is NaN, the other."""
    return Fmin.apply(*only_tensors("fmin", input, other))


def where(condition, input=None, other=None):
    """`input` where `condition`, else `other`; without them the indices where it is true.

    The branch that is not chosen gets gradient 0, even where it is NaN.
    """
    if input is None and other is None:
        return tuple(wrap(index) for index in np.nonzero(np.atleast_1d(condition._data)))
    if not isinstance(input, Tensor) and not isinstance(other, Tensor):
        input, other = _number(input), _number(other)
    return Where.apply(condition, *operands(input, other))


def where_method(self, condition, other):
    """This tensor where `condition`, else `other`."""
    return where(condition, self, other)


def _number(value):
    """A Python number as a 0-d tensor of its own kind."""
    return as_tensor_operand(value, wrap(np.zeros((), np.int64)))


def clamp(input, min=None, max=None):
    """`input` limited to [min, max]: numbers, tensors, or None for no bound."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        bounds = [None if b is None else as_tensor_operand(b, input) for b in (min, max)]
        return ClampTensor.apply(input, *bounds)
    min, max = plain(min), plain(max)
    return Clamp.apply(_float_beside(input, min, max), min, max)


clip = clamp


def clamp_min(input, min):
    """`input`, but at least `min`, a number or a tensor."""
    if isinstance(min, Tensor):
        return ClampTensor.apply(input, min, None)
    min = plain(min)
    return ClampMin.apply(_float_beside(input, min), min, None)


def clamp_max(input, max):
    """`input`, but at most `max`, a number or a tensor."""
    if isinstance(max, Tensor):
        return ClampTensor.apply(input, None, max)
    max = plain(max)
    return ClampMax.apply(_float_beside(input, max), None, max)


def _whole_beside(x, low, high):
    """Booleans become integers beside a bound that is one; booleans alone have no order."""
    if all(isinstance(b, bool | None) for b in (low, high)):
        which = "" if None not in (low, high) else "_max" if low is None else "_min"
        check_kernel(f"clamp{which}_scalar_cpu", x._data.dtype, "iuf")
    return x.to(int64)


def _float_beside(input, *bounds):
    """An integer tensor becomes one of floats beside a bound that is a float."""
    if input._data.dtype.kind != "f" and any(isinstance(b, float) for b in bounds):
        return input.to(get_default_dtype())
    return input


def masked_fill(input, mask, value):
    """`input` with the number `value` where the boolean `mask` is True."""
    if isinstance(value, Tensor) and value._data.ndim:
        raise RuntimeError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value._data.ndim} dimension(s)."
        )
    if isinstance(value, Tensor) and value.requires_grad:
        return where(mask, value.to(input.dtype), input)
    return MaskedFill.apply(input, mask, fitting(value, input._data.dtype))
