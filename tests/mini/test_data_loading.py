"""Streams, combined data sets, weighted samplers, and worker processes, beside torch."""

import copy
import os
import pickle
import random
import time
import warnings
from collections import OrderedDict, namedtuple
from types import MappingProxyType

from dlcourse import mini
from dlcourse.mini.utils import data

import numpy as np
import pytest
import torch
from both import agree, same_error

Pair = namedtuple("Pair", "a b")


class Squares:
    def __init__(self, n=7):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        return index * index


class AtOnce(Squares):
    """Gives a whole batch at once, and counts how often it was asked."""

    asked = 0

    def __getitems__(self, indices):
        self.asked += 1
        return [self[i] for i in indices]


def stream(f, n=7):
    class Numbers(f.utils.data.IterableDataset):
        def __iter__(self):
            info = f.utils.data.get_worker_info()
            start, step = (0, 1) if info is None else (info.id, info.num_workers)
            return iter(range(start, n, step))

    return Numbers()


def counted(f, n):
    class Counted(type(stream(f))):
        def __len__(self):
            return n

    return Counted()


# -- data sets -------------------------------------------------------------------------------------


def streams(f):
    d, out = f.utils.data, []
    for options in (
        {}, {"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None},
        {"batch_size": 3, "collate_fn": list}, {"shuffle": False},
    ):  # fmt: skip
        loader = d.DataLoader(stream(f), **options)
        out += [list(loader), list(loader)]
    for options in ({"batch_size": 3}, {"batch_size": 3, "drop_last": True}, {"batch_size": None}):
        out.append(len(d.DataLoader(counted(f, 7), **options)))
    chain = d.ChainDataset([counted(f, 7), counted(f, 7)])
    return out, list(chain), len(chain), list(stream(f) + stream(f))


def combined(f):
    d = f.utils.data
    both = d.ConcatDataset([Squares(3), Squares(2)])
    stacked = d.StackDataset(Squares(3), AtOnce(3))
    named = d.StackDataset(x=Squares(3), y=d.TensorDataset(f.arange(3.0)))
    return [
        len(both), [both[i] for i in range(-5, 5)], both.cumulative_sizes,
        len(d.TensorDataset(f.ones(2)) + d.TensorDataset(f.ones(3))),
        len(stacked), stacked[1], list(d.DataLoader(stacked, batch_size=2)),
        len(named), named[2], list(d.DataLoader(named, batch_size=2)),
        list(d.DataLoader(d.Subset(AtOnce(), [1, 2, 5]), batch_size=2)),
    ]  # fmt: skip


def asked_at_once(f):
    whole = AtOnce()
    loader = f.utils.data.DataLoader(f.utils.data.Subset(whole, [3, 1, 2]), batch_size=2)
    return list(loader), whole.asked


def converted(f):
    """Without batches arrays become tensors."""
    samples = [
        np.ones(2), np.float32(3), {"x": np.zeros(1), "s": "word"}, (np.ones(1), 2), [np.ones(1)],
        Pair(np.ones(1), 1), 3, "word", OrderedDict(a=np.ones(1)), range(2),
    ]  # fmt: skip
    out = list(f.utils.data.DataLoader(samples, batch_size=None))
    assert type(out[5]) is Pair
    assert type(out[8]) is OrderedDict
    direct = f.utils.data.default_convert(MappingProxyType({"a": np.ones(1)}))
    assert type(direct) is MappingProxyType
    return [list(o) if isinstance(o, range) else o for o in out], dict(direct)


def collated(f):
    batch = f.utils.data.default_collate([OrderedDict(a=1, b=[2.0]), OrderedDict(a=3, b=[4.0])])
    assert type(batch) is OrderedDict
    return batch


PROGRAMS = [streams, combined, asked_at_once, converted, collated]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)


def test_generic_forms():
    for f in (mini, torch):
        assert f.utils.data.Dataset[int]
        assert f.utils.data.Sampler[int]


# -- samplers --------------------------------------------------------------------------------------


def test_subset_sampler():
    g = mini.Generator().manual_seed(0)
    sampler = data.SubsetRandomSampler([3, 5, 9], g)
    orders = [list(sampler) for _ in range(20)]
    assert len(sampler) == 3
    assert all(sorted(order) == [3, 5, 9] for order in orders)
    assert len({tuple(order) for order in orders}) > 2


def test_weighted_sampler():
    g = mini.Generator().manual_seed(0)
    sampler = data.WeightedRandomSampler([0.0, 1.0, 3.0], 4000, generator=g)
    drawn = list(sampler)
    assert len(sampler) == len(drawn) == 4000
    assert 0 not in drawn
    assert drawn.count(2) / 4000 == pytest.approx(0.75, abs=0.03)
    once = data.WeightedRandomSampler(mini.tensor([1.0, 2.0, 3.0]), 3, False, g)
    assert sorted(once) == [0, 1, 2]
    assert all(type(i) is int for i in drawn)


# -- worker processes ------------------------------------------------------------------------------


