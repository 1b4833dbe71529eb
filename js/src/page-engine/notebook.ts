/**
 * The widgets of a notebook, as `Live` sees them: their models are Python's, and what is computed in the page is
 * set in them as if Python had sent it. What Python must know (what a photo is taken for, the channel to begin
 * with, the neuron that is shown) is told to it.
 */
import { desks } from "../core/desk";
import type { Rpc } from "../core/rpc";
import { floatsOf, type WireError } from "../core/wire";
import type { Engine } from "../engine/engine";
import { type Host, type Photos, type Question, replyTo } from "../page/kernel";
import { Live } from "../page/live";
import type { Traits } from "../page/model";
import type { Blob64, EnginePayload } from "../page/payload";
import type { Shown } from "../projection-view/state";

/** A widget's model as the notebook's manager has it. */
export interface NotebookModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  /** Set traits as a message from Python does: nothing goes back. */
  set_state(traits: Traits): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
}

/** Which parts show something else when a trait of a part changes. */
const SHOWS: Record<string, Record<string, readonly string[]>> = {
  engine: { photo: ["head", "browser", "view"] },
  browser: { layer: ["browser", "view"], mode: ["browser"], rule: ["browser"], active: ["view"] },
  view: {
    rule: ["view"],
    place: ["view"],
    all_rules: ["view"],
    contrast: ["view"],
    colours: ["view"],
  },
};
/** What `Live` is told beside. */
const TOLD: Record<string, readonly string[]> = { browser: ["pins", "hover"], view: ["full"] };

/** Traits of a part that its model in a notebook does not have, being linked in Python. */
const LINKED: Record<string, readonly [part: string, trait: string]> = {
  "view.layer": ["browser", "layer"],
  "view.channel": ["browser", "active"],
};

/** Whom the notebook tells what has happened. */
export interface Owner {
  /** The photo is recorded. */
  recorded(photo: number, classes: unknown): void;
  /** A channel is to be gone to, in whichever layer it is. */
  visit(layer: string, channel: number): void;
  /** A layer's strongest channel is shown, for none was chosen. */
  proposed(layer: string, channel: number): void;
  /** A neuron is shown, and the |x| of its full contrast. */
  shown(neuron: object, full: unknown): void;
  /** The page cannot go on. */
  failed(message: string): void;
}

export class Notebook implements Host {
  readonly #models: Record<string, NotebookModel>;
  readonly #owner: Owner;
  readonly #blobs: readonly DataView[];
  readonly #live: Live;
  readonly #taken: string[] = [];
  readonly #life = new AbortController();
  /** Parts that are to show something else, once all that changes together has changed. */
  readonly #dirty = new Set<string>();

