"""More reductions: norms, medians, quantiles, moments, and those that skip NaN."""

from typing import NamedTuple

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._dtype import get_default_dtype
from dlcourse.mini.ops.distance import LinalgVectorNorm
from dlcourse.mini.ops.matrix import matrix_norm
from dlcourse.mini.ops.operation import check_kernel
from dlcourse.mini.ops.reduce import Amax, Amin, axes_of, mean, std, sum, var
from dlcourse.mini.ops.shape import wrap_dim

import numpy as np

# -- norms -----------------------------------------------------------------------------------------


def norm(input, p="fro", dim=None, keepdim=False, *, dtype=None):
    """The p-norm over `dim`, or of all elements.

    "fro" is p = 2, "nuc" the nuclear norm of matrices.
    """
    if p == "nuc":
        return matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(p, str) and p != "fro":
        raise NotImplementedError(f"mini's norm takes a number, 'fro' or 'nuc' for p, got {p!r}")
    input = input if dtype is None else input.to(dtype)
    if input._data.dtype.kind != "f":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{input.dtype.scalar_type}"
        )
    p = 2.0 if p in (None, "fro") else float(p)
    return LinalgVectorNorm.apply(input, p, axes_of(input, dim), keepdim)


def dist(input, other, p=2):
    """The p-norm of input - other."""
    return norm(input - other, p)


def cdist(x1, x2, p=2.0, compute_mode=None):
    """(*, P, R): the p-norm distance of each row of x1 (*, P, M) to each of x2 (*, R, M)."""
    # NB: in torch it is one node, CdistBackward0; compute_mode changes rounding alone.
    for name, x in (("X1", x1), ("X2", x2)):
        if x._data.ndim < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {x.ndim}D")
        if not x.dtype.is_floating_point:
            kind = x.dtype.scalar_type
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {kind}")
    if x1.dtype is not x2.dtype:
        wanted, found = x1.dtype.scalar_type, x2.dtype.scalar_type
        raise RuntimeError(f"expected scalar type {wanted} but found {found}")
    if x1._data.shape[-1] != x2._data.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    return norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


# -- without NaN -----------------------------------------------------------------------------------


def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum of what is not NaN."""
    # NB: in torch it is one node, NansumBackward0.
    return sum(_without_nan(input), dim, keepdim, dtype=dtype)


def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean of what is not NaN."""
    if input._data.dtype.kind != "f":
        raise RuntimeError(
            "nanmean(): expected input to have floating point or complex dtype but got "
            f"{input.dtype.scalar_type}"
        )
    there = wrap(~np.isnan(input._data))
    return nansum(input, dim, keepdim, dtype=dtype) / sum(there, dim, keepdim)


def _without_nan(input):
    if input._data.dtype.kind != "f":
        return input
    return input.masked_fill(wrap(np.isnan(input._data)), 0.0)


# -- the middle, the most frequent -----------------------------------------------------------------


class IndexResult(NamedTuple):
    """What median, nanmedian and mode along a dim return."""

    values: Tensor
    indices: Tensor


def _pick(input, index, dim, keepdim):
    """The elements at `index` (its length along dim is 1), and the index."""
    index = wrap(index)
    values = input.gather(dim, index)
    return IndexResult(*((values, index) if keepdim else (t.squeeze(dim) for t in (values, index))))


def _only_one(input, dim):
    """The element of a 0-d tensor, and its index."""
    wrap_dim(dim, 0)
    return IndexResult(input.clone(), wrap(np.asarray(0)))


def _median(input, dim, keepdim, skip_nan):
    # NB: in torch the node is MedianBackward0 or NanmedianBackward0.
    check_kernel("median_cpu", input._data.dtype, "iuf")
    if input._data.ndim == 0:
        return input.clone() if dim is None else _only_one(input, dim)
    if dim is None:
        flat = input.reshape(-1)
        if flat._data.size == 0:
            return wrap(np.asarray(np.nan, input._data.dtype))
        return _median(flat, 0, False, skip_nan).values
    dim = wrap_dim(dim, input._data.ndim)
    array = input._data
    order = np.argsort(array, dim, kind="stable")
    missing = np.isnan(array).sum(dim, keepdims=True)
    count = array.shape[dim] - (missing if skip_nan else 0)
    middle = np.maximum(count - 1, 0) // 2 + np.zeros_like(missing)
    if not skip_nan:  # NaN is sorted to the end: the first of them is the median
        middle = np.where(missing > 0, array.shape[dim] - missing, middle)
    return _pick(input, np.take_along_axis(order, middle, dim), dim, keepdim)


def median(input, dim=None, keepdim=False):
    """The middle value, of two the lower; with `dim` (values, indices) along it."""
    return _median(input, dim, keepdim, False)


def nanmedian(input, dim=None, keepdim=False):
    """The middle of what is not NaN, of two the lower; with `dim` (values, indices) along it."""
    return _median(input, dim, keepdim, True)


