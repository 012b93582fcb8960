"""The rows of test_functional: what the functions of mini.nn.functional are called with."""

from optable import I, T, X, row

IMAGES = T((2, 4, 7, 6))
SMALL = T((2, 3, 4, 5))
LOGITS = T((5, 3))
PROBABILITIES = T((5, 3), 0.0, 1.0)
CLASSES = I((5,), 3)


def classes(*values):
    return I((len(values),), values=values)


def conv(images, weight, bias=None, **options):
    return row("conv2d", T(images), T(weight), None if bias is None else T(bias), **options)


ROWS = [
    row("relu", X),
    row("relu", T((3,), values=(0.0, -1.0, 2.0))),
    *[row(n, X) for n in ("sigmoid", "tanh", "logsigmoid")],
    row("logsigmoid", T((4,), values=(-800.0, 0.0, 0.5, 800.0))),
    *[row(n, X, 1) for n in ("softmax", "log_softmax")],
    *[row(n, X, dim=-1) for n in ("softmax", "log_softmax")],
    row("one_hot", I((2, 3), 4)),
    row("one_hot", I((4,), 3), 5),
    row("one_hot", I((0,)), 3),
    row("one_hot", I(()), 4),
    row("linear", T((2, 3)), T((4, 3)), T((4,))),
    row("linear", T((2, 3)), T((4, 3))),
    row("linear", T((3,)), T((4, 3)), T((4,))),
    row("linear", T((3,)), T((4, 3))),
    row("linear", T((2, 5, 3)), T((4, 3)), T((4,))),
    row("linear", T((2, 5, 3)), T((4, 3))),
    row("linear", T((0, 3)), T((4, 3)), T((4,))),
    row("linear", T((2, 0, 3)), T((4, 3)), T((4,))),
    row("dropout", X, 0.5, False),
    row("dropout", X, 0.0),
    row("dropout", X, 1.0),
    # convolution
    conv((2, 3, 7, 6), (4, 3, 3, 2), (4,)),
    conv((2, 3, 7, 6), (4, 3, 3, 2)),
    conv((3, 7, 6), (4, 3, 3, 2), (4,)),
    conv((2, 3, 7, 6), (4, 3, 1, 1), (4,)),
    conv((1, 1, 3, 3), (1, 1, 3, 3)),
    conv((2, 3, 7, 6), (4, 3, 3, 2), (4,), stride=2),
    conv((2, 3, 7, 6), (4, 3, 3, 2), (4,), stride=(1, 3)),
    conv((2, 3, 7, 6), (4, 3, 3, 2), padding=1),
    conv((2, 3, 7, 6), (4, 3, 3, 2), padding=(0, 2)),
    conv((2, 3, 7, 6), (4, 3, 3, 2), (4,), dilation=2),
    conv((2, 3, 7, 6), (4, 3, 3, 2), dilation=(1, 3), stride=2, padding=1),
    conv((2, 3, 7, 6), (4, 3, 3, 3), padding="same"),
    conv((2, 3, 7, 6), (4, 3, 2, 4), (4,), padding="same"),
    conv((2, 3, 7, 6), (4, 3, 2, 3), padding="same", dilation=(3, 2)),
    conv((2, 3, 7, 6), (4, 3, 3, 2), padding="valid"),
    conv((2, 4, 7, 6), (6, 2, 3, 2), (6,), groups=2),
    conv((2, 4, 5, 5), (4, 1, 3, 3), groups=4, stride=2, padding=1),
    conv((0, 3, 7, 6), (4, 3, 3, 2), (4,)),
    conv((2, 3, 8, 8), (4, 3, 3, 3), stride=3),
    conv((2, 3, 2, 2), (4, 3, 3, 3), padding=2),
    row("conv2d", T((2, 3, 7, 6), grad=False), T((4, 3, 3, 2)), T((4,))),
    row("conv2d", SMALL, T((2, 3, 2, 2), grad=False)),
    # pooling
    *[
        row("max_pool2d", IMAGES, *a, **o)
        for a, o in (
            ((2,), {}),
            ((3,), {"stride": 2}),
            (((3, 2),), {"stride": (1, 2)}),
            ((3,), {"padding": 1}),
            ((2,), {"dilation": 2}),
            ((3, 2, 1, 1, True), {}),
            ((2,), {"stride": 3, "ceil_mode": True}),
            ((3, 1), {}),
            ((2, None, 0, 1, False, True), {}),
            ((3, 2, 1), {"return_indices": True, "dilation": (1, 2)}),
        )
    ],
    row("max_pool2d", T((4, 7, 6)), 2),
    row("max_pool2d", T((0, 4, 7, 6)), 2),
    row(
        "max_pool2d", T((1, 1, 2, 4), values=((((1.0, 1.0, 2.0, 0.0), (1.0, 0.0, 2.0, 2.0)),),)), 2
    ),
    row(
        "max_pool2d",
        T(
            (1, 1, 2, 4),
            values=((((1.0, float("nan"), 2.0, 0.0), (1.0, 0.0, 2.0, float("inf"))),),),
        ),
        2,
    ),
    *[
        row("avg_pool2d", IMAGES, *a, **o)
        for a, o in (
            ((2,), {}),
            ((3,), {"stride": 2}),
            (((3, 2),), {"stride": (1, 2)}),
            ((3,), {"padding": 1}),
            ((3,), {"padding": 1, "count_include_pad": False}),
            ((3, 2, 1, True), {}),
            ((3, 2, 1, True, False), {}),
            ((2,), {"divisor_override": 3}),
            ((2,), {"stride": 3, "ceil_mode": True}),
            ((5, 4, 2, True), {}),
        )
    ],
    row("avg_pool2d", T((4, 7, 6)), 2),
    row("avg_pool2d", T((0, 4, 7, 6)), 2),
    *[
        row("adaptive_avg_pool2d", IMAGES, s)
        for s in (1, (1, 1), 3, (2, 5), (None, 2), (7, 6), (9, 8))
    ],
    row("adaptive_avg_pool2d", T((4, 7, 6)), (2, 3)),
    # normalisation
    *[
        row("batch_norm", x, T((4,), grad=False), T((4,), 0.5, 2.0, grad=False), w, b, t)
        for x in (IMAGES, T((5, 4)), T((5, 4, 3)))
        for w, b in ((T((4,)), T((4,))), (None, None), (T((4,)), None))
        for t in (True, False)
    ],
    row("batch_norm", IMAGES, None, None, T((4,)), T((4,)), True),
    row("batch_norm", T((5, 4)), None, None, training=True, eps=0.1),
    # losses
    *[
        row(n, LOGITS, T((5, 3)), reduction=r)
        for n in ("mse_loss", "l1_loss")
        for r in ("mean", "sum", "none")
    ],
    *[
        row(n, LOGITS, T((5, 3)), weight=T((5, 3), 0.1, 1.0, grad=False), reduction=r)
        for n in ("mse_loss", "l1_loss")
        for r in ("mean", "sum", "none")
    ],
    row("mse_loss", T(()), T(())),
    row("l1_loss", T((3,), values=(1.0, 0.0, 2.0)), T((3,), values=(1.0, 0.0, 0.0), grad=False)),
    *[
        row("binary_cross_entropy_with_logits", LOGITS, PROBABILITIES, reduction=r)
        for r in ("mean", "sum", "none")
    ],
    row(
        "binary_cross_entropy_with_logits",
        LOGITS,
        PROBABILITIES,
        weight=T((3,), 0.1, 2.0, grad=False),
        pos_weight=T((3,), 0.1, 2.0, grad=False),
    ),
    row(
        "binary_cross_entropy_with_logits",
        T((3,), values=(0.0, 500.0, -500.0)),
        T((3,), values=(0.5, 1.0, 1.0), grad=False),
    ),
    *[
        row(n, x, t, reduction=r)
        for n in ("nll_loss", "cross_entropy")
        for r in ("mean", "sum", "none")
        for x, t in (
            (LOGITS, CLASSES),
            (T((3,)), I(())),
            (T((2, 3, 4)), I((2, 4))),
            (T((2, 3, 4, 5)), I((2, 4, 5))),
        )
    ],
    *[
        row(n, LOGITS, classes(0, -100, 2, 1, -100), reduction=r)
        for n in ("nll_loss", "cross_entropy")
        for r in ("mean", "sum", "none")
    ],
    *[
        row(n, LOGITS, classes(0, 1, 2, 1, 0), ignore_index=1)
        for n in ("nll_loss", "cross_entropy")
    ],
    *[
        row(n, LOGITS, CLASSES, T((3,), 0.1, 2.0, grad=False), reduction=r)
        for n in ("nll_loss", "cross_entropy")
        for r in ("mean", "sum", "none")
    ],
    *[
        row(n, LOGITS, classes(0, -100, 2, 1, -100), weight=T((3,), 0.1, 2.0, grad=False))
        for n in ("nll_loss", "cross_entropy")
    ],
    *[row("nll_loss", T((0, 3)), I((0,)), reduction=r) for r in ("sum", "none")],
    *[
        row("cross_entropy", LOGITS, CLASSES, w, label_smoothing=0.1, reduction=r)
        for r in ("mean", "sum", "none")
        for w in (None, T((3,), 0.1, 2.0, grad=False))
    ],
    row(
        "cross_entropy",
        LOGITS,
        classes(0, -100, 2, 1, -100),
        T((3,), 0.1, 2.0, grad=False),
        label_smoothing=0.2,
    ),
    row("cross_entropy", T((2, 3, 4)), I((2, 4)), label_smoothing=0.3),
    row("cross_entropy", LOGITS, CLASSES, label_smoothing=1.0),
    *[
        row("cross_entropy", LOGITS, PROBABILITIES, w, reduction=r, label_smoothing=s)
        for r in ("mean", "sum", "none")
        for w in (None, T((3,), 0.1, 2.0, grad=False))
        for s in (0.0, 0.1)
    ],
    row("cross_entropy", T((2, 3, 4)), T((2, 3, 4), 0.0, 1.0)),
    row("cross_entropy", T((3,)), T((3,), 0.0, 1.0)),
    row(
        "cross_entropy",
        T((2, 3), values=((1000.0, 0.0, -1000.0), (0.0, 0.0, 1000.0))),
        classes(1, 2),
    ),
]

