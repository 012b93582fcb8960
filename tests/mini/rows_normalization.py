"""Rows of normalisation and of distances: functions and modules."""

from optable import I, T, row
from rows_modules import floats

IMAGES, POSITIVE = T((2, 4, 3, 5)), T((4,), 0.5, 2.0, grad=False)
VECTOR, FIXED = T((4,)), T((4,), grad=False)
NORMS = (1, 1.5, 2, 2.0, 3, float("inf"), float("-inf"))

ROWS = [
    *[
        row("layer_norm", T((2, 3, 4)), shape, *[w and T(shape) for w in affine])
        for shape in ((4,), (3, 4), (2, 3, 4))
        for affine in ((), (True, True), (True, None))
    ],
    row("layer_norm", T((4,)), (4,), T((4,)), T((4,)), 0.1),
    row("layer_norm", T((5, 4)), [4], weight=T((4,)), bias=T((4,)), eps=1e-3),
    row("layer_norm", T((5, 4), grad=False), [4], T((4,)), T((4,))),
    row("layer_norm", T((5, 4)), [4], FIXED, FIXED),
    row("layer_norm", T((0, 4)), (4,)),
    *[
        row("rms_norm", T((2, 3, 4)), shape, *[T(shape)] * affine)
        for shape in ((4,), (3, 4), (2, 3, 4))
        for affine in (0, 1)
    ],
    row("rms_norm", T((5, 4)), [4], eps=0.1),
    row("rms_norm", T((5, 4), grad=False), [4], weight=VECTOR),
    row("rms_norm", T((1, 2), values=((1e-4, -2e-4),)), (2,)),
    *[
        row("group_norm", T(shape), groups, *[w and VECTOR for w in affine])
        for shape, groups in (((5, 4), 1), ((2, 4, 3), 1), ((2, 4, 3), 2), ((2, 4, 3, 5), 2))
        for affine in ((), (True, True), (True, None))
    ],
    row("group_norm", IMAGES, 4, eps=0.1, weight=VECTOR),
    *[
        row("instance_norm", T(shape), None, None, *[w and VECTOR for w in affine])
        for shape in ((2, 4, 3), (2, 4, 3, 5), (2, 4, 2, 2, 3))
        for affine in ((), (True, True))
    ],
    row("instance_norm", IMAGES, FIXED, POSITIVE, VECTOR, VECTOR, False),
    row("instance_norm", IMAGES, FIXED, POSITIVE, use_input_stats=True, eps=0.1),
    row("local_response_norm", T((2, 5, 3)), 3),
    row("local_response_norm", T((2, 5, 3, 2)), 2, 0.1, 0.5, 2.0),
    row("local_response_norm", T((2, 5, 3, 2, 2)), 4, alpha=0.5),
    row("local_response_norm", T((0, 5, 3)), 2),
    row("batch_norm", T((2, 4, 2, 2, 3)), FIXED, POSITIVE, VECTOR, VECTOR, True),
    # distances
    *[row("normalize", T((3, 4)), p) for p in NORMS],
    row("normalize", T((2, 3, 4)), dim=-1),
    row("normalize", T((4,)), dim=0),
    row("normalize", T((2, 3, 4)), p=2, dim=(1, 2)),
    row("normalize", T((2, 3)), 2.0, 1, 100.0),
    row("normalize", T((0, 3))),
    *[row("pairwise_distance", T((3, 4)), T((3, 4)), p) for p in NORMS],
    row("pairwise_distance", T((3, 4)), T((4,)), keepdim=True),
    row("pairwise_distance", T((4,)), T((4,)), eps=0.1),
    row("pairwise_distance", T((3, 4)), T((1, 4)), 0),
    row("cosine_similarity", T((3, 4)), T((3, 4))),
    row("cosine_similarity", T((2, 3, 4)), T((3, 4)), dim=-1),
    row("cosine_similarity", T((3, 1, 4)), T((1, 5, 4)), dim=2),
    row("cosine_similarity", T((4,)), T((4,)), 0, 1e-3),
    row("cosine_similarity", T((3, 4), -1e-3, 1e-3), T((3, 4)), eps=0.1),
]

