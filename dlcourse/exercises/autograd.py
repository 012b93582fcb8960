"""Exercises of the chapter autograd. The form: dlcourse/exercises/__init__.py."""

import inspect

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="accumulate",
    solution=15.0,
    reasoning=(
        "`backward` adds to `.grad`. The first pass leaves $2x = 6$. For the second `y.detach()` "
        "is a constant, 9, so it adds 9, and not the $3x^2 = 27$ of $x^3$. Nothing was cleared in "
        "between, so `x.grad` holds $6 + 9 = 15$."
    ),
    shown=(
        "Two backward passes, one sum: gradients accumulate until somebody clears them. What is "
        "detached is a constant to each of them."
    ),
)
def check_accumulate(answer):
    if close(answer, 9.0):
        raise Hint("9 is what the second pass alone gives. Does `backward` overwrite `.grad`?")
    if close(answer, 6.0):
        raise Hint("6 is what the first pass leaves. The second pass reaches `x`, too.")
    if close(answer, 33.0) or close(answer, 27.0):
        raise Hint("27 is the slope of `x**3`. But `y.detach()` has no history: to z it is a 9.")
    if close(answer, 18.0):
        raise Hint("The slope of `x**2` at 3 is 2 * 3 = 6, not 9: differentiate before adding.")
    if not close(answer, 15.0):
        raise Hint(
            "Not yet. Write dy/dx and dz/dx at x = 3 on paper, and under each `backward` what "
            "`x.grad` holds after it. Then run the four lines."
        )


check_accumulate.wrong("overwrite", 9.0)
check_accumulate.wrong("reaches `x`, too", 6.0)
check_accumulate.wrong("has no history", 33.0)
check_accumulate.wrong("differentiate before adding", 18.0)
check_accumulate.wrong("Then run the four lines", 54.0)


# -- by hand -----------------------------------------------------------------------------------


def softmax_vjp(out, grad_output):
    """The gradient by the logits, from the output `out` and the gradient by it."""
    inner = (grad_output * out).sum(axis=1, keepdims=True)  # (B, 1)
    return out * (grad_output - inner)  # (B, K)


@exercise(
    solution=softmax_vjp,
    reasoning=r"""With $p = \operatorname{softmax}(z)$ the derivative is
$\partial p_k / \partial z_l = p_k (\delta_{kl} - p_l)$: raising one logit raises its own
probability and lowers all others. The vector-Jacobian product is
$\sum_k g_k p_k (\delta_{kl} - p_l) = p_l \bigl(g_l - \sum_k g_k p_k\bigr)$, row by row: no
$K \times K$ matrix appears.""",
    shown="Each row has a $K \\times K$ Jacobian, and its product with $g$ takes $K$ numbers.",
)
def check_softmax_vjp(softmax_vjp):
    rng = np.random.default_rng(0)
    logits, grad = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    z = mini.tensor(logits, requires_grad=True)
    s = z.softmax(1)
    s.backward(mini.tensor(grad))
    out, truth = s.detach().numpy(), z.grad.numpy()
    try:
        got = softmax_vjp(out.copy(), grad.copy())
    except ValueError as error:
        if "broadcast" in str(error):
            raise Hint(
                "A sum over the classes has shape (B,) and does not fit beside (B, K): keep the "
                f"dimension with `keepdims=True`. NumPy says: {error}"
            ) from None
        raise
    if close(got, grad * out * (1 - out)):
        raise Hint(
            "That is the diagonal of the Jacobian alone. Each probability depends on *every* logit "
            "of its row, through the sum in the denominator."
        )
    if close(got, out * (grad - (grad * out).sum())):
        raise Hint("The inner sum runs over one row: `axis=1, keepdims=True`, not the whole batch.")
    if close(got, out * (grad - (grad * out).sum(0, keepdims=True))):
        raise Hint("The inner sum runs over the classes (axis 1), not over the batch (axis 0).")
    if close(got, out * (grad - grad.sum(1, keepdims=True))):
        raise Hint("The inner sum is weighted by the probabilities: $\\sum_k g_k p_k$.")
    if close(got, grad - out * grad.sum(1, keepdims=True)):
        raise Hint(
            "That is the backward of *log*-softmax. Here `grad_output` is by the probabilities, "
            "not by their logarithms."
        )
    if close(got, -truth):
        raise Hint("The right numbers with the wrong sign: what stands before the inner sum?")
    if close(got, truth / out):
        raise Hint("A factor is missing: $p_l$ stands before the bracket.")
    if close(got, out * (1 - out)):
        raise Hint(
            "That is the slope of each probability by its own logit. Where is `grad_output`?"
        )
    expect_close(got, truth, "the gradient by the logits")


