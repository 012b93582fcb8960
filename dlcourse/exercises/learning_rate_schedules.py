"""Exercises of the chapter learning_rate_schedules. The form: dlcourse/exercises/__init__.py."""

import math

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="seventh",
    solution=0.2,
    reasoning=(
        "Calls 1, 2, 3 of `optimizer.step()` are the steps $t = 0, 1, 2$, with 0.8; calls 4 to 6 "
        "have 0.4, and call 7 is $t = 6$: $0.8 \\cdot 0.5^{\\lfloor 6/3 \\rfloor} = 0.2$."
    ),
    shown="The seventh call is step 6: steps are counted from 0, and 6 // 3 falls have been.",
)
def check_seventh(answer):
    if close(answer, 0.4):
        raise Hint("0.4 is the rate of calls 4 to 6. Which t is the seventh call, counted from 0?")
    if close(answer, 0.1):
        raise Hint("One fall too many: the first three calls have made none. Floor of 6/3?")
    if close(answer, 0.8 * 0.5**6):
        raise Hint("The rate falls every *third* step, not at each: `step_size=3`.")
    if close(answer, 0.25):
        raise Hint("That is the factor alone. The rate begins at 0.8.")
    if not close(answer, 0.2):
        raise Hint("Not yet. Write t = 0, 1, ..., 6 in a row, and below each 0.8 * 0.5**(t // 3).")


check_seventh.wrong("counted from 0", 0.4)
check_seventh.wrong("One fall too many", 0.1)
check_seventh.wrong("every *third* step", 0.0125)
check_seventh.wrong("the factor alone", 0.25)
check_seventh.wrong("in a row", 0.3)


# -- by hand -----------------------------------------------------------------------------------


def gamma_for(lr, lr_end, T):
    """The gamma with which the last of T steps has the rate lr_end."""
    return (lr_end / lr) ** (1 / (T - 1))


@exercise(
    solution=gamma_for,
    reasoning=r"""Step $t$ has the rate $\eta \gamma^t$, and the last of $T$ steps is $t = T - 1$.
So $\gamma^{T-1} = \eta_{\text{end}}/\eta$. With $T$ instead of $T - 1$ the rate is reached one step
after the last.""",
    shown="The last of T steps is number T - 1.",
)
def check_gamma_for(gamma_for):
    got, wanted = gamma_for(0.5, 0.005, 11), 0.01**0.1
    if close(got, 0.01 ** (1 / 11)):
        raise Hint("One off: the first of T steps is t = 0, so the last is T - 1, not T.")
    if close(got, 100**0.1) or close(got, 100 ** (1 / 11)):
        raise Hint("This gamma is above 1: the rate would grow. Which rate stands on top?")
    if close(got, 0.01 / 10) or close(got, 0.01 / 11):
        raise Hint("Factors multiply: T - 1 of them make a power, so take a root, not a quotient.")
    if close(got, (0.5 - 0.005) / 10):
        raise Hint("That is the step of a *linear* decay. Here every step multiplies.")
    expect_close(got, wanted, "gamma_for(0.5, 0.005, 11)")
    expect_close(gamma_for(1.0, 1e-4, 5), 0.1, "gamma_for(1.0, 1e-4, 5)")


@check_gamma_for.wrong("One off")
def counts_to_T(lr, lr_end, T):
    return (lr_end / lr) ** (1 / T)


@check_gamma_for.wrong("the rate would grow")
def upside_down(lr, lr_end, T):
    return (lr / lr_end) ** (1 / (T - 1))


@check_gamma_for.wrong("take a root")
def divides(lr, lr_end, T):
    return lr_end / lr / (T - 1)


@check_gamma_for.wrong("*linear* decay")
def linear(lr, lr_end, T):
    return (lr - lr_end) / (T - 1)


# -- change the code ---------------------------------------------------------------------------


def warmup_cosine(t, W, T, end=0.1):
    """Factor of the peak rate: linear up in W steps, then cosine to `end` at T."""
    if t < W:
        return (t + 1) / W
    part = min((t - W) / (T - W), 1.0)
    return end + (1 - end) * (1 + math.cos(math.pi * part)) / 2


