"""What test_optim's table cannot say: closures called many times, hooks, names, copies."""

import copy

from dlcourse import mini
from dlcourse.mini.optim.matrix import orthogonalized

import numpy as np
import pytest
from both import agree, same_error

# -- LBFGS -----------------------------------------------------------------------------------------


def rosenbrock(f, xs):
    x, y = xs[0].reshape(-1)[0], xs[1]
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def bowl(f, xs):
    scale = f.tensor([[1.0], [30.0]], dtype=f.float64)
    return (scale * (xs[0] - 3) ** 2).sum() + xs[1] ** 4


def flat(f, xs):
    return (xs[0] * 0).sum() + xs[1] * 0


def waves(f, xs):
    return (xs[0] ** 2 + 3 * (2 * xs[0]).sin()).sum() + ((xs[1] - 4).exp() + (4 - xs[1]).exp())


def minimized(f, loss, options, steps=4, resume=None):
    xs = [f.tensor(a, dtype=f.float64, requires_grad=True) for a in ([[-1.2], [0.5]], 1.0)]
    optimizer = f.optim.LBFGS(xs, **options)
    calls, seen = [], []

    def closure():
        optimizer.zero_grad()
        value = loss(f, xs)
        value.backward()
        calls.append(f.is_grad_enabled())
        return value

    for step in range(steps):
        if step == resume:
            state, optimizer = optimizer.state_dict(), f.optim.LBFGS(xs)
            optimizer.load_state_dict(state)
        seen += [optimizer.step(closure), len(calls), *(x.detach().clone() for x in xs)]
    return seen, calls, state_of(optimizer)


def state_of(optimizer):
    """The state, where torch keeps a number now as a tensor, now not."""
    state = dict(optimizer.state_dict()["state"][0])
    numbers = {k: float(state.pop(k)) for k in ("t", "H_diag", "prev_loss") if k in state}
    return state, numbers


CHOICES = [
    {}, {"lr": 0.1}, {"max_iter": 3}, {"max_iter": 7, "max_eval": 4}, {"history_size": 2},
    {"tolerance_grad": 1.0}, {"tolerance_change": 0.1}, {"lr": 0.01, "max_iter": 1},
]  # fmt: skip


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
@pytest.mark.parametrize("options", CHOICES, ids=str)
@pytest.mark.parametrize("loss", [rosenbrock, bowl, flat, waves], ids=lambda f: f.__name__)
def test_lbfgs_as_torchs(loss, options, search):
    if search is None and loss in (rosenbrock, waves):
        options = {"lr": 1e-3, **options, "max_iter": 4}  # else it runs off to infinity
    agree(lambda f: minimized(f, loss, {**options, "line_search_fn": search}), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_goes_on_from_a_state(search):
    options = {"max_iter": 4, "line_search_fn": search}
    agree(lambda f: minimized(f, bowl, options, resume=2), rtol=1e-5, atol=1e-8)


def test_lbfgs_finds_the_minimum():
    xs = minimized(mini, rosenbrock, {"line_search_fn": "strong_wolfe", "max_iter": 50}, 9)[0]
    assert abs(xs[-1].item() - 1) < 1e-4


def test_lbfgs_refuses_as_torch():
    same_error(lambda f: f.optim.LBFGS([{"params": p} for p in leaves(f)]))
    same_error(lambda f: f.optim.LBFGS(leaves(f), lr=-1))
    same_error(lambda f: minimized(f, bowl, {"line_search_fn": "golden"}))


# -- Muon ------------------------------------------------------------------------------------------

MUON = [
    {}, {"lr": 0.1, "weight_decay": 0.5}, {"nesterov": False, "momentum": 0.5},
    {"adjust_lr_fn": "match_rms_adamw"}, {"adjust_lr_fn": "original", "ns_steps": 3},
    {"ns_coefficients": (2.0, -1.5, 0.5), "eps": 1e-3},
]  # fmt: skip


@pytest.mark.parametrize("options", MUON, ids=str)
@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (1, 4)], ids=str)
def test_muon_as_torchs(shape, options):
    def program(f):
        p = f.tensor(np.random.default_rng(0).standard_normal(shape), dtype=f.float32)
        p.requires_grad_()
        optimizer = f.optim.Muon([p], **options)
        for step in range(3):
            p.grad = f.tensor(np.random.default_rng(step).standard_normal(shape), dtype=f.float32)
            optimizer.step()
        return p, optimizer.state_dict()

    # torch's products have 8 bits
    lr = options.get("lr", 1e-3)
    agree(lambda f: program(f)[0], rtol=0, atol=0.1 * lr * (4 if "adjust_lr_fn" in options else 1))
    agree(lambda f: program(f)[1])


