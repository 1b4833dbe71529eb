"""One HTML file that opens offline and stays explorable: `to_html`.

The widgets themselves are taken through every photo, layer, rule and channel that is wanted, and
what they tell the page on the way is written down (`stage.py`). In the file the same widgets
show it again, answered by a small recorded kernel (js/src/page/kernel.ts). With an engine
(`engine.py`) the page computes what was not recorded, photos of whoever opens it included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from zfwidgets.widgets.core.neuron import RULES
from zfwidgets.widgets.core.strings import table
from zfwidgets.widgets.export.engine import InPage, in_page
from zfwidgets.widgets.export.page import MEGABYTE, document, megabytes, with_its_size, write
from zfwidgets.widgets.export.plan import CHANNELS, Channels, Plan, credited, plan_for
from zfwidgets.widgets.export.stage import PageTooLarge, Stage

PAPER = (
    "Zeiler, M. D. & Fergus, R. (2014). Visualizing and Understanding Convolutional Networks. "
    "ECCV 2014, 818–833. https://doi.org/10.1007/978-3-319-10590-1_53"
)
"""Whose method it is; as in CITATION.cff."""

__all__ = ["PageTooLarge", "SavedPage", "to_html"]


@dataclass(frozen=True)
class SavedPage:
    """What `to_html` wrote: the file, its size in bytes, and what can be explored in it.

    channels: per layer those whose large projections are there; all have tiles. exemplars: of how
    many channels the strongest pictures are there, too. engine: whether the page computes
    everything else by itself.
    """

    path: Path
    size: int
    net: str
    photos: tuple[str, ...]
    layers: tuple[str, ...]
    rules: tuple[str, ...]
    channels: Mapping[str, tuple[int, ...]]
    exemplars: int = 0
    engine: bool = False

    def __str__(self) -> str:
        if self.engine:
            return (
                f"{self.path}: {megabytes(self.size)} MB; {self.net} with the engine in the page; "
                f"photos {', '.join(self.photos)}; all layers, channels and rules"
            )
        if not self.photos:
            return f"{self.path}: {megabytes(self.size)} MB; {self.net}; {', '.join(self.layers)}"
        large = sum(len(some) for some in self.channels.values())
        return (
            f"{self.path}: {megabytes(self.size)} MB; {self.net}; "
            f"photos {', '.join(self.photos)}; layers {', '.join(self.layers)}; "
            f"rules {', '.join(self.rules)}; {large} channels with large projections, "
            f"{self.exemplars} with exemplars"
        )


@runtime_checkable
class _WritesItself(Protocol):
    """A widget whose page is not that of one network: a `Compare`."""

    def write_html(self, path: str | Path, **options: Any) -> SavedPage: ...


def to_html(
    source: Any,
    path: str | Path,
    *,
    layers: Iterable[str] | None = None,
    channels: Channels | None = None,
    photos: Any = None,
    rules: Iterable[str] | None = None,
    engine: bool = False,
    max_mb: float = 40.0,
    locale: str | None = None,
    progress: bool = True,
) -> SavedPage:
    """Write one HTML file that opens without network or Python and can still be explored.

    Every channel of the layers gets its tiles; large projections are written for `channels`, pixel
    for pixel (tiles of projections are compressed), and of the strongest dozen of them the
    pictures that excite them most, by the Inspector's scan or the one that ships, while there is
    room.
    Interrupting the kernel, or Ctrl-C, stops it; a file that was there before stays as it was.

    With `engine` the network itself is in the file and runs in the browser: all layers, channels
    and rules, and photos of whoever opens it, which stay on that person's machine. Only what the
    page begins with is recorded, so that it opens at once. Needs a browser of 2023 or later.

    Parameters:
        source: an `Inspector` or a `Compare`; or a network: a name for `zfwidgets.load`, a
            `torch.nn.Module` or a `DeconvNet`.
        layers: their names. Default: the convolutions, and the layer that the Inspector shows; with
            `engine` that layer alone.
        channels: how many of each layer, strongest first; "all"; or a mapping layer -> indices.
            Default: 48; with `engine` the one that the page begins with.
        photos: names of the Inspector's pictures, of sample photographs or of photographs of
            `zf.gallery()`, a mapping name -> picture, or pictures; those that ship keep their
            attribution. Default: the chosen photo; "cat" for a network; with `engine` the sample
            photographs, too, of which the first is recorded.
        rules: see `Recording.project`. Default: the Inspector's; "deconvnet" for a network.
        engine: whether the page computes by itself what is not recorded.
        max_mb: the most megabytes (10^6 bytes) that the file may have.
        locale: "en" or "ko". Default: the Inspector's.
        progress: show a bar.

    Raises:
        PageTooLarge: with what each part takes and what can be left out. Nothing is written.
        TypeError, KeyError, ValueError, ImageError: a source, layer, channel, rule or photo that
            there is not.
        UnsupportedInPage: a ValueError; the engine in the page lacks an operation of the network.

    Examples:
        >>> zf.to_html("zfnet", "cat.html", photos=("cat", "dogs"), channels=24)
        >>> zf.to_html("zfnet", "yours.html", engine=True)
    """
    if isinstance(source, _WritesItself):
        options = {"layers": layers, "channels": channels, "photos": photos, "rules": rules}
        options |= {"engine": engine, "max_mb": max_mb, "progress": progress}
        return source.write_html(path, locale=locale, **options)
    plan = plan_for(source, layers, photos, rules, locale, every_sample=engine)
    inside: InPage | None = None
    if engine:
        plan, inside = in_page(plan, layers=layers is not None)
    if channels is None:
        channels = 1 if engine else CHANNELS
    stage = Stage(plan, channels, max_mb * MEGABYTE, inside=inside)
    try:
        stage.record(progress)
        page = _document(plan, stage)
    finally:
        stage.close()
    path = Path(path).expanduser()
    write(path, page)
    return SavedPage(
        path,
        len(page),
        plan.net.name,
        tuple(stage.photos),
        plan.layers,
        plan.rules,
        stage.channels,
        stage.exemplars,
        engine,
    )


def _document(plan: Plan, stage: Stage) -> bytes:
    texts = table("export", plan.locale)
    payload = stage.payload(texts)
    payload["blobs"] = stage.blobs.texts

    def made(size: int) -> str:
        return document(
            payload,
            parts=tuple(stage.parts),
            title=texts["page_title"].format(net=plan.net.name),
            rules=len(plan.rules),
            texts=texts,
            facts=facts(plan, stage, texts, size),
            locale=plan.locale,
            weights=stage.inside.weights if stage.inside else "",
        )

    return with_its_size(made, stage.check_size)


def facts(
    plan: Plan, stage: Stage, texts: Mapping[str, str], size: int | None = None
) -> list[tuple[str, str]]:
    """What a page says of itself, term by term. size: of the page in bytes, if it has one."""
    from zfwidgets import __version__

    sized = [] if size is None else [texts["size"].format(megabytes=megabytes(size))]
    return [
        (texts["fact_net"], plan.net.name),
        (texts["fact_weights"], plan.net.weights_hash()),
        (texts["fact_photos"], credited(stage.photos, stage.credits, plan.locale)),
        (texts["fact_layers"], ", ".join(stage.shown_layers)),
        (texts["fact_channels"], stage.channels_in_words(texts)),
        (texts["fact_rules"], ", ".join(RULES if stage.inside else plan.rules)),
        *_exemplar_fact(stage, texts),
        *((texts["fact_size"], told) for told in sized),
        (texts["fact_made"], f"zfwidgets {__version__}"),
        (texts["fact_licence"], texts["licence"]),
        (texts["fact_cite"], texts["cite"].format(version=__version__, paper=PAPER)),
    ]


def _exemplar_fact(stage: Stage, texts: Mapping[str, str]) -> list[tuple[str, str]]:
    if not stage.exemplars:
        return []
    size = megabytes(stage.exemplar_bytes)
    fact = texts["exemplars"].format(count=stage.exemplars, megabytes=size)
    return [(texts["fact_exemplars"], fact)]
