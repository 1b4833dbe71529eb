"""What is drawn of a scan is what was found."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.unit.analysis.test_scan import labels, network, pictures
from zfwidgets.analysis import Scan, scan


@pytest.fixture(scope="module")
def found() -> Scan:
    return scan(network(), pictures(), k=4, labels=labels(), progress=False)


def test_the_report_card_draws_the_lorenz_curves_and_the_averages(found: Scan) -> None:
    skew, wasted, sparsity = found.usage.plot().axes
    curve = np.asarray(skew.lines[1].get_ydata())
    energy = found.usage["conv1"].energy.sort()[0]
    assert curve[0] == 0
    assert curve[1:] == pytest.approx((energy.cumsum(0) / energy.sum()).numpy())
    # The area between a Lorenz curve and the diagonal is half the Gini coefficient.
    area = float((curve[1:] + curve[:-1]).sum()) / 2 / (len(curve) - 1)
    assert 1 - 2 * area == pytest.approx(found.usage["conv1"].gini)
    assert [text.get_text() for text in wasted.get_yticklabels()] == ["conv1 (5)", "conv2 (4)"]
    lifetime = [float(one.lifetime.mean()) for one in found.usage.layers.values()]
    assert np.asarray(sparsity.lines[0].get_ydata()).tolist() == pytest.approx(lifetime)


def test_the_card_of_a_layer_draws_every_channels_share(found: Scan) -> None:
    energy, _ = found.usage["conv2"].plot().axes
    heights = [bar.get_height() for bar in energy.patches]  # type: ignore[attr-defined]
    expected = found.usage["conv2"].energy.sort(descending=True)[0]
    assert heights == pytest.approx((expected / expected.sum()).tolist())


def test_a_panel_is_drawn_as_projections_then_patches(found: Scan) -> None:
    net, photos = network(), pictures()
    one = found.exemplars["conv1"]
    figure = one.plot(net, photos, [3])
    drawn = np.asarray(figure.axes[0].images[0].get_array())
    patches, _ = one.patches(net, photos, 3)
    assert drawn.shape[:2] == (8, 2 * 8 + 6)  # 2 x 2 pictures of 3 x 3 pixels, 2 apart
    assert np.array_equal(drawn[:3, 14:17, :3], patches[0])
    assert np.array_equal(drawn[5:, 19:, :3], patches[3])


def test_the_table_has_a_row_per_channel_and_picture(found: Scan) -> None:
    frame = found.exemplars["conv2"].to_frame()
    assert len(frame) == 4 * 4
    name, row, col, value = found.exemplars["conv2"].of(2)[1]
    assert frame.loc[(2, 1)].tolist() == [name, row, col, value]
    assert torch.tensor(frame["value"].to_numpy()).isfinite().all()
