"""Exercises of the chapter debugging. The form: dlcourse/exercises/__init__.py."""

import math
import weakref

from dlcourse import mini
from dlcourse.exercises import Hint, close, exercise, expect, expect_close

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="floor",
    solution=math.log(1 + 3 / math.e),
    reasoning=(
        "Softmax twice: probabilities differ by 1 at most, so the second softmax gives at most "
        "$1 / (1 + (K - 1)/e)$, and with $K = 4$ the loss is at least $\\log(1 + 3/e) = 0.7437$."
    ),
    shown="A loss that comes to rest at log(1 + (K - 1)/e) has gone through softmax twice.",
)
def check_floor(answer):
    if close(answer, math.log(4)):
        raise Hint("log 4 is the *first* loss, of a network that knows nothing. Where can it end?")
    if close(answer, math.log(1 + 9 / math.e)):
        raise Hint("That is the number for ten classes; here are four.")
    if close(answer, math.log(1 + 4 / math.e)):
        raise Hint("The sum has the *other* classes: K - 1 of them.")
    if close(answer, math.log(1 + 3 * math.e)):
        raise Hint("That is the loss of the worst answer: the others have p = 0, not y. Signs?")
    right = close(answer, math.log(1 + 3 / math.e), rtol=0.0, atol=1e-4)
    if close(answer, 0.74, rtol=0.01, atol=0.0) and not right:
        raise Hint(
            "Rounded so far, it could be read off the question. Give four decimals, or "
            "`math.log(...)`."
        )
    if not right:
        raise Hint(
            "Softmax of p, with p = 1 for the right class and 0 for three others; then -log?"
        )


check_floor.wrong("the *first* loss", math.log(4))
check_floor.wrong("for ten classes", math.log(1 + 9 / math.e))
check_floor.wrong("the *other* classes", math.log(1 + 4 / math.e))
check_floor.wrong("the worst answer", math.log(1 + 3 * math.e))
check_floor.wrong("could be read off", 0.74)
check_floor.wrong("Softmax of p", 0.0)


# -- repair ------------------------------------------------------------------------------------


def time_first(x):
    """(B, T, C) to (T, B, C), each number with its example, time and channel."""
    return x.transpose(0, 1)


@exercise(
    solution=time_first,
    reasoning="`transpose` moves the axes; `reshape` would cut the memory anew and mix examples.",
    shown="Every number is still where its example, its time and its channel say.",
)
def check_time_first(time_first):
    x = mini.arange(24).reshape(2, 4, 3)
    got = time_first(x)
    if tuple(got.shape) == (3, 4, 2):
        raise Hint("The channels have moved, too. Which two axes are to change places?")
    expect(
        tuple(got.shape) == (4, 2, 3), f"(B, T, C) = (2, 4, 3) became {tuple(got.shape)}, not TBC."
    )
    if bool((got == x.reshape(4, 2, 3)).all()):
        raise Hint("The shape is right and the examples are mixed: `got[1, 0]` is not `x[0, 1]`.")
    if bool((got[:, 0] == x[1]).all()):
        raise Hint("Example 0 has become example 1: the batch is turned around.")
    if bool((got[0] == x[:, -1]).all()):
        raise Hint("Time runs backward: `got[0]` is the last moment.")
    expect_close(got, x.transpose(0, 1), "time_first(x)")
    through = time_first(mini.ones(2, 4, 3, requires_grad=True))
    expect(through.requires_grad, "The numbers are right, but their history is cut: no `numpy()`.")


@check_time_first.wrong("examples are mixed")
def cuts_anew(x):
    B, T, C = x.shape
    return x.reshape(T, B, C)


@check_time_first.wrong("channels have moved")
def turns_all(x):
    return x.permute(2, 1, 0)


@check_time_first.wrong("not TBC")
def leaves_it(x):
    return x


@check_time_first.wrong("Time runs backward")
def from_the_end(x):
    return x.transpose(0, 1).flip(0)


