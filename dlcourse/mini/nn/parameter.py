"""Parameter and Buffer: tensors that a module registers when they are assigned as attributes."""

from dlcourse.mini._core import Tensor, wrap
from dlcourse.mini._device import device as Device
from dlcourse.mini._dtype import from_numpy_dtype, get_default_dtype
from dlcourse.mini._format import tensor_repr
from dlcourse.mini.ops.creation import empty, require_cpu

import numpy as np


class Parameter(Tensor):
    """`data` as a leaf that requires a gradient; the memory is shared."""

    def __init__(self, data=None, requires_grad=True):
        if data is not None and not isinstance(data, Tensor):
            raise TypeError(f"expected data to be a Tensor, but got {type(data).__name__}")
        array = np.empty(0, get_default_dtype().numpy) if data is None else data._data
        self._hold(array, requires_grad)

    def __deepcopy__(self, memo):
        # As in torch without the gradient, and without what users have set.
        out = memo[id(self)] = type(self)(wrap(self._data.copy()), self._requires_grad)
        return out

    def __repr__(self):
        return "Parameter containing:\n" + tensor_repr(self)


class Buffer(Tensor):
    """`data` as a tensor that a module registers as a buffer when it is assigned.

    Only a `persistent` one belongs to the state_dict.
    """

    def __init__(self, data=None, *, persistent=True):
        self._hold(np.empty(0, get_default_dtype().numpy) if data is None else data._data)
        self.persistent = persistent


# -- without a shape yet ---------------------------------------------------------------------------

_ARRAY = Tensor._data  # where a tensor keeps its values, which here nobody may ask for
_UNUSABLE = (
    "Attempted to use an uninitialized parameter. This error happens when you are using a "
    "`LazyModule` or explicitly manipulating `mini.nn.UninitializedParameter` objects. When using "
    "LazyModules Call `forward` with a dummy batch to initialize the parameters before calling "
    "mini functions"
)
_NO_SHAPE = (
    "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
    "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. "
    "Call `forward` to initialize the parameters before accessing their attributes."
)


class Uninitialized:
    """A tensor without a shape yet: only its dtype and whether it requires a gradient are known."""

    # NB: in torch the error names the function that was called with an uninitialized parameter.

    becomes = Tensor

    def _start(self, requires_grad, device, dtype):
        require_cpu(device)
        self._hold(np.empty(0, (dtype or get_default_dtype()).numpy))
        self._requires_grad = requires_grad

    @property
    def _data(self):
        raise ValueError(_UNUSABLE)

    @_data.setter
    def _data(self, array):
        _ARRAY.__set__(self, array)

    @property
    def shape(self):
        raise RuntimeError(_NO_SHAPE)

    @property
    def dtype(self):
        return from_numpy_dtype(_ARRAY.__get__(self).dtype)

    @property
    def device(self):
        return Device("cpu")

    def materialize(self, shape, device=None, dtype=None):
        """Become an ordinary, unwritten tensor of this shape."""
        require_cpu(device)
        made = empty(shape, dtype=self.dtype if dtype is None else dtype)
        self.__class__ = self.becomes
        self._data = made._data

    def retype(self, dtype):
        """Get another dtype."""
        self._data = np.empty(0, dtype.numpy)

    def detach(self):
        """Itself: there is nothing to share yet."""
        return self

    def __deepcopy__(self, memo):
        out = memo[id(self)] = type(self)(requires_grad=self._requires_grad, dtype=self.dtype)
        return out

    def __repr__(self):
        return f"<{type(self).__name__}>"


class UninitializedParameter(Uninitialized, Parameter):
    """A Parameter without a shape; `materialize(shape)` makes it one."""

    becomes = Parameter

    def __init__(self, requires_grad=True, device=None, dtype=None):
        self._start(requires_grad, device, dtype)


class UninitializedBuffer(Uninitialized, Buffer):
    """A buffer without a shape; `materialize(shape)` makes it one."""

    becomes = Buffer

    def __init__(self, requires_grad=False, device=None, dtype=None, persistent=True):
        self._start(requires_grad, device, dtype)
        self.persistent = persistent
