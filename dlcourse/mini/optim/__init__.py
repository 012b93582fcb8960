"""Optimisers, under the names of torch.optim."""

from dlcourse.mini.optim.adam import Adam, AdamW
from dlcourse.mini.optim.optimizer import Optimizer
from dlcourse.mini.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
