"""Exercises of the project handwritten_digits. The form: dlcourse/exercises/__init__.py."""

import math
import warnings

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# ------------------------------------------------------------------------------------ lenet_weights


@exercise(
    name="lenet_weights",
    solution=44426,
    reasoning="""
    A convolution has one kernel of $C_\\text{in} \\cdot k \\cdot k$ weights, and one bias, for each
    output channel; a linear layer has one weight for each pair and one bias for each output.

    | layer | weights | biases |
    |---|---|---|
    | 6 kernels of 1x5x5 | 150 | 6 |
    | 16 kernels of 6x5x5 | 2400 | 16 |
    | 256 to 120 | 30720 | 120 |
    | 120 to 84 | 10080 | 84 |
    | 84 to 10 | 840 | 10 |

    Seven tenths of all numbers sit in the first linear layer, and the convolutions, which do the
    seeing, have six in a hundred: sharing a kernel over all places is what makes them small.
    """,
    shown="Most of LeNet's numbers are not in its convolutions.",
)
def check_lenet_weights(lenet_weights):
    if close(lenet_weights, 44190):
        raise Hint("The weights are right. Each output channel and each output has a bias, too.")
    if close(lenet_weights, 42276):
        raise Hint("Each of the 16 kernels of the second convolution spans all 6 channels.")
    if close(lenet_weights, 61706):
        raise Hint(
            "That is LeNet on images padded to 32x32, with 400 features after the second pooling. "
            "From 28x28 the sides go 28, 24, 12, 8, 4."
        )
    expect_close(lenet_weights, 44426, "lenet_weights", "Add up layer by layer.")


check_lenet_weights.wrong("has a bias", 44190)
check_lenet_weights.wrong("spans all 6 channels", 42276)
check_lenet_weights.wrong("padded to 32x32", 61706)


# ------------------------------------------------------------------------------------------- shift


def shift(images, dy, dx):
    """Move images (N, H, W) down by dy, right by dx pixels; what comes in is 0.

    What leaves on one side must not come back on the other, as it would with
    `np.roll`: a 1 whose foot reappears at the top is no 1 any more.
    """
    H, W = images.shape[1:]
    moved = np.zeros_like(images)
    moved[:, max(dy, 0) : H + min(dy, 0), max(dx, 0) : W + min(dx, 0)] = images[
        :, max(-dy, 0) : H + min(-dy, 0), max(-dx, 0) : W + min(-dx, 0)
    ]
    return moved


@exercise(
    solution=shift,
    shown="Slices of the old and the new image that are equally large move it in any direction.",
)
def check_shift(shift):
    images = np.arange(1, 25, dtype=np.uint8).reshape(2, 3, 4)  # no symmetry, no zeros
    before = images.copy()
    down = shift(images, 1, 0)
    want = np.concatenate([np.zeros((2, 1, 4)), before[:, :-1]], axis=1)
    if close(down, np.roll(before, 1, axis=1)):
        raise Hint("The last row came back at the top: `np.roll` is circular. What comes in is 0.")
    if close(down, np.concatenate([before[:, 1:], np.zeros((2, 1, 4))], axis=1)):
        raise Hint(
            "`dy=1` moved the images up; rows are counted from the top, so down is positive."
        )
    if close(down, np.concatenate([np.zeros((2, 3, 1)), before[:, :, :-1]], axis=2)):
        raise Hint("`dy=1` moved the images to the right: `dy` belongs to the rows, axis 1.")
    expect_close(down, want, "shift(images, 1, 0)")
    expect(np.array_equal(images, before), "`shift` changed its input: write into a new array.")
    for dy, dx in [(0, 1), (-1, 0), (0, -2), (2, -1), (0, 0)]:
        want = np.zeros((2, 3, 4))
        for row in range(3):
            for column in range(4):
                if 0 <= row + dy < 3 and 0 <= column + dx < 4:
                    want[:, row + dy, column + dx] = before[:, row, column]
        expect_close(shift(images, dy, dx), want, f"shift(images, {dy}, {dx})")


@check_shift.wrong("circular")
def rolls(images, dy, dx):
    return np.roll(images, (dy, dx), axis=(1, 2))


@check_shift.wrong("moved the images up")
def moves_up(images, dy, dx):
    return shift(images, -dy, -dx)


@check_shift.wrong("belongs to the rows")
def swaps_the_axes(images, dy, dx):
    return shift(images, dx, dy)


