"""Which class each picture is of: from folders, a gallery or labels, to outputs of a network."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from zfwidgets.analysis.stream import Images, items, plain
from zfwidgets.deconv import DeconvNet
from zfwidgets.images import Gallery


def labels_of(images: Images, labels: Iterable[Hashable] | None) -> list[Hashable | None] | None:
    """One label per picture, as far as that is known without loading them.

    Labels that are given count; of a folder those are the names of its subfolders (None for
    pictures that lie in none), of a gallery its classes. None: nothing is known before the pictures
    are loaded; labels may come with them.
    """
    if labels is not None:
        return [plain(label) for label in labels]
    if isinstance(images, Gallery):
        return [photo.category.name for photo in images.values()]
    if isinstance(images, str | Path):
        parts = [item.id.split("/") for item in items(images)]
        folder = Path(images).expanduser().is_dir()
        found: list[Hashable | None] = [
            part[0] if folder and len(part) > 1 else None for part in parts
        ]
        return found if any(found) else None
    return None


@dataclass
class Classes:
    """The output of a network that a label names.

    outputs: how many there are; 0 for a network without class scores. how: what was done with the
    labels, a sentence; empty if they are names or numbers of outputs.
    """

    categories: list[str] | None
    outputs: int
    how: str = ""
    _numbers: dict[Hashable, int] = field(default_factory=dict)

    @staticmethod
    def of(net: DeconvNet, outputs: int, labels: Iterable[Hashable | None] | None) -> Classes:
        """Labels are matched by name or number.

        Where none fits and there are as many as outputs, they stand in their sorted order, as
        folders do in torchvision's ImageFolder.
        """
        classes = Classes(net.categories, outputs)
        different = {label for label in labels or () if label is not None}
        if not outputs or not different:
            return classes
        if all(classes.number(label) < 0 for label in different):
            if len(different) == outputs:
                ordered = sorted(different, key=str)
                classes._numbers = {label: index for index, label in enumerate(ordered)}
                classes.how = (
                    f"None of the {outputs} labels names an output, so they were matched to the "
                    "outputs in sorted order, as torchvision's ImageFolder does."
                )
            else:
                first = min(map(str, different))
                classes.how = (
                    f"None of the {len(different)} labels, {first!r} for one, names one of the "
                    f"{outputs} outputs, so right and wrong cannot be told."
                )
        return classes

    def number(self, label: Hashable | None) -> int:
        """The output, or -1 if the label names none."""
        if label is None:
            return -1
        if label not in self._numbers:
            self._numbers[label] = self._found(label)
        return self._numbers[label]

    def name(self, number: int) -> str:
        """The class in words, or its number."""
        if self.categories and number < len(self.categories):
            return self.categories[number]
        named = [str(label) for label, output in self._numbers.items() if output == number]
        return named[0] if named else str(number)

    def _found(self, label: Hashable) -> int:
        if isinstance(label, int):
            return label if 0 <= label < self.outputs else -1
        names = [_plain(name) for name in self.categories or ()]
        text = str(label)
        if _plain(text) in names:
            return names.index(_plain(text))
        first = [name.split(",")[0] for name in names]
        if _plain(text) in first:
            return first.index(_plain(text))
        return int(text) if text.isdecimal() and int(text) < self.outputs else -1


def _plain(name: str) -> str:
    """How a folder and a class may both be written."""
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
