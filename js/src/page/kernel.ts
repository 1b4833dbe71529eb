/**
 * What stands in for Python in a page without a kernel: it sets the widgets' traits and answers their
 * questions from what was recorded when the page was written. It computes nothing; for what was not recorded
 * it asks `Beyond`, where there is one.
 *
 * `links` are traits that are always equal. `scenes` say what a part shows for every combination of the
 * traits it depends on. `starts` sets a trait when another one changes. `answers` are sheets of tiles by
 * the epoch of the scene that asks.
 */
import type { RawPage } from "../channel-browser/page";
import type { Pin } from "../channel-browser/pins";
import { PROTOCOL, type SheetHead, type WireError } from "../core/wire";
import { fromBase64 } from "../engine/base64";
import type { Engine } from "../engine/engine";
import { StaticModel, type Traits } from "./model";
import type { Blob64, Payload, Ref, Scene } from "./payload";
import { type Layer, pinned } from "./pins";
import { fromSevens } from "./sevens";

/** Who is asked for what was not recorded. */
export interface Beyond {
  /** Show what is asked of a part now; tells the host when it is there, or why it cannot be. */
  show(part: string): void;
  /** Something that was recorded is shown: what was under way for the part is not wanted any more. */
  drop(part: string): void;
  /** A trait has changed; what else changes with it, by part. */
  changed(ref: Ref): Record<string, Traits>;
  answer(part: string, question: Question, buffers: DataView[], reply: Reply): void;
}

/** What it may do with the page. */
export interface Host {
  /** Whether the page has this part. */
  has(part: string): boolean;
  model(part: string): Pick<StaticModel, "get" | "apply">;
  /** Set traits as Python would; what follows from them follows. */
  set(part: string, traits: Traits): void;
  /** Go to a channel, in whichever layer it is. */
  visit(layer: string, channel: number): void;
  /** Begin with this channel of a layer, unless one has been chosen. */
  propose(layer: string, channel: number): void;
  /** The part shows what its traits ask for: that is where it goes back to. */
  show(part: string, traits: Traits): void;
  /** What is asked of a part cannot be shown: say so, and go back. */
  refuse(part: string, error: WireError): void;
  view(blob: Blob64): DataView;
}

/** Where photos come from. */
export interface Photos {
  /** What the chosen photo, and the square of it, is known by; null: there is none. */
  key(): string | null;
  /** The chosen photo as the network takes it, [C, H, W]. */
  inputs(engine: Engine): Promise<Float32Array>;
}

export interface Question {
  id: number;
  epoch: number;
  op: string;
  ids?: number[];
  [field: string]: unknown;
}

/** One chunk of an answer, or why there is none. */
export interface Reply {
  chunk(body: object, buffers: DataView[], last: boolean): void;
  refuse(error: WireError): void;
}

/** Answers to a question, in their envelopes. */
export function replyTo(
  { id, epoch }: Question,
  receive: (message: object, buffers: DataView[]) => void,
): Reply {
  return {
    chunk: (body, sent, last) => receive({ ...body, v: PROTOCOL, id, epoch, ok: true, last }, sent),
    refuse: (error) => receive({ v: PROTOCOL, id, ok: false, error }, []),
  };
}

export class StaticKernel implements Host {
  readonly models = new Map<string, StaticModel>();
  readonly #payload: Payload;
  readonly #views = new Map<number, DataView>();
  /** The last values for which a scene had something to show. */
  readonly #good = new Map<Scene, unknown[]>();
  readonly #beyond: Beyond | undefined;
  /** The part that goes back, and why. */
  #back: { part: string; error: WireError } | null = null;
  /** Errors of parts that will show what they showed before, once it is there. */
  readonly #refused = new Map<string, WireError>();

