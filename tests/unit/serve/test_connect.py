"""`zf.connect` over HTTP: widgets work through it, without torch, and outlive the server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

import zfwidgets as zf
from tests.unit.serve.serving import TOKEN, Served, picture, small
from zfwidgets.remote import RemoteNet, ServerError, Unavailable
from zfwidgets.remote import client as client_module
from zfwidgets.serve.turns import Turns
from zfwidgets.widgets.core.rpc import worker

# uvicorn's own: sockets that end with its thread.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

MEGABYTES = 150
"""Of a kernel that has an Inspector open and computes elsewhere."""

PROGRAM = """
import json, sys
import ipykernel.ipkernel, ipykernel.kernelapp, IPython
import zfwidgets as zf
from zfwidgets.widgets.core.rpc import worker
inspector = zf.Inspector(zf.connect(sys.argv[1], "small", sys.argv[2]), "cat", mode="projection")
worker().join()
inspector.charts.head.opened = True
inspector.layer = "conv1"
inspector.strip.in_sight = True
worker().join()
status = open("/proc/self/status").read().split("VmRSS:")[1].split()[0]
print(json.dumps({
    "answers": {name: sorted(cell) for name, cell in inspector.strip._answers["cells"].items()},
    "errors": [p.error for p in inspector.parts if getattr(p, "error", None)],
    "neuron": inspector.view.neuron,
    "tiles": len(inspector.browser._page["sheet"]["ids"]),
    "megabytes": int(status) // 1024,
    "torch": "torch" in sys.modules,
}))
"""


@pytest.fixture(name="served", scope="module")
def served_fixture() -> Iterator[Served]:
    served = Served(small())
    yield served
    served.stop()


def test_a_kernel_with_an_inspector_needs_no_torch_and_little_memory(served: Served) -> None:
    command = [sys.executable, "-c", PROGRAM, served.url, TOKEN]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(answer.stdout)
    assert found["errors"] == []
    drawn = ["data", "sheet"]
    assert found["answers"] == {"filter": drawn, "photo": drawn, "synthesised": ["why"]}
    assert found["neuron"]["layer"] == "conv1"
    assert found["tiles"] == 6
    assert not found["torch"]
    assert found["megabytes"] <= MEGABYTES


def test_the_inspector_shows_what_it_shows_of_a_network_that_is_here(served: Served) -> None:
    photo = picture(4)
    nets = served.net, zf.connect(served.url, "small", TOKEN)
    both = [zf.Inspector(net, photo) for net in nets]
    worker().join()
    here, afar = both
    assert afar.status == "ready"
    assert afar.error == {}
    assert afar.channel == here.channel
    assert afar.view.neuron == here.view.neuron
    for one, other in zip(afar.head.classes, here.head.classes, strict=True):
        assert one["label"] == other["label"]
        assert one["p"] == pytest.approx(other["p"])
    for key in ("measures", "places", "field", "native", "filters"):
        assert afar.browser._page[key] == here.browser._page[key]
    assert afar.browser._page["picture"] == here.browser._page["picture"]
    for inspector in both:
        inspector.close()


def test_compare_takes_a_network_of_each_kind(served: Served) -> None:
    compare = zf.Compare(served.net, zf.connect(served.url, "small", TOKEN), image=picture(4))
    worker().join()
    assert compare.left.head.status == compare.right.head.status == "ready"
    assert compare.left.view.neuron == compare.right.view.neuron
    compare.close()


def test_by_name_networks_come_from_the_server_of_the_environment(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZFWIDGETS_ENGINE", served.url)
    monkeypatch.setenv("ZFWIDGETS_TOKEN", TOKEN)
    browser = zf.ChannelBrowser("small")
    assert isinstance(browser.net, RemoteNet)
    browser.close()


@pytest.mark.parametrize(
    ("token", "net", "says"),
    [("wrong", "small", "does not know this token"), (TOKEN, "vgg", "No such network")],
)
def test_a_wrong_token_and_an_unknown_network_are_said(
    served: Served, token: str, net: str, says: str
) -> None:
    with pytest.raises(ServerError, match=says) as error:
        zf.connect(served.url, net, token)
    assert not isinstance(error.value, Unavailable)


@pytest.mark.parametrize("url", ["localhost:80", "ftp://there", "http://", ""])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected an address|got no address"):
        zf.connect(url)


def test_nothing_is_lost_and_nothing_crossed_between_many_clients(served: Served) -> None:
    """Each of eight sees its own photograph, whatever the others look at meanwhile."""
    here, seen = small(), list[str]()
    photos = [picture(number) for number in range(8)]
    expected = [here.record(photo) for photo in photos]

    def student(number: int) -> None:
        net = zf.connect(served.url, "small", TOKEN)
        for layer in ("conv1", "conv2", "conv1", "conv2"):
            mine = net.record(photos[number]).strongest(layer, [number % 6])
            wanted = expected[number].strongest(layer, [number % 6])
            seen.append("own" if mine.value.tolist() == wanted.value.tolist() else "another's")

    students = [threading.Thread(target=student, args=(i,)) for i in range(8)]
    for one in students:
        one.start()
    for one in students:
        one.join(60)
    assert seen == ["own"] * 32


def until(true: Callable[[], bool]) -> None:
    """Wait for the worker until something is so."""
    for _ in range(600):
        worker().join()
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came")


def test_when_the_server_goes_the_widget_says_so_and_goes_on_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "_BETWEEN", 0.05)
    served = Served(small())
    inspector = zf.Inspector(zf.connect(served.url, "small", TOKEN), picture(4), layer="conv2")
    worker().join()
    before = inspector.view.neuron
    served.stop()
    inspector.channel = (inspector.channel or 0) - 1 if inspector.channel else 1
    worker().join()
    assert "cannot be reached" in inspector.view.error["title"]
    assert "by itself" in inspector.view.error["hint"]
    assert inspector.view.neuron == before, "what was shown stays"
    served.engine.recordings.limit = 0  # and it has forgotten everything
    served.start()
    until(lambda: inspector.view.neuron.get("channel") == inspector.channel)
    assert inspector.view.error == {}
    assert inspector.status == "ready"
    inspector.close()
    served.stop()


def test_a_server_that_is_full_is_no_server_that_is_away() -> None:
    served = Served(small(), lambda: Turns(at_once=1, each=8, most=0))
    with pytest.raises(ServerError, match="full") as error:
        zf.connect(served.url, "small", TOKEN)
    assert not isinstance(error.value, Unavailable)
    served.stop()


def test_a_page_cannot_compute_what_is_on_a_server(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = zf.connect(served.url, "small", TOKEN)
    with pytest.raises(ValueError, match="computes on a server; expected a network that is here"):
        zf.Inspector(net, compute="page")
    monkeypatch.setenv("ZFWIDGETS_COMPUTE", "page")
    inspector = zf.Inspector(net)
    assert inspector.compute == "kernel"
    inspector.close()
