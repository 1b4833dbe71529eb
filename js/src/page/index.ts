/**
 * A page without Python: the same widgets, their models answered by what was recorded, and by an engine
 * where the page has one. Python writes the document around it (zfwidgets/widgets/export/page.py) and hands
 * over the payload and the widgets' modules.
 */
import type * as engineModule from "../engine";
import type { Engine } from "../engine/engine";
import { StaticKernel } from "./kernel";
import { Live } from "./live";
import type { EnginePayload, Payload } from "./payload";
import { sides } from "./sides";

interface Widget {
  render(props: { model: unknown; el: HTMLElement }): unknown;
}

export default {
  /** Show every part of the payload in the element with its name as `data-part`. */
  start(
    payload: Payload,
    widgets: Record<string, Widget>,
    engine?: (typeof engineModule)["default"],
  ): StaticKernel {
    const { engine: described } = payload;
    const opening = described && engine && opened(described, engine);
    const kernel = new StaticKernel(
      payload,
      opening && ((host) => new Live(host, described, opening, undefined, sides)),
    );
    for (const { name, bundle } of payload.parts) {
      const el = document.querySelector<HTMLElement>(`[data-part="${name}"]`);
      const model = kernel.models.get(name);
      if (el && model) widgets[bundle]?.render({ model, el });
    }
    document.documentElement.dataset["ready"] = "true";
    return kernel;
  },
};

/** The engine, once the weights at the end of the document are there; the page says how far it is. */
async function opened(
  { graph, texts }: EnginePayload,
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
    if (document.readyState === "loading") {
      await new Promise((done) => {
        document.addEventListener("DOMContentLoaded", done, { once: true });
      });
    }
    await new Promise((done) => setTimeout(done)); // the widgets first
    const element = document.querySelector("#zf-weights");
    const weights = await engine.unpack(element?.textContent ?? "");
    element?.remove(); // ten megabytes of text
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
