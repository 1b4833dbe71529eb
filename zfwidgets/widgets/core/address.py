"""A place for every neuron: what an Inspector shows, as a dictionary and as an address.

    #net=zfnet&photo=cat&layer=conv5&channel=70&at=4,3&rule=deconvnet&mode=projection

Exported pages and sites open with it and keep it up to date (js/src/page/address.ts). All parts may
be left out; `at` is row and column on the layer's map.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

KEYS = ("net", "photo", "layer", "channel", "at", "rule", "mode")


def read(address: str | Mapping[str, Any]) -> dict[str, Any]:
    """The state that an address, or the part of it after "#", or a dictionary says.

    Raises:
        TypeError: it is neither text nor a dictionary.
        ValueError: it says something else, or a channel or place that is no number.
    """
    if isinstance(address, str):
        _, mark, text = address.rpartition("#")
        if "://" in text and not mark:
            text = ""  # a page's address, and nothing said of what it shows
        said: Mapping[str, Any] = dict(parse_qsl(text, keep_blank_values=True))
        if not said:
            raise ValueError(f"state={address!r}: expected e.g. '#layer=conv5&channel=70&at=4,3'")
    elif isinstance(address, Mapping):
        said = {key: value for key, value in address.items() if value is not None}
    else:
        raise TypeError(f"state={address!r:.60}: expected an address or a dictionary")
    if unknown := [key for key in said if key not in KEYS]:
        raise ValueError(f"state has {unknown[0]!r}; expected some of {', '.join(KEYS)}")
    state = {key: said[key] for key in KEYS if key in said}
    if "channel" in state:
        (state["channel"],) = _numbers("channel", state["channel"], 1)
    if "at" in state:
        state["at"] = _numbers("at", state["at"], 2)
    return state


def write(state: Mapping[str, Any]) -> str:
    """The state as the end of an address, with its "#"; what is None is left out."""
    said = {key: state[key] for key in KEYS if state.get(key) is not None}
    if "at" in said:
        said["at"] = ",".join(str(number) for number in said["at"])
    return "#" + urlencode(said, safe=",", quote_via=quote)


def _numbers(key: str, value: Any, count: int) -> tuple[int, ...]:
    given = value.split(",") if isinstance(value, str) else value
    listed = [*given] if isinstance(given, (list, tuple)) else [given]
    if len(listed) != count or not all(re.fullmatch(r"\d{1,6}", str(one)) for one in listed):
        wanted = "a number such as 70" if count == 1 else "a row and a column such as 4,3"
        raise ValueError(f"state has {key}={value!r}; expected {wanted}")
    return tuple(int(one) for one in listed)