ERRORS = [
    row("layer_norm", T((2, 3)), (4,)),
    row("layer_norm", T((2, 3)), 4),
    row("layer_norm", T((2, 3)), ()),
    row("layer_norm", T((2, 3)), (3,), T((4,))),
    row("layer_norm", T((2, 3)), (3,), T((3,)), T((4,))),
    row("layer_norm", T((3,)), (2, 3)),
    row("layer_norm", I((2, 3)), (3,), _sentence=False),
    row("layer_norm", T((2, 3)), (3,), I((3,)), _sentence=False),
    row("rms_norm", T((2, 3)), (4,)),
    row("rms_norm", T((2, 3)), (3,), T((4,))),
    row("group_norm", T((2, 3, 4)), 2),
    row("group_norm", IMAGES, 2, T((3,))),
    row("group_norm", IMAGES, 2, None, T((3,)), _sentence=False),
    row("group_norm", T((4,)), 2),
    row("group_norm", T((1, 2)), 2),
    row("group_norm", IMAGES, 0),
    row("instance_norm", T((2, 4, 1))),
    row("instance_norm", T((2, 4))),
    row("instance_norm", IMAGES, use_input_stats=False),
    row("instance_norm", IMAGES, weight=T((3,))),
    row("instance_norm", IMAGES, T((3,), grad=False), T((3,), grad=False)),
    row("local_response_norm", T((2, 4)), 3),
    row("batch_norm", T((5, 3)), None, None, training=True, eps=0),
    row("batch_norm", T((5, 3)), T((3,), grad=False), None),
    row("batch_norm", T((5, 3)), None, T((3,), grad=False)),
    row("cosine_similarity", T((3, 4)), T((2, 4))),
    row("pairwise_distance", T((3, 4)), T((2, 4))),
]

ROWS_OF_4, PLANE, SPACE = floats(2, 3, 4), floats(2, 4, 3, 5), floats(2, 4, 2, 2, 3)
INPUTS = {1: floats(2, 4, 5), 2: PLANE, 3: SPACE}

MODULES = [
    ("LayerNorm", (4,), {}, [ROWS_OF_4]),
    ("LayerNorm", ((3, 4),), {"eps": 0.1, "bias": False}, [ROWS_OF_4]),
    ("LayerNorm", ([4],), {"elementwise_affine": False}, [ROWS_OF_4]),
    ("RMSNorm", (4,), {}, [ROWS_OF_4]),
    ("RMSNorm", ((3, 4), 0.1, False), {}, [ROWS_OF_4]),
    ("GroupNorm", (2, 4), {}, [PLANE]),
    ("GroupNorm", (1, 4, 0.1, False), {}, [PLANE]),
    ("GroupNorm", (4, 4), {"bias": False}, [PLANE]),
    ("LocalResponseNorm", (2,), {}, [PLANE]),
    ("LocalResponseNorm", (3, 0.1, 0.5, 2.0), {}, [SPACE]),
    ("BatchNorm3d", (4,), {}, [SPACE]),
    ("BatchNorm3d", (4,), {"affine": False, "track_running_stats": False}, [SPACE]),
    *[
        (f"InstanceNorm{n}d", (4,), options, [INPUTS[n]])
        for n in (1, 2, 3)
        for options in (
            {},
            {"affine": True, "track_running_stats": True},
            {"affine": True, "bias": False, "momentum": 0.3, "eps": 0.1},
        )
    ],
    ("InstanceNorm1d", (4,), {"affine": True}, [floats(4, 5)]),
    ("InstanceNorm2d", (4,), {"track_running_stats": True, "momentum": None}, [PLANE]),
    ("PairwiseDistance", (), {}, [ROWS_OF_4, floats(2, 3, 4)]),
    ("PairwiseDistance", (1.0, 0.1, True), {}, [ROWS_OF_4, floats(4)]),
    ("CosineSimilarity", (), {}, [ROWS_OF_4, floats(2, 3, 4)]),
    ("CosineSimilarity", (-1, 0.1), {}, [ROWS_OF_4, floats(4)]),
]
