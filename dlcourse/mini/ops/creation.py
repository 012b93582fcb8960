"""Tensors out of data, constants and random numbers."""

import numpy as np

from dlcourse.mini._core import Tensor
from dlcourse.mini._dtype import dtype as Dtype
from dlcourse.mini._dtype import from_numpy_dtype, get_default_dtype
from dlcourse.mini.ops.shape import sizes


def _numpy_dtype(dtype, default=None):
    if dtype is None:
        return default
    if not isinstance(dtype, Dtype):
        raise TypeError(f"dtype must be a mini dtype such as mini.float32, got {dtype!r}")
    return dtype.numpy


def require_cpu(device):
    if device is not None and str(device) != "cpu":
        raise RuntimeError(f"mini computes on the CPU alone; got device={str(device)!r}")


def tensor(data, *, dtype=None, device=None, requires_grad=False):
    """A new tensor with a copy of `data` (numbers, nested lists, arrays, tensors); Python floats become float32."""
    require_cpu(device)
    if isinstance(data, Tensor):
        array = data._data.copy()
    elif isinstance(data, np.ndarray | np.generic):
        array = np.array(data)
    else:
        try:
            array = np.array(_unwrap(data))
        except ValueError:
            raise ValueError(
                "expected sequences of equal length at every depth (a ragged list is no tensor)"
            ) from None
        if array.dtype.kind == "f" and dtype is None:
            array = array.astype(get_default_dtype().numpy)
    if array.dtype.kind in "OUS":
        raise TypeError(
            f"new(): invalid data type '{type(np.ravel(array)[0]).__name__ if array.size else 'object'}'"
        )
    wanted = _numpy_dtype(dtype)
    array = array if wanted is None else array.astype(wanted, copy=False)
    from_numpy_dtype(array.dtype)  # refuses what mini does not know
    return Tensor(array, requires_grad)


def _unwrap(data):
    if isinstance(data, Tensor):
        return data._data
    return [_unwrap(d) for d in data] if isinstance(data, list | tuple) else data


def as_tensor(data, dtype=None):
    """`data` as a tensor, without a copy where that is possible."""
    if isinstance(data, Tensor):
        return data if dtype is None else data.to(dtype)
    if isinstance(data, np.ndarray):
        return from_numpy(data) if dtype is None else from_numpy(data).to(dtype)
    return tensor(data, dtype=dtype)


def from_numpy(ndarray):
    """A tensor that shares the memory of `ndarray`."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    from_numpy_dtype(ndarray.dtype)
    return Tensor(ndarray)


def _constant(value):
    def create(*size, dtype=None, device=None, requires_grad=False):
        require_cpu(device)
        return Tensor(
            np.full(sizes(size), value, _numpy_dtype(dtype, get_default_dtype().numpy)),
            requires_grad,
        )

    return create


zeros, ones, empty = _constant(0), _constant(1), _constant(0)
zeros.__name__, ones.__name__ = "zeros", "ones"
zeros.__doc__ = "A tensor of the given sizes filled with 0."
empty.__name__ = "empty"
empty.__doc__ = "A tensor of the given sizes whose values do not matter."
ones.__doc__ = "A tensor of the given sizes filled with 1."


def full(size, fill_value, *, dtype=None, requires_grad=False):
    """A tensor of the given size filled with `fill_value`, whose kind decides the dtype."""
    kind = np.asarray(fill_value).dtype
    default = get_default_dtype().numpy if kind.kind == "f" else kind
    return Tensor(np.full(tuple(size), fill_value, _numpy_dtype(dtype, default)), requires_grad)


def _like(value):
    def create(input, *, dtype=None, requires_grad=False):
        return Tensor(
            np.full(input._data.shape, value, _numpy_dtype(dtype, input._data.dtype)), requires_grad
        )

    return create


zeros_like, ones_like = _like(0), _like(1)
zeros_like.__name__, ones_like.__name__ = "zeros_like", "ones_like"
zeros_like.__doc__ = "Zeros of the shape and dtype of `input`."
ones_like.__doc__ = "Ones of the shape and dtype of `input`."


def full_like(input, fill_value, *, dtype=None):
    """`fill_value` in the shape and dtype of `input`."""
    return Tensor(np.full(input._data.shape, fill_value, _numpy_dtype(dtype, input._data.dtype)))


def arange(start, end=None, step=1, *, dtype=None, requires_grad=False):
    """start, start + step, ... up to, but without, `end`."""
    start, end = (0, start) if end is None else (start, end)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    floats = any(isinstance(v, float) for v in (start, end, step))
    count = int(np.ceil((end - start) / step))
    array = start + step * np.arange(count, dtype=np.float64 if floats else np.int64)
    return Tensor(
        array.astype(_numpy_dtype(dtype, get_default_dtype().numpy if floats else np.int64)),
        requires_grad,
    )


def linspace(start, end, steps, *, dtype=None, requires_grad=False):
    """`steps` numbers from `start` to `end`, both included."""
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    array = np.linspace(start, end, steps)
    return Tensor(array.astype(_numpy_dtype(dtype, get_default_dtype().numpy)), requires_grad)


def eye(n, m=None, *, dtype=None):
    """The identity matrix, n by m."""
    return Tensor(np.eye(n, m, dtype=_numpy_dtype(dtype, get_default_dtype().numpy)))


def one_hot(tensor, num_classes=-1):
    """int64 (*, K) with a single 1 where `tensor` says."""
    index = tensor._data
    if index.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor.")
    count = int(index.max()) + 1 if num_classes == -1 else num_classes
    if index.size and index.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if index.size and index.max() >= count:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return Tensor(np.eye(count, dtype=np.int64)[index])


# -- random numbers --------------------------------------------------------------------------------------------


class Generator:
    """A source of random numbers of its own; its stream is NumPy's (PCG64)."""

    # NB: in torch the same seed gives other numbers, for its generator is another (mt19937).

    def __init__(self, device="cpu"):
        require_cpu(device)
        self._seed, self._rng = None, np.random.default_rng()

    def manual_seed(self, seed):
        self._seed, self._rng = seed, np.random.default_rng(seed)
        return self

    def initial_seed(self):
        return self._seed

    def get_state(self):
        """The state as a plain dict; `set_state` takes it back."""
        return self._rng.bit_generator.state

    def set_state(self, state):
        self._rng.bit_generator.state = state


default_generator = Generator()


def manual_seed(seed):
    """Seed the default generator."""
    return default_generator.manual_seed(seed)


def random_source(generator=None):
    """NumPy's generator behind `generator`, or behind the default one."""
    return (generator or default_generator)._rng


def rand(*size, generator=None, dtype=None, requires_grad=False):
    """Uniform on [0, 1)."""
    array = random_source(generator).random(sizes(size))
    return Tensor(
        np.asarray(array).astype(_numpy_dtype(dtype, get_default_dtype().numpy)), requires_grad
    )


def randn(*size, generator=None, dtype=None, requires_grad=False):
    """Normal, mean 0 and variance 1."""
    array = random_source(generator).standard_normal(sizes(size))
    return Tensor(
        np.asarray(array).astype(_numpy_dtype(dtype, get_default_dtype().numpy)), requires_grad
    )


def randint(low, high=None, size=None, *, generator=None):
    """Integers from low to high - 1, int64."""
    if size is None:
        low, high, size = 0, low, high
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    return Tensor(np.asarray(random_source(generator).integers(low, high, tuple(size))))


def randperm(n, *, generator=None):
    """0 to n - 1 in random order, int64."""
    return Tensor(random_source(generator).permutation(n).astype(np.int64))
