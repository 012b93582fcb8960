"""The page on debugging: its two tables are those of its sections, and mini fails as torch does."""

import json
import re
import warnings
from pathlib import Path

from dlcourse import mini

import numpy as np
import pytest

PAGE = Path(__file__).parents[1] / "chapters/building_blocks/debugging.ipynb"
CELLS = json.loads(PAGE.read_text("utf-8"))["cells"]
ROW = re.compile(r"^\| (.+) \| \{ref\}`mistake-([\w-]+)` \|$", re.MULTILINE)

# What mini cannot repeat, and what it says instead.
ONLY_TORCH = {
    "lstm": "has no attribute",  # torch's linear names its argument, mini's asks for its shape
    "device": "mini computes on the CPU alone",
}
NOT_RUN = {"cuda", "torchvision"}  # a GPU, a broken installation
TOLD = {  # quoted in the text: they need a GPU, a spawned process, or an import left out
    "Expected all tensors to be on the same device",
    "Input type ... and weight type ... should be the same",
    "can't convert cuda:0 device type tensor to numpy",
    "Torch not compiled with CUDA enabled",
    "Attempting to deserialize object on a CUDA device",
    "Can't get attribute ... on <module '__main__'",
    "attempt has been made to start a new process",
    "name 'F' is not defined",
}


def sections():
    """{slug: its cells}; a text cell may end one mistake and begin the next."""
    found, here = {}, None
    for cell in CELLS:
        pieces = [cell]
        if cell["cell_type"] == "markdown":
            texts = re.split(r"^(?=\(mistake-|##)", "".join(cell["source"]), flags=re.MULTILINE)
            pieces = [{"cell_type": "markdown", "source": text} for text in texts]
        for piece in pieces:
            if piece["cell_type"] == "markdown" and re.match(r"\(mistake-|## ", piece["source"]):
                label = re.match(r"\(mistake-([\w-]+)\)=\n", piece["source"])
                here = label[1] if label else None
            if here:
                found.setdefault(here, []).append(piece)
    return found


SECTIONS = sections()
INDEX = next(t for t in map("".join, (c["source"] for c in CELLS)) if "(debugging-index)=" in t)
LOUD, SILENT = (ROW.findall(part) for part in INDEX.split("**It ran"))


def raised(cell):
    """The error that a cell's stored output holds, or None."""
    errors = [o for o in cell.get("outputs", []) if o["output_type"] == "error"]
    return errors[0] if errors else None


def said(cells):
    """All that the cells of a section print or raise."""
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(
        f"{o['ename']}: {o['evalue']}" if o["output_type"] == "error" else "".join(o["text"])
        for o in outputs
        if o["output_type"] in ("error", "stream")
    )


BROKEN = {
    slug: cell for slug, cells in SECTIONS.items() for cell in cells if raised(cell) is not None
}


def test_there_are_more_than_thirty_mistakes_and_each_is_listed():
    assert len(SECTIONS) > 30
    assert {slug for _, slug in LOUD} | {slug for _, slug in SILENT} == set(SECTIONS)
    assert len({words for words, _ in LOUD + SILENT}) == len(LOUD + SILENT)


@pytest.mark.parametrize(("words", "slug"), LOUD)
def test_a_listed_message_is_the_one_that_its_section_shows(words, slug):
    words = words.strip("`")
    quoted = slug in NOT_RUN or words in TOLD
    text = "".join("".join(c["source"]) for c in SECTIONS[slug]) if quoted else ""
    pattern = ".+".join(re.escape(piece) for piece in words.split("..."))
    assert re.search(pattern, said(SECTIONS[slug]) + text)


@pytest.mark.parametrize("slug", SECTIONS)
def test_each_mistake_has_its_reason_and_how_to_find_or_mend_it(slug):
    text = "".join("".join(c["source"]) for c in SECTIONS[slug] if c["cell_type"] == "markdown")
    assert re.search(r"\*\*Why\.\*\*|The mistake of|A kernel on the GPU", text)
    code = [cell for cell in SECTIONS[slug] if cell["cell_type"] == "code"]
    if slug not in NOT_RUN:
        assert raised(code[-1]) is None, "the last cell of a mistake is its repair"
        assert re.search(r"\*\*(Found by|Repair|repair)", text) or len(code) > 1


def sentence(error_type, text):
    """The first line of an error, without the engine's name and torch's hints."""
    text = re.sub(r"\b(torch|mini)\.", "", text).split(" Hint: ")[0]
    return f"{error_type}: {text.rstrip()}"


@pytest.mark.parametrize("slug", BROKEN)
def test_mini_fails_in_the_same_words(slug):
    stored = raised(BROKEN[slug])
    known = {"torch": mini, "nn": mini.nn, "F": mini.nn.functional, "np": np, "warnings": warnings}
    with pytest.raises(Exception) as ours:
        exec("".join(BROKEN[slug]["source"]), known)
    got = sentence(type(ours.value).__name__, str(ours.value))
    if slug in ONLY_TORCH:
        assert ONLY_TORCH[slug] in got
    else:
        assert got == sentence(stored["ename"], stored["evalue"])
