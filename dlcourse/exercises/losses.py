"""Exercises of the chapter losses. The form: dlcourse/exercises/__init__.py."""

import math

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


# With label_smoothing=0.1 and ten classes: the right one, and each of the nine others.
_RIGHT, _OTHER = 0.91, 0.01


@exercise(
    name="smoothing_floor",
    solution=-(_RIGHT * math.log(_RIGHT) + 9 * _OTHER * math.log(_OTHER)),
    reasoning=(
        "Cross-entropy is lowest where the prediction equals the target, and is the target's own "
        "entropy there. The target is 0.91 and nine times 0.01: "
        "$-0.91 \\log 0.91 - 0.09 \\log 0.01$."
    ),
    shown="A curve that rests near 0.5 there has arrived: its excess over the floor is what falls.",
)
def check_smoothing_floor(answer):
    if close(answer, 0.0, 1e-3):
        raise Hint("0 needs a target that is one-hot. This one gives something to every class.")
    if close(answer, math.log(10), 1e-3):
        raise Hint("log 10 is what a model without any idea pays. This one may predict the target.")
    if close(answer, -math.log(_RIGHT), 1e-3) or close(answer, -math.log(0.9), 1e-3):
        raise Hint("That is the term of the right class alone: the nine others have a share, too.")
    shared_by_nine = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1 / 9))
    if close(answer, shared_by_nine, 1e-3):
        raise Hint("torch spreads the 0.1 over all ten classes, the right one among them.")
    if not close(answer, check_smoothing_floor.solution, 1e-3):
        raise Hint(
            "Not yet. Write the smoothed target down, ten numbers of sum 1. Which prediction has "
            "the lowest cross-entropy with it, and how much is that?"
        )


check_smoothing_floor.wrong("needs a target that is one-hot", 0.0)
check_smoothing_floor.wrong("without any idea", math.log(10))
check_smoothing_floor.wrong("the right class alone", -math.log(0.9))
check_smoothing_floor.wrong("over all ten classes", 0.5448)
check_smoothing_floor.wrong("ten numbers of sum 1", 1.0)


# -- by hand -----------------------------------------------------------------------------------


@exercise(
    name="huber_center",
    solution=2.5,
    reasoning=(
        "For $2 \\le c \\le 3$ the residuals of 0, 6 and 100 are clipped: "
        "$2 + (c - 1) + (c - 2) - 2 - 2 = 0$ gives $c = 2.5$, where the guess holds."
    ),
    shown="The outlier counts for as much as a point at distance 2, however far it is.",
)
def check_huber_center(answer):
    if close(answer, 21.8, 1e-3):
        raise Hint("21.8 is the mean: there no pull is clipped. Here none is stronger than 2.")
    if close(answer, 2.0, 1e-3):
        raise Hint(
            "2 is the median: there every pull is 1. At c = 2 the clipped pulls are 2 + 1 + 0 "
            "downward and 2 + 2 upward. They do not balance yet."
        )
    if any(close(answer, c, 1e-3) for c in (2.75, 7 / 3, 3.0)):
        raise Hint(
            "You left out a clip: at your c, 0 or 6 is farther than 2 away, but pulls with more "
            "than 2. Check the guess with the c that you found."
        )
    if not close(answer, 2.5, 1e-3):
        raise Hint(
            "Not yet. Write the sum of clamp(c - y, -2, 2) over the five points for a c between 2 "
            "and 3, and set it to zero."
        )


check_huber_center.wrong("is the mean", 21.8)
check_huber_center.wrong("is the median", 2.0)
check_huber_center.wrong("Check the guess", 2.75)
check_huber_center.wrong("set it to zero", 4.0)


# -- change the code ---------------------------------------------------------------------------


def bce_pos_weight(z, y, w):
    """Mean binary cross-entropy of logits z, positives weighted by w."""
    softplus = np.maximum(-z, 0) + np.log1p(np.exp(-abs(z)))  # of -z
    return ((1 - y) * z + (1 - y + w * y) * softplus).mean()


