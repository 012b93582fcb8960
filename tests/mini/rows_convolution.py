"""Rows of convolutions, their transposes and borders: functions and modules."""

from optable import I, T, row
from rows_modules import floats

SIGNAL, SIZED = T((2, 4, 9)), T((2, 4, 5, 3))
VOLUME = T((2, 4, 5, 4, 6))


def conv(name, images, weight, bias=None, **options):
    return row(name, T(images), T(weight), None if bias is None else T(bias), **options)


def in_every_size(name, n, options, groups=1):
    """The same options for 1, 2 or 3 dimensions, with weights for so many groups."""
    size, kernel = (7, 6, 5)[:n], (3, 2, 3)[:n]
    weight = (4, 6 // groups, *kernel) if "transpose" in name else (6, 4 // groups, *kernel)
    return row(name, T((2, 4, *size)), T(weight), T((6,)), groups=groups, **options)


FORWARD = [
    {},
    {"stride": 2},
    {"padding": 1},
    {"dilation": 2},
    {"padding": 2, "stride": 2, "dilation": 2},
    {"padding": "same"},
    {"padding": "valid", "stride": 3},
]
BACKWARD = [
    {},
    {"stride": 2},
    {"padding": 1},
    {"dilation": 2},
    {"stride": 3, "output_padding": 1},
    {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 2},
    {"stride": 1, "dilation": 3, "output_padding": 2},
    {"stride": 2, "dilation": 3, "output_padding": 2, "padding": 1},
]

ROWS = [
    *[in_every_size(f"conv{n}d", n, o) for n in (1, 3) for o in FORWARD],
    *[in_every_size(f"conv_transpose{n}d", n, o) for n in (1, 2, 3) for o in BACKWARD],
    *[
        in_every_size(f"{name}{n}d", n, {"stride": 2, "padding": 1}, groups=2)
        for name in ("conv", "conv_transpose")
        for n in (1, 2, 3)
    ],
    conv("conv1d", (4, 9), (6, 4, 3), (6,)),
    conv("conv1d", (2, 4, 9), (6, 4, 3), stride=(2,), padding=(1,)),
    conv("conv1d", (0, 4, 9), (6, 4, 3), (6,)),
    conv("conv1d", (2, 4, 9), (6, 4, 1)),
    conv("conv1d", (2, 4, 9), (4, 1, 4), groups=4, padding="same"),
    conv("conv3d", (4, 5, 4, 6), (6, 4, 2, 3, 1), (6,)),
    conv("conv3d", (2, 4, 5, 4, 6), (6, 4, 2, 3, 1), stride=(1, 2, 3), padding=(2, 0, 1)),
    conv("conv3d", (2, 4, 5, 4, 6), (6, 4, 3, 1, 1), dilation=(2, 1, 1)),
    conv("conv3d", (0, 4, 5, 4, 6), (6, 4, 2, 3, 1), (6,)),
    conv("conv_transpose1d", (4, 5), (4, 6, 3), (6,), stride=2),
    conv("conv_transpose1d", (2, 4, 5), (4, 1, 3), groups=4),
    conv("conv_transpose2d", (4, 5, 3), (4, 6, 3, 2), (6,)),
    conv("conv_transpose2d", (2, 4, 5, 3), (4, 6, 3, 2), stride=(1, 2), output_padding=(0, 1)),
    conv("conv_transpose2d", (2, 4, 5, 3), (4, 6, 1, 1)),
    conv("conv_transpose2d", (0, 4, 5, 3), (4, 6, 3, 2), (6,)),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), T((6,)), 2, 1, 1, 1, 1),
    conv("conv_transpose3d", (4, 3, 2, 3), (4, 2, 2, 3, 2), (2,)),
    conv("conv_transpose3d", (2, 4, 3, 2, 3), (4, 2, 2, 3, 2), stride=(2, 1, 3), padding=(1, 0, 1)),
    # borders
    row("pad", T((2, 3)), (1, 2)),
    row("pad", T((2, 3)), (1, 2, 0, 3), "constant", 7.5),
    row("pad", T((2, 3, 4)), (1, -1, -1, 2), value=-1),
    row("pad", T((2, 3)), ()),
    row("pad", T((2, 3)), [1, 0, 2, 1]),
    row("pad", T((2, 3)), (-3, 0)),
    row("pad", T((0, 3)), (1, 1)),
    row("pad", I((2, 3), 9), (1, 1), value=5),
    row("pad", T((2, 3, 4, 2, 2)), (1, 1, 0, 2, 1, 0, 0, 1)),
    *[
        row("pad", T(shape), pads, mode)
        for mode in ("reflect", "replicate", "circular")
        for shape, pads in (
            ((2, 4), (1, 2)),
            ((2, 3, 4), (3, 0)),
            ((3, 4, 5), (2, 1, 0, 3)),
            ((2, 3, 4, 5), (2, 1, 0, 3)),
            ((2, 2, 4, 4, 5), (2, 1, 0, 3, 1, 1)),
            ((2, 3, 5), (-1, 2)),
            ((2, 3, 5), (2, -2)),
        )
    ],
    row("pad", T((1, 1, 4)), (-2, 2), "reflect"),
    row("pad", T((1, 1, 2)), (5, 4), "replicate"),
    row("pad", T((1, 1, 3)), (3, 3), mode="circular"),
    row("pad", I((1, 1, 3), 9), (1, 2), mode="reflect"),
]

