"""Plant bugs in mini, one at a time, and see whether its tests find them.

    python tests/mutants.py --count 60 --seed 0        # about 15 minutes of one core

A copy of the package holds every mutant beside the original, `(b if planted(7) else a)`, so that
one start of Python serves all of them.  Tests are run once to see which mutants they reach; each
mutant is then switched on in a fork, and the tests that reach it run until one fails: first those
whose names are like that of the function, then, for what survives, all others.  What runs while
mini is imported (tables, class attributes) needs an import of its own.
"""

import argparse
import ast
import copy
import gc
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import types
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ERRORS = os.dup(2)  # ours, when pytest holds back what is printed
MEMORY = 1 << 34
LIKELY = 20  # tests to begin with for a mutant
ROOT = Path(__file__).resolve().parent.parent
PYTEST = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
SLOW = ["test_programs.py"]  # and, unless the mutant is in mini.utils.data:
LOADING = ["test_data_loading.py"]
# Mutants that no test can tell from the original, and why; looked at by hand.
EQUIVALENT = {
    'nn/batchnorm.py, Norm.__init__, `self.register_buffer("num_batches_tracked", tensor(0) '
    "if track_running_stats else None)`: 0 -> 1": "reset_parameters, called next, sets it to 0",
    "ops/shape.py, expand, `for i, (have, want) in enumerate(zip(old, full[lead:], strict=True)):`"
    ": True -> False": "both have as many sizes, for lead is the difference",
    "nn/functional/normalization.py, instance_norm, `for old, new in zip(running, copies, "
    "strict=True):`: True -> False": "the copies are made of just those",
    "nn/init.py, trunc_normal_, `near = a <= mean <= b and b - a > 2 * std`: a <= mean <= b and "
    "b - a > 2 * std -> a <= mean <= b or b - a > 2 * std": "both ways draw from the same "
    "distribution: one of them takes more draws",
}

SWAPS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
COMMON = {"init", "locals", "forward", "backward", "ops", "functional", "function", "call", "step"}
WORDING = {"__repr__", "__str__", "extra_repr"}

SWITCH = """
import mmap, os
HIT = mmap.mmap(-1, {count})  # shared with the processes of a data loader
ACTIVE = int(os.environ.get("MUTANT", -1))

def planted(number):
    HIT[number] = 1
    return ACTIVE == number
"""


# ------------------------------------------------------------------------------------- the mutants


@dataclass
class Mutant:
    file: str
    function: str
    line: int
    node: ast.AST
    new: ast.AST
    default: tuple | None = None  # (function node, name of the argument)
    text: str = ""  # the line of code

    def __str__(self):
        old, new = shown(self.node), shown(self.new)
        argument = f"{self.default[1]}=" if self.default else ""
        place = f"{self.file}, {self.function.replace('.<locals>', '')}"
        return f"{place}, `{self.text}`: {argument}{old} -> {argument}{new}"


def shown(node):
    """A node on one line; of a compound statement its condition."""
    if isinstance(node, ast.If | ast.While):
        return f"if {ast.unparse(node.test)}"
    return re.sub(r"\s+", " ", ast.unparse(node))


def changed(node, **fields):
    out = copy.deepcopy(node)
    for name, value in fields.items():
        setattr(out, name, value)
    return out


def mutations(node):
    """What may stand in the place of a node."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in SWAPS:
        yield changed(node, op=SWAPS[type(node.op)]())
    if isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            if type(op) in SWAPS:
                yield changed(node, ops=[*node.ops[:i], SWAPS[type(op)](), *node.ops[i + 1 :]])
        if re.search(r"\b(n?dim|dim\(\))", ast.unparse(node)):  # a dimension off by one
            yield changed(node, left=ast.BinOp(node.left, ast.Add(), ast.Constant(1)))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(other(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield changed(node, test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, ast.Return) and node.value and ast.unparse(node.value) != "None":
        yield ast.Return(ast.Constant(None))


def other(value):
    """Another constant: True for False, n + 1 for n, 1.01 x for x."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else (value * 1.01 or 0.01)


