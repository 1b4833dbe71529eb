"""The two students: the conv stacks of ZFNet and AlexNet with batch norm and a light head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.data import Batch, Lattice
from training.folding import CONVS, RADIUS, gain
from zfwidgets.nets.alexnet import AlexNet
from zfwidgets.nets.zfnet import WIDTH, ZFNet


@dataclass(frozen=True)
class Kind:
    """An architecture and where the units of its hinted layers (conv2, conv4) look."""

    make: Callable[..., nn.Module]
    fine: Lattice
    coarse: Lattice


KINDS = {
    "zfnet": Kind(ZFNet, Lattice(12.5, 8), Lattice(20.5, 16)),
    "alexnet": Kind(AlexNet, Lattice(7.5, 8), Lattice(15.5, 16)),
}


def shaped(kind: str, state: Mapping[str, Tensor], batch_norm: bool = False) -> nn.Module:
    """A network of as many maps and classes as a state has, with weights of its own."""
    return KINDS[kind].make(
        num_classes=len(state["fc8.weight"]),
        width=tuple(len(state[f"{conv}.weight"]) for conv in CONVS),
        head="light",
        norm=False,
        batch_norm=batch_norm,
    )


class Student(nn.Module):
    """A network and, for training only, two 1x1 convolutions that guess the teacher's features.

    The hints (FitNets, Romero et al. 2015) stand at conv2 (stride 8) and conv4 (stride 16).
    """

    def __init__(self, kind: str, classes: int, fine: int, coarse: int, width: float = 1.0) -> None:
        super().__init__()
        self.kind = KINDS[kind]
        self.net = self.kind.make(
            num_classes=classes,
            width=tuple(round(width * maps) for maps in WIDTH),
            head="light",
            norm=False,
            batch_norm=True,
        )
        # Where batch norm's gain sinks to nothing a channel of conv1 falls silent for good: left to
        # learn, that of two channels in five did. Scale is conv2's to give.
        self.net.get_parameter("bn1.weight").requires_grad_(False)
        conv2, conv4 = self.net.get_submodule("conv2"), self.net.get_submodule("conv4")
        assert isinstance(conv2, nn.Conv2d)
        assert isinstance(conv4, nn.Conv2d)
        self.fine = nn.Conv2d(conv2.out_channels, fine, 1)
        self.coarse = nn.Conv2d(conv4.out_channels, coarse, 1)
        self._seen: dict[str, Tensor] = {}
        self._sides: dict[int, tuple[int, int]] = {}
        for name in ("relu2", "relu4"):
            self.net.get_submodule(name).register_forward_hook(self._keep(name))

    def _keep(self, name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self._seen[name] = output

        return hook

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images [B,3,S,S] to logits [B,K] and the two guessed feature maps."""
        logits = self.net(inputs)
        return logits, self.fine(self._seen["relu2"]), self.coarse(self._seen["relu4"])

    @torch.no_grad()
    def sides(self, size: int) -> tuple[int, int]:
        """Sides of the hinted maps for an input of `size` pixels."""
        if size in self._sides:
            return self._sides[size]
        training = self.net.training
        self.net.eval()
        self.net(torch.zeros(1, 3, size, size, device=next(self.parameters()).device))
        self.net.train(training)
        self._sides[size] = self._seen["relu2"].shape[-1], self._seen["relu4"].shape[-1]
        return self._sides[size]


def divergence(guess: Tensor, said: Tensor, temperature: float) -> Tensor:
    """Kullback-Leibler divergence of answers [N,K] from the teacher's at a temperature, by its
    square, so that gradients of different temperatures are of one size.
    """
    target = (said / temperature).log_softmax(1)
    found = (guess / temperature).log_softmax(1)
    away = F.kl_div(found, target, reduction="batchmean", log_target=True)
    return away * temperature**2