def mode(input, dim=-1, keepdim=False):
    """(values, indices): the most frequent value along `dim`, of several the smallest."""
    # NB: in torch the node is ModeBackward0; which of the equal values it points to is not defined.
    if input._data.ndim == 0:
        return _only_one(input, dim)
    dim = wrap_dim(dim, input._data.ndim)

    def last_of_most_frequent(row):
        values, counts = np.unique(row, return_counts=True)
        return np.flatnonzero(row == values[counts.argmax()])[-1]

    index = np.apply_along_axis(last_of_most_frequent, dim, input._data)
    return _pick(input, np.expand_dims(index, dim), dim, keepdim)


def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which the share `q` lies, a number or a vector (then the first dim)."""
    return _quantile(input, q, dim, keepdim, interpolation, False)


def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """`quantile` of what is not NaN."""
    return _quantile(input, q, dim, keepdim, interpolation, True)


def _quantile(input, q, dim, keepdim, interpolation, skip_nan):
    if input._data.dtype.kind != "f":
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    ways = {"linear", "lower", "higher", "midpoint", "nearest"}
    if interpolation not in ways:
        raise RuntimeError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, "
            f"but got {interpolation}"
        )
    if isinstance(q, Tensor) and q._data.ndim > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if isinstance(q, Tensor) and q.dtype is not input.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    shares = np.asarray(q._data if isinstance(q, Tensor) else q, np.float64)
    if ((shares < 0) | (shares > 1)).any():
        raise RuntimeError("quantile() q values must be in the range [0, 1]")
    ndim = input._data.ndim
    x = input.reshape(-1) if dim is None else input.movedim(dim, -1)  # (*, N)
    order = wrap(np.argsort(x._data, -1, kind="stable"))
    x = x.gather(-1, order)
    missing = np.isnan(x._data).sum(-1, keepdims=True)
    last = x._data.shape[-1] - 1 - (missing if skip_nan else np.zeros_like(missing))
    place = np.maximum(last, 0) * shares.reshape(-1)  # (*, Q)
    if not skip_nan:
        place = np.where(missing > 0, last, place)
    low, high = np.floor(place).astype(np.int64), np.ceil(place).astype(np.int64)
    if interpolation == "nearest":
        low = high = np.rint(place).astype(np.int64)
    low, high = (
        (high if interpolation == "higher" else low),
        (low if interpolation == "lower" else high),
    )
    weight = np.full(place.shape, 0.5) if interpolation == "midpoint" else place - np.floor(place)
    weight = wrap(weight.astype(x._data.dtype))
    out = x.gather(-1, wrap(low)).lerp(x.gather(-1, wrap(high)), weight)  # (*, Q)
    if keepdim and dim is None:
        out = out.reshape(*(1,) * ndim, -1)
    elif keepdim:
        out = out.unsqueeze(wrap_dim(dim, ndim))
    out = out.movedim(-1, 0)
    return out.squeeze(0) if shares.ndim == 0 else out


# -- moments and extremes --------------------------------------------------------------------------


def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(var, mean)."""
    spread = var(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, dim, keepdim)


def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """(std, mean)."""
    spread = std(input, dim, unbiased, keepdim, correction=correction)
    return spread, mean(input, dim, keepdim)


class Extremes(NamedTuple):
    """What aminmax returns."""

    min: Tensor
    max: Tensor


def aminmax(input, *, dim=None, keepdim=False):
    """(min, max) over `dim`, over everything without one."""
    # NB: in torch it is one node, AminmaxBackward0.
    axes = axes_of(input, dim)
    return Extremes(Amin.apply(input, axes, keepdim), Amax.apply(input, axes, keepdim))


def cov(input, *, correction=1):
    """(D, D): the covariances of the rows of `input` (D, N)."""
    if input._data.ndim > 2:
        raise RuntimeError(
            f"cov(): expected input to have two or fewer dimensions but got an input with "
            f"{input._data.ndim} dimensions"
        )
    if input._data.dtype.kind == "b":
        raise RuntimeError("cov(): bool dtype is not supported for input")
    input = input if input.dtype.is_floating_point else input.to(get_default_dtype())
    x = input.reshape(1, -1) if input._data.ndim < 2 else input
    x = x - x.mean(1, keepdim=True)
    out = x @ x.t() / max(x._data.shape[1] - correction, 0)
    return out.squeeze() if input._data.ndim < 2 else out


def corrcoef(input):
    """(D, D): the correlations of the rows of `input` (D, N)."""
    c = cov(input)
    if c._data.ndim == 0:
        return c / c
    scale = c.diagonal().sqrt()
    return (c / scale.unsqueeze(1) / scale.unsqueeze(0)).clamp(-1, 1)


def renorm(input, p, dim, maxnorm):
    """Each slice along `dim` scaled down to the p-norm `maxnorm` where it is above."""
    dim = wrap_dim(dim, input._data.ndim)
    others = tuple(d for d in range(input._data.ndim) if d != dim)
    size = norm(input, p, others, True)
    scale = (maxnorm / (size + 1e-7)).masked_fill(size <= maxnorm, 1.0)
    return input * scale
