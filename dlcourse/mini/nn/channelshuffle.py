"""Channels in another order."""

from dlcourse.mini.nn import functional as F
from dlcourse.mini.nn.module import Module


class ChannelShuffle(Module):
    """The channels of each group dealt out in turn; see `functional.channel_shuffle`."""

    def __init__(self, groups: int):
        super().__init__()
        self.groups = groups

    def forward(self, input):
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self):
        return f"groups={self.groups}"
