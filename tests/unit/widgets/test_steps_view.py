"""StepsView: which steps there are, what is drawn of each, what leaving one out changes."""

from __future__ import annotations

import gc
import io
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import zfwidgets as zf
from zfwidgets.widgets import steps_view
from zfwidgets.widgets.core.rpc import worker
from zfwidgets.widgets.core.wire import sheet
from zfwidgets.widgets.steps_view import StepsView, pictures

KINDS = ["rectify", "filter", "unpool", "rectify", "filter"]


@pytest.fixture(scope="module")
def recording() -> zf.Recording:
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Conv2d(3, 20, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.Conv2d(20, 8, 3),
        nn.ReLU(),
    )
    return zf.DeconvNet(model, device="cpu").record(torch.randn(1, 3, 20, 24))


def view(recording: zf.Recording, **traits: Any) -> StepsView:
    return StepsView(recording, layer="conv2", channel=1, inline=True, **traits)


def asked(made: StepsView, index: int) -> tuple[dict[str, Any], list[bytes]]:
    """What the page gets when it asks for a step."""
    sent: list[tuple[Any, Any]] = []
    made._responder._send = lambda content, buffers=None: sent.append((content, buffers))  # type: ignore[union-attr]
    question = {"v": 1, "id": 1, "epoch": made._plan["epoch"], "op": "step", "index": index}
    made._responder.on_msg(made, question, [])  # type: ignore[union-attr]
    ((content, buffers),) = sent
    return content, [bytes(b) for b in buffers]


def pixels(data: bytes) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_the_plan_names_every_step_with_its_sizes(recording: zf.Recording) -> None:
    made = view(recording)
    assert made.status == "ready"
    assert [step["kind"] for step in made.plan] == KINDS
    assert [step["layer"] for step in made.plan] == ["conv2", "conv2", "pool1", "conv1", "conv1"]
    assert made.plan[2]["before"] == [20, 10, 12]
    assert made.plan[2]["after"] == [20, 20, 24]
    assert [step["optional"] for step in made.plan] == [True, False, True, True, False]
    assert made.plan[1]["kernel"] == [3, 3]
    steps = recording.steps(recording.strongest("conv2", channels=[1]))
    for told, step in zip(made.plan, steps, strict=True):
        assert told["zeros"][1] == pytest.approx(step.zeros)
        assert told["negative"] == pytest.approx(float((step.before < 0).double().mean()))


def test_a_step_is_drawn_with_the_same_channels_on_both_sides(recording: zf.Recording) -> None:
    made = view(recording)
    content, buffers = asked(made, 2)
    assert content["before"]["ids"] == content["after"]["ids"]
    step = recording.steps(recording.strongest("conv2", channels=[1]))[2]
    loud = step.before[0].abs().amax((1, 2))
    assert content["before"]["ids"] == loud.topk(12).indices.tolist()
    assert content["before"]["tile"] == [10, 12]
    assert content["after"]["tile"] == [20, 24]
    assert len(buffers) == 2
    assert (pixels(buffers[1])[:20, :24] == 255).all(2).mean() > 0.5, "mostly zero, so white"


@pytest.mark.parametrize("place", [(0, 0), (4, 5), (7, 9)])
def test_maps_are_shown_close_and_nothing_of_the_signal_is_cut_off(
    place: tuple[int, int],
) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3))
    large = zf.DeconvNet(model, device="cpu").record(torch.randn(1, 3, 42, 46))
    made = view(large, place=place)
    found = large.neurons("conv2", channel=1, row=place[0], col=place[1])
    sizes = []
    for index, step in enumerate(large.steps(found)):
        content, _ = asked(made, index)
        for name, signal in (("before", step.before), ("after", step.signal)):
            top, left, bottom, right = content[name]["part"]
            inside = signal[0, :, top:bottom, left:right]
            assert torch.count_nonzero(inside) == torch.count_nonzero(signal)
            assert bottom - top == right - left >= 7, "a square, however small the signal"
            assert 0 <= top < bottom <= signal.shape[2]
            assert 0 <= left < right <= signal.shape[3]
            sizes.append((bottom - top) / signal.shape[2])
        if step.before.shape[2:] == step.signal.shape[2:]:
            assert content["before"]["part"] == content["after"]["part"]
    assert max(sizes) < 0.5, "the signal of one neuron of an upper layer fills less than half"


def test_maps_that_are_alive_all_over_or_zero_are_shown_whole() -> None:
    part = pictures.Part
    assert part.of(torch.ones(2, 9, 12)) == part(0, 0, 9, 12)
    assert part.of(torch.zeros(2, 9, 12)) == part(0, 0, 9, 12)
    assert part.of(torch.ones(4096, 1, 1)) == part(0, 0, 1, 1)
    small = pictures.side(torch.ones(2, 5, 5), [0, 1], part.of(torch.ones(2, 5, 5)))
    assert small.message()[0]["part"] is None


def test_the_switches_that_are_drawn_are_those_of_the_pool(recording: zf.Recording) -> None:
    made = view(recording)
    drawn = asked(made, 2)[0]["switches"]
    step = recording.steps(recording.strongest("conv2", channels=[1]))[2]
    values, after = step.before[0, drawn["channel"]], step.signal[0, drawn["channel"]]
    assert len(drawn["cells"]) == drawn["rows"] * drawn["cols"] == 25
    total = torch.zeros_like(after)
    for cell in drawn["cells"]:
        assert cell["value"] == float(values[cell["row"], cell["col"]])
        assert cell["to"] == cell["switch"]
        assert 0 <= cell["to"][0] - 2 * cell["row"] < 3
        assert 0 <= cell["to"][1] - 2 * cell["col"] < 3
        total[tuple(cell["to"])] += cell["value"]
    inside = total != 0
    alone = inside & torch.isclose(total, after)
    assert alone.sum() >= inside.sum() // 2, "but for windows that meet others at the rim"


