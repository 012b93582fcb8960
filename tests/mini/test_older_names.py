"""What older programs of torch are written with: Variable, typed constructors, sizes, jit."""

import pickle
import warnings

from dlcourse import mini
from dlcourse.mini import nn

import numpy as np
import pytest
import torch
from both import same_error

ENGINES = pytest.mark.parametrize("lib", [mini, torch], ids=["mini", "torch"])
TYPES = ["Float", "Double", "Half", "Long", "Int", "Short", "Char", "Byte", "Bool"]


def size(lib, *lengths):
    return lib.Size(lengths)


@ENGINES
@pytest.mark.parametrize(
    ("args", "shape"),
    [((), (0,)), ((3,), (3,)), ((2, 0), (2, 0)), ((2, 1, 3), (2, 1, 3)), (((2, 3),), (2,))],
)
def test_tensor_is_made_by_sizes(lib, args, shape):
    out = lib.Tensor(*args)
    assert (out.shape, out.dtype) == (shape, lib.float32)
    assert not out.requires_grad
    assert lib.Tensor(size(lib, 2, 3)).shape == (2, 3)


@ENGINES
def test_a_parameter_is_made_by_sizes(lib):
    weight = lib.nn.Parameter(lib.Tensor(4, 3))
    assert lib.nn.init.zeros_(weight).tolist() == [[0.0] * 3] * 4
    assert weight.requires_grad


@ENGINES
@pytest.mark.parametrize("kind", TYPES)
def test_a_typed_constructor_is_a_type(lib, kind):
    typed, x = getattr(lib, f"{kind}Tensor"), lib.tensor([1, 0])
    assert typed([1, 0]).tolist() == [1, 0]
    assert typed(2, 3).shape == typed(size(lib, 2, 3)).shape == (2, 3)
    assert x.type(typed).dtype is typed([1, 0]).dtype
    assert isinstance(x, typed) == (kind == "Long")
    assert isinstance(x.type(typed), typed)
    assert lib.typename(x.type(typed)) == f"torch.{kind}Tensor"
    assert typed.__name__ == f"{kind}Tensor"


@ENGINES
def test_new_keeps_the_type(lib):
    x = lib.ones(2, dtype=lib.float64)
    assert x.new(2, 3).shape == x.new(size(lib, 2, 3)).shape == (2, 3)
    assert x.new([1, 2]).tolist() == [1.0, 2.0]
    assert x.new().shape == (0,)
    assert x.new(2).zero_().dtype is lib.float64
    assert lib.arange(2).new([1, 2]).dtype is lib.int64


@ENGINES
def test_typename(lib):
    assert lib.typename(3) == "int"
    assert lib.typename([]) == "list"
    assert lib.typename(lib.nn.Linear(1, 1)).endswith("linear.Linear")


@ENGINES
def test_variable(lib):
    x = lib.ones(2, requires_grad=True)
    y = lib.autograd.Variable(x * 2)
    assert (y.requires_grad, y.is_leaf) == (False, True)
    assert lib.autograd.Variable(y, requires_grad=True).requires_grad
    assert isinstance(x, lib.autograd.Variable)
    with pytest.warns(UserWarning, match="volatile was removed and now has no effect"):
        assert lib.autograd.Variable(y, volatile=True).tolist() == [2.0, 2.0]
    assert not isinstance(2, lib.autograd.Variable)
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got list"):
        lib.autograd.Variable([1.0])


def exponential(lib):
    class Exponential(lib.autograd.Function):
        @staticmethod
        def forward(ctx, x, shift):
            ctx.save_for_backward(y := (x + shift).exp())
            return y

        @staticmethod
        @lib.autograd.function.once_differentiable
        def backward(ctx, grad_output):
            (y,) = ctx.saved_tensors
            return grad_output * y, None

    return Exponential


@ENGINES
def test_once_differentiable(lib):
    x = lib.tensor([0.5, -1.0], requires_grad=True)
    y = exponential(lib).apply(x, 1)
    (plain,) = lib.autograd.grad(y.sum(), x, retain_graph=True)
    np.testing.assert_allclose(plain.numpy(), np.exp([1.5, 0.0]), rtol=1e-6)
    assert not plain.requires_grad
    (grad,) = lib.autograd.grad((y * y).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="trying to differentiate twice a function"):
        grad.sum().backward()


