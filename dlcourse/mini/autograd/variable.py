"""Variable, which held a tensor's gradient before tensors did; old programs name it."""

import warnings

from dlcourse.mini._core import Tensor

__all__ = ["Variable"]


class VariableType:
    """`Variable(tensor, requires_grad)` is the tensor detached; every tensor is a Variable."""

    def __call__(self, data, requires_grad=False, volatile=False):
        if volatile:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                stacklevel=2,
            )
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)

    def __instancecheck__(self, value):
        return isinstance(value, Tensor)


Variable = VariableType()
