"""On Ray Serve: questions are answered, and nobody misses an answer when a replica is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import zfwidgets as zf
from tests.unit.serve.serving import picture
from zfwidgets.remote import ServerError

# A server in a process of its own, as people start it.
pytestmark = [pytest.mark.packaging, pytest.mark.filterwarnings("ignore::ResourceWarning")]

TOKEN = uuid.uuid4().hex


@pytest.fixture(name="url", scope="module")
def url_fixture() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "zfwidgets", "serve", "--net", "zfnet", "--port", str(port)]
    environment = {**os.environ, "ZFWIDGETS_TOKEN": TOKEN, "CUDA_VISIBLE_DEVICES": ""}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        try:
            lines = [next(server.stdout)]
            while "zf.connect" not in lines[-1]:
                lines.append(next(server.stdout))
            assert TOKEN in "".join(lines)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)
            assert server.wait(120) == 0


def replicas() -> list[int]:
    """Processes of this server's engines."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, environment = ((folder / what).read_bytes() for what in ("cmdline", "environ"))
        except OSError:
            continue
        if name.startswith(b"ray::ServeReplica") and b"engine" in name:
            found += [int(folder.name)] if TOKEN.encode() in environment else []
    return found


def test_a_class_asks_while_a_replica_is_killed_and_nobody_misses_an_answer(url: str) -> None:
    here = zf.load("zfnet", device="cpu")
    wanted = here.record(picture(1)).strongest("conv5").value.numpy()
    net = zf.connect(url, "zfnet", TOKEN)
    assert np.array_equal(net.record(picture(1)).strongest("conv5").value, wanted)
    with pytest.raises(ServerError, match="does not know this token"):
        zf.connect(url, "zfnet", "another")

    answers: list[int] = []
    all_here = threading.Barrier(5)
    wrong: list[BaseException] = []

    def student(number: int) -> None:
        try:
            mine = zf.connect(url, "zfnet", TOKEN)
            all_here.wait(60)
            for turn in range(3):
                recording = mine.record(picture(10 * number + turn))
                made = recording.project(recording.strongest("conv5", [number, number + 1]))
                answers.append(len(made))
        except BaseException as error:  # noqa: BLE001 - counted below
            wrong.append(error)

    students = [threading.Thread(target=student, args=(i,)) for i in range(4)]
    for one in students:
        one.start()
    before = replicas()
    assert len(before) == 1
    all_here.wait(60)
    os.kill(before[0], signal.SIGKILL)
    for one in students:
        one.join(120)
    assert wrong == []
    assert answers == [2] * 12
    assert replicas() != before