@check_time_first.wrong("history is cut")
def goes_by_way_of_numpy(x):
    return mini.tensor(x.detach().numpy().swapaxes(0, 1).copy())


def masked_mean(losses, lengths):
    """The mean of losses[b, t] over all t < lengths[b]."""
    steps = mini.arange(losses.shape[1])  # (T,)
    real = steps < lengths[:, None]  # (T,) < (B, 1) -> (B, T)
    return losses[real].mean()


@exercise(
    solution=masked_mean,
    reasoning="A mask that is an index leaves the padding out; a factor 0 keeps its NaN.",
    shown="Padding neither counts nor matters, whatever it holds.",
)
def check_masked_mean(masked_mean):
    nan, lengths = float("nan"), mini.tensor([3, 1])
    rows = [[1.0, 2.0, 6.0, 0.0], [7.0, 0.0, 0.0, 0.0]]
    got = masked_mean(mini.tensor(rows), lengths)
    if close(got, 2.0):
        raise Hint("16 / 8: the zeros of the padding were counted as words.")
    if close(got, 5.0):
        raise Hint("That is the mean of the sentences' means; each *word* is to count alike.")
    if close(got, 8.0):
        raise Hint("Divided by the number of sentences. Divide by the number of words.")
    if close(got, 3.2):
        raise Hint("One word too many in each sentence: t < lengths[b], and t counts from 0.")
    expect_close(got, 4.0, "the mean of 1, 2, 6 and 7")
    rows = [[1.0, 2.0, 6.0, nan], [7.0, nan, nan, 5.0]]
    losses = mini.tensor(rows, requires_grad=True)
    got = masked_mean(losses, lengths)
    if math.isnan(float(got)):
        raise Hint("NaN in the padding reaches the result: 0 * NaN is NaN. Select, not multiply.")
    expect_close(got, 4.0, "the mean, with rubbish in the padding,")
    if not getattr(got, "requires_grad", False):
        raise Hint(
            "The number is right, but backward cannot start from it: `.item()`, `.tolist()` and "
            "NumPy cut the history. Use tensor operations alone."
        )
    got.backward()
    wanted = [[0.25, 0.25, 0.25, 0.0], [0.25, 0.0, 0.0, 0.0]]
    expect_close(losses.grad, wanted, "the gradient by the losses")
    rows = [[1.0, 2.0, 6.0], [nan, nan, nan], [7.0, nan, nan]]
    got = masked_mean(mini.tensor(rows), mini.tensor([3, 0, 1]))
    if math.isnan(float(got)):
        raise Hint("A sentence without words has no mean of its own, 0 / 0: add words, not means.")
    expect_close(got, 4.0, "the mean, with a sentence that is empty,")


@check_masked_mean.wrong("counted as words")
def mean_of_all(losses, lengths):
    return losses.mean()


@check_masked_mean.wrong("sentences' means")
def mean_of_means(losses, lengths):
    real = mini.arange(losses.shape[1]) < lengths[:, None]
    return (mini.where(real, losses, mini.zeros(())).sum(1) / lengths).mean()


@check_masked_mean.wrong("number of sentences")
def by_sentence(losses, lengths):
    return losses.sum() / len(losses)


@check_masked_mean.wrong("Select, not multiply")
def by_a_factor(losses, lengths):
    real = mini.arange(losses.shape[1]) < lengths[:, None]
    return (losses * real).sum() / real.sum()


@check_masked_mean.wrong("backward cannot start")
def through_a_list(losses, lengths):
    pairs = zip(losses.tolist(), lengths.tolist(), strict=True)
    words = [loss for row, length in pairs for loss in row[:length]]
    return sum(words) / len(words)


@check_masked_mean.wrong("no mean of its own")
def by_the_means_of_sentences(losses, lengths):
    sizes = lengths.tolist()
    sums = [losses[b, :size].mean() * size for b, size in enumerate(sizes)]
    return mini.stack(sums).sum() / sum(sizes)


