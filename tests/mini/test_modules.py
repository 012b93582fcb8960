"""Every module against torch's: same weights by load_state_dict, same outputs and gradients."""

import copy

from dlcourse import mini
from dlcourse.mini import nn
from dlcourse.testing import assert_matches, copy_weights

import numpy as np
import pytest
import rows_activation
import rows_convolution
import rows_lookup
import rows_loss
import rows_modules
import rows_normalization
import rows_pooling
import rows_resampling
import rows_sequences
import test_lazy
import torch
from both import agree, same_error
from rows_modules import CLASSES, IMAGES, LOGITS, X, floats
from test_ops import derivatives

FILES = (  # one or more a family; each has MODULES
    rows_modules,
    rows_activation,
    rows_lookup,
    rows_loss,
    rows_convolution,
    rows_normalization,
    rows_sequences,
    rows_pooling,
    rows_resampling,
)
MODULES = [case for file in FILES for case in file.MODULES]


def tensors(f, values, dtype="float64"):
    """Arrays among arguments as tensors of that framework, real ones in that precision."""
    if isinstance(values, dict):
        return {k: tensors(f, v, dtype) for k, v in values.items()}
    if isinstance(values, list | tuple):
        return type(values)(tensors(f, v, dtype) for v in values)
    if isinstance(values, np.ndarray):
        return f.tensor(values.astype(dtype) if values.dtype.kind == "f" else values)
    return values


def flat(values):
    """The tensors in nested tuples and lists."""
    if isinstance(values, list | tuple):
        return [t for value in values for t in flat(value)]
    return [values] if isinstance(values, mini.Tensor | torch.Tensor) else []


def build(f, name, args, options, dtype="float64"):
    """A module in that precision."""
    module = getattr(f.nn, name)(*tensors(f, args), **tensors(f, options))
    return module.to(getattr(f, dtype))


@pytest.mark.parametrize(("name", "args", "options", "inputs"), MODULES)
def test_module_matches_torch(name, args, options, inputs):
    ours, theirs = build(mini, name, args, options), build(torch, name, args, options)
    assert repr(ours) == repr(theirs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert repr(ours.load_state_dict(theirs.state_dict())) == "<All keys matched successfully>"
    copy_weights(ours, theirs)
    if inputs is None:
        return
    for step in ("train", "train again", "eval"):
        outs = []
        for f, module in ((mini, ours), (torch, theirs)):
            module.train(step != "eval")
            args = tensors(f, inputs)
            if args[0].is_floating_point():
                args[0].requires_grad_()
            out = module(*args)
            first = out[0] if isinstance(out, tuple) else out
            weight = f.tensor(np.random.default_rng(1).standard_normal(tuple(first.shape)))
            (first * weight).sum().backward()
            outs.append((out, args[0].grad))
        assert_matches(*outs)
        assert_matches(ours, theirs)  # parameters, buffers, gradients


def prepared(f, module, inputs, dtype="float64"):
    """A function of no arguments that applies the module, and what it is differentiated by."""
    made = tensors(f, inputs, dtype)
    leaves = [t.requires_grad_() for t in flat(made)[:1] if t.is_floating_point()]
    return lambda: flat(module(*made)), [*leaves, *module.parameters()]


def differentiated(name, args, options, inputs, dtype="float64"):
    """Outputs, first and second derivatives of a module under mini and torch."""
    ours, theirs = (build(f, name, args, options, dtype) for f in (mini, torch))
    copy_weights(theirs, ours)

    def run(f, module, twice):
        function, leaves = prepared(f, module, inputs, dtype)
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            outs = function()
            return outs, *derivatives(f, outs, leaves, twice)

    try:
        return run(mini, ours, True), run(torch, theirs, True)
    except RuntimeError as error:
        if "derivative" not in str(error):
            raise
        return run(mini, ours, False), run(torch, theirs, False)  # torch has no second one


@pytest.mark.parametrize(("name", "args", "options", "inputs"), [m for m in MODULES if m[3]])
def test_module_matches_torch_twice_differentiated(name, args, options, inputs):
    assert_matches(*differentiated(name, args, options, inputs))


def test_every_module_has_a_row():
    classes = {n for n in nn.__all__ if isinstance(getattr(nn, n), type)}
    tested_below = {"Module", "Parameter", "Buffer", "ParameterList", "ParameterDict"}
    tested_below |= {"AdaptiveLogSoftmaxWithLoss", "DataParallel"}  # test_adaptive, test_devices
    tested_below |= {name for file in FILES for name in getattr(file, "ELSEWHERE", ())}
    tested_below |= test_lazy.NAMES
    assert sorted(classes - {m[0] for m in MODULES} - tested_below) == []
    assert set(nn.__all__) - classes == {"functional", "init", "parallel", "utils"}


# -- how layers start ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args"),
    [("Linear", (300, 200)), ("Conv2d", (16, 32, 5)), ("Conv2d", (16, 32, 5, 1, 0, 1, 4))],
)
def test_layers_start_as_torchs(name, args):
    mini.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = getattr(mini.nn, name)(*args), getattr(torch.nn, name)(*args)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        a, b = a.detach().numpy(), b.detach().numpy()
        assert a.shape == b.shape
        assert a.dtype == b.dtype == np.float32
        bound = np.sqrt(1 / np.prod(theirs.weight.shape[1:]))
        for values in (a, b):
            assert 0.8 * bound < np.abs(values).max() <= bound
            assert values.std() == pytest.approx(
                bound / np.sqrt(3), rel=0.3 if values.ndim == 1 else 0.02
            )


