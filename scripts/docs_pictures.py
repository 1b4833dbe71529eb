"""The pictures of the site: every widget in Voila in a real Chromium, light and dark; and `phone`.

    python scripts/docs_pictures.py [NAME ...]

writes docs/pictures/NAME-light.webp and NAME-dark.webp. Run by `make pictures`, when a widget looks
other than before; look at what it writes.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect, sync_playwright

import zfwidgets as zf
from tests.browser import conftest, hosts

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
WIDTH, HEIGHT = 1240, 1700  # pixels, of the page: what is higher is not all in the picture
QUALITY = 75
THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
STILL = 4  # looks in a row that must show the same
PAUSE = 700  # ms between looks
LIMIT = 180  # looks until it must stand still
PHONE: ViewportSize = {"width": 390, "height": 780}
NEURON = "#photo=raccoon&layer=conv4&mode=projection"  # what the phone shows

BEGIN = """
import ipywidgets
import zfwidgets as zf
import zfwidgets.images

net = zf.load("zfnet")
cat = net.record(zf.sample("cat").open())


def eye(layer):
    # The channel that answers most of those that look at the left eye, row 80, column 66.
    neurons, places = cat.strongest(layer), cat.layers[layer]
    near = [
        n
        for n in range(len(neurons))
        for top, left, bottom, right in [places.box(int(neurons.row[n]), int(neurons.col[n]))]
        if abs(top + bottom - 160) < 50 and abs(left + right - 132) < 50
    ]
    return max(near, key=lambda n: float(neurons.value[n]))


def scanned(view):
    view.scan()
    return view


def picture(name, widget):
    return ipywidgets.VBox([widget], layout={"padding": "12px"}).add_class(f"picture-{name}")
"""

CELLS = {
    "inspector": 'zf.Inspector(net, image="cat", layer="conv5")',
    "inspector-ko": 'zf.Inspector(net, image="dogs", layer="conv4", locale="ko")',
    "image-picker": 'zf.ImagePicker(value="raccoon", transforms=net.transforms)',
    "layer-selector": 'zf.LayerSelector(net, value="conv3")',
    "channel-browser": (
        'zf.ChannelBrowser(cat, layer="conv4", mode="projection", sort="strength", height=430)'
    ),
    "feature-maps": (
        'zf.ChannelBrowser(cat, layer="conv2", mode="feature map", sort="strength", height=330)'
    ),
    "projection-view": (
        'zf.ProjectionView(cat, layer="conv5", channel=eye("conv5"), all_rules=True)'
    ),
    "charts": (
        'zf.Charts(zf.ChannelBrowser(cat, layer="conv5", sort="strength", active=eye("conv5")))'
    ),
    "compare": 'zf.Compare("zfnet", "alexnet", image="cat", layer="conv3")',
    "two-pictures": """zf.Compare(
    net,
    images=(
        zf.sample("cat").open(),
        zfwidgets.images.hide(zf.sample("cat").open(), (70, 80, 200, 280)),
    ),
    names=("before", "after"),
)""",
    "steps-view": 'zf.StepsView(cat, layer="conv3", channel=eye("conv3"))',
    "exemplar-browser": """zf.ExemplarBrowser(
    zf.exemplars(net, zf.gallery(), "conv5", progress=False), zf.gallery(), net=net, tile_size=280
)""",
    "evolution-view": 'zf.EvolutionView("zfnet", layer="conv2")',
    "invariance-view": 'zf.InvarianceView(cat, transform="rotation")',
    "occlusion-view": 'scanned(zf.OcclusionView(cat, label="tabby"))',
    "mask-picker": """zf.MaskPicker(
    net,
    [zf.sample(name).path for name in ("cat", "raccoon", "dogs", "astronaut")],
    {
        "eye": [(60, 40, 108, 88), (64, 116, 104, 148), (14, 66, 38, 90), (30, 84, 46, 102)],
        "nose": [(164, 116, 206, 160), (114, 132, 146, 162), (40, 80, 58, 104), (40, 88, 54, 106)],
    },
)""",
    "quiz": 'zf.Quiz(net, layers=["conv5", "conv3"], count=10, seed=7)',
    "live-view": 'zf.LiveView(net, layer="conv2")',
}


def film(path: Path) -> Path:
    """What Chromium's camera sees: a photograph that does not move, as motion JPEG."""
    photo = zf.sample("dogs").open().convert("RGB").resize((640, 480))
    frame = io.BytesIO()
    photo.save(frame, "JPEG", quality=92)
    path.write_bytes(frame.getvalue() * 4)
    return path


def freeze(widget: Locator) -> None:
    """A live view with one frame of the camera."""
    widget.get_by_role("button", name="Start camera").click()
    expect(widget.locator(".zf-live-status")).to_contain_text("frames/s")
    widget.get_by_role("button", name="Freeze").click()


