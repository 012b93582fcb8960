"""The map on the first page: what it reads from the chapters, and what its caption claims."""

import json
import re
from collections import Counter
from pathlib import Path

from dlcourse.book import course_map

import pytest

ROOT = Path(__file__).resolve().parent.parent


def book(folder, *boxes):
    """A part of chapters named a, b, ...; each with the text of its box."""
    pages = [f"chapters/part/{'abcdef'[i]}" for i in range(len(boxes))]
    (folder / "chapters" / "part").mkdir(parents=True)
    lines = ["parts:", "- caption: Part", "  numbered: 1", "  chapters:"]
    (folder / "_toc.yml").write_text("\n".join([*lines, *(f"  - file: {p}" for p in pages)]))
    for page, box in zip(pages, boxes, strict=True):
        cell = {"cell_type": "markdown", "source": [f"# The {page[-1]}\n", "\n", box]}
        (folder / f"{page}.ipynb").write_text(json.dumps({"cells": [cell]}))
    return folder


def test_needs_are_the_earlier_chapters_named_in_the_box(tmp_path):
    boxes = [
        "**You need** {doc}`b`, later on, and {doc}`x <../notation>`.\n**Time** two hours.\n",
        "**You need** {doc}`the first <a>`.\n**Time** about two and a half hours to read.\n",
        "**You need**\n{doc}`../part/b`.\n**Time** about an hour and a half to read.\n\n{doc}`a`",
    ]
    a, b, c = course_map.read(book(tmp_path, *boxes))["Part"]
    assert [a.needs, b.needs, c.needs] == [(), (a.page,), (b.page,)]
    assert [a.hours, b.hours, c.hours] == [2, 2.5, 1.5]
    assert c.title == "The c"


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ("**You need** nothing.\n**Time** a week.\n", "how long is 'a week"),
        ("**You need** nothing.\n**Time** seven hours.\n", "Say one of"),
        ("You need nothing.\n", "no box"),
    ],
)
def test_a_chapter_without_its_box_is_told(tmp_path, box, said):
    with pytest.raises(ValueError, match=said):
        course_map.read(book(tmp_path, box))


def test_a_drawing_says_in_words_what_it_shows(tmp_path):
    box = "**You need** {doc}`a` & more.\n**Time** two hours.\n"
    svg = course_map.drawing(
        course_map.read(book(tmp_path, box, box, box)), lambda page: f"{page}?a&b"
    )
    assert svg.count("<path") == 2
    assert 'aria-label="The b, 2 hours, builds on The a"' in svg
    assert 'href="chapters/part/b?a&amp;b"' in svg


def test_most_ways_lead_through_the_two_that_the_caption_names():
    parts = course_map.read(ROOT)
    needed = Counter(page for part in parts.values() for chapter in part for page in chapter.needs)
    (first, many), (second, some) = needed.most_common(2)
    assert {Path(first).name, Path(second).name} == {"autograd", "backpropagation"}
    with_needs = sum(bool(chapter.needs) for part in parts.values() for chapter in part)
    assert many + some > with_needs / 2


def test_the_cards_of_the_first_page_name_each_chapter_as_it_names_itself():
    cells = json.loads((ROOT / "chapters" / "intro.ipynb").read_text("utf-8"))["cells"]
    cards = {
        page: title
        for cell in cells
        for title, page in re.findall(r"- \[(.+?)\]\((\w+/\w+)\.ipynb\)", "".join(cell["source"]))
    }
    chapters = [chapter for part in course_map.read(ROOT).values() for chapter in part]
    named = {chapter.page.removeprefix("chapters/"): chapter.title for chapter in chapters}
    assert {page: cards.get(page) for page in named} == named
