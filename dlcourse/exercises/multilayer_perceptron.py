"""Exercises of the chapter multilayer perceptron. The form: dlcourse/exercises/__init__.py."""

import itertools

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="parameters",
    solution=84_060,
    reasoning="A layer has $H(C + 1)$: $100 \\cdot 785 + 50 \\cdot 101 + 10 \\cdot 51$.",
    shown="Nearly all of them are in the first layer: images are long lists.",
)
def check_parameters(answer):
    if close(answer, 83_900):
        raise Hint("Those are the weights. Each unit has a bias, too.")
    if close(answer, 83_550):
        raise Hint("The last layer is missing: 50 numbers go into each of the ten logits.")
    if close(answer, 944):
        raise Hint("Those are the units. Each is connected with every unit of the layer before.")
    expect(close(answer, 84_060), "Add up H * (C + 1) over the three layers: H units, C inputs.")


check_parameters.wrong("has a bias", 83_900)
check_parameters.wrong("last layer is missing", 83_550)
check_parameters.wrong("Those are the units", 944)
check_parameters.wrong("three layers", 84_000)


@exercise(
    name="arrangement",
    solution=8748,
    reasoning="""The widths are multiplied, and their sum is 25. A width above 4 is better split, as
$2 (H - 2) > H$; three twos are worse than two threes; a one is wasted. So seven layers of three,
and one of four or two of two: $3^7 \\cdot 4 = 8748$.""",
    shown="Narrow layers fold most, but not the narrowest: a layer of one unit folds nothing.",
)
def check_arrangement(answer):
    if close(answer, 3125):
        raise Hint("That is five layers of five. Is one of five better than a two and a three?")
    if close(answer, 6561):
        raise Hint("That is eight layers of three, and one unit is left over. Put it to use.")
    if close(answer, 4096) or close(answer, 6144):
        raise Hint("Nearly all in twos. Compare three layers of two with two layers of three.")
    if close(answer, 19683):
        raise Hint("Nine layers of three are 27 units.")
    if close(answer, 25) or close(answer, 26):
        raise Hint("That is all of them side by side. Put some behind each other.")
    if close(answer, 2**25):
        raise Hint("Each layer must fold, and a layer of one unit has no crease to fold at.")
    if close(answer, 8) or close(answer, 3):
        raise Hint("Not how many layers or units a layer: how many pieces they draw.")
    expect(
        close(answer, 8748),
        "The widths add up to 25, and the pieces are their product. Which widths are better split?",
    )


check_arrangement.wrong("a two and a three", 3125)
check_arrangement.wrong("left over", 6561)
check_arrangement.wrong("Compare three layers of two", 6144)
check_arrangement.wrong("27 units", 3**9)
check_arrangement.wrong("side by side", 25)
check_arrangement.wrong("no crease", 2**25)
check_arrangement.wrong("how many pieces", 8)
check_arrangement.wrong("better split", 7776)


# -- by hand -----------------------------------------------------------------------------------


def parity():
    """W1 (3, 3), b1 (3,), W2 (1, 3), b2 (1,) of a ReLU network for three bits."""
    W1 = np.ones((3, 3))  # each unit sees the number of ones
    b1 = np.array([0.0, -1.0, -2.0])
    W2 = np.array([[1.0, -2.0, 2.0]])  # the changes of slope: to 1, to -1, to 1
    return W1, b1, W2, np.zeros(1)


@exercise(
    solution=parity,
    reasoning="""All units see the number of ones. As a function of it the parity goes up, down and
up again; the outgoing weights are its changes of slope.""",
    shown="Side by side, in this way, it takes as many ReLUs as bits; folds need the logarithm.",
)
def check_parity(parity):
    got = parity()
    expect(
        isinstance(got, tuple | list) and len(got) == 4, "Return the four arrays W1, b1, W2, b2."
    )
    W1, b1, W2, b2 = (np.asarray(a, dtype=float) for a in got)
    for name, array, shape in zip(
        ("W1", "b1", "W2", "b2"), (W1, b1, W2, b2), ((3, 3), (3,), (1, 3), (1,)), strict=True
    ):
        expect(array.shape == shape, f"{name} should have shape {shape}, but has {array.shape}.")
    bits = np.array(list(itertools.product((0, 1), repeat=3)))
    said = (np.maximum(0, bits @ W1.T + b1) @ W2.T + b2)[:, 0]
    ones = bits.sum(1)
    if close(said, np.array([0, 1, 0, -1])[ones]):
        raise Hint("Right for 0, 1 and 2 ones. After 2 the line goes on falling: a third kink.")
    if close(said, np.array([0, 1, 0, 0])[ones]):
        raise Hint("From 2 to 3 ones it must rise by 1: the slope changes from -1 to +1, by 2.")
    if close(said, ones):
        raise Hint("That counts the ones. The slope must change where there are 1 and 2 of them.")
    for row, got, wanted in zip(bits.tolist(), said, ones % 2, strict=True):
        expect(
            close(got, wanted),
            f"For the bits {row} the output should be {wanted}: it is {got:.3g}.",
        )