def unpool(widget: Locator) -> None:
    """A way back at the step that has switches to be drawn."""
    widget.locator('.zf-step[data-kind="unpool"]').first.click()


def answer(widget: Locator) -> None:
    """A quiz whose first question is answered."""
    widget.get_by_role("button", name="picture 2").click()
    expect(widget.get_by_role("button", name="Next question")).to_be_visible()


BEFORE: dict[str, Callable[[Locator], None]] = {
    "live-view": freeze,
    "quiz": answer,
    "steps-view": unpool,
}


def still(page: Page, widget: Locator, name: str) -> bytes:
    """A picture of a widget that has nothing more to draw."""
    last, same = b"", 0
    for _ in range(LIMIT):
        shot = widget.screenshot(animations="disabled")
        waiting = widget.locator('[data-waiting="true"]:visible, [data-busy="true"]:visible')
        same = same + 1 if shot == last and waiting.count() == 0 else 0
        if same == STILL:
            return shot
        last = shot
        page.wait_for_timeout(PAUSE)
    raise RuntimeError(f"{name} did not come to rest within {LIMIT * PAUSE / 1000:.0f} s")


def write(shot: bytes, path: Path) -> None:
    """As WebP, and say how large it is."""
    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").save(path, quality=QUALITY, method=6)
        print(f"{path.name}: {image.width} x {image.height}, {path.stat().st_size:,} bytes")


def take(page: Page, names: list[str], theme: str) -> None:
    """All widgets of one page."""
    for name in names:
        widget = page.locator(f".picture-{name}")
        expect(widget).to_be_visible(timeout=conftest.KERNEL_LIMIT)
        widget.scroll_into_view_if_needed()
        if name in BEFORE:
            BEFORE[name](widget)
        write(still(page, widget, name), PICTURES / f"{name}-{theme}.webp")


def phone(browser: Browser, site: Path, theme: Literal["light", "dark"]) -> None:
    """The page with the engine on a telephone: its top, and what is further down."""
    context = browser.new_context(
        viewport=PHONE, device_scale_factor=1.5, color_scheme=theme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto((site / "index.html").as_uri() + NEURON)
    expect(page.locator("html[data-engine=ready]")).to_be_attached(timeout=conftest.KERNEL_LIMIT)
    body = page.locator("body")
    still(page, body, "phone")
    shots = []
    for part in ("body", ".zf-channel-browser", ".zf-projection-view"):
        page.locator(part).first.evaluate("part => part.scrollIntoView({ block: 'start' })")
        shots.append(page.screenshot(animations="disabled"))
    write(side_by_side(shots), PICTURES / f"phone-{theme}.webp")
    context.close()


def side_by_side(shots: list[bytes], gap: int = 24, edge: int = 6, corner: int = 34) -> bytes:
    """Screens of telephones, each with its edge, on white or black as they are light or dark."""
    screens = [Image.open(io.BytesIO(shot)).convert("RGB") for shot in shots]
    ground = screens[0].getpixel((2, 2))
    wide, high = (side + 2 * edge for side in screens[0].size)
    sheet = Image.new("RGB", (len(screens) * (wide + gap) - gap, high), ground)
    for n, screen in enumerate(screens):
        mask = Image.new("L", screen.size)
        ImageDraw.Draw(mask).rounded_rectangle((0, 0, *screen.size), corner, 255)
        left = n * (wide + gap)
        box = (left, 0, left + wide - 1, high - 1)
        ImageDraw.Draw(sheet).rounded_rectangle(box, corner + edge, "#555")
        sheet.paste(screen, (left + edge, edge), mask)
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def main(names: list[str]) -> int:
    """Take the pictures of these widgets, of all by default."""
    names = names or [*CELLS, "phone"]
    widgets = [name for name in names if name in CELLS]
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        camera = film(Path(place) / "camera.mjpeg")
        flags = [*conftest.FLAGS, f"--use-file-for-fake-video-capture={camera}"]
        path = conftest.chromium_path()
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        if "phone" in names:
            zf.site(Path(place) / "site", locales=["en"])
            for theme in THEMES:
                phone(browser, Path(place) / "site", theme)
        if widgets:
            in_voila(browser, Path(place), widgets)
        browser.close()
    return 0


def in_voila(browser: Browser, place: Path, names: list[str]) -> None:
    """All pictures of widgets."""
    folder, home = place / "notebooks", place / "home"
    folder.mkdir()
    cells = [f"picture({name!r}, {CELLS[name]})" for name in names]
    conftest.write_notebook(folder / "pictures.ipynb", BEGIN, *cells)
    with hosts.voila(folder, home) as voila:
        for theme in THEMES:
            page = conftest.new_page(
                browser,
                viewport={"width": WIDTH, "height": HEIGHT},
                permissions=["camera"],
            )
            url = f"{voila.url}/voila/render/pictures.ipynb?theme={theme}"
            page.goto(url, timeout=2 * conftest.KERNEL_LIMIT)
            take(page, names, theme)
            page.context.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
