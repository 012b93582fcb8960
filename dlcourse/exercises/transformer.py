"""Exercises of the chapter transformer. The form: dlcourse/exercises/__init__.py."""

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="equal_length",
    solution=21_504,
    reasoning=(
        "Queries and the output are matrices of $D^2$, keys and values of $D^2/4$ each, the MLP "
        "has $8 D^2$: $10.5 D^2$ multiply-adds a token. The scores and the means are those of 32 "
        "heads of queries as before, $2 T D$. They are equal at $T = 5.25 D$."
    ),
    shown="Shared keys make the matrices and the cache smaller, and no score cheaper.",
)
def check_equal_length(answer):
    D = 4096
    if close(answer, 6 * D):
        raise Hint("That is $T = 6 D$ of the page. Here keys and values are narrower: count anew.")
    if close(answer, 10.5 * D):
        raise Hint("Two products grow with T, the scores and the means of the values: $2 T D$.")
    if close(answer, 1.25 * D):
        raise Hint("Count the MLP's $8 D^2$, too: it has most of a block's weights.")
    if close(answer, 5.625 * D):
        raise Hint("The values are shared as the keys are: both matrices are a quarter as high.")
    if close(answer, 24 * D) or close(answer, 21 * D):
        raise Hint(
            "Every head of queries still has scores of its own, with whichever keys: $2 T D$."
        )
    expect(close(answer, 5.25 * D), "Add up the matrices in units of $D^2$, and set $2 T D$ equal.")


check_equal_length.wrong("of the page", 24_576)
check_equal_length.wrong("Two products", 43_008)
check_equal_length.wrong("Count the MLP's", 5120)
check_equal_length.wrong("values are shared", 23_040)
check_equal_length.wrong("scores of its own", 86_016)
check_equal_length.wrong("in units of", 4096)

# -- by hand -----------------------------------------------------------------------------------


def modern_size(V, D, L, heads, kv_heads, inner):
    """The number of parameters of a decoder of today: no biases, two tables."""
    shared = D * kv_heads // heads  # the width of all keys, and of all values
    attention = 2 * D * D + 2 * D * shared  # queries, output; keys, values
    block = attention + 3 * D * inner + 2 * D  # SwiGLU; two norms without a shift
    return 2 * V * D + L * block + D


@exercise(
    solution=modern_size,
    reasoning=r"""Two tables of $VD$; rotary positions have no weights. In each block $2D^2$ for
queries and output, $2 D \cdot D\, n_{kv}/n_h$ for keys and values, three matrices of the MLP, and
two norms of $D$, as an RMSNorm has a scale only; after the last block one more.""",
    shown="With 128256, 4096, 32, 32, 8 and 14336 it is a Llama 3: 8,030,261,248.",
)
def check_modern_size(modern_size):
    V, D, L, inner = 10, 8, 3, 5
    right = 2 * V * D + L * (2 * D**2 + D**2 + 3 * D * inner + 2 * D) + D
    got = modern_size(V, D, L, 4, 2, inner)
    if close(got, right - V * D):
        raise Hint("One table reads and another writes: they are not tied here.")
    if close(got, right + L * D**2):
        raise Hint("Keys and values have kv_heads heads of D / heads features: fewer rows.")
    if close(got, right - L * D * inner):
        raise Hint("SwiGLU has three matrices: two that go up, the gate and the gated, one down.")
    if close(got, right + (2 * L + 1) * D):
        raise Hint("An RMSNorm has a scale and no shift: D weights, not 2D.")
    if close(got, right - D):
        raise Hint("After the last block stands one more norm.")
    if close(got, right - 2 * L * D):
        raise Hint("Each block has two norms, of D each.")
    expect_close(got, right, "modern_size(10, 8, 3, 4, 2, 5)", rtol=1e-9)
    size = modern_size(128_256, 4096, 32, 32, 8, 14_336)
    expect_close(size, 8_030_261_248, "modern_size(128256, 4096, 32, 32, 8, 14336)", rtol=1e-10)


@check_modern_size.wrong("not tied here")
def ties_the_tables(V, D, L, heads, kv_heads, inner):
    return modern_size(V, D, L, heads, kv_heads, inner) - V * D