@check_softmax_vjp.wrong("diagonal of the Jacobian")
def treats_softmax_as_pointwise(out, grad_output):
    return grad_output * out * (1 - out)


@check_softmax_vjp.wrong("not the whole batch")
def sums_over_everything(out, grad_output):
    return out * (grad_output - (grad_output * out).sum())


@check_softmax_vjp.wrong("not over the batch (axis 0)")
def sums_over_the_batch(out, grad_output):
    return out * (grad_output - (grad_output * out).sum(axis=0, keepdims=True))


@check_softmax_vjp.wrong("weighted by the probabilities")
def forgets_the_weights(out, grad_output):
    return out * (grad_output - grad_output.sum(axis=1, keepdims=True))


@check_softmax_vjp.wrong("*log*-softmax")
def takes_that_of_the_logarithm(out, grad_output):
    return grad_output - out * grad_output.sum(axis=1, keepdims=True)


@check_softmax_vjp.wrong("keepdims=True")
def loses_a_dimension(out, grad_output):
    return out * (grad_output - (grad_output * out).sum(axis=1))


@check_softmax_vjp.wrong("wrong sign")
def turns_the_sign(out, grad_output):
    return -softmax_vjp(out, grad_output)


@check_softmax_vjp.wrong("before the bracket")
def forgets_the_outer_factor(out, grad_output):
    return grad_output - (grad_output * out).sum(axis=1, keepdims=True)


@check_softmax_vjp.wrong("Where is `grad_output`")
def ignores_what_comes_in(out, grad_output):
    return out * (1 - out)


# -- change the code ---------------------------------------------------------------------------


def consumers_first(root):
    """All nodes below `root`, each after all of its consumers."""
    waiting, stack, seen = {}, [root], {root}
    while stack:  # how many consumers does each node wait for?
        for parent in stack.pop().parents:
            waiting[parent] = waiting.get(parent, 0) + 1
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    order, ready = [], [root]
    while ready:
        node = ready.pop()
        order.append(node)
        for parent in node.parents:
            waiting[parent] -= 1
            if waiting[parent] == 0:
                ready.append(parent)
    return order


class _Node:
    """A node that knows its parents, and stops a walk that asks for them far too often."""

    def __init__(self, name, *parents):
        self.name, self._parents = name, parents
        self.asked = 0

    def __repr__(self):
        return f"node {self.name}"

    @property
    def parents(self):
        self.asked += 1
        if self.asked > 100:
            raise Hint(
                "Your walk asks one node for its parents over a hundred times. Does it follow "
                "every path, or look at all nodes to find each next one? Two looks at each edge "
                "suffice."
            )
        return self._parents


def _take_apart(node):
    """Free a chain from its end on: to let go of all of it at once overflows a browser's stack."""
    while node._parents:
        (parent,), node._parents = node._parents, ()
        node = parent


