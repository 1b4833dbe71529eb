"""Networks of every kind whose operations the page has: exported, opened, asked as Python is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision
from playwright.sync_api import Browser
from torch import nn
from torchvision.models.resnet import Bottleneck
from torchvision.models.vgg import make_layers

import zfwidgets as zf
from tests.browser.engine import NodeEngine
from tests.browser.test_engine import compare, questions, randomised
from tests.browser.test_page_engine import Computing, projection
from zfwidgets.nets.alexnet import AlexNet
from zfwidgets.nets.chatfield import CNN_F
from zfwidgets.page import page_net

CLASSES = 17
PAPER = zf.Preprocess()
SMALL = zf.Preprocess(size=64, resize=72)


def with_small_head(model: nn.Module) -> nn.Module:
    """The papers' three fully connected layers hold nine in ten of the weights."""
    model.fc6 = nn.Linear(model.fc6.in_features, 24)  # type: ignore[arg-type, union-attr]
    model.fc7, model.fc8 = nn.Linear(24, 20), nn.Linear(20, CLASSES)
    return model


def alexnet() -> nn.Module:
    """In two groups, with contrast normalisation."""
    return with_small_head(AlexNet(CLASSES, groups=2, width=(12, 16, 14, 12, 10)))


def cnn_f() -> nn.Module:
    return with_small_head(CNN_F(CLASSES))


def vgg() -> nn.Module:
    """Batch normalisation, and an adaptive average of more places than the map has."""
    table: list[Any] = [8, "M", 12, "M", 16, 16, "M", 20, 20, "M"]
    return nn.Sequential(
        make_layers(table, batch_norm=True),
        nn.AdaptiveAvgPool2d(7),
        nn.Flatten(),
        nn.Linear(20 * 49, 24),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(24, CLASSES),
    )


def resnet() -> nn.Module:
    """Bottlenecks in groups, which is a ResNeXt."""
    return torchvision.models.ResNet(
        Bottleneck, [1, 2, 1, 1], num_classes=CLASSES, groups=4, width_per_group=4
    )


def googlenet() -> nn.Module:
    """With torchvision's own preparation inside, plane by plane."""
    return torchvision.models.GoogLeNet(
        CLASSES, aux_logits=False, transform_input=True, init_weights=False
    )


KINDS = {
    "alexnet": (alexnet, PAPER),
    "cnn-f": (cnn_f, PAPER),
    "vgg": (vgg, SMALL),
    "resnet": (resnet, SMALL),
    "googlenet": (googlenet, SMALL),
}


PHOTOS = {"googlenet": ["cat", "bee", "raccoon"]}


def network(kind: str) -> zf.DeconvNet:
    make, transforms = KINDS[kind]
    return zf.DeconvNet(randomised(make()), transforms, device="cpu", name=kind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_that_of_python(tmp_path: Path, kind: str) -> None:
    net = network(kind)
    recordings = [net.record(zf.sample(name).open()) for name in PHOTOS.get(kind, ["cat"])]
    asked = [(recording.inputs, questions(recording)) for recording in recordings]
    every = NodeEngine(tmp_path).ask(page_net(net, exact=True), asked)
    for recording, answers in zip(recordings, every, strict=True):
        # Python follows planes that are taken out one by one, but not their windows.
        compare(recording, answers, whole=kind == "googlenet")


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_exported_and_computes_in_the_page(
    chromium: Browser, tmp_path: Path, kind: str
) -> None:
    """Weights are float16 there, which moves a signal a little and makes no other picture."""
    net = network(kind)
    layer = [name for name, one in net.layers.items() if one.kind == "conv"][-1]
    saved = zf.to_html(
        net,
        tmp_path / "page.html",
        photos=["cat", "dogs"],
        layers=[layer],
        engine=True,
        progress=False,
    )
    recording = net.record(zf.sample("dogs").open())
    best = int(recording.strongest(layer).value.argmax())
    opened = Computing(chromium, saved)
    opened.choose_photo("dogs")
    opened.shows_photo(recording.seen()[0])
    opened.settled()
    assert opened.classes()[0] == recording.top_classes()[0][0][0]
    opened.click_channel(best)
    opened.settled()
    expected = projection(recording, layer, best)
    opened.until(lambda: alike(opened.pane(1), expected), "the projection is Python's")
    assert opened.complaints == opened.asked == []
    opened.page.context.close()


def alike(found: np.ndarray[Any, Any], expected: np.ndarray[Any, Any]) -> bool:
    if found.shape != expected.shape:
        return False
    return float(np.corrcoef(found.ravel(), expected.ravel())[0, 1]) > 0.99
