"""Batch norm as part of the convolution before it: as it ships, as projections pass it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-5  # of nn.BatchNorm2d
RADIUS = 0.1  # the largest root mean square of a filter (section 3 of the paper)
CONVS = ("conv1", "conv2", "conv3", "conv4", "conv5")


def gain(gamma: Tensor, variance: Tensor, epsilon: float = EPSILON) -> Tensor:
    """By how much batch norm in evaluation mode multiplies each channel [C]: gamma / sigma."""
    return gamma / (variance + epsilon).sqrt()


def folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Fold bn1..bn5 of a state dict into its conv1..conv5, exactly, in double precision.

    gamma (W x + b - mu) / sigma + beta is a convolution with filters W gamma / sigma and biases
    (b - mu) gamma / sigma + beta. Layers that the state lacks are passed over.
    """
    plain = {k: v.double() for k, v in state.items() if not k.startswith("bn")}
    for number, conv in enumerate(CONVS, start=1):
        if f"{conv}.weight" not in plain:
            continue
        gamma, beta, mean, variance = (
            state[f"bn{number}.{part}"].double()
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        by = gain(gamma, variance)
        plain[f"{conv}.weight"] = plain[f"{conv}.weight"] * by.view(-1, 1, 1, 1)
        plain[f"{conv}.bias"] = (plain[f"{conv}.bias"] - mean) * by + beta
    return {k: v.float() for k, v in plain.items()}


@torch.no_grad()
def unfold(plain: nn.Module, net: nn.Module, inputs: Tensor, after: str) -> None:
    """Give a network with batch norm the filters of one without, so that both answer alike.

    Above the layer `after` the statistics are those that `inputs` have [B,3,S,S], and every filter
    is as large as the paper allows: what batch norm divides by, learning must not be fast for.
    Up to that layer batch norm does nothing, and folding gives back the very same filters.
    """
    maps, measured = inputs, False
    for name, layer in plain.named_children():
        if isinstance(layer, nn.Conv2d):
            conv, norm = net.get_submodule(name), net.get_submodule(name.replace("conv", "bn"))
            assert isinstance(conv, nn.Conv2d)
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            assert layer.bias is not None
            assert conv.bias is not None
            conv.weight.copy_(layer.weight)
            conv.bias.copy_(layer.bias)
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            if measured:
                grown = RADIUS / layer.weight.square().mean((1, 2, 3)).sqrt()
                conv.weight.mul_(grown.view(-1, 1, 1, 1))
                found = F.conv2d(maps, conv.weight, None, layer.stride, layer.padding)
                mean, variance = found.mean((0, 2, 3)), found.var((0, 2, 3))
                norm.running_mean.copy_(mean)
                norm.running_var.copy_(variance)
                norm.weight.copy_((variance + norm.eps).sqrt() / grown)
                norm.bias.copy_(layer.bias + mean / grown)
                conv.bias.zero_()
        elif name == "fc8":
            net.get_submodule(name).load_state_dict(layer.state_dict())
        measured = measured or name == after
        maps = layer(maps)
