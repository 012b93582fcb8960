"""The heart of mini: a Tensor's state, Function, and the backward pass.

An operation is a class with `forward(ctx, ...)` and `backward(ctx, grad_output)`, Tensors in both,
as in `torch.autograd.Function`.  The `ctx` of an operation IS its node in the graph.  Because
`backward` is written with differentiable operations, derivatives of any order come free.

Edges point to nodes or leaves, never to intermediate tensors: an activation that nobody saved is
freed at once, and no reference cycle ever forms.
"""

import itertools
import operator
import weakref
from sys import getrefcount

from dlcourse.mini import _errors
from dlcourse.mini._dtype import Size, from_numpy_dtype, get_default_dtype
from dlcourse.mini._grad_mode import grad_mode, quietly, set_grad_enabled

import numpy as np

# Inputs exist before outputs: the order of creation IS a topological order.
_sequence_nr = itertools.count()
_age = operator.attrgetter("_sequence_nr")


class View:
    """Where a view comes from: `chain` replays it on `base`; `forbid`: why not to write to it."""

    __slots__ = ("base", "chain", "forbid", "version")

    def __init__(self, base, chain, version, forbid=None):
        self.base, self.chain, self.version, self.forbid = base, chain, version, forbid

    def replay(self, base):
        for function, args in self.chain:
            base = function.apply(base, *args)
        return base


