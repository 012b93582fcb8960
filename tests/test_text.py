"""Text as tokens, and the models that need no network: dlcourse.bpe and dlcourse.ngram."""

import itertools
import math
import re
from collections import Counter

from dlcourse import bpe, datasets, ngram

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

# ------------------------------------------------------------------------------ byte pair encoding


def slow_bpe(text, vocab_size):
    """The definition, word for word: count all pairs anew before every merge."""
    words = [[bpe.NUMBER[b] for b in piece.encode()] for piece in re.findall(bpe.PIECE, text)]
    tokens, merges = list(bpe.BYTES), []
    while len(tokens) < vocab_size:
        counts = Counter(pair for word in words for pair in itertools.pairwise(word))
        if not counts:
            break
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        merges.append(pair)
        spelled = tokens[pair[0]] + tokens[pair[1]]
        if spelled not in tokens:
            tokens.append(spelled)
        words = [bpe.merge(word, pair, tokens.index(spelled)) for word in words]
    return merges


@pytest.fixture(scope="module")
def ruth():
    return datasets.kjv_books()["Ruth"]


@pytest.fixture(scope="module")
def small(ruth):
    return bpe.train_bpe(ruth, 400)


def test_training_does_what_the_definition_says(ruth, small):
    assert small.merges == slow_bpe(ruth, 400)
    assert len(small) == 400


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet="ab c.", max_size=60))
def test_runs_and_ties_are_merged_as_the_definition_says(text):
    assert bpe.train_bpe(text, 270).merges == slow_bpe(text, 270)


@settings(deadline=None, max_examples=200)
@given(st.text())
def test_any_text_comes_back(small, text):
    ids = small.encode(text)
    assert small.decode(ids) == text
    assert all(0 <= i < len(small) for i in ids)
    assert "".join(re.findall(bpe.PIECE, text)) == text


@pytest.mark.parametrize(
    "text", ["", "naïve café 東京 🙂", "a\r\n\tb\x00", "_x_ __", "½²٣", " \n \n"]
)
def test_odd_texts_come_back(small, text):
    assert small.decode(small.encode(text)) == text


def test_encoding_does_the_merges_in_their_order():
    """Not the longest token first: "abc" was learnt, but "bc" is merged before "ab" is tried."""
    letters = [bpe.NUMBER[ord(c)] for c in "abc"]
    a, b, c = letters
    tokenizer = bpe.BPE([(b, c), (a, b), (257, c)])
    assert tokenizer.pieces("abc") == ["a", "bc"]
    assert tokenizer.pieces("ab") == ["ab"]


def test_two_merges_that_spell_the_same_are_one_token():
    a, b, c = (bpe.NUMBER[ord(letter)] for letter in "abc")
    tokenizer = bpe.BPE([(a, b), (b, c), (256, c), (a, 257)])
    assert tokenizer.tokens[256:] == [b"ab", b"bc", b"abc"]
    assert len(tokenizer) == 259


def test_half_a_character_is_shown_as_such(small):
    ids = small.encode("é")
    assert len(ids) == 2
    assert small.decode(ids[:1]) == "\N{REPLACEMENT CHARACTER}"


def test_what_is_no_token_no_text_or_no_size_is_refused(small):
    with pytest.raises(IndexError, match="token 400 is out of range: there are 400"):
        small.decode([400])
    with pytest.raises(IndexError, match="token -1 is out of range"):
        small.decode([-1])
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        small.encode("\ud800")
    with pytest.raises(ValueError, match="vocab_size must be at least 256"):
        bpe.train_bpe("text", 255)
    with pytest.raises(ValueError, match="tokens that do not exist yet"):
        bpe.BPE([(0, 256)])


def test_a_text_without_pairs_gives_the_bytes():
    assert len(bpe.train_bpe("", 1000)) == 256
    assert len(bpe.train_bpe("abab", 1000)) == 258


