"""grad and backward, gradcheck and gradgradcheck."""

import warnings

from dlcourse.mini._core import Tensor, run_backward, wrap
from dlcourse.mini._grad_mode import enable_grad, no_grad

import numpy as np


class GradcheckError(RuntimeError):
    """What gradcheck raises when the analytical and the numerical derivative differ."""


def _listed(tensors):
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None):
    """The sum of the gradients of several tensors, accumulated into the leaves."""
    roots = _listed(tensors)
    gradients = [None] * len(roots) if grad_tensors is None else _listed(grad_tensors)
    if len(gradients) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(gradients)} gradients")
    inputs = None if inputs is None else _listed(inputs)
    if inputs == []:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    run_backward(roots, gradients, retain_graph, create_graph, inputs, accumulate=True)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """`d(outputs)/d(inputs)`, times `grad_outputs`, as a tuple; no `.grad` is written.

    Raises when an input is not part of the graph, unless `allow_unused` (None comes back) or
    `materialize_grads` (zeros come back).
    """
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To "
            "accumulate gradient for other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    if is_grads_batched:
        raise NotImplementedError(
            "mini does not support is_grads_batched: call grad once for each row"
        )
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    roots, inputs = _listed(outputs), _listed(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    gradients = [None] * len(roots) if grad_outputs is None else _listed(grad_outputs)
    found = run_backward(roots, gradients, retain_graph, create_graph, inputs, accumulate=False)
    # A gradient may be a slice of larger memory; torch's can be viewed in any shape.
    found = [None if g is None else g.contiguous() for g in found]
    if materialize_grads:
        found = [
            wrap(np.zeros_like(t._data)) if g is None else g
            for g, t in zip(found, inputs, strict=True)
        ]
    for i, g in enumerate(found):
        if g is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {i} appears to not have been used in the "
                "graph. Set allow_unused=True if this is the desired behavior."
            )
    return tuple(found)


# -- checking derivatives --------------------------------------------------------------------------


def numerical_jacobian(fn, inputs, which, eps):
    """d(outputs)/d(inputs[which]) by central differences; a matrix (input, output) for each."""
    x = inputs[which]._data
    columns = []
    with no_grad():
        for position in np.ndindex(x.shape):
            kept = x[position]
            x[position] = kept + eps
            plus = [o._data.copy() for o in _listed(fn(*inputs))]
            x[position] = kept - eps
            minus = [o._data.copy() for o in _listed(fn(*inputs))]
            x[position] = kept
            columns.append([(p - m).ravel() / (2 * eps) for p, m in zip(plus, minus, strict=True)])
    return [np.array(column) for column in zip(*columns, strict=True)] if columns else []


def analytical_jacobian(output, x):
    """`d(output)/dx`, (elements of x, elements of output), one backward pass for each column."""
    rows = []
    for position in np.ndindex(output._data.shape):
        seed = np.zeros_like(output._data)
        seed[position] = 1
        (g,) = grad(output, x, wrap(seed), retain_graph=True, allow_unused=True)
        rows.append(np.zeros(x._data.size) if g is None else g._data.ravel())
    return np.array(rows).T.reshape(x._data.size, output._data.size)


def gradcheck(
    func, inputs, *, eps=1e-6, atol=1e-5, rtol=1e-3, raise_exception=True, nondet_tol=0.0,
    check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
    check_batched_forward_grad=False, check_forward_ad=False, check_backward_ad=True,
    fast_mode=False, masked=None,
):  # fmt: skip
    """Compare analytical gradients with central differences, for float64 inputs.

    Returns True, or raises GradcheckError (returns False when `raise_exception` is off).
    Source: `torch.autograd.gradcheck`, the slow and exact mode.
    """
    # NB: in torch fast_mode compares one random projection; mini compares every element, always.
    # NB: in torch check_undefined_grad also tries backward with None for outputs that nobody used.
    _refuse_checks(
        check_batched_grad=check_batched_grad, check_forward_ad=check_forward_ad, masked=masked,
        check_batched_forward_grad=check_batched_forward_grad,
        **{"check_backward_ad=False": not check_backward_ad},
    )  # fmt: skip
    inputs = tuple(_listed(inputs))
    try:
        checked = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
        if not checked:
            raise ValueError(
                "gradcheck expects at least one input tensor to require gradient, but none of "
                "them have requires_grad=True."
            )
        for i in checked:
            if inputs[i]._data.dtype != np.float64:
                raise GradcheckError(
                    f"Input #{i} requires gradient and is not a double precision floating point. "
                    "This check will likely "
                    "fail if all the inputs are not of double precision floating point."
                )
        floats = [o for o in _listed(func(*inputs)) if o.dtype.is_floating_point]
        outputs = {j: o for j, o in enumerate(floats) if o.requires_grad}
        if not outputs:
            raise GradcheckError("gradcheck: no output requires a gradient")
        for i in checked:
            numerical = numerical_jacobian(
                lambda *a: [o for o in _listed(func(*a)) if o.dtype.is_floating_point],
                inputs,
                i,
                eps,
            )
            for j, output in outputs.items():
                analytical = analytical_jacobian(output, inputs[i])
                if numerical and not np.allclose(
                    analytical, numerical[j], rtol, atol, equal_nan=False
                ):
                    raise GradcheckError(
                        f"Jacobian mismatch for output {j} with respect to input {i},\n"
                        f"numerical:{wrap(numerical[j])}\n"
                        f"analytical:{wrap(analytical)}\n"
                    )
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _refuse_checks(**wanted):
    for name, value in wanted.items():
        if value:
            raise NotImplementedError(f"mini's gradcheck does not support {name}: leave it out")


def gradgradcheck(
    func, inputs, grad_outputs=None, *, eps=1e-6, atol=1e-5, rtol=1e-3,
    gen_non_contig_grad_outputs=False, raise_exception=True, nondet_tol=0.0,
    check_undefined_grad=True, check_grad_dtypes=False, check_batched_grad=False,
    check_fwd_over_rev=False, check_rev_over_rev=True, fast_mode=False, masked=False,
):  # fmt: skip
    """`gradcheck` of the gradient itself: checks second derivatives."""
    _refuse_checks(
        check_batched_grad=check_batched_grad, check_fwd_over_rev=check_fwd_over_rev,
        gen_non_contig_grad_outputs=gen_non_contig_grad_outputs, masked=masked,
        **{"check_rev_over_rev=False": not check_rev_over_rev},
    )  # fmt: skip
    inputs = tuple(_listed(inputs))
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        shapes = [o._data.shape for o in _listed(func(*inputs)) if o.requires_grad]
        grad_outputs = [wrap(rng.standard_normal(s), requires_grad=True) for s in shapes]
    else:
        grad_outputs = _listed(grad_outputs)
    checked = [i for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]

    def gradient(*args):
        xs, gs = args[: len(inputs)], args[len(inputs) :]
        with enable_grad():  # the numerical side of gradcheck runs without
            outputs = [o for o in _listed(func(*xs)) if o.requires_grad]
        return grad(
            outputs, [xs[i] for i in checked], list(gs), create_graph=True, materialize_grads=True
        )

    return gradcheck(
        gradient,
        (*inputs, *grad_outputs),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
    )
