"""Exercises: the stub gets "not yet", the solution passes, each wrong answer gets its own hint.

The first half holds every exercise of the course to this, and to what its chapter shows; the
second tests the machinery itself, on a chapter made of the example in the docstring of
dlcourse.exercises and of two more exercises below.
"""

import ast
import importlib
import json
import random
import re
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path

import dlcourse.exercises
from dlcourse import mini
from dlcourse.exercises import _core

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
EVERY = [
    exercise
    for chapter in _core.chapters()
    for exercise in dlcourse.exercises.chapter_exercises(chapter).values()
]
every_exercise = pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.name)


# ------------------------------------------------------------------ what every exercise must show


def stub_answer(exercise):
    """What the stub's cell hands to `check`: the stub is run in the exercise's own file."""
    scope = dict(vars(sys.modules[exercise.examine.__module__]))
    exec(exercise.stub, scope)
    return scope[exercise.name.rpartition(".")[2]]


def assert_stub_is_not_yet(exercise):
    verdict = exercise.verdict(stub_answer(exercise))
    assert verdict.state == "not yet", f"the stub of {exercise.name} gets: {verdict}"


def assert_solution_passes(exercise):
    verdict = exercise.verdict(exercise.solution)
    assert verdict.state == "right", f"the solution of {exercise.name} gets: {verdict}"


def assert_wrong_answers_get_their_hints(exercise):
    assert len(exercise.wrong_answers) >= 3, f"{exercise.name} has fewer than 3 wrong answers"
    hints = []
    for answer, phrase in exercise.wrong_answers:
        called = f"{exercise.name}: {getattr(answer, '__name__', answer)}"
        verdict = exercise.verdict(answer)
        assert verdict.state == "wrong", f"{called} gets: {verdict}"
        assert phrase in verdict.message, f"{called}: no {phrase!r} in: {verdict.message}"
        assert len(phrase) >= 4, f"{called}: the phrase {phrase!r} says nothing"
        hints.append(verdict.message)
    assert len(set(hints)) == len(hints), f"{exercise.name}: two wrong answers get the same hint"


@every_exercise
def test_stub_is_not_yet(exercise):
    assert_stub_is_not_yet(exercise)


@every_exercise
def test_solution_passes(exercise):
    assert_solution_passes(exercise)


@every_exercise
def test_wrong_answers_get_their_hints(exercise):
    assert_wrong_answers_get_their_hints(exercise)


@every_exercise
def test_verdicts_are_the_same_in_every_run(exercise):
    answers = [exercise.solution, *(answer for answer, _ in exercise.wrong_answers)]
    first, second = ([repr(exercise.verdict(answer)) for answer in answers] for _ in range(2))
    assert first == second
    assert " at 0x" not in "".join(first), "an address is another one in the next run"


# ------------------------------------------------------------ exercises and chapters match


def cells(path, kind):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def checks_in(source):
    """The names in `check("name", ...)` calls of a cell."""
    source = "\n".join(
        "" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n")
    )
    return [
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("check", "solution")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]


def same_code(source):
    """Code without comments and layout, statement by statement."""
    return [ast.unparse(statement) for statement in ast.parse(source).body]


def problems_of_page(path, exercises):
    """What keeps a chapter's notebook from showing each exercise as the package defines it."""
    prose, code = cells(path, "markdown"), cells(path, "code")
    problems = []
    for name, exercise in exercises.items():
        short = name.rpartition(".")[2]
        if not any("{exercise" in text and name in text for text in prose):
            problems.append(f"no exercise directive names {name}")
        stub = same_code(exercise.stub)
        with_check = [source for source in code if name in checks_in(source)]
        if not any(all(part in same_code(source) for part in stub) for source in with_check):
            problems.append(f"no cell has this stub and ends with its check:\n{exercise.stub}")
        if callable(exercise.solution) and not any(
            "literalinclude" in text and re.search(rf":pyobject: {short}$", text, re.M)
            for text in prose
        ):
            problems.append(f"no dropdown includes the source of {short}")
    called = {name for source in code for name in checks_in(source)}
    unknown = [
        name for name in called if name.startswith(path.stem + ".") and name not in exercises
    ]
    return problems + [f"the notebook checks {name}, which is no exercise" for name in unknown]


@pytest.mark.parametrize("chapter", _core.chapters())
def test_the_chapter_shows_its_exercises(chapter):
    pages = list((ROOT / "chapters").rglob(f"{chapter}.ipynb"))
    assert len(pages) == 1, f"chapters/**/{chapter}.ipynb: {pages}"
    assert problems_of_page(pages[0], dlcourse.exercises.chapter_exercises(chapter)) == []


@pytest.mark.parametrize("chapter", _core.chapters())
def test_a_chapter_has_four_to_eight_exercises(chapter):
    count = len(dlcourse.exercises.chapter_exercises(chapter))
    assert 4 <= count <= 8, f"dlcourse/exercises/{chapter}.py has {count}"


