"""Exercises of the project text_generation. The form: dlcourse/exercises/__init__.py."""

import math

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# ------------------------------------------------------------------------------------ first_merges


@exercise(
    name="first_merges",
    solution=["an", "ban", "ana"],
    reasoning="""
    The pieces are "banana" and " bandana". The pair a, n stands there four times, n, a three times,
    all others at most twice: the first token is "an". Now the pieces are b an an a and
    " " b an d an a, and two pairs stand there twice, (b, an) and (an, a). Of two that are equally
    frequent the one whose first token has the smaller number is merged; b is a byte, below 256, and
    an is 256: "ban". Then (an, a) is left as the only pair that stands there twice: "ana".
    """,
    shown="A tie decides the second merge: 'most frequent' alone is not yet an algorithm.",
)
def check_first_merges(first_merges):
    got = [token.decode() if isinstance(token, bytes) else token for token in first_merges]
    expect(
        len(got) == 3 and all(isinstance(token, str) for token in got),
        "Give the three new tokens as a list of strings, the first one first.",
    )
    if got[0] == "na":
        raise Hint("n, a stands there three times. Count a, n in both words.")
    if got[0] != "an":
        raise Hint(
            "Start from single bytes, and merge two neighbours: which pair is the commonest?"
        )
    if got[1] == "anan":
        raise Hint("(an, an) stands there once, in banana. Two other pairs stand there twice.")
    if got[1] == "ana":
        raise Hint(
            "A tie: (an, a) and (b, an) stand there twice. The pair whose first token has the "
            "smaller number wins; an is 256."
        )
    expect(
        got == ["an", "ban", "ana"],
        "After each merge write both words down anew, in tokens, and count the neighbours.",
    )


check_first_merges.wrong("stands there three times", ["na", "ana", "ban"])
check_first_merges.wrong("A tie", ["an", "ana", "ban"])
check_first_merges.wrong("stands there once", ["an", "anan", "ban"])
check_first_merges.wrong("merge two neighbours", ["ana", "ban", "d"])


# ----------------------------------------------------------------------------------- bits_per_byte


def bits_per_byte(losses, text):
    """The bits a model needs for each byte; losses: -log p of each token.

    The probability of the text is the product over its tokens, so their -log p add
    up, however the text was cut. A nat is 1 / log 2 bits.
    """
    return np.sum(losses) / math.log(2) / len(text.encode("utf-8"))


@exercise(
    solution=bits_per_byte,
    shown="Nothing in it depends on what a token is: two models with any tokens can be compared.",
)
def check_bits_per_byte(bits_per_byte):
    losses = np.array([1.0, 2.0, 0.5, 3.0])
    text = "naïveté"  # 7 characters, 9 bytes
    got = bits_per_byte(losses, text)
    if close(got, 6.5 / 9):
        raise Hint("These are nats: one bit is log 2 of them.")
    if close(got, 6.5 * math.log(2) / 9):
        raise Hint(
            "A bit is the smaller unit, so there are more of them than nats: divide by log 2."
        )
    if close(got, 6.5 / math.log(2) / 7):
        raise Hint("ï and é are one character each and two bytes: count `text.encode()`.")
    if close(got, 6.5 / math.log(2) / 4):
        raise Hint(
            "That is bits per token. Another tokenizer makes other tokens of the same bytes."
        )
    expect_close(got, 6.5 / math.log(2) / 9, "bits_per_byte([1, 2, 0.5, 3], 'naïveté')")


@check_bits_per_byte.wrong("These are nats")
def stays_with_nats(losses, text):
    return np.sum(losses) / len(text.encode("utf-8"))


@check_bits_per_byte.wrong("the smaller unit")
def multiplies(losses, text):
    return np.sum(losses) * math.log(2) / len(text.encode("utf-8"))


@check_bits_per_byte.wrong("one character each")
def counts_characters(losses, text):
    return np.sum(losses) / math.log(2) / len(text)


@check_bits_per_byte.wrong("bits per token")
def takes_the_mean(losses, text):
    return np.mean(losses) / math.log(2)


# -------------------------------------------------------------------------------- best_temperature


def best_temperature(logits, targets):
    """The temperature at which targets (N,) are most probable; logits: (N, V).

    By beta = 1 / T the mean surprise has the slope mean(E[z] - z_w), which only grows:
    where it is negative, the minimum lies at a larger beta. So the interval is halved.
    """
    z = logits - logits.max(axis=1, keepdims=True)
    of_truth = z[np.arange(len(targets)), targets].mean()
    low, high = 0.01, 100.0  # of beta
    for _ in range(60):
        beta = math.sqrt(low * high)
        weights = np.exp(beta * z)
        expected = ((weights * z).sum(axis=1) / weights.sum(axis=1)).mean()
        low, high = (beta, high) if expected < of_truth else (low, beta)
    return 1 / beta


