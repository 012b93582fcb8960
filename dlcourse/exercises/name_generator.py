"""Exercises of the project name_generator. The form: dlcourse/exercises/__init__.py."""

import math

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# ----------------------------------------------------------------------------------- price_of_anna


@exercise(
    name="price_of_anna",
    solution=5 * math.log(27),
    reasoning="""
    Five symbols are predicted, the four letters and the end, each with the probability 1/27:
    $-\\ln p = 5 \\ln 27 \\approx 16.48$. Without the end the numbers $p$ would not be probabilities
    of names: those of three letters and of four together would already add up to more than 1.
    """,
    shown="The end of a name has to be predicted, too, and has its price.",
)
def check_price_of_anna(price_of_anna):
    if close(price_of_anna, 4 * math.log(27), 1e-3):
        raise Hint("A name is predicted to its end: the boundary after it is a fifth symbol.")
    if close(price_of_anna, 5 * math.log(26), 1e-3):
        raise Hint("There are 27 symbols to choose from: 26 letters and the end.")
    if close(price_of_anna, 5 * math.log2(27), 1e-3):
        raise Hint("That is the price in bits. Nats are wanted: the natural logarithm.")
    expect_close(price_of_anna, 5 * math.log(27), "price_of_anna", rtol=1e-3)


check_price_of_anna.wrong("fifth symbol", 4 * math.log(27))
check_price_of_anna.wrong("27 symbols", 5 * math.log(26))
check_price_of_anna.wrong("in bits", 5 * math.log2(27))


# ------------------------------------------------------------------------------------ mixed_bigram


def mixed_bigram(counts, weight):
    """Rows of probabilities (K, K): shares of counts, mixed with the unigram.

    p(j | i) = (1 - weight) n_ij / n_i + weight n_j / n, where n_j is the sum of
    column j.  Both parts add up to 1 over j, and so does their mixture.  A row
    without counts is the unigram.
    """
    unigram = counts.sum(axis=0) / counts.sum()  # (K,)
    rows = counts.sum(axis=1, keepdims=True)  # (K, 1)
    shares = counts / np.maximum(rows, 1)  # (K, K)
    mixed = (1 - weight) * shares + weight * unigram
    return np.where(rows > 0, mixed, unigram)