def test_layers_start_in_the_dtype_asked_for():
    assert nn.Linear(2, 3, dtype=mini.float64).weight.dtype is mini.float64
    assert nn.Conv2d(2, 3, 1, dtype=mini.float64).bias.dtype is mini.float64
    assert nn.BatchNorm1d(2, dtype=mini.float64).running_mean.dtype is mini.float64
    with pytest.raises(RuntimeError, match="CPU alone"):
        nn.Linear(2, 3, device="cuda")


INITS = {
    "uniform_": ((-1.0, 3.0), {}),
    "normal_": ((1.0, 2.0), {}),
    "constant_": ((7.0,), {}),
    "zeros_": ((), {}),
    "ones_": ((), {}),
    "xavier_uniform_": ((), {"gain": 2.0}),
    "xavier_normal_": ((), {}),
    "kaiming_uniform_": ((), {"a": 1, "mode": "fan_out"}),
    "kaiming_normal_": ((), {"nonlinearity": "relu"}),
    "orthogonal_": ((2.0,), {}),
    "sparse_": ((0.25,), {"std": 2.0}),
    "trunc_normal_": ((1.0, 2.0, -1.0, 2.0), {}),
}


@pytest.mark.parametrize("name", INITS)
@pytest.mark.parametrize("shape", [(300, 200), (40, 30, 5, 4)])
def test_init_draws_from_torchs_distribution(name, shape):
    shape = (300, 200) if name == "sparse_" else shape
    args, options = INITS[name]
    ours, theirs = mini.zeros(shape, requires_grad=True), torch.zeros(shape, requires_grad=True)
    mini.manual_seed(0)
    torch.manual_seed(0)
    assert getattr(nn.init, name)(ours, *args, **options) is ours
    getattr(torch.nn.init, name)(theirs, *args, **options)
    assert ours.requires_grad
    assert ours.is_leaf
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    assert a.mean() == pytest.approx(b.mean(), abs=0.03 * max(float(b.std()), 0.01))
    assert a.std() == pytest.approx(b.std(), rel=0.03)
    if "uniform" in name:
        assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.01)
    if name not in ("constant_", "zeros_", "ones_"):
        generator = mini.Generator().manual_seed(1)
        getattr(nn.init, name)(ours, *args, **options, generator=generator)
        first = ours.detach().clone()
        getattr(nn.init, name)(ours, *args, **options, generator=generator.manual_seed(1))
        assert mini.equal(first, ours)


def test_every_init_has_a_row():
    public = {n for n in vars(nn.init) if n.endswith("_") and not n.startswith("_")}
    assert sorted(public - INITS.keys() - {"eye_", "dirac_"}) == []


