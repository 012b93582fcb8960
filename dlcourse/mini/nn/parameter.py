"""Parameter: a tensor that a module registers when it is assigned as an attribute."""

from dlcourse.mini._core import Tensor
from dlcourse.mini._format import tensor_repr

import numpy as np


class Parameter(Tensor):
    """`data` as a leaf that requires a gradient; the memory is shared."""

    def __init__(self, data=None, requires_grad=True):
        if data is not None and not isinstance(data, Tensor):
            raise TypeError(f"expected data to be a Tensor, but got {type(data).__name__}")
        array = np.empty(0, np.float32) if data is None else data._data
        super().__init__(array, requires_grad)

    def __deepcopy__(self, memo):
        out = memo[id(self)] = type(self)(Tensor(self._data.copy()), self._requires_grad)
        if self._grad is not None:
            out._grad = Tensor(self._grad._data.copy())
        return out

    def __repr__(self):
        return "Parameter containing:\n" + tensor_repr(self)


class Buffer(Tensor):
    """`data` as a tensor that a module registers as a buffer when it is assigned.

    Only a `persistent` one belongs to the state_dict.
    """

    def __init__(self, data=None, *, persistent=True):
        super().__init__(np.empty(0, np.float32) if data is None else data._data)
        self.persistent = persistent

    def __deepcopy__(self, memo):
        out = Buffer(Tensor(self._data.copy()), persistent=self.persistent)
        memo[id(self)] = out
        return out
