"""Points that move from place to place before the reader's eyes.

The picture is whole without the motion: then the points stand at their last place.
"""

from __future__ import annotations

from html import escape

from dlcourse.plots.arrays import to_numpy
from dlcourse.plots.colors import COLORS
from dlcourse.plots.motion import Moving, page
from dlcourse.plots.style import to_svg

import numpy as np

REST = 0.5  # the share of its time that a point rests at a place before it moves on


class Stations(Moving):
    """What `stations` returns: shows itself in a notebook, `.ax` is the still picture's Axes."""

    def __init__(self, ax, html, text):
        super().__init__(html, text)
        self.ax = ax


def stations(places, labels, titles, *, ax, name, label, seconds=9):
    """Points of two classes that go through the plane of `ax`, all of them at the same time.

    Args:
        places: S arrays (N, 2), S >= 2.
        labels: N times 0, a dot, or 1, a square.
        titles: S texts, each shown while the points rest at that place.
        ax: Axes with limits, labels and whatever is to stand still.
        name: a word for this figure, its own on the page.
        label: the text alternative.
        seconds: how long one round takes. The box "pause" stops it.

    Raises ValueError for places, labels and titles that do not fit.
    """
    places, labels = [to_numpy(place).astype(float) for place in places], to_numpy(labels)
    shapes = {place.shape for place in places}
    if len(places) < 2 or len(titles) != len(places) or shapes != {(len(labels), 2)}:
        raise ValueError(
            f"stations expects 2 or more places (N, 2), a title for each, and N labels, but got "
            f"{sorted(shapes)} at {len(places)} places, {len(titles)} titles, {len(labels)} labels"
        )
    ax.set_title(" ")  # room for the titles
    figure = ax.figure
    figure.set_dpi(72)  # one pixel is one unit of the SVG
    picture = to_svg(figure).replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1)
    height = figure.get_figheight() * 72
    spots = np.stack([ax.transData.transform(place) for place in places])  # (S, N, 2)
    spots[..., 1] = height - spots[..., 1]
    x, top = ax.transAxes.transform((0.5, 1))
    drawn = [_point(f"dl-{name}", spots[:, i], labels[i]) for i in range(len(labels))]
    drawn += [_title(f"dl-{name}-{k}", x, height - top - 8, t) for k, t in enumerate(titles)]
    end = picture.rindex("</svg>")
    picture = picture[:end] + "".join(drawn) + picture[end:]
    import matplotlib.pyplot as plt

    plt.close(figure)  # shown here, not once more below the cell
    return Stations(ax, page(name, "*", _rules(name, len(places), seconds), picture), label)


def _point(name, spots, label):
    """A dot or a square, which carries its own places for the style sheet that all share."""
    at = "".join(f"--x{k}:{x:.1f}px;--y{k}:{y:.1f}px;" for k, (x, y) in enumerate(spots))
    look = f'class="{name}" style="{at}stroke:{COLORS["paper"]};stroke-width:.8;fill:'
    if label:
        return f'<rect x="-4" y="-4" width="8" height="8" {look}{COLORS["torch"]}"/>'
    return f'<circle r="4.5" {look}{COLORS["mini"]}"/>'


def _title(name, x, y, text):
    return (
        f'<text class="{name}" x="{x:.1f}" y="{y:.1f}" text-anchor="middle" '
        f'style="font:12px DejaVu Sans,Verdana,sans-serif;fill:{COLORS["ink"]}">'
        f"{escape(text)}</text>"
    )


def _rules(name, count, seconds):
    """The style sheet: at rest, the last place and title; in motion, each of them in turn."""
    share, spot = 100 / count, "transform:translate(var(--x{0}),var(--y{0}))"
    times = [(share * k, share * (k + REST)) for k in range(count - 1)] + [(100 - share, 100)]
    stops = [f"{a:.2f}%,{b:.2f}%{{{spot.format(k)}}}" for k, (a, b) in enumerate(times)]
    rules = [f".dl-{name}{{{spot.format(count - 1)}}}@keyframes dl-{name}{{{''.join(stops)}}}"]
    moving = [f".dl-{name}{{animation:dl-{name} {seconds}s ease-in-out infinite}}"]
    for k in range(count):
        rules.append(
            f".dl-{name}-{k}{{opacity:{int(k == count - 1)}}}@keyframes dl-{name}-{k}"
            f"{{0%{{opacity:0}}{share * k:.2f}%{{opacity:1}}{share * (k + 1):.2f}%{{opacity:0}}}}"
        )
        moving.append(f".dl-{name}-{k}{{animation:dl-{name}-{k} {seconds}s step-end infinite}}")
    return [*rules, f"@media (prefers-reduced-motion:no-preference){{{''.join(moving)}}}"]
