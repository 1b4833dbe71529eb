/**
 * A square over the photo, dragged or scanned, with the engine behind it: the other half of
 * zfwidgets/widgets/occlusion_view/. Each place is a forward pass of the photo with the place hidden; one
 * after the other, so that a hand that drags waits for one step of a scan at most.
 */
import type { Engine } from "../engine/engine";
import { prepare, undo } from "../engine/prepare";
import type { Host, Question, Reply } from "./kernel";
import type { Look } from "./look";
import type { Traits } from "./model";
import { places, ScanMaps } from "./scan-maps";
import { bitmap } from "./sheet";
import type { Side } from "./side";

const PART = "occlusion";
const WATCHED = 5;
/** Steps of a scan in pixels, and how many places are measured until the maps are drawn again. */
const STRIDES = [32, 8];
const AT_ONCE = 4;

interface Square {
  top: number;
  left: number;
  size: number;
  fill: string;
}

/** What one forward pass has to say. */
interface Seen {
  activation: number;
  chances: Float32Array;
}

/** The photo with nothing hidden, and what is watched in it. */
interface Clean extends Seen {
  look: Look;
  channel: number;
  watched: number[];
  winner: number;
}

export class OcclusionSide implements Side {
  readonly #host: Host;
  #clean: Clean | null = null;
  #epoch = 2 ** 30;
  #layer = "";
  /** The forward pass that is under way, or the last one. */
  #turn: Promise<unknown> = Promise.resolve();
  #scan: AbortController | null = null;

  constructor(host: Host) {
    this.#host = host;
  }

