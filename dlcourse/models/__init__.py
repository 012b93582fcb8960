"""PyTorch models of the course, one file a model, each to be read top to bottom."""

from dlcourse.models.alexnet import AlexNet
from dlcourse.models.color_cnn import ColorCNN
from dlcourse.models.counting import Cost, cost
from dlcourse.models.densenet import DenseNet
from dlcourse.models.digits_cnn import DigitsCNN
from dlcourse.models.googlenet import GoogLeNet
from dlcourse.models.gpt import GPT, GPTConfig
from dlcourse.models.lenet import LeNet
from dlcourse.models.resnet import ResNet
from dlcourse.models.vgg import VGG

__all__ = [
    "GPT",
    "VGG",
    "AlexNet",
    "ColorCNN",
    "Cost",
    "DenseNet",
    "DigitsCNN",
    "GPTConfig",
    "GoogLeNet",
    "LeNet",
    "ResNet",
    "cost",
]