@exercise(
    solution=bce_pos_weight,
    reasoning="softplus(z) = z + softplus(-z), so that both terms share one stable softplus.",
    shown="Positives count w times, negatives once, and no logit is too large.",
)
def check_bce_pos_weight(bce_pos_weight):
    z, y = np.array([1.5, -0.5, 0.3]), np.array([1.0, 0.0, 1.0])
    soft = np.logaddexp(0, -z), np.logaddexp(0, z)
    wanted = (3 * y * soft[0] + (1 - y) * soft[1]).mean()
    with np.errstate(all="ignore"):
        got = np.asarray(bce_pos_weight(z, y, 3.0))
        far = np.asarray(bce_pos_weight(np.array([1000.0, -1000.0]), np.array([0.0, 1.0]), 2.0))
    if close(got, 3 * (y * soft[0] + (1 - y) * soft[1]).mean()):
        raise Hint("Only positives are weighted; here the negatives count three times, too.")
    if close(got, (y * soft[0] + 3 * (1 - y) * soft[1]).mean()):
        raise Hint("It is the positives (y = 1) that count w times. Here it is the negatives.")
    if close(got, wanted * 3 / 7):
        raise Hint(
            "You divide by the sum of the weights, as cross_entropy does. With `pos_weight` the "
            "mean is over the number of entries."
        )
    expect(got.ndim == 0, "One number is wanted: the mean over all entries.")
    expect_close(got, wanted, "the loss of the logits (1.5, -0.5, 0.3) with w = 3")
    expect(
        bool(np.isfinite(far)),
        "Right for small logits, but for z = 1000 the result is not finite. Where does your "
        "formula take an exponential of a positive number, or a logarithm of 0?",
    )
    expect_close(far, (1000 + 2 * 1000) / 2, "the loss of logits 1000 and -1000, both wrong")
    unsure = bce_pos_weight(np.array([1.5]), np.array([0.25]), 3.0)
    wanted = 3 * 0.25 * soft[0][0] + 0.75 * soft[1][0]
    expect_close(unsure, wanted, "the loss of the logit 1.5 with the label 0.25 and w = 3")
    z, y = np.array([[1.5, -0.5, 0.3], [0.2, 2.0, -1.0]]), np.array([[1, 0, 1], [0, 0, 1]])
    wanted = (3 * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)).mean()
    hint = "The mean is over all entries, six of them, not over the rows."
    expect_close(bce_pos_weight(z, y, 3.0), wanted, "the loss of logits of shape (2, 3)", hint)


@check_bce_pos_weight.wrong("not over the rows")
def divides_by_the_rows(z, y, w):
    return (w * y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)).sum() / len(z)


@check_bce_pos_weight.wrong("not finite")
def forms_the_probability(z, y, w):
    p = 1 / (1 + np.exp(-z))
    return -(w * y * np.log(p) + (1 - y) * np.log(1 - p)).mean()


@check_bce_pos_weight.wrong("with the label 0.25")
def knows_hard_labels_only(z, y, w):
    return np.where(y > 0.5, w * np.logaddexp(0, -z), np.logaddexp(0, z)).mean()


@check_bce_pos_weight.wrong("divide by the sum of the weights")
def divides_by_the_weights(z, y, w):
    each = (1 - y) * z + (1 - y + w * y) * np.logaddexp(0, -z)
    return each.sum() / (1 - y + w * y).sum()


@check_bce_pos_weight.wrong("the negatives count three times")
def weighs_all(z, y, w):
    return w * (np.logaddexp(0, z) - y * z).mean()


@check_bce_pos_weight.wrong("Here it is the negatives")
def weighs_negatives(z, y, w):
    return (y * np.logaddexp(0, -z) + w * (1 - y) * np.logaddexp(0, z)).mean()


# -- build -------------------------------------------------------------------------------------


