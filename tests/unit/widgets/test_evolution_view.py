"""EvolutionView: what the page gets is what `evolution` says, and other widgets can follow it."""

from __future__ import annotations

import gc
import io
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from torch import Tensor, nn

from zfwidgets.analysis.evolution import evolution
from zfwidgets.analysis.recorder import EvolutionRecorder
from zfwidgets.deconv.checkpoints import Checkpoints
from zfwidgets.widgets.evolution_view import EvolutionView

STEPS = (0, 10, 100)


def pictures() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {f"photo {i}": torch.randn(3, 20, 20, generator=generator) for i in range(5)}


@pytest.fixture
def run(tmp_path: Path) -> Checkpoints:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 12, 3), nn.ReLU()
    )
    recorder = EvolutionRecorder(tmp_path, model, at=STEPS)
    for step in STEPS:
        recorder.step(step)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return recorder.checkpoints()


@pytest.fixture
def view(run: Checkpoints) -> Iterator[EvolutionView]:
    made = EvolutionView(run, pictures(), photo=pictures()["photo 3"])
    assert made.wait(60)
    yield made
    made.close()


def tiles(view: EvolutionView) -> np.ndarray[Any, Any]:
    """The sheet of the page cut into [T * C, h, w, 3]."""
    page = view._page
    (height, width), columns = page["sheet"]["tile"], page["sheet"]["columns"]
    sheet = np.asarray(Image.open(io.BytesIO(page["picture"])).convert("RGB"))
    cut = [
        sheet[
            i // columns * height : (i // columns + 1) * height,
            i % columns * width : (i % columns + 1) * width,
        ]
        for i in page["sheet"]["ids"]
    ]
    return np.stack(cut)


def test_it_begins_at_the_end_with_channels_from_all_over_the_layer(view: EvolutionView) -> None:
    assert view.status == "ready"
    assert view.steps == list(STEPS)
    assert view.step == 100
    assert view.layers == ["conv1", "conv2"]
    assert (view.layer, view.count) == ("conv2", 12)
    assert len(view.channels) == 8
    assert max(view.channels) > 8


def test_the_table_is_what_evolution_gives(view: EvolutionView, run: Checkpoints) -> None:
    expected = evolution(run, pictures(), "conv2", view.channels, progress=False)
    page = view._page
    assert np.allclose(page["value"], expected.value)
    names = [[page["ids"][i] for i in row] for row in page["image"]]
    assert names == [[expected.ids[i] for i in row] for row in expected.image.tolist()]
    assert page["jumps"] == expected.jumps.tolist()
    shown = np.concatenate([one.to_images() for one in expected.projections])
    assert np.array_equal(tiles(view), shown)


def test_patches_and_filters_are_shown_on_request(view: EvolutionView, run: Checkpoints) -> None:
    view.mode = "patch"
    assert view.wait(60)
    assert view.evolution is not None
    assert np.array_equal(tiles(view), view.evolution.patches.reshape(tiles(view).shape))
    view.mode = "filter"
    assert view.wait(60)
    assert view._page["mode"] == "projection"  # conv2 sees no colours
    assert not view._page["filters"]
    view.layer = "conv1"
    assert view.wait(60)
    assert view._page["mode"] == "filter"
    weights = run[1].model.get_parameter("0.weight")
    tile = tiles(view)[1 * 4 + 2].astype(float) - 128
    gain = run[1].to_rgb(weights)[2].permute(1, 2, 0).numpy()
    assert np.corrcoef(tile.ravel(), gain.ravel())[0, 1] > 0.99


def test_another_layer_has_other_channels(view: EvolutionView) -> None:
    view.set_trait("active", 11)
    view.layer = "conv1"
    assert view.wait(60)
    assert (view.count, view.channels) == (4, [0, 1, 2, 3])
    assert view.active is None
    view.layer = "conv7"
    assert view.layer == "conv1"
    assert "conv7" in view.error["message"]


