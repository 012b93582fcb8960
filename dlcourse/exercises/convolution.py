"""Exercises of the chapter convolution. The form: dlcourse/exercises/__init__.py."""

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="in_features",
    solution=64,
    reasoning=(
        "28 becomes $\\lfloor (28 + 2 - 4 - 1) / 2 \\rfloor + 1 = 13$, the pooling makes it 6, and "
        "the dilated kernel spans 5 pixels, which leaves 2. With 16 channels that is "
        "$16 \\cdot 2 \\cdot 2 = 64$."
    ),
    shown="A dilated kernel of 3 spans 5, and a division that does not come out is rounded down.",
)
def check_in_features(answer):
    if close(answer, 4):
        raise Hint("That is one channel. The linear layer sees all of them.")
    if close(answer, 144):
        raise Hint("13 pixels hold six windows of two, not seven: sizes are rounded *down*.")
    if close(answer, 256):
        raise Hint("The last kernel is dilated: its three taps span 2 * (3 - 1) + 1 = 5 pixels.")
    if close(answer, 400):
        raise Hint("400 belongs to LeNet on 32 x 32 pixels. Follow the sizes of *this* network.")
    expect(close(answer, 64), "Go layer by layer with the formula for the output's size.")


check_in_features.wrong("one channel", 4)
check_in_features.wrong("rounded *down*", 144)
check_in_features.wrong("is dilated", 256)
check_in_features.wrong("belongs to LeNet", 400)
check_in_features.wrong("layer by layer", 100)

# -- by hand -----------------------------------------------------------------------------------


def input_grad(G, w, n, stride):
    """The gradient by x (n,) of y[p] = sum of w[i] * x[stride * p + i], given G."""
    grad = np.zeros(n)
    for p, g in enumerate(G):
        grad[stride * p : stride * p + len(w)] += g * w
    return grad


@exercise(
    solution=input_grad,
    reasoning=r"""$x_u$ was multiplied by $w_i$ for the output $p$ with $s p + i = u$, and each such
product sends back $g_p w_i$. So each $g_p$ adds its copy of the kernel where its window stood; the
copies overlap and are summed, and what no window reached keeps a zero.""",
    shown="Each incoming number stamps the kernel where its window stood. That is all of backward.",
)
def check_input_grad(input_grad):
    G, w = np.array([1.0, 10.0, 100.0]), np.array([1.0, 2.0, 5.0])
    right = np.array([1.0, 2.0, 15.0, 20.0, 150.0, 200.0, 500.0, 0.0])
    got = input_grad(G, w, 8, 2)
    if close(got, [5.0, 2.0, 51.0, 20.0, 510.0, 200.0, 100.0, 0.0]):
        raise Hint("The kernel is flipped: x[stride * p + i] met w[i], so it gets w[i] back.")
    if close(got, [1.0, 2.0, 10.0, 20.0, 100.0, 200.0, 500.0, 0.0]):
        raise Hint("Where windows overlap, a pixel was used twice: its gradients *add up* (`+=`).")
    if close(got, [1.0, 12.0, 125.0, 250.0, 500.0, 0.0, 0.0, 0.0]):
        raise Hint("The windows stand `stride` apart: window p begins at stride * p.")
    if close(got, right[:7]):
        raise Hint("The gradient has the shape of x. No window reached the last pixel: it gets 0.")
    expect_close(got, right, "input_grad([1, 10, 100], [1, 2, 5], 8, stride=2)")
    expect_close(input_grad(G[:2], w, 4, 1), [1.0, 12.0, 25.0, 50.0], "the same with stride 1")


@check_input_grad.wrong("kernel is flipped")
def flips_the_kernel(G, w, n, stride):
    return input_grad(G, w[::-1], n, stride)


@check_input_grad.wrong("*add up*")
def overwrites(G, w, n, stride):
    grad = np.zeros(n)
    for p, g in enumerate(G):
        grad[stride * p : stride * p + len(w)] = g * w
    return grad


@check_input_grad.wrong("`stride` apart")
def forgets_the_stride(G, w, n, stride):
    return input_grad(G, w, n, 1)


