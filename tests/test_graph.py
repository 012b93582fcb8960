"""draw_graph: the same words for mini and torch, a sound layout, a picture that can be trusted."""

import random
import re
import subprocess
import sys
import weakref
from itertools import combinations, pairwise
from xml.etree import ElementTree

from dlcourse import mini
from dlcourse.plots import COLORS, GraphDrawing, draw_graph, layout
from dlcourse.plots.layout import layered_layout

import pytest
import torch

ENGINES = pytest.mark.parametrize("T", [mini, torch], ids=["mini", "torch"])


def leaf(T, *shape):
    return T.ones(*shape, requires_grad=True)


def product_sum(T):
    w, x = leaf(T, 3), leaf(T, 3)
    return (w * x).sum(), {"w": w, "x": x}


def diamond(T):
    a = T.tensor(2.0, requires_grad=True)
    b = a + a
    return b + b, {"a": a, "b": b}


def rosenbrock(T):
    u, v = T.tensor(1.5, requires_grad=True), T.tensor(-1.0, requires_grad=True)
    return (u - 1) ** 2 + (v - u**2) ** 2 * 100, {"u": u, "v": v}


def network(T):
    x, names = T.ones(5, 2), {}
    for i, (rows, columns) in enumerate([(2, 4), (4, 4), (4, 3)]):
        names[f"w{i}"], names[f"b{i}"] = leaf(T, rows, columns), leaf(T, columns)
        x = T.tanh(x @ names[f"w{i}"] + names[f"b{i}"])
    return (x * x).mean(), names


def residual(T):
    x = h = leaf(T, 3)
    names = {"x": x}
    for i in range(3):
        names[f"w{i}"] = leaf(T, 3)
        h = h + T.tanh(h * names[f"w{i}"])
    return h.sum(), names


def recurrent(T):
    u, w, h = leaf(T, 2, 2), leaf(T, 2, 2), T.zeros(1, 2)
    for _ in range(4):
        h = T.tanh(T.ones(1, 2) @ u + h @ w)
    return h.sum(), {"u": u, "w": w}


def second_derivative(T):
    x = leaf(T, 3)
    y = (x * x * x).sum()
    (g,) = T.autograd.grad(y, x, create_graph=True)
    return (g * g).sum(), {"x": x}


def custom_function(T):
    class Cube(T.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            return grad_output * 3 * x * x

    x = leaf(T, 3)
    return Cube.apply(x).sum(), {"x": x}


def several_roots(T):
    x = leaf(T, 3)
    y = x.exp()
    return {"y": y, "z": y.sum(), "x itself": x}, {"x": x}


def lenet(T):
    nn, F = T.nn, T.nn.functional

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = (
                nn.Linear(400, 120),
                nn.Linear(120, 84),
                nn.Linear(84, 10),
            )

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), 2)
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x.flatten(1))))))

    T.manual_seed(0)
    model = LeNet()
    logits = model(T.ones(2, 1, 28, 28))
    return {"loss": F.cross_entropy(logits, T.tensor([1, 2]))}, model


GRAPHS = [product_sum, diamond, rosenbrock, network, residual, recurrent, custom_function]
GRAPHS += [several_roots, lenet]
# Not in this list: second_derivative, for the two engines write their backwards differently.
BUILD = pytest.mark.parametrize("build", GRAPHS, ids=lambda f: f.__name__)


# -- in words ------------------------------------------------------------------------------------


def test_text_says_a_line_a_node_inputs_first():
    loss, names = product_sum(torch)
    assert repr(draw_graph({"loss": loss}, names)) == "\n".join(
        ["w (3,) float32", "x (3,) float32", "1 Mul ← w, x", "2 Sum ← 1", "loss () float32 ← 2"]
    )


@pytest.mark.parametrize("order", [False, True])
@BUILD
def test_mini_and_torch_give_the_same_text(build, order):
    ours, theirs = (draw_graph(*build(T), order=order) for T in (mini, torch))
    assert ours.text == theirs.text
    assert ours.edges == theirs.edges
    assert {n.engine for n in ours.nodes} == {"mini"}
    assert {n.engine for n in theirs.nodes} == {"torch"}


def test_different_graphs_give_different_text():
    x = leaf(torch, 3)
    assert draw_graph((x * x).sum()).text != draw_graph((x * x).mean()).text
    a, b = leaf(torch, 3), leaf(torch, 3)
    names = {"a": a, "b": b}
    assert draw_graph(a - b, names).text != draw_graph(b - a, names).text