ERRORS = [
    row("conv1d", SIZED, T((6, 4, 3))),
    row("conv1d", SIGNAL, T((6, 4, 10))),
    row("conv1d", SIGNAL, T((6, 3, 3))),
    row("conv1d", SIGNAL, T((6, 4, 3)), stride=(1, 2)),
    row("conv1d", SIGNAL, T((6, 4, 3)), stride=0),
    row("conv1d", SIGNAL, T((6, 4, 3)), padding=-1),
    row("conv1d", SIGNAL, T((6, 4, 3)), padding="full"),
    row("conv1d", SIGNAL, T((6, 4, 3)), T((5,))),
    row("conv1d", SIGNAL, T((6, 4, 3, 3)), _sentence=False),
    row("conv3d", SIGNAL, T((6, 4, 3, 3, 3))),
    row("conv3d", VOLUME, T((6, 4, 3, 3, 9))),
    row("conv3d", VOLUME, T((6, 3, 3, 3, 3))),
    row("conv_transpose1d", SIGNAL, T((3, 6, 3))),
    row("conv_transpose2d", SIZED, T((3, 6, 3, 2))),
    row("conv_transpose2d", T((5, 3)), T((4, 6, 3, 2))),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), T((4,))),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), T((6,)), groups=2),
    row("conv_transpose2d", T((2, 3, 5, 3)), T((3, 3, 3, 2)), groups=2),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), groups=0, _sentence=False),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), stride=0),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), output_padding=-1),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), output_padding=1, _sentence=False),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), padding="same"),
    row("conv_transpose2d", SIZED, T((4, 6, 3, 2)), padding=9, _sentence=False),
    row("conv_transpose2d", SIZED, T((4, 6, 3)), _sentence=False),
    row("conv_transpose3d", SIGNAL, T((4, 6, 3, 2, 2))),
    row("pad", T((2, 3)), (1, 1, 1)),
    row("pad", T((2, 3)), (1, 1, 1, 1, 1, 1)),
    row("pad", T((2, 3)), (1, 1), "mirror"),
    row("pad", T((2, 3)), (-4, 0)),
    row("pad", T((3,)), (1, 1), "reflect"),
    row("pad", SIZED, (1, 1), "replicate"),
    row("pad", T((2, 3, 4)), (4, 1), "reflect"),
    row("pad", T((2, 3, 4)), (5, 1), "circular"),
    row("pad", T((2, 3, 4)), (1, 1), "reflect", 0.5),
]

LINE, PLANE, SPACE = floats(2, 4, 9), floats(2, 4, 6, 5), floats(2, 4, 3, 5, 4)
INPUTS = {1: LINE, 2: PLANE, 3: SPACE}

MODULES = [
    *[
        (f"Conv{n}d", (4, 6, 2), options, [INPUTS[n]])
        for n in (1, 3)
        for options in (
            {},
            {"stride": 2, "padding": 1, "dilation": 2, "groups": 2},
        )
    ],
    *[(f"Conv{n}d", (4, 6, 3), {"padding": "same", "bias": False}, [INPUTS[n]]) for n in (1, 3)],
    *[
        (f"Conv{n}d", (4, 6, 3), {"padding": padding, "padding_mode": mode}, [INPUTS[n]])
        for n in (1, 2, 3)
        for mode in ("reflect", "replicate", "circular")
        for padding in (1, "same", "valid")
    ],
    ("Conv2d", (4, 6, (4, 2)), {"padding": "same", "padding_mode": "reflect"}, [PLANE]),
    ("Conv2d", (4, 6, 2), {"padding": (2, 1), "padding_mode": "circular"}, [PLANE]),
    ("Conv1d", (4, 6, 2), {}, [floats(4, 9)]),
    *[
        (f"ConvTranspose{n}d", (4, 6, 3), options, [INPUTS[n]])
        for n in (1, 2, 3)
        for options in (
            {},
            {"stride": 2, "padding": 1, "output_padding": 1, "groups": 2},
            {"dilation": 2, "bias": False},
        )
    ],
    ("ConvTranspose2d", (4, 6, (3, 2), (2, 1), (1, 0)), {}, [PLANE]),
    ("ConvTranspose2d", (4, 6, 3), {"stride": 2}, [floats(4, 6, 5)]),
    *[
        (f"{kind}Pad{n}d", (padding,), {}, [INPUTS[n]])
        for kind in ("Circular", "Reflection", "Replication", "Zero")
        for n, widths in ((1, (2, 1)), (2, (2, 1, 0, 3)), (3, (2, 1, 0, 3, 1, 2)))
        for padding in (1, widths)
    ],
    *[(f"ConstantPad{n}d", (1, 2.5), {}, [INPUTS[n]]) for n in (1, 2, 3)],
    ("ConstantPad2d", ((2, 1, -1, 0), -1.0), {}, [PLANE]),
    ("CircularPad2d", (1,), {}, [floats(4, 6, 5)]),
]
