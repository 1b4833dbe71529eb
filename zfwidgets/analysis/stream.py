"""Pictures one after the other, from whatever people keep them in, in batches for a network."""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Sized,
)
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, repeat
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Sample
from zfwidgets.images.decode import SUFFIXES

Images = str | Path | Mapping[str, Any] | Iterable[Any]
"""A folder, a mapping from id to picture, a torchvision-like dataset, or any iterable.

Members are what `DeconvNet.record` takes (paths, PIL images, uint8 arrays, prepared Tensors
[C, H, W]), samples, or pairs (picture, label). Ids are paths relative to the folder, the mapping's
keys, the path as given, or the place in the sequence as nine digits. Of a folder all files count
that end as pictures do, in any folder within; what is hidden (`.name`) does not.
"""


_END = object()


@runtime_checkable
class Indexed(Protocol):
    """A list or a dataset, as torchvision's are."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Item:
    """One picture that is loaded when it is needed, with the id by which it is found again.

    labels: the one it was given, if any; else the one that comes with the picture counts. placed:
    the id is only its place among the others, which any other picture could have.
    """

    id: str
    load: Callable[[], Any]
    labels: tuple[Hashable, ...] = ()
    placed: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Prepared inputs [B, C, H, W] on the network's device; the id and label of each."""

    ids: list[str]
    inputs: Tensor
    labels: list[Hashable | None]


def items(images: Images) -> Iterator[Item]:
    """Every picture with its id, in order."""
    if isinstance(images, str | Path):
        folder = Path(images).expanduser()
        for path in _files(folder):
            name = path.relative_to(folder).as_posix() if path != folder else str(path)
            yield Item(name, partial(_same, path))
    elif isinstance(images, Mapping):
        for name in images:
            yield Item(str(name), partial(images.__getitem__, name))
    elif isinstance(images, Indexed):
        # A dataset decodes when it is asked for a member: ask only for those that are wanted.
        listed = isinstance(images, Sequence)
        for index in range(len(images)):
            named = _path(images[index]) if listed else None
            load = partial(images.__getitem__, index)
            yield Item(named or f"{index:09d}", load, placed=named is None)
    elif not hasattr(images, "__iter__"):
        raise TypeError(
            f"got {images!r:.60} as images; expected a folder, a mapping from id to picture, a "
            "dataset, or any iterable of pictures."
        )
    else:
        for index, picture in enumerate(images):
            named = _path(picture)
            yield Item(named or f"{index:09d}", partial(_same, picture), placed=named is None)


def find(images: Images, ids: Sequence[str]) -> list[Any]:
    """The pictures of these ids, in their order. Raises KeyError naming one that is missing."""
    missing, found = set(ids), {}
    for item in items(images):
        if item.id in missing:
            found[item.id] = pair(item.load())[0]
            missing.remove(item.id)
        if not missing:
            break
    if missing:
        raise KeyError(
            f"image {min(missing)!r} is not among the images given; give those that were scanned, "
            "under the same names."
        )
    return [found[name] for name in ids]


def batches(
    net: DeconvNet,
    images: Images,
    batch: int,
    labels: Iterable[Hashable] | None = None,
    progress: bool = True,
) -> Iterator[Batch]:
    """The pictures as the network takes them, `batch` at a time.

    labels: one per picture; those that come with the pictures count otherwise.
    """
    bar = tqdm(total=count(images), desc="images", unit="image", disable=not progress)
    with bar:
        for group in labelled(images, batch, labels):
            yield loaded(net, group)
            bar.update(len(group))


def labelled(
    images: Images, batch: int, labels: Iterable[Hashable] | None = None
) -> Iterator[list[Item]]:
    """As `groups`. More labels than pictures are refused before the first, if both have a length.

    Raises ValueError, as `groups` does.
    """
    if isinstance(labels, Collection):
        known = count(images)
        if known is not None and len(labels) > known:
            raise ValueError(f"got {len(labels)} labels for {known} images; expected one each.")
    return groups(items(images), batch, labels)


