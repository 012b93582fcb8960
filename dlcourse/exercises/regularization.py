"""Exercises of the chapter regularization. The form: dlcourse/exercises/__init__.py."""

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="running",
    solution=(0.5, 2.2),
    reasoning=(
        "The batch has mean 5 and unbiased variance $26 / 2 = 13$. A tenth of the new, nine tenths "
        "of the old: the mean is $0.9 \\cdot 0 + 0.1 \\cdot 5 = 0.5$, the variance "
        "$0.9 \\cdot 1 + 0.1 \\cdot 13 = 2.2$."
    ),
    shown="The momentum is the share of the new value, and the variance kept is the unbiased one.",
)
def check_running(answer):
    if close(answer, (5.0, 13.0)) or close(answer, (5.0, 26 / 3)):
        raise Hint("Those are the batch's own statistics. The running ones move only a part of it.")
    if close(answer, (0.5, 0.9 + 2.6 / 3)):
        raise Hint("The mean is right. Which variance is remembered: divided by 3, or by 2?")
    if close(answer, (4.5, 0.1 + 0.9 * 13)) or close(answer, (4.5, 0.1 + 0.9 * 26 / 3)):
        raise Hint("In this layer momentum 0.1 is the share of the *new* value, not of the old.")
    if close(answer, (0.5, 1.3)):
        raise Hint("The running variance started at 1, and nine tenths of that are still there.")
    expect_close(answer, (0.5, 2.2), "running", "First the mean and both variances on paper.")


check_running.wrong("the batch's own statistics", (5.0, 13.0))
check_running.wrong("divided by 3, or by 2", (0.5, 0.9 + 2.6 / 3))
check_running.wrong("share of the *new*", (4.5, 0.1 + 0.9 * 13))
check_running.wrong("started at 1", (0.5, 1.3))


# -- by hand -----------------------------------------------------------------------------------


def elastic(w_star, l1, l2):
    """The minimum over w of (w - w_star)^2 / 2 + l1 |w| + l2 w^2 / 2."""
    return np.sign(w_star) * np.maximum(np.abs(w_star) - l1, 0) / (1 + l2)


@exercise(
    solution=elastic,
    reasoning=r"""For $w > 0$ the derivative is $(1 + \lambda_2) w - w^* + \lambda_1$. It vanishes
at $(w^* - \lambda_1)/(1 + \lambda_2)$, which counts if it is positive. The other side mirrors it,
and where neither counts the minimum is the corner at 0. L1 subtracts, then L2 divides.""",
    shown="L1 decides which weights live, L2 how large the living are.",
)
def check_elastic(elastic):
    w, l1, l2 = np.array([-3.0, -0.4, 0.0, 0.5, 2.0]), 0.5, 1.0
    truth = np.array([-1.25, 0.0, 0.0, 0.0, 0.75])
    try:
        got = elastic(w.copy(), l1, l2)
    except ValueError as error:
        if "ambiguous" in str(error):
            raise Hint(
                "`if` asks one number, and here come five: `np.maximum` and `np.sign` take arrays."
            ) from None
        raise
    if close(got, w / 2 - np.sign(w) * l1) or close(got, (w - np.sign(w) * l1) / 2):
        raise Hint("A weight smaller than `l1` has changed its sign. Where does L1 stop?")
    if close(got, np.sign(w) * np.maximum(abs(w) / 2 - l1, 0)):
        raise Hint("The order matters: here L2 divides before L1 subtracts. Set the derivative 0.")
    if close(got, np.where(abs(w) > l1, w, 0) / 2):
        raise Hint("That keeps or kills. The weights that are kept pay `l1`, too.")
    if close(got, np.sign(w) * np.maximum(abs(w) - l1, 0)):
        raise Hint("That is L1 alone. Where is `l2`?")
    if close(got, np.maximum(w - l1, 0) / 2):
        raise Hint("Right for positive weights. The other side mirrors it: bring the sign back.")
    expect_close(got, truth, "elastic([-3, -0.4, 0, 0.5, 2], 0.5, 1)")
    expect_close(elastic(np.array([2.0]), 0.2, 0.5), [1.2], "elastic([2], 0.2, 0.5)")


