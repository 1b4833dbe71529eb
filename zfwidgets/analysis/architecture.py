"""Choosing an architecture by looking: AlexNet against ZFNet as one report (Fig. 6).

Zeiler & Fergus saw in AlexNet's first layer extremes of frequency with little between and dead
filters, in its second aliasing from the stride of 4; 7 x 7 filters with stride 2 mended it
(section 4.1). Here are the same pictures of any networks, and numbers for what is seen in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zfwidgets.analysis.evolution import projected
from zfwidgets.analysis.exemplars import exemplars
from zfwidgets.analysis.filters import RADIUS, FilterComparison, Filters, filters
from zfwidgets.analysis.layer_table import layer_table, parameters_of
from zfwidgets.analysis.result import Result
from zfwidgets.analysis.shared_images import SharedImages
from zfwidgets.analysis.stream import Images
from zfwidgets.analysis.usage import Usage, usage
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import contrast
from zfwidgets.images.samples import samples
from zfwidgets.nets.sources.papers import PAPERS
from zfwidgets.nets.training import Training, in_words, same_training, training_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Pictures = np.ndarray[Any, np.dtype[np.uint8]]

SHOWN = 96
"""Channels of the second layer whose projections are shown, evenly spread."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Side(Result):
    """One network of the report.

    training: what is known of it. filters, usage: of the layers compared. own: uint8 [N, h, w, 3],
    filters of the first layer, each on its own scale; shared, clipped: on one scale for all, as
    they are and with those above `radius` scaled down. projections: uint8 [M, h, w, 3], channels
    of the second layer, each from its strongest activation over the images.
    """

    net: str
    training: Training
    filters: dict[str, Filters]
    usage: Usage
    own: Pictures
    shared: Pictures
    clipped: Pictures
    projections: Pictures
    table: pd.DataFrame
    sizes: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ArchitectureReport(Result):
    """What `architecture_report` found. layers: the two that are compared. radius: of the clipping.

    images: how many pictures the usage and the projections rest on.
    """

    sides: tuple[Side, ...]
    layers: tuple[str, str]
    radius: float
    images: int

    @property
    def equal_training(self) -> bool | None:
        """Whether the networks were trained alike; None if the weights do not say."""
        return same_training([side.training for side in self.sides])

    @property
    def training(self) -> str:
        """Whether they were trained alike, in a sentence."""
        return in_words([side.training for side in self.sides])

    def to_frame(self) -> pd.DataFrame:
        """A pandas table, one row per network and layer.

        "above clip": share of filters with an RMS above the radius. "dead filters": RMS below a
        hundredth of the median; "dead on images": channels that fire on none. "aliasing": mean
        share of a filter's energy beyond what the layer's stride can sample. See `filters`,
        `usage`.
        """
        import pandas as pd

        rows = []
        for side in self.sides:
            for layer in self.layers:
                found, used = side.filters[layer], side.usage[layer]
                row = _summary(found)
                rows.append(
                    {"net": side.net, "layer": layer}
                    | side.sizes[layer]
                    | {
                        "above clip": float((found.rms > self.radius).float().mean()),
                        "largest RMS / median": row["largest RMS / median"],
                        "dead filters": row["dead"],
                        "dead on images": len(used.dead) / used.channels,
                        "duplicates": row["duplicates"],
                        "evenness": used.evenness,
                        "low frequency": row["low frequency"],
                        "middle frequency": row["middle frequency"],
                        "high frequency": row["high frequency"],
                        "aliasing": row["aliasing"],
                        "coherence": row["coherence"],
                        "opponency": row["opponency"],
                    }
                )
        return pd.DataFrame(rows).set_index(["net", "layer"])

    def layer_table(self) -> pd.DataFrame:
        """`layer_table` of the networks as they are loaded."""
        import pandas as pd

        return pd.concat([side.table for side in self.sides])

    def plot(self) -> Figure:
        """Fig. 6: filters on their own and on one scale, clipped, and the second layer."""
        from zfwidgets.analysis.plot.architecture import plot_pictures

        second = self.layers[1]
        steps = [side.training.steps for side in self.sides]
        said = ", ".join("?" if n is None else f"{n:,}" for n in steps)
        title = f"training steps: {said}; {second} from {self.images} images"
        return plot_pictures([self._column(side) for side in self.sides], title)

    def _column(self, side: Side) -> tuple[tuple[str, Pictures], ...]:
        """The sheets of a network in Fig. 6, from above."""
        first, second = self.layers
        kernel, stride = (side.sizes[first][name] for name in ("kernel", "stride"))
        return (
            (f"{side.net}: {first}, {kernel}×{kernel}, stride {stride}, own scale", side.own),
            (f"{first}, one scale", side.shared),
            (f"{first}, one scale, RMS at most {self.radius:g}", side.clipped),
            (f"{second}, projected", side.projections),
        )

    def plot_numbers(self) -> Figure:
        """RMS, frequencies and orientations of the first layer's filters."""
        from zfwidgets.analysis.plot.architecture import plot_numbers

        first = self.layers[0]
        filters = [(side.net, side.filters[first]) for side in self.sides]
        return plot_numbers(filters, first, self.radius)

    def to_html(self, path: str | Path) -> Path:
        """Write the whole report as one file that needs no other; returns its path."""
        from zfwidgets.analysis.plot.architecture_page import write_page

        return write_page(
            Path(path),
            nets=[side.net for side in self.sides],
            layers=self.layers,
            training=self.training,
            numbers=self.to_frame(),
            table=self.layer_table(),
            figures=(self.plot_numbers(), self.plot()),
            radius=self.radius,
            images=self.images,
        )


