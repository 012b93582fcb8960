"""Exercises of the chapter data_preparation. The form: dlcourse/exercises/__init__.py."""

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="largest_z",
    solution=15**0.5,
    reasoning=(
        r"With $n$ in the divisor, $n s^2 \ge d^2 + \frac{d^2}{n-1} = \frac{n}{n-1} d^2$, so "
        r"$|z| = |d| / s \le \sqrt{n - 1}$: for 16 values $\sqrt{15} \approx 3.87$."
    ),
    shown="A billion or a trillion: the z-score stays below four.",
)
def check_largest_z(answer):
    if close(answer, 3.75, 1e-4):
        raise Hint("3.75 is (n - 1) / sqrt(n), for the deviation with n - 1 in the divisor.")
    if close(answer, 4.0, 1e-4):
        raise Hint("4 would be sqrt(n). The other 15 values take part in the sum of squares, too.")
    if np.ndim(answer) == 0 and np.real(answer) > 100:
        raise Hint("The outlier inflates the standard deviation that it is divided by.")
    if close(answer, 15.0):
        raise Hint("15 bounds the square of z: take the root.")
    if not close(answer, 15**0.5, 1e-3):
        raise Hint("Not yet. Start from n s^2 >= d^2 + d^2 / (n - 1), and solve for |d| / s.")


check_largest_z.wrong("with n - 1 in the divisor", 3.75)
check_largest_z.wrong("would be sqrt(n)", 4.0)
check_largest_z.wrong("inflates the standard deviation", 1e6)
check_largest_z.wrong("take the root", 15.0)
check_largest_z.wrong("solve for |d| / s", 3.0)


# -- by hand -----------------------------------------------------------------------------------


def true_correlation(r, kept):
    """The correlation before the mean was filled in, if the values were MCAR."""
    return r / kept**0.5


@exercise(
    solution=true_correlation,
    reasoning=r"""Filling the mean multiplies the covariance by $\kappa$ and the variance of $x$ by
$\kappa$, hence its deviation by $\sqrt\kappa$, and the correlation by $\kappa / \sqrt\kappa =
\sqrt\kappa$. Divide by it.""",
    shown="What the filling took away is known, so it can be given back.",
)
def check_true_correlation(true_correlation):
    got = true_correlation(0.3, 0.36)
    if close(got, 0.3 * 0.6):
        raise Hint("Filling made the correlation smaller. You make it smaller once more.")
    if close(got, 0.3 * 0.36):
        raise Hint(
            "Filling shrinks the *covariance* by `kept`. Undo it, and mind the deviation of x."
        )
    if close(got, 0.3 / 0.36):
        raise Hint(
            "The covariance shrinks by `kept`, but the standard deviation of x shrinks, too, and "
            "stands below it."
        )
    if close(got, 0.3 / 0.8):
        raise Hint("`kept` is the share that was observed, not the share that was filled.")
    if close(got, 0.3):
        raise Hint("The slope of y on x survives the filling; the correlation does not.")
    expect_close(got, 0.5, "true_correlation(0.3, 0.36)")
    expect_close(true_correlation(-0.45, 0.81), -0.5, "true_correlation(-0.45, 0.81)")


@check_true_correlation.wrong("smaller once more")
def shrinks_again(r, kept):
    return r * kept**0.5


@check_true_correlation.wrong("mind the deviation of x")
def shrinks_the_covariance(r, kept):
    return r * kept


@check_true_correlation.wrong("standard deviation of x shrinks, too")
def corrects_the_covariance(r, kept):
    return r / kept


@check_true_correlation.wrong("not the share that was filled")
def takes_the_share_of_the_filled(r, kept):
    return r / (1 - kept) ** 0.5


@check_true_correlation.wrong("the correlation does not")
def changes_nothing(r, kept):
    return r


# -- change the code ---------------------------------------------------------------------------


def out_of_fold(categories, y, folds):
    """For each row the mean of y over its category in the other folds."""
    encoded = np.empty(len(y))
    for fold in np.unique(folds):
        outside = folds != fold
        for category in np.unique(categories[~outside]):
            same = outside & (categories == category)
            source = same if same.any() else outside
            encoded[~outside & (categories == category)] = y[source].mean()
    return encoded