@check_shift.wrong("changed its input")
def works_in_place(images, dy, dx):
    images[:] = shift(images, dy, dx)
    return images


# --------------------------------------------------------------------------------- smoothed_targets


def smoothed_targets(labels, classes, smoothing):
    """The target probabilities (N, K) that label smoothing gives.

    Everybody gets an equal share of `smoothing`, the true class too; the rest is
    for the true one.
    """
    one_hot = np.eye(classes)[labels]  # (N, K)
    return (1 - smoothing) * one_hot + smoothing / classes


@exercise(
    solution=smoothed_targets,
    shown="The cross-entropy with these targets is what `label_smoothing=` of torch computes.",
)
def check_smoothed_targets(smoothed_targets):
    got = smoothed_targets(np.array([2, 0]), 4, 0.2)
    if close(got, [[0.2 / 3, 0.2 / 3, 0.8, 0.2 / 3], [0.8, 0.2 / 3, 0.2 / 3, 0.2 / 3]]):
        raise Hint("torch shares the smoothing among all K classes, the true one included.")
    if close(got, [[0.05, 0.05, 1.05, 0.05], [1.05, 0.05, 0.05, 0.05]]):
        raise Hint("Each row must add up to 1: take from the true class what the others get.")
    if close(got, [[0.05, 0.05, 0.8, 0.05], [0.8, 0.05, 0.05, 0.05]]):
        raise Hint("The rows add up to less than 1: the true class has its equal share, too.")
    expect_close(
        got,
        [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]],
        "smoothed_targets([2, 0], 4, 0.2)",
    )
    expect_close(smoothed_targets(np.array([1]), 2, 0.0), [[0, 1]], "smoothed_targets([1], 2, 0.0)")


@check_smoothed_targets.wrong("the true one included")
def shares_among_the_others(labels, classes, smoothing):
    targets = np.full((len(labels), classes), smoothing / (classes - 1))
    targets[np.arange(len(labels)), labels] = 1 - smoothing
    return targets


@check_smoothed_targets.wrong("add up to 1")
def only_adds(labels, classes, smoothing):
    return np.eye(classes)[labels] + smoothing / classes


@check_smoothed_targets.wrong("less than 1")
def forgets_the_own_share(labels, classes, smoothing):
    one_hot = np.eye(classes)[labels]
    return np.where(one_hot == 1, 1 - smoothing, smoothing / classes)


# ------------------------------------------------------------------------------------------- refuse


def refuse(probabilities, labels, threshold):
    """(share refused, error rate among the others) when doubt is refused.

    An image is refused if its largest probability is below the threshold.  Where
    all are refused nothing is misread: the error rate is 0.
    """
    accepted = probabilities.max(axis=1) >= threshold
    wrong = probabilities.argmax(axis=1) != labels
    errors = wrong[accepted].mean() if accepted.any() else 0.0
    return 1 - accepted.mean(), errors


@exercise(
    solution=refuse,
    shown="A reader who may say 'I cannot read this' can buy a low error rate with refusals.",
)
def check_refuse(refuse):
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.45, 0.55], [0.2, 0.8], [0.05, 0.95]])
    labels = np.array([0, 1, 1, 0, 1])  # the second and the fourth are misread
    got = refuse(p, labels, 0.7)
    if close(got, (0.4, 0.2)):
        raise Hint("Divide the errors by the number of images that are read, not by all.")
    if close(got, (0.6, 1 / 3)):
        raise Hint("The first number is the share refused; this is the share accepted.")
    if close(got, (0.4, 0.4)):
        raise Hint("Count only errors on images that are not refused.")
    expect_close(got, (0.4, 1 / 3), "refuse(p, labels, 0.7)")
    expect_close(refuse(p, labels, 0.0), (0.0, 0.4), "refuse(p, labels, 0.0), nothing refused,")
    if close(refuse(p, labels, 0.8), (0.6, 0.0)):
        raise Hint("A probability of exactly the threshold is not below it, so it is read: `>=`.")
    expect_close(refuse(p, labels, 0.8), (0.4, 1 / 3), "refuse(p, labels, 0.8)")
    three = np.array([[0.1, 0.2, 0.7], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.65, 0.25, 0.1]])
    got, hint = refuse(three, np.array([2, 0, 0, 0]), 0.6), "Classes may be more than two."
    expect_close(got, (0.25, 1 / 3), "refuse of four images in three classes", hint)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's about an empty mean; the hint says it better
        everything = refuse(p, labels, 0.99)
    expect(
        np.isfinite(everything).all(),
        "With everything refused the mean of an empty array is NaN; give an error rate of 0.",
    )
    expect_close(everything, (1.0, 0.0), "refuse(p, labels, 0.99), everything refused,")


