"""Exercises of the chapter optimizers. The form: dlcourse/exercises/__init__.py."""

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="first_step",
    solution=0.9,
    reasoning=(
        "After one step the corrected averages are the gradient and its square, so the step is "
        r"$\eta\, g / (|g| + \epsilon)$, nearly $\eta \operatorname{sign}(g)$: 0.1, however small "
        "the gradient is. The weight is 0.900."
    ),
    shown="Adam's first step has the length of the learning rate, whatever the gradient's size.",
)
def check_first_step(answer):
    if close(answer, 1 - 0.1 * 0.0001, rtol=1e-6):
        raise Hint("That is a step of SGD: `lr` times the gradient. What does Adam divide by?")
    if close(answer, 1 - 0.1 * 0.1 / np.sqrt(0.001), rtol=2e-3):
        raise Hint("Without the corrections it would be that. What divides m and v at t = 1?")
    if close(answer, 1.1, rtol=1e-3):
        raise Hint("The right distance, uphill. The gradient is positive: which way is down?")
    if close(answer, 0.1, rtol=1e-3):
        raise Hint("That is the length of the step. Where does it lead from 1.0?")
    if not close(answer, 0.9, rtol=1e-3):
        raise Hint(
            "Not yet. Write down m, v, and both after their correction, for t = 1: what is left "
            "of the gradient's size in their quotient?"
        )


check_first_step.wrong("a step of SGD", 0.99999)
check_first_step.wrong("Without the corrections", 0.684)
check_first_step.wrong("uphill", 1.1)
check_first_step.wrong("length of the step", 0.1)
check_first_step.wrong("for t = 1", 0.5)


# -- by hand -----------------------------------------------------------------------------------


def best_momentum(mu, L):
    """(lr, momentum) with which the heavy ball is fastest on curvatures mu to L."""
    low, high = np.sqrt(mu), np.sqrt(L)
    return 4 / (high + low) ** 2, ((high - low) / (high + low)) ** 2


@exercise(
    solution=best_momentum,
    reasoning=r"""The window $(1 - \sqrt\beta)^2 \le \eta\lambda \le (1 + \sqrt\beta)^2$ must have
its ends at $\mu$ and $L$. Their ratio gives $\sqrt\beta = (\sqrt\kappa - 1)/(\sqrt\kappa + 1)$, and
the momentum is its square; the upper end then gives $\eta = (1 + \sqrt\beta)^2 / L$. For a round
bowl, $\mu = L$, that is $\beta = 0$ and $\eta = 1/L$, and a single step ends at the minimum.""",
    shown="One setting, and every curvature between mu and L shrinks at the same rate.",
)
def check_best_momentum(best_momentum):
    pair = best_momentum(1.0, 9.0)
    expect(
        isinstance(pair, tuple | list | np.ndarray) and len(pair) == 2,
        "Return two numbers, the learning rate and the momentum.",
    )
    lr, momentum = pair
    if close(momentum, 0.5):
        raise Hint("0.5 is the factor per step for mu = 1, L = 9. The momentum is its square.")
    if close(lr, 0.25) and close(momentum, 0.64):
        raise Hint("The condition number enters by its *root*: the roots of mu and L, not they.")
    if close(lr, 2 / 10):
        raise Hint("2 / (mu + L) is the best rate of gradient descent. Momentum allows more.")
    if close(lr, 1 / 9):
        raise Hint("1 / L is safe, not best: the window's upper end is at (1 + sqrt(beta))^2 / L.")
    expect_close(pair, (0.25, 0.25), "best_momentum(1, 9)")
    if close(best_momentum(4.0, 100.0), ((8 / 12) ** 2, 4 / 144)):
        raise Hint("The two have changed places: the learning rate comes first, then the momentum.")
    expect_close(best_momentum(2.0, 2.0), (0.5, 0.0), "best_momentum(2, 2), a round bowl")
    expect_close(best_momentum(4.0, 100.0), (4 / 144, (8 / 12) ** 2), "best_momentum(4, 100)")


@check_best_momentum.wrong("The momentum is its square")
def forgets_the_square(mu, L):
    lr, momentum = best_momentum(mu, L)
    return lr, np.sqrt(momentum)