def in_workers(f, dataset, **options):
    """No more than two: there are not many cores."""
    return f.utils.data.DataLoader(dataset, **{"num_workers": 2, **options})


class Slow(Squares):
    """The first of two workers is slow; the order stays."""

    def __getitem__(self, index):
        if index % 4 == 0:
            time.sleep(0.02)
        return index, os.getpid()


class Marked(Squares):
    def __getitem__(self, index):
        return index, random.random(), np.random.rand(), mini.rand(1).item()


class Broken(Squares):
    def __getitem__(self, index):
        if index == 3:
            raise self.error
        return index


def with_workers(f):
    d = f.utils.data
    tensors = d.TensorDataset(f.arange(10.0).reshape(5, 2), f.arange(5))
    return [
        list(in_workers(f, tensors, batch_size=2)), list(in_workers(f, tensors, batch_size=None)),
        list(in_workers(f, AtOnce(), batch_size=3, drop_last=True, prefetch_factor=4)),
        list(in_workers(f, Squares(1), batch_size=2)), len(in_workers(f, tensors, batch_size=2)),
        list(in_workers(f, stream(f), batch_size=2)), list(in_workers(f, stream(f, 1))),
        in_workers(f, tensors).prefetch_factor, d.get_worker_info(),
    ]  # fmt: skip


def test_workers_as_torchs():
    agree(with_workers)


def test_the_order_is_kept_and_the_work_is_shared():
    got = list(in_workers(mini, Slow(12), batch_size=2, collate_fn=list))
    assert [[i for i, _ in batch] for batch in got] == [[i, i + 1] for i in range(0, 12, 2)]
    pids = [batch[0][1] for batch in got]
    assert len(set(pids)) == 2
    assert pids == pids[:2] * 3
    assert os.getpid() not in pids


def test_workers_have_seeds_of_their_own_and_repeat_them():
    def epochs(seed, n=2):
        generator = mini.Generator().manual_seed(seed)
        loader = in_workers(mini, Marked(4), generator=generator, shuffle=True, collate_fn=list)
        return [sorted(batch[0] for batch in loader) for _ in range(n)]

    first, second = epochs(0)
    assert epochs(0) == [first, second]
    numbers = [x for sample in first + second for x in sample[1:]]
    assert len(set(numbers)) == len(numbers)


def test_shuffling_does_not_depend_on_the_workers():
    orders = []
    for workers in (0, 1, 2):
        g = mini.Generator().manual_seed(0)
        loader = data.DataLoader(Squares(20), shuffle=True, num_workers=workers, generator=g)
        orders.append([[b.item() for b in loader] for _ in range(2)])
    assert orders[0] == orders[1] == orders[2]


class Info(Squares):
    def __getitem__(self, index):
        info = data.get_worker_info()
        return info.id, info.num_workers, info.seed, len(info.dataset), self.started, os.getpid()

    started = None


def note_start(number):
    data.get_worker_info().dataset.started = number


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_know_who_they_are(persistent):
    loader = in_workers(
        mini, Info(4), batch_size=None, worker_init_fn=note_start, persistent_workers=persistent
    )
    first, second = list(loader), list(loader)
    for samples in (first, second):
        assert [s[:2] for s in samples] == [[0, 2], [1, 2], [0, 2], [1, 2]]
        assert [s[3:5] for s in samples] == [[4, 0], [4, 1], [4, 0], [4, 1]]
        assert samples[1][2] == samples[0][2] + 1
    assert ([s[5] for s in first] == [s[5] for s in second]) is persistent
    loader = in_workers(mini, stream(mini), persistent_workers=persistent)
    assert [b.item() for b in loader] == [b.item() for b in loader] == list(range(7))


def caught(f, error, **options):
    dataset = Broken()
    dataset.error = error
    return list(in_workers(f, dataset, **options))


@pytest.mark.parametrize(
    "error", [ValueError("no three"), KeyError("three"), IndexError()], ids=repr
)
def test_errors_of_workers_are_reported_as_torchs(error):
    same_error(lambda f: caught(f, error))
    with pytest.raises(
        type(error), match=r"(?s)worker process 1\.\nOriginal Traceback.*in __getitem__"
    ):
        caught(mini, error)


def fail(number):
    raise OSError(f"no start for {number}")


def test_errors_of_the_start_and_of_local_types_are_reported():
    with pytest.raises(OSError, match=r"(?s)OSError in DataLoader worker process 0.*no start"):
        list(in_workers(mini, Squares(), worker_init_fn=fail))

    class Local(Exception):
        pass

    with pytest.raises(RuntimeError, match=r"(?s)worker process 1.*no pickling"):
        caught(mini, Local("no pickling"))


class Dies(Squares):
    def __getitem__(self, index):
        if index == 2:
            os._exit(3)
        return index


class Sleeps(Squares):
    def __getitem__(self, index):
        time.sleep(30)


