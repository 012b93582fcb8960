"""The reference of the package: the directive ``api`` shows a module's names from their docstrings.

    ```{api} dlcourse.mini
    :families: dlcourse.mini.ops
    ```

lists every public name of the module, with its signature and its docstring, and lets pages refer
to it (``{py:func}`dlcourse.mini.add` ``). With ``families``, a section holds the names that are
written in one module of that package; ``without`` leaves out names, or all those of a module.

``mini`` is imported, for tables make many of its functions. The rest of the package is read from
its source: it wants torch and Matplotlib, and the site is built where there is neither.
"""

import ast
import importlib
import inspect
import pkgutil
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from types import ModuleType
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util import inspect as sphinx_inspect
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).parents[2]
CODE = r"`[^`]+`|\"[^\"\s]+\""
INLINE = re.compile(rf"({CODE}|\*\*(?=\S)[^*]+(?<=\S)\*\*|(?<![\w*])\*\w+\*(?![\w*]))")
PRIME = re.compile(r"(?<![\w'])(\w)'(?!\w)")
# A block such as "Args:", its lines indented.
FIELDS = re.compile(r"(Args|Returns|Raises|Yields|Attributes):[ ]*\n((?:[ ]+.*\n?)+)")
# Modules whose name, mostly torch's, is no heading.
TITLES = {
    "dlcourse.mini.nn.adaptive": "Adaptive softmax",
    "dlcourse.mini.nn.functional": "Functions of layers",
    "dlcourse.mini.nn.functional.adaptive": "Adaptive pooling",
    "dlcourse.mini.optim.adaptive": "Steps for every weight",
    "dlcourse.mini.optim.matrix": "Weights as matrices",
    "adam_family": "Relatives of Adam",
    "base": "What schedules share",
    "batchnorm": "Batch norm",
    "channelshuffle": "Channel shuffle",
    "combined": "Schedules of schedules",
    "conv": "Convolution",
    "cycle": "Schedules that come back",
    "decay": "Schedules that go one way",
    "embed": "Writing into a copy",
    "inplace": "In place",
    "instancenorm": "Instance norm",
    "lbfgs": "L-BFGS",
    "linalg": "Products",
    "lu": "Matrix exponential",
    "matrices": "Triangles, diagonals, grids",
    "matrix": "Inverses and determinants",
    "normalization": "Normalisation",
    "pixelshuffle": "Pixel shuffle",
    "products": "More products",
    "rnn": "Recurrent networks",
    "sgd": "Gradient descent",
    "state": "Questions to a tensor",
    "typed": "Types of tensors",
}
LONGEST = 72  # characters of a constant that is shown


@dataclass
class Entry:
    """A function, class or constant under all its names."""

    names: list[str]
    kind: str
    arguments: str
    doc: str
    members: list["Entry"] = field(default_factory=list)


class Api(SphinxDirective):
    required_arguments = 1
    option_spec: ClassVar = dict.fromkeys(("families", "without"), directives.unchanged_required)

    def run(self) -> list[nodes.Node]:
        space = self.arguments[0]
        package = ROOT.joinpath(*space.split(".")[:2])
        for source in (package.with_suffix(".py"), *package.rglob("*.py")):
            self.env.note_dependency(str(source))
        what = "Class " if space.rpartition(".")[2][0].isupper() else "Module "
        found = [nodes.paragraph("", "", nodes.Text(what), nodes.literal("", space))]
        for family, entries in self.groups(space):
            shown = [self.shown(space, entry) for entry in entries]
            found += [self.section(space, family, shown)] if "families" in self.options else shown
        return found

    def groups(self, space: str) -> Iterator[tuple[ModuleType | None, list[Entry]]]:
        if not space.startswith("dlcourse.mini"):
            yield None, written(space)
            return
        owner, words = load(space), self.options.get("without", "").split()
        others = [load(word) for word in words if "." in word]
        names = [
            name
            for name in public_names(owner)
            if name not in words and not any(is_same(name, owner, other) for other in others)
        ]
        for family, members in families(owner, names, self.options.get("families")):
            entries = [live(owner, same) for same in aliases(owner, members)]
            yield family, in_order(entries) if hasattr(owner, "__all__") else entries

    def section(self, space: str, family: ModuleType | None, shown: list) -> nodes.section:
        """A family under its name, with the first sentences of its docstring."""
        name = family.__name__.rpartition(".")[2] if family else "others"
        said = inspect.getdoc(family).partition("\n\n")[0] if family else ""
        made = nodes.section(ids=[nodes.make_id(f"{space}-{name}")], names=[])
        made += nodes.title("", heading(f"{space}.{name}"))
        made += [*described(said), *shown]
        return made

    def shown(self, space: str, entry: Entry) -> addnodes.desc:
        made = addnodes.desc(domain="py", objtype=entry.kind, classes=["py", entry.kind])
        made += [self.signature(f"{space}.{name}", entry) for name in entry.names]
        inside = [self.shown(f"{space}.{entry.names[0]}", member) for member in entry.members]
        made += addnodes.desc_content("", *described(entry.doc), *inside)
        return made

    def signature(self, full: str, entry: Entry) -> addnodes.desc_signature:
        made = addnodes.desc_signature(ids=[full], classes=["sig", "sig-object", "py"])
        if entry.kind == "class":
            made += addnodes.desc_annotation("", "class ")
        made += addnodes.desc_name("", full.rpartition(".")[2])
        made += addnodes.desc_addname("", entry.arguments)
        self.state.document.note_explicit_target(made)
        self.env.domains["py"].note_object(full, entry.kind, full, location=made)
        return made