@check_parity.wrong("a third kink")
def xor_of_the_page():
    W1, b1, W2, b2 = parity()
    return W1, b1, W2 * [[1, 1, 0]], b2


@check_parity.wrong("from -1 to +1")
def weights_are_slopes():
    W1, b1, _, b2 = parity()
    return W1, b1, np.array([[1.0, -2.0, 1.0]]), b2


@check_parity.wrong("That counts the ones")
def counts():
    W1, b1, _, b2 = parity()
    return W1, b1, np.array([[1.0, 0.0, 0.0]]), b2


@check_parity.wrong("should be")
def reads_one_bit():
    _, b1, W2, b2 = parity()
    return np.eye(3), b1, W2, b2


@check_parity.wrong("should have shape (1, 3)")
def a_flat_last_layer():
    W1, b1, W2, b2 = parity()
    return W1, b1, W2[0], b2


# -- change the code ---------------------------------------------------------------------------


def backward_tanh(G, saved):
    """Gradients [(W, b), ...] of a tanh network: G (B, K), saved [(h, W), ...]."""
    grads = []
    for h, W in reversed(saved):
        grads.insert(0, (G.T @ h, G.sum(0)))
        G = (G @ W) * (1 - h**2)  # tanh' = 1 - tanh^2, and h is the tanh
    return grads


@exercise(
    solution=backward_tanh,
    reasoning="""Only the slope is another: $1 - \\tanh^2(A)$, and $\\tanh(A)$ has been saved, as
the input $h$ of the next layer. What comes out below the first layer is thrown away.""",
    shown="Slopes that can be read off the output save memory: A itself need not be kept.",
)
def check_backward_tanh(backward_tanh):
    rng = np.random.default_rng(0)
    shapes, X, G = [(4, 3), (5, 4), (2, 5)], rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    leaves = [
        (mini.tensor(rng.normal(size=s), requires_grad=True),
         mini.tensor(rng.normal(size=s[0]), requires_grad=True))
        for s in shapes
    ]  # fmt: skip
    saved, h = [], mini.tensor(X)
    for W, b in leaves:
        saved.append((h.detach().numpy().copy(), W.detach().numpy().copy()))
        A = h @ W.T + b
        h = A.tanh()
    A.backward(mini.tensor(G))
    got = backward_tanh(G.copy(), saved)
    expect(
        isinstance(got, tuple | list)
        and len(got) == 3
        and all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in got),
        "Return a list of three pairs (gradient of W, gradient of b), one for each layer.",
    )
    shape = lambda pair: np.shape(pair[0])  # noqa: E731
    if [shape(pair) for pair in got] == shapes[::-1]:
        raise Hint("These are in the order of the backward pass. Give the first layer first.")
    for number, ((W, b), pair) in enumerate(zip(leaves[::-1], got[::-1], strict=True)):
        layer = f"layer {3 - number} of 3"
        if np.shape(pair[1]) == b.shape and close(pair[1], b.grad.numpy() / 6):
            raise Hint("The bias is added to each row of the batch: its gradient is a sum over B.")
        if number == 1 and close(pair[0], _first_hidden(G, saved, lambda h: h > 0)):
            raise Hint("`h > 0` is the slope of ReLU. What is the slope of tanh, said with h?")
        if number == 1 and close(pair[0], _first_hidden(G, saved, lambda h: 1 - np.tanh(h) ** 2)):
            raise Hint("h is tanh(A) already: the slope is 1 - h ** 2.")
        if number == 1 and close(pair[0], _first_hidden(G, saved, np.ones_like)):
            raise Hint("On the way down, G passes the activation: times its slope.")
        expect_close(pair[0], W.grad.numpy(), f"the gradient of W in {layer}")
        expect_close(pair[1], b.grad.numpy(), f"the gradient of b in {layer}")


