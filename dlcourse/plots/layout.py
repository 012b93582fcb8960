"""Where the nodes and edges of a drawn graph go: a layered layout, after Sugiyama et al. (1981).

Four steps, each a function below: every node gets a layer, so that all edges point one way; long
edges get a dummy node in each layer that they cross; the order within the layers is changed until
few edges cross; positions are chosen that make edges straight. Nothing is random, so that the same
graph always gives the same drawing. It knows nothing of tensors, and draws nothing.

Source: K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system
structures", IEEE Transactions on Systems, Man, and Cybernetics 11(2), 1981.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

NODE_GAP = 18  # pixels between neighbours in a layer
LAYER_GAP = 30  # pixels between layers, at least
PORT_GAP = 14  # pixels between the arrowheads at one node


@dataclass
class Layout:
    """`boxes[i]` is (x, y, width, height) of node i, (x, y) its upper left corner; `routes[e]` the
    points that edge e passes, from the border of its source to the border of its target."""

    boxes: list[tuple[float, float, float, float]]
    routes: list[list[tuple[float, float]]]
    width: float
    height: float


def layered_layout(sizes, edges, *, direction="down") -> Layout:
    """Place nodes of the given `sizes` [(width, height), ...] and `edges` [(source, target), ...].

    Edges go from a lower to a higher index (so the nodes are in topological order); several edges
    may join the same two nodes. direction: "down" (sources above) or "right" (sources on the left).
    """
    if any(source >= target for source, target in edges):
        raise ValueError("layered_layout expects nodes in topological order: source < target")
    if direction == "right":
        flat = layered_layout([(h, w) for w, h in sizes], edges)
        boxes = [(y, x, h, w) for x, y, w, h in flat.boxes]
        routes = [[(y, x) for x, y in route] for route in flat.routes]
        return Layout(boxes, routes, flat.height, flat.width)
    layer_of = assign_layers(len(sizes), edges)
    items = _Items(sizes, edges, layer_of)
    layers = order_layers(items, edges)
    main = main_edges(len(sizes), edges)
    ports = assign_ports(items, layers, main)
    x = assign_positions(items, layers, ports, main)
    return _place(items, layers, ports, x)


def assign_layers(n, edges) -> list[int]:
    """The layer of each node: as far down as its consumers allow, so that a leaf stands next to
    the operation that first uses it. Nodes without consumers come right after their last input."""
    consumers, inputs = _neighbours(n, edges)
    height = [0] * n  # the longest way to a last operation
    for node in reversed(range(n)):
        inner = [c for c in consumers[node] if consumers[c]]
        height[node] = 1 + max((height[c] for c in inner), default=0)
    top = max(height, default=0)
    layer = [top - h for h in height]
    for node in range(n):
        if not consumers[node]:
            layer[node] = 1 + max((layer[i] for i in inputs[node]), default=-1)
    return layer


def _neighbours(n, edges):
    consumers, inputs = [[] for _ in range(n)], [[] for _ in range(n)]
    for source, target in edges:
        consumers[source].append(target)
        inputs[target].append(source)
    return consumers, inputs


class _Items:
    """Nodes and dummies. Item i < n is node i; later ones are dummies, one for each layer that a
    node's value passes through: edges of one node share them, so that they look like one wire."""

    def __init__(self, sizes, edges, layer_of):
        self.n = len(sizes)
        self.layer, self.size = list(layer_of), list(sizes)
        self.chains = []  # for each edge: source, dummies, target
        dummies = {}
        for source, target in edges:
            chain = [source]
            for layer in range(layer_of[source] + 1, layer_of[target]):
                if (source, layer) not in dummies:
                    dummies[source, layer] = len(self.layer)
                    self.layer.append(layer)
                    self.size.append((2, 0))
                chain.append(dummies[source, layer])
            self.chains.append([*chain, target])
        self.above, self.below = [[] for _ in self.layer], [[] for _ in self.layer]
        seen = set()
        for e, chain in enumerate(self.chains):
            for upper, lower in pairwise(chain):
                # the last piece of each edge counts, of shared pieces only the first
                key = (upper, lower, e if lower < self.n else None)
                if key not in seen:
                    seen.add(key)
                    self.above[lower].append((upper, e))
                    self.below[upper].append((lower, e))

    def is_dummy(self, item):
        return item >= self.n