@check_best_momentum.wrong("best rate of gradient descent")
def keeps_the_rate(mu, L):
    return 2 / (mu + L), best_momentum(mu, L)[1]


@check_best_momentum.wrong("safe, not best")
def takes_one_over_l(mu, L):
    return 1 / L, best_momentum(mu, L)[1]


@check_best_momentum.wrong("by its *root*")
def forgets_the_roots(mu, L):
    return best_momentum(mu, L)[0], ((L - mu) / (L + mu)) ** 2


@check_best_momentum.wrong("changed places")
def exchanges_them(mu, L):
    return best_momentum(mu, L)[::-1]


@check_best_momentum.wrong("best_momentum(4, 100)")
def knows_the_ratio_alone(mu, L):
    root = np.sqrt(L / mu)
    return (4 / (root + 1) ** 2 if mu < 2 else 2 / (L + mu)), ((root - 1) / (root + 1)) ** 2


# -- change the code ---------------------------------------------------------------------------


def clip_norm(grads, max_norm):
    """Scale arrays in place to a joint norm of max_norm at most; the old norm."""
    norm = np.sqrt(sum((g * g).sum() for g in grads))
    if norm > max_norm:
        for g in grads:
            g *= max_norm / norm
    return norm


@exercise(
    solution=clip_norm,
    reasoning="""All gradients are one long vector, whose squared norm is the sum of those of its
pieces. One factor for all keeps its direction. `g *= factor` writes into the array that the caller
holds; `g = g * factor` would make another. The `if` also keeps us from dividing by a norm of 0.""",
    shown="One factor for all: the direction stays, the length is limited.",
)
def check_clip_norm(clip_norm):
    def after(max_norm):
        held = [np.array([[3.0, 0.0]]), np.array([0.0, -4.0, 12.0])]  # norms 3 and sqrt(160)
        grads = list(held)
        norm = clip_norm(grads, max_norm)
        if any(g is not own for g, own in zip(grads, held, strict=True)):
            raise Hint("You put new arrays into the list; a parameter's own would stay as it was.")
        return norm, np.concatenate([g.ravel() for g in held])

    start = np.array([3.0, 0.0, 0.0, -4.0, 12.0])  # norm 13
    norm, got = after(6.5)
    if close(got, start):
        raise Hint("The arrays are as they were. Write into them: `g *= factor`, not `g = ...`.")
    if close(got, np.clip(start, -6.5, 6.5)):
        raise Hint("That limits each element by itself, and turns the whole. One factor for all.")
    pieces = np.concatenate([start[:2], start[2:] * 6.5 / np.sqrt(160)])
    if close(got, pieces):
        raise Hint("That limits each array by itself. The norm is that of all arrays together.")
    if close(got, start * 6.5 / 169) or close(got, start / 26):
        raise Hint("169 is the sum of the squares. The norm is its root.")
    expect_close(got, start / 2, "the gradients after clip_norm to 6.5, of norm 13 before")
    _, small = after(26.0)
    if close(small, 2 * start):
        raise Hint("A norm below the limit must stay as it is; yours is stretched up to it.")
    expect_close(small, start, "the gradients after clip_norm to 26")
    expect_close(norm, 13.0, "what clip_norm returns", "It is the norm before clipping.")
    try:
        zeros = [np.zeros((2, 2)), np.zeros(3)]
        norm = clip_norm(zeros, 1.0)
    except ZeroDivisionError:
        norm = np.nan
    if not (close(norm, 0.0) and close(zeros[0], np.zeros((2, 2)))):
        raise Hint("Gradients may all be 0, and then you divide by 0. Scale only above the limit.")


@check_clip_norm.wrong("as they were")
def makes_new_arrays(grads, max_norm):
    norm = np.sqrt(sum((g * g).sum() for g in grads))
    grads = [g * min(1, max_norm / norm) for g in grads]
    return norm


@check_clip_norm.wrong("new arrays into the list")
def puts_new_arrays_into_the_list(grads, max_norm):
    norm = np.sqrt(sum((g * g).sum() for g in grads))
    for i, g in enumerate(grads):
        grads[i] = g * min(1, max_norm / norm)
    return norm


