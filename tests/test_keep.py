"""Marks stay with their formula, short code whole; long names and messages break well."""

import pytest

pytest.importorskip("sphinx")

from dlcourse.book.keep import (
    BreakLongNames,
    KeepPunctuation,
    KeepShortCode,
    KeepUnits,
    WrapMessages,
)

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


@pytest.mark.parametrize(
    ("code", "whole"),
    [
        ("1 - out * out", ["1 - out * out"]),
        ("log_softmax(x, dim)", []),
        ("python -m dlcourse train --rounds 20 --lr=0.1", ["--rounds", "--lr"]),
        ("a_name_with--dashes_and_no_option", []),
    ],
)
def test_short_code_and_options_are_not_broken(code, whole):
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.literal("", code))
    KeepShortCode(document).run()
    assert document.astext() == code
    kept = [n for n in document.findall(nodes.Element) if "dl-keep" in n.get("classes", [])]
    assert [node.astext() for node in kept] == whole


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("by 47 % a layer", "by 47_% a layer"),
        ("of 3.5 MB in 20 s, or 7 ms", "of 3.5_MB in 20_s, or 7_ms"),
        (" % of all", "_% of all"),  # after a formula
        ("in 3 steps of 2 sMB", "in 3 steps of 2 sMB"),
        ("a % b", "a % b"),
    ],
)
def test_a_number_and_its_unit_stay_in_a_line(text, wanted):
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.Text(text), nodes.literal("", "7 % 3"))
    document += nodes.literal_block("7 % 3", "7 % 3")
    KeepUnits(document).run()
    shown = [
        part.astext().replace("\N{NO-BREAK SPACE}", "_") for part in document.findall(nodes.Text)
    ]
    assert shown == [wanted, "7 % 3", "7 % 3"]


QUOTED = "---\nValueError  Traceback (most recent call last)\nCell In[1], line 1\n----> 1 f(x)\n"


def shown(text, *classes):
    """The blocks of a page with one output: what it says, and whether it is a message."""
    document = new_document("page")
    document += nodes.literal_block(text, text, classes=["output", *classes])
    WrapMessages(document).run()
    return list(document.children)


def test_the_message_of_a_traceback_is_parted_from_what_is_quoted():
    said = 'torch.cuda.OutOfMemoryError: for a < b\n\n\tin "x"'
    quoted, message = shown(f"{QUOTED}\n{said}", "traceback")
    assert quoted.astext() + "\n" == QUOTED
    assert quoted.rawsource == quoted.astext()
    assert quoted["classes"] == ["output", "traceback", "quoted"]
    assert 'class="output traceback message' in message.astext()
    assert "a &lt; b\n\n\tin &quot;x&quot;\n</pre>" in message.astext()


def test_of_two_messages_the_last_is_parted():
    first = f"{QUOTED}\nKeyError: 1\n\nDuring this, another one occurred:\n\n"
    quoted, message = shown(f"{first}{QUOTED}\nValueError: 2", "traceback")
    assert "KeyError: 1" in quoted.astext()
    assert '<pre><span class="ne">ValueError</span>: 2\n</pre>' in message.astext()


@pytest.mark.parametrize(
    ("text", "classes"),
    [(f"{QUOTED}\nValueError: 2", ["stream"]), ("SyntaxError: no", ["traceback"])],
)
def test_what_is_no_traceback_or_quotes_nothing_stays_one(text, classes):
    (block,) = shown(text, *classes)
    assert block.astext() == text