def gains(f):
    names = (
        "linear",
        "conv2d",
        "conv_transpose2d",
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "selu",
    )
    gain = f.nn.init.calculate_gain
    return [float(gain(n)) for n in names], gain("leaky_relu", 0.2), gain("leaky_relu", 1)


def test_fans():
    fans = torch.nn.init._calculate_fan_in_and_fan_out
    for shape in ((4, 3), (4, 3, 5, 2), (4, 3, 7)):
        assert nn.init.fans(mini.ones(shape)) == fans(torch.ones(shape))


def test_gains():
    agree(gains)


# -- gradients before the step ---------------------------------------------------------------------


def clip(f, function, *args, **options):
    parameters = [
        f.tensor([3.0, 4.0], requires_grad=True),
        f.tensor([[1.0]], requires_grad=True),
        f.tensor([5.0], requires_grad=True),
    ]
    (parameters[0] * f.tensor([3.0, -4.0])).sum().backward()
    (parameters[1] * 12).sum().backward()
    out = getattr(f.nn.utils, function)(parameters, *args, **options)
    return out, [p.grad for p in parameters]


@pytest.mark.parametrize(
    ("function", "args"),
    [
        ("clip_grad_norm_", (1.0,)),
        ("clip_grad_norm_", (100.0,)),
        ("clip_grad_norm_", (2.0, 1)),
        ("clip_grad_norm_", (2.0, float("inf"))),
        ("clip_grad_norm_", (2.0, 3.0)),
        ("clip_grad_norm_", (2.0, "inf", False, True)),
        ("clip_grad_value_", (3.5,)),
    ],
)
def test_clipping(function, args):
    agree(lambda f: clip(f, function, *args))


def one_parameter(f):
    p = f.tensor([3.0, 4.0], requires_grad=True)
    empty = f.nn.utils.clip_grad_norm_([p], 1.0)
    (p * p).sum().backward()
    return empty, f.nn.utils.clip_grad_norm_(p, 1.0), p.grad


def infinite_norm(f, **options):
    p = f.tensor([3.0, 4.0], requires_grad=True)
    (p * f.tensor([1.0, float("inf")])).sum().backward()
    return f.nn.utils.clip_grad_norm_(p, 1.0, **options), p.grad


def test_clipping_corners():
    agree(one_parameter)
    agree(infinite_norm)
    same_error(lambda f: infinite_norm(f, error_if_nonfinite=True))


# -- the ways of Module ----------------------------------------------------------------------------


def net(f):
    nn = f.nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(f.ones(2))
            self.layer = nn.Linear(2, 2)
            self.register_buffer("count", f.zeros(1))
            self.register_buffer("scratch", f.zeros(3), persistent=False)
            self.register_buffer("nothing", None)
            self.register_parameter("none", None)
            self.plain = f.ones(5)
            self.same = self.layer

        def forward(self, x):
            return self.layer(x) * self.scale

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList([Block(), Block()])
            self.head = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU())
            self.tied = self.head[0]

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
            return self.head(x)

    return Net()


def inventory(f):
    m = net(f)
    m.extra = f.nn.Parameter(f.ones(1))
    m.later = f.nn.ReLU(inplace=True)
    return [
        [n for n, _ in m.named_parameters()],
        [n for n, _ in m.named_buffers()],
        [n for n, _ in m.named_modules()],
        [n for n, _ in m.named_children()],
        list(m.state_dict()),
        len(list(m.parameters())),
        len(list(m.modules())),
        len(list(m.children())),
        len(list(m.buffers())),
        [n for n, _ in m.named_parameters(recurse=False)],
        [n for n, _ in m.named_parameters("x")],
        [n for n, _ in m.named_parameters(remove_duplicate=False)],
        [n for n, _ in m.named_modules(remove_duplicate=False)],
        [n for n, _ in m.named_buffers("b", recurse=False)],
        m.get_submodule("blocks.1.layer") is m.blocks[1].layer,
        m.get_submodule("") is m,
        repr(m),
        list(m.state_dict(prefix="net.")),
        [t.requires_grad for t in m.state_dict(keep_vars=True).values()],
    ]


