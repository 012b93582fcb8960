"""The operations of mini, by family, and the ONE table that binds them to Tensor and to mini.

A new operation is one class and one function in a family's file, one word in the table below, and
one row in the table of the tests.
"""

import functools
import inspect

from dlcourse.mini._core import Tensor
from dlcourse.mini._format import tensor_repr
from dlcourse.mini.ops import (
    arithmetic,
    choose,
    compare,
    counting,
    creation,
    einsum,
    elementary,
    embed,
    index,
    inplace,
    linalg,
    logic,
    lu,
    matrices,
    matrix,
    pieces,
    pointwise,
    products,
    random,
    rearrange,
    reduce,
    scan,
    scatter,
    shape,
    softmax,
    sorting,
    special,
    state,
    statistics,
    typed,
    window,
)
from dlcourse.mini.ops.operation import NotAnOperand


def named(module, names):
    """{name: the module's function of that name}."""
    return {name: getattr(module, name) for name in names.split()}


def words(text):
    """The words of a text."""
    return text.split()


# Each is mini.name(input, ...) and Tensor.name(...).
FUNCTIONS = {
    **named(pointwise, "add sub mul div pow neg exp log sqrt square reciprocal abs sign sin cos"),
    **named(pointwise, "tanh sigmoid relu floor_divide remainder clone true_divide"),
    **named(pointwise, "subtract multiply divide negative absolute"),
    **named(choose, "clamp clip clamp_min clamp_max maximum minimum fmax fmin masked_fill"),
    **named(elementary, "exp2 expm1 log1p log2 log10 rsqrt logit tan asin acos atan arcsin arccos"),
    **named(elementary, "arctan sinc sinh cosh asinh acosh atanh arcsinh arccosh arctanh"),
    **named(elementary, "floor ceil trunc fix round frac sgn nan_to_num deg2rad rad2deg positive"),
    **named(special, "erf erfc erfinv lgamma digamma"),
    **named(arithmetic, "atan2 arctan2 hypot fmod copysign logaddexp logaddexp2 xlogy float_power"),
    **named(arithmetic, "ldexp heaviside lerp addcmul addcdiv"),
    **named(logic, "eq ne lt le gt ge not_equal less less_equal greater greater_equal isclose"),
    **named(logic, "isnan isinf isfinite isposinf isneginf isreal signbit"),
    **named(logic, "logical_not logical_and logical_or logical_xor bitwise_not bitwise_and"),
    **named(logic, "bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift gcd lcm"),
    **named(compare, "allclose equal"),
    **named(matrices, "tril triu diag diagonal diag_embed diagflat trace"),
    **named(random, "bernoulli multinomial"),
    **named(state, "numel is_floating_point is_complex is_signed is_nonzero is_same_size"),
    **named(reduce, "sum mean var std amax amin max min argmax argmin logsumexp all any"),
    **named(scan, "cumsum cumprod logcumsumexp cummax cummin prod diff"),
    **named(statistics, "norm dist nansum nanmean median nanmedian mode quantile nanquantile"),
    **named(statistics, "aminmax cov corrcoef renorm"),
    **named(counting, "count_nonzero unique unique_consecutive bincount histc"),
    **named(softmax, "softmax log_softmax"),
    **named(shape, "reshape flatten permute transpose t squeeze unsqueeze flip split unbind"),
    **named(rearrange, "ravel unflatten swapaxes swapdims adjoint movedim moveaxis roll fliplr"),
    **named(rearrange, "flipud rot90 tile repeat_interleave broadcast_to as_strided kron"),
    **named(pieces, "narrow select split_with_sizes chunk tensor_split hsplit vsplit dsplit"),
    **named(index, "gather scatter_add index_select"),
    **named(scatter, "scatter scatter_reduce index_add index_copy index_fill index_put put take"),
    **named(scatter, "take_along_dim masked_select masked_scatter"),
    **named(sorting, "sort argsort msort topk kthvalue nonzero argwhere"),
    **named(linalg, "matmul mm bmm dot outer"),
    **named(matrix, "inverse pinverse det logdet slogdet cholesky cholesky_solve"),
    **named(matrix, "cholesky_inverse"),
    **named(embed, "slice_scatter select_scatter diagonal_scatter index_reduce"),
    **named(counting, "histogram"),
    **named(lu, "matrix_exp"),
    "svd": matrix.old_svd,
    "qr": matrix.old_qr,
    **named(products, "addmm mv addmv addr addbmm baddbmm ger vdot inner matrix_power cross"),
}