@exercise(
    solution=consumers_first,
    reasoning="""This is Kahn's algorithm (1962). A node is ready when the last of its consumers is
done; the root has none and starts. Each edge is looked at twice, so the cost is linear, and nothing
recurses, so a chain of a million nodes is as easy as one of three. A node that is used twice by the
same consumer (`x + x`) waits for two edges, and both are counted off.""",
    shown="No birth numbers needed: the edges alone order any graph, however deep.",
)
def check_consumers_first(consumers_first):
    a = _Node("a")
    b = _Node("b", a, a)
    c = _Node("c", b, a)
    square, root_of_a = _Node("a * a", a, a), _Node("sqrt a", a)
    for root, inside in (
        (_Node("c * b", c, b), ("a", "b", "c")),
        (_Node("b * c", b, c), ("a", "b", "c")),
        (_Node("a * a + sqrt a", square, root_of_a), ("a", "a * a", "sqrt a")),
        (_Node("sqrt a + a * a", root_of_a, square), ("a", "a * a", "sqrt a")),
    ):
        try:
            order = list(consumers_first(root))
        except AttributeError as error:
            if "born" in str(error) or "grad" in str(error):
                raise Hint(
                    "These nodes have `parents` and nothing else, not even `born`."
                ) from None
            raise
        expect(
            all(isinstance(node, _Node) for node in order),
            f"Return the nodes themselves; your list holds {order[0]!r}." if order else "",
        )
        names = [node.name for node in order]
        if sorted(names) == sorted({*inside, root.name}):
            expect(
                names[0] == root.name,
                f"Your order is {names}: inputs first. Backward starts at the result.",
            )
        expect(
            len(set(order)) == len(order),
            f"Your order is {names}: a node stands in it more than once. Visit each once.",
        )
        expect(
            set(names) == {*inside, root.name},
            f"Your order is {names}, but the graph holds {', '.join(inside)} and {root.name}.",
        )
        for node in order:
            for parent in node.parents:
                expect(
                    order.index(parent) > order.index(node),
                    f"Your order is {names}: `{parent.name}` comes before its consumer "
                    f"`{node.name}`, so it would pass on an incomplete gradient.",
                )
    ladder = _Node("x")
    for _ in range(30):
        ladder = _Node("x + x", ladder, ladder)
    expect(
        len(list(consumers_first(ladder))) == 31,
        "Thirty doublings, y = y + y, make 31 nodes. Yours gives another number.",
    )
    deep = _Node("x")
    for _ in range(20_000):
        deep = _Node("x", deep)
    try:
        count = len(list(consumers_first(deep)))
    except RecursionError:
        raise Hint(
            "Right on small graphs, but a chain of 20 000 nodes overflows Python's stack: use a "
            "list as the stack, not recursion."
        ) from None
    finally:
        _take_apart(deep)
    expect(count == 20_001, f"A chain of 20 001 nodes gave {count} of them.")


@check_consumers_first.wrong("an incomplete gradient")
def breadth_first(root):
    order, seen = [root], {root}
    for node in order:
        for parent in node.parents:
            if parent not in seen:
                seen.add(parent)
                order.append(parent)
    return order


@check_consumers_first.wrong("more than once")
def every_path(root):
    order = [root]
    for parent in root.parents:
        order += every_path(parent)
    return order


@check_consumers_first.wrong("overflows Python's stack")
def recursive(root):
    order, seen = [], set()

    def visit(node):
        seen.add(node)
        for parent in node.parents:
            if parent not in seen:
                visit(parent)
        order.append(node)

    visit(root)
    return order[::-1]


@check_consumers_first.wrong("Backward starts at the result")
def inputs_first(root):
    return recursive(root)[::-1]


@check_consumers_first.wrong("not even `born`")
def by_birth(root):
    return sorted(consumers_first(root), key=lambda node: -node.born)


@check_consumers_first.wrong("Return the nodes themselves")
def names_of_nodes(root):
    return [node.name for node in consumers_first(root)]


@check_consumers_first.wrong("`a` comes before its consumer `sqrt a`")
def waits_for_nodes_and_counts_edges(root):
    waiting = {}
    for node in breadth_first(root):
        for parent in set(node.parents):
            waiting[parent] = waiting.get(parent, 0) + 1
    order, ready = [], [root]
    while ready:
        node = ready.pop()
        order.append(node)
        for parent in node.parents:
            waiting[parent] -= 1
            if waiting[parent] == 0:
                ready.append(parent)
    return order


