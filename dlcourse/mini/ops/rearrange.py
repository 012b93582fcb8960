"""More on shape: dimensions moved, merged or repeated, windows, and memory read by strides."""

import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini.ops.inplace import note_write
from dlcourse.mini.ops.operation import Op, check_kernel
from dlcourse.mini.ops.shape import (
    alias,
    expand,
    flip,
    permute,
    reshape,
    sizes,
    squeeze,
    t,
    transpose,
    unsqueeze,
    view,
    wrap_dim,
)

import numpy as np


class Roll(Op):
    """The elements moved on by `shifts` along `dims`; what leaves comes in at the other end."""

    @staticmethod
    def forward(ctx, x, shifts, dims):
        ctx.shifts, ctx.dims = shifts, dims
        return wrap(np.roll(x._data, shifts, dims))

    @staticmethod
    def backward(ctx, grad_output):
        return Roll.apply(grad_output, tuple(-s for s in ctx.shifts), ctx.dims), None, None


class Repeat(Op):
    """`x` laid side by side `repeats` times along each dimension."""

    @staticmethod
    def forward(ctx, x, repeats):
        ctx.shape, ctx.repeats = x._data.shape, repeats
        return wrap(np.tile(x._data, repeats))

    @staticmethod
    def backward(ctx, grad_output):
        lead = len(ctx.repeats) - len(ctx.shape)
        padded = (1,) * lead + ctx.shape
        apart = [n for pair in zip(ctx.repeats, padded, strict=True) for n in pair]
        copies = tuple(range(0, len(apart), 2))
        grad = grad_output.reshape(apart)
        return (grad.sum(copies) if copies else grad).reshape(ctx.shape), None


class Unfold(Op):
    """All windows of `size` elements along `dim`, `step` apart, in a new last dimension."""

    _takes_views = True

    @staticmethod
    def forward(ctx, x, dim, size, step):
        ctx.shape, ctx.window = x._data.shape, (dim, size, step)
        # Windows that overlap must not be written to.
        windows = np.lib.stride_tricks.sliding_window_view(
            np.atleast_1d(x._data), size, dim, writeable=step >= size and x._data.flags.writeable
        )
        return alias(x, windows[(slice(None),) * dim + (slice(None, None, step),)])

    @staticmethod
    def backward(ctx, grad_output):
        return Fold.apply(grad_output, ctx.shape, *ctx.window), None, None, None


class Fold(Op):
    """The adjoint of Unfold: windows added up where they overlap."""

    @staticmethod
    def forward(ctx, x, shape, dim, size, step):
        ctx.window = dim, size, step
        out = np.zeros(shape or (1,), x._data.dtype)
        count = x._data.shape[dim]
        for k in range(size):
            place = (slice(None),) * dim + (slice(k, k + step * count, step),)
            out[place] += x._data[..., k]
        return wrap(out.reshape(shape))

    @staticmethod
    def backward(ctx, grad_output):
        return Unfold.apply(grad_output, *ctx.window), None, None, None, None


class AsStrided(Op):
    """The memory of x read with another shape and other strides."""

    _takes_views = True

    @staticmethod
    def forward(ctx, x, size, stride, offset):
        ctx.args = x._data.shape, size, stride, offset
        return alias(x, _strided(x._data, size, stride, offset))

    @staticmethod
    def backward(ctx, grad_output):
        shape, size, stride, offset = ctx.args
        index = _strided(np.arange(math.prod(shape)), size, stride, offset)
        grad = wrap(np.zeros(math.prod(shape), grad_output._data.dtype))
        index = wrap(index.reshape(-1))
        return grad.scatter_add(0, index, grad_output.reshape(-1)).reshape(shape), None, None, None