def architecture_report(
    *nets: str | DeconvNet,
    images: Images | None = None,
    layers: tuple[str, str] = ("conv1", "conv2"),
    radius: float = RADIUS,
) -> ArchitectureReport:
    """Architectures beside each other: pictures and numbers of their first two layers (Fig. 6).

    nets: names for `load`, or networks. images: what usage and projections are looked for in; by
    default the sample photographs, too few for dead channels to mean much. layers: the first
    convolution, and the one that shows what its aliasing did. radius: RMS above which filters are
    scaled down. The paper's 0.1 belongs to inputs of about -128 to 128; with inputs of unit
    variance, and with batch norm folded into them, filters are far larger.

    Whether the training was equal is read in the weights' metadata. It is not known of networks
    that are not the bundled ones or files that say so.

    Raises ValueError without networks, KeyError for a layer that one of them does not have.
    """
    if not nets:
        raise ValueError("architecture_report() got no networks; expected two or more.")
    given = samples() if images is None else images
    sides = [_side(net, given, layers, radius) for net in nets]
    return ArchitectureReport(tuple(sides), layers, radius, sides[0].usage.images)


def _side(net: str | DeconvNet, images: Images, layers: tuple[str, str], radius: float) -> Side:
    made, training = _known(net)
    first, second = (made.layers[name].name for name in layers)
    pictures = SharedImages(images).of(made)
    found = {name: filters(made, name) for name in (first, second)}
    weights = found[first].weights
    return Side(
        net=made.name,
        training=training,
        filters=found,
        usage=usage(made, pictures, layers=[first, second], progress=False),
        own=_drawn(made, weights, "tile"),
        shared=_drawn(made, weights, "all"),
        clipped=_drawn(made, found[first].clipped(radius), "all"),
        projections=_projections(made, pictures, second),
        table=layer_table(made),
        sizes={name: _sizes(made, name) for name in (first, second)},
    )


def _known(net: str | DeconvNet) -> tuple[DeconvNet, Training]:
    from zfwidgets.deconv.load import load

    if not isinstance(net, DeconvNet):
        return load(net), training_of(net)
    bundled = net.name in PAPERS and PAPERS[net.name].bundled is not None
    # A name is no proof: it may be a network of one's own that is called so.
    same = bundled and load(net.name, device="cpu").weights_hash() == net.weights_hash()
    return net, training_of(net.name) if same else Training(net.name, None)


def _drawn(net: DeconvNet, weights: Any, share: Any) -> Pictures:
    """Filters as pictures; of a layer that sees no colours, their energy over its inputs."""
    if weights.shape[1] in (1, 3):
        return contrast(net.to_rgb(weights.to(net.device)).cpu(), share=share, percentile=100)[0]
    energy = weights.square().mean(1, keepdim=True).sqrt()
    return contrast(energy, rule="minmax", share=share)[0]


def _projections(net: DeconvNet, pictures: Images, layer: str) -> Pictures:
    scan = exemplars(net, pictures, layer, 1, progress=False)
    count = len(scan.value)
    chosen = [index * count // min(SHOWN, count) for index in range(min(SHOWN, count))]
    return projected(net, pictures, scan, chosen)[0].to_images()


def _sizes(net: DeconvNet, name: str) -> dict[str, int]:
    layer = net.layers[name]
    return {
        "filters": layer.channels,
        "kernel": layer.kernel[0],
        "stride": layer.stride[0],
        "receptive field": layer.receptive_field[0],
        "parameters": parameters_of(net, layer),
    }


def _summary(found: Filters) -> dict[str, Any]:
    return dict(FilterComparison((found,)).to_frame().iloc[0])