@exercise(
    solution=out_of_fold,
    reasoning="""For each fold the means are made from the rows outside, and so is the fallback: the
mean of all labels would contain the row's own.""",
    shown="No row's own label, nor one of its fold, is in its code.",
)
def check_out_of_fold(out_of_fold):
    categories = np.array(["a", "a", "a", "a", "b", "b"])
    y = np.array([1.0, 3.0, 6.0, 8.0, 10.0, 20.0])
    folds = np.array([0, 0, 1, 1, 0, 0])
    got = np.asarray(out_of_fold(categories.copy(), y.copy(), folds.copy()), float)
    expect(got.shape == (6,), f"One number a row is wanted, shape (6,); yours is {got.shape}.")
    if np.isnan(got).any():
        raise Hint(
            "Category b stands in one fold only: nothing is left of it outside. Take the mean of "
            "all rows in the other folds."
        )
    if close(got[:4], [4.5] * 4):
        raise Hint("Each row is encoded with the mean of its category in *all* folds, its own too.")
    if close(got[:4], [17 / 3, 5.0, 4.0, 10 / 3]):
        raise Hint(
            "You leave the row itself out, but the other rows of its fold stay in. With groups in "
            "the folds these are its mates."
        )
    if close(got[:4], [2.0, 2.0, 7.0, 7.0]):
        raise Hint("You take the mean inside the fold. The *other* folds are wanted.")
    expect(
        close(got[:4], [7.0, 7.0, 2.0, 2.0]),
        f"The rows of category a should get 7, 7, 2, 2; yours get {got[:4].round(3).tolist()}.",
    )
    if close(got[4:], [8.0, 8.0]):
        raise Hint(
            "For a category without rows outside you take the mean of *all* labels: the row's own "
            "is among them."
        )
    if close(got[4:], [7.6, 5.6]):
        raise Hint("The fallback leaves out the row itself, but not the other rows of its fold.")
    expect(
        close(got[4:], [7.0, 7.0]),
        f"Category b should get the mean outside its fold, 7; yours gets {got[4:].tolist()}.",
    )
    categories, y = np.array(["a"] * 6), np.array([1, 0, 0, 1, 1, 0])
    folds = np.array([0, 0, 1, 2, 2, 2])
    got = np.asarray(out_of_fold(categories, y, folds), float)
    if close(got, [1 / 3, 1 / 3, 7 / 12, 0.25, 0.25, 0.25]):
        raise Hint(
            "You take the mean of the folds' means, so a fold of one row counts as much as a fold "
            "of three. Take the mean over the *rows* of the other folds."
        )
    if close(got, np.round(got)):
        raise Hint(
            "With labels 0 and 1 that are whole numbers, your means are whole numbers, too: make "
            "the result an array of floats, not one of the type of `y`."
        )
    wanted = [0.5, 0.5, 0.6, 1 / 3, 1 / 3, 1 / 3]
    expect_close(got, wanted, "the code of one category in folds of two, one and three rows")
    categories = np.array(["a", "b", "c", "a", "b", "b"])
    y, folds = np.array([1.0, 2.0, 3.0, 4.0, 6.0, 9.0]), np.array([0, 0, 0, 1, 1, 1])
    got = out_of_fold(categories, y, folds)
    hint = "Each category of a fold has its own code; here only c is not found outside."
    expect_close(got, [4.0, 7.5, 19 / 3, 1.0, 2.0, 2.0], "the code of three categories", hint)


@check_out_of_fold.wrong("has its own code")
def falls_back_for_the_whole_fold(categories, y, folds):
    encoded = out_of_fold(categories, y, folds)
    for fold in np.unique(folds):
        inside = folds == fold
        if set(categories[inside]) - set(categories[~inside]):
            encoded[inside] = y[~inside].mean()
    return encoded


@check_out_of_fold.wrong("in *all* folds")
def encodes_with_its_own_label(categories, y, folds):
    return np.array([y[categories == c].mean() for c in categories])


