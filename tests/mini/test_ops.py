"""Every operation against torch: values, types, gradients, second gradients, errors."""

import warnings

from dlcourse import mini
from dlcourse.mini import ops
from dlcourse.testing import assert_matches

import numpy as np
import optable
import pytest
import torch
from both import same_error

VARIANTS = (
    ("float64", "plain"), ("float64", "transposed"), ("float64", "sliced"), ("float32", "plain"),
)  # fmt: skip
# Those of assert_matches, but for float32, whose rounding errors add up in the derivatives.
TOLERANCE = {"float64": {}, "float32": {"rtol": 1e-4, "atol": 2e-5}}


def forms(case):
    """How an operation can be called: f.add(x, y), x.add(y), x.add_(y)."""
    out = [form for form in case.forms if form == "function" or case.name not in ops.FREE]
    return out + ["in-place"] * (case.name in ops.IN_PLACE and "method" in case.forms)


def flat(out):
    return list(out) if isinstance(out, list | tuple) else [out]


def tensors(framework, shapes_and_dtypes, seed, requires_grad):
    rng = np.random.default_rng(seed)
    return [
        framework.tensor(rng.standard_normal(s).astype(d)).requires_grad_(requires_grad)
        for s, d in shapes_and_dtypes
    ]


def derivatives(framework, outs, leaves, twice=True):
    """First and second derivatives, times fixed random tensors; zeros where there are none."""
    outs = [o for o in outs if o.requires_grad]
    if not outs or not leaves:
        return [], []
    like = [(tuple(o.shape), o.detach().numpy().dtype) for o in outs]
    seeds = tensors(framework, like, 1, True)
    options = {"allow_unused": True, "materialize_grads": True}
    grad = framework.autograd.grad
    first = grad(outs, leaves, seeds, create_graph=twice, **options)
    if not twice:
        return list(first), []
    like = [(tuple(g.shape), g.detach().numpy(force=True).dtype) for g in first]
    total = sum(
        (g * h).sum() for g, h in zip(first, tensors(framework, like, 2, False), strict=True)
    )
    second = grad(total, [*leaves, *seeds], **options) if total.requires_grad else []
    return list(first), list(second)


def run(case, framework, form, dtype, layout, twice=True):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of the degrees of freedom of std
        out, leaves = optable.call(case, framework, form, dtype, layout)
        outs = flat(out)
        first, second = derivatives(framework, outs, leaves, twice)
    return outs, first, second


def results(case, form, dtype, layout, may_do_more=False, twice=True):
    """Values, first and second derivatives of a row under mini and torch; None if both refuse.

    `may_do_more`: mini need not refuse a memory layout that torch cannot cope with; `twice`:
    whether torch has second derivatives.
    """
    try:
        theirs = run(case, torch, form, dtype, layout, twice)
    except RuntimeError as error:
        if isinstance(error, NotImplementedError) and form == "in-place":
            return None  # torch knows no derivative of asinh_
        if form != "in-place" and layout == "plain":
            raise
        # The result does not fit into the tensor, or no view of such a layout is possible.
        if not may_do_more:
            with pytest.raises(RuntimeError):
                run(case, mini, form, dtype, layout)
        return None
    ours = run(case, mini, form, dtype, layout, twice)
    if bool(ours[2]) != bool(theirs[2]):
        a, b = as_zeros(ours[2], theirs[2]), as_zeros(theirs[2], ours[2])
        ours, theirs = (*ours[:2], a), (*theirs[:2], b)
    return ours, theirs


def check(case, form, dtype, layout, may_do_more=False, twice=True):
    """Value, first and second derivatives of a row agree, or both frameworks refuse."""
    at = f"{case} ({form}, {dtype}, {layout})"
    found = results(case, form, dtype, layout, may_do_more, twice)
    if found is None:
        return
    ours, theirs = found
    assert [o.requires_grad for o in ours[0]] == [o.requires_grad for o in theirs[0]], at
    for what, a, b in zip(("value", "first", "second"), ours, theirs, strict=True):
        try:
            assert_matches(a, b, **TOLERANCE[dtype])
        except AssertionError as error:
            raise AssertionError(f"{at}, {what}: {error}") from None


def as_zeros(found, other):
    """A second derivative that one framework did not even look for is zero."""
    return found or [np.zeros(tuple(o.shape), o.detach().numpy().dtype) for o in other]


@pytest.mark.parametrize("case", optable.ROWS, ids=str)
def test_operation_matches_torch(case):
    for form in forms(case):
        for dtype, layout in VARIANTS:
            check(case, form, dtype, layout)


@pytest.mark.filterwarnings("ignore:The reduce argument of torch.scatter")  # once a process
@pytest.mark.filterwarnings("ignore:index_reduce")  # beta in torch
@pytest.mark.parametrize("case", [r for r in optable.ROWS if r.node], ids=str)
def test_node_has_torchs_name(case):
    for form in set(forms(case)) - {"in-place"}:
        (ours, _), (theirs, _) = (optable.call(case, f, form) for f in optable.FRAMEWORKS)
        for a, b in zip(flat(ours), flat(theirs), strict=True):
            if b.grad_fn is not None and "Accumulate" not in b.grad_fn.name():
                assert a.grad_fn.name() == b.grad_fn.name()


@pytest.mark.parametrize("case", optable.ERRORS, ids=str)
def test_error_is_torchs(case):
    for form in set(forms(case)) - {"in-place"}:
        same_error(lambda f, form=form: optable.call(case, f, form), case.sentence)


def test_a_product_of_several_zeros_has_no_slope():
    """In torch it has no second derivative either: not a row."""
    grads = []
    for f in (mini, torch):
        x, src = f.ones(3, requires_grad=True), f.tensor([0.0, 0.0, 2.0, 0.0, 5.0])
        src.requires_grad_()
        out = x.scatter_reduce(0, f.tensor([0, 0, 0, 1, 1]), src, "prod")
        grads.append(f.autograd.grad(out.sum(), (x, src)))
    assert_matches(*grads)
