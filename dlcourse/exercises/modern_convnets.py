"""Exercises of the chapter modern_convnets. The form: dlcourse/exercises/__init__.py."""

import math

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------

C = 1 - 1 / math.pi  # the batch variance that a layer adds
LAYERS = range(20)


@exercise(
    name="gradient_ratio",
    solution=(1 / C) ** 10,
    reasoning=r"""Without shortcuts each layer multiplies the *mean square* of the gradient by
$\pi / (\pi - 1)$, so the size by its root. Twenty layers make
$\bigl(\pi / (\pi - 1)\bigr)^{20/2}$, about 46. With fifty layers it is 14 000.""",
    shown="Batch normalisation keeps the activations, and lets the gradient explode.",
)
def check_gradient_ratio(ratio):
    if close(ratio, (1 / C) ** 20, rtol=0.01):
        raise Hint("That is the mean square. The size of a gradient is the root of it.")
    if close(ratio, C**10, rtol=0.01):
        raise Hint("The gradient goes from the last layer to the first, and grows on its way.")
    if close(ratio, 1.0):
        raise Hint("That would be He's rule without normalisation. What does dividing by s do?")
    if close(ratio, math.prod(1 + 1 / (1 + C * n) for n in LAYERS) ** 0.5, rtol=0.01):
        raise Hint("That is the network *with* shortcuts.")
    if close(ratio, 1.47**10, rtol=0.001):
        raise Hint("Two percent too large: 1.47 is rounded, and the power makes ten times of that.")
    if close(ratio, C**-9.5, rtol=0.01):
        raise Hint("Here all twenty layers divide by the root of c, the first one, too.")
    expect(
        close(ratio, (1 / C) ** 10, rtol=0.01),
        "By which factor does one layer change the mean square? And twenty? Then take the root.",
    )


check_gradient_ratio.wrong("the root of it", (1 / C) ** 20)
check_gradient_ratio.wrong("from the last layer to the first", C**10)
check_gradient_ratio.wrong("without normalisation", 1.0)
check_gradient_ratio.wrong("is rounded", 47.1)
check_gradient_ratio.wrong("the first one, too", C**-9.5)
check_gradient_ratio.wrong("Then take the root", 2.0**10)
check_gradient_ratio.wrong(
    "*with* shortcuts", math.prod(1 + 1 / (1 + C * n) for n in LAYERS) ** 0.5
)


# -- compute by hand ---------------------------------------------------------------------------


def inception_multiply_adds(channels, c1, reduce3, c3, reduce5, c5, pooled, side):
    """Multiply-adds of an Inception block on an image of side x side pixels."""
    ones = channels * (c1 + reduce3 + reduce5 + pooled)
    return side**2 * (ones + 9 * reduce3 * c3 + 25 * reduce5 * c5)


BLOCK_3A = (192, 64, 96, 128, 16, 32, 32, 28)


@exercise(
    solution=inception_multiply_adds,
    reasoning="""Four 1x1 convolutions see all channels: one branch is nothing else, two reduce, and
one follows the pooling. The 3x3 and the 5x5 see only the reduced channels. Pooling compares and
multiplies nothing, and every output has as many pixels as the input.""",
    shown="Four of the six convolutions of the block are 1x1.",
)
def check_inception_multiply_adds(inception_multiply_adds):
    channels, c1, reduce3, c3, reduce5, c5, pooled, side = BLOCK_3A
    ones = channels * (c1 + reduce3 + reduce5 + pooled)
    rest = 9 * reduce3 * c3 + 25 * reduce5 * c5
    got = inception_multiply_adds(*BLOCK_3A)
    if close(got, ones + rest):
        raise Hint("Those are the weights. Each is used once for every pixel of the output.")
    if close(got, side**2 * (ones + 9 * channels * c3 + 25 * channels * c5)):
        raise Hint("The 3x3 and the 5x5 see the *reduced* channels, not all of the input's.")
    if close(got, side**2 * (ones - channels * pooled + rest)):
        raise Hint("A 1x1 convolution follows the pooling, too.")
    if close(got, side**2 * (ones + 9 * (reduce3 * c3 + reduce5 * c5))):
        raise Hint("A 3x3 in the place of the 5x5: torchvision's bug. Here we want the paper's.")
    expect_close(got, side**2 * (ones + rest), "the multiply-adds of block 3a")
    expect_close(inception_multiply_adds(2, 1, 1, 1, 1, 1, 1, 3), 378, "a tiny block")
    hint = "In block 3a `c5` and `pooled` are the same number; here all are different."
    what = "a block with 5 and 7 for `c5` and `pooled`"
    expect_close(inception_multiply_adds(10, 8, 3, 4, 2, 5, 7, 1), 558, what, hint)


