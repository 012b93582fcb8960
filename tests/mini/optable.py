"""The table of operations: what each is called with, under mini and under torch alike.

A row names an operation of the tables in `dlcourse.mini.ops` and gives arguments.  Tensors are
described by `T` (floats), `I` (integers), `B` (booleans); the tests make them, of the same numbers,
for both frameworks, in several types and memory layouts.
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

ROWS = [
    # pointwise
    row("min", I((3, 4), 9, dtype="uint8"), 1),
    row("minimum", I((3,), 9, dtype="uint8"), I((3,), 9, dtype="uint8")),
    row("argmin", I((3, 4), 9, dtype="uint8"), 0),
    row("amin", I((3, 4), 9, dtype="uint8")),
    *pointwise("add", ANY, ANY),
    row("add", X, 2),
    row("add", X, 2.5),
    row("add", X, X, alpha=3),
    row("add", T((2, 3), grad=False), True),
    row("add", I((2, 3)), 1),
    row("add", I((2, 3)), 1.5),
    row("add", I((2, 3)), T((3,))),
    row("add", B((2, 3)), B((2, 3))),
    row("add", B((2, 3)), 1),
    row("add", I((2, 3), dtype="int32"), I((2, 3))),
    row("add", I((2, 3), dtype="uint8"), I((2, 3), dtype="int8")),
    *pointwise("sub", ANY, ANY),
    row("sub", X, 2),
    row("sub", X, X, alpha=0.5),
    row("sub", I((2, 3)), 1),
    *pointwise("mul", ANY, ANY),
    row("mul", X, 2),
    row("mul", X, -1.5),
    row("mul", I((2, 3)), I((3,))),
    row("mul", B((3,)), B((3,))),
    row("mul", I((2, 3)), 0.5),
    row("mul", X, B((2, 3, 5))),
    *pointwise("div", ANY, POSITIVE),
    row("div", X, 2),
    row("div", X, 0.3),
    row("div", I((2, 3)), 2),
    row("div", I((2, 3)), I((3,), 5, 1)),
    row("div", T((3,)), 0),
    *pointwise("pow", POSITIVE, ANY),
    *[row("pow", X, n) for n in (2, 3, 1, 0)],
    row("pow", T((2, 3), *POSITIVE), -1.5),
    row("pow", T((2, 3), *POSITIVE), 0.5),
    row("pow", T((3,), values=(0.0, 1.0, -1.0)), 2),
    row("pow", T((3,), values=(0.0, 1.0, 2.0)), 1),
    row("pow", 2.0, X, _forms=FREE, _node=False),
    row("pow", I((2, 3)), 2),
    row("pow", I((3,), 5, 1), I((3,))),
    *pointwise("neg", ANY),
    row("neg", I((3,))),
    *pointwise("exp", ANY),
    row("exp", I((3,))),
    *pointwise("log", POSITIVE),
    row("log", T((3,), values=(0.0, -1.0, 1.0), grad=False)),
    row("log", I((3,), 5, 1)),
    *pointwise("sqrt", POSITIVE),
    *pointwise("abs", ANY),
    row("abs", T((3,), values=(0.0, -1.0, 2.0))),
    row("abs", I((3,), 3, -3)),
    *pointwise("sign", ANY),
    *pointwise("sin", ANY),
    *pointwise("cos", ANY),
    *pointwise("tanh", ANY),
    *pointwise("sigmoid", ANY),
    row("sigmoid", T((4,), values=(-800.0, -20.0, 20.0, 800.0), grad=False)),
    *pointwise("relu", ANY),
    row("relu", T((3,), values=(0.0, -1.0, 2.0))),
    row("relu", I((4,), 3, -3)),
    *pointwise("clone", ANY),
    *pointwise("square", ANY),
    *pointwise("reciprocal", POSITIVE),
    *pointwise("clamp", ANY, min=-1, max=0.5),
    row("clamp", X, min=0),
    row("clamp", X, max=0.5),
    row("clamp", X, -0.5, 0.5),
    row("clamp", T((3,), values=(-1.0, 0.0, 1.0)), -1.0, 1.0),
    row("clamp", I((5,), 9), 2, 4),
    row("clamp", X, min=1, max=-1),
    *pointwise("maximum", ANY, ANY),
    row("maximum", T((3,), values=(1.0, 2.0, 3.0)), T((3,), values=(1.0, 3.0, 2.0))),
    *pointwise("minimum", ANY, ANY),
    row("minimum", T((3,), values=(1.0, 2.0, 3.0)), T((3,), values=(1.0, 3.0, 2.0))),
    row("masked_fill", X, B((2, 3, 5)), 2.0),
    row("masked_fill", X, B((3, 1)), -1),
    row("masked_fill", T(()), B(()), 1.5),
    row("masked_fill", T((0, 3)), B((3,)), 1),
    row("masked_fill", I((2, 3)), B((3,)), 7),
    *pointwise("remainder", ANY, POSITIVE),
    row("remainder", X, -0.7),
    row("remainder", I((2, 5), 9, -9), 4),
    row("remainder", I((2, 5), 9, -9), I((5,), 4, 1)),
    row("__mod__", X, 0.7, _forms=METHOD),
    row("floor_divide", T((2, 3), grad=False), 0.7),
    row("floor_divide", I((2, 5), 9, -9), 2),
    row("floor_divide", I((2, 5), 9, -9), I((5,), 4, 1)),
    *[row(name, X, X) for name in ("eq", "ne", "lt", "le", "gt", "ge")],
    *[row(name, I((3, 1)), I((4,))) for name in ("eq", "ne", "lt", "le", "gt", "ge")],
    *[row(name, T(()), 0.5) for name in ("eq", "ne", "lt", "le", "gt", "ge")],
    row("eq", I((4,)), 1.0),
    row("gt", T((0, 3)), 0),
    row("lt", T((3, 1)), I((4,))),
    *[row("logical_not", x) for x in (B((3,)), I((3,)), X)],
    *[
        row(f"bitwise_{n}", a, b)
        for n in ("and", "or", "xor")
        for a, b in ((B((3, 1)), B((4,))), (I((5,), 9), I((5,), 9)), (I((5,), 9), 3))
    ],
    *[
        row(n, T((4,), values=(0.0, float("nan"), float("inf"), -1.0)))
        for n in ("isnan", "isfinite")
    ],
    # reductions
    row("sum", X),
    row("sum", T(())),
    row("sum", T((0, 3))),
    row("sum", T((0, 3)), 0),
    row("sum", I((2, 3))),
    row("sum", B((2, 3)), 1),
    row("sum", X, dtype=Dtype("float64")),
    row("sum", I((2, 3), dtype="int32")),
    *reduction("sum"),
    row("mean", X),
    row("mean", T(())),
    row("mean", T((0, 3))),
    row("mean", T((2, 0)), 0),
    *reduction("mean"),
    row("mean", I((2, 3)), dtype=Dtype("float32")),
    row("var", X, _node=False),
    *reduction("var", _node=False, _scalar=False),
    row("var", X, 1, unbiased=False, _node=False),
    row("var", X, dim=(0, 1), correction=0, _node=False),
    row("std", X, _node=False),
    *reduction("std", _node=False, _scalar=False),
    row("std", X, 1, correction=0, _node=False),
    row("var", T(()), correction=0, _node=False),
    row("std", T((3, 0)), 1, _node=False),
    *reduction("amax"),
    row("amax", X),
    row("amax", T((5,), values=(1.0, 3.0, 2.0, 3.0, 3.0))),
    *reduction("amin"),
    row("amin", X),
    row("amin", T((5,), values=(1.0, 1.0, 2.0, 3.0, 1.0))),
    row("max", X),
    row("max", T(())),
    row("max", T((5,), values=(1.0, 3.0, 2.0, 3.0, 3.0))),
    row("max", X, T((3, 1))),
    *reduction("max", _several=False),
    row("max", I((2, 3), 9)),
    row("max", I((2, 3), 9), 1),
    row("min", X),
    row("min", T((5,), values=(1.0, 1.0, 2.0, 3.0, 1.0))),
    row("min", X, T((3, 1))),
    *reduction("min", _several=False),
    row("min", I((2, 3), 9), 1),
    row("min", I((2, 3), 9)),
    *[
        row(n, x, *a, **o)
        for n in ("argmax", "argmin")
        for x, a, o in (
            (X, (), {}),
            (X, (1,), {}),
            (X, (-1,), {"keepdim": True}),
            (T(()), (), {}),
            (T(()), (0,), {}),
            (I((3, 4), 9), (0,), {}),
        )
    ],
    *reduction("logsumexp"),
    row("logsumexp", T((2,), values=(1000.0, 1000.0)), 0),
    row("logsumexp", T((2,), values=(-float("inf"), -float("inf")), grad=False), 0),
    *[row(n, X, d) for n in ("softmax", "log_softmax") for d in (0, 1, -1)],
    *[row(n, T(()), 0) for n in ("softmax", "log_softmax")],
    *[row(n, T((2, 0)), 1) for n in ("softmax", "log_softmax")],
    *[row(n, X, dim=1, dtype=Dtype("float64")) for n in ("softmax", "log_softmax")],
    *[row(n, T((3,), values=(1000.0, 0.0, -1000.0)), 0) for n in ("softmax", "log_softmax")],
    *[row(n, x) for n in ("all", "any") for x in (B((2, 3)), I((2, 3)), T((3,)), B((0,)), B(()))],
    # shape
    *[row("reshape", X, s) for s in ((30,), (3, -1), (5, 3, 2), (1, 2, 3, 5))],
    row("reshape", T(()), (1, 1)),
    row("reshape", T((0, 3)), (3, 0)),
    row("reshape", T((1,)), ()),
    row("flatten", X),
    row("flatten", X, 1),
    row("flatten", X, 0, 1),
    row("flatten", X, start_dim=-2),
    row("flatten", T((0, 3, 2)), 1),
    row("flatten", T(())),
    row("permute", X, (2, 0, 1)),
    row("permute", X, (-1, 0, 1)),
    row("permute", T((0, 3)), (1, 0)),
    row("permute", T(()), ()),
    row("transpose", X, 0, 1),
    row("transpose", X, -1, 0),
    row("transpose", T(()), 0, -1),
    row("transpose", T((0, 3)), 0, 1),
    row("t", T((2, 3))),
    row("t", T((3,))),
    row("t", T(())),
    row("t", T((0, 3))),
    row("squeeze", T((1, 3, 1))),
    row("squeeze", T((1, 3, 1)), 0),
    row("squeeze", T((1, 3, 1)), 1),
    row("squeeze", T((1, 3, 1)), (0, -1)),
    row("squeeze", T(())),
    row("squeeze", T(()), 0),
    row("squeeze", T((0, 1))),
    row("unsqueeze", X, 0),
    row("unsqueeze", X, -1),
    row("unsqueeze", X, 2),
    row("unsqueeze", T(()), 0),
    row("unsqueeze", T((0,)), 1),
    row("flip", X, (0, 2)),
    row("flip", X, [1]),
    row("flip", T((0, 3)), (0,)),
    row("flip", X, (-1,)),
    row("split", T((5, 3)), 2, _node=False),
    row("split", T((5, 3)), [1, 4], _node=False),
    row("split", X, 2, dim=-1, _node=False),
    row("split", X, [2, 0, 3], 2, _node=False),
    row("split", T((0, 3)), 2, _node=False),
    row("unbind", X, _node=False),
    row("unbind", X, 1, _node=False),
    row("unbind", X, dim=-1, _node=False),
    row("unbind", T((0, 3)), _node=False),
    # indexing
    row("gather", T((3, 4)), 0, I((2, 4), 3)),
    row("gather", T((3, 4)), 1, I((3, 6), 4)),
    row("gather", X, -1, I((2, 2, 4), 5)),
    row("gather", T(()), 0, I((), 1), _node=False),
    row("gather", T((3, 4)), 0, I((0, 4), 3)),
    row("gather", T((3, 4)), 1, I((2, 1), 4)),
    row("scatter_add", T((3, 4)), 0, I((2, 4), 3), T((2, 4))),
    row("scatter_add", T((3, 4)), 1, I((3, 6), 4), T((3, 6))),
    row("scatter_add", T((3, 4)), 0, I((2, 2), 3), T((5, 6), grad=False)),
    row("scatter_add", T((3, 4), grad=False), 0, I((2, 4), 3), T((2, 4))),
    row("index_select", X, 1, I((4,), 3)),
    row("index_select", X, -1, I((2,), 5)),
    row("index_select", X, 0, I((), 2)),
    row("index_select", X, 0, I((0,), 2)),
    # products
    row("matmul", T((2, 3)), T((3, 4))),
    row("matmul", T((3,)), T((3,))),
    row("matmul", T((2, 3)), T((3,))),
    row("matmul", T((3,)), T((3, 4)), _node=False),
    row("matmul", T((5, 2, 3)), T((3, 4)), _node=False),
    row("matmul", T((5, 2, 3)), T((5, 3, 4)), _node=False),
    row("matmul", T((2, 1, 2, 3)), T((5, 3, 4)), _node=False),
    row("matmul", T((2, 3)), T((5, 3, 4)), _node=False),
    row("matmul", T((5, 2, 3)), T((3,)), _node=False),
    row("matmul", T((3,)), T((5, 3, 4)), _node=False),
    row("matmul", T((0, 3)), T((3, 4))),
    row("matmul", T((2, 0)), T((0, 4))),
    row("matmul", I((2, 3)), I((3, 4))),
    row("matmul", T((0,)), T((0,))),
    row("mm", T((2, 3)), T((3, 4))),
    row("mm", T((2, 0)), T((0, 4))),
    row("bmm", T((5, 2, 3)), T((5, 3, 4))),
    row("bmm", T((0, 2, 3)), T((0, 3, 4))),
    row("dot", T((4,)), T((4,))),
    row("dot", I((4,)), I((4,))),
    row("outer", T((2,)), T((3,))),
    row("outer", T((0,)), T((3,))),
    row("addmm", T((4,)), T((2, 3)), T((3, 4))),
    row("addmm", T((2, 4)), T((2, 3)), T((3, 4))),
    row("addmm", T((2, 1)), T((2, 3)), T((3, 4))),
    row("addmm", T((4,)), T((0, 3)), T((3, 4))),
    row("addmm", T(()), T((2, 3)), T((3, 4))),
    # functions that are not methods
    row("where", B((2, 3)), T((2, 3)), T((2, 3)), _forms=FREE),
    row("where", B((2, 3)), T((3,)), T((2, 1)), _forms=FREE),
    row("where", B((2, 3)), T((2, 3)), 0.0, _forms=FREE),
    row("where", B((2, 3)), 1.5, T((3,)), _forms=FREE),
    row("where", B((2, 3)), 1.0, 0.0, _forms=FREE),
    row("where", B((2, 3)), 1, 0, _forms=FREE),
    row("where", B(()), T(()), T(()), _forms=FREE),
    row("where", B((2, 3)), I((2, 3)), 0.5, _forms=FREE),
    row("where", B((0, 3)), T((0, 3)), T((3,)), _forms=FREE),
    row("cat", [T((2, 3)), T((4, 3))], _forms=FREE),
    row("cat", [T((2, 3)), T((2, 1))], 1, _forms=FREE),
    row("cat", [T((2, 3)), T((2, 1))], dim=-1, _forms=FREE),
    row("cat", [T((0, 3)), T((2, 3))], _forms=FREE),
    row("cat", [T((2,)), I((3,))], _forms=FREE),
    row("cat", [X], _forms=FREE),
    row("cat", (T((2, 3)), T((2, 3), grad=False)), _forms=FREE),
    row("stack", [T((2, 3)), T((2, 3))], _forms=FREE),
    row("stack", [T((2, 3)), T((2, 3))], 1, _forms=FREE),
    row("stack", [T((2, 3)), T((2, 3))], dim=-1, _forms=FREE),
    row("stack", [T(()), T(())], _forms=FREE),
    row("tensor", [[1, 2], [3, 4]], _forms=FREE),
    row("tensor", 1.5, _forms=FREE),
    row("tensor", True, _forms=FREE),
    row("tensor", [], _forms=FREE),
    row("tensor", [1.0, 2], _forms=FREE),
    row("tensor", [1, 2], dtype=Dtype("float64"), _forms=FREE),
    row("tensor", [0.1], dtype=Dtype("float64"), _forms=FREE),
    row("tensor", [1.7, -1.7], dtype=Dtype("int32"), _forms=FREE),
    row("tensor", [[1.0], [2.0]], requires_grad=True, _forms=FREE),
    row("tensor", [True, False], _forms=FREE),
    row("tensor", (1, 2.0), _forms=FREE),
    row("tensor", 3, device="cpu", _forms=FREE),
    row("as_tensor", [1.0, 2.0], _forms=FREE),
    row("as_tensor", T((2, 3)), _forms=FREE),
    row("as_tensor", T((2, 3)), dtype=Dtype("float64"), _forms=FREE, _node=False),
    row("as_tensor", 3, _forms=FREE),
    row("from_numpy", np.arange(6.0).reshape(2, 3), _forms=FREE),
    row("from_numpy", np.arange(4, dtype="int32"), _forms=FREE),
    *[
        row(n, *a, **o, _forms=FREE)
        for n in ("zeros", "ones")
        for a, o in (
            ((2, 3), {}),
            (((2, 3),), {}),
            (((),), {}),
            ((0, 2), {}),
            ((3,), {"dtype": Dtype("int64")}),
            ((3,), {"requires_grad": True}),
        )
    ],
    *[row("full", (2, 3), v, _forms=FREE) for v in (1.5, 2, True)],
    row("full", (2,), 1, dtype=Dtype("float64"), _forms=FREE),
    row("full", (), 2.0, requires_grad=True, _forms=FREE),
    *[row(n, x, _forms=FREE) for n in ("zeros_like", "ones_like") for x in (X, I((3,)), T(()))],
    row("zeros_like", I((3,)), dtype=Dtype("float32"), _forms=FREE),
    row("ones_like", T((3,)), requires_grad=True, _forms=FREE),
    row("full_like", X, 2.5, _forms=FREE),
    row("full_like", I((3,)), 2, _forms=FREE),
    row("full_like", I((3,)), 2, dtype=Dtype("float32"), _forms=FREE),
    *[
        row("arange", *a, **o, _forms=FREE)
        for a, o in (
            ((5,), {}),
            ((1, 7), {}),
            ((1, 10, 3), {}),
            ((5, 1, -1), {}),
            ((0, 1, 0.25), {}),
            ((2.5,), {}),
            ((0,), {}),
            ((3,), {"dtype": Dtype("float64")}),
            ((1, 2, 0.1), {}),
        )
    ],
    *[
        row("linspace", *a, _forms=FREE)
        for a in ((0, 1, 5), (-1.0, 1.0, 4), (0, 1, 1), (0, 1, 0), (3, -3, 7))
    ],
    row("linspace", 0, 1, 3, dtype=Dtype("float64"), _forms=FREE),
    row("eye", 3, _forms=FREE),
    row("eye", 2, 4, _forms=FREE),
    row("eye", 2, dtype=Dtype("int64"), _forms=FREE),
    # methods that are not functions
    *[row("view", X, *s, _forms=METHOD) for s in ((30,), (3, -1), ((5, 6),), (2, 15), (-1,))],
    row("view", T(()), 1, _forms=METHOD),
    row("view", T((0, 3)), 3, 0, _forms=METHOD),
    row("expand", T((3, 1)), 3, 4, _forms=METHOD),
    row("expand", T((3, 1)), 2, -1, 4, _forms=METHOD),
    row("expand", T(()), 2, 3, _forms=METHOD),
    row("expand", T((1, 3)), (0, 3), _forms=METHOD),
    row("expand", T((1, 3)), -1, -1, _forms=METHOD),
    row("sum_to_size", X, 1, 3, 1, _forms=METHOD, _node=False),
    row("sum_to_size", X, 5, _forms=METHOD, _node=False),
    row("sum_to_size", X, (3, 1), _forms=METHOD, _node=False),
    row("sum_to_size", X, 2, 3, 5, _forms=METHOD, _node=False),
    *[
        row("__getitem__", X, i, _forms=METHOD, _node=n)
        for i, n in (
            (0, True),
            (-1, True),
            ((0, 1, 2), True),
            (slice(1, None), True),
            (slice(None, None, 2), True),
            ((slice(None), 1), True),
            ((..., 0), True),
            ((None, 0), False),
            (None, False),
            (..., False),
            ((slice(None), slice(1, 3), slice(0, 4, 2)), True),
            ((), False),
            (slice(5, 2), True),
            ([0, 1, 1], True),
            (([0, 1], [2, 0]), True),
            ((slice(None), [0, 2]), True),
            (([0, 1], slice(None), [4, 0]), True),
            (True, False),
        )
    ],
    row("__getitem__", X, I((4,), 2), _forms=METHOD),
    row("__getitem__", X, B((2, 3, 5)), _forms=METHOD),
    row("__getitem__", X, B((2,)), _forms=METHOD),
    row("__getitem__", X, (slice(None), I((2, 2), 3)), _forms=METHOD),
    row("__getitem__", X, (I((3,), 2), I((3,), 3)), _forms=METHOD),
    row("__getitem__", X, (0, I((3,), 3)), _forms=METHOD, _node=False),
    row("__getitem__", X, (I((2, 1), 2), I((3,), 3)), _forms=METHOD),
    row("__getitem__", T(()), (), _forms=METHOD, _node=False),
    row("__getitem__", T(()), None, _forms=METHOD, _node=False),
    row("__getitem__", X, (I((3,), 2), None, slice(1)), _forms=METHOD, _node=False),
    row("__getitem__", X, I((), 2), _forms=METHOD, _node=False),
    *[
        row(n, X, T((3, 1)), _forms=METHOD)
        for n in ("__add__", "__sub__", "__mul__", "__truediv__")
    ],
    *[row(n, X, 2, _forms=METHOD) for n in ("__add__", "__sub__", "__mul__", "__truediv__")],
    row("__floordiv__", I((3,), 9), 2, _forms=METHOD),
    *[row(n, X, 2, _forms=METHOD) for n in ("__radd__", "__rsub__", "__rmul__")],
    row("__rtruediv__", T((2, 3), *POSITIVE), 2, _forms=METHOD),
    row("__rpow__", X, 2, _forms=METHOD, _node=False),
    row("__pow__", X, 3, _forms=METHOD),
    row("__pow__", T((2, 3), *POSITIVE), T((3,)), _forms=METHOD),
    row("__matmul__", T((2, 3)), T((3, 4)), _forms=METHOD),
    row("__neg__", X, _forms=METHOD),
    row("__abs__", X, _forms=METHOD),
    *[row(n, B((3,)), B((3,)), _forms=METHOD) for n in ("__and__", "__or__", "__xor__")],
    *[row(f"__{n}__", X, 0.5, _forms=METHOD) for n in ("eq", "ne", "lt", "le", "gt", "ge")],
]


# What must be refused.  Where the sentence differs, `_sentence=False`; the type is always torch's.
ERRORS = [
    *[row(n, I((3,), 9), I((2, 1), 1)) for n in ("floor_divide", "remainder")],
    *[row(n, I((3,), 9), 0) for n in ("floor_divide", "remainder")],
    *[
        row(n, T((2, 3)), T((4,)))
        for n in (
            "add",
            "sub",
            "mul",
            "div",
            "pow",
            "maximum",
            "minimum",
            "eq",
            "lt",
            "floor_divide",
        )
    ],
    row("sub", B((3,)), B((3,))),
    row("neg", B((3,))),
    row("pow", I((3,)), -1),
    row("clamp", X),
    row("masked_fill", X, I((2, 3, 5)), 1),
    row("masked_fill", X, B((4,)), 1),
    row("bitwise_and", X, X, _sentence=False),
    row("where", X, X, X, _forms=FREE, _sentence=False),
    *[
        row(n, X, 3)
        for n in (
            "sum",
            "mean",
            "amax",
            "max",
            "argmax",
            "softmax",
            "log_softmax",
            "logsumexp",
            "var",
            "squeeze",
            "unbind",
        )
    ],
    *[row(n, X, -4) for n in ("sum", "max", "argmax", "unbind")],
    row("unsqueeze", X, 4),
    row("sum", X, (1, 1)),
    row("mean", I((3,))),
    row("amax", T((0, 3)), _sentence=False),
    row("max", T((0, 3))),
    row("min", T((0, 3))),
    row("argmax", T((0, 3))),
    row("max", T((0, 3)), 0),
    row("argmax", T((0, 3)), 0),
    row("amax", T((0, 3)), 0, _sentence=False),
    row("reshape", X, (7,)),
    row("reshape", X, (-1, -1)),
    row("reshape", T((0, 3)), (0, -1)),
    row("reshape", X, (-2, 3)),
    row("view", X, 7, _forms=METHOD),
    row("flatten", X, 2, 1),
    row("flatten", X, 5),
    row("permute", X, (0, 1)),
    row("permute", X, (0, 0, 1)),
    row("transpose", X, 0, 3),
    row("t", X),
    row("expand", T((3, 2)), 3, 4, _forms=METHOD),
    row("expand", T((3, 2)), 3, _forms=METHOD, _sentence=False),
    row("sum_to_size", X, 2, _forms=METHOD),
    row("flip", X, (3,)),
    row("flip", X, (0, 0)),
    row("split", X, -1),
    row("split", X, [1, 4]),
    row("unbind", T(())),
    row("gather", X, 3, I((2, 3, 5))),
    row("gather", T((3, 4)), 0, I((2, 5))),
    row("gather", T((3, 4)), 0, I((2,))),
    row("gather", T((3, 4)), 0, I((2, 4), 9, 8), _sentence=False),
    row("gather", T((3, 4)), 0, T((2, 4)), _sentence=False),
    row("index_select", X, 0, I((2, 2), 1)),
    row("index_select", X, 0, I((2,), 9, 8), _sentence=False),
    row("scatter_add", T((3, 4)), 0, I((2, 4), 3), T((1, 4)), _sentence=False),
    row("matmul", T((2, 3)), T((4, 5))),
    row("matmul", T((3,)), T((4,))),
    row("matmul", T((2, 3)), T((4,))),
    row("matmul", T((5, 2, 3)), T((4, 5))),
    row("matmul", T(()), T((3,))),
    row("matmul", T((2, 2, 3)), T((3, 3, 4))),
    row("matmul", T((3,)), T((4, 5))),
    row("matmul", T((2, 2, 3)), T((2, 4, 5))),
    row("matmul", T((2, 3)), I((3, 4))),
    row("mm", X, T((2, 3))),
    row("mm", T((2, 3)), T((2, 3))),
    row("bmm", T((2, 3)), X),
    row("bmm", T((2, 3, 4)), T((3, 4, 5)), _sentence=False),
    row("bmm", T((2, 3, 4)), T((2, 5, 4)), _sentence=False),
    row("dot", T((2, 3)), T((3,))),
    row("dot", T((2,)), T((3,))),
    row("outer", X, T((3,))),
    row("addmm", T((4,)), T((2, 3)), T((5, 4))),
    row("addmm", T((5,)), T((2, 3)), T((3, 4))),
    row("addmm", T((5,)), T((2,)), T((3, 4))),
    row("cat", [T((2, 3)), T((2, 4))], _forms=FREE),
    row("cat", [T((2, 3)), T((2,))], _forms=FREE),
    row("cat", [T(()), T(())], _forms=FREE),
    row("cat", [], _forms=FREE),
    row("cat", [T((2, 3))], 2, _forms=FREE),
    row("stack", [T((2, 3)), T((2, 4))], _forms=FREE),
    row("stack", [], _forms=FREE),
    row("stack", [X, X], 4, _forms=FREE),
    row("tensor", [1, [2]], _forms=FREE, _sentence=False),
    row("tensor", [[1], [1, 2]], _forms=FREE),
    row("tensor", [[1, 2], [1]], _forms=FREE),
    row("tensor", [[[1], [2]], [[1], [2, 3]]], _forms=FREE),
    row("tensor", "a", _forms=FREE),
    row("tensor", [1], requires_grad=True, _forms=FREE),
    row("tensor", [None], _forms=FREE),
    row("tensor", {}, _forms=FREE),
    row("tensor", [1], device="gpu", _forms=FREE, _sentence=False),
    row("from_numpy", [1], _forms=FREE),
    row("zeros", -1, _forms=FREE),
    row("zeros", (2, -1), _forms=FREE),
    row("arange", 1, 0, _forms=FREE),
    row("arange", 0, 1, 0, _forms=FREE),
    row("linspace", 0, 1, -1, _forms=FREE),
    row("zeros", 2, dtype=Dtype("int64"), requires_grad=True, _forms=FREE),
    row("eye", -1, _forms=FREE),
    row("__getitem__", X, 2, _forms=METHOD),
    row("__getitem__", X, (0, 0, 0, 0), _forms=METHOD),
    row("__getitem__", T(()), 0, _forms=METHOD),
    row("__getitem__", X, slice(None, None, -1), _forms=METHOD),
    row("__getitem__", X, (0, 7), _forms=METHOD),
    row("__getitem__", X, B((3,)), _forms=METHOD),
    row("__getitem__", X, T((2,)), _forms=METHOD),
    row("__getitem__", X, [7], _forms=METHOD),
    row("__getitem__", X, "a", _forms=METHOD, _sentence=False),
]


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


def call(case, framework, form, dtype="float64", layout="plain"):
    """Results and leaves of a row; `form` is "function", "method", "in-place" or "functional"."""
    args, options, leaves = make(case, framework, dtype, layout)
    if form == "functional":
        return getattr(framework.nn.functional, case.name)(*args, **options), leaves
    if form == "function":
        return getattr(framework, case.name)(*args, **options), leaves
    if form == "in-place":
        return getattr(args[0] * 1, f"{case.name}_")(*args[1:], **options), leaves
    return getattr(args[0], case.name)(*args[1:], **options), leaves


FRAMEWORKS = (mini, torch)
