"""An exported page inside of an article: nothing becomes markup, and it says whose it is."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import zfwidgets as zf

NASTY = "<img src=x onerror=alert(1)>\"'&"
OPTIONS: dict[str, Any] = {"channels": 1, "progress": False}


@pytest.fixture(scope="module")
def inspector() -> Iterator[zf.Inspector]:
    """Of two small convolutions and a photo with a name that would be markup."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(3, 5, 5), nn.ReLU(), nn.Conv2d(5, 7, 3), nn.ReLU()).eval()

    def prepared(image: Image.Image) -> torch.Tensor:
        return torch.from_numpy(np.array(image.resize((32, 32)))).permute(2, 0, 1).float() / 255

    noise = np.random.default_rng(2).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    net = zf.DeconvNet(model, prepared, device="cpu", name="tiny</script>")
    made = zf.Inspector(net, {NASTY: Image.fromarray(noise)}, "conv1", inline=True)
    yield made
    made.close()


def weakest(inspector: zf.Inspector) -> int:
    """The channel of conv1 that answers least; it is not among one strongest."""
    return int(inspector.recording.strongest("conv1").value.argmin())


def payload(page: str) -> dict[str, Any]:
    """What the page's script reads."""
    found = re.search(r'id="zf-payload">(.*?)</script>', page, re.DOTALL)
    assert found
    read: dict[str, Any] = json.loads(found.group(1))
    return read


def test_a_page_begins_with_the_channel_that_the_inspector_shows(
    inspector: zf.Inspector, tmp_path: Path
) -> None:
    inspector.channel = weakest(inspector)
    saved = inspector.to_html(tmp_path / "page.html", **OPTIONS)
    assert inspector.channel in saved.channels["conv1"]
    begin = payload(saved.path.read_text("utf-8"))["address"]["begin"]
    assert begin == f"#layer=conv1&channel={inspector.channel}"


def test_an_output_is_one_line_whose_only_markup_is_its_own(inspector: zf.Inspector) -> None:
    static = inspector.render_static(**OPTIONS)
    assert "\n" not in static.html
    tags = re.findall(r"<(/?[a-z]+)", static.html)
    expected = "figure style /style iframe /iframe img figcaption /figcaption /figure"
    assert tags == expected.split()
    inside = re.search(r'srcdoc="([^"]*)"', static.html)
    assert inside
    page = html.unescape(inside.group(1))
    assert page.startswith("<!doctype html>")
    assert payload(page)["parts"][1]["state"]["items"][0]["id"].startswith("<img src=x")
    assert 'sandbox="allow-scripts allow-downloads"' in static.html


def test_an_output_brings_a_picture_for_paper(inspector: zf.Inspector) -> None:
    bundle = inspector.render_static(**OPTIONS)._repr_mimebundle_()
    assert set(bundle) == {"text/html", "image/png", "text/plain"}
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert bundle["image/png"] in bundle["text/html"]


def test_it_says_whose_it_is(inspector: zf.Inspector) -> None:
    caption = inspector.render_static(locale="ko", **OPTIONS).caption
    for text in ("MIT", "zfwidgets 0.2.0", "10.1007/978-3-319-10590-1_53", "채널"):
        assert text in caption


def test_a_module_is_its_code_and_one_page(inspector: zf.Inspector, tmp_path: Path) -> None:
    saved = inspector.to_module(tmp_path / "tiny.mjs", **OPTIONS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.html", "tiny.mjs"]
    assert saved.page == tmp_path / "tiny.html"
    assert saved.size == sum(path.stat().st_size for path in tmp_path.iterdir())
    text = saved.module.read_text("utf-8")
    assert text.startswith("/*! tiny")
    assert text.index("*/") < text.index("const zfFigure = ")
    assert "export" in text
    assert "fetch(" not in text


def test_a_module_has_a_modules_name(inspector: zf.Inspector, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.mjs or \.js"):
        inspector.to_module(tmp_path / "tiny.html", **OPTIONS)
    assert [*tmp_path.iterdir()] == []


def test_too_much_for_a_notebook_is_refused(inspector: zf.Inspector) -> None:
    with pytest.raises(zf.PageTooLarge, match="max_mb"):
        inspector.render_static(max_mb=0.01, **OPTIONS)
