"""Every widget before axe-core: no finding of weight, in light and dark, and a readable tree."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

import zfwidgets as zf
from tests.browser.conftest import new_page
from tests.browser.live import LiveWidget
from zfwidgets.widgets.core.base import ZFWidget
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.inspector_head import InspectorHead
from zfwidgets.widgets.invariance_view import InvarianceView
from zfwidgets.widgets.mask_picker import MaskPicker
from zfwidgets.widgets.occlusion_view import OcclusionView

AXE = Path(__file__).resolve().parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
#: What the page around a widget is for, not the widget.
PAGE_RULES = ("region", "landmark-one-main", "page-has-heading-one")
WEIGHTY = ("serious", "critical")
#: The name of a bundle, a widget that uses it in its page, and what says that it is drawn.
Shown = tuple[str, LiveWidget, str]


def recording() -> zf.Recording:
    return zf.load("zfnet", device="cpu").record(zf.samples()["cat"].open())


def browser() -> ZFWidget:
    made = zf.ChannelBrowser(recording(), layer="conv2")
    assert made.wait(60)
    return made


def head() -> ZFWidget:
    classes = [{"label": "tabby", "p": 0.62}, {"label": "tiger cat", "p": 0.2}]
    return InspectorHead(name="zfnet on cpu", status="ready", classes=classes)


def evolution() -> ZFWidget:
    made = zf.EvolutionView("zfnet", {"cat": zf.sample("cat").path}, layer="conv1", step=0)
    assert made.wait(120)
    return made


def exemplars() -> ZFWidget:
    net = zf.load("zfnet", device="cpu")
    photos = {name: photo.path for name, photo in list(zf.samples().items())[:4]}
    scan = zf.scan(net, photos, ["conv2"], k=4, progress=False)
    made = zf.ExemplarBrowser(scan, photos, net=net, active=2)
    assert made.wait(60)
    return made


def layers() -> ZFWidget:
    return zf.LayerSelector(zf.load("zfnet", device="cpu"))


def live() -> ZFWidget:
    return zf.LiveView(zf.load("zfnet", device="cpu"))


def projection() -> ZFWidget:
    return zf.ProjectionView(recording(), layer="conv2", channel=3, all_rules=True, inline=True)


def steps() -> ZFWidget:
    return zf.StepsView(recording(), layer="pool2", channel=3, inline=True)


def occluder() -> ZFWidget:
    made = OcclusionView(recording(), size=64, stride=[64, 32])
    worker().join()
    made.scan()
    worker().join()
    return made


def masks() -> ZFWidget:
    photos = [zf.samples()[name].open() for name in ("cat", "dogs")]
    box = [60, 40, 108, 88]
    made = MaskPicker(zf.load("zfnet", device="cpu"), photos, {"eye": [box, box]}, random=2)
    made.running = True
    worker().join()
    return made


def quiz() -> ZFWidget:
    made = zf.Quiz("zfnet", layers="conv5", count=4, seed=7)
    worker().join()
    return made


def changed() -> ZFWidget:
    view = InvarianceView(recording(), transform="contrast")
    worker().join()
    return view.panel


#: A widget as a person finds it, and what says that its page is drawn.
WIDGETS: dict[str, tuple[Callable[[], ZFWidget], str]] = {
    "channel-browser": (browser, "!!document.querySelector('[role=row] canvas')"),
    "evolution-view": (evolution, "!!document.querySelector('.zf-figure td canvas')"),
    "exemplar-browser": (exemplars, "!!document.querySelector('.zf-pair')"),
    "image-picker": (zf.ImagePicker, "!!document.querySelector('[role=option]')"),
    "inspector-head": (head, "!!document.querySelector('.zf-guess')"),
    "invariance-panel": (changed, "document.querySelectorAll('.zf-bar').length === 7"),
    "layer-selector": (layers, "!!document.querySelector('[role=option]')"),
    "live-view": (live, "!!document.querySelector('.zf-live-invite')"),
    "mask-picker": (masks, "!!document.querySelector('.zf-mask-results td')"),
    "occlusion-view": (occluder, "document.querySelectorAll('.zf-bar').length === 6"),
    "quiz": (quiz, "document.querySelectorAll('.zf-quiz-shown canvas').length === 9"),
    "steps-view": (steps, "!!document.querySelector('.zf-switches')"),
    "projection-view": (projection, "!!document.querySelector('.zf-pane:nth-child(5)')"),
}


def findings(page: Page, within: str = ":root") -> list[str]:
    """What axe-core holds against a part of the page: how grave, which rule, where."""
    if not page.evaluate("'axe' in window"):  # a tag would fail where scripts are forbidden
        page.evaluate(AXE.read_text(encoding="utf-8"))
    rules = {rule: {"enabled": False} for rule in PAGE_RULES}
    # Not a word about what is right: that is all of the page, a megabyte.
    options = {"rules": rules, "resultTypes": ["violations"]}
    violations: list[dict[str, Any]] = page.evaluate(
        "async ([within, options]) => (await axe.run(within, options)).violations",
        [within, options],
    )
    return [
        f"{finding['impact']}: {finding['id']}: {node['html'][:160]}: {node['failureSummary']}"
        for finding in violations
        if finding["impact"] in WEIGHTY
        for node in finding["nodes"]
    ]


@pytest.fixture(scope="module", params=sorted(WIDGETS))
def shown(request: pytest.FixtureRequest, chromium: Browser) -> Iterator[Shown]:
    """A widget on a page of its own, as it is drawn."""
    factory, drawn = WIDGETS[request.param]
    page = new_page(chromium)
    live = LiveWidget(page, factory(), request.param)
    live.until(drawn)
    yield request.param, live, drawn
    page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "ko"])
def test_axe_finds_nothing_serious(shown: Shown, theme: str, locale: str) -> None:
    _, live, drawn = shown
    widget = live.widget
    widget.locale = locale
    live.look(theme)
    said = json.dumps(widget._strings)
    live.until(f"JSON.stringify(model.state._strings) === JSON.stringify({said}) && ({drawn})")
    assert findings(live.page) == []


def test_every_control_of_the_tree_has_a_name(shown: Shown) -> None:
    name, live, _ = shown
    roles = (
        "button",
        "option",
        "gridcell",
        "slider",
        "spinbutton",
        "combobox",
        "checkbox",
        "radio",
    )
    tree = live.page.locator(f".zf-{name}").aria_snapshot().splitlines()
    lines = [line.strip().removeprefix("- ").rstrip(":") for line in tree]
    controls = [line for line in lines if line.split(" ")[0] in roles]
    assert controls or name == "inspector-head"
    assert [line for line in controls if '"' not in line] == []
