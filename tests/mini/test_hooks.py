"""Hooks on tensors and nodes, the grad modes, retain_grad.  Each program runs under both."""

import threading

from dlcourse import mini

import pytest
import torch
from both import agree, same_error


def leaf(f, *values):
    return f.tensor(values, requires_grad=True)


def on_a_leaf(f):
    a, seen = leaf(f, 1.0, 2.0), []
    a.register_hook(lambda g: seen.append(g.clone()))
    a.register_hook(lambda g: g * 10)
    (a * 3).sum().backward()
    return seen, a.grad


def on_an_intermediate_tensor(f):
    a = leaf(f, 1.0, 2.0)
    b = a * 3
    b.register_hook(lambda g: g * 10)
    b.register_hook(lambda g: g + 1)
    (b * b).sum().backward()
    return a.grad


def see_the_whole_gradient(f):
    a, seen = leaf(f, 1.0, 2.0), []
    b = a * 3
    b.register_hook(lambda g: seen.append(g.clone()))
    (b * 2 + b * b).sum().backward()
    return seen


def removed(f):
    a, seen = leaf(f, 1.0), []
    first = a.register_hook(lambda g: seen.append(1))
    with a.register_hook(lambda g: seen.append(2)):
        (a * 2).backward()
    first.remove()
    first.remove()
    (a * 2).backward()
    return seen, a.grad


def removed_while_running(f):
    a, seen = leaf(f, 1.0), []
    handle = a.register_hook(lambda g: (seen.append(1), handle.remove())[0])
    (a * 2).backward()
    (a * 2).backward()
    return len(seen)


def on_one_of_several_outputs(f):
    a = leaf(f, 1.0, 2.0)
    values, _ = (a * 2).reshape(1, 2).max(1)
    values.register_hook(lambda g: g * 100)
    values.sum().backward()
    return a.grad


def for_autograd_grad(f):
    a = leaf(f, 1.0, 2.0)
    b = a * a
    b.register_hook(lambda g: g * 10)
    a.register_hook(lambda g: g + 1)
    return f.autograd.grad(b.sum(), [b, a])


def retained_after_all_hooks(f):
    a = leaf(f, 1.0, 2.0)
    b = a * 3
    b.retain_grad()
    b.register_hook(lambda g: g * 10)
    b.sum().backward()
    return b.grad, a.grad


def after_accumulation(f):
    a, seen = leaf(f, 1.0, 2.0), []
    handle = a.register_post_accumulate_grad_hook(lambda t: seen.append((t is a, t.grad.clone())))
    (a * 3).sum().backward()
    (a * 3).sum().backward()
    handle.remove()
    (a * 3).sum().backward()
    return seen, a.grad


def step_in_the_backward_pass(f):
    a = leaf(f, 1.0, 2.0)

    def step(t):
        with f.no_grad():
            t -= 0.1 * t.grad
        t.grad = None

    a.register_post_accumulate_grad_hook(step)
    (a * 3).sum().backward()
    return a, a.grad


def on_a_node(f):
    a, seen = leaf(f, 1.0, 2.0), []
    b = a * 3
    b.grad_fn.register_hook(
        lambda inputs, outputs: seen.append((inputs[0].clone(), outputs[0].clone()))
    )
    b.sum().backward()
    return seen, a.grad


def on_a_node_replacing_gradients(f):
    a = leaf(f, 1.0, 2.0)
    b = a.exp()
    b.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 0 + 7,))
    b.sum().backward()
    return a.grad


def before_a_node(f):
    a = leaf(f, 1.0, 2.0)
    b = a * 3
    handle = b.grad_fn.register_prehook(lambda outputs: (outputs[0] * 5,))
    b.sum().backward(retain_graph=True)
    handle.remove()
    b.sum().backward()
    return a.grad


def with_create_graph(f):
    a = leaf(f, 1.0, 2.0)
    b = a * a
    b.register_hook(lambda g: g * a)
    (g,) = f.autograd.grad(b.sum(), a, create_graph=True)
    return g, *f.autograd.grad(g.sum(), a)


# -- grad modes ------------------------------------------------------------------------------------


