"""Losses that compare numbers with numbers."""

from dlcourse.mini.nn.functional.reduction import no_legacy, same_size, weighted

__all__ = ["l1_loss", "mse_loss"]


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input - target)^2, times `weight`: its mean, its sum, or each ("none")."""
    # NB: in torch this is one node, MseLossBackward0; in mini it is the composition.
    no_legacy(size_average, reduce)
    same_size(input, target)
    return weighted((input - target) ** 2, weight, reduction)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|, times `weight`: its mean, its sum, or each ("none")."""
    no_legacy(size_average, reduce)
    same_size(input, target)
    return weighted((input - target).abs(), weight, reduction)
