/**
 * The photos of the page that excite a channel most, found by the page itself: the other half of
 * zfwidgets/widgets/exemplar_strip/. All photos go through the network once, for all channels of all layers,
 * in an engine of their own, so that the photo that is looked at stays where it is.
 */
import { isAbort } from "../core/rpc";
import type { SheetHead } from "../core/wire";
import type { Engine } from "../engine/engine";
import type { Pixels } from "../engine/resample";
import type { RuleName } from "../engine/signal";
import type { Answers, Cell, Fact } from "../exemplar-strip/state";
import type { Album, Shot } from "./album";
import type { Host, Question, Reply } from "./kernel";
import { Look } from "./look";
import type { Traits } from "./model";
import type { EnginePayload, LayerFacts } from "./payload";
import { sheet } from "./sheet";
import type { Side } from "./side";
import { drawn, type View } from "./tiles";

const PART = "strip";
const SHOWN = 9;
/** Longer side of a picture at most. */
const PX = 160;
const KEPT = 32;

/** Of one photo and layer: per channel the largest value, and where. */
interface Best {
  value: Float32Array;
  row: Int32Array;
  col: Int32Array;
}

interface Found {
  shot: Shot;
  row: number;
  col: number;
  value: number;
}

export class StripSide implements Side {
  readonly #host: Host;
  readonly #payload: EnginePayload;
  readonly #opening: Promise<Engine>;
  readonly #album: Album;
  #spare: Promise<Engine> | null = null;
  /** What the photos have said, by the photo and its square, then by layer. */
  readonly #known = new Map<string, Map<string, Best>>();
  readonly #made = new Map<string, object>();
  /** What the spare engine does; one thing after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(host: Host, payload: EnginePayload, opening: Promise<Engine>, album: Album) {
    [this.#host, this.#payload, this.#opening, this.#album] = [host, payload, opening, album];
  }

  /** Show the strongest photos of the channel that is chosen. */
  async show(looking: (() => Promise<Look>) | null, signal: AbortSignal): Promise<void> {
    const model = this.#host.model(PART);
    const [layer, rule] = [model.get("layer") as string, model.get("rule") as RuleName];
    const channel = model.get("channel") as number | null;
    const folded = !model.get("in_sight") || !model.get("opened");
    if (folded || channel === null) {
      const status = model.get("_shown") ? "ready" : "empty";
      this.#host.show(PART, { status, progress: {}, error: {} });
      return;
    }
    model.apply({ status: "busy" });
    if (looking) {
      const answers = await this.#answers(await looking(), layer, channel, rule, signal);
      signal.throwIfAborted();
      model.apply({ _answers: answers });
    }
    await this.#next(() => this.#scan(signal));
    const shots = this.#album.shots().filter(({ key }) => this.#known.has(key));
    const key = JSON.stringify([layer, channel, rule, shots.map((shot) => shot.key)]);
    const found = this.#strongest(shots, layer, channel);
    const shown =
      this.#made.get(key) ??
      (await this.#next(() => this.#drawn(found, layer, channel, rule, shots.length, signal)));
    signal.throwIfAborted();
    this.#made.set(key, shown);
    const [oldest] = this.#made.keys();
    if (this.#made.size > KEPT && oldest !== undefined) this.#made.delete(oldest);
    this.#host.show(PART, { _shown: shown, status: "ready", error: {} });
  }

  /** What else says what the channel is, of the photo that is looked at; nothing is synthesised in a page. */
  async #answers(
    look: Look,
    layer: string,
    channel: number,
    rule: RuleName,
    signal: AbortSignal,
  ): Promise<Answers> {
    const facts = this.#payload.layers[layer] as LayerFacts;
    const strongest = (await look.responses(layer)).strongest[channel];
    const pictures: Pixels[] = [];
    for (const mode of ["photo patch", "projection"] as const) {
      const view: View = { look, layer, facts, mode, rule, heat: new Uint8Array() };
      for await (const { tiles } of drawn(view, [channel], PX, signal)) pictures.push(...tiles);
    }
    const { head, picture } = sheet([...pictures.keys()], pictures);
    const photo: Cell = strongest?.value ? { sheet: head, data: picture } : { why: "silent_here" };
    const synthesised: Cell = { why: "left_out" };
    return {
      layer,
      channel,
      rule,
      cells: { filter: this.#filter(layer, channel), photo, synthesised },
    };
  }

  #filter(layer: string, channel: number): Cell {
    for (const { head, blobs } of this.#payload.filters[layer] ?? []) {
      const at = head.ids?.indexOf(channel) ?? -1;
      if (at < 0) continue;
      return { sheet: head as SheetHead, data: this.#host.view({ $blob: blobs[0] ?? -1 }), at };
    }
    return { why: "filter_deep" };
  }

  changed(trait: string): Record<string, Traits> | "show" {
    return trait === "in_sight" || trait === "opened" ? "show" : {};
  }

  /** "pick": go into the photo of a picture; "stop" and "go": the scan. */
  async answer(question: Question, _buffers: DataView[], reply: Reply): Promise<void> {
    if (question.op === "pick") this.#pick(question);
    else this.#stopped = question.op === "stop";
    reply.chunk({}, [], true);
    if (question.op === "go") {
      // As if it had just come into sight.
      this.#host.set(PART, { opened: false });
      this.#host.set(PART, { opened: true });
    }
  }

  #pick(question: Question): void {
    const shown = this.#host.model(PART).get("_shown") as { pictures?: Fact[] };
    const fact = shown.pictures?.[question.ids?.[0] ?? -1];
    if (!fact || fact.id !== question["name"]) return;
    this.#host.set("picker", { value: fact.id });
    this.#host.set("view", { place: [fact.row, fact.col] });
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  #engine(): Promise<Engine> {
    this.#spare ??= this.#opening.then((engine) => engine.spare?.() ?? engine);
    this.#spare.catch(() => {
      this.#spare = null;
    });
    return this.#spare;
  }

  /** Have the photos that are not known yet seen by the network. */
  async #scan(signal: AbortSignal): Promise<void> {
    const shots = this.#album.shots();
    const lacking = shots.filter(({ key }) => !this.#known.has(key));
    if (lacking.length === 0) return;
    const engine = await this.#engine();
    for (const [n, shot] of lacking.entries()) {
      signal.throwIfAborted();
      const scanned = shots.length - lacking.length + n;
      const state = this.#stopped ? "stopped" : "running";
      const progress = { state, scanned, total: shots.length };
      this.#host.model(PART).apply({ progress });
      if (this.#stopped) return;
      try {
        const recording = await engine.record(await this.#album.inputsOf(engine, shot));
        const layers = new Map<string, Best>();
        for (const { name } of engine.graph.layers) {
          const neurons = await recording.strongest(name);
          layers.set(name, {
            value: Float32Array.from(neurons, ({ value }) => value),
            row: Int32Array.from(neurons, ({ row }) => row),
            col: Int32Array.from(neurons, ({ col }) => col),
          });
        }
        this.#known.set(shot.key, layers);
      } catch (reason) {
        // A photo that cannot be read is said when it is chosen.
        if (isAbort(reason)) throw reason;
        this.#known.set(shot.key, new Map());
      }
    }
    const progress = { state: "done", scanned: shots.length, total: shots.length };
    this.#host.model(PART).apply({ progress });
  }

  #strongest(shots: readonly Shot[], layer: string, channel: number): Found[] {
    const found = shots.flatMap((shot) => {
      const best = this.#known.get(shot.key)?.get(layer);
      const value = best?.value[channel] ?? 0;
      if (!best || value <= 0) return [];
      return { shot, value, row: best.row[channel] ?? 0, col: best.col[channel] ?? 0 };
    });
    return found.sort((a, b) => b.value - a.value).slice(0, SHOWN);
  }

  async #drawn(
    found: readonly Found[],
    layer: string,
    channel: number,
    rule: RuleName,
    scanned: number,
    signal: AbortSignal,
  ): Promise<object> {
    const engine = await this.#engine();
    const facts = this.#payload.layers[layer];
    if (!facts) return {};
    const pictures: Fact[] = [];
    const patches: Pixels[] = [];
    const projections: Pixels[] = [];
    const all = [["photo patch", patches] as const, ["projection", projections] as const];
    for (const { shot, row, col, value } of found) {
      signal.throwIfAborted();
      const look = await Look.at(engine, await this.#album.inputsOf(engine, shot), signal);
      for (const [mode, list] of all) {
        const view: View = { look, layer, facts, mode, rule, heat: new Uint8Array() };
        for await (const { tiles: made } of drawn(view, [channel], PX, signal)) list.push(...made);
      }
      const [top, left] = [
        row * facts.jump[0] + facts.offset[0],
        col * facts.jump[1] + facts.offset[1],
      ];
      const { height, width } = look.seen;
      const outside =
        top < 0 || left < 0 || top + facts.field[0] > height || left + facts.field[1] > width;
      const { id, label, credit } = shot.item;
      pictures.push({ id, title: label, credit, row, col, value, outside });
    }
    const complete = scanned === this.#album.shots().length;
    const told = { layer, channel, rule, scanned, complete, pictures, words: null };
    if (pictures.length === 0) return told;
    const flat = [...patches, ...projections];
    const { head, picture } = sheet([...flat.keys()], flat);
    return { ...told, sheet: head, data: picture };
  }
}
