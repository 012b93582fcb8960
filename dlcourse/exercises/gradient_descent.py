"""Exercises of the chapter gradient_descent. The form: dlcourse/exercises/__init__.py."""

import math

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="largest_rate",
    solution=1 / 3,
    reasoning=(
        "The Hessian has 4 on its diagonal and 2 beside it. Its eigenvectors are $(1, 1)$ and "
        "$(1, -1)$, with eigenvalues 6 and 2, so the limit is $2 / 6 = 1/3$. The diagonal alone "
        "would promise $1/2$: curvature along the axes is not the largest curvature."
    ),
    shown="The steepest direction lies between the axes, and it sets the limit.",
)
def check_largest_rate(answer):
    if close(answer, 0.5, 1e-3):
        raise Hint(
            "1/2 is what the diagonal of the Hessian gives. Walk along (1, 1): there the mixed "
            "term bends the loss, too."
        )
    if close(answer, 1 / 6, 1e-3):
        raise Hint(
            "1/6 is one over the largest curvature: there the steep mode arrives in a single step. "
            "How much longer may the step be?"
        )
    if close(answer, 1.0, 1e-3):
        raise Hint("1 is the limit of the *flat* direction; the steep one has long exploded.")
    if close(answer, 0.25, 1e-3):
        raise Hint("1/4 is the best rate. The question is which is the largest that converges.")
    if close(answer, 2 / 3, 1e-3):
        raise Hint("Differentiate twice: 2 w1^2 has curvature 4, not 2.")
    if not close(answer, 1 / 3, 1e-3):
        raise Hint(
            "Not yet. Write down the matrix of second derivatives, find its eigenvalues (try the "
            "vectors (1, 1) and (1, -1)), and divide 2 by the largest."
        )


check_largest_rate.wrong("Walk along (1, 1)", 0.5)
check_largest_rate.wrong("How much longer may the step be", 1 / 6)
check_largest_rate.wrong("*flat* direction", 1.0)
check_largest_rate.wrong("is the best rate", 0.25)
check_largest_rate.wrong("has curvature 4", 2 / 3)
check_largest_rate.wrong("divide 2 by the largest", 0.1)


# -- by hand -----------------------------------------------------------------------------------


def steps_for(kappa, eps):
    """The least t with ((kappa - 1) / (kappa + 1)) ** t <= eps, for eps < 1."""
    if kappa == 1:
        return 1  # the factor is 0: one step arrives
    rho = (kappa - 1) / (kappa + 1)
    t = math.ceil(math.log(eps) / math.log(rho)) - 1  # rounded, it may be one too many
    while t < 1 or rho**t > eps:
        t += 1
    return t


