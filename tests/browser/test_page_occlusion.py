"""The occluding square in a page without Python: what the network says is what Python's says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from torch import nn

import zfwidgets as zf
from tests.browser import conftest
from tests.browser.pictures import take
from tests.browser.test_accessibility import findings
from tests.browser.waiting import until
from zfwidgets.analysis.occluder import Occluder
from zfwidgets.images import Preprocess

PATIENCE = 60_000

#: Ask the model as the widget does, and give the answer.
ASK = """body => new Promise(done => {
    const model = zfKernel.models.get("occlusion");
    const id = 2 ** 40 + Math.floor(Math.random() * 2 ** 30);
    const heard = message => {
        if (message.id !== id) return;
        model.off("msg:custom", heard);
        done(message);
    };
    model.on("msg:custom", heard);
    model.send({ v: 1, id, epoch: model.get("_epoch"), op: "look", ...body });
})"""


def opened(chromium: Browser, path: Path) -> Page:
    """The page from the disk, without a network, when the photo can be hidden."""
    page = conftest.new_page(chromium, offline=True)
    page.goto(path.as_uri())
    expect(page.locator("html[data-engine=ready]")).to_be_attached(timeout=PATIENCE)
    looking(page)
    return page


def looking(page: Page) -> None:
    until(
        page,
        """() => {
            const model = zfKernel.models.get("occlusion");
            return model.get("_epoch") > 2 ** 30 && model.get("status") === "ready";
        }""",
    )


@pytest.fixture(scope="module")
def page(
    chromium: Browser, net: zf.DeconvNet, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    path = tmp_path_factory.mktemp("occlusion") / "page.html"
    view = zf.OcclusionView(net.record(zf.sample("cat").open()), size=64)
    saved = view.to_html(path, photos=["cat", "dogs"])
    view.close()
    assert saved.engine
    assert saved.size == path.stat().st_size < 14e6
    page = opened(chromium, path)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
    page.context.close()


def choose(page: Page, photo: str) -> None:
    if page.evaluate("zfKernel.models.get('picker').get('value')") == photo:
        return
    epoch = page.evaluate("zfKernel.models.get('occlusion').get('_epoch')")
    page.locator(f'.zf-image-picker [role=option][data-id="{photo}"]').click()
    until(page, "old => zfKernel.models.get('occlusion').get('_epoch') > old", epoch)
    looking(page)


@pytest.mark.parametrize("photo", ["dogs", "cat"])
def test_with_a_place_hidden_the_page_says_what_python_says(
    page: Page, net: zf.DeconvNet, photo: str
) -> None:
    choose(page, photo)
    facts: dict[str, Any] = page.evaluate("zfKernel.models.get('occlusion').get('_facts')")
    occluder = Occluder(net, zf.sample(photo).open())
    assert facts["layer"] == "conv5"
    assert facts["channel"] == occluder.channel
    assert facts["winner"] == occluder.label
    assert facts["activation"] == pytest.approx(occluder.clean_activation, rel=1e-3)
    for fill in ("grey", "mean"):
        occluder.paint(fill)
        for top, left in ((40, 100), (0, 0), (160, 160)):
            answer = page.evaluate(ASK, {"top": top, "left": left, "size": 64, "fill": fill})
            total, chances = occluder.look(torch.tensor([[top, left]]), 64)
            expected = chances[0, facts["watched"]].numpy()
            assert answer["activation"] == pytest.approx(float(total[0]), rel=2e-3), (fill, top)
            assert np.allclose(answer["p"], expected, atol=2e-3), (fill, top)
            best = int(chances[0].argmax())
            assert answer["best"] == (net.categories or [])[best]
            assert answer["same"] == (best == occluder.label)


def test_the_square_is_moved_with_the_keyboard_and_the_verdict_follows(
    page: Page, screenshots: Path
) -> None:
    choose(page, "cat")
    stage = page.locator(".zf-occlusion-view [role=application], .zf-occlusion-view [tabindex='0']")
    stage.first.focus()
    before = page.evaluate("zfKernel.models.get('occlusion').get('place')")
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    until(page, "old => zfKernel.models.get('occlusion').get('place')[1] < old", before[1])
    expect(page.locator(".zf-verdict")).not_to_have_text("")
    assert findings(page, ".zf-occlusion-view") == []
    take(page, screenshots / "page-occlusion.png", whole=True)


def test_a_photo_of_ones_own_can_be_hidden_too(
    page: Page, net: zf.DeconvNet, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.png"
    zf.sample("mountains").open().save(mine)
    epoch = page.evaluate("zfKernel.models.get('occlusion').get('_epoch')")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(mine)
    until(page, "old => zfKernel.models.get('occlusion').get('_epoch') > old", epoch)
    looking(page)
    facts: dict[str, Any] = page.evaluate("zfKernel.models.get('occlusion').get('_facts')")
    occluder = Occluder(net, mine)
    assert (facts["winner"], facts["channel"]) == (occluder.label, occluder.channel)


class Little(nn.Module):
    """A classifier of pictures of 32 x 32 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5, stride=2)
        self.fc2 = nn.Linear(6 * 14 * 14, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = torch.relu(self.conv1(x))
        scores: torch.Tensor = self.fc2(maps.flatten(1))
        return scores


def test_a_scan_of_the_whole_photo_gives_the_maps_of_python(
    chromium: Browser, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    net = zf.DeconvNet(Little().eval(), Preprocess(size=32, resize=32), list("abcde"), "cpu")
    view = zf.OcclusionView(net.record(zf.sample("cat").open()), size=16)
    view.to_html(tmp_path / "little.html", photos=["cat"])
    view.close()
    page = opened(chromium, tmp_path / "little.html")
    page.get_by_role("button", name="Scan").click()
    until(page, "zfKernel.models.get('occlusion').get('progress') === 1")
    maps = page.evaluate(
        """() => {
            const maps = zfKernel.models.get("occlusion").get("_maps");
            const floats = view => [...new Float32Array(view.buffer)];
            const { activation, probability } = maps;
            return { ...maps, activation: floats(activation), probability: floats(probability),
                     class: floats(maps.class) };
        }"""
    )
    expected = zf.occlusion(net, zf.sample("cat").open(), size=16, layer="conv1", progress=False)
    assert maps["top"] == expected.top.tolist()
    assert maps["left"] == expected.left.tolist()
    assert np.allclose(maps["activation"], expected.activation.flatten(), rtol=1e-3)
    assert np.allclose(maps["probability"], expected.probability.flatten(), atol=1e-3)
    names = [maps["names"][int(place)] for place in maps["class"]]
    assert names == [expected.name(label) for label in expected.most_probable.flatten().tolist()]
    expect(page.locator(".zf-occlusion-state")).to_have_text("The scan is done")
    page.context.close()