class Tensor:
    """An n-dimensional array that remembers how it was made.

    `_data` is the NumPy array.  `_writes` is a one-element list, shared by views and `detach()`:
    it counts the writes to the memory.  `dlcourse.mini.ops` binds the operations, in one table.
    """

    __slots__ = ("__weakref__", "_data", "_grad", "_grad_fn", "_hooks", "_output_nr",
                 "_requires_grad", "_view", "_writes")  # fmt: skip
    __array_priority__ = 1000  # ndarray * Tensor asks Tensor first

    def __init__(self, data=(), requires_grad=False, *sizes):
        if type(data) is not np.ndarray:
            if isinstance(data, np.generic):
                data = np.asarray(data)
            else:
                data, requires_grad = _as_array(data, requires_grad, sizes)
        self._data = data
        self._requires_grad = False
        self._grad = self._grad_fn = self._hooks = self._view = None
        self._output_nr = 0
        self._writes = None if grad_mode.inference else [0]
        if requires_grad:
            if self._data.dtype.kind != "f":
                raise RuntimeError(_errors.NOT_FLOATING_POINT)
            self.requires_grad = True

    # -- state -------------------------------------------------------------------------------------

    @property
    def shape(self):
        return Size(self._data.shape)

    @property
    def dtype(self):
        return from_numpy_dtype(self._data.dtype)

    @property
    def requires_grad(self):
        return self._requires_grad or (
            self._view is not None and self._view.forbid is None and self._view.base.requires_grad
        )

    @requires_grad.setter
    def requires_grad(self, mode):
        if self._grad_fn is not None:
            if not mode:
                raise RuntimeError(_errors.NOT_A_LEAF)
            return
        if mode and not self.dtype.is_floating_point:
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        if mode and self._writes is None and not grad_mode.inference:
            raise RuntimeError(_errors.INFERENCE_REQUIRES_GRAD)
        self._requires_grad = bool(mode)

    @property
    def grad_fn(self):
        view = self._view
        if view is not None and view.version != self._writes[0] and view.forbid is None:
            # The memory was written to since this view was taken: take it again.
            with set_grad_enabled(True):
                fresh = view.replay(view.base)
            self._grad_fn, self._output_nr = fresh._grad_fn, fresh._output_nr
            self._requires_grad = fresh._requires_grad
            view.version = self._writes[0]
        return self._grad_fn

    def _edge(self):
        """(node or leaf, number of its output) that a gradient of this tensor goes to."""
        node = self._grad_fn if self._view is None else self.grad_fn
        return (self, 0) if node is None else (node, self._output_nr)

    @property
    def is_leaf(self):
        return self.grad_fn is None

    @property
    def grad(self):
        return self._grad

    @grad.setter
    def grad(self, value):
        if value is not None and not isinstance(value, Tensor):
            got = type(value).__name__
            raise TypeError(f"assigned grad expected to be a Tensor or None but got {got}")
        if value is not None and value._data.shape != self._data.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of "
                f"size '{list(self.shape)}'. Please ensure that the gradient and the tensor are "
                "the same size"
            )
        if value is not None and value._data.dtype != self._data.dtype:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{value.dtype}' to a tensor with "
                f"dtype '{self.dtype}'. The gradient must match the tensor's dtype"
            )
        self._grad = value

    @property
    def data(self):
        """The same memory, without history, with its own version counter: prefer `detach()`."""
        return Tensor(self._data)

    @data.setter
    def data(self, value):
        self._data = value._data

    def detach(self):
        """The same memory without history; a write through it is noticed: the version is shared."""
        out = Tensor(self._data)
        out._writes = self._writes
        return out

    def is_inference(self):
        return self._writes is None

    @property
    def output_nr(self):
        return self._output_nr

    @property
    def _version(self):
        """How often this memory was written to, under torch's name."""
        if self._writes is None:
            raise RuntimeError("Inference tensors do not track version counter.")
        return self._writes[0]

    # -- backward ----------------------------------------------------------------------------------

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Accumulate d(self)/d(leaf), times `gradient`, into the `.grad` of every leaf.

        `gradient` has the shape of self; it may be left out for one-element tensors.  `inputs`
        restricts the accumulation to the tensors named.  Source: `torch.Tensor.backward`.
        """
        if inputs is not None:
            inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
            if not inputs:
                raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        run_backward([self], [gradient], retain_graph, create_graph, inputs, accumulate=True)

    def register_hook(self, hook):
        """`hook(grad)` runs when this tensor's gradient is ready; what it returns replaces it."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        node = self.grad_fn
        if node is not None:
            return node._add_hook("_pre_hooks", (self._output_nr, hook))
        if self._hooks is None:
            self._hooks = {}
        return RemovableHandle(self._hooks, (False, hook))

    def register_post_accumulate_grad_hook(self, hook):
        """`hook(tensor)` runs after `.grad` of this leaf was written."""
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.grad_fn is not None:
            raise RuntimeError(
                "post accumulate grad hooks cannot be registered on non-leaf tensors"
            )
        if self._hooks is None:
            self._hooks = {}
        return RemovableHandle(self._hooks, (True, hook))

    def retain_grad(self):
        """Keep the gradient of this non-leaf tensor in `.grad`, too."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        node = self.grad_fn
        if node is not None:
            if node._retained is None:
                node._retained = {}
            # A weak reference, for tensor -> node -> tensor would be a cycle.
            node._retained[self._output_nr] = weakref.ref(self)

    @property
    def retains_grad(self):
        node = self._grad_fn
        return node is not None and node._retained is not None and self._output_nr in node._retained


def _as_array(data, requires_grad, sizes):
    """(array, requires_grad) of what Tensor is called with, if not an array.

    Lists become floats, as torch.Tensor's do; Tensor(2, 3) is a tensor of these sizes.
    """
    if isinstance(data, int):
        # requires_grad stands where the second size does.
        data = Size((data, *(() if requires_grad is False else (requires_grad,)), *sizes))
        requires_grad = False
    if isinstance(data, Size):
        # NB: in torch Tensor(2, 3) holds whatever the memory held; here it holds zeros.
        return np.zeros(data, get_default_dtype().numpy), requires_grad
    floats = get_default_dtype().numpy if isinstance(data, list | tuple) else None
    return np.asarray(data, floats), requires_grad


class RemovableHandle:
    """What `register_hook` returns; `remove()` takes the hook away again."""

    _ids = itertools.count()

    def __init__(self, hooks, hook):
        self.hooks, self.id = hooks, next(self._ids)
        hooks[self.id] = hook

    def remove(self):
        self.hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


# -- the graph -------------------------------------------------------------------------------------


class AccumulateGrad:
    """The end of the graph: stands for a leaf in `next_functions`, as in torch."""

    __slots__ = ("variable",)
    next_functions = ()

    def __init__(self, variable):
        self.variable = variable

    def name(self):
        return "AccumulateGrad"

    def __eq__(self, other):
        return isinstance(other, AccumulateGrad) and other.variable is self.variable

    def __hash__(self):
        return id(self.variable)

    def __repr__(self):
        return "<AccumulateGrad>"


class Function:
    """A differentiable operation; its instance is the graph's node and the `ctx` of both methods.

    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            return grad_output * 3 * x**2

    y = Cube.apply(x).  backward returns one gradient (or None) for each argument of forward.  The
    newer form, `forward(*args)` with `setup_context(ctx, inputs, output)`, works, too.
    Source: torch.autograd.Function.
    """

    _to_save = _saved = _non_differentiable = ()
    _pre_hooks = _post_hooks = _retained = None
    _materialize = True
    _watch = None  # autograd.detect_anomaly puts its observer here, for all operations
    _takes_views = False  # the output may be a view of the first argument that can be replayed
    _makes_new = False  # the outputs are new tensors: never an argument, never a view
    needs_input_grad = ()
    setup_context = None

    @staticmethod
    def forward(ctx, *args):
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def backward(ctx, *grad_outputs):
        raise NotImplementedError("You must implement the backward method of your custom Function.")

    # -- what forward may call on ctx --------------------------------------------------------------

    def save_for_backward(self, *tensors):
        for i, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type "
                    f"{type(tensor).__name__}"
                )
        self._to_save = tensors

    def mark_non_differentiable(self, *tensors):
        self._non_differentiable = tensors

    def mark_dirty(self, *tensors):
        # NB: in torch a custom Function may write to its inputs; in mini in-place methods alone do.
        raise NotImplementedError("mini does not support mark_dirty: write it out of place.")

    def set_materialize_grads(self, value):
        self._materialize = value

    # -- recording ---------------------------------------------------------------------------------

    @classmethod
    def apply(cls, *args):
        """Run forward; if gradients are on and a tensor among `args` requires one, record."""
        ctx = cls()
        enabled = grad_mode.enabled
        if not enabled and grad_mode.quiet and cls._makes_new and not cls._takes_views:
            return cls.forward(ctx, *args)  # inside a backward pass: nothing to note or record
        ctx.needs_input_grad = needs = _requiring_grad(args)
        grad_mode.enabled = False
        try:
            out = cls._forward(ctx, args) if grad_mode.quiet else quietly(cls._forward, ctx, args)
        finally:
            grad_mode.enabled = enabled
        if cls._takes_views:
            ctx._note_view(out, args, enabled)
        elif not cls._makes_new:
            out = ctx._owned(out, args)
        return ctx._record(args, out) if enabled and True in needs else out

    @classmethod
    def _forward(cls, ctx, args):
        if cls.setup_context is None:
            return cls.forward(ctx, *args)
        out = cls.forward(*args)
        cls.setup_context(ctx, args, out)
        return out

    def _note_view(self, out, args, enabled):
        x = args[0]
        if out._writes is not x._writes or out._writes is None:
            return  # a copy (reshape of a transposed tensor, say), or inference mode
        link = ((type(self), args[1:]),)
        if x._view is None:
            base, chain, forbid = x, link, None
        else:
            _ = x.grad_fn  # bring a stale view up to date first
            base, chain, forbid = x._view.base, x._view.chain + link, x._view.forbid
        if not enabled:
            forbid = forbid or _errors.NO_GRAD_VIEW
        out._view = View(base, chain, out._writes[0], forbid)

    def _owned(self, out, args):
        if type(out) is tuple:
            return tuple([self._own(o, args, nr) for nr, o in enumerate(out)])
        return self._own(out, args, 0)

    def _own(self, out, args, nr):
        """An input returned as it is, or a view made in forward, becomes a Tensor of its own."""
        if not isinstance(out, Tensor):
            # NB: in torch anything else is handed on unrecorded: its gradient is lost in silence.
            raise TypeError(
                f"the forward of {type(self).__name__} must return a Tensor or a tuple of Tensors, "
                f"but got {type(out).__name__}"
            )
        if out._view is None:
            for a in args:
                if out is a:
                    break
            else:
                return out
        alias = out.detach()
        if alias._writes is not None:
            forbid = _errors.CUSTOM_VIEW.format(nr, self._operation())
            alias._view = View(out, (), alias._writes[0], forbid)
        return alias

    def _record(self, args, out):
        self._edges = [
            a._edge() if needed else (None, 0) if isinstance(a, Tensor) else None
            for a, needed in zip(args, self.needs_input_grad)  # noqa: B905  strict is slow
        ]
        self._sequence_nr = next(_sequence_nr)  # after the edges: a stale view makes nodes, too
        outputs = out if type(out) is tuple else (out,)
        if self._to_save:
            self._saved = [self._pack(t, outputs) for t in self._to_save]
            self._to_save = ()
        # What the gradients of the outputs have to fit.
        self._metas = [(tensor._data.shape, tensor._data.dtype) for tensor in outputs]
        constants = self._non_differentiable and [id(t) for t in self._non_differentiable]
        for nr, tensor in enumerate(outputs):
            if tensor._data.dtype.kind == "f" and id(tensor) not in constants:
                tensor._requires_grad, tensor._grad_fn, tensor._output_nr = True, self, nr
        self._non_differentiable = ()
        if Function._watch is not None:
            Function._watch.note(self)
        return out

    @staticmethod
    def _pack(tensor, outputs):
        """(tensor, array, versions, version now, output number); an output drops its Tensor."""
        if tensor is None:
            return None
        writes = tensor._writes
        if writes is None:
            raise RuntimeError(_errors.INFERENCE_SAVED)
        for nr, out in enumerate(outputs):
            if tensor is out:
                return None, tensor._data, writes, writes[0], nr
        return tensor, tensor._data, writes, writes[0], None

    @property
    def saved_tensors(self):
        if self._saved is None:
            raise RuntimeError(_errors.FREED)
        if self._to_save:
            return self._to_save  # asked for before the node is recorded
        return tuple([self._unpack(s) for s in self._saved])

    def _unpack(self, saved):
        if saved is None:
            return None
        tensor, array, version, when_saved, nr = saved
        if version[0] == when_saved and tensor is not None:
            return tensor
        if version[0] != when_saved:
            node = self if tensor is None else tensor._grad_fn
            which = "" if node is None else f", which is output {nr or 0} of {node._operation()},"
            kind = f"mini.{from_numpy_dtype(array.dtype).scalar_type}Tensor {list(array.shape)}"
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an "
                f"inplace operation: [{kind}]{which} is at version {version[0]}; expected version "
                f"{when_saved} instead."
            )
        out = Tensor(array)
        out._writes, out._requires_grad, out._grad_fn, out._output_nr = version, True, self, nr
        return out

    # -- the node ----------------------------------------------------------------------------------

    def name(self):
        return f"{type(self).__name__}Backward"

    def _operation(self):
        return self.name().split("Backward")[0]

    @property
    def next_functions(self):
        edges = [e for e in self._edges if e is not None]
        return tuple([(AccumulateGrad(n) if isinstance(n, Tensor) else n, nr) for n, nr in edges])

    def _add_hook(self, kind, hook):
        if getattr(self, kind) is None:
            setattr(self, kind, {})
        return RemovableHandle(getattr(self, kind), hook)

    def register_prehook(self, hook):
        """`hook(grad_outputs)` runs before backward; a tuple that it returns replaces them."""
        return self._add_hook("_pre_hooks", (None, hook))

    def register_hook(self, hook):
        """`hook(grad_inputs, grad_outputs)` runs after backward; it may return new grad_inputs."""
        return self._add_hook("_post_hooks", hook)

    def __repr__(self):
        return f"<{self.name()}>"

    def _ready(self, grads):
        """The gradients of all outputs are complete: run the hooks that see or replace them."""
        grads += [None] * (len(self._metas) - len(grads))
        if self._pre_hooks is not None:
            for nr, hook in tuple(self._pre_hooks.values()):
                if nr is None:
                    grads = list(hook(tuple(grads)) or grads)
                elif grads[nr] is not None:
                    grads[nr] = _run_hook(hook, grads[nr])
        if self._retained is not None:  # after all other hooks, whenever it was asked for
            for nr, ref in self._retained.items():
                tensor, grad = ref(), grads[nr]
                if tensor is not None and grad is not None:
                    old = tensor._grad
                    tensor._grad = grad.clone() if old is None else old + grad
        return grads

    def _run(self, grads):
        """Gradients of the outputs in, gradients of the arguments out."""
        if self._materialize and len(grads) > 1:
            grads = [
                Tensor(np.zeros(*meta)) if g is None else g
                for g, meta in zip(grads, self._metas, strict=True)
            ]
        grad_inputs = self.backward(self, *grads)
        if type(grad_inputs) is not tuple:
            grad_inputs = (grad_inputs,)
        if len(grad_inputs) != len(self._edges):
            extra = grad_inputs[len(self._edges) :]
            if len(grad_inputs) < len(self._edges) or any(g is not None for g in extra):
                raise RuntimeError(
                    f"function {self.name()} returned an incorrect number of gradients "
                    f"(expected {len(self._edges)}, got {len(grad_inputs)})"
                )
        if self._post_hooks is not None:
            for hook in tuple(self._post_hooks.values()):
                grad_inputs = hook(grad_inputs, tuple(grads)) or grad_inputs
        if Function._watch is not None:
            Function._watch.check(self, grad_inputs)
        return grad_inputs

    def _fit(self, index, grad):
        """Bring a gradient to its input's shape (undo broadcasting) and dtype: here for all ops."""
        if not isinstance(grad, Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(grad).__name__})")
        child, nr = self._edges[index]
        leaf = isinstance(child, Tensor)
        shape, dtype = (child._data.shape, child._data.dtype) if leaf else child._metas[nr]
        if grad._data.shape != shape:
            try:
                grad = grad.sum_to_size(shape)
            except RuntimeError:
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {index} - got "
                    f"{list(grad.shape)} but expected shape compatible with {list(shape)}"
                ) from None
        return grad if grad._data.dtype == dtype else grad.to(from_numpy_dtype(dtype))


