"""A term in bold where a page first uses it: a link to the glossary and an entry of the index.

Writers set **term** and nothing else.  What the glossary holds is read from its source, so that a
page can be transformed before the glossary itself has been read.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

GLOSSARY = Path("chapters/reference/glossary.md")
# What is bold there is no term where it is first used.
NOT_ON = {"chapters/reference/glossary", "chapters/reference/derivations"}


def glossary_terms(text: str) -> dict[str, str]:
    """The terms of a glossary's source: as a page may write them (lower case) to as they stand."""
    (block,) = re.findall(r"^```\{glossary\}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    terms = [line for line in block.split("\n") if line and not line[0].isspace()]
    return {term.lower(): term for term in terms}


def find_term(words: str, terms: dict[str, str]) -> str | None:
    """The glossary's term for some words of a page, which may be its plural."""
    words = " ".join(words.split()).lower()
    plain = [words, words.removesuffix("s"), words.removesuffix("es")]
    if words.endswith("ies"):
        plain.append(words.removesuffix("ies") + "y")
    if words.endswith("ices"):
        plain.append(words.removesuffix("ices") + "ix")
    return next((terms[form] for form in plain if form in terms), None)


class LinkTerms(SphinxTransform):
    """Wrap the first bold use of each term of the glossary on a page in a link to it."""

    default_priority = 400

    def apply(self, **kwargs) -> None:
        glossary = Path(self.env.srcdir, GLOSSARY)
        if not glossary.is_file() or self.env.docname in NOT_ON:
            return
        terms = glossary_terms(glossary.read_text("utf-8"))
        self.env.note_dependency(str(GLOSSARY))
        seen = set()
        for strong in list(self.document.findall(nodes.strong)):
            term = find_term(strong.astext(), terms)
            if term is not None and term not in seen and not _inside_a_link(strong):
                seen.add(term)
                self.link(strong, term)

    def link(self, strong: nodes.strong, term: str) -> None:
        target = nodes.target("", "", ids=[f"index-term-{nodes.make_id(term)}"])
        entry = addnodes.index(entries=[("single", term, target["ids"][0], "", None)])
        text = nodes.inline("", "", *strong.children, classes=["xref", "std", "std-term"])
        link = addnodes.pending_xref(
            "",
            text,
            refdomain="std",
            reftype="term",
            reftarget=term,
            refexplicit=True,
            refwarn=True,
            refdoc=self.env.docname,
        )
        strong.children = []
        strong += link
        strong.parent.insert(strong.parent.index(strong), [entry, target])


def _inside_a_link(node: nodes.Node) -> bool:
    """Also True in a heading: its text stands in the table of contents, too."""
    while (node := node.parent) is not None:
        if isinstance(node, (nodes.reference, addnodes.pending_xref, nodes.title)):
            return True
    return False


def setup(app: Sphinx) -> None:
    app.add_transform(LinkTerms)