@exercise(
    solution=warmup_cosine,
    reasoning="""The cosine counts from the end of the warm-up, t - W, over what is left, T - W.
Its time is clipped at 1, or the rate climbs again after T, as torch's CosineAnnealingLR does. The
floor `end` squeezes the cosine into [end, 1]; a `max` with `end` would cut it off instead.""",
    shown="Up in a line, down along a cosine, and then it stays down.",
)
def check_warmup_cosine(warmup_cosine):
    W, T = 4, 12
    got = [warmup_cosine(t, W, T, 0.1) for t in range(16)]
    expect(not any(value is None for value in got), "Some step gets None. Is a `return` missing?")
    if close(got[0], 0.0):
        raise Hint("The first step has rate 0 and is wasted: the warm-up begins with 1 / W.")
    if close(got[4], (1 - 0.9 * (1 - math.cos(math.pi * 4 / 12)) / 2)) or close(got[4], 0.75):
        raise Hint(
            "The rate jumps at the end of the warm-up: the cosine should count from there, "
            "t - W over T - W."
        )
    if close(got[8], 0.5):
        raise Hint("Half-way the factor is 0.5: is `end` ignored, or a `max` with it, which cuts?")
    if got[15] > 0.1 + 1e-9:
        raise Hint("After T the rate climbs again: clip the time of the cosine at 1.")
    expect_close(got[:4], [0.25, 0.5, 0.75, 1.0], "the warm-up for W = 4")
    wanted = [globals()["warmup_cosine"](t, W, T) for t in range(16)]
    if close(got[4:12], wanted[5:13]):
        raise Hint("Down one step early: the cosine is at its top in step W, the first of its own.")
    if close(got[4:12], [0.55 + 0.45 * math.cos(math.pi * k / 9) for k in range(1, 9)]):
        raise Hint("The top of your cosine is step W - 1, the warm-up's last. It should be step W.")
    expect_close(got[4:12], wanted[4:12], "the cosine (steps 4 to 11) for W = 4, T = 12, end = 0.1")
    expect_close(got[12:], wanted[12:], "the factors from step T on")
    expect_close(warmup_cosine(5, 4, 12, 0.0), (1 + math.cos(math.pi / 8)) / 2, "with end = 0")


@check_warmup_cosine.wrong("is wasted")
def starts_at_zero(t, W, T, end=0.1):
    return t / W if t < W else warmup_cosine(t, W, T, end)


@check_warmup_cosine.wrong("jumps at the end of the warm-up")
def cosine_from_the_start(t, W, T, end=0.1):
    part = min(t / T, 1.0)
    return (t + 1) / W if t < W else end + (1 - end) * (1 + math.cos(math.pi * part)) / 2


@check_warmup_cosine.wrong("which cuts")
def cuts_at_the_end(t, W, T, end=0.1):
    part = min((t - W) / (T - W), 1.0)
    return (t + 1) / W if t < W else max(end, (1 + math.cos(math.pi * part)) / 2)


@check_warmup_cosine.wrong("climbs again")
def not_clipped(t, W, T, end=0.1):
    part = (t - W) / (T - W)
    return (t + 1) / W if t < W else end + (1 - end) * (1 + math.cos(math.pi * part)) / 2


@check_warmup_cosine.wrong("Down one step early")
def begins_one_down(t, W, T, end=0.1):
    return warmup_cosine(t, W, T, end) if t < W else warmup_cosine(t + 1, W, T, end)


@check_warmup_cosine.wrong("It should be step W")
def shares_the_top(t, W, T, end=0.1):
    return (t + 1) / W if t < W else warmup_cosine(t, W - 1, T, end)


@check_warmup_cosine.wrong("the cosine (steps 4 to 11)")
def squeezed_only(t, W, T, end=0.1):
    return warmup_cosine(t, W, T, 0.0) * (1 - end) if W <= t < T else warmup_cosine(t, W, T, end)


# -- build a scheduler -------------------------------------------------------------------------


class InverseSqrt(mini.optim.lr_scheduler.LRScheduler):
    """Linear warm-up over W steps, then the inverse square root of the step."""

    def __init__(self, optimizer, W, last_epoch=-1):
        self.W = W
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        n = self.last_epoch + 1
        factor = min(n / self.W, (self.W / n) ** 0.5)
        return [base * factor for base in self.base_lrs]


