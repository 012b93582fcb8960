"""Jacobians, Hessians and their products with vectors, under torch.autograd.functional's names.

`func` takes tensors and returns a tensor or a tuple of tensors; `inputs` is a tensor or a tuple;
the results are nested as both are.  `strict` raises where a result does not depend on an input,
`create_graph` gives results that can be differentiated again.
"""

from dlcourse.mini._core import Tensor
from dlcourse.mini._grad_mode import enable_grad, set_grad_enabled
from dlcourse.mini.autograd.gradients import grad
from dlcourse.mini.ops.creation import zeros_like
from dlcourse.mini.ops.shape import stack

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

CONSTANT = "The output of the user-provided function is independent of input {}. {}"
NOT_STRICT = "This is not allowed in strict mode."


def _tuple_of(value, what, name):
    """(whether it was a tuple, the tuple)."""
    listed = isinstance(value, tuple)
    for i, item in enumerate(value if listed else (value,)):
        if not isinstance(item, Tensor):
            which = f"value at index {i}" if listed else f"given {what}"
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the "
                f"{which} has type {type(item)}."
            )
    return listed, value if listed else (value,)


def _prepared(inputs, create_graph):
    """Tensors of our own that require a gradient; with `create_graph` in the caller's graph."""
    if create_graph:
        return tuple(
            x.view(x.shape) if x.requires_grad else x.detach().requires_grad_() for x in inputs
        )
    return tuple(x.detach().requires_grad_() for x in inputs)


def _called(func, inputs, name, strict):
    listed, outputs = _tuple_of(func(*inputs), "outputs of the user-provided function", name)
    for i, out in enumerate(outputs):
        if strict and not out.requires_grad:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The outputs "
                "must be computed in a differentiable manner from the input when running in strict "
                "mode."
            )
    return listed, outputs


def derivatives(outputs, inputs, vectors, create_graph, retain_graph=True):
    """grad, with None for inputs that do not matter and outputs that depend on nothing."""
    pairs = [(out, v) for out, v in zip(outputs, vectors, strict=True) if out.requires_grad]
    if not pairs:
        return (None,) * len(inputs)
    outs, vs = zip(*pairs, strict=True)
    return grad(outs, inputs, vs, retain_graph, create_graph, allow_unused=True)


def _filled(grads, like, strict, create_graph, what="jacobian"):
    """The gradients with zeros for None, which `strict` refuses."""
    out = []
    for i, (g, x) in enumerate(zip(grads, like, strict=True)):
        if strict and g is None:
            raise RuntimeError(
                f"The {'output' if what == 'jacobian' else 'jacobian'} of the user-provided "
                f"function is independent of input {i}. {NOT_STRICT}"
            )
        if strict and create_graph and not g.requires_grad:
            raise RuntimeError(
                f"The {what} of the user-provided function is independent of input {i}. This is "
                "not allowed in strict mode when create_graph=True."
            )
        out.append(zeros_like(x) if g is None else g)
    return tuple(out)


def _finished(tensors, listed, create_graph):
    tensors = tuple(t if create_graph else t.detach() for t in tensors)
    return tensors if listed else tensors[0]


def _vectors(v, like, listed, name, sole):
    """v as a tuple of the shapes of `like`; it may be left out for a single element."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(sole)
        return (like[0].detach() * 0 + 1,)
    _, v = _tuple_of(v, "v", name)
    if len(v) != len(like):
        if listed:
            raise RuntimeError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(v)}."
            )
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (vector, other) in enumerate(zip(v, like, strict=True)):
        if vector.shape != other.shape:
            raise RuntimeError(
                f"{f'Entry {i} in ' if listed else ''}v has invalid size: should be {other.shape} "
                f"but got {vector.shape}."
            )
    return v


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), v^T J): one backward pass."""
    with enable_grad():
        listed, inputs = _tuple_of(inputs, "inputs", "vjp")
        inputs = _prepared(inputs, create_graph)
        outputs_listed, outputs = _called(func, inputs, "vjp", strict)
        v = _vectors(
            v, outputs, outputs_listed, "vjp",
            "The vector v can only be None if the user-provided function returns a single Tensor "
            "with a single element.",
        )  # fmt: skip
    found = derivatives(outputs, inputs, v, create_graph)
    found = _filled(found, inputs, strict, create_graph)
    return (
        _finished(outputs, outputs_listed, create_graph),
        _finished(found, listed, create_graph),
    )