class Sites(ast.NodeVisitor):
    """Every mutant of a file: neither text nor types, neither errors nor how a thing is printed."""

    def __init__(self, file):
        self.file, self.where, self.found = file, [], []

    def visit(self, node):
        if isinstance(node, ast.FunctionDef):
            return self.function(node)
        if isinstance(node, ast.ClassDef):
            return self.inside(node.name, node.body)
        if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.pattern):
            return None
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("warn"):
            return None
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return None
        if hasattr(node, "lineno"):
            self.found += [self.mutant(node, new) for new in mutations(node)]
        for name, field in ast.iter_fields(node):
            if name != "annotation":
                for child in field if isinstance(field, list) else [field]:
                    if isinstance(child, ast.AST):
                        self.visit(child)
        return None

    def mutant(self, node, new, default=None):
        place = ".".join(self.where) or "(module)"
        return Mutant(self.file, place, node.lineno, node, new, default)

    def inside(self, name, body):
        self.where.append(name)
        for node in body:
            self.visit(node)
        self.where.pop()

    def function(self, node):
        if node.name in WORDING:
            return
        if not any(w == "<locals>" for w in self.where):
            self.where.append(node.name)
            self.defaults(node)
            self.where.pop()
        self.where.append(node.name)
        self.inside("<locals>", node.body)
        self.where.pop()

    def defaults(self, node):
        names = [a.arg for a in [*node.args.posonlyargs, *node.args.args]]
        pairs = [*zip(names[::-1], node.args.defaults[::-1], strict=False)]
        pairs += [
            (a.arg, d) for a, d in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        ]
        for name, value in pairs:
            if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                new = ast.Constant(other(value.value))
                if isinstance(value.value, float):
                    new = ast.Constant(2 * value.value or 0.5)
                self.found.append(self.mutant(value, new, (node, name)))


def draw(sources, trees, count, seed):
    """`count` random lines of code among those that can be changed, and a change of each.

    By hashes of the lines themselves: an edit elsewhere leaves most of the sample as it was.
    """
    lines = {}
    for file, tree in trees.items():
        sites = Sites(file)
        sites.visit(tree)
        for mutant in sites.found:
            mutant.text = sources[file][mutant.line - 1].strip()
            lines.setdefault((file, mutant.line), []).append(mutant)
    ranked, seen = [], Counter()
    for found in lines.values():
        words = f"{seed} {found[0].file} {found[0].function} {found[0].text}"
        seen[words] += 1
        ranked.append((hashlib.sha256(f"{words} {seen[words]}".encode()).hexdigest(), found))
    chosen = sorted(ranked, key=lambda pair: pair[0])[:count]
    return [found[int(digest[:8], 16) % len(found)] for digest, found in chosen]


class Plant(ast.NodeTransformer):
    """Put the mutants of a file beside what they replace."""

    def __init__(self, mutants):
        self.here = {id(m.node): (k, m.new) for k, m in mutants if not m.default}
        self.starts = {id(m.default[0]): k for k, m in mutants if m.default}

    def visit(self, node):
        new = super().visit(node)
        if id(node) in self.starts:  # a default: planted later, reached when the function is called
            at = 1 if ast.get_docstring(node) is not None else 0
            node.body.insert(at, ast.Expr(switch(self.starts[id(node)])))
        if id(node) not in self.here:
            return new
        k, mutant = self.here[id(node)]
        if isinstance(node, ast.expr):
            return ast.IfExp(switch(k), mutant, new)
        return ast.If(switch(k), [mutant], [new])


def switch(k):
    return ast.Call(ast.Name("_planted"), [ast.Constant(k)], [])


def plant(mutants, trees, folder):
    """Write the copy of the package with all mutants, none of them on."""
    (folder / "dlcourse/_planted.py").write_text(SWITCH.format(count=len(mutants)))
    for file in {m.file for m in mutants}:
        tree = trees[file]
        mine = [(k, m) for k, m in enumerate(mutants) if m.file == file]
        # The mutant's own copy first: what is planted inside the original must not be inside it.
        for _, m in mine:
            m.new = copy.deepcopy(m.new)
        Plant(mine).visit(tree)
        at = next(
            i for i, node in enumerate(tree.body)
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
            and getattr(node, "module", "") != "__future__"
        )  # fmt: skip
        line = "from dlcourse._planted import planted as _planted"
        tree.body.insert(at, ast.parse(line).body[0])
        (folder / "dlcourse/mini" / file).write_text(ast.unparse(ast.fix_missing_locations(tree)))


def plant_default(mutant, folder):
    """Change the default of a function that is there already."""
    _, name = mutant.default
    path = str(folder / "dlcourse/mini" / mutant.file)
    for f in [o for o in gc.get_objects() if type(o) is types.FunctionType]:
        code = f.__code__
        if (code.co_filename, code.co_qualname) == (path, mutant.function):
            if name in (f.__kwdefaults__ or {}):
                f.__kwdefaults__ = f.__kwdefaults__ | {name: mutant.new.value}
            elif f.__defaults__:
                names = code.co_varnames[: code.co_argcount]
                at = names.index(name) - len(names)
                values = list(f.__defaults__)
                values[at] = mutant.new.value
                f.__defaults__ = tuple(values)


