"""The book: its sources, the site built from them, and proof that each check can fail.

The site is built once for these tests, warnings as errors, unless DLCOURSE_SITE names one that has
been built already.
"""

import ast
import base64
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from dlcourse.book import address, api, check_site, fonts, records, styles
from dlcourse.book.check_site import Site
from dlcourse.book.figures import COLORS, follow_theme, inline_svg, inline_svgs_of_html
from dlcourse.book.site import AsInDictionaries, engines
from dlcourse.book.terms import find_term, glossary_terms

import pytest
import yaml
from bs4 import BeautifulSoup
from PIL import Image
from pybtex.database import Person, parse_file

ROOT = Path(__file__).parent.parent
PROSE = [
    path
    for pattern in ("chapters/**/*.md", "chapters/**/*.ipynb", "README.md", "CONTRIBUTING.md")
    for path in sorted(ROOT.glob(pattern))
    if not any(part.startswith((".", "_")) for part in path.relative_to(ROOT).parts)
]
NOTEBOOKS = [path for path in PROSE if path.suffix == ".ipynb"]


def names(paths):
    return [path.relative_to(ROOT).as_posix() for path in paths]


def build(source: Path, target: Path) -> Path:
    """Build a book with every warning an error; the folder of its pages."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build"]
    run = subprocess.run(
        [*command, "-W", "--keep-going", str(source), "--path-output", str(target)],
        cwd=target,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-6000:]
    return target / "_build" / "html"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    folder = os.environ.get("DLCOURSE_SITE")
    folder = Path(folder) if folder else build(ROOT, tmp_path_factory.mktemp("site"))
    return Site(folder)


# ------------------------------------------------------------------------------------ the sources


@pytest.mark.parametrize("path", PROSE, ids=names(PROSE))
def test_prose_does_not_belittle(path):
    assert list(check_site.unwanted_words(path.name, prose_of(path))) == []


def prose_of(path: Path) -> str:
    """The prose of a page: of a notebook its Markdown cells, and its captions."""
    text = path.read_text("utf-8")
    if path.suffix == ".md":
        return text
    pieces = []
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "markdown":
            pieces.append("".join(cell["source"]))
        shown = cell["metadata"].get("mystnb", {})
        pieces.append(shown.get("figure", {}).get("caption", ""))
    return "\n\n".join(pieces)


def test_the_lint_of_prose_sees_prose_and_nothing_else():
    text = "This is simply so.\n`just code`\n\n```python\nobviously = 1\n```\n"
    text += "Adjust [it](just.md). Just run."
    found = list(check_site.unwanted_words("page", text))
    assert [line.split(":")[0] for line in found] == ["page, line 1", "page, line 7"]


@pytest.mark.parametrize("path", PROSE, ids=names(PROSE))
def test_no_line_ends_inside_a_number(path):
    assert list(check_site.split_numbers(path.name, prose_of(path))) == []


def test_the_lint_of_numbers_sees_prose_and_nothing_else():
    text = "Of 60 000 one.\n```python\n10 000\n```\n`20 000`, 30&nbsp;000, 1 in 1989, 0.1 200.\n"
    text += "```{admonition} Predict\nOf 1 000 000?\n```\nOr 40 000?\n"
    found = list(check_site.split_numbers("page", text))
    assert [line.split(":")[0] for line in found] == [f"page, line {n}" for n in (1, 7, 9)]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names(NOTEBOOKS))
def test_a_notebook_stays_under_a_megabyte(path):
    assert path.stat().st_size < 1_000_000


def test_every_page_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    listed = {toc["root"]} | {page["file"] for part in toc["parts"] for page in part["chapters"]}
    there = {
        path.relative_to(ROOT).with_suffix("").as_posix()
        for path in PROSE
        if path.is_relative_to(ROOT / "chapters")
    }
    assert listed == there


# ------------------------------------------------------------------------------- the built site


@pytest.mark.parametrize("check", check_site.CHECKS, ids=lambda check: check.__name__)
def test_the_site(site, check):
    assert list(check(site)) == []


def test_every_listed_page_is_built(site):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    listed = [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]
    assert [name for name in listed if not (site.folder / f"{name}.html").is_file()] == []
    assert (site.folder / "index.html").is_file()


def test_nothing_else_of_the_repository_is_built(site):
    extra = {"404.html", "genindex.html", "search.html", "index.html", "prf-prf.html"}
    pages = {page.name for page in site} - extra
    assert {name for name in pages if not name.startswith("chapters/")} == set()


def test_a_term_in_bold_leads_to_the_glossary_and_stands_in_the_index(site):
    """Once on a page, at its first use; every chapter has some."""
    index = (site.folder / "genindex.html").read_text("utf-8")
    for page in site:
        linked = [tag["href"] for tag in page.article.select("strong > a:has(.std-term)")]
        assert len(set(linked)) == len(linked), page.name
        targets = [tag["id"] for tag in page.article.select("span[id^=index-term-]")]
        assert len(targets) == len(linked), page.name
        assert [name for name in targets if f"{page.name}#{name}" not in index] == []
        if page.name.startswith(("chapters/foundations", "chapters/building_blocks")):
            assert linked, page.name


def test_the_search_alone_loads_the_index_of_words(site):
    loads = {page.name for page in site if "searchindex.js" in page.path.read_text("utf-8")}
    assert loads == {"search.html"}


def test_a_page_is_shown_before_its_scripts_have_come(site):
    """But for the search, whose scripts want each other at once."""
    heads = [
        page.path.read_text("utf-8").partition("</head>")[0]
        for page in site
        if page.name != "search.html"
    ]
    tags = {tag for head in heads for tag in re.findall(r"<script[^>]* src=[^>]*>", head)}
    assert len(tags) > 5
    assert {tag for tag in tags if not re.search("defer|module", tag)} == set()
    assert "defer" not in (site.folder / "search.html").read_text("utf-8").partition("</head>")[0]


SHEETS = """@charset "utf-8"; /*! kept: MIT */ /* .not { } */
.used, .gone > a, .used:not(.gone), :is(.gone, .used) b { color: red; }
#gone:hover, .sm\\:gone { x: "}" } @media print { .gone { a: b } } @media print { .used { a: b } }
@font-face { src: url(f.woff) } .sm\\:used [class*=".gone"] { background: url("data:;,}") }"""


def test_a_sheet_loses_the_rules_that_nothing_can_match():
    left = styles.without_unused(SHEETS, {"used", "sm:used"})
    assert left.splitlines() == [
        ".used,.used:not(.gone),:is(.gone, .used) b{color: red;}",
        "@media print{.used{a: b}}",
        "@font-face{src: url(f.woff)}",
        """.sm\\:used [class*=".gone"]{background: url("data:;,}")}""",
    ]
    assert [head for head, body in styles.rules("a{b:c}d{e:f}")] == ["a", "d"]


def test_a_page_loads_one_style_sheet_that_has_what_all_pages_use(site):
    for page in site:
        found = [tag["href"] for tag in page.soup.find_all("link", rel="stylesheet")]
        assert len(found) == (page.name != "index.html"), page.name
    css = (site.folder / "_static" / "site.css").read_text("utf-8")
    assert "Licensed under MIT" in css
    for name in (".dropdown-menu.show", ".bd-article", ".sd-tab-set", ".copybtn", ".live-bar"):
        assert name in css
    assert ".carousel" not in css or "carousel" in "".join(styles.used_names(site.folder))
    assert len(css) < 250_000


def test_the_name_of_an_exercise_is_marked_in_its_box_and_no_other_code(site):
    for page in site:
        own = re.compile(rf"{Path(page.name).stem}\.\w+")
        codes = page.soup.select(".admonition.exercise code")
        names = [code for code in codes if own.fullmatch(code.text)]
        assert page.soup.select(".admonition.exercise code.dl-exercise") == names, page.name
        if page.name.startswith(("chapters/foundations", "chapters/projects")):
            assert len(names) > 3, page.name


def test_every_public_name_of_mini_stands_in_the_reference(site):
    """The names are those of the page `mini beside torch`, which a test holds to the code."""
    record = json.loads((ROOT / "data" / "results" / "torch_map.json").read_text("utf-8"))
    names = {name for name in record if name.startswith("mini.")} - {"mini.Tensor"}
    pages = [p.read_text("utf-8") for p in site.folder.glob("chapters/reference/api*.html")]
    listed = set(re.findall(r'id="(dlcourse\.[\w.]+)"', "".join(pages)))

    def stands_elsewhere(name):
        bare = re.sub(r"^mini\.(Tensor|autograd|random)\.(?!function\.)", "mini.", name)
        bare = re.sub(r"\.(function|transforms)\.", ".", bare)
        return (bare != name and bare in names) or (bare[-1] == "_" and bare[:-1] in names)

    own = {name for name in names if not stands_elsewhere(name)}
    assert len(own) > 700
    assert {name for name in own if f"dlcourse.{name}" not in listed} == set()
    assert {"dlcourse.training.fit", "dlcourse.plots.curves", "dlcourse.models.GPT"} <= listed


def test_works_stand_in_the_order_of_their_authors(site):
    def words(text):
        return "".join(re.findall(r"\w", text)).lower()

    page = site.pages[site.folder / "chapters" / "reference" / "bibliography.html"]
    shown = [words(work.text) for work in page.article.select(".citation")]
    works = parse_file(str(ROOT / "references.bib"), "bibtex").entries.values()
    for text, work in zip(shown, sorted(works, key=AsInDictionaries().sorting_key), strict=True):
        assert words(work.fields["note"]) in text


def test_an_accent_does_not_move_a_name_to_the_end():
    people = [Person(name) for name in ("Zhang, Biao", "Álvarez, Ana", "Mutz, Al", "Müller, Bo")]
    people.sort(key=AsInDictionaries().person_key)
    assert [person.last_names[0] for person in people] == ["Álvarez", "Müller", "Mutz", "Zhang"]


def test_figures_follow_the_theme(site):
    """No colour of the palette is left as a fixed colour in a drawing on a page."""
    seen = 0
    for page in site:
        for svg in page.article.select("svg.dl-figure"):
            seen += 1
            fixed = re.sub(r"var\([^()]*\)|<image[^>]*>", "", str(svg))
            assert [color for color in COLORS.values() if color in fixed.lower()] == [], page.name
    assert seen > 0


def test_what_the_pages_need_is_served_by_the_site(site):
    static = site.folder / "_static"
    for face in fonts.FACES:
        assert (static / "fonts" / f"course-serif-{face}.woff").read_bytes()[:4] == b"wOFF"
    assert "SIL Open Font License" in (static / "fonts" / "LICENSE.txt").read_text("utf-8")
    assert (static / "mathjax" / "startup.js").is_file()
    assert list((static / "mathjax" / "output" / "chtml" / "fonts" / "woff-v2").glob("*.woff"))


# ------------------------------------------------------------- the repository's address, unset, set

DEMO = """\
# Demo