@check_elastic.wrong("changed its sign")
def subtracts_without_end(w_star, l1, l2):
    return (w_star - np.sign(w_star) * l1) / (1 + l2)


@check_elastic.wrong("The order matters")
def divides_first(w_star, l1, l2):
    return np.sign(w_star) * np.maximum(np.abs(w_star) / (1 + l2) - l1, 0)


@check_elastic.wrong("pay `l1`, too")
def hard_threshold(w_star, l1, l2):
    return np.where(np.abs(w_star) > l1, w_star, 0) / (1 + l2)


@check_elastic.wrong("Where is `l2`")
def forgets_l2(w_star, l1, l2):
    return np.sign(w_star) * np.maximum(np.abs(w_star) - l1, 0)


@check_elastic.wrong("bring the sign back")
def forgets_the_negative(w_star, l1, l2):
    return np.maximum(w_star - l1, 0) / (1 + l2)


@check_elastic.wrong("asks one number")
def compares_an_array(w_star, l1, l2):
    return (w_star - l1) / (1 + l2) if w_star > l1 else 0.0


# -- derive backward ---------------------------------------------------------------------------


def layer_norm_backward(x, gamma, grad_output, eps=1e-5):
    """The gradient by x of layer normalisation, each row by itself."""
    row = {"axis": 1, "keepdims": True}
    centred = x - x.mean(**row)
    s = np.sqrt((centred**2).mean(**row) + eps)  # (B, 1)
    hat, u = centred / s, gamma * grad_output  # (B, D)
    return (u - u.mean(**row) - hat * (u * hat).mean(**row)) / s


@exercise(
    solution=layer_norm_backward,
    reasoning=r"""$u = \gamma \odot g$ comes first, for $\gamma$ differs within a row and cannot be
pulled out of the mean. Then the projection: $u$ without its mean and without its part along
$\hat x$, both taken along the row, divided by the row's own $s$. For $D = 2$ nothing is left: two
directions are taken from a row of two numbers, and the layer makes them 1 and -1 in any case.""",
    shown="A projection in each row: what the layer undoes has no gradient.",
)
def check_layer_norm_backward(layer_norm_backward):
    rng = np.random.default_rng(0)
    x, grad, gamma = rng.normal(size=(4, 4)), rng.normal(size=(4, 4)), rng.normal(1, 1, 4)
    X = mini.tensor(x, requires_grad=True)
    out = mini.nn.functional.layer_norm(X, (4,), mini.tensor(gamma))
    out.backward(mini.tensor(grad))
    row = {"axis": 1, "keepdims": True}
    s = np.sqrt(x.var(**row) + 1e-5)
    hat, u = (x - x.mean(**row)) / s, gamma * grad
    got = layer_norm_backward(x.copy(), gamma.copy(), grad.copy())
    if close(got, u / s):
        raise Hint("That takes mean and variance for constants, but `x` moves both.")
    if close(got, (u - u.mean(**row)) / s):
        raise Hint("The way through the mean is there. The one through the variance is missing.")
    if close(got, (u - hat * (u * hat).mean(**row)) / s):
        raise Hint("The way through the variance is there. The one through the mean is missing.")
    inside = grad - grad.mean(**row) - hat * (grad * hat).mean(**row)
    if close(got, gamma * inside / s):
        raise Hint("`gamma` differs within a row: multiply by it *before* the means are taken.")
    if close(got, inside / s):
        raise Hint("Where is `gamma`?")
    if close(got, u - u.mean(**row) - hat * (u * hat).mean(**row)):
        raise Hint("The bracket is right. It is divided by the row's `s`.")
    s0 = np.sqrt(x.var(0) + 1e-5)
    hat0 = (x - x.mean(0)) / s0
    if close(got, (u - u.mean(0) - hat0 * (u * hat0).mean(0)) / s0):
        raise Hint("That is batch normalisation. Here the sums run along a row: `axis=1`.")
    expect_close(got, X.grad, "the gradient by x")
    for shape, eps, what, hint in (
        ((4, 4), 1.0, "the gradient with eps=1", "Is `eps` added below the root?"),
        ((2, 5), 1e-5, "the gradient for x of shape (2, 5)", "A mean along a row divides by D."),
    ):
        x, grad, gamma = rng.normal(size=shape), rng.normal(size=shape), rng.normal(size=shape[1])
        s = np.sqrt(x.var(**row) + eps)
        hat, u = (x - x.mean(**row)) / s, gamma * grad
        truth = (u - u.mean(**row) - hat * (u * hat).mean(**row)) / s
        expect_close(layer_norm_backward(x, gamma, grad, eps), truth, what, hint)


