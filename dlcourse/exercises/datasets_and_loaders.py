"""Exercises of the chapter datasets_and_loaders. The form: dlcourse/exercises/__init__.py."""

import itertools
import math

from dlcourse.exercises import Hint, close, exercise, expect, expect_close

import numpy as np

# -- predict -----------------------------------------------------------------------------------


@exercise(
    name="stream_sizes",
    solution=[4, 4, 1, 1],
    reasoning=(
        "Each worker has five of the ten lines and makes batches of its own: one of four, and a "
        "last one of a single example. The loop takes them in turn: worker 0's first, worker 1's "
        "first, worker 0's second, worker 1's second. With `drop_last=True` the loader would leave "
        "out *two* short batches, so a stream loses more examples the more workers read it."
    ),
    shown="Workers make batches of their own: each may leave a short one.",
)
def check_stream_sizes(answer):
    expect(isinstance(answer, list | tuple), "Give a list of whole numbers, one for each batch.")
    answer = list(answer)
    if answer == [4, 4, 2]:
        raise Hint(
            "That is what one process would make. Here each worker has five lines and cannot see "
            "those of the other: no batch holds examples of both."
        )
    if answer == [4, 1, 4, 1]:
        raise Hint("The right batches, one worker after the other. They are asked *in turn*.")
    if answer == [4, 4, 2, 4, 4, 2] or sum(answer) == 20:
        raise Hint("Twenty examples: that is the bug. With `share=True` each line comes once.")
    if answer == [4, 4]:
        raise Hint("Nothing was said of `drop_last`: the two short batches come, too.")
    expect(sum(answer) == 10, f"Your batches hold {sum(answer)} examples, and there are ten lines.")
    expect(
        answer == [4, 4, 1, 1],
        "Not yet. How many lines does each worker get, and which batches does it make of them?",
    )


check_stream_sizes.wrong("what one process would make", [4, 4, 2])
check_stream_sizes.wrong("asked *in turn*", [4, 1, 4, 1])
check_stream_sizes.wrong("that is the bug", [4, 4, 4, 4, 2, 2])
check_stream_sizes.wrong("Nothing was said of `drop_last`", [4, 4])
check_stream_sizes.wrong("which batches does it make", [5, 5])


# -- by hand -----------------------------------------------------------------------------------


def workers_needed(item, collate, batch_size, step):
    """The fewest workers with which steps of `step` seconds never wait."""
    fetch = batch_size * item + collate
    return math.ceil(fetch / step)


@exercise(
    solution=workers_needed,
    reasoning=r"""A batch takes $f = B \cdot \text{item} + \text{collate}$, and the period is
$\max(s, f / W)$. It is $s$ as soon as $f / W \le s$, so $W \ge f / s$, rounded up. At least one is
needed, however short the fetch is: without workers the period is $f + s$.""",
    shown="Enough workers: as many as the fetch is longer than the step.",
)
def check_workers_needed(workers_needed):
    got = workers_needed(0.25, 1.0, 8, 1.25)  # fetch 3.0; 2.4 steps
    if close(got, 2.4):
        raise Hint("Right, but nobody starts 2.4 workers: give a whole number that is enough.")
    if close(got, 2):
        raise Hint(
            "A fetch takes 3 seconds, with collating: two workers deliver a batch every 1.5 "
            "seconds, and the step takes 1.25."
        )
    if close(got, 1):
        raise Hint("A batch has `batch_size` items, and each of them takes `item` seconds.")
    if close(got, 8):
        raise Hint("Items are collated once a batch, not once each.")
    expect_close(got, 3, "workers_needed(0.25, 1.0, 8, 1.25)")
    exact = workers_needed(0.5, 0.0, 4, 1.0)
    if close(exact, 3):
        raise Hint(
            "With a fetch of 2 seconds and a step of 1, two workers are enough, exactly: round up, "
            "but do not add one to what is whole already."
        )
    expect_close(exact, 2, "workers_needed(0.5, 0.0, 4, 1.0)")
    expect_close(workers_needed(0.125, 0.0, 2, 4.0), 1, "workers_needed(0.125, 0.0, 2, 4.0)")
    short = workers_needed(0.5, 1.0, 6, 0.5)
    if close(short, 4):
        raise Hint("A fetch of 4 seconds lasts as long as 8 *steps* of half a second: count steps.")
    expect_close(short, 8, "workers_needed(0.5, 1.0, 6, 0.5)")


