"""Tensors out of data, constants and random numbers."""

import json
import math

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._device import CPU, require_cpu
from dlcourse.mini._dtype import dtype as Dtype
from dlcourse.mini._dtype import from_numpy_dtype, get_default_dtype, preserve_format
from dlcourse.mini._grad_mode import here, quietly
from dlcourse.mini.ops.shape import sizes

import numpy as np


def numpy_dtype(dtype, default=None):
    """NumPy's dtype behind one of mini, or `default` for None; anything else is refused."""
    if dtype is None:
        return get_default_dtype().numpy if default is None else default
    if not isinstance(dtype, Dtype):
        raise TypeError(f"dtype must be a mini dtype such as mini.float32, got {dtype!r}")
    return dtype.numpy


# -- from data -------------------------------------------------------------------------------------


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new tensor with a copy of `data`: numbers, nested lists, arrays, tensors.

    Python floats become the default float type unless `dtype` says otherwise; what has a float
    type of its own, a number of NumPy too, keeps it.
    """
    require_cpu(device)
    if isinstance(data, Tensor):
        array = data._data.copy()
    elif isinstance(data, np.ndarray | np.generic):
        array = np.array(data)
    else:
        array = _array_of_lists(data)
        if array.dtype == np.float64 and dtype is None and not _holds_float64(data):
            array = quietly(array.astype, get_default_dtype().numpy)
        elif dtype is not None:
            check_range(array, numpy_dtype(dtype))
    if dtype is not None:
        array = quietly(array.astype, numpy_dtype(dtype))
    from_numpy_dtype(array.dtype)  # refuses what mini does not know
    return wrap(array, requires_grad)


def check_range(array, dtype):
    """Refuse numbers that an integer type cannot hold; negative ones go round where none are."""
    if dtype.kind in "iu":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if dtype.kind == "u" and array.dtype.kind != "f":
            low = -high
        if not ((low <= array) & (array <= high)).all():
            raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")


def _array_of_lists(data):
    try:
        array = np.array(_unwrap(data))
    except ValueError:
        _refuse_ragged(data, 0)
        raise
    if array.dtype.kind in "OUS":
        kind = type(np.ravel(array)[0].item() if array.dtype.kind != "O" else np.ravel(array)[0])
        if kind in (str, bytes):
            raise TypeError(f"new(): invalid data type '{kind.__name__}'")
        raise RuntimeError(f"Could not infer dtype of {kind.__name__}")
    return array


def _holds_float64(data):
    """Whether float64 stands somewhere in nested lists, which is not a Python float."""
    if isinstance(data, list | tuple):
        return any(map(_holds_float64, data))
    array = data._data if isinstance(data, Tensor) else data
    return isinstance(array, np.ndarray | np.generic) and array.dtype == np.float64


def _unwrap(data):
    if isinstance(data, Tensor):
        return data._data
    return [_unwrap(d) for d in data] if isinstance(data, list | tuple) else data


def _refuse_ragged(data, depth):
    """Say where the nested lists are not all of one length."""
    if not isinstance(data, list | tuple):
        return
    for part in data:
        if isinstance(part, list | tuple) != isinstance(data[0], list | tuple):
            raise TypeError(f"numbers and lists side by side at dim {depth}")
        if isinstance(part, list | tuple) and len(part) != len(data[0]):
            raise ValueError(
                f"expected sequence of length {len(data[0])} at dim {depth + 1} (got {len(part)})"
            )
    for part in data:
        _refuse_ragged(part, depth + 1)


def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, without a copy where that is possible."""
    require_cpu(device)
    if isinstance(data, np.ndarray):
        data = from_numpy(data)
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    return tensor(data, dtype=dtype)


def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """`obj` as a tensor; `copy` True copies always, False never, None where it must."""
    out = as_tensor(obj, dtype, device)
    source = obj._data if isinstance(obj, Tensor) else obj
    shared = isinstance(source, np.ndarray) and np.may_share_memory(out._data, source)
    if copy is False and not shared:
        raise ValueError("can't alias arbitrary sequence into a tensor: leave out copy=False")
    if copy and shared:
        out = wrap(out._data.copy())
    return out.requires_grad_() if requires_grad else out


