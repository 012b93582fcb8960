"""Exercises of the chapter modules. The form: dlcourse/exercises/__init__.py."""

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close
from dlcourse.mini import nn

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="tied_count",
    solution=50_992,
    reasoning="""`nn.Parameter(...)` makes a new leaf, and the registry counts parameters, not
memory: 784 * 32 + 32 and 32 * 784 + 784. To tie, use one parameter twice in `forward`.""",
    shown="Two parameters that may share memory are still two parameters: they are not tied.",
)
def check_tied_count(tied_count):
    if close(tied_count, 784 * 32 + 32 + 784):
        raise Hint(
            "That is the count if they were tied. But `nn.Parameter(...)` makes a new parameter, "
            "whatever memory it looks at."
        )
    if close(tied_count, 2 * 784 * 32):
        raise Hint("Both weights are there. `nn.Linear` has biases, too.")
    if close(tied_count, 784 * 32):
        raise Hint("That is one weight. How many leaves has the model, and have they no biases?")
    if close(tied_count, 2 * 784 * 32 + 2 * 32):
        raise Hint("The second bias has one entry for each *output* of its layer.")
    expect_close(tied_count, 50_992, "the count")


check_tied_count.wrong("if they were tied", 784 * 32 + 32 + 784)
check_tied_count.wrong("has biases, too", 2 * 784 * 32)
check_tied_count.wrong("That is one weight", 784 * 32)
check_tied_count.wrong("for each *output*", 2 * 784 * 32 + 64)


# -- compute by hand ---------------------------------------------------------------------------


def gain_of(f, mean_over_normal):
    """The gain that keeps E[z^2] = 1; E[g(z)] is mean_over_normal(g, Var z)."""
    return mean_over_normal(lambda z: f(z) ** 2, 1.0) ** -0.5


def _mean_over_normal(g, q):
    z = np.linspace(-9, 9, 3601)
    density = np.exp(-(z**2) / 2)
    return (g(np.sqrt(q) * z) * density).sum() / density.sum()


@exercise(
    solution=gain_of,
    reasoning=r"""$D_\text{in}\, v\, \mathbb{E}[f(z)^2] = 1$ with $v = g^2 / D_\text{in}$. The mean
square enters, not the variance.""",
    shown="One integral gives the gain of any activation: for ReLU the square root of two.",
)
def check_gain_of(gain_of):
    got = gain_of(lambda z: np.maximum(z, 0), _mean_over_normal)
    share = _mean_over_normal(lambda z: np.maximum(z, 0), 1.0)
    if close(got, 2.0, rtol=1e-3):
        raise Hint("That is the square of the gain: the variance is g^2 / D_in.")
    if close(got, (0.5 - share**2) ** -0.5, rtol=1e-3):
        raise Hint(
            "You keep the *variance* of f(z). What enters the next sum is its mean square, and "
            "ReLU's mean is not 0."
        )
    if close(got, 0.5**0.5, rtol=1e-3):
        raise Hint("That is what f keeps. The gain must make up for it: one over it.")
    if close(got, share**-0.5, rtol=1e-3) or close(got, 1 / share, rtol=1e-3):
        raise Hint("You take the mean of f(z); take the mean of its square.")
    expect_close(got, 2**0.5, "the gain of ReLU", rtol=1e-3)
    expect_close(gain_of(np.abs, _mean_over_normal), 1.0, "the gain of |z|", rtol=1e-3)
    expect_close(gain_of(np.tanh, _mean_over_normal), 1.5925, "the gain of tanh", rtol=1e-3)


@check_gain_of.wrong("the square of the gain")
def forgets_the_root(f, mean_over_normal):
    return 1 / mean_over_normal(lambda z: f(z) ** 2, 1.0)


@check_gain_of.wrong("keep the *variance*")
def keeps_the_variance(f, mean_over_normal):
    mean = mean_over_normal(f, 1.0)
    return mean_over_normal(lambda z: (f(z) - mean) ** 2, 1.0) ** -0.5


@check_gain_of.wrong("one over it")
def gives_what_is_kept(f, mean_over_normal):
    return mean_over_normal(lambda z: f(z) ** 2, 1.0) ** 0.5


@check_gain_of.wrong("take the mean of its square")
def takes_the_mean(f, mean_over_normal):
    return 1 / mean_over_normal(f, 1.0)


