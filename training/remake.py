"""What hangs on the bundled weights, made anew when they are, and a record of what is of which.

Each thing says which networks it is made from, and whether it shows the gallery. `made-of.json`
keeps the fingerprints of what each was last made from; a test fails while one of them is of other
weights, or another gallery, than those that ship.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.workshop import ROOT, WEIGHTS, Workshop
from zfwidgets.analysis.shipped import SCANS
from zfwidgets.analysis.shipped import make as make_scan
from zfwidgets.analysis.synthesized import SHEETS
from zfwidgets.analysis.synthesized import make as make_sheets
from zfwidgets.deconv.load import load
from zfwidgets.images import gallery
from zfwidgets.nets.fingerprint import fingerprint

RECORD = Path(__file__).with_name("made-of.json")
NETS = ("zfnet", "alexnet")
GALLERY = "gallery"


@dataclass(frozen=True)
class Thing:
    """Something that ships and was made from weights; `make` makes it."""

    name: str
    files: tuple[str, ...]  # relative to the checkout
    of: tuple[str, ...]  # networks, and GALLERY for what shows its photographs
    make: Callable[[Workshop], None]


def _target(name: str) -> Callable[[Workshop], None]:
    def made(_shop: Workshop) -> None:
        subprocess.run(["make", name], cwd=ROOT, check=True)

    return made


def _scan(net: str) -> Callable[[Workshop], None]:
    return lambda _shop: make_scan(load(net), SCANS / f"{net}.safetensors")


def _sheets(net: str) -> Callable[[Workshop], None]:
    return lambda _shop: make_sheets(load(net), SHEETS / f"{net}.safetensors")


def _weights(*names: str) -> tuple[str, ...]:
    return tuple(f"zfwidgets/nets/weights/{name}" for name in names)


THINGS = (
    Thing(
        "evolution",
        _weights("zfnet-evolution.safetensors"),
        ("zfnet",),
        Workshop.export_evolution,
    ),
    # What is made from the weights alone comes here, before the cards and the picture that show
    # it; the words for channels are to follow the scans.
    *(
        Thing(
            f"scan of {net}",
            (f"zfwidgets/analysis/scans/{net}.safetensors",),
            (net, GALLERY),
            _scan(net),
        )
        for net in NETS
    ),
    *(
        Thing(
            f"synthesised pictures of {net}",
            (f"zfwidgets/analysis/sheets/{net}.safetensors",),
            (net,),
            _sheets(net),
        )
        for net in NETS
    ),
    Thing(
        "cards",
        _weights(*(f"{net}.md" for net in NETS), "figures"),
        (*NETS, GALLERY),
        lambda shop: shop.evaluate(list(NETS)),
    ),
    Thing("picture", ("docs/inspector.png",), ("zfnet",), _target("picture")),
    Thing("pictures of the widgets", ("docs/pictures",), (*NETS, GALLERY), _target("pictures")),
)


def made_of(record: Path = RECORD) -> dict[str, dict[str, str]]:
    """Of each thing, the fingerprints of what it was last made from, by name."""
    found: dict[str, dict[str, str]] = json.loads(record.read_text()) if record.exists() else {}
    return found


def shipped(thing: Thing, weights: Path = WEIGHTS) -> dict[str, str]:
    """The fingerprints of what a thing should be made from."""
    networks = [name for name in thing.of if name != GALLERY]
    found = {name: fingerprint(weights / f"{name}.safetensors") for name in networks}
    return found | ({GALLERY: gallery().sha256} if GALLERY in thing.of else {})


def stale(
    things: Sequence[Thing] = THINGS, weights: Path = WEIGHTS, record: Path = RECORD
) -> list[Thing]:
    """What was made from other weights than those that ship."""
    known = made_of(record)
    return [thing for thing in things if known.get(thing.name) != shipped(thing, weights)]


def remake(shop: Workshop, things: Sequence[Thing] = THINGS, record: Path = RECORD) -> None:
    """Make what is stale, in order, and record of which weights it is."""
    for thing in stale(things, shop.weights, record):
        print(f"{thing.name}: made anew")
        thing.make(shop)
        known = made_of(record) | {thing.name: shipped(thing, shop.weights)}
        record.write_text(json.dumps(known, indent=1) + "\n")