@check_workers_needed.wrong("count steps")
def counts_seconds(item, collate, batch_size, step):
    return math.ceil(batch_size * item + collate)


@check_workers_needed.wrong("nobody starts 2.4 workers")
def does_not_round(item, collate, batch_size, step):
    return (batch_size * item + collate) / step


@check_workers_needed.wrong("a batch every 1.5")
def rounds_down(item, collate, batch_size, step):
    return int((batch_size * item + collate) / step)


@check_workers_needed.wrong("`batch_size` items")
def one_item_a_batch(item, collate, batch_size, step):
    return math.ceil((item + collate) / step)


@check_workers_needed.wrong("not once each")
def collates_each(item, collate, batch_size, step):
    return math.ceil(batch_size * (item + collate) / step)


@check_workers_needed.wrong("do not add one")
def always_one_more(item, collate, batch_size, step):
    return int((batch_size * item + collate) / step) + 1


# -- change the code ---------------------------------------------------------------------------


def budget_batches(lengths, budget):
    """Lists of indices, shortest first, with count times longest <= budget."""
    batches, batch = [], []
    for index in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[index] > budget:
            batches.append(batch)
            batch = []
        batch.append(index)
    return [*batches, batch] if batch else batches


@exercise(
    solution=budget_batches,
    reasoning="""In ascending order the next example is the longest of the batch it joins, so the
box would have `(len(batch) + 1) * lengths[index]` places. If that is too much, the batch is closed.
An example that is longer than the budget gets a batch of its own: something has to be done with it,
and an endless loop or a lost example is not it.""",
    shown="Batches of equal cost: many short examples, or few long ones.",
)
def check_budget_batches(budget_batches):
    lengths = np.array([7, 2, 3, 9, 2, 4, 2, 8])
    got = [[int(i) for i in batch] for batch in budget_batches(lengths.copy(), 12)]
    flat = list(itertools.chain(*got))
    expect(len(set(flat)) == len(flat), "An example comes twice.")
    if len(flat) < 8:
        raise Hint(f"Examples are lost: {sorted(set(range(8)) - set(flat))}. The last batch, too?")
    expect(all(got), "One of your batches is empty.")
    boxes = [len(batch) * int(max(lengths[batch])) for batch in got]
    if max(boxes) > 12:
        number = boxes.index(max(boxes))
        inside = lengths[got[number]].tolist()
        raise Hint(
            f"The batch of lengths {inside} has a box of {max(boxes)} places, more than 12. The "
            "cost is the *padded* size: the number of examples times the longest."
        )
    inside = [lengths[batch].tolist() for batch in got]
    if len(got) == 5 and inside != [[2, 2, 2, 3], [4], [7], [8], [9]]:
        raise Hint(
            f"Five batches are as few as can be, but yours hold the lengths {inside}. Begin with "
            "the shortest, and put into each batch all that fits: a box of exactly 12 places does."
        )
    if len(got) != 5:
        raise Hint(
            f"The budget is kept, but in {len(got)} batches; five are enough: sort by length, and "
            "close a batch only when the next example would not fit."
        )
    alone = [[int(i) for i in batch] for batch in budget_batches(np.array([5, 40, 6, 30]), 12)]
    found = sorted(itertools.chain(*alone))
    expect(found == [0, 1, 2, 3], "An example longer than the budget must still come, alone.")
    if alone != [[0, 2], [3], [1]]:
        raise Hint("An example longer than the budget comes, but in company: it goes alone.")
    few = [[int(i) for i in batch] for batch in budget_batches(np.array([6, 5]), 12)]
    expect(
        few == [[1, 0]],
        f"Lengths 6 and 5 fit into one batch of 12 places, [[1, 0]], and you give {few}: the last "
        "batch is also there if it is the only one.",
    )
    if any(len(batch) == 0 for batch in budget_batches(np.array([30, 40]), 12)):
        raise Hint("If the very first example is beyond the budget, you close an *empty* batch.")


@check_budget_batches.wrong("if it is the only one")
def forgets_a_single_batch(lengths, budget):
    batches = budget_batches(lengths, budget)
    return batches if len(batches) > 1 else []