@exercise(
    solution=steps_for,
    reasoning=r"""Solve $(\rho^*)^t \le \varepsilon$ for $t$. The logarithm of
$\rho^* = (\kappa - 1)/(\kappa + 1)$ is negative, so dividing by it turns the inequality:
$t \ge \log\varepsilon / \log\rho^*$, rounded up. For $\kappa = 1$ the factor is 0, its logarithm is
not finite, and one step is enough. Where the quotient is a whole number, the rounding of the
logarithms may lift it by a hair, and `ceil` by one: so start a step early, and ask the inequality
itself.""",
    shown="Ten times the condition number, ten times the steps.",
)
def check_steps_for(steps_for):
    got = steps_for(10, 1e-3)  # log(1e-3) / log(9 / 11) = 34.4
    if close(got, 34.4234, 1e-3):
        raise Hint("Right, but nobody makes 34.4 steps: give the smallest whole number.")
    if close(got, 34.0):
        raise Hint("After 34 steps the distance is still a little above eps: round up.")
    if close(got, 18.0):
        raise Hint(
            "That is how many steps the *loss* needs, the square of the distance. The question is "
            "about the distance."
        )
    if close(got, 66.0):
        raise Hint(
            "That is the factor 1 - 1 / kappa of the rate 1 / lambda_max. The best rate has "
            "(kappa - 1) / (kappa + 1)."
        )
    if close(got, 35.0) and close(steps_for(2, 1e-6), 13.0):
        try:
            alone = steps_for(1, 1e-3)
        except (ValueError, ZeroDivisionError):
            raise Hint(
                "One case is left: with `kappa = 1` the factor is 0, and its logarithm does not "
                "exist. How many steps are needed then?"
            ) from None
        expect(close(alone, 1.0), f"For kappa = 1 you give {alone}; a single step arrives.")
    if close(steps_for(2, 1e-6), 14.0):
        raise Hint(
            "kappa / 2 * log(1 / eps) is a bound: enough, but not the least. For kappa = 2 and "
            "eps = 1e-6 it is a step too many."
        )
    whole = steps_for(3, 0.5)  # log(0.5) / log(2 / 4), 1 in any arithmetic
    if close(got, 35.0) and close(whole, 2.0):
        raise Hint(
            "With kappa = 3 and eps = 0.5 one step is enough, and you give 2: where the "
            "quotient is a whole number already, adding 1 is too much."
        )
    expect_close(steps_for(2, 1e-6), 13, "steps_for(2, 1e-6)")
    expect_close(got, 35, "steps_for(10, 1e-3)")
    expect_close(steps_for(1000, 1e-6), 6908, "steps_for(1000, 1e-6)")
    for kappa, rho in ((7, 0.75), (3, 0.5)):
        for t in range(1, 31):  # rho**t is exact: 31 bits and fewer
            expect(
                close(steps_for(kappa, rho**t), t),
                f"With kappa = {kappa} the factor is {rho}, and eps = {rho}**{t} is reached in {t} "
                f"steps exactly; you give {steps_for(kappa, rho**t)}. A quotient of logarithms is "
                "rounded: ask the inequality itself at the step before.",
            )


@check_steps_for.wrong("smallest whole number")
def does_not_round(kappa, eps):
    return math.log(eps) / math.log((kappa - 1) / (kappa + 1))


@check_steps_for.wrong("round up")
def rounds_down(kappa, eps):
    return int(does_not_round(kappa, eps))


@check_steps_for.wrong("about the distance")
def steps_of_the_loss(kappa, eps):
    return math.ceil(does_not_round(kappa, eps) / 2)


@check_steps_for.wrong("of the rate 1 / lambda_max")
def with_the_safe_rate(kappa, eps):
    return math.ceil(math.log(eps) / math.log(1 - 1 / kappa))


@check_steps_for.wrong("One case is left")
def forgets_the_round_valley(kappa, eps):
    return math.ceil(does_not_round(kappa, eps))


@check_steps_for.wrong("A quotient of logarithms is rounded")
def trusts_the_logarithms(kappa, eps):
    return 1 if kappa == 1 else math.ceil(does_not_round(kappa, eps))


@check_steps_for.wrong("adding 1 is too much")
def adds_one(kappa, eps):
    return 1 if kappa == 1 else int(does_not_round(kappa, eps)) + 1


@check_steps_for.wrong("a bound: enough, but not the least")
def takes_the_bound(kappa, eps):
    return math.ceil(kappa / 2 * math.log(1 / eps))


# -- change the code ---------------------------------------------------------------------------


def smallest_curvature(hvp, v, top, steps):
    """The smallest eigenvalue of H, with `steps` products hvp(v) = H v."""
    for _ in range(steps):
        v = v / np.linalg.norm(v)
        shifted = top * v - hvp(v)  # (top I - H) v
        largest = v @ shifted
        v = shifted
    return top - largest


