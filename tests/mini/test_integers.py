"""In a browser NumPy's own integer has 32 bits; those of mini are int64 all the same."""

from dlcourse import mini
from dlcourse.mini import _integers

import numpy as np
import pytest


def test_integers_of_the_c_type_named_become_int64():
    """One-hot vectors of Python's integers were refused in a browser: they were int32."""
    hold = _integers.widening(mini.Tensor._hold, np.dtype(np.int16).num)
    for array, wanted in ((np.array([1, -2], np.int16), np.int64), (np.ones(2), np.float64)):
        made = mini.Tensor.__new__(mini.Tensor)
        hold(made, array)
        assert made._data.dtype == wanted
        assert made.tolist() == array.tolist()


@pytest.mark.parametrize("make", ["tensor([1, 2], dtype=mini.int32)", "zeros(2, dtype=mini.int32)",
                                  "tensor([1, 2]).int()", "eye(2, dtype=mini.int32)"])  # fmt: skip
def test_int32_is_the_c_type_that_no_index_has(make):
    assert eval(f"mini.{make}")._data.dtype.num == np.dtype(np.intc).num


def test_nothing_is_changed_where_an_index_has_64_bits():
    assert np.dtype(np.intp).itemsize == 8
    assert not hasattr(mini.Tensor._hold, "__wrapped__")
