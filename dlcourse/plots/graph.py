"""`draw_graph`: one drawing of the computational graph, for mini and for torch tensors.

Both engines describe their graph in the same words: `tensor.grad_fn` is the operation that made a
tensor, `node.next_functions` the operations that made its inputs, and an AccumulateGrad node stands
for a leaf, its `.variable`. So this file imports neither engine. It walks the graph (`_collect`),
describes it in words (`_describe`) and leaves the picture to `layout.py` and `svg.py`.
"""

from __future__ import annotations

import heapq
import os
import re
from dataclasses import dataclass, replace

from dlcourse.plots import svg
from dlcourse.plots.arrays import is_tensor, to_numpy


@dataclass(frozen=True)
class GraphNode:
    """A node of the drawing. `key` is how the text refers to it: a number for an operation."""

    key: str
    kind: str  # "leaf", "operation", "output", "constant" or "more"
    label: str  # what it is called in the picture: "w", "Mul", "loss"
    engine: str = ""  # "mini" or "torch"
    name: str = ""  # the reader's name for the result of an operation
    shape: tuple | None = None
    dtype: str = ""
    values: tuple = ()  # (("data", "2"), ("grad", "12"))
    number: int | None = None  # its turn in the backward pass, when the order is drawn

    @property
    def description(self) -> str:
        """Name, shape, dtype and values in one line."""
        title = f"{self.name} = {self.label}" if self.name else self.label
        shape = "" if self.shape is None else str(self.shape)
        values = [f"{what} {value}" for what, value in self.values]
        return " ".join(part for part in [title, shape, self.dtype, *values] if part)


class GraphDrawing:
    """What `draw_graph` returns: shows itself as a picture in a notebook, as text elsewhere.

    Attributes:
        nodes: list of GraphNode, inputs before outputs.
        edges: list of (source, target), indices into `nodes`, in the direction of the computation.
        text: the graph in words, a line a node.
    """

    def __init__(self, nodes, edges, *, order=False, direction="down", absent=()):
        self.nodes, self.edges = nodes, edges
        self.order, self.direction, self.absent = order, direction, absent
        self.text = _describe(nodes, edges, order, absent)

    @property
    def label(self) -> str:
        """One sentence for those who cannot see the picture; the text says the rest."""
        outputs = [n.label for n in self.nodes if n.kind in ("output", "constant")]
        count = {kind: sum(n.kind == kind for n in self.nodes) for kind in ("operation", "leaf")}
        engines = " and ".join(sorted({n.engine for n in self.nodes if n.engine}))
        parts = [_plural(count["operation"], "operation"), _plural(count["leaf"], "leaf")]
        if outputs == ["output"] or not outputs:
            return f"Computational graph ({engines}): {', '.join(parts)}"
        return f"Computational graph of {', '.join(outputs)} ({engines}): {', '.join(parts)}"

    def __repr__(self):
        return self.text

    def _repr_html_(self):
        return svg.inline(self)

    def save(self, path):
        """Write the picture as an SVG file that stands alone, in light colours; return the path.

        The file is complete or not there: it is written beside its place and then moved.
        """
        path = os.fspath(path)
        if not path.lower().endswith(".svg"):
            raise ValueError(f"save() writes SVG, so the name must end in .svg, but got {path!r}")
        svg.write_atomically(path, svg.standalone(self))
        return path


