/**
 * What stands in for Python in a page without a kernel: it sets the widgets' traits and answers their
 * questions from what was recorded when the page was written. It computes nothing.
 *
 * `links` are traits that are always equal. `scenes` say what a part shows for every combination of the
 * traits it depends on. `starts` sets a trait when another one changes. `answers` are sheets of tiles by
 * the epoch of the scene that asks.
 */

import type { RawPage } from "../channel-browser/page";
import type { Pin } from "../channel-browser/pins";
import { PROTOCOL, type SheetHead, type WireError } from "../core/wire";
import { StaticModel, type Traits } from "./model";
import { type Layer, pinned } from "./pins";

/** Part and trait. */
export type Ref = [part: string, trait: string];

export interface Scene {
  part: string;
  by: Ref[];
  /** Traits of the part, by the values of `by` as one JSON text. */
  states: Record<string, Traits>;
  /** What to show for a combination that was left out: the same, by fewer traits. Else it is refused. */
  otherwise?: { by: Ref[]; states: Record<string, Traits> };
}

export interface Start {
  set: Ref;
  when: string;
  by: Ref[];
  values: Record<string, unknown>;
  /** Set the value of `when` itself, where `values` has something. */
  copies?: boolean;
}

export interface Chunk {
  head: Partial<SheetHead> & Record<string, unknown>;
  blobs: number[];
}

export interface Payload {
  parts: { name: string; bundle: string; state: Traits }[];
  bundles: Record<string, string>;
  links: Ref[][];
  starts: Start[];
  scenes: Scene[];
  /** By part, then by epoch: the sheets of all its tiles. */
  sheets: Record<string, Record<string, Chunk[]>>;
  /** Errors for what was left out of the page, and for what only a kernel can do. */
  absent: WireError;
  kernelless: WireError;
  blobs: string[];
}

interface Question {
  id: number;
  epoch: number;
  op: string;
  ids?: number[];
  layer?: string;
  channel?: number;
}

export class StaticKernel {
  readonly models = new Map<string, StaticModel>();
  readonly #payload: Payload;
  readonly #views = new Map<number, DataView>();
  /** The last values for which a scene had something to show. */
  readonly #good = new Map<Scene, unknown[]>();

