"""Shape and views: no element changes.

Where NumPy can give a view the result shares memory and version counter.
"""

import operator

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import dtype as Dtype
from dlcourse.mini.ops.operation import Op, promote

import numpy as np


def alias(x, array):
    """`array` as a Tensor; when it shares the memory of `x`, it shares its version counter, too."""
    out = wrap(array)
    if np.may_share_memory(array, x._data) and array.size:
        out._writes = x._writes
    return out


def sizes(args, keyword=None):
    """`f(2, 3)`, `f((2, 3))` and, with the keyword that torch gives it, `f(size=(2, 3))`."""
    if keyword is not None:
        args = (*args, keyword)
    if len(args) == 1 and isinstance(args[0], tuple | list):
        args = args[0]
    return tuple([operator.index(size) for size in args])


def wrap_dim(dim, ndim):
    """A dim from -ndim to ndim - 1 as a non-negative one; a 0-d tensor counts as 1-d."""
    n = max(ndim, 1)
    if not isinstance(dim, int | np.integer):
        raise TypeError(f"dim must be int, not {type(dim).__name__}")
    if not -n <= dim < n:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
        )
    return int(dim) % n


class View(Op):
    """reshape and view; `-1` stands for what is left."""

    _takes_views = True

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x._data.shape
        return alias(x, x._data.reshape(shape))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.reshape(ctx.shape), None


class Permute(Op):
    _takes_views = True

    @staticmethod
    def forward(ctx, x, dims):
        ctx.dims = dims
        return alias(x, x._data.transpose(dims))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.permute(tuple(int(i) for i in np.argsort(ctx.dims))), None


class Transpose(Op):
    _takes_views = True

    @staticmethod
    def forward(ctx, x, dim0, dim1):
        ctx.dims = dim0, dim1
        return alias(x, x._data.swapaxes(dim0, dim1) if x._data.ndim else x._data.view())

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.transpose(*ctx.dims), None, None


class T(Op):
    """The transpose of a matrix, under the name that torch gives its node."""

    _takes_views = True

    @staticmethod
    def forward(ctx, x):
        return alias(x, x._data.T)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.t()


class Expand(Op):
    _takes_views = True

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x._data.shape
        return alias(x, np.broadcast_to(x._data, shape))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.sum_to_size(ctx.shape), None


class SumTo(Op):
    """The adjoint of Expand: sum over what broadcasting repeated."""

    @staticmethod
    def forward(ctx, x, shape):
        ctx.shape = x._data.shape
        lead = x._data.ndim - len(shape)
        kept = x._data.shape[max(lead, 0) :]
        if lead < 0 or any(s not in (1, k) for s, k in zip(shape, kept, strict=True)):
            raise RuntimeError(
                f"size {{{list(shape)}}} is not expandable to size {{{list(x._data.shape)}}}."
            )
        axes = tuple(
            i
            for i in range(x._data.ndim)
            if i < lead or (shape[i - lead] == 1 and x._data.shape[i] != 1)
        )
        return wrap(x._data.sum(axes, dtype=x._data.dtype).reshape(shape))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.reshape(
            (1,) * (len(ctx.shape) - grad_output.ndim) + grad_output.shape
        ).expand(ctx.shape), None


class Squeeze(Op):
    """`overload` is torch's: 0 for all dims, 1 for one dim, 2 for several."""

    _takes_views = True

    @staticmethod
    def forward(ctx, x, dims, overload):
        ctx.shape, ctx.overload = x._data.shape, overload
        return alias(x, x._data.squeeze(dims))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.reshape(ctx.shape), None, None


class Unsqueeze(Op):
    _takes_views = True

    @staticmethod
    def forward(ctx, x, dim):
        ctx.dim = dim
        return alias(x, np.expand_dims(x._data, dim))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.squeeze(ctx.dim), None


class Flip(Op):
    @staticmethod
    def forward(ctx, x, dims):
        ctx.dims = dims
        return wrap(np.flip(x._data, dims).copy())

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.flip(ctx.dims), None


def in_one_type(tensors):
    """The arrays in the type that they promote to together."""
    dtype = tensors[0]._data.dtype
    for tensor in tensors[1:]:
        dtype = promote(dtype, tensor._data.dtype)
    return [t._data.astype(dtype, copy=False) for t in tensors]


class Cat(Op):
    @staticmethod
    def forward(ctx, dim, *tensors):
        ctx.dim, ctx.lengths = dim, [t._data.shape[dim] for t in tensors]
        return wrap(np.concatenate(in_one_type(tensors), axis=dim))

    @staticmethod
    def backward(ctx, grad_output):
        return (None, *grad_output.split(ctx.lengths, ctx.dim))


class Stack(Op):
    @staticmethod
    def forward(ctx, dim, *tensors):
        ctx.dim = dim
        return wrap(np.stack(in_one_type(tensors), axis=dim))

    @staticmethod
    def backward(ctx, grad_output):
        return (None, *grad_output.unbind(ctx.dim))


