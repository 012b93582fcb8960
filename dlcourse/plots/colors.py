"""The palette: the only place where a colour of a figure is written down.

Stored figures are drawn in these light colours on white, so that they can be read anywhere. The
site replaces each of them by the CSS variable ``--dl-<name>``, so that figures follow a dark page.
This file imports nothing, so that the tools of the book can read it without Matplotlib.
"""

COLORS = {
    "paper": "#ffffff",  # the background
    "ink": "#1f2328",  # text and axes
    "muted": "#6e7781",  # secondary text
    "grid": "#d8dee4",  # grid lines, faint borders
    "mini": "#0072b2",  # what dlcourse.mini computed
    "torch": "#d55e00",  # what torch computed
    "hand": "#6e7781",  # what was computed by hand or from a formula (the same as muted)
    "green": "#00805e",
    "purple": "#a8478a",
    "gold": "#8a6d00",
    "sky": "#3d8fc4",
    "red": "#a83232",
}
"""The colours of all figures, {name: hex}; the site swaps them on dark pages."""