def _first_hidden(G, saved, slope):
    """The gradient of the last W but one if the activation had that slope."""
    (h1, _), (h2, W2) = saved[-2:]
    return ((G @ W2) * slope(h2)).T @ h1


def _with_slope(slope):
    def answer(G, saved):
        grads = []
        for h, W in reversed(saved):
            grads.insert(0, (G.T @ h, G.sum(0)))
            G = (G @ W) * slope(h)
        return grads

    return answer


check_backward_tanh.wrong("slope of ReLU", _with_slope(lambda h: h > 0))
check_backward_tanh.wrong("tanh(A) already", _with_slope(lambda h: 1 - np.tanh(h) ** 2))
check_backward_tanh.wrong("times its slope", _with_slope(np.ones_like))


@check_backward_tanh.wrong("first layer first")
def last_layer_first(G, saved):
    return backward_tanh(G, saved)[::-1]


@check_backward_tanh.wrong("a sum over B")
def means_over_the_batch(G, saved):
    return [(W, b / len(G)) for W, b in backward_tanh(G, saved)]


@check_backward_tanh.wrong("the gradient of W in layer 2 of 3")
def forgets_a_square(G, saved):
    return _with_slope(lambda h: 1 - h)(G, saved)


def balance(W1, b1, W2):
    """W1 (H, C), b1 (H,), W2 (K, H), rescaled to equal norms in and out."""
    incoming = np.sqrt((W1**2).sum(1) + b1**2)  # (H,)
    outgoing = np.sqrt((W2**2).sum(0))  # (H,)
    works = (incoming > 0) & (outgoing > 0)
    alpha, back = np.zeros_like(incoming), np.zeros_like(incoming)
    alpha[works] = np.sqrt(outgoing[works] / incoming[works])
    back[works] = 1 / alpha[works]
    return W1 * alpha[:, None], b1 * alpha, W2 * back


@exercise(
    solution=balance,
    reasoning="""$\\alpha \\lVert u \\rVert = \\lVert v \\rVert / \\alpha$ gives
$\\alpha = \\sqrt{\\lVert v \\rVert / \\lVert u \\rVert}$; the bias is part of $u$.""",
    shown="Of all rescalings of a network the balanced one has the smallest sum of squares.",
)
def check_balance(balance):
    rng = np.random.default_rng(0)
    W1, b1, W2 = rng.normal(size=(4, 3)), rng.normal(size=4), 3 * rng.normal(size=(2, 4))
    W2[:, 3] /= 100  # not every unit is large
    got = balance(W1.copy(), b1.copy(), W2.copy())
    expect(isinstance(got, tuple | list) and len(got) == 3, "Return the three arrays W1, b1, W2.")
    got = [np.asarray(a, dtype=float) for a in got]
    X = rng.normal(size=(9, 3))

    def answers(W1, b1, W2):
        return np.maximum(0, X @ W1.T + b1) @ W2.T

    before, after = answers(W1, b1, W2), answers(*got)
    if close(got[1], b1) and not close(after, before):
        raise Hint("The bias belongs to what comes in: without it the kinks have moved.")
    expect(
        close(after, before), "The function has changed: what goes in times a, out divided by a."
    )
    incoming = np.sqrt((got[0] ** 2).sum(1) + got[1] ** 2)
    outgoing = np.sqrt((got[2] ** 2).sum(0))
    if close(np.sqrt((got[0] ** 2).sum(1)), outgoing):
        raise Hint("The norm of what comes in has the bias in it, too.")
    if close(incoming, np.ones(4)):
        raise Hint("That makes the incoming norms 1. Both are to be *equal*: scale by a root.")
    expect_close(
        incoming, outgoing, "the norms of what comes in", "They should equal the outgoing."
    )
    W1[1], b1[1], W2[:, 2] = 0, 0, 0
    before = answers(W1, b1, W2)
    with np.errstate(all="ignore"):
        got = [np.asarray(a, dtype=float) for a in balance(W1.copy(), b1.copy(), W2.copy())]
    expect(all(np.isfinite(a).all() for a in got), "A unit without weights divides by zero.")
    dead = [*got[0][2], got[1][2], *got[2][:, 1]]
    expect(close(dead, np.zeros(6)), "A unit that does nothing should have all its weights at 0.")
    expect(
        close(answers(*got), before),
        "With two units that do nothing the function has changed: the others still work.",
    )


