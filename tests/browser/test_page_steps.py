"""The way back step by step in a page without Python: the steps, maps and switches are Python's."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from torch import nn

import zfwidgets as zf
from tests.browser import conftest
from tests.browser.pictures import take
from tests.browser.test_accessibility import findings
from tests.browser.waiting import until
from zfwidgets.images import Preprocess
from zfwidgets.images.contrast import contrast
from zfwidgets.widgets.steps_view import pictures

PATIENCE = 60_000
LEVELS = 4
"""Of 255, by which a pixel may be off. A signed value that is off by one of its 127 steps, by the
weights' half precision, is off by up to three levels of a colour."""

#: Ask the model for one step as the widget does; pictures come back as base64.
ASK = """index => new Promise(done => {
    const model = zfKernel.models.get("steps");
    const id = 2 ** 40 + Math.floor(Math.random() * 2 ** 30);
    const heard = (message, buffers) => {
        if (message.id !== id) return;
        model.off("msg:custom", heard);
        const text = ({ buffer, byteOffset, byteLength }) => btoa(
            [...new Uint8Array(buffer, byteOffset, byteLength)]
                .map(byte => String.fromCharCode(byte)).join(""));
        done({ ...message, pictures: buffers.map(text) });
    };
    model.on("msg:custom", heard);
    model.send({ v: 1, id, epoch: model.get("_plan").epoch, op: "step", index });
})"""


def walked(page: Page, layer: str, channel: int, off: int = 0) -> dict[str, Any]:
    """The plan of the page, once it is the engine's and of this channel."""
    until(
        page,
        """([layer, channel, off]) => {
            const model = zfKernel.models.get("steps"), plan = model.get("_plan");
            return plan.epoch > 2 ** 30 && plan.layer === layer && plan.channel === channel
                && model.get("status") === "ready"
                && plan.steps.filter(step => step.off).length === off;
        }""",
        [layer, channel, off],
    )
    plan: dict[str, Any] = page.evaluate(
        "(() => ({...zfKernel.models.get('steps').get('_plan'), data: null}))()"
    )
    return plan


def opened(chromium: Browser, path: Path, **options: Any) -> Page:
    """The page from the disk, without a network, when the engine is there."""
    page = conftest.new_page(chromium, offline=True, **options)
    page.goto(path.as_uri())
    expect(page.locator("html[data-engine=ready]")).to_be_attached(timeout=PATIENCE)
    return page


@pytest.fixture(scope="module")
def saved(net: zf.DeconvNet, tmp_path_factory: pytest.TempPathFactory) -> zf.SavedPage:
    path = tmp_path_factory.mktemp("steps") / "page.html"
    view = zf.StepsView(net.record(zf.sample("cat").open()), layer="conv3", channel=7)
    saved = view.to_html(path, photos=["cat", "dogs"])
    view.close()
    assert saved.engine
    assert saved.size == path.stat().st_size < 14e6
    return saved


@pytest.fixture(scope="module")
def page(chromium: Browser, saved: zf.SavedPage) -> Iterator[Page]:
    page = opened(chromium, saved.path)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    assert complaints == []
    page.context.close()


def strongest(net: zf.DeconvNet, photo: Any, layer: str, channel: int) -> tuple[Any, Any]:
    recording = net.record(photo)
    return recording, recording.strongest(layer, [channel])


def like(page: Page, recording: Any, neurons: Any, plan: dict[str, Any], **how: Any) -> None:
    """Every step of the page's way is the one that Python takes, and so are its drawings."""
    expected = recording.steps(neurons, **how)
    told = [pictures.facts(step) for step in expected]
    for one, other in zip(plan["steps"], told, strict=True):
        same = ("layer", "kind", "off", "optional", "before", "after", "kernel")
        assert {name: one[name] for name in same} == {name: other[name] for name in same}
        assert one["zeros"] == pytest.approx(other["zeros"], abs=2e-3), one["name"]
        assert one["negative"] == pytest.approx(other["negative"], abs=2e-3), one["name"]
    for index, step in enumerate(expected):
        drawn = page.evaluate(ASK, index)
        before, after = pictures.sides(step)
        assert drawn["before"]["ids"] == before.channels, step.name
        assert drawn["before"]["full"] == pytest.approx(before.full, rel=1e-2)
        shows(drawn["before"], drawn["pictures"][0], before)
        if index < len(expected) - 1:
            assert drawn["after"]["ids"] == after.channels, step.name
            shows(drawn["after"], drawn["pictures"][1], after)
        assert drawn["switches"] == about(pictures.switches(step))
        kernel = pictures.filter_tile(step)
        assert (kernel is None) == ("filter" not in drawn)
        if kernel is not None:
            shows(drawn["filter"], drawn["pictures"][2], kernel)