@check_clip_norm.wrong("divide by 0")
def divides_by_zero(grads, max_norm):
    norm = float(np.sqrt(sum((g * g).sum() for g in grads)))
    for g in grads:
        g *= min(1, max_norm / norm)
    return norm


@check_clip_norm.wrong("each element by itself")
def clips_by_value(grads, max_norm):
    for g in grads:
        np.clip(g, -max_norm, max_norm, out=g)
    return 13.0


@check_clip_norm.wrong("each array by itself")
def clips_each(grads, max_norm):
    for g in grads:
        clip_norm([g], max_norm)
    return 13.0


@check_clip_norm.wrong("its root")
def forgets_the_root(grads, max_norm):
    norm = sum((g * g).sum() for g in grads)
    for g in grads:
        g *= min(1, max_norm / norm)
    return norm


@check_clip_norm.wrong("stretched up to it")
def always_rescales(grads, max_norm):
    norm = np.sqrt(sum((g * g).sum() for g in grads))
    for g in grads:
        g *= max_norm / norm
    return norm


@check_clip_norm.wrong("the norm before clipping")
def returns_the_new_norm(grads, max_norm):
    return min(clip_norm(grads, max_norm), max_norm)


# -- parameter groups --------------------------------------------------------------------------


def decay_groups(model, weight_decay):
    """Two parameter groups: what is decayed, and what is not."""
    params = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in params if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0},
    ]


class _Tied(mini.nn.Module):
    """An embedding whose weight the last layer shares, two layers more, and a frozen one."""

    def __init__(self):
        super().__init__()
        self.embedding = mini.nn.Embedding(5, 4)
        self.frozen = mini.nn.Linear(4, 4)
        self.conv = mini.nn.Conv1d(4, 4, 3)
        self.norm = mini.nn.LayerNorm(4)
        self.head = mini.nn.Linear(4, 5)
        self.head.weight = self.embedding.weight
        for p in self.frozen.parameters():
            p.requires_grad_(False)


@exercise(
    solution=decay_groups,
    reasoning="""Dimensions tell more than names: the scale of a normalisation layer is called
`weight`, and has one dimension. `parameters()` gives a shared parameter once, and a frozen one
is left out by `requires_grad`.""",
    shown="Matrices are decayed; biases and scales are not, whatever they are called.",
)
def check_decay_groups(decay_groups):
    model = _Tied()
    names = {id(p): n for n, p in model.named_parameters()}
    groups = decay_groups(model, 0.1)
    expect(
        isinstance(groups, list | tuple) and all(isinstance(g, dict) for g in groups),
        "Return a list of dictionaries, as the optimiser takes them.",
    )
    expect(
        all({"params", "weight_decay"} <= g.keys() for g in groups),
        'Each group is {"params": [...], "weight_decay": ...}.',
    )
    where = {}
    for group in groups:
        for p in group["params"]:
            expect(id(p) in names, "Give the optimiser the model's parameters, not copies of them.")
            name = names[id(p)]
            expect(name not in where, f"`{name}` is there twice: it is shared by two layers.")
            where[name] = group["weight_decay"]
    for name in names.values():
        if name.startswith("frozen"):
            expect(name not in where, f"`{name}` does not require a gradient: leave it out.")
        else:
            expect(name in where, f"`{name}` is in no group, and would not be trained.")
    expect(
        where["norm.weight"] == 0,
        "`norm.weight` is decayed: it is a scale of a normalisation layer, called weight all the "
        "same. Look at dimensions, not at names.",
    )
    expect(where["head.bias"] == 0, "`head.bias` is decayed. Biases should not be.")
    expect(where["embedding.weight"] == 0.1, "The matrix `embedding.weight` is not decayed.")
    expect(
        where["conv.weight"] == 0.1,
        "`conv.weight` is not decayed. It has three dimensions: two *or more* are decayed.",
    )
    mini.optim.AdamW(groups, lr=0.1)


@check_decay_groups.wrong("at dimensions, not at names")
def splits_by_name(model, weight_decay):
    named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for n, p in named if "bias" not in n], "weight_decay": weight_decay},
        {"params": [p for n, p in named if "bias" in n], "weight_decay": 0.0},
    ]