def test_every_check_in_a_notebook_exists():
    for path in (ROOT / "chapters").rglob("*.ipynb"):
        if ".ipynb_checkpoints" in path.parts:
            continue
        for name in (name for source in cells(path, "code") for name in checks_in(source)):
            assert dlcourse.exercises.find(name).name == name


# ----------------------------------------------------------- the machinery, on a sample

MORE = '''
@exercise(
    name="diamond",
    solution=4.0,
    reasoning="Four paths lead from `c` to `a`, each with slope 1.",
    shown="A gradient adds up over all paths.",
)
def check_diamond(answer):
    if close(answer, 2.0):
        raise Hint("That is one of the two steps: `c = b + b` doubles again.")
    expect(not close(answer, 1.0), "Count the paths from `c` to `a`.")
    expect_close(answer, 4.0, "the gradient")


check_diamond.wrong("doubles again", 2.0)
check_diamond.wrong("Count the paths", 1.0)
check_diamond.wrong("4 is right", 8.0)


class Square:
    """x squared, as a function object.

    The slope of x^2 is 2x, times what arrives from above.
    """

    @staticmethod
    def forward(x):
        """The value."""
        return x**2

    @staticmethod
    def backward(x, grad_output):
        return 2 * x * grad_output


@exercise(solution=Square, shown="Forward and backward belong together.")
def check_Square(cls):
    expect_close(cls.forward(3.0), 9.0, "forward(3.0)")
    got = cls.backward(3.0, 10.0)
    expect(not close(got, 6.0), "The chain rule: times `grad_output`.")
    expect_close(got, 60.0, "backward(3.0, 10.0)")


@check_Square.wrong("times `grad_output`")
class DropsTheChain(Square):
    @staticmethod
    def backward(x, grad_output):
        return 2 * x


@check_Square.wrong("Is a `return` missing?")
class ReturnsNothing(Square):
    @staticmethod
    def forward(x):
        x**2


@check_Square.wrong("30 is not")
class ForgetsTheTwo(Square):
    @staticmethod
    def backward(x, grad_output):
        raise ValueError("30 is not 60")
'''


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """The chapter `sample`: the example of the package's docstring, and MORE."""
    doc = dlcourse.exercises.__doc__
    example = doc[doc.index('    """Exercises of the chapter') : doc.index("What is what:")]
    example = textwrap.dedent(example).replace(
        "import Hint, close, exercise, expect_close",
        "import Hint, close, exercise, expect, expect_close",
    )
    (tmp_path / "sample.py").write_text(example + MORE, encoding="utf-8")
    path = [*dlcourse.exercises.__path__, str(tmp_path)]
    monkeypatch.setattr(dlcourse.exercises, "__path__", path)
    monkeypatch.delitem(sys.modules, "dlcourse.exercises.sample", raising=False)
    importlib.invalidate_caches()
    yield dlcourse.exercises.chapter_exercises("sample")
    sys.modules.pop("dlcourse.exercises.sample", None)
    vars(dlcourse.exercises).pop("sample", None)


def test_sample_exercises_are_held_to_the_rules(sample):
    assert list(sample) == ["sample.slope", "sample.diamond", "sample.Square"]
    for exercise in sample.values():
        assert_stub_is_not_yet(exercise)
        assert_solution_passes(exercise)
        assert_wrong_answers_get_their_hints(exercise)


def test_stubs_are_made_from_solutions(sample):
    assert sample["sample.diamond"].stub == "diamond = ..."
    assert sample["sample.slope"].stub == textwrap.dedent('''\
        def slope(f, x, eps):
            """Central difference: f(x + eps) and f(x - eps) lie 2 eps apart."""
            ...''')
    assert sample["sample.Square"].stub == textwrap.dedent('''\
        class Square:
            """x squared, as a function object."""

            @staticmethod
            def forward(x):
                """The value."""
                ...

            @staticmethod
            def backward(x, grad_output):
                ...''')


def returns_nothing(f, x, eps):
    f(x + eps)


def returns_text(f, x, eps):
    return "six"


def returns_a_list(f, x, eps):
    return [6.0]


def takes_two(f, x):
    return 6.0


def divides_by_zero(f, x, eps):
    top = f(x + eps)
    return top / 0


def is_half_filled(f, x, eps):
    top = ...
    return top / eps


def gives_back_the_dots(f, x, eps):
    top = ...
    return top


def gives_up(f, x, eps):
    raise NotImplementedError


def asks_too_much_of_others(f, x, eps):
    return f(None)


def never_ends(f, x, eps):
    return never_ends(f, x, eps)


