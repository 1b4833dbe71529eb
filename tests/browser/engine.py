"""The engine in the page, asked from Python: in node, and in a page opened from the disk."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from zfwidgets.page import PageNet

JS = Path(__file__).resolve().parents[2] / "js"

Array = np.ndarray[Any, Any]

#: A prepared photo [1, C, H, W] and questions about it.
Asked = tuple[torch.Tensor, Sequence[Sequence[Any]]]

#: Answers questions about one photo. Arrays become {array: index} into the list beside them.
_ANSWER = """
async (engine, input, questions) => {
  const arrays = [];
  const put = (array) => ({ array: arrays.push(array) - 1 });
  const recording = await engine.record(input);
  const answers = [];
  for (const [op, ...given] of questions) {
    if (op === "maps") answers.push(put(await recording.featureMaps(...given)));
    else if (op === "switches") answers.push(put(await recording.switches(...given)));
    else if (op === "strongest") answers.push(await recording.strongest(...given));
    else if (op === "classes") answers.push(await recording.topClasses(...given));
    else if (op === "map") {
      const { pixels, box } = await recording.projectMap(...given);
      answers.push({ box, ...put(pixels) });
    } else if (op === "project") {
      const [neurons, method] = given;
      const answer = [];
      for await (const { index, projection } of recording.project(neurons, method)) {
        answer[index] = { box: projection.box, ...put(projection.pixels) };
      }
      answers.push(answer);
    } else throw new Error(`no question ${op}`);
  }
  return { answers, arrays };
}
"""

_NODE = """
import { readFileSync, writeFileSync } from "node:fs";
import { open, prepare } from "./engine.mjs";
const answer = %s;
const job = JSON.parse(readFileSync("job.json", "utf8"));
const read = (name) => new Uint8Array(readFileSync(name));
const floats = (name) => new Float32Array(read(name).slice().buffer);
const reply = { photos: [] };
let written = 0;
const write = (array) => {
  const type = array.constructor.name;
  writeFileSync(`${written}.bin`, new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return { type, file: written++ };
};
if (job.photos) {
  const engine = await open(job.graph, read("weights.bin"), job.hands);
  for (const { file, questions } of job.photos) {
    const { answers, arrays } = await answer(engine, floats(file), questions);
    reply.photos.push({ answers, arrays: arrays.map(write) });
  }
}
for (const { file, width, height, preparation } of job.prepared ?? []) {
  const prepared = prepare({ data: read(file), width, height }, preparation);
  reply.photos.push({ answers: null, arrays: [write(prepared)] });
}
writeFileSync("reply.json", JSON.stringify(reply));
"""

_PAGE = """<!doctype html>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
  script-src 'unsafe-inline' 'wasm-unsafe-eval'; worker-src blob:">
<title>engine</title>
<script type="application/json" id="graph">{graph}</script>
<script type="text/plain" id="weights">{weights}</script>
<script>{code}</script>
"""

_OPEN = """async (cores) => {
  const graph = JSON.parse(document.querySelector("#graph").textContent);
  const weights = document.querySelector("#weights").textContent;
  window.engine = await zfEngine.open(graph, weights, cores);
  return window.engine.workers;
}"""

_ASK = """async ({ input, questions }) => {
  const bytes = Uint8Array.fromBase64(input);
  const answer = %s;
  const { answers, arrays } = await answer(
    window.engine, new Float32Array(bytes.buffer), questions);
  const sent = arrays.map((array) => ({
    type: array.constructor.name,
    base64: new Uint8Array(array.buffer, array.byteOffset, array.byteLength).toBase64(),
  }));
  return { answers, arrays: sent };
}"""

_TYPES = {"Float32Array": np.float32, "Uint8Array": np.uint8}


def bundle(target: Path) -> Path:
    """The engine as one script: for pages, or for node if the name ends in .mjs."""
    subprocess.run(["node", "engine.mjs", str(target)], cwd=JS, check=True)
    return target


@dataclass(frozen=True)
class Answers:
    """What the engine said of one photo, in the order of the questions."""

    answers: list[Any]
    arrays: list[Array]

    def array(self, answer: Any) -> Array:
        return self.arrays[answer["array"]]


class Engine(Protocol):
    """Something that runs a network on photos."""

    def ask(self, net: PageNet, photos: Sequence[Asked]) -> list[Answers]: ...


class NodeEngine:
    """The engine in node, in one thread."""

    def __init__(self, folder: Path, hands: int = 1) -> None:
        self.folder, self.hands = folder, hands
        bundle(folder / "engine.mjs")
        (folder / "run.mjs").write_text(_NODE % _ANSWER, encoding="utf-8")

    def ask(self, net: PageNet, photos: Sequence[Asked]) -> list[Answers]:
        (self.folder / "weights.bin").write_bytes(net.weights)
        jobs = []
        for n, (photo, questions) in enumerate(photos):
            (self.folder / f"photo{n}.f32").write_bytes(photo.float().numpy().tobytes())
            jobs.append({"file": f"photo{n}.f32", "questions": questions})
        return self._run({"graph": net.graph, "hands": self.hands, "photos": jobs})

    def prepared(self, photos: Sequence[tuple[Array, dict[str, Any]]]) -> list[Array]:
        """Photos u8 [h, w, 4], each with its preparation, as the page prepares them."""
        jobs = []
        for n, (photo, preparation) in enumerate(photos):
            (self.folder / f"photo{n}.rgba").write_bytes(photo.tobytes())
            height, width = photo.shape[:2]
            jobs.append(
                {
                    "file": f"photo{n}.rgba",
                    "width": width,
                    "height": height,
                    "preparation": preparation,
                }
            )
        return [answers.arrays[0] for answers in self._run({"prepared": jobs})]

    def _run(self, job: dict[str, Any]) -> list[Answers]:
        (self.folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        subprocess.run(["node", "run.mjs"], cwd=self.folder, check=True)
        reply = json.loads((self.folder / "reply.json").read_text(encoding="utf-8"))
        return [
            Answers(
                photo["answers"],
                [
                    np.fromfile(self.folder / f"{array['file']}.bin", _TYPES[array["type"]])
                    for array in photo["arrays"]
                ],
            )
            for photo in reply["photos"]
        ]


class Tab(Protocol):
    """A page in a browser."""

    def goto(self, url: str, /) -> Any: ...

    def evaluate(self, function: str, given: Any = None, /) -> Any: ...


class PageEngine:
    """The engine in a page that lies on the disk, in workers, with nothing else allowed."""

    def __init__(self, page: Tab, folder: Path, cores: int = 2) -> None:
        self.page, self.folder, self.cores = page, folder, cores
        self.code = bundle(folder / "engine.js").read_text(encoding="utf-8")

    def open(self, net: PageNet) -> int:
        """Show the page and open the engine; gives the number of workers."""
        self.goto(net)
        return int(self.page.evaluate(_OPEN, self.cores))

    def goto(self, net: PageNet) -> None:
        file = self.folder / "page.html"
        weights = base64.b64encode(net.weights).decode()
        graph = json.dumps(net.graph).replace("<", "\\u003c")
        text = _PAGE.format(graph=graph, weights=weights, code=self.code)
        file.write_text(text, encoding="utf-8")
        self.page.goto(file.as_uri())

    def ask(self, net: PageNet, photos: Sequence[Asked]) -> list[Answers]:
        self.open(net)
        return [self.answer(photo, questions) for photo, questions in photos]

    def answer(self, photo: torch.Tensor, questions: Sequence[Sequence[Any]]) -> Answers:
        text = base64.b64encode(photo.float().numpy().tobytes()).decode()
        reply = self.page.evaluate(_ASK % _ANSWER, {"input": text, "questions": questions})
        arrays = [
            np.frombuffer(base64.b64decode(array["base64"]), _TYPES[array["type"]])
            for array in reply["arrays"]
        ]
        return Answers(reply["answers"], arrays)
