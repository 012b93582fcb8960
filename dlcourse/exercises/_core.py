"""The machinery behind `check` and `solution`; how exercises are written stands in __init__.py."""

import ast
import contextlib
import difflib
import dis
import html
import importlib
import inspect
import linecache
import pkgutil
import random
import re
import sys
import sysconfig
import textwrap
from dataclasses import dataclass, field
from numbers import Rational
from pathlib import Path
from types import CodeType, FunctionType

import numpy as np

PACKAGE = "dlcourse.exercises"


class Hint(Exception):
    """Raised by a check: what is wrong with the reader's answer, and where to look."""


class NotYet(Exception):
    """The reader has not filled in the stub."""


# ------------------------------------------------------------------------------------- the verdict

# What a verdict is called, its mark and its colour (dlcourse/plots/colors.py); the mark and the
# words say the same as the colour.
STATES = {
    "right": ("✓", "var(--dl-green, #00805e)"),
    "wrong": ("✗", "var(--dl-purple, #a8478a)"),
    "not yet": ("○", "var(--dl-muted, #6e7781)"),
}


@dataclass(frozen=True)
class Verdict:
    """The answer of a check: as text, and as HTML in a notebook.

    Args:
        name: the exercise.
        state: "right", "wrong" or `"not yet"`.
        message: sentences, with `code` and *stress*.
        error: the exception that neither the reader's answer nor the check expected, for authors.
    """

    name: str
    state: str
    message: str
    error: Exception | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        mark, _ = STATES[self.state]
        return f"{mark} {self.name}: {self.state}\n" + textwrap.indent(self.message, "  ")

    def _repr_html_(self) -> str:
        mark, color = STATES[self.state]
        return (
            f'<div role="status" style="border-left: 4px solid {color}; padding: 0.4em 0.9em">'
            f'<strong><span style="color: {color}">{mark}</span> {html.escape(self.name)}: '
            f"{self.state}</strong>{_paragraphs(self.message)}</div>"
        )


