"""AlexNet: the network of Krizhevsky, Sutskever & Hinton, NIPS 2012, that ZFNet set out to mend.

The rows below are section 3.5 and Fig. 2 of the paper. Notes on what it leaves open:

* the paper takes 224 pixels and draws 55 x 55 maps after conv1, which an 11 x 11 window with
  stride 4 does not give; padding 2 does (Caffe feeds 227 pixels instead);
* conv2 to conv5 keep the map size, hence padding 2 and 1; pools round up like those of ZFNet,
  which changes nothing at 224 pixels (55, 27 and 13 pool to 27, 13 and 6 either way).

This is not torchvision's ``alexnet``, the narrower net (64-192-384-256-256, no normalisation) of
Krizhevsky's later "One weird trick" paper.
"""

from __future__ import annotations

from typing import Literal

from torch import Generator, nn

from zfwidgets.nets.table import Head, LayerTable, Row, classifier, gaussian_init, response_norm

WIDTH = (96, 256, 384, 384, 256)
"""Maps of conv1 to conv5, both columns of the paper together."""


class AlexNet(LayerTable):
    """AlexNet (Krizhevsky 2012). Images [B, 3, 224, 224] to logits [B, num_classes].

    Args:
        num_classes: rows of fc8.
        groups: 2 splits conv2, conv4 and conv5 in two halves that do not see each other, the two
            GPUs of the paper: 60,965,224 parameters. 1 (default) is the single column that
            Zeiler & Fergus compare with: 62,378,344.
        width: maps of conv1 to conv5.
        head: "full" for fc6, fc7, fc8 as in the paper (224 x 224 pixels only), "light" for a
            global average and fc8 alone, which takes any size from 35 pixels on.
        norm: local response normalisation of conv1 and conv2.
        batch_norm: a BatchNorm2d after every convolution (bn1 to bn5), for training only.
        in_channels: colour planes of the image.

    Weights start as in the paper, see :meth:`paper_init`.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        groups: Literal[1, 2] = 1,
        width: tuple[int, int, int, int, int] = WIDTH,
        head: Head = "full",
        norm: bool = True,
        batch_norm: bool = False,
        in_channels: int = 3,
    ) -> None:
        if groups not in (1, 2):
            raise ValueError(f"groups is {groups!r}; expected 1 (one column) or 2 (the paper's)")
        w1, w2, w3, w4, w5 = width

        def bn(maps: int) -> nn.Module | None:
            return nn.BatchNorm2d(maps) if batch_norm else None

        def lrn() -> nn.Module | None:
            return response_norm() if norm else None

        rows: list[Row] = [
            ("conv1", nn.Conv2d(in_channels, w1, 11, stride=4, padding=2)),  # 55 x 55
            ("bn1", bn(w1)),
            ("relu1", nn.ReLU()),
            ("norm1", lrn()),
            ("pool1", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 27 x 27
            ("conv2", nn.Conv2d(w1, w2, 5, padding=2, groups=groups)),  # 27 x 27
            ("bn2", bn(w2)),
            ("relu2", nn.ReLU()),
            ("norm2", lrn()),
            ("pool2", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 13 x 13
            ("conv3", nn.Conv2d(w2, w3, 3, padding=1)),  # 13 x 13
            ("bn3", bn(w3)),
            ("relu3", nn.ReLU()),
            ("conv4", nn.Conv2d(w3, w4, 3, padding=1, groups=groups)),  # 13 x 13
            ("bn4", bn(w4)),
            ("relu4", nn.ReLU()),
            ("conv5", nn.Conv2d(w4, w5, 3, padding=1, groups=groups)),  # 13 x 13
            ("bn5", bn(w5)),
            ("relu5", nn.ReLU()),
            ("pool5", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 6 x 6
        ]
        super().__init__(rows + classifier(head, w5, 6, num_classes))
        self.paper_init()

    def paper_init(self, generator: Generator | None = None) -> None:
        """Section 5 of the paper: weights N(0, .01); biases 1 where it wants ReLUs awake, else 0.

        "Awake" are conv2, conv4, conv5 and the fully connected hidden layers fc6 and fc7.
        """
        awake = ("conv2", "conv4", "conv5", "fc6", "fc7")
        gaussian_init(self, 0.01, ones=awake, generator=generator)