@check_out_of_fold.wrong("its mates")
def leaves_one_row_out(categories, y, folds):
    same = categories[:, None] == categories
    np.fill_diagonal(same, False)
    return same @ y / same.sum(1)


@check_out_of_fold.wrong("inside the fold")
def stays_inside(categories, y, folds):
    pairs = zip(categories, folds, strict=True)
    return np.array([y[(categories == c) & (folds == f)].mean() for c, f in pairs])


@check_out_of_fold.wrong("stands in one fold only")
def forgets_the_unseen(categories, y, folds):
    same = (categories[:, None] == categories) & (folds[:, None] != folds)
    with np.errstate(invalid="ignore"):
        return same @ y / same.sum(1)


@check_out_of_fold.wrong("mean of the folds' means")
def averages_the_folds(categories, y, folds):
    encoded = np.empty(len(y))
    for i, (c, f) in enumerate(zip(categories, folds, strict=True)):
        inside = [(categories == c) & (folds == g) for g in np.unique(folds) if g != f]
        means = [y[rows].mean() for rows in inside if rows.any()]
        encoded[i] = np.mean(means) if means else y[folds != f].mean()
    return encoded


@check_out_of_fold.wrong("make the result an array of floats")
def keeps_the_type_of_the_labels(categories, y, folds):
    return out_of_fold(categories, y, folds).astype(y.dtype)


@check_out_of_fold.wrong("mean of *all* labels")
def falls_back_on_everything(categories, y, folds):
    encoded = forgets_the_unseen(categories, y, folds)
    return np.where(np.isnan(encoded), y.mean(), encoded)


@check_out_of_fold.wrong("not the other rows of its fold")
def falls_back_on_all_other_rows(categories, y, folds):
    encoded = forgets_the_unseen(categories, y, folds)
    return np.where(np.isnan(encoded), (y.sum() - y) / (len(y) - 1), encoded)


# -- build new ---------------------------------------------------------------------------------


def pooled_std(counts, means, stds):
    """The standard deviation of all pixels, from those of the images."""
    share = counts / counts.sum()
    mean = (share * means).sum()
    return (share * (stds**2 + (means - mean) ** 2)).sum() ** 0.5


@exercise(
    solution=pooled_std,
    reasoning=r"""The law of total variance with weights $n_i / \sum n_i$: the weighted mean of the
variances inside the images, and the weighted variance of their means around the weighted mean.""",
    shown="Images of any size, and the deviation of all their pixels without a second pass.",
)
def check_pooled_std(pooled_std):
    images = [np.array([0.0, 2.0]), np.array([5.0, 7.0, 9.0, 7.0]), np.array([1.0, 1.0, 4.0])]
    counts = np.array([len(x) for x in images], float)
    means = np.array([x.mean() for x in images])
    stds = np.array([x.std() for x in images])
    got = pooled_std(counts.copy(), means.copy(), stds.copy())
    share = counts / counts.sum()
    if np.ndim(got) > 0:
        raise Hint(f"One number is wanted, for all pixels; yours has the shape {np.shape(got)}.")
    if close(got, (share * stds).sum()) or close(got, stds.mean()):
        raise Hint("The mean of the deviations is not the deviation. Go by way of the variances.")
    if close(got, (share * stds**2).sum() ** 0.5) or close(got, (stds**2).mean() ** 0.5):
        raise Hint("That is the part within the images. Their means differ, too.")
    if close(got, ((stds**2).mean() + means.var()) ** 0.5):
        raise Hint("Images differ in size: weigh them by their counts.")
    if close(got, (share * (stds**2 + (means - means.mean()) ** 2)).sum() ** 0.5):
        raise Hint("The variances are weighed, the mean that you subtract is not. Weigh it, too.")
    if close(got, means.std()) or close(got, (share * (means - share @ means) ** 2).sum() ** 0.5):
        raise Hint("That is the part between the images. Their pixels differ within them, too.")
    wanted = np.concatenate(images).std()
    if close(got, wanted**2):
        raise Hint("That is the variance. Take the root.")
    expect_close(got, wanted, "the deviation of three small images")
    expect_close(
        pooled_std(np.array([3.0, 5.0]), np.array([1.0, 1.0]), np.array([2.0, 2.0])),
        2.0,
        "the deviation of two images with the same mean and deviation",
    )


