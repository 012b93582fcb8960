'''Exercises: what a reader writes is tested in place and answered with a hint, not a traceback.

A reader uses two functions:

    from dlcourse.exercises import check, solution

    check("autograd.slope", slope)   # tests the reader's own function, class or value
    solution("autograd.slope")       # the solution's source, and the reasoning

An author writes one file a chapter, `dlcourse/exercises/<chapter>.py`. It holds for each exercise,
one after another, the solution, its check, and at least three plausible wrong answers:

    """Exercises of the chapter autograd. The form: dlcourse/exercises/__init__.py."""

    from dlcourse.exercises import Hint, close, exercise, expect_close


    def slope(f, x, eps):
        """Central difference: f(x + eps) and f(x - eps) lie 2 eps apart."""
        return (f(x + eps) - f(x - eps)) / (2 * eps)


    @exercise(
        solution=slope,
        reasoning="The errors of order eps on both sides cancel; what is left is of order eps^2.",
        shown="For a parabola the central difference is exact, however large eps is.",
    )
    def check_slope(slope):
        got = slope(lambda x: x**2, 3.0, 0.5)
        if close(got, 12.0):
            raise Hint("The two points lie 2 eps apart, not eps: divide by `2 * eps`.")
        if close(got, 6.5):
            raise Hint("That is the forward difference. Look to both sides of `x`.")
        expect_close(got, 6.0, "slope(f, 3.0, 0.5) for f(x) = x**2")
        expect_close(slope(lambda x: x**2, -1.0, 0.5), -2.0, "the slope of x**2 at -1")


    @check_slope.wrong("divide by `2 * eps`")
    def divides_by_one_eps(f, x, eps):
        return (f(x + eps) - f(x - eps)) / eps


    @check_slope.wrong("forward difference")
    def looks_to_one_side(f, x, eps):
        return (f(x + eps) - f(x)) / eps


    @check_slope.wrong("at -1")
    def gives_the_value_at_three(f, x, eps):
        return 6.0

What is what:

solution   a function or class as the reader would write it; it names the exercise. The page has
           its source from here (`literalinclude` with `:pyobject: slope`). For a question, such as
           "predict the gradient", it is a plain value: then `name="diamond"` names the exercise,
           and `reasoning` is required.
reasoning  why the solution is right: Markdown, formulas too. Without it the solution's docstring
           must say why.
shown      what a passed check has shown, in one sentence.
check      gets the reader's object. It says nothing if all is well, and raises `Hint` with what is
           wrong and where to look. `expect_close(got, wanted, what)` and `expect(condition, hint)`
           raise it for you; `close(got, wanted)` is a question, for recognising a known mistake.
           Test for the known mistakes first, then for the truth. A check uses no unseeded random
           numbers, so its sentences are the same in every run.
wrong      the phrase that the hint for this answer must hold, and the answer: a function under
           `@check_slope.wrong("phrase")`, or any object: `check_slope.wrong("phrase", 12.0)`.
stub       what the notebook's cell gives the reader to fill in. Left out, it is made from the
           solution: its signature and docstring's first line, and `...` for each body. A text given
           as `stub=...` gives more help; every `...` left in it counts as "not yet".

In the notebook: an exercise directive whose text names the exercise, a cell with the stub that ends
with `check("autograd.slope", slope)`, and the solution in a dropdown. tests/test_exercises.py holds
each exercise to all of this: the stub is answered with "not yet", the solution passes, each wrong
answer fails with its own phrase, and the notebook shows the same stub.
'''

from dlcourse.exercises._core import (
    Exercise,
    Hint,
    Verdict,
    chapter_exercises,
    check,
    close,
    exercise,
    expect,
    expect_close,
    find,
    solution,
)

__all__ = [
    "Exercise",
    "Hint",
    "Verdict",
    "chapter_exercises",
    "check",
    "close",
    "exercise",
    "expect",
    "expect_close",
    "find",
    "solution",
]
