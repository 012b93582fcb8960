"""What must hold for every page of the built site. Each check yields sentences, one a defect.

``tests/test_book.py`` runs them on the book, and on small broken sites to see each one fail. By
hand: ``python -m dlcourse.book.check_site _build/html``.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag

FOREIGN = re.compile(r"^(?:https?:)?//", re.IGNORECASE)
CSS_URL = re.compile(r"url\(\s*(['\"]?)(?!data:)([^'\")]+)\1\s*\)|@import\s+['\"]([^'\"]+)['\"]")
# A script may name an address in a comment or a licence; it must not load from one.
LOADS = re.compile(
    r"(?:\bimport\s*\(?|\bfrom|\bfetch\s*\(|\bimportScripts\s*\(|\bsrc\s*=|\.open\s*\([^)]{0,9},)"
    r"\s*[\"'`](?:https?:)?//[^\"'`]+",
    re.IGNORECASE,
)


class Page:
    def __init__(self, site: Path, path: Path):
        self.site, self.path = site, path
        self.name = path.relative_to(site).as_posix()

    @cached_property
    def soup(self) -> BeautifulSoup:
        return BeautifulSoup(self.path.read_text("utf-8"), "html.parser")

    @cached_property
    def ids(self) -> list[str]:
        return [tag["id"] for tag in self.soup.find_all(id=True)]

    @property
    def article(self) -> Tag:
        return self.soup.find("article") or self.soup.find("main") or self.soup


class Site:
    """A folder of HTML pages, each read once."""

    def __init__(self, folder: Path):
        self.folder = Path(folder).resolve()
        paths = sorted(self.folder.rglob("*.html"))
        self.pages = {
            path: Page(self.folder, path)
            for path in paths
            if not {"_static", "_sources"} & set(path.relative_to(self.folder).parts)
        }

    def __iter__(self) -> Iterator[Page]:
        return iter(self.pages.values())


def broken_links(site: Site) -> Iterator[str]:
    """Links, images, scripts and style sheets of the site itself lead to what is there."""
    for page in site:
        for tag, url in addresses(page):
            if url.startswith(("data:", "javascript:", "mailto:")) or urlsplit(url).scheme:
                continue
            if url.startswith("//"):
                continue
            parts = urlsplit(url)
            base = site.folder if parts.path.startswith("/") else page.path.parent
            target = (base / unquote(parts.path).lstrip("/")).resolve() if parts.path else page.path
            if target.is_dir():
                target /= "index.html"
            if not target.is_file():
                yield f"{page.name}: <{tag.name}> leads to {url}, which is not there"
            elif parts.fragment and target in site.pages:
                yield from _missing_place(page, url, site.pages[target])


def _missing_place(page: Page, url: str, target: Page) -> Iterator[str]:
    if unquote(urlsplit(url).fragment) not in target.ids:
        yield f"{page.name}: {url} leads to a place that its page does not have"


def addresses(page: Page) -> Iterator[tuple[Tag, str]]:
    for tag in page.soup.find_all(True):
        for name in ("href", "src", "data", "poster", "xlink:href"):
            if tag.get(name) and (name != "data" or tag.name == "object"):
                yield tag, tag[name].strip()
        for part in tag.get("srcset", "").split(","):
            if part.strip():
                yield tag, part.split()[0]


def foreign_requests(site: Site) -> Iterator[str]:
    """A page is complete without a request to another host; only a reader's click may make one."""
    used = set()
    for page in site:
        for tag, url in addresses(page):
            if FOREIGN.match(url):
                harmless = tag.name == "a" or (tag.name == "link" and "canonical" in tag["rel"])
                if not harmless:
                    yield f"{page.name}: <{tag.name}> asks for {url}"
            elif tag.name == "script" or (tag.name == "link" and "stylesheet" in tag["rel"]):
                used.add((page.path.parent / unquote(urlsplit(url).path)).resolve())
        for script in page.soup.find_all("script", src=False):
            if script.get("type") != "application/ld+json" and re.search("https?://", script.text):
                yield f"{page.name}: a script names another host: {script.text.strip()[:80]}"
        for tag in page.soup.find_all(style=True):
            yield from _foreign_css(page.name, tag["style"])
        for tag in page.soup.find_all("style"):
            yield from _foreign_css(page.name, tag.text)
    done = set()
    while used - done:
        path = (used - done).pop()
        done.add(path)
        if not path.is_file():
            continue  # broken_links tells
        text = path.read_text("utf-8", errors="replace")
        name = path.relative_to(site.folder).as_posix()
        if path.suffix == ".css":
            yield from _foreign_css(name, text)
            for match in CSS_URL.finditer(text):
                url = match[2] or match[3]
                target = (path.parent / unquote(urlsplit(url).path)).resolve()
                if FOREIGN.match(url) or url.startswith("#"):
                    continue
                if not target.is_file():
                    yield f"{name}: asks for {url}, which is not there"
                elif target.suffix == ".css":
                    used.add(target)
        else:
            for match in LOADS.finditer(text):
                yield f"{name}: loads from another host: {match[0]}"


def _foreign_css(name: str, css: str) -> Iterator[str]:
    for match in CSS_URL.finditer(css):
        url = match[2] or match[3]
        if FOREIGN.match(url):
            yield f"{name}: a style asks for {url}"


