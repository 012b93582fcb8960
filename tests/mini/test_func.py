"""Derivatives of functions and maps over a batch: mini.func against torch.func."""

from collections import OrderedDict, namedtuple
from functools import partial

from dlcourse import mini

import pytest
from both import agree, same_error

# What torch says of itself when its forward derivatives are first asked for.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated")
Pair = namedtuple("Pair", "a b")


def wave(f, *shape, times=1.3):
    count = f.ones(shape, dtype=f.float64).numel()
    return (f.arange(count).double() * times).cos().reshape(shape)


def smooth(f, x, y):
    """Every second derivative is something else."""
    return (x.sin() * y.exp()).sum() + (x * x * y).prod() + f.nn.functional.softplus(x @ y)


# -- derivatives -----------------------------------------------------------------------------------


def one_by_one(f):
    x, y = wave(f, 3), wave(f, 3, times=0.4)
    fn, func = partial(smooth, f), f.func
    fns = [
        func.grad(fn), func.grad(fn, 1), func.grad(fn, (1, 0)), func.grad(fn, argnums=-1),
        func.grad_and_value(fn), func.jacrev(fn), func.jacfwd(fn, argnums=(0, 1)),
        func.hessian(fn), func.hessian(fn, (0, 1)), func.jacfwd(func.jacfwd(fn)),
        func.jacrev(func.jacfwd(fn), 1), func.jacrev(func.grad(fn, (0, 1)), (0, 1)),
        func.jacrev(func.hessian(fn)),
    ]  # fmt: skip
    return [one(x, y) for one in fns]


def of_each_other(f):
    func, x = f.func, f.tensor(0.7, dtype=f.float64)

    def confused(x):
        """Siskind and Pearlmutter's: the two derivatives must not be taken for one."""
        return x * func.grad(lambda y: x * y**2)(f.tensor(1.0, dtype=f.float64))

    third = func.grad(func.grad(func.grad(f.sin)))
    forward = func.jvp(func.grad(f.exp), (x,), (x,))
    twice = func.jvp(lambda t: func.jvp(f.sin, (t,), (t * t,))[1], (x,), (x,))
    back = func.grad(lambda t: func.vjp(f.sin, t)[1](t)[0])(x)
    return third(x), func.grad(confused)(x), forward, twice, back


def products(f):
    x, y, u = wave(f, 3), wave(f, 3, times=0.4), wave(f, 3, times=2.1)

    def fn(x, y):
        return {"a": x * y.sin(), "b": (x.sum() * y, [x**2])}

    out, vjp_fn = f.func.vjp(fn, x, y)
    back = vjp_fn({"a": u, "b": (u * 2, [u * 3])})
    again = vjp_fn({"a": u, "b": (u, [u])}, create_graph=False)
    forward = f.func.jvp(fn, (x, y), (u, u * 2))
    constant = f.func.jvp(lambda x: y, (x,), (u,)), f.func.vjp(lambda x: y, x)[1](u)
    return out, back, again, forward, constant


def trees(f):
    params = OrderedDict(w=wave(f, 2, 3), b=[wave(f, 2), (wave(f, 2, times=0.3),)])

    def fn(p, x, scale=1.0):
        out = (p["w"] @ x + p["b"][0] * scale).tanh() * p["b"][1][0]
        return Pair(out, {"sum": out.sum()})

    x = wave(f, 3, times=0.9)
    slopes = f.func.grad(lambda p, x, **options: fn(p, x, **options).b["sum"])(params, x, scale=2)
    back, forward = f.func.jacrev(fn)(params, x), f.func.jacfwd(fn, (1, 0))(params, x)
    kinds = [type(slopes).__name__, type(back).__name__, type(forward.a).__name__]
    return slopes, tuple(back), tuple(forward), kinds


def auxiliary(f):
    x = wave(f, 3)

    def fn(x):
        return (x**3).sum(), {"twice": 2 * x}

    def vector(x):
        return x**3, {"twice": 2 * x}

    func = f.func
    back, aux = func.vjp(vector, x, has_aux=True)[1:]
    return [
        func.grad(fn, has_aux=True)(x), func.grad_and_value(fn, has_aux=True)(x), back(x), aux,
        func.jvp(vector, (x,), (x,), has_aux=True), func.jacrev(vector, has_aux=True)(x),
        func.jacfwd(vector, has_aux=True)(x),
    ]  # fmt: skip


