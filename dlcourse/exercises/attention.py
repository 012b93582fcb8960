"""Exercises of the chapter attention. The form: dlcourse/exercises/__init__.py."""

import math
import tracemalloc

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="causal_mean",
    solution=[6.0, 3.0, 4.0],
    reasoning=(
        "Equal scores give equal weights among the keys that may be seen: query $t$ gets the mean "
        "of the first $t$ values, 6, then $(6 + 0)/2$, then $(6 + 0 + 6)/3$."
    ),
    shown="Attention that has learnt nothing is a running mean: that is where training begins.",
)
def check_causal_mean(answer):
    if close(answer, [4.0, 4.0, 4.0]):
        raise Hint("That is the mean of all: the mask hides the keys after the query's own.")
    if close(answer, [2.0, 2.0, 4.0]):
        raise Hint("Hidden keys are not in the denominator: the weights of a row add up to one.")
    if close(answer, [6.0, 6.0, 12.0]):
        raise Hint("That is the sum; the weights of a row add up to one.")
    if close(answer, [6.0, 0.0, 6.0]):
        raise Hint("That is each query's own value; it also sees those before.")
    expect(np.shape(answer) == (3,), "Give a list of three numbers, one a query.")
    expect_close(answer, [6.0, 3.0, 4.0], "the three outputs")


check_causal_mean.wrong("mean of all", [4.0, 4.0, 4.0])
check_causal_mean.wrong("not in the denominator", [2.0, 2.0, 4.0])
check_causal_mean.wrong("the sum", [6.0, 6.0, 12.0])
check_causal_mean.wrong("own value", [6.0, 0.0, 6.0])

# -- compute by hand ---------------------------------------------------------------------------


def scale_backward(Q, K, V, G, scale):
    """The derivative of <G, softmax(scale * Q @ K.T) @ V> by the number `scale`."""
    raw = Q @ K.T  # (T, S)
    e = np.exp(scale * raw - (scale * raw).max(1, keepdims=True))
    P = e / e.sum(1, keepdims=True)
    dP = G @ V.T  # (T, S)
    dZ = P * (dP - (dP * P).sum(1, keepdims=True))
    return (dZ * raw).sum()


@exercise(
    solution=scale_backward,
    reasoning=r"""$dZ = ds\, QK^\top$, so
$dL = \langle \partial L/\partial Z,\, QK^\top \rangle\, ds$: the inner product of the
scores' gradient with the unscaled scores.""",
    shown="The scale is a parameter like any other: some models learn it, one number a head.",
)
def check_scale_backward(scale_backward):
    rng = np.random.default_rng(0)
    Q, K, V, G = (rng.normal(size=s) for s in ((3, 4), (5, 4), (5, 2), (3, 2)))

    def truth(scale):
        P = np.exp(scale * (Q @ K.T))
        P /= P.sum(1, keepdims=True)
        dP = G @ V.T
        return P, dP, P * (dP - (dP * P).sum(1, keepdims=True))

    got = scale_backward(Q, K, V, G, 0.5)
    P, dP, dZ = truth(0.5)
    right = (dZ * (Q @ K.T)).sum()
    if close(got, right * 0.5):
        raise Hint(
            "You multiply by the scaled scores; the derivative of Z by `scale` is QK^T itself."
        )
    if close(got, dZ.sum()):
        raise Hint("The rows of dL/dZ add up to zero: each entry is yet to be weighed by QK^T.")
    if close(got, (P * dP * (Q @ K.T)).sum()):
        raise Hint("The softmax's Jacobian has a second term: subtract the mean of dL/dP in a row.")
    if close(got, (dP * (Q @ K.T)).sum()):
        raise Hint("The gradient has to go back through the softmax before it meets the scores.")
    expect(np.ndim(got) == 0, "The scale is one number, and so is its derivative: add up.")
    expect_close(got, right, "scale_backward(Q, K, V, G, 0.5)")
    big = scale_backward(Q, K, V, G, 2.0)
    expect_close(big, (truth(2.0)[2] * (Q @ K.T)).sum(), "the derivative at scale 2")


def _through(P, dP):
    return P * (dP - (dP * P).sum(1, keepdims=True))


def _weights(Q, K, scale):
    P = np.exp(scale * (Q @ K.T))
    return P / P.sum(1, keepdims=True)


@check_scale_backward.wrong("scaled scores")
def multiplies_by_the_scaled_scores(Q, K, V, G, scale):
    return scale * scale_backward(Q, K, V, G, scale)


@check_scale_backward.wrong("weighed by QK^T")
def forgets_the_scores(Q, K, V, G, scale):
    return _through(_weights(Q, K, scale), G @ V.T).sum()


@check_scale_backward.wrong("second term")
def forgets_the_mean(Q, K, V, G, scale):
    return (_weights(Q, K, scale) * (G @ V.T) * (Q @ K.T)).sum()