def _strided(array, size, stride, offset):
    start = array.reshape(-1)[offset:]
    strides = [s * array.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(start, size, strides)


# -- the functions that users call -----------------------------------------------------------------


def view_as(input, other):
    """`view` with the shape of `other`."""
    _require_tensor("view_as", other)
    return view(input, other._data.shape)


def reshape_as(input, other):
    """`reshape` to the shape of `other`."""
    _require_tensor("reshape_as", other)
    return reshape(input, other._data.shape)


def expand_as(input, other):
    """`expand` to the shape of `other`."""
    _require_tensor("expand_as", other)
    return expand(input, other._data.shape)


def _require_tensor(name, other):
    if not isinstance(other, Tensor):
        raise TypeError(
            f"{name}(): argument 'other' (position 1) must be Tensor, not {type(other).__name__}"
        )


def broadcast_to(input, size):
    """`input` expanded to `size`."""
    return expand(input, size)


def ravel(input):
    """All elements in one dimension."""
    return reshape(input, -1 if input._data.size else 0)


def unflatten(input, dim, sizes):
    """Dimension `dim` as several, of these sizes; one may be -1."""
    dim = wrap_dim(dim, input._data.ndim)
    have, sizes = input._data.shape[dim], list(sizes)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    if sizes.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = math.prod(s for s in sizes if s != -1)
    if -1 in sizes and known and have % known == 0:
        sizes[sizes.index(-1)] = have // known
    if math.prod(sizes) != have:
        raise RuntimeError(
            f"unflatten: Provided sizes {sizes} don't multiply up to the size of dim {dim} "
            f"({have}) in the input tensor"
        )
    shape = input._data.shape
    return reshape(input, (*shape[:dim], *sizes, *shape[dim + 1 :]))


def swapaxes(input, axis0, axis1):
    """Dimensions axis0 and axis1 change places: NumPy's name for `transpose`."""
    return transpose(input, axis0, axis1)


def swapdims(input, dim0, dim1):
    """Dimensions dim0 and dim1 change places: another name for `transpose`."""
    return transpose(input, dim0, dim1)


def adjoint(input):
    """The last two dimensions transposed; of a single number the number."""
    if input._data.ndim == 1:
        raise RuntimeError(
            "tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return transpose(input, -2, -1) if input._data.ndim else input.view(())


def movedim(input, source, destination):
    """The dimensions `source` at the places `destination`; the others keep their order."""
    ndim = input._data.ndim
    source, destination = (
        [d] if isinstance(d, int | np.integer) else list(d) for d in (source, destination)
    )
    if len(source) != len(destination):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({source} dims) should contain the same number of dims as destination "
            f"({destination} dims)"
        )
    for name, dims in (("source", source), ("destination", destination)):
        if len({wrap_dim(d, ndim) for d in dims}) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({dims})")
    moved = dict(
        zip((wrap_dim(d, ndim) for d in destination), (wrap_dim(d, ndim) for d in source),
            strict=True)
    )  # fmt: skip
    rest = iter(d for d in range(ndim) if d not in moved.values())
    return permute(input, [moved[d] if d in moved else next(rest) for d in range(ndim)])


def roll(input, shifts, dims=None):
    """The elements moved on by `shifts` along `dims`, cyclically; without dims as if flattened."""
    shifts = (shifts,) if isinstance(shifts, int | np.integer) else tuple(shifts)
    dims = () if dims is None else dims
    dims = (dims,) if isinstance(dims, int | np.integer) else tuple(dims)
    if not dims:
        if len(shifts) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:0")
        return roll(ravel(input), shifts, 0).reshape(input._data.shape)
    if len(shifts) != len(dims):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    return Roll.apply(input, shifts, tuple(wrap_dim(d, input._data.ndim) for d in dims))


def fliplr(input):
    """Columns in reverse order."""
    if input._data.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input):
    """Rows in reverse order."""
    if input._data.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