{{ clone }}

:::{only} public
It is public. {{ colab }}
:::
:::{only} not public
It is not public.
:::
"""


def small_book(folder: Path, address: str) -> Site:
    """A book of a page and a notebook in the book's own configuration, with this address."""
    (folder / "chapters").mkdir()
    config = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    config["repository"]["url"] = address
    config["sphinx"]["local_extensions"]["dlcourse.book.site"] = str(ROOT)
    (folder / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    toc = {"format": "jb-book", "root": "chapters/demo", "chapters": [{"file": "chapters/cells"}]}
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc), encoding="utf-8")
    (folder / "references.bib").touch()
    for name in ("_static", "_templates"):
        shutil.copytree(ROOT / "chapters" / name, folder / "chapters" / name)
    (folder / "chapters" / "demo.md").write_text(DEMO, encoding="utf-8")
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Cells"}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "chapters" / "cells.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    return Site(build(folder, folder))


def test_the_sheet_stays_where_a_build_has_no_page_to_write_and_follows_its_sources(tmp_path):
    sheet = small_book(tmp_path, "").folder / "_static" / "site.css"
    first = sheet.read_text("utf-8")
    assert ".live-bar" in (ROOT / "dlcourse" / "live" / "live.css").read_text("utf-8")
    assert ".live-bar" in first
    build(tmp_path, tmp_path)
    assert sheet.read_text("utf-8") == first
    with (tmp_path / "chapters" / "_static" / "book.css").open("a", encoding="utf-8") as ours:
        ours.write("a.changed {}")
    build(tmp_path, tmp_path)
    assert "a.changed" in sheet.read_text("utf-8")