def head_start(frequencies: Tensor, balanced: float) -> Tensor:
    """What is added to a student's logits [N,K] where they are compared with the teacher's: [K].

    `balanced` times the logarithm of how often each class occurs in training. What an answer owes
    to nothing else is given to it here, so that the student does not learn it: photographs to come
    are not of the same classes (logit adjustment, Menon et al. 2021).
    """
    return balanced * frequencies.log()


def losses(
    outputs: tuple[Tensor, Tensor, Tensor], batch: Batch, given: Tensor, temperature: float
) -> dict[str, Tensor]:
    """The terms to minimise: cross-entropy excess over the teacher's at T, and the two hints.

    `given` is what :func:`head_start` gives [K].
    """
    logits, fine, coarse = (o.float() for o in outputs)
    return {
        "kl": divergence(logits + given, batch.logits, temperature),
        "fine": F.mse_loss(fine, batch.fine),
        "coarse": F.mse_loss(coarse, batch.coarse),
    }


def alikeness(filters: Tensor, allowed: float = 0.5) -> Tensor:
    """How much filters [N,C,h,w] repeat one another: mean over filters of the
    summed squared excess of |cosine|.
    """
    unit = F.normalize(filters.flatten(1), dim=1)
    cosine = (unit @ unit.T).abs() - torch.eye(len(unit), device=unit.device)
    return (cosine - allowed).clamp_min(0).square().sum(1).mean()


def alike_below(maps: Iterable[Tensor], allowed: float) -> Tensor:
    """How alike the channels of conv5 are in what they send back, beyond a cosine of `allowed`."""
    return torch.stack([alikeness(m.float(), allowed) for m in maps]).mean()


def sent_back(net: nn.Module) -> list[Tensor]:
    """What one unit of each channel of conv5 sends back to conv3's and to pool2's maps: [C5,C,h,w].

    By the transposed filters and rectifying, as in a projection (section 2.1 of the paper), with
    batch norm's gain in the filters. No pooling lies between these layers, so that it is a matter
    of weights alone: the upper part of every projection, whatever the picture. Nothing that a
    network learns keeps channels apart there. The longer one is trained, the more a few strong
    filters of conv4 take up all that is sent back.
    """
    filters = []
    for layer in ("5", "4", "3"):
        conv, norm = net.get_submodule(f"conv{layer}"), net.get_submodule(f"bn{layer}")
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_var is not None
        by = gain(norm.weight, norm.running_var, norm.eps)
        filters.append(conv.weight * by.view(-1, 1, 1, 1))
    below = [filters[0].relu()]
    for bank in filters[1:]:
        below.append(F.conv_transpose2d(below[-1], bank).relu())
    return below[1:]


@torch.no_grad()
def clip_radius(net: nn.Module, radius: float = RADIUS) -> None:
    """Scale back every conv filter whose root mean square exceeds 0.1 (section 3 of the paper)."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            rms = module.weight.square().mean((1, 2, 3), keepdim=True).sqrt()
            module.weight.mul_((radius / rms).clamp_max(1.0))


@torch.no_grad()
def smooth(
    filters: Tensor, amount: float | Tensor, grey: float = 0.25, colour: float = 0.15
) -> None:
    """Shrink filters [N,3,h,w] in place, the finer a frequency the more: a prior of photographs.

    What lies at r cycles a pixel is multiplied by exp(-amount (r / scale)^2), with the scale `grey`
    for what the three planes share and `colour` for the rest: JPEG and WebP store colour at half
    the resolution. Photographs hold little at fine frequencies, so that gradients there are mostly
    noise, which otherwise veils the filters with speckle.
    """
    plain = filters.mean(1, keepdim=True).expand_as(filters)
    fy, fx = (torch.fft.fftfreq(n, device=filters.device) for n in filters.shape[-2:])
    square = fy[:, None].square() + fx[None, :].square()

    def smoothed(planes: Tensor, scale: float) -> Tensor:
        kept = torch.exp(-amount * square / scale**2)
        return torch.fft.ifft2(torch.fft.fft2(planes) * kept).real

    filters.copy_(smoothed(plain, grey) + smoothed(filters - plain, colour))
