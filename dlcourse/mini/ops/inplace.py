"""Writing into a tensor's memory, so that versions, leaves and views stay right.

Every in-place method computes its out-of-place twin on a snapshot, then `write` puts the values
into the memory and the new node into the history.  For a view the history of its base changes, too
(CopySlices), and all other views of that memory are taken again when next asked (`grad_fn`).
"""

from dlcourse.mini._core import Tensor, View, wrap
from dlcourse.mini._grad_mode import here
from dlcourse.mini.ops.creation import fitting, normal_array, uniform_array, zeros_like
from dlcourse.mini.ops.operation import Op, check_broadcast
from dlcourse.mini.ops.shape import expand

import numpy as np


class CopySlices(Op):
    """The base of a view after `value` was written into that view."""

    def name(self):
        return "CopySlices"

    @staticmethod
    def forward(ctx, base, value, view):
        ctx.view = view
        return wrap(base._data)

    @staticmethod
    def backward(ctx, grad_output):
        mask = wrap(np.ones(grad_output._data.shape, bool))
        ctx.view.replay(mask)._data[...] = False  # what was overwritten gets no gradient
        kept = grad_output.masked_fill(wrap(~mask._data), 0.0) if ctx.needs_input_grad[0] else None
        return kept, ctx.view.replay(grad_output) if ctx.needs_input_grad[1] else None, None


class Fill(Op):
    """A constant, or an array, in the place of x."""

    @staticmethod
    def forward(ctx, x, value):
        return wrap(np.full_like(x._data, value))

    @staticmethod
    def backward(ctx, grad_output):
        return zeros_like(grad_output), None


class Copy(Op):
    """`source` in the place of x; the engine undoes its broadcasting and its change of dtype."""

    def name(self):
        return "CopyBackwards"

    @staticmethod
    def forward(ctx, x, source):
        return wrap(np.broadcast_to(source._data, x._data.shape).astype(x._data.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        return zeros_like(grad_output), grad_output


def note_write(x):
    """Count a write to the memory of `x`, so that whoever saved the old values hears of it."""
    if x._writes is not None:
        x._writes[0] += 1


def write(x, compute):
    """Replace the contents of `x` by `compute(x)`, in place."""
    for level in here.mode.levels:
        level.write(x)
    view = x._view
    if here.mode.enabled:
        if view is not None and view.forbid and (view.base.requires_grad or x.requires_grad):
            raise RuntimeError(view.forbid)
        if x.requires_grad and x.is_leaf:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        if view is not None and view.base.requires_grad and view.base.is_leaf:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation."
            )
    if x._writes is None and not here.mode.inference:
        raise RuntimeError(
            "Inplace update to inference tensor outside InferenceMode is not allowed.You can make "
            "a clone to get a normal tensor before doing inplace update."
        )
    old = x
    if here.mode.enabled:
        # Operations save this snapshot, not the memory about to change.
        old = wrap(x._data.copy())
        if x.requires_grad:
            old._requires_grad, old._grad_fn, old._output_nr = True, x.grad_fn, x._output_nr
    value = compute(old)
    if value._data.shape != x._data.shape:
        raise RuntimeError(
            f"output with shape {list(x.shape)} doesn't match the broadcast shape "
            f"{list(value.shape)}"
        )
    if value._data.dtype != x._data.dtype:
        if value.dtype.priority > x.dtype.priority:
            raise RuntimeError(
                f"result type {value.dtype.scalar_type} can't be cast to the desired output type "
                f"{x.dtype.scalar_type}"
            )
        value = value.to(x.dtype)
    if not x._data.flags.writeable:
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. Please clone() the tensor before performing the operation."
        )
    np.copyto(x._data, value._data)
    note_write(x)
    if value.requires_grad:
        _rebase(x, value)
    return x


def _rebase(x, value):
    """`x` continues the history of `value`; the base of a view notes which part was replaced."""
    if x._view is None:
        x._requires_grad, x._grad_fn, x._output_nr = True, value._grad_fn, value._output_nr
        return
    base, chain = x._view.base, x._view
    before = wrap(base._data)
    if base.requires_grad:
        before._requires_grad, before._grad_fn, before._output_nr = (
            True,
            base.grad_fn,
            base._output_nr,
        )
    after = CopySlices.apply(before, value, View(None, chain.chain, None))
    base._requires_grad, base._grad_fn, base._output_nr = True, after._grad_fn, after._output_nr


def inplace(function):
    """The in-place twin of an out-of-place function of (self, ...)."""

    def method(self, *args, **kwargs):
        def compute(old):
            value = function(old, *args, **kwargs)
            if value.requires_grad or value._data.shape != old._data.shape:
                return value
            # NB: in torch the old history stays after some comparisons, such as logical_not_.
            return Fill.apply(old, value._data) if old.requires_grad else value

        return write(self, compute)

    method.__name__ = f"{function.__name__}_"
    method.__doc__ = f"`{function.__name__}`, written into this tensor's memory."
    return method


def fill_(self, value):
    """Every element becomes `value`."""
    if isinstance(value, Tensor):
        if value._data.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value._data.ndim} dimensions."
            )
        return copy_(self, value)
    value = fitting(value, self._data.dtype)
    return write(self, lambda old: Fill.apply(old, value))


def uniform_(self, from_=0.0, to=1.0, *, generator=None):
    """Every element becomes a random number, uniform on [from_, to)."""
    array = uniform_array(generator, self._data.shape, self._data.dtype) * (to - from_) + from_
    return write(self, lambda old: Fill.apply(old, array))


def normal_(self, mean=0.0, std=1.0, *, generator=None):
    """Every element becomes a random number, normal with this mean and standard deviation."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    array = normal_array(generator, self._data.shape, self._data.dtype) * std + mean
    return write(self, lambda old: Fill.apply(old, array))


def zero_(self):
    """Every element becomes 0."""
    return fill_(self, 0)


def copy_(self, src):
    """The elements of `src` (broadcast, converted) become this tensor's."""
    check_broadcast(self._data.shape, src._data.shape)
    expand(src, self._data.shape)  # refuses what would make this tensor larger
    return write(self, lambda old: Copy.apply(old, src))


def detach_(self):
    """Forget the history of this tensor."""
    if self._view is not None:
        raise RuntimeError(
            "Can't detach views in-place. Use detach() instead. If you are using "
            "DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as "
            "True, gradients are views of DDP buckets, and hence detach_() cannot be called on "
            "these gradients."
        )
    self._grad_fn, self._output_nr, self._requires_grad = None, 0, False
    return self


def requires_grad_(self, requires_grad=True):
    """Set `requires_grad` and return the tensor."""
    self.requires_grad = requires_grad
    return self
