"""Which statements of a page run in a browser, and which have to run before which.

A browser has Python, NumPy, Matplotlib and the parts of this package that need no more. It has no
torch. So a statement that names torch, or something that only such a statement made, is left out;
and from a loop over ``(mini, torch)`` torch is left out. What was left out is told, never hidden:
``Page.kind`` says it for a cell beforehand, and the session to whoever runs it.

All is read off the code, nothing is run. Where that cannot tell, it errs on the side of running too
much before a cell, and of leaving too much out.
"""

import ast
import builtins
import re
import symtable
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

# What a browser can import, beside the standard library.
PACKAGES = {"numpy", "matplotlib", "mpl_toolkits", "cycler", "PIL"}
PARTS = {"mini", "plots", "datasets", "exercises", "show", "bpe", "ngram"}  # of dlcourse
# Of the standard library: a page in a browser has one thread and no processes.
NOT_IN_A_BROWSER = {"multiprocessing", "signal", "subprocess", "threading", "tkinter"}
# Functions of dlcourse.datasets that need a package.
TABLES = {"diamonds": "pandas", "penguins": "pandas", "weather": "pandas"}

# Code that needs Matplotlib, ten megabytes more; the palette and draw_graph do without.
MATPLOTLIB = re.compile(
    r"\b(?:matplotlib|PIL|plt|load_digit_image)\b|\bplots\.(?!COLORS\b|draw_graph\b)"
)
# Files of data/ that are fetched when code wants them, for each is near a megabyte.
DATA = {
    "kjv.txt.bz2": re.compile(r"\bdatasets(?:\.| import .*\b)kjv"),
    "mnist_5k.npz": re.compile(r"\bdatasets(?:\.| import .*\b)(?:digits|mnist)\b"),
    "pictograms.npz": re.compile(r"\bdatasets(?:\.| import .*\b)pictograms\b"),
}
LATER = {"matplotlib": MATPLOTLIB} | DATA

# Calls that set something for all that follows: plots.use_style(), np.random.seed(0).
STYLE = "plots.use_style()"
SETTING = re.compile(r"use_|set_|seed|manual_seed|filterwarnings|simplefilter|basicConfig")

# Calls that hold one engine against the other.
COMPARES = re.compile(r"assert_|allclose$|array_equal$|equal$")
READS = {"getvalue", "load", "read", "read_bytes", "read_text", "seek", "stat"}

FILLS = {"add", "append", "extend", "insert", "setdefault", "update", "write"}

# Methods that show nothing where they stand alone.
SILENT = FILLS | {"backward", "close", "eval", "mkdir", "paste", "save", "seek", "step", "train"}
SILENT |= {"grid", "legend", "set", "write_bytes", "write_text", "zero_grad"}

# Words of a sentence that tells how a comparison ended; the name of a package is one, too.
ENDED = re.compile(r"\bagrees?\b|\bequal\b(?! \w)|\bthe same\b")

# Modules that draw: of themselves, they have nothing to tell.
PENS = frozenset({"plt", "plots"})


@dataclass
class Unit:
    """A statement at the top of a cell: what is left of it to run, and the names it deals with."""

    cell: int
    node: ast.stmt | None  # None: all of it is left out
    lines: tuple[int, int]
    code: str = ""
    reads: frozenset[str] = frozenset()
    binds: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()  # binds, and what it stores into
    without: str = ""  # the package for want of which something of it is left out, or was before it
    silent: bool = False  # an import: its leaving is told where its name is used
    shows: bool = False  # there is something to look at, more than words and empty axes
    checks: bool = False  # it holds one thing against another

    @property
    def key(self) -> tuple[int, tuple[int, int], str]:
        return self.cell, self.lines, self.code

    @property
    def draws(self) -> bool:
        """Does it need Matplotlib, for more than to set how drawings look?"""
        return self.node is not None and bool(MATPLOTLIB.search(self.code.replace(STYLE, "")))

    @property
    def shortened(self) -> bool:
        return bool(self.node and self.without)


