"""The laws of the engine.  Each program runs under mini and under torch and must give the same."""

import copy
import gc
import subprocess
import sys
import weakref

from dlcourse import mini

import numpy as np
import pytest
import torch
from both import agree, same_error


def leaf(f, *values):
    return f.tensor(values[0] if len(values) == 1 else values, requires_grad=True)


# -- where gradients go ----------------------------------------------------------------------------


def diamond(f):
    a = leaf(f, 3.0)
    b = a + a
    c = b + b
    c.backward()
    return a.grad


def leaf_twice_in_one_operation(f):
    a = leaf(f, 3.0)
    (a * a).backward()
    return a.grad


def unused_branch(f):
    a, b = leaf(f, 3.0), leaf(f, 4.0)
    unused = b * 2
    (a * 5).backward()
    return a.grad, b.grad, unused


def unused_output(f):
    a = leaf(f, 1.0, 5.0, 2.0)
    values, indices = (a.reshape(1, 3) * 2).max(1)
    values.sum().backward()
    return a.grad, indices


def one_of_several_outputs(f):
    a = leaf(f, 1.0, 5.0, 2.0)
    _, second, _ = (a * a).unbind()
    second.backward()
    return a.grad


def gradients_add_up_over_calls(f):
    a = leaf(f, 3.0)
    (a * 2).backward()
    (a * 5).backward()
    return a.grad


def backward_twice_with_retain_graph(f):
    a = leaf(f, 3.0)
    b = a * a
    b.backward(retain_graph=True)
    b.backward()
    return a.grad


def backward_twice_where_nothing_was_saved(f):
    a = leaf(f, 3.0)
    b = a + 1
    b.backward()
    b.backward()
    return a.grad


def backward_of_a_leaf(f):
    a = leaf(f, 3.0)
    a.backward()
    a.backward(f.tensor(5.0))
    return a.grad


def backward_of_several_tensors(f):
    a = leaf(f, 3.0)
    f.autograd.backward([a * 2, a * a], [f.tensor(1.0), f.tensor(10.0)])
    return a.grad


def backward_of_a_tensor_and_what_it_is_made_of(f):
    a = leaf(f, 3.0)
    b = a * a
    f.autograd.backward([b * 2, b, a])
    return a.grad


def backward_with_inputs(f):
    a, b = leaf(f, 3.0), leaf(f, 4.0)
    c = a * b
    (c * a).backward(inputs=[a, c])
    return a.grad, b.grad, c.grad


def backward_with_a_gradient(f):
    a = leaf(f, 1.0, 2.0)
    (a * a).backward(f.tensor([1.0, 10.0]))
    return a.grad


def gradients_of_what_is_no_leaf_are_not_kept(f):
    a = leaf(f, 3.0)
    b = a * a
    (b * 2).backward()
    return b.is_leaf, a.is_leaf, b.retains_grad


def retained_gradients(f):
    a = leaf(f, 3.0)
    b = a * a
    b.retain_grad()
    b.retain_grad()
    (b * 2).backward(retain_graph=True)
    first = b.grad.clone()
    (b * 2).backward()
    return first, b.grad, b.retains_grad, a.retains_grad


def un_broadcast(f):
    grads = []
    for shapes in (((3, 1), (4,)), ((), (2, 3)), ((1, 1), (5,)), ((2, 1, 3), (4, 1)), ((1,), ())):
        a, b = (f.ones(s, requires_grad=True) for s in shapes)
        (a * 2 + a * b).sum().backward()
        grads += [a.grad, b.grad]
    return grads


def un_broadcast_matmul(f):
    a, b = f.ones((5, 2, 3), requires_grad=True), f.ones((3, 4), requires_grad=True)
    v = f.ones((4,), requires_grad=True)
    (a @ b @ v).sum().backward()
    return a.grad, b.grad, v.grad


