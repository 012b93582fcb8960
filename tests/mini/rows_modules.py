"""The rows of test_modules: how the modules of mini.nn are made and what they are given."""

import numpy as np

RNG = np.random.default_rng(0)


def floats(*shape):
    return RNG.standard_normal(shape)


X = floats(5, 4)
IMAGES = floats(2, 3, 6, 7)
LOGITS = floats(5, 3)
CLASSES = np.array([0, 2, 1, 1, 0])
WEIGHT = np.array([0.5, 1.0, 2.0])


# name, arguments, keywords, inputs
MODULES = [
    ("Linear", (4, 3), {}, [X]),
    ("Linear", (4, 3), {"bias": False}, [X]),
    ("Linear", (4, 3), {}, [floats(2, 5, 4)]),
    ("Identity", (1, "anything"), {"colour": "red"}, [X]),
    ("Conv2d", (3, 4, 3), {}, [IMAGES]),
    (
        "Conv2d",
        (3, 6, (3, 2)),
        {"stride": 2, "padding": (1, 0), "dilation": 2, "groups": 3},
        [IMAGES],
    ),
    ("Conv2d", (3, 4, 3), {"bias": False, "padding": "same"}, [IMAGES]),
    ("Conv2d", (3, 4, 3), {"padding": "valid", "padding_mode": "zeros"}, [IMAGES]),
    ("Conv2d", (3, 4, (3,)), {}, None),
    ("MaxPool2d", (2,), {}, [IMAGES]),
    ("MaxPool2d", (3, 2, 1), {"ceil_mode": True, "return_indices": True}, [IMAGES]),
    ("MaxPool2d", ((3, 2),), {"dilation": (1, 2)}, [IMAGES]),
    ("AvgPool2d", (2,), {}, [IMAGES]),
    ("AvgPool2d", (3, 2, 1, True, False, 5), {}, [IMAGES]),
    ("AdaptiveAvgPool2d", (1,), {}, [IMAGES]),
    ("AdaptiveAvgPool2d", ((2, None),), {}, [IMAGES]),
    ("Flatten", (), {}, [IMAGES]),
    ("Flatten", (0, 2), {}, [IMAGES]),
    ("ReLU", (), {}, [X]),
    ("Sigmoid", (), {}, [X]),
    ("Tanh", (), {}, [X]),
    ("LogSigmoid", (), {}, [X]),
    ("Softmax", (1,), {}, [X]),
    ("LogSoftmax", (), {"dim": 0}, [X]),
    ("Dropout", (0.0,), {}, [X]),
    ("Dropout", (), {}, None),
    ("BatchNorm1d", (4,), {}, [X]),
    ("BatchNorm1d", (4,), {"eps": 0.1, "momentum": 0.3}, [floats(2, 4, 3)]),
    ("BatchNorm1d", (4,), {"momentum": None}, [X]),
    ("BatchNorm2d", (3,), {}, [IMAGES]),
    ("BatchNorm2d", (3,), {"affine": False}, [IMAGES]),
    ("BatchNorm2d", (3,), {"bias": False}, [IMAGES]),
    ("BatchNorm2d", (3,), {"track_running_stats": False}, [IMAGES]),
    ("Sequential", (), {}, [X]),
    ("ModuleList", (), {}, None),
    ("ModuleDict", (), {}, None),
    ("L1Loss", (), {}, [X, floats(5, 4)]),
    ("MSELoss", (), {"reduction": "sum"}, [X, floats(5, 4)]),
    ("MSELoss", (), {}, [X, floats(5, 4)]),
    ("NLLLoss", (), {"ignore_index": 1, "reduction": "sum"}, [LOGITS, CLASSES]),
    ("NLLLoss", (WEIGHT,), {}, [LOGITS, CLASSES]),
    ("CrossEntropyLoss", (), {}, [LOGITS, CLASSES]),
    ("CrossEntropyLoss", (WEIGHT,), {"ignore_index": 2, "label_smoothing": 0.1}, [LOGITS, CLASSES]),
    ("CrossEntropyLoss", (), {"reduction": "none"}, [LOGITS, np.abs(LOGITS)]),
    ("BCEWithLogitsLoss", (), {}, [LOGITS, LOGITS**2 / 10]),
    (
        "BCEWithLogitsLoss",
        (WEIGHT,),
        {"pos_weight": WEIGHT, "reduction": "sum"},
        [LOGITS, LOGITS**2 / 10],
    ),
]