def draw_graph(
    tensors, params=None, *, order=False, values=False, direction="down", max_nodes=100
) -> GraphDrawing:
    """Draw the graph that autograd recorded for a tensor, or for several: mini's and torch's alike.

    Args:
        tensors: a tensor, a list of tensors, or a dict {name: tensor}; from mini or from torch.
        params: names for leaves and results: a dict {name: tensor}, a module, pairs as
            `module.named_parameters()` gives them, or a list of tensors.
        order: number the operations in the order in which backward visits them, and let the arrows
            point the way of the gradients.
        values: write data and grad on every named tensor and leaf of up to three elements.
        direction: "down" (inputs above) or "right" (inputs on the left).
        max_nodes: how many operations and leaves to draw; those nearest the outputs are, and one
            box stands for the others.

    Only what takes part in differentiation is in the graph: a constant is not. Returns a
    GraphDrawing; print it, or read `.text`, for the same graph in words.

    Raises: TypeError for what is no tensor; ValueError for an unknown direction or max_nodes.
    """
    if direction not in ("down", "right"):
        raise ValueError(f'direction must be "down" or "right", but got {direction!r}')
    if not isinstance(max_nodes, int) or not 1 <= max_nodes <= COUNTED:
        raise ValueError(f"max_nodes must be an int from 1 to {COUNTED}, but got {max_nodes!r}")
    roots = _named_roots(tensors)
    names = _Names(params, roots)
    kept, more = _collect([tensor for _, tensor in roots], max_nodes)
    nodes, edges = _build(kept, more, roots, names, values)
    if order:
        nodes = _number(nodes)
    absent = () if more else names.absent(kept)
    return GraphDrawing(nodes, edges, order=order, direction=direction, absent=absent)


# -- what came in ------------------------------------------------------------------------------


def _named_roots(tensors):
    """[(name or None, tensor), ...] without repetition."""
    if isinstance(tensors, dict):
        pairs = list(tensors.items())
    elif isinstance(tensors, (list, tuple)):
        pairs = [(None, tensor) for tensor in tensors]
    else:
        pairs = [(None, tensors)]
    if not pairs:
        raise ValueError("draw_graph expects at least one tensor, but got none")
    unique = {}
    for name, tensor in pairs:
        _expect_tensor(tensor, "draws the graph of a tensor")
        unique.setdefault(id(tensor), (name, tensor))
    return list(unique.values())


def _expect_tensor(value, what):
    if not is_tensor(value):
        raise TypeError(
            f"draw_graph {what} of mini or torch, but got {type(value).__name__}"
            + (": call it on the result, e.g. draw_graph(loss)" if callable(value) else "")
        )


class _Names:
    """The reader's names: for leaves by the tensor, for results by the operation that made them."""

    def __init__(self, params, roots):
        if hasattr(params, "named_parameters"):
            params = params.named_parameters()
        named = isinstance(params, dict)
        self.tensors, self.of = [], {}
        for i, entry in enumerate(params.items() if named else params or ()):
            is_pair = isinstance(entry, tuple) and len(entry) == 2
            name, tensor = entry if is_pair else (f"params[{i}]", entry)
            _expect_tensor(tensor, "takes in params a tensor")
            self.tensors.append((str(name), tensor))
        for name, tensor in [*self.tensors, *roots]:
            known = self.of.setdefault(_identity(tensor), {})
            if name is not None:
                known.setdefault(str(name), tensor)

    def get(self, key):
        """(names, one of the tensors) for a leaf or node with this identity, or ("", None)."""
        known = self.of.get(key, {})
        return ", ".join(known), next(iter(known.values()), None)

    def absent(self, found):
        """Those named that are not in the graph: constants, and what took no part."""
        present = {entry.key for entry in found}
        return tuple(name for name, tensor in self.tensors if _identity(tensor) not in present)


def _identity(tensor):
    return id(tensor) if tensor.grad_fn is None else id(tensor.grad_fn)


# -- the walk ----------------------------------------------------------------------------------

COUNTED = 1000  # how far we count what is not drawn


@dataclass
class _Found:
    """A node as it was found. Holding `node` keeps `key`, its id, valid while we walk."""

    key: int
    node: object
    variable: object  # the tensor, for a leaf
    engine: str
    inputs: list  # the keys of its inputs, one for each edge