@check_scale_backward.wrong("through the softmax")
def forgets_the_softmax(Q, K, V, G, scale):
    return ((G @ V.T) * (Q @ K.T)).sum()


# -- change the code ---------------------------------------------------------------------------


def window_mask(T, w):
    """Boolean (T, T), True where query t may look: the w keys up to its own."""
    distance = mini.arange(T)[:, None] - mini.arange(T)  # (T, T), query minus key
    return (distance >= 0) & (distance < w)


@exercise(
    solution=window_mask,
    reasoning=(
        "The distance $t - s$ must not be negative, for that is the future, and must be below $w$. "
        "With $w = T$ it is the causal mask."
    ),
    shown="Each row has at most $w$ places to look at, however long the sequence.",
)
def check_window_mask(window_mask):
    got = window_mask(5, 2)
    t = np.arange(5)
    distance = t[:, None] - t
    expect(
        isinstance(got, mini.Tensor) and got.shape == (5, 5),
        "Return a tensor of mini of shape (T, T): a row a query, a column a key.",
    )
    expect(
        got.dtype is mini.bool,
        "Make it boolean, with comparisons; numbers would be added to the scores.",
    )
    array = got.numpy()
    right = (distance >= 0) & (distance < 2)
    if (array == ~right).all():
        raise Hint("It is inverted: `scaled_dot_product_attention` wants True where one may look.")
    if (array == right.T).all():
        raise Hint("Transposed: rows are queries, columns are keys. Yours looks ahead.")
    if (array == ((distance >= 0) & (distance <= 2))).all():
        raise Hint("One too many: with itself that makes w + 1 keys.")
    if (array == (abs(distance) < 2)).all():
        raise Hint("It looks at the keys behind itself, too: that is the future.")
    expect((array == right).all(), "For T = 5 and w = 2, query 3 sees the keys 2 and 3. Compare.")
    whole = window_mask(4, 4).numpy()
    expect((whole == np.tril(np.ones((4, 4), bool))).all(), "With w = T it is the causal mask.")


def _distance(T):
    return mini.arange(T)[:, None] - mini.arange(T)


@check_window_mask.wrong("It is inverted")
def says_what_to_ignore(T, w):
    return ~window_mask(T, w)


@check_window_mask.wrong("Return a tensor of mini")
def makes_an_array(T, w):
    return window_mask(T, w).numpy()


@check_window_mask.wrong("Transposed")
def swaps_queries_and_keys(T, w):
    return window_mask(T, w).T


@check_window_mask.wrong("One too many")
def counts_one_too_many(T, w):
    return (_distance(T) >= 0) & (_distance(T) <= w)


@check_window_mask.wrong("that is the future")
def looks_both_ways(T, w):
    return _distance(T).abs() < w


# -- build new ---------------------------------------------------------------------------------


def grouped_attention(q, k, v):
    """Attention of q (B, nh, T, hs) over k, v (B, n_kv, S, hs), none repeated."""
    batch, nh, time, hs = q.shape
    groups = q.reshape(batch, k.shape[1], -1, time, hs)  # (B, n_kv, nh/n_kv, T, hs)
    k, v = k[:, :, None], v[:, :, None]  # (B, n_kv, 1, S, hs)
    weights = (groups @ k.transpose(-2, -1) / math.sqrt(hs)).softmax(-1)
    return (weights @ v).reshape(batch, nh, time, hs)


@exercise(
    solution=grouped_attention,
    reasoning=(
        "The heads of a group lie one after another, so a view `(B, n_kv, nh / n_kv, T, hs)` puts "
        "them side by side, and broadcasting over a dimension of one lets them share. No key is "
        "copied: that is the point of the smaller cache."
    ),
    shown="Several heads read one set of keys, and the cache is smaller by their number.",
)
def check_grouped_attention(grouped_attention):
    rng = np.random.default_rng(1)
    q, k, v = (mini.tensor(rng.normal(size=(2, n, 3, 4)), requires_grad=True) for n in (6, 2, 2))
    attend = mini.nn.functional.scaled_dot_product_attention
    right = attend(q, k, v, enable_gqa=True)
    try:
        got = grouped_attention(q, k, v)
    except RuntimeError as error:
        if "broadcast" in str(error) or "must match" in str(error) or "shape" in str(error):
            raise Hint(
                "6 heads of queries do not broadcast with 2 of keys. Cut the heads into n_kv "
                f"groups first. (mini says: {error})"
            ) from None
        raise
    expect(
        getattr(got, "shape", None) == (2, 6, 3, 4),
        f"The output has q's shape (2, 6, 3, 4); yours has {tuple(getattr(got, 'shape', ()))}.",
    )
    turn = [h % 2 for h in range(6)]
    if close(got, attend(q, k[:, turn], v[:, turn])):
        raise Hint(
            "Your heads take keys 0 1 0 1 0 1; neighbours share: 0 0 0 1 1 1. The dimension of the "
            "groups comes before that of the heads in a group."
        )
    if close(got, attend(q, k, v, scale=1.0, enable_gqa=True)):
        raise Hint("The scores are to be divided by the root of hs.")
    if close(got, attend(q, k[:, 6 * [0]], v[:, 6 * [0]])):
        raise Hint("All heads read the first set of keys: that is multi-query attention.")
    expect_close(got, right, "grouped_attention(q, k, v) with 6 heads and 2 sets of keys")
    expect(got.requires_grad, "The output has lost its gradient: stay with tensors of mini.")
    q, k, v = (mini.zeros(1, n, t, 64) for n, t in ((32, 1), (2, 128), (2, 128)))
    expect(
        _memory(lambda: grouped_attention(q, k, v)) < 8 * k.numpy().nbytes,
        "The output is right, but keys or values are copied: `repeat`, a list of indices and "
        "`enable_gqa` write them once for each head that reads them. Give `q` one dimension more.",
    )


