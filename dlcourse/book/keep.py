"""Where a line may end: not between a formula and its punctuation; in a long name, after a mark.

To a browser a formula is a box, and before and after a box it may begin a new line, even where only
a colon or a closing bracket follows. So both go into one element that is not broken.

A name in code that is longer than a phone's line, such as a path, would break at any letter. So it
is told that it may after a slash, a dot or a bracket, though not before a file's ending. Who copies
the name does not copy that.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

BEFORE = re.compile(r"[(\[“‘]+$")
AFTER = re.compile(r"^[.,;:!?)\]%’”…]+")
LONG = re.compile(r"\S{30,}")  # what hardly fits on a phone's line
ENDS = re.compile(r"(?<=\w{3}[/.(=])(?=\w)(?!(?:ipynb|json|md|npz|py)\b)")


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


class BreakLongNames(SphinxPostTransform):
    """Let a long name in code begin a new line after each of its marks."""

    default_priority = 9
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for code in list(self.document.findall(nodes.literal)):
            text = code.astext()
            if LONG.search(text) and not isinstance(code.parent, nodes.title):
                first, *others = ENDS.split(text)
                ends = [[nodes.raw("", "<wbr>", format="html"), nodes.Text(o)] for o in others]
                code.children = []
                code += [nodes.Text(first), *(node for pair in ends for node in pair)]


def setup(app: Sphinx) -> None:
    app.add_post_transform(BreakLongNames)
    app.add_post_transform(KeepPunctuation)
