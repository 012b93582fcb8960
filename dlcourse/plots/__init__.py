"""Figures of the course: one style, one message a figure, arrays in."""

from dlcourse.plots.colors import COLORS
from dlcourse.plots.graph import draw_graph

__all__ = ["COLORS", "draw_graph"]