@check_consumers_first.wrong("KeyError: node c")
def counts_only_what_it_meets_again(root):
    waiting, order, ready, seen = {}, [], [root], {root}
    while ready:
        node = ready.pop()
        order.append(node)
        for parent in node.parents:
            if parent in seen:
                waiting[parent] = waiting.get(parent, 0) + 1
            seen.add(parent)
            waiting[parent] -= 1
            if waiting[parent] <= 0:
                ready.append(parent)
    return order


@check_consumers_first.wrong("the graph holds a, b, c and c * b")
def without_the_root(root):
    return consumers_first(root)[1:]


@check_consumers_first.wrong("Two looks at each edge suffice")
def moves_back_what_comes_again(root):
    order, queue = [], [root]
    while queue:
        node = queue.pop(0)
        if node in order:
            order.remove(node)
        order.append(node)
        queue.extend(node.parents)
    return order


# -- an operation of your own ------------------------------------------------------------------


class Round(mini.autograd.Function):
    """Round; pass the gradient on where |x| <= 1, as if nothing happened."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x + 0.5) // 1

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output.masked_fill(x.abs() > 1, 0.0)


@exercise(
    solution=Round,
    reasoning="""The true derivative of rounding is 0 almost everywhere, so training would stand
still. The *straight-through estimator* (Bengio, Leonard and Courville, 2013) lies on purpose: it
takes the derivative of the identity instead. Stopping it where $|x| > 1$ keeps weights from growing
where rounding no longer follows them (Hubara and others, 2016). What makes quantised networks
trainable is a `backward` that does not belong to its `forward`.""",
    shown="A gradient that the function does not have: the straight-through estimator.",
    stub='''
class Round(mini.autograd.Function):
    """Round; pass the gradient on where |x| <= 1, as if nothing happened."""

    @staticmethod
    def forward(ctx, x):
        ...  # (x + 0.5) // 1 rounds

    @staticmethod
    def backward(ctx, grad_output):
        ...
''',
)
def check_Round(Round):
    for name in ("forward", "backward"):
        expect(
            isinstance(inspect.getattr_static(Round, name), staticmethod),
            f"`{name}` gets `ctx`, not `self`: write `@staticmethod` above it.",
        )
    x = mini.tensor([-3.0, -0.7, 0.7, 1.0, 1.4], requires_grad=True)
    y = Round.apply(x)
    expect_close(y, [-3.0, -1.0, 1.0, 1.0, 1.0], "Round.apply([-3, -0.7, 0.7, 1, 1.4])")
    try:
        y.backward(mini.tensor([2.0, 3.0, 4.0, 5.0, 6.0]))
    except (IndexError, ValueError):
        expect(
            y.grad_fn.saved_tensors,
            "`backward` asks for saved tensors, but `forward` has saved none: "
            "`ctx.save_for_backward(x)`.",
        )
        raise
    expect(x.grad is not None, "`backward` gives no gradient. Is a `return` missing?")
    grad = x.grad.tolist()
    if close(grad, [0.0] * 5):
        raise Hint("All gradients are 0: that is the true derivative, and nothing could learn.")
    if close(grad, [2.0, 3.0, 4.0, 5.0, 6.0]):
        raise Hint("The gradient passes everywhere. It should stop where |x| > 1.")
    if close(grad, [0.0, 1.0, 1.0, 1.0, 0.0]):
        raise Hint("The mask is right, but it must *multiply* what comes in: `grad_output`.")
    if close(grad, [0.0, 3.0, 4.0, 5.0, 6.0]):
        raise Hint("Look at x = 1.4: it is rounded to 1, but the condition speaks of x itself.")
    if close(grad, [2.0, 3.0, 4.0, 5.0, 0.0]):
        raise Hint("Look at x = -3: the condition speaks of |x|, so it stops there, too.")
    if close(grad, [0.0, 3.0, 4.0, 0.0, 0.0]):
        raise Hint("Look at x = 1: the gradient still passes where |x| is exactly 1.")
    if close(grad, [1.0] * 5):
        raise Hint("That limits the *gradient* to 1. The condition speaks of x.")
    expect_close(grad, [0.0, 3.0, 4.0, 5.0, 0.0], "the gradient for incoming [2, 3, 4, 5, 6]")


def _round_with(backward):
    """Round, right but for its `backward(x, grad_output)`."""

    class OtherRound(mini.autograd.Function):
        forward = staticmethod(Round.forward)

        @staticmethod
        def backward(ctx, grad_output):
            return backward(*ctx.saved_tensors, grad_output)

    return OtherRound


check_Round.wrong("nothing could learn", _round_with(lambda x, grad: grad * 0))
check_Round.wrong("stop where |x| > 1", _round_with(lambda x, grad: grad))
check_Round.wrong("*multiply* what comes in", _round_with(lambda x, grad: (x.abs() <= 1).float()))
check_Round.wrong(
    "speaks of x itself", _round_with(lambda x, grad: grad * (Round.apply(x).abs() <= 1))
)
check_Round.wrong("speaks of |x|", _round_with(lambda x, grad: grad * (x <= 1)))
check_Round.wrong("exactly 1", _round_with(lambda x, grad: grad * (x.abs() < 1)))
check_Round.wrong("limits the *gradient*", _round_with(lambda x, grad: grad.clamp(-1, 1)))


@check_Round.wrong("is [-3., -1., 0., 1., 1.];")
class RoundsDown(Round):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x // 1


@check_Round.wrong("has saved none")
class SavesNothing(mini.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x + 0.5) // 1

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x.abs() <= 1)


@check_Round.wrong("@staticmethod")
class WithoutStaticmethod(mini.autograd.Function):
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x + 0.5) // 1

    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x.abs() <= 1)


# -- build new ---------------------------------------------------------------------------------


def trace_estimate(loss, w, vs):
    """The mean of v^T H v over the rows v of `vs`, H the Hessian of loss(w)."""
    (g,) = mini.autograd.grad(loss(w), w, create_graph=True)
    total = 0.0
    for v in vs:
        (Hv,) = mini.autograd.grad((g * v).sum(), w, retain_graph=True)
        total = total + (v * Hv).sum()
    return total / len(vs)


@exercise(
    solution=trace_estimate,
    reasoning=r"""For independent signs $v_j = \pm 1$ the products $v_j v_k$ have mean 0 for
