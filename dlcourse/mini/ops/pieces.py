"""Taking apart and putting together: pieces of a tensor, tensors side by side.

Each is a composition of indexing, `cat`, `split` and `reshape`, and differentiates through them.
"""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import Size
from dlcourse.mini.ops.operation import check_broadcast
from dlcourse.mini.ops.shape import cat, expand, split, tensor_list, wrap_dim

import numpy as np

# -- one piece -------------------------------------------------------------------------------------


def narrow(input, dim, start, length):
    """The `length` slices along `dim` from `start` on, as a view."""
    dim = wrap_dim(dim, input._data.ndim)
    start, size = int(start), input._data.shape[dim]
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -size <= start <= size:
        raise IndexError(
            f"start out of range (expected to be in range of [{-size}, {size}], but got {start})"
        )
    start += size * (start < 0)
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return input[(slice(None),) * dim + (slice(start, start + length),)]


def select(input, dim, index):
    """The slice number `index` along `dim`, without that dimension, as a view."""
    if input._data.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, input._data.ndim)
    if not -input._data.shape[dim] <= index < input._data.shape[dim]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {dim}"
        )
    return input[(slice(None),) * dim + (int(index),)]


# -- several pieces --------------------------------------------------------------------------------


def split_with_sizes(input, split_sizes, dim=0):
    """Pieces of the sizes listed."""
    return split(input, list(split_sizes), dim)


def split_method(self, split_size, dim=0):
    """A tuple of views: pieces of one size (the last may be smaller), or of the sizes listed."""
    return split(self, split_size, dim)