@dataclass
class Page:
    """The cells of a page, in order, as far as they run in a browser.

    absent: for each name that some statement left out would have made, the package it needs;
    partial: names made by statements of which a part was left out; checks: exercises whose check
    itself needs a package; skipped: cells that say with torch what another cell says with mini, so
    that their names stay what that cell makes them.
    """

    sources: list[str]
    checks: dict[str, str] = field(default_factory=dict)
    skipped: Collection[int] = ()
    units: list[Unit] = field(default_factory=list, init=False)
    absent: dict[str, str] = field(default_factory=dict, init=False)
    partial: dict[str, str] = field(default_factory=dict, init=False)
    variables: set[str] = field(default_factory=set, init=False)
    modules: set[str] = field(default_factory=set, init=False)
    blank: set[str] = field(default_factory=set, init=False)  # in a cell: constants, empty axes
    functions: dict[str, frozenset[str]] = field(default_factory=dict, init=False)

    def __post_init__(self):
        for number, source in enumerate(self.sources):
            try:
                tree = parse(source)
            except SyntaxError:
                continue  # whoever runs the cell is told
            make = self._skip if number in self.skipped else self._unit
            self.blank = set(PENS)
            for node in tree.body:
                self.units.append(make(number, node))

    def of(self, cell: int) -> list[Unit]:
        return [unit for unit in self.units if unit.cell == cell]

    def kind(self, cell: int) -> tuple[str, str]:
        """("all" | "part" | "none", the package that is missing) for a cell."""
        units = self.of(cell)
        missing = next((unit.without for unit in units if unit.without and not unit.silent), "")
        if not missing:
            return ("all" if any(unit.node for unit in units) else "none"), ""
        kept, gone = ([u for u in units if bool(u.node) is there] for there in (True, False))
        # in the place of a table or a figure something has to be shown; elsewhere a check will do
        works = any(u.shows or (u.checks and u.shortened) for u in kept)
        if not any(u.shows for u in gone):
            works |= any(u.checks or (u.shortened and isinstance(u.node, ast.For)) for u in kept)
        return ("part" if works else "none"), missing

    def before(self, cell: int) -> list[Unit]:
        """The statements above a cell that it needs: they make, or may change, what it reads."""
        needed = self._with_functions(entering([u.node for u in self.of(cell) if u.node]))
        chosen = []
        for unit in reversed([unit for unit in self.units if unit.cell < cell and unit.node]):
            may_change = unit.changes | _setting(unit.node)
            if not isinstance(unit.node, ast.Assert | ast.FunctionDef | ast.ClassDef):
                may_change |= self._with_functions(unit.reads) & self.variables
            if needed & may_change:
                chosen.append(unit)
                if isinstance(unit.node, SETS_FOR_SURE):
                    needed -= unit.binds
                needed |= self._with_functions(unit.reads)
        if not any(unit.draws for unit in [*chosen, *self.of(cell)]):
            chosen = [unit for unit in chosen if "use_style" not in unit.code]
        return chosen[::-1]

    def _with_functions(self, read: Iterable[str]) -> set[str]:
        """These names, and all that the page's own functions and classes among them read."""
        found, todo = set(), list(read)
        while todo:
            if (name := todo.pop()) not in found:
                found.add(name)
                todo += self.functions.get(name, ())
        return found

    def _skip(self, cell: int, node: ast.stmt) -> Unit:
        made = set().union(*(unit.binds for unit in self.units if unit.node))
        _, binds, _ = names(ast.unparse(node))
        self.absent |= dict.fromkeys(binds - made, "torch")
        return Unit(cell, None, (node.lineno, node.end_lineno or node.lineno), without="torch")

    def _unit(self, cell: int, node: ast.stmt) -> Unit:
        lines = (node.lineno, node.end_lineno or node.lineno)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self._import(cell, node, lines)
        reads = entering([node])
        shortened = _Shorten({name: self.absent[name] for name in reads & self.absent.keys()})
        node = shortened.visit(node)
        code = ast.unparse(node)
        _, binds, changes = names(code)
        reads = frozenset(entering([node]))
        without = self._missing(node, reads)
        unfounded = "" if without else self._unfounded(cell, node)
        without = without or unfounded
        kept = None if without else node
        unit = Unit(cell, kept, lines, code, reads, binds, changes, without)
        unit.shows, unit.checks = _shows(node, self.blank) and not unfounded, _checks(node)
        half = next((self.partial[name] for name in sorted(unit.reads & self.partial.keys())), "")
        if not without and half and _wants_both(node):
            unit.node, without = None, half
        unit.without = without or shortened.dropped or half
        if without:
            filled = unit.changes | _filled(node) & reads
            self.absent |= dict.fromkeys(unit.binds | filled - self.modules, without)
            self.partial |= dict.fromkeys(_passed(node) & self.variables, without)
            return unit
        blank = isinstance(node, ast.Assign) and reads <= self.blank
        self.blank = self.blank | binds if blank else self.blank - changes - _filled(node)
        self.modules -= binds
        for name in unit.binds:
            self.absent.pop(name, None)
            self.partial.pop(name, None)
        if unit.without:
            self.partial |= dict.fromkeys(unit.changes, unit.without)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            self.functions[node.name] = self.functions.get(node.name, frozenset()) | unit.reads
        else:
            self.variables |= unit.binds
        return unit

    def _import(self, cell: int, node: ast.Import | ast.ImportFrom, lines: tuple) -> Unit:
        kept = []
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            path = f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
            self.absent.pop(name, None)
            self.modules.add(name)
            if missing := package_missing_for(path):
                self.absent[name] = missing
            else:
                kept.append(alias)
        left = next((self.absent[n] for n in _imported(node) if n in self.absent), "")
        if not kept:
            return Unit(cell, None, lines, without=left, silent=True)
        node = type(node)(**{**dict(ast.iter_fields(node)), "names": kept})
        ast.copy_location(node, node.names[0])
        code = ast.unparse(node)
        return Unit(cell, node, lines, code, *names(code), without=left, silent=True)

    def _unfounded(self, cell: int, node: ast.stmt) -> str:
        """The package for want of which nothing was compared of what a statement says, or nothing.

        "all agree" is not printed where the comparison was left out, wholly, above it.
        """
        unchecked = (unit for unit in self.of(cell) if unit.checks and not unit.node)
        missing = next((unit.without for unit in unchecked), "")
        return missing if missing and _claims(node, self.blank, missing) else ""

    def _missing(self, node: ast.stmt, reads: Iterable[str]) -> str:
        """What a statement cannot do without and a browser lacks, or nothing."""
        absent = (self.absent[name] for name in sorted(reads) if name in self.absent)
        return next(absent, "") or next(filter(None, map(self._needed, ast.walk(node))), "")

    def _needed(self, part: ast.AST) -> str:
        """What this part of a statement needs and a browser lacks, or nothing."""
        match part:
            case ast.Import() | ast.ImportFrom():
                module = getattr(part, "module", None)
                paths = (f"{module}.{a.name}" if module else a.name for a in part.names)
                return next(filter(None, map(package_missing_for, paths)), "")
            case ast.Subscript(ast.Name(), ast.Constant("torch")):  # losses["torch"]
                return "torch" if "torch" in self.absent.values() else ""
            case ast.Call(ast.Name("check"), [ast.Constant(exercise), *_]):
                return self.checks.get(exercise, "")
            case ast.Attribute(ast.Name("datasets"), name):
                return TABLES.get(name, "")
            case ast.keyword("num_workers", number) if not _is_zero(number):
                return "processes"
            case ast.Dict(keys, values):
                named = zip(keys, values, strict=True)
                numbers = [v for k, v in named if getattr(k, "value", "") == "num_workers"]
                return "" if all(map(_is_zero, numbers)) else "processes"
        return ""