ERRORS = [
    row("linear", T((2, 3)), T((4, 2))),
    row("linear", T((2, 3)), T((4, 3)), T((5,))),
    row("linear", I((2, 3)), T((4, 3))),
    row("dropout", X, 1.5),
    row("dropout", X, -0.1),
    row("one_hot", I((2,), 9, 8), 3),
    row("one_hot", I((2,), -1, -2)),
    row("one_hot", T((2,))),
    row("one_hot", I((0,))),
    row("conv2d", SMALL, T((4, 2, 3, 3))),
    row("conv2d", T((2, 8, 8)), T((4, 3, 3, 3))),
    row("conv2d", T((8, 8)), T((4, 3, 3, 3))),
    row("conv2d", SMALL, T((3, 3, 3)), _sentence=False),
    row("conv2d", SMALL, T((4, 3, 3, 3)), T((3,))),
    row("conv2d", SMALL, T((4, 3, 3, 3)), groups=2),
    row("conv2d", T((2, 4, 5, 5)), T((3, 2, 3, 3)), groups=2, _sentence=False),
    row("conv2d", SMALL, T((4, 3, 9, 9))),
    row("conv2d", SMALL, T((4, 3, 2, 2)), stride=0),
    row("conv2d", SMALL, T((4, 3, 2, 2)), padding=-1),
    row("conv2d", SMALL, T((4, 3, 2, 2)), dilation=0, _sentence=False),
    row("conv2d", SMALL, T((4, 3, 2, 2)), padding="same", stride=2),
    row("conv2d", SMALL, T((4, 3, 2, 2)), padding="full"),
    row("conv2d", SMALL, T((4, 3, 2, 2)), stride=(1, 2, 3)),
    row("conv2d", I((2, 3, 4, 5)), T((4, 3, 2, 2)), _sentence=False),
    row("conv2d", SMALL, T((4, 3, 2, 2)), groups=0),
    row("max_pool2d", SMALL, 9),
    row("max_pool2d", SMALL, 2, padding=2),
    row("max_pool2d", T((4, 5)), 2),
    row("max_pool2d", SMALL, 2, stride=0),
    row("avg_pool2d", SMALL, 9),
    row("avg_pool2d", SMALL, 2, padding=2, _sentence=False),
    row("avg_pool2d", SMALL, 2, divisor_override=0),
    row("adaptive_avg_pool2d", T((4, 5)), 2),
    row("batch_norm", T((1, 3)), None, None, training=True),
    row("batch_norm", T((5, 3)), None, None),
    row("batch_norm", T((5, 3)), T((2,)), T((2,))),
    row("batch_norm", T((5, 3)), None, None, T((2,)), training=True),
    *[
        row(n, LOGITS, LOGITS, reduction="most")
        for n in ("mse_loss", "l1_loss", "binary_cross_entropy_with_logits")
    ],
    row("binary_cross_entropy_with_logits", LOGITS, T((5,))),
    row("nll_loss", LOGITS, CLASSES, reduction="most"),
    row("cross_entropy", LOGITS, CLASSES, reduction="most"),
    row("mse_loss", LOGITS, LOGITS, weight=T((3,))),
    row("l1_loss", LOGITS, LOGITS, weight=T((3,))),
    row("nll_loss", LOGITS, classes(0, 1, 5, 0, 0)),
    row("nll_loss", LOGITS, classes(0, 1, -1, 0, 0)),
    row("nll_loss", LOGITS, classes(0, 1, 2)),
    row("nll_loss", LOGITS, T((5,))),
    row("nll_loss", LOGITS, I((5,), dtype="int32")),
    row("nll_loss", LOGITS, CLASSES, T((2,), grad=False)),
    row("nll_loss", LOGITS, I((5, 1))),
    row("nll_loss", LOGITS, T((5, 1))),
    row("cross_entropy", LOGITS, T((5, 1))),
    row("cross_entropy", LOGITS, T((4,))),
    row("nll_loss", T(()), I((2,))),
    row("nll_loss", T((2, 3, 4)), I((2, 5))),
    row("cross_entropy", T(()), I((2,))),
    row("cross_entropy", LOGITS, I((5, 3))),
    row("cross_entropy", LOGITS, T((5, 2)), _sentence=False),
    row("cross_entropy", LOGITS, CLASSES, label_smoothing=2.0),
    row("cross_entropy", LOGITS, classes(0, 1, 7, 0, 0)),
]