@ENGINES
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_without_dim_torchs_guess_and_warning(lib, name, shape):
    x = lib.arange(int(np.prod(shape))).reshape(shape).float()
    function = getattr(lib.nn.functional, name)
    with pytest.warns(UserWarning, match=f"Implicit dimension choice for {name} has been") as seen:
        out = function(x)
    assert seen[0].filename == __file__
    assert lib.equal(out, function(x, 0 if len(shape) in (0, 1, 3) else 1))
    module = {"softmax": "Softmax", "softmin": "Softmin", "log_softmax": "LogSoftmax"}[name]
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        assert lib.equal(getattr(lib.nn, module)()(x), out)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        getattr(lib.nn, module)(dim=0)(x)


@ENGINES
def test_a_program_for_the_compiler_runs_as_it_is(lib):
    @lib.jit.ignore
    def ignored(x):
        return x + 1

    @lib.jit.unused
    def unused(x):
        return ignored(x)

    assert unused(2) == 3
    assert lib.jit.export(ignored)(2) == 3
    assert not lib.jit.is_scripting()
    assert not lib.jit.is_tracing()


def test_compile_and_script_return_the_model_itself():
    model = nn.Linear(2, 1)
    assert mini.compile(model, mode="reduce-overhead") is model
    assert mini.jit.script(model) is model
    assert mini.compile(fullgraph=True)(len) is len


# -- names and orders that warn --------------------------------------------------------------------


@pytest.mark.parametrize("name", nn.init.OLDER.split())
def test_the_older_name_of_an_initialiser(name):
    arguments = {"constant": (2.0,), "sparse": (0.5,)}.get(name, ())
    drawn = name not in ("constant", "dirac", "eye")

    def filled(lib, name):
        lib.manual_seed(0)
        w = lib.empty(3, 4, 2) if name.startswith("dirac") else lib.empty(3, 4)
        out = getattr(lib.nn.init, name)(w, *arguments)
        assert out is w
        return out.numpy()

    found = []
    for lib in (mini, torch):
        with pytest.warns(FutureWarning, match=f"`nn.init.{name}` is now deprecated in favor") as w:
            found.append(filled(lib, name))
        assert w[0].filename == __file__
    np.testing.assert_array_equal(found[0], filled(mini, f"{name}_"))
    assert drawn or np.array_equal(*found)


@ENGINES
def test_older_names_of_functions(lib):
    w = lib.nn.Parameter(lib.ones(4))
    w.grad = lib.full((4,), 3.0)
    with pytest.warns(FutureWarning, match="`torch.nn.utils.clip_grad_norm` is now deprecated in"):
        assert lib.nn.utils.clip_grad_norm([w], 3.0).item() == 6.0
    np.testing.assert_allclose(w.grad.numpy(), 1.5, rtol=1e-6)
    x = lib.arange(4.0).reshape(1, 1, 2, 2)
    with pytest.warns(UserWarning, match="`nn.functional.upsample` is deprecated"):
        out = lib.nn.functional.upsample(x, None, 2, "bilinear", True)
    assert lib.equal(out, lib.nn.functional.interpolate(x, None, 2, "bilinear", True))
    with pytest.warns(UserWarning, match="volatile was removed and now has no effect"):
        assert not lib.autograd.Variable(x, volatile=True).requires_grad


IN_OLDER_ORDER = {
    "add": lambda f, x, y: (f.add(x, 3, y), x.add(0.5, y), x.clone().add_(2, y)),
    "sub": lambda f, x, y: (f.sub(x, 3, y), x.sub(0.5, y), x.clone().sub_(2, y)),
    "addcmul": lambda f, x, y: (f.addcmul(x, 3, y, x), x.clone().addcmul_(0.5, x, y)),
    "addcdiv": lambda f, x, y: (f.addcdiv(x, 3, y, x), x.clone().addcdiv_(0.5, x, y)),
}