def _collect(tensors, max_nodes):
    """(what is drawn, how many more there are): the operations and leaves nearest to `tensors`.

    Like the engines' backward we go from the youngest operation to the oldest; a leaf comes right
    after the operation that uses it last. We never walk the whole of a large graph: it has no
    bound, and torch 2.13 overflows the stack when it frees a chain of some 40 000 nodes each of
    which Python has looked at.
    """
    met, waiting = {}, []

    def meet(node, variable, engine):
        key = id(node if variable is None else variable)
        if key not in met:
            met[key] = _Found(key, node, variable, engine, [])
            age = 1 if variable is not None else -_sequence_nr(node)
            heapq.heappush(waiting, (variable is None, age, len(met), key))
        return key

    for tensor in tensors:
        leaf = tensor if tensor.grad_fn is None else None
        meet(tensor.grad_fn, leaf, _engine(tensor))
    kept = {}
    while waiting and len(kept) < max_nodes:
        entry = met[heapq.heappop(waiting)[-1]]
        kept[entry.key] = entry
        entry.inputs = _meet_inputs(entry, meet)
    more = 0
    while waiting and more <= COUNTED:
        _meet_inputs(met[heapq.heappop(waiting)[-1]], meet)
        more += 1
    return _consumers_first(kept), more


def _meet_inputs(entry, meet):
    if entry.variable is not None:
        return []
    inputs = [node for node, _ in entry.node.next_functions if node is not None]
    # None stands for an input that needs no gradient
    leaf = [node.name().endswith("AccumulateGrad") for node in inputs]
    return [
        meet(node, node.variable if is_leaf else None, entry.engine)
        for node, is_leaf in zip(inputs, leaf, strict=True)
    ]


def _consumers_first(kept):
    """Nodes after all that use them: the youngest operation first, leaves as soon as possible."""
    consumers = dict.fromkeys(kept, 0)
    for entry in kept.values():
        for key in entry.inputs:
            if key in kept:
                consumers[key] += 1
    place = {key: i for i, key in enumerate(_reading_order(kept, consumers))}

    def turn(key):
        if kept[key].variable is not None:
            return (0, 0, -place[key], key)
        return (1, -_sequence_nr(kept[key].node), place[key], key)

    ready = [turn(key) for key, count in consumers.items() if count == 0]
    heapq.heapify(ready)
    visited = []
    while ready:
        entry = kept[heapq.heappop(ready)[-1]]
        visited.append(entry)
        for key in entry.inputs:
            if key in kept:
                consumers[key] -= 1
                if consumers[key] == 0:
                    heapq.heappush(ready, turn(key))
    return visited


def _reading_order(kept, consumers):
    """Depth first, inputs from left to right: an order that does not depend on addresses."""
    stack = [key for key in reversed(kept) if consumers[key] == 0]
    seen = {}
    while stack:
        key = stack.pop()
        if key in kept and key not in seen:
            seen[key] = True
            stack.extend(reversed(kept[key].inputs))
    return seen


def _sequence_nr(node):
    number = getattr(node, "_sequence_nr", 0)
    return number() if callable(number) else number


def _engine(tensor):
    """ "torch" or "mini", also for subclasses that a reader wrote."""
    modules = {base.__module__.split(".")[0] for base in type(tensor).__mro__}
    return "torch" if "torch" in modules else "mini"


# -- from what was found to what is drawn ------------------------------------------------------


def _build(kept, more, roots, names, values):
    """The nodes, inputs first, and the edges of the drawing."""
    nodes, edges, index = [], [], {}
    if more:
        known = more <= COUNTED
        label = _plural(more, "more node") if known else f"over {_plural(COUNTED, 'more node')}"
        nodes.append(GraphNode("more", "more", f"⋯ {label}", kept[0].engine))
    results = {_identity(tensor) for _, tensor in roots}
    labels = _labels(kept, names)
    operations = 0
    for entry in reversed(kept):
        tensor = entry.variable
        if tensor is None:
            operations += 1
            name, tensor = ("", None) if entry.key in results else names.get(entry.key)
            what = _readable(entry.node)
            node = GraphNode(str(operations), "operation", what, entry.engine, name)
        else:
            label, kind = labels[entry.key]
            node = GraphNode(label, kind, label, entry.engine)
        index[entry.key] = len(nodes)
        nodes.append(_with_facts(node, tensor, values))
        edges += [(source, index[entry.key]) for source in _sources(entry.inputs, index)]
    for i, (name, tensor) in enumerate(roots):
        if tensor.grad_fn is not None:
            known = name or names.get(_identity(tensor))[0]
            label = str(known or ("output" if len(roots) == 1 else f"output {i + 1}"))
            node = GraphNode(label, "output", label, _engine(tensor))
            edges.append((index[_identity(tensor)], len(nodes)))
            nodes.append(_with_facts(node, tensor, values))
    return nodes, edges


