"""Exercises of the chapter backpropagation. The form: dlcourse/exercises/__init__.py."""

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="zero_start",
    solution=2,
    reasoning=(
        "$\\Delta^{(2)} = P - Y$ is the gradient by $b^{(2)}$, and is not zero. That by $W^{(2)}$ "
        "has the factor $H = \\sigma(0) = \\frac12$, which is not zero either; both of the first "
        "layer have the factor $W^{(2)} = 0$."
    ),
    shown=(
        "From zero the last layer moves first, and moves alike for all units: symmetry must be "
        "broken by the first weights."
    ),
)
def check_zero_start(answer):
    if close(answer, 4):
        raise Hint("The loss is not 0, but each gradient has more factors: which of them are 0?")
    if close(answer, 0):
        raise Hint("All weights are 0, but $P - Y$ is not. Which gradient is $P - Y$ itself?")
    if close(answer, 1):
        raise Hint(
            "So it is with tanh and ReLU. What does the gradient by $W^{(2)}$ multiply "
            "$\\Delta^{(2)}$ by, and how large is a sigmoid at 0?"
        )
    expect(
        close(answer, 2),
        "Write the four gradients of the delta rule, and strike out each that has a factor 0.",
    )


check_zero_start.wrong("more factors", 4)
check_zero_start.wrong("$P - Y$ itself", 0)
check_zero_start.wrong("how large is a sigmoid at 0", 1)
check_zero_start.wrong("strike out", 3)

# -- by hand -----------------------------------------------------------------------------------


def normalize_backward(X, G):
    """The gradient by X of rows y = x / |x|, when G comes in."""
    length = np.sqrt((X**2).sum(axis=1, keepdims=True))  # (B, 1)
    Y = X / length
    return (G - Y * (Y * G).sum(axis=1, keepdims=True)) / length  # (B, D)


@exercise(
    solution=normalize_backward,
    reasoning=r"""$dy = \frac{1}{\lVert x \rVert} (I - y y^\top)\, dx$, and the matrix is symmetric:
$g$ goes back as $\frac{1}{\lVert x \rVert}\bigl(g - y\,(y^\top g)\bigr)$.""",
    shown="What comes back is at right angles to $x$: lengthening $x$ changes nothing.",
)
def check_normalize_backward(normalize_backward):
    X, G = np.array([[3.0, 4.0], [0.0, 2.0]]), np.array([[5.0, 0.0], [1.0, 7.0]])
    got = normalize_backward(X, G)
    right = np.array([[0.64, -0.48], [0.5, 0.0]])
    length = np.array([[5.0], [2.0]])
    if close(got, G / length):
        raise Hint("The length depends on x, too: a second term is missing.")
    if close(got, right * length):
        raise Hint("The direction is right; the factor 1 / |x| is missing.")
    if close(got, 2 * G / length - right):
        raise Hint("The second term is to be taken away: the quotient rule has a minus.")
    all_rows = X / np.sqrt(np.sum(X**2))
    if close(got, (G - all_rows * np.sum(all_rows * G)) / np.sqrt(np.sum(X**2))):
        raise Hint("You take one length for the whole batch. Each row has its own.")
    Y = X / length
    if close(got, (G - Y * np.sum(Y * G)) / length):
        raise Hint("You add up over the whole batch. Each row has its own inner product.")
    if close(got, (G - X * (X * G).sum(1, keepdims=True)) / length):
        raise Hint("The projection needs vectors of length one: take y, not x.")
    expect_close(got, right, "normalize_backward(X, G) for X = [[3, 4], [0, 2]]")


@check_normalize_backward.wrong("a second term is missing")
def takes_the_length_for_constant(X, G):
    return G / np.linalg.norm(X, axis=1, keepdims=True)


@check_normalize_backward.wrong("factor 1 / |x|")
def forgets_the_length(X, G):
    return normalize_backward(X, G) * np.linalg.norm(X, axis=1, keepdims=True)


@check_normalize_backward.wrong("has a minus")
def has_the_wrong_sign(X, G):
    length = np.linalg.norm(X, axis=1, keepdims=True)
    Y = X / length
    return (G + Y * (Y * G).sum(1, keepdims=True)) / length


