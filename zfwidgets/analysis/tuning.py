"""How single channels answer as a picture changes: tuning curves, as physiology calls them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.analysis.arguments import NETWORK, takes
from zfwidgets.analysis.fill import Fill
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.transforms import DEFAULTS, NEUTRAL, Transform, changer
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.deconvnet import Picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, repr=False)
class Tuning(Result):
    """Curves of C channels over V values of one transform, for B pictures.

    response: Tensor [B, C, V], the largest value of the channel's map. clean: Tensor [B, C], the
    same for the picture as it was. channels: LongTensor [C].
    """

    transform: str
    layer: str
    channels: Tensor
    values: Tensor
    response: Tensor
    clean: Tensor

    @property
    def half_width(self) -> Tensor:
        """How far each value may go until the response is half of `clean`: Tensor [B, C, 2].

        Downwards and upwards from the value that changes nothing, in the transform's units, with
        straight lines between the values tried. Infinite where it never falls so far within the
        values tried; NaN for a channel that was silent.
        """
        neutral = NEUTRAL[self.transform]
        values, order = self.values.sort()
        share = (self.response / self.clean[:, :, None].clamp_min(1e-12))[:, :, order]
        below, above = values < neutral, values > neutral
        up = _crossing(values[above] - neutral, share[:, :, above])
        down = _crossing((neutral - values[below]).flip(0), share[:, :, below].flip(2))
        return torch.stack([down, up], 2).where(self.clean[:, :, None] > 0, float("nan"))

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per picture, channel and value (needs pandas)."""
        import pandas as pd

        pictures, channels, values = self.response.shape
        down, up = self.half_width.unbind(2)
        return pd.DataFrame(
            {
                "picture": torch.arange(pictures).repeat_interleave(channels * values).tolist(),
                "channel": self.channels.repeat_interleave(values).repeat(pictures).tolist(),
                self.transform: self.values.repeat(pictures * channels).tolist(),
                "response": self.response.flatten().tolist(),
                "clean": self.clean.flatten().repeat_interleave(values).tolist(),
                "half width down": down.flatten().repeat_interleave(values).tolist(),
                "half width up": up.flatten().repeat_interleave(values).tolist(),
            }
        )

    def plot(self) -> Figure:
        """The curves as shares of each channel's clean response, and the widths of all."""
        from zfwidgets.analysis.plot.tuning import plot_tuning

        return plot_tuning(
            self.response,
            self.clean,
            self.half_width,
            values=self.values,
            channels=self.channels,
            transform=self.transform,
            layer=self.layer,
        )


@takes(net=NETWORK)
def tuning(
    net: DeconvNet,
    images: Picture | Sequence[Picture] | Tensor,
    layer: str = "conv5",
    transform: Transform = "rotation",
    *,
    values: Sequence[float] | None = None,
    channels: Sequence[int] | None = None,
    fill: Fill = "grey",
    batch: int = 64,
    progress: bool = True,
) -> Tuning:
    """Response of each channel's strongest neuron while pictures are transformed.

    The place may move: a channel whose maximum wanders along with the picture is invariant here.
    transform, values, fill: as in `zfwidgets.invariance`. channels: all by default.
    """
    inputs = net.preprocess(images)
    change = changer(net, inputs, transform, fill)
    values = DEFAULTS[transform] if values is None else values
    if not len(values) or batch < 1:
        raise ValueError(f"{len(values)} values, batch={batch}: expected 1 or more of each.")
    count = net.record(inputs[:1], upto=layer).layers[layer].channels
    chosen = torch.arange(count) if channels is None else torch.as_tensor(list(channels))
    if len(chosen) == 0 or int(chosen.min()) < 0 or int(chosen.max()) >= count:
        raise ValueError(f"channels={channels}: {layer} has the channels 0 to {count - 1}.")

    def strongest(pictures: Tensor) -> Tensor:
        parts = [
            net.record(part, upto=layer).feature_maps(layer).amax((2, 3)).float().cpu()
            for part in pictures.split(batch)
        ]
        return torch.cat(parts)[:, chosen]

    steps = tqdm(values, desc=transform, disable=not progress, leave=False)
    return Tuning(
        transform=transform,
        layer=layer,
        channels=chosen,
        values=torch.tensor([float(value) for value in values]),
        response=torch.stack([strongest(change(float(value))) for value in steps], 2),
        clean=strongest(inputs),
    )


def _crossing(distance: Tensor, share: Tensor) -> Tensor:
    """Where share [B, C, V], 1 at distance 0, first falls to a half: [B, C]; infinite if never."""
    if not len(distance):
        return torch.full(share.shape[:2], float("inf"))
    start = torch.cat([torch.ones_like(share[:, :, :1]), share], 2)
    at = torch.cat([distance.new_zeros(1), distance])
    low = start <= 0.5
    first = low.int().argmax(2).clamp_min(1)
    before, after = (start.gather(2, (first - i)[:, :, None])[:, :, 0] for i in (1, 0))
    part = (before - 0.5) / (before - after).clamp_min(1e-12)
    place = at[first - 1] + part * (at[first] - at[first - 1])
    return place.where(low.any(2), float("inf"))