def _layer_norm_parts(x):
    s = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    return (x - x.mean(axis=1, keepdims=True)) / s, s


@check_layer_norm_backward.wrong("for constants")
def takes_statistics_for_constants(x, gamma, grad_output, eps=1e-5):
    return gamma * grad_output / _layer_norm_parts(x)[1]


@check_layer_norm_backward.wrong("through the variance is missing")
def forgets_the_variance(x, gamma, grad_output, eps=1e-5):
    u = gamma * grad_output
    return (u - u.mean(axis=1, keepdims=True)) / _layer_norm_parts(x)[1]


@check_layer_norm_backward.wrong("through the mean is missing")
def forgets_the_mean(x, gamma, grad_output, eps=1e-5):
    (hat, s), u = _layer_norm_parts(x), gamma * grad_output
    return (u - hat * (u * hat).mean(axis=1, keepdims=True)) / s


@check_layer_norm_backward.wrong("*before* the means")
def multiplies_by_gamma_last(x, gamma, grad_output, eps=1e-5):
    return gamma * layer_norm_backward(x, 1.0, grad_output)


@check_layer_norm_backward.wrong("That is batch normalisation")
def along_the_batch(x, gamma, grad_output, eps=1e-5):
    return layer_norm_backward(x.T, 1.0, (gamma * grad_output).T).T


@check_layer_norm_backward.wrong("divides by D")
def divides_by_the_batch(x, gamma, grad_output, eps=1e-5):
    centred = x - x.mean(axis=1, keepdims=True)
    s = np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps)
    hat, u, B = centred / s, gamma * grad_output, len(x)
    along = hat * (u * hat).sum(axis=1, keepdims=True) / B
    return (u - u.sum(axis=1, keepdims=True) / B - along) / s


@check_layer_norm_backward.wrong("below the root")
def ignores_eps(x, gamma, grad_output, eps=1e-5):
    return layer_norm_backward(x, gamma, grad_output)


# -- change the code ---------------------------------------------------------------------------


def stop_at(losses, patience):
    """(the index at which training stops, the index of the weights to restore)"""
    best = bad = 0
    for look in range(1, len(losses)):
        best, bad = (look, 0) if losses[look] < losses[best] else (best, bad + 1)
        if bad == patience:
            return look, best
    return len(losses) - 1, best


@exercise(
    solution=stop_at,
    reasoning="""The counter starts anew at each new *best*, not at each fall: a loss that falls
from bad to less bad is no improvement. An equal loss is none, either, or a plateau would train for
ever. And the weights to restore are those of the best look, `patience` looks before the end.""",
    shown="Patience counts looks without a new best, and the weights come from the best look.",
)
def check_stop_at(stop_at):
    losses = [3.0, 2.0, 2.5, 2.2, 2.1, 1.0]
    got = stop_at(list(losses), 3)
    expect(np.shape(got) == (2,), "Two numbers are wanted: where it stops, and what it restores.")
    if close(got, (4, 4)):
        raise Hint("The right moment; but the weights of the last look are not the best ones.")
    if close(got, (5, 5)) and close(stop_at([2.0, 1.0, 1.5, 1.5, 1.5, 1.5], 3), (5, 1)):
        raise Hint("One too late: the third bad look in a row is the last, not the fourth.")
    if close(got, (5, 5)):
        raise Hint(
            "Look 3 is better than look 2, but not than the best so far: no reason to begin to "
            "count anew."
        )
    if close(got, (3, 1)):
        raise Hint("One too early: with patience 3 the third bad look in a row is the last.")
    if close(got, (2, 1)):
        raise Hint("That stops at the first rise. What is `patience` for?")
    expect_close(got, (4, 1), "stop_at([3, 2, 2.5, 2.2, 2.1, 1], 3)")
    expect_close(stop_at([2.0, 1.0, 1.0, 1.0, 1.0], 2), (3, 1), "stop_at([2, 1, 1, 1, 1], 2)",
                 "An equal loss is no improvement.")  # fmt: skip
    expect_close(stop_at([3.0, 2.0, 1.0, 1.5], 3), (3, 2), "stop_at([3, 2, 1, 1.5], 3)",
                 "Here the losses end before the patience does.")  # fmt: skip
    expect_close(stop_at([3.0, 4.0, 2.0, 2.5, 1.0], 2), (4, 4), "stop_at([3, 4, 2, 2.5, 1], 2)",
                 "Bad looks count in a row: a new best sets the count back to 0.")  # fmt: skip


