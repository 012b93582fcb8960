"""One style sheet for the site, instead of the fourteen that its parts bring.

Those are 590 kB, and mostly for what this book does not have: icons, carousels, forms. A browser
shows nothing of a page before it has them all. So, when the pages are written, the rules go into
``_static/site.css`` in the order in which the sheets would have come, but for those which no page
can use: whose every selector wants a class or an id that stands in no page and no script.
"""

import posixpath
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.util import logging

log = logging.getLogger(__name__)

SHEET = "_static/site.css"
# What comes before the sheets that Sphinx knows of: the theme's own.
THEME = ["_static/styles/theme.css", "_static/styles/pydata-sphinx-theme.css"]
OURS = ["_static/book.css", "_static/live/live.css"]  # they hold nothing superfluous
MADE = {"bs-tooltip-auto"}  # names that a script puts together from parts

TOKEN = re.compile(
    r"""/\*.*?\*/ | "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | url\([^)"']*\)
    | \\. | [{};] | [^{};"'/u\\]+ | .""",
    re.DOTALL | re.VERBOSE,
)
LICENCE = re.compile(r"/\*!.*?\*/", re.DOTALL)
GROUPS = ("@media", "@supports", "@container", "@layer")
MAYBE = re.compile(r":(?:is|where|not|has)\((?:[^()]|\([^()]*\))*\)|\[[^\]]*\]")
NAME = re.compile(r"[.#]((?:[\w-]|\\.)+)")


def rules(css: str) -> Iterator[tuple[str, str | None]]:
    """What a sheet consists of: (selectors, declarations), or (statement, None)."""
    head, body, depth = "", "", 0
    for token in TOKEN.findall(css):
        if token.startswith("/*"):
            continue
        depth -= token == "}"
        if depth:
            body += token
        elif token == "}":
            yield head.strip(), body.strip()
            head = body = ""
        elif token == ";":
            yield head.strip(), None
            head = ""
        elif token != "{":
            head += token
        depth += token == "{"


def without_unused(css: str, used: set[str]) -> str:
    """The sheet without the rules that want a class or an id which is not among those used."""
    kept = []
    for head, body in rules(css):
        if body is None:
            continue  # @charset; what is imported is here already
        if head.startswith(GROUPS):
            body = without_unused(body, used)
        elif not head.startswith("@"):
            head = ",".join(one for one in selectors(head) if may_match(one, used))
        if head and body:
            kept.append(f"{head}{{{body}}}")
    return "\n".join(kept)


def selectors(head: str) -> list[str]:
    """Those that commas part, but for commas in brackets."""
    found, depth = [""], 0
    for token in re.findall(r"\\.|[\s\S]", head):
        depth += (token in "([") - (token in ")]")
        if token == "," and not depth:
            found.append("")
        else:
            found[-1] += token
    return [one.strip() for one in found]


def may_match(selector: str, used: set[str]) -> bool:
    wanted = NAME.findall(MAYBE.sub("", selector))
    return all(re.sub(r"\\(.)", r"\1", name) in used for name in wanted)


# ----------------------------------------------------------------------------------- the whole site


def read(site: Path, name: str) -> str:
    """A sheet with what it imports, and with the addresses that hold from where SHEET lies."""
    css = (site / name).read_text("utf-8")

    def from_sheet(url: str) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), url))
        return posixpath.relpath(path, posixpath.dirname(SHEET))

    def imported(match: re.Match) -> str:
        return read(site, posixpath.normpath(posixpath.join(posixpath.dirname(name), match[1])))

    def address(match: re.Match) -> str:
        return f"url({match[1]}{from_sheet(match[2])}{match[1]})"

    css = re.sub(r"""url\((["']?)(?!data:|#|/|\w+:)([^)"']+)\1\)""", address, css)
    return re.sub(r"""@import\s+["']([^"':]+)["'];""", imported, css)


def used_names(site: Path) -> set[str]:
    """The classes and ids of all pages, and all words of the scripts that they load."""
    used, scripts = set(MADE), set((site / "_static" / "live").glob("*.js"))
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        for names in re.findall(r"""\b(?:class|id)=["']([^"']*)["']""", text):
            used.update(names.split())
        for source in re.findall(r'<script[^>]* src="([^"?]+)', text):
            scripts.add((page.parent / source).resolve())
    for script in scripts:
        if script.is_file():
            used.update(re.findall(r"[\w-]+", script.read_text("utf-8")))
    return used


def write(site: Path, sheets: list[str]) -> None:
    used = used_names(site)
    texts = {name: read(site, name) for name in sheets}
    licences = [licence for text in texts.values() for licence in LICENCE.findall(text)]
    parts = [text if name in OURS else without_unused(text, used) for name, text in texts.items()]
    (site / SHEET).write_text("\n".join([*dict.fromkeys(licences), *parts]), encoding="utf-8")


def sheets(app: Sphinx) -> list[str]:
    """The sheets of all pages, in their order."""
    brought = sorted(app.builder._css_files, key=lambda sheet: sheet.priority)
    return [*THEME, *(str(sheet.filename) for sheet in brought)]


def link(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Let a page have the one sheet, with an address that changes when one of its sources does."""
    names = sheets(app)
    for alone in {str(sheet.filename) for sheet in context["css_files"]} - set(names):
        log.warning("%s: %s is a sheet of this page alone, and would be lost", page, alone)
    context["css_files"] = []
    found = (Path(app.outdir, name) for name in names)
    sums = (zlib.crc32(path.read_bytes()) for path in found if path.is_file())
    context["style_sheet"] = f"{SHEET}?v={zlib.crc32(repr(list(sums)).encode()):08x}"


def finish(app: Sphinx, exception: Exception | None) -> None:
    if not exception and app.builder.format == "html":
        write(Path(app.outdir), sheets(app))


def watch(app: Sphinx, config: Config) -> None:
    """Have all pages written when a static file has changed: else Sphinx does not even copy it."""
    folders = (Path(app.srcdir, folder) for folder in config.html_static_path)
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    config.static_files = repr([zlib.crc32(path.read_bytes()) for path in files])


def setup(app: Sphinx) -> None:
    app.add_config_value("static_files", "", "html", [str])
    app.connect("config-inited", watch)
    app.connect("html-page-context", link, priority=950)  # after all have added theirs
    app.connect("build-finished", finish, priority=700)  # after all pages are written
