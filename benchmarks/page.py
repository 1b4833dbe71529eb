"""The engine in the page, in Chromium on this machine, beside captum in Python.

    python benchmarks/page.py [--cores 1 2] [--repeats 10]

The bundled ZFNet with a sample photo, in a page opened from the disk (node bundles the engine).
Times are medians, from the question in the page's own thread to the answer there. captum is
`NeuronDeconvolution` on all of torch's threads, at its best of one neuron or 16 a call, in the same
run. "CPU" is the processor time of the page's process, all of its threads, which does not grow when
other programs want the processor too: milliseconds of one core that has nothing else to do.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from playwright.sync_api import Browser, sync_playwright

import zfwidgets as zf
from benchmarks.projection import CAPTUM_NEURONS, captum_each
from zfwidgets.page import PageNet, page_net

JS = Path(__file__).resolve().parents[1] / "js"
LAYER = "conv5"

PAGE = """<!doctype html><meta charset="utf-8"><title>engine</title>
<script type="application/json" id="graph">%s</script>
<script type="text/plain" id="weights">%s</script>
<script>%s</script>"""

#: What the page is asked, one after the other; each gives milliseconds.
SETUP = """async ({ cores, photo, width, height }) => {
  window.timed = async (work) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  window.long = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) long.push(duration);
  }).observe({ type: "longtask" });
  const data = Uint8Array.fromBase64(photo);
  window.photo = () => ({ data: data.slice(), width, height });
  long.length = 0;
  const graph = JSON.parse(document.querySelector("#graph").textContent);
  const weights = document.querySelector("#weights").textContent;
  return [await timed(async () => { window.engine = await zfEngine.open(graph, weights, cores); })];
}"""
FORWARD = """async ({ repeats }) => {
  const pixels = await engine.prepare(photo());
  const times = [];
  for (let n = 0; n < repeats; n++) times.push(await timed(() => engine.record(pixels)));
  return times;
}"""
CHANNELS = """async ({ layer }) => {
  window.recording = await engine.record(await engine.prepare(photo()));
  const neurons = await recording.strongest(layer);
  const time = await timed(async () => { for await (const _ of recording.project(neurons)); });
  return neurons.map(() => time / neurons.length);
}"""
FIRST = """async ({ repeats, layer }) => {
  const times = [];
  for (let n = 0; n < repeats; n++) {
    times.push(await timed(async () => {
      window.recording = await engine.record(await engine.prepare(photo()));
      let tiles = 0;
      for await (const _ of recording.project(await recording.strongest(layer))) {
        if (++tiles === 24) break;
      }
    }));
  }
  return times;
}"""
CLICK = """async ({ repeats, layer }) => {
  const places = await recording.strongest(layer);
  const times = [];
  for (let n = 0; n < repeats; n++) {
    const { channel, row, col } = places[(37 * n) % places.length];
    times.push(await timed(async () => {
      const neuron = await recording.neuron(layer, channel, row, col);
      for await (const _ of recording.project([neuron], undefined, { urgent: true }));
    }));
  }
  return times;
}"""
LONG = "async () => [0, ...long]"


def bundle(folder: Path) -> str:
    script = folder / "engine.js"
    subprocess.run(["node", "engine.mjs", str(script)], cwd=JS, check=True)
    return script.read_text(encoding="utf-8")


def written(folder: Path, net: PageNet) -> Path:
    weights = base64.b64encode(net.weights).decode()
    graph = json.dumps(net.graph).replace("<", "\\u003c")
    page = folder / "page.html"
    page.write_text(PAGE % (graph, weights, bundle(folder)), encoding="utf-8")
    return page


def renderers(browser: Browser) -> list[int]:
    """Process ids of the pages."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return [int(p["id"]) for p in processes if p["type"] == "renderer"]


def megabytes(pid: int) -> float:
    """Memory that the process has to itself, with its share of what it shares."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(pss.split()[1]) / 1024


def processor_seconds(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def measure(browser: Browser, page: Path, cores: int, repeats: int) -> None:
    """One row of the table, in a browser of its own."""
    photo = np.asarray(zf.sample("dogs").open().convert("RGBA"))
    tab = browser.new_page()
    tab.goto(page.as_uri())
    given: dict[str, Any] = {
        "cores": cores,
        "repeats": repeats,
        "layer": LAYER,
        "photo": base64.b64encode(photo.tobytes()).decode(),
        "width": photo.shape[1],
        "height": photo.shape[0],
    }

    def asked(question: str) -> tuple[float, float]:
        """Milliseconds by the clock, and of the processor for each."""
        before = sum(map(processor_seconds, renderers(browser)))
        times = tab.evaluate(question, given)
        spent = sum(map(processor_seconds, renderers(browser))) - before
        return statistics.median(times), 1e3 * spent / len(times)

    opened, forward = asked(SETUP), asked(FORWARD)
    channel, first, click = asked(CHANNELS), asked(FIRST), asked(CLICK)
    long = tab.evaluate(LONG)
    memory = max(map(megabytes, renderers(browser)))
    cells = [
        str(cores),
        *(f"{ms:.0f} ms" for ms in (*opened, *forward)),
        *(f"{ms:.1f} ms" for ms in channel),
        *(f"{ms:.0f} ms" for ms in (first[0], click[0])),
        f"{memory:.0f} MB",
        f"{len(long) - 1}, at most {max(long):.0f} ms",
    ]
    print(f"| {' | '.join(cells)} |", flush=True)


def captum_times(net: zf.DeconvNet, repeats: int) -> None:
    inputs = net.preprocess(zf.sample("dogs").open())
    for batch in (1, 16):
        before = time.process_time()
        times = [captum_each(net.model, LAYER, inputs, batch) for _ in range(repeats)]
        channels = repeats * max(1, CAPTUM_NEURONS // batch) * batch
        print(
            f"captum's NeuronDeconvolution, {batch} a call, {torch.get_num_threads()} threads: "
            f"{1e3 * statistics.median(times):.1f} ms a channel of {LAYER}, CPU "
            f"{1e3 * (time.process_time() - before) / channels:.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="captum")
    net = zf.load("zfnet", device="cpu")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = written(Path(folder), page_net(net))
        print(
            f"torch {torch.__version__}, {platform.machine()}, {os.cpu_count()} cores, load "
            f"{os.getloadavg()[0]:.1f}; page of {page.stat().st_size / 1e6:.1f} MB\n"
        )
        print(
            f"| workers | open | CPU | forward | CPU | a channel of {LAYER} | CPU "
            "| 24 tiles of a photo | click | memory | tasks over 50 ms in the page's thread |"
        )
        print("|---|---|---|---|---|---|---|---|---|---|---|")
        for cores in options.cores:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            measure(browser, page, cores, options.repeats)
            browser.close()
    print()
    captum_times(net, max(3, options.repeats // 3))


if __name__ == "__main__":
    main()
