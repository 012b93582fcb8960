"""Indexing with gradients: x[...], gather, scatter_add, index_select."""

import numpy as np

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.pointwise import Op
from dlcourse.mini.ops.shape import alias, wrap_dim


def plain(index):
    """An index with the Tensors in it replaced by their arrays."""
    if isinstance(index, tuple):
        return tuple(plain(i) for i in index)
    if isinstance(index, Tensor):
        if index._data.dtype.kind == "f":
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        return index._data
    if isinstance(index, list):
        return np.asarray(plain(tuple(index)))
    return index


def is_basic(index):
    """Whether the index asks for a view: integers, slices, None and Ellipsis alone."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None
        or p is Ellipsis
        or isinstance(p, int | np.integer | slice)
        and not isinstance(p, bool)
        for p in parts
    )


class GetItem(Op):
    _takes_views = True

    def name(self):
        # NB: in torch x[1:, 0] is a chain of SliceBackward0 and SelectBackward0; in mini it is one node.
        if not self.basic:
            return "IndexBackward0"
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        return "SelectBackward0" if isinstance(parts[-1], int | np.integer) else "SliceBackward0"

    @staticmethod
    def forward(ctx, x, index):
        ctx.index, ctx.shape, ctx.basic = index, x._data.shape, is_basic(index)
        for part in index if isinstance(index, tuple) else (index,):
            if isinstance(part, slice) and part.step is not None and part.step < 0:
                raise ValueError("step must be greater than zero")
        if not ctx.basic:
            return Tensor(np.asarray(x._data[index]))
        return alias(x, np.asarray(x._data[index if isinstance(index, tuple) else (index,)]))

    @staticmethod
    def backward(ctx, grad_output):
        return PutItem.apply(grad_output, ctx.index, ctx.shape, ctx.basic), None


class PutItem(Op):
    """The adjoint of GetItem: zeros of `shape` with x ADDED at `index` (an index may occur more than once)."""

    @staticmethod
    def forward(ctx, x, index, shape, basic):
        ctx.index = index
        out = np.zeros(shape, x._data.dtype)
        if basic:
            out[index] = x._data
        else:
            np.add.at(out, index, x._data)
        return Tensor(out)

    @staticmethod
    def backward(ctx, grad_output):
        return GetItem.apply(grad_output, ctx.index), None, None, None


class SetItem(Op):
    """x with `value` written at `index`, out of place."""

    def name(self):
        return "IndexPutBackward0"

    @staticmethod
    def forward(ctx, x, index, value):
        ctx.index = index
        out = x._data.copy()
        out[index] = value._data
        return Tensor(out)

    @staticmethod
    def backward(ctx, grad_output):
        _, _, needs_value = ctx.needs_input_grad
        zero = Tensor(np.zeros((), grad_output._data.dtype))
        return (
            SetItem.apply(grad_output, ctx.index, zero),
            None,
            GetItem.apply(grad_output, ctx.index) if needs_value else None,
        )


class Gather(Op):
    @staticmethod
    def forward(ctx, x, dim, index):
        ctx.dim, ctx.shape = dim, x._data.shape
        ctx.save_for_backward(index)
        return Tensor(x._data[along(index._data, dim, x._data)])

    @staticmethod
    def backward(ctx, grad_output):
        (index,) = ctx.saved_tensors
        return (
            Tensor(np.zeros(ctx.shape, grad_output._data.dtype)).scatter_add(
                ctx.dim, index, grad_output
            ),
            None,
            None,
        )


class ScatterAdd(Op):
    @staticmethod
    def forward(ctx, x, dim, index, src):
        ctx.dim = dim
        ctx.save_for_backward(index)
        out = x._data.copy()
        where = along(index._data, dim, out)
        np.add.at(out, where, src._data[tuple(slice(n) for n in index._data.shape)])
        ctx.src_shape = src._data.shape
        return Tensor(out)

    @staticmethod
    def backward(ctx, grad_output):
        (index,) = ctx.saved_tensors
        grad_src = None
        if ctx.needs_input_grad[3]:
            grad_src = grad_output.gather(ctx.dim, index)
            if grad_src._data.shape != ctx.src_shape:  # only a corner of src was used
                corner = tuple(slice(n) for n in index._data.shape)
                grad_src = PutItem.apply(grad_src, corner, ctx.src_shape, True)
        return grad_output, None, None, grad_src


def along(index, dim, x):
    """`index` along `dim`, every other dimension in step: out[i, j] = x[index[i, j], j] for dim 0."""
    if index.dtype.kind not in "iu":
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    if index.ndim != x.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    if index.size and (index.min() < 0 or index.max() >= x.shape[dim]):
        bad = index[(index < 0) | (index >= x.shape[dim])].flat[0]
        raise RuntimeError(
            f"index {bad} is out of bounds for dimension {dim} with size {x.shape[dim]}"
        )
    grid = list(np.indices(index.shape, sparse=True)) if index.ndim else [0]
    for d, size in enumerate(index.shape):
        if d != dim and size > x.shape[d]:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be no larger than self "
                f"{list(x.shape)} apart from dimension {dim}"
            )
    grid[dim] = index
    return tuple(grid)


# -- the functions that users call -----------------------------------------------------------------------------


def getitem(input, index):
    return GetItem.apply(input, plain(index))


def setitem(input, index, value):
    from dlcourse.mini.ops.inplace import write

    value = value if isinstance(value, Tensor) else Tensor(np.asarray(value, input._data.dtype))
    target = input._data[plain(index)]
    if value._data.ndim > np.ndim(target):
        value = value.reshape(value._data.shape[value._data.ndim - np.ndim(target) :])
    write(input, lambda old: SetItem.apply(old, plain(index), value))


def gather(input, dim, index):
    """out[i][j] = input[index[i][j]][j] for dim 0: the shape of `index` decides the shape of the result."""
    dim = wrap_dim(dim, input._data.ndim)
    if input._data.ndim == 0:
        return Gather.apply(input.reshape(1), 0, index.reshape(1)).reshape(())
    return Gather.apply(input, dim, index)


def scatter_add(input, dim, index, src):
    """`input` with src[i][j] added at [index[i][j]][j] for dim 0; an index may occur more than once."""
    return ScatterAdd.apply(input, wrap_dim(dim, input._data.ndim), index, src)


def index_select(input, dim, index):
    """The slices of `input` along `dim` that the 1-d tensor `index` names."""
    if index._data.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    dim = wrap_dim(dim, input._data.ndim)
    return GetItem.apply(input, (slice(None),) * dim + (np.atleast_1d(index._data),))