@pytest.mark.parametrize("name", IN_OLDER_ORDER)
def test_the_number_may_stand_before_the_tensors(name):
    def results(lib):
        x, y = lib.tensor([1.0, 2.0]), lib.tensor([3.0, 5.0], requires_grad=True)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            outs = IN_OLDER_ORDER[name](lib, x, y)
        sum(out.sum() for out in outs).backward()
        assert lib is torch or len(seen) == len(outs)
        assert lib is torch or f"This overload of {name} is deprecated" in str(seen[0].message)
        return [*(out.detach().numpy() for out in outs), y.grad.numpy()]

    for ours, theirs in zip(results(mini), results(torch), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("call", [
    lambda x: x.add(x, 3), lambda x: x.add(x, x), lambda x: x.add(1, x, x),
    lambda x: x.addcmul(x, x, x), lambda x: x.addcdiv(2, x, x, x),
])  # fmt: skip
def test_no_other_order(call):
    same_error(lambda f: call(f.ones(2)), same_sentence=False)


# -- dictionaries of modules -----------------------------------------------------------------------


@ENGINES
def test_modules_added_to_a_dict_are_in_it(lib):
    class Block(lib.nn.ModuleDict):
        def __init__(self):
            super().__init__()
            self.add_module("first", lib.nn.Linear(2, 3))
            self.second = lib.nn.ReLU()

    block = Block()
    block["third"] = lib.nn.Tanh()
    assert list(block) == list(block.keys()) == ["first", "second", "third"]
    assert [name for name, _ in block.items()] == ["first", "second", "third"]
    assert len(block) == 3
    assert "second" in block
    assert "training" not in block
    del block["first"]
    assert list(block) == ["second", "third"]
    with pytest.raises(KeyError):
        del block["first"]


# -- settings --------------------------------------------------------------------------------------


def test_settings_are_accepted():
    mini.use_deterministic_algorithms(mini.are_deterministic_algorithms_enabled(), warn_only=True)
    mini.set_float32_matmul_precision("highest")
    mini.set_default_device("cpu")
    mini.set_num_threads(mini.get_num_threads())
    assert mini.get_num_threads() >= 1
    assert mini.get_default_device() == mini.device("cpu")
    assert mini.get_float32_matmul_precision() == "highest"
    with pytest.raises(RuntimeError, match="set_num_threads expects a positive integer"):
        mini.set_num_threads(0)
    with pytest.raises(TypeError, match="set_num_threads expects an int"):
        mini.set_num_threads(1.5)


def test_no_other_default_device():
    with pytest.raises(RuntimeError, match="the CPU alone"):
        mini.set_default_device("cuda")
    with pytest.warns(UserWarning, match="is not one of"):
        mini.set_float32_matmul_precision("low")


PRINTED = (
    lambda f: f.tensor([1.23456, 1e-6]), lambda f: f.tensor([1.0, 2.0]), lambda f: f.arange(3),
    lambda f: f.arange(2000.0) / 7, lambda f: f.ones(40, 40) / 3, lambda f: f.tensor(0.123456789),
)  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [{"precision": 2}, {"sci_mode": False}, {"sci_mode": True, "precision": 1}, {"edgeitems": 1},
     {"threshold": 5, "linewidth": 40}, {"profile": "short"}, {"profile": "full"},
     {"profile": "short", "precision": 5}, {"linewidth": 120, "sci_mode": False}],
    ids=str,
)  # fmt: skip
def test_printoptions(options):
    try:
        for lib in (mini, torch):
            lib.set_printoptions(**options)
        assert [str(p(mini)) for p in PRINTED] == [str(p(torch)) for p in PRINTED]
    finally:
        for lib in (mini, torch):
            lib.set_printoptions(profile="default")
    assert [str(p(mini)) for p in PRINTED] == [str(p(torch)) for p in PRINTED]


def test_an_unknown_profile_is_refused():
    with pytest.raises(ValueError, match="default, short, full"):
        mini.set_printoptions(profile="long")


@ENGINES
def test_mixed_precision_is_off_without_a_graphics_card(lib):
    with pytest.warns(UserWarning, match="is enabled, but CUDA is not available"):
        scaler = lib.amp.GradScaler("cuda")
    with pytest.warns(UserWarning, match="Disabling autocast"):
        context = lib.autocast("cuda")
    w = lib.ones(2, requires_grad=True)
    optimizer = lib.optim.SGD([w], lr=0.5)
    with context, lib.amp.autocast("cpu", enabled=False):
        loss = (w * w).sum()
    assert loss.dtype is lib.float32
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert w.tolist() == [0.0, 0.0]
    assert (scaler.is_enabled(), scaler.get_scale(), scaler.state_dict()) == (False, 1.0, {})
    lib.amp.GradScaler(enabled=False).load_state_dict({})


def test_autocast_on_the_cpu_is_refused():
    for dtype in (None, mini.bfloat16, mini.float16):
        with pytest.raises(NotImplementedError, match="enabled=False"):
            mini.autocast("cpu", dtype=dtype)