@check_balance.wrong("The bias belongs")
def forgets_the_bias(W1, b1, W2):
    return balance(W1, b1, W2)[0], b1, balance(W1, b1, W2)[2]


@check_balance.wrong("has the bias in it")
def norm_without_bias(W1, b1, W2):
    alpha = np.sqrt(np.sqrt((W2**2).sum(0)) / np.sqrt((W1**2).sum(1)))
    return W1 * alpha[:, None], b1 * alpha, W2 / alpha


@check_balance.wrong("scale by a root")
def normalises(W1, b1, W2):
    norm = np.sqrt((W1**2).sum(1) + b1**2)
    return W1 / norm[:, None], b1 / norm, W2 * norm


@check_balance.wrong("divides by zero")
def forgets_dead_units(W1, b1, W2):
    alpha = np.sqrt(np.sqrt((W2**2).sum(0)) / np.sqrt((W1**2).sum(1) + b1**2))
    return W1 * alpha[:, None], b1 * alpha, W2 / alpha


@check_balance.wrong("the others still work")
def gives_up_on_dead_units(W1, b1, W2):
    product = (W1**2).sum(1) * (W2**2).sum(0)
    return balance(W1, b1, W2) if product.all() else (0 * W1, 0 * b1, 0 * W2)


@check_balance.wrong("out divided by a")
def scales_both(W1, b1, W2):
    return W1 * 2, b1 * 2, W2 * 2


# -- build -------------------------------------------------------------------------------------


def interpolate(t, y):
    """kinks (n,), weights (n,), bias of a ReLU network through t (n,), y (n,)."""
    slopes = np.concatenate([[0.0], np.diff(y) / np.diff(t), [0.0]])  # (n + 1,)
    return t, np.diff(slopes), y[0]


@exercise(
    solution=interpolate,
    reasoning="""The slope is 0 on the left, then that between neighbours, then 0 again; each unit's
weight is the change of slope at its point.""",
    shown="Constant outside: what a network does beyond its data is a choice, too.",
)
def check_interpolate(interpolate):
    t, y = np.array([-1.0, 0.0, 0.5, 3.0]), np.array([2.0, -1.0, 1.0, 0.0])
    got = interpolate(t, y)
    expect(
        isinstance(got, tuple | list) and len(got) == 3,
        "Return three things: kinks, weights, bias.",
    )
    kinks, weights, bias = (np.asarray(a, dtype=float) for a in got)
    expect(
        kinks.shape == weights.shape and kinks.ndim == 1, "kinks and weights have one shape (n,)."
    )
    expect(bias.size == 1, "The bias is one number.")
    g = lambda x: np.maximum(0, np.asarray(x)[:, None] - kinks) @ weights + bias  # noqa: E731
    slopes = np.diff(y) / np.diff(t)
    evenly = g(t[:2])[1] - g(t[:2])[0]
    if not bias.any() and close(g(t) + y[0], y):
        raise Hint("The whole graph is too low or too high by y[0]: the bias.")
    if close(evenly, (y[1] - y[0]) / np.mean(np.diff(t))):
        raise Hint("The points are not evenly spaced: divide by each interval's own length.")
    if close(weights[: len(slopes)], slopes):
        raise Hint("Those are the slopes. A unit's weight is the *change* of slope at its kink.")
    expect_close(g(t), y, "the network at the points t")
    expect_close(
        g([-0.5, 1.0]), [0.5, 0.8], "the network between the points", "It is straight there."
    )
    expect_close(g([-9.0]), [2.0], "the network left of the first point", "It is constant there.")
    expect_close(
        g([9.0]), [0.0], "the network right of the last point", "A last kink makes it level."
    )


