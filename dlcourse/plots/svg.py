"""The picture of a graph as SVG, written by hand: crisp at any size, the same bytes every time.

Colours are CSS variables with the light palette as fallback, so that a page may change them and a
notebook without them shows the light ones. Text is monospaced: its width is known without a font.
"""

from __future__ import annotations

import os
import re
import tempfile
from html import escape
from itertools import pairwise

from dlcourse.plots.colors import COLORS
from dlcourse.plots.layout import layered_layout

TITLE, SMALL = 13, 11  # font sizes in pixels
ADVANCE = 0.602  # the width of a letter of the usual monospaced fonts, in font sizes
FONT = 'ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace'
MARGIN = 14
ARROW = 7
BADGE = 9  # radius of the number that says when backward comes
LONGEST = 26  # letters of a name in the picture; the text has it whole
FITS = 300  # pixels: what is not wider needs no scrolling even on a small phone
SHRINK = 0.65  # down to this scale a wide graph shrinks with the page; then it scrolls


def paint(name):
    return f"var(--dl-{name}, {COLORS[name]})"


def inline(drawing) -> str:
    """The picture for a page: in a box of its own, that scrolls when the page is too narrow."""
    picture, width, _ = _picture(drawing)
    least = min(width, max(FITS, round(width * SHRINK)))
    style = f"display:block;width:{width}px;max-width:100%;min-width:{least}px;"
    style += "height:auto;margin:0 auto"
    scrolls = least > FITS  # then the box can be reached, and moved, with the keyboard
    focus = f' tabindex="0" role="region" aria-label="{_attr(drawing.label)}"' if scrolls else ""
    box = f'<div class="dl-graph" style="overflow-x:auto;max-width:100%"{focus}>'
    return f"{box}{picture.replace('<svg ', f'<svg style={chr(34)}{style}{chr(34)} ', 1)}</div>"


def standalone(drawing) -> str:
    """The picture as a file: fixed colours, a background."""
    picture, width, height = _picture(drawing)
    picture = re.sub(r"var\(--dl-[a-z]+, (#[0-9a-f]{6})\)", r"\1", picture)
    size = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + picture.replace("<svg ", size, 1) + "\n"


