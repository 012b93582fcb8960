"""Samplers: in which order a data set is read."""

from typing import Generic, TypeVar

from dlcourse.mini._dtype import float64
from dlcourse.mini.ops.creation import as_tensor, randint, random_source, randperm

Index = TypeVar("Index")


class Sampler(Generic[Index]):
    """An iterable of indices: a subclass defines `__iter__`, and `__len__` if it is known."""

    def __iter__(self):
        raise NotImplementedError


class SequentialSampler(Sampler):
    """0 to len(data_source) - 1, in order."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


def _check_count(num_samples):
    if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
        raise ValueError(
            f"num_samples should be a positive integer value, but got num_samples={num_samples}"
        )


class RandomSampler(Sampler):
    """All indices in random order, or `num_samples` of them.

    With `replacement` each is drawn from all, so that some may come again.
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self._num_samples = num_samples
        _check_count(self.num_samples)

    @property
    def num_samples(self):
        """How many indices are drawn: as many as there are, unless said otherwise."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        n, count = len(self.data_source), self.num_samples
        if self.replacement:
            for start in range(0, count, 32):  # a few at a time: programs ask for 10 ** 10
                some = min(32, count - start)
                yield from randint(n, (some,), generator=self.generator).tolist()
            return
        while count > 0:
            part = randperm(n, generator=self.generator).tolist()[:count]
            yield from part
            count -= len(part)

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices in random order."""

    def __init__(self, indices, generator=None):
        self.indices, self.generator = indices, generator

    def __iter__(self):
        for i in randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """`num_samples` indices, each i with a probability in proportion to `weights[i]`."""

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        _check_count(num_samples)
        if not isinstance(replacement, bool):
            raise ValueError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.weights = as_tensor(weights, dtype=float64)
        if self.weights._data.ndim != 1:
            raise ValueError(
                "weights should be a 1d sequence but given weights have shape "
                f"{tuple(self.weights.shape)}"
            )
        self.num_samples, self.replacement = num_samples, replacement
        self.generator = generator

    def __iter__(self):
        weights, count = self.weights._data, self.num_samples
        if not self.replacement and count > len(weights):
            raise RuntimeError(
                "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
            )
        total = weights.sum()
        if not (weights >= 0).all() or not 0 < total < float("inf"):
            raise RuntimeError(
                "probability tensor contains either `inf`, `nan` or element < 0, or sums to 0"
            )
        rng = random_source(self.generator)
        drawn = rng.choice(len(weights), count, self.replacement, weights / total)
        return iter(drawn.tolist())

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of `batch_size` indices; the last may be shorter, or is left out by `drop_last`."""

    def __init__(self, sampler, batch_size, drop_last):
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self):
        batch = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self):
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (rest > 0 and not self.drop_last)