@check_stop_at.wrong("not the best ones")
def restores_the_last(losses, patience):
    last, _ = stop_at(losses, patience)
    return last, last


@check_stop_at.wrong("count anew")
def compares_with_the_look_before(losses, patience):
    bad = 0
    for look in range(1, len(losses)):
        bad = 0 if losses[look] < losses[look - 1] else bad + 1
        if bad == patience:
            return look, int(np.argmin(losses[: look + 1]))
    return len(losses) - 1, int(np.argmin(losses))


@check_stop_at.wrong("One too early")
def one_too_early(losses, patience):
    return stop_at(losses, patience - 1)


@check_stop_at.wrong("One too late")
def one_too_late(losses, patience):
    return stop_at(losses, patience + 1)


@check_stop_at.wrong("back to 0")
def counts_all_bad_looks(losses, patience):
    best = bad = 0
    for look in range(1, len(losses)):
        best, bad = (look, bad) if losses[look] < losses[best] else (best, bad + 1)
        if bad == patience:
            return look, best
    return len(losses) - 1, best


@check_stop_at.wrong("What is `patience` for")
def at_the_first_rise(losses, patience):
    return stop_at(losses, 1)


@check_stop_at.wrong("An equal loss")
def takes_equal_for_better(losses, patience):
    best = bad = 0
    for look in range(1, len(losses)):
        best, bad = (look, 0) if losses[look] <= losses[best] else (best, bad + 1)
        if bad == patience:
            return look, best
    return len(losses) - 1, best


# -- build new ---------------------------------------------------------------------------------


def fold(linear, norm):
    """(weight, bias) of one linear layer that is norm(linear(x)) in eval mode."""
    ratio = norm.weight / (norm.running_var + norm.eps).sqrt()  # (D_out,)
    weight = linear.weight * ratio.unsqueeze(1)  # (D_out, D_in)
    start = -norm.running_mean if linear.bias is None else linear.bias - norm.running_mean
    return weight, start * ratio + norm.bias


def _layers(bias=True):
    """A linear layer and a batch normalisation whose numbers are all different."""
    rng = np.random.default_rng(0)
    linear = mini.nn.Linear(3, 3, bias=bias).double()
    norm = mini.nn.BatchNorm1d(3, eps=0.1).double()
    names = {"weight": 1, "bias": 0, "running_mean": 0}
    with mini.no_grad():
        for p in linear.parameters():
            p.copy_(mini.tensor(rng.normal(size=tuple(p.shape))))
        for name, mean in names.items():
            getattr(norm, name).copy_(mini.tensor(rng.normal(mean, 0.5, 3)))
        norm.running_var.copy_(mini.tensor(rng.uniform(0.5, 4, 3)))
    return linear, norm.eval()


def _values(linear, norm):
    return [
        tensor.numpy(force=True).copy()
        for layer in (linear, norm)
        for tensor in layer.state_dict().values()
    ]


