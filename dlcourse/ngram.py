"""An n-gram model with interpolated Kneser-Ney smoothing: the next token from the few before it.

Kneser and Ney 1995, in the form of Chen and Goodman 1999.  Made for one long text: all counting is
sorting of whole numbers, an n-gram over V tokens being a number with n digits to the base V.  For
many short sequences, each with a beginning and an end, see dlcourse/models/ngram.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _Level:
    """The counts of one order n, sorted so that they can be looked up."""

    grams: np.ndarray  # n-grams h w seen, as numbers
    counts: np.ndarray  # how often, or after how many different tokens
    contexts: np.ndarray  # the h among them
    totals: np.ndarray  # the sum of the counts of all h w
    kinds: np.ndarray  # the number of different w after h
    discount: float


class KneserNey:
    """P(w | the order - 1 tokens before), trained on `ids`, each from 0 to vocab_size - 1.

    Where a context was never seen, the shorter one decides.  Raises: ValueError if the numbers of
    the n-grams would not fit into 63 bits, or the text is shorter than the order.
    """

    def __init__(self, ids: Sequence[int], order: int, vocab_size: int) -> None:
        if order < 1 or vocab_size**order >= 2**63:
            raise ValueError(f"order {order} over {vocab_size} tokens does not fit into 63 bits")
        if len(ids) < order:
            raise ValueError(f"{len(ids)} tokens are too few for order {order}")
        self.order, self.vocab_size = order, vocab_size
        V = vocab_size
        # The longest n-grams are counted by how often they occur, the shorter ones by how many
        # different tokens they follow: "Francisco" is frequent, but follows hardly anything but
        # "San".
        grams, counts = np.unique(self._codes(np.asarray(ids, np.int64), order), return_counts=True)
        levels = []
        for n in range(order, 0, -1):
            contexts, first = np.unique(grams // V, return_index=True)
            totals = np.add.reduceat(counts, first)
            kinds = np.diff(np.append(first, len(grams)))
            ones, twos = (counts == 1).sum(), (counts == 2).sum()
            discount = ones / (ones + 2 * twos) if ones else 0.5  # Ney's estimate
            levels.append(_Level(grams, counts, contexts, totals, kinds, float(discount)))
            grams, counts = np.unique(grams % V ** (n - 1), return_counts=True)
        self.levels = levels[::-1]

    def _codes(self, ids: np.ndarray, n: int) -> np.ndarray:
        """The n-gram that ends at each token from the n-th on, as one number: (N - n + 1,)."""
        codes = np.zeros(len(ids) - n + 1, np.int64)
        for k in range(n):
            codes = codes * self.vocab_size + ids[k : len(ids) - n + 1 + k]
        return codes

    def probabilities(self, ids: Sequence[int]) -> np.ndarray:
        """P(ids[t] | ids[: t]) for every t: (N,).  The first tokens have shorter contexts."""
        ids = np.asarray(ids, np.int64)
        p = np.full(len(ids), 1 / self.vocab_size)
        for n, level in enumerate(self.levels[: len(ids)], start=1):
            p[n - 1 :] = self._interpolate(level, self._codes(ids, n), p[n - 1 :])
        return p

    def known_contexts(self, ids: Sequence[int]) -> np.ndarray:
        """How many of the tokens before each one were seen in this order in training: (N,)."""
        ids = np.asarray(ids, np.int64)
        known = np.zeros(len(ids), np.int64)
        for n, level in enumerate(self.levels[1 : len(ids)], start=1):
            contexts = self._codes(ids[:-1], n)  # of n tokens, before each but the first n
            known[n:][np.isin(contexts, level.contexts)] = n
        return known

    def next_probabilities(self, context: Sequence[int]) -> np.ndarray:
        """P(w | context) for every w: (V,)."""
        context = list(context)[len(context) - min(len(context), self.order - 1) :]
        code = 0
        p = np.full(self.vocab_size, 1 / self.vocab_size)
        for n, level in enumerate(self.levels[: len(context) + 1], start=1):
            for i in context[len(context) - n + 1 :]:
                code = code * self.vocab_size + int(i)
            words = np.arange(self.vocab_size, dtype=np.int64)
            p = self._interpolate(level, code * self.vocab_size + words, p)
            code = 0
        return p

    def _interpolate(self, level: _Level, codes: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """(max(c(hw) - d, 0) + d N(h) P_lower(w)) / c(h), or P_lower where h is new."""
        count = _look_up(level.grams, level.counts, codes)
        total = _look_up(level.contexts, level.totals, codes // self.vocab_size)
        kinds = _look_up(level.contexts, level.kinds, codes // self.vocab_size)
        d = level.discount
        seen = np.maximum(count - d, 0) + d * kinds * lower
        return np.where(total > 0, seen / np.maximum(total, 1), lower)


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The value of each wanted key, 0 where it is not among the sorted keys."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, values[at], 0)


def bits_per_byte(probabilities: np.ndarray, text: str) -> float:
    """-log2 of the probability of the whole text, shared among its bytes."""
    return float(-np.log2(probabilities).sum() / len(text.encode("utf-8")))