def reassigned(f):
    m = net(f)
    m.blocks[0].scale = f.nn.Parameter(f.zeros(2))
    m.blocks[0].none = f.nn.Parameter(f.zeros(1))
    m.blocks[0].count = f.ones(4)
    m.blocks[1].scale = None
    m.blocks[1].count = None
    del m.blocks[1].layer
    m.head[2] = f.nn.Tanh()
    return list(m.state_dict()), m.blocks[0].count, repr(m)


def modes(f):
    m = net(f)
    seen = [
        m.training,
        m.eval() is m,
        [x.training for x in m.modules()],
        m.train() is m,
        m.head[1].training,
    ]
    m.head.eval()
    return [*seen, m.training, m.head[1].training]


def frozen(f):
    m = net(f)
    m.blocks.requires_grad_(False)
    m(f.ones(4, 2)).sum().backward()
    return [(n, p.requires_grad, p.grad is None) for n, p in m.named_parameters()]


def zeroed(f):
    m = net(f)
    m(f.ones(4, 2)).sum().backward()
    m.zero_grad(set_to_none=False)
    seen = [p.grad for p in m.parameters()]
    m.zero_grad()
    return seen, [p.grad for p in m.parameters()]


def applied(f):
    m, seen = net(f), []
    return m.apply(lambda x: seen.append(type(x).__name__)) is m, seen


def converted(f):
    m = net(f)
    weight = m.head[0].weight
    same = m.to(f.float64) is m
    seen = [
        [str(t.dtype).split(".")[1] for t in m.state_dict().values()],
        same,
        m.head[0].weight is weight,
    ]
    for change in (
        m.float,
        m.double,
        m.half,
        m.cpu,
        lambda: m.to("cpu"),
        lambda: m.to(f.ones(1)),
        lambda: m.to(dtype=f.float64),
        lambda: m.to("cpu", f.float32),
    ):
        change()
        seen.append(str(m.head[0].weight.dtype).split(".")[1])
    return seen


def copied(f):
    m = net(f)
    twin = copy.deepcopy(m)
    with f.no_grad():
        twin.head[0].weight.fill_(0)
    return twin.tied is twin.head[0], bool((m.head[0].weight == 0).any()), list(twin.state_dict())


def lists(f):
    nn = f.nn
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    layers.append(nn.ReLU())
    layers.extend([nn.Tanh(), nn.Tanh()])
    layers[-1] = nn.Sigmoid()
    row = nn.Sequential({"a": nn.Linear(1, 2), "b": nn.ReLU()}) if f is mini else None
    if row is None:
        from collections import OrderedDict

        row = nn.Sequential(OrderedDict(a=nn.Linear(1, 2), b=nn.ReLU()))
    row.append(nn.Tanh())
    return [
        len(layers),
        repr(layers),
        repr(layers[1:3]),
        type(layers[-2]).__name__,
        [type(x).__name__ for x in layers],
        len(row),
        repr(row),
        repr(row[1:]),
        row.a is row[0],
        repr(nn.Sequential()),
        repr(nn.ModuleList()),
    ]


def state_is_shared(f):
    m = f.nn.Linear(2, 2)
    m.state_dict()["weight"].fill_(7)
    return m.weight


def forward_hooks(f):
    m, seen = f.nn.Linear(2, 2), []
    with f.no_grad():
        m.weight.fill_(1)
        m.bias.fill_(0)
    handles = [
        m.register_forward_pre_hook(
            lambda mod, args: seen.append(("pre", mod is m, args[0].clone()))
        ),
        m.register_forward_pre_hook(lambda mod, args: args[0] * 2),
        m.register_forward_pre_hook(lambda mod, args, kw: (args, kw), with_kwargs=True),
        m.register_forward_hook(lambda mod, args, out: seen.append(("post", args[0], out))),
        m.register_forward_hook(lambda mod, args, out: out + 1),
        m.register_forward_hook(lambda mod, args, kw, out: seen.append(kw), with_kwargs=True),
    ]
    first = m(f.ones(1, 2))
    for handle in handles:
        handle.remove()
    return seen, first, m(f.ones(1, 2))