def shapes(f):
    def fn(x):
        return x.reshape(-1)[:2], x.sum(0, keepdim=True), x.new_ones(2)

    empty = f.func.jacrev(lambda x: x[:0])(wave(f, 3))
    scalar = wave(f, 1)[0]
    numbers = f.func.jacrev(f.sin)(scalar), f.func.jacfwd(f.sin)(scalar)
    both = [f.func.jacrev(fn, chunk_size=2)(wave(f, 2, 3)), f.func.jacfwd(fn)(wave(f, 2, 3))]
    return empty, numbers, both


def float32(f):
    x = wave(f, 3).float()
    return f.func.grad(lambda x: (x.sin() * x).sum())(x), f.func.hessian(lambda x: x.prod())(x)


@pytest.mark.parametrize(
    "program", [one_by_one, of_each_other, products, trees, auxiliary, shapes, float32]
)
def test_derivatives_are_torchs(program):
    agree(program)


def whose_graph(f):
    """What comes back requires a gradient only where it depends on a tensor of the caller."""
    func, x = f.func, wave(f, 3)
    w = wave(f, 3, times=0.5).requires_grad_()
    fns = {
        "plain": lambda x: (x**3).sum(),
        "of a weight": lambda x: (x**2 * w).sum(),
        "linear": lambda x: (x * 2).sum(),
        "in another": lambda x: func.grad(lambda y: (x * y).sum() ** 2)(x).sum(),
        "in another of a weight": lambda x: func.grad(lambda y: (x * y * w).sum() ** 2)(x).sum(),
    }
    flags = []
    for name, fn in fns.items():
        for given in (x, w):
            slopes, value = func.grad_and_value(fn)(given)
            with f.no_grad():
                quiet = func.grad(fn)(given)
            forward = *func.jvp(fn, (given,), (x,)), func.jacfwd(fn)(given)
            if name == "linear":  # torch's have a graph, in which all slopes are 0
                forward = ()
            rows = [func.jacrev(fn)(given)]
            out, back = func.vjp(fn, given)
            found = [slopes, value, quiet, *forward, *rows, out, *back(out.detach())]
            flags.append([t.requires_grad for t in found])
    later = func.vjp(fns["plain"], x)[1]
    flags.append(later(w.sum())[0].requires_grad)
    return flags, w.grad is None, x.grad is None, x.requires_grad, x.is_leaf


def through_a_gradient(f):
    """The gradient of a gradient by the caller's leaves, with backward."""
    x, w = wave(f, 3).requires_grad_(), wave(f, 3, times=0.5).requires_grad_()
    slopes = f.func.grad(lambda x: (x**3 * w).sum())(x)
    (slopes**2).sum().backward()
    rows = f.func.jacfwd(lambda x: x**2 * w)(x)
    push = f.func.jvp(lambda x: x**3, (wave(f, 3),), (w,))[1]
    by_tangent = f.autograd.grad((push**2).sum(), w)
    return slopes, x.grad, w.grad, f.autograd.grad((rows**3).sum(), (x, w)), push, by_tangent


def without_a_graph_inside(f):
    def fn(x):
        with f.no_grad():
            c = x**2
        return (x - c).sum()

    with f.no_grad():
        x = wave(f, 3)
        outer = [f.func.grad(fn)(x), f.func.jacrev(fn)(x), f.func.vjp(fn, x)[1](x[0])]
        outer += [f.func.hessian(f.prod)(x), f.func.jvp(f.sin, (x,), (x,)), f.func.jacfwd(f.sin)(x)]
    hidden = f.func.grad(lambda x: _hidden(f, x).sum() + x.sum())(wave(f, 3))
    return outer, f.func.grad(fn)(wave(f, 3)), hidden


def _hidden(f, x):
    with f.no_grad():
        return f.func.grad(lambda y: (y**3).sum())(x)


@pytest.mark.parametrize("program", [whose_graph, through_a_gradient, without_a_graph_inside])
def test_what_comes_back_is_in_the_callers_graph_alone(program):
    agree(program)


def test_a_gradient_of_nobody_keeps_no_graph():
    """No second pass is recorded where nobody can ask for it."""
    recorded = []

    class Watched(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad_output):
            recorded.append(mini.is_grad_enabled())
            return grad_output * 2

    def fn(x):
        return Watched.apply(x).sum()

    mini.func.grad(fn)(mini.ones(2))
    mini.func.jacrev(fn)(mini.ones(2))
    mini.func.grad(fn)(mini.ones(2, requires_grad=True))
    assert recorded == [False, False, True]