class Split(Op):
    """One node for all pieces of a tensor: their gradients meet in one `cat`."""

    @staticmethod
    def forward(ctx, x, pieces, dim):
        ctx.dim = dim
        return tuple([wrap(piece._data) for piece in pieces])

    @staticmethod
    def backward(ctx, *grad_outputs):
        return cat(grad_outputs, ctx.dim), None, None


class SplitWithSizes(Split):
    """The pieces of sizes that were listed, under the name that torch gives their node."""


class Unbind(Split):
    """One node for all slices along a dimension."""

    @staticmethod
    def backward(ctx, *grad_outputs):
        return stack(grad_outputs, ctx.dim), None, None


def of_one_node(kind, x, pieces, dim):
    """The pieces, views of x that they are, as outputs of one node instead of a slice each."""
    if pieces and pieces[0]._grad_fn is not None:
        outs = kind.apply(x, pieces, dim)
        for piece, out in zip(pieces, outs, strict=True):
            piece._grad_fn, piece._output_nr = out._grad_fn, out._output_nr
    return tuple(pieces)


# -- the functions that users call -----------------------------------------------------------------


def _full_shape(x, shape):
    """Check sizes and fill in one -1."""
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = int(np.prod([s for s in shape if s != -1]))
    size = x._data.size
    for i, s in enumerate(shape):
        if s < -1:
            raise RuntimeError(f"invalid shape dimension {s} at index {i} of shape {list(shape)}")
    if -1 in shape:
        if known == 0:
            raise RuntimeError(
                f"cannot reshape tensor of {size} elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
        if size % known == 0:
            return tuple(size // known if s == -1 else s for s in shape)
    elif known == size:
        return shape
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {size}")


def reshape(input, *args, shape=None):
    """The same elements in the same order, otherwise arranged; a view where memory allows."""
    return View.apply(input, _full_shape(input, sizes(args, shape)))


def view(input, *args, size=None):
    """`reshape` that never copies: it raises where a view is impossible."""
    if args and isinstance(args[0], Dtype):
        # NB: in torch view(dtype) reads the same bytes as another type; mini has no such view.
        raise NotImplementedError(
            f"mini does not support view({args[0]}): view takes sizes; .to({args[0]}) converts."
        )
    shape = _full_shape(input, sizes(args, size))
    if not np.may_share_memory(input._data.reshape(shape), input._data) and input._data.size:
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return View.apply(input, shape)


def flatten(input, start_dim=0, end_dim=-1):
    """Dimensions start_dim to end_dim become one."""
    start, end = wrap_dim(start_dim, input._data.ndim), wrap_dim(end_dim, input._data.ndim)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    shape = input._data.shape
    return reshape(input, (*shape[:start], int(np.prod(shape[start : end + 1])), *shape[end + 1 :]))


def permute(input, *args, dims=None):
    """Dimensions in the order of `dims`."""
    dims = tuple(wrap_dim(d, input._data.ndim) for d in sizes(args, dims))
    if len(dims) != input._data.ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            "length of the desired ordering of dimensions i.e. "
            f"input.dim() = {input._data.ndim} is not equal to len(dims) = {len(dims)}"
        )
    if len(set(dims)) != len(dims):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return Permute.apply(input, dims)


def transpose(input, dim0, dim1):
    """Dimensions dim0 and dim1 change places."""
    return Transpose.apply(
        input, wrap_dim(dim0, input._data.ndim), wrap_dim(dim1, input._data.ndim)
    )


def t(input):
    """The transpose of a tensor of up to two dimensions."""
    if input._data.ndim > 2:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 dimensions, but self is {input._data.ndim}D"
        )
    return T.apply(input)


def T_property(input):
    """All dimensions in reverse order."""
    return permute(input, tuple(range(input._data.ndim))[::-1])


def H(input):
    """The transpose of a matrix (what is real is its own conjugate)."""
    if input._data.ndim not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {input._data.ndim}-D "
            "tensor."
        )
    return transpose(input, 0, 1) if input._data.ndim else input


def mT(input):
    """The last two dimensions transposed."""
    if input._data.ndim < 2:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got "
            f"{input._data.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


def expand(input, *args, size=None):
    """A view with size-1 dimensions repeated; -1 keeps a size."""
    shape, old = sizes(args, size), input._data.shape
    lead = len(shape) - len(old)
    if lead < 0:
        raise RuntimeError(
            f"expand({input.dtype}{{{list(old)}}}, size={list(shape)}): the number of sizes "
            f"provided ({len(shape)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({len(old)})"
        )
    full = tuple(old[i - lead] if s == -1 and i >= lead else s for i, s in enumerate(shape))
    for i, (have, want) in enumerate(zip(old, full[lead:], strict=True)):
        if have not in (1, want):
            raise RuntimeError(
                f"The expanded size of the tensor ({want}) must match the existing size ({have}) "
                f"at non-singleton dimension {i + lead}.  Target sizes: {list(full)}.  "
                f"Tensor sizes: {list(old)}"
            )
    return Expand.apply(input, full)


