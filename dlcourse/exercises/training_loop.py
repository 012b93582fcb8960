"""Exercises of the chapter training_loop. The form: dlcourse/exercises/__init__.py."""

import contextlib
import itertools
import pickle
import random
import sys

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="first_loss",
    solution=0.056,
    reasoning=(
        "The softmax of the biases is $(0.99, 0.01)$, so the mean cross-entropy is "
        "$-0.99 \\ln 0.99 - 0.01 \\ln 0.01 \\approx 0.056$, the entropy of the labels."
    ),
    shown="With the right biases the first loss is the entropy of the labels, not ln 2.",
)
def check_first_loss(answer):
    if abs(answer - np.log(2)) < 0.01:
        raise Hint("ln 2 is the loss of equal logits. What does softmax make of these biases?")
    if abs(answer - 2.33) < 0.05:
        raise Hint("The classes are not equally frequent: weigh each loss by its class's share.")
    if abs(answer - 0.0808) < 0.002:
        raise Hint("That is in bits. Cross-entropy uses the natural logarithm.")
    if abs(answer - 0.01005) < 0.0005:
        raise Hint("That is the loss of a negative alone. One in a hundred is a positive.")
    expect(
        abs(answer - 0.056) < 0.001,
        "Not yet. What probabilities do the biases give? What is the loss of a positive, of a "
        "negative, and how often does each occur?",
    )


check_first_loss.wrong("ln 2 is the loss of equal logits", 0.693)
check_first_loss.wrong("weigh each loss", 2.33)
check_first_loss.wrong("in bits", 0.0808)
check_first_loss.wrong("a negative alone", 0.01005)


# -- by hand -----------------------------------------------------------------------------------


def merge(a, b):
    """(n, mean, variance) of two shards a and b taken together."""
    (n, mean_a, var_a), (m, mean_b, var_b) = a, b
    mean = (n * mean_a + m * mean_b) / (n + m)
    within = (n * var_a + m * var_b) / (n + m)
    between = n * m * (mean_a - mean_b) ** 2 / (n + m) ** 2
    return n + m, mean, within + between


@exercise(
    solution=merge,
    reasoning=r"""The variance of the whole is the mean variance within, plus that between the two
means. With $d$ their distance, the common mean lies $d\,m/(n+m)$ from the one and $d\,n/(n+m)$ from
the other, and $(n\,m^2 d^2 + m\,n^2 d^2) / (n+m)^3 = n\,m\,d^2 / (n+m)^2$.""",
    shown="Means and variances of shards of any size can be merged exactly.",
)
def check_merge(merge):
    x, y = np.array([1.0, 2.0, 7.5]), np.array([10.0, 14.0, 4.0, 5.0, 8.0, 8.0, 1.5])
    shards = [(len(v), v.mean(), v.var()) for v in (x, y)]
    whole = np.concatenate([x, y])
    count, mean, variance = merge(*shards)
    expect_close(count, 10, "the count")
    if close(mean, (x.mean() + y.mean()) / 2):
        raise Hint("That is the mean of the means. Weigh each by its number of examples.")
    expect_close(mean, whole.mean(), "the mean")
    if close(variance, (3 * x.var() + 7 * y.var()) / 10):
        raise Hint("That is the variance within. The two means differ, and that is spread, too.")
    if close(variance, x.var() + y.var()):
        raise Hint("Variances add for sums of independent numbers, not for unions of sets.")
    if close(variance, whole.var(ddof=1)):
        raise Hint("Divide by n, not by n - 1: that is what the shards report.")
    expect_close(variance, whole.var(), "the variance")


@check_merge.wrong("mean of the means")
def averages_the_means(a, b):
    return a[0] + b[0], (a[1] + b[1]) / 2, (a[2] + b[2]) / 2


@check_merge.wrong("variance within")
def forgets_what_lies_between(a, b):
    n, m = a[0], b[0]
    return n + m, (n * a[1] + m * b[1]) / (n + m), (n * a[2] + m * b[2]) / (n + m)


