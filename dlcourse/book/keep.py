"""Where a line may end: not between a formula and its punctuation; in a long name, after a mark.
Short code, an option of a command, and a number with its unit stay whole. What a traceback quotes
keeps its lines, and its message is wrapped.

To a browser a formula is a box, and before and after a box it may begin a new line, even where only
a colon or a closing bracket follows. So both go into one element that is not broken.

A name in code that is longer than a phone's line, such as a path, would break at any letter. So it
is told that it may after a slash, a dot or a bracket, though not before a file's ending. Who copies
the name does not copy that.
"""

import re
from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

BEFORE = re.compile(r"[(\[“‘]+$")
AFTER = re.compile(r"^[.,;:!?)\]%’”…]+")
LONG = re.compile(r"\S{30,}")  # what hardly fits on a phone's line
SHORT = 16  # letters of code that fit beside a word or two on a phone
OPTION = re.compile(r"(?<!\S)(--\w[\w-]*)")
# The space between a number, which may be a formula or a recorded one, and its unit.
UNIT = re.compile(r"(?:(?<=\d)|^) (?=(?:%|[kMGT]i?B\b|m?s\b))")
# What Python and its libraries call their errors, after the empty line that ends what is quoted.
KINDS = "Error|Exception|Exit|Interrupt|Iteration|Warning"
MESSAGE = re.compile(rf"\n\n(?=((?:\w+\.)*\w+(?:{KINDS}))\b)")
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


class KeepShortCode(SphinxPostTransform):
    """Break no short code at its spaces and signs, and no option behind its two dashes."""

    default_priority = 10  # what is broken on purpose is left to BreakLongNames
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for code in list(self.document.findall(nodes.literal)):
            text = code.astext()
            if len(text) <= SHORT:
                code["classes"].append("dl-keep")
            elif OPTION.search(text) and len(code.children) == 1:
                parts = enumerate(OPTION.split(text))  # every second one is an option
                code.children = []
                code += [
                    nodes.inline("", part, classes=["dl-keep"]) if n % 2 else nodes.Text(part)
                    for n, part in parts
                ]


class KeepUnits(SphinxPostTransform):
    """Begin no line with the unit of the number that ends the one before."""

    default_priority = 9
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for text in list(self.document.findall(nodes.Text)):
            if not isinstance(text.parent, nodes.FixedTextElement | nodes.literal | nodes.math):
                kept = UNIT.sub("\N{NO-BREAK SPACE}", text)
                if kept != text:
                    text.parent.replace(text, nodes.Text(kept))


class NameExercises(SphinxPostTransform):
    """Mark what an exercise is checked by, `page.name`: in its box it fits into one line."""

    default_priority = 9
    formats = ("html",)

    def run(self, **kwargs) -> None:
        name = re.compile(rf"{self.env.docname.rpartition('/')[2]}\.\w+")
        for code in self.document.findall(nodes.literal):
            if name.fullmatch(code.astext()):
                code["classes"].append("dl-exercise")


class WrapMessages(SphinxPostTransform):
    """Part a traceback in two: code, to be scrolled as code is, and words, to be read whole."""

    default_priority = 9
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for block in list(self.document.findall(nodes.literal_block)):
            found = list(MESSAGE.finditer(block.astext()))
            if found and "traceback" in block["classes"]:
                block.replace_self([*parted(block, found[-1])])


def parted(block: nodes.literal_block, message: re.Match) -> tuple[nodes.literal_block, nodes.raw]:
    """What a traceback quotes, and its message: no code, so that its words are not coloured so."""
    text, name = message.string, message[1]
    quoted = block.copy()
    quoted.rawsource = text[: message.start()]
    quoted += nodes.Text(quoted.rawsource)
    quoted["classes"].append("quoted")
    words = f'<span class="ne">{name}</span>{escape(text[message.end() + len(name) :])}'
    html = (
        '<div class="output traceback message highlight-none notranslate"><div class="highlight">'
        f"<pre>{words}\n</pre></div></div>"
    )
    return quoted, nodes.raw("", html, format="html")


def setup(app: Sphinx) -> None:
    app.add_post_transform(KeepShortCode)
    app.add_post_transform(KeepUnits)
    app.add_post_transform(NameExercises)
    app.add_post_transform(WrapMessages)
    app.add_post_transform(BreakLongNames)
    app.add_post_transform(KeepPunctuation)
