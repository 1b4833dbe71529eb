"""ZFNet: the network of Zeiler & Fergus, "Visualizing and Understanding Convolutional Networks".

The rows below are Fig. 3 of the paper (arXiv:1311.2901v3), first to last. What the paper leaves
open is chosen so that its map sizes come out:

* conv1 has padding 1, without which 224 pixels give 109 rows and not 110;
* pools round up (Caffe's and cuda-convnet's habit), without which 110 gives 54 and not 55;
* contrast normalisation stands after the pool, as the caption of Fig. 3 says, with AlexNet's
  constants, since the paper names none.
"""

from __future__ import annotations

from torch import Generator, nn

from zfwidgets.nets.table import Head, LayerTable, Row, classifier, gaussian_init, response_norm

WIDTH = (96, 256, 384, 384, 256)
"""Maps of conv1 to conv5 in Fig. 3: 62,357,608 parameters with the full head."""

WIDTH_B = (96, 256, 512, 1024, 512)
"""Variant (b) of section 5.1, "512, 1024, 512" maps: 107,627,624 parameters."""


class ZFNet(LayerTable):
    """ZFNet (Zeiler & Fergus 2013, Fig. 3). Images [B, 3, 224, 224] to logits [B, num_classes].

    Args:
        num_classes: rows of fc8.
        width: maps of conv1 to conv5; :data:`WIDTH_B` is variant (b).
        head: "full" for fc6, fc7, fc8 as in the paper (224 x 224 pixels only), "light" for a
            global average and fc8 alone, which takes any size from 47 pixels on.
        norm: contrast normalisation after pool1 and pool2.
        batch_norm: a BatchNorm2d after every convolution (bn1 to bn5), for training only; it
            folds into the convolutions, and the result is a net with ``batch_norm=False``.
        in_channels: colour planes of the image.

    Weights start as in the paper, see :meth:`paper_init`.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width: tuple[int, int, int, int, int] = WIDTH,
        head: Head = "full",
        norm: bool = True,
        batch_norm: bool = False,
        in_channels: int = 3,
    ) -> None:
        w1, w2, w3, w4, w5 = width

        def bn(maps: int) -> nn.Module | None:
            return nn.BatchNorm2d(maps) if batch_norm else None

        def lrn() -> nn.Module | None:
            return response_norm() if norm else None

        rows: list[Row] = [
            ("conv1", nn.Conv2d(in_channels, w1, 7, stride=2, padding=1)),  # 110 x 110
            ("bn1", bn(w1)),
            ("relu1", nn.ReLU()),
            ("pool1", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 55 x 55
            ("norm1", lrn()),
            ("conv2", nn.Conv2d(w1, w2, 5, stride=2)),  # 26 x 26
            ("bn2", bn(w2)),
            ("relu2", nn.ReLU()),
            ("pool2", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 13 x 13
            ("norm2", lrn()),
            ("conv3", nn.Conv2d(w2, w3, 3, padding=1)),  # 13 x 13
            ("bn3", bn(w3)),
            ("relu3", nn.ReLU()),
            ("conv4", nn.Conv2d(w3, w4, 3, padding=1)),  # 13 x 13
            ("bn4", bn(w4)),
            ("relu4", nn.ReLU()),
            ("conv5", nn.Conv2d(w4, w5, 3, padding=1)),  # 13 x 13
            ("bn5", bn(w5)),
            ("relu5", nn.ReLU()),
            ("pool5", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 6 x 6
        ]
        super().__init__(rows + classifier(head, w5, 6, num_classes))
        self.paper_init()

    def paper_init(self, generator: Generator | None = None) -> None:
        """Section 3 of the paper: all weights N(0, .01), all biases 0."""
        gaussian_init(self, 0.01, generator=generator)