@exercise(
    solution=smallest_curvature,
    reasoning=r"""$\Lambda I - H$ has the eigenvectors of $H$ and the eigenvalues
$\Lambda - \lambda_j$. None is negative, and the largest belongs to the smallest $\lambda_j$. So
power iteration with the shifted matrix finds it, and $\Lambda$ minus what it finds is the answer.
No system is solved and no matrix formed.""",
    shown="Shift, iterate, shift back: power iteration finds either end of the spectrum.",
)
def check_smallest_curvature(smallest_curvature):
    rng = np.random.default_rng(0)
    Q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    v = rng.normal(size=4)

    products = []

    def answer(lambdas, steps, top=5.0):
        H = Q @ np.diag(lambdas) @ Q.T
        products.clear()

        def hvp(u):
            products.append(u)
            return H @ u

        with np.errstate(all="ignore"):
            return smallest_curvature(hvp, v.copy(), top, steps)

    got = answer([4.0, 3.0, 1.0, -2.0], 500)
    if np.ndim(got) == 1:
        raise Hint("That is a vector, the direction. The eigenvalue along it is wanted.")
    if close(got, 4.0, 1e-3):
        raise Hint(
            "4 is the *largest* eigenvalue. Which matrix, made of H and `top`, has the smallest "
            "eigenvalue of H in front?"
        )
    if close(got, 7.0, 1e-3):
        raise Hint("7 belongs to the shifted matrix, 5 - (-2). Undo the shift at the end.")
    if close(got, 2.0, 1e-3):
        raise Hint("The size is right and the sign is lost: a length is never negative.")
    if not np.isfinite(got):
        raise Hint("The vector has overflowed: set its length to 1 in each step.")
    truth = "the smallest of the eigenvalues "
    expect(close(got, -2.0, 1e-3), f"{truth}4, 3, 1, -2 is -2; yours gives {float(got):.4g}.")
    got = answer([4.0, 3.0, 2.0, 0.5], 400)
    expect(close(got, 0.5, 1e-3), f"{truth}4, 3, 2, 0.5 is 0.5; yours gives {float(got):.4g}.")
    answer([4.0, 3.0, 2.0, 0.5], 2)
    expect(
        len(products) <= 3,
        f"For 2 steps you ask for {len(products)} products H v. One a step is enough: keep it in a "
        "variable, and form no matrix.",
    )


@check_smallest_curvature.wrong("is the *largest* eigenvalue")
def plain_power_iteration(hvp, v, top, steps):
    for _ in range(steps):
        v = v / np.linalg.norm(v)
        curvature, v = v @ hvp(v), hvp(v)
    return curvature


@check_smallest_curvature.wrong("form no matrix")
def forms_the_matrix(hvp, v, top, steps):
    return np.linalg.eigvalsh([hvp(e) for e in np.eye(len(v))])[0]


@check_smallest_curvature.wrong("Undo the shift")
def leaves_the_shift(hvp, v, top, steps):
    return top - smallest_curvature(hvp, v, top, steps)


@check_smallest_curvature.wrong("the sign is lost")
def gives_a_length(hvp, v, top, steps):
    return abs(smallest_curvature(hvp, v, top, steps))


@check_smallest_curvature.wrong("overflowed")
def never_normalises(hvp, v, top, steps):
    for _ in range(steps):
        v = top * v - hvp(v)
    return (v @ hvp(v)) / (v @ v)


@check_smallest_curvature.wrong("That is a vector")
def gives_the_direction(hvp, v, top, steps):
    for _ in range(steps):
        v = top * v - hvp(v)
        v = v / np.linalg.norm(v)
    return v


# -- build new ---------------------------------------------------------------------------------


def backtrack(loss, w, g, lr):
    """The first of lr, lr / 2, lr / 4, ... that gains lr / 2 * |g|^2 or more."""
    here, squared = loss(w), (g * g).sum()
    while loss(w - lr * g) > here - lr / 2 * squared:
        lr = lr / 2
    return lr


