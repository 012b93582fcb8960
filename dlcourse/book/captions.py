"""A drawing that a directive makes, as a numbered figure of the page."""

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


def captioned(directive: SphinxDirective, html: str, said: str) -> nodes.figure:
    """The figure with its caption, by the name that is the directive's argument."""
    figure = nodes.figure("", nodes.raw("", html, format="html"))
    figure += nodes.caption("", "", *directive.state.inline_text(said, directive.lineno)[0])
    directive.set_source_info(figure)
    figure["names"].append(directive.arguments[0])
    directive.state.document.note_explicit_target(figure, figure)
    return figure
