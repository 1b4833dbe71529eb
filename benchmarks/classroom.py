"""A class at one server: how long a click takes when thirty look at once, and what it costs.

    python benchmarks/classroom.py [--students 30] [--seconds 120] [--json classroom.json]

Starts `zfwidgets serve` (or uses --url and --token) and as many students: each a process of its
own, with an `Inspector` of a network that computes on the server, who chooses photographs, layers
and channels, scrolls, and thinks in between. A click is timed from the choice until its pixels are
there. Afterwards every neuron that a student was shown is computed here: a value that differs, or
an answer that never came, is counted. Beside it as many clicks, one after the other, at an engine
in this process. Memory is proportional (PSS), so that what processes share counts once.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

PORT = 8971
THINK = {"photo": 8.0, "layer": 5.0, "scroll": 2.0, "channel": 3.0}
"""Seconds that a student looks at what came, on average."""
WEIGHTS = {"photo": 1, "layer": 2, "scroll": 3, "channel": 6}
PATIENCE = 60.0
"""Seconds after which an answer counts as lost."""
SCROLLED = 32
"""Tiles that come into sight at once."""
TOGETHER = ("cat", "dogs", "coffee")
"""Photographs that the teacher names; one choice in three is one of them."""

Act = dict[str, Any]


# ------------------------------------------------------------------------------------ a student


class Student:
    """Looks at networks as a person would; `acts` is what was done, and how long it took."""

    def __init__(self, url: str, token: str, number: int) -> None:
        import zfwidgets as zf

        self.dice = random.Random(number)
        self.photos = [*zf.gallery()]
        self.inspector = zf.Inspector(zf.connect(url, token=token))
        self.layers = [name for name in self.inspector.net.layers if name.startswith("conv")]
        self.acts: list[Act] = []
        self._answered = threading.Event()
        self._said: dict[str, Any] = {}
        browser = self.inspector.browser
        browser._send = self._hear
        self._wait()

    def learn(self, seconds: float) -> None:
        """So long; the first act comes after some thought, or all would begin as one."""
        until = time.monotonic() + seconds
        time.sleep(self.dice.uniform(0, 10))
        while time.monotonic() < until:
            (act,) = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))
            self._timed(act, getattr(self, f"_{act}"))
            time.sleep(min(self.dice.expovariate(1 / THINK[act]), 4 * THINK[act]))

    def _timed(self, name: str, act: Callable[[], None]) -> None:
        parts = self.inspector.parts
        began = time.perf_counter()
        act()
        there = self._wait()
        taken = time.perf_counter() - began
        errors = [part.error for part in parts if getattr(part, "error", None)]
        self.acts.append({"act": name, "seconds": taken, "lost": not there, "errors": errors})
        neuron = self.inspector.view.neuron
        if there and neuron:
            self.acts[-1].update(photo=self.inspector.picker.value, neuron=neuron)

    def _wait(self) -> bool:
        """Until Inspector, browser and view have shown what was asked for last."""
        until = time.monotonic() + PATIENCE
        inspector = self.inspector
        while time.monotonic() < until:
            left = until - time.monotonic()
            if not (inspector.browser.wait(left) and inspector.view.wait(left)):
                return False
            chosen = inspector.channel is not None
            still = inspector.browser.wait(0) and inspector.view.wait(0)
            if inspector.status in ("ready", "error") and chosen and still:
                return True
            time.sleep(0.002)
        return False

    def _photo(self) -> None:
        common = self.dice.random() < 1 / 3
        self.inspector.picker.value = self.dice.choice(TOGETHER if common else self.photos)

    def _layer(self) -> None:
        others = [name for name in self.layers if name != self.inspector.layer]
        self.inspector.layer = self.dice.choice(others)

    def _channel(self) -> None:
        count = self.inspector.net.layers[self.inspector.layer].channels
        others = [channel for channel in range(count) if channel != self.inspector.channel]
        self.inspector.channel = self.dice.choice(others)

    def _scroll(self) -> None:
        browser = self.inspector.browser
        count = self.inspector.net.layers[self.inspector.layer].channels
        first = self.dice.randrange(max(1, count - SCROLLED))
        ids = list(range(first, min(count, first + SCROLLED)))
        self._answered.clear()
        question = {"v": 1, "id": 1, "epoch": browser.epoch, "op": "tiles", "ids": ids, "px": 96}
        browser._handle_custom_msg(question, [])
        self._answered.wait(PATIENCE)

    def _hear(self, message: dict[str, Any], buffers: Any = None) -> None:
        content = message.get("content", {})
        if content.get("last") or content.get("ok") is False:
            self._answered.set()


def student(options: argparse.Namespace) -> None:
    """One process of the class: reads its number from the options, writes its acts."""
    import ipykernel.kernelapp  # noqa: F401 - what a kernel holds besides

    one = Student(options.url, os.environ["CLASS_TOKEN"], options.student)
    one.learn(options.seconds)
    print(json.dumps({"acts": one.acts, "bytes": pss(os.getpid())}), flush=True)
    os._exit(0)


# ------------------------------------------------------------------------------------- the class


def pss(process: int) -> int:
    """Bytes of a process, what it shares with others in proportion."""
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def processes_with(secret: str) -> list[int]:
    """Processes that have a text in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"ZFWIDGETS_TOKEN={secret}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