# --------------------------------------------------------------------------------------- the tests


class Hunt:
    """A pytest plugin: with the tests collected, do something else than run them all."""

    failed = False

    def __init__(self, act):
        self.act = act

    def pytest_runtestloop(self, session):
        self.act(session.items)
        return True

    def pytest_runtest_logreport(self, report):
        Hunt.failed |= report.failed


def collect(act, folder, arguments):
    import pytest

    tests = [str(folder / "tests/mini"), f"--basetemp={folder}/tmp", "--hypothesis-seed=0"]
    ignored = [f"--ignore={folder}/tests/mini/{name}" for name in SLOW]
    return pytest.main([*PYTEST, *tests, *ignored, *arguments], plugins=[Hunt(act)])


def passes(item, limit):
    Hunt.failed = False
    signal.setitimer(signal.ITIMER_REAL, limit)  # a test that hangs ends the process: it has failed
    item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return not Hunt.failed


def in_a_fork(act, answer):
    """What act() returns, by way of the file `answer`; None if a signal ended the process."""
    pid = os.fork()
    if pid == 0:
        try:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1), os.dup2(silence, 2)
            answer.write_text(json.dumps(act()))
            os._exit(0)
        except BaseException:
            os.write(ERRORS, traceback.format_exc().encode())
        finally:
            os._exit(1)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        sys.exit("this program failed, see above")  # and no mutant has died of it
    return None if os.WIFSIGNALED(status) else json.loads(answer.read_text())


def baseline(items):
    """Which tests pass, how long each takes, and which mutants it reaches."""
    from dlcourse import _planted

    out = {}
    for item in items:
        _planted.HIT[:] = bytes(len(_planted.HIT))
        start = time.perf_counter()
        if passes(item, 300):
            reached = [k for k, hit in enumerate(_planted.HIT[:]) if hit]
            out[item.nodeid] = time.perf_counter() - start, reached
    return out


def likeness(mutant, test):
    """How many words of a test's name occur in the name of what was changed."""
    words = set(re.findall("[a-z]{3,}", f"{mutant.file} {mutant.function}".lower())) - COMMON
    return len(words & set(re.findall("[a-z]{3,}", test.lower())))


def likely(mutants, tests, count):
    """The tests that are named most like what was changed, `count` for each mutant."""
    out, rng = set(), random.Random(0)
    for mutant in mutants:
        alike = [(likeness(mutant, test), rng.random(), test) for test in tests]
        out |= {test for like, _, test in sorted(alike)[-count:] if like}
    return out


def first_failure(items, tests, known):
    by_name = {item.nodeid: item for item in items}
    for test in tests:
        if not passes(by_name[test], 20 + 20 * known[test][0]):
            return {"killer": test}
    return {"killer": None}


# ----------------------------------------------------------------------------------------- the run


