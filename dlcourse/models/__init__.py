"""PyTorch models of the course, one file a model, each to be read top to bottom."""

from dlcourse.models.color_cnn import ColorCNN
from dlcourse.models.digits_cnn import DigitsCNN
from dlcourse.models.gpt import GPT, GPTConfig
from dlcourse.models.lenet import LeNet

__all__ = ["GPT", "ColorCNN", "DigitsCNN", "GPTConfig", "LeNet"]