def test_a_channel_that_does_not_exist_is_said_and_the_table_stays(view: EvolutionView) -> None:
    before = view._page
    view.channels = [3, 12]
    assert view.wait(60)
    assert "0 to 11" in view.error["message"]
    assert view.status == "error"
    assert view._page is before
    view.channels = [3, 11]
    assert view.wait(60)
    assert view.error == {}
    assert view._page["channels"] == [3, 11]


@pytest.mark.parametrize(("asked", "given"), [(10, 10), (99, 10), (5000, 100), (-4, 0)])
def test_a_step_becomes_the_checkpoint_last_before_it(
    view: EvolutionView, asked: int, given: int
) -> None:
    view.step = asked
    assert view.step == given


def test_network_and_recording_follow_the_step(view: EvolutionView, run: Checkpoints) -> None:
    photo = pictures()["photo 3"]
    for step in STEPS:
        view.step = step
        assert view.wait(60)
        assert view.net is run.at(step)
        expected = run.at(step).record(photo[None]).feature_maps("conv2")
        assert torch.equal(view.recording.feature_maps("conv2"), expected)
    before = view.recording
    view.step = 0
    view.wait(60)
    view.step = 100
    view.wait(60)
    assert view.recording is before


def test_a_new_photo_is_recorded(view: EvolutionView) -> None:
    view.photo = torch.zeros(3, 20, 20)
    assert view.wait(60)
    assert not view.recording.inputs.any()


def test_an_error_goes_with_what_caused_it(view: EvolutionView) -> None:
    view.photo = "/no/such/photo.jpg"
    assert view.wait(60)
    assert view.error
    view.photo = pictures()["photo 1"]
    assert view.wait(60)
    assert view.error == {}
    view.channels = [99]
    assert view.wait(60)
    refused = view.error
    assert "99" in refused["message"]
    view.step = 0
    assert view.wait(60)
    assert view.error == refused, "that of the table stays"


def test_two_views_share_one_time(run: Checkpoints, view: EvolutionView) -> None:
    other = EvolutionView(run, pictures(), layer="conv1")
    link = ipywidgets.link((view, "step"), (other, "step"))
    view.step = 10
    assert other.step == 10
    other.step = 0
    assert view.step == 0
    link.unlink()
    other.close()


def test_what_it_does_not_understand_is_refused(run: Checkpoints) -> None:
    with pytest.raises(TypeError, match="bundled network"):
        EvolutionView(42)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="conv1, conv2"):
        EvolutionView(run, pictures(), layer="conv3")
    with pytest.raises(TypeError, match="unknown argument"):
        EvolutionView(run, pictures(), speed=3)
    with pytest.raises(traitlets.TraitError):
        EvolutionView(run, pictures(), mode="gradient")


def test_pictures_that_cannot_be_read_are_said(run: Checkpoints, tmp_path: Path) -> None:
    view = EvolutionView(run, [tmp_path / "gone.png"], photo=torch.zeros(3, 20, 20))
    assert view.wait(60)
    assert view.status == "error"
    assert "gone.png" in str(view.error)
    view.close()


def test_it_has_a_picture_for_places_without_a_kernel(view: EvolutionView) -> None:
    png = view.contact_sheet()
    assert png is not None
    with Image.open(io.BytesIO(png)) as sheet:
        assert min(sheet.size) > 200
    assert view.plain_text() == "EvolutionView(conv2: 8 channels at 3 checkpoints, step 100)"


def test_it_speaks_korean(run: Checkpoints) -> None:
    view = EvolutionView(run, pictures(), locale="ko")
    assert view._strings["play"] == "재생"
    view.close()


def test_closing_lets_go_of_everything(run: Checkpoints) -> None:
    view = EvolutionView(run, pictures(), photo=torch.zeros(3, 20, 20))
    view.wait(60)
    widget, net = weakref.ref(view), weakref.ref(view.net)
    view.close()
    view.close()
    del view
    gc.collect()
    assert widget() is None
    assert net() is None


def test_closing_while_it_computes_is_quiet(run: Checkpoints) -> None:
    view = EvolutionView(run, pictures())
    view.close()
    assert view.wait(60)