ONE = {
    "a vector": lambda f, x: f.func.grad(lambda x: x)(x),
    "a number": lambda f, x: f.func.grad(lambda x: x)(2.0),
    "integers": lambda f, x: f.func.grad(lambda x: x.sum())(f.arange(3)),
    "no tensor back": lambda f, x: f.func.grad(lambda x: 3)(x),
    "no aux": lambda f, x: f.func.grad(lambda x: x.sum(), has_aux=True)(x),
    "aux a number": lambda f, x: f.func.grad(lambda x: (x.sum(), 3), has_aux=True)(x),
    "argnum too large": lambda f, x: f.func.grad(lambda x: x.sum(), 1)(x),
    "argnum too small": lambda f, x: f.func.grad(lambda x: x.sum(), (0, -2))(x),
    "no argnums": lambda f, x: f.func.grad(lambda x: x.sum(), ())(x),
    "argnums twice": lambda f, x: f.func.grad(lambda x: x.sum(), (0, 0))(x),
    "argnums a list": lambda f, x: f.func.grad(lambda x: x.sum(), [0])(x),
    "argnums None": lambda f, x: f.func.jacrev(lambda x: x, None)(x),
    "argnums text": lambda f, x: f.func.grad(lambda x: x.sum(), ("a",))(x),
    "None in a tree": lambda f, x: f.func.grad(lambda d: d[0].sum())((x, None)),
    "in place": lambda f, x: f.func.grad(lambda x: x.mul_(2).sum())(x),
    "primals a list": lambda f, x: f.func.jvp(f.sin, [x], [x]),
    "no primals": lambda f, x: f.func.jvp(lambda: x, (), ()),
    "primals a number": lambda f, x: f.func.jvp(f.sin, (2.0,), (x,)),
    "tangents a number": lambda f, x: f.func.jvp(f.sin, (x,), (2.0,)),
    "tangent's size": lambda f, x: f.func.jvp(f.sin, (x,), (x[:2],)),
    "jvp of a number": lambda f, x: f.func.jvp(lambda x: 2, (x,), (x,)),
    "jvp of a constant": lambda f, x: f.func.jvp(lambda y: x, (x,), (x,), strict=True),
    "jvp no aux": lambda f, x: f.func.jvp(f.sin, (x,), (x,), has_aux=True),
    "cotangents": lambda f, x: f.func.vjp(f.sin, x)[1]({"a": x, "b": [x]}),
    "cotangent's size": lambda f, x: f.func.vjp(f.sin, x)[1](x[:2]),
    "vjp of a number": lambda f, x: f.func.vjp(lambda x: 2, x),
    "vjp of nothing": lambda f, x: f.func.vjp(lambda x: (), x),
    "vjp of None": lambda f, x: f.func.vjp(lambda x: None, x),
    "vjp of integers": lambda f, x: f.func.vjp(lambda x: x.long(), x),
    "vjp no aux": lambda f, x: f.func.vjp(f.sin, x, has_aux=True),
    "jacrev of a number": lambda f, x: f.func.jacrev(lambda x: 2)(x),
    "jacrev by a number": lambda f, x: f.func.jacrev(f.sin)(3.0),
    "jacrev chunks": lambda f, x: f.func.jacrev(f.sin, chunk_size=0),
    "jacfwd of a number": lambda f, x: f.func.jacfwd(lambda x: 2)(x),
    "jacfwd draws": lambda f, x: f.func.jacfwd(lambda x: x * f.rand(3))(x),
    "randomness": lambda f, x: f.func.jacfwd(f.sin, randomness="some")(x),
}


@pytest.mark.parametrize("name", ONE)
def test_derivatives_are_refused_as_in_torch(name):
    same_error(lambda f: ONE[name](f, wave(f, 3)))


def test_trees_that_differ_are_refused():
    same_error(lambda f: f.func.jvp(f.sin, (f.ones(2),), (f.ones(2),) * 2), same_sentence=False)
    with pytest.raises(RuntimeError, match=r"structure \(\*,\) and tangents .* \(\*, \{'a': \*\}"):
        mini.func.jvp(mini.sin, (mini.ones(2),), (mini.ones(2), {"a": mini.ones(2)}))


