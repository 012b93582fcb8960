"""A piece written into a copy of a tensor (`slice_scatter` and the like), and index_reduce."""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.index import SetItem
from dlcourse.mini.ops.matrices import diagonal
from dlcourse.mini.ops.scatter import REDUCTIONS, scatter_reduce
from dlcourse.mini.ops.shape import wrap_dim

import numpy as np


def _written(name, input, index, src):
    """`input` with `src`, which must have the shape of that place, at a basic index."""
    place = input._data[index].shape
    if src._data.shape != place:
        raise RuntimeError(
            f"expected src to have a size equal to the {name} of self. src size = "
            f"{list(src.shape)}, {name} size = {list(place)}"
        )
    return SetItem.apply(input, index, src)


def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """`input` with `src` in the place of input[start:end:step] along `dim`."""
    # NB: in torch it is one node, SliceScatterBackward0; so are select_scatter, diagonal_scatter.
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    dim = wrap_dim(dim, input._data.ndim)
    return _written("slice", input, (slice(None),) * dim + (slice(start, end, step),), src)


def select_scatter(input, src, dim, index):
    """`input` with `src` in the place of its slice number `index` along `dim`."""
    dim = wrap_dim(dim, input._data.ndim)
    if not -input._data.shape[dim] <= index < input._data.shape[dim]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {dim}"
        )
    return _written("slice", input, (slice(None),) * dim + (index,), src)


def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """`input` with `src` in the place of a diagonal."""
    places = wrap(np.arange(input._data.size).reshape(input._data.shape))
    flat = diagonal(places, offset, dim1, dim2)._data
    if src._data.shape != flat.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(flat.shape)}"
        )
    out = SetItem.apply(input.reshape(-1), (flat.ravel().copy(),), src.reshape(-1))
    return out.reshape(input._data.shape)


def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """`input`, each slice `index[i]` along `dim` reduced with the slice i of `source`.

    `reduce` is "prod", "mean", "amax" or "amin"; without `include_self` the old slice is left out.
    """
    if reduce not in ("mean", *REDUCTIONS):
        raise RuntimeError(
            f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    dim = wrap_dim(dim, input._data.ndim)
    shape = [1] * input._data.ndim
    shape[dim] = index._data.size
    index = index.reshape(shape).expand(source._data.shape)
    return scatter_reduce(input, dim, index, source, reduce, include_self=include_self)


def unravel_index(indices, shape):
    """The indices, one tensor a dimension, of the places that `indices` number in that shape."""
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    if indices._data.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    found = np.unravel_index(indices._data % max(int(np.prod(shape)), 1), shape)
    return tuple(wrap(np.asarray(i, indices._data.dtype)) for i in found)