class Server:
    """`zfwidgets serve` in processes of its own."""

    def __init__(self, replicas: int | None) -> None:
        self.token, self.url = uuid.uuid4().hex, f"http://127.0.0.1:{PORT}"
        command = [sys.executable, "-m", "zfwidgets", "serve", "--net", "zfnet"]
        command += ["--port", str(PORT)]
        if replicas:
            command += ["--replicas", str(replicas)]
        environment = {**os.environ, "ZFWIDGETS_TOKEN": self.token}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "zf.connect" in line:
                return
        raise SystemExit("zfwidgets serve did not start")

    def bytes(self) -> int:
        """Of all its processes together."""
        total = 0
        for process in processes_with(self.token):
            try:
                total += pss(process)
            except OSError:
                continue
        return total

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(60)


def lesson(options: argparse.Namespace, url: str, token: str, watch: Callable[[], int]) -> Any:
    """All students at once; what each did, and the server's most bytes meanwhile."""
    command = [sys.executable, __file__, "--url", url, "--seconds", str(options.seconds)]
    environment = {**os.environ, "CLASS_TOKEN": token}
    students = [
        subprocess.Popen(
            [*command, "--student", str(number)], stdout=subprocess.PIPE, text=True, env=environment
        )
        for number in range(options.students)
    ]
    told: list[dict[str, Any]] = []

    def listen(one: subprocess.Popen[str]) -> None:
        assert one.stdout is not None
        text = one.stdout.read()
        if text.strip():
            told.append(json.loads(text.splitlines()[-1]))

    threads = [threading.Thread(target=listen, args=(one,)) for one in students]
    for thread in threads:
        thread.start()
    most = 0
    while any(thread.is_alive() for thread in threads):
        most = max(most, watch())
        threads[0].join(2.0)
        time.sleep(0.2)
    return told, most


def crossed(acts: list[Act]) -> tuple[int, int]:
    """How many neurons students were shown that are not those of their photo; of how many."""
    import zfwidgets as zf

    net = zf.load("zfnet")
    shown: dict[str, list[dict[str, Any]]] = {}
    for act in acts:
        if "neuron" in act:
            shown.setdefault(act["photo"], []).append(act["neuron"])
    wrong = 0
    for name, neurons in shown.items():
        photo = zf.samples()[name] if name in zf.samples() else zf.gallery()[name]
        recording = net.record(photo.open())
        for n in neurons:
            best = recording.strongest(n["layer"], [n["channel"]])
            same = (int(best.row), int(best.col)) == (n["row"], n["col"])
            close = abs(float(best.value) - n["value"]) <= 1e-5 * max(1.0, abs(n["value"]))
            wrong += not (same and close)
    return wrong, sum(map(len, shown.values()))


def alone(clicks: int) -> list[float]:
    """Seconds of clicks at an engine of this process, each on another photograph."""
    import zfwidgets as zf

    net = zf.load("zfnet")
    dice, taken = random.Random(0), []
    for photo in [photo.open() for photo in list(zf.gallery().values())[:clicks]]:
        began = time.perf_counter()
        recording = net.record(photo)
        recording.project(recording.strongest("conv5", [dice.randrange(256)])).to_images()
        taken.append(time.perf_counter() - began)
    return taken


# ------------------------------------------------------------------------------------ the report


def quantiles(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {"n": 0}
    ordered = sorted(seconds)
    at = {f"p{p}": ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))] for p in (95, 99)}
    return {"n": len(seconds), "p50": statistics.median(seconds), **at, "most": ordered[-1]}


def report(found: dict[str, Any]) -> None:
    print("| click to pixels, seconds | n | p50 | p95 | p99 | longest |")
    print("|---|---|---|---|---|---|")
    for name, row in found["seconds"].items():
        if row["n"]:
            numbers = " | ".join(f"{row[key]:.3f}" for key in ("p50", "p95", "p99", "most"))
            print(f"| {name} | {row['n']} | {numbers} |")
    print(
        f"\n{found['students']} students, {found['acts']} acts, "
        f"{found['acts_per_second']:.1f} a second; lost {found['lost']}, crossed "
        f"{found['crossed']} of {found['compared']}, errors {found['errors'] or 'none'}.\n"
        f"Server {found['server_mb']} MB, a student {found['student_mb']} MB, together "
        f"{found['together_mb']} MB. {found['machine']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--students", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--replicas", type=int)
    parser.add_argument("--url", help="of a server that runs already")
    parser.add_argument("--token", default="")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--student", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.student is not None:
        student(options)
    server = None if options.url else Server(options.replicas)
    try:
        url, token = (options.url, options.token) if server is None else (server.url, server.token)
        began = time.monotonic()
        told, most = lesson(options, url, token, server.bytes if server else lambda: 0)
        lasted = time.monotonic() - began
    finally:
        if server is not None:
            server.stop()
    acts = [act for one in told for act in one["acts"]]
    wrong, compared = crossed(acts)
    each = [one["bytes"] for one in told]
    found = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "students": options.students,
        "finished": len(told),
        "acts": len(acts),
        "acts_per_second": len(acts) / lasted,
        "lost": sum(act["lost"] for act in acts) + options.students - len(told),
        "crossed": wrong,
        "compared": compared,
        "errors": dict(Counter(e["title"] for act in acts for e in act["errors"])),
        "seconds": {
            **{n: quantiles([a["seconds"] for a in acts if a["act"] == n]) for n in WEIGHTS},
            "any of these": quantiles([a["seconds"] for a in acts]),
            "one engine in this process, alone": quantiles(alone(30)),
        },
        "server_mb": most // 2**20,
        "student_mb": max(each, default=0) // 2**20,
        "together_mb": (most + sum(each)) // 2**20,
    }
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    report(found)


if __name__ == "__main__":
    main()
