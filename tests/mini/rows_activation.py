"""Activations: rows of test_functional and of test_modules."""

from optable import I, T, X, row
from rows_modules import IMAGES, floats
from rows_modules import X as ROWS_OF_FOUR

# Both sides of every kink, the kinks themselves, and far out.
KINKS = T((13,), values=(-9.0, -3.0, -1.0, -0.5, -0.2, 0.0, 0.3, 0.5, 1.0, 3.0, 6.0, 7.0, 30.0))
EMPTY, SCALAR = T((0, 3)), T(())

# name, positional arguments, keywords
CALLS = [
    ("leaky_relu", (), {}),
    ("leaky_relu", (0.2,), {}),
    ("hardtanh", (), {}),
    ("hardtanh", (-0.5, 3.0), {}),
    ("relu6", (), {}),
    ("threshold", (0.3, 9.0), {}),
    ("hardshrink", (), {}),
    ("hardshrink", (), {"lambd": 0.2}),
    ("softshrink", (), {}),
    ("softshrink", (0.2,), {}),
    ("hardswish", (), {}),
    ("rrelu", (), {}),
    ("rrelu", (0.1, 0.3, False), {}),
    ("tanhshrink", (), {}),
    ("softsign", (), {}),
    ("softplus", (), {}),
    ("softplus", (2.0, 1.1), {}),
    ("elu", (), {}),
    ("elu", (0.7,), {}),
    ("celu", (), {}),
    ("celu", (), {"alpha": 0.7}),
    ("selu", (), {}),
    ("silu", (), {}),
    ("mish", (), {}),
    ("gelu", (), {}),
    ("gelu", (), {"approximate": "none"}),
    ("gelu", (), {"approximate": "tanh"}),
]
IN_PLACE = [
    ("relu", ()), ("leaky_relu", (0.2,)), ("hardtanh", (-0.5, 3.0)), ("relu6", ()),
    ("threshold", (0.3, 9.0)), ("hardsigmoid", ()), ("hardswish", ()), ("rrelu", ()), ("elu", ()),
    ("celu", (0.7,)), ("selu", ()), ("silu", ()), ("mish", ()), ("hardtanh", ()),
]  # fmt: skip

# Tested in test_activation.
ELSEWHERE = ["gumbel_softmax", "hardsigmoid", *[f"{name}_" for name, _ in IN_PLACE]]

ROWS = [
    *[row(n, x, *a, **o) for n, a, o in CALLS for x in (X, KINKS, EMPTY, SCALAR)],
    *[row("prelu", x, w) for x in (X, SCALAR, EMPTY) for w in (T((1,)), T(()))],
    row("prelu", X, T((3,))),
    row("prelu", T((4, 3)), T((3,))),
    row("glu", T((2, 6))),
    row("glu", T((2, 6, 3)), 1),
    row("glu", T((4, 0)), dim=0),
    row("softmin", X, 1),
    row("softmin", X, dim=-1),
    row("softmax", X, 1, dtype=None),
    row("gelu", T((4,), values=(40.0, -40.0, 0.0, 1e-30), grad=False)),
]
ERRORS = [
    row("hardtanh", X, 1.0, -1.0),
    row("softshrink", X, -1.0),
    row("prelu", X, T((4,))),
    row("prelu", X, T((1, 3))),
    row("prelu", T(()), T((2,))),
    row("glu", X),
    row("glu", T((2, 3)), 1),
    row("glu", T(())),
    row("gelu", X, approximate="fast"),
    row("gelu", X, "tanh", _sentence=False),
    row("rrelu", X, 0.5, 0.1),
    row("celu", X, 0.0),
    row("leaky_relu", I((3,))),
    row("elu", I((3,))),
    row("gelu", I((3,))),
]

MODULES = [
    ("ReLU", (), {"inplace": False}, [floats(5, 4)]),
    ("LeakyReLU", (), {}, [ROWS_OF_FOUR]),
    ("LeakyReLU", (0.3, True), {}, None),
    ("PReLU", (), {}, [ROWS_OF_FOUR]),
    ("PReLU", (3,), {"init": 0.1}, [IMAGES]),
    ("RReLU", (0.2, 0.2), {}, [ROWS_OF_FOUR]),
    ("RReLU", (), {"inplace": True}, None),
    ("Hardtanh", (), {}, [ROWS_OF_FOUR]),
    ("Hardtanh", (-0.5, 2.0, True), {}, None),
    ("ReLU6", (), {}, [ROWS_OF_FOUR * 5]),
    ("ReLU6", (True,), {}, None),
    ("Threshold", (0.1, 20.0), {}, [ROWS_OF_FOUR]),
    ("Threshold", (0.1, 20.0, True), {}, None),
    ("Hardshrink", (), {}, [ROWS_OF_FOUR]),
    ("Softshrink", (0.2,), {}, [ROWS_OF_FOUR]),
    ("Hardsigmoid", (), {}, [ROWS_OF_FOUR * 3]),
    ("Hardswish", (True,), {}, None),
    ("Hardswish", (), {}, [ROWS_OF_FOUR * 3]),
    ("Tanhshrink", (), {}, [ROWS_OF_FOUR]),
    ("Softsign", (), {}, [ROWS_OF_FOUR]),
    ("Softplus", (), {}, [ROWS_OF_FOUR]),
    ("Softplus", (2, 3), {}, [ROWS_OF_FOUR]),
    ("ELU", (), {}, [ROWS_OF_FOUR]),
    ("ELU", (0.5, True), {}, None),
    ("CELU", (), {"alpha": 0.5}, [ROWS_OF_FOUR]),
    ("SELU", (), {}, [ROWS_OF_FOUR]),
    ("SELU", (True,), {}, None),
    ("SiLU", (), {}, [ROWS_OF_FOUR]),
    ("Mish", (), {}, [ROWS_OF_FOUR]),
    ("GELU", (), {}, [ROWS_OF_FOUR]),
    ("GELU", ("tanh",), {}, [ROWS_OF_FOUR]),
    ("GLU", (), {}, [ROWS_OF_FOUR]),
    ("GLU", (1,), {}, [floats(2, 6, 3)]),
    ("Softmin", (), {"dim": 1}, [ROWS_OF_FOUR]),
    ("Softmax2d", (), {}, [IMAGES]),
    ("Softmax2d", (), {}, [floats(3, 2, 2)]),
]
