"""Exercises of the project tabular_regression. The form: dlcourse/exercises/__init__.py."""

import math

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -------------------------------------------------------------------------------------- mean_price


@exercise(
    name="mean_price",
    solution=1000 * math.exp(0.125),
    reasoning="""
    $1000\\, e^{\\sigma^2 / 2} = 1000\\, e^{0.125} \\approx 1133$. 1000 is the median: half of such
    stones cost more, and those by more dollars than the others cost less.
    """,
    shown="The mean of an exponential is more than the exponential of the mean.",
)
def check_mean_price(mean_price):
    if close(mean_price, 1000.0, 1e-3):
        raise Hint("1000 dollars is the median. The mean is larger, by exp(sigma**2 / 2).")
    if close(mean_price, 1000 * math.exp(0.25), 1e-3):
        raise Hint("That is exp(sigma**2). Half of the variance stands in the exponent.")
    if close(mean_price, 1000 * math.exp(0.5), 1e-3):
        raise Hint("That is exp(sigma). The variance is sigma**2 = 0.25.")
    expect_close(mean_price, 1000 * math.exp(0.125), "mean_price", rtol=1e-3)


check_mean_price.wrong("the median", 1000.0)
check_mean_price.wrong("Half of the variance", 1000 * math.exp(0.25))
check_mean_price.wrong("The variance is", 1000 * math.exp(0.5))


# ------------------------------------------------------------------------------- quantile_to_lend


@exercise(
    name="quantile_to_lend",
    solution=0.2,
    reasoning="""
    The mean cost is $\\mathbb{E}[\\max(1 \\cdot e, -4 e)]$ with $e = y - g$, five times the pinball
    loss with $q = 1/5$, and its minimum is where $F(g) = 0.2$: she lends what one stone in five
    would not bring. In general $q$ is the cost of too little over the sum of both.
    """,
    shown="Which number is the best guess is decided by what errors cost, and not by the data.",
)
def check_quantile_to_lend(quantile_to_lend):
    if close(quantile_to_lend, 0.8):
        raise Hint("Too much is what costs more here, so she stays on the *low* side.")
    if close(quantile_to_lend, 0.25):
        raise Hint("That is the ratio of the costs; q and 1 - q have that ratio, and add up to 1.")
    if close(quantile_to_lend, 0.5):
        raise Hint("The median is best where both errors cost the same.")
    expect_close(quantile_to_lend, 0.2, "quantile_to_lend", rtol=1e-3)


check_quantile_to_lend.wrong("the *low* side", 0.8)
check_quantile_to_lend.wrong("the ratio of the costs", 0.25)
check_quantile_to_lend.wrong("cost the same", 0.5)


# ----------------------------------------------------------------------------------------- smeared


def smeared(log_price, fitted, new):
    """Mean prices (M,) from logs: targets (N,), fitted (N,), new guesses (M,).

    E[exp(new + e)] = exp(new) E[exp(e)], and the mean over the residuals estimates
    the factor.
    """
    return np.exp(new) * np.exp(log_price - fitted).mean()


@exercise(
    solution=smeared,
    shown="No assumption about the shape of the errors was needed, but that it is everywhere one.",
)
def check_smeared(smeared):
    log_price, fitted = np.log([1.0, 4.0, 8.0]), np.log([2.0, 1.0, 4.0])
    new = np.log([10.0, 100.0])
    got = smeared(log_price, fitted, new)
    e = log_price - fitted
    if close(got, [10.0, 100.0]):
        raise Hint("That is the median price. A factor is missing: the mean of exp(residual).")
    if close(got, np.exp(new) * np.exp(e.mean())):
        raise Hint("The exponential of the mean residual: take the mean of the exponentials.")
    if close(got, np.exp(new) * np.exp(-e).mean()):
        raise Hint("The residual has the wrong sign: it is the target less the fitted value.")
    if close(got, np.exp(new) * np.exp(e.var() / 2)):
        raise Hint("That assumes normal errors. Duan's factor needs only the residuals themselves.")
    if close(got, np.exp(new) * np.exp(log_price).mean() / np.exp(fitted).mean()):
        raise Hint("That is a ratio of two means: take the mean of the ratios, exp(residual).")
    expect_close(got, [65 / 3, 650 / 3], "smeared(log([1, 4, 8]), log([2, 1, 4]), log([10, 100]))")