@ENGINES
def test_order_is_the_order_in_which_backward_visits(T):
    """Hooks tell when each result's gradient is ready: the drawing must number them the same."""
    x = T.tensor(0.5, requires_grad=True)
    a = x * 2
    b = x.exp()
    c = b * a
    d = c.sin() + a
    visited = []
    for name, tensor in {"a": a, "b": b, "c": c, "d": d}.items():
        tensor.register_hook(lambda grad, name=name: visited.append(name))
    drawing = draw_graph(d * 3, {"a": a, "b": b, "c": c, "d": d, "x": x}, order=True)
    (d * 3).backward()
    numbered = sorted((n.number, n.name) for n in drawing.nodes if n.number and n.name)
    assert [name for _, name in numbered] == visited
    assert drawing.text.splitlines()[0] == "output () float32 → 1"
    assert sorted(n.number for n in drawing.nodes if n.number) == list(range(1, 7))


def test_readable_names():
    x = leaf(torch, 2, 2)
    (g,) = torch.autograd.grad(x.tanh().sum(), x, create_graph=True)
    words = draw_graph([custom_function(torch)[0], g, torch.mm(x, x)]).text
    for word in ["Cube", "TanhBackward", "Mm"]:
        assert f" {word} ←" in words
    assert not re.search(r"Backward\d|::", words)


@ENGINES
def test_values_of_named_tensors(T):
    loss, names = diamond(T)
    names["b"].retain_grad()
    loss.backward()
    text = draw_graph(loss, names, values=True).text
    assert "a () float32 data 2 grad 4" in text
    assert "1 b = Add () float32 data 4 grad 2 ← a, a" in text
    assert "output () float32 data 8 ←" in text
    wide = leaf(T, 4)
    assert "data" not in draw_graph(wide.exp(), values=True).text
    assert "data [1, 1] grad None" in draw_graph(leaf(T, 2), values=True).text


@ENGINES
def test_the_graph_can_be_walked_after_backward_freed_it(T):
    loss, names = network(T)
    before = draw_graph(loss, names).text
    loss.backward()
    assert draw_graph(loss, names).text == before


@ENGINES
def test_hooks_do_not_change_the_drawing(T):
    loss, names = diamond(T)
    before = draw_graph(loss, names).text
    names["a"].register_hook(lambda grad: grad)
    names["b"].register_hook(lambda grad: grad)
    assert draw_graph(loss, names).text == before


@ENGINES
def test_a_leaf_and_a_constant(T):
    drawing = draw_graph(leaf(T, 3))
    assert drawing.text == "leaf (3,) float32"
    assert "constant" not in drawing._repr_html_()
    constant = draw_graph({"c": T.ones(3)})
    assert constant.text == "c (3,) float32 (requires no gradient, so no graph)"
    assert "no gradient, no graph" in constant._repr_html_()


@ENGINES
def test_a_leaf_used_twice_keeps_both_edges(T):
    x = leaf(T, 3)
    drawing = draw_graph(x * x, {"x": x})
    assert drawing.edges == [(0, 1), (0, 1), (1, 2)]
    assert drawing.text.splitlines()[1] == "1 Mul ← x, x"


@ENGINES
def test_dtype_is_said(T):
    x = T.ones(2, dtype=T.float64, requires_grad=True)
    drawing = draw_graph(x.sum(), {"x": x})
    assert "x (2,) float64" in drawing.text
    assert "(2,) float64" in drawing._repr_html_()


def test_names_from_a_module_its_parameters_or_a_list():
    model = torch.nn.Linear(2, 1)
    loss = model(torch.ones(3, 2)).sum()
    by_module = draw_graph(loss, model).text
    assert "weight (1, 2) float32" in by_module
    assert draw_graph(loss, model.named_parameters()).text == by_module
    assert draw_graph(loss, dict(model.named_parameters())).text == by_module
    assert "params[0] (1, 2) float32" in draw_graph(loss, list(model.parameters())).text
    assert "leaf 2" in draw_graph(loss).text


def test_tied_and_unused_parameters_are_said():
    a, unused = leaf(torch, 2), leaf(torch, 2)
    text = draw_graph(a.sum(), {"a": a, "same": a, "unused": unused, "c": torch.ones(1)}).text
    assert text.splitlines()[0] == "a, same (2,) float32"
    assert text.splitlines()[-1] == "not in the graph: unused, c"


def test_several_outputs_of_one_operation():
    x = leaf(torch, 2, 3)
    drawing = draw_graph(list(x.unbind(0)), {"x": x})
    assert drawing.text.splitlines()[1:] == [
        "1 Unbind ← x",
        "output 1 (3,) float32 ← 1",
        "output 2 (3,) float32 ← 1",
    ]