class Run:
    def __init__(self, mutants, numbers, folder, arguments):
        self.mutants, self.numbers, self.folder = mutants, numbers, folder
        self.arguments, self.answer = arguments, folder / "answer.json"
        self.out = os.fdopen(os.dup(1), "w", buffering=1)
        self.known, self.verdicts = {}, {}

    def reached_by(self, k):
        """The tests to run: the quick ones first, before them those that are named like it."""
        at_data = self.mutants[k].file.startswith("utils/data/")
        tests = [
            t for t, (_, reached) in self.known.items()
            if (k in reached or (self.mutants[k].default and "test_defaults" in t))
            and (at_data or not any(name in t for name in LOADING))
        ]  # fmt: skip
        return sorted(tests, key=lambda t: (-likeness(self.mutants[k], t), self.known[t][0]))

    def all_but_import(self, items):
        """In the process that has collected: the likely tests, then the rest for what survives."""
        names = [item.nodeid for item in items]
        first = likely([self.mutants[k] for k in self.numbers], names, LIKELY)
        left = [k for k in self.numbers if k not in self.early]
        for part in (first, set(names) - first):
            left = self.with_tests([i for i in items if i.nodeid in part], left) if left else []
            part_of = "the likely tests" if part is first else "all tests"
            self.out.write(f"{len(left)} survive {part_of}: {left}\n")
        for k in left:
            self.report(k, {"killer": None})

    def with_tests(self, items, numbers):
        """Let these tests look for the mutants; those that survive."""
        self.known = in_a_fork(lambda: baseline(items), self.folder / "baseline.json") or {}
        seconds = sum(v[0] for v in self.known.values())
        self.out.write(f"{len(self.known)} of {len(items)} tests pass, in {seconds:.0f} s\n")
        for item in items:
            if item.nodeid not in self.known:
                self.out.write(f"{item.nodeid} fails without a mutant\n")
        left = []
        for k in numbers:
            verdict = self.hunted(k, items)
            if verdict and not verdict["killer"]:
                left.append(k)
            else:
                self.report(k, verdict)
        return left

    def hunted(self, k, items):
        """What became of a mutant; a test that fails alone without a mutant, too, is left out."""
        while True:
            tests = self.reached_by(k)
            verdict = in_a_fork(lambda t=tests: self.on(k, items, t), self.answer)
            killer = verdict and verdict["killer"]
            if not killer or self.passes_alone(killer, items):
                return verdict
            self.out.write(f"{killer} fails alone\n")
            del self.known[killer]

    def passes_alone(self, test, items):
        out = in_a_fork(lambda: first_failure(items, [test], self.known), self.answer)
        return out is not None and not out["killer"]

    def on(self, k, items, tests):
        from dlcourse import _planted

        os.environ["MUTANT"], _planted.ACTIVE = str(k), k
        if self.mutants[k].default:
            plant_default(self.mutants[k], self.folder)
        return first_failure(items, tests, self.known)

    def from_import(self, k):
        """What runs at import: collect anew, and any test may be the one that finds it."""
        os.environ["MUTANT"] = str(k)
        out = {"killer": "the import"}

        def act(items):
            items = [item for item in items if LOADING[0] not in item.nodeid]
            items.sort(key=lambda item: -likeness(self.mutants[k], item.nodeid))
            failed = (item.nodeid for item in items if not passes(item, 300))
            out["killer"] = next(failed, None)

        collect(act, self.folder, self.arguments)
        return out

    def report(self, k, verdict):
        mutant = self.mutants[k]
        killer = "a time limit or a crash" if verdict is None else verdict["killer"]
        fate = f"died of {killer}" if killer else "SURVIVED"
        if not killer and str(mutant) in EQUIVALENT:
            fate = f"equivalent: {EQUIVALENT[str(mutant)]}"
        self.verdicts[k] = fate.split()[0]
        self.out.write(f"{k:3} line {mutant.line}, {mutant}\n      {fate}\n")

    def all(self):
        def first():
            from dlcourse import _planted, mini  # noqa: F401

            self.early = [k for k, hit in enumerate(_planted.HIT[:]) if hit]
            collect(self.all_but_import, self.folder, self.arguments)
            return [*self.verdicts.items()]

        self.verdicts = dict(in_a_fork(first, self.folder / "verdicts.json"))
        for k in set(self.numbers) - self.verdicts.keys():
            self.report(k, in_a_fork(lambda k=k: self.from_import(k), self.answer))
        died, survived, equivalent = (
            sum(v == word for v in self.verdicts.values())
            for word in ("died", "SURVIVED", "equivalent:")
        )
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.out.write(
            f"{len(self.verdicts)} mutants, {died} died, {survived} survived, "
            f"{equivalent} equivalent (listed by hand); {(used.ru_utime + used.ru_stime) / 60:.0f} "
            "minutes of processor time\n"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=60, help="how many mutants (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="another seed draws others")
    parser.add_argument("--only", help="numbers of those that are to run, e.g. 3,17")
    parser.add_argument("--list", action="store_true", help="show what was drawn, and stop")
    parser.add_argument("pytest", nargs="*", help="after --: which tests, e.g. -- -k conv")
    args = parser.parse_args()
    package = ROOT / "dlcourse/mini"
    files = sorted(str(p.relative_to(package)) for p in package.rglob("*.py"))
    sources = {file: (package / file).read_text("utf-8") for file in files}
    trees = {file: ast.parse(source) for file, source in sources.items()}
    lines = {file: source.split("\n") for file, source in sources.items()}
    mutants = draw(lines, trees, args.count, args.seed)
    numbers = [int(k) for k in args.only.split(",")] if args.only else range(len(mutants))
    if args.list:
        print("\n".join(f"{k:3} line {mutants[k].line}, {mutants[k]}" for k in numbers))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        nothing = shutil.ignore_patterns("__pycache__")
        for part in ("dlcourse", "tests/mini"):
            shutil.copytree(ROOT / part, folder / part, ignore=nothing)
        shutil.copy(ROOT / "pyproject.toml", folder)
        for part in ("data", "chapters"):
            (folder / part).symlink_to(ROOT / part)
        run = Run(mutants, numbers, folder, args.pytest)
        plant(mutants, trees, folder)
        os.chdir(folder)
        sys.path.insert(0, str(folder))
        import torch  # noqa: F401  once, before the forks

        run.all()


if __name__ == "__main__":
    main()