@check_normalize_backward.wrong("whole batch")
def sums_over_the_batch(X, G):
    length = np.linalg.norm(X, axis=1, keepdims=True)
    Y = X / length
    return (G - Y * (Y * G).sum()) / length


@check_normalize_backward.wrong("Each row has its own.")
def takes_one_length_for_all(X, G):
    length = np.linalg.norm(X)
    Y = X / length
    return (G - Y * np.sum(Y * G)) / length


@check_normalize_backward.wrong("take y, not x")
def projects_on_x(X, G):
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return (G - X * (X * G).sum(1, keepdims=True)) / length


# -- change the code ---------------------------------------------------------------------------


def _sigmoid(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def silu_backward(Z, G):
    """The gradient by Z of z * sigmoid(z), entry by entry, when G comes in."""
    s = 1 / (1 + np.exp(-Z))
    return G * (s + Z * s * (1 - s))


@exercise(
    solution=silu_backward,
    reasoning=r"""The product rule: $\sigma(z) + z\,\sigma(z)\,(1 - \sigma(z))$, times what comes
in.""",
    shown="An activation that is not monotone: its slope cannot be had from its output.",
)
def check_silu_backward(silu_backward):
    Z, G = np.array([[0.0, 2.0, -3.0]]), np.array([[2.0, 3.0, -1.0]])
    got, s = silu_backward(Z, G), _sigmoid(Z)
    if close(got, s + Z * s * (1 - s)):
        raise Hint("That is the slope. It still has to multiply what comes in, `G`.")
    if close(got, G * s * (1 - s)):
        raise Hint("That is the sigmoid's own backward. Here z stands before it: product rule.")
    if close(got, G * Z * s * (1 - s)):
        raise Hint("The product rule has two terms; the one that differentiates z is missing.")
    if close(got, G * s):
        raise Hint("The product rule has two terms; the one that differentiates sigma is missing.")
    expect_close(got, G * (s + Z * s * (1 - s)), "silu_backward(Z, G) for Z = [[0, 2, -3]]")


@check_silu_backward.wrong("multiply what comes in")
def forgets_what_comes_in(Z, G):
    return _sigmoid(Z) + Z * _sigmoid(Z) * (1 - _sigmoid(Z))


@check_silu_backward.wrong("sigmoid's own")
def takes_the_sigmoid(Z, G):
    return G * _sigmoid(Z) * (1 - _sigmoid(Z))


@check_silu_backward.wrong("differentiates z is missing")
def forgets_the_first_term(Z, G):
    return G * Z * _sigmoid(Z) * (1 - _sigmoid(Z))


@check_silu_backward.wrong("differentiates sigma is missing")
def forgets_the_second_term(Z, G):
    return G * _sigmoid(Z)


# -- derive ------------------------------------------------------------------------------------


def leaky_std(D_in, a):
    """The standard deviation of the weights of a layer behind leaky ReLU."""
    return (2 / ((1 + a**2) * D_in)) ** 0.5


@exercise(
    solution=leaky_std,
    reasoning=r"""Half of the values keep their square, the other half $a^2$ of it:
$\mathbb{E}[h^2] = \frac{1 + a^2}{2} \operatorname{Var}[z]$, hence
$\operatorname{Var}[w] = 2 / ((1 + a^2) D_\text{in})$.""",
    shown="One formula from He's layer ($a = 0$) to the linear one ($a = 1$).",
)
def check_leaky_std(leaky_std):
    got = leaky_std(50, 0.5)
    if close(got, 2 / (1.25 * 50)):
        raise Hint("That is the variance; the standard deviation is its square root.")
    if close(got, 0.2):
        raise Hint("That is He's for plain ReLU. What does the negative half keep?")
    if close(got, (2 / (1.5 * 50)) ** 0.5):
        raise Hint("The negative half keeps a of the value, so a**2 of its *square*.")
    if close(got, (1 / (1.25 * 50)) ** 0.5):
        raise Hint("With a = 0 it must be He's: each half weighs one half, so a 2 stands above.")
    expect_close(got, 0.032**0.5, "leaky_std(50, 0.5)")
    expect_close(leaky_std(100, 1.0), 0.1, "leaky_std(100, 1.0), the linear layer's")


@check_leaky_std.wrong("its square root")
def gives_the_variance(D_in, a):
    return 2 / ((1 + a**2) * D_in)


@check_leaky_std.wrong("negative half keep")
def forgets_the_leak(D_in, a):
    return (2 / D_in) ** 0.5


@check_leaky_std.wrong("of its *square*")
def forgets_to_square(D_in, a):
    return (2 / ((1 + a) * D_in)) ** 0.5


@check_leaky_std.wrong("a 2 stands above")
def forgets_the_half(D_in, a):
    return (1 / ((1 + a**2) * D_in)) ** 0.5


# -- build new ---------------------------------------------------------------------------------


def residual_backward(X, W, H, G):
    """The gradients by X and W of Y = X + H, H = tanh(X @ W.T), when G comes in."""
    delta = G * (1 - H**2)  # (B, D)
    return G + delta @ W, delta.T @ X  # (B, D), (D, D)


@exercise(
    solution=residual_backward,
    reasoning=r"""$X$ is used twice, so its gradients add up: $G$ straight down, and
$\Delta W$ through the layer, $\Delta = G \odot (1 - H^2)$. The gradient by $W$ is
$\Delta^\top X$.""",
    shown="The Jacobian is $I + J$: however small $J$ is, the gradient arrives.",
)
def check_residual_backward(residual_backward):
    rng = np.random.default_rng(0)
    X, W, G = (rng.normal(size=shape) for shape in ((4, 3), (3, 3), (4, 3)))
    H = np.tanh(X @ W.T)
    got = residual_backward(X, W, H, G)
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        "Give two gradients back, by X and by W: `return ..., ...`.",
    )
    by_X, by_W = got
    right_X, right_W = G + (G * (1 - H**2)) @ W, (G * (1 - H**2)).T @ X
    if close(by_X, right_X - G):
        raise Hint("X is used twice: what comes straight down, past the layer, is missing.")
    if close(by_X, G + G @ W):
        raise Hint("The slope of tanh, `1 - H**2`, is missing on the way through the layer.")
    if close(by_X, G + (G * (1 - np.tanh(H) ** 2)) @ W):
        raise Hint("H is tanh already: its slope is `1 - H**2`, without another tanh.")
    if close(by_X, G + (G * (1 - H**2)) @ W.T):
        raise Hint("Forward multiplies by `W.T`, so backward multiplies by `W`.")
    expect_close(by_X, right_X, "the gradient by X")
    if close(by_W, right_W.T):
        raise Hint("The gradient by W is transposed: outputs come first, `delta.T @ X`.")
    if close(by_W, G.T @ X):
        raise Hint("By X the slope is there; the gradient by W needs it, too: `delta.T @ X`.")
    if close(by_W, (G * (1 - H**2)).T @ H):
        raise Hint("W multiplied what went *into* the layer: `delta.T @ X`, and not `H`.")
    if close(by_W, right_W / len(X)):
        raise Hint("No 1 / B here: it is in `G` already, from the mean in the loss.")
    expect_close(by_W, right_W, "the gradient by W")