def missing_alt(site: Site) -> Iterator[str]:
    """Each image and drawing has words for those who do not see it."""
    for page in site:
        for image in page.soup.find_all("img"):
            alt = image.get("alt")
            if alt is None:
                yield f"{page.name}: {image.get('src')} has no alt attribute"
            elif page.article in image.parents and not _words(alt):
                yield f"{page.name}: {image.get('src')} has no alt text in words: {alt!r}"
        for svg in page.article.find_all("svg"):
            if svg.get("aria-hidden") == "true" or svg.find_parent("svg"):
                continue
            title = svg.find("title")
            name = svg.get("aria-label") or (title.text if title else "")
            if svg.get("role") not in ("img", "group") or not _words(name):
                yield f"{page.name}: a drawing has no accessible name: {str(svg)[:90]}"


def _words(alt: str) -> bool:
    return bool(re.search(r"\w+\s+\w+", alt)) and not re.search(r"\.(svg|png|jpe?g)$", alt)


def missing_captions(site: Site) -> Iterator[str]:
    """Each figure that a cell made, and each drawing, has a caption."""
    for page in site:
        figures = page.article.select("svg.dl-figure, .cell_output img, figure img")
        for image in figures:
            figure = image.find_parent("figure")
            caption = figure.find("figcaption") if figure else None
            if caption is None or len(caption.get_text(" ").split()) < 4:
                alt = image.get("alt") or image.get("aria-label")
                yield f"{page.name}: a figure has no caption: {alt}"


def tracebacks(site: Site) -> Iterator[str]:
    """An error on a page is there because it teaches: its cell has the tag ``raises-exception``."""
    for page in site:
        for cell in page.soup.select("div.cell"):
            if "tag_raises-exception" in cell["class"]:
                continue
            text = "\n".join(out.get_text() for out in cell.select(".cell_output"))
            if cell.select(".output.traceback") or "Traceback (most recent call last)" in text:
                yield f"{page.name}: a cell shows an error: {text.strip().splitlines()[-1]}"


def duplicate_ids(site: Site) -> Iterator[str]:
    for page in site:
        for name, count in Counter(page.ids).items():
            if count > 1:
                yield f"{page.name}: the id {name!r} stands {count} times"


def unrendered(site: Site) -> Iterator[str]:
    """Nothing that Sphinx could not make sense of is left on a page."""
    for page in site:
        for tag in page.soup.select(".problematic, .system-message, .xref.myst:not(a *)"):
            yield f"{page.name}: left as it was written: {tag.get_text()[:80]}"
        text = " ".join(
            node for node in page.article.find_all(string=True) if not node.find_parent(_literal)
        )
        for match in re.finditer(r"\{[\w:-]+\}`[^`]*`|^:::+|\{\{.*?\}\}", text, re.MULTILINE):
            yield f"{page.name}: left as it was written: {match[0]}"


def _literal(tag: Tag) -> bool:
    return tag.name in ("pre", "code", "script", "style") or "math" in tag.get("class", [])


def repository_links(site: Site) -> Iterator[str]:
    """For a site without a public address: nothing leads to a repository."""
    places = ".btn-source-repository-button, .btn-source-edit-button, .btn-source-issues-button"
    places += ", .dropdown-source-buttons, .dropdown-launch-buttons, a[href*='colab.research']"
    for page in site:
        for tag in page.soup.select(places):
            yield f"{page.name}: leads to a repository: {str(tag)[:100]}"


CHECKS = [
    broken_links,
    foreign_requests,
    missing_alt,
    missing_captions,
    tracebacks,
    duplicate_ids,
    unrendered,
]

# ---------------------------------------------------------------------------- the sources

UNWANTED = re.compile(r"\b(simply|just|obviously)\b", re.IGNORECASE)
NOT_PROSE = re.compile(
    r"^(`{3,}|~{3,}).*?^\1|`[^`\n]+`|\$\$.*?\$\$|\$[^$\n]+\$|<!--.*?-->|^%.*?$|\]\([^)]*\)",
    re.DOTALL | re.MULTILINE,
)


def unwanted_words(name: str, text: str) -> Iterator[str]:
    """Words that tell a reader who is stuck that they should not be."""
    prose = NOT_PROSE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
    for number, line in enumerate(prose.splitlines(), 1):
        for match in UNWANTED.finditer(line):
            yield f"{name}, line {number}: {match[0]!r} in: {line.strip()}"


IN_LINE = re.compile(r"`[^`\n]+`|\$[^$\n]+\$")
SPLIT_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?: \d{3})+(?!\w)")


def split_numbers(name: str, text: str) -> Iterator[str]:
    """Numbers with a blank at which a line may end: 60 000 instead of 60&nbsp;000."""
    code = ""  # the fence of the block of code that we are in; directives hold prose
    for number, line in enumerate(text.splitlines(), 1):
        fence = re.match(r" *(`{3,})(\w*)", line)
        if fence and (code or fence[2]):
            code = "" if code == fence[1] else code or fence[1]
        elif not code:
            for match in SPLIT_NUMBER.finditer(IN_LINE.sub("", line)):
                yield f"{name}, line {number}: {match[0]!r} needs &nbsp; in: {line.strip()}"


def main(folder: str) -> int:
    site = Site(Path(folder))
    found = [problem for check in CHECKS for problem in check(site)]
    print(*found, f"{len(site.pages)} pages, {len(found)} defects", sep="\n")
    return int(bool(found) or not site.pages)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
