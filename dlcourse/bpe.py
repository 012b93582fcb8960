"""Byte pair encoding: a text as the numbers of frequent pieces of it (Sennrich and others 2016).

Text becomes bytes, of which there are 256 and which spell everything; then the pair of neighbours
that is most frequent becomes a token of its own, again and again.  Pairs are counted within pieces,
words in short, as GPT-2 does it (Radford and others 2019).
"""

from __future__ import annotations

import heapq
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

# A word, a number or other signs, each with the blank before it; or white space.  Every character
# belongs to a piece, so the pieces put together are the text.
PIECE = r" ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s"

# GPT-2 numbers the bytes that print first.  It matters only between two pairs that are equally
# frequent: the one with the smaller numbers is merged.
_PRINTED = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
BYTES = [bytes([b]) for b in (*_PRINTED, *sorted(set(range(256)) - set(_PRINTED)))]
NUMBER = {byte[0]: number for number, byte in enumerate(BYTES)}

Pair = tuple[int, int]


def merge(ids: Sequence[int], pair: Pair, new: int) -> list[int]:
    """`ids` with each occurrence of the pair, from left to right, replaced by `new`."""
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


def train_bpe(text: str, vocab_size: int) -> BPE:
    """The tokenizer of `vocab_size` tokens: 256 bytes, then the most frequent pairs.

    The counts are kept up to date, not counted anew: a merge changes only the words that
    hold it. A heap knows the largest count; what it holds may be out of date, and is then
    put back. A text with too few different pairs gives fewer tokens.

    Raises: ValueError if vocab_size < 256.
    """
    if vocab_size < len(BYTES):
        raise ValueError(f"vocab_size must be at least 256, one a byte, got {vocab_size}")
    frequency = Counter(re.findall(PIECE, text))
    words = [[NUMBER[b] for b in _bytes(word)] for word in frequency]
    times = list(frequency.values())
    counts: Counter[Pair] = Counter()
    where: defaultdict[Pair, set[int]] = defaultdict(set)  # the words that (once) held a pair
    for w, word in enumerate(words):
        for pair in pairwise(word):
            counts[pair] += times[w]
            where[pair].add(w)
    heap = [(-count, pair) for pair, count in counts.items()]
    heapq.heapify(heap)

    bpe = BPE()
    while heap and len(bpe) < vocab_size:
        count, pair = heapq.heappop(heap)
        if -count != counts[pair]:  # out of date
            if counts[pair] > 0:
                heapq.heappush(heap, (-counts[pair], pair))
            continue
        new, fresh = bpe.add(pair), set()
        for w in where.pop(pair):
            for old in pairwise(words[w]):
                counts[old] -= times[w]
            words[w] = merge(words[w], pair, new)
            for now in pairwise(words[w]):
                counts[now] += times[w]
                where[now].add(w)
                if new in now:
                    fresh.add(now)
        for now in fresh:
            heapq.heappush(heap, (-counts[now], now))
    return bpe


class BPE:
    """A tokenizer, given by its merges in their order.

    `tokens[i]` are the bytes that token i stands for.  Two merges may spell the same bytes, as do
    "e" + "re" and "er" + "e": that is one token, so there may be fewer tokens than 256 + merges.
    """

    def __init__(self, merges: Iterable[Pair] = ()) -> None:
        self.merges: list[Pair] = []
        self.tokens = list(BYTES)
        self._number = {token: i for i, token in enumerate(BYTES)}
        self._rank: dict[Pair, tuple[int, int]] = {}  # when a pair is merged, and into what
        self._known: dict[str, list[int]] = {}  # pieces met before
        for a, b in merges:
            self.add((int(a), int(b)))

    def add(self, pair: Pair) -> int:
        """Learn one more merge; the number of its token."""
        if not 0 <= min(pair) <= max(pair) < len(self):
            raise ValueError(f"merge {pair} is of tokens that do not exist yet")
        spelled = self.tokens[pair[0]] + self.tokens[pair[1]]
        new = self._number.setdefault(spelled, len(self))
        if new == len(self):
            self.tokens.append(spelled)
        self._rank[pair] = len(self.merges), new
        self.merges.append(pair)
        self._known.clear()
        return new

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str) -> list[int]:
        """The numbers of the text's tokens.  `decode(encode(text)) == text` for any text."""
        known, ids = self._known, []
        for piece in re.findall(PIECE, text):
            if piece not in known:
                known[piece] = self._encode_piece(piece)
            ids += known[piece]
        return ids

    def _encode_piece(self, piece: str) -> list[int]:
        """Do the merges in the order in which they were learnt, while there are any to do."""
        ids = [NUMBER[b] for b in _bytes(piece)]
        while found := [(self._rank[p], p) for p in pairwise(ids) if p in self._rank]:
            (_, new), pair = min(found)
            ids = merge(ids, pair, new)
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text of these tokens; bytes that are no character become the sign for that, �.

        Raises: IndexError for a number that is no token.
        """
        ids = list(ids)
        for i in ids:
            if not 0 <= i < len(self):
                raise IndexError(f"token {i} is out of range: there are {len(self)}")
        return b"".join(self.tokens[i] for i in ids).decode("utf-8", errors="replace")

    def pieces(self, text: str) -> list[str]:
        """The text cut into its tokens, to look at."""
        return [self.decode([i]) for i in self.encode(text)]


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{text!r} is no text: it holds half of a surrogate pair") from error
