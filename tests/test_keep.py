"""Marks that belong to a formula stay on its line, and long names break after a mark."""

import pytest

pytest.importorskip("sphinx")

from dlcourse.book.keep import BreakLongNames, KeepPunctuation

from docutils import nodes
from docutils.utils import new_document


def kept(*content):
    """What each element of a paragraph says, after the transform; formulas as $x$."""
    paragraph = nodes.paragraph("", "", *content)
    document = new_document("page")
    document += paragraph
    KeepPunctuation(document).run()
    return [
        "".join(f"${part.astext()}$" if isinstance(part, nodes.math) else part.astext()
                for part in (child.children if isinstance(child, nodes.inline) else [child]))
        for child in paragraph
    ]  # fmt: skip


def x():
    return nodes.math("x", "x")


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("all ", ":", ["all ", "$x$:"]),
        ("so (", "), and", ["so ", "($x$),", " and"]),
        ("of ", " and", ["of ", "$x$", " and"]),
        ("the ", "-axis", ["the ", "$x$", "-axis"]),
    ],
)
def test_marks_that_touch_a_formula_are_kept_with_it(before, after, wanted):
    assert kept(nodes.Text(before), x(), nodes.Text(after)) == wanted


def test_formulas_with_only_marks_between_them():
    assert kept(x(), nodes.Text(","), x(), nodes.Text(".")) == ["$x$,", "$x$."]


def test_a_formula_at_the_end_or_beside_another_element_stays_alone():
    assert kept(nodes.strong("", "a"), x()) == ["a", "$x$"]


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a_long/path_to/the/autograd.ipynb", ["a_long/", "path_to/", "the/", "autograd.ipynb"]),
        ("functional.multi_head_attention", ["functional.", "multi_head_attention"]),
        ("x.register_post_accumulate_grad_hook", ["x.register_post_accumulate_grad_hook"]),
        ("torch.nn.functional", ["torch.nn.functional"]),
        ("a sentence of short.words in code", ["a sentence of short.words in code"]),
    ],
)
def test_a_long_name_may_break_after_a_mark_and_a_short_one_may_not(name, parts):
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.literal("", name))
    BreakLongNames(document).run()
    (code,) = document.findall(nodes.literal)
    assert [part.astext() for part in code.findall(nodes.Text)][::2] == parts
    assert [part.astext() for part in code.findall(nodes.raw)] == ["<wbr>"] * (len(parts) - 1)