$j \ne k$ and are 1 for $j = k$. So the mean of $v^\top H v = \sum_{jk} v_j H_{jk} v_k$ is
$\sum_j H_{jj}$, the trace (Hutchinson, 1990). One gradient graph serves all the $v$: hence
`create_graph=True` once, and `retain_graph=True` in the loop.""",
    shown="The trace of a matrix that was never written down, from products with sign vectors.",
)
def check_trace_estimate(trace_estimate):
    calls, sweeps = [], []

    def loss(w):
        calls.append(w)
        w = w * 1.0
        w.register_hook(sweeps.append)
        return (w[0] ** 2) * 3 + w[0] * w[1] * 5 + w[1] ** 4

    w = mini.tensor([1.0, 2.0], dtype=mini.float64, requires_grad=True)  # H = [[6, 5], [5, 48]]
    vs = mini.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=mini.float64)
    try:
        got = trace_estimate(loss, w, vs)
        single = trace_estimate(loss, w, vs[:1])
    except RuntimeError as error:
        if "does not require grad" in str(error):
            raise Hint(
                "The gradient has no graph of its own: ask for it with `create_graph=True`."
            ) from None
        if "second time" in str(error):
            raise Hint(
                "The second v finds the graph freed: keep it with `retain_graph=True`."
            ) from None
        raise
    except TypeError as error:
        if "integer tensors" in str(error) or "tuple" in str(error):
            raise Hint(
                "`mini.autograd.grad` gives a tuple, with a gradient for each input: `(g,) = ...`."
            ) from None
        raise
    if close(got, 54.0) and close(single, 54.0):
        raise Hint(
            "That is the trace itself, whatever `vs` holds. The question is how to estimate it "
            "from products Hv, when H is too large to be formed."
        )
    if close(got, 54.0) and len(calls) > 2:
        raise Hint(
            "The number is right, but you build the gradient's graph anew for each v. Build it "
            "once, before the loop."
        )
    if close(got, 108.0):
        raise Hint("That is the sum over the rows of `vs`; the estimate is their mean.")
    if close(single, 11.0 + 53.0) and close(got, (64.0 + 1.0 - 43.0) / 2):
        raise Hint("You add up the entries of Hv; v^T H v weighs them by v once more.")
    expect_close(single, 64.0, "v^T H v for v = [1, 1] and H = [[6, 5], [5, 48]]")
    expect_close(got, 54.0, "the estimate from v = [1, 1] and v = [1, -1]")
    thirds = trace_estimate(loss, w, mini.tensor([[1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]).double())
    hint = "It is the mean over *all* rows, and need not be a whole number."
    expect_close(thirds, 172 / 3, "the estimate from three v, two of them [1, 1]", hint)
    longer = trace_estimate(loss, w, mini.tensor([[2.0, 1.0]], dtype=mini.float64))
    expect_close(longer, 92.0, "v^T H v for v = [2, 1]")
    sweeps.clear()
    trace_estimate(loss, w, vs[:1])
    expect(
        len(sweeps) <= 2,
        f"The number is right, but one v takes you {len(sweeps)} sweeps, a row of H each after the "
        "first. Two suffice: one for g, and one for the gradient of the number g v, which is Hv.",
    )


@check_trace_estimate.wrong("mean over *all* rows")
def takes_each_v_once(loss, w, vs):
    return trace_estimate(loss, w, mini.tensor(np.unique(vs.numpy(), axis=0)))


@check_trace_estimate.wrong("ask for it with `create_graph=True`")
def forgets_create_graph(loss, w, vs):
    (g,) = mini.autograd.grad(loss(w), w)
    return sum((v * mini.autograd.grad((g * v).sum(), w)[0]).sum() for v in vs) / len(vs)


@check_trace_estimate.wrong("keep it with `retain_graph=True`")
def frees_the_graph(loss, w, vs):
    (g,) = mini.autograd.grad(loss(w), w, create_graph=True)
    return sum((v * mini.autograd.grad((g * v).sum(), w)[0]).sum() for v in vs) / len(vs)


@check_trace_estimate.wrong("the estimate is their mean")
def forgets_the_mean(loss, w, vs):
    return trace_estimate(loss, w, vs) * len(vs)


@check_trace_estimate.wrong("weighs them by v once more")
def forgets_the_second_v(loss, w, vs):
    (g,) = mini.autograd.grad(loss(w), w, create_graph=True)
    rows = [mini.autograd.grad((g * v).sum(), w, retain_graph=True)[0].sum() for v in vs]
    return sum(rows) / len(vs)


@check_trace_estimate.wrong("gives a tuple")
def forgets_to_unpack(loss, w, vs):
    g = mini.autograd.grad(loss(w), w, create_graph=True)
    return sum((v * mini.autograd.grad((g * v).sum(), w)[0]).sum() for v in vs) / len(vs)


@check_trace_estimate.wrong("too large to be formed")
def forms_the_hessian(loss, w, vs):
    (g,) = mini.autograd.grad(loss(w), w, create_graph=True)
    return sum(mini.autograd.grad(g[j], w, retain_graph=True)[0][j] for j in range(len(w)))


@check_trace_estimate.wrong("a row of H each")
def forms_the_hessian_first(loss, w, vs):
    (g,) = mini.autograd.grad(loss(w), w, create_graph=True)
    rows = [mini.autograd.grad(g[j], w, retain_graph=True)[0] for j in range(len(w))]
    return ((vs @ mini.stack(rows)) * vs).sum(1).mean()


@check_trace_estimate.wrong("Build it once")
def builds_the_graph_for_each(loss, w, vs):
    total = 0.0
    for v in vs:
        (g,) = mini.autograd.grad(loss(w), w, create_graph=True)
        total = total + (v * mini.autograd.grad((g * v).sum(), w)[0]).sum()
    return total / len(vs)


# -- read a paper ------------------------------------------------------------------------------


def checkpoint(f, x):
    """f(x), saving x alone for backward, which runs f again (Chen et al., 2016)."""

    class Checkpoint(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return f(x)  # nothing inside is recorded

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            again = x.detach().requires_grad_()
            with mini.enable_grad():
                y = f(again)
            y.backward(grad_output)  # reaches the weights inside f, too
            return again.grad

    return Checkpoint.apply(x)


@exercise(
    solution=checkpoint,
    reasoning=r"""Inside `forward` nothing is recorded, so all of `f`'s intermediate results are