def rot90(input, k=1, dims=(0, 1)):
    """Turned k times by 90 degrees in the plane of `dims`, from the first towards the second."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input._data.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input._data.ndim}")
    a, b = (wrap_dim(d, input._data.ndim) for d in dims)
    if a == b:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    k %= 4
    if k == 0:
        return input.clone()
    if k == 2:
        return flip(input, a, b)
    return transpose(flip(input, b), a, b) if k == 1 else flip(transpose(input, a, b), b)


def repeat(input, *args, repeats=None):
    """Copies side by side: so many along each dimension; new dimensions come first."""
    repeats = sizes(args, repeats)
    if len(repeats) < input._data.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    shape = (1,) * (len(repeats) - input._data.ndim) + input._data.shape
    full = [n * s for n, s in zip(repeats, shape, strict=True)]
    if any(n < 0 for n in full):
        bad = next(n for n in full if n < 0)
        raise RuntimeError(f"Trying to create tensor with negative dimension {bad}: {full}")
    return Repeat.apply(input, repeats)


def tile(input, *args, dims=None):
    """`repeat` that puts 1s in front of `dims` when they are too few."""
    dims = sizes(args, dims)
    return repeat(input, (1,) * (input._data.ndim - len(dims)) + dims)


def _check_repeats(repeats):
    if repeats.dtype.name not in ("int64", "int32"):
        check_kernel("repeat_interleave_cpu", repeats._data.dtype, "")


def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each slice along `dim` (each element when None) so many times: a number, or one for each.

    repeat_interleave(repeats) of a vector of integers names each index as often as it says.
    """
    if repeats is None and input._data.ndim != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if repeats is None:
        _check_repeats(input)
        return wrap(np.repeat(np.arange(input._data.size), input._data.astype(np.intp)))
    if dim is None:
        input, dim = ravel(input), 0
    dim = wrap_dim(dim, input._data.ndim)
    if isinstance(repeats, Tensor) and repeats._data.ndim < 2:
        _check_repeats(repeats)
    counts = repeats._data if isinstance(repeats, Tensor) else np.asarray(repeats)
    size = input._data.shape[dim]
    if counts.dtype.kind not in "iu":
        raise RuntimeError("repeats has to be Long or Int tensor")
    if counts.ndim > 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    if counts.ndim == 1 and len(counts) not in (1, size):
        raise RuntimeError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{len(counts)} and input.size({dim}) = {size}"
        )
    if (counts < 0).any():
        raise RuntimeError(
            "repeats can not be negative" if counts.ndim else "Repeats must be non-negative"
        )
    index = np.repeat(np.arange(size), counts.astype(np.intp))
    if output_size is not None and output_size != len(index):
        raise RuntimeError("allocated size does not match required size")
    return input.index_select(dim, wrap(index))


def unfold(input, dimension, size, step):
    """A view of all windows of `size` along `dimension`, `step` apart, in a new last dimension."""
    dim = wrap_dim(dimension, input._data.ndim)
    length = input._data.shape[dim] if input._data.ndim else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > length:
        raise RuntimeError(
            f"maximum size for tensor at dimension {dim} is {length} but size is {size}"
        )
    if input._data.ndim == 0:
        input = input.reshape(1)[:size].reshape(size)
        return input
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return Unfold.apply(input, dim, size, step)


def as_strided(input, size, stride, storage_offset=None):
    """The memory of `input` as a view with this shape, these strides and this first element."""
    offset, size, stride = storage_offset or 0, tuple(size), tuple(stride)
    if not input._data.flags.c_contiguous:
        # NB: in torch as_strided reads the memory behind any tensor; mini's wants it in order.
        raise RuntimeError("mini's as_strided needs a contiguous tensor: call .contiguous() first")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if 0 not in size and last >= input._data.size:
        unit = input._data.itemsize
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and "
            f"itemsize {unit} requiring a storage size of {(last + 1) * unit} are out of bounds "
            f"for storage of size {input._data.size * unit}"
        )
    return AsStrided.apply(input, size, stride, offset)


def kron(input, other):
    """The Kronecker product: `other`, once for each element of `input`, times that element."""
    ndim = max(input._data.ndim, other._data.ndim)
    a = (1,) * (ndim - input._data.ndim) + input._data.shape
    b = (1,) * (ndim - other._data.ndim) + other._data.shape
    left = input.reshape([n for size in a for n in (size, 1)])
    right = other.reshape([n for size in b for n in (1, size)])
    return (left * right).reshape([n * m for n, m in zip(a, b, strict=True)])


# -- another shape for the tensor itself -----------------------------------------------------------


def _reshaping(function):
    """The in-place twin of a view: the tensor itself takes the new shape, its memory stays."""

    def method(self, *args, **kwargs):
        if self.requires_grad and self.is_leaf:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        old = wrap(self._data)
        old._writes, old._view, old._requires_grad = self._writes, self._view, self._requires_grad
        old._grad_fn, old._output_nr = self.grad_fn, self._output_nr
        new = function(old, *args, **kwargs)
        note_write(self)
        self._data, self._requires_grad = new._data, new._requires_grad
        self._grad_fn, self._output_nr, self._view = new._grad_fn, new._output_nr, new._view
        if self._view is not None:
            self._view.version = self._writes[0]
        return self

    method.__name__ = f"{function.__name__}_"
    method.__doc__ = f"`{function.__name__}`, of this tensor itself."
    return method


squeeze_, unsqueeze_, transpose_, t_ = map(_reshaping, (squeeze, unsqueeze, transpose, t))
swapaxes_, swapdims_ = _reshaping(swapaxes), _reshaping(swapdims)
moveaxis = movedim
