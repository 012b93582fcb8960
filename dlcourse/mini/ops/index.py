"""Indexing with gradients: x[...], gather, scatter_add, index_select."""

import operator

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._grad_mode import here
from dlcourse.mini.ops.inplace import note_write, write
from dlcourse.mini.ops.operation import Op
from dlcourse.mini.ops.shape import alias, expand, wrap_dim

import numpy as np


def plain(index):
    """An index with its Tensors as arrays, copied: they may change before backward."""
    if isinstance(index, tuple):
        return tuple([plain(i) for i in index])
    if isinstance(index, Tensor | np.ndarray):
        return _plain_array(index._data if isinstance(index, Tensor) else index)
    if isinstance(index, list | range):
        return np.asarray(plain(tuple(index)), None if len(index) else np.int64)
    if isinstance(index, slice):
        ends = index.start, index.stop, index.step
        return slice(*(e if e is None else operator.index(e) for e in ends))
    return index


def _plain_array(array):
    """An array of indices as an index of its own: one number is an integer, bytes are a mask."""
    if array.dtype not in (np.int64, np.int32, np.uint8, np.bool_):
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if array.ndim == 0 and array.dtype.kind == "i":
        return int(array)
    return array.astype(bool) if array.dtype == np.uint8 else array.copy()


def in_steps(index, ndim):
    """(basic, advanced): x[index] is x[basic][advanced], by arrays alone.

    NumPy treats an integer beside arrays as one of them, so that x[0, :, [1, 2]] turns its
    dimensions round; torch takes the integers first.
    """
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [isinstance(p, np.ndarray | bool) for p in parts]
    if not any(arrays) or all(a or p == slice(None) for a, p in zip(arrays, parts, strict=True)):
        return None, index
    used = sum(_consumed(p) for p in parts)
    if Ellipsis not in [p for p, a in zip(parts, arrays, strict=True) if not a]:
        parts, arrays = (*parts, Ellipsis), [*arrays, False]
    basic, advanced = [], []
    for part, is_array in zip(parts, arrays, strict=True):
        if is_array:
            basic += [slice(None)] * _consumed(part)
            advanced.append(part)
        elif part is Ellipsis:
            rest = max(ndim - used, 0)
            basic += [slice(None)] * rest
            advanced += [slice(None)] * rest
        else:
            basic.append(part)
            advanced += [] if isinstance(part, int | np.integer) else [slice(None)]
    return tuple(basic), tuple(advanced)


def _consumed(part):
    """How many dimensions a part of an index is about."""
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype.kind == "b" else 1


def is_basic(index):
    """Whether the index asks for a view: integers, slices, None and Ellipsis alone."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None
        or p is Ellipsis
        or (isinstance(p, int | np.integer | slice) and not isinstance(p, bool))
        for p in parts
    )


def taken(array, index):
    """array[index], with torch's errors."""
    parts = index if isinstance(index, tuple) else (index,)
    dim = 0
    for i, part in enumerate(parts):
        if isinstance(part, slice) and part.step is not None and part.step <= 0:
            raise ValueError("step must be greater than zero")
        if isinstance(part, np.ndarray) and part.dtype.kind == "b" and part.ndim:
            here = array.shape[dim : dim + part.ndim]
            if part.shape != here and Ellipsis not in parts[:i]:
                raise IndexError(
                    f"The shape of the mask {list(part.shape)} at index {i} does not match the "
                    f"shape of the indexed tensor {list(array.shape)} at index {dim}"
                )
        dim += part is not None
    if is_basic(parts) and Ellipsis not in parts:
        parts += (Ellipsis,)  # so that a single element is a view, too
    try:
        return np.asarray(array[parts])
    except IndexError as error:
        if "only integers" in str(error):
            raise TypeError(
                f"an index is an integer, slice, ..., None, list or integer or boolean tensor, "
                f"not {index!r}"
            ) from None
        raise IndexError(_in_torchs_words(str(error), array.ndim)) from None