@check_merge.wrong("not for unions of sets")
def adds_the_variances(a, b):
    return merge(a, b)[0], merge(a, b)[1], a[2] + b[2]


@check_merge.wrong("not by n - 1")
def divides_by_one_less(a, b):
    n, mean, variance = merge(a, b)
    return n, mean, variance * n / (n - 1)


# -- change the code ---------------------------------------------------------------------------


def clip_all(grads, max_norm):
    """The gradients, scaled so that all together are no longer than max_norm."""
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    factor = max_norm / norm if norm > max_norm else 1.0
    return [g * factor for g in grads]


@exercise(
    solution=clip_all,
    reasoning="One norm over all arrays and one factor for all keep the direction of the gradient.",
    shown="The direction stays, the length is limited, and a gradient of zeros does no harm.",
)
def check_clip_all(clip_all):
    grads = [np.array([3.0, 0.0]), np.array([[0.0], [4.0]])]  # of length 5 together
    got = clip_all([g.copy() for g in grads], 2.5)
    expect(isinstance(got, list | tuple) and len(got) == 2, "Return one array for each gradient.")
    if close(got[0], [2.5, 0.0]) and close(got[1], [[0.0], [2.5]]):
        raise Hint("Each array was clipped alone (or each entry): that turns the gradient.")
    if close(got[0], [1.875, 0.0]):
        raise Hint("The longest array set the factor. The length is that of all arrays together.")
    expect_close(got[0], [1.5, 0.0], "the first gradient, clipped to 2.5 of 5")
    expect_close(got[1], [[0.0], [2.0]], "the second gradient, clipped to 2.5 of 5")
    short = clip_all([g.copy() for g in grads], 10.0)
    if close(short[0], [6.0, 0.0]):
        raise Hint("A gradient shorter than `max_norm` was made longer. It stays as it is.")
    expect_close(short[0], [3.0, 0.0], "a gradient that is short enough")
    with np.errstate(all="ignore"):
        zero = clip_all([np.zeros(2)], 1.0)[0]
    if np.isnan(zero).any():
        raise Hint("A gradient of zeros became NaN: 0 / 0. Divide only when the norm is too large.")
    expect_close(zero, np.zeros(2), "a gradient of zeros")
    grads = [np.array([[2.0, 0.0], [0.0, 2.0]]), np.array([1.0])]  # of length 3 together
    given = [g.copy() for g in grads]
    got = clip_all(given, 1.5)
    expect_close(got[0], [[1.0, 0.0], [0.0, 1.0]], "a matrix of length sqrt(8), halved")
    if not all(np.array_equal(a, b) for a, b in zip(given, grads, strict=True)):
        raise Hint("The gradients that went in are changed. Return *new* arrays: `g * factor`.")


@check_clip_all.wrong("clipped alone")
def clips_each_alone(grads, max_norm):
    return [g * min(1, max_norm / np.linalg.norm(g)) for g in grads]


