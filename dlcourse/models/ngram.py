"""n-grams with back-off, counted and not trained: what a network for sequences has to beat.

Interpolated Kneser-Ney smoothing (Kneser and Ney 1995, in the form of Chen and Goodman 1999): take
a discount off every count, and hand what was taken to the same model with a shorter context.
"""

from collections.abc import Sequence

import torch
from torch import nn

History = tuple[int, ...]


class NGram(nn.Module):
    """Tokens (B, T) to log-probabilities (B, T, K) of each next symbol, from counts.

    p(c | h) = max(n(h, c) - d, 0) / n(h) + d N(h) / n(h) p(c | h without its oldest symbol)

    n(h, c) counts how often c follows the context h, N(h) how many different symbols do, and
    n(h) = sum_c n(h, c).  Below the longest contexts n(h, c) is the number of different symbols
    that come before h c: a pair that is frequent after one context only says little about others.
    (Contexts that reach back to the start of a sequence have nothing before them: all count.)

    Args:
        sequences: lists of symbols, each with the boundary symbol 0 first and last.
        symbols: K, how many symbols there are.
        order: n; a context has at most n - 1 symbols.
        discount: d, from 0 to 1.
    """

    def __init__(
        self,
        sequences: Sequence[Sequence[int]],
        symbols: int,
        order: int = 4,
        discount: float = 0.75,
    ) -> None:
        super().__init__()
        if order < 1 or not 0 < discount <= 1:
            raise ValueError(f"order >= 1 and 0 < discount <= 1, got {order} and {discount}")
        self.symbols, self.order, self.discount = symbols, order, discount
        self.counts = _back_off_counts(_raw_counts(sequences, order), order)
        self._known: dict[History, list[float]] = {}

    def probabilities(self, history: History) -> list[float]:
        """p(c | history) for all K symbols c; of the history only the last n - 1 symbols matter."""
        history = history[max(0, len(history) - self.order + 1) :]
        if history not in self._known:
            self._known[history] = self._interpolated(history)
        return self._known[history]

    def _interpolated(self, history: History) -> list[float]:
        shorter = self.probabilities(history[1:]) if history else [1 / self.symbols] * self.symbols
        counts = self.counts.get(history)
        if counts is None:  # a context that was never seen
            return shorter
        total, d = sum(counts.values()), self.discount
        kept = d * len(counts) / total
        return [
            max(counts.get(c, 0) - d, 0) / total + kept * p for c, p in enumerate(shorter)
        ]  # sums to 1 where `shorter` does

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        rows = [
            [self.probabilities(tuple(row[: t + 1])) for t in range(len(row))]
            for row in tokens.tolist()
        ]
        return torch.tensor(rows, dtype=torch.float64).log()  # (B, T, K)

    @property
    def numbers(self) -> int:
        """How many counts the model keeps: what it has instead of parameters."""
        return sum(len(counts) for counts in self.counts.values())


def _raw_counts(sequences: Sequence[Sequence[int]], order: int) -> dict[History, dict[int, int]]:
    """{context: {symbol: how often it follows}} for contexts of 0 to order - 1 symbols."""
    counts: dict[History, dict[int, int]] = {}
    for sequence in sequences:
        for t in range(1, len(sequence)):
            for n in range(min(order - 1, t) + 1):
                after = counts.setdefault(tuple(sequence[t - n : t]), {})
                after[sequence[t]] = after.get(sequence[t], 0) + 1
    return counts


def _back_off_counts(
    raw: dict[History, dict[int, int]], order: int
) -> dict[History, dict[int, int]]:
    """The same, where contexts that can be longer count what comes before them."""
    counts: dict[History, dict[int, int]] = {}
    for history, after in raw.items():
        if len(history) == order - 1 or (history and history[0] == 0):
            counts[history] = dict(after)
    for history, after in raw.items():
        for symbol in after if history else ():
            below = counts.setdefault(history[1:], {})
            below[symbol] = below.get(symbol, 0) + 1
    return counts
