"""What was recorded, in prose: the role and the directive ``recorded``, and ``exempt-cells``.

A recorded run is ``data/results/<name>.json``. The text of the role is ``<name>:<key>``, with dots
between the keys of nested objects and an optional format, which may be the word code::

    {recorded}`digits:command|code` reaches {recorded}`digits:figures.test_accuracy|.2%`.

The directive of the same name sets a recorded text of several lines as it is. A run, a key or a
format that is not there is a warning, and so fails the build.
"""

import json
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole


def lookup(results: Path, text: str) -> str:
    """The number that ``name:key.key|format`` names, as text. Raises ``ValueError`` if none."""
    name, _, rest = text.partition(":")
    keys, _, form = rest.partition("|")
    path = results / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"no recorded run {name!r} (data/results/{name}.json)")
    value = json.loads(path.read_text("utf-8"))
    for key in keys.split("."):
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, TypeError, ValueError):
            raise ValueError(f"the recorded run {name!r} has no {keys!r}") from None
    if isinstance(value, (dict, list)):
        raise ValueError(f"{keys!r} of the recorded run {name!r} is not one value")
    return format(value, form)


class Recorded(SphinxRole):
    def run(self):
        results = Path(self.env.srcdir, "data", "results")
        name = self.text.partition(":")[0]
        self.env.note_dependency(str(results / f"{name}.json"))
        text, code, _ = self.text.partition("|code")
        try:
            value = lookup(results, text)
            whole = re.sub(r"(?<=\d) (?=\d{3}\b)", "\u202f", value)  # a number is not broken
            return [nodes.literal(text=value) if code else nodes.Text(whole)], []
        except ValueError as error:
            message = self.inliner.reporter.warning(str(error), line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


class RecordedText(SphinxDirective):
    """A recorded text, line by line."""

    required_arguments = 1

    def run(self):
        results = Path(self.env.srcdir, "data", "results")
        self.env.note_dependency(str(results / f"{self.arguments[0].partition(':')[0]}.json"))
        try:
            text = lookup(results, self.arguments[0])
        except ValueError as error:
            return [self.state.document.reporter.warning(str(error), line=self.lineno)]
        block = nodes.literal_block(text, text, language="text")
        return [nodes.container("", block, classes=["recorded"])]


def exempt_cells(root: Path) -> list[tuple[str, int, str]]:
    """Each cell whose output no test compares: notebook, position among its cells, reason."""
    found = []
    for path in sorted((root / "chapters").rglob("*.ipynb")):
        if ".ipynb_checkpoints" in path.parts:
            continue
        for number, cell in enumerate(json.loads(path.read_text("utf-8"))["cells"], 1):
            if "nbval-ignore-output" in cell["metadata"].get("tags", []):
                reason = cell["metadata"].get("dlcourse", {}).get("exempt", "no reason written")
                found.append((path.relative_to(root).as_posix(), number, reason))
    return found


class ExemptCells(SphinxDirective):
    """The list of those cells, read from the notebooks when the book is built."""

    def run(self):
        root = Path(self.env.srcdir)
        rows = nodes.bullet_list()
        for path, number, reason in exempt_cells(root):
            self.env.note_dependency(str(root / path))
            text = nodes.paragraph()
            text += [nodes.literal(text=path), nodes.Text(f", cell {number}: {reason}")]
            rows += nodes.list_item("", text)
        return [rows if len(rows) else nodes.paragraph(text="At present, none.")]


def setup(app: Sphinx) -> None:
    app.add_role("recorded", Recorded())
    app.add_directive("recorded", RecordedText)
    app.add_directive("exempt-cells", ExemptCells)