@check_clip_all.wrong("made longer")
def always_scales(grads, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    return [g * max_norm / norm for g in grads]


@check_clip_all.wrong("0 / 0")
def divides_by_zero(grads, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    return [g if norm > 0 and norm <= max_norm else g * (max_norm / norm) for g in grads]


@check_clip_all.wrong("The longest array")
def takes_the_longest(grads, max_norm):
    norm = max(np.linalg.norm(g) for g in grads)
    return [g * min(1, max_norm / norm) for g in grads]


@check_clip_all.wrong("first gradient")
def forgets_the_root(grads, max_norm):
    norm = sum((g**2).sum() for g in grads)
    return [g * min(1, max_norm / norm) for g in grads]


@check_clip_all.wrong("a matrix of length sqrt(8)")
def takes_the_spectral_norm(grads, max_norm):
    norm = np.sqrt(sum(np.linalg.norm(np.atleast_2d(g), 2) ** 2 for g in grads))
    return [g * min(1, max_norm / max(norm, 1e-12)) for g in grads]


@check_clip_all.wrong("Return *new* arrays")
def clips_in_place(grads, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    for g in grads:
        g *= min(1, max_norm / max(norm, 1e-12))
    return grads


# -- build new ---------------------------------------------------------------------------------


def order(n, seed, epoch, position):
    """The indices of range(n), shuffled for this epoch, from `position` on."""
    return np.random.default_rng([seed, epoch]).permutation(n)[position:]


@exercise(
    solution=order,
    reasoning="A generator seeded with the pair (seed, epoch) has no state that could be lost.",
    shown="Three whole numbers are the whole state, so there is nothing to forget in a checkpoint.",
)
def check_order(answer):
    def order(*numbers):
        return [int(i) for i in answer(*numbers)]

    with global_chance() as touched:
        whole = order(50, 3, 0, 0)
    expect(
        sorted(whole) == list(range(50)),
        "order(50, 3, 0, 0) must hold each index of range(50) once.",
    )
    expect(
        order(50, 3, 0, 0) == whole,
        "The same numbers gave another order: seed a generator inside the function.",
    )
    expect(
        whole != list(range(50)),
        "The indices came in their own order: shuffle them.",
    )
    if touched:
        raise Hint(
            f"You have seeded the global generator of {touched[0]}, so dropout and augmentation "
            "begin anew with each call. Make a generator of your own."
        )
    rest = order(50, 3, 0, 20)
    expect(len(rest) == 30, f"After 20 of 50 there are 30 to come, but {len(rest)} came.")
    expect(
        rest == whole[20:],
        "What is still to come must be the tail of the epoch's one order: draw it, then cut it.",
    )
    second = order(50, 3, 1, 0)
    expect(
        second != whole,
        "Epochs 0 and 1 have the same order: let the epoch into the seed.",
    )
    if order(50, 4, 0, 0) == whole:
        raise Hint("Seeds 3 and 4 have the same order in epoch 0: let the seed in, too.")
    seen = {}
    for seed in range(4):
        for epoch in range(30):
            other = seen.setdefault(tuple(order(50, seed, epoch, 0)), (seed, epoch))
            expect(
                other == (seed, epoch),
                f"Seed {other[0]} in epoch {other[1]} shuffles like seed {seed} in epoch {epoch}: "
                "made into one small number, the two are not kept apart. Give the generator both, "
                "as a pair.",
            )
    neighbours = set(itertools.pairwise(whole))
    if len(neighbours & set(itertools.pairwise(second))) > 25:
        raise Hint(
            "Most examples have the same neighbour in epochs 0 and 1: an order that is turned or "
            "cut is no new order. Shuffle anew."
        )


@contextlib.contextmanager
def global_chance():
    """Names of the shared generators that the block draws from or seeds; they are put back."""
    touched, parts = (
        [],
        {
            "Python": (random.getstate, random.setstate, random.random),
            "NumPy": (np.random.get_state, np.random.set_state, np.random.random),
        },
    )
    for name, lib in (("mini", mini), ("torch", sys.modules.get("torch"))):
        if lib is not None:
            parts[name] = lib.get_rng_state, lib.set_rng_state, lambda lib=lib: lib.rand(1)
    before = {name: get() for name, (get, _, _) in parts.items()}
    for _, _, draw in parts.values():
        draw()  # so that seeding shows, whatever was seeded before
    states = {name: as_bytes(get()) for name, (get, _, _) in parts.items()}
    try:
        yield touched
    finally:
        for name, (get, put, _) in parts.items():
            if as_bytes(get()) != states[name]:
                touched.append(name)
            put(before[name])


def as_bytes(state):
    return state.numpy().tobytes() if hasattr(state, "numpy") else pickle.dumps(state)


@check_order.wrong("seed a generator inside")
def draws_from_outside(n, seed, epoch, position, rng=np.random.default_rng(0)):  # noqa: B008
    return rng.permutation(n)[position:]


@check_order.wrong("draw it, then cut it")
def shuffles_the_rest(n, seed, epoch, position):
    whole = np.random.default_rng([seed, epoch]).permutation(n)
    return np.random.default_rng([seed, epoch, position]).permutation(whole[position:])


@check_order.wrong("let the epoch into the seed")
def forgets_the_epoch(n, seed, epoch, position):
    return np.random.default_rng(seed).permutation(n)[position:]


@check_order.wrong("let the seed in")
def forgets_the_seed(n, seed, epoch, position):
    return np.random.default_rng(epoch).permutation(n)[position:]


@check_order.wrong("seeded the global generator of NumPy")
def seeds_what_others_use(n, seed, epoch, position):
    np.random.seed([seed, epoch])
    return np.random.permutation(n)[position:]


@check_order.wrong("the same neighbour")
def turns_the_first_order(n, seed, epoch, position):
    return np.roll(np.random.default_rng(seed).permutation(n), epoch)[position:]


@check_order.wrong("seed 1 in epoch 0")
def has_room_for_ten_epochs(n, seed, epoch, position):
    return np.random.default_rng(10 * seed + epoch).permutation(n)[position:]


@check_order.wrong("as a pair")
def adds_seed_and_epoch(n, seed, epoch, position):
    return np.random.default_rng(seed + epoch).permutation(n)[position:]


# -- build new ---------------------------------------------------------------------------------


def auc(scores, positive):
    """Area under the ROC curve; scores (N,), positive (N,) of bool."""
    negatives = np.sort(scores[~positive])
    below = np.searchsorted(negatives, scores[positive], side="left")
    not_above = np.searchsorted(negatives, scores[positive], side="right")
    return ((below + not_above) / 2).mean() / len(negatives)


@exercise(
    solution=auc,
    reasoning="Two binary searches count, for each positive, the negatives below and not above it.",
    shown="A sort replaces the million million pairs, and ties count half.",
)
def check_auc(auc):
    scores = np.array([0.1, 0.4, 0.4, 0.7, 0.7, 0.9, 0.2, 0.5, 0.5, 0.7, 0.4])
    positive = np.isin(np.arange(11), [2, 3, 5, 8])
    above = scores[positive][:, None] - scores[~positive]
    truth = ((above > 0) + 0.5 * (above == 0)).mean()
    got = auc(scores.copy(), positive.copy())
    if close(got, (above > 0).mean()):
        raise Hint("Ties count nothing in yours; they should count half.")
    if close(got, (above >= 0).mean()):
        raise Hint("Ties count in full in yours; they should count half.")
    if close(got, 1 - truth):
        raise Hint("That is 1 - AUC: the probability that a *negative* outranks a positive.")
    if close(got, ((scores > 0.5) == positive).mean()):
        raise Hint("That is an accuracy at one threshold. The AUC has none.")
    if close(got, ((above > 0).sum(1) + 0.5 * (above == 0).any(1)).mean() / above.shape[1]):
        raise Hint("A positive that ties with two negatives gets a half for each, not one half.")
    if not close(got, auc(scores[::-1].copy(), positive[::-1].copy())):
        raise Hint("It changed with the order of the examples: equal scores share their mean rank.")
    expect_close(got, truth, "the AUC of eleven scores with ties")
    expect_close(auc(np.exp(scores), positive), truth, "the AUC of the exponentials of the scores")
    Counted.numbers = 0
    many = np.arange(1000) % 7
    auc(many.astype(float).view(Counted), np.arange(1000) % 2 == 0)
    if Counted.numbers > 100_000:
        raise Hint(
            "You compare each positive with each negative. A million examples have up to a quarter "
            "of a million million pairs: sort once, and search in what is sorted."
        )


class Counted(np.ndarray):
    """An array that counts the numbers which operations on it read or give."""

    numbers = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        inputs = [np.asarray(a) if isinstance(a, Counted) else a for a in inputs]
        if out is not None:
            options["out"] = tuple(np.asarray(a) if isinstance(a, Counted) else a for a in out)
        result = getattr(ufunc, method)(*inputs, **options)
        Counted.numbers += max(np.size(a) for a in (*inputs, result))
        return result.view(Counted) if isinstance(result, np.ndarray) else result


@check_auc.wrong("sort once")
def compares_all_pairs(scores, positive):
    above = scores[positive][:, None] - scores[~positive]
    return ((above > 0) + 0.5 * (above == 0)).mean()


@check_auc.wrong("count nothing")
def drops_ties(scores, positive):
    return (scores[positive][:, None] > scores[~positive]).mean()


@check_auc.wrong("count in full")
def counts_ties(scores, positive):
    return (scores[positive][:, None] >= scores[~positive]).mean()


@check_auc.wrong("a half for each")
def gives_one_half_for_all_ties(scores, positive):
    negatives = np.sort(scores[~positive])
    below = np.searchsorted(negatives, scores[positive])
    return (below + 0.5 * np.isin(scores[positive], negatives)).mean() / len(negatives)


@check_auc.wrong("outranks a positive")
def turns_it_round(scores, positive):
    return 1 - auc(scores, positive)


@check_auc.wrong("share their mean rank")
def ranks_ties_as_they_come(scores, positive):
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    n_pos, n_neg = positive.sum(), (~positive).sum()
    return (ranks[positive].sum() - n_pos * (n_pos + 1) / 2) / (n_pos * n_neg)


@check_auc.wrong("one threshold")
def takes_a_threshold(scores, positive):
    return ((scores > 0.5) == positive).mean()


# -- read a paper ------------------------------------------------------------------------------


def running_average(average, new, t):
    """The mean of t arrays, from the mean of the first t - 1 and the last."""
    return average + (new - average) / t


@exercise(
    solution=running_average,
    reasoning="An exponential average with $\\beta_t = 1 - 1/t$: its memory grows with training.",
    shown="One copy of the weights is enough for the average of all of them.",
)
def check_running_average(running_average):
    weights = np.array([[2.0, 1.0], [4.0, 0.0], [9.0, -1.0]])
    average = np.full(2, 7.0)  # whatever stands there before the first
    averages = []
    for t, new in enumerate(weights, start=1):
        given = new.copy()
        average = np.array(running_average(average.copy(), given, t))
        averages.append(average)
        if not np.array_equal(given, new):
            raise Hint("You change `new` itself: with these weights the training goes on.")
    if close(averages[0], [7.0, 7.0]) or close(averages[0], [4.5, 4.0]):
        raise Hint("For t = 1 the average is the new weight itself, whatever was there before.")
    if close(averages[1], weights[:2].sum(0)):
        raise Hint("That is the sum. Divide by how many there are.")
    expect_close(averages[0], weights[0], "the average of one array")
    expect_close(averages[1], weights[:2].mean(0), "the average of two arrays")
    if close(averages[2], (averages[1] + weights[2]) / 2):
        raise Hint("The third array got half of the vote. Each of t arrays has the weight 1 / t.")
    expect_close(averages[2], weights.mean(0), "the average of three arrays")


@check_running_average.wrong("whatever was there before")
def halves_always(average, new, t):
    return (average + new) / 2


@check_running_average.wrong("You change `new` itself")
def works_in_place(average, new, t):
    new /= t
    return (t - 1) / t * average + new


@check_running_average.wrong("half of the vote")
def halves_after_the_first(average, new, t):
    return new if t == 1 else (average + new) / 2


@check_running_average.wrong("That is the sum")
def adds_up(average, new, t):
    return new if t == 1 else average + new


@check_running_average.wrong("the average of two arrays")
def counts_from_zero(average, new, t):
    return new if t == 1 else average + (new - average) / (t + 1)
