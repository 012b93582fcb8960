"""Models on several devices: of which there are none here."""

from dlcourse.mini._errors import NO_GROUP
from dlcourse.mini.nn.module import Module

__all__ = ["DataParallel", "DistributedDataParallel"]


class DataParallel(Module):
    """The module, called as it is: there are no devices to divide a batch among.

    It stands in `module`, so that the names in a state_dict begin with "module.", as in torch.
    """

    def __init__(self, module, device_ids=None, output_device=None, dim=0):
        super().__init__()
        self.module, self.device_ids, self.dim = module, [], dim

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Refused: mini computes in one process.  No module is one of these."""

    def __init__(self, module, *args, **kwargs):
        raise ValueError(NO_GROUP)
