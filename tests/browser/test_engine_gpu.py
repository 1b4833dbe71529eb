"""The engine on a graphics processor that Chromium simulates: the same answers, by WebGPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser

import zfwidgets as zf
from tests.browser.conftest import FLAGS, chromium_path, new_page
from tests.browser.engine import PageEngine
from tests.browser.test_engine import (
    NEAR,
    compare,
    listed,
    max_pools,
    methods,
    network,
    neurons,
    off,
    questions,
)
from tests.browser.test_engine_nets import network as kind_of_network
from zfwidgets.page import page_net

_ACCELERATE = """async (use) => {
  const weights = document.querySelector("#weights").textContent;
  window.lost = [];
  return await zfEngine.accelerate(engine, weights, use, (why) => lost.push(why));
}"""

_UNTIL_LOST = """async () => {
  let maps = null;
  while (!lost.length) maps = await old.featureMaps("conv1");
  return [...maps];
}"""


@pytest.fixture
def simulating(chromium: Browser) -> Iterator[Browser]:
    """A Chromium with WebGPU, only the processor behind it; one a test, for it may be lost."""
    flags = [*FLAGS, "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    browser = chromium.browser_type.launch(executable_path=chromium_path(), args=flags)
    yield browser
    browser.close()


def opened(browser: Browser, folder: Path, net: zf.DeconvNet, use: str) -> tuple[PageEngine, Any]:
    """The engine with one worker, and what the graphics processor does."""
    paged = PageEngine(new_page(browser, offline=True), folder, cores=1)
    paged.open(page_net(net, exact=True))
    return paged, paged.page.evaluate(_ACCELERATE, use)


@pytest.mark.parametrize("name", ["traps", "vgg"])
def test_every_answer_is_that_of_python(simulating: Browser, tmp_path: Path, name: str) -> None:
    net = network(name) if name == "traps" else kind_of_network(name)
    recording = net.record(zf.sample("cat").open())
    paged, does = opened(simulating, tmp_path, net, "always")
    assert does["records"]
    assert does["projects"]
    answers = paged.answer(recording.inputs, questions(recording))
    compare(recording, answers)
    asked: list[list[Any]] = [["switches", pool] for pool in max_pools(net)]
    on_gpu = paged.answer(recording.inputs, asked)
    workers = PageEngine(new_page(simulating), tmp_path, cores=1)
    (on_cpu,) = workers.ask(page_net(net, exact=True), [(recording.inputs, asked)])
    assert len(on_gpu.arrays) > 1
    for one, other in zip(on_gpu.arrays, on_cpu.arrays, strict=True):
        assert np.array_equal(one, other)
    assert paged.page.evaluate("lost") == []


def test_the_same_bits_on_every_run(simulating: Browser, tmp_path: Path) -> None:
    net = network("traps")
    recording = net.record(zf.sample("cat").open())
    paged, _ = opened(simulating, tmp_path, net, "always")
    asked: list[list[Any]] = [
        ["maps", "conv6"],
        ["map", "conv6", 1, methods()[0]],
        ["project", listed(neurons(recording, "conv6")), methods()[3]],
    ]
    one, other = (paged.answer(recording.inputs, asked) for _ in range(2))
    assert len(one.arrays) == 4
    for a, b in zip(one.arrays, other.arrays, strict=True):
        assert np.array_equal(a, b)


def test_a_graphics_processor_that_is_lost_is_replaced_by_the_workers(
    simulating: Browser, tmp_path: Path
) -> None:
    """The photo stays, what was under way is answered, and someone is told why."""
    net = network("traps")
    recording = net.record(zf.sample("cat").open())
    paged, does = opened(simulating, tmp_path, net, "always")
    assert does["records"]
    asked: list[list[Any]] = [
        ["maps", "conv6"],
        ["project", listed(neurons(recording, "conv6")), methods()[0]],
    ]
    paged.answer(recording.inputs, asked)
    paged.page.evaluate(
        "async (n) => { window.old = await engine.record(new Float32Array(n)); }",
        recording.inputs.numel(),
    )
    simulating.new_browser_cdp_session().send("Browser.crashGpuProcess")
    found = paged.page.evaluate(_UNTIL_LOST)
    zeros = net.record(recording.inputs * 0)
    assert off(np.asarray(found, np.float32), zeros.feature_maps("conv1")) < NEAR
    (why,) = paged.page.evaluate("lost")
    assert why["key"] == "gpu_lost"
    answers = paged.answer(recording.inputs, asked)
    maps, projected = answers.answers
    assert off(answers.array(maps), recording.feature_maps("conv6")) < NEAR
    expected = recording.project(neurons(recording, "conv6"))
    for n, found in enumerate(projected):
        assert off(answers.array(found), expected.pixels[n]) < NEAR


@pytest.mark.parametrize(
    ("use", "why"),
    [("faster", "gpu_simulated"), ("never", "gpu_unasked")],
)
def test_a_simulated_one_is_asked_only_if_someone_insists(
    simulating: Browser, tmp_path: Path, use: str, why: str
) -> None:
    _, does = opened(simulating, tmp_path, network("traps"), use)
    assert not does["records"]
    assert not does["projects"]
    assert does["why"]["key"] == why


def test_without_one_the_workers_compute_and_the_reason_is_said(
    chromium: Browser, tmp_path: Path
) -> None:
    net = network("traps")
    recording = net.record(zf.sample("cat").open())
    paged, does = opened(chromium, tmp_path, net, "always")
    assert not does["records"]
    assert does["why"]["key"] in ("gpu_browser", "gpu_none")
    answers = paged.answer(recording.inputs, [["maps", "conv6"]])
    assert off(answers.arrays[0], recording.feature_maps("conv6")) < NEAR