def _requiring_grad(args):
    """For each argument: is it a tensor that requires grad?  A view asks its base."""
    return tuple(
        [
            isinstance(a, Tensor)
            and (a._requires_grad or (a._view is not None and a.requires_grad))
            for a in args
        ]
    )


def _run_hook(hook, grad):
    """What the hook makes of the gradient: its like, or the gradient itself for None."""
    new = hook(grad)
    if new is None:
        return grad
    if not isinstance(new, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(new).__name__}'")
    name = getattr(hook, "__name__", type(hook).__name__)
    if new._data.shape != grad._data.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value")
    if new._data.dtype != grad._data.dtype:
        raise RuntimeError(
            f"hook '{name}' has changed the type of value (was {grad.dtype} got {new.dtype})"
        )
    return new


# -- the backward pass -----------------------------------------------------------------------------


def run_backward(roots, gradients, retain_graph, create_graph, inputs, accumulate):
    """The one entry of `backward` and `grad`: check, sweep, then accumulate or return."""
    retain_graph = create_graph if retain_graph is None else retain_graph
    grads = {}
    for i, (root, gradient) in enumerate(zip(roots, gradients, strict=True)):
        if not root.requires_grad:
            raise RuntimeError(_errors.NO_GRAD_FN.format(i))
        if gradient is None:
            if root._data.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs")
            gradient = Tensor(np.ones_like(root._data))
        elif gradient._data.shape != root._data.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {gradient.shape} and "
                f"output[{i}] has a shape of {root.shape}."
            )
        _push(grads, *root._edge(), gradient)
    targets = None
    if inputs is not None:
        for tensor in inputs:
            if not tensor.requires_grad:
                raise RuntimeError("One of the differentiated Tensors does not require grad")
        targets = {t._edge(): t for t in inputs}
    with set_grad_enabled(create_graph):
        found = quietly(backward_pass, grads, retain_graph, targets)
        if not accumulate:
            return [found.get(t._edge()) for t in inputs]
        for key in list(found):
            grad, holders = _take(found, key)
            leaf = key[0] if targets is None else targets[key]
            _accumulate(leaf, grad, holders, create_graph)