@ENGINES
def test_autocast_to_float32_is_off(lib):
    with pytest.warns(UserWarning, match="In CPU autocast, but the target dtype is not supported"):
        context = lib.autocast("cpu", dtype=lib.float32)
    with context:
        assert (lib.ones(2, 2) @ lib.ones(2, 2)).dtype is lib.float32


def scaled_steps(lib):
    """Losses, scales and weights of steps, one of which overflows."""
    scaler = lib.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    w = lib.tensor([1.0, -2.0], requires_grad=True)
    optimizer = lib.optim.SGD([w], lr=0.0625)
    seen = []
    for step, factor in enumerate([1.0, 2.0, float("inf"), 1.0, 0.5]):
        optimizer.zero_grad()
        loss = (w * w * factor).sum()
        scaled = scaler.scale(loss)
        scaled.backward()
        if step % 2:
            scaler.unscale_(optimizer)
            seen.append(w.grad.tolist())
        scaler.step(optimizer)
        scaler.update()
        seen += [scaled.item(), scaler.get_scale(), w.tolist(), scaler.state_dict()]
    scaler.update(4.0)
    other = lib.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    small = scaler.scale([lib.ones(1, dtype=lib.float16) / 4, (w,)])
    return seen, other.get_scale(), other.is_enabled(), small[0].tolist(), small[1][0].tolist()


def test_losses_are_scaled_on_the_cpu():
    assert scaled_steps(mini) == scaled_steps(torch)


def scales(lib):
    """What is kept in float32, and grows no further than that goes."""
    w = lib.ones(2, dtype=lib.float64, requires_grad=True)
    optimizer = lib.optim.SGD([w], lr=0.0)
    seen = []
    for scale, factor in [(0.1, 1.0), (2.0**127, 0.0), (1e-45, float("nan"))]:
        scaler = lib.amp.GradScaler("cpu", init_scale=scale, growth_interval=1)
        for _ in range(3):
            optimizer.zero_grad()
            (scaler.scale(w.sum()) * factor).backward()
            scaler.unscale_(optimizer)
            seen.append(w.grad.tolist() if factor == 1 else None)
            scaler.step(optimizer)
            scaler.update()
            seen.append(scaler.get_scale())
    pair = scaler.scale(t for t in [lib.ones(1)])
    again = pickle.loads(pickle.dumps(scaler))
    scaler.set_growth_factor(3.0)
    scaler.set_backoff_factor(0.2)
    scaler.set_growth_interval(7)
    numbers = scaler.get_growth_factor(), scaler.get_backoff_factor(), scaler.get_growth_interval()
    return seen, len(list(pair)), again.state_dict(), numbers, scaler.state_dict()


def test_a_scale_is_a_float32():
    assert scales(mini) == scales(torch)


def scaler_and_optimizer(lib, dtype=None):
    w = lib.ones(2, dtype=dtype, requires_grad=True)
    scaler = lib.amp.GradScaler("cpu")
    scaler.scale(w.sum()).backward()
    return scaler, lib.optim.SGD([w], lr=0.1)


def unscaled(lib):
    scaler, optimizer = scaler_and_optimizer(lib)
    scaler.unscale_(optimizer)
    return scaler


def unscaled_without_gradients(lib):
    scaler, optimizer = scaler_and_optimizer(lib)
    optimizer.zero_grad()
    scaler.unscale_(optimizer)
    return scaler, optimizer


def step_of(scaler, optimizer, **options):
    return scaler.step(optimizer, **options)


def in_order(*names):
    def program(lib):
        scaler, optimizer = scaler_and_optimizer(lib)
        for name in names:
            getattr(scaler, name)(*(() if name == "update" else (optimizer,)))

    return program