@check_masked_mean.wrong("One word too many")
def one_more(losses, lengths):
    real = mini.arange(losses.shape[1]) <= lengths[:, None]
    return (losses * real).sum() / (lengths.sum() + 1)


def train_epoch(model, optimizer, loss_fn, batches):
    """Train on each batch (x, y) once; the mean loss of an example."""
    model.train()
    total = count = 0
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
        count += len(x)
    return total / count


@exercise(
    solution=train_epoch,
    reasoning="""Mode, clearing, history, weighting: `model.train()`; `optimizer.zero_grad()` before
each backward; `.item()`, so that no graph is kept; and each batch counts by its examples.""",
    shown="The mode, the gradients, the memory and the mean are right.",
)
def check_train_epoch(train_epoch):
    x = mini.tensor([[1.0], [2.0], [3.0]], dtype=mini.float64)
    batches = [(x[:2], 2 * x[:2]), (x[2:], 2 * x[2:])]
    model = mini.nn.Linear(1, 1, bias=False, dtype=mini.float64)
    with mini.no_grad():
        model.weight.fill_(1.0)
    optimizer, modes = mini.optim.SGD(model.parameters(), lr=0.1), []
    model.register_forward_hook(lambda module, *_: modes.append(module.training))
    got = train_epoch(model.eval(), optimizer, mini.nn.functional.mse_loss, batches)
    expect(all(modes), "The model is in evaluation mode while it is trained: call `train()` first.")
    weight = model.weight.item()
    if close(weight, 1.0):
        raise Hint(
            "No weight has moved. Is there a `step()`, with no `zero_grad()` after backward?"
        )
    if close(weight, 2.9):
        raise Hint(
            "The second step used the first gradient, too: clear them, for every batch anew."
        )
    expect_close(weight, 2.4, "the weight after two steps from 1.0")
    if isinstance(got, mini.Tensor) and got.requires_grad:
        raise Hint("The result has a history, and keeps the graph of each batch alive: `.item()`.")
    if close(got, (2.5 + 2.25) / 2):
        raise Hint("A mean of batch means. The last batch has one example, the first has two.")
    if close(got, 2.5 + 2.25):
        raise Hint("That is the sum of the batches' losses. Divide by the number of examples.")
    expect_close(got, (2 * 2.5 + 2.25) / 3, "the mean loss")
    expect(isinstance(got, float), "The mean loss is right, but a tensor: a float is wanted.")
    graphs, alive = [], []

    def loss_fn(guess, y):
        expect(
            guess.requires_grad and not y.requires_grad,
            "The loss gets the targets first. For this one it makes no difference, for "
            "cross-entropy it does: `loss_fn(model(x), y)`.",
        )
        alive.append(sum(graph() is not None for graph in graphs))
        loss = mini.nn.functional.mse_loss(guess, y)
        graphs.append(weakref.ref(loss.grad_fn))  # a graph is made of these, not of tensors
        return loss

    train_epoch(model, optimizer, loss_fn, [(x[:1], x[:1])] * 8)
    if max(alive) > 3:
        raise Hint(
            "The result is a float, but during the epoch each batch's loss is kept, and its graph "
            "with it: `.item()` in the loop, not behind it."
        )


def _epoch(model, optimizer, loss_fn, batches, *, mode=True, clear=True, item=True, weigh=True):
    """An epoch with some of the four mistakes."""
    model.train(mode)
    total = count = 0
    for x, y in batches:
        if clear:
            optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()
        size = len(x) if weigh else 1
        total, count = total + (loss.item() if item else loss) * size, count + size
    return total / count


@check_train_epoch.wrong("the targets first")
def hands_over_the_targets_first(model, optimizer, loss_fn, batches):
    return _epoch(model, optimizer, lambda guess, y: loss_fn(y, guess), batches)


@check_train_epoch.wrong("evaluation mode")
def in_evaluation_mode(model, optimizer, loss_fn, batches):
    return _epoch(model, optimizer, loss_fn, batches, mode=False)


