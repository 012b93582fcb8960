"""Connectionist temporal classification by the forward-backward algorithm (Graves et al. 2006).

All sequences of a batch at once.  A target of S labels becomes L = 2 S + 1 states: blanks before,
between and behind the labels.  T steps, N sequences, C classes.
"""

from dlcourse.mini._core import wrap
from dlcourse.mini.ops.operation import Op

import numpy as np


class CtcLoss(Op):
    """-log P(target) of each sequence, (N,), of log-probabilities (T, N, C).

    `labels` (N, S) are padded with anything; `steps` and `sizes` (N,) are the lengths.
    """

    @staticmethod
    def forward(ctx, log_probs, labels, steps, sizes, blank, zero_infinity):
        states = States(log_probs._data, labels, sizes, blank)
        alphas = states.alphas()
        ends = alphas[steps - 1, np.arange(len(steps))]  # (N, L)
        loss = -np.logaddexp.reduce(np.where(states.last, ends, -np.inf), axis=1)
        loss[(steps == 0) & (sizes == 0)] = 0
        loss[(steps == 0) & (sizes > 0)] = np.inf
        ctx.impossible = np.isinf(loss) if zero_infinity else None
        ctx.found = states, alphas, steps, loss
        ctx.save_for_backward(log_probs)
        shown = loss if ctx.impossible is None else np.where(ctx.impossible, 0, loss)
        return wrap(shown.astype(log_probs._data.dtype))

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        states, alphas, steps, loss = ctx.found
        share = states.shares(alphas, states.betas(steps), loss)  # (T, N, C)
        # As in torch, this is the gradient of what log_softmax was given: it counts on
        # log-probabilities that sum to one, and is then the same behind log_softmax.
        slope = np.exp(states.log_probs) - share
        slope[np.arange(len(slope))[:, None] >= steps] = 0
        if ctx.impossible is not None:
            slope[:, ctx.impossible] = 0
        slope = wrap(slope.astype(grad_output._data.dtype))
        return CtcLossBackward.apply(grad_output.reshape(1, -1, 1), slope, x), *[None] * 5


class CtcLossBackward(Op):
    """`grad * slope`, where it is not known how the slope depends on the log-probabilities."""

    @staticmethod
    def forward(ctx, grad, slope, log_probs):
        return wrap(grad._data * slope._data)

    @staticmethod
    def backward(ctx, grad_output):
        raise RuntimeError("derivative for aten::_ctc_loss_backward is not implemented")


class States:
    """The states of each target, their log-probabilities, and the ways through them."""

    def __init__(self, log_probs, labels, sizes, blank):
        count, width = labels.shape
        self.log_probs = log_probs
        self.classes = np.full((count, 2 * width + 1), blank)
        self.classes[:, 1::2] = labels
        number = np.arange(2 * width + 1)
        self.used = number <= 2 * sizes[:, None]
        self.classes[~self.used] = blank
        self.last = (number >= 2 * sizes[:, None] - 1) & self.used
        # From a label one may skip the blank behind it, unless the same label follows.
        self.skip = np.zeros(self.classes.shape, bool)
        self.skip[:, 2:] = (number[2:] % 2 == 1) & (self.classes[:, 2:] != self.classes[:, :-2])
        self.each = np.take_along_axis(log_probs, self.classes[None], 2)  # (T, N, L)

    def alphas(self):
        """log P(the first t steps, and state l at t), (T, N, L)."""
        out = np.full(self.each.shape, -np.inf)
        if len(out):
            out[0, :, :2] = self.each[0, :, :2]
        for t in range(1, len(out)):
            before = out[t - 1]
            ways = np.logaddexp(before, _moved(before, 1))
            skipped = np.where(self.skip, _moved(before, 2), -np.inf)
            out[t] = np.logaddexp(ways, skipped) + self.each[t]
        return np.where(self.used, out, -np.inf)

    def betas(self, steps):
        """log P(the steps from t on, given state l at t), (T, N, L)."""
        out = np.empty(self.each.shape)
        skip = np.zeros_like(self.skip)
        skip[:, :-2] = self.skip[:, 2:]
        after = np.full(self.classes.shape, -np.inf)
        for t in range(len(out) - 1, -1, -1):
            ways = np.logaddexp(after, _moved(after, -1))
            ways = np.logaddexp(ways, np.where(skip, _moved(after, -2), -np.inf))
            ends = (steps == t + 1)[:, None]
            ways = np.where(ends, np.where(self.last, 0.0, -np.inf), ways)
            after = out[t] = np.where(self.used, ways + self.each[t], -np.inf)
        return out

    def shares(self, alphas, betas, loss):
        """P(class c at step t | the target), (T, N, C)."""
        out = np.zeros(self.log_probs.shape)
        states = np.exp(alphas + betas - self.each + loss[:, None])
        rows = np.arange(len(loss))[:, None]
        by_state = np.moveaxis(out, 0, -1)  # a view, (N, C, T)
        np.add.at(by_state, (rows, self.classes), np.moveaxis(np.nan_to_num(states), 0, -1))
        return out


def _moved(array, by):
    """Shifted along the last dimension, filled with log(0)."""
    out = np.full(array.shape, -np.inf)
    if by > 0:
        out[..., by:] = array[..., :-by]
    else:
        out[..., :by] = array[..., -by:]
    return out
