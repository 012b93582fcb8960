"""A kernel that slides over an image before the reader's eyes.

The picture is whole without the motion: then the window stands at its first place.
"""

from __future__ import annotations

from html import escape

from dlcourse.plots.arrays import to_numpy
from dlcourse.plots.colors import COLORS
from dlcourse.plots.motion import Moving, page, walk

CELL = 34  # the side of a pixel; a padded image of 7 and an output of 3 are as wide as a phone


def sliding_window(image, kernel, output, *, name, label, stride=1, padding=0, seconds=14):
    """`image` (H, W) with its zeros around, `kernel` (k, k) on it, and `output` (H', W') beside.

    Args:
        name: a word for this figure, its own on the page.
        label: the text alternative.
        seconds: how long one walk takes. The box "pause" stops it.

    Raises ValueError if the last window would leave the image.
    """
    image, kernel, output = (to_numpy(array) for array in (image, kernel, output))
    k, places = len(kernel), [(p, q) for p in range(len(output)) for q in range(len(output[0]))]
    height, width = (n + 2 * padding for n in image.shape)
    if max(stride * places[-1][0] + k - height, stride * places[-1][1] + k - width) > 0:
        raise ValueError(
            f"sliding_window: {len(output)} x {len(output[0])} windows of {k} x {k} with stride "
            f"{stride} do not fit into {height} x {width} pixels"
        )
    right = width + 0.8  # where the output begins, in cells
    cells = [
        _cell(u, v, _number(image, u - padding, v - padding))
        for u in range(height)
        for v in range(width)
    ]
    cells += [_cell(p, right + q, f"{output[p, q]:g}") for p, q in places]
    taps = "".join(
        f'<text x="{CELL * j + CELL - 6:g}" y="{CELL * i + CELL - 4:g}" text-anchor="end" '
        f'style="font-size:10px;fill:{COLORS["torch"]}">{kernel[i, j]:g}</text>'
        for i in range(k)
        for j in range(k)
    )
    moving = _frame(f"dl-{name}-in", k, taps) + _frame(f"dl-{name}-out", 1)
    inside = [(stride * q, stride * p) for p, q in places]
    rules = [_steps(f"dl-{name}-in", inside, seconds)]
    rules += [_steps(f"dl-{name}-out", [(right + q, p) for p, q in places], seconds)]
    size = f"{CELL * (right + len(output[0])) + 4:.0f} {CELL * max(height, len(output)) + 4}"
    picture = (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="-2 -2 {size}" '
        f'width="{size.split()[0]}" '
        f'style="max-width:100%;height:auto;background:{COLORS["paper"]}">'
        f"{''.join(cells)}{moving}</svg>"
    )
    return Moving(page(name, "g", rules, picture), label)


def _number(image, u, v):
    inside = 0 <= u < image.shape[0] and 0 <= v < image.shape[1]
    return f"{image[u, v]:g}" if inside else None


def _cell(row, column, text):
    """A pixel with its number; one of the border, without, is dotted and holds a grey zero."""
    dash, ink = ("3 3", "muted") if text is None else ("none", "ink")
    return (
        f'<rect x="{CELL * column:g}" y="{CELL * row:g}" width="{CELL}" height="{CELL}" '
        f'style="fill:none;stroke:{COLORS["muted"]};stroke-width:.7;stroke-dasharray:{dash}"/>'
        f'<text x="{CELL * column + CELL / 2:g}" y="{CELL * row + 19:g}" text-anchor="middle" '
        f'style="font-size:14px;fill:{COLORS[ink]}">{text or "0"}</text>'
    )


def _frame(name, k, inner=""):
    return (
        f'<g class="{name}"><rect width="{CELL * k}" height="{CELL * k}" '
        f'style="fill:none;stroke:{COLORS["torch"]};stroke-width:3"/>{inner}</g>'
    )


def _steps(name, cells, seconds):
    """The style sheet of a frame that stands on each cell (x, y) in turn; at rest, on the first."""
    spots = [(CELL * x, CELL * y) for x, y in cells]
    return walk(name, spots, rest=0, share=100 / len(spots), timing=f"{seconds}s step-end")
