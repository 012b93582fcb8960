"""The pages of the reference that programs write are those of the code as it is."""

import re
from pathlib import Path

from dlcourse.book import derivations, differences

import nbformat
import pytest
from pybtex.database import parse_file

# -- differences from torch ------------------------------------------------------------------------


def test_the_page_of_differences_is_current():
    found = differences.PAGE.read_text("utf-8")
    assert found == differences.page(), "run python -m dlcourse.book.differences"


def test_every_note_is_about_torch():
    """No note escapes the page by another beginning."""
    package = Path(differences.ROOT, "dlcourse", "mini")
    notes = [n for p in package.rglob("*.py") for n in re.findall("# NB:.*", p.read_text("utf-8"))]
    assert [n for n in notes if not n.startswith(differences.MARK)] == []
    assert len(notes) == len(differences.differences())


MODULE = '''\
"""A module."""

# NB: in torch all is other,
# from end to end.

# NB: in torch it has another name.
def first(x):
    return x


class Second:
    if True:

        def third(self):
            # NB: in torch it is one node.
            # NB: in torch x_y(1) is <b>bold</b>.
            return 1  # not this
'''


@pytest.fixture
def found(tmp_path):
    (tmp_path / "nn" / "functional").mkdir(parents=True)
    (tmp_path / "nn" / "functional" / "__init__.py").write_text(MODULE)
    return differences.differences(tmp_path)


def test_a_note_is_found_with_its_place(found):
    assert [(d.module, d.place, d.text) for d in found] == [
        ("nn.functional", "", "in torch all is other, from end to end."),
        ("nn.functional", "first", "in torch it has another name."),
        ("nn.functional", "Second.third", "in torch it is one node."),
        ("nn.functional", "Second.third", "in torch x_y(1) is <b>bold</b>."),
    ]


def test_a_note_stands_in_its_part_of_the_page(found):
    parts = re.split(r"^## ", differences.page(found), flags=re.M)[1:]
    assert [part.split("\n")[0] for part in parts] == [
        "Functions of layers",
        "Seen in the graph alone",
    ]
    assert (
        "- `Second.third` in `nn.functional`: In torch `x_y(1)` is \\<b\\>bold\\</b\\>." in parts[0]
    )
    assert "one node" in parts[1]
    assert "one node" not in parts[0]


# -- derivations -----------------------------------------------------------------------------------


def test_the_page_of_derivations_is_current():
    found = derivations.PAGE.read_text("utf-8")
    assert found == derivations.page(), "run python -m dlcourse.book.derivations"


def test_every_numbered_equation_has_its_proof():
    found = derivations.equations()
    assert [f"{e.page}: {e.label}" for e in found if e.proof is None] == []
    # None is missed by how it is written.
    text = "\n".join(path.read_text("utf-8") for path in derivations.CHAPTERS.rglob("*.ipynb"))
    labels = re.findall(r"\$\$ \(([\w-]+)\)|:label: (eq-[\w-]+)", text)
    assert sorted(e.label for e in found) == sorted(a or b for a, b in labels)


markdown = nbformat.v4.new_markdown_cell
code = nbformat.v4.new_code_cell


@pytest.fixture
def chapter(tmp_path):
    """A chapter with three equations, of which the last two have no proof."""
    cells = [
        markdown("# Sums\n\n## By hand\n\n$$\na + b\n= b + a\n$$ (eq-one)\n\n"),
        code("1 + 1"),
        code("assert_matches(1, 1)"),
        markdown("## At work\n\n```{math}\n:label: eq-two\n\nc = 1\n```\n$$\nd\n$$ (eq-three)"),
        code("torch.equal(a, b)"),
    ]
    path = tmp_path / "foundations" / "sums.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_an_equation_is_found_with_its_section_and_its_proof(chapter, tmp_path):
    one, two, three = derivations.of_notebook(chapter, tmp_path)
    assert one == derivations.Equation(
        page="foundations/sums",
        chapter="Sums",
        section="By hand",
        label="eq-one",
        formula="a + b\n= b + a",
        proof="assert_matches(1, 1)",
    )
    assert (two.label, two.formula, two.section, two.proof) == ("eq-two", "c = 1", "At work", None)
    assert (three.label, three.formula) == ("eq-three", "d")


@pytest.mark.parametrize(
    ("codes", "proof"),
    [
        (["assert True"], "assert True"),
        (["x = 1", "def f():\n    assert 1\n", "f()"], "def f():\n    assert 1\n\n\n\nf()"),
        (["def f():\n    assert 1\n\nf()", "f()"], "def f():\n    assert 1\n\nf()"),
        (["def assert_it():\n    pass", "x = 1"], None),
        (["def f():\n    assert 1", "x = 1"], None),  # nobody calls it
        (["%matplotlib inline\ntorch.equal(a, b)"], None),
        (["equal(a, b)"], "equal(a, b)"),
        (["np.testing.assert_allclose(a, b)"], "np.testing.assert_allclose(a, b)"),
        (["if gradcheck(f, x):\n    pass"], "if gradcheck(f, x):\n    pass"),
        (["x = 1"] * derivations.NEAR + ["assert True"], None),
    ],
)
def test_a_proof_runs_an_assertion(codes, proof):
    cells = [markdown("$$\na\n$$ (eq-one)"), *map(code, codes)]
    assert derivations.proof_of("eq-one", cells, 0) == proof


def test_another_cell_may_say_that_it_is_the_proof():
    later = code("assert 2", metadata={"proves": ["eq-one"]})
    cells = [markdown("$$\na\n$$ (eq-one)"), code("assert 1"), later]
    assert derivations.proof_of("eq-one", cells, 0) == "assert 2"
    assert derivations.proof_of("eq-two", cells, 0) == "assert 1"


def test_a_cell_that_says_it_proves_an_equation_runs_an_assertion():
    found = {e.label: e.proof for e in derivations.equations()}
    for path in derivations.CHAPTERS.rglob("*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            for label in cell.metadata.get("proves", ()):
                assert derivations.assertions(found[label])[1], label


def test_the_page_shows_formula_and_proof(chapter, tmp_path):
    page = derivations.page(derivations.of_notebook(chapter, tmp_path)[:1])
    assert "## [Sums](../foundations/sums.ipynb)" in page
    assert page.index("{eq}`eq-one`") < page.index("a + b") < page.index("assert_matches(1, 1)")


ENTRIES = parse_file(str(Path(differences.ROOT, "references.bib")), "bibtex").entries


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_of_the_bibliography_says_what_is_found_there(key):
    entry = ENTRIES[key]
    assert entry.fields.get("note", "").endswith((".", "?", "!"))
    assert entry.type != "incollection"  # whose note the style does not print
    assert "$" not in entry.fields["title"]  # printed as it stands: no formula there
    assert entry.type != "article" or "pages" in entry.fields  # nor the volume without them
    assert "arxiv" not in str(entry.fields.get("url", "")) + entry.fields.get("howpublished", "")