@check_refuse.wrong("more than two")
def knows_two_classes(probabilities, labels, threshold):
    accepted = probabilities.max(axis=1) >= threshold
    wrong = (probabilities[:, 1] > 0.5) != labels
    return 1 - accepted.mean(), wrong[accepted].mean() if accepted.any() else 0.0


@check_refuse.wrong("not by all")
def divides_by_all(probabilities, labels, threshold):
    accepted = probabilities.max(axis=1) >= threshold
    wrong = probabilities.argmax(axis=1) != labels
    return 1 - accepted.mean(), (wrong & accepted).mean()


@check_refuse.wrong("share accepted")
def gives_the_share_accepted(probabilities, labels, threshold):
    share, errors = refuse(probabilities, labels, threshold)
    return 1 - share, errors


@check_refuse.wrong("not refused")
def counts_all_errors(probabilities, labels, threshold):
    refused = probabilities.max(axis=1) < threshold
    return refused.mean(), (probabilities.argmax(axis=1) != labels).mean()


@check_refuse.wrong("not below it")
def refuses_at_the_threshold(probabilities, labels, threshold):
    accepted = probabilities.max(axis=1) > threshold
    wrong = probabilities.argmax(axis=1) != labels
    return 1 - accepted.mean(), wrong[accepted].mean() if accepted.any() else 0.0


@check_refuse.wrong("mean of an empty array")
def does_not_think_of_the_end(probabilities, labels, threshold):
    accepted = probabilities.max(axis=1) >= threshold
    wrong = probabilities.argmax(axis=1) != labels
    return 1 - accepted.mean(), wrong[accepted].mean()


# ----------------------------------------------------------------------------------------- p_value


def p_value(only_a, only_b):
    """How likely two equally good networks would differ so much or more.

    only_a, only_b: on how many images only network A, or only network B, is right.
    (What both get right or wrong says nothing about which is better.)  If both are
    equally good, each of the n = only_a + only_b images is A's or B's like the toss
    of a coin.
    """
    n = only_a + only_b
    fewer = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
    return min(1.0, 2 * fewer)  # either of the two might have been the better one


@exercise(
    solution=p_value,
    reasoning="""
    This is McNemar's test in its exact form {cite}`mcnemar1947`. It is sharper than comparing two
    intervals, because the images on which both agree, nearly all, drop out: they are equally easy
    or hard for both.
    """,
    shown="On the same images networks compare far more sharply than by their accuracies.",
)
def check_p_value(p_value):
    got = p_value(8, 2)
    if close(got, 56 / 1024):
        raise Hint("That is one side. Either network might have come out ahead: count both sides.")
    if close(got, 2 * 45 / 1024):
        raise Hint("'So much, or more': add the probabilities of 2, of 1 and of 0.")
    if close(got, 2 * 11 / 1024):
        raise Hint("The sum stops one too early: exactly 2 belongs to it (`range` ends before).")
    expect_close(got, 112 / 1024, "p_value(8, 2)")
    expect_close(p_value(2, 8), 112 / 1024, "p_value(2, 8)", "Which is called A must not matter.")
    even = p_value(5, 5)
    expect(even <= 1, "p_value(5, 5) is above 1, which no probability can be: cut it off there.")
    expect_close(even, 1.0, "p_value(5, 5)")
    try:
        never = p_value(0, 0)
    except (ValueError, ZeroDivisionError) as error:
        raise Hint(
            "p_value(0, 0): networks that never differ are no reason to doubt: 1."
        ) from error
    expect_close(never, 1.0, "p_value(0, 0)")


@check_p_value.wrong("one side")
def looks_to_one_side(only_a, only_b):
    n = only_a + only_b
    return sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n


@check_p_value.wrong("or more")
def only_exactly_so_much(only_a, only_b):
    n = only_a + only_b
    return min(1.0, 2 * math.comb(n, min(only_a, only_b)) / 2**n)


