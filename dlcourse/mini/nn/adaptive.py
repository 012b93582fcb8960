"""A softmax over very many classes, of which few are frequent (Grave et al. 2017)."""

from itertools import pairwise
from typing import NamedTuple

from dlcourse.mini._core import Tensor
from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.container import ModuleList, Sequential
from dlcourse.mini.nn.linear import Linear
from dlcourse.mini.nn.module import Module
from dlcourse.mini.ops.shape import cat


class Scored(NamedTuple):
    """The log-probability of each target, (B,), and the loss, their negative mean."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Classes in order of frequency; rare ones in clusters, with ever smaller hidden layers.

    The head scores the classes below the first cutoff and one entry for each cluster; the
    log-probability of a rare class is that of its cluster plus that within the cluster.
    """

    def __init__(
        self, in_features, n_classes, cutoffs, div_value=4.0, head_bias=False,
        device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        cutoffs = list(cutoffs)
        _check(cutoffs, n_classes)
        self.in_features, self.n_classes, self.cutoffs = (
            in_features,
            n_classes,
            [*cutoffs, n_classes],
        )
        self.div_value, self.head_bias = div_value, head_bias
        self.shortlist_size, self.n_clusters = cutoffs[0], len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        options = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (start, stop) in enumerate(pairwise(self.cutoffs)):
            hidden = int(in_features // div_value ** (i + 1))
            narrow = Linear(in_features, hidden, bias=False, **options)
            self.tail.append(
                Sequential(narrow, Linear(hidden, stop - start, bias=False, **options))
            )

    def reset_parameters(self):
        for layer in (self.head, *(layer for cluster in self.tail for layer in cluster)):
            layer.reset_parameters()

    def forward(self, input_, target_):
        """Score targets, (B,), of inputs, (B, in_features); or one target of one input."""
        _check_shapes(input_, target_)
        one = target_.ndim == 0
        input, target = (input_.unsqueeze(0), target_.unsqueeze(0)) if one else (input_, target_)
        low, high = (target.min().item(), target.max().item()) if target.numel() else (0, 0)
        if low < 0 or high >= self.n_classes:
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], "
                f"but values in range [{low}, {high}] were found. "
            )
        entry = target.clone()  # of the head: a class itself, or the cluster it is in
        within = input.new_zeros(len(target))
        for i, (start, stop) in enumerate(pairwise(self.cutoffs)):
            rows = ((target >= start) & (target < stop)).nonzero().squeeze(1)
            if rows.numel():
                entry[rows] = self.shortlist_size + i
                log_probs = F.log_softmax(self.tail[i](input[rows]), 1)
                chosen = log_probs.gather(1, (target[rows] - start).unsqueeze(1))
                within = within.index_add(0, rows, chosen.squeeze(1))
        head = F.log_softmax(self.head(input), 1).gather(1, entry.unsqueeze(1)).squeeze(1)
        output = head + within
        return Scored(output.squeeze(0) if one else output, (-output).mean())

    def log_prob(self, input):
        """The log-probabilities of all classes: (B, in_features) to (B, n_classes)."""
        head = F.log_softmax(self.head(input), 1)
        clusters = [
            F.log_softmax(cluster(input), 1) + head[:, self.shortlist_size + i].unsqueeze(1)
            for i, cluster in enumerate(self.tail)
        ]
        return cat([head[:, : self.shortlist_size], *clusters], 1)

    def predict(self, input):
        """The most probable class of each input: (B, in_features) to (B,)."""
        return self.log_prob(input).argmax(1)


def _check(cutoffs, n_classes):
    if not cutoffs:
        raise ValueError("cutoffs should be a sequence of length larger than 0")
    rising = all(a < b for a, b in pairwise([0, *cutoffs, n_classes]))
    if not rising or any(int(c) != c for c in cutoffs):
        raise ValueError(
            "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
            "order, where each value is between 1 and n_classes-1"
        )


def _check_shapes(input, target):
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if target.ndim == 1 and input.shape[0] != target.shape[0]:
        raise RuntimeError("Input and target should have the same size in the batch dimension.")
    if input.ndim != target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, "
            f"but found inputs with size {input.shape}"
        )