@exercise(
    solution=backtrack,
    reasoning=r"""The descent lemma promises a gain of $\eta(1 - \eta\Lambda/2)\lVert g\rVert^2$,
which is at least $\frac{\eta}{2}\lVert g\rVert^2$ for $\eta \le 1/\Lambda$; so the loop ends. A
mere decrease would not be enough: a sequence of ever smaller gains may stop at a place that is not
flat. Line searches of this kind are Armijo's (1966).""",
    shown="A rate found without knowing the curvature, and a gain that is guaranteed.",
)
def check_backtrack(backtrack):
    calls = []

    def parabola(w):
        calls.append(np.array(w))
        if len(calls) > 400:
            raise Hint(endless)
        return (w @ (np.array([3.0, 0.5]) * w)) / 2

    endless = (
        "Your loop does not end. Does it try `loss(w - lr * g)` with a smaller `lr` each time, and "
        "ask for a gain that shrinks with it?"
    )

    w = np.array([1.0, -2.0])
    g = np.array([3.0, -1.0])
    kept = w.copy()
    got = backtrack(parabola, w, g, 4.0)  # 4, 2, 1, 0.5 fail; 0.25 gains enough
    expect(np.array_equal(w, kept), "Your search has changed `w`: write `w - lr * g`.")
    if np.ndim(got) == 1:
        raise Hint("You return the new weights. The learning rate is wanted.")
    if close(got, 0.5):
        raise Hint(
            "At 0.5 the loss falls, but by less than lr / 2 * |g|^2. A mere decrease is not enough."
        )
    if close(got, 0.125):
        raise Hint(
            "You ask for more than lr / 2 * |g|^2, or you halve once too often: 0.25 gains enough."
        )
    if any(close(tried, w + 4.0 * g) for tried in calls):
        raise Hint("You try `w + lr * g`. The step goes *against* the gradient.")
    if got < 1e-6 and close(backtrack(parabola, w, g, 0.1), 0.1):
        raise Hint(
            "The gain that you ask for stays that of the first rate. It shrinks with the rate that "
            "you try: compute lr / 2 * |g|^2 anew after each halving."
        )
    if got < 1e-6:
        raise Hint(
            "Your search ends only where rounding hides the difference. You ask for lr * |g|^2, "
            "which is what the slope at w promises; a loss that bends up never keeps that. Ask "
            "for half."
        )
    expect_close(got, 0.25, "backtrack for the parabola with curvatures 3 and 0.5, from lr = 4")
    expect_close(
        backtrack(parabola, w, g, 0.1), 0.1, "the rate, where the first one, 0.1, gains enough"
    )
    calls.clear()
    got = backtrack(parabola, w, g, 0.4)  # 0.4 gains 0.45 of lr * |g|^2
    if close(got, 0.4):
        raise Hint(
            "At lr = 0.4 the step gains 0.45 times lr * |g|^2, and you take it. Half of it is "
            "asked for."
        )
    expect_close(got, 0.2, "the rate, from lr = 0.4")
    there = np.array([-3.0, 2.0])
    calls.clear()
    got = backtrack(lambda w: parabola(w - there), w + there, g, 4.0)
    expect_close(got, 0.25, "the rate for the same parabola with its minimum at (-3, 2)")
    calls.clear()
    endless = (
        "Your loop does not end. At the minimum g is 0, and a gain of 0 is all that can be had: "
        "ask for `>=`, and not for `>`."
    )
    expect_close(
        backtrack(parabola, 0 * w, 0 * g, 1.0), 1.0, "the rate at the minimum, from lr = 1"
    )


@check_backtrack.wrong("A mere decrease is not enough")
def takes_any_decrease(loss, w, g, lr):
    while loss(w - lr * g) >= loss(w):
        lr = lr / 2
    return lr


@check_backtrack.wrong("halve once too often")
def asks_for_all_of_it(loss, w, g, lr):
    while loss(w - lr * g) > loss(w) - lr * 0.8 * (g * g).sum():
        lr = lr / 2
    return lr


@check_backtrack.wrong("Ask for half")
def asks_for_the_whole_slope(loss, w, g, lr):
    while loss(w - lr * g) > loss(w) - lr * (g * g).sum():
        lr = lr / 2
    return lr


@check_backtrack.wrong("goes *against* the gradient")
def walks_uphill(loss, w, g, lr):
    while loss(w + lr * g) > loss(w) - lr / 2 * (g * g).sum() and lr > 1e-9:
        lr = lr / 2
    return lr


@check_backtrack.wrong("that of the first rate")
def asks_for_the_first_gain(loss, w, g, lr):
    wanted = loss(w) - lr / 2 * (g * g).sum()
    while loss(w - lr * g) > wanted and lr > 1e-9:
        lr = lr / 2
    return lr


@check_backtrack.wrong("Half of it is asked for")
def asks_for_a_third(loss, w, g, lr):
    while loss(w - lr * g) > loss(w) - lr / 3 * (g * g).sum():
        lr = lr / 2
    return lr


@check_backtrack.wrong("Does it try `loss(w - lr * g)` with")
def tries_the_step_alone(loss, w, g, lr):
    while loss(lr * g) > loss(w) - lr / 2 * (g * g).sum():
        lr = lr / 2
    return lr


