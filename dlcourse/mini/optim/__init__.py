"""Optimisers, under the names of torch.optim."""

from dlcourse.mini.optim import lr_scheduler, swa_utils
from dlcourse.mini.optim.adam import Adam, AdamW
from dlcourse.mini.optim.adam_family import Adamax, NAdam, RAdam
from dlcourse.mini.optim.adaptive import ASGD, Adadelta, Adagrad, RMSprop, Rprop
from dlcourse.mini.optim.lbfgs import LBFGS
from dlcourse.mini.optim.matrix import Adafactor, Muon
from dlcourse.mini.optim.optimizer import Optimizer
from dlcourse.mini.optim.sgd import SGD

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon",
    "NAdam", "Optimizer", "RAdam", "RMSprop", "Rprop", "lr_scheduler",
    "swa_utils",
]  # fmt: skip