  constructor(payload: Payload, beyond?: (host: Host) => Beyond | undefined) {
    this.#payload = payload;
    for (const { name, state } of payload.parts) {
      const model = new StaticModel(this.#revived(state) as Traits, {
        saved: (names) => this.#follow(name, names),
        asked: (content, buffers) => this.#answer(name, content as unknown as Question, buffers),
      });
      this.models.set(name, model);
    }
    this.#beyond = beyond?.(this);
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
      if (this.model(owner).apply({ [trait]: value })) turn([owner, trait]);
    };
    const turn = (ref: Ref) => {
      const value = this.#value(ref);
      for (const [owner, traits] of Object.entries(this.#beyond?.changed(ref) ?? {})) {
        for (const [trait, other] of Object.entries(traits)) set([owner, trait], other);
      }
      for (const link of this.#payload.links) {
        if (link.some((end) => same(end, ref))) for (const end of link) set(end, value);
      }
      for (const start of this.#payload.starts) {
        if (start.when !== ref.join(".") || chosen.some((end) => same(end, start.set))) continue;
        const first = start.values[this.#key(start.by)] ?? start.otherwise;
        if (first !== undefined) set(start.set, start.copies ? value : first);
      }
      for (const scene of this.#payload.scenes) {
        if (scene.by.some((end) => same(end, ref))) dirty.add(scene);
      }
    };
    for (const ref of chosen) turn(ref);
    for (const scene of dirty) this.#show(scene);
    if (this.#beyond) return; // it draws pins itself
    const parts = new Set([part, ...[...dirty].map((scene) => scene.part)]);
    for (const name of parts) this.#pin(name);
  }

  /** Give the pins of a part their pictures. */
  #pin(part: string): void {
    const model = this.model(part);
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
      return { head: head as SheetHead, picture: this.view({ $blob: blobs[0] ?? -1 }) };
    });
    return { page, sheets };
  }

  /** Show what was recorded; for what was not, ask `Beyond`, or say that it is not there. */
  #show(scene: Scene): void {
    const state = scene.states[this.#key(scene.by)];
    if (this.#back?.part === scene.part) this.#refused.set(scene.part, this.#back.error);
    else this.#refused.delete(scene.part);
    if (state) {
      this.#beyond?.drop(scene.part);
      this.show(scene.part, this.#revived(state) as Traits);
    } else if (this.#beyond) this.#beyond.show(scene.part);
    else this.refuse(scene.part, this.#payload.absent);
  }

  set(part: string, traits: Traits): void {
    const model = this.model(part);
    const names = Object.keys(traits).filter((name) => model.get(name) !== traits[name]);
    if (model.apply(traits)) this.#follow(part, names);
  }

  visit(layer: string, channel: number): void {
    this.set("layers", { value: layer });
    this.set("browser", { active: channel });
  }

  propose(_layer: string, channel: number): void {
    this.set("browser", { active: channel });
  }

  show(part: string, traits: Traits): void {
    for (const scene of this.#payload.scenes) {
      if (scene.part !== part) continue;
      this.#good.set(
        scene,
        scene.by.map((ref) => this.#value(ref)),
      );
    }
    const error = this.#refused.get(part);
    this.#refused.delete(part);
    this.model(part).apply(error ? { ...traits, error } : traits);
  }

  /** Show the little that is there with the error; else the traits that asked for it go back. */
  refuse(part: string, error: WireError): void {
    this.#refused.delete(part);
    for (const scene of this.#payload.scenes) {
      if (scene.part !== part) continue;
      const other = scene.otherwise;
      const instead = other?.states[this.#key(other.by)];
      const good = this.#good.get(scene);
      if (instead) {
        this.model(part).apply({ ...(this.#revived(instead) as Traits), error });
      } else if (good) {
        this.#back = { part, error };
        this.#goBack(scene, good);
        this.#back = null;
        this.model(part).apply({ error });
      }
    }
  }

  #goBack(scene: Scene, good: unknown[]): void {
    const before = scene.by.map((ref) => this.#value(ref));
    scene.by.forEach(([part, trait], i) => {
      this.model(part).apply({ [trait]: good[i] });
      if (before[i] !== good[i]) this.#follow(part, [trait]);
    });
  }

  #key(refs: Ref[]): string {
    return JSON.stringify(refs.map((ref) => this.#value(ref)));
  }

  #value([part, trait]: Ref): unknown {
    return this.model(part).get(trait);
  }

  has(part: string): boolean {
    return this.models.has(part);
  }

  model(part: string): StaticModel {
    const model = this.models.get(part);
    if (!model) throw new Error(`the page has no part ${part}`);
    return model;
  }

  // ---------------------------------------------------------------------------------- questions

  #answer(part: string, question: Question, buffers: DataView[]): void {
    const { op, epoch } = question;
    const model = this.model(part);
    const reply = replyTo(question, (message, sent) => model.receive(message, sent));
    // As from Python: never before the question's own call has returned.
    queueMicrotask(() => {
      const recorded = op === "tiles" ? this.#payload.sheets[part]?.[epoch] : undefined;
      if (op === "hello") {
        reply.chunk({}, [], true);
      } else if (op === "visit" && !this.#beyond) {
        reply.chunk({}, [], true);
        this.set(part, { layer: question["layer"] });
        this.set(part, { active: question["channel"] });
      } else if (recorded) {
        const wanted = new Set(question.ids);
        for (const { head, blobs } of recorded) {
          if (!head.ids?.some((channel) => wanted.has(channel))) continue;
          reply.chunk(
            head,
            blobs.map((number) => this.view({ $blob: number })),
            false,
          );
        }
        reply.chunk({}, [], true);
      } else if (this.#beyond) {
        this.#beyond.answer(part, question, buffers, reply);
      } else if (op !== "cancel") {
        reply.refuse(this.#payload.kernelless);
      }
    });
  }

  // -------------------------------------------------------------------------------------- bytes

  view({ $blob: number }: Blob64): DataView {
    let view = this.#views.get(number);
    if (!view) {
      const { site, blobs } = this.#payload;
      const text = blobs[number] ?? "";
      const bytes = site ? fromSevens(text) : fromBase64(text);
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
    if (number !== undefined) return this.view({ $blob: number });
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, this.#revived(item)]),
    );
  }
}

function same(one: Ref, other: Ref): boolean {
  return one[0] === other[0] && one[1] === other[1];
}
