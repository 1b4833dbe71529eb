/**
 * A page without Python: the same widgets, their models answered by what was recorded, and by an engine
 * where the page has one. Python writes the document around it (zfwidgets/widgets/export/page.py) and hands
 * over the payload and the widgets' modules.
 */
import type * as engineModule from "../engine";
import type { Engine } from "../engine/engine";
import { Address } from "./address";
import { beside } from "./beside";
import { keep } from "./keep";
import { StaticKernel } from "./kernel";
import { Live } from "./live";
import type { EnginePayload, Payload } from "./payload";
import { fromSevens } from "./sevens";
import type { Sides } from "./side";
import { StripSide } from "./strip";

/** A module of the page: a widget's, or the sides of widgets that few pages have. */
interface Module {
  render?(props: { model: unknown; el: HTMLElement }): unknown;
  sides?: Sides;
}

export default {
  /** Show every part of the payload in the element with its name as `data-part`. */
  start(
    payload: Payload,
    modules: Record<string, Module>,
    engine?: (typeof engineModule)["default"],
  ): StaticKernel {
    const { engine: described } = payload;
    const opening = described && engine && opened(described, engine);
    const sides: Sides = (host, own, engine, album) => ({
      ...(album && { strip: new StripSide(host, own, engine, album) }),
      ...modules["page-sides"]?.sides?.(host, own, engine, album),
    });
    const kernel = new StaticKernel(
      payload,
      opening && ((host) => new Live(host, described, opening, undefined, sides)),
    );
    for (const { name, bundle } of payload.parts) {
      const el = document.querySelector<HTMLElement>(`[data-part="${name}"]`);
      const model = kernel.models.get(name);
      if (el && model) modules[bundle]?.render?.({ model, el });
    }
    if (payload.address) new Address(kernel, payload.address);
    document.documentElement.dataset["ready"] = "true";
    if (payload.site) keep(payload.site);
    return kernel;
  },
};

/** The engine, once its weights are there; the page says how far it is. */
async function opened(
  { graph, weights: address, texts }: EnginePayload,
  engine: (typeof engineModule)["default"],
): Promise<Engine> {
  const line = document.querySelector<HTMLElement>(".zf-page-engine");
  const say = (key: string) => {
    if (line) line.textContent = texts[`engine_${key}`] ?? "";
  };
  const tell = (state: "opening" | "ready" | "failed") => {
    document.documentElement.dataset["engine"] = state;
    say(state);
  };
  /** Where the network computes; why, for whoever asks. */
  const computes = (on: "gpu" | "cpu", why: string) => {
    document.documentElement.dataset["computes"] = on;
    if (line) line.title = why;
  };
  tell("opening");
  try {
    const written = address ? await file(address, texts["weights_lost"] ?? "") : await inside();
    const weights = await engine.unpack(written);
    const made = await engine.open(graph, weights);
    tell("ready");
    const lost = (why: string) => {
      computes("cpu", why);
      say("lost");
    };
    void engine.accelerate(made, weights, "faster", lost).then(({ records, why }) => {
      computes(records ? "gpu" : "cpu", why);
      if (records) say("gpu");
    });
    return made;
  } catch (reason) {
    tell("failed");
    throw reason;
  }
}

/** The weights at the end of the document. */
async function inside(): Promise<string> {
  if (document.readyState === "loading") {
    await new Promise((done) => {
      document.addEventListener("DOMContentLoaded", done, { once: true });
    });
  }
  await new Promise((done) => setTimeout(done)); // the widgets first
  const element = document.querySelector("#zf-weights");
  element?.remove(); // ten megabytes of text
  return element?.textContent ?? "";
}

/** The weights in a file beside the page. */
async function file(address: string, lost: string): Promise<Uint8Array> {
  return unhurried(((await beside(address, "weights", lost)) as string | undefined) ?? "");
}

/** Bytes of a long text, a piece a turn, so that the page can be used meanwhile. */
async function unhurried(text: string): Promise<Uint8Array> {
  const letters = 2 ** 19; // whole bytes: seven are eight letters
  const bytes = new Uint8Array(Math.floor((text.length * 7) / 8));
  for (let at = 0; at < text.length; at += letters) {
    bytes.set(fromSevens(text.slice(at, at + letters)), (at * 7) / 8);
    await new Promise((done) => setTimeout(done));
  }
  return bytes;
}
