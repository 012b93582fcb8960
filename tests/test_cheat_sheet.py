"""The pages that are looked up: every line gives the same under mini as under torch.

A page begins with the imports of mini, then those of torch.  Its cells run statement by statement
in two namespaces, one behind each import, and what a statement gives or names is compared.  What is
drawn at random is compared in shape and type, and then torch's numbers are carried over to mini.
"""

import ast
import json
import re
import warnings
from pathlib import Path

from dlcourse import mini
from dlcourse.testing import assert_matches, copy_weights

import numpy as np
import pytest
import torch

REFERENCE = Path(__file__).parents[1] / "chapters/reference"
PAGES = [REFERENCE / "cheat_sheet.ipynb", REFERENCE / "faq.ipynb"]
RANDOM = re.compile(r"rand|_loader|right /|optimizer.state|folder|kaiming|normal_")
TENSORS = mini.Tensor | torch.Tensor


def cells(path):
    """The imports of mini, those of torch, the cells of both, those of torch alone."""
    found = json.loads(path.read_text("utf-8"))["cells"]
    found = [cell for cell in found if cell["cell_type"] == "code"]
    texts = ["".join(cell["source"]) for cell in found]
    alone = ["torch-only" in cell["metadata"].get("tags", []) for cell in found]
    first, second, *shared = [t for t, only in zip(texts, alone, strict=True) if not only]
    return first, second, shared, [t for t, only in zip(texts, alone, strict=True) if only]


def statements(cell):
    """Each statement of a cell with its source, its last line's comment included."""
    lines = cell.splitlines()
    for node in ast.parse(cell).body:
        yield node, "\n".join(lines[node.lineno - 1 : node.end_lineno])


def run(node, space):
    """Run one statement in a namespace; what it gives: the value, or what it names."""
    if isinstance(node, ast.Expr):
        return eval(compile(ast.Expression(node.value), "<page>", "eval"), space)
    before = dict(space)  # the values, not their ids: what is freed leaves its id to the next
    exec(compile(ast.Module([node], []), "<page>", "exec"), space)
    return {n: v for n, v in space.items() if before.get(n, space) is not v and n != "__builtins__"}


def check_claim(source, value):
    """The comment that ends the line: `# (2, 3)` is a shape, `# -> 6` a value."""
    comment = source.splitlines()[-1].rpartition("  # ")[2]
    if isinstance(value, dict) and len(value) == 1 and "=" in source:
        (value,) = value.values()
    if comment.startswith("-> "):
        found = value.tolist() if isinstance(value, TENSORS) else value
        claimed = ast.literal_eval(comment[3:])
        if np.asarray(claimed).dtype.kind == "f":
            np.testing.assert_allclose(found, claimed, rtol=1e-5, err_msg=source)
        else:
            assert found == claimed, source
        return 1
    if shape := re.match(r"\(\d[\d, ]*\)(?=$|,)", comment):
        assert tuple(value.shape) == ast.literal_eval(shape[0]), source
        return 1
    return 0


def compare(ours, theirs, random, source):
    """Compare what both give, and carry over what is random."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), source
        for key in ours:
            compare(ours[key], theirs[key], random, source)
    elif isinstance(ours, mini.nn.Module):
        assert type(ours).__name__ == type(theirs).__name__, source  # weights: synchronise
    elif isinstance(ours, tuple | list) and not isinstance(ours, mini.Size):
        assert len(ours) == len(theirs), source
        for a, b in zip(ours, theirs, strict=True):
            compare(a, b, random, source)
    elif isinstance(ours, mini.Tensor) and random:
        assert (tuple(ours.shape), name(ours)) == (tuple(theirs.shape), name(theirs))
        with mini.no_grad():
            ours.copy_(mini.tensor(theirs.detach().numpy()))
    elif isinstance(ours, mini.Tensor | np.ndarray):
        assert_matches(ours, theirs, rtol=1e-4, atol=1e-5)
    elif not random and isinstance(ours, bool | int | float | str):
        assert ours == (theirs if isinstance(ours, str) else pytest.approx(theirs, 1e-4)), source


def name(tensor):
    """The type of a tensor, without the name of its framework."""
    return str(tensor.dtype).rpartition(".")[2]


def run_both(path):
    """Run a page under both; how many statements were compared, and how many claims tested."""
    first, second, shared, alone = cells(path)
    ours, theirs = {}, {}
    exec(first, ours)
    exec(second, theirs)
    counts = [0, 0]
    for cell in shared:
        for node, source in statements(cell):
            a, b = run(node, ours), run(node, theirs)
            counts[1] += check_claim(source, a) + check_claim(source, b)
            drawn = RANDOM.search(source) or (is_layer(source))
            compare(a, b, drawn, source)
            synchronise(ours, theirs, drawn or re.search(r"(nn\.[A-Z]|Net)\w*\(", source))
            counts[0] += 1
    for cell in alone:
        for node, source in statements(cell):
            check_claim(source, run(node, theirs))
    return counts, ours, alone


def is_layer(source):
    """Whether a line makes a layer and calls it at once, with weights drawn for it."""
    return re.search(r"nn\.[A-Z]\w*\(.*\)\(", source)


def synchronise(ours, theirs, drawn):
    """Modules have the same weights after each line; those drawn by it are carried over."""
    for name, value in ours.items():
        if isinstance(value, mini.nn.Module):
            if not drawn:
                weights = value.state_dict(), theirs[name].state_dict()
                assert_matches(*weights, rtol=1e-4, atol=1e-5)
            copy_weights(theirs[name], value)


def test_a_name_bound_anew_is_seen_where_its_new_value_lies_at_the_old_ones_place():
    twice = ast.parse("for _ in range(2): a = [1]").body[0]  # the second list replaces the first
    space = {}
    assert all("a" in run(twice, space) for _ in range(20))


@pytest.mark.parametrize("path", PAGES, ids=[path.stem for path in PAGES])
def test_every_line_gives_the_same_under_mini_and_torch(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (compared, claims), ours, alone = run_both(path)
    assert compared > 20
    assert claims > 10
    for cell in alone:
        for _, source in statements(cell):
            with pytest.raises((AttributeError, ImportError, RuntimeError, TypeError, NameError)):
                exec(source, ours)
