"""The engine in the page gives what Python's gives: in node, and in Chromium's workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from playwright.sync_api import Browser, Error
from torch import Tensor, nn

import zfwidgets as zf
from tests.browser.conftest import new_page
from tests.browser.engine import Answers, Array, Engine, NodeEngine, PageEngine
from zfwidgets.deconv import Neurons
from zfwidgets.deconv.rules.pooling import MaxPool
from zfwidgets.deconv.rules.rectifying import Rectifier
from zfwidgets.page import page_net

RULES = ("deconvnet", "guided", "gradient", "linear")
UNPOOLS = ("sum", "overwrite")
NEAR = 1e-4
"""Relative to the largest value: what both engines may differ by."""


class Traps(nn.Module):
    """Everything that is easily got wrong, at odd sizes and odd numbers of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 10, 5, stride=2, padding=2)
        self.pool1 = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        self.conv2 = nn.Conv2d(10, 14, 3, padding=2, dilation=2, groups=2, bias=False)
        self.bn2 = nn.BatchNorm2d(14)
        self.conv3 = nn.Conv2d(14, 9, (1, 3), stride=(1, 2), padding=(1, 0))
        self.pool3 = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        self.conv4 = nn.Conv2d(14, 6, 3, stride=(1, 2), padding=(2, 0))
        self.bn4 = nn.BatchNorm2d(15)
        self.pool4 = nn.AvgPool2d((1, 2), 2, ceil_mode=True, divisor_override=3)
        self.pool5 = nn.MaxPool2d((2, 3), 1, dilation=(2, 1))
        self.conv6 = nn.Conv2d(15, 15, 3, padding=1, groups=15)
        self.norm6 = nn.LocalResponseNorm(5, alpha=0.1, k=2.0)
        self.fc7 = nn.Linear(15 * 3 * 2, 21)
        self.fc8 = nn.Linear(21, 13)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool1(F.relu(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        x = torch.cat([self.pool3(F.relu(self.conv3(x))), F.relu(self.conv4(x))], 1)
        x = self.pool5(self.pool4(F.relu(self.bn4(x))))
        x = F.relu(x + self.norm6(self.conv6(x)))
        x = F.adaptive_avg_pool2d(x, (3, 2)).flatten(1)
        return self.fc8(F.relu(self.fc7(x)))


def randomised(model: nn.Module) -> nn.Module:
    """Random weights that let signals through, and normalisation that is none of the identity."""
    torch.manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
        elif isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.weight)  # negative scales turn a signal round
            nn.init.normal_(module.bias, std=0.1)
    return model.eval()


def network(name: str) -> zf.DeconvNet:
    if name == "traps":
        small = zf.Preprocess(size=63, resize=64)
        return zf.DeconvNet(randomised(Traps()), small, device="cpu", name=name)
    if name == "resnet18":
        model = randomised(torchvision.models.resnet18(weights=None))
        half = zf.Preprocess(size=112, resize=128)  # all that it does, in a quarter of the time
        return zf.DeconvNet(model, half, device="cpu", name=name)
    return zf.load(name, device="cpu")


# ------------------------------------------------------------------------------------- equality


def off(found: Array, expected: Tensor) -> float:
    """The largest difference, relative to the largest value."""
    numbers = expected.detach().numpy().reshape(-1)
    assert found.shape == numbers.shape
    return float(np.abs(found - numbers).max() / max(np.abs(numbers).max(), 1e-20))


def chosen(net: zf.DeconvNet) -> list[str]:
    """All layers of a small network; of a deep one the first, the last, and one between."""
    names = list(net.layers)
    return names if len(names) <= 16 else [*names[:2], names[len(names) // 2], *names[-2:]]


def methods() -> list[dict[str, str]]:
    return [
        {"rule": rule, "unpool": unpool, "seed": "activation" if unpool == "sum" else "one"}
        for rule in RULES
        for unpool in UNPOOLS
    ]


def neurons(recording: zf.Recording, layer: str) -> Neurons:
    """The strongest of two channels."""
    count = recording.layers[layer].channels
    return recording.strongest(layer, [count // 3, count - 1])


def listed(some: Neurons) -> list[dict[str, Any]]:
    """As the page knows them. Given by Python, so that the way back is compared by itself."""
    return [
        {
            "layer": some.layer,
            "channel": int(some.channel[n]),
            "row": int(some.row[n]),
            "col": int(some.col[n]),
            "value": float(some.value[n]),
        }
        for n in range(len(some))
    ]


WHOLE = {"rule": "deconvnet", "seed": "one", "unpool": "sum"}


def questions(recording: zf.Recording) -> list[list[Any]]:
    asked: list[list[Any]] = [["classes", 5]]
    asked += asking_switches(recording)
    asked += [["maps", layer] for layer in rectified(recording)]
    for layer in chosen(recording.net):
        asked += [["maps", layer], ["strongest", layer]]
        asked += [["project", listed(neurons(recording, layer)), method] for method in methods()]
        asked += [["map", layer, 1, WHOLE]]
    return asked


def compare(recording: zf.Recording, answers: Answers, *, whole: bool = False) -> None:
    """Every answer against the engine in Python; whole: which knows no windows of the photo."""
    given = iter(answers.answers)
    compare_classes(recording, next(given))
    compare_switches(recording, answers, given)
    compare_slopes(recording, answers, given)
    for layer in chosen(recording.net):
        maps = recording.feature_maps(layer)
        assert off(answers.array(next(given)), maps) < NEAR, layer
        compare_strongest(maps, recording.strongest(layer), next(given))
        for method in methods():
            expected = recording.project(neurons(recording, layer), **method)  # type: ignore[arg-type]
            for n, found in enumerate(next(given)):
                case = f"{layer} {method} neuron {n}"
                pixels, box = answers.array(found), found["box"]
                if whole:
                    pixels, box = on_canvas(pixels, box, recording.inputs.shape[1:])
                assert box == expected.boxes[n].tolist(), case
                assert off(pixels, expected.pixels[n]) < NEAR, case
        sent = recording.project_map(layer, 1, **WHOLE)  # type: ignore[arg-type]
        assert off(answers.array(next(given)), sent.pixels[0]) < NEAR, f"{layer} whole map"


def on_canvas(pixels: Array, box: list[int], shape: torch.Size) -> tuple[Array, list[int]]:
    """A projection in its place of the photo, which it does not leave here."""
    top, left, bottom, right = box
    canvas = np.zeros(shape, np.float32)
    part = pixels.reshape(shape[0], bottom - top, right - left)
    rows = slice(max(top, 0), min(bottom, shape[1]))
    cols = slice(max(left, 0), min(right, shape[2]))
    inside = (slice(rows.start - top, rows.stop - top), slice(cols.start - left, cols.stop - left))
    canvas[:, rows, cols] = part[:, *inside]
    return canvas.reshape(-1), [0, 0, *shape[1:]]


def compare_classes(recording: zf.Recording, found: list[Any]) -> None:
    expected = recording.top_classes()[0]
    assert [label for label, _ in found] == [label for label, _ in expected]
    assert [p for _, p in found] == pytest.approx([p for _, p in expected], rel=NEAR)


def compare_strongest(maps: Tensor, strongest: Neurons, found: list[dict[str, Any]]) -> None:
    """Of places that differ by less than rounding, either is the strongest."""
    near = NEAR * float(maps.abs().max())
    assert [neuron["channel"] for neuron in found] == strongest.channel.tolist()
    for neuron, value in zip(found, strongest.value.tolist(), strict=True):
        at = float(maps[0, neuron["channel"], neuron["row"], neuron["col"]])
        assert [neuron["value"], at] == pytest.approx([value, value], abs=near)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> NodeEngine:
    return NodeEngine(tmp_path_factory.mktemp("node"), hands=2)


@pytest.fixture
def paged(chromium: Browser, tmp_path: Path) -> Iterator[PageEngine]:
    page = new_page(chromium, offline=True)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    yield PageEngine(page, tmp_path)
    assert complaints == []
    page.context.close()


def equal(engine: Engine, name: str) -> None:
    net = network(name)
    recording = net.record(zf.sample("dogs" if name == "zfnet" else "cat").open())
    (answers,) = engine.ask(page_net(net, exact=True), [(recording.inputs, questions(recording))])
    compare(recording, answers)


NETWORKS = ("zfnet", "alexnet", "resnet18", "traps")


@pytest.mark.parametrize("name", NETWORKS)
def test_every_answer_in_node_is_that_of_python(node: NodeEngine, name: str) -> None:
    equal(node, name)


@pytest.mark.parametrize("name", ["zfnet", "traps"])
def test_every_answer_in_a_page_from_the_disk_is_that_of_python(
    paged: PageEngine, name: str
) -> None:
    equal(paged, name)


@pytest.mark.parametrize("name", NETWORKS)
def test_ten_photos_give_the_same_maps_switches_strongest_classes_and_projections(
    paged: PageEngine, name: str
) -> None:
    net = network(name)
    recordings = [net.record(photo.open()) for photo in list(zf.samples().values())[:10]]
    last = [layer.name for layer in net.layers.values() if layer.kind == "conv"][-1]
    some = [neurons(recording, last) for recording in recordings]
    asked: list[list[list[Any]]] = [
        [
            ["classes", 5],
            ["maps", last],
            ["strongest", last],
            ["project", listed(few), methods()[0]],
            *asking_switches(recording),
        ]
        for recording, few in zip(recordings, some, strict=True)
    ]
    inputs = [recording.inputs for recording in recordings]
    found = paged.ask(page_net(net, exact=True), list(zip(inputs, asked, strict=True)))
    for recording, few, answers in zip(recordings, some, found, strict=True):
        classes, maps, strongest, projected, *pooled = answers.answers
        compare_classes(recording, classes)
        assert off(answers.array(maps), recording.feature_maps(last)) < NEAR
        compare_strongest(recording.feature_maps(last), recording.strongest(last), strongest)
        compare_switches(recording, answers, iter(pooled))
        expected = recording.project(few)
        for n, projection in enumerate(projected):
            assert off(answers.array(projection), expected.pixels[n]) < NEAR


def max_pools(net: zf.DeconvNet) -> list[str]:
    modules = dict(net.model.named_modules())
    return [
        layer.name
        for layer in net.layers.values()
        if isinstance(modules.get(layer.path), nn.MaxPool2d)
    ]


def asking_switches(recording: zf.Recording) -> list[list[Any]]:
    """The maps that each max pooling sees, and what it takes of them."""
    return [
        question
        for pool in max_pools(recording.net)
        for question in (["maps", recording.layers[pool].inputs[0]], ["switches", pool])
    ]


def compare_switches(recording: zf.Recording, answers: Answers, given: Iterator[Any]) -> None:
    """The page's maps are Python's, and every switch is the one that torch's pooling has of them.

    Where places of a window hold the same but for rounding, which differs from processor to
    processor, both engines may take another one. So the recording gets the page's switches here,
    and all that it sends back goes the page's way.
    """
    recording.net.check_way_back(recording.inputs)  # by its own
    for pool in max_pools(recording.net):
        layer = recording.layers[pool]
        module = recording.net.model.get_submodule(layer.path)
        assert isinstance(module, nn.MaxPool2d)
        before = recording.feature_maps(layer.inputs[0])
        maps = answers.array(next(given))
        assert off(maps, before) < NEAR, layer.inputs[0]
        _, index = F.max_pool2d(
            torch.from_numpy(maps.copy()).view(before.shape),
            module.kernel_size,
            module.stride,
            module.padding,
            module.dilation,
            module.ceil_mode,
            return_indices=True,
        )
        dilation = torch.tensor(module.dilation).expand(2).tolist()
        found = torch.from_numpy(answers.array(next(given)).copy()).view(index.shape)
        rows = torch.arange(layer.height)[:, None] * layer.stride[0] - layer.padding[0]
        cols = torch.arange(layer.width) * layer.stride[1] - layer.padding[1]
        row = rows + found.long() // layer.kernel[1] * dilation[0]
        col = cols + found.long() % layer.kernel[1] * dilation[1]
        assert torch.equal(row * before.shape[3] + col, index), pool
        there = before.flatten(2).gather(2, index.flatten(2)).view(index.shape)
        highest = recording.feature_maps(pool)
        assert float((highest - there).abs().max()) <= 1e-6 * float(highest.abs().max())
        rule = recording.call_of(pool).rule
        assert isinstance(rule, MaxPool)
        rule._codes = found.contiguous(memory_format=torch.channels_last)


def rectified(recording: zf.Recording) -> list[str]:
    """The layers that end with a rectifier whose slope is 0 or 1."""
    rules = {name: recording.call_of(name).rule for name in recording.net.layers}
    return [
        name
        for name, rule in rules.items()
        if isinstance(rule, Rectifier) and rule.input is None and rule.output is not None
    ]


def compare_slopes(recording: zf.Recording, answers: Answers, given: Iterator[Any]) -> None:
    """The same units let a gradient through; one that is 0 but for rounding goes the page's way."""
    for name in rectified(recording):
        rule = recording.call_of(name).rule
        assert isinstance(rule, Rectifier)
        assert rule.output is not None
        maps = rule.output.tensor
        found = torch.from_numpy(answers.array(next(given)).copy()).view(maps.shape)
        assert off(found.numpy().reshape(-1), maps) < NEAR, name
        other = (found > 0) != (maps > 0)
        assert float((found + maps)[other].sum()) <= 1e-6 * float(maps.max()), name
        rule.output.tensor = torch.where(other, found, maps)


# ------------------------------------------------------------------------------------ in a page


def test_the_same_bits_on_every_run_and_with_any_number_of_workers(
    paged: PageEngine,
) -> None:
    net = network("zfnet")
    recording = net.record(zf.sample("dogs").open())
    some = recording.strongest("conv5", list(range(0, 256, 8)))
    asked: list[list[Any]] = [["maps", "conv5"], ["project", listed(some), methods()[0]]]
    runs = []
    for cores in (1, 2, 2):
        paged.cores = cores
        assert paged.open(page_net(net)) == cores
        runs.append(paged.answer(recording.inputs, asked))
    for run in runs[1:]:
        assert all(
            np.array_equal(one, other)
            for one, other in zip(
                *(sorted_arrays(answers) for answers in (runs[0], run)), strict=True
            )
        )


def sorted_arrays(answers: Answers) -> list[Array]:
    """Maps, then projections in the order of the neurons, whichever was done first."""
    maps, projections = answers.answers
    return [answers.array(maps), *(answers.array(found) for found in projections)]


def test_damaged_weights_are_noticed(paged: PageEngine) -> None:
    net = page_net(network("traps"))
    damaged = bytearray(net.weights)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(Error, match="weights of traps are damaged: their SHA-256"):
        paged.open(replace(net, weights=bytes(damaged)))
    with pytest.raises(Error, match=r"damaged: \d+ bytes instead of"):
        paged.open(replace(net, weights=net.weights[:-4]))


def test_a_newer_photo_ends_what_was_asked_of_the_one_before(paged: PageEngine) -> None:
    net = network("zfnet")
    paged.open(page_net(net))
    said = paged.page.evaluate(
        """async () => {
            const photo = new Float32Array(3 * 224 * 224).map((_, n) => Math.sin(n / 9));
            const old = await engine.record(photo);
            const neurons = await old.strongest("conv5");
            const done = [];
            const taking = (async () => {
                for await (const { index } of old.project(neurons)) done.push(index);
            })();
            const waiting = engine.record(photo);
            const newest = engine.record(photo);
            const names = await Promise.all(
                [taking, waiting].map((p) => p.then(() => "done", (e) => e.name)));
            const recording = await newest;
            const [neuron] = await recording.strongest("conv5", [3]);
            let last = 0;
            for await (const _ of recording.project([neuron])) last += 1;
            return { names, done: done.length, last };
        }"""
    )
    assert said["names"] == ["Superseded", "Superseded"]
    assert said["done"] < 256
    assert said["last"] == 1


def test_an_aborted_question_ends_and_a_click_goes_before_what_waits(paged: PageEngine) -> None:
    paged.open(page_net(network("zfnet")))
    said = paged.page.evaluate(
        """async () => {
            const photo = new Float32Array(3 * 224 * 224).map((_, n) => Math.sin(n / 9));
            const recording = await engine.record(photo);
            const neurons = await recording.strongest("conv5");
            const stop = new AbortController();
            const order = [];
            const rule = { rule: "deconvnet", seed: "activation", unpool: "sum" };
            const all = (async () => {
                const options = { signal: stop.signal };
                for await (const { index } of recording.project(neurons, rule, options)) {
                    order.push(index);
                }
            })().then(() => "done", (e) => e.name);
            for await (const _ of recording.project([neurons[7]], rule, { urgent: true })) {
                order.push("click");
            }
            stop.abort();
            return { ended: await all, before: order.indexOf("click") };
        }"""
    )
    assert said["ended"] == "AbortError"
    assert said["before"] < 16


# ---------------------------------------------------------------------------------- preparation


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "nearest"])
@pytest.mark.parametrize("mode", ["crop", "squash", "fit"])
def test_a_photo_is_prepared_as_python_prepares_it(
    node: NodeEngine, mode: Any, interpolation: Any
) -> None:
    """Also photos that are smaller than the input, and grey networks; to the last bit."""
    variants = [
        zf.Preprocess(size=96, resize=113, mode=mode, interpolation=interpolation),
        zf.Preprocess(
            size=37, resize=37, mode=mode, interpolation=interpolation, channels="BGR", scale=255
        ),
        zf.Preprocess(
            size=50,
            resize=51,
            mode=mode,
            interpolation=interpolation,
            channels="L",
            mean=(0.4,),
            std=(0.2,),
        ),
    ]
    pictures = [zf.sample(name).open().convert("RGB") for name in ("cat", "drum")]
    pictures.append(pictures[0].resize((41, 29)))
    jobs, expected = [], []
    for preprocess in variants:
        for picture in pictures:
            rgba = np.asarray(picture.convert("RGBA"))
            jobs.append((rgba, asdict(preprocess)))
            expected.append(preprocess(picture).numpy().reshape(-1))
    for found, wanted in zip(node.prepared(jobs), expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
