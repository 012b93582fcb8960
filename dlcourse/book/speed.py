"""The figure of the page on speed: mini's time beside torch's, and where it goes.

``{speed-figure}`` draws it from ``data/results/bench.json`` when the book is built, in the colours
and sizes of the other figures (``dlcourse/plots``), but without Matplotlib, which a build may lack.
"""

import json
import math
from html import escape
from pathlib import Path

from sphinx.util.docutils import SphinxDirective

from .captions import captioned
from .figures import COLORS

KINDS = {  # of work, in the order of the bars: what the page calls it, its colour, how dense
    "products": ("products", "hand", 0.3),
    "copies": ("copies", "gold", 0.3),
    "arrays": ("other arrays", "green", 0.3),
    "forward": ("Python forward", "purple", 0.5),
    "backward": ("Python backward", "purple", 0.2),
    "update": ("update", "sky", 0.3),
}
WIDTH, LEFT, RIGHT = 403.2, 152.0, 390.0  # points: as wide as the other figures; from 0 to the end
ROW, BAR = 21.0, 13.0
ENOUGH = 7  # percent: a share that has room for its number


def workloads(record: dict) -> dict[str, dict]:
    """The entries of a record of ``benchmarks.bench``, by name."""
    return {name: entry for name, entry in record.items() if name[0] == "W"}


def drawing(record: dict) -> str:
    """An SVG: above a bar of mini's time for each workload, below what that time consists of."""
    entries = workloads(record)
    above, height = _ratios(entries, 8)
    below, height = _shares(entries, height + 16)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}pt" height="{height:g}pt" '
        f'aria-label="{escape(in_words(entries))}">{above}{below}</svg>'
    )


def in_words(entries: dict[str, dict]) -> str:
    """What the drawing shows, for who cannot see it."""
    said = [
        f"{name}, {e['what']}: {e['one']['ratio']:g} times torch's time, target {e['target']:g}, "
        f"the largest share {most}, {shares[most]} %"
        for name, e in entries.items()
        for shares in [_python_as_one(e["where"])]
        for most in [max(shares, key=shares.get)]
    ]
    return f"Two bars for each workload. {'; '.join(said)}."


def _python_as_one(where: dict[str, int]) -> dict[str, int]:
    """The shares by what the page calls them, Python's forward and backward added up."""
    shares = {KINDS[kind][0]: share for kind, share in where.items()}
    return {"Python": shares.pop("Python forward") + shares.pop("Python backward")} | shares


# --------------------------------------------------------------------------------- the two halves


def _ratios(entries: dict[str, dict], y: float) -> tuple[str, float]:
    most = max(max(e["one"]["ratio"], e["target"]) for e in entries.values())
    end = math.ceil(2 * 1.17 * most) / 2  # with room for a number behind the longest
    scale = (RIGHT - LEFT) / end
    parts = [
        _bar(LEFT, y, 22, "mini") + _text(LEFT + 27, y + 10, "mini"),
        _line(LEFT + 78, y, y + BAR, "torch", dashes=True) + _text(LEFT + 84, y + 10, "torch"),
        _line(LEFT + 140, y, y + BAR, "ink", 2.6) + _text(LEFT + 146, y + 10, "target"),
    ]
    top = y = y + ROW
    bottom = top + ROW * len(entries)
    parts += [_tick(LEFT + scale * k / 2, top, bottom, f"{k / 2:g}") for k in range(int(2 * end))]
    marks = [_line(LEFT + scale, top, bottom, "torch", dashes=True)]  # on top of the bars
    for name, e in entries.items():
        ratio, target = e["one"]["ratio"], e["target"]
        after = LEFT + scale * max(ratio, target) + 6
        parts += [_name(name, e, y), _bar(LEFT, y + 4, scale * ratio, "mini")]
        parts.append(_text(after, y + 14, f"{ratio:.2f}"))
        marks.append(_line(LEFT + scale * target, y + 2, y + BAR + 6, "ink", 2.6))
        y += ROW
    parts += marks
    parts.append(_text((LEFT + RIGHT) / 2, y + 32, "time of mini / time of torch", "middle", 12))
    return "".join(parts), y + 36