# Functions that are not methods.
FREE = {
    **named(choose, "where"),
    **named(pointwise, "rsub"),
    **named(special, "polygamma"),
    **named(logic, "isin"),
    **named(einsum, "einsum tensordot"),
    **named(products, "chain_matmul vander"),
    **named(statistics, "cdist var_mean std_mean"),
    **named(counting, "bucketize searchsorted"),
    **named(embed, "unravel_index"),
    **named(window, "hann_window hamming_window blackman_window bartlett_window"),
    **named(scan, "trapezoid trapz"),
    **named(typed, "FloatTensor DoubleTensor HalfTensor LongTensor IntTensor ShortTensor"),
    **named(typed, "CharTensor ByteTensor BoolTensor typename"),
    "detach": Tensor.detach,
    **named(shape, "cat stack"),
    **named(pieces, "concat concatenate hstack vstack row_stack dstack column_stack block_diag"),
    **named(pieces, "atleast_1d atleast_2d atleast_3d broadcast_tensors broadcast_shapes"),
    **named(compare, "promote_types result_type can_cast is_tensor"),
    **named(creation, "tensor as_tensor asarray scalar_tensor from_numpy zeros ones empty full"),
    **named(creation, "zeros_like ones_like full_like empty_like arange linspace logspace eye"),
    **named(creation, "rand randn randint randperm manual_seed"),
    **named(random, "rand_like randn_like randint_like normal poisson seed initial_seed"),
    **named(random, "get_rng_state set_rng_state"),
    **named(matrices, "tril_indices triu_indices meshgrid cartesian_prod combinations"),
}

# Methods that are not functions.
METHODS = {
    "where": choose.where_method,
    "polygamma": special.polygamma_method,
    **named(shape, "view expand sum_to_size"),
    **named(rearrange, "view_as reshape_as expand_as repeat unfold"),
    **named(rearrange, "squeeze_ unsqueeze_ transpose_ t_ swapaxes_ swapdims_"),
    "split": pieces.split_method,
    **named(inplace, "fill_ zero_ copy_ uniform_ normal_ detach_ requires_grad_"),
    **named(random, "bernoulli_ exponential_ random_ log_normal_ geometric_"),
    **named(matrices, "fill_diagonal_"),
    **named(creation, "new_tensor new_zeros new_ones new_empty new_full"),
    **named(state, "item numpy tolist to type_as float double half long int short char byte bool"),
    **named(state, "type cpu cuda contiguous size dim stride is_contiguous element_size"),
    **named(state, "get_device storage_offset data_ptr pin_memory is_pinned bfloat16"),
    "new": typed.new,
    "float_power_": arithmetic.float_power_,
    "nelement": state.numel,
    "ndimension": state.dim,
}

# Python's own names for them.
OPERATORS = {
    "__add__": pointwise.add, "__sub__": pointwise.sub, "__mul__": pointwise.mul,
    "__truediv__": pointwise.div, "__floordiv__": pointwise.floor_divide, "__pow__": pointwise.pow,
    "__mod__": pointwise.remainder,
    "__radd__": pointwise.add, "__rsub__": pointwise.rsub, "__rmul__": pointwise.mul,
    "__rtruediv__": pointwise.rdiv, "__rpow__": pointwise.rpow, "__matmul__": linalg.matmul,
    "__and__": logic.bitwise_and, "__or__": logic.bitwise_or, "__xor__": logic.bitwise_xor,
    "__rand__": logic.bitwise_and, "__ror__": logic.bitwise_or, "__rxor__": logic.bitwise_xor,
    "__lshift__": logic.bitwise_left_shift, "__rshift__": logic.bitwise_right_shift,
    "__rlshift__": logic.reverse_left_shift, "__rrshift__": logic.reverse_right_shift,
    "__rfloordiv__": pointwise.rfloor_divide, "__rmod__": pointwise.rremainder,
    "__eq__": logic.eq, "__ne__": logic.ne,
    "__lt__": logic.lt, "__le__": logic.le, "__gt__": logic.gt, "__ge__": logic.ge,
}  # fmt: skip
SPECIAL = {
    "__neg__": pointwise.neg, "__pos__": elementary.positive,
    "__abs__": pointwise.abs, "__invert__": logic.invert,
    "__getitem__": index.getitem, "__setitem__": index.setitem,
    "__bool__": state.to_bool, "__int__": state.to_int, "__float__": state.to_float,
    "__index__": state.to_index, "__len__": state.length, "__iter__": state.iterate,
    "__array__": state.to_array, "__hash__": object.__hash__, "__deepcopy__": state.deepcopy,
    "__reduce__": state.reduce,
    "__format__": state.formatted, "__repr__": tensor_repr,
}  # fmt: skip