freed when it returns. `backward` runs `f` a second time, now with recording on, and goes back
through that run at once, by `y.backward`, which reaches the weights inside `f` as well as the
input. A chain of $n$ layers cut into $\sqrt n$ such pieces keeps $O(\sqrt n)$ activations instead
of $n$, for one more forward run. `torch.utils.checkpoint` is this idea.""",
    shown="Memory traded for time: one node in the graph, and `f` runs twice.",
)
def check_checkpoint(checkpoint):
    recording = []

    def f(x):
        recording.append(mini.is_grad_enabled())
        return (x * x).sin() * x.exp().sum()  # each output depends on every input

    w = mini.tensor([0.5, -1.0], dtype=mini.float64, requires_grad=True)
    weights = mini.tensor([2.0, 3.0], dtype=mini.float64)
    (truth,) = mini.autograd.grad(f(w), w, weights)
    (unweighted,) = mini.autograd.grad(f(w).sum(), w)
    y = checkpoint(f, w)
    expect_close(y, f(w), "checkpoint(f, x)")
    expect(
        y.requires_grad,
        "The result has no history, so `backward` cannot reach x. The call of `f` belongs into the "
        "`forward` of a Function, whose `apply` gives the result a node.",
    )
    inputs = [node.name() for node, _ in y.grad_fn.next_functions if node is not None]
    expect(
        inputs == ["AccumulateGrad"],
        "The graph of `f` is recorded, so its activations stay in memory. Wrap the call in a "
        "Function: inside its `forward` nothing is recorded.",
    )
    recording.clear()
    try:
        (got,) = mini.autograd.grad(y, w, weights)
    except RuntimeError as error:
        if "does not require grad" in str(error) and recording == [False]:
            raise Hint(
                "`f` ran again, but unrecorded: inside `backward`, too, nothing is recorded unless "
                "you ask for it, `with mini.enable_grad():`."
            ) from None
        if "does not require grad" in str(error):
            raise Hint(
                "`f` ran again, but what you differentiate has no history. Does the x you gave it "
                "ask for a gradient, `x.detach().requires_grad_()`? And does all that you do with "
                "the result stand under `enable_grad`, too?"
            ) from None
        if "not have been used" in str(error):
            raise Hint(
                "Your `backward` returns nothing. Give the gradient back, and the engine carries "
                "it on; do not write it to x yourself."
            ) from None
        raise
    except (IndexError, ValueError):
        expect(
            y.grad_fn.saved_tensors,
            "`backward` asks for saved tensors, but `forward` has saved none: "
            "`ctx.save_for_backward(x)`.",
        )
        raise
    expect(
        len(recording) >= 1,
        "`f` did not run again in `backward`, so something other than x was kept for it.",
    )
    if close(got, unweighted):
        raise Hint(
            "The gradient ignores `grad_output`: hand it on as the weighting of the output of `f`."
        )
    if close(got, weights * unweighted):
        raise Hint(
            "`grad_output` weighs the *outputs* of `f`: hand it on there. Multiplied afterwards it "
            "weighs the inputs, and that is the same only if `f` works entry by entry."
        )
    expect_close(got, truth, "the gradient by x")
    scale = mini.tensor([0.5, 2.0], dtype=mini.float64, requires_grad=True)
    w.grad = None

    def layer(h):
        return (h * scale).tanh() * scale.sum()

    by_w, by_scale = mini.autograd.grad(layer(3 * w), (w, scale), weights)
    checkpoint(layer, 3 * w).backward(weights)
    expect(
        scale.grad is not None,
        "A weight that `f` uses got no gradient: `autograd.grad` gives the one by x alone. Go back "
        "through the second run with `y.backward(grad_output)`, which reaches all leaves.",
    )
    expect_close(scale.grad, by_scale, "the gradient by a weight that `f` uses")
    expect_close(w.grad, by_w, "the gradient by w, when x is 3 * w")


@check_checkpoint.wrong("has no history")
def detaches_the_result(f, x):
    return f(x.detach())


@check_checkpoint.wrong("activations stay in memory")
def records_everything(f, x):
    return f(x)


@check_checkpoint.wrong("something other than x was kept")
def keeps_the_graph(f, x):
    inside = x.detach().requires_grad_()
    with mini.enable_grad():
        y = f(inside)

    class Kept(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return y.detach().clone()

        @staticmethod
        def backward(ctx, grad_output):
            return mini.autograd.grad(y, inside, grad_output)[0]

    return Kept.apply(x)


def _checkpoint_with(backward):
    """A checkpoint that is right but for its `backward(f, x, grad_output)`."""

    def checkpoint(f, x):
        class Checkpoint(mini.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return f(x)

            @staticmethod
            def backward(ctx, grad_output):
                return backward(f, ctx.saved_tensors[0], grad_output)

        return Checkpoint.apply(x)

    checkpoint.__name__ = backward.__name__
    return checkpoint


@check_checkpoint.wrong("but unrecorded")
@_checkpoint_with
def forgets_enable_grad(f, x, grad_output):
    again = x.detach().requires_grad_()
    return mini.autograd.grad(f(again), again, grad_output)[0]


@check_checkpoint.wrong("ask for a gradient")
@_checkpoint_with
def forgets_requires_grad(f, x, grad_output):
    again = x.detach()
    with mini.enable_grad():
        y = f(again)
    return mini.autograd.grad(y, again, grad_output)[0]


@check_checkpoint.wrong("has saved none")
def saves_nothing(f, x):
    class Checkpoint(mini.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return f(x)

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            again = x.detach().requires_grad_()
            with mini.enable_grad():
                f(again).backward(grad_output)
            return again.grad

    return Checkpoint.apply(x)


@check_checkpoint.wrong("returns nothing")
@_checkpoint_with
def writes_the_gradient_itself(f, x, grad_output):
    with mini.enable_grad():
        y = f(x)
    y.backward(grad_output)


@check_checkpoint.wrong("entry by entry")
@_checkpoint_with
def weighs_the_inputs(f, x, grad_output):
    again = x.detach().requires_grad_()
    with mini.enable_grad():
        total = f(again).sum()
    return grad_output * mini.autograd.grad(total, again)[0]


@check_checkpoint.wrong("weight that `f` uses got no gradient")
@_checkpoint_with
def forgets_the_weights_inside(f, x, grad_output):
    again = x.detach().requires_grad_()
    with mini.enable_grad():
        y = f(again)
    return mini.autograd.grad(y, again, grad_output)[0]


@check_checkpoint.wrong("ignores `grad_output`")
@_checkpoint_with
def ignores_grad_output(f, x, grad_output):
    again = x.detach().requires_grad_()
    with mini.enable_grad():
        total = f(again).sum()
    return mini.autograd.grad(total, again)[0]
