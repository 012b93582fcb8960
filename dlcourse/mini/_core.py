"""The heart of mini: a Tensor's state, Function, and the backward pass.

An operation is a class with `forward(ctx, ...)` and `backward(ctx, grad_output)`, Tensors in both,
as in `torch.autograd.Function`.  The `ctx` of an operation IS its node in the graph.  Because
`backward` is written with differentiable operations, derivatives of any order come free.

Edges point to nodes or leaves, never to intermediate tensors: an activation that nobody saved is
freed at once, and no reference cycle ever forms.
"""

import functools
import itertools
import operator
import weakref
from collections.abc import Sequence
from sys import getrefcount
from typing import NamedTuple

from dlcourse.mini import _errors
from dlcourse.mini._device import require_cpu
from dlcourse.mini._dtype import Size, from_numpy_dtype, get_default_dtype
from dlcourse.mini._grad_mode import here, quietly, set_grad_enabled

import numpy as np

# Inputs exist before outputs: the order of creation IS a topological order.
_sequence_nr = itertools.count()
_age = operator.attrgetter("_sequence_nr")


@functools.lru_cache
def _shared(made):
    """One tuple in place of all its equals, for the garbage collector walks over a deep graph."""
    return made


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

    # In __dict__ stands what users set: `weight.no_decay = True`.
    __slots__ = ("__dict__", "__weakref__", "_data", "_grad", "_grad_fn", "_hooks", "_output_nr",
                 "_requires_grad", "_view", "_writes")  # fmt: skip
    __array_priority__ = 1000  # ndarray * Tensor asks Tensor first

    def __init__(self, *data, device=None):
        """`Tensor([1, 2])` of data, `Tensor(2, 3)` by sizes; in the default type, as torch's."""
        require_cpu(device)
        if len(data) == 1 and isinstance(data[0], Tensor):  # a view of it
            same = data[0].view(data[0].shape)
            for name in Tensor.__slots__[2:]:
                setattr(self, name, getattr(same, name))
        else:
            self._hold(_as_array(*data))

    def _hold(self, array, requires_grad=False):
        """Begin, without a history, with this array as the memory."""
        # A number of NumPy's becomes an array without dimensions.
        self._data = array if type(array) is np.ndarray else np.asarray(array)
        self._requires_grad = False
        self._grad = self._grad_fn = self._hooks = self._view = None
        self._output_nr = 0
        self._writes = None if here.mode.inference else [0]
        if requires_grad:
            if self._data.dtype.kind != "f":
                raise RuntimeError(_errors.NOT_FLOATING_POINT)
            self.requires_grad = True

    # -- state -------------------------------------------------------------------------------------

    @property
    def shape(self):
        """The sizes of the dimensions, as a Size."""
        return Size(self._data.shape)

    @property
    def dtype(self):
        """The type of the elements."""
        return from_numpy_dtype(self._data.dtype)

    @property
    def requires_grad(self):
        """Whether operations on it are recorded, so that it may have a gradient."""
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
        if mode and self._writes is None and not here.mode.inference:
            raise RuntimeError(_errors.INFERENCE_REQUIRES_GRAD)
        self._requires_grad = bool(mode)

    @property
    def grad_fn(self):
        """The node of the graph that made it; None for a leaf."""
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
        """Whether no recorded operation made it."""
        return self.grad_fn is None

    @property
    def grad(self):
        """The gradient that `backward` has accumulated, or None."""
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
        return wrap(self._data)

    @data.setter
    def data(self, value):
        self._data = value._data

    def detach(self):
        """The same memory without history; a write through it is noticed: the version is shared."""
        out = wrap(self._data)
        out._writes = self._writes
        return out

    def is_inference(self):
        """Whether it was made in `inference_mode`."""
        return self._writes is None

    @property
    def output_nr(self):
        """Which of the outputs of `grad_fn` it is."""
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
            return RemovableHandle(node._hooked().pre, (self._output_nr, hook))
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
            # A weak reference, for tensor -> node -> tensor would be a cycle.
            node._hooked().retained[self._output_nr] = weakref.ref(self)

    @property
    def retains_grad(self):
        """Whether `retain_grad` was called on it, which is no leaf."""
        hooks = getattr(self._grad_fn, "_hooks", None)
        return hooks is not None and self._output_nr in hooks.retained


