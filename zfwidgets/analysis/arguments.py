"""What an analysis is asked for, checked: layers and classes."""

from __future__ import annotations

from collections.abc import Sequence

from zfwidgets.deconv import DeconvNet


def layer_names(layers: Sequence[str]) -> tuple[str, ...]:
    """Names of layers; one name alone is a list of one. Raises ValueError for none at all."""
    names = (layers,) if isinstance(layers, str) else tuple(layers)
    if not names:
        raise ValueError("0 layers: expected 1 or more, or None for the usual ones.")
    return names


def class_index(net: DeconvNet, label: int | str, classes: int) -> int:
    """The output of a class that is given by its number or its name in `net.categories`."""
    if isinstance(label, str):
        if label not in (net.categories or ()):
            raise ValueError(
                f"label={label!r} is no category of {net.name}; expected a name from "
                f"net.categories or a number from 0 to {classes - 1}."
            )
        return (net.categories or []).index(label)
    if not 0 <= label < classes:
        raise ValueError(f"label={label}: expected a number from 0 to {classes - 1}.")
    return int(label)
