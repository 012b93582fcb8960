"""Losses as modules; the formulas stand in `functional`."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.distance import PairwiseDistance
from dlcourse.mini.nn.functional.reduction import from_legacy
from dlcourse.mini.nn.module import Module

_POSITIVE_MARGIN = "{}: expected margin to be greater than 0, got {} instead"


class Loss(Module):
    """A loss with its reduction, or with the two arguments that torch had before it."""

    def __init__(self, size_average=None, reduce=None, reduction="mean"):
        super().__init__()
        self.reduction = from_legacy(size_average, reduce, reduction)


class L1Loss(Loss):
    """`|input - target|`."""

    def forward(self, input, target):
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(Loss):
    """`(input - target)^2`."""

    def forward(self, input, target):
        return F.mse_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(Loss):
    """`(input - target)^2 / (2 beta)` near 0, straight beyond `beta`."""

    def __init__(self, size_average=None, reduce=None, reduction="mean", beta=1.0):
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input, target):
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(Loss):
    """`(input - target)^2 / 2` near 0, straight beyond `delta`."""

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input, target):
        return F.huber_loss(input, target, self.reduction, self.delta)


class KLDivLoss(Loss):
    """`target * (log(target) - input)` for log-probabilities; see `functional.kl_div`."""

    def __init__(self, size_average=None, reduce=None, reduction="mean", log_target=False):
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input, target):
        options = {"reduction": self.reduction, "log_target": self.log_target}
        return F.kl_div(input, target, **options)


class PoissonNLLLoss(Loss):
    """`exp(input) - target * input`."""

    def __init__(
        self, log_input=True, full=False, size_average=None, eps=1e-8, reduce=None,
        reduction="mean",
    ):  # fmt: skip
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, input, target):
        options = {"eps": self.eps, "reduction": self.reduction}
        return F.poisson_nll_loss(input, target, self.log_input, self.full, **options)


class GaussianNLLLoss(Loss):
    """`(log(var) + (input - target)^2 / var) / 2`."""

    def __init__(self, *, full=False, eps=1e-6, reduction="mean"):
        super().__init__(reduction=reduction)
        self.full, self.eps = full, eps

    def forward(self, input, target, var):
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, self.reduction)


# -- classes ---------------------------------------------------------------------------------------


class WeightedLoss(Loss):
    """A loss with a weight for each class or element, kept as a buffer."""

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class NLLLoss(WeightedLoss):
    """-input[target] for log-probabilities (B, K, ...) and classes (B, ...)."""

    def __init__(
        self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input, target):
        options = {"ignore_index": self.ignore_index, "reduction": self.reduction}
        return F.nll_loss(input, target, self.weight, **options)


class CrossEntropyLoss(WeightedLoss):
    """`-log(softmax(input))[target]` for *logits* (B, K, ...) and classes or probabilities."""

    def __init__(
        self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean",
        label_smoothing=0.0,
    ):  # fmt: skip
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input, target):
        options = {"ignore_index": self.ignore_index, "reduction": self.reduction}
        options["label_smoothing"] = self.label_smoothing
        return F.cross_entropy(input, target, self.weight, **options)


class BCEWithLogitsLoss(WeightedLoss):
    """Binary cross-entropy of *logits* and probabilities of the same shape."""

    def __init__(
        self, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
    ):
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input, target):
        options = {"reduction": self.reduction, "pos_weight": self.pos_weight}
        return F.binary_cross_entropy_with_logits(input, target, self.weight, **options)


class BCELoss(WeightedLoss):
    """Binary cross-entropy of *probabilities*; BCEWithLogitsLoss is safer."""

    def forward(self, input, target):
        return F.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The mean over classes of the binary cross-entropies of logits (*, K)."""

    def forward(self, input, target):
        options = {"weight": self.weight, "reduction": self.reduction}
        return F.multilabel_soft_margin_loss(input, target, **options)


class MultiMarginLoss(WeightedLoss):
    """`max(0, margin - input[y] + input[i])^p` over classes i != y."""

    def __init__(
        self, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"
    ):
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if weight is not None and weight.ndim != 1:
            raise ValueError(
                f"MultiMarginLoss: expected weight to be None or 1D tensor, got {weight.ndim}D "
                "instead"
            )
        self.p, self.margin = p, margin

    def forward(self, input, target):
        options = {"weight": self.weight, "reduction": self.reduction}
        return F.multi_margin_loss(input, target, self.p, self.margin, **options)


class MultiLabelMarginLoss(Loss):
    """`max(0, 1 - input[y] + input[i])` over labels y and other classes i."""

    def forward(self, input, target):
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class CTCLoss(Loss):
    """-log P(targets) over all alignments; see `functional.ctc_loss`."""

    def __init__(self, blank=0, reduction="mean", zero_infinity=False):
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs, targets, input_lengths, target_lengths):
        lengths = input_lengths, target_lengths
        rest = self.blank, self.reduction, self.zero_infinity
        return F.ctc_loss(log_probs, targets, *lengths, *rest)


# -- targets of 1 and -1, pairs and triplets -------------------------------------------------------


class SoftMarginLoss(Loss):
    """`log(1 + exp(-target * input))`."""

    def forward(self, input, target):
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MarginLoss(Loss):
    """A loss with a margin."""

    def __init__(self, margin=0.0, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class HingeEmbeddingLoss(MarginLoss):
    """`input` where target is 1, `max(0, margin - input)` where it is -1."""

    def __init__(self, margin=1.0, size_average=None, reduce=None, reduction="mean"):
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input, target):
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class MarginRankingLoss(MarginLoss):
    """`max(0, margin - target * (input1 - input2))`."""

    def forward(self, input1, input2, target):
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(MarginLoss):
    """`1 - cos(input1, input2)` where target is 1, `max(0, cos - margin)` where it is -1."""

    def forward(self, input1, input2, target):
        return F.cosine_embedding_loss(
            input1, input2, target, self.margin, reduction=self.reduction
        )


class TripletMarginLoss(MarginLoss):
    """`max(0, d(anchor, positive) - d(anchor, negative) + margin)`, d the p-norm."""

    def __init__(
        self, margin=1.0, p=2.0, eps=1e-6, swap=False, size_average=None, reduce=None,
        reduction="mean",
    ):  # fmt: skip
        super().__init__(margin, size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(_POSITIVE_MARGIN.format("TripletMarginLoss", margin))
        self.p, self.eps, self.swap = p, eps, swap

    def forward(self, anchor, positive, negative):
        rest = self.margin, self.p, self.eps, self.swap
        return F.triplet_margin_loss(anchor, positive, negative, *rest, reduction=self.reduction)


class TripletMarginWithDistanceLoss(MarginLoss):
    """`TripletMarginLoss` with any distance, a function of two tensors."""

    def __init__(self, *, distance_function=None, margin=1.0, swap=False, reduction="mean"):
        super().__init__(margin, reduction=reduction)
        if margin <= 0:
            raise ValueError(_POSITIVE_MARGIN.format("TripletMarginWithDistanceLoss", margin))
        self.distance_function = (
            PairwiseDistance() if distance_function is None else distance_function
        )
        self.swap = swap

    def forward(self, anchor, positive, negative):
        return F.triplet_margin_with_distance_loss(
            anchor, positive, negative, distance_function=self.distance_function,
            margin=self.margin, swap=self.swap, reduction=self.reduction,
        )  # fmt: skip