@check_residual_backward.wrong("straight down")
def forgets_the_shortcut(X, W, H, G):
    delta = G * (1 - H**2)
    return delta @ W, delta.T @ X


@check_residual_backward.wrong("slope of tanh")
def forgets_the_slope(X, W, H, G):
    return G + G @ W, G.T @ X


@check_residual_backward.wrong("without another tanh")
def takes_the_slope_at_H(X, W, H, G):
    delta = G * (1 - np.tanh(H) ** 2)
    return G + delta @ W, delta.T @ X


@check_residual_backward.wrong("needs it, too")
def forgets_the_slope_for_W(X, W, H, G):
    return G + (G * (1 - H**2)) @ W, G.T @ X


@check_residual_backward.wrong("backward multiplies by `W`")
def transposes_the_weight(X, W, H, G):
    delta = G * (1 - H**2)
    return G + delta @ W.T, delta.T @ X


@check_residual_backward.wrong("outputs come first")
def transposes_the_gradient(X, W, H, G):
    delta = G * (1 - H**2)
    return G + delta @ W, X.T @ delta


@check_residual_backward.wrong("went *into* the layer")
def takes_what_came_out(X, W, H, G):
    delta = G * (1 - H**2)
    return G + delta @ W, delta.T @ H


@check_residual_backward.wrong("No 1 / B here")
def divides_by_the_batch(X, W, H, G):
    delta = G * (1 - H**2)
    return G + delta @ W, delta.T @ X / len(X)


