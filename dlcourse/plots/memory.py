"""Memory drawn: how a view walks through the one line of cells that holds its numbers."""

from __future__ import annotations

import itertools

from dlcourse.plots.colors import COLORS
from dlcourse.plots.style import new_axes

GAP = 1.4  # between a view and its memory, in cells


def memory_walk(views, size, ax=None):
    """Views as the reader sees them, beside the memory that they walk through.

    An arc above the memory is a step forward, one below a step back; a cell that is never visited
    stays empty.

    Args:
        views: {title: (shape, stride, offset)} of one or two dimensions, the stride in elements.
        size: how many cells the memory has; cell k holds the number k.

    Raises: ValueError for a view of other dimensions, or one that leaves the memory.
    """
    walks = {title: _addresses(*view, size) for title, view in views.items()}
    widest = max(len(rows[0]) for rows in walks.values())
    tops = list(itertools.accumulate((max(len(r), 3) + 1.5 for r in walks.values()), initial=0))
    width = widest + GAP + size
    ax = new_axes(ax, (5.6, 5.6 * tops[-1] / width))
    ax.set_axis_off()
    for (title, rows), top in zip(walks.items(), tops[:-1], strict=True):
        ax.text(0, top + 0.55, title, va="center", weight="bold")
        for r, row in enumerate(rows):
            for c, address in enumerate(row):
                _cell(ax, c, top + 1 + r, address, visited=True)
        level = top + 1 + (max(len(rows), 3) - 1) / 2
        steps = [address for row in rows for address in row]
        for address in range(size):
            _cell(ax, widest + GAP + address, level, address, visited=address in steps)
        for here, there in itertools.pairwise(steps):
            _arc(ax, widest + GAP + 0.5 + here, widest + GAP + 0.5 + there, level)
    ax.set(xlim=(-0.1, width + 0.1), ylim=(tops[-1], 0), aspect="equal")
    return ax


def _addresses(shape, stride, offset, size):
    """The address of each element, row by row."""
    if len(shape) not in (1, 2) or len(shape) != len(stride):
        raise ValueError(f"memory_walk draws one or two dimensions, got {shape} and {stride}")
    (rows, columns), (down, right) = ((1, *shape)[-2:], (0, *stride)[-2:])
    found = [[offset + r * down + c * right for c in range(columns)] for r in range(rows)]
    addresses = [address for row in found for address in row]
    if not addresses or min(addresses) < 0 or max(addresses) >= size:
        raise ValueError(f"{shape}, {stride}, {offset} does not lie in a memory of {size} cells")
    return found


def _cell(ax, x, y, number, visited):
    import matplotlib.patches

    edge = {"edgecolor": COLORS["muted"], "linewidth": 0.8}
    ax.add_patch(matplotlib.patches.Rectangle((x, y), 1, 1, fill=False, **edge))
    if visited:
        fill = {"facecolor": COLORS["mini"], "alpha": 0.2, "linewidth": 0}
        ax.add_patch(matplotlib.patches.Rectangle((x, y), 1, 1, **fill))
    ax.text(x + 0.5, y + 0.5, str(number), ha="center", va="center", size=9)


def _arc(ax, here, there, level):
    forward = there > here
    edge = level if forward else level + 1
    height = (0.25 + 0.09 * abs(there - here)) * (-1 if forward else 1)
    points = [(here + (there - here) * k / 12, k / 12) for k in range(13)]
    look = {"color": COLORS["mini" if forward else "torch"], "linewidth": 1.2}
    ax.plot(
        [x for x, _ in points],
        [edge + height * 4 * k * (1 - k) for _, k in points],
        linestyle="-" if forward else "--",
        **look,
    )
