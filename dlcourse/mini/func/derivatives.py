"""Functions that compute derivatives of functions, each of which may be applied to the other.

grad(f)(x) calls f with a variable of its own in the place of x, which leaves the caller's tensors
as they were.  What comes back has a graph only where it depends on something else that requires a
gradient: on the variable of a grad around this one, or on a tensor of the caller.
"""

from functools import wraps

from dlcourse.mini._core import Tensor, _reachable
from dlcourse.mini._grad_mode import enable_grad, is_grad_enabled
from dlcourse.mini.autograd.functional import block_of, derivatives
from dlcourse.mini.func.batch import Level, check_randomness, entered
from dlcourse.mini.func.tree import leaves, like, mapped, same_structure, shown
from dlcourse.mini.ops.creation import zeros_like

__all__ = ["grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp"]


class Variable(Tensor):
    """What a function is differentiated by; when that is done its derivative is nobody's."""

    __slots__ = ("done",)


def _variable(x):
    """A tensor of our own with the memory of `x`, in the graph of `x` if there is one."""
    if not isinstance(x, Tensor):
        raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
    if x.requires_grad:
        out = x.view(x.shape)
        # To func it is a leaf: a write would leave us the derivative by what was written alone.
        out._view.forbid = (
            "a leaf Variable that requires grad is being used in an in-place operation."
        )
        return out
    out = Variable.__new__(Variable)
    out._hold(x._data)
    out._writes, out.done = x._writes, False
    out.requires_grad = True
    return out


def _finish(variables):
    for x in variables:
        if isinstance(x, Variable):
            x.done = True


def _wanted(tensor):
    """Whether anybody may still ask for a derivative of `tensor`."""
    if not isinstance(tensor, Tensor) or not tensor.requires_grad:
        return False
    root, _ = tensor._edge()
    nodes = [] if isinstance(root, Tensor) else _reachable([root])
    ends = [c for node in nodes for c in node._children if isinstance(c, Tensor)] or [root]
    return any(not (isinstance(end, Variable) and end.done) for end in ends)


def _outside(tree, recorded):
    """The tensors as the caller shall have them: without a graph that is ours alone."""

    def seen(tensor):
        if not isinstance(tensor, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(tensor)}")
        kept = not tensor.requires_grad or (recorded and _wanted(tensor))
        return tensor if kept else tensor.detach()

    return mapped(seen, tree)


def _filled(grads, like_these):
    return [zeros_like(x) if g is None else g for g, x in zip(grads, like_these, strict=True)]