INPUT_OF_ONE = (
    "The vector v can only be None if the input to the user-provided function is a single Tensor "
    "with a single element."
)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), J v): two backward passes, for u^T J is linear in u, with the derivative J."""
    with enable_grad():
        listed, inputs = _tuple_of(inputs, "inputs", "jvp")
        inputs = _prepared(inputs, create_graph)
        v = _vectors(v, inputs, listed, "jvp", INPUT_OF_ONE)
        outputs_listed, outputs = _called(func, inputs, "jvp", strict)
        u = tuple(zeros_like(out).requires_grad_() for out in outputs)
        rows = derivatives(outputs, inputs, u, create_graph=True)
        for i, row in enumerate(rows):
            if strict and row is None:
                raise RuntimeError(CONSTANT.format(i, NOT_STRICT))
    pairs = [(row, vector) for row, vector in zip(rows, v, strict=True) if row is not None]
    found = (None,) * len(u)
    if pairs:
        found = derivatives(*[[p[0] for p in pairs], u, [p[1] for p in pairs]], create_graph)
    found = _filled(found, outputs, strict, create_graph)
    return (
        _finished(outputs, outputs_listed, create_graph),
        _finished(found, outputs_listed, create_graph),
    )


def _one_number(func, name, strict):
    """`func`, whose output must be a single number."""

    def checked(*inputs):
        listed, outputs = _called(func, inputs, name, strict)
        if listed:
            raise RuntimeError(f"The function given to {name} should return a single Tensor")
        if outputs[0].numel() != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {name} should contain a single "
                "element"
            )
        return outputs[0].reshape(())

    return checked


def _times_hessian(name, func, inputs, v, create_graph, strict):
    with enable_grad():
        listed, inputs = _tuple_of(inputs, "inputs", name)
        inputs = _prepared(inputs, create_graph)
        v = _vectors(v, inputs, listed, name, INPUT_OF_ONE)
        output = _one_number(func, name, strict)(*inputs)
        slopes = derivatives([output], inputs, [zeros_like(output) + 1], create_graph=True)
        slopes = _filled(slopes, inputs, strict, False)
    found = derivatives(slopes, inputs, v, create_graph)
    found = _filled(found, inputs, strict, create_graph, "hessian")
    return _finished([output], False, create_graph), _finished(found, listed, create_graph)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), v^T H) for the Hessian H of a function with one number as its output."""
    return _times_hessian("vhp", func, inputs, v, create_graph, strict)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """(func(inputs), H v); H is symmetric, so it is the same as v^T H, and no dearer."""
    # NB: in torch hvp goes through a third backward pass, and is slower than vhp.
    return _times_hessian("hvp", func, inputs, v, create_graph, strict)


def _refuse(vectorize, strategy):
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')
    if vectorize or strategy == "forward-mode":
        raise NotImplementedError(
            "mini computes Jacobians row by row: vectorize and forward mode are not supported"
        )


def jacobian(
    func, inputs, create_graph=False, strict=False, vectorize=False, strategy="reverse-mode"
):
    """`d(output)/d(input)`, of shape output + input: one backward pass for each of its elements."""
    _refuse(vectorize, strategy)
    with enable_grad():
        listed, inputs = _tuple_of(inputs, "inputs", "jacobian")
        inputs = _prepared(inputs, create_graph)
        outputs_listed, outputs = _called(func, inputs, "jacobian", strict)
    with set_grad_enabled(True):
        blocks = [block_of(i, out, inputs, create_graph, strict) for i, out in enumerate(outputs)]
    blocks = tuple(_finished(block, listed, create_graph) for block in blocks)
    return blocks if outputs_listed else blocks[0]


def block_of(number, output, inputs, create_graph, strict=False):
    """The Jacobian of one output by each of the inputs."""
    elements = output.reshape(-1)
    rows = [
        derivatives([element], inputs, [zeros_like(element) + 1], create_graph)
        for element in (elements[i] for i in range(elements.numel()))
    ]
    block = []
    for i, x in enumerate(inputs):
        column = [row[i] for row in rows]
        if strict and any(g is None for g in column):
            raise RuntimeError(
                f"Output {number} of the user-provided function is independent of input {i}. "
                f"{NOT_STRICT}"
            )
        if strict and create_graph and not all(g.requires_grad for g in column):
            raise RuntimeError(
                "The jacobian of the user-provided function is independent of input "
                f"{number}. This is not allowed in strict mode when create_graph=True."
            )
        column = [zeros_like(x) if g is None else g for g in column]
        shape = (*output.shape, *x.shape)
        block.append(stack(column).reshape(shape) if column else x.detach().new_zeros(shape))
    return block


def hessian(
    func, inputs, create_graph=False, strict=False, vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):  # fmt: skip
    """The matrix of second derivatives of a function with one number as its output."""
    _refuse(vectorize, outer_jacobian_strategy)
    listed, inputs = _tuple_of(inputs, "inputs", "hessian")

    def slopes(*xs):
        found = jacobian(_one_number(func, "hessian", strict), xs, create_graph=True)
        for i, slope in enumerate(found):
            if strict and not slope.requires_grad:
                raise RuntimeError(
                    "While computing the hessian, found that the jacobian of the user-provided "
                    f"function with respect to input {i} is independent of the input. This is not "
                    "allowed in strict mode. You should ensure that your function is twice "
                    "differentiable and that the jacobian depends on the inputs (this would be "
                    "violated by a linear function for example)."
                )
        return found

    out = jacobian(slopes, inputs, create_graph=create_graph, strict=strict)
    return out if listed else out[0][0]