def from_numpy(ndarray):
    """A tensor that shares the memory of `ndarray`."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    from_numpy_dtype(ndarray.dtype)
    return wrap(ndarray)


# -- constants -------------------------------------------------------------------------------------


def fitting(value, dtype):
    """The number `value` in the NumPy type `dtype`, which must be able to hold it."""
    value = value.item() if isinstance(value, Tensor | np.generic) else value
    if dtype.kind == "f":
        fits = not math.isfinite(value) or abs(value) <= float(np.finfo(dtype).max)
    elif dtype.kind != "b":
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        if dtype.kind == "u" and isinstance(value, int):
            low = -high  # it goes round
        fits = low <= value <= high
    else:
        fits = True
    if not fits:
        names = {"int32": "int", "float16": "c10::Half", "float32": "float", "float64": "double"}
        name = names.get(dtype.name, f"{dtype.name}_t")
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    return np.asarray(value).astype(dtype)


def _filled(name, size, value, dtype, device, requires_grad, named=None):
    require_cpu(device)
    size = size if named is None else (named,)
    if not size:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    size = sizes(size)
    if not all(isinstance(n, int | np.integer) for n in size):
        raise TypeError(f"{name}(): argument 'size' (position 1) must be tuple of ints, got {size}")
    if any(n < 0 for n in size):
        raise RuntimeError(f"{name}: Dimension size must be non-negative.")
    dtype = numpy_dtype(dtype)
    return wrap(np.full(size, fitting(value, dtype), dtype), requires_grad)


def zeros(*shape, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of the given sizes filled with 0."""
    return _filled("zeros", shape, 0, dtype, device, requires_grad, size)


def ones(*shape, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of the given sizes filled with 1."""
    return _filled("ones", shape, 1, dtype, device, requires_grad, size)


def empty(*shape, size=None, dtype=None, device=None, requires_grad=False):
    """A tensor of the given sizes, to be filled: its values mean nothing (here they are 0)."""
    return _filled("empty", shape, 0, dtype, device, requires_grad, size)


def full(size, fill_value, *, dtype=None, device=None, requires_grad=False):
    """A tensor of the given size filled with `fill_value`, whose kind decides the dtype."""
    fill_value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    if dtype is None and not isinstance(fill_value, float):
        dtype = tensor(fill_value).dtype
    return _filled("full", (size,), fill_value, dtype, device, requires_grad)


def zeros_like(input, *, dtype=None, device=None, requires_grad=False,
               memory_format=preserve_format):  # fmt: skip
    """Zeros of the shape and dtype of `input`."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad,
                     memory_format=memory_format)  # fmt: skip


def ones_like(input, *, dtype=None, device=None, requires_grad=False,
               memory_format=preserve_format):  # fmt: skip
    """Ones of the shape and dtype of `input`."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad,
                     memory_format=memory_format)  # fmt: skip


def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False,
              memory_format=preserve_format):  # fmt: skip
    """`fill_value` in the shape and dtype of `input`."""
    require_cpu(device)
    dtype = numpy_dtype(dtype, input._data.dtype)
    array = np.full(input._data.shape, fitting(fill_value, dtype), dtype)
    if memory_format.order is not None:
        array = memory_format.arranged(array)
    return wrap(array, requires_grad)


def empty_like(input, *, dtype=None, device=None, requires_grad=False,
               memory_format=preserve_format):  # fmt: skip
    """A tensor of the shape and dtype of `input`, to be filled (here with 0)."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad,
                     memory_format=memory_format)  # fmt: skip


def arange(start=0, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... up to, but without, `end`; arange(n) starts at 0."""
    require_cpu(device)
    start, end = (0, start) if end is None else (start, end)
    # Those of NumPy and 0-d tensors as Python's.
    numbers = Tensor | np.generic
    start, end, step = [v.item() if isinstance(v, numbers) else v for v in (start, end, step)]
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    floats = any(isinstance(v, float) for v in (start, end, step))
    steps = np.arange(math.ceil((end - start) / step), dtype=np.float64 if floats else np.int64)
    array = start + step * steps
    return wrap(array.astype(numpy_dtype(dtype, None if floats else np.int64)), requires_grad)


def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers from `start` to `end`, both included."""
    require_cpu(device)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return wrap(np.linspace(start, end, steps).astype(numpy_dtype(dtype)), requires_grad)


def logspace(start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False):
    """`steps` numbers from base ** start to base ** end, evenly spaced in their logarithms."""
    require_cpu(device)
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    array = np.float64(base) ** np.linspace(start, end, steps)
    return wrap(array.astype(numpy_dtype(dtype)), requires_grad)


def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False):
    """The number `s` as a 0-d tensor, of the default float type unless `dtype` says otherwise."""
    return full(
        (),
        float(s) if dtype is None else s,
        dtype=dtype,
        device=device,
        requires_grad=requires_grad,
    )


def eye(n, m=None, *, dtype=None, device=None, requires_grad=False):
    """The identity matrix, n by m."""
    require_cpu(device)
    for name, size in (("n", n), ("m", n if m is None else m)):
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return wrap(np.eye(n, m, dtype=numpy_dtype(dtype)), requires_grad)


def one_hot(tensor, num_classes=-1):
    """int64 (*, K) with a single 1 where `tensor` (*) of int64 says."""
    index = tensor._data
    if index.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    if index.size == 0 and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    if index.size and index.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    count = int(index.max()) + 1 if num_classes == -1 else num_classes
    if index.size and index.max() >= count:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return wrap(np.eye(count, dtype=np.int64)[index])