def about(switches: dict[str, Any] | None) -> Any:
    """The same drawing of switches, values as far as the weights' half precision allows."""
    if switches is None:
        return None
    values = [pytest.approx(cell["value"], rel=1e-2, abs=1e-4) for cell in switches["cells"]]
    cells = [{**c, "value": value} for c, value in zip(switches["cells"], values, strict=True)]
    return {**switches, "cells": cells}


def shows(head: dict[str, Any], text: str, side: pictures.Side) -> None:
    """The sheet has Python's tiles."""
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))
    height, width = head["tile"]
    assert head["part"] == (side.message()[0]["part"])
    for n, tile in enumerate(side.tiles):
        top, left = height * (n // head["columns"]), width * (n % head["columns"])
        mine = picture[top : top + height, left : left + width].astype(int)
        assert float((np.abs(mine - tile) <= LEVELS).mean()) > 0.98


def result(page: Page) -> Any:
    """The projections under the steps."""
    head, text = page.evaluate(
        """() => {
            const { sheet, data } = zfKernel.models.get("steps").get("_plan");
            const bytes = [...new Uint8Array(data.buffer, data.byteOffset, data.byteLength)];
            return [sheet, btoa(bytes.map(b => String.fromCharCode(b)).join(""))];
        }"""
    )
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))
    (height, width), columns = head["tile"], head["columns"]
    return [
        picture[height * (n // columns) :, width * (n % columns) :][:height, :width]
        for n in range(len(head["ids"]))
    ]


def near(mine: Any, expected: Any) -> bool:
    far = np.abs(mine.astype(int) - expected.astype(int))
    return float((far <= LEVELS).mean()) > 0.98


def test_it_begins_with_the_views_neuron_and_takes_pythons_steps(
    page: Page, net: zf.DeconvNet
) -> None:
    recording, neurons = strongest(net, zf.sample("cat").open(), "conv3", 7)
    plan = walked(page, "conv3", 7)
    assert [plan["row"], plan["col"]] == [int(neurons.row[0]), int(neurons.col[0])]
    assert plan["value"] == pytest.approx(float(neurons.value[0]), rel=1e-2)
    like(page, recording, neurons, plan)
    projected = recording.project(neurons)
    (shown,) = result(page)
    assert near(shown, contrast(projected.to_rgb(projected.on_canvas()))[0][0])


def test_another_layer_begins_with_its_strongest_channel(
    page: Page, net: zf.DeconvNet, screenshots: Path
) -> None:
    page.locator('.zf-layer-selector [data-id="conv5"]').click()
    recording = net.record(zf.sample("cat").open())
    best = int(recording.strongest("conv5").value.argmax())
    plan = walked(page, "conv5", best)
    like(page, recording, recording.strongest("conv5", [best]), plan)
    expect(page.locator(".zf-steps-title")).to_contain_text(f"conv5 · channel {best}")
    page.keyboard.press("End")
    assert findings(page, ".zf-steps-view") == []
    take(page, screenshots / "page-steps.png", whole=True)


def test_a_step_left_out_is_left_out_as_in_python(page: Page, net: zf.DeconvNet) -> None:
    recording = net.record(zf.sample("cat").open())
    best = int(recording.strongest("conv5").value.argmax())
    neurons = recording.strongest("conv5", [best])
    page.locator('.zf-layer-selector [data-id="conv5"]').click()
    walked(page, "conv5", best)
    steps = recording.steps(neurons)
    for kind in ("unpool", "rectify"):
        index = next(n for n, step in enumerate(steps) if step.kind == kind)
        page.locator(".zf-step").nth(index).click()
        page.get_by_label("Leave this step out").check()
        plan = walked(page, "conv5", best, off=1)
        off = [steps[index].name]
        like(page, recording, neurons, plan, off=off)
        whole = recording.project(neurons)
        last = recording.steps(neurons, off=off)[-1].signal
        every, without = result(page)
        assert near(every, contrast(whole.to_rgb(whole.on_canvas()))[0][0])
        assert near(without, contrast(whole.to_rgb(last))[0][0])
        page.get_by_role("button", name="Do every step again").click()
        walked(page, "conv5", best)


def test_the_way_of_a_photo_of_ones_own(page: Page, net: zf.DeconvNet, tmp_path: Path) -> None:
    mine = tmp_path / "mine.png"
    zf.sample("mountains").open().save(mine)
    page.locator('.zf-layer-selector [data-id="conv4"]').click()
    page.locator(".zf-step").first.wait_for()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload").click()
    chooser.value.set_files(mine)
    until(page, "zfKernel.models.get('picker').get('value') === 'mine.png'")
    until(page, "zfKernel.models.get('browser').get('status') === 'ready'")
    channel = 11
    page.evaluate(
        """channel => {
            const model = zfKernel.models.get("browser");
            model.set("active", channel);
            model.save_changes();
        }""",
        channel,
    )
    plan = walked(page, "conv4", channel)
    recording, neurons = strongest(net, mine, "conv4", channel)
    until(
        page,
        "value => Math.abs(zfKernel.models.get('steps').get('_plan').value - value) < 0.05 * value",
        float(neurons.value[0]),
    )
    plan = walked(page, "conv4", channel)
    like(page, recording, neurons, plan)


class Forked(nn.Module):
    """Branches that are added and joined, padding, an average, a flattened map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5, stride=2, padding=2)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1, groups=2)
        self.conv3 = nn.Conv2d(12, 8, 3)
        self.mean = nn.AvgPool2d(2)
        self.fc4 = nn.Linear(8 * 3 * 3, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.pool(torch.relu(self.conv1(x)))
        added = torch.relu(self.conv2(pooled)) + pooled
        joined = torch.cat([added, pooled], 1)
        scores: torch.Tensor = self.fc4(self.mean(torch.relu(self.conv3(joined))).flatten(1))
        return scores


@pytest.mark.parametrize("rule", ["deconvnet", "guided", "linear"])
def test_branches_averages_and_units_are_steps_too(
    chromium: Browser, tmp_path: Path, rule: Any
) -> None:
    torch.manual_seed(4)
    net = zf.DeconvNet(Forked().eval(), Preprocess(size=32, resize=32), list("abcde"), "cpu")
    recording = net.record(zf.sample("cat").open())
    best = int(recording.strongest("fc4").value.argmax())
    view = zf.StepsView(recording, layer="fc4", channel=best, rule=rule)
    view.to_html(tmp_path / "forked.html", photos=["cat"], locale="ko")
    view.close()
    page = opened(chromium, tmp_path / "forked.html")
    plan = walked(page, "fc4", best)
    kinds = {step["kind"] for step in plan["steps"]}
    assert kinds == {"filter", "reshape", "spread", "rectify", "split", "join", "unpool"}
    like(page, recording, recording.strongest("fc4", [best]), plan, rule=rule)
    page.context.close()


@pytest.fixture(scope="module")
def seen(chromium: Browser, saved: zf.SavedPage) -> Iterator[Page]:
    """The page that is only looked at, in light and dark, wide and narrow."""
    page = opened(chromium, saved.path)
    walked(page, "conv3", 7)
    page.locator(".zf-step").nth(2).click()
    yield page
    page.context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 390), ("dark", 1400)])
def test_screenshots(seen: Page, screenshots: Path, scheme: Any, width: int) -> None:
    seen.emulate_media(color_scheme=scheme)
    seen.set_viewport_size({"width": width, "height": 1000})
    seen.locator(".zf-side canvas").first.wait_for()
    path = screenshots / f"page-steps-{scheme}-{width}.png"
    take(seen, path, whole=True)
    assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert findings(seen) == []