def gradient_of_a_view_is_not_the_others(f):
    # Add.backward hands the same tensor to both parents.
    a, b = leaf(f, 1.0, 2.0), leaf(f, 3.0, 4.0)
    (a + b).sum().backward()
    (a * 10).sum().backward()
    return a.grad, b.grad


def writing_into_one_gradient_leaves_the_other(f):
    a, b = leaf(f, 1.0, 2.0), leaf(f, 3.0, 4.0)
    (a + b).sum().backward()
    a.grad.mul_(100)
    return a.grad, b.grad


def gradient_of_broadcast_can_be_written(f):
    a = leaf(f, 1.0, 2.0)
    a.sum().backward()
    a.grad.add_(1)
    return a.grad


def seed_gradient_is_not_taken_over(f):
    a, seed = leaf(f, 1.0, 2.0), f.tensor([1.0, 1.0])
    a.backward(seed)
    a.grad.mul_(7)
    return a.grad, seed


def gradient_in_the_type_of_the_leaf(f):
    a = leaf(f, 1.5, 2.5)
    (a.double() * f.tensor([1.0, 2.0], dtype=f.float64)).sum().backward()
    b = f.tensor(2.0, dtype=f.float64, requires_grad=True)
    (b * leaf(f, 1.0, 2.0)).sum().backward()
    return a.grad, b.grad


def detached_parts_get_nothing(f):
    a = leaf(f, 3.0)
    (a * a.detach()).backward()
    return a.grad, a.detach().requires_grad, a.data.requires_grad


def clone_passes_gradients(f):
    a = leaf(f, 3.0)
    (a.clone() * 2).backward()
    return a.grad


# -- corners of the calculus -----------------------------------------------------------------------


def kinks(f):
    a = leaf(f, -1.0, 0.0, 2.0)
    return f.autograd.grad([a.relu().sum(), a.abs().sum(), a.clamp(0, 2).sum()], a)


def ties(f):
    a = f.tensor([[1.0, 3.0, 3.0], [3.0, 0.0, 2.0]], requires_grad=True)
    out = []
    for value in (a.max(), a.amax(1).sum(), a.max(1).values.sum(), a.min(0).values.sum(), a.amin()):
        out += f.autograd.grad(value, a)
    return out


def powers_at_zero(f):
    out = []
    for n in (0, 1, 2, 3, 0.5):
        a = leaf(f, 0.0, 2.0)
        out += [a**n, *f.autograd.grad((a**n).sum(), a)]
    a, b = leaf(f, 0.0, 0.0, 2.0), leaf(f, 0.0, 2.0, 0.0)
    return out, a**b, f.autograd.grad((a**b).sum(), [a, b])


def dead_branch_with_nan(f):
    a = leaf(f, -1.0, 4.0)
    f.where(a > 0, a.sqrt(), f.zeros(2)).sum().backward()
    b = leaf(f, 0.0, 4.0)
    f.where(b > 0, b.log(), b * 2).sum().backward()
    return f.where(a > 0, a.sqrt(), f.zeros(2)), b.grad[1]


def infinite_gradients_do_not_leak_through_masks(f):
    a = leaf(f, -1.0, 1.0, 0.0)
    seed = f.tensor([float("inf"), 2.0, float("nan")])
    out = []
    for y in (
        a.relu(), a.masked_fill(a <= 0, 0.0), a.clamp(min=0.5), a.sign(), a**0, (a * 1).fill_(2),
        (a * 1).copy_(f.ones(3)), f.where(a > 0, a, f.zeros(3)),
    ):  # fmt: skip
        out += f.autograd.grad(y, a, seed)
    return out


# -- derivatives of derivatives --------------------------------------------------------------------


def third_derivative(f):
    x = f.tensor([0.3, -0.7, 1.1], dtype=f.float64, requires_grad=True)
    y, out = (x**4 * x.sin() + x.exp() / (1 + x * x)).sum(), []
    for _ in range(3):
        (g,) = f.autograd.grad(y, x, create_graph=True)
        out.append(g)
        y = (g * g).sum()
    return out