@exercise(
    solution=InverseSqrt,
    reasoning="""`super().__init__` makes the first step, which calls `get_lr`: what that needs must
be there before, and `last_epoch` is handed on. A closed form of `last_epoch` and `base_lrs` needs
no other state, so `state_dict` (all attributes but the optimiser) resumes it exactly.""",
    shown="One counter is all its state, so it resumes exactly.",
    stub='''
class InverseSqrt(mini.optim.lr_scheduler.LRScheduler):
    """Linear warm-up over W steps, then the inverse square root of the step."""

    def __init__(self, optimizer, W, last_epoch=-1):
        ...

    def get_lr(self):
        ...
''',
)
def check_InverseSqrt(InverseSqrt):
    first, second = _walk(InverseSqrt, 12)
    wanted = [min((t + 1) / 4, (4 / (t + 1)) ** 0.5) for t in range(12)]
    if close(first[0], 0.0):
        raise Hint("The first step has rate 0: the formula has t + 1, not t.")
    if close(second, first):
        raise Hint("All groups get the rate of the first: each has its own in `base_lrs`.")
    if close(first[:2], [0.25, 0.125]):
        raise Hint(
            "The factors pile up from step to step: they belong to `self.base_lrs`, not to the "
            "rates at present."
        )
    expect_close(first, wanted, "the rates of a group with lr = 1, for W = 4")
    expect_close(second, [0.1 * rate for rate in wanted], "those of a group with lr = 0.1")
    resumed, _ = _walk(InverseSqrt, 12, stop=5)
    expect_close(
        resumed, wanted, "the rates when stopped after 5 steps and resumed from `state_dict`"
    )
    groups = [
        {"params": [mini.zeros(1, requires_grad=True)], "lr": lr * wanted[5], "initial_lr": lr}
        for lr in (1.0, 0.1)
    ]
    _, scheduler = _make(InverseSqrt, groups, 5)
    expect_close(
        scheduler.get_last_lr(),
        [wanted[6], 0.1 * wanted[6]],
        "the rates of InverseSqrt(optimizer, 4, last_epoch=5), made for groups with `initial_lr`",
        "Hand `last_epoch` on to `super().__init__`, and count by `self.last_epoch`.",
    )


def _walk(cls, steps, stop=None):
    """The rates of two groups; at `stop`, everything is made anew and its state loaded."""
    optimizer, scheduler = _make(cls)
    first, second = [], []
    for t in range(steps):
        if t == stop:
            states = optimizer.state_dict(), dict(scheduler.state_dict())
            optimizer, scheduler = _make(cls)
            optimizer.load_state_dict(states[0])
            scheduler.load_state_dict(states[1])
        first.append(optimizer.param_groups[0]["lr"])
        second.append(optimizer.param_groups[1]["lr"])
        optimizer.step()
        scheduler.step()
    return first, second


def _make(cls, groups=None, last_epoch=-1):
    if groups is None:
        groups = [{"params": [mini.zeros(1, requires_grad=True)], "lr": lr} for lr in (1.0, 0.1)]
    optimizer = mini.optim.SGD(groups, lr=1.0)
    try:
        return optimizer, cls(optimizer, 4, last_epoch)
    except AttributeError as error:
        raise Hint(
            f"{error}. `super().__init__` calls `get_lr`, so set your attributes before it."
        ) from None
    except (TypeError, ValueError) as error:
        if "zip" in str(error) or "iterable" in str(error):
            raise Hint(f"`get_lr` gives a list with one rate for each group. {error}") from None
        raise


@check_InverseSqrt.wrong("set your attributes before it")
class AttributesAfter(InverseSqrt):
    def __init__(self, optimizer, W, last_epoch=-1):
        mini.optim.lr_scheduler.LRScheduler.__init__(self, optimizer, last_epoch)
        self.W = W


@check_InverseSqrt.wrong("a list with one rate for each group")
class OneNumber(InverseSqrt):
    def get_lr(self):
        return InverseSqrt.get_lr(self)[0]


@check_InverseSqrt.wrong("The factors pile up")
class PilesUp(InverseSqrt):
    def get_lr(self):
        n = self.last_epoch + 1
        factor = min(n / self.W, (self.W / n) ** 0.5)
        return [group["lr"] * factor for group in self.optimizer.param_groups]