def backward_pass(grads, retain_graph, targets):
    """Push `grads` {node: [gradient of each output]} down the graph, youngest first.

    Every consumer of a node is younger than it: when its turn comes, its gradient is
    complete.  Returns {(leaf, 0): gradient}; with `targets`, of those alone,
    {(node or leaf, output_nr): gradient}.
    """
    nodes = _reachable(grads)
    needed = None if targets is None else _needed(nodes, targets)
    found = {}
    # A root may be a leaf itself.
    for leaf in [key for key in grads if isinstance(key, Tensor)]:
        _push(found, leaf, 0, grads.pop(leaf)[0])
    while nodes:
        node = nodes.pop()  # the youngest; popped, so that it is let go at once
        gradients = grads.pop(node, None)
        if gradients is None:
            continue
        if targets is not None:  # wanted is the gradient before any hook, as in torch
            for nr, grad in enumerate(gradients):
                if grad is not None and (node, nr) in targets:
                    _push(found, node, nr, grad)
        gradients = node._ready(gradients)
        if needed is not None and node not in needed:
            continue
        edges = node._edges
        for index, grad in enumerate(node._run(gradients)[: len(edges)]):
            edge = edges[index]
            if grad is None or edge is None or edge[0] is None:
                continue
            child, nr = edge
            if isinstance(child, Tensor):
                if targets is None or edge in targets:
                    _push(found, child, 0, node._fit(index, grad))
            elif needed is None or child in needed or edge in targets:
                _push(grads, child, nr, node._fit(index, grad))
        if not retain_graph and node._saved:
            node._saved = None
    return {
        (key, nr): _leaf_hooks(key, grad) if isinstance(key, Tensor) else grad
        for key, slots in found.items()
        for nr, grad in enumerate(slots)
        if grad is not None
    }