def test_inputs_without_gradient_are_left_out():
    x = leaf(torch, 3)
    node = (x * 2).grad_fn
    assert (None, 0) in node.next_functions  # what torch says of the constant
    assert draw_graph(x * 2, {"x": x}).text.splitlines()[1] == "1 Mul ← x"


def test_in_place_operations_on_a_view():
    base = torch.zeros(3)
    w = leaf(torch, 1)
    base[1:2].mul_(w)
    drawing = draw_graph(base.sum(), {"w": w})
    assert "CopySlices" in drawing.text
    check_picture(drawing)


def test_mini_beside_torch_in_one_picture():
    drawing = draw_graph({"ours": product_sum(mini)[0], "theirs": product_sum(torch)[0]})
    assert drawing.label == (
        "Computational graph of ours, theirs (mini and torch): 4 operations, 4 leaves"
    )
    check_picture(drawing)


def test_the_drawing_does_not_keep_the_tensors_alive():
    loss, names = network(torch)
    reference = weakref.ref(names["w0"])
    drawing = draw_graph(loss, names)
    del loss, names
    assert reference() is None
    assert "w0" in drawing.text


# -- large graphs --------------------------------------------------------------------------------


@ENGINES
def test_what_is_beyond_max_nodes_is_one_box(T):
    loss, names = network(T)
    whole, cut = draw_graph(loss, names), draw_graph(loss, names, max_nodes=6)
    inner = [n for n in whole.nodes if n.kind != "output"]
    assert cut.nodes[0].label == f"⋯ {len(inner) - 6} more nodes"
    assert len(cut.nodes) == 6 + 2  # the box, and the output
    assert cut.text.splitlines()[-1].startswith("output () float32 ← ")
    assert draw_graph(loss, names, max_nodes=len(inner)).text == whole.text
    check_picture(cut)


def test_many_leaves_of_one_operation_are_cut_too():
    drawing = draw_graph(torch.cat([leaf(torch, 1) for _ in range(50)]).sum(), max_nodes=10)
    assert drawing.nodes[0].label == "⋯ 42 more nodes"
    assert sum(source == 0 for source, _ in drawing.edges) == 1
    check_picture(drawing)


DEEP = """
from dlcourse.plots import draw_graph
{engine}
x = y = T.tensor(1.0, requires_grad=True)
for _ in range(100_000):
    y = y + 1
drawing = draw_graph(y, {{"x": x}}, max_nodes=5)
assert drawing.nodes[0].label == "⋯ over 1 000 more nodes", drawing.nodes[0].label
assert len(drawing.nodes) == 7
drawing._repr_html_()
del y
print("freed")
"""


@pytest.mark.parametrize("engine", ["from dlcourse import mini as T", "import torch as T"])
def test_a_graph_100_000_deep(engine):
    """In a process of its own: torch dies when it frees a deep graph all of which was looked at."""
    code = DEEP.format(engine=engine)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "freed\n"), done.stderr


# -- errors --------------------------------------------------------------------------------------


def test_errors_teach():
    x = leaf(torch, 3)
    with pytest.raises(TypeError, match=r"tensor of mini or torch, but got float"):
        draw_graph(1.0)
    with pytest.raises(TypeError, match=r"got Linear: call it on the result"):
        draw_graph(torch.nn.Linear(1, 1))
    with pytest.raises(TypeError, match=r"params a tensor of mini or torch, but got int"):
        draw_graph(x.sum(), {"n": 3})
    with pytest.raises(ValueError, match=r"at least one tensor"):
        draw_graph([])
    with pytest.raises(ValueError, match=r'"down" or "right", but got \'up\''):
        draw_graph(x.sum(), direction="up")
    for wrong in (0, 1001, 2.0):
        with pytest.raises(ValueError, match=r"int from 1 to 1000"):
            draw_graph(x.sum(), max_nodes=wrong)


def test_save_writes_a_file_that_stands_alone_and_refuses_other_names(tmp_path):
    drawing = draw_graph(*product_sum(mini))
    path = drawing.save(tmp_path / "graph.svg")
    text = (tmp_path / "graph.svg").read_text(encoding="utf-8")
    assert path == str(tmp_path / "graph.svg")
    assert "var(" not in text
    assert ElementTree.fromstring(text).get("width")
    with pytest.raises(ValueError, match=r"must end in \.svg"):
        drawing.save(tmp_path / "graph.png")
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(OSError):
        drawing.save(tmp_path / "folder.svg")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.svg", "graph.svg"]


# -- the picture ---------------------------------------------------------------------------------


def picture(drawing):
    html = drawing._repr_html_()
    box = ElementTree.fromstring(html)
    return html, box, box.find("svg")


