"""Rows of the reductions, scans, statistics and counts that came after the first table."""

from rows import FREE, B, Dtype, I, T, X, reduction, row

INF, NAN = float("inf"), float("nan")
ZEROS = T((4,), values=(2.0, 0.0, 3.0, 0.0))
ONE_ZERO = T((2, 3), values=((2.0, 0.0, 3.0), (1.5, 2.0, -1.0)))
HOLES = T((2, 4), values=((2.0, 7.0, 3.0, NAN), (NAN, NAN, 1.0, 5.0)))
TIES = T((5,), values=(1.0, 3.0, 2.0, 3.0, 0.0))
DIMS = ((), {}), ((1,), {}), ((-1,), {"keepdim": True}), ((), {"dim": 0})

ROWS = [
    *[row(n, x, *a, **o) for n in ("all", "any") for x in (B((2, 3, 4)), I((2, 3, 4), 2), X)
      for a, o in DIMS],
    *[row(n, B((2, 3, 4)), dim=(0, 2)) for n in ("all", "any")],
    *[row(n, X, axis=1, keepdims=True) for n in ("sum", "mean", "amax", "max", "argmax")],
    row("cumsum", X, axis=1),
    row("std", T((2, 3), values=((1.0, 1.0, 1.0), (1.0, 2.0, 4.0))), 1, _node=False),
    row("var", X, False, _node=False),
    row("max", X, other=T((3, 1)), _forms=FREE),
    # scans
    *[row(n, X, d) for n in ("cumsum", "logcumsumexp", "cummax", "cummin") for d in (0, 1, -1)],
    *[row("cumprod", X, d, _node=False) for d in (0, 1, -1)],
    *[row(n, T(()), 0, _node=False) for n in ("cumsum", "cumprod", "logcumsumexp", "cummax")],
    *[row(n, T((0, 3)), 0, _node=False) for n in ("cumsum", "cumprod", "cummax")],
    *[row(n, I((2, 4), 5), 1) for n in ("cumsum", "cumprod", "cummax", "cummin")],
    row("cumsum", B((4,)), 0),
    row("cumsum", X, dim=1, dtype=Dtype("float64"), _forms=FREE),
    row("cumprod", T((2, 4), grad=False), 1),
    row("cumprod", ZEROS, 0, _node=False),
    row("cummax", TIES, 0),
    row("cummin", TIES, 0),
    row("logcumsumexp", T((4,), values=(1000.0, -1000.0, 0.0, 1000.0)), 0),
    row("prod", X),
    *reduction("prod", _several=False),
    row("prod", ZEROS),
    row("prod", ONE_ZERO, 1),
    row("prod", ONE_ZERO),
    row("prod", T(())),
    row("prod", T((0,))),
    row("prod", I((2, 3), 5, 1), 1),
    row("prod", I((2, 3), 5, 1), dtype=Dtype("float32")),
    *[row("diff", X, **o, _node=False) for o in ({}, {"n": 2}, {"dim": 1}, {"n": 4, "dim": 0})],
    row("diff", T((4,)), prepend=T((1,)), append=T((2,)), _node=False),
    row("diff", B((4,))),
    *[row("trapezoid", X, **o, _forms=FREE, _node=False) for o in ({}, {"dx": 0.5}, {"dim": 1})],
    row("trapezoid", X, T((5,)), _forms=FREE, _node=False),
    row("trapz", X, T((3,)), dim=1, _forms=FREE, _node=False),
    row("trapz", X, X, _forms=FREE, _node=False),
    # norms
    *[row("norm", X, p, **o, _node=False) for p in (2, 1, 3, 1.5, INF, "fro", 0)
      for o in ({}, {"dim": 1}, {"dim": (0, 2), "keepdim": True})],
    row("norm", X, _node=False),
    row("norm", X, dim=-1, _node=False),
    row("dist", X, T((3, 1)), _node=False),
    row("dist", X, X, 1, _node=False),
    *[row("cdist", T((4, 3), grad=False), T((5, 3), grad=False), *p, _forms=FREE, _node=False)
      for p in ((), (1.0,), (3.0,), (INF,))],
    row("cdist", T((2, 4, 3), grad=False), T((2, 5, 3), grad=False), _forms=FREE, _node=False),
    row("renorm", T((3, 4), 1, 2), 2, 0, 3.0, _node=False),
    # without NaN, the middle
    *[row(n, HOLES, *a, **o, _node=False) for n in ("nansum", "nanmean") for a, o in DIMS],
    row("nansum", I((3,))),
    *[row(n, X, *a, **o, _node=False) for n in ("median", "nanmedian") for a, o in DIMS],
    *[row(n, T((4,)), _node=False) for n in ("median", "nanmedian")],
    *[row("nanmedian", HOLES, *a, _node=False) for a in ((), (1,))],
    row("median", I((5,), 9)),
    row("mode", I((3, 7), 3)),
    row("mode", I((3, 7), 3), 0, True),
    *[row(n, X, q, **o, _node=False) for n in ("quantile", "nanquantile")
      for q in (0.5, 0.3, 1.0) for o in ({}, {"dim": 1}, {"dim": 2, "keepdim": True})],
    *[row("quantile", T((7,)), 0.4, interpolation=i, _node=False)
      for i in ("lower", "higher", "midpoint", "nearest")],
    row("quantile", T((3, 4)), T((2,), values=(0.25, 0.75), grad=False), dim=1, _node=False),
    *[row(n, HOLES, 0.3, dim=1, _node=False) for n in ("quantile", "nanquantile")],
    # moments
    *[row(n, X, *a, **o, _forms=FREE, _node=False) for n in ("var_mean", "std_mean")
      for a, o in (*DIMS[:3], ((), {"dim": 2, "correction": 0}))],
    *[row("aminmax", X, **o, _node=False) for o in ({}, {"dim": 1}, {"dim": 0, "keepdim": True})],
    row("cov", T((3, 6)), _node=False),
    row("cov", T((6,)), correction=0, _node=False),
    row("corrcoef", T((3, 6)), _node=False),
    # counts
    *[row("count_nonzero", I((3, 4), 2), **o) for o in ({}, {"dim": 0}, {"dim": (0, 1)})],
    *[row("unique", I((3, 5), 4), **o) for o in (
        {}, {"return_inverse": True}, {"return_counts": True},
        {"return_inverse": True, "return_counts": True}, {"sorted": True})],
    row("unique", I((6, 2), 2), dim=0),
    row("unique", I((6, 2), 2), dim=0, return_inverse=True, return_counts=True),
    *[row("unique_consecutive", I((12,), 2), **o) for o in (
        {}, {"return_inverse": True}, {"return_counts": True})],
    row("unique_consecutive", I((8, 1), 2), dim=0),
    row("bincount", I((9,), 5)),
    row("bincount", I((9,), 5), minlength=8),
    row("bincount", I((9,), 5), T((9,), grad=False)),
    row("histc", T((20,), grad=False), 5, -2, 2),
    row("histc", T((20,), grad=False), bins=4),
    *[row("searchsorted", T((4,), values=(0.0, 1.0, 1.0, 3.0), grad=False),
          T((3,), values=(1.0, -1.0, 9.0), grad=False), **o, _forms=FREE)
      for o in ({}, {"right": True}, {"side": "right"}, {"out_int32": True})],
    row("searchsorted", I((2, 3), values=((1, 3, 5), (2, 4, 6))), I((2, 2), 7), _forms=FREE),
    row("bucketize", I((2, 4), 9), I((3,), values=(2, 4, 6)), _forms=FREE),
    row("bucketize", I((4,), 9), I((3,), values=(2, 4, 6)), right=True, _forms=FREE),
]  # fmt: skip

ERRORS = [
    *[row(n, X, 3) for n in
      ("cumsum", "cumprod", "cummax", "prod", "median", "all", "logcumsumexp")],
    row("norm", I((3,))),
    row("bincount", T((3,), grad=False), _sentence=False),
    row("bincount", I((2, 2))),
    row("diff", T(())),
    row("quantile", X, 1.5, _sentence=False),
    row("histc", X, 0, _sentence=False),
    row("cdist", T((2, 3)), T((2, 4)), _forms=FREE),
    row("cdist", T((3,)), T((2, 3)), _forms=FREE),
]  # fmt: skip