def test_muon_makes_all_singular_values_one():
    matrix = np.random.default_rng(0).standard_normal((4, 6))
    exact = orthogonalized(matrix, (1.5, -0.5, 0), 40, 1e-7)  # the classical iteration
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    assert np.allclose(exact, left @ right)
    rough = orthogonalized(matrix.T, (3.4445, -4.775, 2.0315), 5, 1e-7)
    assert 0.5 < np.linalg.svd(rough)[1].min() <= np.linalg.svd(rough)[1].max() < 1.5


@pytest.mark.parametrize(
    "options",
    [{"lr": -1}, {"momentum": -1}, {"weight_decay": -1}, {"adjust_lr_fn": "x"}, {"shape": 3}],
    ids=str,
)
def test_muon_refuses_as_torch(options):
    options = dict(options)
    shape = (options.pop("shape", 2),) * (1 + bool(options))
    same_error(lambda f: f.optim.Muon([f.ones(*shape, requires_grad=True)], **options))


# -- what they share -------------------------------------------------------------------------------


def leaves(f):
    return [f.ones(2, requires_grad=True), f.full((), 2.0, requires_grad=True)]


def with_gradients(f):
    ps = leaves(f)
    for p in ps:
        p.grad = f.ones_like(p)
    return ps


def hooks(f):
    seen, ps = [], with_gradients(f)
    optimizer = f.optim.SGD(ps, lr=0.1)
    handles = [
        optimizer.register_step_pre_hook(lambda o, a, k: seen.append(("pre", len(a), len(k)))),
        optimizer.register_step_post_hook(lambda o, a, k: seen.append(("post", len(a), len(k)))),
    ]
    optimizer.step()
    optimizer.step(lambda: seen.append("closure"))
    optimizer.step(closure=None)
    handles[0].remove()
    optimizer.step()
    handles[1].remove()
    optimizer.step()
    return seen, ps


def hooks_that_replace(f):
    ps, losses = with_gradients(f), []
    optimizer = f.optim.Adam(ps)
    optimizer.register_step_pre_hook(lambda o, a, k: ((*a, lambda: 3.0), {}))
    losses.append(optimizer.step())
    return losses, ps


def hooks_of_states(f):
    seen, optimizer = [], f.optim.SGD(with_gradients(f), lr=0.1, momentum=0.9)
    optimizer.step()
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("second"))
    optimizer.register_state_dict_pre_hook(lambda o: seen.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda o, s: {**s, "extra": 1})
    optimizer.register_state_dict_post_hook(lambda o, s: seen.append(sorted(s)))
    optimizer.register_load_state_dict_pre_hook(lambda o, s: seen.append(sorted(s)))
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append("loaded"))
    state = optimizer.state_dict()
    optimizer.load_state_dict(state)
    return seen, state


def a_step_of_ones_own(f):
    class SignDescent(f.optim.Optimizer):
        def __init__(self, params, lr=0.1):
            super().__init__(params, {"lr": lr})

        @f.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        state = self.state[p]
                        state["n"] = state.get("n", 0) + 1
                        p.sub_(p.grad.sign() * group["lr"])

    seen, ps = [], with_gradients(f)
    optimizer = SignDescent(ps)
    optimizer.register_step_post_hook(lambda o, a, k: seen.append(type(o).__name__))
    optimizer.step()
    return seen, ps, optimizer.state_dict()


def named(f):
    names = list(zip("ab", with_gradients(f), strict=True))
    optimizer = f.optim.SGD(names, lr=0.1)
    optimizer.step()
    return optimizer.state_dict()


def a_rate_that_is_a_tensor(f):
    ps = with_gradients(f)
    for name in ("SGD", "Adam", "RMSprop", "Adagrad"):
        optimizer = getattr(f.optim, name)(ps, lr=f.tensor(0.125))
        optimizer.step()
        optimizer.param_groups[0]["lr"] = f.tensor(0.5)
        optimizer.step()
    return ps


def copied(f):
    optimizer = f.optim.Adam(with_gradients(f))
    optimizer.step()
    twin = copy.deepcopy(optimizer)
    twin.step()
    optimizer.state_dict()["param_groups"][0]["lr"] = 5.0  # a copy: nothing happens
    return twin.state_dict(), optimizer.state_dict(), twin.param_groups[0]["params"]