@check_budget_batches.wrong("the *padded* size")
def counts_real_places(lengths, budget):
    batches, batch, total = [], [], 0
    for index in np.argsort(lengths, kind="stable").tolist():
        if batch and total + lengths[index] > budget:
            batches, batch, total = [*batches, batch], [], 0
        batch.append(index)
        total += lengths[index]
    return [*batches, batch]


@check_budget_batches.wrong("Examples are lost")
def forgets_the_last(lengths, budget):
    return budget_batches(lengths, budget)[:-1]


@check_budget_batches.wrong("close an *empty* batch")
def closes_an_empty_one(lengths, budget):
    batches, batch = [], []
    for index in np.argsort(lengths, kind="stable").tolist():
        if (len(batch) + 1) * lengths[index] > budget:
            batches, batch = [*batches, batch], []
        batch.append(index)
    return [*batches, batch]


@check_budget_batches.wrong("exactly 12 places")
def stays_below_the_budget(lengths, budget):
    return budget_batches(lengths, budget - 1)


@check_budget_batches.wrong("sort by length")
def one_by_one(lengths, budget):
    return [[i] for i in range(len(lengths))]


@check_budget_batches.wrong("in company")
def puts_the_long_together(lengths, budget):
    long = np.flatnonzero(lengths > budget).tolist()
    fits = np.flatnonzero(lengths <= budget)
    rest = [[int(fits[i]) for i in batch] for batch in budget_batches(lengths[fits], budget)]
    return [*rest, long] if long else rest


@check_budget_batches.wrong("must still come")
def drops_the_long(lengths, budget):
    fits = np.flatnonzero(lengths <= budget)
    return [[int(fits[i]) for i in batch] for batch in budget_batches(lengths[fits], budget)]


# -- build -------------------------------------------------------------------------------------


def split_by_group(groups, share, rng):
    """Indices (train, test) of whole groups; test has `share` of the examples."""
    names = rng.permutation(np.unique(groups))
    sizes = np.array([(groups == name).sum() for name in names])
    enough = int(np.searchsorted(sizes.cumsum(), share * len(groups))) + 1
    in_test = np.isin(groups, names[:enough])
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


@exercise(
    solution=split_by_group,
    reasoning="""Draw *groups* at random, until they hold enough *examples*: groups differ in size,
so a fifth of the groups may be half of the data. The last group may carry the test set a little
above its share.""",
    shown="No group on both sides, and the share is that of the examples.",
)
def check_split_by_group(split_by_group):
    groups = np.repeat(np.arange(30), [40] * 3 + [2] * 27)  # 174 examples
    groups = groups[np.random.default_rng(5).permutation(len(groups))]
    tests = []
    for seed in range(12):
        train, test = split_by_group(groups.copy(), 0.25, np.random.default_rng(seed))
        train, test = np.asarray(train), np.asarray(test)
        both = np.intersect1d(train, test)
        expect(len(both) == 0, f"{len(both)} examples are in both parts.")
        expect(len(train) + len(test) == 174, "Some examples are in neither part.")
        torn = np.intersect1d(groups[train], groups[test])
        if len(torn):
            raise Hint(f"{len(torn)} groups have examples on both sides: split groups, not rows.")
        tests.append(tuple(np.sort(test).tolist()))
    if len(set(tests)) == 1:
        raise Hint("Every generator gives the same split: which groups are drawn is to be chance.")
    counts = [len(test) for test in tests]
    if min(counts) > 174 / 2 and all(43.5 <= 174 - count < 83.5 for count in counts):
        raise Hint(
            "The second part holds most of the examples: return `(train, test)` in this order."
        )
    if min(counts) < 0.25 * 174 or max(counts) >= 0.25 * 174 + 40:
        raise Hint(
            f"With share 0.25 of 174 examples your test sets hold from {min(counts)} to "
            f"{max(counts)}. The share is of the *examples*, and groups differ in size: take "
            "groups until they hold enough."
        )
    if not any(np.isin(groups[list(test)], [0, 1, 2]).any() for test in tests):
        raise Hint(
            "Large groups never come into the test part: draw each next group at random, whatever "
            "its size."
        )
    even = len(split_by_group(np.repeat(np.arange(8), 3), 0.25, np.random.default_rng(0))[1])
    expect(
        even == 6,
        "Of 24 examples in groups of three a quarter is 6, which two groups hold exactly; your "
        f"test part has {even}. Stop as soon as there is enough.",
    )