def backward_through_a_gradient(f):
    x = f.tensor([0.5, 2.0], dtype=f.float64, requires_grad=True)
    (g,) = f.autograd.grad((x**3).sum(), x, create_graph=True)
    (g * g).sum().backward()
    return x.grad


def backward_with_create_graph(f):
    x = f.tensor(2.0, requires_grad=True)
    (x**3).backward(create_graph=True)
    first = x.grad.clone()
    x.grad.backward()  # adds to x.grad, which holds the first derivative
    return first, x.grad


def gradient_penalty(f):
    w = f.tensor([[0.1, -0.4], [0.3, 0.2]], dtype=f.float64, requires_grad=True)
    x = f.tensor([[1.0, 2.0]], dtype=f.float64, requires_grad=True)
    y = (x @ w).tanh().sum()
    (g,) = f.autograd.grad(y, x, create_graph=True)
    (y + (g.square().sum().sqrt() - 1) ** 2).backward()
    return w.grad, x.grad


def gradient_of_a_constant_derivative(f):
    x = leaf(f, 1.0, 2.0)
    (g,) = f.autograd.grad((x * 3).sum(), x, create_graph=True)
    return g.requires_grad


# -- autograd.grad ---------------------------------------------------------------------------------


def grad_writes_nothing(f):
    a = leaf(f, 3.0)
    (g,) = f.autograd.grad(a * a, a)
    return g, a.grad


def grad_of_intermediate_tensors(f):
    a = leaf(f, 3.0)
    b = a * a
    c = b * 2
    return f.autograd.grad(c * b, [c, b, a])


def grad_allows_unused(f):
    a, b = leaf(f, 3.0), leaf(f, 4.0)
    unused = f.autograd.grad(a * a, [a, b], allow_unused=True)
    return unused, f.autograd.grad(a * a, [a, b], materialize_grads=True)


def grad_with_outputs_and_their_gradients(f):
    a = leaf(f, 1.0, 2.0)
    return f.autograd.grad([a * 2, a * a], a, [f.tensor([1.0, 10.0]), f.tensor([5.0, 7.0])])


def grad_of_one_input_runs_no_other_branch(f):
    a, b = leaf(f, 3.0), leaf(f, 4.0)
    seen = []
    c = b * 2
    c.register_hook(lambda g: seen.append("c"))
    f.autograd.grad(a * c, a)
    return len(seen)


# -- types and values ------------------------------------------------------------------------------


def scalars_do_not_promote(f):
    x = f.ones(2)
    out = [x + 1.5, 1.5 * x, x / 3, x**2, x**0.5, 2 - x, 1 / x, 2**x, x > 0.1, x - np.float64(1)]
    return [str(t.dtype).split(".")[-1] for t in out]


def zero_d_tensors_do_not_promote(f):
    wide = f.tensor(1.5, dtype=f.float64)
    return [str(t.dtype).split(".")[-1] for t in (
        f.ones(2) * wide, wide * f.ones(2), f.ones(2, dtype=f.int64) * wide,
        f.ones(2, dtype=f.int32) * f.tensor(2), f.tensor(True) + f.ones(2, dtype=f.uint8),
        wide * f.tensor(1.5), f.tensor(2) * 1.5,
    )]  # fmt: skip


def deep_copies(f):
    a = leaf(f, 1.0, 2.0)
    (a * a).sum().backward()
    b = copy.deepcopy(a)
    b.grad.mul_(2)
    with f.no_grad():
        b.mul_(5)
    shared, again = copy.deepcopy([a, a])
    return a, a.grad, b, b.grad, b.requires_grad, b.is_leaf, shared is again