@check_gain_of.wrong("the gain of |z|")
def knows_only_relu(f, mean_over_normal):
    return 2**0.5


# -- change code -------------------------------------------------------------------------------


def load_matching(model, state):
    """Load what fits by name and shape; the sorted names of what did not."""
    own = model.state_dict()
    fits = {n: t for n, t in state.items() if n in own and t.shape == own[n].shape}
    return sorted(model.load_state_dict(fits, strict=False).missing_keys)


@exercise(
    solution=load_matching,
    reasoning="""Filter by name and shape, load with `strict=False`, and give back what is missing:
a name that nobody reads is how a layer starts from noise, silently.""",
    shown="What fits is loaded, and what does not is named.",
)
def check_load_matching(load_matching):
    mini.manual_seed(0)
    old = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(6, 2))
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 4))  # 12 weights, too
    for tensor in (*old.parameters(), *old.buffers()):
        tensor.data.fill_(7)
    state = old.state_dict() | {"3.weight": mini.ones(2, 2)}
    before, given = model[2].weight.detach().clone(), [*state]
    try:
        got = load_matching(model, state)
    except RuntimeError as error:
        if "size mismatch" in str(error):
            raise Hint(
                "`strict=False` forgives names, not shapes. Leave out what has another shape "
                "before you load."
            ) from None
        if "Unexpected key" in str(error) or "Missing key" in str(error):
            raise Hint("Names may be missing or too many here: `strict=False`.") from None
        raise
    expect(isinstance(got, list | tuple), "Return a list of names. (A set has no order.)")
    expect([*state] == given, "`state` is the caller's: pick from it, and leave it as it was.")
    expect((model[0].weight == 7).all().item(), "`0.weight` fits, but was not loaded.")
    expect(
        (model[1].running_mean == 7).all().item(),
        "`1.running_mean` is a buffer and fits, too. Walk over `state_dict`, not over parameters.",
    )
    expect(
        (model[2].weight == before).all().item(),
        "`2.weight` has another shape and should have kept its values.",
    )
    if "3.weight" in got:
        raise Hint("`3.weight` is in `state` only. Wanted are names of the *model*.")
    if "0.weight" in got:
        raise Hint("Those are the names that were loaded; wanted are the others.")
    expect(list(got) == ["2.bias", "2.weight"], "Left as they were: 2.bias and 2.weight, sorted.")


@check_load_matching.wrong("forgives names, not shapes")
def forgives_names_only(model, state):
    return sorted(model.load_state_dict(state, strict=False).missing_keys)


@check_load_matching.wrong("Names may be missing")
def stays_strict(model, state):
    own = model.state_dict()
    fits = {n: t for n, t in state.items() if n in own and t.shape == own[n].shape}
    return sorted(model.load_state_dict(fits).missing_keys)


@check_load_matching.wrong("is a buffer and fits")
def walks_over_parameters(model, state):
    own = dict(model.named_parameters())
    fits = {n: t for n, t in state.items() if n in own and t.shape == own[n].shape}
    model.load_state_dict(fits, strict=False)
    return sorted(own.keys() - fits)


@check_load_matching.wrong("has another shape and should")
def goes_by_the_count(model, state):
    own = model.state_dict()
    fits = {n: t for n, t in state.items() if n in own and t.numel() == own[n].numel()}
    with mini.no_grad():
        for name, tensor in fits.items():
            own[name].copy_(tensor.reshape(own[name].shape))
    return sorted(own.keys() - fits)


@check_load_matching.wrong("leave it as it was")
def deletes_from_the_state(model, state):
    own = model.state_dict()
    for name in [*state]:
        if name not in own or state[name].shape != own[name].shape:
            del state[name]
    return sorted(model.load_state_dict(state, strict=False).missing_keys)


@check_load_matching.wrong("has no order")
def gives_a_set(model, state):
    return {*load_matching(model, state)}


@check_load_matching.wrong("names of the *model*")
def names_the_strangers(model, state):
    missing = load_matching(model, state)
    return sorted({*missing, *(n for n in state if n not in model.state_dict())})


@check_load_matching.wrong("wanted are the others")
def names_the_loaded(model, state):
    return sorted(model.state_dict().keys() - load_matching(model, state))


# -- build new ---------------------------------------------------------------------------------


