"""A sampler for programs that several processes run, each on its share of the data."""

import math

from dlcourse.mini._errors import NO_GROUP
from dlcourse.mini.ops.creation import Generator, randperm
from dlcourse.mini.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler):
    """Of all indices, shuffled by `seed` and epoch, every `num_replicas`-th, from `rank` on.

    All shares have one length: the first indices come again at the end, or with `drop_last` the
    last are left out.  mini has no process group to ask: `num_replicas` and `rank` must be given.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0,
                 drop_last=False):  # fmt: skip
        if num_replicas is None or rank is None:
            raise ValueError(NO_GROUP)
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        each = len(dataset) / num_replicas
        self.num_samples = math.floor(each) if drop_last else math.ceil(each)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self):
        indices = list(range(len(self.dataset)))
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            indices = randperm(len(self.dataset), generator=generator).tolist()
        rounds = math.ceil(self.total_size / max(len(indices), 1))
        return iter((indices * rounds)[self.rank : self.total_size : self.num_replicas])

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        """Let the next order be that of `epoch`, in all processes alike."""
        self.epoch = epoch
