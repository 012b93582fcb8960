"""What all losses share: the reduction, also as torch's deprecated arguments ask for it."""

import warnings


def check_reduction(reduction):
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def reduced(each, reduction):
    check_reduction(reduction)
    if reduction == "none":
        return each
    return each.mean() if reduction == "mean" else each.sum()


def from_legacy(size_average, reduce, reduction):
    """`reduction`, or what its two predecessors mean: each is true if the other alone is given."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is not None and not reduce:
        reduction = "none"
    else:
        reduction = "mean" if size_average is None or size_average else "sum"
    warnings.warn(
        "size_average and reduce args will be deprecated, please use "
        f"reduction='{reduction}' instead.",
        stacklevel=3,
    )
    return reduction


def weighted(each, weight, reduction):
    """With weights the mean is the weighted one."""
    if weight is None:
        return reduced(each, reduction)
    if weight.shape != each.shape:
        raise ValueError("Weights and input must have the same size.")
    if reduction == "mean":
        return (each * weight).sum() / weight.sum()
    return reduced(each * weight, reduction)


def same_size(input, target):
    if input.shape != target.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size "
            f"({input.shape}). This will likely lead to incorrect results due to broadcasting. "
            "Please ensure they have the same size.",
            stacklevel=3,
        )
