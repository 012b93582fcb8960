"""Cells of mini and of torch that share one place on the page."""

import types

import pytest

pytest.importorskip("sphinx_design")

from dlcourse.book import tabs
from dlcourse.book.live import MarkLive
from dlcourse.book.site import MarkEngines

from docutils import nodes
from docutils.utils import new_document

OURS = "from dlcourse import mini as torch"
THEIRS = "import torch"


def cell(code, *tags):
    made = nodes.container(nb_element="cell_code", classes=["cell", *(f"tag_{t}" for t in tags)])
    made += nodes.container("", nodes.literal_block(code, code), classes=["cell_input"])
    return made


def page(*content):
    document = new_document("page")
    document += nodes.section("", *content)
    return document


def shape(node):
    """A page as nested lists: titles of tabs, cells and listings, paragraphs."""
    if isinstance(node, nodes.literal_block | nodes.rubric | nodes.paragraph):
        return node.astext()
    inside = [shape(child) for child in node.children]
    return inside[0] if len(inside) == 1 else inside


def with_tabs(monkeypatch, *content):
    """The page after the transform, and what was warned of."""
    said = []
    warn = types.SimpleNamespace(warning=lambda text, *args, **where: said.append(text % args))
    monkeypatch.setattr(tabs, "log", warn)
    document = page(*content)
    tabs.MakeTabs(document).run()
    return shape(document), said


def test_a_pair_of_cells_becomes_tabs_where_it_stood(monkeypatch):
    content = cell("0"), cell(OURS, "tab-mini"), cell(THEIRS, "tab-torch"), cell("1")
    made = ["0", [["mini", OURS], ["PyTorch", THEIRS]], "1"]
    assert with_tabs(monkeypatch, *content) == (made, [])


def test_pairs_are_those_with_nothing_in_between(monkeypatch):
    pair = [cell("a", "tab-torch"), cell("b", "tab-mini")]
    again = [cell("c", "tab-mini"), cell("d", "tab-torch")]
    made, said = with_tabs(monkeypatch, *pair, nodes.paragraph("", "or"), *again)
    assert made == [
        [["PyTorch", "a"], ["mini", "b"]], "or", [["mini", "c"], ["PyTorch", "d"]],
    ]  # fmt: skip
    assert said == []
    _, said = with_tabs(monkeypatch, *[cell("a", "tab-mini")], nodes.paragraph("", "or"), cell("b"))
    assert said == ["tabs of mini and torch come in pairs"]


def test_a_cell_from_above_is_shown_beside(monkeypatch):
    above = "D = 3\n\n\nclass Heads(mini.nn.Module):\n    pass"
    below = cell("class TorchHeads(nn.Module):\n    pass", "beside-Heads")
    made, said = with_tabs(monkeypatch, cell(above), below)
    assert made[1] == [["PyTorch", below.astext()], ["mini, as above: Heads", above]]
    assert said == []
    _, said = with_tabs(monkeypatch, cell("class Head: pass"), cell("1", "beside-Heads"))
    assert said == ["0 cells above define Heads, not one"]


def marks(*content):
    document = page(*content)
    for mark in (MarkEngines, MarkLive):
        mark(document).run()
    cells = [found for found, _ in tabs.code_cells(document)]
    wanted = ("names-", "live-", "needs-", "torch-alone")
    return [[name for name in c["classes"] if name.startswith(wanted)] for c in cells]


def test_what_runs_with_either_engine_names_both_and_runs_with_mini():
    """The cells of the cheat sheet said "torch", and none of them ran in the page."""
    imports = cell(OURS, "tab-mini"), cell(THEIRS, "tab-torch")
    found = marks(*imports, cell("torch.ones(2)"), cell("torch.fft", "torch-only"))
    assert found[2:] == [
        ["names-mini", "names-torch", "live-all"],
        ["names-torch", "live-none", "needs-torch", "torch-alone"],
    ]
    assert found[1][-1] == "torch-alone"
    assert marks(cell(OURS), cell(THEIRS), cell("torch.ones(2)"))[2] == [
        "names-torch", "live-none", "needs-torch",
    ]  # fmt: skip