@check_modern_size.wrong("fewer rows")
def gives_every_head_its_keys(V, D, L, heads, kv_heads, inner):
    return modern_size(V, D, L, heads, heads, inner)


@check_modern_size.wrong("three matrices")
def has_two_matrices_in_the_mlp(V, D, L, heads, kv_heads, inner):
    return modern_size(V, D, L, heads, kv_heads, inner) - L * D * inner


@check_modern_size.wrong("no shift")
def has_layer_norms(V, D, L, heads, kv_heads, inner):
    return modern_size(V, D, L, heads, kv_heads, inner) + (2 * L + 1) * D


@check_modern_size.wrong("one more norm")
def forgets_the_last_norm(V, D, L, heads, kv_heads, inner):
    return modern_size(V, D, L, heads, kv_heads, inner) - D


@check_modern_size.wrong("two norms")
def forgets_the_norms(V, D, L, heads, kv_heads, inner):
    return modern_size(V, D, L, heads, kv_heads, inner) - 2 * L * D


# -- turn it round -----------------------------------------------------------------------------


def read_the_clock(p):
    """The position t of a row p (D,) of Vaswani's table, D >= 16, t < 10 000."""
    D = len(p)
    speed = 10_000.0 ** (-(D - 2) / D)  # of the slowest hand, in radians a step
    angle = np.arctan2(p[-2], p[-1]) % (2 * np.pi)  # from its sine and its cosine
    return round(angle / speed)


def _row(t, D):
    angle = t * 10_000.0 ** (-np.arange(0, D, 2) / D)
    return np.stack([np.sin(angle), np.cos(angle)], axis=1).ravel()


@exercise(
    solution=read_the_clock,
    reasoning=r"""The slowest hand moves by $10000^{-(D-2)/D}$ radians a step, and with $D \ge 16$
ten thousand steps are less than one round. So its angle, from sine *and* cosine and taken from 0 to
$2\pi$, divided by its speed is $t$. The fastest hand goes round every six steps. With more features
others are slow enough, too; with $D = 16$ none.""",
    shown="The slowest hand alone tells the position; the fast ones tell neighbours apart.",
)
def check_read_the_clock(read_the_clock):
    for t, D in ((500, 64), (3, 64), (0, 16), (9990, 64), (9990, 16), (7001, 32)):
        got = read_the_clock(_row(t, D))
        what = f"read_the_clock of row {t} with D = {D}"
        fast, wide = t % (2 * np.pi), t * 10_000.0 ** (-(D - 2) / D)  # the two hands' angles
        if t and close(got, t - 1, 1e-9):
            raise Hint(
                f"Row {t} is read as {t - 1}: a quotient of floats may end just below. Round it."
            )
        if t == 9990 and D == 16 and close(got, 3707):  # 2 pi behind, at a speed of 1/1000
            raise Hint(
                "With D = 16 the hand before the last has been round once: the last alone is slow "
                "enough for every D."
            )
        if t > 6 and (close(got, fast, 1e-6, 1e-6) or close(got, round(fast))):
            raise Hint("The fast hand goes round every six steps. Which one goes round only once?")
        if t and close(got, wide, 1e-6):
            raise Hint("That is the angle of the slowest hand: divide by its speed.")
        if t > 9 and close(got, wide * 10_000, 1e-3):
            raise Hint(
                "The slowest of D / 2 hands has the speed 10000 ** (-(D - 2) / D), not 1e-4."
            )
        if wide > np.pi and close(got, round((wide - 2 * np.pi) / wide * t)):
            raise Hint("Behind half a round the angle comes out negative: take it modulo 2 pi.")
        expect_close(got, t, what, "Mind that a sine alone does not tell in which half it stands.")


@check_read_the_clock.wrong("goes round only once")
def reads_the_fast_hand(p):
    return np.arctan2(p[0], p[1]) % (2 * np.pi)


@check_read_the_clock.wrong("Round it")
def cuts_off_what_is_a_little_too_small(p):
    angle = np.arctan2(p[-2], p[-1]) % (2 * np.pi)
    return int(angle * 10_000.0 ** ((len(p) - 2) / len(p)) - 1e-6)


@check_read_the_clock.wrong("slow enough for every D")
def reads_the_hand_before_the_last(p):
    angle = np.arctan2(p[-4], p[-3]) % (2 * np.pi)
    return round(angle * 10_000.0 ** ((len(p) - 4) / len(p)))