def _as_array(*data):
    """The array of what Tensor is called with: sizes, or data, which becomes floats."""
    floats = get_default_dtype().numpy
    sizes = data[0] if data and isinstance(data[0], Size) else data
    if data and all(isinstance(n, int | np.integer) and type(n) is not bool for n in sizes):
        # NB: in torch Tensor(2, 3) holds whatever the memory held; here it holds zeros.
        return np.zeros(sizes, floats)
    if len(data) > 1:
        raise TypeError(f"new() takes data or sizes, but got {len(data)} arguments")
    data = data[0] if data else ()
    if not isinstance(data, Sequence | np.ndarray) or isinstance(data, str):
        raise TypeError(f"new(): data must be a sequence (got {type(data).__name__})")
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":  # None would be NaN
        for value in array.astype(object).flat:
            if not isinstance(value, int | float | np.number):
                raise TypeError(f"must be real number, not {type(value).__name__}")
    return quietly(np.asarray, array, floats)


def wrap(array, requires_grad=False):
    """A new tensor with this array, of whatever type, as its memory."""
    out = _new(Tensor)
    out._hold(array, requires_grad)
    return out


_new = object.__new__


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


class Hooks(NamedTuple):
    """What a node calls before its backward and after it; whose gradient it keeps."""

    pre: dict
    post: dict
    retained: dict


