"""Computed parameters against torch's: names, values, gradients, power iterations."""

import copy
import warnings

from dlcourse import mini
from dlcourse.testing import assert_matches

import numpy as np
import pytest
import torch
from both import same_error

ENGINES = pytest.mark.parametrize("lib", [mini, torch], ids=["mini", "torch"])
LAYERS = {
    "linear": (lambda f: f.nn.Linear(4, 3), (5, 4)),
    "conv": (lambda f: f.nn.Conv2d(2, 3, 2), (2, 2, 4, 4)),
    "transposed": (lambda f: f.nn.ConvTranspose1d(2, 3, 2), (2, 2, 4)),
}
WAYS = {
    "weight_norm": lambda f, m: f.nn.utils.parametrizations.weight_norm(m),
    "weight_norm of one": lambda f, m: f.nn.utils.parametrizations.weight_norm(m, dim=1),
    "weight_norm of all": lambda f, m: f.nn.utils.parametrizations.weight_norm(m, dim=None),
    "spectral_norm": lambda f, m: f.nn.utils.parametrizations.spectral_norm(m),
    "spectral_norm twice": lambda f, m: f.nn.utils.parametrizations.spectral_norm(
        m, "weight", n_power_iterations=2
    ),
    "bias": lambda f, m: f.nn.utils.parametrizations.spectral_norm(m, "bias"),
    "old weight_norm": lambda f, m: f.nn.utils.weight_norm(m),
    "old weight_norm of one": lambda f, m: f.nn.utils.weight_norm(m, "weight", 1),
    "old spectral_norm": lambda f, m: f.nn.utils.spectral_norm(m, n_power_iterations=2),
}


def wrapped(lib, layer, way):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls the older forms deprecated
        return WAYS[way](lib, LAYERS[layer][0](lib).double())


def trained(lib, model, x):
    """Outputs and gradients of three steps, in training, and the output in evaluation."""
    out, x = [], lib.from_numpy(x)
    optimizer = lib.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        y = model(x)
        (y**2).sum().backward()
        out += [y.detach(), *[p.grad.clone() for p in model.parameters()]]
        optimizer.step()
    return [*out, model.eval()(x)]


@pytest.mark.parametrize(
    ("layer", "way"),
    [(la, way) for la in LAYERS for way in WAYS if (la, way) != ("transposed", "bias")],
)
def test_it_trains_as_torchs(layer, way):
    ours, theirs = wrapped(mini, layer, way), wrapped(torch, layer, way)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    ours.load_state_dict({name: mini.from_numpy(v.numpy().copy()) for name, v in state.items()})
    x = np.cos(np.arange(np.prod(LAYERS[layer][1]))).reshape(LAYERS[layer][1])
    if "old" not in way:
        assert repr(ours).replace("_Weight", "Weight").replace("_Spectral", "Spectral") == repr(
            theirs
        ).replace("_Weight", "Weight").replace("_Spectral", "Spectral")
    assert_matches(trained(mini, ours, x), trained(torch, theirs, x))


class Symmetric:
    @staticmethod
    def of(lib):
        class Symmetric(lib.nn.Module):
            def forward(self, X):
                return X.triu() + X.triu(1).transpose(-1, -2)

            def right_inverse(self, A):
                return A.triu()

        return Symmetric()


@ENGINES
def test_a_parametrization_of_ones_own(lib):
    P = lib.nn.utils.parametrize
    layer = lib.nn.Linear(3, 3)
    before = layer.weight.detach().clone()
    assert not P.is_parametrized(layer)
    assert P.register_parametrization(layer, "weight", Symmetric.of(lib)) is layer
    assert P.is_parametrized(layer, "weight")
    assert not P.is_parametrized(layer, "bias")
    assert lib.equal(layer.weight, layer.weight.T)
    assert isinstance(layer.parametrizations.weight, P.ParametrizationList)
    assert lib.equal(layer.parametrizations.weight.original, before.triu())
    assert isinstance(layer, lib.nn.Linear)
    layer.weight = lib.ones(3, 3)
    assert lib.equal(layer.parametrizations.weight.original, lib.ones(3, 3).triu())
    twin = copy.deepcopy(layer)
    layer.weight = lib.zeros(3, 3)
    assert twin.weight.sum() == 9
    P.remove_parametrizations(twin, "weight")
    assert type(twin) is lib.nn.Linear
    assert [n for n, _ in twin.named_parameters()] == ["bias", "weight"]
    assert twin.weight.tolist() == [[1.0] * 3] * 3


@ENGINES
def test_two_parametrizations_in_a_row(lib):
    P = lib.nn.utils.parametrize
    layer = lib.nn.Linear(2, 2)
    P.register_parametrization(layer, "weight", Symmetric.of(lib))
    assert P.register_parametrization(layer, "weight", lib.nn.Tanh()) is layer
    assert len(layer.parametrizations.weight) == 2
    original = layer.parametrizations.weight.original
    assert lib.equal(layer.weight, Symmetric.of(lib)(original).tanh())
    with pytest.raises(RuntimeError, match="right_inverse"):
        layer.weight = lib.ones(2, 2)
    P.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert lib.equal(layer.weight, original)


