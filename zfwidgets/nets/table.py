"""A network written down as the table of its paper: named layers, run from first to last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

Head = Literal["full", "light"]
Row = tuple[str, nn.Module | None]


class LayerTable(nn.Module):
    """Named layers applied in order. A row whose module is None is left out of the network.

    The names are attributes (``net.conv1``) and keys of the state dict (``conv1.weight``), and
    they are the paths of the modules.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        super().__init__()
        for name, layer in rows:
            if layer is not None:
                self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, C, H, W] to logits [B, K]; softmax is left to the caller."""
        for layer in self.children():
            x = layer(x)
        return x


def response_norm() -> nn.LocalResponseNorm:
    """Contrast normalisation across five neighbouring maps with AlexNet's constants.

    Krizhevsky 2012, section 3.3: k = 2, n = 5, alpha = 1e-4, beta = .75, alpha on the *sum* of
    squares. PyTorch, like Caffe, multiplies alpha by their *mean*, hence 5 * 1e-4 here.
    """
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


def classifier(head: Head, maps: int, side: int, num_classes: int, fc: int = 4096) -> list[Row]:
    """The rows after pool5, which gives [B, maps, side, side].

    ``"full"`` is the papers' three fully connected layers with dropout .5 on fc6 and fc7;
    ``"light"`` averages every map over space and has fc8 only, a hundredth of the parameters.
    """
    if head == "light":
        return [
            ("average", nn.AdaptiveAvgPool2d(1)),
            ("flatten", nn.Flatten()),
            ("fc8", nn.Linear(maps, num_classes)),
        ]
    if head != "full":
        raise ValueError(f"head is {head!r}; expected 'full' (fc6, fc7, fc8) or 'light' (fc8)")
    return [
        ("flatten", nn.Flatten()),
        ("fc6", nn.Linear(maps * side * side, fc)),
        ("relu6", nn.ReLU()),
        ("drop6", nn.Dropout(0.5)),
        ("fc7", nn.Linear(fc, fc)),
        ("relu7", nn.ReLU()),
        ("drop7", nn.Dropout(0.5)),
        ("fc8", nn.Linear(fc, num_classes)),
    ]


@torch.no_grad()
def gaussian_init(
    net: nn.Module,
    std: float = 0.01,
    ones: Iterable[str] = (),
    generator: torch.Generator | None = None,
) -> None:
    """Weights of all conv and linear layers from N(0, std), their biases 0.

    ``ones`` names the layers whose biases start at 1 (Krizhevsky 2012, section 5). The default
    std is that of both papers; Zeiler & Fergus write "initialized to 10^-2", read as N(0, .01).
    """
    ones = frozenset(ones)
    for name, layer in net.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.weight.normal_(0.0, std, generator=generator)
            if layer.bias is not None:
                layer.bias.fill_(float(name in ones))
