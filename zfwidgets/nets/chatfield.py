"""CNN-F, CNN-M and CNN-S of Chatfield et al., "Return of the Devil in the Details" (BMVC 2014).

The rows below are Table 1 of the paper (arXiv:1405.3531). Its "x2 pool" is, in the released nets,
a 3 x 3 window with stride 2 that rounds up, and "x3 pool" 3 x 3 with stride 3. CNN-F ("fast") is
close to AlexNet, CNN-M ("medium") to ZFNet with 512 maps from conv3 on, CNN-S ("slow") keeps a
fine grid at conv2. No weights come with them: the released ones are for non-commercial use.
"""

from __future__ import annotations

from torch import Generator, nn

from zfwidgets.nets.table import LayerTable, Row, classifier, gaussian_init, response_norm


class Chatfield(LayerTable):
    """What the three nets share: 224 x 224 images, three fully connected layers, N(0, .01)."""

    def __init__(self, rows: list[Row], maps: int, side: int, num_classes: int, fc7: int) -> None:
        tail = classifier("full", maps, side, num_classes)
        if fc7 != 4096:
            narrow: dict[str, nn.Module] = {
                "fc7": nn.Linear(4096, fc7),
                "fc8": nn.Linear(fc7, num_classes),
            }
            tail = [(name, narrow.get(name, layer)) for name, layer in tail]
        super().__init__(rows + tail)
        self.paper_init()

    def paper_init(self, generator: Generator | None = None) -> None:
        """Section 3.3 of the paper: weights N(0, .01); biases 0."""
        gaussian_init(self, 0.01, generator=generator)


class CNN_F(Chatfield):  # noqa: N801 - the paper's name
    """CNN-F, the fast one. Images [B, 3, 224, 224] to logits [B, num_classes]."""

    def __init__(self, num_classes: int = 1000, in_channels: int = 3) -> None:
        rows: list[Row] = [
            ("conv1", nn.Conv2d(in_channels, 64, 11, stride=4)),  # 54 x 54
            ("relu1", nn.ReLU()),
            ("norm1", response_norm()),
            ("pool1", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 27 x 27
            ("conv2", nn.Conv2d(64, 256, 5, padding=2)),  # 27 x 27
            ("relu2", nn.ReLU()),
            ("norm2", response_norm()),
            ("pool2", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 13 x 13
            ("conv3", nn.Conv2d(256, 256, 3, padding=1)),  # 13 x 13
            ("relu3", nn.ReLU()),
            ("conv4", nn.Conv2d(256, 256, 3, padding=1)),  # 13 x 13
            ("relu4", nn.ReLU()),
            ("conv5", nn.Conv2d(256, 256, 3, padding=1)),  # 13 x 13
            ("relu5", nn.ReLU()),
            ("pool5", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 6 x 6
        ]
        super().__init__(rows, 256, 6, num_classes, 4096)


class CNN_M(Chatfield):  # noqa: N801 - the paper's name
    """CNN-M, the medium one. Images [B, 3, 224, 224] to logits [B, num_classes].

    ``fc7`` narrows the last hidden layer: 2048, 1024 and 128 are the paper's CNN-M-2048, -1024
    and -128.
    """

    def __init__(self, num_classes: int = 1000, fc7: int = 4096, in_channels: int = 3) -> None:
        rows: list[Row] = [
            ("conv1", nn.Conv2d(in_channels, 96, 7, stride=2)),  # 109 x 109
            ("relu1", nn.ReLU()),
            ("norm1", response_norm()),
            ("pool1", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 54 x 54
            ("conv2", nn.Conv2d(96, 256, 5, stride=2, padding=1)),  # 26 x 26
            ("relu2", nn.ReLU()),
            ("norm2", response_norm()),
            ("pool2", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 13 x 13
            ("conv3", nn.Conv2d(256, 512, 3, padding=1)),  # 13 x 13
            ("relu3", nn.ReLU()),
            ("conv4", nn.Conv2d(512, 512, 3, padding=1)),  # 13 x 13
            ("relu4", nn.ReLU()),
            ("conv5", nn.Conv2d(512, 512, 3, padding=1)),  # 13 x 13
            ("relu5", nn.ReLU()),
            ("pool5", nn.MaxPool2d(3, 2, ceil_mode=True)),  # 6 x 6
        ]
        super().__init__(rows, 512, 6, num_classes, fc7)


class CNN_S(Chatfield):  # noqa: N801 - the paper's name
    """CNN-S, the slow one. Images [B, 3, 224, 224] to logits [B, num_classes].

    ``conv2_padding`` is 1 in the paper's table and 0 in the weights released with it.
    """

    def __init__(
        self, num_classes: int = 1000, conv2_padding: int = 1, in_channels: int = 3
    ) -> None:
        rows: list[Row] = [
            ("conv1", nn.Conv2d(in_channels, 96, 7, stride=2)),  # 109 x 109
            ("relu1", nn.ReLU()),
            ("norm1", response_norm()),
            ("pool1", nn.MaxPool2d(3, 3, ceil_mode=True)),  # 37 x 37
            ("conv2", nn.Conv2d(96, 256, 5, padding=conv2_padding)),  # 35 x 35
            ("relu2", nn.ReLU()),
            ("pool2", nn.MaxPool2d(2, 2, ceil_mode=True)),  # 18 x 18
            ("conv3", nn.Conv2d(256, 512, 3, padding=1)),  # 18 x 18
            ("relu3", nn.ReLU()),
            ("conv4", nn.Conv2d(512, 512, 3, padding=1)),  # 18 x 18
            ("relu4", nn.ReLU()),
            ("conv5", nn.Conv2d(512, 512, 3, padding=1)),  # 18 x 18
            ("relu5", nn.ReLU()),
            ("pool5", nn.MaxPool2d(3, 3, ceil_mode=True)),  # 6 x 6
        ]
        super().__init__(rows, 512, 6, num_classes, 4096)