@ENGINES
def test_an_optimizer_knows_the_tensor_before_and_after(lib):
    P, layer = lib.nn.utils.parametrize, lib.nn.Linear(2, 2)
    weight = layer.weight
    optimizer = lib.optim.SGD(layer.parameters(), lr=0.1)
    P.register_parametrization(layer, "weight", Symmetric.of(lib))
    assert layer.parametrizations.weight.original is weight
    before = layer.weight.detach().clone()
    layer(lib.ones(1, 2)).sum().backward()
    optimizer.step()
    after = layer.weight.detach().clone()
    assert not lib.equal(before, after)
    P.remove_parametrizations(layer, "weight")
    assert layer.weight is weight
    assert lib.equal(weight, after)


class Changed:
    """Shape, dtype or kind is not what it was, on the way there or back."""

    @staticmethod
    def of(lib, there=lambda x: x, back=lambda x: x):
        class Changed(lib.nn.Module):
            def forward(self, X):
                return there(X)

            def right_inverse(self, X):
                return back(X)

        return Changed()


CHANGES = {
    "flat": {"there": lambda x: x.flatten()},
    "wide": {"there": lambda x: x.double()},
    "a list": {"there": lambda x: x.tolist()},
    "flat back": {"back": lambda x: x.flatten()},
    "wide back": {"back": lambda x: x.double()},
    "nothing back": {"back": lambda x: None},
    "numbers back": {"back": lambda x: [1.0]},
    "not back": {"back": lambda x: (_ for _ in ()).throw(NotImplementedError)},
}


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_shape_or_type_is_refused_as_in_torch(change, unsafe, others):
    def outcome(lib):
        P, layer = lib.nn.utils.parametrize, lib.nn.Linear(2, 3)
        before = layer.weight.detach().clone()
        for _ in range(others):
            P.register_parametrization(layer, "weight", lib.nn.Identity())
        changed = Changed.of(lib, **CHANGES[change])
        try:
            P.register_parametrization(layer, "weight", changed, unsafe=unsafe)
        except (ValueError, TypeError) as error:
            assert lib.equal(layer.weight, before) or lib is torch  # nothing is lost
            return type(error), str(error).replace("mini.", "torch.")
        weight = layer.weight
        return str(weight.dtype)[-7:] if hasattr(weight, "dtype") else weight == before.tolist()

    assert outcome(mini) == outcome(torch)


@ENGINES
def test_mistakes_are_refused(lib):
    P, layer = lib.nn.utils.parametrize, lib.nn.Linear(2, 3)
    with pytest.raises(ValueError, match="does not have a parameter, a buffer"):
        P.register_parametrization(layer, "wait", lib.nn.Tanh())
    with pytest.raises(ValueError, match="may not change the shape"):
        P.register_parametrization(layer, "weight", lib.nn.Flatten(0))
    with pytest.raises(ValueError, match="does not have a parametrization on weight"):
        P.remove_parametrizations(layer, "weight")
    with pytest.raises(IndexError):
        lib.nn.utils.parametrizations.spectral_norm(lib.nn.ConvTranspose1d(1, 2, 3), "bias")
    with pytest.raises(ValueError, match="n_power_iterations to be positive"):
        lib.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=0)


@pytest.mark.parametrize(
    ("way", "remove"),
    [("weight_norm", "remove_weight_norm"), ("spectral_norm", "remove_spectral_norm")],
)
def test_the_older_forms_are_removed(way, remove):
    layer = mini.nn.Linear(4, 3).double()
    with mini.no_grad():  # singular values far apart: forty power iterations find the largest
        layer.weight.copy_(mini.tensor([[3.0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0.5, 0]]))
    getattr(mini.nn.utils, way)(layer)
    x = mini.ones(2, 4, dtype=mini.float64)
    for _ in range(40):
        y = layer(x)
    with pytest.raises(RuntimeError, match="Cannot register two"):
        getattr(mini.nn.utils, way)(layer)
    getattr(mini.nn.utils, remove)(layer)
    assert_matches(layer(x), torch.tensor(y.tolist(), dtype=torch.float64))
    assert list(layer.state_dict()) == ["bias", "weight"]
    with pytest.raises(ValueError, match=f"{way} of 'weight' not found"):
        getattr(mini.nn.utils, remove)(layer)


@ENGINES
def test_what_is_written_to_a_registry_is_written_to_the_module(lib):
    net = lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.ReLU())
    net._modules["1"] = lib.nn.Tanh()
    net._modules["2"] = lib.nn.Flatten()
    assert [type(m).__name__ for m in net] == ["Linear", "Tanh", "Flatten"]
    del net._modules["1"]
    assert [n for n, _ in net.named_children()] == ["0", "2"]
    weight = net[0]._parameters.pop("weight")
    assert not hasattr(net[0], "weight")
    net[0]._parameters["w"] = weight
    assert list(net.state_dict()) == ["0.bias", "0.w"]
    net[0]._buffers["count"] = lib.zeros(1)
    assert list(net.state_dict()) == ["0.bias", "0.w", "0.count"]