@check_split_by_group.wrong("split groups, not rows")
def splits_rows(groups, share, rng):
    order = rng.permutation(len(groups))
    cut = math.ceil(share * len(groups))
    return order[cut:], order[:cut]


@check_split_by_group.wrong("in this order")
def test_comes_first(groups, share, rng):
    return split_by_group(groups, share, rng)[::-1]


@check_split_by_group.wrong("is to be chance")
def takes_the_first(groups, share, rng):
    in_test = groups < 2
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


@check_split_by_group.wrong("groups differ in size")
def counts_groups(groups, share, rng):
    names = rng.permutation(np.unique(groups))
    in_test = np.isin(groups, names[: math.ceil(share * len(names))])
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


@check_split_by_group.wrong("groups until they hold enough")
def takes_the_groups_of_drawn_rows(groups, share, rng):
    drawn = rng.permutation(len(groups))[: math.ceil(share * len(groups))]
    in_test = np.isin(groups, groups[drawn])
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


@check_split_by_group.wrong("Large groups never come")
def takes_small_groups_first(groups, share, rng):
    names, sizes = np.unique(groups, return_counts=True)
    names = names[np.argsort(sizes + rng.random(len(names)))]
    enough = int(np.searchsorted(np.sort(sizes).cumsum(), share * len(groups))) + 1
    in_test = np.isin(groups, names[:enough])
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


@check_split_by_group.wrong("Stop as soon as there is enough")
def takes_one_group_too_many(groups, share, rng):
    names = rng.permutation(np.unique(groups))
    in_test = np.zeros(len(groups), bool)
    while in_test.sum() <= share * len(groups):
        in_test, names = in_test | (groups == names[0]), names[1:]
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


@check_split_by_group.wrong("in both parts")
def leaves_the_test_in(groups, share, rng):
    train, test = split_by_group(groups, share, rng)
    return np.concatenate([train, test]), test


# -- build new ---------------------------------------------------------------------------------


def shuffle_buffer(stream, size, rng):
    """Yield the stream's items in random order, at most `size` in memory."""
    buffer = []
    for item in stream:
        if len(buffer) < size:
            buffer.append(item)
            continue
        place = rng.integers(size)
        yield buffer[place]
        buffer[place] = item
    yield from (buffer[i] for i in rng.permutation(len(buffer)))


@exercise(
    solution=shuffle_buffer,
    reasoning="""Fill the buffer first; then each new item takes the place of one that leaves. What
is in the buffer when the stream ends comes last, shuffled: forgetting it loses `size` examples, and
leaving it in order makes the end of each epoch alike. A stream shorter than the buffer never gets
beyond the first branch, and is shuffled whole.""",
    shown="All items once, in random order, and never more than the buffer in memory.",
)
def check_shuffle_buffer(shuffle_buffer):
    out, most, read = [], 0, []
    stream = (read.append(i) or i for i in range(200))  # notes what is taken from it
    for given, item in enumerate(shuffle_buffer(stream, 20, np.random.default_rng(0)), 1):
        out.append(item)
        most = max(most, len(read) - given)
    if len(out) < 200 and len(set(out)) == len(out):
        raise Hint(f"{200 - len(out)} items never came: what is in the buffer at the end?")
    if len(set(out)) < 200:
        raise Hint("Some items come twice: put the new one in the old one's place.")
    if most > 20:
        raise Hint(f"There were {most} items in memory at once; the buffer has 20 places.")
    expect(out != sorted(out), "The items come in the order of the stream.")
    if out[:100] == sorted(out[:100]):
        raise Hint(
            "Before the end the items keep their order: give out a *random* one of the buffer."
        )
    if sorted(out[:20]) == list(range(20)):
        raise Hint(
            "You empty the whole buffer before you fill it again, so nothing leaves its block of "
            "20: let each new item take the place of one that leaves."
        )
    last = [
        list(shuffle_buffer(iter(range(40)), 20, np.random.default_rng(seed)))[-20:]
        for seed in range(6)
    ]
    short = list(shuffle_buffer(iter(range(12)), 20, np.random.default_rng(1)))
    if short == sorted(short) or all(part[-5:] == sorted(part[-5:]) for part in last):
        raise Hint("What is left at the end comes in order: shuffle the rest of the buffer, too.")
    expect(sorted(short) == list(range(12)), "A stream shorter than the buffer lost items.")
    if all(part == last[0] for part in last):
        raise Hint("Every generator gives the same order: draw from `rng`.")
    long = list(shuffle_buffer(iter(range(400)), 20, np.random.default_rng(0)))
    if stuck := sorted(i for i in long[-20:] if i < 20):
        raise Hint(
            f"Of 400 items the number {stuck[0]} of the first twenty waits to the end: each place "
            "of the buffer must have its turn."
        )
    letters = "abcdefghijklmnopqrstuvwxyz"
    if sorted(shuffle_buffer(letters, 5, np.random.default_rng(0))) != list(letters):
        raise Hint(
            "A string of 26 letters does not come out letter by letter, once each. A string or a "
            "list starts anew with each loop: call `iter(stream)` once, and read on from that."
        )
    pairs = [(i, str(i)) for i in range(9)]
    if sorted(map(repr, shuffle_buffer(pairs, 4, np.random.default_rng(0)))) != [*map(repr, pairs)]:
        raise Hint(
            "Nine pairs go in, and what comes out are not those pairs. NumPy makes an array of the "
            "items: permute their *places*, and give out the items themselves."
        )