def _memory(call):
    """The most bytes that are held at once during the call, beyond those before it."""
    tracing = tracemalloc.is_tracing()
    if not tracing:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    call()
    _, peak = tracemalloc.get_traced_memory()
    if not tracing:
        tracemalloc.stop()
    return peak - before


@check_grouped_attention.wrong("are copied")
def repeats_keys_and_values(q, k, v):
    k, v = (x.repeat_interleave(q.shape[1] // x.shape[1], 1) for x in (k, v))
    return mini.nn.functional.scaled_dot_product_attention(q, k, v)


@check_grouped_attention.wrong("lost its gradient")
def leaves_the_tensors(q, k, v):
    return grouped_attention(q.detach(), k.detach(), v.detach())


@check_grouped_attention.wrong("0 0 0 1 1 1")
def takes_turns(q, k, v):
    turn = [h % k.shape[1] for h in range(q.shape[1])]
    return mini.nn.functional.scaled_dot_product_attention(q, k[:, turn], v[:, turn])


@check_grouped_attention.wrong("root of hs")
def forgets_the_scale(q, k, v):
    return grouped_attention(q * math.sqrt(q.shape[-1]), k, v)


@check_grouped_attention.wrong("multi-query")
def uses_the_first_for_all(q, k, v):
    return grouped_attention(q, k[:, :1], v[:, :1])


@check_grouped_attention.wrong("n_kv groups first")
def hopes_for_broadcasting(q, k, v):
    weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)
    return weights @ v


# -- build new: two machines -------------------------------------------------------------------


def combine(y1, L1, y2, L2):
    """Output (T, D) and L (T, 1) over all keys, from those of two halves."""
    L = np.logaddexp(L1, L2)  # log of the sum of both denominators
    return np.exp(L1 - L) * y1 + np.exp(L2 - L) * y2, L


@exercise(
    solution=combine,
    reasoning=r"""$y_i = o_i / \ell_i$ and $e^{L_i}$ is the denominator of half $i$. So the whole
output is $(e^{L_1} y_1 + e^{L_2} y_2) / (e^{L_1} + e^{L_2})$, a mean of two outputs, and with
$L = \log(e^{L_1} + e^{L_2})$ no exponent is positive.""",
    shown="Two machines with half of the keys each exchange an output and one number a query.",
)
def check_combine(combine):
    rng = np.random.default_rng(2)
    Q, K, V = rng.normal(size=(3, 4)), rng.normal(size=(7, 4)), rng.normal(size=(7, 2))

    def half(Q, K, V):
        Z = Q @ K.T
        L = np.logaddexp.reduce(Z, 1, keepdims=True)
        return np.exp(Z - L) @ V, L

    one, two, (y, L) = half(Q, K[:2], V[:2]), half(Q, K[2:], V[2:]), half(Q, K, V)
    got = combine(*one, *two)
    expect(
        isinstance(got, (tuple, list)) and len(got) == 2,
        "Return two things: the output, and the L of the whole, so that a third part can follow.",
    )
    if close(got[0], (one[0] + two[0]) / 2):
        raise Hint("The halves do not count alike: the larger denominator counts more.")
    if close(got[0], one[0] + two[0]):
        raise Hint("Each half is already a mean: their sum is too large. Weigh them.")
    if close(got[0], (2 * one[0] + 5 * two[0]) / 7):
        raise Hint("Not the number of keys counts but the sum of their exponentials, e^L.")
    if close(got[0], (one[1] * one[0] + two[1] * two[0]) / (one[1] + two[1])):
        raise Hint("L is the logarithm of the denominator: the weights are e^L.")
    if close(got[0], y) and close(got[1], one[1] + two[1]):
        raise Hint("The output is right. Denominators add up, their logarithms do not.")
    expect_close(got[0], y, "the output over all keys")
    expect_close(got[1], L, "L of the whole")
    far = [half(1000 * Q, K[s], V[s]) for s in (slice(0, 2), slice(2, 7))]
    with np.errstate(all="ignore"):
        big = combine(*far[0], *far[1])
    expect(
        bool(np.isfinite(np.asarray(big[0])).all() and np.isfinite(np.asarray(big[1])).all()),
        "With scores in the thousands it is not finite: no e^L by itself, only e^(L1 - L).",
    )
    y, L = half(1000 * Q, K, V)
    expect_close(big[0], y, "the output with scores in the thousands")
    expect_close(big[1], L, "L with scores in the thousands")


@check_combine.wrong("do not count alike")
def takes_the_mean(y1, L1, y2, L2):
    return (y1 + y2) / 2, np.logaddexp(L1, L2)


@check_combine.wrong("Weigh them")
def adds(y1, L1, y2, L2):
    return y1 + y2, np.logaddexp(L1, L2)


@check_combine.wrong("weights are e^L")
def weighs_by_logarithms(y1, L1, y2, L2):
    return (L1 * y1 + L2 * y2) / (L1 + L2), np.logaddexp(L1, L2)


@check_combine.wrong("their logarithms do not")
def adds_logarithms(y1, L1, y2, L2):
    return combine(y1, L1, y2, L2)[0], L1 + L2


@check_combine.wrong("not finite")
def overflows(y1, L1, y2, L2):
    e1, e2 = np.exp(L1), np.exp(L2)
    return (e1 * y1 + e2 * y2) / (e1 + e2), np.log(e1 + e2)


@check_combine.wrong("output with scores in the thousands")
def clips_the_exponents(y1, L1, y2, L2):
    e1, e2 = np.exp(np.clip(L1, -700, 700)), np.exp(np.clip(L2, -700, 700))
    return (e1 * y1 + e2 * y2) / (e1 + e2), np.log(e1 + e2)


# -- read a paper ------------------------------------------------------------------------------


def linear_step(state, norm, q, k, v):
    """One word of causal linear attention with elu + 1: (y, state, norm)."""

    def phi(x):
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))

    state = state + np.outer(v, phi(k))  # (Dv, d)
    norm = norm + phi(k)  # (d,)
    return state @ phi(q) / (norm @ phi(q)), state, norm


