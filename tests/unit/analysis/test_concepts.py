"""Words for channels: planted ones are found, pictures drawn by lot get none."""

from __future__ import annotations

from math import comb
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import zfwidgets as zf
from zfwidgets.analysis.strongest import Exemplars
from zfwidgets.analysis.vocabulary import tail
from zfwidgets.images import families

PICTURES, DRAWN = 400, 50
KINDS = {"dog": range(40), "cat": range(40, 80), "car": range(80, 200), "cup": range(200, 230)}
"""Which of the pictures are of which kind; dogs and cats are animals, the rest is of no kind."""


def scanned(image: Tensor, value: Tensor | None = None, pictures: int = PICTURES) -> Exemplars:
    """A scan whose channels [C, k] are excited by these pictures, in this order."""
    value = torch.arange(image.shape[1], 0, -1.0).expand(image.shape) if value is None else value
    place = torch.zeros_like(image)
    ids = tuple(name(number) for number in range(pictures))
    return Exemplars("net", "", "", "conv5", value, image, place, place, ids, pictures)


def name(number: int) -> str:
    kind = next((kind for kind, members in KINDS.items() if number in members), "other")
    folder = f"animal/{kind}" if kind in ("dog", "cat") else kind
    return f"{folder}/{number:03d}.jpg"


PHOTOS = {name(number): torch.zeros(3, 4, 4) for number in range(PICTURES)}


def lot(channels: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([torch.randperm(PICTURES, generator=generator) for _ in range(channels)])[
        :, :DRAWN
    ]


def test_the_tail_is_that_of_drawing_without_replacement() -> None:
    """Counted out with whole numbers: all ways of drawing, and those with as many or more."""
    drawn, pictures = 12, 60
    counts, members = [0, 3, 7, 12, 2, 1], [5, 9, 20, 30, 2, 59]
    expected = [
        sum(comb(K, j) * comb(pictures - K, drawn - j) for j in range(x, drawn + 1))
        / comb(pictures, drawn)
        for x, K in zip(counts, members, strict=True)
    ]
    found = tail(torch.tensor(counts), torch.tensor(members), drawn, pictures)
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=0
    )


def test_planted_words_are_found_with_count_and_lift() -> None:
    dogs = torch.tensor([*[*KINDS["dog"]][:31], *range(300, 319)])
    found = zf.concepts(scanned(dogs[None]), PHOTOS)
    (word,) = found[0]
    assert (word.name, word.count, word.of) == ("dog", 31, 50)
    assert word.lift == pytest.approx((31 / 50) / (40 / 400))
    assert word.p < 1e-20
    assert str(word) == "dog: 31 of 50, 6.2 times its share"


def test_a_wider_name_is_said_only_of_what_the_narrower_leaves() -> None:
    """Thirty dogs are animals, too; with twenty cats beside them there is more to say."""
    dogs = [*KINDS["dog"]][:30]
    both = torch.tensor(dogs + [*KINDS["cat"]][:20])
    found = zf.concepts(
        scanned(torch.stack([torch.tensor([*dogs, *range(300, 320)]), both])), PHOTOS
    )
    assert [word.name for word in found[0]] == ["dog"]
    assert [word.name for word in found[1]] == ["animal"], "it covers all fifty"
    assert found[1][0].count == 50


def test_two_things_in_one_channel_get_two_names() -> None:
    image = torch.tensor([*KINDS["dog"]][:22] + [*KINDS["cup"]][:20] + [*range(300, 308)])
    assert {word.name for word in zf.concepts(scanned(image[None]), PHOTOS)[0]} == {"dog", "cup"}


@pytest.mark.parametrize("level", [0.05, 0.001])
def test_of_shuffled_pictures_no_more_channels_get_a_name_than_the_level_says(level: float) -> None:
    channels = 3000
    found = zf.concepts(scanned(lot(channels, 7)), PHOTOS, level=level)
    named = sum(bool(words) for words in found.channels.values())
    sigma = (channels * level * (1 - level)) ** 0.5
    assert named <= channels * level + 3 * sigma
    if level == 0.05:
        assert named > 0, "the level is not so strict that nothing can pass"


