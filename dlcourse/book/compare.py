"""A pytest plugin on top of nbval: a fresh run of every notebook gives its stored outputs.

    pytest -p dlcourse.book.compare --nbval chapters
    pytest -p dlcourse.book.compare --nbval -n 2 --dist loadfile chapters

nbval runs each code cell as a test; this plugin replaces its comparison by outputs.py's: text
exactly, numbers within a tolerance, figures by what they show. A cell asks for another tolerance,
or is exempt from comparison, by its metadata, never by a comment in its code:

    "dlcourse": {"rtol": 0.02}
    "dlcourse": {"exempt": "seconds differ between machines"}, "tags": ["nbval-ignore-output"]

An exemption without a written reason fails, and so does a cell that asks to be skipped or was never
run. Warnings on stderr are compared as outputs; progress bars and widgets are not.

The run ends with the line `N cells, M compared, K exempt`, where N counts the cells with outputs,
and fails if fewer than 95 % of them were compared.
"""

from collections import Counter
from functools import partial

from dlcourse.book.likeness import ANSI
from dlcourse.book.outputs import IGNORE, difference, is_exempt, tolerance_of, visible

import pytest
from nbval.plugin import IPyNbCell, NbCellError

SHARE = 0.95  # of the cells with outputs must be compared
TIMEOUT = 300  # seconds for one cell; nbval's own 2000 would hide that a kernel has died
PATIENCE = 60  # seconds for an output to arrive; nbval's own 5 are few on a busy machine
COUNT = "dlcourse.book.compare"  # what a cell counts as, told to the end of the run


class OutputsDiffer(Exception):
    """A fresh run of the cell gives something else, or the cell cannot be compared as it is."""


# ----------------------------------------------------------------------------- one cell is one test


def is_cell(item: pytest.Item) -> bool:
    return isinstance(item, IPyNbCell)


def pytest_itemcollected(item: pytest.Item) -> None:
    if not is_cell(item) or not item.config.option.nbval:
        return
    bearing = bool(visible(item.cell.outputs))
    item.user_properties.append((COUNT, "cell" if bearing else "silent"))
    item.output_timeout = PATIENCE
    item.compare_outputs = lambda fresh, stored: _compare(item, fresh, stored)
    nbvals = item.repr_failure
    item.repr_failure = lambda excinfo: _report(item, excinfo.value) or nbvals(excinfo)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    if is_cell(item) and item.config.option.nbval:
        refusal = refused(item.cell, item.options)
        if refusal:
            raise OutputsDiffer(refusal)
        item.options["check"] = not is_exempt(item.cell)
        item.parent.kernel.execute_cell_input = partial(_execute, item.parent.kernel)
    result = yield
    if is_cell(item) and item.config.option.nbval and is_exempt(item.cell):
        _count(item, "exempt")
    return result


def _execute(kernel: object, source: str, allow_stdin: bool) -> str:
    """Run as JupyterLab does: with history, without which IPython shows what ends in `;`."""
    return kernel.kc.execute(source, allow_stdin=allow_stdin, stop_on_error=False)


def _compare(item: pytest.Item, fresh: list, stored: list) -> bool:
    """What nbval calls to compare; gives True or raises."""
    _count(item, "compared")
    why = difference(stored, fresh, tolerance_of(item.cell))
    if why:
        raise OutputsDiffer(f"A fresh run gives something else. {why}")
    return True


def _report(item: pytest.Item, why: Exception) -> str:
    """Where, what and why a cell failed; nothing for an error that is not the cell's."""
    if isinstance(why, NbCellError):
        said = ANSI.sub("", f"{why}\n{why.inner_traceback or ''}")
    elif isinstance(why, OutputsDiffer):
        said = str(why)
    else:
        return ""
    name = f"{item.path.name}, code cell {item.cell_num + 1} (id {item.cell.get('id', 'none')})"
    source = "\n".join(f"    {line}" for line in item.cell.source.splitlines())
    return f"{name}:\n{source}\n\n{said}"


# ------------------------------------------------------------------------ what a cell asks for


def refused(cell: dict, options: dict) -> str:
    """Why this cell cannot be compared as it stands, or nothing.

    options: what nbval has read from the cell's tags and from comments such as # NBVAL_SKIP.
    """
    asked = cell.metadata.get("dlcourse", {})
    unknown = set(asked) - {"rtol", "atol", "exempt"}
    if unknown:
        return f"Its metadata has dlcourse.{min(unknown)}; known are rtol, atol and exempt."
    for name in ("rtol", "atol"):
        value = asked.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 0.5:
            return f"Its metadata asks for {name} = {value!r}; a number from 0 to 0.5 is wanted."
    if options["skip"]:
        return (
            "It asks to be skipped; every cell runs. Exempt its output, with a reason, if need be."
        )
    reason = asked.get("exempt", "")
    if is_exempt(cell) and len(str(reason).split()) < 4:
        wanted = 'metadata "dlcourse": {"exempt": "..."}'
        return f"The tag {IGNORE} wants its reason in a sentence: {wanted}."
    if reason and not is_exempt(cell):
        return f"Its metadata gives a reason to exempt it, but the tag {IGNORE} is missing."
    if not options["check"] and not is_exempt(cell):
        return f"A comment exempts its output. Use the tag {IGNORE}, with a reason, instead."
    if cell.execution_count is None and cell.source.strip():
        return "It is stored without having been run: python -m dlcourse.book.notebooks runs it."
    return ""


# ------------------------------------------------------------------------------ the whole run


def pytest_configure(config: pytest.Config) -> None:
    option = config.option
    if not getattr(option, "nbval", False):
        return
    if option.nbval_cell_timeout == 2000:
        option.nbval_cell_timeout = TIMEOUT
    if getattr(option, "numprocesses", None) and option.dist not in {"loadfile", "loadscope"}:
        raise pytest.UsageError("The cells of a notebook run together: add --dist loadfile.")
    config.pluginmanager.register(Tally(config), "dlcourse-tally")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the cells of each notebook in their order, whatever shuffled the tests before.

    Worked projects come first: they run longest, and one begun last keeps one process waiting.
    """
    cells = [item for item in items if is_cell(item)]
    if cells:
        cells.sort(key=lambda i: ("projects" not in i.path.parts, str(i.path), i.cell_num))
        items[:] = [item for item in items if not is_cell(item)] + cells


def _count(item: pytest.Item, what: str) -> None:
    bearing = (COUNT, "cell") in item.user_properties
    if bearing:
        item.user_properties.append((COUNT, what))


class Tally:
    """Counts the cells of the whole run, those of xdist's workers too, and says so at its end."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.counted = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = {value for name, value in report.user_properties if name == COUNT}
        if report.when == "setup" and "cell" in told:
            self.counted["cells"] += 1
        if report.when == "call":
            self.counted.update(told & {"compared", "exempt"})

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session):
        cells, compared = self.counted["cells"], self.counted["compared"]
        controller = not hasattr(self.config, "workerinput")
        too_few = compared < SHARE * cells
        if controller and too_few and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        result = yield
        if controller:
            write = self.config.get_terminal_writer().line
            if too_few:
                write(f"Too few: {SHARE:.0%} of the cells with outputs are to be compared.")
            write(f"{cells} cells, {compared} compared, {self.counted['exempt']} exempt")
        return result
