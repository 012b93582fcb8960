"""Paths down a loss surface, walked before the reader's eyes."""

from __future__ import annotations

from html import escape

from dlcourse.plots.arrays import to_numpy
from dlcourse.plots.figures import loss_surface
from dlcourse.plots.motion import Moving, page, walk
from dlcourse.plots.style import looks, to_svg


class Descents(Moving):
    """What `descents` returns: shows itself in a notebook, `.ax` is the still picture's Axes."""

    def __init__(self, ax, html, text):
        super().__init__(html, text)
        self.ax = ax


def descents(f, xlim, ylim, paths, *, name, label, seconds=8, **surface):
    """`loss_surface` with a ball on each path, all of them at the same step at the same time.

    Args:
        f, xlim, ylim, surface: as for `loss_surface`.
        paths: {name: (n, 2) positions}, n >= 2 the same for all; a path may leave the picture.
        name: a word for this figure, its own on the page.
        label: the text alternative.
        seconds: how long one walk takes.

    The box "pause" stops it. Raises ValueError for paths of different lengths.
    """
    paths = {key: to_numpy(path).astype(float) for key, path in paths.items()}
    if len({len(path) for path in paths.values()}) != 1 or len(next(iter(paths.values()))) < 2:
        raise ValueError(
            "descents expects paths of one length, 2 or more, but got "
            f"{ {key: len(path) for key, path in paths.items()} }"
        )
    ax = loss_surface(f, xlim, ylim, paths=paths, **surface)
    figure = ax.figure
    figure.set_dpi(72)  # one pixel is one unit of the SVG
    picture = to_svg(figure)
    height = figure.get_figheight() * 72
    rules, balls = [], []
    for i, (path, look) in enumerate(zip(paths.values(), looks(paths), strict=True)):
        spots = ax.transData.transform(path)
        rules.append(_frames(f"dl-{name}-{i}", spots[:, 0], height - spots[:, 1], seconds))
        balls.append(
            f'<circle class="dl-{name}-{i}" r="6.5" style="fill:{look["color"]};'
            'stroke:#ffffff;stroke-width:1.5"/>'
        )
    picture = picture.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    end = picture.rindex("</svg>")
    picture = picture[:end] + "".join(balls) + picture[end:]
    import matplotlib.pyplot as plt

    plt.close(figure)  # shown here, not once more below the cell
    return Descents(ax, page(name, "circle", rules, picture), label)


def _frames(ball, x, y, seconds):
    """A ball's style sheet: at rest at the end of its path; in motion, a stop at every step."""
    spots = list(zip(x, y, strict=True))
    share = 88 / (len(spots) - 1)  # in percent; the rest is a pause at the end
    return walk(ball, spots, rest=-1, share=share, timing=f"{seconds}s linear")