class Arrays:
    """The ctx of a backward that takes arrays: see `Function._of_arrays`."""

    __slots__ = ("node", "saved_tensors")

    def __init__(self, node, saved_tensors):
        self.node, self.saved_tensors = node, saved_tensors

    @property
    def needs_input_grad(self):
        return self.node.needs_input_grad


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

    `y = Cube.apply(x)` calls it.  `backward` returns one gradient (or None) for each argument of
    `forward`.  The newer form, `forward(*args)` with `setup_context(ctx, inputs, output)`, works,
    too.
    Source: `torch.autograd.Function`.
    """

    _saved = _non_differentiable = ()
    _versions = None  # of what is saved; until the node is recorded
    _hooks = None  # or Hooks
    _materialize = True
    _watch = None  # autograd.detect_anomaly puts its observer here, for all operations
    _takes_views = False  # the output may be a view of the first argument that can be replayed
    _makes_new = False  # the outputs are new tensors: never an argument, never a view
    _of_arrays = False  # backward is arithmetic alone: right for arrays as it is for Tensors
    _asks_for = None  # given needs_input_grad: which of the saved tensors backward will ask for
    _number_nr = None  # the slot of an argument that is no tensor; 0 in an operation of two numbers
    _children = _slots = ()  # for each argument: node or leaf, or None; which of its outputs
    _metas = ()  # shape and type of each output: what the gradients have to fit
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
        """Keep tensors for `backward`, which finds them, in this order, in `saved_tensors`."""
        for i, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type "
                    f"{type(tensor).__name__}"
                )
        self._saved = tensors

    @property
    def needs_input_grad(self):
        """For each argument of forward: whether backward must give its gradient."""
        return tuple([child is not None for child in self._children])

    def mark_non_differentiable(self, *tensors):
        """Say that these outputs have no gradient, whatever the inputs require."""
        self._non_differentiable = tensors

    def mark_dirty(self, *tensors):
        # NB: in torch a custom Function may write to its inputs; in mini in-place methods alone do.
        raise NotImplementedError("mini does not support mark_dirty: write it out of place.")

    def set_materialize_grads(self, value):
        """With False, `backward` gets None for an output that nobody used, and not zeros."""
        self._materialize = value

    # -- recording ---------------------------------------------------------------------------------

    @classmethod
    def apply(cls, *args):
        """Run forward; if gradients are on and a tensor among `args` requires one, record."""
        ctx, mode = cls(), here.mode
        enabled, quiet = mode.enabled, mode.quiet
        if not enabled and cls._makes_new and not cls._takes_views:
            return quietly(cls.forward, ctx, *args)  # nothing to note or record
        children, slots, needed = [], [], False
        for a in args:
            child, nr = None, cls._number_nr
            if isinstance(a, Tensor):
                if a._view is not None:  # it asks its base, and may be taken again
                    child = (a.grad_fn or a) if a.requires_grad else None
                elif a._requires_grad:
                    child = a._grad_fn or a
                nr = a._output_nr
                needed = needed or child is not None
            children.append(child)
            slots.append(nr)
        # Tuples, and few of them: see `_shared`.
        ctx._children, ctx._slots = tuple(children), _shared(tuple(slots))
        forward = cls._forward if cls.setup_context else cls.forward
        mode.enabled, mode.quiet = False, True
        try:
            out = forward(ctx, *args) if quiet else mode.context.run(forward, ctx, *args)
        finally:
            mode.enabled, mode.quiet = enabled, quiet
        if cls._takes_views:
            ctx._note_view(out, args, enabled)
        elif not cls._makes_new:
            out = ctx._owned(out, args)
        return ctx._record(out) if enabled and needed else out

    @classmethod
    def _forward(cls, ctx, *args):
        """In the newer form: forward, which does not see `ctx`, then what it leaves there."""
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
            # NB: in torch an output that is no tensor is handed on; its gradient gets lost.
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

    def _record(self, out):
        self._sequence_nr = next(_sequence_nr)
        constants = self._non_differentiable and [id(t) for t in self._non_differentiable]
        if type(out) is tuple:
            metas = tuple([self._own_output(t, nr, constants) for nr, t in enumerate(out)])
        else:
            metas = (self._own_output(out, 0, constants),)
        self._metas = _shared(metas)
        if constants:
            self._non_differentiable = ()
        if self._saved:
            self._note_versions()
        if Function._watch is not None:
            Function._watch.note(self)
        return out

    def _own_output(self, tensor, nr, constants):
        """Make `tensor` output `nr` of this node, unless it is a constant; its shape and type."""
        array = tensor._data
        dtype = array.dtype
        if dtype.kind == "f" and id(tensor) not in constants:
            tensor._requires_grad, tensor._grad_fn, tensor._output_nr = True, self, nr
        return array.shape, dtype

    def _note_versions(self):
        """Note how often the memory of each saved tensor was written to.

        What backward will not ask for is not kept.  Of an output its parts are kept, for node,
        output, node would be a cycle.
        """
        needed = self.needs_input_grad if self._asks_for else ()
        if False in needed:
            asked = self._asks_for(*needed)
            self._saved = tuple([t if a else None for t, a in zip(self._saved, asked)])  # noqa: B905
        versions = []
        for i, tensor in enumerate(self._saved):
            if tensor is None:
                versions.append(None)
                continue
            writes = tensor._writes
            if writes is None:
                raise RuntimeError(_errors.INFERENCE_SAVED)
            versions.append(writes[0])
            if tensor._grad_fn is self:
                parts = tensor._data, writes, tensor._output_nr
                self._saved = (*self._saved[:i], parts, *self._saved[i + 1 :])
        self._versions = _shared(tuple(versions))

    @property
    def saved_tensors(self):
        """What forward has saved; an error if it was freed, or written to since."""
        if self._saved is None:
            raise RuntimeError(_errors.FREED)
        if self._versions is None:
            return self._saved  # asked for before the node is recorded
        tensors = []
        for tensor, version in zip(self._saved, self._versions):  # noqa: B905
            if type(tensor) is tuple:
                tensor = self._output_of(*tensor)
            if tensor is not None and tensor._writes[0] != version:
                raise RuntimeError(_modified(tensor, version))
            tensors.append(tensor)
        return tuple(tensors)

    def _output_of(self, array, writes, nr):
        out = wrap(array)
        out._writes, out._requires_grad, out._grad_fn, out._output_nr = writes, True, self, nr
        return out

    # -- the node ----------------------------------------------------------------------------------

    def name(self):
        return f"{type(self).__name__}Backward"

    def _operation(self):
        return self.name().split("Backward")[0]

    @property
    def next_functions(self):
        edges = zip(self._children, self._slots, strict=True)
        return tuple(
            [
                (AccumulateGrad(child) if isinstance(child, Tensor) else child, nr)
                for child, nr in edges
                if nr is not None
            ]
        )

    def _hooked(self):
        if self._hooks is None:
            self._hooks = Hooks({}, {}, {})
        return self._hooks

    def register_prehook(self, hook):
        """`hook(grad_outputs)` runs before backward; a tuple that it returns replaces them."""
        return RemovableHandle(self._hooked().pre, (None, hook))

    def register_hook(self, hook):
        """`hook(grad_inputs, grad_outputs)` runs after backward; it may return new grad_inputs."""
        return RemovableHandle(self._hooked().post, hook)

    def __repr__(self):
        return f"<{self.name()}>"

    def _ready(self, grads):
        """The gradients of all outputs are complete: run the hooks that see or replace them."""
        if len(grads) < len(self._metas):
            grads += [None] * (len(self._metas) - len(grads))
        if self._hooks is None:
            return grads
        grads = [_as_tensor(grad) for grad in grads]
        for nr, hook in tuple(self._hooks.pre.values()):
            if nr is None:
                grads = list(hook(tuple(grads)) or grads)
            elif grads[nr] is not None:
                grads[nr] = _run_hook(hook, grads[nr])
        for nr, ref in self._hooks.retained.items():  # after the others, whenever it was asked for
            tensor, grad = ref(), grads[nr]
            if tensor is not None and grad is not None:
                old = tensor._grad
                tensor._grad = grad.clone() if old is None else old + grad
        return _carried(grads)

    def _run(self, grads):
        """Gradients of the outputs in, gradients of the arguments out."""
        recording = here.mode.enabled
        if len(grads) > 1 and self._materialize:
            for nr, grad in enumerate(grads):
                if grad is None:
                    zeros = np.zeros(*self._metas[nr])
                    grads[nr] = wrap(zeros) if recording else zeros
        ctx = self._as_arrays(grads) if self._of_arrays and not recording else None
        if ctx is not None:
            grad_inputs = self.backward(ctx, *grads)
        else:
            grad_inputs = self.backward(self, *[_as_tensor(grad) for grad in grads])
        if type(grad_inputs) is not tuple:
            grad_inputs = (grad_inputs,)
        expected = len(self._children)
        if len(grad_inputs) != expected:
            if len(grad_inputs) < expected or any(g is not None for g in grad_inputs[expected:]):
                raise RuntimeError(
                    f"function {self.name()} returned an incorrect number of gradients "
                    f"(expected {expected}, got {len(grad_inputs)})"
                )
            grad_inputs = grad_inputs[:expected]
        if self._hooks is not None:
            grad_inputs = tuple([_as_tensor(grad) for grad in grad_inputs])
            grad_outputs = tuple([_as_tensor(grad) for grad in grads])
            for hook in tuple(self._hooks.post.values()):
                grad_inputs = _run_post_hook(hook, grad_inputs, grad_outputs)
        if Function._watch is not None:
            Function._watch.check(self, [_as_tensor(grad) for grad in grad_inputs])
        return grad_inputs if ctx is not None and self._hooks is None else _carried(grad_inputs)

    def _as_arrays(self, grads):
        """A ctx whose saved tensors are arrays; None if one is not of the type of the gradient."""
        if self._saved == ():
            return Arrays(self, ())
        dtype, arrays = grads[0].dtype, []
        for tensor in self.saved_tensors:
            if tensor is None:
                arrays.append(None)
                continue
            array = tensor._data
            if array.dtype is not dtype:
                return None
            arrays.append(array[()])  # NumPy is quicker with a scalar than with a 0-d array
        return Arrays(self, arrays)

    def _fit(self, index, grad):
        """Bring a gradient to its input's shape (undo broadcasting) and dtype: here for all ops."""
        child = self._children[index]
        leaf = isinstance(child, Tensor)
        meta = (child._data.shape, child._data.dtype) if leaf else child._metas[self._slots[index]]
        if (grad.shape, grad.dtype) == meta:
            return grad
        (shape, dtype), array = meta, grad._data if here.mode.enabled else grad
        fitted = _as_tensor(grad)
        if array.shape != shape:
            try:
                fitted = fitted.sum_to_size(shape)
            except RuntimeError:
                raise RuntimeError(
                    f"Function {self.name()} returned an invalid gradient at index {index} - got "
                    f"{list(array.shape)} but expected shape compatible with {list(shape)}"
                ) from None
        return _carried([fitted.to(from_numpy_dtype(dtype))])[0]