def heading(module: str) -> str:
    """What stands above the names that are written in a module."""
    name = module.rpartition(".")[2]
    return TITLES.get(module) or TITLES.get(name) or name.replace("_", " ").capitalize()


def in_order(entries: list[Entry]) -> list[Entry]:
    """Constants, classes, functions: each by name, in capitals or not."""
    kinds = "data", "class", "function"
    return sorted(entries, key=lambda entry: (kinds.index(entry.kind), entry.names[0].lower()))


# ------------------------------------------------------------------------------- what is imported


def load(path: str) -> object:
    """A module, or a class in one, by its dotted name."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        return getattr(load(module), name)


def public_names(owner: object) -> list[str]:
    """What a module lists in ``__all__``, else what is its own; the public names of a class.

    Not its modules, and not ``name_``, which is ``name`` written in place.
    """
    names = getattr(owner, "__all__", None) or [
        name
        for name, value in vars(owner).items()
        if not name.startswith("_") and (isinstance(owner, type) or is_own(owner, value))
    ]
    known = {name for name in names if callable(inspect.getattr_static(owner, name, None))}
    return [
        name
        for name in dict.fromkeys(names)
        if not isinstance(getattr(owner, name), ModuleType)
        and not (name.endswith("_") and name[:-1] in known)
    ]


def is_own(module: ModuleType, value: object) -> bool:
    """Whether a name is the module's own, or that of an operation, and no import of a helper."""
    at = getattr(value, "__module__", "")
    return callable(value) and (at == module.__name__ or ".ops." in at)


def families(owner: object, names: list[str], package: str | None) -> list[tuple]:
    """(module, names) for each module of the package that has names of them; (None, the rest)."""
    groups, homes = defaultdict(list), []
    if package:
        modules = pkgutil.iter_modules(load(package).__path__, f"{package}.")
        homes = [load(module.name) for module in modules]
    for name in names:
        value = thing(owner, name)
        at = getattr(value, "__module__", "") or ""
        fits = [home for home in homes if unwrapped(vars(home).get(name)) is value]
        own = [home for home in fits if home.__name__ == at]
        inside = package and at.startswith(package)
        groups[next(iter(own or fits), None) if inside else None].append(name)
    return sorted(groups.items(), key=lambda group: group[0].__name__ if group[0] else "~")


def unwrapped(value: object) -> object:
    return inspect.unwrap(value) if callable(value) else value


def thing(owner: object, name: str) -> object:
    return unwrapped(inspect.getattr_static(owner, name))


def is_same(name: str, one: object, other: object) -> bool:
    """Whether a name is public in both and the same: `x.exp` is `mini.exp`, but not so `float`."""
    return name in public_names(other) and thing(one, name) is thing(other, name)


def aliases(owner: object, names: list[str]) -> list[list[str]]:
    """The names, those of the same function together."""
    groups = defaultdict(list)
    for name in names:
        value = thing(owner, name)
        groups[id(value) if callable(value) else name].append(name)
    return list(groups.values())