def _chosen(args, argnums):
    """(the arguments to differentiate by, as they are asked for; their places)."""
    if not isinstance(argnums, int | tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    places = []
    for number in argnums if isinstance(argnums, tuple) else (argnums,):
        if not isinstance(number, int):
            raise RuntimeError(f"argnum must be int, got: {type(number)}")
        if not -len(args) <= number < len(args):
            raise RuntimeError(f"Got argnum={number}, but only {len(args)} positional inputs")
        places.append(number % len(args))
    if not places:
        raise RuntimeError("argnums must be non-empty")
    if len(set(places)) < len(places):
        raise RuntimeError(f"argnums elements must be unique, got {tuple(places)}")
    return tuple(args[p] for p in places) if isinstance(argnums, tuple) else args[argnums], places


class _Call:
    """One call of `func` with variables in the place of `argnums`: what it gave, and how."""

    def __init__(self, api, func, args, argnums, has_aux, kwargs=None):
        self.recorded = is_grad_enabled()  # what comes back obeys the no_grad around us
        self.chosen, places = _chosen(args, argnums)
        with enable_grad():
            self.variables = [_variable(x) for x in leaves(self.chosen)]
        ours = like(self.chosen, self.variables)
        ours = ours if isinstance(argnums, tuple) else (ours,)
        args = list(args)
        for place, arg in zip(places, ours, strict=True):
            args[place] = arg
        with enable_grad():  # but func does not
            out = func(*args, **(kwargs or {}))
        _finish(self.variables)
        self.aux = None
        if has_aux:
            if not isinstance(out, tuple) or len(out) != 2:
                raise RuntimeError(
                    f"{api}: output of function f should be a tuple: (output, aux) if has_aux is "
                    "True"
                )
            out, self.aux = out
        self.out, self.has_aux = out, has_aux

    def outputs(self, api):
        """The tensors that came back."""
        found = leaves(self.out)
        if not found or self.out is None:
            raise RuntimeError(
                f"{api}: Expected f to be a function that has non-empty output (got output = "
                f"{found})"
            )
        for out in found:
            if not isinstance(out, Tensor):
                raise RuntimeError(
                    f"{api}: expected f(*primals) to return only tensors, got unsupported type "
                    f"{type(out)}"
                )
            # NB: in torch jvp and jacfwd take integers, whose derivative is 0.
            if not out.dtype.is_floating_point:
                raise RuntimeError(
                    f"{api.split('(')[0]}(f, ...): All outputs of f must be floating-point or "
                    f"complex Tensors, got Tensor with dtype {out.dtype}"
                )
        return found

    def wanted(self, tensors):
        """Whether derivatives of these need a graph."""
        return self.recorded and any(map(_wanted, tensors))

    def result(self, *trees):
        """These, and aux if there is one, for the caller."""
        trees = (*trees, self.aux) if self.has_aux else trees
        out = tuple(_outside(tree, self.recorded) for tree in trees)
        return out if len(out) > 1 else out[0]


def grad_and_value(func, argnums=0, has_aux=False):
    """The function that gives (the gradient of `func`, its value), a number, in one call.

    `argnums` are the places of the arguments to differentiate by, each a tensor or a tree of
    tensors (dicts, lists, tuples), which the gradient resembles.  With `has_aux`, `func` returns
    (number, other things), and the function (gradient, (number, other things)).
    """
    api = "grad_and_value(f)(*args)"

    @wraps(func)
    def gradient(*args, **kwargs):
        call = _Call(api, func, args, argnums, has_aux, kwargs)
        out = call.out
        if not isinstance(out, Tensor):
            raise RuntimeError(f"{api}: Expected f(*args) to return a Tensor, got {type(out)}")
        if out.ndim:
            raise RuntimeError(
                f"{api}: Expected f(*args) to return a scalar Tensor, got tensor with {out.ndim} "
                "dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
            )
        slopes = derivatives([out], call.variables, [None], call.wanted([out]))
        slopes = like(call.chosen, _filled(slopes, call.variables))
        slopes, *rest = call.result(slopes, out)
        return slopes, tuple(rest) if has_aux else rest[0]

    return gradient


def grad(func, argnums=0, has_aux=False):
    """The function that gives the gradient of `func`, as in `grad_and_value`.

    With `has_aux` it gives (gradient, other things).
    """
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def gradient(*args, **kwargs):
        slopes, value = both(*args, **kwargs)
        return (slopes, value[1]) if has_aux else slopes

    return gradient


def vjp(func, *primals, has_aux=False):
    """(func(*primals), the function that gives u^T J as a tuple: one part for each of `primals`).

    u is a tree of tensors as the output is.
    """
    api = "vjp(f, *primals)"
    call = _Call(api, func, primals, tuple(range(len(primals))), has_aux)
    outputs = call.outputs(api)

    def vjp_fn(cotangents, retain_graph=True, create_graph=None):
        """u^T J; `create_graph` is the state of grad mode unless it is given."""
        if not same_structure(cotangents, call.out):
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {shown(cotangents)}, primal output: "
                f"{shown(call.out)}"
            )
        recorded = is_grad_enabled() if create_graph is None else create_graph
        us = leaves(cotangents)
        graph = recorded and any(map(_wanted, [*outputs, *us]))
        found = derivatives(outputs, call.variables, us, graph, retain_graph or graph)
        return _outside(like(call.chosen, _filled(found, call.variables)), recorded)

    if has_aux:
        value, aux = call.result(call.out)
        return value, vjp_fn, aux
    return call.result(call.out), vjp_fn


def _transposed(call, outputs):
    """(u, u^T J): as the latter is linear in u, its derivative is J."""
    us = [_variable(zeros_like(out)) for out in outputs]
    with enable_grad():
        rows = derivatives(outputs, call.variables, us, create_graph=True)
    _finish(us)
    return us, rows