def chunk(input, chunks, dim=0):
    """Up to `chunks` pieces of one size; the last may be smaller."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = input._data.shape[wrap_dim(dim, input._data.ndim)]
    return split(input, -(-size // chunks) if size else [0] * chunks, dim)


def tensor_split(input, indices_or_sections=None, dim=0, *, indices=None, sections=None):
    """Pieces of almost one size, or those between the indices (an int, a list, a tensor)."""
    given = [a for a in (indices_or_sections, indices, sections) if a is not None]
    if len(given) != 1:
        raise TypeError("tensor_split() wants one of indices and sections")
    indices_or_sections = given[0]
    if input._data.ndim == 0:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    dim = wrap_dim(dim, input._data.ndim)
    size = input._data.shape[dim]
    if isinstance(indices_or_sections, Tensor):
        if indices_or_sections._data.dtype != np.int64:
            raise RuntimeError(
                "tensor_split expected tensor_indices_or_sections to have dtype of long, but got "
                f"{indices_or_sections.dtype.scalar_type}"
            )
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int | np.integer):
        n = indices_or_sections
        if n <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {n}")
        longer = size % n  # so many pieces have one element more
        borders = np.cumsum([size // n + (i < longer) for i in range(n - 1)]).tolist()
    else:
        borders = list(indices_or_sections)
    before = (slice(None),) * dim
    return tuple(
        input[(*before, slice(a, b))] for a, b in zip([0, *borders], [*borders, size], strict=True)
    )


def _split_along(name, min_ndim, axis):
    """hsplit and the like: `tensor_split` along `axis`, into equal pieces if a number is given."""

    def function(input, indices_or_sections):
        ndim = input._data.ndim
        if ndim < min_ndim:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {min_ndim} dimension, but got a "
                f"tensor with {ndim} dimensions!"
            )
        dim = min(axis, ndim - 1)
        size, n = input._data.shape[dim], indices_or_sections
        if isinstance(n, int) and (n <= 0 or size % n):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the "
                f"dimension {size} is not divisible by the split_size {n}!"
            )
        return tensor_split(input, indices_or_sections, dim)

    function.__name__ = name
    vectors = " (of a vector, 0)" if min_ndim == axis else ""
    function.__doc__ = f"Equal pieces, or those between indices, along dimension {axis}{vectors}."
    return function


hsplit = _split_along("hsplit", 1, 1)
vsplit = _split_along("vsplit", 2, 0)
dsplit = _split_along("dsplit", 3, 2)


# -- side by side ----------------------------------------------------------------------------------


def _several(function):
    """`function` of one tensor, of several, or of a list of them."""

    def of_several(*tensors):
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            return function(tensors[0])
        listed = tensors[0] if len(tensors) == 1 else tensors
        return tuple(function(t) for t in tensor_list(listed, function.__name__))

    of_several.__name__, of_several.__doc__ = function.__name__, function.__doc__
    return of_several


@_several
def atleast_1d(x):
    """A 0-d tensor as one of one element."""
    return x.reshape(1) if x._data.ndim == 0 else x


@_several
def atleast_2d(x):
    """With dimensions of size 1 in front, up to two."""
    return x if x._data.ndim >= 2 else x.reshape(1, -1 if x._data.size else 0)


@_several
def atleast_3d(x):
    """With dimensions of size 1: (n,) becomes (1, n, 1), (n, m) becomes (n, m, 1)."""
    if x._data.ndim >= 3:
        return x
    return x.unsqueeze(-1) if x._data.ndim == 2 else atleast_2d(x).unsqueeze(-1)


def hstack(tensors):
    """The tensors one after another along dimension 1 (vectors: 0)."""
    tensors = atleast_1d(*_not_none(tensors, "hstack"))
    tensors = tensors if isinstance(tensors, tuple) else (tensors,)
    return cat(tensors, 0 if tensors[0]._data.ndim == 1 else 1)


def vstack(tensors):
    """The tensors one below another; vectors are rows."""
    return cat([atleast_2d(t) for t in _not_none(tensors, "vstack")], 0)


def dstack(tensors):
    """The tensors one behind another, along dimension 2."""
    return cat([atleast_3d(t) for t in _not_none(tensors, "dstack")], 2)


def column_stack(tensors):
    """The tensors side by side; vectors are columns."""
    columns = [
        t if t._data.ndim > 1 else t.reshape(t._data.size, 1)
        for t in _not_none(tensors, "column_stack")
    ]
    return cat(columns, 1)


def _not_none(tensors, name):
    tensors = tensor_list(tensors, name)
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


def block_diag(*tensors):
    """The matrices along the diagonal of a larger one, 0 elsewhere."""
    tensors = tensor_list(tensors, "block_diag")
    for i, tensor in enumerate(tensors):
        if tensor._data.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {tensor._data.ndim} dimensions"
            )
    blocks = [atleast_2d(t) for t in tensors]
    width, left, rows = sum(b._data.shape[1] for b in blocks), 0, []
    for block in blocks:
        height, own = block._data.shape
        dtype = block._data.dtype
        before = wrap(np.zeros((height, left), dtype))
        after = wrap(np.zeros((height, width - left - own), dtype))
        rows.append(cat([before, block, after], 1))
        left += own
    return cat(rows, 0)


def broadcast_tensors(*tensors):
    """The tensors, expanded to the one shape that all broadcast to."""
    tensors = tensors[0] if len(tensors) == 1 and not isinstance(tensors[0], Tensor) else tensors
    size = ()
    for tensor in tensors:
        check_broadcast(size, tensor._data.shape)
        size = np.broadcast_shapes(size, tensor._data.shape)
    return tuple(expand(t, size) for t in tensors)


def broadcast_shapes(*shapes):
    """The shape that all the shapes (or lengths) broadcast to."""
    out = ()
    for i, given in enumerate(shapes):
        given = (given,) if isinstance(given, int | np.integer) else tuple(given)
        for back in range(1, min(len(out), len(given)) + 1):
            if given[-back] != out[-back] and 1 not in (given[-back], out[-back]):
                raise RuntimeError(
                    f"Attempting to broadcast a dimension of length {given[-back]} at {-back}! "
                    f"Mismatching argument at index {i} had {given}; but expected shape should be "
                    f"broadcastable to {list(out)}"
                )
        out = np.broadcast_shapes(out, given)
    return Size(out)


row_stack = vstack
concat = concatenate = cat
