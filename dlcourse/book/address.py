"""How the site is found from outside: descriptions, cards, the page for a wrong address; and, once
the site's public address is known, canonical links and a sitemap.

The address follows from the one setting, ``repository: url`` in ``_config.yml``, for a repository
on GitHub: its pages. A site elsewhere names its address in ``html: baseurl``. While neither is set,
no page names an address of its own.
"""

import html
import re
import textwrap
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

CARD = "_static/card.png"
CARD_ALT = "Deep learning, twice: the same loss curve from mini and from torch."
LOST = "404"  # the name that GitHub Pages and most servers look for


def address_of_site(repository: str, baseurl: str = "") -> str:
    """Where readers find the site, with a slash at the end; "" where that is not known."""
    if baseurl:
        return baseurl.rstrip("/") + "/"
    match = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?", repository)
    if not match:
        return ""
    owner, name = match[1].lower(), match[2]
    root = f"https://{owner}.github.io/"
    return root if name.lower() == f"{owner}.github.io" else f"{root}{name}/"


def set_address(app: Sphinx, config: Config) -> None:
    """Sphinx then writes the canonical links."""
    repository = config.html_theme_options.get("repository_url") or ""
    config.html_baseurl = address_of_site(repository, config.html_baseurl or "")
    config.html_additional_pages = {LOST: "404.html", **config.html_additional_pages}


# ------------------------------------------------------------------------------- what a page says


def add_metadata(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    """Descriptions for search engines, and cards for those who share the page's address."""
    if page == LOST:
        context["pageurl"] = None  # it stands for many addresses
        context["title"], context["base"] = "There is no such page", app.config.html_baseurl
        context["metatags"] = context.get("metatags", "") + '<meta name="robots" content="noindex">'
        return
    found = metadata(app.config, page, context.get("title", ""), description(doctree))
    tags = "".join(
        f'\n    <meta {"property" if key.startswith("og:") else "name"}="{key}" '
        f'content="{html.escape(value)}">'
        for key, value in found.items()
        if value
    )
    context["metatags"] = context.get("metatags", "") + tags


def metadata(config: Config, page: str, title: str, said: str) -> dict[str, str]:
    found = {
        "description": said,
        "og:type": "website" if page == config.root_doc else "article",
        "og:site_name": config.html_title,
        "og:title": html.unescape(re.sub(r"<[^>]*>", "", title)),
        "og:description": said,
        "og:locale": "en",
        "twitter:card": "summary",
    }
    if base := config.html_baseurl:
        found["og:url"] = urljoin(base, f"{page}.html")
        found["og:image"] = urljoin(base, CARD)
        found["og:image:alt"] = CARD_ALT
        found["twitter:card"] = "summary_large_image"
    return found


def description(doctree: nodes.document | None) -> str:
    """The page's question and what comes after it, as much as a search engine shows."""
    said = ""
    for paragraph in doctree.findall(nodes.paragraph) if doctree else ():
        if not any(paragraph.findall(nodes.math)):
            said = f"{said} {paragraph.astext()}"
        if len(said) >= 90:
            break
    return textwrap.shorten(said, 180, placeholder=" …")


# ------------------------------------------------------------------------- what the whole site has

SITEMAP = """<?xml version="1.0" encoding="utf-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
{urls}
</urlset>
"""


def finish(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    base, folder = app.config.html_baseurl, Path(app.outdir)
    if base:
        pages = [urljoin(base, f"{name}.html") for name in sorted(app.env.found_docs)]
        urls = "\n".join(f"  <url><loc>{html.escape(page)}</loc></url>" for page in pages)
        (folder / "sitemap.xml").write_text(SITEMAP.format(urls=urls), encoding="utf-8")
    else:
        (folder / "sitemap.xml").unlink(missing_ok=True)
    lost = folder / f"{LOST}.html"
    lost.write_text(from_anywhere(lost.read_text("utf-8"), base), encoding="utf-8")


def from_anywhere(page: str, base: str) -> str:
    """A page at the top of the site whose links hold at whatever address it is shown."""
    start = urlsplit(base).path
    if not start:
        return page
    own = r'((?:href|src|action|data-content_root)=")(?!#|/|\w+:)(?:\./)?'
    return re.sub(own, rf"\g<1>{start}", page)


def setup(app: Sphinx) -> None:
    app.connect("config-inited", set_address, priority=110)  # after site.switch_repository
    app.connect("html-page-context", add_metadata)
    app.connect("build-finished", finish, priority=600)