  /** models: the parts, and the engine's own as "engine". blobs: the buffers that `payload` names. */
  constructor(
    models: Record<string, NotebookModel>,
    payload: EnginePayload,
    blobs: readonly DataView[],
    engine: Engine,
    rpc: Rpc,
    owner: Owner,
  ) {
    [this.#models, this.#owner, this.#blobs] = [models, owner, blobs];
    this.#live = new Live(this, payload, Promise.resolve(engine), this.#photos(rpc));
    for (const part of Object.keys(SHOWS)) this.#follow(part);
    for (const part of ["browser", "view"]) this.#answer(part);
    for (const part of SHOWS["engine"]?.["photo"] ?? []) this.#live.show(part);
  }

  /** Leave the widgets to Python. */
  close(): void {
    this.#life.abort();
    for (const key of this.#taken) desks().delete(key);
    for (const part of ["head", "browser", "view", "pins"]) this.#live.drop(part);
  }

  // -------------------------------------------------------------------------------- as a host

  has(part: string): boolean {
    return part in this.#models;
  }

  model(part: string): { get(name: string): unknown; apply(traits: Traits): boolean } {
    return {
      get: (name) => {
        const [owner, trait] = LINKED[`${part}.${name}`] ?? [part, name];
        return this.#models[owner]?.get(trait);
      },
      apply: (traits) => {
        // The head is Python's, and so is what has no model.
        const model = part === "head" ? undefined : this.#models[part];
        if (this.#life.signal.aborted || !model) return false;
        model.set_state(traits);
        return true;
      },
    };
  }

  set(part: string, traits: Traits): void {
    const model = this.#models[part];
    if (this.#life.signal.aborted || !model) return;
    for (const [name, value] of Object.entries(traits)) model.set(name, value);
    model.save_changes();
  }

  visit(layer: string, channel: number): void {
    if (!this.#life.signal.aborted) this.#owner.visit(layer, channel);
  }

  propose(layer: string, channel: number): void {
    // As if Python had sent it: should Python have chosen another meanwhile, that one is on its way.
    if (this.model("browser").apply({ active: channel })) this.#owner.proposed(layer, channel);
  }

  show(part: string, traits: Traits): void {
    if (this.#life.signal.aborted) return;
    if (part === "head") {
      this.#owner.recorded(this.#photo, traits["classes"]);
      return;
    }
    this.model(part).apply(traits);
    const shown = traits["_shown"] as Partial<Shown> | undefined;
    if (part === "view" && shown?.layer !== undefined) {
      const { layer, channel, row, col, value, box } = shown;
      this.#owner.shown({ layer, image: 0, channel, row, col, value, box }, traits["full"]);
    }
  }

  refuse(_part: string, error: WireError): void {
    if (!this.#life.signal.aborted) this.#owner.failed(error.message);
  }

  view({ $blob: number }: Blob64): DataView {
    return this.#blobs[number] as DataView;
  }

  // ------------------------------------------------------------------------------ what happens

  get #photo(): number {
    return this.#models["engine"]?.get("photo") as number;
  }

  #photos(rpc: Rpc): Photos {
    const { signal } = this.#life;
    return {
      key: () => (this.#photo > 0 ? String(this.#photo) : null),
      inputs: async () => {
        let pixels: DataView | undefined;
        await rpc.request("photo", {}, { signal, onChunk: (_, [data]) => (pixels ??= data) });
        if (!pixels) throw new Error("Python has no photo");
        return floatsOf(pixels);
      },
    };
  }

  #follow(part: string): void {
    const model = this.#models[part];
    const watch = (trait: string, parts: readonly string[]) => {
      const changed = () => this.#changed(part, trait, parts);
      model?.on(`change:${trait}`, changed);
      this.#life.signal.addEventListener("abort", () => model?.off(`change:${trait}`, changed));
    };
    for (const [trait, parts] of Object.entries(SHOWS[part] ?? {})) watch(trait, parts);
    for (const trait of TOLD[part] ?? []) watch(trait, []);
  }

  #changed(part: string, trait: string, parts: readonly string[]): void {
    for (const [other, traits] of Object.entries(this.#live.changed([part, trait]))) {
      this.model(other).apply(traits);
    }
    if (this.#dirty.size === 0 && parts.length > 0) {
      queueMicrotask(() => {
        const dirty = [...this.#dirty];
        this.#dirty.clear();
        if (this.#life.signal.aborted) return;
        for (const one of dirty) this.#live.show(one);
      });
    }
    for (const one of parts) this.#dirty.add(one);
  }

  /** Take the part's questions instead of Python. */
  #answer(part: string): void {
    const key = this.#models[part]?.get("_desk");
    if (typeof key !== "string" || key === "") return;
    this.#taken.push(key);
    desks().set(key, (asked, buffers, receive) => {
      const question = asked as Question;
      const views = buffers.map((buffer) =>
        buffer instanceof ArrayBuffer
          ? new DataView(buffer)
          : new DataView(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength),
      );
      const reply = replyTo(question, receive as (message: object, sent: DataView[]) => void);
      // As from Python: never before the question's own call has returned.
      queueMicrotask(() => this.#live.answer(part, question, views, reply));
    });
  }
}
