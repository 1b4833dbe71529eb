"""What an analysis is asked for: layers and classes, checked; shared options, told."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, get_type_hints

from torch import Tensor

from zfwidgets.deconv import DeconvNet

_Function = TypeVar("_Function", bound=Callable[..., Any])


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


def check_finite(maps: Tensor, layer: str, on: str) -> None:
    """Raise ValueError for maps [B, C, H, W] with NaN or infinite values.

    on: which pictures they are of, for the message.
    """
    if maps.numel() and all(end.isfinite() for end in maps.aminmax()):
        return  # nearly always, and sooner than by asking each number
    wrong = (~maps.isfinite()).transpose(0, 1).flatten(1).any(1).nonzero().flatten().tolist()
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {maps.shape[1]} channels of layer {layer!r}, the first of them "
            f"{wrong[0]}, have NaN or infinite values on {on}; expected finite ones. Look for NaN "
            "or infinite values in the network's weights and in the pictures."
        )


def told(options: type, taker: Callable[..., Any]) -> Callable[[_Function], _Function]:
    """Tell of ``**options`` one by one in a function's signature, for help() and completion.

    options: the TypedDict of their names. taker: what they are passed on to; its defaults count.
    """
    defaults = inspect.signature(taker).parameters
    single = [
        defaults[name].replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name in get_type_hints(options)
    ]

    def tell(function: _Function) -> _Function:
        signature = inspect.signature(function)
        *own, _together = signature.parameters.values()
        function.__signature__ = signature.replace(parameters=[*own, *single])  # type: ignore[attr-defined]
        return function

    return tell
