"""Rows of resizing, rearranging and dropping: functions and modules."""

from optable import I, T, row
from rows_modules import floats

SIGNAL, IMAGES, VOLUME = T((2, 3, 5)), T((2, 3, 4, 5)), T((2, 1, 3, 4, 2))
OF_SIZE = {1: SIGNAL, 2: IMAGES, 3: VOLUME}
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}
SIZES = [{"size": 7}, {"size": 3}, {"size": 1}, {"scale_factor": 2}, {"scale_factor": 1.7}]

ELSEWHERE = {"upsample"}  # test_older_names
ROWS = [
    *[
        row("interpolate", OF_SIZE[n], mode=mode, **size)
        for n in (1, 2, 3)
        for mode in ("nearest", "nearest-exact", "area", LINEAR[n])
        for size in SIZES
    ],
    *[
        row("interpolate", OF_SIZE[n], mode=LINEAR[n], align_corners=True, **size)
        for n in (1, 2, 3)
        for size in SIZES
    ],
    *[
        row("interpolate", IMAGES, mode="bicubic", align_corners=align, **size)
        for align in (False, True)
        for size in SIZES
    ],
    row("interpolate", IMAGES, (3, 8)),
    row("interpolate", IMAGES, [8, 10], None, "nearest"),
    row("interpolate", IMAGES, None, (2, 1.5), "bilinear"),
    row("interpolate", IMAGES, scale_factor=0.5),
    row("interpolate", T((0, 3, 4, 5)), scale_factor=3),
    row("interpolate", I((2, 3, 4, 5), 9, dtype="uint8"), scale_factor=2),
    *[
        row("interpolate", IMAGES, scale_factor=1.7, mode=mode, recompute_scale_factor=True)
        for mode in ("nearest", "bilinear", "bicubic")
    ],
    row("interpolate", T((0, 3, 4, 5)), scale_factor=2, mode="bilinear"),
    # the same pixels and channels elsewhere
    row("pixel_shuffle", T((2, 8, 3, 5)), 2),
    row("pixel_shuffle", T((9, 3, 5)), upscale_factor=3),
    row("pixel_shuffle", T((2, 1, 4, 3, 5)), 2),
    row("pixel_unshuffle", T((2, 3, 4, 6)), 2),
    row("pixel_unshuffle", T((3, 6, 9)), downscale_factor=3),
    row("channel_shuffle", T((2, 6, 3)), 3),
    row("channel_shuffle", T((2, 6, 3, 2)), groups=2),
    row("unfold", IMAGES, 2),
    row("unfold", IMAGES, (3, 2), 1, 1, 2),
    row("unfold", IMAGES, (2, 3), dilation=(2, 1), padding=(1, 2), stride=(1, 2)),
    row("unfold", T((3, 4, 5)), kernel_size=2),
    row("fold", T((2, 12, 12)), (4, 5), 2),
    row("fold", T((12, 12)), (4, 5), 2),
    row("fold", T((2, 18, 6)), (4, 5), (3, 2), 1, 1, 2),
    row("fold", T((2, 6, 28)), (4, 5), (2, 3), dilation=(2, 1), padding=(1, 2), stride=(1, 1)),
    # places
    *[
        row("affine_grid", T((2, 2, 3)), [2, 3, *size], align_corners=align)
        for size in ((3, 4), (1, 5))
        for align in (False, True)
        if align is False or 1 not in size
    ],
    *[row("affine_grid", T((2, 3, 4)), (2, 1, 2, 3, 4), align) for align in (False, True)],
    *[
        row("grid_sample", images, T(grid, -1.7, 1.7), mode, padding, align)
        for images, grid in (
            (T((2, 3, 4, 5)), (2, 3, 2, 2)),
            (T((2, 1, 3, 2, 4)), (2, 2, 3, 1, 3)),
        )
        for mode in ("bilinear", "nearest", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for align in (False, True)
        if mode != "bicubic" or len(grid) == 4
    ],
    row("grid_sample", T((1, 2, 3, 1)), T((1, 2, 2, 2)), align_corners=False),
    # mirrored more than once
    *[
        row("grid_sample", T((1, 2, 3, 4)), T((1, 5, 4, 2), -7.3, 8.1), mode, "reflection", align)
        for mode in ("bilinear", "nearest", "bicubic")
        for align in (False, True)
    ],
    # nothing dropped, or all
    *[
        row(name, T((2, 3, 4)), p, training)
        for name in (
            *("dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout"),
        )
        for p, training in ((0.5, False), (0.0, True), (1.0, True))
    ],
]

ERRORS = [
    row("interpolate", IMAGES),
    row("interpolate", IMAGES, 3, 2.0),
    row("interpolate", IMAGES, 3, align_corners=True),
    row("interpolate", IMAGES, (3, 3, 3)),
    row("interpolate", IMAGES, scale_factor=(2, 2, 2)),
    row("interpolate", IMAGES, 3, recompute_scale_factor=True),
    row("interpolate", IMAGES, 3, mode="linear"),
    row("interpolate", SIGNAL, 3, mode="bilinear"),
    row("interpolate", VOLUME, 3, mode="bilinear"),
    row("interpolate", SIGNAL, 3, mode="bicubic"),
    row("interpolate", IMAGES, 3, mode="cubic"),
    row("interpolate", T((2, 3)), 3),
    row("interpolate", IMAGES, 0, _sentence=False),
    row("interpolate", I((2, 3, 4, 5)), 3, mode="bilinear", _sentence=False),
    row("pixel_shuffle", T((2, 3)), 2),
    row("pixel_shuffle", IMAGES, 2),
    row("pixel_shuffle", IMAGES, 0),
    row("pixel_unshuffle", IMAGES, 2),
    row("pixel_unshuffle", IMAGES, 3),
    row("channel_shuffle", T((2, 3)), 2, _sentence=False),
    row("channel_shuffle", IMAGES, 2),
    row("channel_shuffle", IMAGES, 0),
    row("unfold", T((2, 3, 4, 5, 6)), 2, _sentence=False),
    row("unfold", IMAGES, 6, _sentence=False),
    row("fold", T((2, 11, 12)), (4, 5), 2),
    row("fold", T((2, 12, 11)), (4, 5), 2),
    row("fold", IMAGES, (4, 5), 2, _sentence=False),
    row("affine_grid", T((2, 3, 3)), (2, 3, 4, 5), align_corners=False, _sentence=False),
    row("affine_grid", T((2, 2, 3)), (2, 3, 4), align_corners=False),
    row("affine_grid", T((2, 2, 3)), (2, 3, 0, 5), align_corners=False),
    row("grid_sample", IMAGES, T((2, 3, 3, 2)), "cubic"),
    row("grid_sample", IMAGES, T((2, 3, 3, 2)), padding_mode="circular"),
    row("grid_sample", IMAGES, T((2, 3, 2)), align_corners=False, _sentence=False),
    row("grid_sample", IMAGES, T((3, 3, 3, 2)), align_corners=False, _sentence=False),
    row("grid_sample", IMAGES, T((2, 3, 3, 3)), align_corners=False, _sentence=False),
    row("grid_sample", VOLUME, T((2, 3, 3, 3, 3)), "bicubic", align_corners=False, _sentence=False),
    row("dropout1d", IMAGES, 0.5),
    row("dropout2d", IMAGES, 1.5),
    row("alpha_dropout", IMAGES, -0.5),
]

PLANE, SPACE = floats(2, 4, 4, 6), floats(2, 4, 2, 3, 4)
MODULES = [
    ("Upsample", (), {"scale_factor": 2}, [PLANE]),
    ("Upsample", (7,), {"mode": "bilinear"}, [PLANE]),
    ("Upsample", ((3, 9), None, "bicubic", True), {}, [PLANE]),
    ("Upsample", (), {"scale_factor": (2, 1.5), "recompute_scale_factor": True}, [PLANE]),
    ("UpsamplingNearest2d", (), {"scale_factor": 3}, [PLANE]),
    ("UpsamplingNearest2d", ((8, 3),), {}, [PLANE]),
    ("UpsamplingBilinear2d", (), {"scale_factor": 2}, [PLANE]),
    ("PixelShuffle", (2,), {}, [PLANE]),
    ("PixelUnshuffle", (2,), {}, [PLANE]),
    ("ChannelShuffle", (2,), {}, [PLANE]),
    ("Fold", ((4, 5), 2), {}, [floats(2, 12, 12)]),
    ("Unfold", ((3, 2),), {"padding": 1, "stride": (2, 1)}, [PLANE]),
    ("Unflatten", (1, (2, 2)), {}, [PLANE]),
    ("Unflatten", (-1, [3, -1]), {}, [PLANE]),
    *[
        (name, args, {}, inputs)
        for name, x in (
            ("Dropout1d", SPACE[0, 0]),
            ("Dropout2d", PLANE),
            ("Dropout3d", SPACE),
            ("AlphaDropout", PLANE),
            ("FeatureAlphaDropout", PLANE),
        )
        for args, inputs in (((0.0,), [x]), ((), None))
    ],
]