def groups(
    some: Iterable[Item], batch: int, labels: Iterable[Hashable] | None = None
) -> Iterator[list[Item]]:
    """The pictures, not yet loaded, `batch` at a time; labels replace those of the pictures.

    Raises ValueError for a batch below 1, for a picture without a label if some are given, and
    after the last picture for a label that is left, unless there is no end to them.
    """
    if batch < 1:
        raise ValueError(f"batch={batch}: expected 1 or more pictures at once.")
    given = None if labels is None else iter(labels)
    group: list[Item] = []
    for item in some:
        if given is not None:
            item = replace(item, labels=(plain(_next(given, item.id)),))
        group.append(item)
        if len(group) == batch:
            yield group
            group = []
    if group:
        yield group
    if given is not None and not isinstance(given, cycle | repeat):
        left = next(given, _END)
        if left is not _END:
            raise ValueError(
                f"there is a label more than images, {left!r}: expected one label per image."
            )


def loaded(net: DeconvNet, group: Sequence[Item]) -> Batch:
    """Decode and prepare some pictures. Raises ValueError for one that is NaN or infinite."""
    pairs = [pair(item.load()) for item in group]
    known = [
        item.labels[0] if item.labels else label
        for item, (_, label) in zip(group, pairs, strict=True)
    ]
    inputs = prepared(net, [picture for picture, _ in pairs])
    if not bool(inputs.isfinite().all()):
        wrong = int((~inputs.isfinite()).flatten(1).any(1).nonzero()[0])
        raise ValueError(
            f"image {group[wrong].id!r} has {int((~inputs[wrong].isfinite()).sum())} values that "
            "are NaN or infinite as the network takes it; expected finite ones. Mend it or leave "
            "it out."
        )
    return Batch([item.id for item in group], inputs, known)


def prepared(net: DeconvNet, pictures: list[Any]) -> Tensor:
    """[B, C, H, W] from pictures, or from Tensors [C, H, W] that are prepared already."""
    if all(isinstance(picture, Tensor) for picture in pictures):
        return net.preprocess(torch.stack(pictures))
    return net.preprocess([p.path if isinstance(p, Sample) else p for p in pictures])


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder and no file; expected a folder of images.")
    return sorted(path for path in folder.rglob("*") if _shown(path.relative_to(folder)))


def _shown(path: Path) -> bool:
    """Whether it is a picture by its name; macOS and Jupyter keep copies in hidden files."""
    hidden = any(part.startswith(".") for part in path.parts)
    return not hidden and path.name.lower().endswith(SUFFIXES)


def no_images(who: str, images: Images) -> ValueError:
    """What to raise where there are none."""
    if not isinstance(images, str | Path):
        return ValueError(f"{who} got no images; expected one or more.")
    return ValueError(
        f"{who} got no images: {images} has none, nor have the folders in it; expected one or more "
        f"files that end in {', '.join(SUFFIXES)}."
    )


def count(images: Images) -> int | None:
    """How many pictures there are, if that can be known without going through them."""
    if isinstance(images, str | Path):
        return len(_files(Path(images).expanduser()))
    return len(images) if isinstance(images, Sized) else None


def _same(value: Any) -> Any:
    return value


def _path(member: Any) -> str | None:
    picture = pair(member)[0]
    return str(picture) if isinstance(picture, str | Path) else None


def pair(member: Any) -> tuple[Any, Hashable | None]:
    """Picture and label, which is `plain`."""
    if not (isinstance(member, tuple) and len(member) == 2):
        return member, None
    picture, label = member
    return picture, plain(label)


def plain(label: Any) -> Any:
    """A label; one number or text of NumPy or torch, which compare otherwise, as Python's own."""
    if isinstance(label, Tensor) and label.numel() != 1:
        raise ValueError(
            f"a label is a Tensor of shape {list(label.shape)}: expected one number or text per "
            "image."
        )
    if isinstance(label, Tensor | np.generic) or (
        isinstance(label, np.ndarray) and label.size == 1
    ):
        return label.item()
    return label


def _next(labels: Iterator[Hashable], name: str) -> Hashable:
    try:
        return next(labels)
    except StopIteration:
        raise ValueError(
            f"there is no label for image {name!r}: expected one label per image."
        ) from None
