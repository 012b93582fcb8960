"""The operations of mini, by family, and the ONE table that binds them to Tensor.

A new operation is one class in a family's file, one line in the table below, one line in the table of the tests.
"""

import numpy as np

from dlcourse.mini._core import Tensor
from dlcourse.mini._format import tensor_repr
from dlcourse.mini.ops import creation, index, inplace, linalg, pointwise, reduce, shape, softmax
from dlcourse.mini.ops.pointwise import (
    Abs, Clone, Cos, Exp, Log, Neg, Relu, Sigmoid, Sign, Sin, Sqrt, Tanh, To,
    add, compare, div, logical, mul, pow, sub,
)  # fmt: skip


def unary(op, doc):
    """An operation of one tensor as a function."""

    def function(input):
        return op.apply(input)

    function.__name__, function.__doc__ = op.__name__.lower(), doc
    return function


def reverse(function):
    """other (op) self, for `2 - x`."""
    return lambda self, other: function(other, self)


# name: function(input, ...).  Each is mini.name and Tensor.name.
FUNCTIONS = {
    # pointwise
    "add": add, "sub": sub, "mul": mul, "div": div, "pow": pow,
    "neg": unary(Neg, "-input."), "exp": unary(Exp, "e ** input."), "log": unary(Log, "The natural logarithm."),
    "sqrt": unary(Sqrt, "The square root."), "abs": unary(Abs, "The absolute value; gradient 0 at 0."),
    "sign": unary(Sign, "-1, 0 or 1."), "sin": unary(Sin, "The sine."), "cos": unary(Cos, "The cosine."),
    "tanh": unary(Tanh, "The hyperbolic tangent."), "sigmoid": unary(Sigmoid, "1 / (1 + exp(-input))."),
    "relu": unary(Relu, "max(input, 0); gradient 0 at 0."), "clone": unary(Clone, "A copy; gradients flow back through it."),
    "square": lambda input: pow(input, 2), "reciprocal": lambda input: div(1, input),
    "clamp": pointwise.clamp, "maximum": pointwise.maximum, "minimum": pointwise.minimum,
    "masked_fill": pointwise.masked_fill, "floor_divide": pointwise.floor_divide,
    # comparisons and logic, without gradient
    "eq": compare(np.equal), "ne": compare(np.not_equal), "lt": compare(np.less), "le": compare(np.less_equal),
    "gt": compare(np.greater), "ge": compare(np.greater_equal),
    "logical_not": lambda input: Tensor(np.logical_not(input._data)),
    "bitwise_and": logical(np.bitwise_and), "bitwise_or": logical(np.bitwise_or), "bitwise_xor": logical(np.bitwise_xor),
    "isnan": lambda input: Tensor(np.isnan(input._data)), "isfinite": lambda input: Tensor(np.isfinite(input._data)),
    # reductions
    "sum": reduce.sum, "mean": reduce.mean, "var": reduce.var, "std": reduce.std, "amax": reduce.amax,
    "amin": reduce.amin, "max": reduce.max, "min": reduce.min, "argmax": reduce.argmax, "argmin": reduce.argmin,
    "logsumexp": reduce.logsumexp, "softmax": softmax.softmax, "log_softmax": softmax.log_softmax, "all": reduce.all, "any": reduce.any,
    # shape
    "reshape": shape.reshape, "flatten": shape.flatten, "permute": shape.permute, "transpose": shape.transpose,
    "t": shape.t, "squeeze": shape.squeeze, "unsqueeze": shape.unsqueeze, "flip": shape.flip, "split": shape.split,
    "unbind": shape.unbind,
    # indexing
    "gather": index.gather, "scatter_add": index.scatter_add, "index_select": index.index_select,
    # products
    "matmul": linalg.matmul, "mm": linalg.mm, "bmm": linalg.bmm, "dot": linalg.dot, "outer": linalg.outer,
    "addmm": linalg.addmm,
}  # fmt: skip

# Functions that are not methods.
FREE = {
    "where": pointwise.where, "cat": shape.cat, "stack": shape.stack,
    "tensor": creation.tensor, "as_tensor": creation.as_tensor, "from_numpy": creation.from_numpy,
    "zeros": creation.zeros, "ones": creation.ones, "empty": creation.empty, "full": creation.full, "zeros_like": creation.zeros_like,
    "ones_like": creation.ones_like, "full_like": creation.full_like, "arange": creation.arange,
    "linspace": creation.linspace, "eye": creation.eye, "rand": creation.rand, "randn": creation.randn,
    "randint": creation.randint, "randperm": creation.randperm, "manual_seed": creation.manual_seed,
}  # fmt: skip