@check_InverseSqrt.wrong("each has its own")
class FirstGroupOnly(InverseSqrt):
    def get_lr(self):
        return [InverseSqrt.get_lr(self)[0]] * 2


@check_InverseSqrt.wrong("t + 1, not t")
class StartsAtZero(InverseSqrt):
    def get_lr(self):
        n = self.last_epoch
        factor = min(n / self.W, (self.W / max(n, 1)) ** 0.5)
        return [base * factor for base in self.base_lrs]


@check_InverseSqrt.wrong("Hand `last_epoch` on")
class ForgetsLastEpoch(InverseSqrt):
    def __init__(self, optimizer, W, last_epoch=-1):
        super().__init__(optimizer, W)


@check_InverseSqrt.wrong("resumed from `state_dict`")
class SavesNothing(InverseSqrt):
    def state_dict(self):
        return {}


# -- build new ---------------------------------------------------------------------------------


def plateau(metrics, lr, factor=0.5, patience=2):
    """The rate after each epoch."""
    best, bad, rates = math.inf, 0, []
    for metric in metrics:
        if metric < best:
            best, bad = metric, 0
        else:
            bad += 1
        if bad > patience:
            lr, bad = lr * factor, 0
        rates.append(lr)
    return rates


@exercise(
    solution=plateau,
    reasoning="""Three things are remembered: the best metric, the number of bad epochs since, and
the rate. `patience` epochs are forgiven; the next one is not. Torch's scheduler adds a threshold,
a cooldown and a lowest rate.""",
    shown="Patience is how many bad epochs are forgiven, not how many are needed.",
)
def check_plateau(plateau):
    falling = [5.0, 4.0, 3.0, 2.0]
    expect_close(plateau(falling, 1.0), [1.0] * 4, "the rates for metrics that only fall")
    flat = plateau([1.0] * 8, 1.0)
    if close(flat, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]):
        raise Hint("One epoch too early: *more* than `patience` bad epochs are needed.")
    if close(flat, [1.0] * 3 + [0.5**k for k in range(1, 6)]):
        raise Hint("Once it falls it never stops: after a fall the count begins anew.")
    if close(flat, [1.0, 1.0] + [0.5] * 3 + [0.25] * 3):
        raise Hint("The first epoch counts as bad: nothing came before it, so best begins at inf.")
    if close(flat, [1.0] * 4 + [0.5] * 3 + [0.25]):
        raise Hint("Every fall comes one epoch late: give the rate *after* each epoch's decision.")
    if close(flat, [1.0] * 8):
        raise Hint("An equal metric is no improvement: only one *below* the best is.")
    bumpy = plateau([1.0, 3.0, 2.0, 1.5, 1.2], 1.0)
    if close(bumpy, [1.0] * 5):
        raise Hint(
            "[1, 3, 2, 1.5, 1.2] gave no fall: compare with the *best* so far, not the last."
        )
    broken = plateau([1.0, 1.1, 1.1, 0.9, 1.0, 1.0], 1.0)
    if close(broken, [1.0, 1.0, 1.0, 1.0, 0.5, 0.5]):
        raise Hint("A new best must set the count of bad epochs back to 0: they are in a row.")
    expect_close(flat, [1.0] * 3 + [0.5] * 3 + [0.25] * 2, "the rates for eight equal metrics")
    expect_close(bumpy, [1.0] * 3 + [0.5] * 2, "the rates for [1, 3, 2, 1.5, 1.2]")
    expect_close(broken, [1.0] * 6, "the rates for [1, 1.1, 1.1, 0.9, 1, 1]")
    expect_close(
        plateau([1.0] * 5, 2.0, factor=0.1, patience=1),
        [2.0, 2.0, 0.2, 0.2, 0.02],
        "plateau([1.0] * 5, 2.0, factor=0.1, patience=1)",
    )


def _other_plateau(*, early=False, reset=True, best_of=min, equal=False, forgive=True):
    """The rule with one thing wrong."""

    def plateau(metrics, lr, factor=0.5, patience=2):
        best, bad, rates = math.inf, 0, []
        for metric in metrics:
            better = metric <= best if equal else metric < best
            bad = (0 if forgive else bad) if better else bad + 1
            best = best_of(best, metric)
            if bad > patience - early:
                lr, bad = lr * factor, 0 if reset else bad
            rates.append(lr)
        return rates

    return plateau