SLOPE_ANSWERS = {
    returns_nothing: ("wrong", "Is a `return` missing?"),
    returns_text: ("wrong", "is of type str; numbers are wanted"),
    returns_a_list: ("wrong", "has shape (1,); () is wanted"),
    takes_two: ("wrong", "cannot be called the way the exercise calls it"),
    divides_by_zero: ("wrong", "Line 3: `return top / 0`"),
    asks_too_much_of_others: ("wrong", "Line 2: `return f(None)`"),
    never_ends: ("wrong", "RecursionError"),
    is_half_filled: ("not yet", "`return top / eps`"),
    gives_back_the_dots: ("not yet", "Fill in"),
    gives_up: ("not yet", "to fill in"),
}


@pytest.mark.parametrize("answer", SLOPE_ANSWERS, ids=lambda answer: answer.__name__)
def test_any_answer_gets_a_sentence(sample, answer):
    state, phrase = SLOPE_ANSWERS[answer]
    verdict = sample["sample.slope"].verdict(answer)
    first_line = answer.__code__.co_firstlineno
    phrase = re.sub(r"Line (\d+)", lambda m: f"Line {first_line + int(m[1]) - 1}", phrase)
    assert (verdict.state, phrase in verdict.message) == (state, True), verdict


@pytest.mark.parametrize("answer", [None, ..., NotImplemented, lambda f, x, eps: None])
def test_nothing_is_not_yet(sample, answer):
    for exercise in sample.values():
        assert exercise.verdict(answer).state == "not yet"


def test_a_called_function_is_refused_as_such(sample):
    assert "the function itself" in sample["sample.slope"].verdict(6.0).message
    assert "without making one" in sample["sample.Square"].verdict(lambda x: x).message


def test_a_method_left_empty_is_named(sample):
    class Square:
        @staticmethod
        def forward(x):
            return x**2

        @staticmethod
        def backward(x, grad_output): ...

    verdict = sample["sample.Square"].verdict(Square)
    assert verdict.state == "not yet"
    assert "`backward` is still empty" in verdict.message


def test_a_check_has_chance_of_its_own(sample):
    """Random answers get one verdict, and a page draws what it would draw without the check."""
    torch = pytest.importorskip("torch")
    draws = {
        "random": random.random,
        "numpy": np.random.random,
        "mini": lambda: mini.rand(1).item(),
        "torch": lambda: torch.rand(1).item(),
    }

    def guess(f, x, eps):
        random.seed(5) if x < 0 else None  # whatever an answer does to them
        return sum(draw() for draw in draws.values())

    for draw in draws.values():
        draw()
    first, second = (repr(sample["sample.slope"].verdict(guess)) for _ in range(2))
    assert first == second
    assert "right" not in first.split("\n")[0]

    before = random.getstate(), np.random.get_state(), mini.get_rng_state(), torch.get_rng_state()
    wanted = [draw() for draw in draws.values()]
    random.setstate(before[0])
    np.random.set_state(before[1])
    mini.set_rng_state(before[2])
    torch.set_rng_state(before[3])
    sample["sample.slope"].verdict(guess)
    assert [draw() for draw in draws.values()] == wanted


def test_check_prints_the_verdict(sample, capsys):
    dlcourse.exercises.check("sample.diamond", 4.0)
    assert capsys.readouterr().out == (
        "✓ sample.diamond: right\n  A gradient adds up over all paths.\n"
    )


def test_solution_prints_source_and_reasoning(sample, capsys):
    dlcourse.exercises.solution("sample.slope")
    shown = capsys.readouterr().out
    assert shown.startswith("def slope(f, x, eps):")
    assert "errors of order eps" in shown
    dlcourse.exercises.solution("sample.diamond")
    assert capsys.readouterr().out.startswith("diamond = 4.0")


