"""Rows of pooling and its inverse: functions and modules."""

import numpy as np
from optable import I, T, row
from rows_modules import floats

SIGNAL, IMAGES, VOLUME = T((2, 3, 9)), T((2, 3, 7, 6)), T((2, 3, 5, 6, 4))
OF_SIZE = {1: SIGNAL, 2: IMAGES, 3: VOLUME}
INF = float("inf")
MAX = [
    ((2,), {}),
    ((3,), {"stride": 2}),
    ((3,), {"padding": 1, "return_indices": True}),
    ((2,), {"dilation": 2}),
    ((2,), {"stride": 3, "ceil_mode": True}),
    ((3, 2, 1, 1, True, True), {}),
]
AVG = [
    ((2,), {}),
    ((3, 2), {}),
    ((3,), {"padding": 1}),
    ((3,), {"padding": 1, "count_include_pad": False}),
    ((3, 2, 1, True), {}),
    ((3, 2, 1, True, False), {}),
    ((2,), {"stride": 3, "ceil_mode": True}),
]
TIES = T((1, 2, 2, 2), values=(((((1.0, 1.0), (1.0, 1.0)), ((1.0, 0.0), (1.0, 1.0)))),))


def unpool(name, shape, windows, size, *args, **options):
    """Each window of the pooled (2, 3, *windows) has its element at another place of `size`."""
    count, length = int(np.prod(windows)), int(np.prod(size))
    rng = np.random.default_rng(0)
    places = [[rng.permutation(length)[:count].tolist() for _ in range(3)] for _ in range(2)]
    index = np.array(places).reshape(2, 3, *windows)
    values = index.tolist() if len(shape) == len(windows) + 2 else index[0].tolist()
    return row(name, T(shape), I(shape, values=values), *args, **options)


ROWS = [
    *[row(f"max_pool{n}d", OF_SIZE[n], *a, **o) for n in (1, 3) for a, o in MAX],
    row("max_pool1d", T((3, 9)), (2,), (3,), (1,), (1,), return_indices=True),
    row("max_pool1d", T((0, 3, 9)), 2),
    row("max_pool3d", T((3, 5, 6, 4)), 2, return_indices=True),
    row("max_pool3d", VOLUME, (3, 2, 1), (1, 2, 3), (1, 0, 0), (1, 2, 1), return_indices=True),
    row("max_pool3d", TIES, 2, 1, return_indices=True),
    row("max_pool3d", T((0, 3, 5, 6, 4)), 2),
    *[row(f"avg_pool{n}d", OF_SIZE[n], *a, **o) for n in (1, 3) for a, o in AVG],
    row("avg_pool1d", T((3, 9)), (2,), (3,), (1,)),
    row("avg_pool3d", T((3, 5, 6, 4)), 2, divisor_override=3),
    row("avg_pool3d", VOLUME, (3, 2, 1), (1, 2, 3), (1, 1, 0), count_include_pad=False),
    row("avg_pool3d", T((0, 3, 5, 6, 4)), 2),
    *[row(f"lp_pool{n}d", OF_SIZE[n], p, 2, 3) for n in (1, 2, 3) for p in (2, 4, INF, -INF)],
    row("lp_pool1d", T((3, 9), 0.1, 2.0), 1.5, 3),
    row("lp_pool2d", T((2, 3, 7, 6), 0.1, 2.0), 3, (3, 2), ceil_mode=True),
    row("lp_pool3d", T((2, 3, 5, 6, 4), 0.1, 2.0), 1.5, (3, 2, 1), stride=2),
    # to a size
    *[
        row(f"adaptive_{kind}_pool{n}d", OF_SIZE[n], size)
        for kind in ("avg", "max")
        for n in (1, 2, 3)
        for size in (1, 3, (2,) * n)
    ],
    *[
        row(f"adaptive_{kind}_pool{n}d", OF_SIZE[n], (None, 4, 2)[:n])
        for kind in ("avg", "max")
        for n in (2, 3)
    ],
    *[row(f"adaptive_max_pool{n}d", OF_SIZE[n], 3, return_indices=True) for n in (1, 2, 3)],
    row("adaptive_avg_pool1d", T((3, 9)), 4),
    row("adaptive_avg_pool3d", T((3, 5, 6, 4)), (2, 7, 3)),
    row("adaptive_max_pool1d", T((3, 9)), 4, True),
    row("adaptive_max_pool2d", T((3, 7, 6)), (9, 8), True),
    row("adaptive_max_pool2d", TIES, (1, 1), True),
    row("adaptive_max_pool3d", T((3, 5, 6, 4)), (2, 7, 3), True),
    # back
    unpool("max_unpool1d", (2, 3, 4), (4,), (8,), 2),
    unpool("max_unpool1d", (3, 4), (4,), (9,), (3,), (2,), (0,)),
    unpool("max_unpool2d", (2, 3, 3, 2), (3, 2), (6, 4), 2),
    unpool("max_unpool2d", (3, 3, 2), (3, 2), (5, 3), (3, 2), (2, 2), (1, 0), output_size=(6, 3)),
    unpool("max_unpool2d", (2, 3, 3, 2), (3, 2), (7, 4), 2, None, 0, [2, 3, 7, 4]),
    unpool("max_unpool3d", (2, 3, 2, 2, 2), (2, 2, 2), (4, 4, 4), 2),
]

