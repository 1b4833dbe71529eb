"""The engine in the page, in Chromium on this machine, beside captum in Python.

    python benchmarks/page.py [--cores 1 2] [--repeats 10] [--json FILE]

The bundled ZFNet with a sample photo, in pages opened from the disk: first the engine alone (node
bundles it), then the page that `to_html` writes, clicked as a person does. Times are medians, from
the question in the page's own thread to the answer there. "CPU" is the processor time of the page's
process, all of its threads, which does not grow when other programs want the processor too:
milliseconds of one core that has nothing else to do. "Live" is a camera's work without the camera:
prepare, forward, one layer's maps and one projection, one frame after the other. captum is
`NeuronDeconvolution` on all of torch's threads, at its best of one neuron or 16 a call, in the same
run.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
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
from tests.browser.conftest import chromium_path
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
LIVE = """async ({ repeats, layer }) => {
  const shown = async (pixels) => {
    const recording = await engine.record(pixels);
    await recording.featureMaps(layer);
    for await (const _ of recording.project(await recording.strongest(layer, [7])));
  };
  let next = await engine.prepare(photo());
  const times = [];
  for (let n = 0; n < repeats; n++) {
    times.push(await timed(async () => {
      [, next] = await Promise.all([shown(next), engine.prepare(photo())]);
    }));
  }
  return times;
}"""
LONG = "async () => [0, ...long]"

#: The same of the page that is given away; `long` and `cores` are set before it loads.
BEFORE = """
  window.long = [];
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) long.push(duration);
  }).observe({ type: "longtask" });
  Object.defineProperty(navigator, "hardwareConcurrency", { value: %d });