def _as_tensor(grad):
    """A gradient for those who want a Tensor; None stays None."""
    return wrap(grad) if isinstance(grad, np.ndarray | np.generic) else grad


def _carried(grads):
    """Gradients as the sweep carries them: Tensors if their graph is wanted, else arrays."""
    recording, carried = here.mode.enabled, []
    for grad in grads:
        if grad is not None and not isinstance(grad, Tensor):
            raise RuntimeError(f"expected Variable or None (got {type(grad).__name__})")
        carried.append(grad if recording or grad is None else grad._data)
    return carried


def _modified(tensor, version):
    """What to say of a saved tensor that was written to since."""
    node = tensor._grad_fn
    which = "" if node is None else f", which is output {tensor._output_nr} of {node._operation()},"
    kind = f"mini.{tensor.dtype.scalar_type}Tensor {list(tensor.shape)}"
    return (
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: [{kind}]{which} is at version {tensor._writes[0]}; expected version "
        f"{version} instead."
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


def _run_post_hook(hook, grad_inputs, grad_outputs):
    """What the hook makes of the gradients of a node: as many, or these themselves for None."""
    new = hook(grad_inputs, grad_outputs)
    if new is None:
        return grad_inputs
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(grad_inputs):
        name = getattr(hook, "__name__", type(hook).__name__)
        raise RuntimeError(
            f"hook '{name}' has returned an incorrect number of values (got {len(new)}, but "
            f"expected {len(grad_inputs)})"
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
            gradient = wrap(np.ones_like(root._data))
        elif gradient._data.shape != root._data.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {gradient.shape} and "
                f"output[{i}] has a shape of {root.shape}."
            )
        _push(grads, *root._edge(), gradient if create_graph else gradient._data)
    targets = None
    if inputs is not None:
        for tensor in inputs:
            if not tensor.requires_grad:
                raise RuntimeError("One of the differentiated Tensors does not require grad")
        targets = {t._edge(): t for t in inputs}
    with set_grad_enabled(create_graph):
        found = quietly(backward_pass, grads, retain_graph, targets)
        del grads
        if not accumulate:
            if not create_graph:
                found = {key: _take(found, key) for key in list(found)}
            return [found.get(t._edge()) for t in inputs]
        for key in list(found):
            leaf = key[0] if targets is None else targets[key]
            quietly(_accumulate, leaf, found, key)


def backward_pass(grads, retain_graph, targets):
    """Push `grads` {node: [gradient of each output]} down the graph, youngest first.

    Every consumer of a node is younger than it: when its turn comes, its gradient is
    complete.  Returns {(leaf, 0): gradient}; with `targets`, of those alone,
    {(node or leaf, output_nr): gradient}.  Gradients are Tensors where their graph is
    wanted (create_graph), else arrays.
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
        for index, grad in enumerate(node._run(gradients)):
            child, nr = node._children[index], node._slots[index]
            if grad is None or child is None:
                continue
            if isinstance(child, Tensor):
                if targets is None or (child, 0) in targets:
                    _push(found, child, 0, node._fit(index, grad))
            elif needed is None or child in needed or (child, nr) in targets:
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
    reached = [root for root in roots if not isinstance(root, Tensor)]
    seen = set(reached)
    for node in reached:  # which grows on the way
        for child in node._children:
            if child not in seen and isinstance(child, Function):
                seen.add(child)
                reached.append(child)
    return sorted(reached, key=_age)


def _needed(nodes, targets):
    """Nodes that have a target below them: the others need not run."""
    needed = set()
    for node in nodes:  # oldest first: children before parents
        edges = zip(node._children, node._slots, strict=True)
        if any(edge in targets or edge[0] in needed for edge in edges):
            needed.add(node)
    return needed


def _leaf_hooks(leaf, grad):
    for is_post, hook in tuple((leaf._hooks or {}).values()):
        if not is_post:
            (grad,) = _carried([_run_hook(hook, _as_tensor(grad))])
    return grad


def _take(found, key):
    """A gradient out of `found` as a Tensor; its memory is writeable and nobody else's."""
    grad = found.pop(key)
    if isinstance(grad, Tensor):  # with a graph of its own, or a constant of one
        return grad if grad._grad_fn is not None else wrap(grad._data.copy())
    ours = _holders(grad) in _UNSHARED and _is_whole(grad)
    return wrap(grad if ours else grad.copy())


def _holders(array):
    """How many hold an array, and the one that it is a view of."""
    return getrefcount(array), array.base is not None and getrefcount(array.base)


def _holders_of(make):
    array = make()
    return _holders(array)


# How many hold a gradient that nobody else holds.  The numbers differ from Python to Python.
_UNSHARED = {_holders_of(lambda: np.zeros(1)), _holders_of(lambda: np.zeros((1, 2)).T)}


def _is_whole(array):
    """Is this all that lies in its memory, in C's order and writeable?"""
    owner = array if array.base is None else array.base
    own = isinstance(owner, np.ndarray) and owner.flags.owndata and owner.nbytes == array.nbytes
    return own and array.flags.carray


def _accumulate(leaf, found, key):
    """The one place that writes `.grad`: writeable memory of its own, never another's gradient."""
    if leaf._grad is None:
        leaf._grad = _take(found, key)
    elif here.mode.enabled:
        leaf._grad = leaf._grad + found.pop(key)
    else:
        leaf._grad._data += found.pop(key)
        leaf._grad._writes[0] += 1
    for is_post, hook in tuple((leaf._hooks or {}).values()):
        if is_post:
            hook(leaf)
