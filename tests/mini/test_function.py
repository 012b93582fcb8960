"""Functions of the user's own: one source under both frameworks."""

import pytest
from both import agree, same_error


def leaf(f, *values):
    return f.tensor(values, dtype=f.float64, requires_grad=True)


def exp_function(f):
    class Exp(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            out = x.exp()
            ctx.save_for_backward(out)
            return out

        @staticmethod
        def backward(ctx, grad):
            (out,) = ctx.saved_tensors
            return grad * out

    a = leaf(f, 0.5, 1.5)
    y = Exp.apply(a)
    name = y.grad_fn.name()
    (g,) = f.autograd.grad(y.sum(), a, create_graph=True)
    return name, y, g, *f.autograd.grad(g.sum(), a)


def with_setup_context(f):
    class Scale(f.autograd.Function):
        @staticmethod
        def forward(x, factor):
            return x * factor

        @staticmethod
        def setup_context(ctx, inputs, output):
            x, ctx.factor = inputs
            ctx.save_for_backward(x, output)

        @staticmethod
        def backward(ctx, grad):
            x, output = ctx.saved_tensors
            return grad * ctx.factor + 0 * x + 0 * output, None

    a = leaf(f, 0.5, 1.5)
    y = Scale.apply(a, 3.0)
    return y, *f.autograd.grad(y.sum(), a)


def several_outputs(f):
    class SinCos(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin(), x.cos()

        @staticmethod
        def backward(ctx, grad_sin, grad_cos):
            (x,) = ctx.saved_tensors
            return grad_sin * x.cos() - grad_cos * x.sin()

    a = leaf(f, 0.5, 1.5)
    s, c = SinCos.apply(a)
    only_sin = f.autograd.grad(s.sum(), a, retain_graph=True)
    both = f.autograd.grad((s * c).sum(), a, create_graph=True)
    return s.output_nr, c.output_nr, only_sin, both, f.autograd.grad(both[0].sum(), a)


def unmaterialized_gradients(f):
    seen = []

    class Twice(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, first, second):
            seen.append((first is None, second is None))
            return first * 2

    a = leaf(f, 0.5)
    Twice.apply(a)[0].backward()
    return seen, a.grad


def non_differentiable_output(f):
    class Sort(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            index = x.argmax()
            mask = x * 0 + 1
            ctx.mark_non_differentiable(mask)
            ctx.save_for_backward(index)
            return x * 2, mask, index

        @staticmethod
        def backward(ctx, grad, grad_mask, grad_index):
            return grad * 2

    a = leaf(f, 0.5, 1.5)
    y, mask, index = Sort.apply(a)
    (y * mask).sum().backward()
    return mask.requires_grad, index.requires_grad, y.requires_grad, a.grad


def which_inputs_need_gradients(f):
    seen = []

    class Mul(f.autograd.Function):
        @staticmethod
        def forward(ctx, x, number, y):
            seen.append(ctx.needs_input_grad)
            ctx.save_for_backward(x, y)
            return x * y * number

        @staticmethod
        def backward(ctx, grad):
            _, y = ctx.saved_tensors
            return grad * y, None, None

    a = leaf(f, 0.5)
    Mul.apply(a, 2, f.ones(1, dtype=f.float64)).backward()
    return seen, a.grad


def no_graph_inside_forward(f):
    seen = []

    class Square(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            seen.append((f.is_grad_enabled(), (x * x).requires_grad))
            return x * x

        @staticmethod
        def backward(ctx, grad):
            seen.append(f.is_grad_enabled())
            return grad

    Square.apply(leaf(f, 0.5)).backward()
    return seen


def in_no_grad(f):
    class Square(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            raise AssertionError

    with f.no_grad():
        y = Square.apply(leaf(f, 2.0))
    return y, y.requires_grad


def returns_its_input(f):
    class Identity(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 5

    a = leaf(f, 2.0)
    y = Identity.apply(a)
    (y * 2).backward()
    return y is a, a.is_leaf, y.is_leaf, y.grad_fn.name(), a.grad


def returns_a_view(f):
    class Half(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x[:1]

        @staticmethod
        def backward(ctx, grad):
            return f.cat([grad * 3, grad * 0])

    a = leaf(f, 2.0, 4.0)
    y = Half.apply(a)
    (y * 2).sum().backward()
    return y, a.grad


def returns_its_inputs_as_a_tuple(f):
    class Swap(f.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return y, x

        @staticmethod
        def backward(ctx, grad_y, grad_x):
            return grad_x * 2, grad_y * 3

    a, b = leaf(f, 2.0), leaf(f, 5.0)
    y, x = Swap.apply(a, b)
    (x * y).backward()
    return a.is_leaf, b.is_leaf, x.is_leaf, x, y, a.grad, b.grad


def broadcasting_is_undone(f):
    class Add(f.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, grad):
            return grad, grad

    a, b = leaf(f, 1.0), leaf(f, 1.0, 2.0, 3.0)
    Add.apply(a, b).sum().backward()
    return a.grad, b.grad


def extra_none_gradients_are_allowed(f):
    class Mul(f.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            return grad * 2, None, None

    a = leaf(f, 2.0)
    Mul.apply(a).backward()
    return a.grad


PROGRAMS = [
    exp_function, with_setup_context, several_outputs, unmaterialized_gradients,
    non_differentiable_output, which_inputs_need_gradients, no_graph_inside_forward, in_no_grad,
    returns_its_input, returns_a_view, returns_its_inputs_as_a_tuple, broadcasting_is_undone,
    extra_none_gradients_are_allowed,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)


def function(f, forward=lambda ctx, x: x * 2, backward=lambda ctx, grad: grad):
    return type("Own", (f.autograd.Function,), {
        "forward": staticmethod(forward), "backward": staticmethod(backward),
    })  # fmt: skip


def run(f, **parts):
    function(f, **parts).apply(leaf(f, 1.0, 2.0)).sum().backward()


def change_what_was_saved(f):
    own = function(
        f,
        forward=lambda ctx, x: (ctx.save_for_backward(x), x * 2)[1],
        backward=lambda ctx, grad: grad * ctx.saved_tensors[0],
    )
    a = leaf(f, 1.0, 2.0) * 1
    y = own.apply(a)
    a.add_(1)
    y.sum().backward()


def write_to_a_returned_input(f):
    a = leaf(f, 1.0, 2.0) * 1
    function(f, forward=lambda ctx, x: x).apply(a).mul_(2)


def write_to_a_returned_view(f):
    a = leaf(f, 1.0, 2.0) * 1
    function(f, forward=lambda ctx, x: x[:1]).apply(a).mul_(2)


ERRORS = {
    "too many gradients": lambda f: run(f, backward=lambda ctx, grad: (grad, grad)),
    "too few gradients": lambda f: (
        function(f, forward=lambda ctx, x, y: x * y).apply(leaf(f, 1.0), leaf(f, 1.0)).backward()
    ),
    "gradient of another shape": lambda f: run(f, backward=lambda ctx, grad: f.ones(7)),
    "gradient that is no tensor": lambda f: run(f, backward=lambda ctx, grad: 3.0),
    "saving what is no tensor": lambda f: run(
        f, forward=lambda ctx, x: (ctx.save_for_backward(3), x * 2)[1]
    ),
    "no forward": lambda f: type("Own", (f.autograd.Function,), {}).apply(leaf(f, 1.0)),
    "no backward": lambda f: (
        type("Own", (f.autograd.Function,), {"forward": staticmethod(lambda ctx, x: x * 2)})
        .apply(leaf(f, 1.0))
        .backward()
    ),
    "change what was saved": change_what_was_saved,
    "write to a returned input": write_to_a_returned_input,
    "write to a returned view": write_to_a_returned_view,
}
OTHER_WORDS = {"no backward", "gradient of another shape"}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in OTHER_WORDS)