def test_what_jacfwd_cannot_do_is_said():
    with pytest.raises(NotImplementedError, match="'error' or 'same'"):
        mini.func.jacfwd(mini.sin, randomness="different")
    x = mini.ones(3)
    with pytest.raises(RuntimeError, match=r"jvp.*floating-point"):
        mini.func.jacfwd(mini.Tensor.long)(x)
    with pytest.raises(RuntimeError, match=r"jvp.*floating-point"):
        mini.func.jvp(mini.Tensor.long, (x,), (x,))
    drawn = mini.func.jacfwd(lambda x: x * mini.rand(3), randomness="same")(x)
    assert (drawn.diagonal() > 0).all()


# -- a batch ---------------------------------------------------------------------------------------


def along(f):
    x, y = wave(f, 2, 3, 4), wave(f, 4, 2, times=0.3)

    def fn(x, y):
        return (x * y).sum(), {"x": x.T if x.ndim == 2 else x, "y": [y + x.sum()]}

    vmap = f.func.vmap
    return [
        vmap(lambda x, y: x @ y, (0, 1))(x, y),
        vmap(fn, in_dims=(-1, 0))(x, y[:, 0]),
        vmap(fn, (2, None), out_dims=(0, {"x": 2, "y": [-1]}))(x, y[0, 0]),
        vmap(fn, (1, None), (0, 1))(x, f.ones(4).double()),
        vmap(lambda d, s: d["a"] * d["b"][0] + s, ({"a": 0, "b": None}, None))(
            {"a": x, "b": (y.sum(),)}, 2.0
        ),
        vmap(lambda d: d["b"] - d["a"])({"a": x, "b": x * x}),
        vmap(lambda d: d["b"] - d["a"], ({"a": 1, "b": 2},))({"a": x, "b": x.transpose(1, 2)}),
        vmap(lambda x, *, times: x * times, chunk_size=1)(x, times=3),
        vmap(f.dot)(y, y * 2), vmap(f.nn.Softmax(0))(y), f.vmap(partial(f.mul, y[0]))(y),
        vmap(lambda x: x, out_dims=(0,))(y),
    ]  # fmt: skip


def in_another(f):
    x, y = wave(f, 3, 2), wave(f, 4, 2, times=0.3)
    vmap = f.func.vmap
    table = vmap(vmap(lambda a, b: (a - b).abs().sum(), (None, 0)), (0, None))(x, y)
    slopes = vmap(f.func.grad(lambda a: (a**3).prod()))(x)
    rows = vmap(f.func.jacrev(lambda a, b: a * b.sum(), (0, 1)), (0, None))(x, y[0])
    bent = vmap(f.func.hessian(lambda a: a.prod() * a.sum()))(x)
    through = f.func.grad(lambda x: vmap(lambda a: (a.sin() * a.sum()).sum())(x).pow(2).sum())(x)
    basis = vmap(f.func.vjp(f.sin, x)[1])(f.ones(2, 3, 2).double())
    push = vmap(lambda v: f.func.jvp(f.sin, (x,), (v,))[1])(f.stack([x, x * 2]))
    return table, slopes, rows, bent, through, basis, push


def with_gradients(f):
    x, w = wave(f, 3, 2).requires_grad_(), wave(f, 2, times=0.4).requires_grad_()
    out = f.vmap(lambda x, w: (x * w).tanh().sum(), (0, None))(x, w)
    (out**2).sum().backward()
    return out, x.grad, w.grad


def same_for_all(f):
    x = wave(f, 3, 2)
    out = f.vmap(lambda x: (f.ones(2), 3, "a", x), out_dims=(None, None, None, 1))(x)
    constant = f.vmap(lambda x: f.ones(2))(x)
    return out, constant


def of_none(f):
    x = f.zeros(2, 0, 3)
    out = f.vmap(lambda x: (x.sum(), x > 0, x.T), 1, (0, 0, -1))(x)
    return [list(o.shape) for o in out], [str(o.dtype).split(".")[-1] for o in out]


def in_place(f):
    """What a function makes itself it may write to, and its own part of the batch."""
    x = wave(f, 3, 2)

    def fn(x):
        total = x.new_zeros(2)
        for _ in range(3):
            total += x
            total.mul_(2)
        x.add_(1)
        return total

    y = wave(f, 3, 2)
    with f.inference_mode():
        quiet = f.vmap(lambda x: (x * 0).add_(1).mul_(x))(y)
    return f.vmap(fn)(x), x, quiet.clone()


PROGRAMS = [along, in_another, with_gradients, same_for_all, of_none, in_place]