@exercise(
    solution=fold,
    reasoning=r"""In evaluation the layer is affine: with $r = \gamma / \sqrt{\text{var} +
\epsilon}$, $y = r \odot (W x + b - \text{mean}) + \beta$. Row $k$ of $W$ makes output $k$, so it
is the row that is multiplied by $r_k$; the rest is the new bias.""",
    shown="In evaluation a batch normalisation costs nothing: it melts into the layer before it.",
)
def check_fold(fold):
    linear, norm = _layers()
    before = _values(linear, norm)
    got = fold(linear, norm)
    expect(
        all(close(a, b) for a, b in zip(_values(linear, norm), before, strict=True)),
        "The two layers are not as they were. Make a new weight and bias, and leave theirs alone.",
    )
    expect(
        isinstance(got, tuple | list) and len(got) == 2,
        "Two tensors are wanted: `(weight, bias)`.",
    )
    weight, bias = got
    W, ratio = linear.weight, norm.weight / (norm.running_var + norm.eps).sqrt()
    right = W * ratio.unsqueeze(1)
    if close(weight, W * ratio):
        raise Hint("That multiplies the columns of the weight. Output k is made by *row* k.")
    if close(weight, W * (norm.weight / norm.running_var.sqrt()).unsqueeze(1)):
        raise Hint("`eps` is missing below the root. Here it is 0.1, and it shows.")
    if close(weight, W * (norm.weight / (norm.running_var + norm.eps)).unsqueeze(1)):
        raise Hint("Divide by the standard deviation: the root of the variance.")
    expect_close(weight, right, "the weight")
    if close(bias, norm.bias - norm.running_mean * ratio):
        raise Hint("The linear layer has a bias of its own, and it goes through the layer, too.")
    if close(bias, linear.bias + norm.bias - norm.running_mean * ratio):
        raise Hint("The linear layer's bias is multiplied by the ratio, like the running mean.")
    expect_close(bias, (linear.bias - norm.running_mean) * ratio + norm.bias, "the bias")
    linear, norm = _layers(bias=False)
    try:
        _, bias = fold(linear, norm)
    except (TypeError, AttributeError):
        raise Hint("A linear layer made with `bias=False` has the bias None.") from None
    ratio = norm.weight / (norm.running_var + norm.eps).sqrt()
    expect_close(bias, norm.bias - norm.running_mean * ratio, "the bias, from bias=False")


def _ratio(norm):
    return norm.weight / (norm.running_var + norm.eps).sqrt()


@check_fold.wrong("made by *row* k")
def multiplies_columns(linear, norm):
    return linear.weight * _ratio(norm), fold(linear, norm)[1]


@check_fold.wrong("not as they were")
def writes_into_the_layer(linear, norm):
    weight, bias = fold(linear, norm)
    with mini.no_grad():
        linear.weight.copy_(weight)
    return linear.weight, bias


@check_fold.wrong("`eps` is missing")
def forgets_eps(linear, norm):
    ratio = norm.weight / norm.running_var.sqrt()
    return linear.weight * ratio.unsqueeze(1), (linear.bias - norm.running_mean) * ratio + norm.bias


@check_fold.wrong("the root of the variance")
def divides_by_the_variance(linear, norm):
    ratio = norm.weight / (norm.running_var + norm.eps)
    return linear.weight * ratio.unsqueeze(1), (linear.bias - norm.running_mean) * ratio + norm.bias


@check_fold.wrong("a bias of its own")
def forgets_the_bias(linear, norm):
    return fold(linear, norm)[0], norm.bias - norm.running_mean * _ratio(norm)


@check_fold.wrong("has the bias None")
def needs_a_bias(linear, norm):
    ratio = _ratio(norm)
    return linear.weight * ratio.unsqueeze(1), (linear.bias - norm.running_mean) * ratio + norm.bias


# -- read a paper ------------------------------------------------------------------------------


def standardise(weight, eps=1e-5):
    """Each weight[k] with mean 0 and variance 1, whatever its shape."""
    dims = tuple(range(1, weight.ndim))
    centred = weight - weight.mean(dims, keepdim=True)
    return centred / ((centred**2).mean(dims, keepdim=True) + eps).sqrt()


