"""Batch norm as part of the convolution before it: as it ships, as projections pass it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

EPSILON = 1e-5  # of nn.BatchNorm2d
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
