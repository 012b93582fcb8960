"""mini.utils.data beside torch.utils.data."""

from collections import namedtuple
from pathlib import Path

from dlcourse import mini
from dlcourse.mini.utils import data

import numpy as np
import pytest
import torch
from both import agree, same_error


def tensors(f):
    return f.arange(7), f.arange(14.0).reshape(7, 2)


class Squares:
    """A data set that is none of ours: two methods are enough."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return index * index


def tensor_dataset(f):
    dataset = f.utils.data.TensorDataset(*tensors(f))
    return len(dataset), dataset[2], dataset[-1], dataset[1:3], [len(t) for t in dataset.tensors]


def subset(f):
    part = f.utils.data.Subset(f.utils.data.TensorDataset(*tensors(f)), [4, 0, 2])
    return len(part), part[0], part[2], part.indices, len(part.dataset)


def dataset_of_ones_own(f):
    class Numbers(f.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return f.tensor([index]), float(index)

    return list(f.utils.data.DataLoader(Numbers(), batch_size=3))


def loaded(f, **options):
    loader = f.utils.data.DataLoader(f.utils.data.TensorDataset(*tensors(f)), **options)
    return len(loader), list(loader), list(loader), loader.batch_size, loader.drop_last


def loaders(f):
    return [
        loaded(f), loaded(f, batch_size=3), loaded(f, batch_size=3, drop_last=True),
        loaded(f, batch_size=7), loaded(f, batch_size=9), loaded(f, batch_size=9, drop_last=True),
        loaded(f, batch_size=None), loaded(f, batch_size=2, sampler=[5, 1, 1, 0]),
        loaded(f, batch_sampler=[[0, 1], [6]]), loaded(f, batch_size=3, collate_fn=len),
        loaded(f, batch_size=None, collate_fn=lambda sample: sample[0] * 2),
    ]  # fmt: skip


def other_containers(f):
    Pair = namedtuple("Pair", "a b")
    batches = {
        "numbers": [1, 2], "floats": [1.5, 2.5], "booleans": [True, False], "words": ["a", "b"],
        "arrays": [np.ones(2), np.zeros(2)], "scalars": [np.float32(1), np.float32(2)],
        "dicts": [{"x": 1, "y": f.ones(2)}, {"x": 2, "y": f.zeros(2)}],
        "nested": [(1, [2.0, "a"]), (3, [4.0, "b"])], "pairs": [Pair(1, 2.0), Pair(3, 4.0)],
        "tensors": [f.ones(2, 3), f.zeros(2, 3)], "0-d": [f.tensor(1), f.tensor(2)],
        "bytes": [b"a", b"b"],
    }  # fmt: skip
    out = {name: f.utils.data.default_collate(batch) for name, batch in batches.items()}
    assert type(out["pairs"]) is Pair
    out["words"], out["bytes"] = list(out["words"]), [str(b) for b in out["bytes"]]
    return out


def samplers(f):
    d = f.utils.data
    order = list(d.SequentialSampler(range(4)))
    batches = [list(d.BatchSampler(order, 3, drop)) for drop in (False, True)]
    lengths = [len(d.BatchSampler(range(n), 3, drop)) for n in (0, 3, 7) for drop in (False, True)]
    return order, len(d.SequentialSampler(range(4))), batches, lengths


def splits(f):
    d, g = f.utils.data, f.Generator()
    return [
        [len(part) for part in d.random_split(range(10), lengths, g)]
        for lengths in ([3, 7], [10], [0.5, 0.5], [0.35, 0.35, 0.3], [0.1, 0.9], [4, 0, 6])
    ]


def over_plain_python(f):
    return list(f.utils.data.DataLoader(Squares(), batch_size=2)), list(
        f.utils.data.DataLoader([[1, 2], [3, 4]], batch_size=2)
    )


PROGRAMS = [
    tensor_dataset, subset, dataset_of_ones_own, loaders, other_containers, samplers, splits,
    over_plain_python,
]  # fmt: skip


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_program(program):
    agree(program)


def test_every_name_is_torchs_and_is_used_here():
    source = "".join(path.read_text() for path in Path(__file__).parent.glob("test_data*.py"))
    for name in data.__all__:
        assert hasattr(torch.utils.data, name)
        assert f".{name}(" in source or f".{name})" in source


# -- at random -------------------------------------------------------------------------------------


def test_shuffling():
    dataset = data.TensorDataset(mini.arange(50))
    loader = data.DataLoader(dataset, 8, shuffle=True, generator=mini.Generator().manual_seed(0))
    orders = [[i for (batch,) in loader for i in batch.tolist()] for _ in range(3)]
    for order in orders:
        assert sorted(order) == list(range(50))
        assert order != list(range(50))
    assert orders[0] != orders[1] != orders[2]
    again = data.DataLoader(dataset, 8, shuffle=True, generator=mini.Generator().manual_seed(0))
    assert [i for (batch,) in again for i in batch.tolist()] == orders[0]
    mini.manual_seed(0)
    by_default = data.DataLoader(dataset, 8, shuffle=True)
    assert [i for (batch,) in by_default for i in batch.tolist()] == orders[0]


def test_random_samplers():
    g = mini.Generator().manual_seed(0)
    assert sorted(data.RandomSampler(range(5), generator=g)) == [0, 1, 2, 3, 4]
    assert list(data.RandomSampler(range(1))) == [0]
    longer = data.RandomSampler(range(3), num_samples=7, generator=g)
    order = list(longer)
    assert len(longer) == len(order) == 7
    assert sorted(order[:3]) == sorted(order[3:6]) == [0, 1, 2]
    drawn = list(data.RandomSampler(range(3), replacement=True, num_samples=300, generator=g))
    endless = data.RandomSampler(range(3), replacement=True, num_samples=10**12)
    assert next(iter(endless)) in range(3)
    assert len(endless) == 10**12
    assert set(drawn) == {0, 1, 2}
    assert 60 < drawn.count(0) < 140

    class Backwards(data.Sampler):
        def __iter__(self):
            return iter([2, 1, 0])

    loader = data.DataLoader([10, 11, 12], 2, sampler=Backwards())
    assert [batch.tolist() for batch in loader] == [[12, 11], [10]]


def test_splits_do_not_overlap():
    parts = data.random_split(range(100), [0.3, 0.7], mini.Generator().manual_seed(0))
    first, second = [list(part) for part in parts]
    assert sorted(first + second) == list(range(100))
    assert first != sorted(first)
    again = data.random_split(range(100), [30, 70], mini.Generator().manual_seed(0))
    assert list(again[0]) == first


# -- what must be refused --------------------------------------------------------------------------


def fetch(f, samples):
    return next(iter(f.utils.data.DataLoader(samples, batch_size=2)))


ERRORS = {
    "no __getitem__": lambda f: f.utils.data.Dataset()[0],
    "tensors of other length": lambda f: f.utils.data.TensorDataset(f.ones(2), f.ones(3)),
    "batch size 0": lambda f: loaded(f, batch_size=0),
    "batch size that is no number": lambda f: loaded(f, batch_size=2.5),
    "batch size True": lambda f: f.utils.data.BatchSampler(range(3), True, False),
    "drop_last that is no truth": lambda f: f.utils.data.BatchSampler(range(3), 2, 1),
    "sampler and shuffle": lambda f: loaded(f, sampler=[0], shuffle=True),
    "batch sampler and batch size": lambda f: loaded(f, batch_sampler=[[0]], batch_size=2),
    "batch sampler and shuffle": lambda f: loaded(f, batch_sampler=[[0]], shuffle=True),
    "no batches but drop_last": lambda f: loaded(f, batch_size=None, drop_last=True),
    "unknown argument": lambda f: loaded(f, transform=len),
    "samples of other sizes": lambda f: fetch(f, [f.ones(2), f.ones(3)]),
    "tuples of other lengths": lambda f: fetch(f, [(1, 2), (1,)]),
    "objects": lambda f: fetch(f, [object(), object()]),
    "lengths that do not add up": lambda f: f.utils.data.random_split(range(5), [1, 2]),
    "fractions above one": lambda f: f.utils.data.random_split(range(5), [1.5, -0.5]),
    "replacement": lambda f: f.utils.data.RandomSampler(range(3), replacement="yes"),
    "number of samples": lambda f: f.utils.data.RandomSampler(range(3), num_samples=-1),
    "index out of range": lambda f: f.utils.data.TensorDataset(f.ones(2))[2],
}


@pytest.mark.parametrize("name", ERRORS)
def test_refused_as_in_torch(name):
    same_error(ERRORS[name], same_sentence=name not in ("unknown argument", "no __getitem__"))


def test_an_empty_split_is_warned_of():
    for f in (mini, torch):
        with pytest.warns(UserWarning, match="Length of split at index 0 is 0"):
            f.utils.data.random_split(range(2), [0.0, 1.0])


# -- shares of several processes -------------------------------------------------------------------


def sampler(f, length, **options):
    return f.utils.data.distributed.DistributedSampler(range(length), **options)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(
    ("length", "num_replicas"), [(10, 3), (9, 3), (2, 5), (11, 4), (1, 1), (0, 2)]
)
def test_shares_are_torchs(length, num_replicas, drop_last):
    def program(f):
        parts = [
            sampler(f, length, num_replicas=num_replicas, rank=rank, shuffle=False,
                    drop_last=drop_last and length >= num_replicas)
            for rank in range(num_replicas)
        ]  # fmt: skip
        return [(list(part), len(part), part.total_size) for part in parts]

    agree(program)


def test_shares_are_shuffled_alike():
    parts = [data.DistributedSampler(range(12), 3, rank, seed=1) for rank in range(3)]
    first = [list(part) for part in parts]
    assert sorted(i for part in first for i in part) == list(range(12))
    assert first == [list(part) for part in parts]
    for part in parts:
        part.set_epoch(1)
    later = [list(part) for part in parts]
    assert sorted(i for part in later for i in part) == list(range(12))
    assert later != first
    assert len(data.DataLoader(range(12), 2, sampler=parts[0])) == 2


@pytest.mark.parametrize("options", [{}, {"num_replicas": 2}, {"num_replicas": 2, "rank": 2}])
def test_shares_that_are_refused(options):
    same_error(lambda f: sampler(f, 4, **options))