def the_callers_groups(f):
    """torch completes the dicts that it was given."""
    groups = [{"params": leaves(f)[0]}]
    f.optim.SGD(groups, lr=0.1)
    return sorted(groups[0]), len(groups[0]["params"])


def a_number_of_numpys_stays_one(f):
    optimizer = f.optim.SGD(leaves(f), lr=0.1)
    optimizer.param_groups[0]["lr"] = np.float64(0.5)
    other = f.optim.SGD(leaves(f))
    other.load_state_dict(optimizer.state_dict())
    return type(other.param_groups[0]["lr"]).__name__


PROGRAMS = [
    a_number_of_numpys_stays_one, hooks, hooks_that_replace,
    hooks_of_states, a_step_of_ones_own, named, a_rate_that_is_a_tensor,
    copied, the_callers_groups,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)


def bad_hook(f):
    optimizer = f.optim.SGD(leaves(f))
    optimizer.register_step_pre_hook(lambda o, a, k: 3)
    optimizer.step()


ERRORS = {
    "a hook that returns a number": bad_hook,
    "names for some": lambda f: f.optim.SGD([("a", leaves(f)[0]), leaves(f)[1]]),
    "a group without names": lambda f: f.optim.SGD([("a", leaves(f)[0])]).add_param_group(
        {"params": leaves(f)[1]}
    ),
    "a set": lambda f: f.optim.SGD([{"params": set(leaves(f))}]),
    "a rate of two elements": lambda f: f.optim.Adam(leaves(f), lr=f.ones(2)),
    "fused and foreach": lambda f: f.optim.Adam(leaves(f), fused=True, foreach=True),
    "Rprop's etas": lambda f: f.optim.Rprop(leaves(f), etas=(0.5, 0.9)),
    "Adadelta's rho": lambda f: f.optim.Adadelta(leaves(f), rho=1.5),
    "NAdam's momentum_decay": lambda f: f.optim.NAdam(leaves(f), momentum_decay=-1),
    "RMSprop's momentum": lambda f: f.optim.RMSprop(leaves(f), momentum=-1),
    "RMSprop's alpha": lambda f: f.optim.RMSprop(leaves(f), alpha=-1),
    "Adagrad's lr_decay": lambda f: f.optim.Adagrad(leaves(f), lr_decay=-1),
    "Adagrad's start": lambda f: f.optim.Adagrad(leaves(f), initial_accumulator_value=-1),
    "Adamax's betas": lambda f: f.optim.Adamax(leaves(f), betas=(0.9, 1.0)),
    "Adafactor's lr": lambda f: f.optim.Adafactor(leaves(f), lr=-1),
    "Adafactor's decay": lambda f: f.optim.Adafactor(leaves(f), beta2_decay=1),
    "Adafactor's d": lambda f: f.optim.Adafactor(leaves(f), d=0.5),
    "Adafactor's first eps": lambda f: f.optim.Adafactor(leaves(f), eps=(-1, 1)),
    "Adafactor's second eps": lambda f: f.optim.Adafactor(leaves(f), eps=(None, -1)),
    "Adafactor's weight decay": lambda f: f.optim.Adafactor(leaves(f), weight_decay=-1),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name != "a hook that returns a number")


def test_one_around_another_needs_no_start_of_its_own():
    def program(f):
        class Twice(f.optim.Optimizer):
            def __init__(self, inner):
                self.inner = inner

            def step(self, closure=None):
                self.inner.step()
                self.inner.step()

        p = f.nn.Parameter(f.ones(2))
        p.grad = f.ones(2)
        Twice(f.optim.SGD([p], lr=0.25)).step()
        return p.detach()

    agree(program)


@pytest.mark.filterwarnings("error")
def test_one_around_another_may_be_scheduled():
    def program(f):
        class Around(f.optim.Optimizer):
            def __init__(self, inner):
                self.inner, self.param_groups = inner, inner.param_groups

            def step(self, closure=None):
                return self.inner.step(closure)

        outer = Around(f.optim.SGD([f.nn.Parameter(f.ones(2))], lr=0.5))
        scheduler = f.optim.lr_scheduler.StepLR(outer, 1, 0.5)
        outer.step()
        scheduler.step()
        return outer.param_groups[0]["lr"]

    agree(program)