@check_input_grad.wrong("shape of x")
def forgets_the_rest(G, w, n, stride):
    return input_grad(G, w, stride * (len(G) - 1) + len(w), stride)


# -- change the code ---------------------------------------------------------------------------


def same_pads(n, k, stride, dilation):
    """(before, after): zeros with which n pixels give ceil(n / stride) outputs."""
    outputs = -(-n // stride)
    total = max(stride * (outputs - 1) + dilation * (k - 1) + 1 - n, 0)
    return total // 2, total - total // 2


@exercise(
    solution=same_pads,
    reasoning=r"""The last of $\lceil n / s \rceil$ windows begins at $s\,(\lceil n/s \rceil - 1)$
and spans $d\,(k - 1) + 1$; what sticks out beyond $n$ is padding. Nothing may stick out, then it
is 0 and not negative.""",
    shown='With a stride, "same" depends on the size of the image: that is why torch refuses it.',
)
def check_same_pads(same_pads):
    cases = {(7, 3, 2, 1): (1, 1), (8, 3, 2, 1): (0, 1), (8, 1, 2, 1): (0, 0), (9, 3, 2, 2): (2, 2)}
    got = {case: tuple(same_pads(*case)) for case in cases}
    if got[8, 3, 2, 1] == (1, 0):
        raise Hint("An odd number of zeros has one more at the *end*, in torch and elsewhere.")
    if got[8, 3, 2, 1] == (1, 1):
        raise Hint("That is stride 1. With stride 2, eight pixels need one zero, not two.")
    if min(got[8, 1, 2, 1]) < 0:
        raise Hint("A kernel of 1 with stride 2 needs no padding, and certainly not less than 0.")
    if got[9, 3, 2, 2] == (1, 1):
        raise Hint("With dilation 2 a kernel of 3 spans five pixels.")
    for case, wanted in cases.items():
        expect_close(got[case], wanted, f"same_pads{case}")


@check_same_pads.wrong("at the *end*")
def pads_the_front_more(n, k, stride, dilation):
    return same_pads(n, k, stride, dilation)[::-1]


@check_same_pads.wrong("That is stride 1")
def forgets_that_it_strides(n, k, stride, dilation):
    return same_pads(n, k, 1, dilation)


@check_same_pads.wrong("less than 0")
def allows_negative(n, k, stride, dilation):
    total = stride * (-(-n // stride) - 1) + dilation * (k - 1) + 1 - n
    return total // 2, total - total // 2


@check_same_pads.wrong("spans five")
def forgets_the_dilation(n, k, stride, dilation):
    return same_pads(n, k, stride, 1)


# -- derive ------------------------------------------------------------------------------------


def receptive_field(layers, p):
    """(first, last) pixel of p; layers: (kernel, stride, padding, dilation)."""
    first = last = p
    for k, stride, padding, dilation in reversed(layers):
        first = first * stride - padding  # where the window begins
        last = last * stride - padding + dilation * (k - 1)
    return first, last


LENET = [(5, 1, 0, 1), (2, 2, 0, 1), (5, 1, 0, 1), (2, 2, 0, 1)]
PADDED = [(3, 2, 1, 1), (3, 1, 2, 2)]


@exercise(
    solution=receptive_field,
    reasoning=r"""Output $p$ of a layer has its window at $s p - P$ of the layer's input, and the
window ends $d\,(k - 1)$ later. Both ends are carried back through the layers, the last layer first.
Their difference does not depend on $p$ or $P$.""",
    shown="Padding moves a receptive field; strides and dilations spread it.",
)
def check_receptive_field(receptive_field):
    got = receptive_field(LENET, 3)
    expect(
        np.shape(got) == (2,),
        "Give two numbers back, the first and the last: `return first, last`.",
    )
    if close(got, [12, 39]):
        raise Hint("Go backward: output p is one of the *last* layer, so begin with that one.")
    if close(got, [12, 16]):
        raise Hint("That is the first pixel and how many there are. Which one is the last?")
    if close(got, [12, 28]):
        raise Hint("The pixel behind the last one seen is not seen: a kernel ends k - 1 later.")
    if close(got, [0, 15]):
        raise Hint("That is output 0. Output p begins p jumps farther to the right.")
    expect_close(got, [12, 27], "receptive_field(LeNet's convolutions and poolings, 3)")
    got = receptive_field(PADDED, 0)
    if close(got, [0, 10]):
        raise Hint("A padding of P begins P pixels before the image: the first window, at -P.")
    if close(got, [-6, 4]):
        raise Hint("The padding is not spread by the layer's own stride: it begins at s * p - P.")
    if close(got, [-5, 1]):
        raise Hint("The dilation is missing: a kernel spans dilation * (k - 1) steps.")
    expect_close(got, [-5, 5], f"receptive_field({PADDED}, 0)")
    layers = [(4, 3, 2, 1), (2, 2, 1, 3), (3, 1, 0, 2)]
    expect_close(receptive_field(layers, 2), [7, 43], f"receptive_field({layers}, 2)")


@check_receptive_field.wrong("Go backward")
def begins_at_the_first(layers, p):
    return receptive_field(layers[::-1], p)


@check_receptive_field.wrong("how many there are")
def gives_the_size(layers, p):
    first, last = receptive_field(layers, p)
    return first, last - first + 1


@check_receptive_field.wrong("k - 1 later")
def gives_the_end_behind(layers, p):
    first, last = receptive_field(layers, p)
    return first, last + 1


@check_receptive_field.wrong("That is output 0")
def forgets_the_place(layers, p):
    return receptive_field(layers, 0)


@check_receptive_field.wrong("before the image")
def forgets_the_padding(layers, p):
    return receptive_field([(k, stride, 0, dilation) for k, stride, _, dilation in layers], p)


@check_receptive_field.wrong("not spread by")
def strides_over_the_padding(layers, p):
    own = [(k, stride, stride * padding, dilation) for k, stride, padding, dilation in layers]
    return receptive_field(own, p)


@check_receptive_field.wrong("dilation is missing")
def forgets_that_it_dilates(layers, p):
    return receptive_field([(k, stride, padding, 1) for k, stride, padding, _ in layers], p)


# -- build new ---------------------------------------------------------------------------------


def blur_pool(x):
    """x (B, C, H, W) blurred by (1, 2, 1) / 4, and every second pixel of that."""
    row = mini.tensor([1.0, 2.0, 1.0], dtype=x.dtype) / 4
    kernel = row[:, None] * row  # (3, 3)
    kernel = kernel.expand(x.shape[1], 1, 3, 3)  # one for each channel
    x = mini.nn.functional.pad(x, (1, 1, 1, 1), "reflect")
    return mini.nn.functional.conv2d(x, kernel, stride=2, groups=x.shape[1])


@exercise(
    solution=blur_pool,
    reasoning="""A depthwise convolution: one kernel a channel, `groups` as many as channels.
Its weights sum to one, so that a blank page stays as it was; with reflection this holds at the
border too.""",
    shown="A pixel that lights up between two samples is now seen by both of them.",
)
def check_blur_pool(blur_pool):
    impulse = np.zeros((1, 2, 7, 9))
    impulse[0, 0, 2, 4], impulse[0, 1, 3, 4] = 16.0, 16.0
    try:
        got = blur_pool(mini.tensor(impulse, requires_grad=True))
    except RuntimeError as error:
        if "scalar type" not in str(error):
            raise
        raise Hint(
            "x is float64 and the kernel is not: give it the type of x, `dtype=x.dtype`."
        ) from error
    right = np.zeros((1, 2, 4, 5))
    right[0, 0, 1, 2] = 4.0
    right[0, 1, 1, 2] = right[0, 1, 2, 2] = 2.0
    if close(got, right * 16):
        raise Hint("The nine weights must sum to 1: the kernel is the outer product over 16.")
    if got.shape == (1, 2, 7, 9):
        raise Hint(
            "That is blurred, and all pixels are still there: take every second, `stride=2`."
        )
    if got.shape == (1, 2, 3, 4):
        raise Hint("The border is missing: pad by one pixel first, by reflection.")
    mixed = right.sum(1, keepdims=True)
    if close(got, mixed) or close(got, np.repeat(mixed, 2, axis=1)):
        raise Hint("The channels are mixed. Each has its own kernel: `groups` is their number.")
    if close(got[0, 0, 1, 2], 16 / 9):
        raise Hint("Nine equal weights are another blur: take the outer product of (1, 2, 1) / 4.")
    expect_close(got, right, "blur_pool of one bright pixel in each of two channels")
    got = blur_pool(mini.tensor(np.ones((1, 1, 6, 6)), requires_grad=True))
    if close(got[0, 0, 0, 0], 0.5625):
        raise Hint("Zeros around a white page darken its border. Pad by reflection.")
    expect_close(got, np.ones((1, 1, 3, 3)), "blur_pool of a white page")
    page = np.zeros((1, 1, 6, 7))
    page[0, 0, 0, 0] = page[0, 0, 1, 4] = page[0, 0, 4, 6] = 16.0
    got = blur_pool(mini.tensor(page, requires_grad=True))
    if close(got, _blur(mini.tensor(page), mode="replicate")):
        raise Hint("`replicate` repeats the pixel at the border; reflection does not: `reflect`.")
    expect_close(
        got, _blur(mini.tensor(page)), "blur_pool of a page with bright pixels at its border"
    )
    expect(
        getattr(got, "requires_grad", False),
        "Right numbers, but LeNet could not be trained with it: stay with operations of mini.",
    )


def _blur(x, mode="reflect", stride=2, groups=True, total=16.0, dtype=None):
    channels = x.shape[1]
    kernel = mini.tensor(np.outer([1, 2, 1], [1, 2, 1]) / total, dtype=dtype or x.dtype)
    shape = (channels, 1, 3, 3) if groups else (channels, channels, 3, 3)
    if mode:
        x = mini.nn.functional.pad(x, (1, 1, 1, 1), mode)
    many = channels if groups else 1
    return mini.nn.functional.conv2d(x, kernel.expand(*shape), stride=stride, groups=many)


@check_blur_pool.wrong("sum to 1")
def forgets_to_normalise(x):
    return _blur(x, total=1.0)


@check_blur_pool.wrong("`stride=2`")
def only_blurs(x):
    return _blur(x, stride=1)


@check_blur_pool.wrong("border is missing")
def forgets_the_border(x):
    return _blur(x, mode=None)


@check_blur_pool.wrong("channels are mixed")
def mixes_channels(x):
    return _blur(x, groups=False)


@check_blur_pool.wrong("another blur")
def takes_the_mean(x):
    return mini.nn.functional.avg_pool2d(mini.nn.functional.pad(x, (1, 1, 1, 1), "reflect"), 3, 2)


@check_blur_pool.wrong("darken its border")
def pads_with_zeros(x):
    return _blur(x, mode="constant")


@check_blur_pool.wrong("repeats the pixel")
def pads_by_repeating(x):
    return _blur(x, mode="replicate")


@check_blur_pool.wrong("the type of x")
def has_a_kernel_of_another_type(x):
    return _blur(x, dtype=mini.float32)


@check_blur_pool.wrong("could not be trained")
def leaves_the_graph(x):
    return _blur(x.detach())


# -- read a paper ------------------------------------------------------------------------------


def winograd(x, w):
    """Both sums of x (4 numbers) with w (3), by four products of x with w."""
    # once for each kernel:
    plus, minus = (w[0] + w[1] + w[2]) / 2, (w[0] - w[1] + w[2]) / 2
    a, b = (x[0] - x[2]) * w[0], (x[1] + x[2]) * plus
    c, d = (x[2] - x[1]) * minus, (x[1] - x[3]) * w[2]
    return a + b + c, b - c - d


class _Pixel:
    """A number that counts its products; sums are free, and products with 0, 1 and -1."""

    products, halved = 0, False

    def __init__(self, value):
        self.value = value

    def __add__(self, other):
        return _Pixel(self.value + _value(other))

    def __sub__(self, other):
        return _Pixel(self.value - _value(other))

    def __rsub__(self, other):
        return _Pixel(_value(other) - self.value)

    def __neg__(self):
        return _Pixel(-self.value)

    def __mul__(self, other):
        _Pixel.products += isinstance(other, _Pixel) or other not in (0, 1, -1)
        _Pixel.halved |= abs(_value(other)) == 0.5
        return _Pixel(self.value * _value(other))

    def __truediv__(self, other):
        return self * (1 / _value(other))

    __radd__, __rmul__ = __add__, __mul__


def _value(number):
    return number.value if isinstance(number, _Pixel) else number


@exercise(
    solution=winograd,
    reasoning=r"""Two outputs of three taps, $y_0 = x_0 w_0 + x_1 w_1 + x_2 w_2$ and
$y_1 = x_1 w_0 + x_2 w_1 + x_3 w_2$, share products once sums are formed first (Lavin and Gray,
2016). The combinations of the weights are made once and serve all places. In two dimensions 16
products do the work of 36.""",
    shown="Four products for six. Most 3 x 3 convolutions on GPUs have at some time run like this.",
)
def check_winograd(winograd):
    w, numbers = np.array([2.0, -3.0, 5.0]), (3.0, 1.0, -2.0, 7.0)
    _Pixel.products, _Pixel.halved = 0, False
    got = winograd(np.array([_Pixel(number) for number in numbers]), w)
    expect(
        isinstance(got, tuple | list | np.ndarray) and len(got) == 2,
        "Give both sums back: `return y0, y1`.",
    )
    got, products = [_value(y) for y in got], _Pixel.products
    right = _direct(numbers, w)  # -7 and 43
    if close(got, right) and products > 4:
        more = " To halve pixels counts: halve weights." if _Pixel.halved else ""
        raise Hint(
            f"The sums are right, by {products} products with pixels; four are enough.{more}"
        )
    if close(got[0], right[0]) and not close(got[1], right[1]):
        raise Hint("The first sum is right. In the second the last two products are *subtracted*.")
    if close(got, [-24.0, 56.0]):
        raise Hint("The two sums of all three weights are to be *halved* before they meet a pixel.")
    expect_close(got, right, "winograd((3, 1, -2, 7), (2, -3, 5))")
    x, w = np.random.default_rng(0).normal(size=(2, 4))
    expect_close(winograd(x, w[:3]), _direct(x, w), "the two sums of other numbers")


def _direct(x, w):
    return [x[p] * w[0] + x[p + 1] * w[1] + x[p + 2] * w[2] for p in (0, 1)]


@check_winograd.wrong("four are enough")
def multiplies_six_times(x, w):
    return _direct(x, w)


@check_winograd.wrong("halve weights")
def halves_at_the_end(x, w):
    a, d = (x[0] - x[2]) * w[0], (x[1] - x[3]) * w[2]
    b, c = (x[1] + x[2]) * (w[0] + w[1] + w[2]), (x[2] - x[1]) * (w[0] - w[1] + w[2])
    return a + (b + c) / 2, (b - c) / 2 - d


@check_winograd.wrong("*subtracted*")
def adds_in_both(x, w):
    plus, minus = (w[0] + w[1] + w[2]) / 2, (w[0] - w[1] + w[2]) / 2
    a, b = (x[0] - x[2]) * w[0], (x[1] + x[2]) * plus
    c, d = (x[2] - x[1]) * minus, (x[1] - x[3]) * w[2]
    return a + b + c, b + c + d


@check_winograd.wrong("*halved*")
def forgets_to_halve(x, w):
    plus, minus = w[0] + w[1] + w[2], w[0] - w[1] + w[2]
    a, b = (x[0] - x[2]) * w[0], (x[1] + x[2]) * plus
    c, d = (x[2] - x[1]) * minus, (x[1] - x[3]) * w[2]
    return a + b + c, b - c - d


@check_winograd.wrong("both sums back")
def gives_one_sum(x, w):
    return _direct(x, w)[0]
