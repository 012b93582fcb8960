"""Exercises of the chapter transformer. The form: dlcourse/exercises/__init__.py."""

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="equal_length",
    solution=24_576,
    reasoning=(
        "A layer's matrices cost $12 D^2$ multiply-adds a token, the scores and the means together "
        "$2 T D$. They are equal at $T = 6 D$."
    ),
    shown="Up to tens of thousands of tokens a wide model spends most of its work on its matrices.",
)
def check_equal_length(answer):
    if close(answer, 12 * 4096):
        raise Hint("Two products grow with T, the scores and the means of the values: $2 T D$.")
    if close(answer, 4096):
        raise Hint("At $T = D$ the scores and means cost $2 D^2$, the matrices $12 D^2$.")
    if close(answer, 2 * 4096):
        raise Hint("Count the MLP's $8 D^2$, too: it has two thirds of a layer's weights.")
    expect(close(answer, 6 * 4096), "Set $12 D^2 = 2 T D$ and solve for T.")


check_equal_length.wrong("Two products", 49_152)
check_equal_length.wrong("At $T = D$", 4096)
check_equal_length.wrong("Count the MLP's", 8192)
check_equal_length.wrong("solve for T", 1)

# -- by hand -----------------------------------------------------------------------------------


def gpt_size(V, T, D, L):
    """The number of parameters of a GPT: biases, learned positions, tied tables."""
    block = 12 * D**2 + 13 * D  # matrices; biases of 9D, two norms of 2D
    return V * D + T * D + L * block + 2 * D


@exercise(
    solution=gpt_size,
    reasoning=r"""Tables $VD + TD$; each block $12D^2$ in matrices, $9D$ in biases and $4D$ in its
two norms; one last norm, $2D$.""",
    shown="With V = 50257, T = 1024, D = 768 and L = 12 it is GPT-2's smallest: 124,439,808.",
)
def check_gpt_size(gpt_size):
    got = gpt_size(50257, 1024, 768, 12)
    right = 124_439_808
    V, T, D, L = 50257, 1024, 768, 12
    if close(got, right + V * D):
        raise Hint("The embedding is tied: one table reads and writes. Count it once.")
    if close(got, right - T * D):
        raise Hint("The table of positions is missing: T rows of D.")
    if close(got, right - 2 * D):
        raise Hint("After the last block stands one more norm, of 2D.")
    if close(got, right - L * 9 * D):
        raise Hint("Each linear layer has a bias, too: 3D, D, 4D and D.")
    if close(got, right - L * 4 * D):
        raise Hint("Each block has two norms, with a scale and a shift each.")
    expect_close(got, right, "gpt_size(50257, 1024, 768, 12)")
    expect_close(gpt_size(5, 7, 2, 1), 102, "gpt_size(5, 7, 2, 1)")


@check_gpt_size.wrong("Count it once")
def counts_the_head_again(V, T, D, L):
    return gpt_size(V, T, D, L) + V * D


@check_gpt_size.wrong("table of positions")
def forgets_the_positions(V, T, D, L):
    return gpt_size(V, T, D, L) - T * D


@check_gpt_size.wrong("After the last block")
def forgets_the_last_norm(V, T, D, L):
    return gpt_size(V, T, D, L) - 2 * D


@check_gpt_size.wrong("has a bias, too")
def forgets_the_biases(V, T, D, L):
    return gpt_size(V, T, D, L) - 9 * L * D


@check_gpt_size.wrong("two norms")
def forgets_the_norms(V, T, D, L):
    return gpt_size(V, T, D, L) - 4 * L * D


# -- change the code ---------------------------------------------------------------------------


def sinusoids(T, D):
    """Vaswani's table (T, D): sine beside cosine for each frequency, D even."""
    frequency = 10_000.0 ** (-np.arange(0, D, 2) / D)  # (D / 2)
    angle = np.arange(T)[:, None] * frequency  # (T, D / 2)
    return np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(T, D)


