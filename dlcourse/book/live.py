"""Cells that run in the page: the part of it that is done when the site is built.

A cell gets the class ``live-all``, ``live-part`` or ``live-none``, and ``needs-<package>``: what of
it a browser can run (``dlcourse/live/cells.py``). A page with such cells gets the script; the
script, the course as a zip, and where Python is had from are written to ``_static/live``.

``live_python`` in ``_config.yml`` is that one setting: ``cdn``, Pyodide's public address, which no
page asks for anything before a reader's first Run; or ``site``, the site itself. To put Python into
a site that is built already: ``python -m dlcourse.book.live _build/html``.
"""

import ast
import functools
import hashlib
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from dlcourse.book import tabs
from dlcourse.live import bundle
from dlcourse.live.cells import DATA, PARTS, Page, package_missing_for

from sphinx.application import Sphinx
from sphinx.errors import ConfigError
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).parents[2]
SCRIPTS = ("live.js", "live.css", "worker.mjs")
MARKED = re.compile(r'class="cell [^"]*\blive-(?:all|part|none)\b')
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "dlcourse", "pyodide")


class MarkLive(SphinxPostTransform):
    """Tell of each cell what a browser can run of it."""

    default_priority = 7
    formats = ("html",)

    def run(self, **kwargs) -> None:
        found = list(tabs.code_cells(self.document))
        alone = {number for number, (cell, _) in enumerate(found) if tabs.is_torch_alone(cell)}
        page = Page([source for _, source in found], checks(), alone)
        for number, (cell, _) in enumerate(found):
            kind, package = page.kind(number)
            cell["classes"] += [f"live-{kind}", *([f"needs-{package}"] if package else [])]
            cell["classes"] += ["torch-alone"] if number in alone else []


@functools.cache
def checks() -> dict[str, str]:
    """The exercises whose check needs a package that a browser lacks, and that package."""
    found = {}
    for path in sorted((ROOT / "dlcourse" / "exercises").glob("[!_]*.py")):
        for function in ast.parse(path.read_text("utf-8")).body:
            for call in getattr(function, "decorator_list", []):
                missing = next(_missing(function), "")
                if missing and getattr(getattr(call, "func", None), "id", "") == "exercise":
                    given = {word.arg: word.value for word in call.keywords}
                    name = given.get("name", given["solution"])
                    found[f"{path.stem}.{getattr(name, 'value', None) or name.id}"] = missing
    return found


def _missing(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            paths = [f"{node.module}.{n}" for n in names] if hasattr(node, "module") else names
            yield from filter(None, map(package_missing_for, paths))


def packed() -> Iterator[tuple[str, Path]]:
    """What of the repository goes into the browser: names in the zip, and files."""
    names = ["__init__.py", "_torchvision.py", "book/__init__.py", "book/figures.py"]
    paths = [ROOT / "dlcourse" / name for name in names]
    for part in sorted({*PARTS, "live"}):
        path = ROOT / "dlcourse" / part
        paths += sorted(path.rglob("*.py")) or [path.with_suffix(".py")]
    paths += sorted((ROOT / "data").glob("*.csv"))
    for path in paths:
        yield path.relative_to(ROOT).as_posix(), path


def write(static: Path, python: str) -> None:
    """Write ``_static/live``: the scripts, the course, and the addresses of both."""
    folder = static / "live"
    folder.mkdir(parents=True, exist_ok=True)
    for name in SCRIPTS:
        shutil.copyfile(ROOT / "dlcourse" / "live" / name, folder / name)
    packed_course = folder / "course.zip"
    with zipfile.ZipFile(packed_course, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as course:
        for name, path in packed():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # the same bytes on every build
            course.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    base = bundle.PINNED["cdn"]
    if python == "site":
        base = f"pyodide-{bundle.PINNED['version']}/"
        copy_python(folder / base)
    for name in DATA:
        shutil.copyfile(ROOT / "data" / name, folder / name)
    config = {
        "base": base,
        "course": versioned(packed_course),
        "data": {name: versioned(folder / name) for name in DATA},
        "worker": versioned(folder / "worker.mjs"),
        "checks": checks(),
        "files": bundle.PINNED["files"],
        "lock": json.dumps(bundle.PINNED["lock"]),
    }
    (folder / "live.json").write_text(json.dumps(config), encoding="utf-8")


def versioned(path: Path) -> str:
    """An address that changes with the content, so that a browser may keep what it has."""
    return f"{path.name}?v={hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"


def copy_python(folder: Path) -> None:
    if wanted := bundle.missing(CACHE):
        raise ConfigError(f"{CACHE} lacks {', '.join(wanted)}. To fetch them: make pyodide")
    folder.mkdir(exist_ok=True)
    for path in CACHE.iterdir():
        shutil.copyfile(path, folder / path.name)


def write_site(app: Sphinx) -> None:
    if app.builder.format == "html":
        if app.config.live_python not in ("cdn", "site"):
            raise ConfigError(f"live_python is cdn or site, not {app.config.live_python!r}")
        write(Path(app.outdir, "_static"), app.config.live_python)


def add_scripts(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    if MARKED.search(context.get("body", "")):
        app.add_js_file("live/live.js", type="module")


def setup(app: Sphinx) -> None:
    app.add_css_file("live/live.css")
    app.add_config_value("live_python", "cdn", "html", [str])
    app.add_post_transform(MarkLive)
    app.connect("builder-inited", write_site)
    app.connect("html-page-context", add_scripts)


if __name__ == "__main__":
    write(Path(sys.argv[1], "_static"), "site")
