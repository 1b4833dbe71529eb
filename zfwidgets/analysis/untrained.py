"""Networks that have learned nothing: the same architecture, its weights drawn anew or shuffled."""

from __future__ import annotations

import copy
from contextlib import suppress

import torch
from torch import Tensor, nn

from zfwidgets.deconv import DeconvNet


def untrained(net: DeconvNet, seed: int = 0) -> DeconvNet:
    """The same architecture with the random weights that training starts from.

    Convolutions and fully connected layers: N(0, 2 / fan-in), biases zero (He et al. 2015), so that
    signals keep their size through the rectifiers and no layer is blind by accident. All else: see
    `drawn_anew`.
    """
    model = drawn_anew(net.model, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                # Of a weight that is derived, as by weight_norm, nothing could be set here.
                own = dict(module.named_parameters(recurse=False))
                if "weight" in own:
                    drawn = torch.empty_like(own["weight"], device="cpu")
                    nn.init.kaiming_normal_(drawn, nonlinearity="relu", generator=generator)
                    own["weight"].copy_(drawn)
                if "bias" in own:
                    own["bias"].zero_()
    return net.with_model(model, f"{net.name} untrained")


def drawn_anew(model: nn.Module, seed: int) -> nn.Module:
    """A copy whose weights are drawn by each module's own way of doing so.

    Parameters that this does not reach are shuffled: of modules without `reset_parameters`, and
    those that weights are derived from. A single number stays as it is.
    """
    model = copy.deepcopy(model)
    gpus = {p.device.index for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=sorted(gpus)), torch.no_grad():
        torch.manual_seed(seed)
        for module in model.modules():
            learned = [(p, p.clone()) for p in module.parameters(recurse=False)]
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                with suppress(TypeError):  # it asks for more than we know
                    reset()
            for parameter, before in learned:
                if torch.equal(parameter, before):
                    shuffle(parameter)
    return model


def shuffle(parameter: Tensor, generator: torch.Generator | None = None) -> None:
    """The same weights in another order: their distribution stays, what they learned does not."""
    order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
    with torch.no_grad():
        parameter.copy_(parameter.flatten()[order].view_as(parameter))
