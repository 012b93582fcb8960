"""What figures that move share: SVG and CSS, no script, and a box "pause".

A picture is whole without its motion, so it can be printed, and it stands still for readers who
have asked their system for that.
"""

from __future__ import annotations


class Moving:
    """A picture with moving parts: shows itself in a notebook."""

    def __init__(self, html, text):
        self.html, self.text = html, text

    def __repr__(self):
        return self.text

    def _repr_html_(self):
        return self.html


def walk(name, spots, *, rest, share, timing):
    """The style sheet of the class `name`, which goes from spot (x, y) to spot in pixels, for ever.

    `rest`: the number of the spot where it stands without motion.  `share`: percent of the time
    between two spots.  `timing`: how long a walk takes, and how it goes from spot to spot.
    """
    spots = [f"transform:translate({x:.1f}px,{y:.1f}px)" for x, y in spots]
    stops = "".join(f"{share * t:.2f}%{{{spot}}}" for t, spot in enumerate(spots))
    return (
        f".{name}{{{spots[rest]}}}@keyframes {name}{{{stops}100%{{{spots[-1]}}}}}"
        "@media (prefers-reduced-motion:no-preference){"
        f".{name}{{animation:{name} {timing} infinite}}}}"
    )


def page(name, moving, rules, picture):
    """HTML: a box "pause" that stops all `moving` elements, and the picture, an SVG, below it."""
    pause = f"#dl-{name}-pause:checked~svg {moving}{{animation-play-state:paused}}"
    return (
        f'<div style="max-width:100%"><style>{"".join(rules)}{pause}</style>'
        f'<input type="checkbox" id="dl-{name}-pause"> '
        f'<label for="dl-{name}-pause">pause</label><br>{picture}</div>'
    )