def _probabilities(logits, temperature):
    weights = np.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    return weights / weights.sum(axis=1, keepdims=True)


def _surprise_and_entropy(logits, targets, temperature):
    p = _probabilities(logits, temperature)
    entropy = -(p * np.log(p + 1e-300)).sum(axis=1).mean()
    return -np.log(p[np.arange(len(targets)), targets] + 1e-300).mean(), entropy


def _drawn(temperature, seed):
    """Logits, and targets drawn from them at a temperature."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(300, 6))
    noise = rng.gumbel(size=logits.shape)
    return logits, (logits / temperature + noise).argmax(axis=1)


def _as_sure_as_right(logits, targets):
    """The temperature at which the mean of the largest p is the share of hits."""
    hits = (logits.argmax(axis=1) == targets).mean()
    low, high = 1e-2, 1e2
    for _ in range(60):
        middle = math.sqrt(low * high)
        too_sure = _probabilities(logits, middle).max(axis=1).mean() > hits
        low, high = (middle, high) if too_sure else (low, middle)
    return middle


@exercise(
    solution=best_temperature,
    shown="One number makes a model as surprised as it expects to be, on texts like these.",
)
def check_best_temperature(answer):
    for temperature, seed in ((1.5, 0), (0.6, 1)):
        logits, targets = _drawn(temperature, seed)
        right = best_temperature(logits, targets)
        got = answer(logits.copy(), targets.copy())
        got = got.detach() if hasattr(got, "detach") else got
        expect(np.ndim(got) == 0, "Return one number, the temperature for all of them.")
        expect(np.isfinite(float(got)) and got > 0, f"A temperature is above 0, not {got}.")
        if close(got, 1 / right, 1e-4):
            raise Hint("That is beta. The temperature is 1 / beta.")
        if close(got, _as_sure_as_right(logits, targets), 1e-3):
            raise Hint(
                "There the mean of the largest p is the share of hits. Asked is where the targets "
                "are most probable, whatever stands on top."
            )
        if not close(got, right, 1e-4):
            surprise, entropy = _surprise_and_entropy(logits, targets, float(got))
            near = " Halve the interval more often." if close(got, right, 0.05) else ""
            raise Hint(
                f"At T = {float(got):.4g} the mean surprise is {surprise:.4f} and the mean entropy "
                f"{entropy:.4f}: they are to be equal.{near}"
            )
    with np.errstate(all="ignore"):
        got = answer(logits + 1000, targets)
    hint = "Subtract each row's largest logit before the exponential."
    expect_close(got, right, "best_temperature with logits near 1000", hint, rtol=1e-4)
    with np.errstate(all="ignore"):
        got = answer(logits + np.linspace(-1000, 1000, len(logits))[:, None], targets)
    hint = "One number for all rows does not do: each row has a largest logit of its own."
    expect_close(got, right, "best_temperature with rows far apart", hint, rtol=1e-4)


@check_best_temperature.wrong("a largest logit of its own")
def subtracts_one_number(logits, targets):
    return overflows(logits - logits.max(), targets)


@check_best_temperature.wrong("That is beta")
def gives_beta(logits, targets):
    return 1 / best_temperature(logits, targets)


@check_best_temperature.wrong("the share of hits")
def makes_it_as_sure_as_right(logits, targets):
    return _as_sure_as_right(logits, targets)


@check_best_temperature.wrong("they are to be equal")
def turns_the_slope(logits, targets):
    low, high = 1e-3, 1e3
    for _ in range(60):
        middle = math.sqrt(low * high)
        surprise, entropy = _surprise_and_entropy(logits, targets, middle)
        low, high = (low, middle) if surprise > entropy else (middle, high)
    return middle


@check_best_temperature.wrong("Halve the interval more often")
def looks_on_a_grid(logits, targets):
    heats = np.linspace(0.2, 3, 57)
    return min(heats, key=lambda heat: _surprise_and_entropy(logits, targets, heat)[0])


@check_best_temperature.wrong("before the exponential")
def overflows(logits, targets):
    of_truth = logits[np.arange(len(targets)), targets].mean()
    low, high = 0.01, 100.0
    for _ in range(60):
        beta = math.sqrt(low * high)
        weights = np.exp(beta * logits)
        expected = ((weights * logits).sum(axis=1) / weights.sum(axis=1)).mean()
        low, high = (beta, high) if expected < of_truth else (low, beta)
    return 1 / beta


# ----------------------------------------------------------------------------------- looked_at


def looked_at(T):
    """(with a cache, without): pairs of query and key to write T tokens.

    When the window holds t tokens, the newest of them looks at t. Without a cache all
    t of them look again, each at itself and those before it: t (t + 1) / 2 pairs.
    """
    return T * (T + 1) // 2, T * (T + 1) * (T + 2) // 6


@exercise(
    solution=looked_at,
    reasoning="""
    Let the window hold $t = 1, 2, \\dots, T$ tokens, one after another. With a cache the newest
    token looks at $t$ keys: $\\sum_t t = T(T + 1)/2$ pairs in all. Without, each of the $t$ tokens
    looks again at itself and at all before it, $t(t + 1)/2$ pairs, and these add up to
    $T(T + 1)(T + 2)/6$. The ratio is $(T + 2)/3$: the cache saves more the longer the text.
    """,
    shown="Without a cache the pairs grow with the cube of the length, with one by the square.",
)
def check_looked_at(looked_at):
    try:
        with_cache, without = looked_at(4)
    except (TypeError, ValueError):
        raise Hint("Return two numbers: with a cache, and without.") from None
    if close((with_cache, without), (20, 10)):
        raise Hint("The first number is the one with a cache, the smaller one.")
    if close((with_cache, without), (10, 30)):
        raise Hint("That looks at the future, too: the first of t tokens sees itself alone.")
    if close((with_cache, without), (4, 20)):
        raise Hint("With a cache the newest token still looks at all keys in it: t, not 1.")
    if close((with_cache, without), (10, 10)):
        raise Hint(
            "Without a cache the older tokens look again, too: t (t + 1) / 2 pairs each time."
        )
    expect_close((with_cache, without), (10, 20), "looked_at(4)", "Add up t = 1, 2, 3, 4 on paper.")
    expect_close(looked_at(100), (5050, 171700), "looked_at(100)")


@check_looked_at.wrong("the smaller one")
def swaps_them(T):
    return T * (T + 1) * (T + 2) // 6, T * (T + 1) // 2


@check_looked_at.wrong("looks at the future")
def forgets_the_mask(T):
    return T * (T + 1) // 2, sum(t * t for t in range(1, T + 1))


@check_looked_at.wrong("t, not 1")
def thinks_that_the_cache_saves_all(T):
    return T, T * (T + 1) * (T + 2) // 6


@check_looked_at.wrong("look again, too")
def counts_the_newest_alone(T):
    return T * (T + 1) // 2, T * (T + 1) // 2


# ------------------------------------------------------------------------------------ longest_copy


def longest_copy(written, source):
    """The longest run of characters of `written` that stands in `source`, too.

    If a run is too long, so is every longer one from the same place, and the next
    place can do no worse than one character less: so the two ends only ever move to
    the right.
    """
    best, start = "", 0
    for end in range(1, len(written) + 1):
        while written[start:end] not in source:
            start += 1
        if end - start > len(best):
            best = written[start:end]
    return best


@exercise(
    solution=longest_copy,
    shown="What looks like invention can be tested: how much of it stands in the training text?",
)
def check_longest_copy(longest_copy):
    source = "In the beginning God created the heaven and the earth."
    got = longest_copy("And God created the day", source)
    expect(isinstance(got, str), "Return the run itself, a string.")
    if got == "":
        raise Hint("Copies do not only stand at the beginning of what was written.")
    if got.strip() == "God created the" and got != " God created the ":
        raise Hint(
            "The blanks around it are in both texts, too: runs are of characters, not words."
        )
    expect(got == " God created the ", f"It is ' God created the ', and you return {got!r}.")
    expect(longest_copy("xyz", "abc") == "", "Without a common character the answer is ''.")
    begins = longest_copy("the heaven is blue", source)
    expect(
        begins == "the heaven ",
        f"Of 'the heaven is blue' it is 'the heaven ', from the very beginning, not {begins!r}.",
    )
    single = longest_copy("by", "abc")
    expect(
        single == "b", f"A single character is a run, too: 'b' of 'by' in 'abc', not {single!r}."
    )
    expect(
        longest_copy("heaven the earth", source) == " the earth",
        "Of 'heaven the earth' the longest run is ' the earth', and it begins in the middle: the "
        "first run that is found need not be the longest.",
    )
    written, source = "the light was good, and the light was day" * 3, _Searched(source)
    longest_copy(written, source)
    expect(
        source.times <= 3 * len(written),
        f"For {len(written)} characters you have searched the source {source.times} times. What "
        "begins one place later need not be tried at a shorter length than the best so far.",
    )


class _Searched(str):
    """A text that counts how often somebody searches it, or takes one of its characters."""

    times = 0

    def __contains__(self, part):
        self.times += 1
        return super().__contains__(part)

    def __iter__(self):
        self.times += len(self)
        return super().__iter__()

    def __getitem__(self, at):
        self.times += 1
        return super().__getitem__(at)

    def find(self, *args):
        self.times += 1
        return super().find(*args)

    def index(self, *args):
        self.times += 1
        return super().index(*args)

    def count(self, *args):
        self.times += 1
        return super().count(*args)


@check_longest_copy.wrong("from the very beginning")
def begins_at_the_second(written, source):
    return longest_copy(written[1:], source)


@check_longest_copy.wrong("A single character is a run")
def wants_two_characters(written, source):
    run = longest_copy(written, source)
    return run if len(run) > 1 else ""


@check_longest_copy.wrong("at the beginning")
def looks_at_the_beginning(written, source):
    end = 0
    while end < len(written) and written[: end + 1] in source:
        end += 1
    return written[:end] if end > 1 else ""


@check_longest_copy.wrong("not words")
def counts_words(written, source):
    words = written.split(" ")
    runs = [" ".join(words[i:j]) for i in range(len(words)) for j in range(i, len(words) + 1)]
    return max((run for run in runs if run in source), key=len)


@check_longest_copy.wrong("a string")
def gives_the_length(written, source):
    return len(longest_copy(written, source))


@check_longest_copy.wrong("need not be the longest")
def takes_the_first(written, source):
    for length in range(len(written), 0, -1):
        if written[:length] in source and length > 3:
            return written[:length]
    return longest_copy(written, source)


@check_longest_copy.wrong("have searched the source")
def tries_every_run(written, source):
    ends = range(len(written) + 1)
    runs = (written[start:end] for start in ends for end in ends[start:])
    return max((run for run in runs if run in source), key=len, default="")


# ---------------------------------------------------------------------------------------- penalize


def penalize(logits, seen, penalty):
    """Make tokens that were written already less probable, as CTRL does.

    A positive logit is divided by the penalty, a negative one multiplied: both go
    down. Each token counts once, however often it was written.
    """
    out = np.array(logits, float)
    for token in set(seen):
        out[token] = out[token] / penalty if out[token] > 0 else out[token] * penalty
    return out


@exercise(
    solution=penalize,
    shown="With a penalty greedy decoding leaves its loops; too large a one makes it avoid 'the'.",
)
def check_penalize(penalize):
    logits = np.array([2.0, -1.0, 0.5, 3.0])
    before = logits.copy()
    got = np.asarray(penalize(logits, [1, 3, 3], 2.0), float)
    if close(got, [2.0, -0.5, 0.5, 1.5]):
        raise Hint("-1 became -0.5: divided, a negative logit goes up. Multiply it.")
    if close(got, [2.0, -2.0, 0.5, 0.75]):
        raise Hint("Token 3 was written twice and punished twice: each counts once.")
    if close(got, [1.0, -1.0, 0.25, 3.0]):
        raise Hint("The tokens that were not written went down: it is to be the others.")
    if close(got, [2.0, -3.0, 0.5, 1.0]):
        raise Hint("The penalty is a factor, not something to subtract.")
    expect_close(got, [2.0, -2.0, 0.5, 1.5], "penalize([2, -1, 0.5, 3], [1, 3, 3], 2.0)")
    expect(np.array_equal(logits, before), "`penalize` changed its input: work on a copy.")
    got = penalize(logits, [0, 2], 4.0)
    expect_close(got, [0.5, -1.0, 0.125, 3.0], "penalize([2, -1, 0.5, 3], [0, 2], 4.0)")
    got = penalize(np.array([-0.5, 0.0, -3.0]), [0, 1, 2], 2.0)
    expect_close(got, [-1.0, 0.0, -6.0], "penalize([-0.5, 0, -3], [0, 1, 2], 2.0)")


@check_penalize.wrong("penalize([-0.5, 0, -3], [0, 1, 2], 2.0)")
def rounds_before_it_looks_at_the_sign(logits, seen, penalty):
    out = np.array(logits, float)
    for token in set(seen):
        out[token] = out[token] / penalty if int(out[token]) >= 0 else out[token] * penalty
    return out


@check_penalize.wrong("goes up")
def divides_all(logits, seen, penalty):
    out = np.array(logits, float)
    out[list(set(seen))] /= penalty
    return out


@check_penalize.wrong("punished twice")
def punishes_twice(logits, seen, penalty):
    out = np.array(logits, float)
    for token in seen:
        out[token] = out[token] / penalty if out[token] > 0 else out[token] * penalty
    return out


@check_penalize.wrong("not something to subtract")
def subtracts(logits, seen, penalty):
    out = np.array(logits, float)
    out[list(set(seen))] -= penalty
    return out
