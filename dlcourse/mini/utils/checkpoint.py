"""Trade arithmetic for memory: activations are not kept, but computed again for backward.

    y = checkpoint(block, x)        # the same value and the same gradients as block(x)

A part of a model between two checkpoints keeps its inputs alone; backward runs its forward once
more.  With a checkpoint at every sqrt(n)-th of n layers, memory falls from n to 2 sqrt(n) layers,
for one more forward pass.

How it is done: `function` runs as ever, and its graph is taken down at once, all but the edges that
lead out of it, to arguments or to whatever else `function` used: parameters of a module, say.  One
node takes the graph's place.  Its backward builds the graph anew and sweeps it down to these edges.

Source: Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost, arXiv 1604.06174.
"""

import contextlib
from collections.abc import Callable

from dlcourse.mini._core import (
    Function,
    Tensor,
    View,
    _age,
    _as_tensor,
    _carried,
    _push,
    _sequence_nr,
)
from dlcourse.mini._errors import CUSTOM_VIEW
from dlcourse.mini._grad_mode import enable_grad, is_grad_enabled
from dlcourse.mini.ops.random import get_rng_state, set_rng_state

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn"]


class CheckpointError(RuntimeError):
    """The function did something else when it ran again."""


def noop_context_fn() -> tuple:
    """The contexts of forward and of its repetition, unless others are asked for: none."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(
    function: Callable,
    *args,
    use_reentrant: bool = False,
    context_fn: Callable[[], tuple] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs,
):
    """function(*args, **kwargs), which is called once more in backward instead of being remembered.

    What the function draws at random is drawn again (`preserve_rng_state`).  `context_fn` gives two
    contexts, in which it is run first and again.  A repetition whose outputs have other shapes or
    types raises CheckpointError, unless `determinism_check` is "none".
    Source: `torch.utils.checkpoint.checkpoint`.
    """
    # NB: in torch use_reentrant is True unless given, with a warning, and then what the function
    # uses gets no gradient unless an argument requires one; here True and False both do what
    # False does there.
    # NB: in torch early_stop lets the repetition end at the last tensor needed; here it always
    # runs to its end, so that it makes no difference.
    if use_reentrant and kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if use_reentrant and context_fn is not noop_context_fn:
        raise ValueError(
            "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
        )
    if debug:
        raise NotImplementedError("mini's checkpoint keeps no list of operations: leave out debug")
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ['default', 'none'] but got {determinism_check}"
        )
    first, again = context_fn()
    if not is_grad_enabled():
        with first:
            return function(*args, **kwargs)
    node = Checkpoint()
    node.function, node.context = function, again
    node.state = get_rng_state() if preserve_rng_state else None
    node.compares_types = determinism_check == "default"
    return node.stand_for(first, args, kwargs)


class Checkpoint(Function):
    """The node that stands for the graph of a function."""

    _materialize = False

    def stand_for(self, context, args, kwargs):
        """Call the function; what it returns, with this node in the place of its graph."""
        start = next(_sequence_nr)
        with context:
            out = self.function(*args, **kwargs)
        tensors = tensors_in(out)
        nodes, edges = graph_since(start, tensors)
        if not edges:
            return out  # nothing requires a gradient
        self.positions = [i for i, t in enumerate(tensors) if t._edge()[0] in nodes]
        self.count = len(tensors)
        self._children, self._slots = zip(*edges, strict=True)
        self.arguments = self._kept((args, kwargs))
        own = {id(tensors[i]): self._alias(tensors[i], i, nodes) for i in self.positions}
        self._record(tuple(own[id(tensors[i])] for i in self.positions))
        return mapped(lambda t: own.get(id(t), t), out)

    def _kept(self, arguments):
        """The arguments with numbers in the place of tensors, which are saved as for any node.

        So they are freed after backward, and a tensor that was written to since is noticed; leaves
        that the function uses without being given them, parameters, are watched in the same way.
        """
        given = tensors_in(arguments)
        self.save_for_backward(*given, *[c for c in self._children if isinstance(c, Tensor)])
        numbers = iter(range(len(given)))
        return mapped(lambda _: Place(next(numbers)), arguments)

    def _alias(self, tensor, number, nodes):
        """The same memory, without the graph that is to be let go."""
        alias, view = tensor.detach(), tensor._view
        if view is not None and view.base._edge()[0] not in nodes:
            # NB: in torch a view of an argument may be written to after the checkpoint, too.
            forbid = CUSTOM_VIEW.format(number, self._operation())
            alias._view = View(view.base, (), alias._writes[0], forbid)
        return alias

    @staticmethod
    def backward(ctx, *grad_outputs):
        start = next(_sequence_nr)
        tensors = tensors_in(ctx._repeated())
        nodes, edges = graph_since(start, tensors)
        roots = [tensors[i] for i in ctx.positions if i < len(tensors)]
        ctx._compare(tensors, roots, edges)
        found = sweep(nodes, roots, _carried(grad_outputs))
        edges = zip(ctx._children, ctx._slots, strict=True)
        return tuple([_as_tensor(found.get(edge)) for edge in edges])

    def _repeated(self):
        """What the function returns when it runs again, with the random numbers of the first time.

        Those that are drawn afterwards do not notice.
        """
        saved = self.saved_tensors
        args, kwargs = mapped(lambda place: saved[place], self.arguments, Place)
        after = get_rng_state()
        if self.state is not None:
            set_rng_state(self.state)
        try:
            with self.context, enable_grad():
                return self.function(*args, **kwargs)
        finally:
            if self.state is not None:
                set_rng_state(after)

    def _compare(self, tensors, roots, edges):
        wanted = set(zip(self._children, self._slots, strict=True))
        if len(tensors) != self.count or set(edges) != wanted:
            raise CheckpointError(
                f"A different number of tensors was used when the function of a checkpoint ran "
                f"again: {self.count} outputs that depend on {len(wanted)} tensors at first, "
                f"{len(tensors)} that depend on {len(set(edges))}, or on others, now."
            )
        metas = tuple((root._data.shape, root._data.dtype) for root in roots)
        if self.compares_types and metas != self._metas:
            raise CheckpointError(
                "Recomputed values have different metadata than during the forward pass: "
                f"{metas} now, {self._metas} at first."
            )


# -- graphs ----------------------------------------------------------------------------------------


def graph_since(start, tensors):
    """{node: None} of those above `tensors` born since `start`; the edges from them to others."""
    nodes, edges = dict.fromkeys(t._edge()[0] for t in tensors if t.requires_grad), {}
    nodes = {node: None for node in nodes if is_since(start, node)}
    waiting = list(nodes)
    for node in waiting:  # which grows on the way
        for child, nr in zip(node._children, node._slots, strict=True):
            if child is not None and not is_since(start, child):
                edges[child, nr] = None
            elif child is not None and child not in nodes:
                nodes[child] = None
                waiting.append(child)
    return nodes, list(edges)


def is_since(start, node):
    return isinstance(node, Function) and node._sequence_nr >= start


def sweep(nodes, roots, gradients):
    """{(node or leaf, number of its output): gradient} for the edges that lead out of `nodes`."""
    grads, found = {}, {}
    for root, gradient in zip(roots, gradients, strict=True):
        if gradient is not None:
            _push(grads, *root._edge(), gradient)
    for node in sorted(nodes, key=_age, reverse=True):  # youngest first, as `backward_pass` does
        ready = grads.pop(node, None)
        for index, grad in enumerate(() if ready is None else node._run(node._ready(ready))):
            child, nr = node._children[index], node._slots[index]
            if grad is not None and child is not None:
                _push(grads if child in nodes else found, child, nr, node._fit(index, grad))
    return {(child, nr): grad for child, slots in found.items() for nr, grad in enumerate(slots)}


# -- tensors in tuples, lists and dicts ------------------------------------------------------------


class Place(int):
    """Where a tensor was: its number among those saved."""


def mapped(function, value, kind=Tensor):
    """`value` with function(x) for each x of that kind in it, however deep in tuples or dicts."""
    if isinstance(value, kind):
        return function(value)
    if isinstance(value, dict):
        out = value.copy()
        out.update({k: mapped(function, v, kind) for k, v in value.items()})
        return out
    if isinstance(value, tuple | list):
        items = [mapped(function, v, kind) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def tensors_in(value):
    """All tensors in it."""
    found = []
    mapped(found.append, value)
    return found


# -- a row of functions ----------------------------------------------------------------------------


def checkpoint_sequential(functions, segments: int, input, use_reentrant=False, **kwargs):
    """The functions (or a Sequential) in turn, in `segments` checkpoints; the last one is none.

    Source: `torch.utils.checkpoint.checkpoint_sequential`.
    """
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions)
    size = len(functions) // segments
    for start in range(0, size * (segments - 1), size):
        part = _chain(functions[start : start + size])
        input = checkpoint(part, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return _chain(functions[size * (segments - 1) :])(input)


def _chain(functions):
    def chained(input):
        for function in functions:
            input = function(input)
        return input

    return chained
