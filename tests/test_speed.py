"""The figure of the page on speed: what it draws of a record, and what its caption claims."""

import html
import json
import re
from pathlib import Path

from dlcourse.book import speed
from dlcourse.book.figures import COLORS, inline_svgs_of_html

import pytest

ROOT = Path(__file__).resolve().parent.parent
RECORD = json.loads((ROOT / "data" / "results" / "bench.json").read_text("utf-8"))
ENTRIES = speed.workloads(RECORD)
BARS = re.compile(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)"[^>]* style="fill: (#\w+)')


def entry(ratio, target=1.0, **where):
    shares = dict.fromkeys(speed.KINDS, 0) | where
    return {"what": "a & b", "target": target, "one": {"ratio": ratio}, "where": shares}


def test_a_bar_is_as_long_as_its_number():
    record = {
        "W1": entry(0.5, products=100),
        "W2": entry(1.5, target=2.0, products=100),
        "date": "x",
    }
    drawn = speed.drawing(record)
    _, half, whole = (float(w) for _, _, w, c in BARS.findall(drawn) if c == COLORS["mini"])
    assert whole == pytest.approx(3 * half, abs=0.02)
    assert ">0.50<" in drawn
    assert ">1.50<" in drawn


def test_the_shares_fill_their_bar_and_name_what_has_room():
    drawn = speed.drawing({"W1": entry(1.0, products=60, copies=36, update=5)})  # 101, rounded
    bars = [(float(x), float(w), c) for x, _, w, c in BARS.findall(drawn) if c != COLORS["mini"]]
    products, copies, update = bars[len(speed.KINDS) :]  # after the legend
    assert products[0] == speed.LEFT
    assert copies[0] == pytest.approx(products[0] + products[1], abs=0.02)
    assert update[0] + update[1] == pytest.approx(speed.RIGHT, abs=0.02)
    assert ">60<" in drawn
    assert ">36<" in drawn
    assert ">5<" not in drawn


def test_nothing_lies_outside_however_slow():
    for most in (0.2, 1.0, 1.49, 1.51, 7.3):
        drawn = speed.drawing({"W1": entry(most, target=most / 2, products=100)})
        number = float(re.search(rf'<text x="([\d.]+)"[^>]*>{most:.2f}<', drawn)[1])
        assert number + 26 < speed.WIDTH
        assert float(re.search(r'<text x="([\d.]+)"[^>]*>100<', drawn)[1]) + 11 < speed.WIDTH


def test_it_has_the_look_of_the_other_figures():
    drawn = speed.drawing(RECORD)
    assert set(re.findall(r"#[0-9a-f]{6}", drawn)) <= set(COLORS.values())
    shown = inline_svgs_of_html(drawn, "a")
    assert not re.search(r"#[0-9a-f]{6}", shown)  # it follows a dark page
    assert "dl-small" not in shown  # and a phone shrinks no letter too far
    assert 'class="dl-figure"' in shown


def test_it_says_in_words_what_it_shows():
    drawn = speed.drawing({"W1": entry(1.25, target=1.4, forward=35, backward=25, update=40)})
    said = html.unescape(re.search(r'aria-label="([^"]+)"', drawn)[1])
    assert "W1, a & b: 1.25 times torch's time, target 1.4, the largest share Python, 60 %" in said


def test_the_caption_counts():
    entries = {"W1": entry(0.9), "W2": entry(1.1), "W3": entry(1.3, target=1.3)}
    assert speed.filled("LEAST to MOST, REACHED", entries) == "0.9 to 1.3, 2 of 3"
    assert speed.filled("REACHED", {"W1": entry(2.0)}) == "none of 1"


def test_what_the_caption_claims():
    page = (ROOT / "chapters" / "reference" / "speed.md").read_text("utf-8")
    assert "**Arrays take the time of W1 to W5, Python that of W6 and W7.**" in page
    for name, e in ENTRIES.items():
        python = e["where"]["forward"] + e["where"]["backward"]
        assert (python > 50) == (name in ("W6", "W7")), name
        arrays = sum(e["where"][kind] for kind in ("products", "copies", "arrays"))
        assert (arrays > 50) == (name not in ("W6", "W7")), name
    needs = [entry["one"]["memory"] for entry in ENTRIES.values()]
    assert "In none of the workloads does `mini` need more than torch." in page
    assert all(need["mini"] <= need["torch"] for need in needs)