@check_read_the_clock.wrong("divide by its speed")
def gives_the_angle(p):
    return np.arctan2(p[-2], p[-1]) % (2 * np.pi)


@check_read_the_clock.wrong("not 1e-4")
def has_a_hand_that_is_too_slow(p):
    return round(np.arctan2(p[-2], p[-1]) % (2 * np.pi) * 10_000)


@check_read_the_clock.wrong("modulo 2 pi")
def leaves_the_angle_negative(p):
    return round(np.arctan2(p[-2], p[-1]) * 10_000.0 ** ((len(p) - 2) / len(p)))


@check_read_the_clock.wrong("in which half it stands")
def reads_the_sine_alone(p):
    return round(np.arcsin(p[-2]) * 10_000.0 ** ((len(p) - 2) / len(p)))


# -- build new ---------------------------------------------------------------------------------


def hears_the_future(model, x):
    """Does a position of model(x) depend on a later one? x: mini tensor (T, D)."""
    x = mini.tensor(x.numpy(), requires_grad=True)
    weigh = mini.tensor(np.random.default_rng(0).normal(size=x.shape[1]))  # (D)
    out = model(x)  # (T, D)
    for t in range(len(x)):
        (heard,) = mini.autograd.grad(out[t] @ weigh, [x], retain_graph=True)
        if (heard[t + 1 :] != 0).any().item():
            return True
    return False


def _causal_mean(x):
    T = len(x)
    return mini.tensor(np.tril(np.ones((T, T))) / np.arange(1, T + 1)[:, None]) @ x + 1


def _leaks_by_one(x):
    T = len(x)
    return mini.tensor(np.tril(np.ones((T, T)), 1)) @ x


def _leaks_at_the_end(x):
    return mini.cat([x[:-2], x[-2:-1] + x[-1:], x[-1:]])


def _leaks_in_the_middle(x, how_much=1.0):
    mixing = np.eye(len(x))
    mixing[1, 3] = how_much
    return mini.tensor(mixing) @ x


def _centres_over_time(x):
    return x - x.mean(0)


def _features_cancel(x):
    heard = _leaks_in_the_middle(x)[:, :1]
    return mini.cat([heard, -heard, 0 * heard], 1)


def _keeps_its_length(x):
    heard = _leaks_in_the_middle(x)[:, :1]
    return mini.cat([heard.cos(), heard.sin(), 0 * heard], 1)


@exercise(
    solution=hears_the_future,
    reasoning="""One gradient for each position: that of a number made of `out[t]` alone, with
respect to all inputs. Random weights make it, for behind a norm sums and squares
never change. What stands behind row t in the gradient must be exactly 0.""",
    shown="It catches masks that are off by one, and layers that normalise over time.",
)
def check_hears_the_future(hears_the_future):
    x = mini.tensor(np.random.default_rng(0).normal(size=(5, 3)))
    cases = {
        "a causal mean": (_causal_mean, False),
        "a layer that leaves each position alone": (lambda x: x**2, False),
        "a mask that is off by one": (_leaks_by_one, True),
        "a layer whose position 1 hears position 3": (_leaks_in_the_middle, True),
        "a layer whose last position but one hears the last": (_leaks_at_the_end, True),
        "a small leak": (lambda x: _leaks_in_the_middle(x, 1e-9), True),
        "a layer that subtracts the mean over time": (_centres_over_time, True),
        "a leak into features that cancel": (_features_cancel, True),
        "a leak that turns the output, and leaves its length": (_keeps_its_length, True),
    }
    for name, (model, leaks) in cases.items():
        got = hears_the_future(model, x)
        if bool(got) == leaks:
            continue
        if not leaks:
            raise Hint(f"You accuse {name}. A position may hear itself and what came before it.")
        if name.startswith("a mask that is off by one"):
            raise Hint("A mask that is off by one passes: start right behind t, at t + 1.")
        if name.startswith("a layer whose position 1"):
            raise Hint("A leak from position 3 to position 1 passes: ask every t, not one.")
        if name.startswith("a layer whose last"):
            raise Hint("A leak to the last position but one passes: x has `len(x)` positions.")
        if name == "a small leak":
            raise Hint("A small leak passes: what a mask forbids is 0, so allow nothing but 0.")
        if name.startswith("a leak into features"):
            raise Hint("A leak into features whose sum is always 0 passes: weigh them at random.")
        if name.startswith("a leak that turns"):
            raise Hint("A leak that turns the output passes: the sum of its squares never changes.")
        raise Hint(f"You do not see that {name} leaks: here every position hears every other.")


