"""What an analysis is given: networks, layers, classes, checked; shared options, told."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar, get_type_hints

from torch import Tensor

from zfwidgets.deconv import DeconvNet

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Kind:
    """What an argument may be: what can do so much, whatever its class; or a name; or several."""

    has: str
    expected: str
    named: bool = False
    several: bool = False

    def suits(self, value: Any) -> bool:
        """Whether a value is of the kind; `Checkpoints` and their like are not read for that."""
        if isinstance(value, str):
            return self.named
        if self.several and isinstance(value, list | tuple):
            return all(hasattr(one, self.has) for one in value)
        return hasattr(value, self.has) or (self.several and hasattr(value, "__iter__"))


_NETWORK = "zf.load('zfnet'), zf.DeconvNet(model), or the net of a recording"
NETWORK = Kind("record", f"a DeconvNet: {_NETWORK}")
NETWORK_OR_NAME = Kind("record", f"a name, or a DeconvNet: {_NETWORK}", named=True)
NETWORKS = Kind("record", f"a DeconvNet, or several: {_NETWORK}", several=True)
RECORDING = Kind("feature_maps", "a Recording, as net.record(photo) gives it")
EXEMPLARS = Kind("scanned", "Exemplars, as zf.exemplars(net, images, layer='conv5') gives them")


def takes(**kinds: Kind) -> Callable[[Callable[_Given, _Found]], Callable[_Given, _Found]]:
    """Refuse in words what is not of the kind that a function takes, by the argument's name.

    The function raises TypeError then: what was given, and how to come by what was expected.
    """

    def decorate(function: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
        signature = inspect.signature(function)

        @wraps(function)
        def checked(*args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
            try:
                given = signature.bind_partial(*args, **kwargs).arguments
            except TypeError:  # Python says that itself, below
                given = {}
            for name, kind in kinds.items():
                if name in given and not kind.suits(given[name]):
                    raise TypeError(
                        f"{function.__name__}() got {given[name]!r:.60} as {name}; "
                        f"expected {kind.expected}."
                    )
            return function(*args, **kwargs)

        return checked

    return decorate


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