# -- orthogonal ------------------------------------------------------------------------------------

ORTHOGONAL = [
    (shape, kind, base)
    for shape in ((4, 4), (5, 3), (3, 5), (2, 4, 3))
    for kind in (None, "matrix_exp", "cayley", "householder")
    for base in (True, False)
]


class Holder:
    """A module with one weight of any shape."""

    def __new__(cls, lib, shape):
        module = lib.nn.Module()
        start = np.random.default_rng(1).standard_normal(shape)
        module.weight = lib.nn.Parameter(lib.from_numpy(start))
        return module


def orthogonal(lib, shape, kind, base):
    return lib.nn.utils.parametrizations.orthogonal(
        Holder(lib, shape), "weight", kind, use_trivialization=base
    )


@pytest.mark.parametrize(("shape", "kind", "base"), ORTHOGONAL)
def test_orthogonal_trains_as_torchs(shape, kind, base):
    ours, theirs = orthogonal(mini, shape, kind, base), orthogonal(torch, shape, kind, base)
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    if base and shape[-2] == shape[-1]:  # else the base has a random part
        assert_matches(ours.state_dict(), state)
    if not base:
        assert_matches(ours.state_dict(), state, rtol=1e-9, atol=1e-12)
    ours.load_state_dict({n: mini.from_numpy(t.numpy().copy()) for n, t in state.items()})

    def steps(lib, module):
        optimizer, out = lib.optim.SGD(module.parameters(), lr=0.1), []
        target = lib.arange(float(np.prod(shape)), dtype=lib.float64).reshape(shape).sin()
        for _ in range(3):
            weight = module.weight
            optimizer.zero_grad()
            ((weight - target) ** 3).sum().backward()
            optimizer.step()
            out += [weight.detach(), module.parametrizations.weight.original.grad.clone()]
        return out

    assert_matches(steps(mini, ours), steps(torch, theirs), rtol=1e-8, atol=1e-10)
    q = ours.weight.detach().numpy()
    q = q if q.shape[-2] >= q.shape[-1] else q.swapaxes(-1, -2)
    np.testing.assert_allclose(
        q.swapaxes(-1, -2) @ q, np.eye(q.shape[-1]) + 0 * q[..., :1, :1], atol=1e-12
    )


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("kind", ["matrix_exp", "householder"])
def test_what_is_orthogonal_is_kept(shape, kind):
    """At the start, and when it is assigned."""
    for lib in (mini, torch):
        module = Holder(lib, shape)
        lib.nn.init.orthogonal_(module.weight)
        before = module.weight.detach().clone()
        lib.nn.utils.parametrizations.orthogonal(module, orthogonal_map=kind)
        assert lib.allclose(module.weight, before)
        again = lib.nn.init.orthogonal_(lib.empty(shape, dtype=lib.float64))
        module.weight = again
        assert lib.allclose(module.weight, again)
        two = copy.deepcopy(module)
        assert lib.allclose(two.weight, again)


@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (1, 1), (4, 1)])
def test_reflections_are_found_again(shape):
    """Without a base the reflections of an orthogonal matrix are those of torch, signs and all."""
    for diagonal in (1, -1):
        start = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0][: shape[0]]
        wide = shape[0] < shape[1]
        start = np.linalg.qr(start[:, : shape[1]].T if wide else start[:, : shape[1]])[0]
        start = diagonal * (start.T if wide else start)
        found = []
        for lib in (mini, torch):
            module = lib.nn.Module()
            module.weight = lib.nn.Parameter(lib.from_numpy(start.copy()))
            lib.nn.utils.parametrizations.orthogonal(
                module, orthogonal_map="householder", use_trivialization=False
            )
            found.append([module.weight, module.parametrizations.weight.original])
            assert np.allclose(module.weight.detach().numpy(), start)
        assert_matches(*found, rtol=1e-9, atol=1e-12)


ORTHOGONAL_ERRORS = {
    "a vector": lambda f: f.nn.utils.parametrizations.orthogonal(f.nn.Linear(2, 3), "bias"),
    "no such": lambda f: f.nn.utils.parametrizations.orthogonal(f.nn.Linear(2, 3), "wait"),
    "no map": lambda f: f.nn.utils.parametrizations.orthogonal(f.nn.Linear(2, 3), "weight", "qr"),
    "shape": lambda f: setattr(orthogonal(f, (3, 3), None, True), "weight", f.ones(2, 3).double()),
    "assigned": lambda f: setattr(
        orthogonal(f, (3, 3), "cayley", False), "weight", f.eye(3).double()
    ),
}


@pytest.mark.parametrize("name", ORTHOGONAL_ERRORS)
def test_orthogonal_is_refused_as_in_torch(name):
    same_error(ORTHOGONAL_ERRORS[name])