@check_decay_groups.wrong("leave it out")
def keeps_the_frozen(model, weight_decay):
    params = list(model.parameters())
    return [
        {"params": [p for p in params if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0},
    ]


@check_decay_groups.wrong("is there twice")
def goes_layer_by_layer(model, weight_decay):
    params = [p for layer in model.children() for p in layer.parameters() if p.requires_grad]
    return [
        {"params": [p for p in params if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in params if p.ndim < 2], "weight_decay": 0.0},
    ]


@check_decay_groups.wrong("would not be trained")
def forgets_the_rest(model, weight_decay):
    return decay_groups(model, weight_decay)[:1]


@check_decay_groups.wrong("two *or more*")
def takes_two_dimensions_alone(model, weight_decay):
    params = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in params if p.ndim == 2], "weight_decay": weight_decay},
        {"params": [p for p in params if p.ndim != 2], "weight_decay": 0.0},
    ]


@check_decay_groups.wrong("is not decayed")
def swaps_them(model, weight_decay):
    decayed, rest = decay_groups(model, weight_decay)
    return [{**decayed, "weight_decay": 0.0}, rest]


# -- an optimiser from a paper -----------------------------------------------------------------


class AdaBelief(mini.optim.Optimizer):
    """Adam that divides by the spread of the gradients about their mean."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-16):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def update(self, x, grad, state, group):
        """Change the array x in place; keep tensors step, exp_avg, exp_avg_var."""
        if not state:
            state["step"] = mini.tensor(0.0)
            for name in ("exp_avg", "exp_avg_var"):
                state[name] = mini.tensor(np.zeros_like(x))
        beta1, beta2 = group["betas"]
        step, mean, spread = (s.numpy() for s in state.values())
        step += 1
        mean += (1 - beta1) * (grad - mean)
        spread *= beta2
        spread += (1 - beta2) * (grad - mean) ** 2 + group["eps"]
        mean = mean / (1 - beta1 ** step.item())
        spread = spread / (1 - beta2 ** step.item())
        x -= group["lr"] * mean / (np.sqrt(spread) + group["eps"])


def _beliefs(grads, lr=0.1, betas=(0.9, 0.99), eps=1e-16, *, old=False, square=False, **leave):
    """The positions that the formula gives; the options make the known mistakes."""
    (beta1, beta2), x, mean, spread, path = betas, 1.0, 0.0, 0.0, []
    for t, grad in enumerate(grads, 1):
        before, mean = mean, beta1 * mean + (1 - beta1) * grad
        away = grad if square else grad - (before if old else mean)
        spread = beta2 * spread + (1 - beta2) * away**2 + (0 if leave.get("eps_out") else eps)
        correct1 = 1 if leave.get("raw") else 1 - beta1**t
        correct2 = 1 if leave.get("raw") else 1 - beta2**t
        x -= lr * mean / correct1 / (np.sqrt(spread / correct2) + eps)
        path.append(x)
    return path


_GRADS = [1.0, 2.0, -1.5, 0.5]


@exercise(
    solution=AdaBelief,
    reasoning=r"""On a straight slope all gradients are as expected, the spread goes to 0 and the
steps become long; where gradients contradict what was expected they become short. Already the first
step is $1/\beta_1$ times Adam's, because $g_1 - m_1 = \beta_1 g_1$. State that must
survive `state_dict` is kept as tensors in `state`; `x`, and the arrays behind those tensors, are
changed in place.""",
    shown="It speeds up where gradients are what it expected, and slows down where they are not.",
    stub='''
class AdaBelief(mini.optim.Optimizer):
    """Adam that divides by the spread of the gradients about their mean."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-16):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps})

    def update(self, x, grad, state, group):
        """Change the array x in place; keep tensors step, exp_avg, exp_avg_var."""
        ...