def test_a_page_of_the_api_is_built_anew_when_a_docstring_changes(site):
    state = (site.folder.parent / ".doctrees" / "environment.pickle").read_bytes()
    sources = pickle.loads(state).dependencies["chapters/reference/api_optim"]
    assert {"sgd.py", "decay.py"} <= {Path(source).name for source in sources}


def links(site: Site, name: str) -> str:
    page = site.pages[site.folder / "chapters" / f"{name}.html"]
    return " ".join(tag["href"] for tag in page.soup.find_all("a", href=True))


def test_without_an_address_nothing_links_to_a_repository(site):
    assert yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))["repository"]["url"] == ""
    assert list(check_site.repository_links(site)) == []
    text = site.pages[site.folder / "chapters" / "setup.html"].article.get_text()
    assert "git clone ADDRESS-OF-THE-REPOSITORY dlcourse" in text
    assert "this copy of the book was built without one" in " ".join(text.split())
    assert "%pip install" not in text


def test_with_an_address_every_link_appears_and_is_right(tmp_path):
    small = small_book(tmp_path, "https://github.com/some-one/a-course/")
    address = "https://github.com/some-one/a-course"
    for name, file in (("demo", "demo.md"), ("cells", "cells.ipynb")):
        found = links(small, name).split()
        assert address in found
        assert f"{address}/edit/main/chapters/{file}" in found
        assert any(link.startswith(f"{address}/issues/new") for link in found)
    colab = (
        "https://colab.research.google.com/github/some-one/a-course/blob/main/chapters/cells.ipynb"
    )
    assert colab in links(small, "cells").split()
    assert "colab" not in links(small, "demo")
    text = small.pages[small.folder / "chapters" / "demo.html"].article.get_text()
    assert f"git clone {address} dlcourse" in text
    assert f"git+{address}" in text
    assert "It is not public." not in text
    assert list(check_site.repository_links(small)) != []
    assert list(check_site.foreign_requests(small)) == []
    test_a_page_is_shown_before_its_scripts_have_come(small)
    says_where_it_is(small, "https://some-one.github.io/a-course/")


# ------------------------------------------------------------------- how the site is found, shared


