"""What a network costs: its parameters, its multiply-adds, and what it keeps for backward.

All three follow from shapes, so a copy of the network runs on torch's device "meta", where tensors
have a shape and no numbers: VGG-16 at full size is counted in a moment, without its memory.
"""

import copy
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Cost:
    """Counts for one input: `parameters` and `multiply_adds` are numbers, `kept` is in bytes."""

    parameters: int
    multiply_adds: int
    kept: int


def cost(model: nn.Module, shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Cost:
    """Count a training-mode forward pass on an input of `shape`, the batch included.

    Multiply-adds are those of convolutions and linear layers: each number of the output is
    an inner product with a filter, so there are `output.numel() * weight[0].numel()`.
    `kept` are the bytes of all storages that autograd saves for backward, each once, the
    parameters not counted.  The model itself is not touched.
    """
    model = copy.deepcopy(model).to("meta", dtype).train()
    multiply_adds, kept = 0, {}

    def count(layer: nn.Module, inputs: tuple, output: torch.Tensor) -> None:
        nonlocal multiply_adds
        multiply_adds += output.numel() * layer.weight[0].numel()

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage  # the storage itself, so that its address stays taken
        return tensor

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(torch.empty(shape, dtype=dtype, device="meta"))
    for tensor in [*model.parameters(), *model.buffers()]:
        kept.pop(tensor.untyped_storage()._cdata, None)
    del output  # alive until here: what it saved has not been freed
    parameters = sum(p.numel() for p in model.parameters())
    return Cost(parameters, multiply_adds, sum(storage.nbytes() for storage in kept.values()))