@check_inception_multiply_adds.wrong("here all are different")
def takes_c5_for_pooled(channels, c1, reduce3, c3, reduce5, c5, pooled, side):
    return inception_multiply_adds(channels, c1, reduce3, c3, reduce5, c5, c5, side)


@check_inception_multiply_adds.wrong("for every pixel")
def counts_weights(channels, c1, reduce3, c3, reduce5, c5, pooled, side):
    return inception_multiply_adds(channels, c1, reduce3, c3, reduce5, c5, pooled, 1)


@check_inception_multiply_adds.wrong("*reduced* channels")
def forgets_the_reduction(channels, c1, reduce3, c3, reduce5, c5, pooled, side):
    ones = channels * (c1 + reduce3 + reduce5 + pooled)
    return side**2 * (ones + 9 * channels * c3 + 25 * channels * c5)


@check_inception_multiply_adds.wrong("follows the pooling")
def forgets_the_pooled_branch(channels, c1, reduce3, c3, reduce5, c5, pooled, side):
    return inception_multiply_adds(channels, c1, reduce3, c3, reduce5, c5, 0, side)


@check_inception_multiply_adds.wrong("torchvision's bug")
def takes_3x3_for_5x5(channels, c1, reduce3, c3, reduce5, c5, pooled, side):
    right = inception_multiply_adds(channels, c1, reduce3, c3, reduce5, c5, pooled, side)
    return right - side**2 * 16 * reduce5 * c5


# -- compute by hand ---------------------------------------------------------------------------


def largest_depth(stem, growth, channels):
    """The most layers whose concatenations copy at most `channels` channels."""
    b = 2 * stem - growth  # growth L^2 + b L - 2 channels <= 0
    return (math.isqrt(b**2 + 8 * growth * channels) - b) // (2 * growth)


def _copied(stem, growth, depth):
    return depth * stem + growth * depth * (depth - 1) // 2


def _search(copies, channels):
    depth = 0
    while copies(depth + 1) <= channels:
        depth += 1
    return depth