@check_p_value.wrong("one too early")
def stops_too_early(only_a, only_b):
    n = only_a + only_b
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(min(only_a, only_b))) / 2**n)


@check_p_value.wrong("never differ")
def measures_in_deviations(only_a, only_b):
    n = only_a + only_b
    least = math.ceil(n * (0.5 + abs((only_a - only_b) / (2 * n))))
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(least, n + 1)) / 2**n)


@check_p_value.wrong("above 1")
def exceeds_one(only_a, only_b):
    n = only_a + only_b
    return 2 * sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n


# ------------------------------------------------------------------------------- init_without_norm


def init_without_norm(model):
    """Draw the weights of a deep ReLU network so that signals keep their size.

    A ReLU lets half of the variance through, so each weight needs the variance
    2 / fan_in, where fan_in is the number of inputs that are added up for one output
    (He et al. 2015).  PyTorch's default has 1 / (3 fan_in): after six layers the
    signal is smaller by a factor of about 200.
    """
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


@exercise(
    solution=init_without_norm,
    shown="The signal comes out of the last layer about as large as it went in.",
)
def check_init_without_norm(init_without_norm):
    from dlcourse.models import DigitsCNN

    import torch
    from torch import nn

    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(0)
        model = DigitsCNN(width=16, batch_norm=False)
        init_without_norm(model)
        convolutions = [layer for layer in model.modules() if isinstance(layer, nn.Conv2d)]
        spread = [layer.weight.std().item() * math.sqrt(_fan_in(layer)) for layer in convolutions]
        biases = max(layer.bias.abs().max().item() for layer in convolutions)
        last = model.classifier
        in_last = last.weight.std().item() * math.sqrt(last.in_features)
        bias_of_last = last.bias.abs().max().item()
    finally:
        torch.random.set_rng_state(state)
    default = math.sqrt(1 / 3)
    if all(abs(s - default) < 0.1 for s in spread):
        raise Hint("The weights are as PyTorch drew them. Change them in place: `nn.init....._`.")
    if all(abs(s - 1) < 0.15 for s in spread):
        raise Hint("The variance is 1 / fan_in. The ReLU halves it at each layer: 2 / fan_in.")
    if abs(spread[0] / spread[-1] - 1) > 0.3:
        raise Hint(
            "The scale differs from layer to layer: fan_in is the number of inputs that are added "
            "up for one output, in_channels * 3 * 3 here, not the number of outputs. (That keeps "
            "the gradients' size on the way back, says the paper; here it is the signals'.)"
        )
    if all(abs(s - math.sqrt(2 / 3)) < 0.1 for s in spread):
        raise Hint("A uniform distribution from -b to b has the variance b**2 / 3, not b**2.")
    if all(abs(s - 3 * math.sqrt(2)) < 0.6 for s in spread):
        raise Hint("You counted the channels alone; each has 3 * 3 places that are added up, too.")
    for s in spread:
        expect_close(s, math.sqrt(2), "weight.std() * sqrt(fan_in)", rtol=0.15)
    expect(biases == 0, "Start the biases at 0: they only shift the signal.")
    expect(
        0.85 < in_last < 1.65 and bias_of_last == 0,  # no ReLU follows: 1 / fan_in will do, too
        "The convolutions are right. The signal goes on through a `Linear`: draw its weights, too, "
        "and start its bias at 0.",
    )


def _fan_in(layer):
    return layer.weight[0].numel()


@check_init_without_norm.wrong("goes on through a `Linear`")
def draws_convolutions_only(model):
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)


@check_init_without_norm.wrong("as PyTorch drew them")
def changes_nothing(model):
    for layer in model.modules():
        layer.training = True


@check_init_without_norm.wrong("halves it")
def forgets_the_relu(model):
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
            nn.init.zeros_(layer.bias)


@check_init_without_norm.wrong("not the number of outputs")
def takes_fan_out(model):
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)


@check_init_without_norm.wrong("has the variance b**2 / 3")
def takes_the_deviation_as_bound(model):
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bound = math.sqrt(2 / _fan_in(layer))
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)


@check_init_without_norm.wrong("counted the channels alone")
def forgets_the_places(model):
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.normal_(layer.weight, 0, math.sqrt(2 / layer.weight.shape[1]))
            nn.init.zeros_(layer.bias)


@check_init_without_norm.wrong("Start the biases at 0")
def leaves_the_biases(model):
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