@check_backtrack.wrong("You return the new weights")
def gives_the_weights(loss, w, g, lr):
    return w - backtrack(loss, w, g, lr) * g


@check_backtrack.wrong("Your loop does not end")
def asks_for_more_than_there_is(loss, w, g, lr):
    while loss(w - lr * g) >= loss(w) - lr / 2 * (g * g).sum():
        lr = lr / 2
    return lr


@check_backtrack.wrong("has changed `w`")
def walks_while_it_searches(loss, w, g, lr):
    here = loss(w)
    w -= lr * g
    while loss(w) > here - lr / 2 * (g * g).sum():
        w += lr / 2 * g
        lr = lr / 2
    return lr


# -- read a paper ------------------------------------------------------------------------------


def batch_noise(small, large, B_small, B_large):
    """tr(Sigma) / |g|^2 from the mean squared lengths of two sizes of batches."""
    trace = (small - large) / (1 / B_small - 1 / B_large)
    squared = (B_large * large - B_small * small) / (B_large - B_small)
    return trace / squared


@exercise(
    solution=batch_noise,
    reasoning=r"""$\mathbb{E}\lVert \hat g_B \rVert^2 = \lVert g \rVert^2 +
\operatorname{tr}\Sigma / B$ for two values of $B$: two equations with two unknowns. Their
difference has no $\lVert g \rVert^2$ in it; weighed by $B$ first, their difference has no
$\operatorname{tr}\Sigma$. On several machines both lengths come for free: each machine has the
gradient of its own small batch, and all together that of the large one (McCandlish and others,
2018).""",
    shown="Two lengths tell signal from noise, and how large a batch pays.",
)
def check_batch_noise(batch_noise):
    def lengths(squared, trace, *sizes):
        return [squared + trace / B for B in sizes]

    small, large = lengths(0.25, 10.0, 8, 64)
    got = batch_noise(small, large, 8, 64)
    trace = (small - large) / (1 / 8 - 1 / 64)
    if close(got, 1 / 40.0):
        raise Hint("Upside down: noise over signal is wanted.")
    if close(got, trace / large) or close(got, trace / small):
        raise Hint(
            "The trace is right, but a batch's squared length still holds noise, tr / 64 in the "
            "large batch. Remove it, too."
        )
    if close(got, trace):
        raise Hint("That is the trace alone. Divide by |g|^2.")
    if close(got, -40.0):
        raise Hint("The right size with the wrong sign: the *small* batch is the noisier one.")
    if close(got, (small - large) / large):
        raise Hint("The difference of the lengths is tr * (1/8 - 1/64), and not tr itself.")
    expect_close(
        got, 40.0, "the noise scale for |g|^2 = 0.25 and tr = 10, from batches of 8 and 64"
    )
    small, large = lengths(3.0, 7.5, 1, 1000)
    got = batch_noise(small, large, 1, 1000)
    hint = "It is a ratio, and need not be a whole number."
    expect_close(got, 2.5, "the noise scale for |g|^2 = 3 and tr = 7.5", hint)


@check_batch_noise.wrong("need not be a whole number")
def rounds_to_a_batch(small, large, B_small, B_large):
    return math.ceil(batch_noise(small, large, B_small, B_large) - 1e-9)


@check_batch_noise.wrong("Upside down")
def signal_over_noise(small, large, B_small, B_large):
    return 1 / batch_noise(small, large, B_small, B_large)


@check_batch_noise.wrong("still holds noise")
def trusts_the_large_batch(small, large, B_small, B_large):
    return (small - large) / (1 / B_small - 1 / B_large) / large


@check_batch_noise.wrong("trace alone")
def forgets_the_signal(small, large, B_small, B_large):
    return (small - large) / (1 / B_small - 1 / B_large)


@check_batch_noise.wrong("wrong sign")
def turns_the_difference(small, large, B_small, B_large):
    return -batch_noise(small, large, B_small, B_large)


@check_batch_noise.wrong("not tr itself")
def takes_the_difference_for_the_trace(small, large, B_small, B_large):
    return (small - large) / large