def test_shuffling_the_pictures_of_the_scan_that_ships_takes_its_words_away() -> None:
    found = zf.exemplars("zfnet", layer="conv5", k=50)
    said = zf.concepts(found)
    assert sum(bool(words) for words in said.channels.values()) > 20
    ids = tuple(sorted(zf.gallery()))
    generator = torch.Generator().manual_seed(0)
    image = torch.stack([torch.randperm(len(ids), generator=generator)[:50] for _ in range(256)])
    shuffled = Exemplars(
        *(found.net, found.weights, found.preprocessing, found.layer, found.value),
        *(image, found.row, found.col, ids, found.scanned),
    )
    assert sum(bool(words) for words in zf.concepts(shuffled).channels.values()) <= 2


def test_pictures_that_do_not_excite_the_channel_do_not_count() -> None:
    dogs = torch.tensor([[*KINDS["dog"]][:25] + [*KINDS["car"]][:25]])
    value = torch.tensor([[1.0] * 25 + [0.0] * 25])
    (word,) = zf.concepts(scanned(dogs, value), PHOTOS)[0]
    assert (word.count, word.of) == (25, 25)
    silent = zf.concepts(scanned(dogs, torch.zeros(1, 50)), PHOTOS)
    assert silent[0] == ()


def test_the_table_has_a_row_for_each_channel_and_word() -> None:
    image = torch.stack([torch.tensor([*[*KINDS["dog"]][:40], *range(300, 310)]), lot(1, 3)[0]])
    table = zf.concepts(scanned(image), PHOTOS).to_frame()
    assert table.index.tolist() == [(0, "dog")]
    assert table.loc[(0, "dog"), "count"] == 40
    assert list(table.columns) == ["count", "of", "lift", "p"]


def test_classes_of_the_gallery_and_their_families_are_known_in_korean() -> None:
    found = zf.exemplars("zfnet", layer="conv5", k=50)
    insects = zf.concepts(found, channels=range(40))
    words = [word for some in insects.channels.values() for word in some]
    assert all(any("가" <= letter <= "힣" for letter in word.korean) for word in words)
    assert {name for kind in zf.gallery().categories for name in kind.families} == set(
        families.KOREAN
    )


def test_a_folder_of_classes_and_labels_say_the_same(tmp_path: Path) -> None:
    """Red pictures excite the channel; they lie in the folder "red", or are labelled so."""
    for number in range(60):
        colour = "red" if number < 20 else "blue"
        (tmp_path / colour).mkdir(exist_ok=True)
        shade = (120 + number, 0, 0) if colour == "red" else (0, 0, 120 + number)
        Image.new("RGB", (16, 16), shade).save(tmp_path / colour / f"{number:02d}.png")
    conv = nn.Conv2d(3, 1, 3)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([1.0, 0.0, 0.0])[None, :, None, None])
        conv.bias.copy_(torch.tensor([100.0]))  # type: ignore[union-attr]
    model = nn.Sequential(conv, nn.ReLU())
    net = zf.DeconvNet(model.eval(), zf.Preprocess(size=16, resize=16), device="cpu")
    found = zf.exemplars(net, tmp_path, "conv1", k=20, progress=False)
    (word,) = zf.concepts(found, tmp_path)[0]
    assert (word.name, word.count, word.of) == ("red", 20, 20)
    assert word.lift == pytest.approx(3.0)
    labels = ["blue"] * 40 + ["red"] * 20  # in the order of the folder
    assert zf.concepts(found, tmp_path, labels)[0] == (word,)


def test_what_cannot_be_said_is_said() -> None:
    found = scanned(lot(2, 1))
    with pytest.raises(ValueError, match="other images than those given"):
        zf.concepts(found)
    with pytest.raises(ValueError, match="3 labels for 400 images"):
        zf.concepts(found, PHOTOS, ["a", "b", "c"])
    with pytest.raises(ValueError, match="nothing is known of what the images show"):
        zf.concepts(found, PHOTOS, ["all alike"] * PICTURES)
    with pytest.raises(IndexError, match="channel 2"):
        zf.concepts(found, PHOTOS, channels=[2])