@exercise(
    solution=linear_step,
    reasoning=r"""The sums of linear attention over $s \le t$ grow by one term a word:
$v_t\, \varphi(k_t)^\top$ and $\varphi(k_t)$. A word sees itself, so they grow before they are
read.""",
    shown="A recurrent network whose state is a matrix: its cost a word does not grow.",
)
def check_linear_step(linear_step):
    rng = np.random.default_rng(3)
    q, k, v = rng.normal(size=(5, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 3))

    def phi(x):
        return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))

    A = np.tril(phi(q) @ phi(k).T)
    right = A @ v / A.sum(1, keepdims=True)
    state, norm, outs = np.zeros((3, 4)), np.zeros(4), []
    with np.errstate(all="ignore"):
        for t in range(5):
            y, state, norm = linear_step(state, norm, q[t], k[t], v[t])
            outs.append(y)
    got = np.array(outs)
    if not np.isfinite(got[0]).all():
        raise Hint("The first word gets 0/0: a word sees itself, so update before you read.")
    if close(got, A @ v):
        raise Hint("That is the sum; divide by the sum of the weights, which is norm @ phi(q).")
    plain = np.tril(q @ k.T)
    if close(got, plain @ v / plain.sum(1, keepdims=True)):
        raise Hint("Without phi the weights can be negative: apply it to q and to k.")
    last = phi(q) @ phi(k).T * np.eye(5)
    if close(got, last @ v / last.sum(1, keepdims=True)):
        raise Hint("Each word sees itself alone: add to the state that came in.")
    expect_close(got, right, "the outputs of five words, one after the other")


def _phi(x):
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


@check_linear_step.wrong("update before you read")
def reads_before_the_update(state, norm, q, k, v):
    y = state @ _phi(q) / (norm @ _phi(q))
    return y, state + np.outer(v, _phi(k)), norm + _phi(k)


@check_linear_step.wrong("That is the sum")
def forgets_to_normalise(state, norm, q, k, v):
    y, state, norm = linear_step(state, norm, q, k, v)
    return y * (norm @ _phi(q)), state, norm


@check_linear_step.wrong("Without phi")
def forgets_the_features(state, norm, q, k, v):
    state, norm = state + np.outer(v, k), norm + k
    return state @ q / (norm @ q), state, norm


@check_linear_step.wrong("itself alone")
def forgets_the_past(state, norm, q, k, v):
    return linear_step(0 * state, 0 * norm, q, k, v)