@pytest.mark.parametrize("program", PROGRAMS)
def test_vmap_is_torchs(program):
    agree(program)


def mapped(f, fn, *args, **options):
    return f.vmap(fn, **options)(*args)


X = {
    "in_dims text": {"in_dims": "a"},
    "in_dims a list": {"in_dims": [0]},
    "in_dims None": {"in_dims": (None,)},
    "in_dims half": {"in_dims": (0.5,)},
    "in_dim too large": {"in_dims": 2},
    "in_dim too small": {"in_dims": -3},
    "out_dims text": {"out_dims": "a"},
    "out_dims half": {"out_dims": (0.5,)},
    "out_dim too large": {"out_dims": 5},
    "out_dim None": {"out_dims": None},
    "randomness": {"randomness": "some"},
    "chunk_size": {"chunk_size": 0},
}
TWO = {
    "sizes": lambda f, x: mapped(f, lambda x, y: x, x, x[:2]),
    "no inputs": lambda f, x: mapped(f, lambda: x),
    "a number in": lambda f, x: mapped(f, lambda x, y: x, x, 2),
    "a number out": lambda f, x: mapped(f, lambda x: 2, x),
    "None out": lambda f, x: mapped(f, lambda x: None, x),
    "no dims": lambda f, x: mapped(f, lambda x: x, x.sum()),
    "partial": lambda f, x: mapped(f, partial(lambda x, y: 2, x), x),
    "draws": lambda f, x: mapped(f, lambda x: x + f.rand(2), x),
    "drops": lambda f, x: mapped(f, f.nn.functional.dropout, x),
    "draws in place": lambda f, x: mapped(f, lambda x: x.clone().normal_(), x),
    "draws around another": lambda f, x: mapped(
        f, f.vmap(lambda x: x + f.randn(1), randomness="different"), x
    ),
    "draws in another": lambda f, x: mapped(
        f, f.vmap(lambda x: x + f.randn(1)), x, randomness="different"
    ),
}


@pytest.mark.parametrize("name", [*X, *TWO])
def test_vmap_refuses_as_torch_does(name):
    if name in X:
        same_error(lambda f: mapped(f, lambda x: x, wave(f, 3, 2), **X[name]))
    else:
        same_error(lambda f: TWO[name](f, wave(f, 3, 2)))


@pytest.mark.parametrize(
    "dims", [{"in_dims": (0, 0)}, {"in_dims": ((0,),)}, {"out_dims": (0, 0)}], ids=str
)
def test_trees_of_dims_must_fit(dims):
    same_error(lambda f: mapped(f, lambda x: x, f.ones(2), **dims), same_sentence=False)
    with pytest.raises(ValueError, match="_dims is not compatible with the structure of"):
        mapped(mini, lambda x: x, mini.ones(2), **dims)
    same_error(
        lambda f: mapped(f, lambda x: x["a"], {"a": f.ones(2)}, in_dims=({"b": 0},)),
        same_sentence=False,
    )


def test_a_draw_is_the_same_for_all_or_different():
    def program(f):
        seen = []
        for randomness in ("same", "different"):
            f.manual_seed(0)
            g = f.Generator().manual_seed(1)

            def fn(x, g=g):
                return x + f.rand(2), f.randn(3, generator=g), f.nn.functional.dropout(f.ones(40))

            outs = f.vmap(fn, randomness=randomness)(f.zeros(3, 2))
            seen += [bool((out[0] == out[1]).all()) for out in outs]
            nested = f.vmap(
                f.vmap(lambda x: x + f.rand(()), randomness="same"), randomness=randomness
            )(f.zeros(2, 3))
            seen += [(nested[0, 0] == nested[0, 1]).item(), (nested[0] == nested[1]).any().item()]
            after = f.rand(1)
            f.manual_seed(0)
            seen.append((f.rand(1) == after).item())
        return seen

    assert program(mini) == [True] * 5 + [False, False, False, False, True, False, False]
    agree(program)


def test_dims_of_a_dict_go_by_its_keys():
    """torch goes by their order."""
    x = wave(mini, 2, 3)
    out = mini.vmap(lambda d: d["b"] - d["a"], ({"b": 1, "a": 0},))({"a": x, "b": x.T * 2})
    assert mini.equal(out, x)