def _push(grads, key, nr, grad):
    """Add `grad` to slot `nr` of `key`, out of place: others may hold the very same tensor."""
    slots = grads.get(key)
    if slots is None:
        grads[key] = [None] * nr + [grad]
    elif nr >= len(slots):
        slots += [None] * (nr - len(slots)) + [grad]
    else:
        slots[nr] = grad if slots[nr] is None else slots[nr] + grad


def _reachable(roots):
    """All nodes below the roots, oldest first; without recursion, so depth has no limit."""
    stack = [root for root in roots if not isinstance(root, Tensor)]
    seen = set(stack)
    while stack:
        for edge in stack.pop()._edges:
            if edge is not None and isinstance(edge[0], Function) and edge[0] not in seen:
                seen.add(edge[0])
                stack.append(edge[0])
    return sorted(seen, key=_age)


def _needed(nodes, targets):
    """Nodes that have a target below them: the others need not run."""
    needed = set()
    for node in nodes:  # oldest first: children before parents
        if any(e is not None and (e in targets or e[0] in needed) for e in node._edges):
            needed.add(node)
    return needed


def _leaf_hooks(leaf, grad):
    for is_post, hook in tuple((leaf._hooks or {}).values()):
        if not is_post:
            grad = _run_hook(hook, grad)
    return grad


