"""Schedules of the learning rate, under the names of torch.optim.lr_scheduler."""

from dlcourse.mini.optim.lr_scheduler.base import LRScheduler
from dlcourse.mini.optim.lr_scheduler.combined import (
    ChainedScheduler,
    ReduceLROnPlateau,
    SequentialLR,
)
from dlcourse.mini.optim.lr_scheduler.cycle import (
    CosineAnnealingWarmRestarts,
    CyclicLR,
    OneCycleLR,
)
from dlcourse.mini.optim.lr_scheduler.decay import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)

__all__ = [
    "ChainedScheduler", "ConstantLR", "CosineAnnealingLR", "CosineAnnealingWarmRestarts",
    "CyclicLR", "ExponentialLR", "LRScheduler", "LambdaLR", "LinearLR", "MultiStepLR",
    "MultiplicativeLR", "OneCycleLR", "PolynomialLR", "ReduceLROnPlateau", "SequentialLR",
    "StepLR",
]  # fmt: skip

_LRScheduler = LRScheduler  # torch's older name, which programs still derive from