@check_smeared.wrong("the median price")
def undoes_the_logarithm(log_price, fitted, new):
    return np.exp(new)


@check_smeared.wrong("mean of the exponentials")
def averages_first(log_price, fitted, new):
    return np.exp(new + (log_price - fitted).mean())


@check_smeared.wrong("the wrong sign")
def turns_the_residual(log_price, fitted, new):
    return np.exp(new) * np.exp(fitted - log_price).mean()


@check_smeared.wrong("a ratio of two means")
def divides_the_means(log_price, fitted, new):
    return np.exp(new) * np.exp(log_price).mean() / np.exp(fitted).mean()


@check_smeared.wrong("assumes normal errors")
def takes_half_the_variance(log_price, fitted, new):
    return np.exp(new + (log_price - fitted).var() / 2)


# ------------------------------------------------------------------------------------- group_split


def group_split(groups, share, rng):
    """A mask (N,), True for test rows: `share` of the different groups, whole.

    The lot is drawn among the groups, not among the rows.
    """
    different = np.unique(groups)
    chosen = rng.permutation(different)[: round(share * len(different))]
    return np.isin(groups, chosen)


@exercise(
    solution=group_split,
    shown="No stone is on both sides, so to remember stones does not help.",
)
def check_group_split(group_split):
    groups = np.repeat(np.arange(40), np.arange(40) % 4 + 1)
    masks = [np.asarray(group_split(groups, 0.25, np.random.default_rng(s))) for s in range(5)]
    for mask in masks:
        expect(
            mask.shape == groups.shape and mask.dtype == bool,
            f"The answer is a mask with True or False for each of the {len(groups)} rows.",
        )
        if set(groups[mask]) & set(groups[~mask]):
            raise Hint(
                "Some groups are on both sides: draw among `np.unique(groups)`, not the rows."
            )
    counts = [len(set(groups[mask])) for mask in masks]
    if counts == [30] * 5:
        raise Hint("30 of the 40 groups are in the test set: that is what `share` leaves over.")
    if len(set(counts)) > 1:
        raise Hint(
            f"A share of 0.25 of 40 groups is 10 groups, and five generators gave {counts}: draw "
            "10 different ones, without putting any back, and not each by a chance of its own."
        )
    expect(
        counts == [10] * 5,
        f"A share of 0.25 of 40 groups is 10 groups, the mask has {counts[0]}.",
    )
    mask = masks[0]
    expect(
        any((other != mask).any() for other in masks[1:]),
        "Every generator gives the same groups: draw them with `rng`, or the order of the table "
        "decides.",
    )


@check_group_split.wrong("on both sides")
def draws_rows(groups, share, rng):
    return rng.random(len(groups)) < share


@check_group_split.wrong("leaves over")
def turns_the_mask(groups, share, rng):
    return ~group_split(groups, share, rng)


@check_group_split.wrong("without putting any back")
def puts_them_back(groups, share, rng):
    different = np.unique(groups)
    return np.isin(groups, rng.choice(different, round(share * len(different))))


@check_group_split.wrong("a chance of its own")
def tosses_a_coin_for_each(groups, share, rng):
    different, place = np.unique(groups, return_inverse=True)
    return (rng.random(len(different)) < share)[place]


@check_group_split.wrong("the same groups")
def takes_the_first(groups, share, rng):
    different = np.unique(groups)
    return np.isin(groups, different[: round(share * len(different))])


# ------------------------------------------------------------------------------ conformal_interval


def conformal_interval(y, guess, new, miss):
    """(low, high) of new guesses (M,), from held-out y and guesses (N,).

    The new score's rank among N + 1 is uniform, so its bound is the k-th smallest of
    the N, k = ceil((N + 1)(1 - miss)); where k > N no bound holds the promise.
    """
    scores = np.sort(np.abs(y - guess))
    # Less a little, for rounding is no reason for one more.
    k = math.ceil((len(scores) + 1) * (1 - miss) - 1e-9)
    radius = scores[k - 1] if k <= len(scores) else np.inf
    return new - radius, new + radius


