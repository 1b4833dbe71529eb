"""Widgets in a real kernel, which hears what a page says in subshells."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

LIMIT = 20  # seconds; only a broken test waits so long


@pytest.fixture(scope="module")
def client() -> Iterator[BlockingKernelClient]:
    manager = KernelManager()
    manager.start_kernel()
    client: BlockingKernelClient = manager.client()
    client.start_channels()
    client.wait_for_ready(LIMIT)
    yield client
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def value(client: BlockingKernelClient, expression: str) -> str:
    """What an expression is in the kernel, as text."""
    reply = client.execute("", user_expressions={"it": f"str({expression})"}, reply=True)
    text: str = reply["content"]["user_expressions"]["it"]["data"]["text/plain"]
    return text.strip("'")


def asked(client: BlockingKernelClient, kind: str, **content: Any) -> dict[str, Any]:
    """The answer on the control channel."""
    message = client.session.msg(kind, content)
    client.control_channel.send(message)
    while True:
        reply = client.control_channel.get_msg(timeout=LIMIT)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            answer: dict[str, Any] = reply["content"]
            return answer


def say(client: BlockingKernelClient, comm: str, data: dict[str, Any], subshell: str) -> list[Any]:
    """What Python says on the comm while the kernel handles a message to a subshell."""
    message = client.session.msg("comm_msg", {"comm_id": comm, "data": data})
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    said = []
    while True:
        try:
            heard = client.iopub_channel.get_msg(timeout=LIMIT)
        except Empty:
            pytest.fail("the kernel never came to rest")
        if heard["parent_header"].get("msg_id") != message["header"]["msg_id"]:
            continue
        if heard["msg_type"] == "comm_msg":
            said.append(heard["content"]["data"])
        if heard["content"].get("execution_state") == "idle":
            return said


def hello(number: int) -> dict[str, Any]:
    return {"method": "custom", "content": {"v": 1, "id": number, "epoch": 0, "op": "hello"}}


def test_a_page_that_is_opened_anew_is_heard(client: BlockingKernelClient) -> None:
    """ipykernel 7.4 would send its messages to the subshell of the page before."""
    client.execute("import zfwidgets as zf\nwidget = zf.OcclusionView()", reply=True)
    comm = value(client, "widget.model_id")
    for number in range(2):
        subshell = asked(client, "create_subshell_request")["subshell_id"]
        (answer,) = say(client, comm, hello(number), subshell)
        assert answer["content"] == {"v": 1, "id": number, "epoch": 0, "ok": True, "last": True}
        assert asked(client, "delete_subshell_request", subshell_id=subshell)["status"] == "ok"


def test_so_is_a_click_on_a_bar(client: BlockingKernelClient) -> None:
    client.execute(
        "from zfwidgets.widgets.core.plots import BarChart\n"
        "clicked = []\nchart = BarChart(clicked.append)\nbars = chart.children[1].marks[0]",
        reply=True,
    )
    comm = value(client, "bars.model_id")
    for index in range(2):
        subshell = asked(client, "create_subshell_request")["subshell_id"]
        # Python says what became of it, in the name of the subshell.
        move = {"method": "update", "state": {"stroke_width": 2.0 + index}, "buffer_paths": []}
        say(client, comm, move, subshell)
        click = {"event": "element_click", "data": {"index": index}}
        say(client, comm, {"method": "custom", "content": click}, subshell)
        assert value(client, "clicked") == str(list(range(index + 1)))
        asked(client, "delete_subshell_request", subshell_id=subshell)
