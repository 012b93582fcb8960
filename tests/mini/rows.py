"""What a row of the table of operations is, and how it is called under either framework.

Tensors are described by `T` (floats), `I` (integers), `B` (booleans); `make` builds them, of the
same numbers, for both frameworks, in several types and memory layouts.
"""

import zlib
from dataclasses import dataclass, field, replace

from dlcourse import mini

import numpy as np
import torch


@dataclass(frozen=True)
class T:
    """A tensor of floats in [low, high); `grad`: whether to differentiate with respect to it."""

    shape: tuple
    low: float = -2.0
    high: float = 2.0
    grad: bool = True
    values: tuple | None = None  # nested tuples of numbers in place of random ones

    def array(self, rng, dtype):
        if self.values is not None:
            return np.array(self.values, dtype)
        return rng.uniform(self.low, self.high, self.shape).astype(dtype)


@dataclass(frozen=True)
class I:  # noqa: E742  the letter of the tensor type
    """A tensor of integers in [low, high)."""

    shape: tuple
    high: int = 3
    low: int = 0
    dtype: str = "int64"
    grad: bool = False
    values: tuple | None = None

    def array(self, rng, dtype):
        if self.values is not None:
            return np.array(self.values, self.dtype)
        return rng.integers(self.low, self.high, self.shape).astype(self.dtype)


@dataclass(frozen=True)
class B:
    """A tensor of booleans."""

    shape: tuple
    grad: bool = False

    def array(self, rng, dtype):
        return np.asarray(rng.random(self.shape) < 0.5)


@dataclass(frozen=True)
class Dtype:
    """The dtype of that name, of mini or of torch."""

    name: str


@dataclass(frozen=True)
class Row:
    name: str
    args: tuple
    options: dict = field(default_factory=dict)
    forms: tuple = ("function", "method")
    node: bool = True  # whether the last node has torch's name
    sentence: bool = True  # for errors: whether the sentence is torch's

    def __str__(self):
        args = [_short(a) for a in self.args] + [
            f"{k}={_short(v)}" for k, v in self.options.items()
        ]
        return f"{self.name}({', '.join(args)})"


def _short(value):
    if isinstance(value, T | I | B):
        return type(value).__name__ + "x".join(map(str, value.shape))
    if isinstance(value, list | tuple):
        return "[" + " ".join(map(_short, value)) + "]"
    return value.name if isinstance(value, Dtype) else str(value)


def row(name, *args, _forms=("function", "method"), _node=True, _sentence=True, **options):
    return Row(name, args, options, _forms, _node, _sentence)


def pointwise(name, *domains, _node=True, **options):
    """Rows of a pointwise operation: plain, scalar, empty and broadcast shapes."""
    shapes = [(2, 3, 5), (), (0, 3)]
    rows = [row(name, *[T(s, *d) for d in domains], _node=_node, **options) for s in shapes]
    if len(domains) == 2:
        a, b = domains
        for left, right in (
            ((3, 1), (4,)), ((), (2, 3)), ((2, 3), ()), ((5, 1, 3), (4, 1)), ((0, 3), (1, 3)),
            ((1,), (0,)), ((1, 1, 1), (2, 3)),
        ):  # fmt: skip
            rows.append(row(name, T(left, *a), T(right, *b), _node=_node, **options))
    return rows


def reduction(name, **options):
    """Rows of a reduction: all, one dim, several, kept or not, 0-d."""
    x, node = T((2, 3, 5)), options.pop("_node", True)
    several, scalar = options.pop("_several", True), options.pop("_scalar", True)
    rows = [row(name, x, 1), row(name, x, -1, keepdim=True), row(name, T((3,)), dim=0)]
    rows += [row(name, T(()), 0)] * scalar
    if several:
        rows += [row(name, x, (0, 2)), row(name, x, (-1, 0), keepdim=True), row(name, x, [1])]
    return [replace(r, node=node, options={**r.options, **options}) for r in rows]


X = T((2, 3, 5))
POSITIVE = (0.3, 2.0)
ANY = (-2.0, 2.0)
FREE = ("function",)
METHOD = ("method",)


# -- making the arguments --------------------------------------------------------------------------


def make(case, framework, dtype="float64", layout="plain"):
    """The arguments of a row, and the tensors among them that want a gradient."""
    rng = np.random.default_rng(zlib.crc32(str(case).encode()))
    leaves = []

    def build(value):
        if isinstance(value, T | I | B):
            tensor = lay_out(framework, value.array(rng, dtype), layout)
            if value.grad:
                leaves.append(tensor.requires_grad_())
            return tensor
        if isinstance(value, Dtype):
            return getattr(framework, value.name)
        if isinstance(value, list | tuple):
            return type(value)(build(v) for v in value)
        return value.copy() if isinstance(value, np.ndarray) else value

    args = [build(a) for a in case.args]
    return args, {k: build(v) for k, v in case.options.items()}, leaves


def lay_out(framework, array, layout):
    """The array as a tensor of that framework, in memory as the layout says."""
    if layout == "transposed":
        return framework.from_numpy(array.T.copy().T)
    if layout == "sliced" and array.ndim:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        wide[..., ::2] = array
        return framework.from_numpy(wide)[..., ::2]
    return framework.from_numpy(np.asarray(array).copy())


def apply(case, framework, form, args, options):
    """What a row is about, done to arguments that are made; `form` as in `call`."""
    if form == "functional":
        return getattr(framework.nn.functional, case.name)(*args, **options)
    if form == "function":
        return getattr(framework, case.name)(*args, **options)
    if form == "in-place":
        return getattr(args[0] * 1, f"{case.name}_")(*args[1:], **options)
    return getattr(args[0], case.name)(*args[1:], **options)


def call(case, framework, form, dtype="float64", layout="plain"):
    """Results and leaves of a row; `form` is "function", "method", "in-place" or "functional"."""
    args, options, leaves = make(case, framework, dtype, layout)
    return apply(case, framework, form, args, options), leaves


FRAMEWORKS = (mini, torch)