PROGRAMS = [
    diamond, leaf_twice_in_one_operation, unused_branch, unused_output, one_of_several_outputs,
    gradients_add_up_over_calls, backward_twice_with_retain_graph,
    backward_twice_where_nothing_was_saved, backward_of_a_leaf, backward_of_several_tensors,
    backward_of_a_tensor_and_what_it_is_made_of, backward_with_inputs, backward_with_a_gradient,
    gradients_of_what_is_no_leaf_are_not_kept, retained_gradients, un_broadcast,
    un_broadcast_matmul, gradient_of_a_view_is_not_the_others,
    writing_into_one_gradient_leaves_the_other, gradient_of_broadcast_can_be_written,
    seed_gradient_is_not_taken_over, gradient_in_the_type_of_the_leaf, detached_parts_get_nothing,
    clone_passes_gradients, kinks, ties, powers_at_zero, dead_branch_with_nan,
    infinite_gradients_do_not_leak_through_masks, third_derivative, backward_through_a_gradient,
    backward_with_create_graph, gradient_penalty, gradient_of_a_constant_derivative,
    grad_writes_nothing, grad_of_intermediate_tensors, grad_allows_unused,
    grad_with_outputs_and_their_gradients, grad_of_one_input_runs_no_other_branch,
    scalars_do_not_promote, zero_d_tensors_do_not_promote, deep_copies,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Using backward\\(\\) with create_graph=True")
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_law(program):
    agree(program)


# -- what must be refused --------------------------------------------------------------------------


def raises_when_freed(f):
    b = leaf(f, 3.0) ** 2
    b.backward()
    b.backward()


ERRORS = {
    "freed": raises_when_freed,
    "grad of what needs none": lambda f: f.ones(1).backward(),
    "grad without scalar": lambda f: (leaf(f, 1.0, 2.0) * 2).backward(),
    "seed of another shape": lambda f: (leaf(f, 1.0, 2.0) * 2).backward(f.ones(3)),
    "unused input": lambda f: f.autograd.grad(leaf(f, 1.0) * 2, leaf(f, 2.0)),
    "input that needs no gradient": lambda f: f.autograd.grad(leaf(f, 1.0) * 2, f.ones(1)),
    "no inputs": lambda f: f.autograd.grad(leaf(f, 1.0) * 2, []),
    "backward with no inputs": lambda f: (leaf(f, 1.0) * 2).backward(inputs=[]),
    "materialize and not allow": lambda f: f.autograd.grad(
        leaf(f, 1.0) * 2, leaf(f, 1.0), materialize_grads=True, allow_unused=False
    ),
    "gradient of integers": lambda f: f.tensor([1, 2]).requires_grad_(),
    "gradient of booleans": lambda f: f.tensor([True]).requires_grad_(),
    "integer made with gradient": lambda f: f.ones(2, dtype=f.int64, requires_grad=True),
    "stop a computed one": lambda f: (leaf(f, 1.0) * 2).requires_grad_(False),
    "retain without gradient": lambda f: f.ones(1).retain_grad(),
    "hook without gradient": lambda f: f.ones(1).register_hook(print),
    "numpy of what requires grad": lambda f: leaf(f, 1.0).numpy(),
    "truth of many": lambda f: bool(f.ones(2)),
    "truth of none": lambda f: bool(f.ones(0)),
    "item of many": lambda f: f.ones(2).item(),
    "len of a scalar": lambda f: len(f.tensor(1.0)),
    "iterate a scalar": lambda f: iter(f.tensor(1.0)),
    "index by a float": lambda f: [1, 2][f.tensor(1.0)],
    "index by many": lambda f: [1, 2][f.tensor([0, 1])],
    "size of a scalar": lambda f: f.tensor(1.0).size(0),
    "grad of another shape": lambda f: setattr(leaf(f, 1.0), "grad", f.ones(2)),
    "grad of another type": lambda f: setattr(leaf(f, 1.0), "grad", f.tensor(1)),
    "deepcopy of a computed one": lambda f: copy.deepcopy(leaf(f, 1.0) * 2),
    "invert floats": lambda f: ~f.ones(2),
    "type of a word": lambda f: f.ones(2) + "a",
    "word first": lambda f: "a" - f.ones(2),
    "power of a word": lambda f: f.ones(2) ** "a",
    "matrix times number": lambda f: f.ones(2) @ 2,
    "number times matrix": lambda f: 2 @ f.ones(2),
    "less than a word": lambda f: f.ones(2) < "a",
    "plus None": lambda f: f.ones(2) + None,
    "plus a list": lambda f: f.ones(2) + [1],  # noqa: RUF005
    "unknown argument": lambda f: f.ones(2, colour="red"),
}
# Same type, other words: they speak of torch's own machinery.
OTHER_WORDS = {
    "grad of another shape", "grad of another type", "deepcopy of a computed one",
    "unknown argument",
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in OTHER_WORDS)


@pytest.mark.parametrize("value", ["a", None, [1, 2]])
def test_equality_with_anything_else_is_false(value):
    assert (mini.ones(2) == value) is False
    assert (mini.ones(2) != value) is True


def test_array_beside_tensor():
    out = np.array([1.0, 2.0]) * mini.ones(2)
    assert isinstance(out, mini.Tensor)
    assert out.tolist() == [1, 2]
    assert isinstance(mini.ones(2) - np.array([1.0, 2.0]), mini.Tensor)


def test_data_keeps_memory_but_not_the_count_of_writes():
    a = mini.ones(2, requires_grad=True)
    b = a * a
    a.data.mul_(3)  # unnoticed, as in torch
    b.sum().backward()
    assert a.tolist() == [3, 3]
    assert a.grad.tolist() == [6, 6]


# -- depth and memory ------------------------------------------------------------------------------

DEEP = """
import sys
from dlcourse import mini
assert sys.getrecursionlimit() == 1000
x = mini.tensor(1.0, requires_grad=True)
y = x
for _ in range(100_000):
    y = y + 1
y.backward(retain_graph=True)
assert x.grad.item() == 1
(g,) = mini.autograd.grad(y, x)
assert g.item() == 1
del y
z = x
for _ in range(20_000):
    z = z * 1.0
z.retain_grad()
del z  # a graph that saved tensors, dropped without backward
w = (x * 2).reshape(1)
for _ in range(20_000):
    w = w.reshape(1)  # views of views
w.sum().backward()
print("done")
"""


def test_a_graph_100_000_deep_at_the_default_recursion_limit():
    """Forward, backward and dropping it; in a process of its own, for it could crash."""
    done = subprocess.run([sys.executable, "-c", DEEP], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "done"


def plain(a):
    return ((a * a).exp().sum() * 2).log()


def with_backward(a):
    plain(a).backward()
    return a * 1


def with_views(a):
    b = (a * 2).reshape(3, 1).permute(1, 0)[0]
    return (b.expand(2, 3) * b).sum()


def with_in_place(a):
    b = a * 2
    c = b[1:]
    c.mul_(3)
    b.add_(c.sum())
    return (b * c.sum()).sum()


def with_hooks(a):
    b = a * a
    b.register_hook(lambda g: g * 2)
    b.grad_fn.register_hook(lambda grad_inputs, grad_outputs: None)
    b.sum().backward(retain_graph=True)
    return b.sum()


def with_retained_gradient(a):
    b = a * a
    b.retain_grad()
    b.sum().backward()
    return b * 1


def with_double_backward(a):
    b = a.tanh()
    (g,) = mini.autograd.grad(b.sum(), a, create_graph=True)
    g.sum().backward()
    return (g * b).sum()


def with_several_outputs(a):
    values, _ = a.reshape(1, 3).max(1)
    return values * a.unbind()[0]


def with_a_custom_function(a):
    class Cube(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = x**3
            ctx.save_for_backward(x, y)
            return y

        @staticmethod
        def backward(ctx, grad):
            x, _ = ctx.saved_tensors
            return grad * 3 * x * x

    return Cube.apply(a).sum()


def with_layers(a):
    nn = mini.nn
    net = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    )
    x = mini.randn(4, 1, 5, 5) * a.sum()
    loss = nn.functional.cross_entropy(net(x), mini.tensor([0, 1, 2, 3]))
    loss.backward(retain_graph=True)
    return loss


@pytest.mark.parametrize(
    "build",
    [plain, with_backward, with_views, with_in_place, with_hooks, with_retained_gradient,
     with_double_backward, with_several_outputs, with_a_custom_function, with_layers],
)  # fmt: skip
def test_freed_without_the_garbage_collector(build):
    """No reference cycles: what nobody holds is gone at once."""
    gc.collect()
    gc.disable()
    try:
        a = mini.tensor([0.1, 0.2, 0.3], requires_grad=True)
        out = build(a)
        dead, node = weakref.ref(out), out.grad_fn
        nodes, stack = [], [node]
        while stack:
            nodes.append(weakref.ref(stack[-1]))
            stack += [
                n for n, _ in stack.pop().next_functions if n is not None and n.next_functions
            ]
        del out, node
        assert dead() is None
        assert [ref().name() for ref in nodes if ref() is not None] == []
        leaf_ref = weakref.ref(a)
        del a
        assert leaf_ref() is None
    finally:
        gc.enable()


def test_an_activation_that_nobody_saved_is_freed_at_once():
    a = mini.ones(3, requires_grad=True)
    b = a + 1
    array = weakref.ref(b._data)
    c = b + 1  # Add saves nothing
    del b
    assert array() is None
    c.sum().backward()


def test_saved_tensors_are_freed_by_backward():
    a = mini.ones(3, requires_grad=True)
    b = a * 2
    array = weakref.ref(b._data)
    c = b * b
    del b
    assert array() is not None
    c.sum().backward()
    assert array() is None


def test_the_graph_reads_as_torchs():
    """The names and edges that a drawing of the graph shows."""

    def graph(f, nn):
        f.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 4),
            nn.ReLU(), nn.Linear(4, 3),
        )  # fmt: skip
        loss = nn.CrossEntropyLoss()(net(f.randn(2, 1, 6, 6)), f.tensor([0, 2]))

        def tree(node):
            if node is None:
                return None
            return node.name().split("::")[-1], [tree(n) for n, _ in node.next_functions]

        return tree(loss.grad_fn)

    assert graph(mini, mini.nn) == graph(torch, torch.nn)