def head(site: Site, name: str) -> dict[str, str]:
    """What the head of a page says of it: its title, the meta elements, and the canonical link."""
    text = (site.folder / name).read_text("utf-8").partition("</head>")[0]
    soup = BeautifulSoup(text, "html.parser")
    said = {tag.get("property") or tag.get("name"): tag.get("content") for tag in soup("meta")}
    links = {tag["rel"][0]: tag["href"] for tag in soup("link", rel="canonical")}
    return said | links | {"title": soup.title.text}


def says_where_it_is(site: Site, base: str) -> None:
    """For a site whose public address is known."""
    pages = ["chapters/cells.html", "chapters/demo.html"]
    for name in pages:
        said = head(site, name)
        assert said["canonical"] == said["og:url"] == base + name
        assert said["og:image"].startswith(base)
        assert (site.folder / said["og:image"].removeprefix(base)).is_file()
    assert head(site, "index.html")["canonical"] == base + "chapters/demo.html"
    sitemap = (site.folder / "sitemap.xml").read_text("utf-8")
    assert re.findall("<loc>(.*?)</loc>", sitemap) == [base + name for name in pages]
    lost = site.pages[site.folder / "404.html"]
    assert "canonical" not in head(site, "404.html")
    start = "/a-course/"
    assert lost.soup.html["data-content_root"] == start
    own = [url for _, url in check_site.addresses(lost) if not re.match(r"#|\w+:", url)]
    assert len(own) > 20
    assert [url for url in own if not url.startswith(start)] == []
    files = {site.folder / url.split("#")[0].split("?")[0].removeprefix(start) for url in own}
    assert [path for path in files if not path.is_file()] == []


def test_without_an_address_no_page_names_one(site):
    for page in site:
        said = head(site, page.name)
        assert not {"canonical", "og:url", "og:image"} & said.keys(), page.name
    assert not (site.folder / "sitemap.xml").exists()


def test_every_page_describes_itself(site):
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    names = [toc["root"], *(page["file"] for part in toc["parts"] for page in part["chapters"])]
    said = {name: head(site, f"{name}.html") for name in names}
    for name, words in said.items():
        assert 60 <= len(words["description"]) <= 180, name
        assert words["og:description"] == words["description"], name
        assert words["title"].startswith(words["og:title"])
    assert len({words["description"] for words in said.values()}) == len(names)


def test_a_wrong_address_leads_to_a_page_that_leads_on(site):
    lost = site.pages[site.folder / "404.html"]
    assert {"chapters/intro.html", "search.html", "genindex.html"} <= {
        tag["href"] for tag in lost.article.find_all("a")
    }
    assert head(site, "404.html")["robots"] == "noindex"


@pytest.mark.parametrize(
    ("repository", "baseurl", "found"),
    [
        ("", "", ""),
        ("https://github.com/Some-One/a-course", "", "https://some-one.github.io/a-course/"),
        ("https://github.com/o/o.github.io/", "", "https://o.github.io/"),
        ("https://github.com/o/r.git", "", "https://o.github.io/r/"),
        ("https://gitlab.example/o/r", "", ""),
        ("https://github.com/o/r", "https://learn.example/book", "https://learn.example/book/"),
        ("", "https://learn.example", "https://learn.example/"),
    ],
)
def test_the_address_of_the_site_follows_from_the_one_setting(repository, baseurl, found):
    assert address.address_of_site(repository, baseurl) == found


def test_links_that_hold_from_anywhere():
    page = '<html data-content_root="./"><a href="#a"><a href="b.html"><img src="./c/d.png">'
    page += '<form action="search.html"><a href="https://e.org/"><a href="/f"><a href="data:g">'
    assert address.from_anywhere(page, "") == page
    assert address.from_anywhere(page, "https://o.github.io/r/") == (
        '<html data-content_root="/r/"><a href="#a"><a href="/r/b.html"><img src="/r/c/d.png">'
        '<form action="/r/search.html"><a href="https://e.org/"><a href="/f"><a href="data:g">'
    )


# ----------------------------------------------------------------------- each check is seen to fail

PAGE = """<!doctype html><html lang="en"><head><title>A page</title>
<link rel="stylesheet" href="_static/good.css"></head>
<body><nav><img src="logo.svg" alt=""></nav><article>
<h1 id="top">Title</h1> <a href="other.html#there">on</a> <a href="https://example.org/">out</a>
<figure><svg class="dl-figure" role="img" aria-label="A curve that falls" id="f"></svg>
<figcaption>The loss falls from step to step.</figcaption></figure>
<div class="cell tag_raises-exception"><div class="cell_output">
<div class="output traceback">ValueError: it teaches</div></div></div>
<code>{{ template }} and {role}`x`</code>
%s</article></body></html>"""