def _shares(entries: dict[str, dict], y: float) -> tuple[str, float]:
    parts = []
    columns = 30, 161, 298  # of two lines, as far apart as their longest labels ask
    for k, (label, *look) in enumerate(KINDS.values()):
        x, line = columns[k % 3], y + ROW * (k // 3)
        parts += [_bar(x, line, 16, *look), _text(x + 21, line + 10, label)]
    top = y = y + 2 * ROW
    bottom = top + ROW * len(entries)
    scale = (RIGHT - LEFT) / 100  # points a percent
    parts += [_tick(LEFT + scale * k, top, bottom, f"{k}") for k in range(0, 101, 25)]
    for name, e in entries.items():
        parts.append(_name(name, e, y))
        x, whole = LEFT, sum(e["where"].values())  # rounded shares may sum to 99 or 101
        for kind, (_, *look) in KINDS.items():
            share = e["where"][kind]
            width = 100 * scale * share / whole
            if share:
                parts.append(_bar(x, y + 4, width, *look))
            if share >= ENOUGH:
                parts.append(_text(x + width / 2, y + 14, str(share), "middle"))
            x += width
        y += ROW
    parts.append(_text((LEFT + RIGHT) / 2, y + 32, "percent of mini's time", "middle", 12))
    return "".join(parts), y + 40


# ------------------------------------------------------------------------------------- the pieces


def _bar(x: float, y: float, width: float, color: str, density: float = 1.0) -> str:
    """A rectangle; a faint one, which may have ink on it, has an edge."""
    look = f"fill: {COLORS[color]}"
    if density < 1:
        look += f"; fill-opacity: {density}; stroke: {COLORS[color]}; stroke-width: 0.8"
    size = f'width="{width:.2f}" height="{BAR:g}"'
    return f'<rect x="{x:.2f}" y="{y:.2f}" {size} style="{look}"/>'


def _line(
    x: float, top: float, bottom: float, color: str, width: float = 1.8, dashes: bool = False
) -> str:
    look = f"stroke: {COLORS[color]}; stroke-width: {width}"
    look += "; stroke-dasharray: 5 3" if dashes else ""
    return f'<path d="M{x:.2f} {top:.2f}V{bottom:.2f}" style="{look}"/>'


def _tick(x: float, top: float, bottom: float, label: str) -> str:
    grid = _line(x, top, bottom + 4, "grid", 0.8)
    return grid + _text(x, bottom + 16, label, "middle")


def _name(name: str, entry: dict, y: float) -> str:
    what = entry["what"].replace(" 000", "\u202f000")  # as in the tables
    return _text(LEFT - 6, y + 14, f"{name} {what}", "end")


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 11) -> str:
    look = f"font-size: {size}px; fill: {COLORS['ink']}; text-anchor: {anchor}"
    return f'<text x="{x:.2f}" y="{y:.2f}" style="{look}">{escape(text)}</text>'


# ------------------------------------------------------------------------------------ on the page


def filled(caption: str, entries: dict[str, dict]) -> str:
    """The caption with LEAST and MOST, the ratios, and REACHED, how many keep to their target."""
    ratios = [e["one"]["ratio"] for e in entries.values()]
    reached = sum(e["one"]["ratio"] <= e["target"] for e in entries.values())
    words = {"LEAST": f"{min(ratios):g}", "MOST": f"{max(ratios):g}"}
    words["REACHED"] = f"{reached or 'none'} of {len(entries)}"
    for word, value in words.items():
        caption = caption.replace(word, value)
    return caption


class SpeedFigure(SphinxDirective):
    """The drawing, as a figure; the content is its caption."""

    has_content = True
    required_arguments = 1  # its name

    def run(self):
        path = Path(self.env.srcdir, "data", "results", "bench.json")
        self.env.note_dependency(str(path))
        try:
            record = json.loads(path.read_text("utf-8"))
            html = drawing(record)
        except (OSError, ValueError, KeyError, TypeError) as error:
            message = f"the recorded benchmark cannot be drawn: {error!r}"
            return [self.state.document.reporter.warning(message, line=self.lineno)]
        said = filled(" ".join(self.content), workloads(record))
        return [captioned(self, html, said)]


def setup(app) -> None:
    app.add_directive("speed-figure", SpeedFigure)
