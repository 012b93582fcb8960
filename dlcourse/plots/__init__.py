"""Figures of the course: one style, one message a figure, arrays in and Axes out.

    plots.use_style()                                  once, in the first cell
    plots.curves({"mini": losses, "torch": losses})    and the other figures of `figures.py`
    plots.draw_graph(loss, model)                      the computational graph, mini's or torch's

colors.py the palette, style.py the look, figures.py the figures, motion.py, descent.py, stations.py
and window.py those that move, memory.py views in their memory; graph.py, layout.py and svg.py draw
graphs, without Matplotlib.
Nothing here imports mini or torch.
"""

from dlcourse.plots.colors import COLORS
from dlcourse.plots.descent import descents
from dlcourse.plots.figures import (
    bars,
    confusion_matrix,
    curves,
    decision_boundary,
    function_and_tangent,
    histogram,
    image_grid,
    loss_surface,
)
from dlcourse.plots.graph import GraphDrawing, draw_graph
from dlcourse.plots.memory import memory_walk
from dlcourse.plots.stations import stations
from dlcourse.plots.style import save_figure, shades, to_svg, use_style
from dlcourse.plots.window import sliding_window

__all__ = [
    "COLORS",
    "GraphDrawing",
    "bars",
    "confusion_matrix",
    "curves",
    "decision_boundary",
    "descents",
    "draw_graph",
    "function_and_tangent",
    "histogram",
    "image_grid",
    "loss_surface",
    "memory_walk",
    "save_figure",
    "shades",
    "sliding_window",
    "stations",
    "to_svg",
    "use_style",
]