def main_edges(n, edges) -> set[int]:
    """The edges to be drawn straight: into each node from the one input with the longest history.

    So the long chain through a network is a straight line, and its weights stand beside it."""
    history, into = [0] * n, [[] for _ in range(n)]
    for e, (_, target) in enumerate(edges):
        into[target].append(e)
    main = set()
    for target in range(n):  # inputs come first, so their history is known
        if into[target]:
            history[target] = 1 + max(history[edges[e][0]] for e in into[target])
            longest = [e for e in into[target] if history[edges[e][0]] + 1 == history[target]]
            main |= set(longest) if len(longest) == 1 else set()
    return main


def order_layers(items, edges, sweeps=12) -> list[list[int]]:
    """The items of each layer from left to right, with few crossings: layer after layer is sorted
    by the mean place of the neighbours above, then below, and the best order seen is kept."""
    layers = _first_order(items, edges)
    best, fewest = [list(row) for row in layers], count_crossings(items, layers)
    for sweep in range(sweeps):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        near = items.above if down else items.below
        rows = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        for r in rows:
            place = _places(layers[r - 1 if down else r + 1])
            _sort_row(layers[r], near, place)
        _swap_neighbours(items, layers)
        crossings = count_crossings(items, layers)
        if crossings < fewest:
            best, fewest = [list(row) for row in layers], crossings
    return best


def _places(row):
    return {item: i for i, item in enumerate(row)}


def _first_order(items, edges):
    """Walk from the last nodes upwards, first inputs first: so inputs stand in their order."""
    inputs = [[] for _ in range(items.n)]
    for e, (_, target) in enumerate(edges):
        inputs[target].append(e)
    layers = [[] for _ in range(1 + max(items.layer, default=-1))]
    seen, sinks = set(), sorted(set(range(items.n)) - {s for s, _ in edges})
    stack = [[sink] for sink in reversed(sinks)]
    while stack:
        chain = stack.pop()  # the dummies on the way, then the node
        for item in reversed(chain):
            if item not in seen:
                seen.add(item)
                layers[items.layer[item]].append(item)
                if not items.is_dummy(item):
                    ways = [items.chains[e][:-1] for e in inputs[item]]
                    stack.extend(reversed(ways))
    return layers


def _sort_row(row, near, place):
    """Sort by the mean place of the neighbours; who has none keeps the place it has."""
    fixed = {i for i, item in enumerate(row) if not near[item]}

    def mean(item):
        return sum(place[other] for other, _ in near[item]) / len(near[item])

    moving = iter(sorted((item for item in row if near[item]), key=mean))
    row[:] = [item if i in fixed else next(moving) for i, item in enumerate(row)]


def count_crossings(items, layers) -> int:
    """How many pairs of edge pieces between adjacent layers cross."""
    total = 0
    for upper, lower in pairwise(layers):
        place = _places(lower)
        ends = [sorted(place[b] for b, _ in items.below[a]) for a in upper]
        total += sum(
            1
            for i, left in enumerate(ends)
            for right in ends[i + 1 :]
            for a in left
            for b in right
            if a > b
        )
    return total


def _swap_neighbours(items, layers):
    """Swap two neighbours wherever that removes crossings, until nothing changes."""
    for r, row in enumerate(layers):
        sides = [(items.above, _places(layers[r - 1]))] if r else []
        sides += [(items.below, _places(layers[r + 1]))] if r + 1 < len(layers) else []
        improved = True
        while improved:
            improved = False
            for i in range(len(row) - 1):
                gain = 0
                for near, place in sides:
                    left = [place[o] for o, _ in near[row[i]]]
                    right = [place[o] for o, _ in near[row[i + 1]]]
                    gain += sum((a > b) - (a < b) for a in left for b in right)
                if gain > 0:
                    row[i], row[i + 1] = row[i + 1], row[i]
                    improved = True