def _in_torchs_words(text, ndim):
    if "too many indices" in text and ndim == 0:
        return (
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` "
            "in C++ to convert a 0-dim tensor to a number"
        )
    if "too many indices" in text:
        return f"too many indices for tensor of dimension {ndim}"
    return text.replace("for axis", "for dimension")


class GetItem(Op):
    _takes_views = True

    def name(self):
        # NB: in torch x[1:, 0] is a chain of SliceBackward0 and SelectBackward0; in mini one node.
        if not self.basic:
            return "IndexBackward0"
        parts = self.index if isinstance(self.index, tuple) else (self.index,)
        return "SelectBackward0" if isinstance(parts[-1], int | np.integer) else "SliceBackward0"

    @staticmethod
    def forward(ctx, x, index):
        ctx.index, ctx.shape, ctx.basic = index, x._data.shape, is_basic(index)
        part = taken(x._data, index)
        return alias(x, part) if ctx.basic else wrap(part)

    @staticmethod
    def backward(ctx, grad_output):
        return PutItem.apply(grad_output, ctx.index, ctx.shape, ctx.basic), None


class PutItem(Op):
    """The adjoint of GetItem: zeros of `shape` with x ADDED at `index`, which may repeat."""

    @staticmethod
    def forward(ctx, x, index, shape, basic):
        ctx.index = index
        out = np.zeros(shape, x._data.dtype)
        if basic:
            out[index] = x._data
        else:
            np.add.at(out, index, x._data)
        return wrap(out)

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
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        _, _, needs_value = ctx.needs_input_grad
        zero = wrap(np.zeros((), grad_output._data.dtype))
        return (
            SetItem.apply(grad_output, ctx.index, zero),
            None,
            GetItem.apply(grad_output, ctx.index) if needs_value else None,
        )


class IndexSelect(GetItem):
    """The slices that a vector of indices names, under the name that torch gives its node."""

    def name(self):
        return "IndexSelectBackward0"


class Gather(Op):
    """`out[i, j] = x[index[i, j], j]` for dim 0; `index` is an array."""

    @staticmethod
    def forward(ctx, x, dim, index):
        ctx.dim, ctx.index, ctx.shape = dim, index, x._data.shape
        return wrap(x._data[along(index, dim, x._data)])

    @staticmethod
    def backward(ctx, grad_output):
        zeros = wrap(np.zeros(ctx.shape, grad_output._data.dtype))
        return ScatterAdd.apply(zeros, ctx.dim, ctx.index, grad_output), None, None


class ScatterAdd(Op):
    """x with src[i, j] added at [index[i, j], j] for dim 0; `index` is an array."""

    @staticmethod
    def forward(ctx, x, dim, index, src):
        ctx.dim, ctx.index = dim, index
        out = x._data.copy()
        corner = tuple(slice(n) for n in index.shape)
        np.add.at(out, along(index, dim, out), src._data[corner])
        return wrap(out)

    @staticmethod
    def backward(ctx, grad_output):
        needs_src = ctx.needs_input_grad[3]
        grad_src = Gather.apply(grad_output, ctx.dim, ctx.index) if needs_src else None
        return grad_output, None, None, grad_src


def along(index, dim, x):
    """`index` along `dim`, the others in step: out[i, j] = x[index[i, j], j] for dim 0."""
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
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be "
                f"no larger than self {list(x.shape)} apart from dimension {dim}"
            )
    grid[dim] = index
    return tuple(grid)


# -- the functions that users call -----------------------------------------------------------------


def getitem(input, index):
    """input[index]: a view for integers, slices, None and ...; else a copy."""
    index = plain(index)
    if is_basic(index):
        return GetItem.apply(input, index)
    basic, advanced = in_steps(index, input._data.ndim)
    return GetItem.apply(input if basic is None else GetItem.apply(input, basic), advanced)


def setitem(input, index, value):
    """`input[index] = value`, in place; `value` broadcasts."""
    index = plain(index)
    if not is_basic(index):
        basic, index = in_steps(index, input._data.ndim)
        input = input if basic is None else GetItem.apply(input, basic)
    value = value if isinstance(value, Tensor) else wrap(np.asarray(value, input._data.dtype))
    target = taken(input._data, index).shape
    extra = value._data.ndim - len(target)
    if extra > 0 and value._data.shape[:extra] == (1,) * extra:
        value = value.reshape(value._data.shape[extra:])
    if value._data.shape != target:
        expand(value, target)  # refuses what does not fit
    check_written(input, index, value)
    if not _recorded(input, value) and input._data.flags.writeable and input._writes is not None:
        input._data[index] = value._data  # nobody differentiates: no snapshot of the whole
        note_write(input)
        return
    write(input, lambda old: SetItem.apply(old, index, value))


def check_written(input, index, value):
    """At arrays of indices nothing is converted, but for one number where a mask is true."""
    if value.dtype is input.dtype or is_basic(index):
        return
    arrays = [p for p in (index if isinstance(index, tuple) else (index,)) if hasattr(p, "dtype")]
    if value._data.size != 1 or [p.dtype.kind for p in arrays] != ["b"]:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{input.dtype.scalar_type} for the destination and {value.dtype.scalar_type} for the "
            "source."
        )


def check_index(function, index, wanted="Expected dtype int32/int64 for index"):
    """Refuse an index that is not of int32 or int64."""
    if index.dtype.name not in ("int64", "int32"):
        raise RuntimeError(f"{function}(): {wanted}")


def _recorded(input, value):
    """Whether a write of `value` into `input` belongs into a graph, or must be refused by one."""
    base = None if input._view is None else input._view.base
    return here.mode.enabled and (
        input.requires_grad or value.requires_grad or (base is not None and base.requires_grad)
    )


def gather(input, dim, index):
    """`out[i][j] = input[index[i][j]][j]` for dim 0; the result has the shape of `index`."""
    dim = wrap_dim(dim, input._data.ndim)
    check_index("gather", index)
    if input._data.ndim == 0:
        return Gather.apply(input.reshape(1), 0, np.atleast_1d(index._data.copy())).reshape(())
    return Gather.apply(input, dim, index._data.copy())


def scatter_add(input, dim, index, src):
    """`input` with src[i][j] added at [index[i][j]][j] for dim 0; indices may repeat."""
    dim = wrap_dim(dim, input._data.ndim)
    check_scattered(input, index, src)
    if any(n > m for n, m in zip(index._data.shape, src._data.shape, strict=False)):
        raise RuntimeError(
            f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} "
            f"apart from dimension {dim} and to be no larger size than src {list(src.shape)}"
        )
    return ScatterAdd.apply(input, dim, index._data.copy(), src)


def check_scattered(input, index, src):
    """Refuse types that scatter does not convert."""
    check_index("scatter", index)
    if src.dtype is not input.dtype:
        raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")


def index_select(input, dim, index):
    """The slices of `input` along `dim` that the 1-d tensor `index` names."""
    if index._data.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    check_index("index_select", index, "Expected dtype int32 or int64 for index")
    dim = wrap_dim(dim, input._data.ndim)
    if input._data.ndim == 0:
        input = input.reshape(1)
    return IndexSelect.apply(input, (*(slice(None),) * dim, np.atleast_1d(index._data.copy())))
