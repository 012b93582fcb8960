"""Punctuation stays with the formula that it belongs to.

To a browser a formula is a box, and before and after a box it may begin a new line, even where only
a colon or a closing bracket follows. So both go into one element that is not broken.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

BEFORE = re.compile(r"[(\[“‘]+$")
AFTER = re.compile(r"^[.,;:!?)\]%’”…]+")


class KeepPunctuation(SphinxPostTransform):
    """Put each formula in a line of text, with the marks that touch it, into a ``dl-keep``."""

    default_priority = 9
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for formula in list(self.document.findall(nodes.math)):
            before, after = neighbour(formula, -1, BEFORE), neighbour(formula, 1, AFTER)
            if before or after:
                kept = nodes.inline(classes=["dl-keep"])
                formula.replace_self(kept)
                kept += [*before, formula, *after]


def neighbour(formula: nodes.math, side: int, marks: re.Pattern) -> list[nodes.Text]:
    """The marks that touch a formula on one side, taken out of the text there."""
    parent = formula.parent
    place = parent.index(formula) + side
    text = parent[place] if 0 <= place < len(parent) else None
    found = marks.search(text.astext()) if isinstance(text, nodes.Text) else None
    if not found:
        return []
    rest = marks.sub("", text.astext())
    parent[place : place + 1] = [nodes.Text(rest)] if rest else []
    return [nodes.Text(found[0])]


def setup(app: Sphinx) -> None:
    app.add_post_transform(KeepPunctuation)
