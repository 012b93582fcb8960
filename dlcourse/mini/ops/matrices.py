"""Triangles, diagonals and grids."""

import itertools

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.creation import numpy_dtype, require_cpu
from dlcourse.mini.ops.operation import Op, check_kernel
from dlcourse.mini.ops.shape import alias, expand, reshape, stack, wrap_dim

import numpy as np

# -- triangles -------------------------------------------------------------------------------------


class Tril(Op):
    """Zeros above the diagonal."""

    keep = staticmethod(np.tril)

    @staticmethod
    def forward(ctx, x, diagonal):
        if x._data.ndim < 2:
            name = type(ctx).__name__.lower()
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
        ctx.diagonal = diagonal
        return wrap(ctx.keep(x._data, diagonal))

    @staticmethod
    def backward(ctx, grad_output):
        return type(ctx).apply(grad_output, ctx.diagonal), None


class Triu(Tril):
    """Zeros below the diagonal."""

    keep = staticmethod(np.triu)


def tril(input, diagonal=0):
    """The part on and below that diagonal of each matrix, 0 above."""
    return Tril.apply(input, diagonal)


def triu(input, diagonal=0):
    """The part on and above that diagonal of each matrix, 0 below."""
    return Triu.apply(input, diagonal)


def tril_indices(row, col, offset=0, *, dtype=None, device=None):
    """(2, N): the rows and columns of the lower triangle, row by row."""
    require_cpu(device)
    return wrap(np.array(np.tril_indices(row, offset, col), numpy_dtype(dtype, np.int64)))


def triu_indices(row, col, offset=0, *, dtype=None, device=None):
    """(2, N): the rows and columns of the upper triangle, row by row."""
    require_cpu(device)
    return wrap(np.array(np.triu_indices(row, offset, col), numpy_dtype(dtype, np.int64)))


# -- diagonals -------------------------------------------------------------------------------------


def diagonal_view(array, offset, dim1, dim2):
    """The diagonal as a view that can be written to, where the array can."""
    out = array.diagonal(offset, dim1, dim2)
    if array.flags.writeable:
        out.flags.writeable = True
    return out


class Diagonal(Op):
    _takes_views = True

    @staticmethod
    def forward(ctx, x, offset, dim1, dim2):
        ctx.shape, ctx.where = x._data.shape, (offset, dim1, dim2)
        return alias(x, diagonal_view(x._data, offset, dim1, dim2))

    @staticmethod
    def backward(ctx, grad_output):
        return DiagEmbed.apply(grad_output, ctx.shape, *ctx.where), None, None, None


class DiagEmbed(Op):
    """Zeros of that shape but for a diagonal: the adjoint of `Diagonal`."""

    @staticmethod
    def forward(ctx, x, shape, offset, dim1, dim2):
        ctx.where = offset, dim1, dim2
        out = np.zeros(shape, x._data.dtype)
        diagonal_view(out, offset, dim1, dim2)[...] = x._data
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        return diagonal(grad_output, *ctx.where), None, None, None, None


def diagonal(input, offset=0, dim1=0, dim2=1):
    """A view of the diagonal of the matrices in dims dim1 and dim2, as the last dimension."""
    ndim = input._data.ndim
    dim1, dim2 = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return Diagonal.apply(input, offset, dim1, dim2)


def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices in the new dims dim1 and dim2 with the last dimension as their diagonal."""
    shape = input._data.shape
    dim1, dim2 = wrap_dim(dim1, len(shape) + 1), wrap_dim(dim2, len(shape) + 1)
    if dim1 == dim2:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    side, full = shape[-1] + abs(offset), list(shape[:-1])
    for dim in sorted((dim1, dim2)):
        full.insert(dim, side)
    if dim1 > dim2:
        dim1, dim2, offset = dim2, dim1, -offset
    return DiagEmbed.apply(input, tuple(full), offset, dim1, dim2)


def diag(input, diagonal=0):
    """Of a vector the matrix with that diagonal, of a matrix its diagonal (a copy)."""
    if input._data.ndim == 1:
        return diag_embed(input, diagonal)
    if input._data.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input._data.ndim}D")
    # NB: in torch the copy is a node of its own, DiagonalBackward0_copy.
    return Diagonal.apply(input, diagonal, 0, 1).clone()


def diagflat(input, offset=0):
    """The matrix with all elements of `input` on its diagonal."""
    return diag_embed(reshape(input, -1), offset)


def fill_diagonal_(self, fill_value, wrap=False):
    """The main diagonal becomes `fill_value`."""
    if wrap or self._data.ndim != 2:
        raise NotImplementedError("mini's fill_diagonal_ takes matrices, and no wrap")
    diagonal(self).fill_(fill_value)
    return self


class Trace(Op):
    @staticmethod
    def forward(ctx, x):
        if x._data.ndim != 2:
            raise RuntimeError("trace: expected a matrix, but got tensor with dim " + str(x.ndim))
        check_kernel("trace", x._data.dtype, "iuf")
        ctx.shape = x._data.shape
        dtype = x._data.dtype if x._data.dtype.kind == "f" else np.int64
        return wrap(np.asarray(x._data.trace(dtype=dtype)))

    @staticmethod
    def backward(ctx, grad_output):
        side = min(ctx.shape)
        return DiagEmbed.apply(grad_output.expand(side), ctx.shape, 0, 0, 1)


def trace(input):
    """The sum of the diagonal of a matrix."""
    return Trace.apply(input)


# -- grids -----------------------------------------------------------------------------------------


def _one_list(tensors):
    """`f(a, b)` and `f([a, b])` are the same."""
    return list(tensors[0]) if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else tensors


def meshgrid(*tensors, indexing=None):
    """A tuple of the coordinates of all points of a grid; "xy" swaps the first two dimensions."""
    tensors = _one_list(tensors)
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: ' + indexing
        )
    swap = indexing == "xy" and len(tensors) > 1
    order = [1, 0, *range(2, len(tensors))] if swap else range(len(tensors))
    shape = tuple(tensors[i]._data.size for i in order)
    out = []
    for axis, i in zip(range(len(tensors)), order, strict=True):
        sizes = [1] * len(tensors)
        sizes[axis] = -1
        out.append(expand(reshape(tensors[i], sizes), shape))
    return tuple(out[i] for i in order)


def cartesian_prod(*tensors):
    """(N, k): all tuples of one element of each of k vectors."""
    tensors = _one_list(tensors)
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, -1) for grid in meshgrid(*tensors)], 1)


def combinations(input, r=2, with_replacement=False):
    """(N, r): all choices of r elements of a vector, in order."""
    if input._data.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(len(input)), r)), np.int64).reshape(-1, r)
    return input[wrap(rows)]