# -- as another tensor is --------------------------------------------------------------------------


def _type_of(self, options):
    """The options of a creation, with the dtype of `self` unless they name one."""
    return {**options, "dtype": options.get("dtype") or from_numpy_dtype(self._data.dtype)}


def new_tensor(self, data, **options):
    """A copy of `data` in the dtype of this tensor, unless dtype= says otherwise."""
    return tensor(data, **_type_of(self, options))


def new_zeros(self, *size, **options):
    """Zeros of the given sizes in the dtype of this tensor."""
    return zeros(*size, **_type_of(self, options))


def new_ones(self, *size, **options):
    """Ones of the given sizes in the dtype of this tensor."""
    return ones(*size, **_type_of(self, options))


def new_empty(self, *size, **options):
    """A tensor of the given sizes, to be filled, in the dtype of this tensor."""
    return empty(*size, **_type_of(self, options))


def new_full(self, size, fill_value, **options):
    """`fill_value` in the given size and the dtype of this tensor."""
    return full(size, fill_value, **_type_of(self, options))


# -- random numbers --------------------------------------------------------------------------------


class Generator:
    """A source of random numbers of its own; its stream is NumPy's (PCG64)."""

    # NB: in torch the same seed gives other numbers, for its generator is another (mt19937).

    def __init__(self, device="cpu"):
        require_cpu(device)
        self.device = CPU
        self._rng = np.random.default_rng()
        self.seed()

    def manual_seed(self, seed):
        """Start the stream of this seed; returns the generator."""
        self._seed, self._rng = seed, np.random.default_rng(seed % 2**64)
        return self

    def seed(self):
        """Start at a seed that nobody chose, and return it."""
        return self.manual_seed(int(np.random.SeedSequence().entropy) % 2**64).initial_seed()

    def initial_seed(self):
        """The seed at which the stream began."""
        return self._seed

    def get_state(self):
        """The state as a tensor of bytes, as in torch; `set_state` takes it back."""
        text = json.dumps([self._seed, self._rng.bit_generator.state])
        return wrap(np.frombuffer(bytearray(text.encode()), np.uint8))

    def set_state(self, new_state):
        """Go on from a state that `get_state` gave; returns the generator."""
        if not isinstance(new_state, Tensor) or new_state._data.dtype != np.uint8:
            raise TypeError("expected a mini.uint8 tensor, the state that get_state gave")
        try:
            self._seed, state = json.loads(bytes(new_state._data))
            self._rng.bit_generator.state = state
        except (ValueError, TypeError, KeyError) as error:
            raise RuntimeError("this is no state of a generator of mini") from error
        return self


default_generator = Generator()
default_generator.__doc__ = "The generator that draws where none is given."


def manual_seed(seed):
    """Seed the default generator, which is returned."""
    return default_generator.manual_seed(seed)


def random_source(generator=None):
    """NumPy's generator behind `generator`, or behind the default one."""
    generator = generator or default_generator
    for level in here.mode.levels:
        level.draw(generator)
    return generator._rng


def uniform_array(generator, shape, dtype):
    """Uniform on [0, 1) in that type."""
    wide = np.float64 if dtype == np.float64 else np.float32
    array = np.asarray(random_source(generator).random(shape, wide))
    if dtype == np.float16:
        array = np.floor(array * 2048) / 2048  # else what is near 1 would round to 1
    return array.astype(dtype, copy=False)


def normal_array(generator, shape, dtype):
    """Normal with mean 0 and variance 1 in that type."""
    wide = np.float64 if dtype == np.float64 else np.float32
    array = np.asarray(random_source(generator).standard_normal(shape, wide))
    return array.astype(dtype, copy=False)


def rand(*shape, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Uniform on [0, 1)."""
    out = _filled("rand", shape, 0, dtype, device, requires_grad, size)
    out._data = uniform_array(generator, out._data.shape, out._data.dtype)
    return out


def randn(*shape, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal, mean 0 and variance 1."""
    out = _filled("randn", shape, 0, dtype, device, requires_grad, size)
    out._data = normal_array(generator, out._data.shape, out._data.dtype)
    return out


def randint(
    low=0, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False
):
    """Integers from low to high - 1; randint(high, size) starts at 0."""
    require_cpu(device)
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    array = np.asarray(random_source(generator).integers(low, high, tuple(size)))
    return wrap(array.astype(numpy_dtype(dtype, np.int64)), requires_grad)


def randperm(n, *, generator=None, dtype=None, device=None):
    """0 to n - 1 in random order, int64."""
    require_cpu(device)
    order = random_source(generator).permutation(n)
    return wrap(order.astype(numpy_dtype(dtype, np.int64)))