@dataclass(frozen=True)
class Solution:
    """An exercise's solution to show: its source, then the reasoning."""

    source: str
    reasoning: str

    def __repr__(self) -> str:
        return f"{self.source}\n\n{self.reasoning}".strip()

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.source}\n```\n\n{self.reasoning}".strip()


def _paragraphs(text: str) -> str:
    """Lines as paragraphs, `code` as code, *stress* as stress."""
    parts = re.split(r"`([^`\n]+)`", html.escape(text, quote=False))  # every other one is code
    parts[::2] = [re.sub(r"(?<!\w)\*(\w[^*\n]*)\*(?!\w)", r"<em>\1</em>", p) for p in parts[::2]]
    parts[1::2] = [f'<code style="white-space: pre-wrap">{code}</code>' for code in parts[1::2]]
    lines = "".join(parts).split("\n")
    return "".join(f'<p style="margin: 0.2em 0 0">{line}</p>' for line in lines)


def _display(shown: object) -> None:
    """Show in a notebook, wherever in the cell the call stands; print elsewhere."""
    if show := getattr(sys.stdout, "show", None):  # in a live cell, dlcourse/live/session.py
        show(shown)
        return
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        print(shown)
        return
    if get_ipython() is None:
        print(shown)
    else:
        display(shown)


# ------------------------------------------------------------------------------------ the exercise


@dataclass
class Exercise:
    """One exercise; made by `exercise`, which decorates the check."""

    name: str
    solution: object
    examine: FunctionType
    shown: str
    reasoning: str = ""
    stub: str = ""
    wrong_answers: list[tuple[object, str]] = field(default_factory=list)

    def wrong(self, phrase: str, *answer: object):
        """Add a plausible wrong answer and the phrase that its hint must hold.

        As a decorator of a function or class, or with the answer as second argument.
        """

        def add(wrong_answer: object) -> object:
            self.wrong_answers.append((wrong_answer, phrase))
            return wrong_answer

        return add(*answer) if answer else add

    def verdict(self, answer: object) -> Verdict:
        """Test the reader's answer. Whatever it does, the result is a verdict, not an exception."""
        short = self.name.rpartition(".")[2]
        try:
            _refuse_stub(answer)
            self._refuse_other_kind(answer)
            with _chance_of_its_own():
                self.examine(answer)
        except NotYet as unfinished:
            text = f"Fill in `{short}`, then run the cell again. {unfinished}".strip()
            return Verdict(self.name, "not yet", text)
        except Hint as hint:
            return Verdict(self.name, "wrong", str(hint))
        except Exception as error:
            if isinstance(error, ModuleNotFoundError) and error.name == "torch":
                raise  # a need of the check, which tells nothing of the answer
            line = _line_of_reader(error, answer, self.examine.__code__.co_filename)
            if _is_unfinished(error, answer):
                return Verdict(self.name, "not yet", f"Something is left to fill in.{line}")
            return Verdict(self.name, "wrong", _explain(error, short, line), error)
        return Verdict(self.name, "right", self.shown)

    def _refuse_other_kind(self, answer: object) -> None:
        short = self.name.rpartition(".")[2]
        if inspect.isclass(self.solution) and not inspect.isclass(answer):
            raise Hint(f'A class is wanted: `check("{self.name}", {short})`, without making one.')
        if callable(self.solution) and not callable(answer):
            call = f'`check("{self.name}", {short})`'
            raise Hint(f"Give the function itself, not what it returns: {call}.")

    def shown_solution(self) -> Solution:
        if callable(self.solution):
            return Solution(_source(self.solution), self.reasoning)
        short = self.name.rpartition(".")[2]
        return Solution(f"{short} = {self.solution!r}", self.reasoning)


def exercise(*, solution: object, shown: str, reasoning: str = "", stub: str = "", name: str = ""):
    """Decorate a check so that it becomes an `Exercise`.

    The check gets the reader's object, says nothing if all is well, and raises `Hint` if not.

    Args:
        solution: a function or class as the reader would write it, or a plain value.
        shown: what a passed check has shown, in one sentence.
        reasoning: why the solution is right; without it the solution's docstring must say so.
        stub: what the reader fills in; by default made from the solution.
        name: the name of the exercise; needed where the solution is a value.

    Raises ValueError if the exercise has no name or no reasoning.
    """

    def make(examine: FunctionType) -> Exercise:
        short = name or getattr(solution, "__name__", "")
        if not short:
            raise ValueError(f"{examine.__name__}: a solution that is a value needs `name=`.")
        why = inspect.cleandoc(reasoning)
        if not (why or (callable(solution) and inspect.getdoc(solution))):
            raise ValueError(f"{short}: say why in `reasoning=` or in the solution's docstring.")
        chapter = examine.__module__.rpartition(".")[2]
        text = inspect.cleandoc(stub) if stub else make_stub(solution, short)
        return Exercise(f"{chapter}.{short}", solution, examine, shown, why, text)

    return make


def make_stub(solution: object, name: str) -> str:
    """The solution's signature and docstring's first line, with `...` for each body."""
    if not callable(solution):
        return f"{name} = ..."
    tree = ast.parse(_source(solution))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = [*_first_docline(node), ast.Expr(ast.Constant(...))]
        elif isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if not _is_docstring(part)]
            node.body = [*_first_docline(node), *methods]
    return ast.unparse(ast.fix_missing_locations(tree))


def _first_docline(node: ast.AST) -> list[ast.Expr]:
    text = ast.get_docstring(node)
    return [ast.Expr(ast.Constant(text.splitlines()[0]))] if text else []


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _source(thing: object) -> str:
    return textwrap.dedent(inspect.getsource(thing)).strip()


# ---------------------------------------------------------------------------- is it filled in yet?


def _refuse_stub(answer: object) -> None:
    if answer is None or answer is ... or answer is NotImplemented:
        raise NotYet
    if inspect.isfunction(answer) and _is_stub(answer.__code__):
        raise NotYet
    if inspect.isclass(answer):
        for name, code in _methods(answer).items():
            if _is_stub(code):
                raise NotYet(f"`{name}` is still empty.")


def _is_stub(code: CodeType) -> bool:
    """Does the body do nothing but give back None or `...`?"""
    steps = [(step.opname, step.argval) for step in dis.get_instructions(code)]
    idle = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST", "COPY_FREE_VARS"}
    constants = [argval for opname, argval in steps if opname in {"LOAD_CONST", "RETURN_CONST"}]
    return {opname for opname, _ in steps} <= idle and all(c is None or c is ... for c in constants)


def _is_unfinished(error: Exception, answer: object) -> bool:
    """Did the reader's code meet a `...` that is left, or raise NotImplementedError itself?"""
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    own = last.tb_frame.f_code in _codes(answer)
    return "ellipsis" in str(error) or (own and isinstance(error, NotImplementedError))


def _methods(cls: type) -> dict[str, CodeType]:
    unwrapped = {name: getattr(part, "__func__", part) for name, part in vars(cls).items()}
    return {name: f.__code__ for name, f in unwrapped.items() if inspect.isfunction(f)}


@contextlib.contextmanager
def _chance_of_its_own():
    """The shared random generators begin anew inside, and are as they were after it.

    So a check says the same in every run, and a page draws the same with it and without.
    """
    libraries = [sys.modules.get(name) for name in ("dlcourse.mini", "torch")]
    generators = [lib.random.default_generator for lib in libraries if lib is not None]
    states = [generator.get_state() for generator in generators]
    of_numpy, of_python = np.random.get_state(), random.getstate()
    for generator in generators:
        generator.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        np.random.set_state(of_numpy)
        random.setstate(of_python)


# ------------------------------------------------------------- an exception becomes a sentence


def _explain(error: Exception, short: str, line: str) -> str:
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if line:
        return f"`{short}` stops with an error.{line}\n{said}"
    if isinstance(error, TypeError) and "argument" in str(error):
        return f"`{short}` cannot be called the way the exercise calls it.\n{said}"
    if "NoneType" in str(error):
        return f"`{short}` gives None where a value is wanted. Is a `return` missing?"
    return f"`{short}` gives something the check cannot work with.\n{said}"


def _line_of_reader(error: Exception, answer: object, checks: str) -> str:
    """The innermost line of the reader's own code on the way to the error, or nothing.

    checks: the file with the checks, whose lines are of no use to the reader.
    """
    said = ""
    own = _codes(answer)
    step = error.__traceback__
    while step is not None:
        code, number = step.tb_frame.f_code, step.tb_lineno
        if code in own or not (code.co_filename == checks or _is_installed(code.co_filename)):
            line = linecache.getline(code.co_filename, number).strip()
            said = f" Line {number}: `{line}`" if line else said
        step = step.tb_next
    return said


def _codes(answer: object) -> set[CodeType]:
    """The code objects of a function or of a class's methods, those inside them included."""
    todo = list(_methods(answer).values()) if inspect.isclass(answer) else []
    todo += [answer.__code__] if inspect.isfunction(answer) else []
    found = set()
    while todo:
        code = todo.pop()
        found.add(code)
        todo += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
    return found


def _is_installed(filename: str) -> bool:
    """Is this file part of dlcourse, of Python or of an installed package, not the reader's?"""
    libraries = ("stdlib", "platstdlib", "purelib", "platlib")
    homes = [Path(sysconfig.get_path(name)) for name in libraries] + [Path(__file__).parents[1]]
    return filename.startswith("<frozen") or any(home in Path(filename).parents for home in homes)


# ---------------------------------------------------------------------------- words for the checks


def close(got: object, wanted: object, rtol: float = 1e-5, atol: float = 1e-8) -> bool:
    """Are both of one shape and equal within the tolerance? Never raises, whatever is given."""
    got, wanted = _array(got), _array(wanted)
    if got is None or wanted is None or got.shape != wanted.shape:
        return False
    return bool(np.allclose(got, wanted, rtol=rtol, atol=atol, equal_nan=True))


def expect(condition: object, hint: str) -> None:
    """Raise the hint unless the condition holds."""
    if not condition:
        raise Hint(hint)


def expect_close(
    got: object, wanted: object, what: str, hint: str = "", rtol: float = 1e-5, atol: float = 1e-8
) -> None:
    """Raise a hint that names `what`, what came and what was wanted, unless both are close.

    Numbers, arrays, nested lists, and tensors of mini or torch. `hint` is a sentence to add.
    """
    if got is ...:
        raise NotYet
    more = f" {hint}" if hint else ""
    if got is None:
        raise Hint(f"`{what}` is None. Is a `return` missing?{more}")
    values, target = _array(got), _array(wanted)
    if values is None:
        kind = type(got).__name__
        raise Hint(f"`{what}` is of type {kind}; numbers are wanted.{more}")
    if values.shape != target.shape:
        came, right = tuple(values.shape), tuple(target.shape)
        raise Hint(f"`{what}` has shape {came}; {right} is wanted.{more}")
    if not close(values, target, rtol, atol):
        raise Hint(f"{_difference(what, values, target, rtol, atol)}{more}")


def _array(value: object) -> np.ndarray | None:
    """Numbers, nested lists and tensors as an array; None for what is not numbers."""
    try:
        if hasattr(value, "detach"):
            value = value.detach().numpy()
        if isinstance(value, (list, tuple)):
            value = [_array(part) for part in value]
        if isinstance(value, Rational):  # a fraction, or an int beyond 64 bits
            value = float(value)
        array = np.asarray(value)
        return array.astype(np.float64) if array.dtype.kind in "biuf" else None
    except Exception:  # whatever a reader's object does when it is asked for numbers
        return None


def _difference(what: str, values: np.ndarray, target: np.ndarray, rtol: float, atol: float) -> str:
    """What came and what is right: a few numbers in full, of many the first one that is off."""
    came, right = _short(values), _short(target)
    if values.size <= 12 and came != right:
        return f"`{what}` is {came}; {right} is right."
    off = np.argwhere(~np.isclose(values, target, rtol=rtol, atol=atol, equal_nan=True))
    first = tuple(off[0].tolist())
    came, right = f"{values[first]:.6g}", f"{target[first]:.6g}"
    if came == right:
        came, right = f"{values[first]!s}", f"{target[first]!s}"
    if not first:
        return f"`{what}` is {came}; {right} is right."
    count = f"{len(off)} of {values.size} numbers" if len(off) > 1 else "one number"
    return f"`{what}` has {count} wrong. At {list(first)} it is {came}; {right} is right."


def _short(array: np.ndarray) -> str:
    if array.size == 1 and array.ndim == 0:
        return f"{array.item():.6g}"
    shown = np.array2string(array, precision=4, threshold=12, edgeitems=2, separator=", ")
    return " ".join(shown.split())


# ----------------------------------------------------------------------- finding, checking, showing


def chapters() -> list[str]:
    """The chapters that have exercises."""
    package = importlib.import_module(PACKAGE)
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted(name for name in names if not name.startswith("_"))


def chapter_exercises(chapter: str) -> dict[str, Exercise]:
    """The exercises of one chapter by their full names, in the order of its file."""
    if chapter not in chapters():
        raise LookupError(_no_such(f"chapter with exercises {chapter!r}", chapter, chapters()))
    module = importlib.import_module(f"{PACKAGE}.{chapter}")
    found = [thing for thing in vars(module).values() if isinstance(thing, Exercise)]
    return {exercise.name: exercise for exercise in found}


def find(name: str) -> Exercise:
    """The exercise of that name, such as "autograd.slope".

    Raises LookupError, naming the exercises there are, if there is none.
    """
    if not isinstance(name, str):
        raise TypeError(
            'The name of the exercise comes first: check("chapter.exercise", your_answer), '
            f"but the first argument is of type {type(name).__name__}."
        )
    known = chapter_exercises(name.partition(".")[0])
    if name not in known:
        raise LookupError(_no_such(f"exercise {name!r}", name, list(known)))
    return known[name]


def _no_such(what: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    question = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no {what}.{question} There are: {', '.join(known) or 'none'}."


def check(name: str, answer: object) -> None:
    """Test your own function, class or value and show the verdict: right, or a hint, or not yet.

    Args:
        name: the exercise, such as "autograd.slope"; an unknown one raises LookupError.
        answer: what you have written: the function, class or value itself.
    """
    _display(find(name).verdict(answer))


def solution(name: str) -> None:
    """Show the solution's source and the reasoning. Try first."""
    _display(find(name).shown_solution())