def assign_ports(items, layers, main) -> list[float]:
    """For each edge, how far from the middle of its target it ends, in pixels: from left to right
    as its sources stand, with the main edge in the middle, so that it can be straight."""
    place = [0] * len(items.layer)
    for row in layers:
        for i, item in enumerate(row):
            place[item] = i
    ports = [0.0] * len(items.chains)
    for target in range(items.n):
        ends = sorted(items.above[target], key=lambda end: (place[end[0]], end[1]))
        straight = [i for i, (_, e) in enumerate(ends) if e in main]
        middle = straight[0] if straight else (len(ends) - 1) / 2
        reach = max([middle, len(ends) - 1 - middle, 1e-9])
        gap = min(PORT_GAP, (items.size[target][0] / 2 - 9) / reach)
        for i, (_, e) in enumerate(ends):
            ports[e] = gap * (i - middle)
    return ports


def assign_positions(items, layers, ports, main) -> list[float]:
    """The x of each item's middle.

    It lowers the sum of (x_upper - x_lower - port)^2 over all pieces of edges, neighbours kept
    apart: a convex problem, solved layer by layer. Then the chains, the longest first, are put
    on one straight line each, if there is room, and the others make way."""
    x = [0.0] * len(items.layer)
    for row in layers:
        right = 0.0
        for item in row:
            x[item] = right + items.size[item][0] / 2
            right += items.size[item][0] + NODE_GAP
    pulls, fixed = _pulls(items, ports), set()
    _relax(items, layers, pulls, x, fixed, sweeps=60)
    chains = _chains(items, layers, main)
    for chain in sorted(chains, key=len, reverse=True):
        while chain:  # where another chain is in the way, it goes on beside it
            part = len(chain)
            low, high = _room(items, layers, x, fixed, chain)
            while low > high + 1e-6 and part > 1:
                part -= 1
                low, high = _room(items, layers, x, fixed, chain[:part])
            at = sum(x[item] for item in chain[:part]) / part
            for item in chain[:part]:
                x[item] = min(max(at, low), high)
            fixed |= set(chain[:part])
            chain = chain[part:]
            _relax(items, layers, pulls, x, fixed, sweeps=6)
    _relax(items, layers, pulls, x, fixed, sweeps=60)
    return x


def _relax(items, layers, pulls, x, fixed, sweeps):
    for sweep in range(sweeps):
        moved = 0.0
        for row in layers if sweep % 2 == 0 else reversed(layers):
            for item, at in zip(row, _best_row(items, row, pulls, x, fixed), strict=True):
                if item not in fixed:
                    moved = max(moved, abs(x[item] - at))
                    x[item] = at
        if moved < 0.01:
            break