def backward_hooks(f):
    m, seen = f.nn.Linear(2, 2), []
    with f.no_grad():
        m.weight.fill_(3)
    handle = m.register_full_backward_hook(
        lambda mod, gi, go: seen.append((mod is m, gi[0], go[0]))
    )
    second = m.register_full_backward_hook(lambda mod, gi, go: (gi[0] * 10,))
    x = f.ones(1, 2, requires_grad=True)
    (m(x) * f.tensor([1.0, 5.0])).sum().backward()
    handle.remove()
    second.remove()
    m(x).sum().backward()
    return seen, x.grad, m.weight.grad


def backward_hooks_of_several_inputs(f):
    class Two(f.nn.Module):
        def forward(self, x, number, y):
            return x * y * number, x + y, "text"

    m, seen = Two(), []
    m.register_full_backward_hook(lambda mod, gi, go: seen.append((gi, go)))
    x, y = f.ones(2, requires_grad=True), f.full((2,), 3.0)
    product, total, _ = m(x, 2, y)
    (product * 5 + total).sum().backward()
    return seen, x.grad


def parameters(f):
    data = f.ones(2)
    p = f.nn.Parameter(data)
    fixed = f.nn.Parameter(data, requires_grad=False)
    with f.no_grad():
        p.mul_(3)
    twin = copy.deepcopy(p)
    return [
        p.requires_grad,
        p.is_leaf,
        fixed.requires_grad,
        data,
        type(twin).__name__,
        isinstance(p, f.Tensor),
        type(p * 1).__name__,
        repr(p),
        f.nn.Parameter().shape,
        f.nn.Parameter(p * 2).is_leaf,
    ]