# Methods that are not functions.
METHODS = {
    "view": shape.view, "expand": shape.expand, "sum_to_size": shape.sum_to_size,
    "__getitem__": index.getitem, "__setitem__": index.setitem,
    "uniform_": inplace.uniform_, "normal_": inplace.normal_, "fill_": inplace.fill_, "zero_": inplace.zero_, "copy_": inplace.copy_, "detach_": inplace.detach_,
    "requires_grad_": inplace.requires_grad_,
    "__add__": add, "__radd__": add, "__sub__": sub, "__rsub__": reverse(sub), "__mul__": mul, "__rmul__": mul,
    "__truediv__": div, "__rtruediv__": reverse(div), "__floordiv__": pointwise.floor_divide,
    "__pow__": pow, "__rpow__": reverse(pow), "__matmul__": linalg.matmul, "__neg__": FUNCTIONS["neg"],
    "__abs__": FUNCTIONS["abs"], "__and__": FUNCTIONS["bitwise_and"], "__or__": FUNCTIONS["bitwise_or"],
    "__xor__": FUNCTIONS["bitwise_xor"],
    **{f"__{name}__": FUNCTIONS[name] for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{f"__i{name}__": inplace.inplace(f) for name, f in
       (("add", add), ("sub", sub), ("mul", mul), ("truediv", div), ("pow", pow))},
}  # fmt: skip

# Out-of-place functions with an in-place twin `name_`.
IN_PLACE = ("add", "sub", "mul", "div", "pow", "neg", "exp", "log", "sqrt", "abs", "sin", "cos", "tanh", "sigmoid",
            "relu", "clamp", "masked_fill", "scatter_add")  # fmt: skip


# -- what needs no node ----------------------------------------------------------------------------------------


def item(self):
    """The one element as a Python number."""
    if self._data.size != 1:
        raise RuntimeError(
            f"a Tensor with {self._data.size} elements cannot be converted to Scalar"
        )
    return self._data.item()


def numpy(self, *, force=False):
    """The array itself, memory shared."""
    if self.requires_grad and not force:
        raise RuntimeError(
            "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
        )
    return self._data


def to(self, *args, **kwargs):
    """`to(dtype)`, `to(other)` or `to("cpu")`; the tensor itself when nothing changes."""
    dtype = kwargs.pop("dtype", None)
    creation.require_cpu(kwargs.pop("device", None))
    if kwargs:
        raise TypeError(
            f"to() received an invalid combination of arguments: unsupported {', '.join(kwargs)}"
        )
    for arg in args:
        if isinstance(arg, creation.Dtype):
            dtype = arg
        elif isinstance(arg, Tensor):
            dtype = arg.dtype
        else:
            creation.require_cpu(arg)
    return self if dtype is None or dtype is self.dtype else To.apply(self, dtype)


def __bool__(self):
    if self._data.size != 1:
        what = "no values" if self._data.size == 0 else "more than one value"
        raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
    return bool(self._data.item())


def __len__(self):
    if self._data.ndim == 0:
        raise TypeError("len() of a 0-d tensor")
    return self._data.shape[0]


def __iter__(self):
    if self._data.ndim == 0:
        raise TypeError("iteration over a 0-d tensor")
    return iter(self.unbind(0))


def __array__(self, dtype=None, copy=None):
    array = numpy(self)
    return array if dtype is None else array.astype(dtype)


def __index__(self):
    if self._data.dtype.kind not in "iu" or self._data.size != 1:
        raise TypeError("only integer tensors of a single element can be converted to an index")
    return self._data.item()


def __deepcopy__(self, memo):
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
            "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
            "see https://github.com/pytorch/pytorch/pull/103001"
        )
    out = type(self)(self._data.copy(), self._requires_grad)
    if self._grad is not None:
        out._grad = Tensor(self._grad._data.copy())
    memo[id(self)] = out
    return out


def size(self, dim=None):
    """The shape, or the length of one dimension."""
    return self.shape if dim is None else self._data.shape[shape.wrap_dim(dim, self._data.ndim)]


def contiguous(self):
    """Itself when its memory is in order, else a copy."""
    return self if self._data.flags.c_contiguous else self.clone()


def caster(dtype):
    return lambda self: to(self, dtype)


STATE = {
    "item": item, "numpy": numpy, "to": to, "__bool__": __bool__, "__len__": __len__, "__iter__": __iter__,
    "__array__": __array__, "__index__": __index__, "__deepcopy__": __deepcopy__, "size": size, "__repr__": tensor_repr,
    "contiguous": contiguous, "__hash__": lambda self: id(self), "tolist": lambda self: self._data.tolist(),
    "numel": lambda self: self._data.size, "dim": lambda self: self._data.ndim,
    "is_contiguous": lambda self: bool(self._data.flags.c_contiguous), "cpu": lambda self: self,
    "stride": lambda self: tuple(s // self._data.itemsize for s in self._data.strides),
    "__float__": lambda self: float(item(self)), "__int__": lambda self: int(item(self)),
    "__invert__": lambda self: Tensor(~self._data), "__format__": lambda self, spec:
        format(self._data.item(), spec) if self._data.ndim == 0 else format(repr(self), spec),
    "is_floating_point": lambda self: self.dtype.is_floating_point,
    "type_as": lambda self, other: to(self, other.dtype),
    "float": caster(creation.from_numpy_dtype(np.dtype("float32"))), "double": caster(creation.from_numpy_dtype(np.dtype("float64"))),
    "long": caster(creation.from_numpy_dtype(np.dtype("int64"))), "int": caster(creation.from_numpy_dtype(np.dtype("int32"))),
    "bool": caster(creation.from_numpy_dtype(np.dtype("bool"))),
}  # fmt: skip

PROPERTIES = {
    "T": lambda self: shape.t(self) if self._data.ndim <= 2 else shape.permute(self, tuple(range(self._data.ndim))[::-1]),
    "mT": shape.mT, "ndim": lambda self: self._data.ndim, "device": lambda self: "cpu",
    "itemsize": lambda self: self._data.itemsize, "nbytes": lambda self: self._data.nbytes,
    "_base": lambda self: None if self._view is None else self._view.base,
}  # fmt: skip


def bind():
    """Give Tensor its methods."""
    for name, function in {**FUNCTIONS, **METHODS, **STATE}.items():
        setattr(Tensor, name, function)
    for name in IN_PLACE:
        setattr(Tensor, f"{name}_", inplace.inplace(FUNCTIONS[name]))
    for name, getter in PROPERTIES.items():
        setattr(Tensor, name, property(getter))


bind()