@pytest.mark.parametrize("number", [1.0, -0.0, 1 / 3, 7e4, 1e300, float("inf"), float("nan"), 2])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64"])
@pytest.mark.parametrize("shape", [(), (3,), (0,)])
def test_a_sum_with_a_number(number, dtype, shape):
    def program(f):
        x = f.full(shape, -0.0).to(getattr(f, dtype))
        if dtype != "int64":
            x.requires_grad_()
        sums = [x + number, number + x, x - number, number - x, f.add(x, number, alpha=2)]
        nodes = [out.grad_fn and out.grad_fn.next_functions for out in sums]
        signs = [f.signbit(out) for out in sums]
        return sums, signs, [[(child is None, nr) for child, nr in n or ()] for n in nodes]

    agree(program)


@pytest.mark.filterwarnings("ignore:Using backward")  # torch's, once, about create_graph
@pytest.mark.parametrize("f", [mini, torch], ids=["mini", "torch"])
def test_gradients_add_up_in_place_unless_their_graph_is_wanted(f):
    x = f.tensor(2.0, requires_grad=True)
    (x**3).backward()
    first = x.grad
    (x**3).backward()
    assert x.grad is first
    assert first.item() == 24
    assert not first.requires_grad
    (x**3).backward(create_graph=True)
    assert x.grad is not first
    (second,) = f.autograd.grad(x.grad, x)
    assert second.item() == 12
