"""Exercises of the project image_classifier. The form: dlcourse/exercises/__init__.py."""

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# ------------------------------------------------------------------------------------ block_weights


@exercise(
    name="block_weights",
    solution=(1179648, 69632),
    reasoning="""
    Two convolutions of 3x3 from 256 to 256 channels have $2 \\cdot 9 \\cdot 256^2 = 1179648$
    weights. The bottleneck has $256 \\cdot 64$ to go in, $9 \\cdot 64^2$ in the middle and
    $64 \\cdot 256$ to come out: $16384 + 36864 + 16384 = 69632$, a seventeenth. It is as wide
    outside, so the shortcut carries as much, and it does its seeing on a quarter of the channels.
    """,
    shown="The bottleneck does with a seventeenth of the weights.",
)
def check_block_weights(block_weights):
    if close(block_weights, (589824, 69632)):
        raise Hint("The basic block has two convolutions of 3 x 3, not one.")
    if close(block_weights, (131072, 36864 // 9 + 32768)):
        raise Hint("Each pair of channels has 9 weights in a 3 x 3 convolution; you counted one.")
    if close(block_weights, (1179648, 36864)):
        raise Hint("That is its middle alone: the two 1 x 1 convolutions have weights, too.")
    if close(block_weights, (69632, 1179648)):
        raise Hint("The other way round: first the basic block, then the bottleneck.")
    expect_close(block_weights, (1179648, 69632), "block_weights", "Count layer by layer.")


check_block_weights.wrong("not one", (589824, 69632))
check_block_weights.wrong("you counted one", (131072, 36864 // 9 + 32768))
check_block_weights.wrong("middle alone", (1179648, 36864))
check_block_weights.wrong("other way round", (69632, 1179648))


# ------------------------------------------------------------------------------------------- cutout


def cutout(images, top, left, size):
    """Images (N, H, W, C), in each of them a square set to 0.

    A square may begin outside the image (at -3, say): what lies outside is cut off.
    A slice with a negative beginning would count from the other end, so it is
    clipped to 0.
    """
    cut = images.copy()
    for image, y, x in zip(cut, top, left, strict=True):
        image[max(y, 0) : max(y + size, 0), max(x, 0) : max(x + size, 0)] = 0
    return cut


@exercise(
    solution=cutout,
    shown="A square may hang over the border: there is less of it, and nothing on the other side.",
)
def check_cutout(cutout):
    images = np.arange(1, 2 * 5 * 6 * 3 + 1, dtype=np.uint8).reshape(2, 5, 6, 3)
    before = images.copy()
    got = cutout(images, np.array([1, 2]), np.array([2, 0]), 2)
    expect(np.array_equal(images, before), "`cutout` changed its input: work on a copy.")
    want = before.copy()
    want[0, 1:3, 2:4] = 0
    want[1, 2:4, 0:2] = 0
    same = before.copy()
    same[:, 1:3, 2:4] = 0
    if close(got, same):
        raise Hint("Every image lost the same square: each has a place of its own.")
    turned = before.copy()
    turned[0, 2:4, 1:3] = 0
    turned[1, 0:2, 2:4] = 0
    if close(got, turned):
        raise Hint("`top` counts rows, axis 1, and `left` columns, axis 2; you exchanged them.")
    expect(got.shape == before.shape, f"The answer has the shape {got.shape}; it must be the same.")
    if (np.asarray(got) != want).any():
        place = tuple(int(i) for i in np.argwhere(np.asarray(got) != want)[0])
        raise Hint(
            f"`cutout(images, [1, 2], [2, 0], 2)` is {got[place]:g} at {place} (image, row, "
            f"column, colour), and {want[place]} is right."
        )
    got = cutout(images, np.array([-1, 4]), np.array([-1, 5]), 2)
    want = before.copy()
    want[0, :1, :1] = 0
    want[1, 4:, 5:] = 0
    if close(got[0], before[0]):
        raise Hint(
            "A square that begins at -1 left nothing out: NumPy counts a negative beginning from "
            "the other end. Clip it to 0."
        )
    if got[0, 1, 1].sum() == 0:
        raise Hint(
            "A square that begins at -1 was moved into the image. One that hangs over the border "
            "is cut off there, so that the corner pixel is covered as often as any other."
        )
    expect(
        np.array_equal(got, want),
        "Squares of side 2 at (-1, -1) and at (4, 5) leave one pixel each to cover, a corner.",
    )


@check_cutout.wrong("you exchanged them")
def exchanges_rows_and_columns(images, top, left, size):
    return cutout(images, left, top, size)


@check_cutout.wrong("at (0, 1, 2, 1) (image, row, column, colour)")
def covers_one_colour(images, top, left, size):
    cut = images.copy()
    cut[..., :1] = cutout(images[..., :1], top, left, size)
    return cut


@check_cutout.wrong("changed its input")
def cuts_in_place(images, top, left, size):
    images[:] = cutout(images, top, left, size)
    return images


@check_cutout.wrong("a place of its own")
def cuts_all_at_one_place(images, top, left, size):
    return cutout(images, np.full(len(images), top[0]), np.full(len(images), left[0]), size)


@check_cutout.wrong("from the other end")
def does_not_clip(images, top, left, size):
    cut = images.copy()
    for image, y, x in zip(cut, top, left, strict=True):
        image[y : y + size, x : x + size] = 0
    return cut


@check_cutout.wrong("moved into the image")
def moves_it_inside(images, top, left, size):
    return cutout(images, np.maximum(top, 0), np.maximum(left, 0), size)


# ---------------------------------------------------------------------------------- average_weights


def average_weights(states):
    """The mean of several state_dicts, entry by entry.

    What counts (whole numbers, such as `num_batches_tracked`) has no mean: the last
    one's is kept.
    """
    average = {}
    for name, last in states[-1].items():
        values = [state[name] for state in states]
        floating = last.is_floating_point()
        average[name] = sum(values) / len(values) if floating else last.clone()
    return average


@exercise(
    solution=average_weights,
    shown="What comes out loads into the model, counters and all.",
)
def check_average_weights(average_weights):
    import torch

    states = [
        {
            "weight": torch.tensor([1.0, 2.0]) * k,
            "running_mean": torch.tensor([k - 1.0]),
            "num_batches_tracked": torch.tensor(10 * k + (k == 4)),
        }
        for k in (1, 2, 4)
    ]
    before = [{name: value.clone() for name, value in state.items()} for state in states]
    got = average_weights(states)
    untouched = all(
        torch.equal(state[name], kept[name])
        for state, kept in zip(states, before, strict=True)
        for name in kept
    )
    expect(
        untouched, "`average_weights` changed one of the states: on tensors `+=` works in place."
    )
    expect(set(got) == set(states[0]), "The mean must have the same names as the states.")
    if close(got["weight"], [7.0, 14.0]):
        raise Hint("That is the sum: divide by the number of states.")
    if close(got["weight"], [(1 / 2 + 2 / 2) / 2 + 2, 5.5]):
        raise Hint(
            "The last state weighs more than the first: a mean of a mean and the next one. Add all "
            "up, then divide once."
        )
    expect_close(got["weight"], [7 / 3, 14 / 3], 'average_weights(states)["weight"]')
    expect_close(got["running_mean"], [4 / 3], 'average_weights(states)["running_mean"]')
    counter = got["num_batches_tracked"]
    expect(
        counter.dtype == torch.int64,
        f"`num_batches_tracked` counts, and has become {counter.dtype}. What is no real number has "
        "no mean: keep the last one's.",
    )
    expect_close(counter, 41, 'average_weights(states)["num_batches_tracked"]')


@check_average_weights.wrong("divide by the number")
def sums_up(states):
    return {name: sum(state[name] for state in states) for name in states[0]}


@check_average_weights.wrong("works in place")
def adds_in_place(states):
    total = dict(states[0])
    for state in states[1:]:
        for name in total:
            total[name] += state[name]
    return {name: value / len(states) for name, value in total.items()}


@check_average_weights.wrong("no mean: keep the last")
def averages_counters_too(states):
    return {name: sum(state[name] for state in states) / len(states) for name in states[0]}


@check_average_weights.wrong("weighs more than the first")
def averages_in_pairs(states):
    average = states[0]
    for state in states[1:]:
        average = {name: (average[name] + state[name]) / 2 for name in average}
    return average


# ------------------------------------------------------------------------------- calibration_error


def calibration_error(sure, right, bins):
    """The mean of |right - sure| over bins of the probability.

    A bin's weight, its count over N, undoes the division by its count: what is left is
    |sum of right - sure| of each bin over N, and an empty bin adds 0.
    """
    place = np.minimum((sure * bins).astype(int), bins - 1)  # a 1 into the last bin
    gaps = np.bincount(place, weights=right - sure, minlength=bins)
    return np.abs(gaps).sum() / len(sure)


@exercise(
    solution=calibration_error,
    shown="Each bin counts as much as it holds, and an empty one not at all.",
)
def check_calibration_error(calibration_error):
    sure = np.array([0.95, 0.85, 0.95, 0.45, 0.3, 0.9])
    right = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    # In 5 bins: 0.3 alone, 0.45 alone, and the four above 0.8.
    parts = [(1 / 6, 0.3), (1 / 6, 0.55), (4 / 6, abs(0.75 - 0.9125))]
    want = sum(share * gap for share, gap in parts)
    with np.errstate(all="ignore"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's about an empty mean; the hint says it better
            got = calibration_error(sure, right, 5)
    expect(np.isfinite(got), "An empty bin has no mean: leave it out, or NaN spreads to the sum.")
    if close(got, sum(gap for _, gap in parts) / 3):
        raise Hint("Each bin counted alike. Weigh it with the share of the answers it holds.")
    if close(got, abs(right.mean() - sure.mean())):
        raise Hint("That is one bin for all: what is too sure makes up for what is too modest.")
    if close(got, np.abs(right - sure).mean()):
        raise Hint(
            "Take the means within a bin first, then their difference: a single answer is right or "
            "wrong, and no probability below 1 matches that."
        )
    if close(got, -1 / 6 * 0.3 + 1 / 6 * 0.55 + 4 / 6 * (0.75 - 0.9125)):
        raise Hint("Without the absolute value the bins make up for one another.")
    expect_close(got, want, "calibration_error(sure, right, 5)")
    sure, right = np.array([0.9, 0.8, 0.7, 0.2]), np.array([1.0, 0.0, 1.0, 0.0])
    got = calibration_error(sure, right, 2)
    if close(got, 0.2):  # (0.1 + 0.7) / 4
        raise Hint("Your bins hold equally many answers. They are to be equally wide, 1 / bins.")
    expect_close(got, 0.15, "calibration_error([0.9, 0.8, 0.7, 0.2], [1, 0, 1, 0], 2)")
    sure, right = np.array([1.0, 1.0]), np.array([1.0, 0.0])
    expect_close(
        calibration_error(sure, right, 10),
        0.5,
        "calibration_error of two answers with probability 1, one of them right,",
        "A probability of exactly 1 belongs to the last bin.",
    )
    sure, right = np.array([1.0, 0.92, 0.85]), np.array([0.0, 1.0, 1.0])
    got = calibration_error(sure, right, 10)
    what = "calibration_error([1, 0.92, 0.85], [0, 1, 1], 10)"
    expect_close(got, (0.92 + 0.15) / 3, what, "0.85 is in the last bin but one.")


@check_calibration_error.wrong("the last bin but one")
def merges_the_last_bins(sure, right, bins):
    place = np.minimum((sure * bins).astype(int), bins - 2)
    place = place if bins > 5 else np.minimum((sure * bins).astype(int), bins - 1)
    return np.abs(np.bincount(place, weights=right - sure)).sum() / len(sure)


@check_calibration_error.wrong("counted alike")
def weighs_bins_alike(sure, right, bins):
    place = np.minimum((sure * bins).astype(int), bins - 1)
    found = [b for b in range(bins) if (place == b).any()]
    return np.mean([abs(right[place == b].mean() - sure[place == b].mean()) for b in found])


@check_calibration_error.wrong("one bin for all")
def takes_one_bin(sure, right, bins):
    return abs(right.mean() - sure.mean())


@check_calibration_error.wrong("means within a bin first")
def compares_answer_by_answer(sure, right, bins):
    return np.abs(right - sure).mean()


@check_calibration_error.wrong("equally wide")
def cuts_by_count(sure, right, bins):
    parts = np.array_split(np.argsort(sure), bins)
    return sum(abs((right - sure)[part].sum()) for part in parts) / len(sure)


@check_calibration_error.wrong("leave it out")
def takes_the_mean_of_nothing(sure, right, bins):
    place = np.minimum((sure * bins).astype(int), bins - 1)
    total = 0.0
    for b in range(bins):
        inside = place == b
        total += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return total


@check_calibration_error.wrong("belongs to the last bin")
def loses_the_end(sure, right, bins):
    total = 0.0
    for b in range(bins):
        inside = (sure >= b / bins) & (sure < (b + 1) / bins)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return total


# ---------------------------------------------------------------------------- integrated_gradients


def integrated_gradients(gradient, x, baseline, steps):
    """(x - baseline) times the mean gradient on the straight way between them.

    The integral is a sum over the middles of `steps` equal pieces.  `gradient(x)` has
    x's shape.
    """
    middles = (np.arange(steps) + 0.5) / steps
    mean = sum(gradient(baseline + a * (x - baseline)) for a in middles) / steps
    return (x - baseline) * mean


@exercise(
    solution=integrated_gradients,
    shown="The attributions add up to F(x) - F(baseline), but for the width of the pieces.",
)
def check_integrated_gradients(integrated_gradients):
    x, baseline = np.array([3.0, -1.0, 3.0]), np.array([1.0, 0.0, 3.0])

    def gradient(z):  # of F(z) = z0^3 + z0 z1 + z2
        z = np.asarray(z)
        if z.shape != (3,):
            raise Hint(
                f"`gradient` takes one point, of the shape of `x`; it got the shape {z.shape}."
            )
        return np.array([3 * z[0] ** 2 + z[1], z[0], 1.0])

    def mean(places):
        return np.mean([gradient(baseline + a * (x - baseline)) for a in places], axis=0)

    middles = mean((np.arange(4) + 0.5) / 4)
    got = integrated_gradients(gradient, x, baseline, 4)
    if close(got, middles):
        raise Hint("That is the mean gradient. Multiply by how far each input moved.")
    if close(got, x * middles):
        raise Hint("An input has moved by `x - baseline`; you multiplied by `x`.")
    if close(got, (x - baseline) * gradient(x)):
        raise Hint("That takes the gradient at the end alone: it changes on the way.")
    if close(got, (x - baseline) * mean([0.5])):
        raise Hint("That takes the gradient half-way alone: there are to be `steps` of them.")
    for ends, which in (
        (np.arange(4) / 4, "beginnings, which never reaches `x`"),
        (np.arange(1, 5) / 4, "ends, which never begins at `baseline`"),
    ):
        if close(got, (x - baseline) * mean(ends)):
            raise Hint(
                f"The pieces are judged by their {which}. Take the middles: the error then falls "
                "with the square of the number of steps."
            )
    if close(got, (x - baseline) * mean(np.linspace(0, 1, 4))):
        raise Hint(
            "`linspace(0, 1, steps)` has both ends and no middle: the first of `steps` pieces has "
            "its middle at 0.5 / steps."
        )
    if close(got, (x - baseline) * np.mean(
        [gradient(a * x) for a in (np.arange(4) + 0.5) / 4], axis=0
    )):  # fmt: skip
        raise Hint("The way begins at `baseline`, not at 0.")
    if close(got, (x - baseline) * np.mean(
        [gradient(baseline + a * np.sign(x - baseline)) for a in (np.arange(4) + 0.5) / 4], axis=0
    )):  # fmt: skip
        raise Hint("The way ends at `x`, not one unit from `baseline`.")
    want = [24.875, -2.0, 0.0]  # 22.875 in all; F(x) - F(baseline) is 23
    expect_close(got, want, "integrated_gradients(gradient, x, baseline, 4)")


@check_integrated_gradients.wrong("not one unit from `baseline`")
def goes_one_unit(gradient, x, baseline, steps):
    way = np.sign(x - baseline)
    middles = (np.arange(steps) + 0.5) / steps
    return (x - baseline) * sum(gradient(baseline + a * way) for a in middles) / steps


@check_integrated_gradients.wrong("takes one point")
def hands_over_all_points(gradient, x, baseline, steps):
    middles = (np.arange(steps) + 0.5) / steps
    return (x - baseline) * gradient(baseline + middles[:, None] * (x - baseline)).mean(axis=0)


@check_integrated_gradients.wrong("half-way alone")
def takes_one_middle(gradient, x, baseline, steps):
    return (x - baseline) * gradient((x + baseline) / 2)


@check_integrated_gradients.wrong("by their ends")
def takes_right_ends(gradient, x, baseline, steps):
    places = np.arange(1, steps + 1) / steps
    return (x - baseline) * sum(gradient(baseline + a * (x - baseline)) for a in places) / steps


@check_integrated_gradients.wrong("no middle")
def takes_both_ends(gradient, x, baseline, steps):
    places = np.linspace(0, 1, steps)
    return (x - baseline) * sum(gradient(baseline + a * (x - baseline)) for a in places) / steps


@check_integrated_gradients.wrong("how far each input moved")
def gives_the_mean_gradient(gradient, x, baseline, steps):
    middles = (np.arange(steps) + 0.5) / steps
    return sum(gradient(baseline + a * (x - baseline)) for a in middles) / steps


@check_integrated_gradients.wrong("you multiplied by `x`")
def multiplies_by_x(gradient, x, baseline, steps):
    return x * gives_the_mean_gradient(gradient, x, baseline, steps)


@check_integrated_gradients.wrong("at the end alone")
def takes_gradient_times_input(gradient, x, baseline, steps):
    return (x - baseline) * gradient(x)


@check_integrated_gradients.wrong("by their beginnings")
def takes_left_ends(gradient, x, baseline, steps):
    mean = sum(gradient(baseline + a * (x - baseline)) for a in np.arange(steps) / steps) / steps
    return (x - baseline) * mean


@check_integrated_gradients.wrong("not at 0")
def starts_at_zero(gradient, x, baseline, steps):
    middles = (np.arange(steps) + 0.5) / steps
    return (x - baseline) * sum(gradient(a * x) for a in middles) / steps


# ------------------------------------------------------------------------------------ leaked_share


def leaked_share(test, train):
    """The share of test images that are in `train`, as they are or mirrored.

    The bytes of an image are looked up in a set: one pass over each, however many
    images there are.
    """
    seen = {image.tobytes() for image in train}
    seen |= {image[:, ::-1].tobytes() for image in train}
    return np.mean([image.tobytes() in seen for image in test])


@exercise(
    solution=leaked_share,
    shown="A copy is a copy in the mirror, too.",
)
def check_leaked_share(leaked_share):
    rng = np.random.default_rng(0)
    train = rng.integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    test = rng.integers(0, 256, (8, 4, 4, 3), dtype=np.uint8)
    train[12] = train[3][:, ::-1]  # the training set has it in the mirror, too
    test[1], test[4], test[6] = train[3], train[11][:, ::-1], train[3]
    test[5], test[7] = train[5][::-1], train[6][::-1]  # upside down: other pictures
    got = leaked_share(test, train)
    if close(got, 2 / 8):
        raise Hint("One test image is a training image in the mirror: left and right exchanged.")
    if close(got, 3 / 8 * 8):
        raise Hint("That is how many; the share is asked for: divide by the number of test images.")
    if close(got, 4 / 8):
        raise Hint(
            "You exchanged top and bottom. A mirror exchanges left and right, axis 1 of an image."
        )
    if close(got, 5 / 8):
        if close(leaked_share(test[[5, 7]], train), 1.0):
            raise Hint(
                "You count an image that stands on its head. Mirror the columns only, axis 1."
            )
        raise Hint("You count a test image twice if it is in `train` both ways. Say `or`, not `+`.")
    if close(got, 2 / 20) or close(got, 3 / 20):
        raise Hint("Divide by the number of test images, not of training images.")
    expect_close(got, 3 / 8, "leaked_share(test, train)")
    expect_close(leaked_share(test[:1], train), 0.0, "leaked_share without a copy")
    hint = "A copy as it is counts, too, and not only one in the mirror."
    expect_close(leaked_share(train[5:7].copy(), train), 1.0, "leaked_share of two copies", hint)


@check_leaked_share.wrong("A copy as it is counts")
def looks_into_the_mirror_only(test, train):
    seen = {image[:, ::-1].tobytes() for image in train}
    return np.mean([image.tobytes() in seen for image in test])


@check_leaked_share.wrong("in the mirror")
def forgets_the_mirror(test, train):
    seen = {image.tobytes() for image in train}
    return np.mean([image.tobytes() in seen for image in test])


@check_leaked_share.wrong("how many")
def counts(test, train):
    return leaked_share(test, train) * len(test)


@check_leaked_share.wrong("stands on its head")
def mirrors_every_way(test, train):
    seen = {image.tobytes() for image in train} | {image[:, ::-1].tobytes() for image in train}
    seen |= {image[::-1].tobytes() for image in train}
    return np.mean([image.tobytes() in seen for image in test])


@check_leaked_share.wrong("top and bottom")
def mirrors_the_rows(test, train):
    seen = {image.tobytes() for image in train} | {image[::-1].tobytes() for image in train}
    return np.mean([image.tobytes() in seen for image in test])


@check_leaked_share.wrong("twice")
def adds_both_ways(test, train):
    seen = {image.tobytes() for image in train}
    same = [image.tobytes() in seen for image in test]
    mirrored = [image[:, ::-1].tobytes() in seen for image in test]
    return np.mean(same) + np.mean(mirrored)


@check_leaked_share.wrong("not of training images")
def divides_by_train(test, train):
    return leaked_share(test, train) * len(test) / len(train)
