"""Layers, losses and models, under the names of torch.nn."""

from dlcourse.mini.nn import functional, init, utils
from dlcourse.mini.nn.activation import LogSigmoid, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from dlcourse.mini.nn.batchnorm import BatchNorm1d, BatchNorm2d
from dlcourse.mini.nn.container import ModuleList, Sequential
from dlcourse.mini.nn.conv import Conv2d
from dlcourse.mini.nn.dropout import Dropout
from dlcourse.mini.nn.flatten import Flatten
from dlcourse.mini.nn.linear import Identity, Linear
from dlcourse.mini.nn.loss import BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, MSELoss, NLLLoss
from dlcourse.mini.nn.module import Module
from dlcourse.mini.nn.parameter import Parameter
from dlcourse.mini.nn.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from dlcourse.mini.nn.rnn import GRU, LSTM, RNN, GRUCell, LSTMCell, RNNBase, RNNCell, RNNCellBase

# By file, in the order of the imports.
__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "AdaptiveAvgPool2d",
    "AvgPool2d",
    "BCEWithLogitsLoss",
    "BatchNorm1d",
    "BatchNorm2d",
    "Conv2d",
    "CrossEntropyLoss",
    "Dropout",
    "Flatten",
    "GRUCell",
    "Identity",
    "L1Loss",
    "LSTMCell",
    "Linear",
    "LogSigmoid",
    "LogSoftmax",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleList",
    "NLLLoss",
    "Parameter",
    "RNNBase",
    "RNNCell",
    "RNNCellBase",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "functional",
    "init",
    "utils",
]  # fmt: skip