@check_interpolate.wrong("right of the last point")
def as_on_the_page(t, y):
    return t[:-1], np.diff(np.diff(y) / np.diff(t), prepend=0.0), y[0]


@check_interpolate.wrong("the bias")
def without_bias(t, y):
    return *interpolate(t, y)[:2], 0.0


@check_interpolate.wrong("not evenly spaced")
def mean_spacing(t, y):
    slopes = np.concatenate([[0.0], np.diff(y) / np.mean(np.diff(t)), [0.0]])
    return t, np.diff(slopes), y[0]


@check_interpolate.wrong("*change* of slope")
def slopes_as_weights(t, y):
    return t[:-1], np.diff(y) / np.diff(t), y[0]


def pieces(slopes, kinks, weights):
    """How many straight pieces the sum of ReLUs has; three arrays (H,)."""
    places, unit = np.unique(kinks, return_inverse=True)
    change = np.zeros(len(places))
    np.add.at(change, unit, weights * abs(slopes))  # of the slope, left to right
    return 1 + int((abs(change) > 1e-12).sum())


@exercise(
    solution=pieces,
    reasoning="""A unit changes the slope at its kink by its weight times $|\\text{slope}|$,
whichever way it opens. Changes at one place add up.""",
    shown="At most one kink a unit: width alone bends a line only so often.",
)
def check_pieces(pieces):
    def count(slopes, kinks, weights):
        return pieces(np.array(slopes, float), np.array(kinks, float), np.array(weights, float))

    expect_close(count([1, 1, 2], [0, 1, 2], [1, -3, 2]), 4, "the pieces with three kinks")
    got = count([1, 1, -1], [0, 1, 2], [1, 0, 1])
    if close(got, 4):
        raise Hint("A unit with weight 0 bends nothing.")
    expect_close(got, 3, "the pieces with kinks at 0 and 2, and a weight of 0 at 1")
    got = count([1, 2], [1, 1], [1, 3])
    if close(got, 3):
        raise Hint("Two units with one kink make one bend.")
    expect_close(got, 2, "the pieces of two units that share a kink")
    got = count([2, -2, 1], [1, 1, 0], [1, 1, 1])
    if close(got, 2):
        raise Hint("|2x - 2| has a kink: the slope there goes from -2 to 2. Add w |s|, not w s.")
    expect_close(got, 3, "the pieces of |2x - 2| + relu(x)")
    got = count([1, -1, 1], [1, 1, 0], [1, -1, 1])
    if close(got, 3):
        raise Hint("relu(x - 1) - relu(1 - x) is straight: it is x - 1. Which slope changes at 1?")
    expect_close(got, 2, "the pieces of relu(x - 1) - relu(1 - x) + relu(x)")
    expect_close(count([0, 1], [5, 1], [1, 1]), 2, "the pieces with a slope of 0 in one unit")
    got = count([1, 1, 1], [0, 2.0**-30, 2.0**30], [1, 1, 1])
    expect(
        close(got, 4),
        "Kinks may lie as close or as far apart as you like: no grid sees all of them. Count "
        "the kinks themselves.",
    )


@check_pieces.wrong("bends nothing")
def one_a_unit(slopes, kinks, weights):
    return 1 + len(kinks)


@check_pieces.wrong("make one bend")
def one_a_working_unit(slopes, kinks, weights):
    return 1 + int(((slopes != 0) & (weights != 0)).sum())


@check_pieces.wrong("Which slope changes")
def distinct_kinks(slopes, kinks, weights):
    return 1 + len(np.unique(kinks[(slopes != 0) & (weights != 0)]))


@check_pieces.wrong("|2x - 2|")
def signed_slopes(slopes, kinks, weights):
    places, unit = np.unique(kinks, return_inverse=True)
    change = np.zeros(len(places))
    np.add.at(change, unit, weights * slopes)
    return 1 + int((abs(change) > 1e-12).sum())


@check_pieces.wrong("no grid sees all")
def counts_on_a_grid(slopes, kinks, weights):
    x = np.linspace(-10, 10, 2**14 + 1)
    bend = np.diff(np.maximum(0, slopes * (x[:, None] - kinks)) @ weights, 2)
    places = np.flatnonzero(abs(bend) > 1e-9)
    return 1 + len(places) - np.sum(np.diff(places) == 1)
