"""Elements or whole channels set to 0 at random, in training alone (Srivastava et al. 2014)."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.module import Module


class Drop(Module):
    """The common part: what is dropped with probability `p` in training."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(Drop):
    """In training each element becomes 0 with probability `p`.

    The others are multiplied by 1 / (1 - p), so that the mean stays.
    """

    def forward(self, input):
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(Drop):
    """Whole channels of (B, C, T) or (C, T); see `functional.dropout1d`."""

    def forward(self, input):
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(Drop):
    """Whole channels of (B, C, H, W); see `functional.dropout2d`."""

    def forward(self, input):
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(Drop):
    """Whole channels of (B, C, D, H, W) or (C, D, H, W); see `functional.dropout3d`."""

    def forward(self, input):
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(Drop):
    """For SELU: mean and variance stay; see `functional.alpha_dropout`."""

    def forward(self, input):
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(Drop):
    """Whole channels of (B, C, ...); see `functional.feature_alpha_dropout`."""

    def forward(self, input):
        return F.feature_alpha_dropout(input, self.p, self.training)