@check_shuffle_buffer.wrong("what is in the buffer at the end")
def loses_the_rest(stream, size, rng):
    buffer = list(itertools.islice(stream, size))
    for item in stream:
        place = rng.integers(size)
        yield buffer[place]
        buffer[place] = item


@check_shuffle_buffer.wrong("items in memory at once")
def reads_everything(stream, size, rng):
    items = list(stream)
    yield from (items[i] for i in rng.permutation(len(items)))


@check_shuffle_buffer.wrong("comes in order")
def leaves_the_end_in_order(stream, size, rng):
    buffer = list(itertools.islice(stream, size))
    for item in stream:
        yield buffer.pop(rng.integers(size))
        buffer.append(item)
    yield from sorted(buffer)


@check_shuffle_buffer.wrong("keep their order")
def shuffles_the_end_alone(stream, size, rng):
    buffer = []
    for item in stream:
        buffer.append(item)
        if len(buffer) > size:
            yield buffer.pop(0)
    yield from (buffer[i] for i in rng.permutation(len(buffer)))


@check_shuffle_buffer.wrong("its block of 20")
def shuffles_blocks(stream, size, rng):
    stream = iter(stream)
    while block := list(itertools.islice(stream, size)):
        yield from (block[i] for i in rng.permutation(len(block)))


@check_shuffle_buffer.wrong("in the old one's place")
def draws_with_replacement(stream, size, rng):
    buffer = list(itertools.islice(stream, size))
    for item in stream:
        yield buffer[rng.integers(len(buffer))]
        buffer[rng.integers(len(buffer))] = item
    yield from buffer


@check_shuffle_buffer.wrong("the buffer has 20 places")
def keeps_one_too_many(stream, size, rng):
    yield from shuffle_buffer(stream, size + 1, rng)


@check_shuffle_buffer.wrong("draw from `rng`")
def brings_its_own_dice(stream, size, rng):
    return shuffle_buffer(stream, size, np.random.default_rng(0))


@check_shuffle_buffer.wrong("each place")
def never_gives_the_last_place(stream, size, rng):
    buffer = []
    for item in stream:
        if len(buffer) < size:
            buffer.append(item)
            continue
        place = rng.integers(size - 1)
        yield buffer[place]
        buffer[place] = item
    yield from (buffer[i] for i in rng.permutation(len(buffer)))


@check_shuffle_buffer.wrong("call `iter(stream)` once")
def starts_the_stream_anew(stream, size, rng):
    buffer = list(itertools.islice(stream, size))
    for item in stream:
        place = rng.integers(size)
        yield buffer[place]
        buffer[place] = item
    yield from (buffer[i] for i in rng.permutation(len(buffer)))


@check_shuffle_buffer.wrong("permute their *places*")
def makes_an_array_of_the_rest(stream, size, rng):
    buffer = []
    for item in stream:
        if len(buffer) < size:
            buffer.append(item)
            continue
        place = rng.integers(size)
        yield buffer[place]
        buffer[place] = item
    yield from rng.permutation(buffer).tolist()