class GatedResidual(mini.nn.Module):
    """x + scale * branch(x); the Parameter scale, of shape (), starts at 0."""

    def __init__(self, branch):
        super().__init__()
        self.branch = branch
        self.scale = mini.nn.Parameter(mini.zeros(()))

    def forward(self, x):
        return x + self.scale * self.branch(x)


@exercise(
    solution=GatedResidual,
    reasoning=r"""The gradient by the scale is $\langle \partial L / \partial y, F(x) \rangle$ and
not 0, while those of the branch have the factor 0. So the first step opens the gate, and from the
second on everything learns. (Should $F(x)$ be 0 as well, nothing would ever move: only one of the
two may start at zero.)""",
    shown="An identity at the start, however deep: and nothing in it is stuck.",
)
def check_GatedResidual(GatedResidual):
    mini.manual_seed(0)
    branch = nn.Linear(3, 3)
    try:
        layer = GatedResidual(branch)
    except AttributeError as error:
        if "before Module.__init__() call" in str(error):
            raise Hint(
                "The registry does not exist yet: `super().__init__()` comes first."
            ) from None
        raise
    names = [name for name, _ in layer.named_parameters()]
    expect(
        "scale" in names,
        "`scale` is not among the parameters, so no optimiser would move it: assign a "
        "`mini.nn.Parameter` as `self.scale`.",
    )
    expect(
        {id(p) for p in branch.parameters()} <= {id(p) for p in layer.parameters()},
        "The branch's parameters are not found. Assign the module itself, `self.branch = branch`; "
        "a list or a function hides it.",
    )
    expect(
        layer.scale.shape == (), f"`scale` is one number, shape (), but has {layer.scale.shape}."
    )
    x = mini.tensor([[1.0, -2.0, 3.0]], requires_grad=True)
    if close(layer(x), x + branch(x)):
        raise Hint("The scale starts at 1, so the layer is not the identity at the start.")
    expect_close(layer(x), x, "the layer at the start, on [1, -2, 3],")
    with mini.no_grad():
        layer.scale.fill_(0.5)
    if close(layer(x), 0.5 * (x + branch(x))) or close(layer(x), 0.5 * x + branch(x)):
        raise Hint("The scale multiplies the *branch* alone; x passes as it is.")
    expect_close(layer(x), x + 0.5 * branch(x), "x + 0.5 * branch(x)")
    layer.scale.data.fill_(0.0)
    ran = []
    handle = branch.register_forward_hook(lambda module, args, output: ran.append(module))
    layer(x).sum().backward()
    handle.remove()
    expect(
        layer.scale.grad is not None and close(layer.scale.grad, branch(x).sum()),
        "At scale = 0 its gradient is not the one of x + scale * branch(x), and the gate will not "
        "open. Multiply by the Parameter itself, not by its number, and at 0, too.",
    )
    expect(ran, "A hook of the branch has not run: call the module, `self.branch(x)`.")
    layer.scale.data.fill_(0.5)
    leaves = [x, *branch.parameters()]
    found = mini.autograd.grad(layer(x).sum(), leaves, allow_unused=True)
    wanted = mini.autograd.grad((x + 0.5 * branch(x)).sum(), leaves)
    for leaf, got, right in zip(("x", "weight", "bias"), found, wanted, strict=True):
        expect(
            got is not None and close(got, right),
            f"With scale = 0.5 the gradient by {leaf} is not that of x + 0.5 * branch(x). Is a "
            "part of it cut off, by `detach`, `item` or `no_grad`?",
        )


@check_GatedResidual.wrong("`super().__init__()` comes first")
class ForgetsInit(mini.nn.Module):
    def __init__(self, branch):
        self.branch = branch
        self.scale = mini.nn.Parameter(mini.zeros(()))

    def forward(self, x):
        return x + self.scale * self.branch(x)


@check_GatedResidual.wrong("no optimiser would move it")
class PlainTensor(GatedResidual):
    def __init__(self, branch):
        mini.nn.Module.__init__(self)
        self.branch, self.scale = branch, mini.zeros(())


@check_GatedResidual.wrong("the gate will not open")
class LeavesTheBranchOut(GatedResidual):
    def forward(self, x):
        return x if self.scale.item() == 0 else x + self.scale * self.branch(x)


@check_GatedResidual.wrong("has not run")
class GoesAroundTheHooks(GatedResidual):
    def forward(self, x):
        return x + self.scale * self.branch.forward(x)


