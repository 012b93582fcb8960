"""Data sets, samplers and the loader that makes batches, under the names of torch.utils.data."""

import math
import warnings
from collections.abc import Mapping, Sequence

from dlcourse.mini._core import Tensor
from dlcourse.mini.ops.creation import from_numpy, randint, randperm, tensor
from dlcourse.mini.ops.shape import stack

import numpy as np

__all__ = [
    "BatchSampler", "DataLoader", "Dataset", "RandomSampler", "Sampler", "SequentialSampler",
    "Subset", "TensorDataset", "default_collate", "random_split",
]  # fmt: skip


# -- data sets -------------------------------------------------------------------------------------


class Dataset:
    """A collection with `__len__` and `__getitem__(index)`; a subclass defines both."""

    def __getitem__(self, index):
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")


class TensorDataset(Dataset):
    """Item i is the tuple of the i-th slices of the tensors."""

    def __init__(self, *tensors):
        if len({len(t) for t in tensors}) > 1:
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(t[index] for t in self.tensors)

    def __len__(self):
        return len(self.tensors[0])


class Subset(Dataset):
    """The items of `dataset` at `indices`."""

    def __init__(self, dataset, indices):
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, index):
        return self.dataset[self.indices[index]]

    def __len__(self):
        return len(self.indices)


def random_split(dataset, lengths, generator=None):
    """Subsets of these lengths, or these fractions of the whole, at random and without overlap."""
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        if any(not 0 <= f <= 1 for f in lengths):
            bad = next(i for i, f in enumerate(lengths) if not 0 <= f <= 1)
            raise ValueError(f"Fraction at index {bad} is not between 0 and 1")
        lengths = [math.floor(len(dataset) * fraction) for fraction in lengths]
        for i in range(len(dataset) - sum(lengths)):  # what rounding left goes round the splits
            lengths[i % len(lengths)] += 1
        for i, length in enumerate(lengths):
            if length == 0:
                warnings.warn(
                    f"Length of split at index {i} is 0. This might result in an empty dataset.",
                    stacklevel=2,
                )
    if sum(lengths) != len(dataset):
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    indices = randperm(len(dataset), generator=generator).tolist()
    starts = np.cumsum([0, *lengths]).tolist()
    return [
        Subset(dataset, indices[start : start + length])
        for start, length in zip(starts, lengths, strict=False)
    ]


# -- samplers --------------------------------------------------------------------------------------


class Sampler:
    """An iterable of indices."""


class SequentialSampler(Sampler):
    """0 to len(data_source) - 1, in order."""

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler):
    """All indices in random order, or `num_samples` of them; with `replacement` drawn anew each."""

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.data_source, self.replacement, self.generator = data_source, replacement, generator
        self.num_samples = len(data_source) if num_samples is None else num_samples
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                "num_samples should be a positive integer value, but got "
                f"num_samples={self.num_samples}"
            )

    def __iter__(self):
        n, count = len(self.data_source), self.num_samples
        if self.replacement:
            yield from randint(n, (count,), generator=self.generator).tolist()
            return
        while count > 0:
            part = randperm(n, generator=self.generator).tolist()[:count]
            yield from part
            count -= len(part)

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


# -- batches ---------------------------------------------------------------------------------------


def default_collate(batch):
    """A list of samples as one batch: tensors stacked, numbers as a tensor, item by item."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, np.ndarray):
        return stack([from_numpy(array) for array in batch])
    if isinstance(first, np.generic):
        return from_numpy(np.array(batch))
    if isinstance(first, float):
        return from_numpy(np.array(batch, np.float64))  # float64, as in torch
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        parts = [default_collate(list(part)) for part in zip(*batch, strict=True)]
        if hasattr(first, "_fields"):
            return type(first)(*parts)
        return parts
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found "
        f"{type(first)}"
    )


class DataLoader:
    """Batches of a data set.

    `shuffle` draws a new order each time, from `generator`; `drop_last` leaves out a last batch
    that is not full; `collate_fn` turns a list of samples into a batch.  `batch_size=None` gives
    single samples.
    """

    def __init__(
        self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0,
        collate_fn=None, pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None,
        multiprocessing_context=None, generator=None, *, prefetch_factor=None,
        persistent_workers=False,
    ):  # fmt: skip
        for name, value in (
            ("num_workers", num_workers), ("pin_memory", pin_memory), ("timeout", timeout),
            ("worker_init_fn", worker_init_fn), ("prefetch_factor", prefetch_factor),
            ("multiprocessing_context", multiprocessing_context),
            ("persistent_workers", persistent_workers),
        ):  # fmt: skip
            if value:
                # NB: in torch these options load in other processes, or for a GPU.
                raise NotImplementedError(
                    f"mini's DataLoader does not support {name}={value!r} yet: it loads in the "
                    f"calling process (leave {name} out)"
                )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                    "and drop_last"
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with "
                "drop_last"
            )
        if sampler is None:
            sampler = (
                RandomSampler(dataset, generator=generator)
                if shuffle
                else SequentialSampler(dataset)
            )
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler, self.generator = sampler, batch_sampler, generator
        self.num_workers, self._collate_single = num_workers, collate_fn
        self.collate_fn = default_collate if collate_fn is None else collate_fn

    def __iter__(self):
        if self.batch_sampler is None:
            for index in self.sampler:
                sample = self.dataset[index]
                yield self._collate_single(sample) if self._collate_single else sample
            return
        for indices in self.batch_sampler:
            yield self.collate_fn([self.dataset[index] for index in indices])

    def __len__(self):
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
