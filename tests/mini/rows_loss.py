"""Losses: rows of test_functional and of test_modules."""

import numpy as np
from optable import I, T, row
from rows_modules import WEIGHT, floats

ALL = ("mean", "sum", "none")
X, Y = T((5, 3)), T((5, 3))
NO_GRAD = T((5, 3), grad=False)
PROBABILITIES = T((5, 3), 0.05, 0.95)
WEIGHTS = T((3,), 0.1, 2.0, grad=False)
SIGNS = I((5, 3), values=((1, -1, 1), (-1, -1, 1), (1, 1, 1), (-1, 1, -1), (1, -1, -1)))
SIGN = I((5,), values=(1, -1, 1, 1, -1))
CLASSES = I((5,), 3)
LABELS = I((4, 3), values=((0, 2, -1), (1, -1, 0), (-1, 0, 1), (2, 0, 1)))
SPREAD = T((5, 3), 0.5, 2.0)

ROWS = [
    *[row("smooth_l1_loss", X, Y, reduction=r, beta=b) for r in ALL for b in (1.0, 0.3, 0.0)],
    row("smooth_l1_loss", T(()), T(())),
    row("smooth_l1_loss", T((3,), values=(0.9, 0.0, 2.0)), T((3,), values=(0.0, 0.0, 5.0))),
    *[row("huber_loss", X, Y, reduction=r, delta=d) for r in ALL for d in (1.0, 0.3)],
    *[row("huber_loss", X, Y, r, weight=T((5, 3), 0.1, 1.0, grad=False)) for r in ALL],
    *[
        row("poisson_nll_loss", x, T((5, 3), 0.2, 4.0, grad=False), log, full, reduction=r)
        for x, log in ((X, True), (SPREAD, False))
        for full in (False, True)
        for r in ALL
    ],
    row("poisson_nll_loss", SPREAD, T((5, 3), 0.0, 2.0, grad=False), False, eps=0.1),
    *[row("gaussian_nll_loss", X, Y, SPREAD, full, reduction=r) for full in (0, 1) for r in ALL],
    *[row("gaussian_nll_loss", X, Y, T(s, 0.5, 2.0)) for s in ((5,), (5, 1))],
    row("gaussian_nll_loss", X, Y, 2.0),
    row("gaussian_nll_loss", X, Y, SPREAD, eps=1.0),
    *[row("kl_div", X, PROBABILITIES, reduction=r) for r in (*ALL, "batchmean")],
    *[row("kl_div", X, Y, reduction=r, log_target=True) for r in (*ALL, "batchmean")],
    row("kl_div", T((3,)), T((3,), values=(0.0, 0.4, 0.6), grad=False), reduction="sum"),
    *[row("binary_cross_entropy", PROBABILITIES, PROBABILITIES, reduction=r) for r in ALL],
    *[row("binary_cross_entropy", PROBABILITIES, NO_GRAD_01, WEIGHTS, reduction=r)
      for NO_GRAD_01 in (T((5, 3), 0.0, 1.0, grad=False),) for r in ALL],
    *[row("hinge_embedding_loss", X, SIGNS, reduction=r) for r in ALL],
    row("hinge_embedding_loss", X, SIGNS, 0.5),
    *[row("margin_ranking_loss", T((5,)), T((5,)), SIGN, reduction=r) for r in ALL],
    row("margin_ranking_loss", T((5,)), T((5,)), SIGN, 0.7),
    *[row("cosine_embedding_loss", X, Y, SIGN, reduction=r) for r in ALL],
    row("cosine_embedding_loss", X, Y, SIGN, 0.3),
    row("cosine_embedding_loss", T((3,)), T((3,)), I((), values=-1)),
    *[row("triplet_margin_loss", X, Y, T((5, 3)), reduction=r) for r in ALL],
    row("triplet_margin_loss", X, Y, T((5, 3)), 2.0, 3.0, swap=True),
    row("triplet_margin_loss", T((3,)), T((3,)), T((3,))),
    *[row("triplet_margin_with_distance_loss", X, Y, T((5, 3)), swap=s, reduction=r)
      for s in (False, True) for r in ALL],
    *[row("multilabel_soft_margin_loss", X, PROBABILITIES, w, reduction=r)
      for w in (None, WEIGHTS) for r in ALL],
    *[row("soft_margin_loss", X, SIGNS, reduction=r) for r in ALL],
]  # fmt: skip
FIRST = [
    *[
        row(
            "binary_cross_entropy",
            T((4,), values=(0.0, 1.0, 0.0, 1.0)),
            T((4,), values=(0.0, 0.0, 1.0, 1.0), grad=grad),
            reduction="none",
        )
        for grad in (False, True)  # the slope to the target is infinite there
    ],
    *[
        row("multi_margin_loss", X, CLASSES, p, weight=w, reduction=r)
        for p in (1, 2)
        for w in (None, WEIGHTS)
        for r in ALL
    ],
    row("multi_margin_loss", T((3,)), I((), 3), margin=0.5),
    *[row("multilabel_margin_loss", T((4, 3)), LABELS, reduction=r) for r in ALL],
    row("multilabel_margin_loss", T((3,)), I((3,), values=(1, -1, 0))),
]
ELSEWHERE = ["ctc_loss"]  # test_loss
ERRORS = [
    *[
        row(n, X, Y, reduction="most")
        for n in ("smooth_l1_loss", "huber_loss", "poisson_nll_loss", "kl_div", "soft_margin_loss")
    ],
    row("smooth_l1_loss", X, Y, beta=-1.0),
    row("huber_loss", X, Y, delta=0.0),
    row("huber_loss", X, Y, weight=T((3,))),
    row("gaussian_nll_loss", X, Y, -1.0),
    row("gaussian_nll_loss", X, Y, T((4,), 0.5, 1.0)),
    row("gaussian_nll_loss", X, Y, SPREAD, reduction="most"),
    row("binary_cross_entropy", X, PROBABILITIES),
    row("binary_cross_entropy", PROBABILITIES, T((5, 3), 2.0, 3.0)),
    row("binary_cross_entropy", PROBABILITIES, T((5,), 0.0, 1.0)),
    row("margin_ranking_loss", X, Y, SIGN),
    row("cosine_embedding_loss", X, Y, SIGNS),
    row("cosine_embedding_loss", T((3,)), T((3,)), SIGN, _sentence=False),
    row("triplet_margin_loss", X, Y, Y, 0.0),
    row("triplet_margin_with_distance_loss", X, Y, T((3,))),
    row("multi_margin_loss", X, CLASSES, 3),
    row("multi_margin_loss", X, CLASSES, weight=X),
    row("multi_margin_loss", X, I((4,), 3), _sentence=False),
    row("multilabel_margin_loss", X, LABELS, _sentence=False),
]

