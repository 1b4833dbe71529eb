"""LayerSelector: what it takes for a layer, what it chooses, what it refuses."""

from __future__ import annotations

import pytest
import traitlets

from tests.unit.widgets.fakes import FakeNet
from zfwidgets.widgets.layer_selector import LayerSelector


def names(selector: LayerSelector) -> list[str]:
    return [layer["name"] for layer in selector.layers]


def test_a_network_is_shown_in_its_order_with_its_shapes() -> None:
    selector = LayerSelector(FakeNet())
    assert names(selector) == ["conv1", "pool1", "conv2", "fc3"]
    assert selector.layers[2] == {
        "name": "conv2",
        "kind": "conv",
        "channels": 6,
        "height": 4,
        "width": 4,
        "kernel": [3, 3],
        "stride": [1, 1],
        "padding": [1, 1],
        "receptive_field": [8, 8],
        "jump": [4, 4],
        "inputs": ["pool1"],
    }


def test_only_the_name_of_a_layer_is_needed() -> None:
    selector = LayerSelector(layers=[{"name": "a"}, {"name": "b", "kernel": 5}])
    assert names(selector) == ["a", "b"]
    assert selector.layers[0]["channels"] is None
    assert selector.layers[1]["kernel"] == [5, 5]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([("conv4", "conv"), ("conv5", "conv"), ("conv6", "conv")], "conv5"),
        ([("a", "conv"), ("b", "conv"), ("fc", "linear")], "b"),
        ([("a", "linear"), ("b", "linear")], "b"),
        ([], ""),
    ],
)
def test_the_first_choice_is_the_most_telling_layer(
    layers: list[tuple[str, str]], expected: str
) -> None:
    entries = [{"name": name, "kind": kind} for name, kind in layers]
    assert LayerSelector(layers=entries).value == expected


def test_an_unknown_layer_is_refused_with_the_known_ones_named() -> None:
    selector = LayerSelector(FakeNet())
    with pytest.raises(traitlets.TraitError, match=r"'conv9'.*conv1, pool1, conv2, fc3"):
        selector.value = "conv9"
    assert selector.value == "conv2"
    with pytest.raises(traitlets.TraitError, match="conv9"):
        LayerSelector(FakeNet(), value="conv9")


def test_layers_without_a_name_or_with_the_same_are_refused() -> None:
    with pytest.raises(traitlets.TraitError, match="without a name"):
        LayerSelector(layers=[{"kind": "conv"}])
    with pytest.raises(traitlets.TraitError, match="a more than once"):
        LayerSelector(layers=[{"name": "a"}, {"name": "a"}])


def test_another_network_keeps_the_choice_if_it_can() -> None:
    selector = LayerSelector(FakeNet(), value="pool1")
    selector.layers = [{"name": "pool1"}, {"name": "conv7", "kind": "conv"}]
    assert selector.value == "pool1"
    selector.layers = [{"name": "x"}, {"name": "conv8", "kind": "conv"}]
    assert selector.value == "conv8"


def test_a_net_and_layers_at_once_are_a_mistake() -> None:
    with pytest.raises(TypeError, match="one of them"):
        LayerSelector(FakeNet(), layers=[])


def test_unknown_arguments_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="colour"):
        LayerSelector(FakeNet(), colour="red")


def test_the_choice_can_be_linked_by_hand() -> None:
    one, two = LayerSelector(FakeNet()), LayerSelector(FakeNet())
    link = traitlets.link((one, "value"), (two, "value"))
    one.value = "conv1"
    assert two.value == "conv1"
    two.value = "fc3"
    assert one.value == "fc3"
    link.unlink()