def test_a_worker_that_dies_or_sleeps_is_noticed():
    with pytest.raises(RuntimeError, match=r"DataLoader worker .* exited unexpectedly"):
        list(in_workers(mini, Dies()))
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.5 seconds"):
        list(in_workers(mini, Sleeps(), num_workers=1, timeout=0.5))
    assert time.monotonic() - start < 10


def test_leaving_early_ends_the_workers():
    for batch in in_workers(mini, Slow(100), batch_size=2, collate_fn=list):
        pid = batch[0][1]
        break
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the worker is still there")


@pytest.mark.parametrize("method", ["spawn"])
def test_another_way_to_start_processes(method):
    tensors = data.TensorDataset(mini.arange(4))
    loader = in_workers(mini, tensors, num_workers=1, multiprocessing_context=method)
    assert [b.item() for (b,) in loader] == [0, 1, 2, 3]


def test_a_loader_is_no_burden_to_copy():
    loader = data.DataLoader(data.TensorDataset(mini.arange(4)), batch_size=2)
    for twin in (copy.deepcopy(loader), pickle.loads(pickle.dumps(loader))):
        assert [b.tolist() for (b,) in twin] == [[0, 1], [2, 3]]


# -- what must be refused --------------------------------------------------------------------------


def changed(f, name):
    loader = f.utils.data.DataLoader(Squares())
    setattr(loader, name, 3)


class Doubled:
    """A Subset that doubles its items, with one method forgotten."""

    def __init__(self, f):
        class Doubled(f.utils.data.Subset):
            def __getitem__(self, index):
                return 2 * super().__getitem__(index)

        Doubled(Squares(), [1])


ERRORS = {
    "workers below 0": lambda f: f.utils.data.DataLoader(Squares(), num_workers=-1),
    "timeout below 0": lambda f: f.utils.data.DataLoader(Squares(), timeout=-1),
    "prefetch without workers": lambda f: f.utils.data.DataLoader(Squares(), prefetch_factor=2),
    "prefetch below 0": lambda f: in_workers(f, Squares(), prefetch_factor=-1),
    "persistent without": lambda f: f.utils.data.DataLoader(Squares(), persistent_workers=True),
    "context without": lambda f: f.utils.data.DataLoader(Squares(), multiprocessing_context="fork"),
    "shuffled stream": lambda f: f.utils.data.DataLoader(stream(f), shuffle=True),
    "sampled stream": lambda f: f.utils.data.DataLoader(stream(f), sampler=[1]),
    "batched stream": lambda f: f.utils.data.DataLoader(stream(f), batch_sampler=[[1]]),
    "stream without length": lambda f: len(f.utils.data.DataLoader(stream(f))),
    "stream in batches of 0": lambda f: f.utils.data.DataLoader(stream(f), batch_size=0),
    "batch size set": lambda f: changed(f, "batch_size"),
    "sampler set": lambda f: changed(f, "sampler"),
    "data set set": lambda f: changed(f, "dataset"),
    "nothing to concatenate": lambda f: f.utils.data.ConcatDataset([]),
    "concatenated stream": lambda f: f.utils.data.ConcatDataset([stream(f)]),
    "chained list": lambda f: list(f.utils.data.ChainDataset([Squares()])),
    "too far back": lambda f: f.utils.data.ConcatDataset([Squares(2)])[-3],
    "too far": lambda f: f.utils.data.ConcatDataset([f.utils.data.TensorDataset(f.ones(2))])[2],
    "nothing to stack": lambda f: f.utils.data.StackDataset(),
    "stacked both ways": lambda f: f.utils.data.StackDataset(Squares(), x=Squares()),
    "stacked sizes": lambda f: f.utils.data.StackDataset(Squares(1), Squares(2)),
    "half a Subset": Doubled,
    "weights in 2 dimensions": lambda f: f.utils.data.WeightedRandomSampler([[1.0]], 1),
    "no samples": lambda f: f.utils.data.WeightedRandomSampler([1.0], 0),
    "weighted replacement": lambda f: f.utils.data.WeightedRandomSampler([1.0], 1, "yes"),
    "too many without replacement": lambda f: list(
        f.utils.data.WeightedRandomSampler([1.0], 2, False)
    ),
    "strings in arrays": lambda f: f.utils.data.default_collate([np.array(["a"])]),
}  # fmt: skip
OTHER_WORDS = {"stream without length", "strings in arrays", "data set set"}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in OTHER_WORDS)


def test_what_is_not_supported_is_said():
    with pytest.raises(NotImplementedError, match="in_order"):
        in_workers(mini, Squares(), in_order=False)
    with pytest.raises(ValueError, match="should specify a valid start method"):
        list(in_workers(mini, Squares(), multiprocessing_context="teleport"))
    with pytest.raises(RuntimeError, match="element < 0"):
        list(data.WeightedRandomSampler([-1.0, 2.0], 1))


def test_pinned_memory_does_nothing_and_says_so():
    for f in (mini, torch):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            assert len(list(f.utils.data.DataLoader(Squares(), pin_memory=True))) == 7
        assert "no accelerator is found" in str(seen[0].message)