"""
#: When a page was shown, ready, and kept, in milliseconds since it was asked for.
WHEN = """
window.times = {};
new MutationObserver(() => {
  const { ready, engine, kept } = document.documentElement.dataset;
  if (ready) times.shown ??= performance.now();
  if (engine === "ready") times.ready ??= performance.now();
  if (kept === "kept") times.kept ??= performance.now();
}).observe(document, { attributes: true, subtree: true });
"""
#: From the click on another photo to its first sheet of tiles, drawn; all tiles are awaited after.
CHOSEN = """async ({ name }) => {
  const browser = zfKernel.models.get("browser");
  const frame = () => new Promise(requestAnimationFrame);
  const start = performance.now();
  const epoch = browser.get("epoch");
  const first = new Promise((done) => {
    const listen = (answer, buffers) => {
      if (!buffers.length || browser.get("epoch") === epoch) return;
      browser.off("msg:custom", listen);
      done();
    };
    browser.on("msg:custom", listen);
  });
  document.querySelector(`[role=option][data-id="${name}"]`).click();
  await first;
  await frame();
  const time = performance.now() - start;
  while (document.querySelector('.zf-channel-browser [data-waiting="true"]')) await frame();
  return time;
}"""
#: From the press on a channel to its projection, drawn.
PRESSED = """async ({ channel }) => {
  const view = zfKernel.models.get("view");
  const start = performance.now();
  const shown = new Promise((done) => view.on("change:_shown", done));
  zfKernel.models.get("browser").set("active", channel);
  zfKernel.models.get("browser").save_changes();
  await shown;
  await new Promise(requestAnimationFrame);
  return performance.now() - start;
}"""


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


def measure(browser: Browser, page: Path, cores: int, repeats: int) -> dict[str, float]:
    """The engine alone, in a browser of its own."""
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
    row: dict[str, float] = {"workers": cores}

    def ask(name: str, question: str) -> None:
        """Milliseconds by the clock, and of the processor for each."""
        before = sum(map(processor_seconds, renderers(browser)))
        times = tab.evaluate(question, given)
        spent = sum(map(processor_seconds, renderers(browser))) - before
        row[name], row[f"{name} CPU"] = statistics.median(times), 1e3 * spent / len(times)

    questions = {
        "open": SETUP,
        "forward": FORWARD,
        "channel": CHANNELS,
        "24 tiles": FIRST,
        "click": CLICK,
        "live": LIVE,
    }
    for name, question in questions.items():
        ask(name, question)
    row["memory"] = max(map(megabytes, renderers(browser)))
    row["longest task"] = max(tab.evaluate(LONG))
    return row


def exported(browser: Browser, page: Path, cores: int, repeats: int) -> dict[str, float]:
    """The page that `to_html` writes."""
    tab = browser.new_page(viewport={"width": 1400, "height": 1000})
    tab.add_init_script(WHEN + BEFORE % cores)
    tab.goto(page.as_uri())
    tab.locator("html[data-engine=ready]").wait_for(state="attached")
    ready = tab.evaluate("times.ready")
    opening = max(tab.evaluate(LONG))
    tab.evaluate("long.length = 0")
    names = [("dogs", "cat")[n % 2] for n in range(repeats)]
    chosen = [tab.evaluate(CHOSEN, {"name": name}) for name in names]
    pressed = [tab.evaluate(PRESSED, {"channel": (37 * n + 5) % 256}) for n in range(repeats)]
    return {
        "workers": cores,
        "ready": ready,
        "longest task till then": opening,
        "first tiles": statistics.median(chosen),
        "click": statistics.median(pressed),
        "memory": max(map(megabytes, renderers(browser))),
        "longest task": max(tab.evaluate(LONG)),
        "tasks over 50 ms": len(tab.evaluate(LONG)) - 1,
    }


def captum_times(net: zf.DeconvNet, repeats: int) -> list[dict[str, float]]:
    inputs = net.preprocess(zf.sample("dogs").open())
    rows: list[dict[str, float]] = []
    for batch in (1, 16):
        before = time.process_time()
        times = [captum_each(net.model, LAYER, inputs, batch) for _ in range(repeats)]
        channels = repeats * max(1, CAPTUM_NEURONS // batch) * batch
        rows.append(
            {
                "neurons a call": batch,
                "threads": torch.get_num_threads(),
                "channel": 1e3 * statistics.median(times),
                "channel CPU": 1e3 * (time.process_time() - before) / channels,
            }
        )
    return rows


UNITS = {"memory": "MB", "workers": "", "threads": "", "neurons a call": "", "tasks over 50 ms": ""}


def table(title: str, rows: list[dict[str, float]]) -> None:
    names = list(rows[0])
    print(f"\n{title}\n\n| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in rows:
        cells = [f"{value:.3g} {UNITS.get(name, 'ms')}".strip() for name, value in row.items()]
        print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--cores", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="captum")
    net = zf.load("zfnet", device="cpu")
    chromium = chromium_path()
    alone: list[dict[str, float]] = []
    whole: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page = written(Path(folder), page_net(net))
        given = zf.to_html(
            net, Path(folder) / "given.html", photos=["cat", "dogs"], engine=True, progress=False
        )
        machine = {
            "torch": torch.__version__,
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "load": os.getloadavg()[0],
            "page MB": given.size / 1e6,
        }
        print(", ".join(f"{name} {value}" for name, value in machine.items()))
        for cores in options.cores:
            for rows, ask, file in ((alone, measure, page), (whole, exported, given.path)):
                browser = playwright.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox"]
                )
                rows.append(ask(browser, file, cores, options.repeats))
                browser.close()
    captum = captum_times(net, max(3, options.repeats // 3))
    table(f"The engine alone; a channel of {LAYER}", alone)
    table(f"The page that to_html writes; tiles of {LAYER}", whole)
    table(f"captum's NeuronDeconvolution; a channel of {LAYER}", captum)
    ratio = min(row["channel"] for row in captum) / min(row["channel"] for row in alone)
    print(f"\nThe page is {ratio:.1f} times as fast as captum a channel; live it makes ", end="")
    print(f"{1e3 / min(row['live'] for row in alone):.1f} frames a second.")
    if options.json:
        told = {"machine": machine, "engine": alone, "page": whole, "captum": captum}
        options.json.write_text(json.dumps(told, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
