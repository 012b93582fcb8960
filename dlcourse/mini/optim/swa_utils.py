"""Averages of a model's weights (Izmailov et al. 2018), under torch.optim.swa_utils' names."""

import math
from copy import deepcopy

from dlcourse.mini._core import Tensor
from dlcourse.mini._grad_mode import no_grad
from dlcourse.mini.nn.batchnorm import BatchNorm1d, BatchNorm2d
from dlcourse.mini.nn.module import Module
from dlcourse.mini.ops.creation import require_cpu, tensor
from dlcourse.mini.optim.lr_scheduler.base import LRScheduler, one_each

__all__ = [
    "SWALR", "AveragedModel", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn",
    "get_swa_multi_avg_fn", "update_bn",
]  # fmt: skip


def get_ema_avg_fn(decay=0.999):
    """`average = decay * average + (1 - decay) * parameter`, for AveragedModel's `avg_fn`."""
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )

    @no_grad()
    def ema_update(ema_param, current_param, num_averaged):
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """The mean of all parameters seen so far, for AveragedModel's `avg_fn`."""

    @no_grad()
    def swa_update(averaged_param, current_param, num_averaged):
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


def _for_lists(avg_fn):
    """The same for lists of tensors, in place."""

    @no_grad()
    def update(averages, news, num_averaged):
        for average, new in zip(averages, news, strict=True):
            average.copy_(avg_fn(average, new, num_averaged))

    return update


def get_ema_multi_avg_fn(decay=0.999):
    """`get_ema_avg_fn` for lists of tensors, in place, for AveragedModel's `multi_avg_fn`."""
    return _for_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn():
    """`get_swa_avg_fn` for lists of tensors, in place, for AveragedModel's `multi_avg_fn`."""
    return _for_lists(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of `model` whose parameters are the average of those that `update_parameters` saw.

    Buffers are copied, or with `use_buffers` averaged, too.
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        require_cpu(device)
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model):
        """Take the parameters of `model` into the average."""
        averages, news = list(self.module.parameters()), list(model.parameters())
        buffers, new_buffers = list(self.module.buffers()), list(model.buffers())
        if self.use_buffers:
            averages, news = averages + buffers, news + new_buffers
        update = self.multi_avg_fn or _for_lists(self.avg_fn or get_swa_avg_fn())
        if self.n_averaged.item() == 0:
            _copy_all(averages, news)
        else:
            update([t.detach() for t in averages], [t.detach() for t in news], self.n_averaged)
        if not self.use_buffers:
            _copy_all(buffers, new_buffers)
        self.n_averaged += 1


def _copy_all(targets, sources):
    for target, source in zip(targets, sources, strict=True):
        target.detach().copy_(source.detach())


@no_grad()
def update_bn(loader, model, device=None):
    """Set the running statistics of all batch norms to those of the whole of `loader`."""
    require_cpu(device)
    norms = [m for m in model.modules() if isinstance(m, BatchNorm1d | BatchNorm2d)]
    if not norms:
        return
    kept, training = [norm.momentum for norm in norms], model.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all batches
    model.train()
    for batch in loader:
        model(batch if isinstance(batch, Tensor) else batch[0])
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    model.train(training)


class SWALR(LRScheduler):
    """From the present lr to `swa_lr` in `anneal_epochs`, then constant."""

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        rates = one_each("swa_lr", optimizer, swa_lr)
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _part(self, epoch):
        """How much of the way to `swa_lr` lies behind after that epoch."""
        t = max(0, min(1, epoch / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self):
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._part(step - 1), self._part(step)
        rates = []
        for group in self.optimizer.param_groups:
            # where lr began, seen from where it is
            start = group["lr"]
            if before < 1:
                start = (group["lr"] - before * group["swa_lr"]) / (1 - before)
            rates.append(group["swa_lr"] * now + start * (1 - now))
        return rates