def sum_to_size(input, *args, size=None):
    """Sum over the dimensions that broadcasting `size` to this tensor would repeat."""
    return SumTo.apply(input, sizes(args, size))


def squeeze(input, dim=None):
    """Without its dimensions of size 1, or without those named in `dim` if their size is 1."""
    ndim, shape = input._data.ndim, input._data.shape
    several = isinstance(dim, tuple | list)
    dims = range(ndim) if dim is None else (dim if several else (dim,))
    dims = [wrap_dim(d, ndim) for d in dims]
    overload = 2 if several else int(dim is not None)
    return Squeeze.apply(input, tuple(d for d in dims if ndim and shape[d] == 1), overload)


def unsqueeze(input, dim):
    """With a new dimension of size 1 at `dim`."""
    return Unsqueeze.apply(input, wrap_dim(dim, input._data.ndim + 1))


def flip(input, *args, dims=None):
    """The order along `dims` reversed (a copy, as in torch)."""
    axes = tuple(wrap_dim(d, input._data.ndim) for d in sizes(args, dims))
    for i, axis in enumerate(axes):
        if axis in axes[:i]:
            raise RuntimeError(f"dim {axis} appears multiple times in the list of dims")
    return Flip.apply(input, axes)


def tensor_list(tensors, name):
    """The tensors of `name(tensors)` as a list; anything else is refused as in torch."""
    if not isinstance(tensors, tuple | list):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(tensor).__name__}"
            )
    return list(tensors)


def cat(tensors, dim=0):
    """The tensors one after another along `dim`; those of shape (0,) are passed over."""
    tensors = tensor_list(tensors, "cat")
    if not tensors:
        raise ValueError("cat(): expected a non-empty list of Tensors")
    for i, tensor in enumerate(tensors):
        if tensor._data.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    first = next((t for t in tensors if t._data.shape != (0,)), tensors[0])
    ndim = first._data.ndim
    dim = wrap_dim(dim, ndim)
    for i, tensor in enumerate(tensors):
        if tensor._data.shape == (0,) and ndim > 1:
            tensors[i] = tensor.reshape(*first.shape[:dim], 0, *first.shape[dim + 1 :])
            continue
        if tensor._data.ndim != ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {ndim} and {tensor._data.ndim}"
            )
        for d, (want, have) in enumerate(zip(first.shape, tensor.shape, strict=True)):
            if d != dim and want != have:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {want} "
                    f"but got size {have} for tensor number {i} in the list."
                )
    return Cat.apply(dim, *tensors)


def stack(tensors, dim=0):
    """Tensors of one shape along a new dimension `dim`."""
    tensors = tensor_list(tensors, "stack")
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    for i, tensor in enumerate(tensors):
        if tensor._data.shape != tensors[0]._data.shape:
            raise RuntimeError(
                "stack expects each tensor to be equal size, but got "
                f"{list(tensors[0].shape)} at entry 0 and {list(tensor.shape)} at entry {i}"
            )
    return Stack.apply(wrap_dim(dim, tensors[0]._data.ndim + 1), *tensors)


def _equal_lengths(length, step):
    """The lengths of the pieces of `length` that are `step` long, but for the last."""
    if step < 0:
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={step}")
    if step == 0 and length:
        raise RuntimeError(
            f"split_size can only be 0 if dimension size is 0, but got dimension size of {length}"
        )
    starts = range(0, max(length, 1), max(step, 1))
    return [min(step, length - start) for start in starts]


def split(tensor, split_size_or_sections, dim=0):
    """A tuple of views: pieces of one size (the last may be smaller), or of the sizes listed."""
    # NB: in torch a piece, or a slice of unbind, that has a history must not be written to.
    dim = wrap_dim(dim, tensor._data.ndim)
    length = tensor._data.shape[dim]
    if isinstance(split_size_or_sections, int | np.integer):
        lengths, kind = _equal_lengths(length, int(split_size_or_sections)), Split
    else:
        kind = SplitWithSizes
        lengths = list(split_size_or_sections)
        if sum(lengths) != length:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {length} (input tensor's "
                f"size at dimension {dim}), but got split_sizes={lengths}"
            )
    pieces, start = [], 0
    for size in lengths:
        pieces.append(tensor[(slice(None),) * dim + (slice(start, start + size),)])
        start += size
    return of_one_node(kind, tensor, pieces, dim)


def unbind(input, dim=0):
    """A tuple of the slices along `dim`, each without that dimension."""
    if input._data.ndim == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    dim = wrap_dim(dim, input._data.ndim)
    slices = [input[(slice(None),) * dim + (i,)] for i in range(input._data.shape[dim])]
    return of_one_node(Unbind, input, slices, dim)
