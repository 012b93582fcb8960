"""Exercises of the chapter recurrent_networks. The form: dlcourse/exercises/__init__.py."""

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="parameters",
    solution=15040,
    reasoning=r"""A layer and direction has $4 D (C + D + 2)$ parameters. The first layer reads
$C = 10$ features: $80 \cdot 32 = 2560$, twice for two directions. The second reads the outputs
of both directions, $C = 40$: $80 \cdot 62 = 4960$, twice. Together
$2 \cdot (2560 + 4960) = 15040$.""",
    shown="The second layer of a bidirectional network reads twice its width.",
)
def check_parameters(answer):
    if close(answer, 11840):
        raise Hint("The second layer reads the outputs of *both* directions: 40 features, not 20.")
    if close(answer, 14720):
        raise Hint("torch keeps two biases a layer, `bias_ih` and `bias_hh`: count both.")
    if close(answer, 11280):
        raise Hint("That is a GRU's number: an LSTM has four blocks of rows, not three.")
    if close(answer, 3760):
        raise Hint("That is a plain RNN's number: an LSTM has four blocks of rows.")
    if close(answer, 5920) or close(answer, 7520):
        raise Hint("Each layer has two directions, with weights of their own.")
    expect(
        close(answer, 15040),
        "Count `4 D (C + D + 2)` for each layer and direction; what is `C` in the second layer?",
    )


check_parameters.wrong("*both* directions", 11840)
check_parameters.wrong("two biases", 14720)
check_parameters.wrong("a GRU's number", 11280)
check_parameters.wrong("weights of their own", 7520)
check_parameters.wrong("Count", 10000)

# -- by hand -----------------------------------------------------------------------------------


def forget_bias(half_life):
    """The bias with which a cell, left alone, has half of itself after so long."""
    keep = 0.5 ** (1 / half_life)  # f ** half_life = 1/2
    return np.log(keep / (1 - keep))


@exercise(
    solution=forget_bias,
    reasoning=r"""$f^\tau = \tfrac12$ asks for $f = 2^{-1/\tau}$, and the inverse of the sigmoid is
$b = \log\frac{f}{1 - f}$.""",
    shown="A memory ten times as long costs a bias larger by about log 10, which is 2.3.",
)
def check_forget_bias(forget_bias):
    got = forget_bias(10.0)
    keep = 0.5**0.1
    right = np.log(keep / (1 - keep))
    if close(got, keep):
        raise Hint("That is the gate. The bias is what the sigmoid makes it from: its inverse.")
    if close(got, -right):
        raise Hint("The sign: a larger bias keeps more.")
    if close(got, -np.log(np.expm1(0.1))):
        raise Hint("After that time 1 / e would be left. A *half*-life is asked for.")
    if close(got, np.log(10.0)):
        raise Hint("log of the time is the rule of thumb, for 1 / e. Solve `gate ** steps = 1/2`.")
    expect_close(got, right, "forget_bias(10)")
    expect_close(forget_bias(1.0), 0.0, "forget_bias(1), where the gate is one half")


@check_forget_bias.wrong("That is the gate")
def gives_the_gate(half_life):
    return 0.5 ** (1 / half_life)


@check_forget_bias.wrong("a larger bias keeps more")
def has_the_wrong_sign(half_life):
    return -forget_bias(half_life)


@check_forget_bias.wrong("*half*-life")
def takes_the_time_of_one_over_e(half_life):
    keep = np.exp(-1 / half_life)
    return np.log(keep / (1 - keep))


@check_forget_bias.wrong("rule of thumb")
def takes_the_rule_of_thumb(half_life):
    return np.log(half_life)


# -- derive ------------------------------------------------------------------------------------


def leaky_backward(E, N, W, alpha):
    """dL/dh of h' = (1 - alpha) h + alpha N, N = tanh(h @ W.T ...); E = dL/dh'."""
    delta = alpha * E * (1 - N**2)  # (B, D)
    return (1 - alpha) * E + delta @ W  # (B, D)


@exercise(
    solution=leaky_backward,
    reasoning=r"""Two paths: straight down with the factor $1 - \alpha$, and through the tanh, with
the factor $\alpha$, the slope $1 - n^2$ and the weight.""",
    shown="With a small alpha the Jacobian is near I: a GRU whose update gate is a constant.",
)
def check_leaky_backward(leaky_backward):
    rng = np.random.default_rng(0)
    E, N, W = rng.normal(size=(3, 4)), np.tanh(rng.normal(size=(3, 4))), rng.normal(size=(4, 4))
    got = leaky_backward(E, N, W, 0.2)
    slope = 1 - N**2
    right = 0.8 * E + (0.2 * E * slope) @ W
    if close(got, (0.2 * E * slope) @ W):
        raise Hint("The straight path is missing: h reaches h' without the tanh, too.")
    if close(got, 0.8 * E + (E * slope) @ W):
        raise Hint("The tanh is multiplied by alpha on the way forward, so on the way back too.")
    if close(got, 0.8 * E + (0.2 * E) @ W):
        raise Hint("The slope of tanh, `1 - N**2`, is missing.")
    if close(got, 0.8 * E + (0.2 * E * slope) @ W.T):
        raise Hint("Forward multiplies by `W.T`, so backward multiplies by `W`.")
    if close(got, E + (0.2 * E * slope) @ W):
        raise Hint("The straight path has a factor: how much of h does h' keep?")
    expect_close(got, right, "leaky_backward(E, N, W, 0.2)")