def _take(found, key):
    """Out of `found`: a gradient, and how many hold it, its array and what these are views of."""
    grad = found.pop(key)
    array, owner, view = grad._data, grad._data.base, grad._view
    return grad, (
        getrefcount(grad),
        getrefcount(array),
        owner is not None and getrefcount(owner),
        view is not None and getrefcount(view.base),
    )


def _view_of_new():
    base = Tensor(np.zeros((1, 2)))
    out = Tensor(base._data.T)
    out._view = View(base, (), 0)
    return out


# How many hold a gradient that nobody else holds.  The numbers differ from Python to Python.
_UNSHARED = {
    _take({0: Tensor(np.zeros(1))}, 0)[1],
    _take({0: Tensor(np.zeros((1, 2)).T)}, 0)[1],
    _take({0: _view_of_new()}, 0)[1],
}


def _is_whole(array):
    """Is this all that lies in its memory, in C's order and writeable?"""
    owner = array if array.base is None else array.base
    own = isinstance(owner, np.ndarray) and owner.flags.owndata and owner.nbytes == array.nbytes
    return own and array.flags.carray


def _accumulate(leaf, grad, holders, create_graph):
    """The one place that writes `.grad`: writeable memory of its own, never another's gradient."""
    if leaf._grad is None:
        if grad._grad_fn is None:
            ours = holders in _UNSHARED and _is_whole(grad._data)
            grad = Tensor(grad._data if ours else grad._data.copy())
        leaf._grad = grad
    elif create_graph:
        leaf._grad = leaf._grad + grad
    else:
        leaf._grad._data += grad._data
        leaf._grad._writes[0] += 1
    for is_post, hook in tuple((leaf._hooks or {}).values()):
        if is_post:
            hook(leaf)