@exercise(
    solution=sinusoids,
    reasoning=r"""Angles $t\,\omega_i$ with $\omega_i = 10000^{-2i/D}$ form a $(T, D/2)$ array;
stacking sines and cosines along a last dimension and flattening it puts each pair side by side.""",
    shown="Features 2i and 2i + 1 are the two hands of one clock.",
)
def check_sinusoids(sinusoids):
    got = np.asarray(sinusoids(5, 4))
    expect(got.shape == (5, 4), f"The table has T rows and D columns, (5, 4), not {got.shape}.")
    w = np.array([1.0, 0.01])
    angle = np.arange(5)[:, None] * w
    right = np.empty((5, 4))
    right[:, 0::2], right[:, 1::2] = np.sin(angle), np.cos(angle)
    if close(got, np.concatenate([np.sin(angle), np.cos(angle)], axis=1)):
        raise Hint("All sines come first. The paper puts each sine beside its cosine.")
    if close(got[:, 0], np.sin(np.arange(1, 6))):
        raise Hint("Positions are counted from 0: row 0 is 0, 1, 0, 1, ...")
    if close(got[:, 2], np.sin(np.arange(5) * 1e-4)):
        raise Hint("Frequency i is `10000 ** (-2i / D)`: its exponent stops short of -1.")
    if close(got[:, 1], np.cos(np.arange(5) * 0.1)):
        raise Hint("A sine and its cosine share one frequency: there are D / 2, not D of them.")
    expect_close(got, right, "sinusoids(5, 4)")


@check_sinusoids.wrong("All sines come first")
def puts_sines_first(T, D):
    table = sinusoids(T, D)
    return np.concatenate([table[:, 0::2], table[:, 1::2]], axis=1)


@check_sinusoids.wrong("counted from 0")
def counts_from_one(T, D):
    return sinusoids(T + 1, D)[1:]