def check_picture(drawing: GraphDrawing):
    """Whatever is drawn: accessible, in the palette, and all of it inside the frame."""
    html, box, svg = picture(drawing)
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == drawing.label == svg.find("title").text
    assert svg.find("desc").text == drawing.text
    assert not re.search(r"\bid=|url\(|0x[0-9a-f]{6}", html)
    assert set(re.findall(r"#[0-9a-fA-F]{3,8}\b", html)) <= set(COLORS.values())
    for name, color in re.findall(r"var\(--dl-(\w+), (#\w+)\)", html):
        assert COLORS[name] == color
    assert len(re.findall("#", html)) == len(re.findall(r"var\(--dl-\w+, #", html))
    x0, y0, width, height = map(float, svg.get("viewBox").split())
    assert (x0, y0) == (0, 0)
    frame = svg.find("g")
    dx, dy = map(float, re.findall(r"[\d.]+", frame.get("transform")))
    for rect in frame.iter("rect"):
        left, top = float(rect.get("x")) + dx, float(rect.get("y")) + dy
        assert left >= 0
        assert top >= 0
        assert left + float(rect.get("width")) <= width
        assert top + float(rect.get("height")) <= height
    for path in frame.iter("path"):
        numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", path.get("d"))]
        assert all(0 <= n + dx <= width for n in numbers[::2])
        assert all(0 <= n + dy <= height for n in numbers[1::2])
    least = float(re.search(r"min-width:(\d+)px", html)[1])
    assert ("tabindex" in box.attrib) == (least > 300)  # what scrolls can be reached by keyboard
    assert "overflow-x:auto" in box.get("style")


@ENGINES
def test_a_graph_of_derivatives(T):
    drawing = draw_graph(*second_derivative(T))
    assert sum(node.kind == "operation" for node in drawing.nodes) > 6
    check_picture(drawing)


@pytest.mark.parametrize("options", [{}, {"order": True}, {"direction": "right", "values": True}])
@ENGINES
@BUILD
def test_the_picture_is_sound(build, T, options):
    drawing = draw_graph(*build(T), **options)
    check_picture(drawing)
    assert drawing._repr_html_() == draw_graph(*build(T), **options)._repr_html_()


@pytest.mark.parametrize("order", [False, True])
@pytest.mark.parametrize("direction", ["down", "right"])
def test_each_arrow_ends_on_the_border_of_its_box(direction, order):
    drawing = draw_graph(*network(mini), direction=direction, order=order)
    _, _, svg = picture(drawing)
    frame = svg.find("g")
    boxes = []
    for node in frame.iter("g"):
        if node.find("title") is not None:
            rect = node.find("rect")
            boxes.append([float(rect.get(side)) for side in ("x", "y", "width", "height")])
    heads = re.findall(r"M(\S+) (\S+?)L", frame.find("path").get("d"))
    assert len(boxes) == len(drawing.nodes)
    assert len(heads) == len(drawing.edges)
    for (source, target), (tip_x, tip_y) in zip(drawing.edges, heads, strict=True):
        x, y, w, h = boxes[source if order else target]
        at, low, high, border = (
            (tip_x, x, x + w, (y + h if order else y) - float(tip_y))
            if direction == "down"
            else (tip_y, y, y + h, (x + w if order else x) - float(tip_x))
        )
        assert low < float(at) < high
        assert border == 0


def test_names_are_escaped():
    x = leaf(torch, 1)
    drawing = draw_graph({'<b>"&': x.sum()}, {"<i>": x})
    _, _, svg = picture(drawing)
    assert '<b>"&' in svg.get("aria-label")
    check_picture(drawing)


def test_a_long_name_is_cut_in_the_picture_and_whole_in_its_tooltip():
    x, name = leaf(torch, 1), "encoder.layers.11.attention.in_projection.weight"
    _, _, svg = picture(draw_graph(x.sum(), {name: x}))
    texts = ["".join(t.itertext()) for t in svg.iter("text")]
    assert name not in texts
    assert name[:25] + "…" in texts
    assert any(name in title.text for title in svg.iter("title"))


def test_letters_fit_in_their_boxes():
    _, _, svg = picture(draw_graph(*network(mini), values=True, order=True))
    for node in svg.iter("g"):
        rects = [r for r in node.findall("rect") if node.find("title") is not None]
        for text in node.findall("text")[:3] if rects else []:
            width = (
                len("".join(text.itertext())) * 0.602 * (11 if "11px" in text.get("style") else 13)
            )
            assert width <= float(rects[0].get("width")) - 8