@exercise(
    solution=mixed_bigram,
    shown="A letter that never followed gets what it deserves by its frequency elsewhere.",
)
def check_mixed_bigram(mixed_bigram):
    counts = np.array([[2.0, 2.0, 0.0], [1.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    unigram = np.array([3, 2, 3]) / 8
    got = mixed_bigram(counts.copy(), 0.2)
    right = np.stack([[0.475, 0.45, 0.075], [0.275, 0.05, 0.675], unigram])
    if close(np.asarray(got)[:2], 0.8 * np.array([[0.5, 0.5, 0], [0.25, 0, 0.75]]) + 0.2 / 3):
        raise Hint("That mixes with 1/K. The unigram is the share of each *column* in all counts.")
    if close(np.asarray(got)[:2], [[0.2 * 0.5 + 0.8 * 3 / 8, 0.3, 0.3], [0.35, 0.2, 0.45]]):
        raise Hint("`weight` is the unigram's part: what remains, 1 - weight, is the bigram's.")
    expect(
        np.isfinite(np.asarray(got, dtype=float)).all(),
        "The last row has no counts: 0 / 0 is NaN. Of such a context the unigram is all we know.",
    )
    if close(np.asarray(got)[2], 0.2 * unigram):
        raise Hint("The last row has no counts; it must add up to 1, too, and be the unigram.")
    expect_close(got, right, "mixed_bigram(counts, 0.2)")
    counts = np.array([[1.0, 0.0], [2.0, 6.0]])  # rows of unequal sums
    got = mixed_bigram(counts.copy(), 0.5)
    if close(got, [[0.8125, 0.1875], [0.4375, 0.5625]]):
        raise Hint(
            "That is the mean of the rows' shares. In the unigram each *count* weighs the same: "
            "add up the columns, then divide by the sum of all."
        )
    expect_close(got, [[2 / 3, 1 / 3], [7 / 24, 17 / 24]], "mixed_bigram([[1, 0], [2, 6]], 0.5)")


@check_mixed_bigram.wrong("mixes with 1/K")
def mixes_with_uniform(counts, weight):
    rows = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return (1 - weight) * counts / rows + weight / counts.shape[1]


@check_mixed_bigram.wrong("unigram's part")
def swaps_the_weights(counts, weight):
    return mixed_bigram(counts, 1 - weight)


@check_mixed_bigram.wrong("0 / 0")
def divides_by_zero(counts, weight):
    with np.errstate(invalid="ignore"):
        shares = counts / counts.sum(axis=1, keepdims=True)
    return (1 - weight) * shares + weight * counts.sum(axis=0) / counts.sum()


@check_mixed_bigram.wrong("must add up to 1, too")
def forgets_the_empty_row(counts, weight):
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return (1 - weight) * shares + weight * counts.sum(axis=0) / counts.sum()


@check_mixed_bigram.wrong("the mean of the rows' shares")
def averages_the_rows(counts, weight):
    rows = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(rows, 1)
    unigram = shares[rows[:, 0] > 0].mean(axis=0)
    return np.where(rows > 0, (1 - weight) * shares + weight * unigram, unigram)


# ------------------------------------------------------------------------------------ fill_the_gap


def fill_the_gap(price, text):
    """The letter that fits best for the "?" in a text, and its probability.

    price: a function of a list of names that gives -log p of each.  All 26 whole
    names are priced, for a letter has to suit what follows it as well as what comes
    before.
    """
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [text.replace("?", letter) for letter in letters]
    p = np.exp(-np.asarray(price(names)))  # (26,)
    return letters[p.argmax()], p.max() / p.sum()


@exercise(
    solution=fill_the_gap,
    shown="A model that reads from left to right only can fill a gap: by pricing whole names.",
)
def check_fill_the_gap(fill_the_gap):
    seen = []

    def price(names):  # a model that likes "mary" most, "many" next, and hates what begins with mz
        seen.append(list(names))
        table = {"mary": 0.4, "many": 0.1, "mazy": 0.05}
        return np.array([-math.log(table.get(name, 0.001)) for name in names])

    got = fill_the_gap(price, "ma?y")
    expect(
        isinstance(got, (tuple, list)) and len(got) == 2 and isinstance(got[0], str),
        "Two things are wanted, in this order: the letter itself, a string, and its probability.",
    )
    letter, probability = got
    total = 0.4 + 0.1 + 0.05 + 23 * 0.001
    expect(seen, "`price` was not called: it is what knows which name is how probable.")
    if any("?" in name for name in seen[-1]):
        raise Hint("A name with a `?` has been priced. Put each of the 26 letters in its place.")
    if any(len(name) < 4 for names in seen for name in names):
        raise Hint(
            "Only the beginning has been priced. What comes after the gap counts, too: price whole "
            "names."
        )
    if letter not in ("r", "n", "z"):
        raise Hint("That is the dearest letter: `price` is -log p, and the cheapest name is best.")
    if close(probability, 0.4):
        raise Hint("0.4 is p of the name. Among the 26 that are possible here its share is larger.")
    expect(letter == "r", f"The best letter for ma?y is r in this model, got {letter!r}.")
    expect_close(probability, 0.4 / total, "the probability")


@check_fill_the_gap.wrong("the letter itself, a string")
def gives_the_letters_number(price, text):
    letter, p = fill_the_gap(price, text)
    return ord(letter) - ord("a"), p


@check_fill_the_gap.wrong("dearest letter")
def takes_the_dearest(price, text):
    letters = "abcdefghijklmnopqrstuvwxyz"
    p = np.asarray(price([text.replace("?", letter) for letter in letters]))
    return letters[p.argmax()], p.max() / p.sum()


@check_fill_the_gap.wrong("its share is larger")
def forgets_to_normalise(price, text):
    letters = "abcdefghijklmnopqrstuvwxyz"
    p = np.exp(-np.asarray(price([text.replace("?", letter) for letter in letters])))
    return letters[p.argmax()], p.max()


@check_fill_the_gap.wrong("What comes after the gap counts")
def looks_back_only(price, text):
    letters = "abcdefghijklmnopqrstuvwxyz"
    before = text.split("?")[0]
    p = np.exp(-np.asarray(price([before + letter for letter in letters])))
    return letters[p.argmax()], p.max() / p.sum()


# ----------------------------------------------------------------------------------------- nucleus


def nucleus(p, mass):
    """Probabilities (K,) after all but the most probable symbols are struck out.

    Kept are as few as are needed to hold `mass` of the probability (Holtzman et al.
    2020); they are scaled to add up to 1 again.
    """
    order = np.argsort(-p)
    before = np.cumsum(p[order]) - p[order]  # what the more probable ones hold
    kept = np.zeros_like(p)
    kept[order[before < mass]] = p[order[before < mass]]
    return kept / kept.sum()


@exercise(
    solution=nucleus,
    shown="Many letters are improbable each and probable together; the nucleus leaves them out.",
)
def check_nucleus(nucleus):
    p = np.array([0.05, 0.5, 0.15, 0.3])
    got = nucleus(p.copy(), 0.7)
    if close(got, [0, 1, 0, 0]):
        raise Hint("One symbol holds 0.5 only: the one that crosses 0.7 belongs to the nucleus.")
    if close(got, [0, 0.5, 0, 0.3]):
        raise Hint("What is left must add up to 1: divide by its sum.")
    if close(got, [0.1, 0, 0.3, 0.6]) or close(got, [0.05 / 0.2, 0, 0.15 / 0.2, 0]):
        raise Hint("The most probable is gone: sort from the largest down (`np.argsort(-p)`).")
    if close(np.sort(got), [0, 0, 0.375, 0.625]) and not close(got, [0, 0.625, 0, 0.375]):
        raise Hint("The right numbers in the wrong places: undo the sorting.")
    expect_close(got, [0, 0.625, 0, 0.375], "nucleus(p, 0.7)")
    expect_close(nucleus(p.copy(), 1.0), p, "nucleus(p, 1.0)")
    expect_close(nucleus(p.copy(), 0.01), [0, 1, 0, 0], "nucleus(p, 0.01)", "One always stays.")
    flat = np.array([0.125, 0.125, 0.5, 0.125, 0.125])
    kept = np.asarray(nucleus(flat.copy(), 0.6)) > 0
    expect(
        kept[2] and kept.sum() == 2,
        f"Of `{flat.tolist()}` the fewest that hold 0.6 are 2; kept: {kept.sum()}. Take one after "
        "another until `mass` is reached: a bound on the single p keeps too many or too few.",
    )
    got = nucleus(np.array([0.25, 0.5, 0.25]), 0.5)
    hint = "One symbol holds 0.5, all that is wanted: the fewest, so no other."
    expect_close(got, [0, 1, 0], "nucleus([0.25, 0.5, 0.25], 0.5)", hint)


@check_nucleus.wrong("belongs to the nucleus")
def stops_too_early(p, mass):
    order = np.argsort(-p)
    inside = order[np.cumsum(p[order]) <= mass]
    kept = np.zeros_like(p)
    kept[inside] = p[inside]
    return kept / kept.sum()


@check_nucleus.wrong("divide by its sum")
def forgets_to_scale(p, mass):
    order = np.argsort(-p)
    before = np.cumsum(p[order]) - p[order]
    kept = np.zeros_like(p)
    kept[order[before < mass]] = p[order[before < mass]]
    return kept


@check_nucleus.wrong("wrong places")
def leaves_it_sorted(p, mass):
    ordered = np.sort(p)[::-1]
    before = np.cumsum(ordered) - ordered
    kept = np.where(before < mass, ordered, 0)
    return kept / kept.sum()


@check_nucleus.wrong("a bound on the single p")
def strikes_out_by_a_bound(p, mass):
    kept = np.where(p >= (1 - mass) * p.max(), p, 0)
    return kept / kept.sum()


@check_nucleus.wrong("the fewest, so no other")
def takes_one_more_at_the_edge(p, mass):
    order = np.argsort(-p)
    before = np.cumsum(p[order]) - p[order]
    kept = np.zeros_like(p)
    kept[order[before <= mass]] = p[order[before <= mass]]
    return kept / kept.sum()


# --------------------------------------------------------------------------------------- distance


def distance(a, b):
    """How few letters must be put in, left out or replaced to make b of a.

    row[j] is the distance from the letters of a read so far to the first j letters
    of b; a letter more of a makes the next row of it.
    """
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        last, row = row, [i]
        for j, other in enumerate(b, 1):
            replaced = last[j - 1] + (letter != other)
            row.append(min(last[j] + 1, row[j - 1] + 1, replaced))
    return row[-1]


@exercise(
    solution=distance,
    shown="Each entry needs its three neighbours only, so the cost is the product of the lengths.",
)
def check_distance(distance):
    expect_close(distance("anna", "anna"), 0, 'distance("anna", "anna")')
    got = distance("anna", "hannah")
    if close(got, 6) or close(got, 5):
        raise Hint(
            'From "anna" to "hannah" two letters are put in. Comparing place by place misses that '
            "all the others only moved."
        )
    expect_close(got, 2, 'distance("anna", "hannah")')
    got = distance("mary", "marc")
    if close(got, 2):
        raise Hint("To replace a letter is one step, not one that leaves out and one that puts in.")
    expect_close(got, 1, 'distance("mary", "marc")')
    got = distance("jean", "ann")
    expect_close(got, 3, 'distance("jean", "ann")', "Left out, replaced, put in: each costs 1.")
    expect_close(distance("", "eve"), 3, 'distance("", "eve")', "Three letters are put in.")
    expect_close(distance("eve", ""), 3, 'distance("eve", "")', "Three letters are left out.")
    hint = "Two letters are left out at the end, one step each."
    expect_close(distance("mariana", "maria"), 2, 'distance("mariana", "maria")', hint)
    got = distance("james", "jmaes")
    if close(got, 1):
        raise Hint(
            'From "james" to "jmaes" two letters are replaced, or one is left out and put in '
            "elsewhere. To exchange two neighbours is no step of its own here."
        )
    expect_close(got, 2, 'distance("james", "jmaes")')
    hint = "Who goes from left to right and decides at once is misled: try all three last steps."
    expect_close(distance("maxxo", "xxoab"), 4, 'distance("maxxo", "xxoab")', hint)


@check_distance.wrong("Three letters are left out")
def forgets_the_first_column(a, b):
    return distance(a, b) if b else 0


@check_distance.wrong("left out at the end")
def pays_double_for_leaving_out(a, b):
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        last, row = row, [i]
        for j, other in enumerate(b, 1):
            row.append(min(last[j] + 2, row[j - 1] + 1, last[j - 1] + (letter != other)))
    return row[-1]


@check_distance.wrong("place by place")
def counts_unequal_places(a, b):
    unequal = sum(x != y for x, y in zip(a, b, strict=False))
    return unequal + abs(len(a) - len(b))


@check_distance.wrong("one that leaves out")
def cannot_replace(a, b):
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        last, row = row, [i]
        for j, other in enumerate(b, 1):
            both = last[j - 1] if letter == other else math.inf
            row.append(min(last[j] + 1, row[j - 1] + 1, both))
    return row[-1]


@check_distance.wrong("Three letters are put in")
def forgets_the_first_row(a, b):
    if not a:
        return 0
    return distance(a, b)


@check_distance.wrong("no step of its own")
def exchanges_neighbours(a, b):
    for i in range(len(a) - 1):
        if a[:i] + a[i + 1] + a[i] + a[i + 2 :] == b != a:
            return 1
    return distance(a, b)


@check_distance.wrong("decides at once")
def decides_at_once(a, b):
    steps = 0
    while a and b:
        if a[0] == b[0]:
            a, b = a[1:], b[1:]
        else:
            steps += 1
            longer, shorter = len(a) >= len(b), len(b) >= len(a)
            a, b = a[longer:], b[shorter:]
    return steps + len(a) + len(b)


# ----------------------------------------------------------------------------------------- belongs


def belongs(cost_f, cost_m, share_f=0.5):
    """p that a name is a woman's, from its costs among women's and among men's.

    Bayes: p(f | name) = p(name | f) p(f) / (p(name | f) p(f) + p(name | m) p(m)).
    Divided by the numerator it is a sigmoid of the difference of the costs, which no
    small p can turn into 0 / 0.
    """
    z = cost_m - cost_f + np.log(share_f) - np.log(1 - share_f)
    less = np.exp(-np.abs(z))  # the less likely of the two, where the other is 1
    return np.where(z > 0, 1, less) / (1 + less)


@exercise(
    solution=belongs,
    shown="Two models that generate make one that classifies.",
)
def check_belongs(belongs):
    got = belongs(np.array([10.0, 12.0]), np.array([12.0, 10.0]))
    if close(got, [0.1192029, 0.8807971]):
        raise Hint("The sign: a *cost* is -log p, so the list in which a name is cheaper wins.")
    expect_close(got, [0.8807971, 0.1192029], "belongs([10, 12], [12, 10])")
    with np.errstate(all="ignore"):
        far = belongs(np.array([900.0]), np.array([901.0]))
    expect(
        np.isfinite(np.asarray(far)).all(),
        "At costs of 900 and 901 that is NaN: exp(-900) is 0 in float64, and 0 / 0 is nothing. "
        "Take the difference of the costs first.",
    )
    expect_close(far, [0.7310586], "belongs([900], [901])")
    got = belongs(np.array([10.0]), np.array([10.0]), 0.8)
    if close(got, [0.5]):
        raise Hint("`share_f` has been forgotten: with equal costs what remains is the share.")
    expect_close(got, [0.8], "belongs([10], [10], 0.8)")
    got = belongs(np.array([10.0, 12.0]), np.array([12.0, 10.0]), 0.8)
    hint = "By Bayes' rule the share multiplies p of the name *before* the two are made a share."
    expect_close(got, [0.9672734, 0.3512144], "belongs([10, 12], [12, 10], 0.8)", hint)


@check_belongs.wrong("The sign")
def turns_the_sign(cost_f, cost_m, share_f=0.5):
    return belongs(cost_m, cost_f, share_f)


@check_belongs.wrong("0 / 0 is nothing")
def underflows(cost_f, cost_m, share_f=0.5):
    with np.errstate(all="ignore"):
        f, m = np.exp(-cost_f) * share_f, np.exp(-cost_m) * (1 - share_f)
        return f / (f + m)


@check_belongs.wrong("has been forgotten")
def forgets_the_prior(cost_f, cost_m, share_f=0.5):
    return 1 / (1 + np.exp(cost_f - cost_m))


@check_belongs.wrong("*before* the two are made a share")
def scales_at_the_end(cost_f, cost_m, share_f=0.5):
    return belongs(cost_f, cost_m) * share_f / 0.5
