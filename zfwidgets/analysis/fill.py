"""What stands where a picture was taken away: grey, black and white as a network gets them."""

from __future__ import annotations

from PIL import Image
from torch import Tensor

from zfwidgets.deconv import DeconvNet

Fill = str | float
"""What stands where the picture was taken away.

"grey": mid-grey (128, 128, 128) as the network's own preparation gives it. "mean": the mean colour
of each picture. A number: that value in every channel of the prepared input.
"""


def grey(net: DeconvNet, value: int, channels: int) -> Tensor:
    """A grey of 0 (black) to 255 (white), prepared for the network: [1, C, 1, 1].

    Raises ValueError where the preparation does not give as many channels as the inputs have.
    """
    picture = net.preprocess(Image.new("RGB", (256, 256), (value, value, value)))
    if picture.shape[1] != channels:
        raise ValueError(
            f"the preparation of {net.name} gives {picture.shape[1]} channels and the input has "
            f"{channels}: black, grey and white are not known. Give the network transforms that "
            'fit it, or use fill="mean" or a number in units of the input.'
        )
    middle = picture.shape[2] // 2, picture.shape[3] // 2
    return picture[:, :, middle[0], middle[1]][:, :, None, None]


def fill_colour(net: DeconvNet, inputs: Tensor, fill: Fill) -> Tensor:
    """The fill for inputs [B, C, H, W]: [B, C, 1, 1] on their device."""
    mean = inputs.mean((2, 3), keepdim=True)
    if fill == "mean":
        return mean
    if fill == "grey":
        return grey(net, 128, inputs.shape[1]).expand_as(mean)
    if isinstance(fill, str):
        raise ValueError(f'fill={fill!r}: expected "grey", "mean" or a number.')
    return mean.new_full(mean.shape, float(fill))