''',
)
def check_AdaBelief(AdaBelief):
    def path(eps, resume=False):
        p = mini.tensor([1.0], dtype=mini.float64, requires_grad=True)
        options = {"lr": 0.1, "betas": (0.9, 0.99), "eps": eps}
        optimizer, seen = AdaBelief([p], **options), []
        for grad in _GRADS:
            p.grad = mini.tensor([grad], dtype=mini.float64)
            optimizer.step()
            seen.append(p.item())
            if resume:
                fresh = AdaBelief([p], **options)
                fresh.load_state_dict(optimizer.state_dict())
                optimizer = fresh
        return seen

    got = path(1e-16)
    if close(got, [1.0] * 4):
        raise Hint("Nothing moves: change `x` in place, `x -= ...`; `x = x - ...` makes another.")
    if close(got, _beliefs(_GRADS, square=True)):
        raise Hint("That is Adam itself: it averages grad ** 2. Subtract the mean before squaring.")
    if close(got, _beliefs(_GRADS, old=True)):
        raise Hint("You subtract the mean from *before* this step; update the mean first.")
    if close(got, _beliefs(_GRADS, raw=True)):
        raise Hint("Both averages start at 0: divide them by 1 - beta ** step, as Adam does.")
    expect_close(got, _beliefs(_GRADS), f"x after each of the gradients {_GRADS}")
    got = path(0.1)
    if close(got, _beliefs(_GRADS, eps=0.1, eps_out=True)):
        raise Hint("With eps = 0.1 there is a difference: eps is also added to the average itself.")
    expect_close(got, _beliefs(_GRADS, eps=0.1), "x after each gradient, for eps = 0.1")
    expect_close(
        path(1e-16, resume=True),
        _beliefs(_GRADS),
        "x, with the optimiser saved and loaded after each step",
        "Keep all that it remembers in `state`, as tensors, and the step count, too.",
    )
    pair = mini.tensor([1.0, 1.0], dtype=mini.float64, requires_grad=True)
    optimizer = AdaBelief([pair], lr=0.1, betas=(0.9, 0.99))
    pair.grad = mini.tensor([1.0, 3.0], dtype=mini.float64)
    optimizer.step()
    expect_close(
        pair.numpy(force=True),
        _beliefs([1.0]) * 2,
        "two weights, both 1, after one step with the gradients 1 and 3",
        "Each weight has a spread of its own: no sum or mean over the weights.",
    )


def _belief_with(update):
    """AdaBelief, but for its `update(x, grad, state, group)`."""

    class OtherBelief(AdaBelief):
        pass

    OtherBelief.update = update
    return OtherBelief


def _mistaken(**mistake):
    """AdaBelief by the formula, with a mistake; it remembers all gradients."""

    def update(self, x, grad, state, group):
        state["seen"] = mini.tensor([*(state["seen"].tolist() if state else []), grad.item()])
        grads = np.round(state["seen"].numpy(), 3).tolist()
        settings = {k: group[k] for k in ("lr", "betas", "eps")}
        x[...] = _beliefs(grads, **settings, **mistake)[-1]

    return _belief_with(update)


def _out_of_place(self, x, grad, state, group):
    x = x - group["lr"] * grad


def _remembers_elsewhere(self, x, grad, state, group):
    self.seen = [*getattr(self, "seen", []), grad.item()]
    settings = {k: group[k] for k in ("lr", "betas", "eps")}
    x[...] = _beliefs(self.seen, **settings)[-1]


def _one_spread_for_all(self, x, grad, state, group):
    if not state:
        state["step"] = mini.tensor(0.0)
        for name in ("exp_avg", "exp_avg_var"):
            state[name] = mini.tensor(np.zeros_like(x))
    (beta1, beta2), (step, mean, spread) = group["betas"], (s.numpy() for s in state.values())
    step += 1
    mean += (1 - beta1) * (grad - mean)
    spread *= beta2
    spread += (1 - beta2) * ((grad - mean) ** 2).mean() + group["eps"]
    hat = np.sqrt(spread / (1 - beta2 ** step.item()))
    x -= group["lr"] * mean / (1 - beta1 ** step.item()) / (hat + group["eps"])


check_AdaBelief.wrong("Nothing moves", _belief_with(_out_of_place))
check_AdaBelief.wrong("a spread of its own", _belief_with(_one_spread_for_all))
check_AdaBelief.wrong("That is Adam itself", _mistaken(square=True))
check_AdaBelief.wrong("update the mean first", _mistaken(old=True))
check_AdaBelief.wrong("as Adam does", _mistaken(raw=True))
check_AdaBelief.wrong("added to the average itself", _mistaken(eps_out=True))
check_AdaBelief.wrong("saved and loaded", _belief_with(_remembers_elsewhere))