def parse(source: str) -> ast.Module:
    """The tree of a cell; lines for IPython or the shell are blank."""
    lines = ("" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n"))
    return ast.parse("\n".join(lines))


def package_missing_for(path: str) -> str:
    """The package that a browser lacks to import ``path``, such as "torch.nn", or nothing."""
    top, _, rest = path.partition(".")
    if top == "dlcourse":
        part, _, name = rest.partition(".")
        return TABLES.get(name, "") if part in PARTS else "torch"
    if top in sys.stdlib_module_names:
        return "threads" if top in NOT_IN_A_BROWSER else ""
    if top == "torchvision":
        return "torch"
    return "" if top in PACKAGES else top


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    return (alias.asname or alias.name.split(".")[0] for alias in node.names)


@lru_cache(maxsize=4096)
def names(code: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The global names that a statement reads, binds, and changes; inside its functions, too."""
    tree = ast.parse(code)
    reads, binds = set(), set()
    tables = [symtable.symtable(ast.unparse(_Generators().visit(tree)), "<cell>", "exec")]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table.get_type() == "module" or symbol.is_global():
                if symbol.is_referenced():
                    reads.add(symbol.get_name())
                if symbol.is_assigned() or symbol.is_imported():
                    binds.add(symbol.get_name())
    changes = set(binds)
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            reads |= {node.target.id} & binds
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            changes |= {_base(node)} & reads
    own = {name for name in vars(builtins) if name not in binds}
    return frozenset(reads - own), frozenset(binds), frozenset(changes)


SETS_FOR_SURE = ast.Assign | ast.FunctionDef | ast.ClassDef


def entering(nodes: Iterable[ast.stmt], after: Iterable[str] = ()) -> set[str]:
    """The names that statements, one after another, read before they have set them.

    after: names that are read after them.
    """
    needed = set(after)
    for node in reversed(list(nodes)):
        if isinstance(node, ast.For):
            _, targets, _ = names(f"{ast.unparse(node.target)} = 0")
            inside = entering(node.body) - targets | entering(node.orelse)
            needed |= inside | names(ast.unparse(node.iter))[0]
        elif isinstance(node, ast.If):
            needed = entering(node.body, needed) | entering(node.orelse, needed)
            needed |= names(ast.unparse(node.test))[0]
        else:
            reads, binds, _ = names(ast.unparse(node))
            if isinstance(node, SETS_FOR_SURE):
                needed -= binds
            needed |= reads
    return needed


def _base(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _setting(node: ast.stmt) -> set[str]:
    """The module that a statement sets something in: plots.use_style(), np.random.seed(0)."""
    if isinstance(node, ast.For):  # for lib in (mini, torch): lib.set_default_dtype(lib.float64)
        inside = set().union(*map(_setting, node.body))
        named = inside & {part.id for part in ast.walk(node.target) if isinstance(part, ast.Name)}
        return inside | names(ast.unparse(node.iter))[0] if named else inside
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and SETTING.match(_called(call)):
        return {_base(call.func), *(["plt"] if _called(call) == "use_style" else [])}
    return set()


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def _wants_both(node: ast.stmt) -> bool:
    """Does it hold two engines against each other, or read a file that one of them wrote?"""
    calls = [_called(part) for part in ast.walk(node) if isinstance(part, ast.Call)]
    compares = isinstance(node, ast.Expr) and any(map(COMPARES.match, calls))
    reads = isinstance(node, ast.Expr | ast.Assign) and not READS.isdisjoint(calls)
    return compares or reads or isinstance(node, ast.Assert)


def _shows(node: ast.AST, blank: Collection[str]) -> bool:
    """Is there something to look at when it has run, more than words and empty axes?

    blank: names that hold no more than these.
    """
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            return False
        case ast.Expr(ast.Call() as call) if _called(call) == "print":
            return not _only_words(call, blank)
        case ast.Expr(ast.Call() as call) if _is_silent(_called(call)):
            return False
        case ast.Expr() | ast.Assign(value=ast.Call(ast.Attribute(ast.Name("plots")))):
            return not entering([node]) <= blank
    return any(_shows(part, blank) for part in ast.iter_child_nodes(node))


def _only_words(call: ast.Call, blank: Collection[str]) -> bool:
    inside = [part for argument in call.args for part in ast.walk(argument)]
    computed = any(isinstance(part, ast.Call | ast.Compare) for part in inside)
    return not computed and {part.id for part in inside if isinstance(part, ast.Name)} <= blank


def _is_silent(called: str) -> bool:
    patterns = SETTING.match(called) or COMPARES.match(called)
    return called in SILENT or called.endswith("_") or bool(patterns)


def _checks(node: ast.stmt) -> bool:
    """Does it hold one thing against another?"""
    calls = (_called(part) for part in ast.walk(node) if isinstance(part, ast.Call))
    asserts = any(isinstance(part, ast.Assert) for part in ast.walk(node))
    defines = isinstance(node, ast.FunctionDef | ast.ClassDef)
    return not defines and (asserts or any(map(COMPARES.match, calls)))


def _claims(node: ast.stmt, blank: Collection[str], package: str) -> bool:
    """Does it print no more than words, or words that tell how a comparison ended?"""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or _called(call) != "print":
        return False
    said = " ".join(str(p.value) for p in ast.walk(call) if isinstance(p, ast.Constant))
    told = ENDED.search(said) or re.search(rf"\b{package}\b", said)
    return bool(told) or _only_words(call, blank)


def _filled(node: ast.stmt) -> set[str]:
    """The collections that a statement puts something into."""
    calls = [part.func for part in ast.walk(node) if isinstance(part, ast.Call)]
    fills = [f for f in calls if isinstance(f, ast.Attribute) and f.attr in FILLS]
    filled = {_base(f.value) for f in fills} - {""}
    if isinstance(node, ast.For):  # for sizes in found.values(): sizes.append(1)
        _, targets, _ = names(f"{ast.unparse(node.target)} = 0")
        filled |= names(ast.unparse(node.iter))[0] if filled & targets else set()
    return filled


def _passed(node: ast.stmt) -> set[str]:
    """What is opened, or given to a call that stands alone, and so may change."""
    if isinstance(node, ast.With):  # with open(path, "w") as file
        opened = (item.context_expr for item in node.items)
        calls = (part for part in opened if isinstance(part, ast.Call) and _called(part) == "open")
        return set().union(*(names(ast.unparse(part))[0] for part in calls))
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or _wants_both(node) or _called(call) == "print":
        return set()
    return {argument.id for argument in call.args if isinstance(argument, ast.Name)}


class _Generators(ast.NodeTransformer):
    """Write comprehensions as generators, whose variables are their own in every Python.

    From 3.12 on, symtable counts those of a list comprehension among the names around it.
    """

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.GeneratorExp:
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


class _Shorten(ast.NodeTransformer):
    """Leave out of ``for lib in (mini, torch)`` what names an absent package."""

    def __init__(self, absent: dict[str, str]):
        self.absent, self.dropped = absent, ""

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        # ours, theirs = (f(lib) for lib in (mini, torch)) has one value a name: all or nothing
        return node if isinstance(node.targets[0], ast.Tuple) else self.generic_visit(node)

    def visit_For(self, node: ast.For) -> ast.For:
        self._shorten(node.iter)
        return self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.comprehension:
        many = getattr(node.iter, "elts", [])
        if not many or not self._names_absent(many[0]):  # else what is left would move to the front
            self._shorten(node.iter)
        return self.generic_visit(node)

    def _shorten(self, many: ast.expr | None) -> None:
        if isinstance(many, ast.Call) and _called(many) in ("enumerate", "product", "items"):
            for argument in [*many.args, getattr(many.func, "value", None)]:
                self._shorten(argument)
        elif isinstance(many, ast.Dict):  # for name, lib in {"mini": mini, "torch": torch}.items()
            pairs = list(zip(many.keys, many.values, strict=True))
            kept = self._kept(pairs)
            many.keys, many.values = [key for key, _ in kept], [value for _, value in kept]
        elif isinstance(many, ast.Tuple | ast.List):
            many.elts = [element for (element,) in self._kept([(e,) for e in many.elts])]

    def _kept(self, rows: list[tuple]) -> list[tuple]:
        """Those whose last part can be had, or all if none can."""
        missing = [self._names_absent(row[-1]) for row in rows]
        if all(missing):
            return rows
        self.dropped = next(filter(None, missing), self.dropped)
        return [row for row, package in zip(rows, missing, strict=True) if not package]

    def _names_absent(self, element: ast.expr) -> str:
        value = element.value if isinstance(element, ast.Starred) else element
        reads, _, _ = names(ast.unparse(value))
        return next((self.absent[name] for name in sorted(reads) if name in self.absent), "")


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))
