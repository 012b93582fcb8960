"""Maps that are linear in each of their inputs."""

from dlcourse.mini.ops.products import addmm

__all__ = ["bilinear", "linear"]


def linear(input, weight, bias=None):
    """`input @ weight^T + bias`: (*, I) to (*, O) with weight (O, I) and bias (O,)."""
    if bias is None:
        return input @ weight.t()
    if input.ndim == 2:
        return addmm(bias, input, weight.t())
    rows = input.reshape(-1, input.shape[-1])  # (N, in_features)
    return addmm(bias, rows, weight.t()).reshape(*input.shape[:-1], weight.shape[0])


def bilinear(input1, input2, weight, bias=None):
    """`out[o] = input1^T @ weight[o] @ input2 + bias[o]`: (*, I) and (*, J) to (*, O)."""
    (out, in1, in2), batch = weight.shape, input1.shape[:-1]
    if input2.shape[:-1] != batch:
        raise RuntimeError(
            "bilinear(): input batch dimensions do not match: got "
            f"{list(input1.shape)} and {list(input2.shape)}"
        )
    if (input1.shape[-1], input2.shape[-1]) != (in1, in2):
        raise RuntimeError(
            f"bilinear(): input1 and input2 must have {in1} and {in2} features, but got "
            f"{input1.shape[-1]} and {input2.shape[-1]}"
        )
    if not input1.dtype is input2.dtype is weight.dtype:
        names = (x.dtype.c_type for x in (input1, input2, weight))
        raise RuntimeError(
            "All tensors must have the same dtype, got input1: {}, input2: {}, weight: {}".format(
                *names
            )
        )
    columns = weight.permute(1, 0, 2).reshape(in1, out * in2)
    half = (input1.reshape(-1, in1) @ columns).reshape(-1, out, in2)  # (N, O, J)
    y = (half * input2.reshape(-1, 1, in2)).sum(-1).reshape(*batch, out)
    return y if bias is None else y + bias