@check_GatedResidual.wrong("cut off")
class DetachesTheBranch(GatedResidual):
    def forward(self, x):
        return x + self.scale * self.branch(x).detach()


@check_GatedResidual.wrong("hides it")
class HidesTheBranch(GatedResidual):
    def __init__(self, branch):
        mini.nn.Module.__init__(self)
        self.parts, self.scale = [branch], mini.nn.Parameter(mini.zeros(()))

    def forward(self, x):
        return x + self.scale * self.parts[0](x)


@check_GatedResidual.wrong("starts at 1")
class StartsAtOne(GatedResidual):
    def __init__(self, branch):
        mini.nn.Module.__init__(self)
        self.branch, self.scale = branch, mini.nn.Parameter(mini.ones(()))


@check_GatedResidual.wrong("one number, shape ()")
class OneForEachFeature(GatedResidual):
    def __init__(self, branch):
        mini.nn.Module.__init__(self)
        self.branch, self.scale = branch, mini.nn.Parameter(mini.zeros(3))


def output_sizes(model, x):
    """{dotted name: root mean square of the output} of the leaf modules, as run."""
    found = {}

    def hook_for(name):
        def hook(module, args, output):
            found[name] = (output.detach() ** 2).mean().sqrt().item()

        return hook

    handles = [
        module.register_forward_hook(hook_for(name))
        for name, module in model.named_modules()
        if not [*module.children()]
    ]
    try:
        model(x)
    finally:
        for handle in handles:
            handle.remove()
    return found


@exercise(
    solution=output_sizes,
    reasoning="""Each hook knows its name by its own closure; a `lambda` made in a loop sees the
last name only. `finally` removes the hooks even where the model fails.""",
    shown="Every layer's size, by name, and the model is as it was.",
)
def check_output_sizes(output_sizes):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.body = nn.Linear(3, 2), nn.Sequential(nn.Linear(4, 3), nn.Tanh())

        def forward(self, x):
            return self.last(self.body(x))

    mini.manual_seed(0)
    model, x = Model(), mini.arange(8.0).reshape(2, 4)
    hidden = model.body[0](x)
    wanted = [hidden, hidden.tanh(), model(x)]
    model.last.eval()
    modes = [module.training for module in model.modules()]
    got = output_sizes(model, x)
    left = sum(len(module._forward_hooks) for module in model.modules())
    expect(got is not None, "Nothing is returned. Is a `return` missing?")
    if left:
        raise Hint(
            "The hooks are still there: keep what `register_forward_hook` gives, `remove()`."
        )
    expect(
        [module.training for module in model.modules()] == modes,
        "Some module is in another mode than before: measure, and leave `training` as it is.",
    )
    if {"", "body"} & {*got}:
        raise Hint("Containers are in it, too. A leaf is a module without `children()`.")
    if [*got] == ["last"]:
        raise Hint("Only the top level was visited. Walk over `named_modules()`.")
    if len(got) == 1:
        raise Hint(
            "All hooks wrote to one name, the last of the loop. Give each hook its own name, by "
            "a function that makes it."
        )
    expect({*got} == {"body.0", "body.1", "last"}, f"The names should be dotted, got {[*got]}.")
    expect(
        list(got) == ["body.0", "body.1", "last"],
        "The order is that of registration; wanted is that of running, so write to the "
        "dictionary inside the hook.",
    )
    if close([*got.values()], [t.std().item() for t in wanted], rtol=1e-4):
        raise Hint("That is the standard deviation. The root mean square keeps the mean in.")
    if close([*got.values()], [(t**2).mean().item() for t in wanted], rtol=1e-4):
        raise Hint("That is the mean square. Take its root.")
    expect_close([*got.values()], [(t**2).mean().sqrt().item() for t in wanted], "the sizes")


@check_output_sizes.wrong("still there")
def leaves_hooks(model, x):
    found = {}
    for name, module in model.named_modules():
        if not [*module.children()]:
            module.register_forward_hook(
                lambda m, a, out, name=name: found.update({name: (out**2).mean().sqrt().item()})
            )
    model(x)
    return found


