"""Gives the channels of conv1 that fell silent in training a second start.

Batch norm's gain of some channels of conv1 sinks to nothing while a network is trained, and with it
all that they answer. Here they start anew, while the rest of the network stays what it is: conv1
and conv2 learn to give the maps of conv2 that they gave before, though of the channels that did
answer some are held back at random (dropout), so that those that start anew are needed. In the end
conv2 gets the filters that come closest to its former maps (ridge regression).
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from training.album import Album
from training.data import grainy
from training.student import alikeness, smooth
from training.teacher import has_bfloat16, normalised
from training.train import Recipe

BATCH, SIZE = 64, 96
HELD_BACK = 0.4  # share of the answering channels, at the start; none at the end
SPARED = 0.05  # share of the answers that conv2 is prepared to miss in the end
LEAST = -2.0  # bias of a channel, in deviations of its responses


@torch.no_grad()
def silent_channels(net: nn.Module, inputs: Tensor) -> Tensor:
    """Which channels of conv1, in evaluation mode, answer to none of the inputs [N,3,S,S]."""
    return (_answers(net, inputs).amax((0, 2, 3)) <= 0).nonzero().flatten()


def _answers(net: nn.Module, inputs: Tensor) -> Tensor:
    """The rectified maps of conv1."""
    for name in ("conv1", "bn1", "relu1"):
        inputs = net.get_submodule(name)(inputs)
    return inputs


def mend(net: nn.Module, album: Album, recipe: Recipe) -> int:
    """Let the silent channels of conv1 of a trained network, batch norm in it, start anew.

    Changes conv1, bn1 and conv2 in place: `recipe.mend` steps of 64 crops that are cut at 96 px,
    then a solution over 256 of full size. Returns how many channels there were; where there is
    none, nothing changes.
    """
    generator = torch.Generator(album.device).manual_seed(recipe.seed)
    net.to(album.device).eval()
    inputs = normalised(album.draw(4 * BATCH, generator))
    silent = silent_channels(net, inputs)
    if not len(silent):
        return 0
    former = copy.deepcopy(net)
    plan, album.plan = album.plan, replace(album.plan, size=SIZE)
    try:
        filters, biases = _learn(net, former, album, recipe, silent, generator)
    finally:
        album.plan = plan
    conv1, norm = net.get_submodule("conv1"), net.get_submodule("bn1")
    assert isinstance(conv1, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    with torch.no_grad():
        conv1.weight[silent] = filters
        variance, mean = torch.var_mean(conv1(inputs)[:, silent], (0, 2, 3))
        norm.running_mean[silent], norm.running_var[silent] = mean, variance
        gain = _usual_gain(norm, silent)
        norm.weight[silent], norm.bias[silent] = gain, gain * biases
    _settle(net, former, album, generator)
    return len(silent)


@torch.no_grad()
def _settle(
    net: nn.Module, former: nn.Module, album: Album, generator: torch.Generator, draws: int = 4
) -> None:
    """Give conv2 the filters that come closest to its former maps; in place.

    Least squares, with the penalty on a weight that comes of dropping a share of what it weighs:
    the work is spread over old and new channels of conv1 (Wager et al. 2013).
    """
    conv2, earlier = net.get_submodule("conv2"), former.get_submodule("conv2")
    assert isinstance(conv2, nn.Conv2d)
    assert isinstance(earlier, nn.Conv2d)
    assert not isinstance(conv2.padding, str)
    pool = net.get_submodule("pool1")
    size, maps = conv2.weight[0].numel(), conv2.out_channels
    gram = torch.zeros(size, size, dtype=torch.float64, device=album.device)
    cross = torch.zeros(size, maps, dtype=torch.float64, device=album.device)
    for _ in range(draws):
        inputs = normalised(album.draw(BATCH, generator))
        before, now = (pool(_answers(which, inputs)) for which in (former, net))
        wanted = F.conv2d(before, earlier.weight, None, conv2.stride, conv2.padding)
        patches = F.unfold(now, conv2.kernel_size, padding=conv2.padding, stride=conv2.stride)
        rows = patches.transpose(1, 2).reshape(-1, size).double()
        gram += rows.T @ rows
        cross += rows.T @ wanted.permute(0, 2, 3, 1).reshape(-1, maps).double()
    penalty = gram.diagonal() * SPARED / (1 - SPARED) + 1e-8 * gram.diagonal().mean()
    solved = torch.linalg.solve(gram + penalty.diag(), cross)
    conv2.weight.copy_(solved.T.view_as(conv2.weight))


def _usual_gain(norm: nn.BatchNorm2d, silent: Tensor) -> Tensor:
    answering = torch.ones_like(norm.weight, dtype=torch.bool)
    answering[silent] = False
    return norm.weight.detach()[answering].abs().median()


def _learn(
    net: nn.Module,
    former: nn.Module,
    album: Album,
    recipe: Recipe,
    silent: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Teach new filters of conv1, and conv2 of the network; return the former and their biases.

    Biases are in deviations of a channel's responses.
    """
    conv1, conv2 = net.get_submodule("conv1"), net.get_submodule("conv2")
    norm, pool = net.get_submodule("bn1"), net.get_submodule("pool1")
    assert isinstance(conv1, nn.Conv2d)
    assert isinstance(conv2, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    gain = _usual_gain(norm, silent)
    old = conv1.weight.detach().clone()
    start = 0.01 * torch.randn(old[silent].shape, generator=generator, device=album.device)
    filters, biases = nn.Parameter(start), nn.Parameter(torch.zeros_like(start[:, 0, 0, 0]))
    with torch.no_grad():
        conv2.weight[:, silent] = 0.0
    parts = [
        {"params": [filters], "share": recipe.conv1_rate, "weight_decay": recipe.conv1_decay},
        {"params": [biases], "share": recipe.conv1_rate, "weight_decay": 0.0},
        {"params": [conv2.weight], "share": 0.5, "weight_decay": recipe.weight_decay},
    ]
    optimiser = torch.optim.AdamW(parts, betas=(0.9, 0.98))
    for step in tqdm(range(recipe.mend), desc="mend"):
        phase = step / recipe.mend
        rate = recipe.learning_rate * min(1, (step + 1) / 100) * math.cos(phase * math.pi / 2) ** 2
        for group in optimiser.param_groups:
            group["lr"] = rate * group["share"]
        inputs = grainy(normalised(album.draw(BATCH, generator)), generator)
        with torch.autocast(album.device.type, torch.bfloat16, enabled=has_bfloat16(album.device)):
            with torch.no_grad():
                answers = _answers(former, inputs)
                wanted = former.get_submodule("conv2")(pool(answers)).float()
                chance = torch.rand(answers.shape[:2], generator=generator, device=album.device)
                held_back = HELD_BACK * (1 - phase)
                answers = answers * ((chance >= held_back) / (1 - held_back))[:, :, None, None]
            raw = F.conv2d(inputs, filters, None, conv1.stride, conv1.padding)
            unit = F.batch_norm(raw.float(), None, None, training=True)
            fresh = gain * (unit + biases[:, None, None]).relu()
            answers = answers.float().index_copy(1, silent, fresh.float())
            found = conv2(pool(answers)).float()
        off = (found - wanted).square().mean((0, 2, 3)) / wanted.var((0, 2, 3))
        both = old.index_copy(0, silent, filters)
        (off.mean() + recipe.unlike * alikeness(both)).backward()
        optimiser.step()
        optimiser.zero_grad()
        with torch.no_grad():
            biases.clamp_(min=LEAST)
            smooth(filters, rate * recipe.conv1_smooth)
    return filters.detach(), biases.detach()