@exercise(
    solution=standardise,
    reasoning="""It is the chapter's `normalise` over all dimensions but the first. No batch appears
in it, so it serves batches of one. Autograd goes through mean and variance, so the gradient of each
filter is orthogonal to the ones and to the filter itself.""",
    shown="The same formula over the weights: no batch, no running statistics.",
)
def check_standardise(standardise):
    rng = np.random.default_rng(0)
    for shape in ((3, 2, 4, 4), (3, 5)):
        w = mini.tensor(rng.normal(1, 2, shape), requires_grad=True)
        dims = tuple(range(1, len(shape)))
        centred = w - w.mean(dims, keepdim=True)
        var = (centred**2).mean(dims, keepdim=True)
        try:
            got = standardise(w)
        except (IndexError, ValueError, RuntimeError):
            if len(shape) == 2:
                raise Hint(
                    "A linear layer's weight has two dimensions: use `weight.ndim`."
                ) from None
            raise
        n = w[0].numel()
        if close(got, centred / (var * n / (n - 1) + 1e-5).sqrt()):
            raise Hint("`var()` is unbiased unless told otherwise; normalising takes the biased.")
        if close(got, centred / (var + 1e-5)):
            raise Hint("Divide by the standard deviation, not by the variance.")
        every = w - w.mean()
        if close(got, every / ((every**2).mean() + 1e-5).sqrt()):
            raise Hint("One mean for all the weights. Each `weight[k]` has its own.")
        expect_close(got, centred / (var + 1e-5).sqrt(), f"the weight of shape {shape}")
        probe = mini.tensor(rng.normal(size=shape))
        expect(
            isinstance(got, mini.Tensor) and got.requires_grad,
            "Right numbers, but autograd cannot go through: keep to operations on tensors.",
        )
        (found,) = mini.autograd.grad((got * probe).sum(), [w])
        truth = (centred / (var + 1e-5).sqrt() * probe).sum()
        (wanted,) = mini.autograd.grad(truth, [w])
        expect_close(
            found, wanted, "the gradient",
            "Mean and variance depend on the weight: no `detach`, no `no_grad`.", rtol=1e-4,
        )  # fmt: skip
        expect_close(
            standardise(w, eps=0.5), centred / (var + 0.5).sqrt(), "the weight with eps=0.5",
            "It is added to the variance, below the root.",
        )  # fmt: skip


@check_standardise.wrong("takes the biased")
def unbiased(weight, eps=1e-5):
    dims = tuple(range(1, weight.ndim))
    centred = weight - weight.mean(dims, keepdim=True)
    return centred / (weight.var(dims, keepdim=True) + eps).sqrt()


@check_standardise.wrong("not by the variance")
def without_the_root(weight, eps=1e-5):
    dims = tuple(range(1, weight.ndim))
    centred = weight - weight.mean(dims, keepdim=True)
    return centred / ((centred**2).mean(dims, keepdim=True) + eps)


@check_standardise.wrong("below the root")
def adds_eps_to_the_root(weight, eps=1e-5):
    dims = tuple(range(1, weight.ndim))
    centred = weight - weight.mean(dims, keepdim=True)
    return centred / ((centred**2).mean(dims, keepdim=True).sqrt() + eps)


@check_standardise.wrong("has its own")
def one_mean_for_all(weight, eps=1e-5):
    centred = weight - weight.mean()
    return centred / ((centred**2).mean() + eps).sqrt()


@check_standardise.wrong("use `weight.ndim`")
def for_images_only(weight, eps=1e-5):
    centred = weight - weight.mean((1, 2, 3), keepdim=True)
    return centred / ((centred**2).mean((1, 2, 3), keepdim=True) + eps).sqrt()


@check_standardise.wrong("no `detach`")
def detaches_the_statistics(weight, eps=1e-5):
    dims = tuple(range(1, weight.ndim))
    mean = weight.mean(dims, keepdim=True).detach()
    var = weight.detach().var(dims, keepdim=True, unbiased=False)
    return (weight - mean) / (var + eps).sqrt()