def _sizes(model, x, named, measure=lambda out: (out**2).mean().sqrt().item()):
    found, handles = {}, []
    for name, module in named:
        handles.append(
            module.register_forward_hook(
                lambda m, a, out, name=name: found.update({name: measure(out)})
            )
        )
    model(x)
    for handle in handles:
        handle.remove()
    return found


def _leaves(model):
    return [(n, m) for n, m in model.named_modules() if not [*m.children()]]


@check_output_sizes.wrong("in another mode")
def switches_to_eval(model, x):
    model.eval()
    return output_sizes(model, x)


@check_output_sizes.wrong("Containers are in it")
def takes_containers(model, x):
    return _sizes(model, x, model.named_modules())


@check_output_sizes.wrong("Walk over `named_modules()`")
def looks_one_level_down(model, x):
    named = [(n, m) for n, m in model.named_children() if not [*m.children()]]
    return _sizes(model, x, named)


@check_output_sizes.wrong("keeps the mean in")
def takes_the_deviation(model, x):
    return _sizes(model, x, _leaves(model), lambda out: out.std().item())


@check_output_sizes.wrong("by a function that makes it")
def binds_the_name_late(model, x):
    found, handles = {}, []
    for name, module in _leaves(model):
        handles.append(
            module.register_forward_hook(
                lambda m, a, out: found.update({name: (out**2).mean().sqrt().item()})  # noqa: B023
            )
        )
    model(x)
    for handle in handles:
        handle.remove()
    return found


@check_output_sizes.wrong("Take its root")
def forgets_the_root_mean_square(model, x):
    return {name: size**2 for name, size in output_sizes(model, x).items()}


@check_output_sizes.wrong("that of running")
def orders_by_registration(model, x):
    found = output_sizes(model, x)
    return {name: found[name] for name, _ in _leaves(model)}


# -- read a paper ------------------------------------------------------------------------------


def lsuv_(model, x, tol=0.01, max_rounds=10):
    """Scale each Linear's weight, first to last, until its outputs have std 1."""
    stds = []
    for layer in model.modules():
        if not isinstance(layer, mini.nn.Linear):
            continue
        handle = layer.register_forward_hook(lambda m, a, out: stds.append(out.std().item()))
        with mini.no_grad():
            for _ in range(max_rounds):
                model(x)
                if abs(stds[-1] - 1) < tol:
                    break
                layer.weight.div_(stds[-1])
        handle.remove()


@exercise(
    solution=lsuv_,
    reasoning="""One layer after the other, because each division changes what all that follow get;
several rounds, because the bias is not divided. It measures what the derivations assume.""",
    shown="Every layer's output has standard deviation one, on this data, for any activation.",
)
def check_lsuv_(lsuv_):
    mini.manual_seed(0)
    linears = [nn.Linear(D_in, D_out) for D_in, D_out in ((6, 30), (30, 20), (20, 5))]
    first, second, last = linears
    model = nn.Sequential(first, nn.ReLU(), nn.Sequential(second, nn.ReLU()), last)
    x = mini.randn(200, 6) * 5 + 1
    biases = [mini.linspace(-0.4, 0.8, linear.out_features) for linear in linears]
    for linear, bias in zip(linears, biases, strict=True):
        linear.bias.data.copy_(bias)
    weights = [linear.weight for linear in linears]
    before = first.weight.detach().clone()
    once = before / first(x).std().item()
    try:
        lsuv_(model, x)
    except RuntimeError as error:
        if "leaf" in str(error) and "in-place" in str(error):
            raise Hint("The weights are leaves of a graph: change them under `no_grad`.") from None
        raise
    left = sum(len(module._forward_hooks) for module in model.modules())
    expect(not left, "A hook is still there: `remove()` it when its layer is done.")
    expect(
        all(linear.weight is weight for linear, weight in zip(linears, weights, strict=True)),
        "Write into the weights that are there: an optimiser may hold them already.",
    )
    outs, sizes, h = [], [], x
    for linear in linears:
        h = linear(h)
        outs.append(h.std().item())
        sizes.append((h**2).mean().sqrt().item())
        h = h.relu()
    if not all(close(linear.bias, b) for linear, b in zip(linears, biases, strict=True)):
        raise Hint("Only the weights are scaled; the biases stay.")
    if all(abs(std - 1) < 0.011 for std in outs):
        with mini.no_grad():
            first.weight.copy_(before)
        lsuv_(model, x, max_rounds=1)
        expect_close(
            first.weight,
            once,
            "the first weight after max_rounds=1",
            "That is one division for each layer, and no more.",
            rtol=0.01,
        )
        lsuv_(model, x)
        with mini.no_grad():
            first.weight.mul_(3)
            last.weight.mul_(1.2)
        left = [second.weight.detach().clone(), last.weight.detach().clone()]
        lsuv_(model, x, tol=0.5)
        expect(
            close(second.weight, left[0]) and close(last.weight, left[1]),
            "Only the first layer was farther than `tol=0.5` from 1, and you have changed another "
            "one. Compare the layer's own output with `tol` *before* you divide.",
        )
        return
    if all(abs(size - 1) < 0.02 for size in sizes):
        raise Hint(
            "Now the root mean square is 1. The paper divides by the standard *deviation*, in "
            "which the mean does not count."
        )
    if abs(outs[0] - 1) < 0.1 and abs(outs[1] - 1) > 0.3:
        raise Hint(
            "The first layer is right, and the next is not: it was measured before the first had "
            "changed. Run the batch anew for each layer."
        )
    if abs(outs[0] - 1) > 0.5:
        raise Hint(
            f"The first layer's output has standard deviation {outs[0]:.2g}. *Divide* the weight "
            "by it, and by it, not by its square."
        )
    raise Hint(
        "Near 1, but not within `tol`: the bias is not divided, so one round is not enough "
        f"(got {', '.join(f'{std:.2f}' for std in outs)})."
    )