@check_residual_backward.wrong("two gradients back")
def gives_one_gradient(X, W, H, G):
    return G + (G * (1 - H**2)) @ W


# -- read a paper ------------------------------------------------------------------------------


def feedback_alignment(X, H, delta2, R):
    """The steps for W1 and W2 when blame goes down through R instead of W2."""
    delta1 = (delta2 @ R) * (1 - H**2)  # (B, K) -> (B, D)
    return delta1.T @ X, delta2.T @ H  # (D, D_in), (K, D)


@exercise(
    solution=feedback_alignment,
    reasoning=r"""$\Delta^{(1)} = (\Delta^{(2)} R) \odot (1 - H^2)$, and the rest of the delta rule
as it is. It is no gradient, and learns all the same: $W^{(2)}$ comes to point the way $R$ does
(Lillicrap and others, 2016).""",
    shown="One letter of the delta rule changed. Train with it: it learns.",
)
def check_feedback_alignment(feedback_alignment):
    rng = np.random.default_rng(1)
    X, Z, delta2, R = (rng.normal(size=s) for s in ((5, 4), (5, 3), (5, 2), (2, 3)))
    H = np.tanh(Z)
    got = feedback_alignment(X, H, delta2, R)
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        "Give two arrays back, for W1 and for W2: `return ..., ...`.",
    )
    for_W1, for_W2 = got
    slope = 1 - H**2
    if np.shape(for_W1) == (2, 3) and np.shape(for_W2) == (3, 4):
        raise Hint("The two have changed places: the step for W1 comes first.")
    if close(for_W1, (delta2 @ R).T @ X):
        raise Hint("The blame of a hidden unit is still multiplied by its slope, `1 - H**2`.")
    if close(for_W1, (delta2 @ R * H).T @ X):
        raise Hint("Multiply by the *slope* of tanh, `1 - H**2`, and not by its value.")
    if close(for_W1, -((delta2 @ R) * slope).T @ X):
        raise Hint("No minus: they stand in the place of gradients, and training subtracts them.")
    if close(for_W1, ((delta2 @ R) * slope).T @ X / len(X)):
        raise Hint("`delta2` has the 1 / B in it already: do not divide again.")
    expect_close(for_W1, ((delta2 @ R) * slope).T @ X, "the step for W1")
    if close(for_W2, (delta2 @ R).T @ H):
        raise Hint("Only what goes *down* passes through R. The step for W2 is as before.")
    expect_close(for_W2, delta2.T @ H, "the step for W2")


@check_feedback_alignment.wrong("still multiplied by its slope")
def forgets_the_units_slope(X, H, delta2, R):
    return (delta2 @ R).T @ X, delta2.T @ H


@check_feedback_alignment.wrong("not by its value")
def multiplies_by_the_value(X, H, delta2, R):
    return (delta2 @ R * H).T @ X, delta2.T @ H


@check_feedback_alignment.wrong("No minus")
def walks_downhill_already(X, H, delta2, R):
    return -((delta2 @ R) * (1 - H**2)).T @ X, -delta2.T @ H


@check_feedback_alignment.wrong("do not divide again")
def divides_again(X, H, delta2, R):
    return ((delta2 @ R) * (1 - H**2)).T @ X / len(X), delta2.T @ H


@check_feedback_alignment.wrong("changed places")
def gives_the_second_first(X, H, delta2, R):
    return feedback_alignment(X, H, delta2, R)[::-1]


@check_feedback_alignment.wrong("as before")
def sends_both_through_R(X, H, delta2, R):
    return ((delta2 @ R) * (1 - H**2)).T @ X, (delta2 @ R).T @ H