def _check_jvp(primals, tangents):
    api = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{api}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    if not same_structure(primals, tangents):
        raise RuntimeError(
            f"{api}: Expected primals and tangents to have the same python structure. For example, "
            "if primals is a tuple of 3 tensors, tangents also must be. Got primals with structure "
            f"{shown(primals)} and tangents with structure {shown(tangents)}"
        )
    for name, given in (("primals", leaves(primals)), ("tangents", leaves(tangents))):
        if not given:
            raise RuntimeError(f"{api}: Expected {name} to contain at least one Tensor.")
        for x in given:
            if not isinstance(x, Tensor):
                raise RuntimeError(f"{api}: Expected {name} to only contain Tensors, got {type(x)}")
    for x, v in zip(leaves(primals), leaves(tangents), strict=True):
        if x.shape != v.shape:
            raise RuntimeError(
                "Trying to set a forward gradient that has a different size than that of the "
                "original Tensor, this is not supported. Tensor is of size "
                f"{list(x.shape)} while the given forward gradient is of size {list(v.shape)}."
            )


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """(func(*primals), J v) for v = `tangents`, a tuple of trees as `primals` are."""
    # NB: in torch jvp goes forward with func, through no_grad too; mini goes backward, twice.
    _check_jvp(primals, tangents)
    api = "jvp(f, primals, tangents)"
    call = _Call(api, func, primals, tuple(range(len(primals))), has_aux)
    outputs, vs = call.outputs(api), leaves(tangents)
    us, rows = _transposed(call, outputs)
    pairs = [(row, v) for row, v in zip(rows, vs, strict=True) if row is not None]
    found = [None] * len(us)
    if pairs:
        rows, vs = zip(*pairs, strict=True)
        found = derivatives(rows, us, vs, call.wanted([*outputs, *vs]))
    if strict and any(slope is None for slope in found):
        raise RuntimeError(
            "jvp(f, primals, tangents, strict=True): The output of f is independent of the inputs. "
            "This is not allowed with strict=True."
        )
    return call.result(call.out, like(call.out, _filled(found, outputs)))


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None):
    """The function that gives the Jacobian of `func`, of shape output + input, row by row.

    The result has the structure of the output, and in every place that of the arguments `argnums`.
    One backward pass for each element of the output.
    """
    # NB: in torch as many rows as chunk_size says are computed at once; in mini one at a time.
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @wraps(func)
    def jacobian(*args):
        call = _Call("vjp(f, *primals)", func, args, argnums, has_aux)
        outputs = call.outputs("vjp(f, *primals)")
        graph = call.wanted(outputs)
        with enable_grad():
            blocks = [block_of(i, out, call.variables, graph) for i, out in enumerate(outputs)]
        return call.result(like(call.out, [like(call.chosen, b) for b in blocks]))

    return jacobian


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """The function that gives the Jacobian of `func`, as `jacrev`, but column by column.

    One pass for each element of the input: for inputs that are smaller than the output.
    """
    check_randomness(randomness)
    if randomness == "different":
        # NB: in torch jacfwd may draw new random numbers for every column.
        raise NotImplementedError(
            "mini calls the function once for all columns: randomness may be 'error' or 'same'"
        )

    @wraps(func)
    def jacobian(*args):
        api = "jvp(f, primals, tangents)"
        with entered(Level(randomness)):
            call = _Call(api, func, args, argnums, has_aux)
        outputs = call.outputs(api)
        graph = call.wanted(outputs)
        us, rows = _transposed(call, outputs)
        rows = _filled(rows, call.variables)
        with enable_grad():
            columns = [block_of(i, row, us, graph) for i, row in enumerate(rows)]
        blocks = []
        for parts in zip(*columns, strict=True):  # of one output by each input
            turned = [
                part.permute(*range(x.ndim, part.ndim), *range(x.ndim))  # input + output
                for part, x in zip(parts, call.variables, strict=True)
            ]
            blocks.append(like(call.chosen, turned))
        return call.result(like(call.out, blocks))

    return jacobian


def hessian(func, argnums=0):
    """The function that gives the second derivatives of `func`: of output + input + input."""
    return jacfwd(jacrev(func, argnums), argnums)