def _chains(items, layers, main):
    """Paths of main edges and wires. Where a value goes several ways the middle one is straight."""
    after = {}
    for upper, lower in pairwise(layers):
        place = _places(lower)
        for item in upper:
            wires = [b for b, _ in items.below[item] if items.is_dummy(item) and items.is_dummy(b)]
            ways = wires or [b for b, e in items.below[item] if e in main]
            if len(ways) % 2:
                after[item] = sorted(ways, key=place.get)[len(ways) // 2]
    chains, inner = [], set(after.values())
    for start in [item for row in layers for item in row if item in after and item not in inner]:
        chain = [start]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.append(chain)
    return chains


def _room(items, layers, x, fixed, chain):
    """From where to where the chain may stand, given what is fixed beside it."""
    low, high = float("-inf"), float("inf")
    for item in chain:
        row = layers[items.layer[item]]
        here, shifts = row.index(item), _shifts(items, row)
        for i, other in enumerate(row):
            if other in fixed:
                at = x[other] + shifts[here] - shifts[i]
                low, high = (max(low, at), high) if i < here else (low, min(high, at))
    return low, high


def _pulls(items, ports):
    """For each item the (neighbour, offset) that pull it: it wants x = x_neighbour + offset."""
    pulls = [[] for _ in items.layer]
    for lower, ends in enumerate(items.above):
        for upper, e in ends:
            port = ports[e] if not items.is_dummy(lower) else 0.0
            pulls[upper].append((lower, port))
            pulls[lower].append((upper, -port))
    return pulls


def _shifts(items, row):
    """How far from the first item of the row each stands, at least."""
    shifts = [0.0]
    for left, right in pairwise(row):
        shifts.append(shifts[-1] + (items.size[left][0] + items.size[right][0]) / 2 + NODE_GAP)
    return shifts


def _best_row(items, row, pulls, x, fixed):
    """The least squares fit to the wished positions that keeps the neighbours apart.

    Shifted by the room that stands to the left, positions need only increase: that is isotonic
    regression, solved by pooling whoever stands in the wrong order (Barlow et al. 1972)."""
    blocks, shifts = [], _shifts(items, row)  # a block: [weight, sum of wishes, members]
    for item, shift in zip(row, shifts, strict=True):
        weight, wish = len(pulls[item]), sum(x[o] + offset for o, offset in pulls[item])
        if item in fixed or not weight:  # who is fixed does not give way, who is alone always does
            weight = 1e9 if item in fixed else 1e-6
            wish = weight * x[item]
        blocks.append([weight, wish - weight * shift, 1])
        while len(blocks) > 1 and blocks[-2][1] / blocks[-2][0] > blocks[-1][1] / blocks[-1][0]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    fitted = [total / weight for weight, total, members in blocks for _ in range(members)]
    return [at + s for at, s in zip(fitted, shifts, strict=True)]


def _place(items, layers, ports, x) -> Layout:
    """Turn positions into boxes and routes, in whole pixels from (0, 0)."""
    x = _whole_pixels(items, layers, x)
    band, y = [], 0
    for r, row in enumerate(layers):
        if r:
            y += _gap_above(items, row, ports, x)
        tall = max(items.size[item][1] for item in row)
        band.append((y, y + tall))
        y += tall
    boxes = []
    for node in range(items.n):
        (w, h), (top, bottom) = items.size[node], band[items.layer[node]]
        boxes.append((x[node] - w / 2, (top + bottom - h) / 2, w, h))
    routes = []
    for e, (source, *dummies, target) in enumerate(items.chains):
        _, top, _, height = boxes[source]
        points = [(x[source], top + height), (x[source], band[items.layer[source]][1])]
        for dummy in dummies:
            points += [(x[dummy], at) for at in band[items.layer[dummy]]]
        end = x[target] + round(ports[e])
        points += [(end, band[items.layer[target]][0]), (end, boxes[target][1])]
        routes.append([p for i, p in enumerate(points) if i == 0 or p != points[i - 1]])
    width = max((x[i] + items.size[i][0] / 2 for i in range(len(x))), default=0)
    return Layout(boxes, routes, width, y)


def _whole_pixels(items, layers, x):
    """Round (neighbours come closer by a pixel at most), and start at 0."""
    left = min((round(x[i]) - items.size[i][0] / 2 for i in range(len(x))), default=0)
    return [round(at) - left for at in x]


def _gap_above(items, row, ports, x):
    """More room between two layers where edges go far sideways, so that they stay steep."""
    far = 0
    for item in row:
        for upper, e in items.above[item]:
            port = ports[e] if not items.is_dummy(item) else 0
            far = max(far, abs(x[upper] - x[item] - port))
    return LAYER_GAP + round(min(far, 400) * 0.09)