BROKEN = {
    # what is put into the page: the check that must see it, and what it must say
    '<a href="missing.html">': ("broken_links", "missing.html, which is not there"),
    '<a href="other.html#nowhere">': ("broken_links", "does not have"),
    '<a href="#nowhere">': ("broken_links", "does not have"),
    '<img src="gone.png" alt="A curve that falls">': ("broken_links", "gone.png"),
    '<script src="gone.js"></script>': ("broken_links", "gone.js"),
    '<script src="https://cdn.example/x.js"></script>': ("foreign_requests", "cdn.example"),
    '<link rel="stylesheet" href="//fonts.example/a.css">': ("foreign_requests", "fonts.example"),
    '<link rel="preconnect" href="https://fonts.example">': ("foreign_requests", "fonts.example"),
    '<img src="https://badge.example/x.svg" alt="build is green">': ("foreign_requests", "badge"),
    '<p style="background: url(https://cdn.example/b.png)">': ("foreign_requests", "b.png"),
    '<style>@import "https://cdn.example/c.css";</style>': ("foreign_requests", "c.css"),
    '<script>const THEBE = "https://unpkg.example/t.js"</script>': ("foreign_requests", "unpkg"),
    '<link rel="stylesheet" href="_static/bad.css">': ("foreign_requests", "cdn.example/font.woff"),
    '<link rel="stylesheet" href="_static/lost.css">': ("foreign_requests", "lost.woff"),
    '<link rel="stylesheet" href="_static/nest.css">': (
        "foreign_requests",
        "cdn.example/font.woff",
    ),
    '<script src="_static/bad.js"></script>': ("foreign_requests", "bad.js: loads"),
    '<img src="pixels.png">': ("missing_alt", "no alt attribute"),
    '<img src="pixels.png" alt="">': ("missing_alt", "no alt text in words"),
    '<img src="pixels.png" alt="pixels.png">': ("missing_alt", "no alt text in words"),
    "<svg></svg>": ("missing_alt", "no accessible name"),
    '<svg role="img" aria-label=""></svg>': ("missing_alt", "no accessible name"),
    '<svg class="dl-figure" role="img" aria-label="Two curves"></svg>': ("missing_captions", "Two"),
    '<figure><img src="pixels.png" alt="A digit, three"></figure>': ("missing_captions", "digit"),
    '<div class="cell"><div class="cell_output"><div class="output traceback">NameError: x</div>'
    "</div></div>": ("tracebacks", "NameError: x"),
    '<div class="cell"><div class="cell_output"><pre>Traceback (most recent call last):\n'
    "KeyError: 1</pre></div></div>": ("tracebacks", "KeyError: 1"),
    '<p id="top">': ("duplicate_ids", "'top' stands 2 times"),
    "<p>{numref}`fig-one` shows</p>": ("unrendered", "fig-one"),
    "<p>{{ clone }}</p>": ("unrendered", "clone"),
    "<p>\n:::{note}\n</p>": ("unrendered", ":::"),
    '<span class="problematic">`x`_</span>': ("unrendered", "`x`_"),
    '<a class="btn-source-edit-button" href="x.html">': ("repository_links", "btn-source-edit"),
    '<a href="https://colab.research.google.com/github/x">': ("repository_links", "colab"),
}


def broken_site(folder: Path, defect: str = "") -> Site:
    (folder / "_static").mkdir()
    (folder / "index.html").write_text(PAGE % defect, encoding="utf-8")
    (folder / "other.html").write_text('<article><p id="there"></p></article>', encoding="utf-8")
    for name in ("logo.svg", "pixels.png", "_static/good.woff"):
        (folder / name).touch()
    files = {
        "good.css": 'p { background: url("good.woff"), url(data:image/png;base64,x) }',
        "bad.css": "@font-face { src: url('https://cdn.example/font.woff') }",
        "lost.css": "@font-face { src: url(lost.woff) }",
        "nest.css": '@import "bad.css";',
        "bad.js": 'const m = await import("https://cdn.example/m.mjs")',
    }
    for name, text in files.items():
        (folder / "_static" / name).write_text(text, encoding="utf-8")
    return Site(folder)


ALL_CHECKS = [*check_site.CHECKS, check_site.repository_links]


@pytest.mark.parametrize("check", ALL_CHECKS, ids=lambda check: check.__name__)
def test_a_sound_page_passes(tmp_path, check):
    assert list(check(broken_site(tmp_path))) == []


