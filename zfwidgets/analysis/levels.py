"""Grey, black and white as a network gets them: what stands where a picture was taken away."""

from __future__ import annotations

from PIL import Image
from torch import Tensor

from zfwidgets.deconv import DeconvNet

Fill = str | float
"""What stands where the picture was taken away.

"grey": mid-grey (128, 128, 128) as the network's own preparation gives it. "mean": the mean colour
of each picture. A number: that value in every channel of the prepared input.
"""


def level(net: DeconvNet, value: int, channels: int) -> Tensor:
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


def colour(net: DeconvNet, inputs: Tensor, fill: Fill) -> Tensor:
    """The fill for inputs [B, C, H, W]: [B, C, 1, 1] on their device."""
    mean = inputs.mean((2, 3), keepdim=True)
    if fill == "mean":
        return mean
    if fill == "grey":
        return level(net, 128, inputs.shape[1]).expand_as(mean)
    if isinstance(fill, str):
        raise ValueError(f'fill={fill!r}: expected "grey", "mean" or a number.')
    return mean.new_full(mean.shape, float(fill))


def class_index(net: DeconvNet, label: int | str, classes: int) -> int:
    """The output of a class that is given by its number or its name in `net.categories`."""
    if isinstance(label, str):
        if label not in (net.categories or ()):
            raise ValueError(
                f"label={label!r} is no category of {net.name}; expected a name from "
                f"net.categories or a number from 0 to {classes - 1}."
            )
        return (net.categories or []).index(label)
    if not 0 <= label < classes:
        raise ValueError(f"label={label}: expected a number from 0 to {classes - 1}.")
    return int(label)