A, B, C = floats(5, 3), floats(5, 3), floats(5, 3)
P = np.clip(np.abs(B) / 3, 0.01, 0.99)
ONES = np.sign(B[:, 0])
MODULES = [
    ("SmoothL1Loss", (), {"beta": 0.5}, [A, B]),
    ("HuberLoss", ("sum", 0.5), {}, [A, B]),
    ("KLDivLoss", (), {"reduction": "batchmean"}, [A, P]),
    ("KLDivLoss", (), {"reduction": "sum", "log_target": True}, [A, B]),
    ("PoissonNLLLoss", (), {}, [A, P]),
    ("PoissonNLLLoss", (False, True), {"eps": 0.1, "reduction": "sum"}, [P, P * 4]),
    ("GaussianNLLLoss", (), {}, [A, B, P]),
    ("GaussianNLLLoss", (), {"full": True, "eps": 0.5, "reduction": "none"}, [A, B, P]),
    ("BCELoss", (), {}, [P, P[::-1].copy()]),
    ("BCELoss", (WEIGHT,), {"reduction": "sum"}, [P, P[::-1].copy()]),
    ("MultiLabelSoftMarginLoss", (WEIGHT,), {}, [A, P]),
    ("MultiMarginLoss", (2, 0.5, WEIGHT), {"reduction": "sum"}, [A, np.array([0, 2, 1, 1, 0])]),
    ("MultiLabelMarginLoss", (), {}, [A[:2], np.array([[0, -1, 1], [1, 2, -1]])]),
    ("SoftMarginLoss", (), {}, [A, np.sign(B)]),
    ("HingeEmbeddingLoss", (0.7,), {}, [A, np.sign(B)]),
    ("MarginRankingLoss", (0.2,), {"reduction": "none"}, [A[:, 0], C[:, 0], ONES]),
    ("CosineEmbeddingLoss", (0.2,), {"reduction": "sum"}, [A, C, ONES]),
    ("TripletMarginLoss", (0.5, 1.0), {"swap": True}, [A, B, C]),
    ("TripletMarginWithDistanceLoss", (), {"margin": 0.3, "swap": True}, [A, B, C]),
    ("CTCLoss", (1,), {}, [
        floats(4, 2, 3), np.array([[0, 2], [2, 2]]), np.array([4, 3]), np.array([2, 1])
    ]),
]  # fmt: skip