def piece_losses(pieces):
    """Losses of the pieces that add up to the mean over all targets kept."""
    total = sum((target != -100).sum() for _, target in pieces)
    losses = []
    for logits, target in pieces:
        kept = target != -100
        logits, target = logits[kept], target[kept]
        shifted = logits - logits.max(1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
        losses.append(-log_p[np.arange(len(target)), target].sum() / total)
    return losses


@exercise(
    solution=piece_losses,
    reasoning=(
        "Each piece gives the *sum* over its targets, divided by the number of targets kept in "
        "the whole batch, which is counted first. The largest logit of a row is taken off before "
        "the exponential, as in every log-sum-exp."
    ),
    shown="However the batch is cut, the gradient is that of the whole.",
)
def check_piece_losses(piece_losses):
    rng = np.random.default_rng(3)
    z, y = rng.normal(size=(9, 4)), np.array([0, 1, -100, -100, -100, -100, 3, 2, 1])
    lse = np.log(np.exp(z).sum(1))
    each = np.where(y == -100, 0, lse - z[np.arange(9), y.clip(0)])
    cuts = slice(0, 3), slice(3, 6), slice(6, 9)
    pieces = [(z[cut], y[cut]) for cut in cuts]
    with np.errstate(all="ignore"):
        got = piece_losses([(a.copy(), b.copy()) for a, b in pieces])
        far = piece_losses([(np.array([[1000.0, 0.0], [0.0, 2000.0]]), np.array([1, 1]))])
    expect(
        (isinstance(got, list | tuple) or np.ndim(got) == 1) and len(got) == 3,
        "A list is wanted, one number for each of the pieces.",
    )
    got = np.array([float(g) for g in got])
    sums = np.array([each[cut].sum() for cut in cuts])
    if np.isnan(got).any():
        raise Hint(
            "A piece whose targets are all ignored has no mean: 0 / 0 is NaN. Sum each piece, and "
            "divide by a count that is not of that piece alone."
        )
    if close(got, sums / 9):
        raise Hint("You divide by all targets of the batch; ignored ones must not be counted.")
    if close(got, sums):
        raise Hint("These are sums. Their total is to be the *mean* over all targets kept.")
    if close(got, np.array([sums[0] / 2, 0, sums[2] / 3]) / 3):
        raise Hint(
            "A mean of means gives the two targets of the first piece the same say as the three "
            "of the last. One denominator for all is wanted."
        )
    expect_close(got, sums / 5, "the losses of three pieces with 2, 0 and 3 targets kept")
    if not close(float(far[0]), 500.0):
        raise Hint(
            "Right for small logits, but with logits of 1000 an exponential overflows. Take the "
            "largest logit of each row off before it."
        )


@check_piece_losses.wrong("0 / 0 is NaN")
def mean_of_each(pieces):
    losses = []
    for logits, target in pieces:
        logits, target = logits[target != -100], target[target != -100]
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        chosen = -log_p[np.arange(len(target)), target]
        losses.append(chosen.sum() / np.float64(len(chosen)) / len(pieces))
    return losses


@check_piece_losses.wrong("ignored ones must not be counted")
def counts_the_ignored(pieces):
    total = sum(len(target) for _, target in pieces)
    kept = sum((target != -100).sum() for _, target in pieces)
    return [loss * kept / total for loss in piece_losses(pieces)]


@check_piece_losses.wrong("overflows")
def forms_probabilities_of_pieces(pieces):
    total = sum((target != -100).sum() for _, target in pieces)
    losses = []
    for logits, target in pieces:
        kept = target != -100
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        losses.append(-np.log(p[kept, target[kept]]).sum() / total)
    return losses


@check_piece_losses.wrong("These are sums")
def only_sums(pieces):
    kept = sum((target != -100).sum() for _, target in pieces)
    return [loss * kept for loss in piece_losses(pieces)]


@check_piece_losses.wrong("A mean of means")
def mean_of_means(pieces):
    kept = sum((target != -100).sum() for _, target in pieces)
    counts = [max(1, (target != -100).sum()) for _, target in pieces]
    losses = zip(piece_losses(pieces), counts, strict=True)
    return [loss * kept / n / len(pieces) for loss, n in losses]


# -- build new ---------------------------------------------------------------------------------


def log1mexp(x):
    """log(1 - exp(x)) for x < 0, exact to 14 digits."""
    near = np.maximum(x, -np.log(2))  # each form sees only what it is good at
    far = np.minimum(x, -np.log(2))
    return np.where(x > -np.log(2), np.log(-np.expm1(near)), np.log1p(-np.exp(far)))


@exercise(
    solution=log1mexp,
    reasoning=(
        "expm1 is exact near 0, log1p far from it, where rounding $1 - e^x$ would cost a relative "
        "$2^{-54} e^{-x}$ of the result; at $-\\log 2$ both are good."
    ),
    shown="Fourteen digits from -700 to -1e-300: two functions, each where it is good.",
)
def check_log1mexp(log1mexp):
    x = np.array([
        -700.0, -50.0, -40.0, -20.0, -9.0, -5.0, -1.0, -0.5, -1e-3, -1e-10, -1e-20, -1e-300,
    ])  # fmt: skip
    exact = np.array([
        -9.859676543759770e-305, -1.928749847963918e-22, -4.248354255291589e-18,
        -2.061153624562735e-09, -0.0001234174197031195,
        -0.006760749449488558, -0.45867514538708193, -0.9327521295671886, -6.908255237315470,
        -23.02585092999046, -46.05170185988091, -690.7755278982137,
    ])  # fmt: skip
    try:
        with np.errstate(all="ignore"):
            got = np.asarray(log1mexp(x))
    except ValueError as error:
        if "ambiguous" in str(error):
            raise Hint(
                "`if` asks one number, and here come twelve: `np.where` chooses in an array."
            ) from None
        raise
    expect(got.shape == x.shape, "Element by element: the result has the shape of x.")
    if close(got, -exact, 1e-6):
        raise Hint("That is the loss, `-log(1 - exp(x))`. Wanted is the logarithm, below 0.")
    error = abs(got - exact) / abs(exact)
    error = np.where(np.isfinite(error), error, 1.0)
    if error.max() > 1e-14 and error[5:8].max() < 1e-14:
        if error[0] > 1e-14 and error[-1] > 1e-14:
            raise Hint(
                "Right in the middle, wrong on both sides: far from 0, exp(x) is lost beside 1; "
                "near 0, 1 - exp(x) cancels."
            )
        if error[-1] > 1e-14:
            raise Hint(
                "Exact far from 0, but near 0, at x = -1e-20, exp(x) is rounded to 1 and nothing "
                "is left. numpy.expm1 computes exp(x) - 1 without that."
            )
        if error[0] < 1e-14 < error[2:5].max():
            raise Hint(
                "Exact at both ends, and not between -40 and -5: you change from one form to the "
                "other too far out. Where are both good?"
            )
        if error[0] > 1e-14:
            raise Hint(
                "Exact near 0, but far from it, at x = -50, the difference to 1 is rounded away "
                "before the logarithm. numpy.log1p(t) computes log(1 + t) for tiny t."
            )
    expect(
        error.max() <= 1e-14,
        f"The worst value is at x = {x[error.argmax()]:g}: a relative error of {error.max():.0e}.",
    )


@check_log1mexp.wrong("wrong on both sides")
def as_written(x):
    return np.log(1 - np.exp(x))


@check_log1mexp.wrong("numpy.expm1")
def only_log1p(x):
    return np.log1p(-np.exp(x))


@check_log1mexp.wrong("numpy.log1p")
def only_expm1(x):
    return np.log(-np.expm1(x))


@check_log1mexp.wrong("chooses in an array")
def takes_one_number(x):
    return np.log(-np.expm1(x)) if x > -np.log(2) else np.log1p(-np.exp(x))


@check_log1mexp.wrong("too far out")
def changes_too_late(x):
    return np.where(x > -36, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


@check_log1mexp.wrong("That is the loss")
def gives_the_loss(x):
    return -log1mexp(x)


@check_log1mexp.wrong("The worst value is at")
def first_terms_of_the_series(x):
    return np.where(x > -1e-2, np.log(-x), np.log1p(-np.exp(x)))


# -- read a paper ------------------------------------------------------------------------------


def forward_corrected(logits, target, N):
    """Mean of -log sum_k p_k N[k, y], with p the softmax of the logits."""
    joint = logits + np.log(N.T[target])  # (B, K): z_k + log N[k, y]
    lse = np.logaddexp.reduce
    return (lse(logits, axis=1) - lse(joint, axis=1)).mean()


@exercise(
    solution=forward_corrected,
    reasoning="The probabilities cancel to a difference of two log-sum-exps.",
    shown="A truthful model is the minimum, and no lie costs more than -log of its rarest label.",
)
def check_forward_corrected(forward_corrected):
    rng = np.random.default_rng(5)
    z, y = rng.normal(size=(6, 3)), np.array([0, 1, 2, 2, 1, 0])
    N = np.array([[0.8, 0.15, 0.05], [0.1, 0.7, 0.2], [0.3, 0.1, 0.6]])
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    with np.errstate(all="ignore"):
        got = np.asarray(forward_corrected(z, y, N))
        far = np.asarray(forward_corrected(1000 * z, y, N))
    rows = np.arange(6)
    if close(got, -np.log((p @ N.T)[rows, y]).mean()):
        raise Hint("Transposed: row k of N is the *true* class, so the sum is over the rows.")
    if close(got, -np.log(p[rows, y]).mean()):
        raise Hint("That is cross-entropy without N.")
    if close(got, -(N.T[y] * np.log(p)).sum(1).mean()):
        raise Hint(
            "The sum belongs *inside* the logarithm: the probability of a label is the sum over "
            "the classes that it may have come from."
        )
    expect(got.ndim == 0, "One number is wanted: the mean over the batch.")
    expect_close(got, -np.log((p @ N)[rows, y]).mean(), "the loss of six examples")
    sure = -np.log(N[(1000 * z).argmax(1), y]).mean()
    expect(
        close(far, sure),
        "Right for small logits. For logits 1000 times as large the softmax overflows: write the "
        "loss as a difference of two log-sum-exps.",
    )


@check_forward_corrected.wrong("Transposed")
def transposed(logits, target, N):
    return forward_corrected(logits, target, N.T)


@check_forward_corrected.wrong("without N")
def forgets_the_noise(logits, target, N):
    return forward_corrected(logits, target, np.eye(3) + 1e-300)


@check_forward_corrected.wrong("*inside* the logarithm")
def sum_outside(logits, target, N):
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return -(N.T[target] * log_p).sum(1).mean()


@check_forward_corrected.wrong("difference of two log-sum-exps")
def forms_probabilities(logits, target, N):
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return -np.log((p @ N)[np.arange(len(target)), target]).mean()