@check_hears_the_future.wrong("x has `len(x)` positions")
def asks_as_many_as_there_are_features(model, x):
    x = mini.tensor(x.numpy(), requires_grad=True)
    out, weigh = model(x), mini.tensor([1.0, 0.7, -0.4], dtype=mini.float64)
    for t in range(x.shape[1]):
        (heard,) = mini.autograd.grad((out[t] * weigh).sum(), [x], retain_graph=True)
        if (heard[t + 1 :] != 0).any().item():
            return True
    return False


@check_hears_the_future.wrong("may hear itself")
def forbids_the_present(model, x):
    x = mini.tensor(x.numpy(), requires_grad=True)
    out = model(x)
    for t in range(len(x)):
        (heard,) = mini.autograd.grad((out[t] ** 2).sum(), [x], retain_graph=True)
        if (heard[t:] != 0).any().item():
            return True
    return False


@check_hears_the_future.wrong("right behind t")
def begins_too_late(model, x):
    x = mini.tensor(x.numpy(), requires_grad=True)
    out = model(x)
    for t in range(len(x)):
        (heard,) = mini.autograd.grad((out[t] ** 2).sum(), [x], retain_graph=True)
        if (heard[t + 2 :] != 0).any().item():
            return True
    return False


@check_hears_the_future.wrong("ask every t")
def asks_the_first_position_alone(model, x):
    x = mini.tensor(x.numpy(), requires_grad=True)
    (heard,) = mini.autograd.grad((model(x)[0] ** 2).sum(), [x])
    return (heard[1:] != 0).any().item()


@check_hears_the_future.wrong("allow nothing but 0")
def tolerates_a_little(model, x):
    x = mini.tensor(x.numpy(), requires_grad=True)
    out = model(x)
    for t in range(len(x)):
        (heard,) = mini.autograd.grad((out[t] ** 2).sum(), [x], retain_graph=True)
        if (heard[t + 1 :].abs() > 0.05).any().item():
            return True
    return False


@check_hears_the_future.wrong("whose sum is always 0")
def adds_up_the_features(model, x):
    x = mini.tensor(x.numpy(), requires_grad=True)
    out = model(x)
    for t in range(len(x)):
        (heard,) = mini.autograd.grad(out[t].sum(), [x], retain_graph=True)
        if (heard[t + 1 :] != 0).any().item():
            return True
    return False


@check_hears_the_future.wrong("sum of its squares")
def adds_up_the_squares(model, x):
    x = mini.tensor(x.numpy(), requires_grad=True)
    out = model(x)
    for t in range(len(x)):
        (heard,) = mini.autograd.grad((out[t] ** 2).sum(), [x], retain_graph=True)
        if (heard[t + 1 :] != 0).any().item():
            return True
    return False


# -- build new ---------------------------------------------------------------------------------


def alibi_step(q, keys, values):
    """ALiBi's attention of the newest word, q (nh, hs), to a cache (nh, T, hs)."""
    nh, T, hs = keys.shape
    slopes = 2.0 ** (-8 * np.arange(1, nh + 1) / nh)  # (nh)
    distance = np.arange(T)[::-1]  # of the newest word to each key, its own last: 0
    scores = np.einsum("hd,hsd->hs", q, keys) / np.sqrt(hs)
    scores = scores - slopes[:, None] * distance  # (nh, T)
    weights = np.exp(scores - scores.max(1, keepdims=True))
    weights = weights / weights.sum(1, keepdims=True)
    return np.einsum("hs,hsd->hd", weights, values)


def _penalised(q, keys, values, penalty, scale=True):
    """The answer with a penalty (nh, T) of any kind."""
    scores = np.einsum("hd,hsd->hs", q, keys) / (np.sqrt(q.shape[1]) if scale else 1)
    weights = np.exp(scores - penalty)
    return np.einsum("hs,hsd->hd", weights / weights.sum(1, keepdims=True), values)