@exercise(
    solution=conformal_interval,
    shown="The promise needs no model to be right, and no distribution to be normal.",
)
def check_conformal_interval(conformal_interval):
    y = np.array([5.0, -1.0, 3.0, -7.0, 2.0, -9.0, -4.0, 8.0, 6.0])
    new = np.array([10.0, 20.0, 40.0])
    ends = conformal_interval(y, np.zeros(9), new, 0.3)  # k = 7 of 9
    expect(
        np.shape(ends) == (2, 3),
        "Give two things, the lower ends of all new guesses (M,) and their upper ends (M,).",
    )
    low, high = np.asarray(ends, dtype=float)
    radius = (high - low) / 2
    if close(radius, np.full(3, 6.0)) and close(low, new - 6):
        raise Hint(
            "The new stone is one of N + 1: take the k-th smallest score, k = ceil((N + 1)(1 - "
            "miss)), which is 7 of these 9."
        )
    if close(radius, np.full(3, 8.0)):
        raise Hint(
            "8 is one score too far: `np.quantile` lays N scores over N - 1 gaps. Sort them, and "
            "take number k, which has the index k - 1."
        )
    if close(radius, np.full(3, 3.0)):
        raise Hint("That holds the truth with probability `miss`. The promise is 1 - miss.")
    if not close(low, new - radius) or not close(high, new + radius) or radius[0] < 0:
        raise Hint("The scores are |y - guess|: both ends lie as far from the new guess.")
    if close(radius, np.full(3, 5.0)):
        raise Hint("The scores are |y - guess|: sort the absolute values, not the signed errors.")
    expect_close(low, new - 7, "low")
    expect_close(high, new + 7, "high")
    try:
        low, high = conformal_interval(y, np.zeros(9), new, 0.05)
    except (IndexError, ValueError) as error:
        raise Hint("Nine scores cannot promise 0.95: k = 10 > 9. Answer with infinity.") from error
    if not np.isneginf(low).all() or not np.isposinf(high).all():
        raise Hint("Nine scores cannot promise 0.95: k = 10 > 9. Answer with infinity.")
    low, high = conformal_interval(y, np.zeros(9), new, 0.125)  # (N + 1)(1 - miss) is 8.75
    hint = "With miss = 0.125 the rank k is 9 of 9: the largest score, which is finite."
    expect_close(low, new - 9, "low", hint)
    expect_close(high, new + 9, "high", hint)
    guess = np.array([10.0, 20.0, 15.0, 30.0, 12.0, 18.0, 25.0, 11.0, 40.0])
    low, high = conformal_interval(y + guess, guess, new, 0.3)
    hint = "The scores are |y - guess|: how far the held-out guesses lie from their targets."
    expect_close(low, new - 7, "low, with other guesses and the same scores", hint)
    expect_close(high, new + 7, "high, with other guesses and the same scores", hint)


@check_conformal_interval.wrong("how far the held-out guesses lie")
def forgets_the_guesses(y, guess, new, miss):
    return conformal_interval(y, np.zeros(len(y)), new, miss)


@check_conformal_interval.wrong("the largest score, which is finite")
def gives_up_one_too_early(y, guess, new, miss):
    k = math.ceil((len(y) + 1) * (1 - miss) - 1e-9)
    radius = np.sort(np.abs(y - guess))[k - 1] if k < len(y) else np.inf
    return new - radius, new + radius


@check_conformal_interval.wrong("lower ends of all")
def gives_a_pair_a_stone(y, guess, new, miss):
    return list(zip(*conformal_interval(y, guess, new, miss), strict=True))


@check_conformal_interval.wrong("one of N + 1")
def forgets_the_new_one(y, guess, new, miss):
    scores = np.sort(np.abs(y - guess))
    radius = scores[int(len(scores) * (1 - miss)) - 1]
    return new - radius, new + radius


@check_conformal_interval.wrong("N - 1 gaps")
def asks_numpy_for_a_quantile(y, guess, new, miss):
    level = math.ceil((len(y) + 1) * (1 - miss)) / len(y)
    radius = np.quantile(np.abs(y - guess), level, method="higher")
    return new - radius, new + radius