WRONG_ORDERS = {
    "never scaled": lambda f: f.amp.GradScaler("cpu").step(scaler_and_optimizer(f)[1]),
    "unscaled, not scaled": lambda f: f.amp.GradScaler("cpu").unscale_(scaler_and_optimizer(f)[1]),
    "updated, not scaled": lambda f: f.amp.GradScaler("cpu").update(),
    "unscaled twice": in_order("unscale_", "unscale_"),
    "unscaled after the step": in_order("step", "unscale_"),
    "two steps": in_order("step", "step"),
    "an update of nothing": in_order("update"),
    "no gradients": lambda f: scaler_and_optimizer(f)[0].step(f.optim.SGD([f.ones(1)], 0.1)),
    "an empty state": lambda f: f.amp.GradScaler("cpu").load_state_dict({}),
    "unscaled without gradients, updated": lambda f: unscaled_without_gradients(f)[0].update(),
    "unscaled without gradients, a step": lambda f: step_of(*unscaled_without_gradients(f)),
    "a closure": lambda f: step_of(*scaler_and_optimizer(f), closure=lambda: f.ones(1).sum()),
    "gradients of float16": lambda f: step_of(*scaler_and_optimizer(f, f.float16)),
    "a number scaled": lambda f: f.amp.GradScaler("cpu").scale(3.0),
    "no growth": lambda f: f.amp.GradScaler("cpu", growth_factor=1.0),
    "no backoff": lambda f: f.amp.GradScaler("cpu", backoff_factor=1.0),
    "two scales": lambda f: scaler_and_optimizer(f)[0].update(f.ones(2)),
    "pickled within a step": lambda f: pickle.dumps(unscaled(f)),
}


@pytest.mark.parametrize("name", WRONG_ORDERS)
def test_a_scaler_is_used_in_order(name):
    same_error(WRONG_ORDERS[name])


# -- names at the top ------------------------------------------------------------------------------

X = np.linspace(-1.3, 2.1, 24)
CALLS = {
    "adaptive_avg_pool1d": ((2, 3, 4), 2),
    "avg_pool1d": ((2, 3, 4), 2), "bilinear": ((6, 4), (6, 4), (1, 4, 4)),
    "channel_shuffle": ((1, 4, 3, 2), 2), "conv1d": ((2, 3, 4), (1, 3, 2)),
    "conv2d": ((1, 2, 3, 4), (3, 2, 2, 2)), "conv3d": ((1, 1, 2, 3, 4), (1, 1, 2, 2, 2)),
    "conv_transpose1d": ((2, 3, 4), (3, 2, 2)), "conv_transpose2d": ((1, 2, 3, 4), (2, 1, 2, 2)),
    "conv_transpose3d": ((1, 1, 2, 3, 4), (1, 2, 2, 2, 2)), "cosine_similarity": ((6, 4), (6, 4)),
    "dropout": ((6, 4), 0.0, True), "group_norm": ((2, 4, 3), 2), "layer_norm": ((6, 4), [4]),
    "max_pool1d": ((2, 3, 4), 2), "max_pool2d": ((2, 3, 4), 2), "max_pool3d": ((2, 3, 4, 1), 1),
    "pairwise_distance": ((6, 4), (6, 4)), "pixel_shuffle": ((1, 4, 3, 2), 2),
    "pixel_unshuffle": ((1, 1, 6, 4), 2), "prelu": ((6, 4), (1,)), "rms_norm": ((6, 4), [4]),
    "threshold": ((6, 4), 0.1, 2.0), "threshold_": ((6, 4), 0.1, 2.0),
    "clamp_": ((6, 4), 0.1), "clip_": ((6, 4), 0.1), "clamp_max_": ((6, 4), 0.1),
    "clamp_min_": ((6, 4), 0.1), "fill_": ((6, 4), 3.0), "xlogy_": ((6, 4), (6, 4)),
    "ldexp_": ((6, 4), (6, 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", mini.FUNCTIONAL.split() + mini.IN_PLACE.split())
def test_a_function_at_the_top_is_the_one_below(name):
    def result(lib):
        args = [make(lib, a) for a in CALLS.get(name, ((6, 4),))]
        if name in ("gcd_", "lcm_"):
            args = [lib.tensor([4, 6]), lib.tensor([6, 9])]
        if name == "index_put_":
            args = [lib.ones(3), (lib.tensor([0, 2]),), lib.zeros(2)]
        lib.manual_seed(0)
        out = getattr(lib, name)(*args)
        return out, out is args[0]

    (ours, same), (theirs, wanted) = result(mini), result(torch)
    assert same == wanted
    if name != "rrelu":
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-6, atol=1e-12)


def make(lib, argument):
    if isinstance(argument, tuple):
        return lib.from_numpy(np.resize(X, argument))
    return argument


@ENGINES
def test_float_power_in_place(lib):
    x = lib.tensor([4.0, 9.0], dtype=lib.float64)
    assert x.float_power_(0.5) is x
    assert x.tolist() == [2.0, 3.0]
    with pytest.raises(RuntimeError, match="result requires dtype Double"):
        lib.ones(2).float_power_(2)
