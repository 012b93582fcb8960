"""The Sphinx extension of the book: what the site needs beyond Jupyter Book.

* Figures are put into the page as SVG that follows its light or dark theme (``figures.py``).
* A cell shows which of the two engines its code names.
* MathJax and the text face are served from the site itself: no page asks another host for anything.
* The repository's address, one setting in ``_config.yml``, switches every link to it on or off.
* Cells that need no torch can be run in the page (``live.py``).
* Cells of mini and of torch can share one place, in tabs (``tabs.py``).
* A term in bold leads to the glossary and stands in the index (``terms.py``).
* Punctuation stays on the line of its formula (``keep.py``).
* Numbers of recorded runs stand in prose by a role, never typed (``records.py``).
* The first page has a map of the chapters (``course_map.py``).
* The package's names and docstrings stand on pages of their own (``api.py``).
* Search engines, and who shares a page, are told what it is and where (``address.py``).
* A page has one style sheet, without what no page uses (``styles.py``).
"""

import ast
import functools
import os
import re
import shutil
import unicodedata
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from docutils import nodes
from pybtex import plugin
from pybtex.style.sorting import author_year_title
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

from . import address, api, course_map, fonts, keep, live, records, styles, tabs, terms
from .figures import inline_svg, inline_svgs_of_html

log = logging.getLogger(__name__)

# What the pages use of MathJax's 24 MB; startup.js asks for the rest of this list as needed.
MATHJAX = [
    "startup.js",
    "core.js",
    "input/tex.js",
    "input/tex/extensions",
    "output/chtml.js",
    "output/chtml/fonts",
    "a11y/assistive-mml.js",
]


class AsInDictionaries(author_year_title.SortingStyle):
    """Works in the order of their authors, with ö beside o, where a reader looks for it."""

    def person_key(self, person) -> str:
        letters = unicodedata.normalize("NFKD", super().person_key(person))
        return "".join(letter for letter in letters if not unicodedata.combining(letter))


class InlineFigures(SphinxPostTransform):
    """Replace images of SVG files, and drawings in displayed HTML, by inline SVG."""

    default_priority = 6  # after myst-nb has chosen what each output shows (4 and 5)
    formats = ("html",)

    def run(self, **kwargs) -> None:
        drawings = list(self.document.findall(nodes.raw))  # before images become such, too
        for number, node in enumerate(drawings, 1):
            if "html" in node.get("format", "") and "<svg" in node.astext():
                self.rewrite(node, f"dl-html-{number}")
        for number, node in enumerate(list(self.document.findall(nodes.image)), 1):
            if node["uri"].endswith(".svg"):
                self.inline(node, f"dl-svg-{number}")
            elif not node.get("alt"):
                log.warning("image without alt text: %s", node["uri"], location=node)

    def inline(self, node: nodes.image, prefix: str) -> None:
        path = Path(self.env.srcdir, node["uri"].lstrip("/"))
        if not path.is_file():
            return  # Sphinx itself reports what is missing
        if not node.get("alt"):
            log.warning("figure without alt text: %s", node["uri"], location=node)
        try:
            html = inline_svg(path.read_text("utf-8"), prefix, node.get("alt", ""))
        except ValueError as error:
            log.warning("%s: %s", path.name, error, location=node)
            return
        node.replace_self(nodes.raw(html, html, format="html"))

    def rewrite(self, node: nodes.raw, prefix: str) -> None:
        try:
            html = inline_svgs_of_html(node.astext(), prefix)
        except ValueError as error:
            log.warning("a displayed drawing is %s", error, location=node)
            return
        node.replace_self(nodes.raw(html, html, format="html", classes=node["classes"]))


class DropRepeatedIds(SphinxPostTransform):
    """All exercises, solutions and theorems of a page give their text the same id; none uses it."""

    default_priority = 8
    formats = ("html",)

    def run(self, **kwargs) -> None:
        for node in self.document.findall(nodes.Element):
            ids = node.get("ids", ())
            if any(
                name in ("exercise-content", "solution-content", "proof-content") for name in ids
            ):
                node["ids"] = []


class MarkEngines(SphinxPostTransform):
    """Give each cell the class ``names-mini`` or ``names-torch`` when its code names the engine."""

    default_priority = 7
    formats = ("html",)

    def run(self, **kwargs) -> None:
        known: dict[str, set[str]] = {}
        for cell, source in tabs.code_cells(self.document):
            if "tag_torch-only" in cell["classes"]:
                cell["classes"].append("names-torch")
                continue
            found = engines(source, known, also=tabs.tab_of(cell) == "torch")
            cell["classes"] += [f"names-{engine}" for engine in found]


def engines(source: str, known: dict[str, set[str]], also: bool = False) -> list[str]:
    """Which engines the code names; ``known`` carries what was imported from cell to cell.

    also: its imports are those of another tab, and do not take the place of what was imported.
    """
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n")]
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError:
        return []
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            module = getattr(node, "module", None)
            for alias in node.names:
                path = f"{module}.{alias.name}" if module else alias.name
                name = alias.asname or alias.name.split(".")[0]
                found = {"torch"} if path.split(".")[0] in ("torch", "torchvision") else set()
                found |= {"mini"} if path.startswith("dlcourse.mini") else set()
                known[name] = found | (known.get(name, set()) if also else set())
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return sorted(set().union(*(known.get(name, ()) for name in names)))