@check_conformal_interval.wrong("probability `miss`")
def promises_the_miss(y, guess, new, miss):
    return conformal_interval(y, guess, new, 1 - miss)


@check_conformal_interval.wrong("sort the absolute values")
def sorts_signed_errors(y, guess, new, miss):
    scores = np.sort(y - guess)
    radius = scores[math.ceil((len(scores) + 1) * (1 - miss) - 1e-9) - 1]
    return new - radius, new + radius


@check_conformal_interval.wrong("Answer with infinity")
def has_no_way_out(y, guess, new, miss):
    scores = np.sort(np.abs(y - guess))
    radius = scores[math.ceil((len(scores) + 1) * (1 - miss) - 1e-9) - 1]
    return new - radius, new + radius


# ----------------------------------------------------------------------------- conformal_quantiles


def conformal_quantiles(y, low, high, new_low, new_high, radius):
    """(low, high) of new stones (M,), ends moved as held-out y (N,) ask for.

    The score is how far y lies outside of its own interval, less than 0 inside; both
    ends move outwards by the radius of the scores, inwards if that is negative.
    """
    move = radius(np.maximum(low - y, y - high))
    return new_low - move, new_high + move


@exercise(
    solution=conformal_quantiles,
    shown="The network says where an interval is wide; held-out stones say how far to trust it.",
)
def check_conformal_quantiles(conformal_quantiles):
    y = np.array([0.0, 5.0, -4.5, 1.0, -1.5, 3.0, 0.7, -7.0, 2.2])
    ends = np.full(9, -3.0), np.full(9, 2.0)
    new_low, new_high = np.array([0.0, 10.0]), np.array([4.0, 20.0])

    def answer(k):
        low, high = conformal_quantiles(y, *ends, new_low, new_high, lambda s: np.sort(s)[k - 1])
        return np.asarray(low, dtype=float), np.asarray(high, dtype=float)

    low, high = answer(7)  # 1.5
    if close(low, new_low + 1.5) and close(high, new_high - 1.5):
        raise Hint("The ends move inwards: a positive score says that they were too near.")
    if close(low, new_low + 3.7) and close(high, new_high - 3.7):
        raise Hint("Outside is who passes one end: the larger of low - y and y - high.")
    if close(low, new_low + 1.5) and close(high, new_high + 0.2):
        raise Hint(
            "You moved each end by its own radius: then each may miss its share, and both together "
            "twice as much. A stone has one score, the larger of low - y and y - high."
        )
    if close(high - low, [8.0, 8.0]):
        raise Hint("Both intervals came out equally wide: move the ends that the network gave.")
    expect_close(low, new_low - 1.5, "low")
    expect_close(high, new_high + 1.5, "high")
    low, high = answer(4)  # -1
    if close(low, new_low) and close(high, new_high):
        raise Hint("A score inside is negative, not 0: intervals that are too wide may shrink.")
    expect_close(low, new_low + 1, "low, where 40 % are enough")
    expect_close(high, new_high - 1, "high, where 40 % are enough")


@check_conformal_quantiles.wrong("move inwards")
def moves_inwards(y, low, high, new_low, new_high, radius):
    moved_low, moved_high = conformal_quantiles(y, low, high, new_low, new_high, radius)
    return 2 * new_low - moved_low, 2 * new_high - moved_high


@check_conformal_quantiles.wrong("passes one end")
def wants_both_ends_passed(y, low, high, new_low, new_high, radius):
    move = radius(np.minimum(low - y, y - high))
    return new_low - move, new_high + move


@check_conformal_quantiles.wrong("by its own radius")
def moves_each_end_by_itself(y, low, high, new_low, new_high, radius):
    return new_low - radius(low - y), new_high + radius(y - high)


@check_conformal_quantiles.wrong("equally wide")
def forgets_the_widths(y, low, high, new_low, new_high, radius):
    middle, move = (new_low + new_high) / 2, radius(np.abs(y - (low + high) / 2))
    return middle - move, middle + move


@check_conformal_quantiles.wrong("may shrink")
def never_shrinks(y, low, high, new_low, new_high, radius):
    move = radius(np.maximum(np.maximum(low - y, y - high), 0))
    return new_low - move, new_high + move
