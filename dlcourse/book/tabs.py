"""Cells of mini and of torch that share one place on the page, in tabs.

A tag asks for it; in the notebook, in JupyterLab and to the tests, the cells stay what they are.

* ``tab-mini`` and ``tab-torch`` on cells one after the other: one set of tabs. All such sets of a
  page switch together, and the choice is remembered (sphinx-design does both). Where both cells
  bind the same names, what follows runs with either.
* ``beside-Heads`` on a cell of torch: a second tab shows the cell further up that defines
  ``Heads``, its listing alone, to look from one to the other. It goes by itself: in a section on
  PyTorch, PyTorch comes first.
"""

import re
from collections.abc import Iterator, Sequence

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx_design.shared import create_component

log = logging.getLogger(__name__)

TITLES = {"mini": "mini", "torch": "PyTorch"}


class MakeTabs(SphinxPostTransform):
    """Put tagged cells into tabs, after they were marked and before sphinx-design draws tabs."""

    default_priority = 20
    formats = ("html",)

    def run(self, **kwargs) -> None:
        cells = list(code_cells(self.document))
        for run in _runs([cell for cell, _ in cells]):
            if sorted(map(tab_of, run)) != sorted(TITLES):
                log.warning("tabs of mini and torch come in pairs", location=run[0])
            put_into_tabs([(TITLES[tab_of(cell)], tab_of(cell), cell) for cell in run])
        for number, (cell, _) in enumerate(cells):
            if name := _tagged(cell, "beside-"):
                self.put_beside(cell, name, [source for _, source in cells[:number]])

    def put_beside(self, cell: nodes.Element, name: str, above: list[str]) -> None:
        defines = re.compile(rf"^(?:class|def) {re.escape(name)}\b", re.MULTILINE)
        found = [source for source in above if defines.search(source)]
        if len(found) != 1:
            log.warning("%d cells above define %s, not one", len(found), name, location=cell)
            return
        listing = nodes.literal_block(found[0], found[0], language="ipython3")
        put_into_tabs([("PyTorch", "", cell), (f"mini, as above: {name}", "", listing)])


def code_cells(document: nodes.document) -> Iterator[tuple[nodes.Element, str]]:
    """The cells of a page that show their code, and that code."""
    for cell in document.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            source = next(iter(cell.findall(nodes.literal_block)), None)
            if source is not None and "cell_input" in source.parent["classes"]:
                yield cell, source.astext()


def tab_of(cell: nodes.Element) -> str:
    """ "mini" or "torch" for a cell in a tab of that engine, else nothing."""
    return next((engine for engine in TITLES if f"tag_tab-{engine}" in cell["classes"]), "")


def is_torch_alone(cell: nodes.Element) -> bool:
    """Is it another way to say, with torch, what a cell says with mini; or what mini cannot say?"""
    return not {"tag_tab-torch", "tag_torch-only"}.isdisjoint(cell["classes"])


def put_into_tabs(items: Sequence[tuple[str, str, nodes.Node]]) -> None:
    """Tabs from (title, what they are synchronised by, content), where the first content was."""
    first = items[0][2]
    made = create_component("tab-set", classes=["sd-tab-set", "dl-engines"])
    first.parent.insert(first.parent.index(first), made)
    for title, sync, content in items:
        if content.parent:
            content.parent.remove(content)
        label = nodes.rubric(title, title, classes=["sd-tab-label"])
        if sync:
            label["sync_group"], label["sync_id"] = "engine", sync
        panel = create_component("tab-content", classes=["sd-tab-content"], children=[content])
        made += create_component("tab-item", classes=["sd-tab-item"], children=[label, panel])


def _runs(cells: list[nodes.Element]) -> list[list[nodes.Element]]:
    """The cells in tabs, those together that follow each other with nothing in between."""
    runs: list[list[nodes.Element]] = []
    for cell in cells:
        if tab_of(cell):
            siblings = cell.parent.children
            follows = runs and siblings.index(cell) and siblings[siblings.index(cell) - 1]
            if follows and runs[-1][-1] is follows:
                runs[-1].append(cell)
            else:
                runs.append([cell])
    return runs


def _tagged(cell: nodes.Element, prefix: str) -> str:
    found = (name.removeprefix(f"tag_{prefix}") for name in cell["classes"] if prefix in name)
    return next(found, "")


def setup(app: Sphinx) -> None:
    app.add_post_transform(MakeTabs)