def test_the_same_bytes_in_another_process():
    code = (
        "import hashlib; from dlcourse import mini; from dlcourse.plots import draw_graph\n"
        "x, w = (mini.ones(3, requires_grad=True) for _ in range(2))\n"
        "y = (x * w).sum() + (x * x).sum() + w.exp().sum()\n"
        "print(hashlib.sha256(draw_graph(y, {'x': x})._repr_html_().encode()).hexdigest())"
    )
    results = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(results) == 1


# -- the layout ----------------------------------------------------------------------------------


def random_graph(seed):
    rng = random.Random(seed)
    n = rng.randint(1, 40)
    sizes = [(rng.randint(40, 160), rng.choice([28, 43, 58])) for _ in range(n)]
    edges = []
    for target in range(1, n):
        for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3])):
            edges.append((rng.randrange(max(0, target - 8), target), target))
    return sizes, edges


def boxes_apart(a, b, gap):
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    return ax + aw + gap <= bx or bx + bw + gap <= ax or ay + ah + gap <= by or by + bh + gap <= ay


@pytest.mark.parametrize("seed", range(60))
def test_layout_of_random_graphs(seed):
    sizes, edges = random_graph(seed)
    plan = layered_layout(sizes, edges)
    assert [(w, h) for _, _, w, h in plan.boxes] == sizes
    for a, b in combinations(plan.boxes, 2):
        assert boxes_apart(a, b, gap=8)
    for x, y, w, h in plan.boxes:
        assert min(x, y) >= 0
        assert x + w <= plan.width
        assert y + h <= plan.height
    for (source, target), route in zip(edges, plan.routes, strict=True):
        (sx, sy, sw, sh), (tx, ty, tw, _) = plan.boxes[source], plan.boxes[target]
        assert route[0] == (sx + sw / 2, sy + sh)
        assert route[-1][1] == ty
        assert tx < route[-1][0] < tx + tw
        for (_, y1), (_, y2) in pairwise(route):
            assert y1 <= y2  # all edges point one way
        others = [b for i, b in enumerate(plan.boxes) if i not in (source, target)]
        for (x1, y1), (x2, y2) in pairwise(route):
            piece = (min(x1, x2), y1, abs(x2 - x1), y2 - y1)
            assert all(boxes_apart(piece, box, gap=0) for box in others)  # through no box
    assert layered_layout(sizes, edges) == plan


@pytest.mark.parametrize("leaf_first", [False, True])
def test_a_chain_is_a_straight_line_and_its_weights_stand_beside_it(leaf_first):
    sizes, edges = [(60, 28)] * 16, []
    for i in range(8):  # node 2i is a leaf, 2i + 1 the operation that uses it and the one before
        pair = [(2 * i - 1, 2 * i + 1), (2 * i, 2 * i + 1)] if i else [(0, 1)]
        edges += pair[::-1] if leaf_first else pair
    plan = layered_layout(sizes, edges)
    middles = {x + w / 2 for x, _, w, _ in plan.boxes[3::2]}
    assert len(middles) == 1
    for (source, target), route in zip(edges, plan.routes, strict=True):
        if source % 2 and target > 3:
            assert {x for x, _ in route} == middles
    for i in range(1, 8):  # each leaf in the layer right above its operation
        assert plan.boxes[2 * i][1] == plan.boxes[2 * i - 1][1]


def test_crossings_are_removed():
    before, after = [], []
    for seed in range(30):
        sizes, edges = random_graph(seed)
        items = layout._Items(sizes, edges, layout.assign_layers(len(sizes), edges))
        before.append(layout.count_crossings(items, layout._first_order(items, edges)))
        after.append(layout.count_crossings(items, layout.order_layers(items, edges)))
    assert all(b >= a for b, a in zip(before, after, strict=True))
    assert sum(after) < 0.8 * sum(before)


def test_crossings_are_counted():
    items = layout._Items([(40, 28)] * 4, [(0, 3), (1, 2)], [0, 0, 1, 1])
    assert layout.count_crossings(items, [[0, 1], [2, 3]]) == 1
    assert layout.count_crossings(items, [[0, 1], [3, 2]]) == 0


def test_the_layout_to_the_right_is_the_layout_down_on_its_side():
    sizes, edges = random_graph(3)
    turned = layered_layout([(h, w) for w, h in sizes], edges, direction="right")
    plan = layered_layout(sizes, edges)
    assert [(y, x, h, w) for x, y, w, h in plan.boxes] == turned.boxes


def test_layout_refuses_cycles():
    with pytest.raises(ValueError, match="topological order"):
        layered_layout([(10, 10)] * 2, [(1, 0)])
