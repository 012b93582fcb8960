"""One look for every figure: `use_style()` in the first cell; colours and line styles by name.

Matplotlib is imported only when a figure is made, so that `draw_graph` and the palette do without.
"""

from __future__ import annotations

import io
import os
import re
import sys

from dlcourse.plots.colors import COLORS
from dlcourse.plots.svg import write_atomically

FIGURE_SIZE = (5.6, 3.4)  # inches: 538 pixels wide, so that letters stay readable at 340

# No date and no version in the file: the same figure gives the same bytes.
NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}

# The same colour for the same thing everywhere, and a line style and marker of its own beside it.
# mini is a broad line and torch a dashed one above it: where both agree, both can be seen.
ENGINES = {
    "mini": {"color": COLORS["mini"], "linestyle": "-", "linewidth": 3.2, "marker": "o"},
    "torch": {"color": COLORS["torch"], "linestyle": "--", "linewidth": 1.8, "marker": "s"},
    "hand": {"color": COLORS["hand"], "linestyle": ":", "linewidth": 2.2, "marker": "^"},
}
OTHERS = [
    {"color": COLORS[name], "linestyle": line, "linewidth": 2.0, "marker": marker}
    for name, line, marker in [
        ("green", "-", "D"),
        ("purple", (0, (6, 2)), "v"),
        ("gold", "-.", "P"),
        ("sky", (0, (1, 1)), "X"),
        ("red", (0, (8, 1.5, 1, 1.5, 1, 1.5)), "<"),
        ("ink", (0, (12, 3)), "*"),
    ]
]
MORE_LINES = ["-", "--", ":", "-.", (0, (6, 2))]  # a second curve of the same engine
SYNONYMS = {"pytorch": "torch", "by": "hand", "formula": "hand", "exact": "hand"}


def use_style() -> None:
    """Set the look of all figures that follow; in a notebook they become SVG.

    It starts from Matplotlib's defaults, whatever the reader's own settings are, so that a figure
    has the same bytes on every run. Works in a script, too. Needs Matplotlib.
    """
    import matplotlib.style
    from cycler import cycler

    looks = [ENGINES["mini"], ENGINES["torch"], *OTHERS, ENGINES["hand"]]
    matplotlib.style.use("default")
    matplotlib.rcParams.update(
        {
            "figure.figsize": FIGURE_SIZE,
            "figure.constrained_layout.use": True,
            "figure.facecolor": COLORS["paper"],
            "savefig.facecolor": COLORS["paper"],
            "axes.facecolor": COLORS["paper"],
            # DejaVu comes with Matplotlib: text is measured alike everywhere. It is also broad, so
            # that a page without it has room for the letters of the next font in the list.
            "font.sans-serif": ["DejaVu Sans", "Verdana", "Segoe UI", "Helvetica Neue", "Arial"],
            "font.size": 12,
            "axes.titlesize": 12,
            "axes.labelsize": 12,
            "xtick.labelsize": 11,
            "ytick.labelsize": 11,
            "legend.fontsize": 11,
            "text.color": COLORS["ink"],
            "axes.labelcolor": COLORS["ink"],
            "axes.titlecolor": COLORS["ink"],
            "axes.edgecolor": COLORS["muted"],
            "xtick.color": COLORS["muted"],
            "ytick.color": COLORS["muted"],
            "xtick.labelcolor": COLORS["ink"],
            "ytick.labelcolor": COLORS["ink"],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": COLORS["grid"],
            "grid.linewidth": 0.8,
            "lines.linewidth": 2.0,
            "lines.markersize": 6,
            "legend.frameon": False,
            "legend.handlelength": 2.8,
            "image.interpolation": "none",
            "image.composite_image": False,  # pixels stay pixels, each image at its own resolution
            "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and selected
            "svg.hashsalt": "dlcourse",
            "axes.prop_cycle": cycler(color=[look["color"] for look in looks])
            + cycler(linestyle=[look["linestyle"] for look in looks]),
        }
    )
    _use_svg_in_notebooks()


def _use_svg_in_notebooks():
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None:
        return
    import matplotlib_inline.backend_inline  # noqa: F401  it sets its own format now, not later
    from matplotlib.figure import Figure
    from matplotlib_inline.config import InlineBackend

    settings = InlineBackend.instance(parent=shell)
    settings.print_figure_kwargs = {"bbox_inches": None, "metadata": NO_METADATA}
    settings.figure_formats = {"svg"}
    shell.display_formatter.formatters["image/svg+xml"].for_type(Figure, to_svg)


def to_svg(figure) -> str:
    """The figure (or the figure of an Axes) as SVG text, the same bytes on every run.

    Coordinates are rounded to a hundredth of a point: smaller than can be seen, larger than the
    last digits in which two machines differ. The text starts with <svg, and its style sheet, which
    would apply to the whole of a page that holds the figure, has become an attribute.
    """
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "dlcourse", "svg.fonttype": "none"}):
        getattr(figure, "figure", figure).savefig(file, format="svg", metadata=NO_METADATA)
    text = file.getvalue().decode()
    text = re.sub(r"\s*<defs>\s*<style[^>]*>\*\{.*?\}</style>\s*</defs>", "", text, count=1)
    joins = '<svg style="stroke-linejoin:round;stroke-linecap:butt" '
    text = text[text.index("<svg ") :].replace("<svg ", joins, 1)
    return re.sub(
        r' (?:d="|x="|y="|width="|height="|transform="rotate|transform="translate)[^"]*"',
        _rounded,
        text,
    )


def _rounded(attribute):
    return re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.2f}", attribute[0])


def save_figure(figure, path) -> str:
    """Write a figure (or the figure of an Axes) as SVG to `path`, whole or not at all."""
    path = os.fspath(path)
    if not path.lower().endswith(".svg"):
        raise ValueError(f"save_figure writes SVG, so the name must end in .svg, but got {path!r}")
    write_atomically(path, to_svg(figure))
    return path


def looks(names) -> list[dict]:
    """Colour, line style, line width and marker for each name.

    A name that begins with "mini", "torch" or "by hand" has the look of that engine ("torch, test"
    too, with a line style of its own); others take the remaining colours in turn.
    """
    used, result, others = {}, [], 0
    for name in names:
        word = (re.findall(r"\w+", str(name).lower()) or [""])[0]
        engine = SYNONYMS.get(word, word)
        if engine in ENGINES:
            look = dict(ENGINES[engine])
            if engine in used:
                lines = [line for line in MORE_LINES if line != ENGINES[engine]["linestyle"]]
                look["linestyle"] = lines[(used[engine] - 1) % len(lines)]
            used[engine] = used.get(engine, 0) + 1
        else:
            look = dict(OTHERS[others % len(OTHERS)])
            if others >= len(OTHERS):
                # Purple has dashes already: on its second turn it is dotted.
                turn = others // len(OTHERS) + (look["linestyle"] == MORE_LINES[-1])
                look["linestyle"] = MORE_LINES[turn % len(MORE_LINES)]
            others += 1
        result.append(look)
    return result


def shades(color="mini"):
    """A colour map for `imshow`: the larger the value, the stronger the one colour.

    Transparent at the lowest value, so that on a dark page, too, nothing is shown as nothing.

    Args:
        color: a name of `COLORS`.
    """
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    ends = [to_rgba(COLORS[color], alpha) for alpha in (0, 1)]
    return LinearSegmentedColormap.from_list(color, ends)


def new_axes(ax=None, size=None, **kwargs):
    """`ax`, or the Axes of a new figure of `size` inches."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=size or FIGURE_SIZE, layout="constrained", **kwargs)[1]