  /** The layer whose map is watched: that of the page's first photo. */
  #watched(): string {
    const facts = this.#host.model(PART).get("_facts") as { layer?: string };
    this.#layer ||= facts.layer ?? "";
    return this.#layer;
  }

  async show(looking: (() => Promise<Look>) | null, signal: AbortSignal): Promise<void> {
    if (looking) await this.#open(looking(), signal);
    else this.#clear();
  }

  async answer(question: Question, _buffers: DataView[], reply: Reply): Promise<void> {
    const square = question as unknown as Square;
    reply.chunk(await this.#look(square), [], true);
  }

  /** No photo is chosen. */
  #clear(): void {
    this.#stop();
    this.#watched();
    this.#clean = null;
    const nothing = { _facts: {}, _photo: null, _maps: {}, overlay: "none", status: "empty" };
    this.#host.show(PART, { ...nothing, _epoch: ++this.#epoch, error: {} });
  }

  /** Look at a photo with nothing hidden; then a place of it can be. */
  async #open(looking: Promise<Look>, signal: AbortSignal): Promise<void> {
    this.#stop();
    const model = this.#host.model(PART);
    this.#clean = null;
    model.apply({ _epoch: ++this.#epoch, status: "busy" });
    const look = await looking;
    const layer = this.#watched();
    const [{ maps, strongest }, chances] = await Promise.all([
      look.responses(layer),
      look.chances(),
    ]);
    signal.throwIfAborted();
    const channel = strongest.reduce(
      (best, { value }, n) => (value > (strongest[best]?.value ?? 0) ? n : best),
      0,
    );
    const watched = [...chances.keys()]
      .sort((a, b) => (chances[b] as number) - (chances[a] as number) || a - b)
      .slice(0, WATCHED);
    const winner = watched[0] ?? 0;
    const activation = sum(maps, strongest.length, channel);
    this.#clean = { look, channel, watched, winner, activation, chances };
    this.#host.show(PART, this.#opened(this.#clean, layer));
  }

  #opened({ look, channel, watched, winner, activation, chances }: Clean, layer: string): Traits {
    const { height, width } = look.seen;
    const model = this.#host.model(PART);
    const size = Math.min(model.get("size") as number, height, width);
    const [top, left] = model.get("place") as [number, number];
    const names = watched.map((label) => name(look.engine, label));
    const { preparation } = look.engine.graph;
    const mean = undo(this.#painted(look, "mean", { top: 0, left: 0, size: height }), preparation);
    return {
      _photo: bitmap(look.seen),
      _facts: {
        height,
        width,
        layer,
        channel,
        activation,
        watched,
        names,
        p: watched.map((label) => chances[label]),
        label: names[0],
        winner,
        mean: [...mean.data.slice(0, 3)],
      },
      _maps: {},
      size,
      place: [Math.min(top, height - size), Math.min(left, width - size)],
      overlay: "none",
      progress: 0,
      status: "ready",
      error: {},
    };
  }

  /** What the network says with this place hidden: the answer to the question "look". */
  async #look(square: Square): Promise<Record<string, unknown>> {
    const clean = this.#clean;
    if (!clean) return { activation: 0, p: [], best: "", same: true, best_p: 0 };
    const { activation, chances } = await this.#seen(clean, square);
    const best = strongest(chances);
    return {
      activation,
      p: clean.watched.map((label) => chances[label]),
      best: name(clean.look.engine, best),
      same: best === clean.winner,
      best_p: chances[best],
    };
  }

  #seen(clean: Clean, square: Square): Promise<Seen> {
    const { look, channel } = clean;
    const layer = this.#watched();
    const run = async () => {
      // Another photo may have come while this one waited.
      if (clean !== this.#clean) throw new DOMException("another photo", "AbortError");
      const recording = await look.engine.record(this.#painted(look, square.fill, square));
      const [maps, chances] = await Promise.all([
        recording.featureMaps(layer),
        recording.chances(),
      ]);
      const channels = (await look.responses(layer)).strongest.length;
      return { activation: sum(maps, channels, channel), chances };
    };
    const seen = this.#turn.then(run);
    this.#turn = seen.catch(() => {});
    return seen;
  }

  /** The photo's input with a square painted over. */
  #painted(look: Look, fill: string, { top, left, size }: Omit<Square, "fill">): Float32Array {
    const { height, width } = look.seen;
    const { preparation } = look.engine.graph;
    const input = look.inputs.slice();
    const plane = height * width;
    const grey = prepare({ data: GREY, width: 1, height: 1 }, preparation);
    for (let c = 0; c < preparation.mean.length; c++) {
      const own = look.inputs.subarray(c * plane, (c + 1) * plane);
      const middle = (grey.length / preparation.mean.length) * (c + 0.5);
      const value =
        fill === "mean"
          ? own.reduce((total, one) => total + one, 0) / plane
          : (grey[Math.floor(middle)] as number);
      for (let y = top; y < Math.min(top + size, height); y++) {
        const from = c * plane + y * width + left;
        input.fill(value, from, from + Math.min(size, width - left));
      }
    }
    return input;
  }

  // ------------------------------------------------------------------------------------- the scan

  /** A trait has changed: a scan begins, or ends. */
  changed(trait: string): Record<string, Traits> {
    if (trait === "fill") this.#stop();
    if (trait === "scanning") this.#beginOrEnd();
    return {};
  }

  #beginOrEnd(): void {
    this.#scan?.abort();
    this.#scan = null;
    const clean = this.#clean;
    if (!this.#host.model(PART).get("scanning")) return;
    if (!clean) {
      this.#host.model(PART).apply({ scanning: false });
      return;
    }
    const stop = new AbortController();
    this.#scan = stop;
    this.#run(clean, stop.signal)
      .catch((reason) => {
        if (stop.signal.aborted || clean !== this.#clean) return;
        this.#host.refuse(PART, {
          title: "",
          message: reason instanceof Error ? reason.message : String(reason),
          hint: "",
        });
      })
      .finally(() => {
        if (this.#scan === stop) this.#stop();
      });
  }

  #stop(): void {
    this.#scan?.abort();
    this.#scan = null;
    this.#host.model(PART).apply({ scanning: false });
  }

  async #run(clean: Clean, signal: AbortSignal): Promise<void> {
    const model = this.#host.model(PART);
    const { height, width } = clean.look.seen;
    const [size, fill] = [model.get("size") as number, model.get("fill") as string];
    if (model.get("overlay") === "none") model.apply({ overlay: "probability" });
    model.apply({ progress: 0 });
    const grids = STRIDES.map((stride) => [
      places(height, size, stride),
      places(width, size, stride),
    ]) as [number[], number[]][];
    const all = (grids.at(-1) as [number[], number[]]).reduce((n, one) => n * one.length, 1);
    const maps = new ScanMaps(size);
    const legend = [clean.winner];
    let done = 0;
    for (const [tops, lefts] of grids) {
      maps.refine(tops, lefts);
      const unknown = maps.unknown();
      for (const [n, place] of unknown.entries()) {
        const square = { top: tops[place.row] ?? 0, left: lefts[place.col] ?? 0, size, fill };
        const { activation, chances } = await this.#seen(clean, square);
        signal.throwIfAborted();
        maps.measure(place, activation, chances[clean.winner] ?? 0, strongest(chances));
        done += 1;
        if (done % AT_ONCE && n < unknown.length - 1) continue;
        model.apply({ _maps: this.#drawn(clean, maps, legend), progress: done / all });
      }
    }
  }

  /** The maps as the widget draws them; classes are numbered as they come up. */
  #drawn({ look }: Clean, maps: ScanMaps, legend: number[]): Traits {
    for (const label of new Set(maps.winner)) {
      if (label >= 0 && !legend.includes(label)) legend.push(label);
    }
    const classes = Float32Array.from(maps.winner, (label) => legend.indexOf(label));
    const bytes = (values: Float32Array) => new DataView(values.slice().buffer);
    return {
      top: maps.top,
      left: maps.left,
      size: maps.size,
      activation: bytes(maps.total),
      probability: bytes(maps.chance),
      class: bytes(classes),
      names: legend.map((label) => name(look.engine, label)),
    };
  }
}

/** Mid-grey as a photo of one pixel. */
const GREY = new Uint8ClampedArray([128, 128, 128, 255]);

function name(engine: Engine, label: number): string {
  return engine.graph.categories?.[label] ?? String(label);
}

function strongest(chances: Float32Array): number {
  return chances.reduce((best, p, n) => (p > (chances[best] as number) ? n : best), 0);
}

/** Sum of one map of [C, H, W]. */
function sum(maps: Float32Array, channels: number, channel: number): number {
  const places = maps.length / channels;
  return maps
    .subarray(channel * places, (channel + 1) * places)
    .reduce((total, value) => total + value, 0);
}