def _labels(kept, names):
    """{key: (label, kind)} of the leaves: the reader's name, or "leaf", or "leaf 2"."""
    entries = [entry for entry in reversed(kept) if entry.variable is not None]
    nameless = [entry.key for entry in entries if not names.get(entry.key)[0]]
    labels = {}
    for entry in entries:
        kind = "leaf" if entry.variable.requires_grad else "constant"
        number = f" {nameless.index(entry.key) + 1}" if len(nameless) > 1 else ""
        labels[entry.key] = (names.get(entry.key)[0] or kind + number, kind)
    return labels


def _sources(inputs, index):
    """The indices of the inputs. What is not drawn is the box at index 0, with one edge."""
    sources = [index.get(key) for key in inputs]
    first = sources.index(None) if None in sources else None
    return [source or 0 for i, source in enumerate(sources) if source is not None or i == first]


def _readable(node):
    """AddBackward0 -> Add, CubeBackward -> Cube, TanhBackwardBackward0 -> TanhBackward."""
    name = node.name().split("::")[-1]
    return re.sub(r"Backward\d*$", "", name) or name


def _with_facts(node, tensor, values):
    if tensor is None:
        return node
    dtype = str(tensor.dtype).split(".")[-1]
    shown = _values_of(tensor) if values else ()
    return replace(node, shape=tuple(int(n) for n in tensor.shape), dtype=dtype, values=shown)


def _values_of(tensor):
    """data, and grad where the engine keeps one, of a tensor with up to three elements."""
    keeps_grad = tensor.is_leaf or tensor.retains_grad  # asking torch for another's grad warns
    grad = [("grad", tensor.grad)] if tensor.requires_grad and keeps_grad else []
    pairs = [("data", tensor), *grad]
    return tuple((what, _short(t)) for what, t in pairs if t is None or to_numpy(t).size <= 3)


def _short(tensor):
    if tensor is None:
        return "None"
    array = to_numpy(tensor)
    numbers = [f"{float(x):.4g}" for x in array.ravel()]
    return numbers[0] if array.ndim == 0 else f"[{', '.join(numbers)}]"


def _number(nodes):
    """Operations stand in the order of their making; backward visits them the other way round."""
    count = sum(node.kind == "operation" for node in nodes)
    numbers = iter(range(count, 0, -1))
    turns = [next(numbers) if node.kind == "operation" else None for node in nodes]
    return [
        node if turn is None else replace(node, key=str(turn), number=turn)
        for node, turn in zip(nodes, turns, strict=True)
    ]


# -- in words ----------------------------------------------------------------------------------


def _describe(nodes, edges, order, absent):
    """A line a node. Forwards: `2 Sum ← 1`. With order, as backward goes: `1 Sum → 2`."""
    arrow, near = ("→", {}) if order else ("←", {})
    for source, target in edges:
        near.setdefault(target, []).append(nodes[source].key)
    lines = []
    for i, node in enumerate(nodes):
        number = f"{node.key} " if node.kind == "operation" else ""
        links = f" {arrow} {', '.join(near[i])}" if i in near else ""
        note = " (requires no gradient, so no graph)" if node.kind == "constant" else ""
        lines.append(f"{number}{node.description}{links}{note}")
    if order:
        lines.reverse()
    if absent:
        lines.append(f"not in the graph: {', '.join(absent)}")
    return "\n".join(lines)


def _plural(count, noun):
    """1 leaf, 2 leaves, 12 345 operations."""
    plural = {"leaf": "leaves"}.get(noun, f"{noun}s")
    return f"{count:,} {noun if count == 1 else plural}".replace(",", " ")