  constructor(payload: Payload) {
    this.#payload = payload;
    for (const { name, state } of payload.parts) {
      const model = new StaticModel(this.#revived(state) as Traits, {
        saved: (names) => this.#follow(name, names),
        asked: (content) => this.#answer(name, content as unknown as Question),
      });
      this.models.set(name, model);
    }
    for (const scene of payload.scenes) this.#show(scene);
  }

  // ------------------------------------------------------------------------------------- traits

  /**
   * As Python's observers: what the page has set leads to other traits, each with all that follows from
   * it before the next. What leads there and back never undoes a choice.
   */
  #follow(part: string, names: string[]): void {
    const chosen: Ref[] = names.map((name) => [part, name]);
    const dirty = new Set<Scene>();
    const set = ([owner, trait]: Ref, value: unknown) => {
      if (this.#model(owner).apply({ [trait]: value })) turn([owner, trait]);
    };
    const turn = (ref: Ref) => {
      const value = this.#value(ref);
      for (const link of this.#payload.links) {
        if (link.some((end) => same(end, ref))) for (const end of link) set(end, value);
      }
      for (const start of this.#payload.starts) {
        if (start.when !== ref.join(".") || chosen.some((end) => same(end, start.set))) continue;
        const first = start.values[this.#key(start.by)];
        if (first !== undefined) set(start.set, start.copies ? value : first);
      }
      for (const scene of this.#payload.scenes) {
        if (scene.by.some((end) => same(end, ref))) dirty.add(scene);
      }
    };
    for (const ref of chosen) turn(ref);
    for (const scene of dirty) this.#show(scene);
    const parts = new Set([part, ...[...dirty].map((scene) => scene.part)]);
    for (const name of parts) this.#pin(name);
  }

  /** Give the pins of a part their pictures. */
  #pin(part: string): void {
    const model = this.#model(part);
    const pins = (model.get("pins") ?? []) as Pin[];
    const shown = model.get("_pinned") as object | undefined;
    if (pins.length === 0 && Object.keys(shown ?? {}).length === 0) return;
    const page = model.get("_page") as RawPage;
    model.apply({ _pinned: pinned(pins, page.epoch, (layer) => this.#layer(part, layer)) });
  }

  /** What is recorded of a layer for what is chosen now; projections where it has none of the mode. */
  #layer(part: string, layer: string): Layer | null {
    const scene = this.#payload.scenes.find((one) => one.part === part);
    const key = (instead: Traits) =>
      JSON.stringify(
        scene?.by.map((ref) => (ref[0] === part && instead[ref[1]]) || this.#value(ref)),
      );
    const state =
      scene?.states[key({ layer })] ?? scene?.states[key({ layer, mode: "projection" })];
    if (!state) return null;
    const page = this.#revived(state["_page"]) as RawPage;
    const chunks = this.#payload.sheets[part]?.[page.epoch] ?? [];
    const sheets = chunks.map(({ head, blobs }) => {
      return { head: head as SheetHead, picture: this.#view(blobs[0] ?? -1) };
    });
    return { page, sheets };
  }

  /** Show what was recorded; what was not is said, and the trait that asked for it goes back. */
  #show(scene: Scene): void {
    const model = this.#model(scene.part);
    const state = scene.states[this.#key(scene.by)];
    const other = scene.otherwise;
    const instead = other && { ...other.states[this.#key(other.by)], error: this.#payload.absent };
    const good = this.#good.get(scene);
    if (state) {
      this.#good.set(
        scene,
        scene.by.map((ref) => this.#value(ref)),
      );
      model.apply(this.#revived(state) as Traits);
    } else if (instead) {
      model.apply(this.#revived(instead) as Traits);
    } else if (good) {
      const before = scene.by.map((ref) => this.#value(ref));
      scene.by.forEach(([part, trait], i) => {
        this.#model(part).apply({ [trait]: good[i] });
        if (before[i] !== good[i]) this.#follow(part, [trait]);
      });
      model.apply({ error: this.#payload.absent });
    }
  }

  #key(refs: Ref[]): string {
    return JSON.stringify(refs.map((ref) => this.#value(ref)));
  }

  #value([part, trait]: Ref): unknown {
    return this.#model(part).get(trait);
  }

  #model(part: string): StaticModel {
    const model = this.models.get(part);
    if (!model) throw new Error(`the page has no part ${part}`);
    return model;
  }

  // ---------------------------------------------------------------------------------- questions

  #answer(part: string, question: Question): void {
    const { op, id, epoch } = question;
    if (op === "cancel") return;
    const reply = (body: object, buffers: DataView[], last: boolean) => {
      const content = { ...body, v: PROTOCOL, id, epoch, ok: true, last };
      this.#model(part).receive(content, buffers);
    };
    // As from Python: never before the question's own call has returned.
    queueMicrotask(() => {
      if (op === "hello") {
        reply({}, [], true);
      } else if (op === "visit") {
        reply({}, [], true);
        for (const trait of ["layer", "channel"] as const) {
          const name = trait === "layer" ? trait : "active";
          if (this.#model(part).apply({ [name]: question[trait] })) this.#follow(part, [name]);
        }
      } else if (op === "tiles") {
        const wanted = new Set(question.ids);
        for (const { head, blobs } of this.#payload.sheets[part]?.[epoch] ?? []) {
          if (!head.ids?.some((channel) => wanted.has(channel))) continue;
          const buffers = blobs.map((number) => this.#view(number));
          reply(head, buffers, false);
        }
        reply({}, [], true);
      } else {
        const refusal = { v: PROTOCOL, id, ok: false, error: this.#payload.kernelless };
        this.#model(part).receive(refusal, []);
      }
    });
  }

  // -------------------------------------------------------------------------------------- bytes

  #view(number: number): DataView {
    let view = this.#views.get(number);
    if (!view) {
      const text = atob(this.#payload.blobs[number] ?? "");
      const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
      view = new DataView(bytes.buffer);
      this.#views.set(number, view);
    }
    return view;
  }

  /** The value with its bytes in place of their numbers. */
  #revived(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#revived(item));
    if (typeof value !== "object" || value === null) return value;
    const number = (value as { $blob?: number }).$blob;
    if (number !== undefined) return this.#view(number);
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, this.#revived(item)]),
    );
  }
}

function same(one: Ref, other: Ref): boolean {
  return one[0] === other[0] && one[1] === other[1];
}