# Out-of-place functions with an in-place twin `name_`, and those of the operators such as +=.
IN_PLACE = words("""
    add sub mul div pow neg exp log sqrt square reciprocal abs sign sin cos tanh sigmoid relu
    floor_divide remainder true_divide subtract multiply divide negative absolute clamp clip
    clamp_min clamp_max masked_fill exp2 expm1 log1p log2 log10 rsqrt logit tan asin acos atan
    arcsin arccos arctan sinc sinh cosh asinh acosh atanh arcsinh arccosh arctanh floor ceil
    trunc fix round frac sgn nan_to_num deg2rad rad2deg erf erfc erfinv lgamma digamma atan2
    arctan2 hypot fmod copysign xlogy ldexp heaviside lerp addcmul addcdiv eq ne lt le gt ge
    not_equal less less_equal greater greater_equal logical_not logical_and logical_or
    logical_xor bitwise_not bitwise_and bitwise_or bitwise_xor bitwise_left_shift
    bitwise_right_shift gcd lcm scatter_add scatter scatter_reduce index_add index_copy
    index_fill index_put put masked_scatter addmm addmv addr addbmm baddbmm tril triu
    cumsum cumprod renorm index_reduce
""")
IN_PLACE_OPERATORS = {"__iadd__": "add", "__isub__": "sub", "__imul__": "mul",
                      "__itruediv__": "div", "__ipow__": "pow", "__ifloordiv__": "floor_divide",
                      "__imod__": "remainder", "__iand__": "bitwise_and", "__ior__": "bitwise_or",
                      "__ixor__": "bitwise_xor"}  # fmt: skip

PROPERTIES = {
    "T": shape.T_property, "mT": shape.mT, "H": shape.H, "mH": shape.mT,
    "ndim": state.dim, "device": state.device,
    **named(state, "is_cpu is_cuda is_meta is_mps is_quantized is_sparse is_xpu"),
    "itemsize": state.element_size, "nbytes": state.nbytes,
    "_base": lambda self: None if self._view is None else self._view.base,
}  # fmt: skip


def operator(function):
    """Python tries the other operand's operator when this one returns NotImplemented."""

    def method(self, other):
        try:
            return function(self, other)
        except NotAnOperand:
            return NotImplemented

    method.__doc__ = function.__doc__
    return method


def names_of_arguments(function):
    """The names of a function's arguments; inspect.signature would take a tenth of the import."""
    code = getattr(inspect.unwrap(function), "__code__", None)  # None: a class, or of another kind
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()


def with_numpy_names(function):
    """Let axis= and keepdims= stand for dim= and keepdim=, as torch does."""
    parameters = names_of_arguments(function)
    synonyms = {"axis": "dim", "keepdims": "keepdim"}
    synonyms = {a: b for a, b in synonyms.items() if b in parameters and a not in parameters}
    if not synonyms:
        return function

    @functools.wraps(function)
    def called(*args, **kwargs):
        if kwargs:
            kwargs = {synonyms.get(name, name): value for name, value in kwargs.items()}
        return function(*args, **kwargs)

    return called


FUNCTIONS = {name: with_numpy_names(function) for name, function in FUNCTIONS.items()}
FREE = {name: with_numpy_names(function) for name, function in FREE.items()}


def bind():
    """Give Tensor its methods."""
    methods = {**FUNCTIONS, **METHODS, **SPECIAL}
    methods |= {name: operator(function) for name, function in OPERATORS.items()}
    methods |= {f"{name}_": inplace.inplace(FUNCTIONS[name]) for name in IN_PLACE}
    methods |= {name: methods[f"{base}_"] for name, base in IN_PLACE_OPERATORS.items()}
    methods |= {name: property(getter) for name, getter in PROPERTIES.items()}
    for name, method in methods.items():
        setattr(Tensor, name, method)


bind()
