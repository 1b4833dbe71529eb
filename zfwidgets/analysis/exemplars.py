"""Which pictures excite a channel most: the paper's Fig. 2, over any number of pictures.

One pass keeps, per channel, the k pictures of highest activation and where in them it is. For the
bundled networks that pass over the gallery was made before and ships.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Unpack, overload

from zfwidgets.analysis.arguments import NETWORK_OR_NAME, takes, told
from zfwidgets.analysis.scanning.scanner import Scanner, ScanOptions
from zfwidgets.analysis.shipped import exemplars_that_ship
from zfwidgets.analysis.stream import Images
from zfwidgets.analysis.strongest import Exemplars, exemplars_of
from zfwidgets.deconv import DeconvNet
from zfwidgets.deconv.load import load


@overload
def exemplars(
    net: DeconvNet | str,
    images: Images | None = None,
    *,
    layer: str,
    k: int = 9,
    should_stop: Callable[[], bool] | None = None,
    **options: Unpack[ScanOptions],
) -> Exemplars: ...
@overload
def exemplars(
    net: DeconvNet | str,
    images: Images,
    layer: str,
    k: int = 9,
    *,
    should_stop: Callable[[], bool] | None = None,
    **options: Unpack[ScanOptions],
) -> Exemplars: ...
@overload
def exemplars(
    net: DeconvNet | str,
    images: Images | None = None,
    *,
    layers: Sequence[str] | None = None,
    k: int = 9,
    should_stop: Callable[[], bool] | None = None,
    **options: Unpack[ScanOptions],
) -> dict[str, Exemplars]: ...
@takes(net=NETWORK_OR_NAME)
@told(ScanOptions, Scanner)
def exemplars(
    net: DeconvNet | str,
    images: Images | None = None,
    layer: str | None = None,
    k: int = 9,
    *,
    layers: Sequence[str] | None = None,
    should_stop: Callable[[], bool] | None = None,
    **options: Unpack[ScanOptions],
) -> Exemplars | dict[str, Exemplars]:
    """The k pictures that excite each channel most (section 4.1, Fig. 2), in one pass.

    net: a network, or its name for `load`. images: a folder, a mapping from id to picture, a
    dataset or any iterable; see `Images`. Parts that are to be merged need ids of their own: files
    or a mapping. layer: one, or layers: several in the same pass, which gives the exemplars of each
    by name. k: pictures per channel. should_stop: asked after each batch. Then, or at
    KeyboardInterrupt, what was found so far comes back with `complete=False`. options:
    batch=32, pictures at once; progress=True, a bar; checkpoint, ray: see `scan`.

    Without images, of a bundled network: what ships, a scan of `gallery()` that was made before,
    at once. Layers are conv1 to conv5, all of them unless some are named; k is 50 at most.

        >>> zf.exemplars("zfnet", layer="conv5").of(17)

    Raises KeyError for a layer that does not exist and for a network of which no scan ships,
    ValueError for an id that comes twice, and if the weights, the preparation or the gallery are
    others than those of the scan that ships.
    """
    if (layer is not None and layers is not None) or (images is not None and layer is layers):
        raise TypeError("exemplars() takes layer=, the name of one, or layers=, the names of some.")
    if k < 1:
        raise ValueError(f"k={k}: expected 1 or more pictures per channel.")
    net = load(net) if isinstance(net, str) else net
    names = [layer] if layer is not None else layers
    if images is None:
        found = exemplars_that_ship(net, k)
        if unknown := [name for name in names or () if name not in found]:
            raise KeyError(
                f"{unknown[0]!r} is not among the layers of the scan of {net.name} that ships: "
                f"{', '.join(found)}. For others give images: zf.exemplars(net, zf.gallery(), ...)."
            )
        found = {name: found[name] for name in names or found}
    else:
        scanner = Scanner(net, images, names, k, usage=False, **options)
        scanner.run(should_stop)
        found = exemplars_of(scanner)
    return found if layer is None else next(iter(found.values()))
