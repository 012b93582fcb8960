"""The page of differences: every comment ``# NB: in torch ...`` of mini, and where it stands.

    python -m dlcourse.book.differences

writes ``chapters/reference/differences.md``; a test says when it is not that of the code.
"""

import ast
import re
import tokenize
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "chapters" / "reference" / "differences.md"
MARK = "# NB: in torch"
# What is a name, a call or the name of a node, and so code, in a comment.
CODE = re.compile(
    r"[\w.]+\([^()]*\)|\w+\[[^]]*\]|\w+=[\w.]+|\w*_\w+|\b\w+Backward0|CopySlices|\b\w \* \w+"
)
# What only the graph shows: values and derivatives are the same.
GRAPH = re.compile(r"\bnodes?\b|Backward0|CopySlices")

# Heading: the modules of mini it is about, by the start of their names.
PARTS = {
    "Tensors and their operations": ("_core", "_dtype", "_device", "_format", "ops", "special"),
    "Linear algebra": ("linalg", "ops.linalg", "ops.factor", "ops.matrix"),
    "Gradients": ("autograd", "func", "_grad_mode"),
    "Layers": ("nn",),
    "Functions of layers": ("nn.functional",),
    "Optimisers and schedules": ("optim",),
    "Data, files, random numbers": ("utils", "_serialization", "_torch_file", "random"),
    "Everything else": ("",),
}


@dataclass(frozen=True)
class Difference:
    module: str  # such as "ops.reduce"
    place: str  # the function or class in it, "" if the whole module is meant
    text: str

    @property
    def is_of_the_graph(self) -> bool:
        return bool(GRAPH.search(self.text))

    @property
    def part(self) -> str:
        fits = [
            (len(start), heading)
            for heading, starts in PARTS.items()
            for start in starts
            if not start or self.module == start or self.module.startswith(start + ".")
        ]
        return max(fits)[1]


def differences(package: Path = ROOT / "dlcourse" / "mini") -> list[Difference]:
    """All of them, in the order of files and lines."""
    return [
        Difference(module, place_of(tree, first, last), text)
        for path in sorted(package.rglob("*.py"))
        for module, tree in [
            (dotted(path.relative_to(package)), ast.parse(path.read_text("utf-8")))
        ]
        for first, last, text in notes(path)
    ]


def dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def notes(path: Path):
    """First line, last line and text of each comment of a file that starts with MARK."""
    with tokenize.open(path) as file:
        comments = {
            token.start[0]: token
            for token in tokenize.generate_tokens(file.readline)
            if token.type == tokenize.COMMENT
        }
    for first, token in comments.items():
        if token.string.startswith(MARK):
            last, pieces = first, [token.string.removeprefix("# NB: ")]
            while goes_on(token, comments.get(last + 1)):
                last += 1
                pieces.append(comments[last].string.lstrip("# "))
            yield first, last, " ".join(pieces)


def goes_on(first: tokenize.TokenInfo, line: tokenize.TokenInfo | None) -> bool:
    """Whether a comment that began with `first` has this line, too."""
    return bool(line) and line.start[1] == first.start[1] and not line.string.startswith(MARK)


def place_of(tree: ast.Module, first: int, last: int) -> str:
    """The qualified name of what a comment stands in, or of what begins right below it."""
    names, inside = [], tree
    while inside is not None:
        children, inside = definitions(inside), None
        for node in children:
            start = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            if start <= first <= node.end_lineno or start == last + 1:
                names.append(node.name)
                inside = node
    return ".".join(names)


def definitions(node: ast.AST):
    """The functions and classes of a node, also those inside its ifs and loops."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef):
            yield child
        else:
            yield from definitions(child)


# -- the page --------------------------------------------------------------------------------------

HEAD = """\
# Differences from torch

*Where does a program do something else when only its imports change?*

`mini` follows torch in names, order of arguments, defaults, types and the sentences of errors.
Where it does not, on purpose, the code says so in a comment that begins `NB: in torch`, and this
page lists these comments with the module and the function they stand in. What `mini` does not have
at all raises an error that says what it has. The page [mini beside torch](torch_map.md) says,
name by name, how near the results are.

This page is written by `make map`, and a test fails when the code has a comment that it lacks.
"""
GRAPH_HEAD = """
## Seen in the graph alone

Here values, gradients and second gradients are torch's. What differs is how many nodes lead there
and what they are called: a composition of simple operations shows what torch hides in one node.
"""


def page(found: list[Difference] | None = None) -> str:
    """The text of the page."""
    found = differences() if found is None else found
    text = HEAD
    for heading in PARTS:
        here = [d for d in found if d.part == heading and not d.is_of_the_graph]
        if here:
            text += f"\n## {heading}\n\n" + listing(here)
    return text + GRAPH_HEAD + "\n" + listing([d for d in found if d.is_of_the_graph])


def listing(found: list[Difference]) -> str:
    return "".join(f"- {where(d)}: {prose(d.text)}\n" for d in found)


def where(difference: Difference) -> str:
    module = f"`{difference.module or 'mini'}`"
    return f"`{difference.place}` in {module}" if difference.place else module


def prose(text: str) -> str:
    """A comment as a sentence of Markdown, names and calls in it as code."""
    text = text[0].upper() + text[1:]
    pieces, end = [], 0
    for match in CODE.finditer(text):
        pieces += [escaped(text[end : match.start()]), f"`{match.group()}`"]
        end = match.end()
    return "".join([*pieces, escaped(text[end:])])


def escaped(text: str) -> str:
    """Characters that mean something in Markdown as themselves."""
    return re.sub(r"([\\`*_{}\[\]<>$|])", r"\\\1", text)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(differences())} differences")