@pytest.mark.parametrize("defect", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_page_fails(tmp_path, defect):
    name, sentence = BROKEN[defect]
    found = list(getattr(check_site, name)(broken_site(tmp_path, defect)))
    assert len(found) == 1, found
    assert sentence in found[0]


def test_every_check_is_seen_to_fail():
    assert {name for name, _ in BROKEN.values()} == {check.__name__ for check in ALL_CHECKS}


def test_by_hand_it_exits_with_1_when_something_is_broken(tmp_path, capsys):
    broken_site(tmp_path, '<p id="top">')
    assert check_site.main(str(tmp_path)) == 1
    assert "2 pages, 1 defects" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert check_site.main(str(tmp_path / "empty")) == 1


# ------------------------------------------------------------------------------- figures on a page

FIGURE = """<?xml version="1.0"?>
<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="72pt"
 height="36pt" viewBox="0 0 72 36"><metadata>made by</metadata>
<defs><style>*, path {stroke: #0072B2}</style><path id="m1" d="M0 0"/></defs>
<g id="figure_1"><g id="patch_1"><path d="M0 0" style="fill: #ffffff"/></g>
<g id="axes_1" clip-path="url(#c1)"><path style="stroke: #d55e00; fill: #123456" d="M1 1"/>
<use xlink:href="#m1" fill="#6e7781"/><text>#0072b2 &amp; &lt;b&gt;</text></g>
<clipPath id="c1"/></g></svg>"""


def test_a_figure_is_inlined():
    html = inline_svg(FIGURE, "dl-svg-1", 'Loss "falls" & <rests>')
    assert html.startswith("<svg ")
    assert 'role="img"' in html
    assert 'aria-label="Loss &quot;falls&quot; &amp; &lt;rests&gt;"' in html
    assert "metadata" not in html
    assert "patch_1" not in html
    assert "fill: var(--dl-paper)" not in html  # the sheet of paper is gone
    assert "stroke: var(--dl-torch); fill: #123456" in html
    assert 'fill="var(--dl-muted)"' in html
    assert "#dl-svg-1 *,#dl-svg-1 path{stroke: var(--dl-mini)}" in html
    assert ">#0072b2 &amp; &lt;b&gt;</text>" in html  # text is text, whatever it looks like
    assert 'style="width: 96px"' in html
    assert 'width="72pt"' not in html
    assert "<g>" not in html  # nor are groups that say nothing
    assert ">\n" not in html


def test_letters_that_a_phone_would_shrink_too_far_are_marked():
    def drawn(width, size):
        letters = f'<text style="font-size: {size}px">1</text>'
        box = f'viewBox="0 0 {width} 9"'
        return inline_svg(f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{letters}</svg>', "a")

    assert "dl-small" not in drawn(403.2, 10)
    html = drawn(403.2, 9)
    assert '<text style="font-size: 9px" class="dl-small">' in html
    least = float(re.search(r'<svg[^>]* style="--dl-small: ([\d.]+)px"', html)[1])
    assert 9 <= least * 380 / 403.2 < 9.2
    assert "dl-small" not in drawn(300, 9)  # shown larger than it is drawn
    css = (ROOT / "chapters" / "_static" / "book.css").read_text("utf-8")
    assert re.search(r"svg\.dl-figure \.dl-small \{\s*font-size: var\(--dl-small\)", css)


def drawn_image(*colors):
    """A drawing of one image, each pixel of a row an (R, G, B, A)."""
    file, row = io.BytesIO(), Image.new("RGBA", (len(colors), 1))
    for x, color in enumerate(colors):
        row.putpixel((x, 0), color)
    row.save(file, "png")
    link = f"data:image/png;base64,\n{base64.b64encode(file.getvalue()).decode()}"
    box = 'x="1" y="2" width="3" height="4" transform="matrix(5 0 0 -5 6 7)"'
    image = f'<image xlink:href="{link}" id="i1" {box} style="image-rendering: pixelated"/>'
    root = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    return inline_svg(f"{root}{image}</svg>", "a", "Two words")


MINI = (0, 0x72, 0xB2)


def test_an_image_in_shades_of_one_colour_follows_the_theme():
    html = drawn_image((*MINI, 255), (*MINI, 3), (9, 9, 9, 0))
    sheet = BeautifulSoup(html, "html.parser").select_one("rect")
    assert sheet["fill"] == "var(--dl-mini)"
    assert sheet["mask"] == "url(#a-shades-1)"
    assert sheet["transform"] == "matrix(5 0 0 -5 6 7)"
    mask = BeautifulSoup(html, "html.parser").select_one("mask#a-shades-1")
    assert mask["style"] == "mask-type:alpha"
    image = mask.select_one("image")
    assert "transform" not in image.attrs  # in a mask, that of what is masked holds already
    for name in ("x", "y", "width", "height"):
        assert image[name] == sheet[name]


@pytest.mark.parametrize("other", [(0, 0x72, 0xB3, 255), (255, 255, 255, 9), (9, 9, 9, 255)])
def test_an_image_of_more_colours_or_of_others_stays(other):
    for colors in ([(*MINI, 9), other], [other]):
        assert "<mask" not in drawn_image(*colors)


def test_ids_of_two_figures_do_not_clash():
    def ids(html):
        return set(re.findall(r' id="([^"]+)"', html))

    one, two = (inline_svg(FIGURE, prefix, "Two words") for prefix in ("a", "b"))
    assert ids(one) == {"a", "a-m1", "a-c1"}  # what nothing refers to is dropped
    assert not ids(one) & ids(two)
    assert 'href="#a-m1"' in one
    assert "url(#a-c1)" in one


def test_a_drawing_in_displayed_html_keeps_its_own_name():
    html = (
        '<p>See</p><svg role="img" aria-label="x to y"><path id="p" stroke="var(--dl-ink, #1f2328)"'
    )
    html += '/><path marker-end="url(#p)"/></svg><svg role="img"><title>Two</title></svg>'
    found = inline_svgs_of_html(html, "h")
    assert 'aria-label="x to y"' in found
    assert "<title>Two</title>" in found
    assert 'id="h-1-p"' in found
    assert "url(#h-1-p)" in found
    assert "var(--dl-ink, #1f2328)" in found
    assert found.startswith("<p>See</p><svg")


def test_what_is_no_svg_is_refused():
    with pytest.raises(ValueError, match="not a well-formed SVG"):
        inline_svg("<svg><g></svg>", "a", "Two words")


def test_only_whole_colours_of_the_palette_change():
    assert follow_theme("#0072b2 #0072B2; #0072b2ff #0072b3") == (
        "var(--dl-mini) var(--dl-mini); #0072b2ff #0072b3"
    )
    assert {name for name in COLORS if name != "hand"} == {
        re.fullmatch(r"var\(--dl-(\w+)\)", follow_theme(color))[1] for color in COLORS.values()
    }


def test_the_style_sheet_has_every_colour_of_the_palette():
    css = (ROOT / "chapters" / "_static" / "book.css").read_text("utf-8")
    for name in COLORS:
        assert re.search(rf"--dl-{name}: light-dark\(#[0-9a-f]{{6}}, #[0-9a-f]{{6}}\);", css), name


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_a_contrast_of_at_least_four_and_a_half(theme):
    """WCAG 2.1, AA, for each colour of text on the surfaces it stands on."""
    css = (ROOT / "chapters" / "_static" / "book.css").read_text("utf-8")
    pairs = re.findall(r"--dl-([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", css)
    color = {name: both[theme] for name, *both in pairs}
    on_paper = set(color) - {"paper", "surface", "line", "line-strong", "grid", "sky"}
    on_surface = {name for name in color if name.startswith("code-")} | {"ink", "text-soft"}
    for surface, inks in (("paper", on_paper), ("surface", on_surface)):
        for ink in inks:
            high, low = sorted((luminance(color[ink]), luminance(color[surface])), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, surface)


# -------------------------------------------------------------------------- which engine, which run


def test_a_cell_is_marked_by_the_engine_it_names():
    known = {}
    assert (
        engines("import torch\nfrom dlcourse import mini, plots\nfrom torch import nn", known) == []
    )
    assert engines("%matplotlib inline\nx = torch.ones(3)", known) == ["torch"]
    assert engines("layer = nn.Linear(2, 3)", known) == ["torch"]
    assert engines("for lib in (mini, torch):\n    print(lib)", known) == ["mini", "torch"]
    assert engines("plots.curves({'mini': losses})", known) == []
    assert engines("from dlcourse.mini import nn\nnn.Linear(2, 3)", known) == ["mini"]
    assert engines("this is not Python", known) == []


def test_a_docstring_becomes_paragraphs_examples_and_lists():
    text = "Do `x` and **all**; a ** b.\n\n    y = f(x)\n\n"
    text += "Args:\n    x, y: two\n        numbers\n    *z"
    said, code, title, items = api.described(text)
    assert [type(part).__name__ for part in said] == ["Text", "literal", "Text", "strong", "Text"]
    assert said.astext() == "Do x and all; a ** b."
    assert code.astext() == "y = f(x)"
    assert title.astext() == "Args"
    assert [item.astext() for item in items] == ["x, y: two numbers", "*z"]
    said, code = api.described("An example.\n\n    class A:\n        x = 1\n\n        y = 2")
    assert code.astext() == "class A:\n    x = 1\n\n    y = 2"
    said, session = api.described("An example.\n\n>>> f(1)\n2")
    assert session.astext() == ">>> f(1)\n2"
    assert session["language"] == "pycon"
    (said,) = api.described("It is *stressed*; not (B, *) or (*, D), nor *args, **kwargs.")
    assert [type(part).__name__ for part in said] == ["Text", "emphasis", "Text"]
    (said,) = api.described("Of H' x W' windows, layers' and the layer's; h' = 'x'.")
    assert said.astext() == "Of H′ x W′ windows, layers' and the layer's; h′ = 'x'."
    (said,) = api.described('Either "mean" or "by hand"; "" is neither.')
    assert [part.astext() for part in said] == [
        "Either ",
        '"mean"',
        ' or "by hand"; "" is neither.',
    ]
    assert [type(part).__name__ for part in said] == ["Text", "literal", "Text"]


def test_a_signature_is_read_from_the_source():
    source = "def f(self, a, b: int = 1, *c, d=2, **e) -> str: ..."
    function = ast.parse(source).body[0]
    assert api.parameters(function, bound=True) == "(a, b: int = 1, *c, d=2, **e) → str"
    function = ast.parse("def f(*, a: int): ...").body[0]
    assert api.parameters(function, bound=False) == "(*, a: int)"


def test_a_dataclass_shows_its_fields_and_a_constant_what_it_is():
    classes = {entry.names[0]: entry for entry in api.written("dlcourse.models")}
    assert classes["GPTConfig"].arguments.startswith("(vocab_size: int, context: int = 64, ")
    assert classes["Cost"].arguments == "(parameters: int, multiply_adds: int, kept: int)"
    found = {entry.names[0]: entry for entry in api.written("dlcourse.training")}
    assert found["History"].arguments.startswith("(step_loss: list[float] = list(), ")
    silent = [
        f"{space}.{entry.names[0]}"
        for space in ("datasets", "plots", "testing")
        for entry in api.written(f"dlcourse.{space}")
        if not entry.doc
    ]
    assert silent == []


def test_a_base_that_a_class_alone_has_is_a_part_of_it():
    module = api.live(api.load("dlcourse.mini.nn"), ["Module"])
    assert "register_forward_hook" in {member.names[0] for member in module.members}
    linear = api.live(api.load("dlcourse.mini.nn"), ["Linear"])
    assert "register_forward_hook" not in {member.names[0] for member in linear.members}


def test_what_is_left_out_is_the_same_elsewhere():
    tensor, mini = api.load("dlcourse.mini.Tensor"), api.load("dlcourse.mini")
    assert api.is_same("exp", tensor, mini)
    for name in ("float", "dtype", "where", "backward"):  # a method here, a type or nothing there
        assert not api.is_same(name, tensor, mini), name


def test_a_default_is_shown_as_it_is_written():
    nn = api.load("dlcourse.mini.nn")
    assert "activation=relu" in api.arguments(nn.TransformerEncoderLayer, "class")
    assert "upper=1 / 3" in api.arguments(nn.RReLU, "class")


def test_constants_classes_functions_stand_by_name_in_capitals_or_not():
    kinds = {"pad": "function", "ASGD": "class", "Adam": "class", "ALL": "data", "eye": "function"}
    entries = [api.Entry([name], kind, "", "") for name, kind in kinds.items()]
    assert [entry.names[0] for entry in api.in_order(entries)] == [
        "ALL",
        "Adam",
        "ASGD",
        "eye",
        "pad",
    ]


def test_a_class_inside_a_class_is_not_told_again():
    class Outer:
        """A class."""

        inner = int

        def method(self):
            """What it does."""

    entry = api.live(SimpleNamespace(Outer=Outer), ["Outer"])
    assert [member.names for member in entry.members] == [["method"]]


GLOSSARY = """Text.

```{glossary}
Jacobian matrix
    A matrix, **not** a term.

batch
epoch
    Passes.
```
"""


def test_the_terms_of_a_glossary_are_read():
    found = glossary_terms(GLOSSARY)
    assert found == {"jacobian matrix": "Jacobian matrix", "batch": "batch", "epoch": "epoch"}


@pytest.mark.parametrize(
    ("words", "term"),
    [
        ("Batch", "batch"),
        ("batches", "batch"),
        ("epochs", "epoch"),
        ("Jacobian\nmatrices", "Jacobian matrix"),
        ("step", None),
    ],
)
def test_a_term_is_found_in_its_plural_and_across_lines(words, term):
    assert find_term(words, glossary_terms(GLOSSARY)) == term


@pytest.fixture
def results(tmp_path):
    record = {"figures": {"accuracy": 0.99615, "losses": [2.3, 0.1]}, "command": "python -m x"}
    (tmp_path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return tmp_path


def test_a_recorded_number_is_looked_up(results):
    assert records.lookup(results, "run:figures.accuracy|.2%") == "99.61%"
    assert records.lookup(results, "run:figures.losses.1") == "0.1"
    assert records.lookup(results, "run:command") == "python -m x"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("walk:figures.accuracy", "no recorded run 'walk'"),
        ("run:figures.recall", "has no 'figures.recall'"),
        ("run:figures.losses.7", "has no 'figures.losses.7'"),
        ("run:figures", "is not one value"),
        ("run:command|.2%", "format"),
    ],
)
def test_a_number_that_was_not_recorded_is_an_error(results, text, sentence):
    with pytest.raises(ValueError, match=sentence):
        records.lookup(results, text)


def test_exempt_cells_are_listed_with_their_reasons(tmp_path):
    (tmp_path / "chapters").mkdir()
    cells = [
        {"cell_type": "code", "metadata": {}},
        {
            "cell_type": "code",
            "metadata": {"tags": ["nbval-ignore-output"], "dlcourse": {"exempt": "a clock"}},
        },
    ]
    (tmp_path / "chapters" / "a.ipynb").write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert records.exempt_cells(tmp_path) == [("chapters/a.ipynb", 2, "a clock")]


def test_the_page_plants_its_bug_in_a_line_that_is_there():
    page = (ROOT / "chapters" / "how_this_book_is_tested.md").read_text("utf-8")
    right = "grad_output * (n * x ** (n - 1))"
    assert right in page
    assert right in (ROOT / "dlcourse/mini/ops/pointwise.py").read_text("utf-8")