PROGRAMS = [
    inventory,
    reassigned,
    modes,
    frozen,
    zeroed,
    applied,
    converted,
    copied,
    lists,
    state_is_shared,
    forward_hooks,
    backward_hooks,
    backward_hooks_of_several_inputs,
    parameters,
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    def text_without_names(value):
        if isinstance(value, str):
            return value.replace("mini.", "torch.")
        if isinstance(value, list | tuple) and not isinstance(value, mini.Size | torch.Size):
            return [text_without_names(v) for v in value]
        return value

    assert_matches(text_without_names(program(mini)), text_without_names(program(torch)))


# -- what must be refused --------------------------------------------------------------------------


def before_init(f, value):
    class Net(f.nn.Module):
        def __init__(self):
            self.part = value()

    Net()


def wrong_state(f, change):
    m = f.nn.Sequential(f.nn.Linear(2, 3), f.nn.BatchNorm1d(3))
    state = dict(m.state_dict())
    change(state)
    m.load_state_dict(state)


def several_things(f):
    def change(state):
        del state["0.bias"], state["1.weight"]
        state["foo"] = state["x.y"] = f.zeros(1)
        state["0.weight"] = f.zeros(5, 5)

    wrong_state(f, change)


ERRORS = {
    "parameter before init": lambda f: before_init(f, lambda: f.nn.Parameter(f.ones(1))),
    "module before init": lambda f: before_init(f, f.nn.ReLU),
    "tensor as parameter": lambda f: setattr(f.nn.Linear(1, 1), "weight", f.ones(1)),
    "number as parameter": lambda f: setattr(f.nn.Linear(1, 1), "weight", 3),
    "number as module": lambda f: setattr(f.nn.Sequential(f.nn.ReLU()), "0", 3),
    "number as buffer": lambda f: setattr(f.nn.BatchNorm1d(1), "running_mean", 3),
    "dot in a name": lambda f: f.nn.ReLU().register_buffer("a.b", None),
    "empty name": lambda f: f.nn.ReLU().register_parameter("", None),
    "empty name of a module": lambda f: f.nn.ReLU().add_module("", None),
    "name in use": lambda f: f.nn.ReLU().register_buffer("train", None),
    "name that is no name": lambda f: f.nn.ReLU().register_buffer(3, None),
    "register a tensor": lambda f: f.nn.ReLU().register_parameter("x", f.ones(1)),
    "register a number": lambda f: f.nn.ReLU().register_parameter("x", 3),
    "register a number as buffer": lambda f: f.nn.ReLU().register_buffer("x", 3),
    "add a number": lambda f: f.nn.ReLU().add_module("x", 3),
    "missing submodule": lambda f: f.nn.Sequential(f.nn.ReLU()).get_submodule("0.q"),
    "missing attribute": lambda f: f.nn.ReLU().weights,
    "to integers": lambda f: f.nn.ReLU().to(f.int64),
    "mode that is no mode": lambda f: f.nn.ReLU().train("yes"),
    "no forward": lambda f: f.nn.Module()(f.ones(1)),
    "missing key": lambda f: wrong_state(f, lambda s: s.pop("0.bias")),
    "unexpected key": lambda f: wrong_state(f, lambda s: s.update(foo=f.ones(1))),
    "wrong size": lambda f: wrong_state(f, lambda s: s.update({"0.bias": f.ones(7)})),
    "no tensor": lambda f: wrong_state(f, lambda s: s.update({"0.bias": 3})),
    "several": several_things,
    "integer parameter": lambda f: f.nn.Parameter(f.tensor([1])),
    "channels and groups": lambda f: f.nn.Conv2d(3, 4, 1, groups=2),
    "channels and groups out": lambda f: f.nn.Conv2d(4, 3, 1, groups=2),
    "no groups": lambda f: f.nn.Conv2d(4, 3, 1, groups=0),
    "padding word": lambda f: f.nn.Conv2d(4, 3, 1, padding="full"),
    "same with stride": lambda f: f.nn.Conv2d(4, 3, 1, padding="same", stride=2),
    "dropout": lambda f: f.nn.Dropout(2),
    "2-d images for BatchNorm2d": lambda f: f.nn.BatchNorm2d(3)(f.ones(2, 3)),
    "images for BatchNorm1d": lambda f: f.nn.BatchNorm1d(3)(f.ones(2, 3, 4, 4)),
    "other channels": lambda f: f.nn.BatchNorm1d(4)(f.ones(2, 3)),
    "index of Sequential": lambda f: f.nn.Sequential()[0],
    "index of ModuleList": lambda f: f.nn.ModuleList([f.nn.ReLU()])[-2],
    "fan of a vector": lambda f: f.nn.init.kaiming_normal_(f.ones(3)),
    "fan mode": lambda f: f.nn.init.kaiming_normal_(f.ones(3, 3), mode="fan"),
    "gain": lambda f: f.nn.init.calculate_gain("softplus9"),
    "gain parameter": lambda f: f.nn.init.calculate_gain("leaky_relu", "steep"),
    "unknown argument": lambda f: f.nn.Linear(1, 1, colour="red"),
    "linear of another size": lambda f: f.nn.Linear(3, 4)(f.ones(2, 5)),
}
# They name the class of the tensor, or torch's other ways.
OTHER_WORDS = {
    "tensor as parameter",
    "number as buffer",
    "register a tensor",
    "register a number as buffer",
    "unknown argument",
    "padding word",
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in OTHER_WORDS)


def test_all_that_is_wrong_with_a_state_is_said():
    def message(f):
        with pytest.raises(RuntimeError) as error:
            several_things(f)
        return str(error.value).replace("mini.", "torch.")

    assert message(mini) == message(torch)


def test_a_refused_state_changes_nothing():
    m = nn.Linear(2, 3)
    before = {name: value.clone() for name, value in m.state_dict().items()}
    with pytest.raises(RuntimeError, match="size mismatch for bias"):
        m.load_state_dict({"weight": mini.ones(3, 2), "bias": mini.ones(5)})
    assert_matches(m.state_dict(), before)


def test_loading_without_strict():
    for f in (mini, torch):
        m = f.nn.Linear(2, 3)
        keys = m.load_state_dict({"bias": f.ones(3), "foo": f.ones(1)}, strict=False)
        assert list(keys.missing_keys) == ["weight"]
        assert list(keys.unexpected_keys) == ["foo"]
        assert m.bias.tolist() == [1, 1, 1]
        with pytest.raises(RuntimeError, match="size mismatch"):
            m.load_state_dict({"bias": f.ones(4)}, strict=False)


def test_what_is_not_supported_is_said():
    with pytest.raises(TypeError, match="expected data to be a Tensor"):
        nn.Parameter([1.0])


def test_dropout_follows_the_mode():
    layer, x = nn.Dropout(0.5), mini.ones(1000)
    mini.manual_seed(0)
    assert 400 < (layer(x) == 0).sum().item() < 600
    assert mini.equal(layer.eval()(x), x)


# -- fused against plain ---------------------------------------------------------------------------


def test_convolution_is_its_plain_composition():
    from dlcourse.mini.ops.conv import Convolution, Geometry, conv2d_plain

    for geometry in (
        Geometry((1, 1), ((0, 0), (0, 0)), (1, 1), 1),
        Geometry((2, 1), ((1, 1), (0, 2)), (1, 2), 1),
        Geometry((1, 2), ((2, 0), (1, 1)), (2, 1), 2),
    ):
        check_fused(
            lambda x, w, b, g=geometry: Convolution.apply(x, w, b, g),
            lambda x, w, b, g=geometry: conv2d_plain(x, w, b, g),
            floats(2, 4, 7, 6),
            floats(6, 4 // geometry.groups, 3, 2),
            floats(6),
        )


def test_pooling_is_its_plain_composition():
    from dlcourse.mini.ops.pool import (
        AvgPool2D,
        MaxPool2DWithIndices,
        Windows,
        avg_pool2d_plain,
        max_pool2d_plain,
    )

    for stride, size in (((2, 2), (2, 3)), ((1, 2), (4, 3))):
        windows = Windows((3, 2), size, stride, (1, 1), ((0, 0), (0, 0)), (0, 0))
        check_fused(
            lambda x, w=windows: MaxPool2DWithIndices.apply(x, w)[0],
            lambda x, w=windows: max_pool2d_plain(x, w),
            IMAGES[:, :, :, :6],
        )
        check_fused(
            lambda x, w=windows: AvgPool2D.apply(x, w, 6),
            lambda x, w=windows: avg_pool2d_plain(x, w),
            IMAGES[:, :, :, :6],
        )


def test_normalisation_is_its_plain_composition():
    from dlcourse.mini.ops.norm import NativeBatchNorm, batch_statistics

    mean, var = batch_statistics(IMAGES)
    for of_batch in (True, False):
        rest = mean, var, of_batch, 1e-3
        check_fused(
            lambda x, w, b, r=rest: NativeBatchNorm.apply(x, w, b, *r),
            lambda x, w, b, r=rest: NativeBatchNorm.plain(x, w, b, *r),
            IMAGES,
            floats(3),
            floats(3),
        )


def test_softmax_is_its_plain_composition():
    from dlcourse.mini.ops import loss, softmax

    check_fused(lambda x: x.softmax(1), lambda x: softmax.softmax_plain(x, 1), X)
    check_fused(lambda x: x.log_softmax(0), lambda x: softmax.log_softmax_plain(x, 0), X)
    target = mini.tensor(CLASSES)
    check_fused(
        lambda x: nn.functional.nll_loss(x, target),
        lambda x: loss.nll_loss_plain(x, target),
        LOGITS,
    )


def check_fused(fused, plain, *arrays):
    """Value, first, second and third derivatives of both agree."""
    results = []
    for function in (fused, plain):
        leaves = [mini.tensor(a, requires_grad=True) for a in arrays]
        out = function(*leaves)
        assert len(nodes_between(out)) == 1 if function is fused else len(nodes_between(out)) > 1
        found = [out]
        for _ in range(3):
            out = out.sin().sum()
            grads = mini.autograd.grad(out, leaves, create_graph=True, materialize_grads=True)
            found += grads
            out = mini.cat([g.reshape(-1) for g in grads])
        results.append(found)
    for ours, theirs in zip(*results, strict=True):
        assert_matches(ours, theirs.detach().numpy(), rtol=1e-9, atol=1e-9)


def nodes_between(out):
    """The nodes from `out` to the leaves, without those that only select an output."""
    seen, stack = set(), [out.grad_fn]
    while stack:
        node = stack.pop()
        seen.add(node)
        stack += [n for n, _ in node.next_functions if n is not None and n.next_functions]
    return seen