@check_train_epoch.wrong("used the first gradient")
def never_clears(model, optimizer, loss_fn, batches):
    return _epoch(model, optimizer, loss_fn, batches, clear=False)


@check_train_epoch.wrong("after backward")
def clears_too_late(model, optimizer, loss_fn, batches):
    model.train()
    for x, y in batches:
        loss_fn(model(x), y).backward()
        optimizer.zero_grad()
        optimizer.step()


@check_train_epoch.wrong("keeps the graph")
def keeps_graphs(model, optimizer, loss_fn, batches):
    return _epoch(model, optimizer, loss_fn, batches, item=False)


@check_train_epoch.wrong("a float is wanted")
def gives_a_tensor(model, optimizer, loss_fn, batches):
    return mini.tensor(_epoch(model, optimizer, loss_fn, batches), dtype=mini.float64)


@check_train_epoch.wrong("not behind it")
def keeps_graphs_to_the_end(model, optimizer, loss_fn, batches):
    return _epoch(model, optimizer, loss_fn, batches, item=False).item()


@check_train_epoch.wrong("batch means")
def means_of_means(model, optimizer, loss_fn, batches):
    return _epoch(model, optimizer, loss_fn, batches, weigh=False)


# -- build -------------------------------------------------------------------------------------


def first_bad(is_bad, n):
    """The first i with is_bad(i); is_bad(0) is False, is_bad(n - 1) True."""
    good, bad = 0, n - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if is_bad(middle):
            bad = middle
        else:
            good = middle
    return bad


@exercise(
    solution=first_bad,
    reasoning=r"""Between a good and a bad version, each answer halves the distance. Fewer questions
than $\log_2 (n - 1)$, rounded up, cannot do: $k$ answers tell at most $2^k$ cases apart.""",
    shown="A thousand versions in ten hours.",
)
def check_first_bad(first_bad):
    cases = [(2, 1), (3, 1), (3, 2), (10, 9), *((1000, i) for i in (1, 617, *range(2, 1000)))]
    for n, wanted in cases:
        asked = []

        def is_bad(i, n=n, wanted=wanted, asked=asked):
            expect(0 <= i < n, f"You asked for version {i}, of versions 0 to {n - 1}.")
            expect(len(asked) < 2000, "Your search does not come to an end.")
            asked.append(i)
            return i >= wanted

        got = first_bad(is_bad, n)
        if close(got, wanted - 1):
            raise Hint(f"{got} is the last *good* version; the first bad one comes after it.")
        expect(close(got, wanted), f"Of {n} versions the first bad is {wanted}; you give {got}.")
        most = math.ceil(math.log2(n)) + 1  # one more than needed, for who asks an end, too
        if len(asked) > most:
            raise Hint(
                f"{len(asked)} hours for {n} versions, when version {wanted} is the first bad one. "
                f"Ask the middle one: {most} do."
            )


@check_first_bad.wrong("Ask the middle one")
def one_by_one(is_bad, n):
    return next(i for i in range(n) if is_bad(i))