def write_atomically(path, text):
    """Write beside the place, then move: whoever reads `path` sees a whole file, old or new."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _picture(drawing):
    """(the <svg> element, its width, its height)."""
    nodes, edges = drawing.nodes, drawing.edges
    fan_in = [sum(target == i for _, target in edges) for i in range(len(nodes))]
    sizes = [_size(node, n) for node, n in zip(nodes, fan_in, strict=True)]
    plan = layered_layout(sizes, edges, direction=drawing.direction)
    width, height = (round(side) + 2 * MARGIN for side in (plan.width, plan.height))
    parts = [
        f'<svg class="dl-graph-svg" role="img" aria-label="{_attr(drawing.label)}" '
        f'viewBox="0 0 {width} {height}">',
        f"<title>{escape(drawing.label)}</title><desc>{escape(drawing.text)}</desc>",
        f'<rect width="{width}" height="{height}" style="fill:{paint("paper")}"/>',
        f'<g transform="translate({MARGIN} {MARGIN})">',
        f'<g style="fill:none;stroke:{paint("muted")};stroke-width:1.5">',
    ]
    ends = []
    for route in plan.routes:
        line, tip = _route(route[::-1] if drawing.order else route, drawing.direction)
        parts.append(f'<path d="{line}"/>')
        ends.append(tip)
    parts.append(f'</g><path style="fill:{paint("muted")}" d="{"".join(ends)}"/>')
    parts.append(f"<g style='font-family:{FONT};font-size:{TITLE}px;text-anchor:middle'>")
    parts += [_node(node, box) for node, box in zip(nodes, plan.boxes, strict=True)]
    return "\n".join([*parts, "</g></g></svg>"]), width, height


def _attr(text):
    return escape(text.replace("\n", "; "), quote=True)


# -- nodes -------------------------------------------------------------------------------------


def _lines(node):
    """[(text, is a title), ...]: what stands in the box."""
    name = f"{_cut(node.name)} = {node.label}" if node.name else _cut(node.label)
    lines = [(name, True)]
    dtype = "" if node.dtype == "float32" else node.dtype  # torch, too, leaves its default out
    facts = " ".join(f for f in ["" if node.shape is None else str(node.shape), dtype] if f)
    if node.kind in ("output", "constant"):
        facts = f"● {node.engine} {facts}"  # the engine in words, beside its colour
    if facts:
        lines.append((facts, False))
    lines += [(f"{what} {value}", False) for what, value in node.values]
    if node.kind == "constant":
        lines.append(("no gradient, no graph", False))
    return lines


def _cut(text):
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _size(node, fan_in):
    lines = _lines(node)
    letters = max(len(text) * (TITLE if title else SMALL) * ADVANCE for text, title in lines)
    width = max(letters + (22 if node.number is None else 32), 14 * fan_in + 18, 52)
    return 2 * round(width / 2), 28 + 15 * (len(lines) - 1)


def _node(node, box):
    """The box, its lines, and a tooltip with everything that is known."""
    x, y, w, h = box
    middle = x + w / 2
    look = _LOOKS[node.kind].format(engine=paint(node.engine or "muted"), paper=paint("paper"))
    tip = node.description if node.kind != "operation" else f"{node.description}, {node.engine}"
    rx = {"operation": 8, "output": min(h / 2, 22), "more": 8}.get(node.kind, 1.5)
    out = [f"<g><title>{escape(tip)}</title>"]
    shape = f'x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" rx="{_n(rx)}"'
    out.append(f'<rect {shape} style="fill:{paint("paper")}"/><rect {shape} style="{look}"/>')
    baseline = y + 18.5
    for text, is_title in _lines(node):
        out.append(_text(middle, baseline, text, is_title, node))
        baseline += 15
    if node.number is not None:
        out.append(_badge(x - 2, y + h / 2, node.number))
    return "".join([*out, "</g>"])


# A leaf is a sharp box, filled, for it holds numbers; an operation is round; an output is a pill.
_LOOKS = {
    "leaf": "fill:{engine};fill-opacity:0.13;stroke:{engine};stroke-width:1.5",
    "operation": "fill:{paper};stroke:{engine};stroke-width:1.5",
    "output": "fill:{engine};fill-opacity:0.13;stroke:{engine};stroke-width:2.5",
    "constant": "fill:{paper};stroke:{engine};stroke-width:1.5;stroke-dasharray:5 4",
    "more": "fill:{paper};stroke:{engine};stroke-width:1.5;stroke-dasharray:5 4",
}


def _text(x, y, text, is_title, node):
    bold = ";font-weight:600" if is_title and node.kind != "operation" else ""
    style = f"fill:{paint('ink')}{bold}"
    if not is_title:
        style = f"fill:{paint('ink')};font-size:{SMALL}px"
    text = escape(text)
    if is_title and node.name:
        text = re.sub("^(.*?)( = )", r'<tspan style="font-weight:600">\1</tspan>\2', text)
    if text.startswith("●"):
        text = f'<tspan style="fill:{paint(node.engine)}">●</tspan>{text[1:]}'
    return f'<text x="{_n(x)}" y="{_n(y)}" style="{style}">{text}</text>'


def _badge(x, y, number):
    r = BADGE if number < 100 else BADGE + 4
    ring = f"fill:{paint('ink')};stroke:{paint('paper')};stroke-width:1.5"
    style = f"fill:{paint('paper')};font-size:{SMALL}px;font-weight:600"
    return (
        f'<rect x="{_n(x - r)}" y="{_n(y - BADGE)}" width="{2 * r}" height="{2 * BADGE}" '
        f'rx="{BADGE}" style="{ring}"/>'
        f'<text x="{_n(x)}" y="{_n(y + 4)}" style="{style}">{number}</text>'
    )


# -- edges -------------------------------------------------------------------------------------


def _route(points, direction):
    """(the path of an edge, its arrowhead): curves between the layers, straight through them."""
    across = 0 if direction == "down" else 1  # which coordinate runs along a layer
    along = 1 - across
    points = [list(p) for p in points]
    sign = 1 if points[-1][along] > points[0][along] else -1
    tip = list(points[-1])
    base = tip[along] - sign * ARROW
    for point in points[1:]:  # the line ends where the arrowhead begins
        point[along] = min(point[along], base) if sign > 0 else max(point[along], base)
    path = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        if (x1, y1) == (x2, y2):
            continue
        if (x1, y1)[across] == (x2, y2)[across]:
            path.append(f"L{_n(x2)} {_n(y2)}")
        elif across == 0:
            m = (y1 + y2) / 2
            path.append(f"C{_n(x1)} {_n(m)} {_n(x2)} {_n(m)} {_n(x2)} {_n(y2)}")
        else:
            m = (x1 + x2) / 2
            path.append(f"C{_n(m)} {_n(y1)} {_n(m)} {_n(y2)} {_n(x2)} {_n(y2)}")
    wing = 4
    x, y = tip
    if across == 0:
        head = f"M{_n(x)} {_n(y)}L{_n(x - wing)} {_n(base)}L{_n(x + wing)} {_n(base)}Z"
    else:
        head = f"M{_n(x)} {_n(y)}L{_n(base)} {_n(y - wing)}L{_n(base)} {_n(y + wing)}Z"
    return "".join(path), head


def _n(number):
    """A number as short as it can be said to a tenth of a pixel."""
    return f"{round(number, 1):g}"