def switch_repository(app: Sphinx, config: Config) -> None:
    """Turn every link to the repository on when its address is set, and off when it is not."""
    options = config.html_theme_options
    url = (options.get("repository_url") or "").rstrip("/")
    options["repository_url"] = url
    for button in ("use_repository_button", "use_edit_page_button", "use_issues_button"):
        options[button] = bool(url)
    if not url:
        options["launch_buttons"] = {}
    else:
        app.tags.add("public")  # for what a page says {only} then
    address = url or "ADDRESS-OF-THE-REPOSITORY"
    config.myst_substitutions = {
        "clone": f"```bash\ngit clone {address} dlcourse\ncd dlcourse\n```",
        "colab": f'```python\n%pip install -q "dlcourse[torch] @ git+{address}"\n```',
    }


INDEX = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="0; url={first}">
<link rel="icon" href="_static/favicon.svg">{canonical}
<title>{title}</title>
</head>
<body><p><a href="{first}">{title}</a></p></body>
</html>
"""


def write_index(app: Sphinx, exception: Exception | None) -> None:
    """The address of the site leads to its first page."""
    if not exception and app.builder.format == "html":
        first = f"{app.config.root_doc}.html"
        at = f'\n<link rel="canonical" href="{app.config.html_baseurl}{first}">'
        canonical = at if app.config.html_baseurl else ""
        page = INDEX.format(first=first, title=app.config.html_title, canonical=canonical)
        Path(app.outdir, "index.html").write_text(page, encoding="utf-8")


def defer_scripts(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """A page shows before its scripts have come; they run in their order when it is whole."""
    if template == "search.html":
        return  # it brings scripts of its own, which want the others at once
    wanted = []
    for script in context.get("script_files", ()):
        inside = script.attributes.get("body") or ""
        if inside.startswith("DOCUMENTATION_OPTIONS."):
            continue  # told to parts of the theme that are switched off, and before there are any
        if str(script.filename).endswith(app.config.mathjax_path):
            continue  # later.js asks for it when the page has been shown
        how = script.attributes
        if script.filename and not {"async", "type"} & how.keys():
            how = how | {"defer": "defer"}
        # A new one each time: Sphinx gives the same to every page.
        wanted.append(type(script)(script.filename, priority=script.priority, **how))
    context["script_files"] = wanted


# The theme's script measures each box of a page, when it has loaded and whenever anything in it
# changes, to learn which scroll; `book.js` is told without having the page laid out each time.
MEASURES = re.compile(
    r',"complete"===document\.readyState\?(\w+)\(\):window\.addEventListener\("load",\1\)'
)


def spare_the_measuring(app: Sphinx, exception: Exception | None) -> None:
    script = Path(app.outdir, "_static", "scripts", "pydata-sphinx-theme.js")
    if exception or not script.is_file():
        return
    text = MEASURES.sub("", script.read_text("utf-8"))
    script.write_text(text, "utf-8")
    if 'addEventListener("load"' in text:
        log.warning("the theme's script does something else when a page has loaded: see site.py")


EMPTY_HEADER = re.compile(r"<th\b([^>]*)>\s*(?:<p>\s*</p>\s*)?</th>")


def mend_body(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """What Docutils and pandas write, said so that a screen reader can use it."""
    if "body" in context:
        # A role that is deprecated and fits no list.
        body = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')
        # The corner of a table, where there is nothing to say, heads nothing.
        context["body"] = EMPTY_HEADER.sub(r"<td\1></td>", body)


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    try:
        package = distribution("sphinx-mathjax-offline")
    except PackageNotFoundError:
        log.warning("sphinx-mathjax-offline is not installed: formulas stay LaTeX source")
        return
    source = Path(package.locate_file("sphinx-mathjax-offline/static/mathjax"))
    for name in MATHJAX:
        target = Path(app.outdir, "_static", "mathjax", name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if Path(source, name).is_dir():
            shutil.copytree(source / name, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / name, target)


def write_fonts(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    try:
        fonts.write(Path(app.outdir, "_static", "fonts"))
    except ModuleNotFoundError as error:
        log.warning("%s is not installed: the text is set in a face of the system", error.name)


def share_writing(app: Sphinx, env) -> None:
    """From here on all cores work: one process resolves what the others write as pages.

    Not before: several processes cannot read the pages with all extensions of a Jupyter Book.
    """
    app.parallel = 1 + (os.cpu_count() or 1)


def setup(app: Sphinx) -> dict:
    app.connect("config-inited", switch_repository, priority=100)
    # Each citation asks every installed package for its style: once is enough.
    plugin._load_entry_point = functools.cache(plugin._load_entry_point)
    order = ("pybtex.style.sorting", "author_year_title")
    plugin.register_plugin(*order, AsInDictionaries, force=True)
    app.add_post_transform(InlineFigures)
    app.add_post_transform(MarkEngines)
    app.add_post_transform(DropRepeatedIds)
    records.setup(app)
    live.setup(app)
    tabs.setup(app)
    terms.setup(app)
    keep.setup(app)
    api.setup(app)
    course_map.setup(app)
    address.setup(app)
    styles.setup(app)
    app.connect("env-updated", share_writing)
    app.connect("html-page-context", mend_body)
    app.connect("html-page-context", defer_scripts, priority=900)  # after all have added theirs
    app.connect("build-finished", write_index, priority=100)
    app.connect("build-finished", spare_the_measuring)
    app.connect("build-finished", copy_mathjax)
    app.connect("build-finished", write_fonts)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