@check_leaky_backward.wrong("straight path is missing")
def forgets_the_straight_path(E, N, W, alpha):
    return (alpha * E * (1 - N**2)) @ W


@check_leaky_backward.wrong("multiplied by alpha")
def forgets_alpha(E, N, W, alpha):
    return (1 - alpha) * E + (E * (1 - N**2)) @ W


@check_leaky_backward.wrong("slope of tanh")
def forgets_the_slope(E, N, W, alpha):
    return (1 - alpha) * E + (alpha * E) @ W


@check_leaky_backward.wrong("multiplies by `W`")
def transposes_the_weight(E, N, W, alpha):
    return (1 - alpha) * E + (alpha * E * (1 - N**2)) @ W.T


@check_leaky_backward.wrong("has a factor")
def keeps_all_of_it(E, N, W, alpha):
    return E + (alpha * E * (1 - N**2)) @ W


# -- change the code ---------------------------------------------------------------------------


def last_states(out, lengths):
    """The output at the last real step of each sequence: (B, T, D) to (B, D)."""
    return out[np.arange(len(out)), np.asarray(lengths) - 1]


@exercise(
    solution=last_states,
    reasoning="A sequence of length n ends at place n - 1. One index a row: advanced indexing.",
    shown="No padding is read. For the backward half of a bidirectional layer take step 0.",
)
def check_last_states(last_states):
    out = np.arange(24.0).reshape(3, 4, 2) * [1, -1]  # neither maxima nor minima stand last
    lengths = np.array([4, 2, 3])
    right = out[[0, 1, 2], [3, 1, 2]]
    cut, shorter = out[:, :4], np.array([3, 1, 2])
    got = last_states(cut, shorter)
    wanted = out[[0, 1, 2], [2, 0, 1]]
    if close(got, out[:, -1]):
        raise Hint("`out[:, -1]` is behind the end of the shorter ones: that is their padding.")
    if close(got, right):
        raise Hint("One too far: a sequence of length n has its last step at place n - 1.")
    if close(got, out[:, shorter - 1]):
        raise Hint("Every row gets every index. Give the rows an index, too: `np.arange(B)`.")
    if close(got, np.stack([o[:n].mean(0) for o, n in zip(out, shorter, strict=True)])):
        raise Hint("That is the mean over time. The last state is asked for.")
    expect_close(got, wanted, "last_states(out, [3, 1, 2])")
    expect_close(last_states(out, lengths), right, "last_states(out, [4, 2, 3])")


@check_last_states.wrong("their padding")
def takes_the_last_column(out, lengths):
    return out[:, -1]


@check_last_states.wrong("One too far")
def is_off_by_one(out, lengths):
    return out[np.arange(len(out)), np.asarray(lengths)]


@check_last_states.wrong("Give the rows an index")
def indexes_one_dimension(out, lengths):
    return out[:, np.asarray(lengths) - 1]


@check_last_states.wrong("mean over time")
def takes_the_mean(out, lengths):
    return np.stack([o[:n].mean(0) for o, n in zip(out, lengths, strict=True)])


# -- build new ---------------------------------------------------------------------------------


def clip_by_norm(grads, max_norm):
    """Scale all gradients to a norm of at most max_norm: (grads, old norm)."""
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    scale = min(1.0, max_norm / norm) if norm > 0 else 1.0
    return [g * scale for g in grads], norm


@exercise(
    solution=clip_by_norm,
    reasoning="One norm over all of them, as if they were one vector, and one factor, at most 1.",
    shown="The direction stays; only the length changes. That is `clip_grad_norm_`.",
)
def check_clip_by_norm(clip_by_norm):
    grads = [np.array([3.0, 0.0]), np.array([[0.0], [4.0]])]
    got = clip_by_norm([g.copy() for g in grads], 1.0)
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        "Give two things back, the gradients and the old norm: `return ..., ...`.",
    )
    clipped, norm = got
    if close(norm, 7.0):
        raise Hint("Norms do not add up. Squares do: the root of the sum of all squares.")
    if close(norm, 1.0):
        raise Hint("That is the norm afterwards. The one *before* tells how bad it was.")
    if close(clipped[0], [1.0, 0.0]) and close(clipped[1], [[0.0], [1.0]]):
        raise Hint("Each gradient alone, or each entry alone, turns the direction. One factor.")
    expect_close(norm, 5.0, "the norm of ([3, 0], [[0], [4]])")
    expect_close(clipped[0], [0.6, 0.0], "the first gradient, clipped to 1")
    expect_close(clipped[1], [[0.0], [0.8]], "the second gradient, clipped to 1")
    small, _ = clip_by_norm([g.copy() for g in grads], 10.0)
    if close(small[0], [6.0, 0.0]):
        raise Hint("A gradient that is short enough stays as it is: the factor is at most 1.")
    expect_close(small[0], grads[0], "a gradient below the limit")
    tiny, _ = clip_by_norm([g / 10 for g in grads], 0.1)
    expect_close(tiny[1], [[0.0], [0.08]], "the second gradient of norm 0.5, clipped to 0.1")
    nothing, _ = clip_by_norm([np.zeros(2)], 1.0)
    expect_close(nothing[0], np.zeros(2), "a gradient of zeros")


