"""Public zoos through the engine: how many nets record, project, and agree with autograd.

    python benchmarks/zoo.py [torchvision|timm|pytorchcv|transformers|smp] [--all]
        [--only PATTERN] [--sample N --seed S] [--size PX] [--jobs N] [--json FILE]

Random weights, evaluation mode, one picture of noise. The gradient (rule="gradient", seed="one",
lrn="vjp") of a neuron in the middle, of the last map and of the last layer is compared with
autograd's on the net by itself. Each net has a process of its own, with a limit of time and memory;
results are appended to FILE, a JSON object a line, and nets that stand there are not run again.

Shares are of nets that take one picture and have a convolution beyond those that cut it into
patches, found out by running them; vision transformers of patches alone have a share of their own.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import multiprocessing
import os
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.zoo_libraries import LIBRARIES

Json = dict[str, Any]
FORKED = multiprocessing.get_context("forkserver")


def child(answer: Connection, library: str, name: str, options: argparse.Namespace) -> None:
    """One net, in a process of its own."""
    import torch

    from benchmarks.zoo_net import look

    limit = int(options.memory * 2**30)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // options.jobs))
    # What a library prints is not part of the table.
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115
    look(library, name, options.size, options.layers, answer.send)


class Job:
    """A child process that looks at a net, and what came of it."""

    def __init__(self, library: str, name: str, options: argparse.Namespace) -> None:
        self.known: Json = {"library": library, "name": name, "status": "running", "reason": ""}
        self.until = time.monotonic() + options.timeout
        self.answer, theirs = FORKED.Pipe(duplex=False)
        self.process = FORKED.Process(target=child, args=(theirs, library, name, options))
        self.process.start()
        theirs.close()

    def result(self) -> Json | None:
        """None as long as it runs in time."""
        with suppress(EOFError):
            while self.known["status"] == "running" and self.answer.poll():
                self.known |= self.answer.recv()
        late = time.monotonic() > self.until
        if self.known["status"] == "running":
            if self.process.is_alive() and not late:
                return None
            self.process.kill()
            self.known["status"] = "timeout" if late else "crash"
        self.process.join()
        if self.known["status"] == "crash":
            self.known["reason"] = f"exit code {self.process.exitcode}"
        return self.known


def run(library: str, names: list[str], options: argparse.Namespace) -> Iterator[Json]:
    """Results as they come, so many nets at once."""
    FORKED.set_forkserver_preload([*LIBRARIES[library].modules, "torch", "zfwidgets.deconv"])
    waiting, running = names[::-1], list[Job]()
    while waiting or running:
        while waiting and len(running) < options.jobs:
            running.append(Job(library, waiting.pop(), options))
        wait([j.answer for j in running], timeout=min(j.until for j in running) - time.monotonic())
        for job in list(running):
            if (found := job.result()) is not None:
                running.remove(job)
                yield found


def asked(library: str, options: argparse.Namespace) -> list[str]:
    zoo = LIBRARIES[library]
    everything = options.all or options.only
    names = zoo.names() if everything else zoo.families()
    if options.only:
        names = [name for name in names if fnmatch.fnmatch(name, options.only)]
    if options.sample and options.sample < len(names):
        names = random.Random(options.seed).sample(names, options.sample)
    return names


def line(found: Json) -> str:
    if not found.get("layers"):
        return f"{found['name']:<40} {found['status']}: {found['reason']}"
    worst = max(found["agrees"].values(), default=float("nan"))
    return (
        f"{found['name']:<40} {found['status']:<8} {found['operations']:>5} ops  "
        f"{found['projected']}/{found['tried']} of {found['layers']} layers  {worst:8.1e}  "
        f"{found['record_s']:6.2f} s  {found['project_s']:6.2f} s  {found['memory_gb']:5.2f} GB"
        f"  {found['kind'] if found['kind'] != 'cnn' else ''} {found['reason']}"
    )


def is_whole(found: Json) -> bool:
    return found["status"] == "ok" and found["projected"] == found["tried"]


def summary(results: list[Json]) -> Iterator[str]:
    """Shares, and what stands apart."""
    nets = [found for found in results if found.get("convolutions")]
    for kind, title in (("cnn", "convolutional nets"), ("patches", "of patches alone")):
        some = [found for found in nets if found["kind"] == kind]
        if some:
            good = sum(map(is_whole, some))
            yield f"{title}: {good} of {len(some)}, {good / len(some):.1%}"
            yield f"  {dict(Counter(found['status'] for found in some))}"
    apart = [found for found in results if not found.get("convolutions")]
    if apart:
        yield f"apart, the plain net takes no single picture or does not run here: {len(apart)}"
        yield from (f"  {one['name']}: {one['status']}, {one['reason'][:160]}" for one in apart)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("library", nargs="*", help=", ".join(LIBRARIES) + "; all by default")
    parser.add_argument("--all", action="store_true", help="every net, not one per family")
    parser.add_argument("--only", metavar="PATTERN", help="nets whose name matches, as in a shell")
    parser.add_argument("--sample", type=int, metavar="N", help="so many, drawn from these")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--size", type=int, default=128, help="side of the picture, if it is taken")
    parser.add_argument("--layers", type=int, default=12, help="to project, of each net, evenly")
    parser.add_argument("--jobs", type=int, default=1, help="nets at once")
    parser.add_argument("--timeout", type=float, default=600, help="seconds a net")
    parser.add_argument("--memory", type=float, default=10, help="GB a net")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append results, resume from it")
    options = parser.parse_args()
    libraries = options.library or list(LIBRARIES)
    if unknown := [name for name in libraries if name not in LIBRARIES]:
        parser.error(f"no library {', '.join(unknown)}; there are {', '.join(LIBRARIES)}")
    before = []
    if options.json and options.json.exists():
        before = [json.loads(text) for text in options.json.read_text().splitlines()]
    for library in libraries:
        import torch

        names = asked(library, options)
        old = {found["name"]: found for found in before if found["library"] == library}
        results = [old[name] for name in names if name in old]
        versions = {"torch": torch.__version__, **LIBRARIES[library].versions()}
        print(f"\n{library}:", ", ".join(f"{k} {v}" for k, v in versions.items()), flush=True)
        for found in results:
            print(line(found))
        for found in run(library, [name for name in names if name not in old], options):
            print(line(found), flush=True)
            results.append(found)
            if options.json:
                with options.json.open("a") as file:
                    file.write(json.dumps(found) + "\n")
        print("\n" + "\n".join(summary(results)), flush=True)


if __name__ == "__main__":
    main()
