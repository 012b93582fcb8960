"""Dropout (Srivastava et al. 2014)."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.module import Module


class Dropout(Module):
    """In training each element becomes 0 with probability `p`, the others grow by 1 / (1 - p)."""

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p, self.inplace = p, inplace

    def forward(self, input):
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self):
        return f"p={self.p}, inplace={self.inplace}"
