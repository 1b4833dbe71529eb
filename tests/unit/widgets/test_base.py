"""What all widgets share: bundles, refused keywords, errors, threads, nothing left behind."""

from __future__ import annotations

import gc
import re
import threading
import weakref
from typing import Any

import pytest
import traitlets as t

from zfwidgets.widgets.core import base
from zfwidgets.widgets.core.base import STATIC, ZFWidget

MOST_BYTES = 60 * 1024


class Lamp(ZFWidget):
    """A widget without a page."""

    _esm = "export default {}"
    brightness = t.Int(0, min=0).tag(sync=True)
    colour = t.Unicode("").tag(sync=True)


def test_an_unknown_keyword_is_refused_with_what_there_is() -> None:
    with pytest.raises(TypeError, match=r"brigthness; it understands brightness, colour, error"):
        Lamp(brigthness=3)


def test_every_bundle_is_small_and_loads_nothing() -> None:
    bundles = [*STATIC.glob("*.js"), *STATIC.glob("*.css")]
    assert len(bundles) >= 2
    for path in bundles:
        text = path.read_text(encoding="utf-8")
        # The exported page's own module and the engine stand in files of megabytes alone.
        alone = path.name in ("page.js", "engine.js")
        most = MOST_BYTES * 4 // 3 if alone else MOST_BYTES
        assert len(text.encode()) <= most, path.name
        # The engine's code comes from Python, as bytes.
        if path.name == "page-engine.js":
            text = re.sub(r"\bimport\(\w+\)", "", text, count=1)
        for remote in ("http://", "https://", "import(", "@import", "url(http"):
            assert remote not in text.replace("http://www.w3.org/2000/svg", ""), path.name


def test_a_missing_bundle_says_how_to_build_it() -> None:
    with pytest.raises(FileNotFoundError, match="make bundles"):
        base.bundle("no-such-widget", "js")


def test_an_error_is_shown_until_it_is_cleared() -> None:
    lamp = Lamp()
    lamp.fail(ValueError("got 5 lamps, expected 1"))
    assert lamp.error["message"] == "got 5 lamps, expected 1"
    lamp.clear_error()
    assert lamp.error == {}


def test_traits_set_together_travel_together(monkeypatch: pytest.MonkeyPatch) -> None:
    lamp = Lamp()
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(lamp, "_send", lambda message, **_: sent.append(message["state"]))
    with lamp.hold_sync():
        lamp.brightness = 3
        lamp.colour = "red"
    assert sent == [{"brightness": 3, "colour": "red"}]


def test_no_change_is_lost_when_many_threads_set_traits(monkeypatch: pytest.MonkeyPatch) -> None:
    lamps = [Lamp() for _ in range(2)]
    shown: list[dict[str, Any]] = [{}, {}]
    for lamp, state in zip(lamps, shown, strict=True):
        monkeypatch.setattr(
            lamp, "_send", lambda message, state=state, **_: state.update(message["state"])
        )
    # Two linked widgets, set from both ends: with a lock for each this would stand still.
    t.link((lamps[0], "brightness"), (lamps[1], "brightness"))
    start = threading.Barrier(4)

    def work(lamp: Lamp, first: int) -> None:
        start.wait()
        for i in range(300):
            with lamp.hold_sync():
                lamp.brightness = first + i
            lamp.set_state({"colour": str(first + i)})

    threads = [
        threading.Thread(target=work, args=(lamps[i % 2], 1000 * i), daemon=True) for i in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    for lamp, state in zip(lamps, shown, strict=True):
        assert state["brightness"] == lamp.brightness


def test_closing_leaves_nothing() -> None:
    gone = []
    for _ in range(5):
        lamp = Lamp(brightness=2)
        gone.append(weakref.ref(lamp))
        lamp.close()
        del lamp
    gc.collect()
    assert [ref() for ref in gone] == [None] * 5


def test_a_static_picture_comes_along_unless_it_is_unwanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("VSCODE_PID", "VSCODE_CWD", "ZFWIDGETS_STATIC"):
        monkeypatch.delenv(name, raising=False)
    lamp = Lamp()
    monkeypatch.setattr(lamp, "contact_sheet", lambda: b"png")

    def mimes() -> set[str]:
        made = lamp._repr_mimebundle_()
        assert made is not None
        return set(made[0])

    assert mimes() == {"application/vnd.jupyter.widget-view+json", "text/plain", "image/png"}
    monkeypatch.setenv("VSCODE_PID", "1")
    assert "image/png" not in mimes()
    monkeypatch.setenv("ZFWIDGETS_STATIC", "1")
    assert "image/png" in mimes()
    monkeypatch.setenv("ZFWIDGETS_STATIC", "0")
    assert "image/png" not in mimes()