# -- read a paper ------------------------------------------------------------------------------


def thresholdout(train, holdout, threshold, eta, xi):
    """The answer, and whether it used the holdout; eta and xi are noise."""
    if abs(train - holdout) > threshold + eta:
        return holdout + xi, True
    return train, False


@exercise(
    solution=thresholdout,
    reasoning="""While both sets agree, the answer comes from the *training* set, so it says nothing
about the holdout but that they agree, and costs nothing. Only where they differ is the holdout
shown, with noise, and that is what is counted. The noise on the threshold hides even where the
border is. The paper proves that the number of questions may then grow exponentially in the size of
the holdout, as long as few of them overfit.""",
    shown="An answer that does not come from the holdout does not wear it out.",
)
def check_thresholdout(thresholdout):
    cases = {
        "agree": (0.80, 0.79, 0.04, 0.0, 0.005),
        "differ": (0.95, 0.80, 0.04, 0.0, 0.005),
        "below": (0.70, 0.80, 0.04, 0.0, 0.005),
        "border": (0.86, 0.80, 0.04, 0.03, 0.005),
        "inside": (0.83, 0.80, 0.04, -0.03, 0.005),
        "loud": (0.86, 0.80, 0.04, 0.0, 0.03),
    }
    got = {name: thresholdout(*numbers) for name, numbers in cases.items()}
    pairs = all(isinstance(answer, tuple | list) and len(answer) == 2 for answer in got.values())
    expect(pairs, "Return two things: the answer, and whether the holdout was used.")
    values = {name: float(answer[0]) for name, answer in got.items()}
    if close(values["agree"], 0.79) or close(values["agree"], 0.795):
        raise Hint(
            "Where the sets agree you still answer from the holdout. Then every question reads it: "
            "answer with the *training* score."
        )
    if close(values["differ"], 0.80):
        raise Hint("The holdout's score leaves without its noise `xi`.")
    if close(values["below"], 0.70):
        raise Hint("They differ if the training score is too low, too: compare absolute values.")
    if close(values["border"], 0.805):
        raise Hint("The border is noisy as well: compare with `threshold + eta`.")
    if close(values["inside"], 0.83):
        raise Hint("A negative `eta` lowers the border: add it as it is.")
    if close(values["loud"], 0.86):
        raise Hint("`xi` hides what is given out; whether the sets agree is decided without it.")
    right = {"agree": 0.8, "differ": 0.805, "below": 0.805, "border": 0.86}
    for name, value in (right | {"inside": 0.805, "loud": 0.83}).items():
        expect_close(values[name], value, f"thresholdout{cases[name]}")
    used = [bool(got[name][1]) for name in cases]
    expect(
        used == [False, True, True, False, True, True],
        "The second value tells whether the *holdout* was used: only then the budget shrinks.",
    )


@check_thresholdout.wrong("every question reads it")
def always_the_holdout(train, holdout, threshold, eta, xi):
    return holdout + xi, True


@check_thresholdout.wrong("without its noise")
def no_noise(train, holdout, threshold, eta, xi):
    differ = abs(train - holdout) > threshold + eta
    return (holdout, True) if differ else (train, False)


@check_thresholdout.wrong("absolute values")
def one_sided(train, holdout, threshold, eta, xi):
    return (holdout + xi, True) if train - holdout > threshold + eta else (train, False)


@check_thresholdout.wrong("The border is noisy")
def sharp_border(train, holdout, threshold, eta, xi):
    return (holdout + xi, True) if abs(train - holdout) > threshold else (train, False)


@check_thresholdout.wrong("A negative `eta`")
def only_raises_the_border(train, holdout, threshold, eta, xi):
    differ = abs(train - holdout) > threshold + abs(eta)
    return (holdout + xi, True) if differ else (train, False)


@check_thresholdout.wrong("is decided without it")
def compares_with_the_noisy_score(train, holdout, threshold, eta, xi):
    noisy = holdout + xi
    return (noisy, True) if abs(train - noisy) > threshold + eta else (train, False)


@check_thresholdout.wrong("only then the budget shrinks")
def always_counts(train, holdout, threshold, eta, xi):
    return thresholdout(train, holdout, threshold, eta, xi)[0], True