@check_pooled_std.wrong("is not the deviation")
def averages_the_deviations(counts, means, stds):
    return stds.mean()


@check_pooled_std.wrong("Their means differ, too")
def forgets_what_lies_between(counts, means, stds):
    return ((counts * stds**2).sum() / counts.sum()) ** 0.5


@check_pooled_std.wrong("weigh them by their counts")
def forgets_the_sizes(counts, means, stds):
    return ((stds**2).mean() + means.var()) ** 0.5


@check_pooled_std.wrong("the mean that you subtract is not")
def subtracts_the_plain_mean(counts, means, stds):
    return ((counts * (stds**2 + (means - means.mean()) ** 2)).sum() / counts.sum()) ** 0.5


@check_pooled_std.wrong("differ within them")
def forgets_what_lies_within(counts, means, stds):
    return means.std()


@check_pooled_std.wrong("Take the root")
def gives_the_variance(counts, means, stds):
    return pooled_std(counts, means, stds) ** 2


def moved_box(box, A, middle):
    """The smallest upright box around the moved corners, as four numbers."""
    x0, y0, x1, y1 = box
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    moved = (corners - middle) @ A.T + middle  # (4, 2)
    return [*moved.min(0), *moved.max(0)]


@exercise(
    solution=moved_box,
    reasoning="""An affine map keeps lines straight, so the moved box is a parallelogram, and its
extremes are at its corners, all four of them. `p @ A.T` maps points that are rows.""",
    shown="The box holds the corners; after two turns it is looser than after one.",
)
def check_moved_box(moved_box):
    a = np.deg2rad(30)
    A = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    box, middle = (2.0, 4.0, 10.0, 8.0), np.array([14.0, 14.0])
    got = np.ravel(np.asarray(moved_box(box, A, middle), float))
    expect(got.shape == (4,), f"Four numbers are wanted, x0, y0, x1, y1; yours are {got.size}.")

    def around(corners, B, m):
        p = (np.array(corners) - m) @ B.T + m
        return [*p.min(0), *p.max(0)]

    four = [[2, 4], [10, 4], [10, 8], [2, 8]]
    diagonal = (np.array([[2, 4], [10, 8]]) - middle) @ A.T + middle
    if close(got, diagonal.ravel()) or close(got, around([[2, 4], [10, 8]], A, middle)):
        raise Hint("Two corners are not enough: the extremes may lie at the other two.")
    if close(got, around(four, A, 0 * middle)):
        raise Hint("You turn around the corner of the image, (0, 0). Turn around `middle`.")
    if close(got, around(four, A.T, middle)):
        raise Hint(
            "That is the inverse map. Points that are rows are moved by `p @ A.T`; the inverse is "
            "for finding where a pixel came from."
        )
    wanted = around(four, A, middle)
    if close(got, np.array(wanted) - 14):
        raise Hint("You subtract `middle` and do not add it again.")
    if close(got, around(four, A, np.array([6.0, 6.0]))):
        raise Hint("You turn around the middle of the box. `middle` is that of the image.")
    if close(got, np.array(wanted)[[0, 2, 1, 3]]):
        raise Hint("The order is x0, y0, x1, y1: both lowest ones first.")
    expect(close(got, wanted), f"Turned by 30 degrees: {np.round(wanted, 2).tolist()} is wanted.")
    mirror = np.array([[-1.0, 0.0], [0.0, 1.0]])
    got = np.ravel(np.asarray(moved_box(box, mirror, middle), float))
    expect(close(got, [18, 4, 26, 8]), "A mirrored box must still have x0 < x1: 18, 4, 26, 8.")
    sheared = np.array([[1.5, 0.5], [0.0, 0.5]])
    got = np.ravel(np.asarray(moved_box(box, sheared, middle), float))
    if close(got, around(four, np.linalg.inv(sheared).T, middle)):
        raise Hint(
            "Right for turns, whose inverse is their transpose, and for nothing else: a point that "
            "is a row is moved by `p @ A.T`."
        )
    expect(close(got, [-9, 9, 5, 11]), "Sheared by [[1.5, 0.5], [0, 0.5]]: -9, 9, 5, 11 is wanted.")