def test_the_tokenizers_of_hugging_face_agree(ruth):
    """The same merges and the same numbers, learnt by another program."""
    tokenizers = pytest.importorskip("tokenizers")
    ours, theirs = bpe.train_bpe(ruth, 600), hugging_face(tokenizers, ruth, 600)
    vocabulary = theirs.get_vocab()
    assert len(vocabulary) == len(ours) == 600
    text = ruth + datasets.kjv_books()["Jonah"] + "naïve café 東京 🙂 x_y 12½"
    assert theirs.encode(text).ids == ours.encode(text)
    assert theirs.decode(ours.encode(text)) == text


def hugging_face(tokenizers, text, vocab_size):
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(bpe.PIECE), "isolated")
    as_bytes = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, as_bytes])
    theirs.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
    )
    theirs.train_from_iterator([text], trainer)
    return theirs


# ---------------------------------------------------------------------------------------- n-grams


def slow_kneser_ney(ids, order, V, context, w):
    """Chen and Goodman's formula, from sets and counters."""

    def seen(n):  # how often each n-gram counts
        grams = Counter(tuple(ids[i : i + n]) for i in range(len(ids) - n + 1))
        if n == order:
            return grams
        longer = {tuple(ids[i : i + order]) for i in range(len(ids) - order + 1)}
        for _ in range(order - n):
            kept, longer = longer, {gram[1:] for gram in longer}
        return Counter(gram[1:] for gram in kept)

    def p(n, context):
        if n == 0:
            return 1 / V
        counts = seen(n)
        ones, twos = (sum(c == k for c in counts.values()) for k in (1, 2))
        d = ones / (ones + 2 * twos) if ones else 0.5
        h = context[len(context) - n + 1 :]
        after = [c for gram, c in counts.items() if gram[:-1] == tuple(h)]
        lower = p(n - 1, context)
        if not after:
            return lower
        return (max(counts[(*h, w)] - d, 0) + d * len(after) * lower) / sum(after)

    return p(min(order, len(context) + 1), context)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_kneser_ney_is_what_the_formula_says(order):
    ids = np.random.default_rng(0).choice(4, size=60, p=[0.5, 0.3, 0.15, 0.05]).tolist()
    model = ngram.KneserNey(ids, order, 4)
    for context in ([], [0], [1, 0], [3, 3], [2, 0, 1]):
        want = [slow_kneser_ney(ids, order, 4, context, w) for w in range(4)]
        np.testing.assert_allclose(model.next_probabilities(context), want, rtol=1e-12)


def test_the_probabilities_of_a_text_are_those_of_its_tokens():
    rng = np.random.default_rng(0)
    model = ngram.KneserNey(rng.integers(5, size=500), 3, 6)
    text = rng.integers(6, size=40)
    want = [model.next_probabilities(text[:t])[text[t]] for t in range(40)]
    np.testing.assert_allclose(model.probabilities(text), want, rtol=1e-12)


def test_known_contexts_are_those_of_the_training_text():
    rng = np.random.default_rng(0)
    ids, text = rng.integers(6, size=80).tolist(), rng.integers(6, size=50).tolist()

    def seen(context):  # in a run of four, before its last
        n = len(context)
        return any(ids[i : i + n] == context for i in range(3 - n, len(ids) - n))

    known = ngram.KneserNey(ids, 4, 6).known_contexts(text)
    for t in range(50):
        want = max(n for n in range(min(t, 3) + 1) if seen(text[t - n : t]))
        assert known[t] == want
    assert set(known.tolist()) == {0, 1, 2, 3}


def test_the_probabilities_add_up_to_one(ruth):
    model = ngram.KneserNey(list(ruth.encode()), 5, 256)
    for context in (b"", b"a", b"And the ", b"\xff\xff\xff\xff"):
        assert model.next_probabilities(context).sum() == pytest.approx(1, rel=1e-12)


def test_bits_per_byte_of_a_fair_coin():
    assert ngram.bits_per_byte(np.full(8, 0.5), "ab") == 4.0
    assert ngram.bits_per_byte(np.full(2, 1 / math.e), "é") == pytest.approx(1 / math.log(2))


def test_an_order_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="order 8 over 256 tokens does not fit into 63 bits"):
        ngram.KneserNey([1, 2, 3], 8, 256)
    with pytest.raises(ValueError, match="2 tokens are too few for order 3"):
        ngram.KneserNey([1, 2], 3, 256)
