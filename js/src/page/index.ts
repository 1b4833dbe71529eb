/**
 * A page without Python: the same widgets, their models answered by what was recorded, and by an engine
 * where the page has one. Python writes the document around it (zfwidgets/widgets/export/page.py) and hands
 * over the payload and the widgets' modules.
 */
import type * as engineModule from "../engine";
import type { Engine } from "../engine/engine";
import { inWords, type Said } from "../engine/said";
import { Address } from "./address";
import { beside } from "./beside";
import { Comparing } from "./comparing";
import { framed } from "./frame";
import { keep } from "./keep";
import { type Beyond, type Host, StaticKernel } from "./kernel";
import { Live } from "./live";
import type { EnginePayload, Payload, QuizPayload } from "./payload";
import { fromSevens } from "./sevens";
import type { Sides } from "./side";
import { StripSide } from "./strip";

/** A module of the page: a widget's, or the sides of widgets that few pages have. */
interface Module {
  render?(props: { model: unknown; el: HTMLElement }): unknown;
  sides?: Sides;
  quiz?(host: Host, payload: QuizPayload): Beyond;
}

export default {
  /** Show every part of the payload in the element with its name as `data-part`. */
  start(
    payload: Payload,
    modules: Record<string, Module>,
    engine?: (typeof engineModule)["default"],
  ): StaticKernel {
    const sides: Sides = (host, own, opening, album) => ({
      ...(album && { strip: new StripSide(host, own, opening, album) }),
      ...modules["page-sides"]?.sides?.(host, own, opening, album),
    });
    const { quiz } = payload;
    const asking = (host: Host) => modules["page-sides"]?.quiz?.(host, quiz as QuizPayload);
    const beyond = quiz ? asking : engine && computing(payload, engine, sides);
    const kernel = new StaticKernel(payload, beyond);
    for (const { name, bundle } of payload.parts) {
      const el = document.querySelector<HTMLElement>(`[data-part="${name}"]`);
      const model = kernel.models.get(name);
      if (el && model) modules[bundle]?.render?.({ model, el });
    }
    const address = payload.address && new Address(kernel, payload.address);
    framed(address);
    document.documentElement.dataset["ready"] = "true";
    if (payload.site) keep(payload.site);
    return kernel;
  },
};

/** Who is asked for what was not recorded: an engine, or one for each side of a comparison. */
function computing(
  { engine: one, engines: two }: Payload,
  engine: (typeof engineModule)["default"],
  sides: Sides,
): ((host: Host) => Beyond) | undefined {
  const status = new Status(one ?? two?.left);
  if (one) {
    const opening = status.of(opened(one, engine, status));
    return (host) => new Live(host, one, opening, undefined, sides);
  }
  if (!two) return undefined;
  // One after the other: the scripts of their weights leave them in the same place.
  const left = opened(two.left, engine, status, 2);
  const right = left.then(() => opened(two.right, engine, status, 2));
  void status.of(Promise.all([left, right]));
  return (host) =>
    new Comparing(host, (own, side, other) => {
      const photos = host.has("picker") ? other?.photos : undefined;
      return new Live(own, two[side], side === "left" ? left : right, photos);
    });
}

/** How far the network is, in the page's own line. */
class Status {
  readonly #line = document.querySelector<HTMLElement>(".zf-page-engine");
  readonly #texts: Record<string, string>;

  constructor(payload?: EnginePayload) {
    this.#texts = payload?.texts ?? {};
  }

  /** Tell how an engine, or all of several, opens. */
  of<T>(opening: Promise<T>): Promise<T> {
    this.#tell("opening");
    opening.then(
      () => this.#tell("ready"),
      () => this.#tell("failed"),
    );
    return opening;
  }

  say(key: string): void {
    if (this.#line) this.#line.textContent = this.#texts[`engine_${key}`] ?? "";
  }

  /** Where the network computes; why, for whoever asks. */
  computes(on: "gpu" | "cpu", why: Said): void {
    document.documentElement.dataset["computes"] = on;
    if (this.#line) this.#line.title = inWords(why, this.#texts);
  }

  #tell(state: "opening" | "ready" | "failed"): void {
    document.documentElement.dataset["engine"] = state;
    this.say(state);
  }
}

/** An engine, once its weights are there. among: how many share the machine's cores. */
async function opened(
  { graph, weights: address, element, texts }: EnginePayload,
  engine: (typeof engineModule)["default"],
  status: Status,
  among = 1,
): Promise<Engine> {
  const written = address
    ? await file(address, texts["weights_lost"] ?? "")
    : await inside(element ?? "zf-weights");
  const weights = await engine.unpack(written);
  const cores = Math.max(1, Math.floor((navigator.hardwareConcurrency || 1) / among));
  const made = await engine.open(graph, weights, cores);
  const lost = (why: Said) => {
    status.computes("cpu", why);
    status.say("lost");
  };
  void engine.accelerate(made, weights, "faster", lost).then(({ records, why }) => {
    status.computes(records ? "gpu" : "cpu", why);
    if (records) status.say("gpu");
  });
  return made;
}

/** Weights at the end of the document, by the ids of their elements: two engines may have the same. */
const written = new Map<string, Promise<string>>();

function inside(id: string): Promise<string> {
  const found = written.get(id) ?? taken(id);
  written.set(id, found);
  return found;
}

async function taken(id: string): Promise<string> {
  if (document.readyState === "loading") {
    await new Promise((done) => {
      document.addEventListener("DOMContentLoaded", done, { once: true });
    });
  }
  await new Promise((done) => setTimeout(done)); // the widgets first
  const element = document.getElementById(id);
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
