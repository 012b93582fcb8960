"""The page of names: every public name has a test and a line, and the figures are those of both."""

import re
import sys
from pathlib import Path
from types import ModuleType

from dlcourse import mini
from dlcourse.book import torch_map

import cases
import numpy as np
import pytest
import torch

PUBLIC = [torch_map.dotted(s, n) for s, names in torch_map.public_names().items() for n in names]
RENEW = "run `make map MAP=--missing`"


def test_every_public_name_has_a_row_or_a_test():
    rows = {case.name for case in cases.every_case()}
    assert [n for n in PUBLIC if n not in rows and cases.test_of(n) is None] == []


def test_the_file_that_is_named_speaks_of_the_name():
    rows = {case.name for case in cases.every_case()}
    for name in set(PUBLIC) - rows - cases.LOOPED:
        text = (torch_map.TESTS / f"{cases.test_of(name)}.py").read_text("utf-8")
        assert re.search(rf"\b{re.escape(name.rpartition('.')[2])}\b", text), name


def modules_inside(module, path=""):
    """The dotted names of all modules that a program reaches by public names."""
    for name in getattr(module, "__all__", ()):
        if isinstance(inside := getattr(module, name), ModuleType):
            yield torch_map.dotted(path, name)
            yield from modules_inside(inside, torch_map.dotted(path, name))


def test_every_public_module_is_on_the_page_and_has_an_entry_of_the_api():
    spaces = torch_map.NAMESPACES
    known = {id(torch_map.lookup(mini, space)) for space in spaces if space}
    pages = "".join(p.read_text("utf-8") for p in torch_map.PAGE.parent.glob("api_*.md"))
    for path in modules_inside(mini):
        if torch_map.names_in(path):
            assert id(torch_map.lookup(mini, path)) in known, path
    for space in spaces:
        above = torch_map.public_names().get(space.rpartition(".")[0], ())
        if set(torch_map.public_names()[space]) <= set(above):
            continue  # its names stand above it, too: distributions.transforms
        assert f"```{{api}} {'.'.join(filter(None, ('dlcourse.mini', space)))}\n" in pages, space


def test_every_public_name_has_a_twin_in_torch():
    for space, names in torch_map.public_names().items():
        for name in names:
            for twin in torch_map.twins(space, name):
                if "GradcheckError" not in twin:  # torch's module is hidden behind a function
                    assert torch_map.lookup(torch, twin.removeprefix("torch.")) is not None, twin


def test_the_page_has_every_public_name_and_no_other():
    recorded = torch_map.recorded()
    assert sorted(set(PUBLIC) - recorded.keys()) == [], RENEW
    assert sorted(recorded.keys() - set(PUBLIC)) == [], RENEW


def test_the_page_is_that_of_the_record():
    found = torch_map.PAGE.read_text("utf-8")
    without = [line.replace(torch_map.MARK, "") for line in found.splitlines()]
    page = torch_map.page(torch_map.recorded())
    assert without == [line.replace(torch_map.MARK, "") for line in page.splitlines()], RENEW


@pytest.mark.parametrize("name", ["linalg", "nn", "optim", "utils.data"])
def test_a_new_name_is_public(name, monkeypatch):
    module = torch_map.lookup(mini, name)
    monkeypatch.setattr(module, "Extra", mini.nn.ReLU, raising=False)
    monkeypatch.setattr(module, "__all__", [*module.__all__, "Extra"])
    assert "Extra" in torch_map.public_names()[name]


def test_figures_are_those_of_the_worst_case(monkeypatch):
    def made(name, ours, theirs):
        values = [f.tensor(v, dtype=f.float64) for f, v in ((mini, ours), (torch, theirs))]
        return cases.Case(name, lambda: tuple(([v], [v * 10], []) for v in values))

    fake = type(cases)("cases")
    fake.every_case = lambda: [made("add", [1.0], [1.25]), made("add", [8.0], [4.0])]
    fake.test_of = cases.test_of
    monkeypatch.setitem(sys.modules, "cases", fake)
    found = torch_map.measured({"add", "save"})
    assert found["add"] == {"cases": 2, "value": 1.0, "gradient": 1.0}
    assert found["save"] == {"cases": 0, "test": "test_serialization"}


def test_an_error_counts_against_the_size_of_the_number():
    inf, nan = float("inf"), float("nan")
    for ours, theirs, wanted in (
        ([1e-3], [0.0], 1e-3), ([200.0], [100.0], 1.0), ([inf, nan, 1], [inf, nan, 1], 0.0),
        ([], [], 0.0), ([True], [False], 1.0),
    ):  # fmt: skip
        assert torch_map.error(np.array(ours), np.array(theirs)) == wanted


def test_the_timed_work_is_done():
    names = {"add", "nn.functional.relu", "nn.Linear", "linalg.inv", "optim.SGD"}
    for case in cases.every_case():
        if case.name in names and case.work:
            names.remove(case.name)
            assert torch_map.speed(case, repetitions=1, seconds=0) > 0
    assert not names


def test_the_tests_are_where_the_page_looks():
    assert Path(__file__).parent == torch_map.TESTS