def live(owner: object, names: list[str]) -> Entry:
    """What an object says of itself; of a class, its own documented methods, too."""
    value = thing(owner, names[0])
    kind = kind_of(value, owner)
    members = [live(value, [name]) for name in written_in(value)] if kind == "class" else []
    members = [m for m in members if m.kind not in ("data", "class") and m.doc]
    members = [m for m in members if m.names[0][0] != "_"]
    return Entry(names, kind, arguments(value, kind), docstring(value, kind), members)


def written_in(kind: type) -> list[str]:
    """The names in a class and in bases that it alone has, such as `Hooked`, a part of Module."""
    parts = [base for base in kind.__bases__ if base.__subclasses__() == [kind]]
    return list(
        dict.fromkeys([*vars(kind), *(name for part in parts for name in written_in(part))])
    )


def kind_of(value: object, owner: object) -> str:
    if isinstance(value, property):
        return "property"
    if isinstance(value, type):
        return "class"
    if not callable(getattr(value, "__func__", value)):  # a classmethod has a function inside
        return "data"
    return "method" if isinstance(owner, type) else "function"


def arguments(value: object, kind: str) -> str:
    """What stands between the parentheses; the value of a constant."""
    if kind == "property":
        return ""
    if kind == "data":
        shown = sphinx_inspect.object_description(value)
        return "" if len(shown) > LONGEST or " object" in shown else f" = {shown}"
    try:
        signature = sphinx_inspect.signature(getattr(value, "__func__", value))
    except (TypeError, ValueError):
        return ""  # an exception, which takes what its base takes
    text = sphinx_inspect.stringify_signature(signature, unqualified_typehints=True)
    text = re.sub(r"~(\w+\.)+", "", text).replace(" -> ", " → ")  # as those read from a source
    text = re.sub(r"<function ([\w.]+)>", r"\1", text).replace(f"={1 / 3}", "=1 / 3")
    return re.sub(r"^\((self|cls)(, )?", "(", text) if kind == "method" else text


def docstring(value: object, kind: str) -> str:
    """Its own docstring; none of what a constant's type or a base class says."""
    of_itself = getattr(value, "__dict__", {}).get("__doc__")
    own = of_itself if kind in ("class", "data") else value.__doc__
    return inspect.cleandoc(own or "")


# ------------------------------------------------------------------------------------ what is read


def written(space: str) -> list[Entry]:
    """The public names of a module from its source, and of a package from its modules' sources."""
    tree = parsed(space)
    found = {name: node for node in tree.body for name in names_of(node)}
    listed = found.pop("__all__", None)
    if listed is None:
        return [read(name, node) for name, node in found.items() if name[0] != "_"]
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            inside = {name: n for n in parsed(node.module).body for name in names_of(n)}
            found |= {alias.name: inside.get(alias.name) for alias in node.names}
    return in_order([read(name, found[name]) for name in ast.literal_eval(listed.value)])


