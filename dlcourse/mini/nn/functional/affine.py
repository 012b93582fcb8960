"""Maps that are linear in their input."""

from dlcourse.mini.ops.linalg import addmm

__all__ = ["linear"]


def linear(input, weight, bias=None):
    """input @ weight^T + bias: (*, I) to (*, O) with weight (O, I) and bias (O,)."""
    if bias is None:
        return input @ weight.t()
    if input.ndim == 2:
        return addmm(bias, input, weight.t())
    rows = input.reshape(-1, input.shape[-1])  # (N, in_features)
    return addmm(bias, rows, weight.t()).reshape(*input.shape[:-1], weight.shape[0])
