"""The page of derivations: every numbered equation of the book, and the cell that proves it.

    python -m dlcourse.book.derivations

writes ``chapters/reference/derivations.md``; a test says when it is not that of the notebooks, and
when an equation has no proof: a cell soon after it that runs an assertion.  A function that asserts
is shown with the cell that calls it.  Where others than the first are the proof, their metadata say
so: ``"proves": ["eq-label"]``.
"""

import ast
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
# A cell that proves something fails when it does not hold: by assert, or by a call of one of these.
PROOF = re.compile(r"assert_\w+|equal|grad(?:grad)?check")
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
        for match in MARKS.finditer(cell.source):
            if match[1]:
                headings.append(match[1])
                continue
            label, formula = match["label"] or match["name"], match["formula"] or match["body"]
            proof = proof_of(label, cells, at)
            found.append(Equation(page, headings[0], headings[-1], label, formula.strip(), proof))
    return found


def proof_of(label: str, cells, at: int) -> str | None:
    """What proves the equation in cell `at`; None if nothing does."""
    marked = [cell.source for cell in cells if label in cell.metadata.get("proves", ())]
    if marked:
        return "\n\n\n".join(marked)
    codes = [cell.source for cell in cells[at + 1 :] if cell.cell_type == "code"][:NEAR]
    for number, code in enumerate(codes):
        asserts, runs = assertions(code)
        for more in codes[number + 1 :]:
            if runs or not asserts:
                break
            code = f"{code}\n\n\n{more}"
            asserts, runs = assertions(code)
        if runs:
            return code
    return None


def assertions(code: str) -> tuple[bool, bool]:
    """Whether code asserts anywhere, and whether it does when it runs."""
    tree = ast.parse(re.sub(r"^[%!].*", "", code, flags=re.MULTILINE))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    asserting = {name for name, node in functions.items() if proves(node, set())}
    at_once = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return proves(tree, set()), any(proves(node, asserting) for node in at_once)


def proves(tree: ast.AST, asserting: set[str]) -> bool:
    """Whether there is an assertion in it, or a call of a function that is known to assert."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            foreign = name == "equal" and isinstance(node.func, ast.Attribute)  # torch.equal tells
            if name in asserting or (PROOF.fullmatch(name) and not foreign):
                return True
    return False


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
        here = (chapter, section, equation.proof)
        if after is None or (after.page, after.section, after.proof) != here:
            text += f"\n::::{{dropdown}} The proof\n```none\n{equation.proof}\n```\n::::\n"
    return text


if __name__ == "__main__":
    every = equations()
    for equation in every:
        if equation.proof is None:
            print(f"{equation.page}: {equation.label} has no proof")
    PAGE.write_text(page(every), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(every)} equations")