@check_moved_box.wrong("Two corners are not enough")
def moves_two_corners(box, A, middle):
    ends = (np.reshape(box, (2, 2)) - middle) @ A.T + middle
    return [*ends.min(0), *ends.max(0)]


@check_moved_box.wrong("Turn around `middle`")
def forgets_the_middle(box, A, middle):
    return moved_box(box, A, 0 * middle)


@check_moved_box.wrong("That is the inverse map")
def moves_them_back(box, A, middle):
    return moved_box(box, A.T, middle)


@check_moved_box.wrong("Right for turns")
def takes_the_inverse_for_the_transpose(box, A, middle):
    return moved_box(box, np.linalg.inv(A).T, middle)


@check_moved_box.wrong("do not add it again")
def forgets_to_come_back(box, A, middle):
    return moved_box(np.array(box) - [*middle, *middle], A, 0 * middle)


@check_moved_box.wrong("around the middle of the box")
def turns_around_the_box(box, A, middle):
    return moved_box(box, A, np.reshape(box, (2, 2)).mean(0))


@check_moved_box.wrong("both lowest ones first")
def puts_x_before_y(box, A, middle):
    x0, y0, x1, y1 = moved_box(box, A, middle)
    return [x0, x1, y0, y1]


# -- read a paper ------------------------------------------------------------------------------


def unweighted(q, w):
    """The probability for which a loss that weighs the class by w is least at q."""
    return q / (q + w * (1 - q))


@exercise(
    solution=unweighted,
    reasoning=r"""In odds the weighting is a factor: $\frac{q}{1-q} = w\,\frac{p}{1-p}$. Divide by
$w$ and go back from odds to a probability: $p = \frac{q}{q + w (1 - q)}$. The theorem has
base rates in place of a weight, $b$ in training and $b'$ in use; its formula is this one, with the
quotient of their odds, $w = \frac{b}{1 - b} \big/ \frac{b'}{1 - b'}$.""",
    shown="A model trained on weighted classes, and probabilities that may be believed.",
)
def check_unweighted(unweighted):
    got = unweighted(0.5, 4.0)
    if close(unweighted(0.9, 9.0), 0.1) and close(unweighted(0.5, 9.0), 0.1):
        raise Hint("1 / (1 + w) is the p at which q is one half. Other answers q have another p.")
    if close(got, 0.8) and close(unweighted(0.9, 9.0), 0.5):
        raise Hint("That is the probability of the *other* class.")
    if close(got, 0.8):
        raise Hint("You apply the weights once more. Undo them: the class is rarer than q says.")
    if close(got, 0.125):
        raise Hint("Odds are divided by w, and not probabilities: at q = 1 yours gives 1 / w.")
    if close(got, 0.25):
        raise Hint("0.25 are the *odds*, p / (1 - p). Go back to a probability.")
    if close(got, -np.log(4)):
        raise Hint("That is the logit of p. Send it through the logistic function.")
    expect_close(got, 0.2, "unweighted(0.5, 4)")
    expect_close(unweighted(0.9, 9.0), 0.5, "unweighted(0.9, 9)")
    expect_close(unweighted(0.37, 1.0), 0.37, "unweighted(0.37, 1), with no weight at all,")


@check_unweighted.wrong("once more")
def weighs_again(q, w):
    return w * q / (w * q + 1 - q)


@check_unweighted.wrong("at which q is one half")
def gives_the_threshold(q, w):
    return 1 / (1 + w)


@check_unweighted.wrong("of the *other* class")
def gives_the_other_class(q, w):
    return 1 - unweighted(q, w)


@check_unweighted.wrong("Odds are divided by w")
def divides_the_probability(q, w):
    return q / w


@check_unweighted.wrong("are the *odds*")
def gives_the_odds(q, w):
    return q / (1 - q) / w


@check_unweighted.wrong("the logit of p")
def gives_the_logit(q, w):
    return np.log(q / (1 - q)) - np.log(w)