@check_sinusoids.wrong("stops short of -1")
def ends_at_the_base(T, D):
    angle = np.arange(T)[:, None] * 10_000.0 ** -np.linspace(0, 1, D // 2)
    return np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(T, D)


@check_sinusoids.wrong("share one frequency")
def gives_each_its_own_frequency(T, D):
    angle = np.arange(T)[:, None] * 10_000.0 ** (-np.arange(D) / D)
    return np.where(np.arange(D) % 2, np.cos(angle), np.sin(angle))


@check_sinusoids.wrong("T rows and D columns")
def gives_the_columns_first(T, D):
    return sinusoids(T, D).T


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
        if name == "a small leak":
            raise Hint("A small leak passes: what a mask forbids is 0, so allow nothing but 0.")
        if name.startswith("a leak into features"):
            raise Hint("A leak into features whose sum is always 0 passes: weigh them at random.")
        if name.startswith("a leak that turns"):
            raise Hint("A leak that turns the output passes: the sum of its squares never changes.")
        raise Hint(f"You do not see that {name} leaks: here every position hears every other.")


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


def alibi(heads, T):
    """What is added to the scores, (nh, T, T): -slope * distance, or -inf."""
    slopes = 2.0 ** (-8 * np.arange(1, heads + 1) / heads)  # (nh)
    t = np.arange(T)
    distance = t[:, None] - t  # (T, T)
    bias = -slopes[:, None, None] * distance
    return np.where(distance >= 0, bias, -np.inf)


@exercise(
    solution=alibi,
    reasoning=r"""The slopes of $n$ heads are $2^{-8/n}, 2^{-16/n}, \dots, 2^{-8}$; query $t$ and
key $s \le t$ get $-m\,(t - s)$.""",
    shown="No parameter, no table, and every head forgets at its own rate.",
)
def check_alibi(alibi):
    got = np.asarray(alibi(4, 3), float)
    expect(got.shape == (4, 3, 3), f"The shape is (nh, T, T) = (4, 3, 3), not {got.shape}.")
    slopes = np.array([0.25, 0.0625, 0.015625, 0.00390625])
    if np.isfinite(got[:, 0, 1:]).any():
        raise Hint("The causal mask belongs to it: -inf where the key comes after the query.")
    if close(got[:, 2, 0], 2 * slopes):
        raise Hint("The sign is turned: what is far away is to be heard *less*.")
    if close(got[:, 2, 0], -2 / np.arange(1, 5)):
        raise Hint("The slopes are a geometric sequence, from 2**(-8/nh) to 2**-8.")
    if close(got[:, 2, 0], -2 * 2.0 ** -np.arange(1, 5)):
        raise Hint("With 4 heads the ratio of the slopes is 2**(-8/4), that is a quarter.")
    if close(got[:, 2, 0], -slopes):
        raise Hint("The penalty grows with the distance: two steps back cost two slopes.")
    t = np.arange(3)
    right = np.where(t[:, None] >= t, -slopes[:, None, None] * (t[:, None] - t), -np.inf)
    expect_close(got, right, "alibi(4, 3)")


@check_alibi.wrong("causal mask belongs to it")
def forgets_the_mask(heads, T):
    slopes = 2.0 ** (-8 * np.arange(1, heads + 1) / heads)
    t = np.arange(T)
    return -slopes[:, None, None] * abs(t[:, None] - t)


@check_alibi.wrong("sign is turned")
def rewards_distance(heads, T):
    bias = alibi(heads, T)
    return np.where(np.isfinite(bias), -bias, -np.inf)


@check_alibi.wrong("geometric sequence")
def takes_harmonic_slopes(heads, T):
    slopes = 2.0 ** (-8 * np.arange(1, heads + 1) / heads)
    return alibi(heads, T) / (slopes * np.arange(1, heads + 1))[:, None, None]


@check_alibi.wrong("a quarter")
def halves_from_head_to_head(heads, T):
    slopes = 2.0 ** (-8 * np.arange(1, heads + 1) / heads)
    return alibi(heads, T) * (2.0 ** -np.arange(1, heads + 1) / slopes)[:, None, None]


@check_alibi.wrong("two steps back")
def punishes_every_distance_alike(heads, T):
    slopes = 2.0 ** (-8 * np.arange(1, heads + 1) / heads)[:, None, None]
    return np.maximum(alibi(heads, T), np.where(np.isfinite(alibi(heads, T)), -slopes, -np.inf))


# -- read a paper ------------------------------------------------------------------------------


def grouped_attention(q, k, v):
    """Causal attention of q (nh, T, hs) to k, v (groups, T, hs)."""
    share = len(q) // len(k)
    k, v = np.repeat(k, share, axis=0), np.repeat(v, share, axis=0)  # (nh, T, hs)
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[-1])  # (nh, T, T)
    scores = np.where(np.tri(q.shape[1], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v  # (nh, T, hs)


def _grouped(q, k, v, share, scale=True, causal=True):
    k, v = share(k), share(v)
    mask = "is_causal" if causal else None
    q, k, v = (mini.tensor(a) for a in (q, k, v))
    how = {"scale": None if scale else 1.0} | ({mask: True} if mask else {})
    return mini.nn.functional.scaled_dot_product_attention(q, k, v, **how).numpy()


def _repeated(a):
    return np.repeat(a, 2, axis=0)


def _tiled(a):
    return np.tile(a, (2, 1, 1))


@exercise(
    solution=grouped_attention,
    reasoning="""`np.repeat` gives heads 0 and 1 the first key, heads 2 and 3 the second, as torch's
`enable_gqa` does; `np.tile` would give it to heads 0 and 2.""",
    shown="The cache of keys and values is as many times smaller as heads share one.",
)
def check_grouped_attention(grouped_attention):
    rng = np.random.default_rng(0)
    q, k, v = (rng.normal(size=(n, 5, 3)) for n in (4, 2, 2))
    got = np.asarray(grouped_attention(q, k, v))
    expect(got.shape == q.shape, f"The result has the shape of q, {q.shape}, not {got.shape}.")
    if close(got, _grouped(q, k, v, _tiled)):
        raise Hint("Heads 0 and 1 share the first keys: `np.repeat`, not `np.tile`.")
    if close(got, _grouped(q, k, v, _repeated, scale=False)):
        raise Hint("The scores are not divided by the root of hs.")
    if close(got, _grouped(q, k, v, _repeated, causal=False)):
        raise Hint("It is causal: no query looks at keys that come after it.")
    expect_close(got, _grouped(q, k, v, _repeated), "grouped_attention(q, k, v)")


@check_grouped_attention.wrong("not `np.tile`")
def tiles_the_keys(q, k, v):
    return _grouped(q, k, v, _tiled)


@check_grouped_attention.wrong("root of hs")
def forgets_the_scale(q, k, v):
    return _grouped(q, k, v, _repeated, scale=False)


@check_grouped_attention.wrong("It is causal")
def looks_ahead(q, k, v):
    return _grouped(q, k, v, _repeated, causal=False)


@check_grouped_attention.wrong("shape of q")
def keeps_the_groups(q, k, v):
    return _grouped(q[: len(k)], k, v, lambda a: a)