@pytest.mark.parametrize("shared", ["argument", "captured", "parameter"])
def test_a_write_to_what_all_examples_share_is_refused(shared):
    """torch would write once, or refuse as mini does; to write for each example would be wrong."""
    total, layer = mini.zeros(2), mini.nn.BatchNorm1d(2)
    fns = {
        "argument": (lambda x, y: y.add_(x), (0, None)),
        "captured": (lambda x, y: total.add_(x), (0, None)),
        "parameter": (lambda x, y: layer(mini.stack([x, x * 2])), (0, None)),
    }
    fn, in_dims = fns[shared]
    with pytest.raises(RuntimeError, match="write out of place"):
        mini.vmap(fn, in_dims)(mini.rand(3, 2), mini.zeros(2))
    total.add_(1)  # outside of it nothing is refused
    total.add_(1)


def test_a_level_ends_with_an_error():
    with pytest.raises(ZeroDivisionError):
        mini.vmap(lambda x: 1 / 0)(mini.ones(2))
    mini.rand(1)


# -- models ----------------------------------------------------------------------------------------


def ensemble(f):
    models = []
    for i in range(3):
        model = f.nn.Sequential(f.nn.Linear(2, 4), f.nn.BatchNorm1d(4), f.nn.Linear(4, 1)).double()
        with f.no_grad():
            for p in model.parameters():
                p.copy_(wave(f, *p.shape, times=1.1 + i))
        models.append(model.eval())
    params, buffers = f.func.stack_module_state(models)
    x = wave(f, 5, 2, times=0.7)

    def fn(params, buffers, x):
        return f.func.functional_call(models[0], (params, buffers), (x,))

    out = f.vmap(fn, in_dims=(0, 0, None))(params, buffers, x)
    each = f.vmap(fn)(params, buffers, f.stack([x, x * 2, x * 3]))
    (out**2).sum().backward()
    flags = [[t.requires_grad, t.is_leaf] for t in (*params.values(), *buffers.values())]
    grads = {name: p.grad for name, p in params.items()}
    alone = [p.grad is None for p in models[0].parameters()]
    return out, each, params, buffers, grads, flags, alone


def test_models_as_one():
    agree(ensemble)


def models_of(f, change):
    models = [f.nn.Linear(2, 1), f.nn.Linear(2, 1)]
    change(models, f)
    return f.func.stack_module_state(models)


CHANGES = {
    "none": lambda m, f: m.clear(),
    "modes": lambda m, f: m[0].eval(),
    "classes": lambda m, f: m.append(f.nn.Conv1d(2, 1, 1)),
    "frozen": lambda m, f: m[1].bias.requires_grad_(False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_models_that_do_not_fit_are_refused_as_in_torch(name):
    same_error(lambda f: models_of(f, CHANGES[name]))


# -- what was written, what is tied ----------------------------------------------------------------


def written(f, write):
    def fn(x):
        y = x * 3
        write(f, x)
        return (y + x).sum()

    return f.func.grad(fn)(wave(f, 3).requires_grad_() * 1)


def without_grad(f, x):
    with f.no_grad():
        x.mul_(2)


def test_an_argument_with_a_graph_is_a_leaf_to_the_function():
    same_error(lambda f: written(f, lambda f, x: x.mul_(2)))
    same_error(lambda f: written(f, lambda f, x: x[0].mul_(2)), same_sentence=False)
    agree(lambda f: written(f, without_grad))


def test_the_same_argument_under_two_numbers_is_refused():
    same_error(lambda f: f.func.grad(lambda x, y: (x * y).sum(), (0, -2))(wave(f, 3), wave(f, 3)))


def tied(f, same, **options):
    model = f.nn.Sequential(f.nn.Linear(3, 3, bias=False), f.nn.Linear(3, 3, bias=False)).double()
    model[1].weight = model[0].weight
    first = wave(f, 3, 3)
    given = {"0.weight": first, "1.weight": first if same else first * 2}
    return f.func.functional_call(model, given, wave(f, 2, 3), **options)


def test_tied_tensors_are_given_one_value():
    agree(lambda f: tied(f, same=True))
    agree(lambda f: tied(f, same=False, tie_weights=False))
    same_error(lambda f: tied(f, same=False))


def counted(f):
    class Counter(f.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", f.zeros(1))

        def forward(self, x):
            self.calls = self.calls + 1
            return x * self.calls

    model, given = Counter(), {"calls": f.ones(1)}
    return f.func.functional_call(model, given, f.ones(2)), given, model.calls


def test_a_buffer_that_was_replaced_stands_in_the_dict():
    agree(counted)