@exercise(
    solution=largest_depth,
    reasoning=r"""Layer $\ell$ (from 0) concatenates $C_0 + \ell k$ channels, so $L$ layers copy
$L C_0 + k L(L-1)/2$. Set that to at most $M$ and solve the quadratic inequality
$k L^2 + (2 C_0 - k) L - 2M \le 0$; `isqrt` keeps it exact. Or count up until it is too much: a
loop is right, too. Twice the memory gives about 1.4 times the depth.""",
    shown="Depth grows like the root of the memory: that is what quadratic means.",
)
def check_largest_depth(largest_depth):
    stem, growth, channels = 64, 32, 10_000
    right = _search(lambda n: _copied(stem, growth, n), channels)
    got = largest_depth(stem, growth, channels)
    if close(got, _search(lambda n: stem + n * growth, channels)):
        raise Hint("The channels of the last layer are not the sum over all layers.")
    if close(got, _search(lambda n: n * stem + growth * n**2, channels)):
        raise Hint("0 + 1 + ... + (L - 1) is half of L (L - 1).")
    if close(got, _search(lambda n: n * stem + growth * n * (n + 1) // 2, channels)):
        raise Hint("The first layer concatenates the stem alone: nothing has grown yet.")
    if close(got, right + 1):
        raise Hint("That is one layer too many: `channels` is the most that may be copied.")
    expect_close(got, right, "largest_depth(64, 32, 10000)")
    for depth in (1, 5, 40):
        exact = _copied(24, 12, depth)
        expect_close(largest_depth(24, 12, exact), depth, "the depth that uses all of it",
                     "Beware of rounding: whole numbers stay exact.")  # fmt: skip
        expect_close(largest_depth(24, 12, exact - 1), depth - 1, "the depth with one channel less",
                     "Beware of rounding: whole numbers stay exact.")  # fmt: skip


@check_largest_depth.wrong("not the sum")
def takes_the_last_layer(stem, growth, channels):
    return (channels - stem) // growth


@check_largest_depth.wrong("half of")
def forgets_the_half(stem, growth, channels):
    return _search(lambda n: n * stem + growth * n**2, channels)


@check_largest_depth.wrong("nothing has grown")
def grows_before_the_first_layer(stem, growth, channels):
    return _search(lambda n: n * stem + growth * n * (n + 1) // 2, channels)


@check_largest_depth.wrong("one layer too many")
def one_too_many(stem, growth, channels):
    return largest_depth(stem, growth, channels) + 1


# -- change the code ---------------------------------------------------------------------------


def preactivation(x, norm1, conv1, norm2, conv2):
    """x + f(x), with norm and ReLU before each of the two convolutions of f."""
    f = conv1(norm1(x).relu())
    return x + conv2(norm2(f).relu())


def _parts():
    mini.manual_seed(0)
    nn = mini.nn
    norms = [nn.BatchNorm2d(3).double() for _ in range(2)]
    with mini.no_grad():
        for norm in norms:
            norm.weight.copy_(mini.rand(3) + 0.5)
            norm.bias.copy_(mini.randn(3))
    convs = [nn.Conv2d(3, 3, 3, padding=1, bias=False).double() for _ in range(2)]
    return norms[0], convs[0], norms[1], convs[1]


@exercise(
    solution=preactivation,
    reasoning="""What is added is never touched again: no ReLU and no normalisation stands on the
way of the sum. So the input of any block is the input of the network plus what the blocks before it
have added, and the gradient arrives at every block as it left the last. He et al. (2016b) trained
1001 layers with it.""",
    shown="Nothing stands on the way of x: the sum runs through the network untouched.",
)
def check_preactivation(preactivation):
    n1, c1, n2, c2 = parts = _parts()
    x = mini.tensor(np.random.default_rng(0).normal(size=(4, 3, 5, 5)))
    got = preactivation(x, *parts)
    if close(got, (x + n2(c2(n1(c1(x)).relu()))).relu()):
        raise Hint("That is the block of 2015: norm and ReLU *behind* the convolutions.")
    if close(got, (x + c2(n2(c1(n1(x).relu())).relu())).relu()):
        raise Hint("A ReLU behind the sum still stands on the way of x. Leave it out.")
    if close(got, c2(n2(c1(n1(x).relu())).relu())):
        raise Hint("That is f(x). Where is x?")
    a = n1(x).relu()
    if close(got, a + c2(n2(c1(a)).relu())):
        raise Hint("What is added has gone through norm and ReLU. Add `x` itself.")
    if close(got, x + c2(n2(c1(n1(x))).relu())) or close(got, x + c2(n2(c1(n1(x).relu())))):
        raise Hint("A ReLU is missing: there is one before *each* convolution.")
    expect_close(got, x + c2(n2(c1(n1(x).relu())).relu()), "the block's output")


@check_preactivation.wrong("the block of 2015")
def as_in_2015(x, norm1, conv1, norm2, conv2):
    return (x + norm2(conv2(norm1(conv1(x)).relu()))).relu()


@check_preactivation.wrong("still stands on the way")
def relu_behind_the_sum(x, norm1, conv1, norm2, conv2):
    return preactivation(x, norm1, conv1, norm2, conv2).relu()


@check_preactivation.wrong("Where is x?")
def without_the_sum(x, norm1, conv1, norm2, conv2):
    return preactivation(x, norm1, conv1, norm2, conv2) - x


@check_preactivation.wrong("Add `x` itself")
def adds_the_activation(x, norm1, conv1, norm2, conv2):
    a = norm1(x).relu()
    return a + conv2(norm2(conv1(a)).relu())


@check_preactivation.wrong("before *each*")
def one_relu(x, norm1, conv1, norm2, conv2):
    return x + conv2(norm2(conv1(norm1(x).relu())))


# -- build new ---------------------------------------------------------------------------------


def squeeze_excite(x, W1, W2):
    """x (B, C, H, W), each channel times sigmoid(W2 relu(W1 s)), s its mean."""
    s = x.mean((2, 3))  # (B, C)
    gate = ((s @ W1.T).relu() @ W2.T).sigmoid()  # (B, C/r) -> (B, C)
    return x * gate.unsqueeze(2).unsqueeze(3)  # (B, C, 1, 1) broadcasts


@exercise(
    solution=squeeze_excite,
    reasoning="""Squeeze: one number a channel, its mean over all places. Excite: two linear layers
with a narrow middle, and a sigmoid, so that a gate lies between 0 and 1. It costs 2 C^2 / r weights
and as many multiply-adds, for the whole image.""",
    shown="Each channel is turned up or down by what is in all of the image.",
)
def check_squeeze_excite(squeeze_excite):
    rng = np.random.default_rng(0)
    x = mini.tensor(rng.normal(1, 1, size=(2, 4, 3, 3)), requires_grad=True)
    row = rng.normal(size=4)
    W1, W2 = mini.tensor(np.stack([row, -row])), mini.tensor(rng.normal(size=(4, 2)))
    got = squeeze_excite(x, W1, W2)
    hidden = x.mean((2, 3)) @ W1.T
    gate = (hidden.relu() @ W2.T).sigmoid()
    if close(got, gate):
        raise Hint("Those are the gates. Multiply the image by them.")
    if close(got, x * ((hidden @ W2.T).sigmoid())[:, :, None, None]):
        raise Hint("Without the ReLU the two layers are one.")
    if close(got, x * (hidden.relu() @ W2.T)[:, :, None, None]):
        raise Hint("A gate lies between 0 and 1: where is the sigmoid?")
    if close(got, x + gate[:, :, None, None]):
        raise Hint("A gate multiplies; it is not added.")
    everything = x.mean((0, 2, 3), keepdim=False)
    batch_gate = ((everything @ W1.T).relu() @ W2.T).sigmoid()
    if close(got, x * batch_gate[None, :, None, None]):
        raise Hint("Each image has means of its own: do not average over the batch.")
    summed = ((x.sum((2, 3)) @ W1.T).relu() @ W2.T).sigmoid()
    if close(got, x * summed[:, :, None, None]):
        raise Hint("That is with the sum over all places; divide it by their number.")
    expect_close(got, x * gate[:, :, None, None], "the gated image")
    expect(got.requires_grad, "Right numbers, but autograd cannot go through.")


@check_squeeze_excite.wrong("Multiply the image")
def gives_the_gates(x, W1, W2):
    return ((x.mean((2, 3)) @ W1.T).relu() @ W2.T).sigmoid()


@check_squeeze_excite.wrong("two layers are one")
def without_relu(x, W1, W2):
    return x * (x.mean((2, 3)) @ W1.T @ W2.T).sigmoid()[:, :, None, None]


@check_squeeze_excite.wrong("where is the sigmoid")
def without_sigmoid(x, W1, W2):
    return x * ((x.mean((2, 3)) @ W1.T).relu() @ W2.T)[:, :, None, None]


@check_squeeze_excite.wrong("divide it by their number")
def adds_over_the_places(x, W1, W2):
    return x * ((x.sum((2, 3)) @ W1.T).relu() @ W2.T).sigmoid()[:, :, None, None]


@check_squeeze_excite.wrong("do not average over the batch")
def averages_over_the_batch(x, W1, W2):
    s = x.mean((0, 2, 3))
    return x * ((s @ W1.T).relu() @ W2.T).sigmoid()[None, :, None, None]


# -- read a paper ------------------------------------------------------------------------------


def mean_path_length(depth, rho):
    """The mean length of a path through blocks, each of weight rho ** length."""
    return depth * rho / (1 + rho)


@exercise(
    solution=mean_path_length,
    reasoning=r"""There are $\binom{L}{k}$ paths of length $k$, so the weights
$\binom{L}{k} \rho^k$ add up to $(1 + \rho)^L$, and divided by it they are the binomial distribution
of $L$ coins that show heads with probability $\rho / (1 + \rho)$. Its mean is $L \rho/(1 + \rho)$.
For $\rho = 1$ that is $L/2$; the paper measures that a block scales the gradient on a path down so
much that in a network of 54 blocks nearly all of it comes over paths of 5 to 17.""",
    shown="A deep residual network learns over paths that are much shorter than it is deep.",
)
def check_mean_path_length(mean_path_length):
    depth, rho = 12, 0.25
    weights = [math.comb(depth, k) * rho**k for k in range(depth + 1)]
    right = sum(k * w for k, w in enumerate(weights)) / sum(weights)
    got = mean_path_length(depth, rho)
    if close(got, depth / 2):
        raise Hint("That counts all paths alike. Here a path of length k weighs rho ** k.")
    if close(got, depth * rho):
        raise Hint("The weights have to add up to 1: divide by their sum, (1 + rho) ** depth.")
    if close(got, sum(k * w for k, w in enumerate(weights))):
        raise Hint("Divide by the sum of all weights.")
    alone = [rho**k for k in range(depth + 1)]
    if close(got, sum(k * w for k, w in enumerate(alone)) / sum(alone)):
        raise Hint("Of length k there are `math.comb(depth, k)` paths, not one.")
    expect_close(got, right, "mean_path_length(12, 0.25)")
    expect_close(mean_path_length(54, 1.0), 27.0, "mean_path_length(54, 1.0)")


@check_mean_path_length.wrong("counts all paths alike")
def all_alike(depth, rho):
    return depth / 2


@check_mean_path_length.wrong("have to add up to 1")
def without_the_sum_of_weights(depth, rho):
    return depth * rho


@check_mean_path_length.wrong("Divide by the sum")
def not_normalised(depth, rho):
    return sum(k * math.comb(depth, k) * rho**k for k in range(depth + 1))


@check_mean_path_length.wrong("not one")
def one_path_a_length(depth, rho):
    weights = [rho**k for k in range(depth + 1)]
    return sum(k * w for k, w in enumerate(weights)) / sum(weights)