def _slopes(nh):
    return 2.0 ** (-8 * np.arange(1, nh + 1) / nh)[:, None]


@exercise(
    solution=alibi_step,
    reasoning="""What is cached lies in the past, so nothing has to be hidden. The penalty is that
of the last row of the whole table: the newest word's own key is at distance 0, the oldest at
$T - 1$. Keys carry no position, so none in the cache changes when the text grows.""",
    shown="A cache needs no mask, and with ALiBi no key in it has to know where it stands.",
)
def check_alibi_step(alibi_step):
    rng = np.random.default_rng(0)
    q, keys, values = (rng.normal(size=shape) for shape in ((4, 3), (4, 6, 3), (4, 6, 3)))
    got = np.asarray(alibi_step(q.copy(), keys.copy(), values.copy()))
    expect(got.shape == q.shape, f"The answer has the shape of q, {q.shape}, not {got.shape}.")
    slopes, distance = _slopes(4), np.arange(6)[::-1]
    halves = 2.0 ** -np.arange(1, 5)[:, None]
    wrong = {
        "The penalty is missing: these are the weights of attention alone.": 0 * distance,
        "What is far away is to be heard *less*, and the oldest key stands first.": -slopes
        * distance,
        "The slopes begin with 2**(-8/nh), not with 1.": 4 * slopes * distance,
        "The ratio of the slopes is 2**(-8/nh), with four heads a quarter.": halves * distance,
        "All heads have one slope; each is to have its own.": slopes[:1] * distance,
    }
    for hint, penalty in wrong.items():
        if close(got, _penalised(q, keys, values, penalty)):
            raise Hint(hint)
    penalty = slopes * distance
    if close(got, _penalised(q, keys, values, penalty, scale=False)):
        raise Hint("The scores are not divided by the root of hs.")
    expect_close(got, _penalised(q, keys, values, penalty), "alibi_step(q, keys, values)")
    got = alibi_step(1000 * q, keys, values)
    right = mini.tensor(np.einsum("hd,hsd->hs", 1000 * q, keys) / np.sqrt(3) - penalty).softmax(1)
    right = np.einsum("hs,hsd->hd", right.numpy(), values)
    hint = "Subtract the largest score before the exponential."
    expect_close(got, right, "alibi_step with scores in the thousands", hint)
    q, keys, values = (rng.normal(size=shape) for shape in ((16, 3), (16, 6, 3), (16, 6, 3)))
    right, got = _penalised(q, keys, values, _slopes(16) * distance), alibi_step(q, keys, values)
    whole = 2.0 ** (-8 * np.arange(1, 17) // 16)[:, None]
    if close(got, _penalised(q, keys, values, whole * distance)):
        raise Hint("With 16 heads the exponents are no whole numbers: divide by nh with `/`.")
    hint = "The slopes depend on nh: the ratio is a quarter for four heads only."
    expect_close(got, right, "alibi_step for 16 heads", hint)


@check_alibi_step.wrong("no whole numbers")
def divides_without_rest(q, keys, values):
    slopes = 2.0 ** (-8 * np.arange(1, len(q) + 1) // len(q))[:, None]
    largest = np.einsum("hd,hsd->hs", q, keys).max(1, keepdims=True) / np.sqrt(q.shape[1])
    return _penalised(q, keys, values, slopes * np.arange(keys.shape[1])[::-1] + largest)


@check_alibi_step.wrong("for four heads only")
def knows_four_heads_only(q, keys, values):
    distance = np.arange(keys.shape[1])[::-1]
    penalty = 0.25 ** np.arange(1, len(q) + 1)[:, None] * distance
    stable = np.einsum("hd,hsd->hs", q, keys).max(1, keepdims=True) / np.sqrt(q.shape[1])
    return _penalised(q, keys, values, penalty + stable)


@check_alibi_step.wrong("penalty is missing")
def forgets_the_penalty(q, keys, values):
    return _penalised(q, keys, values, np.zeros(keys.shape[:2]))


@check_alibi_step.wrong("the oldest key stands first")
def counts_from_the_beginning(q, keys, values):
    return _penalised(q, keys, values, _slopes(len(q)) * np.arange(keys.shape[1]))


@check_alibi_step.wrong("one slope")
def takes_one_slope(q, keys, values):
    return _penalised(q, keys, values, _slopes(len(q))[:1] * np.arange(keys.shape[1])[::-1])


@check_alibi_step.wrong("not with 1")
def counts_heads_from_zero(q, keys, values):
    slopes = 2.0 ** (-8 * np.arange(len(q)) / len(q))[:, None]
    return _penalised(q, keys, values, slopes * np.arange(keys.shape[1])[::-1])


@check_alibi_step.wrong("a quarter")
def halves_from_head_to_head(q, keys, values):
    slopes = 2.0 ** -np.arange(1, len(q) + 1)[:, None]
    return _penalised(q, keys, values, slopes * np.arange(keys.shape[1])[::-1])


@check_alibi_step.wrong("root of hs")
def forgets_the_scale(q, keys, values):
    return alibi_step(q * np.sqrt(q.shape[1]), keys, values)


@check_alibi_step.wrong("before the exponential")
def overflows(q, keys, values):
    with np.errstate(all="ignore"):
        return _penalised(q, keys, values, _slopes(len(q)) * np.arange(keys.shape[1])[::-1])


# -- read a paper ------------------------------------------------------------------------------


def group_the_keys(W, heads, groups):
    """The first matrix of keys of a grouped model, from that of a trained one."""
    rows, D = W.shape  # head after head, rows / heads each
    parts = W.reshape(groups, heads // groups, rows // heads, D)
    return parts.mean(axis=1).reshape(-1, D)


@exercise(
    solution=group_the_keys,
    reasoning="""Neighbouring heads form a group. The mean of their matrices keeps something of
each, and of all single matrices it is the closest to them, in the sum of squares; the paper found
it better than taking one of the heads, and that better than drawing anew.""",
    shown="A model with shared keys need not begin anew: it begins as the mean of a trained one.",
)
def check_group_the_keys(group_the_keys):
    W = np.random.default_rng(0).normal(size=(6 * 2, 5))  # six heads of two features
    got = np.asarray(group_the_keys(W.copy(), 6, 2))
    heads = W.reshape(6, 2, 5)
    expect(
        got.shape == (4, 5),
        f"Two groups of two features make 4 rows of 5, (4, 5), not {got.shape}.",
    )
    if close(got, heads.reshape(2, 3, 2, 5).sum(1).reshape(4, 5)):
        raise Hint("That is the sum: keys three times as long, and scores as large. Take the mean.")
    if close(got, heads[[0, 3]].reshape(4, 5)):
        raise Hint("That is the first head of each group. Section 2 of the paper uses all of them.")
    if close(got, heads.reshape(3, 2, 2, 5).mean(0).reshape(4, 5)):
        raise Hint("The heads 0, 2, 4 have been pooled. Neighbours share: 0, 1, 2 and 3, 4, 5.")
    if close(got, W.reshape(2, 2, 3, 5).mean(2).reshape(4, 5)):
        raise Hint(
            "Rows of one head have been pooled. Feature i goes with feature i of the others."
        )
    right = np.concatenate([heads[:3].mean(0), heads[3:].mean(0)])
    expect_close(got, right, "group_the_keys(W, 6, 2)")
    few = W[:, :4]  # four columns: their number says nothing about the heads' features
    expect_close(group_the_keys(few.copy(), 6, 6), few, "with as many groups as heads, the matrix")
    one = group_the_keys(W.copy(), 6, 1)
    expect_close(one, heads.mean(0), "with one group, the matrix")


@check_group_the_keys.wrong("Take the mean")
def adds_the_heads(W, heads, groups):
    return group_the_keys(W, heads, groups) * (heads // groups)


@check_group_the_keys.wrong("first head of each group")
def takes_the_first_head(W, heads, groups):
    parts = W.reshape(groups, heads // groups, -1, W.shape[1])
    return parts[:, 0].reshape(-1, W.shape[1])


@check_group_the_keys.wrong("Neighbours share")
def pools_every_other_head(W, heads, groups):
    parts = W.reshape(heads // groups, groups, -1, W.shape[1])
    return parts.mean(axis=0).reshape(-1, W.shape[1])


@check_group_the_keys.wrong("Feature i goes with")
def pools_rows_of_one_head(W, heads, groups):
    return W.reshape(-1, heads // groups, W.shape[1]).mean(axis=1)
