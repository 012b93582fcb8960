"""The page of derivations: every numbered equation of the book, and the cell that proves it.

    python -m dlcourse.book.derivations

writes ``chapters/reference/derivations.md``; a test says when it is not that of the notebooks, and
when an equation has no proof: a cell soon after it that asserts something.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from dlcourse.book.differences import ROOT

import nbformat

CHAPTERS = ROOT / "chapters"
PAGE = CHAPTERS / "reference" / "derivations.md"
# $$ ... $$ (label), or the directive math with a label.
EQUATION = re.compile(
    r"\$\$\n?(?P<formula>[^$]+?)\n?\$\$ \((?P<label>[\w-]+)\)"
    r"|```\{math\}\n:label: (?P<name>[\w-]+)\n+(?P<body>(?s:.)+?)\n```"
)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
MARKS = re.compile(f"{HEADING.pattern}|{EQUATION.pattern}", re.MULTILINE)
# A cell that proves something fails when it does not hold.
PROOF = re.compile(r"\bassert\b|\bassert_\w+\(|(?<!\.)\bequal\(|\bgrad(?:grad)?check\(")
NEAR = 4  # an equation is proved in one of so many cells after it


@dataclass(frozen=True)
class Equation:
    page: str  # such as "foundations/autograd"
    chapter: str  # its title
    section: str
    label: str
    formula: str
    proof: str | None  # the source of the cell; None if there is none


def equations(chapters: Path = CHAPTERS) -> list[Equation]:
    """All of them, in the order of the book."""
    pages = re.findall(r"file: chapters/([\w/]+)", (chapters.parent / "_toc.yml").read_text())
    paths = [chapters / f"{page}.ipynb" for page in pages]
    return [equation for path in paths if path.exists() for equation in of_notebook(path, chapters)]


def of_notebook(path: Path, chapters: Path) -> list[Equation]:
    cells = nbformat.read(path, as_version=4).cells
    page = path.relative_to(chapters).with_suffix("").as_posix()
    found, headings = [], []
    for at, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        proof = proof_after(cells, at)
        for match in MARKS.finditer(cell.source):
            if match[1]:
                headings.append(match[1])
                continue
            label, formula = match["label"] or match["name"], match["formula"] or match["body"]
            found.append(Equation(page, headings[0], headings[-1], label, formula.strip(), proof))
    return found


def proof_after(cells, at: int) -> str | None:
    """The first of the next cells of code that proves something; None if none does."""
    codes = [cell.source for cell in cells[at + 1 :] if cell.cell_type == "code"][:NEAR]
    return next((code for code in codes if PROOF.search(code)), None)


# -- the page --------------------------------------------------------------------------------------

HEAD = """\
# Derivations

*Which formulas does the book prove, and how?*

Every numbered equation of the chapters, in their order, with the cell that proves it: one that
fails when the equation does not hold. It compares with the complex step or finite differences, with
torch, or with numbers counted exactly, and it runs whenever the book is tested. A number leads to
the equation in its chapter, where it is derived; equations in a row may share a proof.

This page is written by `make notebooks`, and a test fails when it is not that of the chapters, or
when an equation has no proof.
"""


def page(found: list[Equation] | None = None) -> str:
    """The text of the page; equations in a row that share a cell are shown before it."""
    text, chapter, section = HEAD, None, None
    found = equations() if found is None else found
    for at, equation in enumerate(found):
        if equation.page != chapter:
            text += f"\n## [{equation.chapter}](../{equation.page}.ipynb)\n"
        if (equation.page, equation.section) != (chapter, section):
            text += f"\n**{equation.section}**\n"
        chapter, section = equation.page, equation.section
        text += f"\n{{eq}}`{equation.label}`\n\n$$\n{equation.formula}\n$$\n"
        after = found[at + 1] if at + 1 < len(found) else None
        if after is None or (after.page, after.proof) != (chapter, equation.proof):
            text += f"\n::::{{dropdown}} The proof\n```none\n{equation.proof}\n```\n::::\n"
    return text


if __name__ == "__main__":
    every = equations()
    for equation in every:
        if equation.proof is None:
            print(f"{equation.page}: {equation.label} has no proof")
    PAGE.write_text(page(every), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(every)} equations")