def parsed(module: str) -> ast.Module:
    path = Path(ROOT, *module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    tree = ast.parse(path.read_text("utf-8"))
    for node, below in pairwise([*tree.body, ast.Pass()]):
        if isinstance(node, ast.Assign):  # what a constant is, a string below it says
            text = below.value if isinstance(below, ast.Expr) else None
            node.doc = inspect.cleandoc(text.value) if isinstance(text, ast.Constant) else ""
    return tree


def names_of(node: ast.stmt) -> list[str]:
    """What a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def read(name: str, node: ast.stmt, method: bool = False) -> Entry:
    if isinstance(node, ast.Assign):
        shown = ast.unparse(node.value)
        return Entry([name], "data", f" = {shown}" if len(shown) <= LONGEST else "", node.doc)
    doc, kinds = ast.get_docstring(node) or "", {ast.unparse(d) for d in node.decorator_list}
    if isinstance(node, ast.FunctionDef):
        if "property" in kinds:
            return Entry([name], "property", "", doc)
        bound = method and "staticmethod" not in kinds
        return Entry([name], "method" if method else "function", parameters(node, bound), doc)
    inside = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    start = parameters(inside["__init__"], True) if "__init__" in inside else ""
    if any(kind.startswith("dataclass") for kind in kinds):
        start = fields_of(node)
    members = [read(name, n, True) for name, n in inside.items() if name[0] != "_"]
    return Entry([name], "class", start, doc, [member for member in members if member.doc])


def fields_of(node: ast.ClassDef) -> str:
    """What a dataclass takes: its annotated fields."""
    shown = []
    for field_ in (n for n in node.body if isinstance(n, ast.AnnAssign)):
        default = field_.value
        if isinstance(default, ast.Call) and ast.unparse(default.func) == "field":
            given = {k.arg: k.value for k in default.keywords}
            default = given.get("default") or ast.Call(given["default_factory"], [], [])
        shown.append(parameter(ast.arg(field_.target.id, field_.annotation), default))
    return f"({', '.join(shown)})"


def parameters(function: ast.FunctionDef, bound: bool) -> str:
    takes = function.args
    ordered = [*takes.posonlyargs, *takes.args]
    defaults = [None] * (len(ordered) - len(takes.defaults)) + takes.defaults
    shown = [parameter(*pair) for pair in zip(ordered, defaults, strict=True)][bound:]
    if takes.vararg or takes.kwonlyargs:
        shown.append("*" + (parameter(takes.vararg) if takes.vararg else ""))
    shown += [parameter(*p) for p in zip(takes.kwonlyargs, takes.kw_defaults, strict=True)]
    if takes.kwarg:
        shown.append("**" + parameter(takes.kwarg))
    given = ", ".join(shown)
    returns = f" → {ast.unparse(function.returns)}" if function.returns else ""
    return f"({given})" + returns * (function.name != "__init__")


def parameter(arg: ast.arg, default: ast.expr | None = None) -> str:
    """As Python's style wants it: ``name=1``, but ``name: int = 1``."""
    equals = " = " if arg.annotation else "="
    return ast.unparse(arg) + (equals + ast.unparse(default) if default else "")


# ---------------------------------------------------------------------------- docstrings as a page


def described(text: str) -> Iterator[nodes.Node]:
    """The paragraphs, examples and lists of arguments of a docstring."""
    for block in blocks(text):
        if fields := FIELDS.fullmatch(block):
            yield nodes.paragraph("", "", nodes.strong("", fields[1]))
            yield listed(inspect.cleandoc("\n" + fields[2]))
        elif is_indented(block):
            code = inspect.cleandoc("\n" + block)
            yield nodes.literal_block(code, code, language="python", force=True)
        elif block.startswith(">>> "):
            yield nodes.literal_block(block, block, language="pycon", force=True)
        else:
            yield nodes.paragraph("", "", *inline(" ".join(block.split())))


def blocks(text: str) -> Iterator[str]:
    """What empty lines part, but an example with empty lines is one."""
    parts = re.split(r"\n[ ]*\n", text) if text else []
    for is_code, found in groupby(parts, is_indented):
        if is_code:
            yield "\n\n".join(found)
        else:
            yield from found


def is_indented(block: str) -> bool:
    return all(line[:4] in ("    ", "") for line in block.split("\n"))


def listed(text: str) -> nodes.bullet_list:
    """One item for each line and the indented ones below it."""
    made = nodes.bullet_list()
    for item in re.split(r"\n(?=\S)", text):
        name, _, rest = " ".join(item.split()).partition(": ")
        is_name = bool(rest) and re.fullmatch(r"[\w*, ]+", name)
        words = f"`{name}`: {rest}" if is_name else " ".join(item.split())
        made += nodes.list_item("", nodes.paragraph("", "", *inline(words)))
    return made


def inline(text: str) -> Iterator[nodes.Node]:
    """Text in which `names` and "strings" are code, **words** strong and a *word* is stressed.

    The prime of a letter, as in H' x W', stays one, and is no closing quote.
    """
    for piece in INLINE.split(text):
        if re.fullmatch(CODE, piece):
            yield nodes.literal("", piece.strip("`"))
        elif piece.startswith("**") and INLINE.fullmatch(piece):
            yield nodes.strong("", piece[2:-2])
        elif INLINE.fullmatch(piece):
            yield nodes.emphasis("", piece[1:-1])
        elif piece:
            yield nodes.Text(PRIME.sub("\\1\N{PRIME}", piece))


def setup(app: Sphinx) -> None:
    app.add_directive("api", Api)
