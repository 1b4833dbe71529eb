"""What is known of pictures, by name, and which names stand out among some of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from zfwidgets.analysis.stream import Images, items, plain
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.images import Gallery
from zfwidgets.images.families import KOREAN

Labels = Iterable[Hashable | Sequence[Hashable]]
"""One per picture, in order: a name or number, or several from the wide to the narrow."""

TOP = 50
"""Pictures of a channel that are counted."""
LEVEL = 0.001
"""Probability that a channel which answers to nothing in particular gets any name at all."""
MOST = 3
"""Names a channel."""


@dataclass(frozen=True, slots=True)
class Concept:
    """Something that is over-represented among a channel's strongest pictures.

    name, korean: of the class or family. count: of how many pictures, `of`, it is true. lift: its
    share among them by its share among all pictures. p: probability of as many or more among as
    many pictures drawn by lot, times the number of names that were tried; 1 at most.
    """

    name: str
    korean: str
    count: int
    of: int
    lift: float
    p: float

    def __str__(self) -> str:
        return f"{self.name}: {self.count} of {self.of}, {self.lift:.2g} times its share"


@dataclass(frozen=True)
class Vocabulary:
    """F names of N pictures.

    members: bool [N, F], which picture has which name. korean: of the names that have one. place:
    of a picture among the N, by its id.
    """

    names: tuple[str, ...]
    members: Tensor
    korean: Mapping[str, str]
    place: Mapping[str, int]

    @staticmethod
    def of(found: Exemplars, images: Images, labels: Labels | None = None) -> Vocabulary:
        """What is known of the pictures of a scan.

        Raises ValueError if nothing is, or the images are not those that were scanned.
        """
        ids = [item.id for item in islice(items(images), found.scanned)]
        place = {name: number for number, name in enumerate(ids)}
        if len(ids) < found.scanned or not place.keys() >= set(found.ids):
            raise ValueError(
                f"the scan saw {found.scanned} other images than those given ({len(place)}); give "
                "those that were scanned, under the same names."
            )
        korean = dict[str, str]()
        if labels is not None:
            known = [_listed(label) for label in labels][: len(ids)]
            if len(known) < len(ids):
                raise ValueError(
                    f"got {len(known)} labels for {len(ids)} images; expected one each."
                )
        elif isinstance(images, Gallery):
            kinds = [images[name].category for name in ids]
            known = [(*kind.families, kind.name) for kind in kinds]
            korean = {kind.name: kind.korean for kind in kinds} | KOREAN
        else:
            known = [_folders(name) for name in ids]
        return Vocabulary(*_table(known), korean, place)

    def named(
        self, found: Exemplars, channel: int, top: int = TOP, level: float = LEVEL
    ) -> tuple[Concept, ...]:
        """The names that stand out among a channel's strongest pictures; see `concepts`."""
        best = found.of(channel)[:top]
        drawn = torch.zeros(len(self.members), dtype=torch.bool)
        drawn[[self.place[name] for name, _, _, value in best if value > 0]] = True
        count = self.members[drawn].sum(0)
        share = self.members.double().mean(0)
        p = tail(count, self.members.sum(0), int(drawn.sum()), len(drawn)) * len(self.names)
        left, chosen = torch.ones_like(drawn), list[int]()
        for number in p.argsort(stable=True).tolist():
            if p[number] > level or len(chosen) == MOST:
                break
            member = self.members[:, number] & left
            both = (member & drawn).sum()[None]
            free = int((drawn & left).sum()), int(left.sum())
            alone = tail(both, member.sum()[None], *free)
            if alone * len(self.names) <= level:
                chosen.append(number)
                left &= ~self.members[:, number]
        of = int(drawn.sum())
        return tuple(
            Concept(
                name := self.names[number],
                self.korean.get(name, name),
                int(count[number]),
                of,
                float(count[number] / of / share[number]),
                min(1.0, float(p[number])),
            )
            for number in chosen
        )


def tail(count: Tensor, members: Tensor, drawn: int, pictures: int) -> Tensor:
    """Probability of `count` or more members among `drawn` of `pictures`, by lot: float64 [F].

    count, members: LongTensor [F], how many have each name among those drawn, and among all.
    """
    log = torch.arange(pictures + 1, dtype=torch.float64).add(1).lgamma()

    def ways(all_of: Tensor, some: Tensor) -> Tensor:
        """Logarithm of the binomial coefficient, -inf where there is no way."""
        possible = (some >= 0) & (some <= all_of)
        some = torch.where(possible, some, 0)
        return torch.where(possible, log[all_of] - log[some] - log[all_of - some], -torch.inf)

    more = torch.arange(drawn + 1)[None].expand(len(count), -1)  # [F, drawn + 1]
    of = members[:, None].expand_as(more)
    whole = log[pictures] - log[drawn] - log[pictures - drawn]
    chance = (ways(of, more) + ways(pictures - of, drawn - more) - whole).exp()
    return torch.where(more >= count[:, None], chance, 0.0).sum(1).clamp(max=1.0)


def _table(known: Sequence[tuple[str, ...]]) -> tuple[tuple[str, ...], Tensor]:
    """The names that some pictures have and others do not, and which has which: bool [N, F].

    Of names that the very same pictures have, only the last and narrowest is one.
    """
    number = {name: place for place, name in enumerate(sorted({n for one in known for n in one}))}
    members = torch.zeros(len(known), len(number), dtype=torch.bool)
    for row, names in enumerate(known):
        members[row, [number[name] for name in names]] = True
    depth = {name: at for one in known for at, name in enumerate(one)}
    kept: dict[bytes, str] = {}
    for name in sorted(number, key=lambda name: depth[name]):
        column = members[:, number[name]]
        if 2 <= int(column.sum()) < len(known):
            kept[column.numpy().tobytes()] = name
    if not kept:
        raise ValueError(
            "nothing is known of what the images show; expected zf.gallery(), a folder with "
            "folders of classes, or labels, one per image."
        )
    names = tuple(sorted(kept.values()))
    return names, members[:, [number[name] for name in names]]


def _listed(label: Hashable | Sequence[Hashable]) -> tuple[str, ...]:
    label = plain(label)
    if label is None:
        return ()
    if isinstance(label, str) or not isinstance(label, Iterable):
        return (str(label),)
    return tuple(map(str, label))


def _folders(name: str) -> tuple[str, ...]:
    """The folders that an id names within the scanned one; none for an absolute path."""
    path = PurePosixPath(name)
    return () if Path(name).is_absolute() else path.parts[:-1]
