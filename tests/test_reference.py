"""The pages of the reference that programs write are those of the code as it is."""

import re
from pathlib import Path

from dlcourse.book import differences

import pytest

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