SMALL, PLACES = T((2, 2, 2, 2)), I((2, 2, 2, 2), 4)
ERRORS = [
    row("max_pool1d", IMAGES, 2),
    row("max_pool1d", SIGNAL, 10, _sentence=False),
    row("max_pool1d", SIGNAL, 2, padding=2, _sentence=False),
    row("max_pool1d", SIGNAL, 2, stride=0, _sentence=False),
    row("max_pool1d", SIGNAL, (2, 2), _sentence=False),
    row("avg_pool1d", IMAGES, 2),
    row("avg_pool1d", SIGNAL, 10),
    row("max_pool3d", SIGNAL, 2),
    row("max_pool3d", VOLUME, 9, _sentence=False),
    row("max_pool3d", VOLUME, 2, padding=2, _sentence=False),
    row("avg_pool3d", SIGNAL, 2),
    row("avg_pool3d", VOLUME, 2, divisor_override=0),
    row("adaptive_avg_pool1d", T((2,)), 2),
    row("adaptive_avg_pool3d", SIGNAL, 2),
    row("adaptive_max_pool1d", T((2,)), 2),
    row("adaptive_max_pool2d", T((2, 3)), 2),
    row("adaptive_max_pool3d", T((2, 3)), 2),
    row("adaptive_max_pool2d", IMAGES, (2, 2, 2), _sentence=False),
    row("adaptive_max_pool2d", T((2, 3, 0)), (2, 2)),
    row("adaptive_avg_pool2d", T((2, 3, 0)), (2, 2)),
    row("max_unpool2d", SMALL, PLACES, 2, output_size=(9, 9)),
    row("max_unpool2d", SMALL, PLACES, 2, output_size=(9,)),
    row("max_unpool2d", SMALL, I((2, 2, 2, 2), 100, 99), 2),
    row("max_unpool2d", SMALL, I((1, 2, 2, 2)), 2),
    row("max_unpool2d", SMALL, I((2, 2, 2, 2), dtype="int32"), 2),
    row("max_unpool1d", SMALL, PLACES, 2, _sentence=False),
]

INPUTS = {1: floats(2, 3, 9), 2: floats(2, 3, 7, 6), 3: floats(2, 3, 5, 6, 4)}
MODULES = [
    *[
        (f"{kind}Pool{n}d", args, options, [INPUTS[n]])
        for kind, n in (("Max", 1), ("Max", 3), ("Avg", 1), ("Avg", 3))
        for args, options in (((2,), {}), ((3, 2, 1), {"ceil_mode": True}), (((2,) * n,), {}))
    ],
    ("MaxPool3d", ((2, 1, 2),), {"return_indices": True, "dilation": 2}, [INPUTS[3]]),
    ("AvgPool1d", (3, 2, 1), {"count_include_pad": False}, [INPUTS[1]]),
    ("AvgPool3d", (2,), {"divisor_override": 3}, [INPUTS[3]]),
    *[(f"LPPool{n}d", (2, 3), {}, [INPUTS[n]]) for n in (1, 2, 3)],
    ("LPPool2d", (4, (3, 2)), {"stride": 1, "ceil_mode": True}, [INPUTS[2]]),
    *[(f"AdaptiveAvgPool{n}d", (3,), {}, [INPUTS[n]]) for n in (1, 3)],
    *[(f"AdaptiveMaxPool{n}d", (3,), {}, [INPUTS[n]]) for n in (1, 2, 3)],
    ("AdaptiveMaxPool2d", ((2, None),), {"return_indices": True}, [INPUTS[2]]),
    ("MaxUnpool1d", (2,), {}, [floats(1, 1, 2), np.array([[[1, 2]]])]),
    ("MaxUnpool2d", ((2, 1), 1), {}, [floats(1, 1, 2), np.array([[[1, 2]]])]),
    ("MaxUnpool3d", ((2, 1, 1),), {}, [floats(1, 1, 1, 2), np.array([[[[1, 2]]]])]),
]