@check_plateau.wrong("factor=0.1, patience=1")
def knows_one_setting(metrics, lr, factor=0.5, patience=2):
    return plateau(metrics, lr)


@check_plateau.wrong("nothing came before it")
def first_is_bad(metrics, lr, factor=0.5, patience=2):
    return plateau([metrics[0], *metrics], lr, factor, patience)[1:]


@check_plateau.wrong("one epoch late")
def rates_before(metrics, lr, factor=0.5, patience=2):
    return [lr, *plateau(metrics, lr, factor, patience)[:-1]]


check_plateau.wrong("One epoch too early", _other_plateau(early=True))
check_plateau.wrong("the count begins anew", _other_plateau(reset=False))
check_plateau.wrong("*below* the best", _other_plateau(equal=True))
check_plateau.wrong("not the last", _other_plateau(best_of=lambda best, metric: metric))
check_plateau.wrong("in a row", _other_plateau(forgive=False))


# -- read a paper ------------------------------------------------------------------------------


def period(t, T_0, T_mult):
    """(i, T_cur, T_i) of step t."""
    i, T_i = 0, T_0
    while t >= T_i:
        t, T_i, i = t - T_i, T_i * T_mult, i + 1
    return i, t, T_i


@exercise(
    solution=period,
    reasoning="""Period i has the length T_0 * T_mult**i. Subtract period after period while one
fits; what is left is the step within the next. A logarithm gives i directly for T_mult > 1, but
rounds at the very steps where a period begins.""",
    shown="The periods are whole numbers, so no logarithm is needed, and none can round.",
)
def check_period(period):
    def found(t, T_0, T_mult):
        try:
            return tuple(period(t, T_0, T_mult))
        except ZeroDivisionError:
            raise Hint("T_mult = 1 divides by zero in the closed form: treat it, too.") from None

    got = found(5, 5, 2)
    if close(got, (0, 5, 5)):
        raise Hint("Step 5 is the first of the second period: the first has the steps 0 to 4.")
    got = found(17, 5, 2)
    if close(got, (3, 2, 5)):
        raise Hint("All your periods have the length T_0: each is T_mult times the one before.")
    if close(got, (2, 17, 20)):
        raise Hint("T_cur counts from the last *restart*, not from the beginning.")
    if close(got, (2, 2, 15)):
        raise Hint("The lengths 5, 10, 15 grow by adding. They should be multiplied by T_mult.")
    expect_close(got, (2, 2, 20), "period(17, 5, 2)")
    expect_close(found(5, 5, 2), (1, 0, 10), "period(5, 5, 2)")
    expect_close(found(13, 5, 1), (2, 3, 5), "period(13, 5, 1)")
    expect_close(found(3**5 - 1, 2, 3), (5, 0, 486), "period(242, 2, 3), where a period begins")
    expect(
        all(isinstance(number, int | np.integer) for number in found(242, 2, 3)),
        "Right, but not in whole numbers: `//` divides without leaving them.",
    )


@check_period.wrong("the first of the second period")
def off_by_one(t, T_0, T_mult):
    i, T_i = 0, T_0
    while t > T_i:
        t, T_i, i = t - T_i, T_i * T_mult, i + 1
    return i, t, T_i


@check_period.wrong("All your periods")
def equal_periods(t, T_0, T_mult):
    return t // T_0, t % T_0, T_0


@check_period.wrong("last *restart*")
def from_the_beginning(t, T_0, T_mult):
    i, _, T_i = period(t, T_0, T_mult)
    return i, t, T_i


@check_period.wrong("grow by adding")
def adds(t, T_0, T_mult):
    i, T_i = 0, T_0
    while t >= T_i:
        t, i = t - T_i, i + 1
        T_i = T_0 * (i + 1)
    return i, t, T_i


@check_period.wrong("not in whole numbers")
def leaves_whole_numbers(t, T_0, T_mult):
    i, t, _ = period(t, T_0, T_mult)
    return i, float(t), T_0 * float(T_mult) ** i


@check_period.wrong("divides by zero")
def closed_form(t, T_0, T_mult):
    i = int(math.log(t / T_0 * (T_mult - 1) + 1 + 1e-9) / math.log(T_mult))
    return i, t - T_0 * (T_mult**i - 1) // (T_mult - 1), T_0 * T_mult**i