@check_first_bad.wrong("hours for 1000 versions")
def asks_at_a_third(is_bad, n):
    good, bad = 0, n - 1
    while bad - good > 1:
        third = good + max(1, (bad - good) // 3)
        good, bad = (good, third) if is_bad(third) else (third, bad)
    return bad


@check_first_bad.wrong("last *good* version")
def the_last_good(is_bad, n):
    return next(i for i in range(n) if is_bad(i)) - 1


@check_first_bad.wrong("does not come to an end")
def never_ends(is_bad, n):
    good, bad = 0, n - 1
    while good < bad:
        middle = (good + bad) // 2
        good, bad = (good, middle) if is_bad(middle) else (middle, bad)
    return bad


@check_first_bad.wrong("you give")
def the_middle_alone(is_bad, n):
    return n // 2 if is_bad(n // 2) else n - 1


def rows_mixed(function, x):
    """Does function(x)[i] change when some other row x[j] does?"""
    before = function(x)
    for j in range(len(x)):
        changed = x.clone()
        changed[j] = changed[j] + 1
        others = mini.arange(len(x)) != j
        if not bool((function(changed)[others] == before[others]).all()):
            return True
    return False


@exercise(
    solution=rows_mixed,
    reasoning="Change every row in turn, in a copy, and look at the rows that should not care.",
    shown="A check for scrambled batches, and for batch normalisation in training mode.",
)
def check_rows_mixed(rows_mixed):
    x = mini.arange(12.0).reshape(4, 3) / 7
    kept = x.clone()
    mixed = rows_mixed(lambda t: t * 2 + 1, x)
    expect(bool((x == kept).all()), "`x` has changed: it belongs to the caller, so change a copy.")
    if mixed:
        raise Hint("`t * 2 + 1` mixes no rows: the changed row itself may change, so leave it out.")
    expect(rows_mixed(lambda t: t - t.mean(0), x), "`t - t.mean(0)` mixes all rows; you say no.")
    scrambled = rows_mixed(lambda t: t.reshape(t.shape[1], t.shape[0]).t(), x)
    expect(scrambled, "`t.reshape(3, 4).t()` scrambles the batch of shape (4, 3); you say no.")

    def last_pair(t):
        return mini.cat([t[:3], t[2:3] + t[3:]])

    def from_afar(t):
        return mini.cat([t[:1] + t[3:], t[1:]])

    if not rows_mixed(last_pair, x):
        raise Hint("A function that adds row 2 to row 3 gets away. Change *each* row in turn.")
    if not rows_mixed(from_afar, x):
        raise Hint("A function that adds row 3 to row 0 gets away. Look at *all* the other rows.")
    if not rows_mixed(from_afar, mini.zeros(4, 3)):
        raise Hint(
            "With zeros in `x` a function that adds row 3 to row 0 gets away: see to it that each "
            "row changes, also one of zeros."
        )
    if not rows_mixed(from_afar, mini.ones(4, 3)):
        raise Hint("With ones in `x` a function that adds row 3 to row 0 gets away.")
    norm = mini.nn.BatchNorm1d(3)
    expect(rows_mixed(norm, x), "Batch normalisation in training mixes all rows; you say no.")
    expect(not rows_mixed(norm.eval(), x), "After `eval()` batch normalisation mixes no rows.")


def _changed_rows(function, x, change):
    for j in range(len(x)):
        changed, others = x.clone(), mini.arange(len(x)) != j
        changed[j] = change(changed[j])
        if not bool((function(changed)[others] == function(x)[others]).all()):
            return True
    return False


@check_rows_mixed.wrong("also one of zeros")
def doubles_a_row(function, x):
    return _changed_rows(function, x, lambda row: 2 * row)


@check_rows_mixed.wrong("With ones in `x`")
def sets_a_row_to_one(function, x):
    return _changed_rows(function, x, mini.ones_like)


@check_rows_mixed.wrong("leave it out")
def looks_at_all(function, x):
    changed = x.clone()
    changed[0] = changed[0] + 1
    return not bool((function(changed) == function(x)).all())


@check_rows_mixed.wrong("*each* row")
def changes_the_first(function, x):
    changed = x.clone()
    changed[0] = changed[0] + 1
    return not bool((function(changed)[1:] == function(x)[1:]).all())


@check_rows_mixed.wrong("belongs to the caller")
def changes_the_original(function, x):
    before = function(x)[1:]
    x[0] += 1
    return not bool((function(x)[1:] == before).all())


@check_rows_mixed.wrong("*all* the other rows")
def looks_at_the_next_row(function, x):
    before = function(x)
    for j in range(len(x) - 1):
        changed = x.clone()
        changed[j] = changed[j] + 1
        if not bool((function(changed)[j + 1] == before[j + 1]).all()):
            return True
    return False


@check_rows_mixed.wrong("you say no")
def believes(function, x):
    return False