def test_the_filter_is_the_one_between_the_strongest_maps(recording: zf.Recording) -> None:
    content, buffers = asked(view(recording), 1)
    step = recording.steps(recording.strongest("conv2", channels=[1]))[1]
    assert content["filter"]["ids"] == [1]
    assert content["filter"]["tile"] == [3, 3]
    taker = int(step.signal[0].abs().amax((1, 2)).argmax())
    assert step.filters is not None
    weight = step.filters[1, taker]
    drawn = pixels(buffers[2]).astype(int)
    assert ((drawn[..., 0] > drawn[..., 2]) == (weight > 0).numpy())[weight.abs() > 1e-3].all()


def test_leaving_out_every_rectification_is_the_linear_rule(recording: zf.Recording) -> None:
    made = view(recording)
    before = made._plan["epoch"]
    assert made._way is not None
    assert len(made._way.results) == 1
    made.off = [step["name"] for step in made.plan if step["kind"] == "rectify"]
    assert made._plan["epoch"] > before
    assert [step["off"] for step in made.plan] == [True, False, False, True, False]
    linear = recording.project(recording.strongest("conv2", channels=[1]), rule="linear")
    every, without = made._way.results
    assert (without == linear.to_images(canvas=True)[0]).mean() > 0.999
    assert (every != without).any()
    made.channel = 2
    assert made.off, "another channel's way has the same steps"
    made.layer = "conv1"
    assert (made.off, len(made.plan)) == ([], 2)
    assert made.step <= 1


def test_another_layer_is_looked_at_where_the_channel_is_strongest(
    recording: zf.Recording,
) -> None:
    made = view(recording, place=(0, 3))
    assert (made._plan["row"], made._plan["col"]) == (0, 3)
    made.layer = "conv1"
    strongest = recording.strongest("conv1", channels=[1])
    assert made.place is None
    assert (made.status, made._plan["value"]) == ("ready", float(strongest.value[0]))


def test_an_unpooling_left_out_points_to_the_middle(recording: zf.Recording) -> None:
    made = view(recording)
    made.off = [made.plan[2]["name"]]
    drawn = asked(made, 2)[0]["switches"]
    assert all(cell["to"] == [2 * cell["row"] + 1, 2 * cell["col"] + 1] for cell in drawn["cells"])
    assert any(cell["to"] != cell["switch"] for cell in drawn["cells"])


def test_mistakes_are_shown_and_the_last_plan_stays(recording: zf.Recording) -> None:
    made = view(recording)
    plan = made._plan
    made.off = ["nothing"]
    assert made.status == "error"
    assert "can be left out" in made.error["message"]
    assert made._plan is plan
    made.off = []
    assert (made.status, made.error) == ("ready", {})


def test_nothing_is_shown_without_a_channel(recording: zf.Recording) -> None:
    made = StepsView(recording, layer="conv2", inline=True)
    assert (made.status, made.plan, made.contact_sheet()) == ("empty", [], None)


def test_units_of_fully_connected_layers_are_maps_of_one_place() -> None:
    maps = pictures.maps_of(torch.tensor([[1.0, -3.0, 2.0]]))
    assert maps.shape == (3, 1, 1)
    assert pictures.strongest(maps) == [1, 2, 0]


def test_equally_strong_maps_are_in_order_as_in_a_page_without_python() -> None:
    """Quantised filters make them so: a weight of one value at the same place of many kernels."""
    maps = torch.zeros(384, 3, 3)
    maps[20:380:20, 1, 1] = -0.25
    assert pictures.strongest(maps) == list(range(20, 380, 20))[: pictures.TILES]


def test_only_maps_that_are_not_zero_are_drawn(recording: zf.Recording) -> None:
    before = asked(view(recording), 0)[0]["before"]
    assert before["ids"] == [1], "one neuron of channel 1 is where the way begins"
    assert pictures.strongest(torch.zeros(3, 2, 2)) == [0], "of all-zero maps, one"


def test_the_static_picture_has_every_step(recording: zf.Recording) -> None:
    sheet = view(recording).contact_sheet()
    assert sheet is not None
    assert pixels(sheet).shape[1] > 300


@pytest.mark.parametrize(("change", "shown"), [({"recording": None}, []), ({"channel": 2}, [2])])
def test_what_is_no_longer_asked_for_once_it_is_drawn_is_not_shown(
    recording: zf.Recording,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    change: dict[str, Any],
    shown: list[int],
) -> None:
    made, left = StepsView(layer="conv2", channel=1), [change]
    channels: list[int] = []
    made.observe(lambda told: channels.extend([told.new["channel"]] if told.new else []), "_plan")

    def and_changed(*args: Any) -> Any:
        for name, value in left.pop().items() if left else ():
            setattr(made, name, value)
        return sheet(*args)

    monkeypatch.setattr(steps_view, "sheet", and_changed)
    made.recording = recording
    worker().join()
    assert (channels, made.status) == (shown, "ready" if shown else "empty")
    assert caplog.records == []
    made.close()


def test_closing_lets_go_of_the_recording() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    made = zf.DeconvNet(model, device="cpu").record(torch.randn(1, 3, 8, 8))
    steps = StepsView(made, layer="conv1", channel=0)
    worker().join()
    references: list[weakref.ref[Any]] = [weakref.ref(made), weakref.ref(steps)]
    steps.close()
    del made, steps
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_a_page_needs_a_recording_to_begin_with(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="without a recording"):
        StepsView().to_html(tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()
