"""The map of the course: its chapters, how long each takes, and which build on which.

``{course-map}`` draws it on the first page. Nothing of it is written by hand: the order comes from
``_toc.yml``, and title, needs and time from the head of each chapter, where its reader finds them.
An arc leads from a chapter up to each earlier one that its *You need* names.
"""

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

import yaml
from sphinx.util.docutils import SphinxDirective

from .captions import captioned

TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
NEEDS = re.compile(r"\*\*You need\*\*(.*?)^\*\*Time\*\*(.*?)$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`")
HOURS = {"an hour and a half": 1.5, "two hours": 2.0, "two and a half hours": 2.5}
HOURS |= {"an hour": 1.0, "three hours": 3.0}
COLORS = ["mini", "green", "purple", "torch"]  # of the parts, in turn
ROW, HEAD, NAME, WIDTH = 22, 34, 150, 400


@dataclass(frozen=True)
class Chapter:
    page: str  # such as "chapters/foundations/autograd"
    title: str
    hours: float
    needs: tuple[str, ...]  # pages


def read(root: Path) -> dict[str, list[Chapter]]:
    """The numbered parts and the chapters of each, in the order of the book."""
    parts, earlier = {}, []
    for part in yaml.safe_load((root / "_toc.yml").read_text("utf-8"))["parts"]:
        if not part.get("numbered"):
            continue
        parts[part["caption"]] = []
        for entry in part["chapters"]:
            parts[part["caption"]].append(_chapter(root, entry["file"], earlier))
            earlier.append(entry["file"])
    return parts


def _chapter(root: Path, page: str, earlier: list[str]) -> Chapter:
    cells = json.loads((root / f"{page}.ipynb").read_text("utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    title, head = TITLE.search(text), NEEDS.search(text)
    if not title or not head:
        raise ValueError(f"{page} has no title, or no box with **You need** and **Time**")
    said = re.match(r"\s*(?:about )?([a-z ]*?hours?(?: and a half)?)\b", head[2])
    if not said or said[1] not in HOURS:
        raise ValueError(f"{page}: how long is {head[2].strip()[:40]!r}? Say one of {[*HOURS]}")
    folder = Path("/", page).parent
    named = ((folder / target).as_posix() for target in LINK.findall(head[1]))
    named = {Path(*_without_dots(path)).as_posix() for path in named}
    return Chapter(page, title[1], HOURS[said[1]], tuple(p for p in earlier if p in named))


def _without_dots(path: str) -> list[str]:
    parts: list[str] = []
    for part in path.strip("/").split("/"):
        parts = parts[:-1] if part == ".." else [*parts, part]
    return parts


def drawing(parts: dict[str, list[Chapter]], address) -> str:
    """An SVG of the map; ``address(page)`` is where a name leads."""
    rows, heads, height = {}, [], 0
    for color, (caption, chapters) in zip(COLORS * len(parts), parts.items(), strict=False):
        y = height + HEAD - 9
        heads.append(f'<text class="head" x="{NAME}" y="{y}">{escape(caption)}</text>')
        height += HEAD
        for chapter in chapters:
            rows[chapter.page] = (height + ROW / 2, color, chapter)
            height += ROW
    groups = [_row(*row, rows, address) for row in rows.values()]
    what = "The chapters in their order, with hours, and arcs to those that each builds on."
    return (
        f'<svg class="dl-map" viewBox="0 0 {WIDTH} {height + 6}" role="group" aria-label="{what}">'
        f"{''.join(heads)}{''.join(groups)}</svg>"
    )


def _row(y: float, color: str, chapter: Chapter, rows: dict, address) -> str:
    arcs = "".join(_arc(rows[page][0], y) for page in chapter.needs)
    needs = " and ".join(rows[page][2].title for page in chapter.needs)
    time = f"{chapter.hours:g} hours" if chapter.hours != 1 else "1 hour"
    label = f"{chapter.title}, {time}" + (f", builds on {needs}" if needs else "")
    return (
        f'<g class="row" style="--part: var(--dl-{color})">{arcs}'
        f'<circle cx="{NAME - 10}" cy="{y}" r="3.5"/>'
        f'<a href="{escape(address(chapter.page))}" aria-label="{escape(label)}">'
        f'<text x="{NAME}" y="{y + 4}">{escape(chapter.title)}</text></a>'
        f'<text class="time" aria-hidden="true" x="{WIDTH - 2}" y="{y + 4}">'
        f"{_clock(chapter.hours)}</text></g>"
    )


def _arc(top: float, bottom: float) -> str:
    x, out = NAME - 14, min(NAME - 22, 14 + 0.3 * (bottom - top))
    bend = x - 4 * out / 3  # a cubic curve comes three quarters of the way
    return f'<path d="M{x} {bottom}C{bend:.0f} {bottom} {bend:.0f} {top} {x} {top}"/>'


def _clock(hours: float) -> str:
    whole, half = divmod(hours, 1)
    return f"{whole:.0f}{'½' if half else ''} h"


class CourseMap(SphinxDirective):
    """The map, as a figure; the content is its caption, and HOURS in it the sum of all."""

    has_content = True
    required_arguments = 1  # its name

    def run(self):
        root = Path(self.env.srcdir)
        try:
            parts = read(root)
        except (ValueError, OSError) as error:
            return [self.state.document.reporter.warning(str(error), line=self.lineno)]
        chapters = [chapter for part in parts.values() for chapter in part]
        for chapter in chapters:
            self.env.note_dependency(str(root / f"{chapter.page}.ipynb"))
        builder, here = self.env.app.builder, self.env.docname
        html = drawing(parts, lambda page: builder.get_relative_uri(here, page))
        hours = sum(chapter.hours for chapter in chapters)
        said = " ".join(self.content).replace("HOURS", f"{hours:.0f}")
        return [captioned(self, html, said)]


def setup(app) -> None:
    app.add_directive("course-map", CourseMap)
