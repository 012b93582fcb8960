"""DataLoader: batches of a data set, made here or in worker processes."""

import math
import warnings
from itertools import islice, repeat

from dlcourse.mini.ops.creation import default_generator
from dlcourse.mini.utils.data.collate import default_collate, default_convert
from dlcourse.mini.utils.data.dataset import IterableDataset, items_of
from dlcourse.mini.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler
from dlcourse.mini.utils.data.worker import EndOfStream, Workers

import numpy as np

FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class ByIndex:
    """Makes a batch of the items at a list of indices; without batches, a sample of one index."""

    def __init__(self, dataset, collate_fn, batched):
        self.dataset, self.collate_fn, self.batched = dataset, collate_fn, batched

    def rewind(self):
        """Nothing to do: an index says where."""

    def fetch(self, indices):
        items = items_of(self.dataset, indices) if self.batched else self.dataset[indices]
        return self.collate_fn(items)


class FromStream:
    """Makes a batch of the next items of a stream; raises EndOfStream when there are none."""

    def __init__(self, dataset, collate_fn, batch_size, drop_last):
        self.dataset, self.collate_fn = dataset, collate_fn
        self.batch_size, self.drop_last, self.stream = batch_size, drop_last, None

    def rewind(self):
        """Begin a new stream at the next item."""
        self.stream = None

    def fetch(self, _):
        if self.stream is None:
            self.stream = iter(self.dataset)
        batch = list(islice(self.stream, 1 if self.batch_size is None else self.batch_size))
        if not batch or (self.drop_last and len(batch) < self.batch_size):
            raise EndOfStream
        return self.collate_fn(batch[0] if self.batch_size is None else batch)


class DataLoader:
    """Batches of a data set.

    `shuffle` draws a new order each time, from `generator`; `drop_last` leaves out a last batch
    that is not full; `collate_fn` turns a list of samples into a batch.  `batch_size=None` gives
    single samples.  `num_workers` processes load `prefetch_factor` batches each ahead, in order;
    `worker_init_fn(id)` runs first in each, `persistent_workers` keeps them after the last batch.
    """

    _ready = False

    def __init__(
        self, dataset, batch_size=1, shuffle=None, sampler=None, batch_sampler=None, num_workers=0,
        collate_fn=None, pin_memory=False, drop_last=False, timeout=0, worker_init_fn=None,
        multiprocessing_context=None, generator=None, *, prefetch_factor=None,
        persistent_workers=False, pin_memory_device="", in_order=True,
    ):  # fmt: skip
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers,
                       multiprocessing_context)  # fmt: skip
        if num_workers and not in_order:
            raise NotImplementedError("mini's DataLoader keeps the order: leave in_order out")
        iterable = isinstance(dataset, IterableDataset)
        _check_sampling(iterable, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        if sampler is None and not iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else (
                SequentialSampler(dataset)
            )  # fmt: skip
        if batch_size is not None and not iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.drop_last = dataset, batch_size, drop_last
        self.sampler, self.batch_sampler, self.generator = sampler, batch_sampler, generator
        self.num_workers, self.timeout, self.worker_init_fn = num_workers, timeout, worker_init_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers, self.in_order = persistent_workers, in_order
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.multiprocessing_context, self._workers, self._epoch = multiprocessing_context, None, 0
        batched = batch_sampler is not None or batch_size is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)
        if iterable and batch_size is not None:
            BatchSampler((), batch_size, drop_last)  # refuses what is no size of a batch
        self._ready = True

    def __setattr__(self, name, value):
        if self._ready and name in FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    @property
    def _indices(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def _fetcher(self):
        if isinstance(self.dataset, IterableDataset):
            return FromStream(self.dataset, self.collate_fn, self.batch_size, self.drop_last)
        return ByIndex(self.dataset, self.collate_fn, self.batch_sampler is not None)

    def __iter__(self):
        if self.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device "
                "pinned memory won't be used.",
                stacklevel=2,
            )
        return self._in_workers() if self.num_workers else self._here()

    def _tasks(self):
        return repeat(None) if isinstance(self.dataset, IterableDataset) else self._indices

    def _here(self):
        fetcher = self._fetcher()
        for task in self._tasks():
            try:
                batch = fetcher.fetch(task)
            except EndOfStream:
                return
            yield batch

    def _in_workers(self):
        if self._workers is None:
            workers = Workers(self, self._fetcher(), self._seed())
        else:
            workers, self._workers = self._workers, None
            workers.rewind()
        try:
            yield from workers.batches(self._tasks())
        except BaseException:
            workers.stop()
            raise
        if self.persistent_workers and self._workers is None:
            self._workers = workers
        else:
            workers.stop()

    def _seed(self):
        """Another in each epoch; no number of the generator is used up, so the order stays."""
        start = (self.generator or default_generator).initial_seed() % 2**63
        self._epoch += 1
        state = np.random.SeedSequence([start, self._epoch]).generate_state(1, np.uint64)
        return int(state[0]) >> 2

    def __len__(self):
        if not isinstance(self.dataset, IterableDataset):
            return len(self._indices)
        length = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else math.ceil(length / self.batch_size)

    def __del__(self):
        if getattr(self, "_workers", None) is not None:
            self._workers.stop()


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, context):
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable "
            "multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 "
            "to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None and num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > "
            f"0), but got num_workers={num_workers}"
        )


def _check_sampling(iterable, batch_size, shuffle, sampler, batch_sampler, drop_last):
    if iterable:
        given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
        for name, value in given.items():
            if value is not None:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, but got "
                    f"{name}={value}"
                )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, "
                "and drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )
