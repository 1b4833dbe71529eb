/**
 * The engine behind the page's widgets: it answers what was not recorded, in the words of the same protocol,
 * as Python's widgets do in a notebook. What is under way for a part ends when something newer is asked.
 */
import { type Mode, Page, type RawPage } from "../channel-browser/page";
import type { Pin } from "../channel-browser/pins";
import { isAbort } from "../core/rpc";
import { bytesOf, type WireError } from "../core/wire";
import type { Engine } from "../engine/engine";
import { undo } from "../engine/prepare";
import { explained } from "../engine/said";
import type { RuleName } from "../engine/signal";
import { type Colours, type Contrast, RULES } from "../projection-view/state";
import { Album, PhotoError } from "./album";
import { pageOf, pinned, strongestChannel } from "./channels";
import type { Beyond, Host, Photos, Question, Reply } from "./kernel";
import { Look, type Responses } from "./look";
import type { Traits } from "./model";
import type { EnginePayload, LayerFacts, Ref } from "./payload";
import { type Found, found, type Place, shown } from "./projection";
import { sheet } from "./sheet";
import type { Side, Sides } from "./side";
import { drawn, type View } from "./tiles";

/** Epochs of pages that were recorded are lower. */
const FIRST_EPOCH = 2 ** 30;
const CLASSES = 5;
/** In a page of the camera alone. */
const NO_PHOTOS: Photos = {
  key: () => null,
  inputs: () => Promise.reject(new Error("the page has no photos")),
};

export class Live implements Beyond {
  readonly #host: Host;
  readonly #payload: EnginePayload;
  readonly #opening: Promise<Engine>;
  /** The page's own photos; null where Python has them. */
  readonly #album: Album | null;
  readonly #photos: Photos;
  readonly #sides: Record<string, Side>;
  readonly #heat: Uint8Array;
  readonly #signed: Uint8Array;
  /** What is under way, by part; and by question. */
  readonly #turns = new Map<string, AbortController>();
  readonly #questions = new Map<number, AbortController>();
  #epoch = FIRST_EPOCH;
  #look: { key: string; look: Promise<Look>; stop: AbortController } | null = null;
  /** What the browser shows, and since which epoch. */
  #shown: { epoch: number; view: View } | null = null;
  #projected: { key: string; found: Found } | null = null;

  /** photos: where they come from; default: an album of the page's own. sides: who answers other parts. */
  constructor(
    host: Host,
    payload: EnginePayload,
    opening: Promise<Engine>,
    photos?: Photos,
    sides?: Sides,
  ) {
    [this.#host, this.#payload, this.#opening] = [host, payload, opening];
    this.#heat = bytesOf(host.view(payload.heat));
    this.#signed = bytesOf(host.view(payload.signed));
    const none = Object.keys(payload.photos).length === 0;
    this.#album = photos || none ? null : this.#makeAlbum();
    this.#photos = photos ?? this.#album ?? NO_PHOTOS;
    this.#sides = sides?.(host, payload, opening, this.#album) ?? {};
    opening.catch((reason) => host.model("head").apply({ error: this.#explain(reason) }));
  }

  /** Where this one's photos come from, for another one that looks at the same. */
  get photos(): Photos {
    return this.#photos;
  }

  /** What the chosen photo excites in a layer. */
  async responses(layer: string): Promise<Responses> {
    return (await this.#looking()).responses(layer);
  }

  #makeAlbum(): Album {
    const [host, payload] = [this.#host, this.#payload];
    const files = Object.entries(payload.photos).map(([id, blob]) => [
      id,
      new Blob([bytesOf(host.view(blob))]),
    ]);
    const shelf = {
      get: (trait: string) => host.model("picker").get(trait),
      set: (traits: Traits) => host.set("picker", traits),
    };
    return new Album(shelf, Object.fromEntries(files), this.#say, async (photo) => {
      const engine = await this.#opening;
      return undo(await engine.prepare(photo), engine.graph.preparation);
    });
  }

  // -------------------------------------------------------------------------- asked by the kernel

  show(part: string): void {
    this.#begin(part, async (signal) => {
      if (part === "head") await this.#head(signal);
      else if (part === "browser") await this.#browser(signal);
      else if (part === "view") await this.#view(signal);
      else await this.#sides[part]?.show(this.#empty ? null : () => this.#looking(), signal);
    });
  }

  drop(part: string): void {
    this.#turns.get(part)?.abort();
    this.#turns.delete(part);
    if (part !== "browser") return;
    this.#shown = null;
    // Pins are of the photo, whether the tiles around them were recorded or not.
    queueMicrotask(() => this.#pin());
  }

  changed([part, trait]: Ref): Record<string, Traits> {
    if (part === "picker" && trait === "items" && this.#host.has("strip")) this.show("strip");
    if (part === "picker") return { picker: this.#album?.changed(trait) ?? {} };
    if (part === "browser" && trait === "pins") this.#pin();
    if (part === "browser" && trait === "hover" && this.#host.has("view")) {
      return { view: { hovered: this.#hovered() } };
    }
    const more = this.#sides[part]?.changed(trait);
    if (more === "show") this.show(part);
    else if (more) return more;
    if (part === "view" && trait === "full") {
      if (this.#host.model("view").get("contrast") === "fixed") this.show("view");
    }
    return {};
  }

  answer(part: string, question: Question, buffers: DataView[], reply: Reply): void {
    if (question.op === "cancel") {
      this.#questions.get(question.id)?.abort();
      return;
    }
    const stop = new AbortController();
    this.#questions.set(question.id, stop);
    this.#answer(part, question, buffers, reply, stop.signal)
      .catch((reason) => {
        if (!stop.signal.aborted && !old(reason)) reply.refuse(this.#explain(reason));
      })
      .finally(() => this.#questions.delete(question.id));
  }

  async #answer(
    part: string,
    question: Question,
    buffers: DataView[],
    reply: Reply,
    signal: AbortSignal,
  ): Promise<void> {
    if (part === "picker" && this.#album) {
      await this.#opening; // what it cannot look at is not taken
      // As Python: one chunk ends the answer, but for thumbnails, which come one by one.
      const several = question.op === "thumbs";
      await this.#album.answer(question, buffers, (body, pictures) =>
        reply.chunk(body, pictures, !several),
      );
      if (several) reply.chunk({}, [], true);
    } else if (part === "browser" && question.op === "tiles") {
      await this.#tiles(question, reply, signal);
    } else if (part === "browser" && question.op === "visit") {
      this.#host.visit(question["layer"] as string, question["channel"] as number);
      reply.chunk({}, [], true);
    } else if (this.#sides[part]) {
      await this.#sides[part].answer(question, buffers, reply, signal);
    } else throw new Error(`no question "${question.op}"`);
  }

  // -------------------------------------------------------------------------------------- turns

  /** Do something for a part, instead of what was under way; what goes wrong is said. */
  #begin(part: string, work: (signal: AbortSignal) => Promise<void>): void {
    this.#turns.get(part)?.abort();
    const turn = new AbortController();
    this.#turns.set(part, turn);
    work(turn.signal).catch((reason) => {
      if (turn.signal.aborted || old(reason)) return;
      if (part === "pins") {
        // They are the browser's, which goes on without them.
        this.#host.model("browser").apply({ error: this.#explain(reason) });
        return;
      }
      const model = this.#host.model(part);
      // The page that is there stays, and with it its epoch.
      const epoch = (model.get("_page") as Partial<RawPage> | undefined)?.epoch;
      model.apply({ status: "ready", ...(epoch === undefined ? {} : { epoch }) });
      this.#host.refuse(part, this.#explain(reason));
    });
  }

  /** The chosen photo, recorded; once for all that ask. */
  #looking(): Promise<Look> {
    const key = this.#photos.key() ?? "";
    if (this.#look?.key === key) return this.#look.look;
    this.#look?.stop.abort();
    const stop = new AbortController();
    const mine = { key, look: this.#record(key, stop.signal), stop };
    this.#look = mine;
    mine.look.catch(() => {
      if (this.#look === mine) this.#look = null;
    });
    return mine.look;
  }

  async #record(key: string, signal: AbortSignal): Promise<Look> {
    // Where the photo chosen meanwhile is a recorded one, nobody has taken the question for this one back.
    const same = () => {
      if ((this.#photos.key() ?? "") === key) return;
      throw new DOMException("another photo was chosen", "AbortError");
    };
    const engine = await this.#opening;
    same();
    const inputs = await this.#photos.inputs(engine);
    same();
    signal.throwIfAborted();
    return Look.at(engine, inputs, signal);
  }

  get #empty(): boolean {
    return this.#photos.key() === null;
  }

  // --------------------------------------------------------------------------------------- parts

  async #head(signal: AbortSignal): Promise<void> {
    const head = this.#host.model("head");
    if (this.#empty) {
      this.#host.show("head", { classes: [], status: "empty", error: {} });
      return;
    }
    head.apply({ status: "busy" });
    const look = await this.#looking();
    const classes = await look.classes(CLASSES);
    signal.throwIfAborted();
    this.#host.show("head", { classes, status: "ready", error: {} });
  }

  async #browser(signal: AbortSignal): Promise<void> {
    const host = this.#host;
    const model = host.model("browser");
    const epoch = ++this.#epoch;
    if (this.#empty) {
      host.show("browser", {
        _page: {},
        _photo: {},
        _pinned: {},
        epoch,
        status: "empty",
        error: {},
      });
      return;
    }
    const [layer, mode] = [model.get("layer") as string, model.get("mode") as Mode];
    if (mode === "synthesised" || (mode === "filter" && !this.#payload.filters[layer])) {
      // Filters of deeper layers have no colours; none is synthesised in a page.
      host.set("browser", { mode: "projection" });
      return;
    }
    model.apply({ epoch, status: "busy" });
    const look = await this.#looking();
    const responses = await look.responses(layer);
    signal.throwIfAborted();
    const view = this.#viewOf(look, layer, mode);
    this.#shown = { epoch, view };
    const filters = this.#payload.filters[layer] !== undefined;
    const page = pageOf(
      epoch,
      view,
      responses,
      filters,
      this.#labels(layer, responses.strongest.length),
    );
    host.show("browser", { _page: page, _photo: look.photo, status: "ready", error: {} });
    if (model.get("active") === null) host.propose(layer, strongestChannel(responses));
    this.#pin();
  }

  async #view(signal: AbortSignal): Promise<void> {
    const model = this.#host.model("view");
    if (this.#empty) {
      this.#host.show("view", { _photo: {}, _shown: {}, status: "empty", error: {} });
      return;
    }
    model.apply({ status: "busy" });
    const look = await this.#looking();
    const channel = model.get("channel") as number | null;
    // The browser will choose the channel that answers most.
    if (channel === null) return;
    const layer = model.get("layer") as string;
    const place = model.get("place") as Place;
    const rules = model.get("all_rules") ? RULES : [model.get("rule") as RuleName];
    const key = JSON.stringify([layer, channel, place, rules]);
    let now = this.#projected;
    if (now?.key !== key || now.found.look !== look) {
      now = { key, found: await found(look, layer, channel, place, rules, signal) };
      this.#projected = now;
    }
    signal.throwIfAborted();
    const paint = {
      contrast: model.get("contrast") as Contrast,
      colours: model.get("colours") as Colours,
      full: model.get("full") as number,
      signed: this.#signed,
    };
    const made = shown(now.found, this.#facts(layer), paint);
    const [first] = made.full;
    // To go on from, when it is to be fixed.
    const full = paint.contrast !== "fixed" && first ? { full: first } : {};
    this.#host.show("view", {
      _photo: look.photo,
      _shown: made,
      ...full,
      status: "ready",
      error: {},
    });
  }

  async #tiles(question: Question, reply: Reply, signal: AbortSignal): Promise<void> {
    const { ids = [], epoch } = question;
    const px = question["px"] as number;
    if (this.#shown?.epoch !== epoch) return; // of a page that is gone
    const { view } = this.#shown;
    if (view.mode === "filter") {
      for (const { head, blobs } of this.#payload.filters[view.layer] ?? []) {
        if (!head.ids?.some((id) => ids.includes(id))) continue;
        reply.chunk(
          head,
          blobs.map((number) => this.#host.view({ $blob: number })),
          false,
        );
      }
    } else {
      for await (const { ids: some, tiles } of drawn(view, ids, px, signal)) {
        const { head, picture } = sheet(some, tiles);
        reply.chunk(head, [picture], false);
      }
    }
    reply.chunk({}, [], true);
  }

  #pin(): void {
    const model = this.#host.model("browser");
    const pins = (model.get("pins") as Pin[] | undefined) ?? [];
    const there = Object.keys((model.get("_pinned") as object | undefined) ?? {}).length > 0;
    if (pins.length === 0 && !there) return;
    this.#begin("pins", async (signal) => {
      const look = await this.#looking();
      const mode = model.get("mode") as Mode;
      const own = (layer: string, other: Mode) =>
        this.#payload.layers[layer] ? this.#viewOf(look, layer, other) : null;
      const epoch = model.get("epoch") as number;
      const made = await pinned(epoch, pins, own, mode, signal);
      signal.throwIfAborted();
      model.apply({ _pinned: made });
    });
  }

  /** The receptive field of the channel under the pointer, for the photo beside it. */
  #hovered(): { box: unknown } | null {
    const model = this.#host.model("browser");
    const page = Page.read(model.get("_page") as Partial<RawPage>);
    const channel = model.get("hover") as number | null;
    const box = page && channel !== null ? page.box(channel) : null;
    return box && { box };
  }

  #viewOf(look: Look, layer: string, mode: Mode): View {
    const rule = this.#host.model("browser").get("rule") as RuleName;
    return { look, layer, facts: this.#facts(layer), mode, rule, heat: this.#heat };
  }

  #facts(layer: string): LayerFacts {
    return this.#payload.layers[layer] as LayerFacts;
  }

  /** Names of the channels, if they are the network's classes. */
  #labels(layer: string, count: number): readonly string[] {
    const { categories, layers } = this.#payload.graph;
    return layers.at(-1)?.name === layer && categories?.length === count ? categories : [];
  }

  // --------------------------------------------------------------------------------------- words

  readonly #say = (key: string, values: Record<string, string> = {}): string =>
    (this.#payload.texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

  #explain(reason: unknown): WireError {
    if (reason instanceof PhotoError) return reason.detail;
    return {
      title: this.#say("engine_title"),
      message: explained(reason, this.#payload.texts),
      hint: this.#say("engine_hint"),
    };
  }
}

/** Only that nobody wants it any more. */
function old(reason: unknown): boolean {
  // By its name: the engine is another bundle, with a class of its own.
  return (reason instanceof Error && reason.name === "Superseded") || isAbort(reason);
}