def _stds(model, x):
    stds = []
    handles = [
        m.register_forward_hook(lambda m, a, out: stds.append(out.std().item()))
        for m in model.modules()
        if isinstance(m, nn.Linear)
    ]
    with mini.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return stds


def _linears(model):
    return [m for m in model.modules() if isinstance(m, nn.Linear)]


@check_lsuv_.wrong("*before* you divide")
def does_not_ask_for_the_tolerance(model, x, tol=0.01, max_rounds=10):
    lsuv_(model, x, 0, max_rounds)


@check_lsuv_.wrong("one round is not enough")
def divides_once(model, x, tol=0.01, max_rounds=10):
    lsuv_(model, x, max_rounds=1)


@check_lsuv_.wrong("no more")
def never_stops_counting(model, x, tol=0.01, max_rounds=10):
    lsuv_(model, x, tol)


@check_lsuv_.wrong("that are there")
def makes_new_parameters(model, x, tol=0.01, max_rounds=10):
    lsuv_(model, x, tol, max_rounds)
    for layer in _linears(model):
        layer.weight = nn.Parameter(layer.weight.detach().clone())


@check_lsuv_.wrong("Run the batch anew")
def measures_all_at_once(model, x, tol=0.01, max_rounds=10):
    with mini.no_grad():
        for layer, std in zip(_linears(model), _stds(model, x), strict=True):
            layer.weight.div_(std)


@check_lsuv_.wrong("not by its square")
def divides_by_the_variance(model, x, tol=0.01, max_rounds=10):
    with mini.no_grad():
        for i, layer in enumerate(_linears(model)):
            layer.weight.div_(_stds(model, x)[i] ** 2)


@check_lsuv_.wrong("the standard *deviation*")
def divides_by_the_root_mean_square(model, x, tol=0.01, max_rounds=10):
    with mini.no_grad():
        for layer in _linears(model):
            for _ in range(max_rounds):
                out = []
                handle = layer.register_forward_hook(lambda m, a, h, out=out: out.append(h))
                model(x)
                handle.remove()
                layer.weight.div_((out[0] ** 2).mean().sqrt().item())


@check_lsuv_.wrong("the biases stay")
def scales_the_bias(model, x, tol=0.01, max_rounds=10):
    with mini.no_grad():
        for i, layer in enumerate(_linears(model)):
            std = _stds(model, x)[i]
            layer.weight.div_(std)
            layer.bias.div_(std)


@check_lsuv_.wrong("under `no_grad`")
def records_the_change(model, x, tol=0.01, max_rounds=10):
    for i, layer in enumerate(_linears(model)):
        layer.weight.div_(_stds(model, x)[i])


@check_lsuv_.wrong("`remove()` it")
def leaves_a_hook(model, x, tol=0.01, max_rounds=10):
    lsuv_(model, x)
    model[0].register_forward_hook(lambda m, a, out: None)
