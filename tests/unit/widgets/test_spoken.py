"""Classes, samples and errors in the language of the widget that shows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from torchvision.models import AlexNet_Weights

import zfwidgets as zf
from tests.unit.widgets.fakes import FakeNet, picture
from zfwidgets.images import decode, set_limits
from zfwidgets.widgets.core import spoken
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.core.wire import WireError, describe_error, refusal
from zfwidgets.widgets.inspector_head import InspectorHead

HANGUL = re.compile("[가-힣]")


def test_every_class_of_imagenet_has_a_korean_name_of_its_own() -> None:
    classes = AlexNet_Weights.DEFAULT.meta["categories"]
    korean = [spoken.class_name(name, "ko") for name in classes]
    assert all(HANGUL.search(name) for name in korean)
    assert len(set(korean)) == len(set(classes)) == 1000
    assert [spoken.class_name(name, "en") for name in classes] == classes
    assert spoken.class_name("my own class", "ko") == "my own class"


def test_the_gallery_and_the_widgets_call_a_class_the_same() -> None:
    for kind in zf.gallery().categories:
        assert spoken.class_name(kind.name, "ko") == kind.korean


def test_every_sample_has_a_korean_name() -> None:
    assert all(HANGUL.search(spoken.sample_name(name, "ko")) for name in zf.samples())


def test_classes_are_english_in_python_and_korean_on_the_page() -> None:
    head = InspectorHead(locale="ko")
    head.classes = [{"label": "tabby", "p": 0.5}]
    assert head.classes[0]["label"] == "tabby"
    assert head.get_state("classes")["classes"] == [{"label": "얼룩고양이", "p": 0.5}]
    head.locale = "en"
    assert head.get_state("classes")["classes"] == [{"label": "tabby", "p": 0.5}]
    head.close()


def test_another_language_sends_what_was_said_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    head = InspectorHead(classes=[{"label": "tabby", "p": 0.5}], locale="en")
    sent: list[str] = []
    monkeypatch.setattr(head, "send_state", lambda key=None: sent.append(key))
    head.locale = "ko"
    assert {"classes", "error"} <= set(sent)
    head.close()


def test_samples_are_named_in_the_gallery_and_pictures_of_ones_own_are_not() -> None:
    picker = zf.ImagePicker(locale="ko")
    labels = {item["id"]: item["label"] for item in picker.get_state("items")["items"]}
    assert labels["cat"] == "고양이"
    assert picker.items[0]["label"] == "cat"
    own = zf.ImagePicker({"cat": picture("red")}, locale="ko")
    assert own.get_state("items")["items"][0]["label"] == "cat"
    picker.close()
    own.close()


def test_channels_of_the_output_are_called_in_korean() -> None:
    browser = zf.ChannelBrowser(locale="ko")
    browser._page = {"labels": ["tabby", "lynx"]}
    assert browser.get_state("_page")["_page"]["labels"] == ["얼룩고양이", "스라소니"]
    browser.close()


def test_a_picture_that_cannot_be_read_is_refused_in_korean(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture at all")
    errors = [caught(b""), caught(str(broken)), caught(3), caught("https://example.org/cat.jpg")]
    with_limits = Image.new("RGB", (40, 30))
    set_limits(max_pixels=100)
    try:
        errors.append(caught(with_limits))
    finally:
        set_limits(max_pixels=zf.images.limits.Limits().max_pixels)
    for error in errors:
        told = spoken.error(error, "ko")
        assert all(HANGUL.search(told[key]) for key in ("title", "hint")), told
        assert spoken.error(error, "en") == error
    assert "40 x 30" in spoken.error(errors[-1], "ko")["message"], "what was given stays"


def caught(source: object) -> dict[str, str]:
    """How a picture is refused."""
    with pytest.raises(zf.ImageError) as error:
        decode(source)  # type: ignore[arg-type]
    return describe_error(error.value)


def test_the_engines_errors_are_shown_in_korean() -> None:
    net = zf.DeconvNet(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval(), device="cpu")
    recording = net.record(torch.zeros(1, 3, 8, 8))
    view = zf.ProjectionView(recording, layer="conv1", channel=9, locale="ko", inline=True)
    worker().join()
    assert "channel 9" in view.error["message"]
    shown = view.get_state("error")["error"]
    assert shown["title"] == "실행하지 못했습니다"
    assert "0부터 3까지" in shown["message"]
    view.close()


def test_refusals_of_questions_are_in_the_widgets_language(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, object]] = []
    head = InspectorHead(locale="ko")
    monkeypatch.setattr(head, "_send", lambda message, **_: sent.append(message))
    head.send(refusal(7, WireError("Unknown question", "got 'x', expected: y")))
    assert sent[0]["content"]["error"]["title"] == "모르는 질문"  # type: ignore[index]
    head.close()


def test_an_error_without_translation_is_shown_as_it_came() -> None:
    assert spoken.message("Nobody has translated this.", "ko") == "Nobody has translated this."


def test_what_is_filled_in_is_filled_in_on_both_sides() -> None:
    for english, korean in spoken._texts().items():
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", korean)), english
        assert HANGUL.search(korean), english


def test_every_translated_error_is_one_that_the_package_has(repository: Path) -> None:
    code = "".join(p.read_text("utf-8") for p in (repository / "zfwidgets").rglob("*.py"))
    plain = re.sub(r'"\s*\n?\s*f?"', "", code)
    for english in spoken._texts():
        for part in re.split(r"{\w+}", english):
            assert part.strip(" .:;,()") in plain, english


def test_a_korean_inspector_has_no_english_class() -> None:
    net = FakeNet(["tabby", "lynx"])
    inspector = zf.Inspector(net, picture("red"), locale="ko")
    worker().join()
    shown = inspector.head.get_state("classes")["classes"]
    assert {item["label"] for item in shown} == {"얼룩고양이", "스라소니"}
    inspector.close()