@check_clip_by_norm.wrong("Norms do not add up")
def adds_the_norms(grads, max_norm):
    norm = sum(np.linalg.norm(g) for g in grads)
    return [g * min(1.0, max_norm / norm) for g in grads], norm


@check_clip_by_norm.wrong("One factor")
def clips_each_alone(grads, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    return [g * min(1.0, max_norm / np.linalg.norm(g)) for g in grads], norm


@check_clip_by_norm.wrong("clipped to 0.1")
def clips_above_one_only(grads, max_norm):
    clipped, norm = clip_by_norm(grads, max_norm)
    return (clipped if norm > 1 else grads), norm


@check_clip_by_norm.wrong("at most 1")
def lengthens_the_short(grads, max_norm):
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    return [g * max_norm / norm for g in grads], norm


@check_clip_by_norm.wrong("The one *before*")
def returns_the_norm_afterwards(grads, max_norm):
    clipped, _ = clip_by_norm(grads, max_norm)
    return clipped, np.sqrt(sum((g**2).sum() for g in clipped))


@check_clip_by_norm.wrong("two things back")
def returns_the_gradients_alone(grads, max_norm):
    return clip_by_norm(grads, max_norm)[0] + [0.0]


# -- read a paper ------------------------------------------------------------------------------


def combine(first, second):
    """The pair (A, b) of first h -> A1 h + b1 and then h -> A2 h + b2."""
    (A1, b1), (A2, b2) = first, second
    return A2 @ A1, A2 @ b1 + b2


@exercise(
    solution=combine,
    reasoning=r"""$A_2 (A_1 h + b_1) + b_2 = (A_2 A_1)\, h + (A_2 b_1 + b_2)$. The operation is
associative, so the $T$ steps may be combined in pairs, pairs of pairs, and so on. With a number for
each unit a combination costs two products a unit, and the rounds of `scan` about $2 T \log_2 T$,
the loop $T$: that pays with many processors. With matrices each combination costs $D^3 + D^2$,
where a step of the loop costs $D^2$. So the networks that are scanned have diagonal matrices.""",
    shown="Steps that are linear in h can be put together in any grouping: a parallel scan.",
)
def check_combine(combine):
    rng = np.random.default_rng(0)
    A1, A2, A3 = rng.integers(-2, 4, (3, 3, 3)).astype(float)
    b1, b2, b3 = rng.integers(-2, 4, (3, 3)).astype(float)
    try:
        given = [part.copy() for part in (A1, b1, A2, b2)]
        A, b = combine(tuple(given[:2]), tuple(given[2:]))
    except ValueError as error:
        if "unpack" not in str(error):
            raise
        raise Hint("Give the matrix and the vector of the combined step: `return A, b`.") from error
    if close(A, A1 * A2) or close(A, A1 + A2):
        raise Hint("`A2 (A1 h)` asks for a product of matrices: `@`.")
    if close(A, A1 @ A2):
        raise Hint(
            "The other way round: the *first* step is done first, so it stands at the right."
        )
    if close(b, b1 + b2):
        raise Hint("What the first step added is multiplied by the second one, too.")
    if close(b, A1 @ b2 + b1):
        raise Hint("The vector is the other way round: the second step multiplies what is there.")
    expect_close(A, A2 @ A1, "A")
    expect_close(b, A2 @ b1 + b2, "b")
    if not all(map(np.array_equal, given, (A1, b1, A2, b2))):
        raise Hint("One of the two steps has changed: `+=` writes into the array that was given.")
    left = combine(combine((A1, b1), (A2, b2)), (A3, b3))
    right = combine((A1, b1), combine((A2, b2), (A3, b3)))
    for got, wanted in zip(left, right, strict=True):
        expect_close(got, wanted, "both groupings of three steps")


@check_combine.wrong("by the second one, too")
def adds_the_vectors(first, second):
    return second[0] @ first[0], first[1] + second[1]


@check_combine.wrong("stands at the right")
def takes_the_second_first(first, second):
    return combine(second, first)


@check_combine.wrong("vector is the other way round")
def takes_the_second_vector_first(first, second):
    return combine(first, second)[0], combine(second, first)[1]


@check_combine.wrong("`+=` writes into")
def adds_in_place(first, second):
    (A1, b1), (A2, b2) = first, second
    b2 += A2 @ b1
    return A2 @ A1, b2


@check_combine.wrong("product of matrices")
def multiplies_entry_by_entry(first, second):
    return second[0] * first[0], second[0] @ first[1] + second[1]


@check_combine.wrong("`return A, b`")
def gives_the_matrix_alone(first, second):
    return second[0] @ first[0]