def modes_as_blocks(f):
    a = leaf(f, 2.0)
    seen = [f.is_grad_enabled()]
    with f.no_grad():
        seen += [f.is_grad_enabled(), (a * 2).requires_grad]
        with f.enable_grad():
            seen += [f.is_grad_enabled(), (a * 2).requires_grad]
        with f.set_grad_enabled(True):
            seen.append(f.is_grad_enabled())
        seen.append(f.is_grad_enabled())
    with f.set_grad_enabled(False):
        seen += [f.is_grad_enabled(), (a * 2).requires_grad]
    with f.inference_mode():
        seen += [f.is_grad_enabled(), f.is_inference_mode_enabled(), (a * 2).requires_grad]
        with f.inference_mode(False):
            seen += [f.is_grad_enabled(), f.is_inference_mode_enabled()]
    return [*seen, f.is_grad_enabled(), f.is_inference_mode_enabled()]


def modes_as_decorators(f):
    def double(x, *, times=2):
        return x * times, f.is_grad_enabled(), f.is_inference_mode_enabled()

    seen = []
    for mode in (f.no_grad, f.enable_grad, f.inference_mode, lambda: f.set_grad_enabled(False)):
        function = mode()(double)
        out, *inside = function(leaf(f, 3.0), times=3)
        seen += [out.requires_grad, *inside, function.__name__, f.is_grad_enabled()]
    return seen


def modes_as_bare_decorators(f):
    @f.no_grad
    def function(x):
        return x * 2

    @f.inference_mode
    def other(x):
        return x * 2

    return function(leaf(f, 3.0)).requires_grad, other(leaf(f, 3.0)).is_inference()


def mode_set_by_a_call(f):
    seen = []
    f.set_grad_enabled(False)
    seen.append(f.is_grad_enabled())
    f.set_grad_enabled(True)
    return [*seen, f.is_grad_enabled()]


def mode_after_an_error(f):
    with pytest.raises(ZeroDivisionError), f.no_grad():
        1 / 0  # noqa: B018
    with pytest.raises(ZeroDivisionError), f.inference_mode():
        1 / 0  # noqa: B018
    return f.is_grad_enabled(), f.is_inference_mode_enabled()


def no_grad_makes_leaves(f):
    a = leaf(f, 2.0)
    with f.no_grad():
        b = a * 2
        c = f.ones(1, requires_grad=True)
    return b.is_leaf, b.requires_grad, c.requires_grad


def inference_tensors(f):
    a = leaf(f, 2.0)
    with f.inference_mode():
        b = a * 2
        c = b + 1
        c.add_(1)
    normal = b.clone()
    normal.requires_grad_()
    (normal * 3).sum().backward()
    return b.is_inference(), c, a.is_inference(), normal.grad, (b + a.detach()).is_inference()


PROGRAMS = [
    on_a_leaf, on_an_intermediate_tensor, see_the_whole_gradient, removed, removed_while_running,
    on_one_of_several_outputs, for_autograd_grad, retained_after_all_hooks, after_accumulation,
    step_in_the_backward_pass, on_a_node, on_a_node_replacing_gradients, before_a_node,
    with_create_graph, modes_as_blocks, modes_as_decorators, modes_as_bare_decorators,
    mode_set_by_a_call, mode_after_an_error, no_grad_makes_leaves,
    inference_tensors,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)


def inference_tensor(f):
    with f.inference_mode():
        return f.ones(2)


ERRORS = {
    "inference tensor into a graph": lambda f: inference_tensor(f) * leaf(f, 1.0),
    "inference tensor made to require grad": lambda f: inference_tensor(f).requires_grad_(),
    "inference tensor written to": lambda f: inference_tensor(f).add_(1),
    "version of an inference tensor": lambda f: inference_tensor(f)._version,
    "post accumulate hook on a computed tensor": lambda f: (
        leaf(f, 1.0) * 2
    ).register_post_accumulate_grad_hook(print),
    "post accumulate hook without gradient": lambda f: f.ones(1).register_post_accumulate_grad_hook(
        print
    ),
}


OTHER_WORDS = {"inference tensor written to"}  # torch adds a link


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in OTHER_WORDS)


def test_the_mode_is_of_one_thread():
    seen = []
    with mini.no_grad():
        thread = threading.Thread(target=lambda: seen.append(mini.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_one_mode_object_may_be_used_inside_itself():
    # In torch recording stays off afterwards.
    mode = mini.no_grad()
    with mode, mode:
        assert not mini.is_grad_enabled()
    assert mini.is_grad_enabled()


def test_only_inputs_is_an_old_word():
    for f in (mini, torch):
        x = f.ones(1, requires_grad=True)
        with pytest.warns(FutureWarning, match="only_inputs argument is deprecated"):
            (g,) = f.autograd.grad(x * 2, x, None, None, False, False)
        assert g.item() == 2
