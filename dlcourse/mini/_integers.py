"""Python's integers and all indices are int64, also where NumPy counts in 32 bits: in a browser."""

import functools

from dlcourse.mini._core import Tensor

import numpy as np


def count_in_int64() -> None:
    """Make int64 of what NumPy made in its own integer type, where that is smaller."""
    own = np.dtype(np.intp)
    if own.itemsize < 8:
        Tensor._hold = widening(Tensor._hold, own.num)


def widening(hold, number: int):
    """Tensor's `_hold`, but integers of the C type with this number become int64.

    mini.int32 is C's `int`, a type of its own even where NumPy's integer has as many bits.
    """

    # NB: in torch from_numpy shares the memory of integers, too; in a browser mini copies them.
    @functools.wraps(hold)
    def _hold(self, array, requires_grad=False):
        hold(self, array, requires_grad)
        if self._data.dtype.num == number:
            self._data = self._data.astype(np.int64)

    return _hold
