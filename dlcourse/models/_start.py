"""The first weights of the convolutional networks."""

from torch import nn


def he_start(model: nn.Module) -> None:
    """He's normal start for convolutions and hidden linear layers (He et al. 2015), biases 0.

    The last linear layer keeps torch's own: there is no ReLU behind it.
    """
    linear = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) or layer in linear[:-1]:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