def test_in_ipython_the_line_of_the_cell_is_shown(sample):
    folder = dlcourse.exercises.__path__[-1]
    cell = """
def slope(f, x, eps):
    return f(x) / 0

check("sample.slope", slope)
print("and after the verdict the cell goes on")
"""
    program = f"""
import dlcourse.exercises
from IPython.core.interactiveshell import InteractiveShell

dlcourse.exercises.__path__.append({folder!r})
shell = InteractiveShell.instance()
shell.run_cell("from dlcourse.exercises import check")
shell.run_cell({cell.strip()!r})
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout == (
        "✗ sample.slope: wrong\n"
        "  `slope` stops with an error. Line 2: `return f(x) / 0`\n"
        "  ZeroDivisionError: float division by zero\n"
        "and after the verdict the cell goes on\n"
    ), done.stderr


def test_html_shows_code_and_stress_and_escapes_the_rest():
    page = _core.Verdict("a.b", "wrong", "`x *y* < z` & *every* <script> 2 * 3 * 4")._repr_html_()
    assert "x *y* &lt; z</code> &amp; <em>every</em> &lt;script&gt; 2 * 3 * 4</p>" in page
    assert 'role="status"' in page


def test_html_uses_the_palette_of_the_figures():
    from dlcourse.plots.colors import COLORS

    for _, color in _core.STATES.values():
        name, code = re.fullmatch(r"var\(--dl-(\w+), (#\w{6})\)", color).groups()
        assert COLORS[name] == code


def test_unknown_names_are_answered_with_the_known(sample):
    with pytest.raises(LookupError, match=r"mean 'sample.slope'\?.*sample.diamond, sample.Square"):
        dlcourse.exercises.find("sample.slop")
    with pytest.raises(LookupError, match=r"no chapter .*'sampel'.*mean 'sample'"):
        dlcourse.exercises.find("sampel.slope")
    with pytest.raises(TypeError, match="name of the exercise comes first"):
        dlcourse.exercises.check(returns_text, "sample.slope")


def test_an_exercise_without_name_or_reason_is_refused():
    with pytest.raises(ValueError, match="needs `name="):
        dlcourse.exercises.exercise(solution=4.0, shown="x", reasoning="y")(lambda answer: None)
    with pytest.raises(ValueError, match="say why"):
        dlcourse.exercises.exercise(solution=takes_two, shown="x")(lambda answer: None)


def test_tensors_of_both_frameworks_are_numbers():
    torch = pytest.importorskip("torch")
    wanted = torch.tensor([1.0, 2.0], requires_grad=True)
    assert dlcourse.exercises.close([1.0, 2.0], wanted)
    assert dlcourse.exercises.close([torch.tensor(1), 2], wanted)
    assert not dlcourse.exercises.close([1.0, 2.1], wanted)
    with pytest.raises(dlcourse.exercises.Hint, match=r"`g` is \[1., 2.\]; \[1., 3.\] is right"):
        dlcourse.exercises.expect_close(wanted, torch.tensor([1.0, 3.0]), "g")


def test_fractions_and_long_whole_numbers_are_numbers():
    assert dlcourse.exercises.close(Fraction(1, 3), 1 / 3)
    assert dlcourse.exercises.close([Fraction(1, 2), 2], [0.5, 2.0])
    assert dlcourse.exercises.close(2**70, 2.0**70)
    assert not dlcourse.exercises.close(Fraction(1, 3), 0.25)
    assert not dlcourse.exercises.close("0.5", 0.5)


def test_of_many_numbers_the_first_wrong_one_is_told():
    wanted = dlcourse.exercises.expect_close
    image = np.arange(24.0).reshape(2, 3, 4)
    with pytest.raises(dlcourse.exercises.Hint) as told:
        wanted(image + (image > 20), image, "it")
    assert str(told.value) == "`it` has 3 of 24 numbers wrong. At [1, 2, 1] it is 22; 21 is right."
    with pytest.raises(dlcourse.exercises.Hint, match=r"has one number wrong. At .* it is 24; 23"):
        wanted(image + (image > 22), image, "it")
    with pytest.raises(dlcourse.exercises.Hint, match=r"At \[1\] it is 2\.0000001; 2\.0 is right"):
        wanted([1.0, 2.0000001], [1.0, 2.0], "it", rtol=1e-9)  # four digits look the same
    with pytest.raises(dlcourse.exercises.Hint, match=r"`it` is 2\.0000001; 2\.0 is right"):
        wanted(2.0000001, 2.0, "it", rtol=1e-9)


def page_of(tmp_path, *cells_of_page):
    path = tmp_path / "sample.ipynb"
    as_json = [{"cell_type": kind, "source": source} for kind, source in cells_of_page]
    path.write_text(json.dumps({"cells": as_json}), encoding="utf-8")
    return path


def test_a_page_that_forgets_an_exercise_is_found(sample, tmp_path):
    prompt = "```{exercise}\n:label: slope\nFind it (`sample.slope`).\n```"
    cell = sample["sample.slope"].stub + '\n\ncheck("sample.slope", slope)  # yours'
    dropdown = "```{literalinclude} ../sample.py\n:pyobject: slope\n```"
    one = {"sample.slope": sample["sample.slope"]}

    def problems(*cells_of_page):
        return problems_of_page(page_of(tmp_path, *cells_of_page), one)

    whole = [("markdown", prompt), ("code", cell), ("markdown", dropdown)]
    assert problems(*whole) == []
    assert "no exercise directive" in problems(*whole[1:])[0]
    assert "no cell has this stub" in problems(whole[0], whole[2])[0]
    other = ("code", cell.replace("eps):", "h):"))
    assert "no cell has this stub" in problems(whole[0], other, whole[2])[0]
    assert "no dropdown" in problems(*whole[:2])[0]
    extra = ("code", 'check("sample.nope", 1)')
    assert "is no exercise" in problems(*whole, extra)[0]
