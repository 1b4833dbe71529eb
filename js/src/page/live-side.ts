/**
 * Frames of a camera, with the engine behind them: the other half of zfwidgets/widgets/live_view/. One after
 * the other; the next is decoded while the one before is computed.
 */
import { bytesOf } from "../core/wire";
import type { Engine } from "../engine/engine";
import type { Neuron } from "../engine/net";
import { prepare } from "../engine/prepare";
import type { Host, Question, Reply } from "./kernel";
import { Look, onCanvas, type Responses } from "./look";
import type { Traits } from "./model";
import { fullContrast, shrunk, signedColours } from "./painting";
import type { LayerFacts } from "./payload";
import { decoded, pixelsOf } from "./photos";
import { bitmap } from "./sheet";
import type { Side } from "./side";

const PART = "live";
const MIME = "image/bmp";
/** Places of all maps together that are shown; larger maps are shrunk to fit. */
const MOST_VALUES = 200_000;
/** How much stronger another channel must be before it becomes the one that is shown. */
const STAY = 1.2;

/** What is said of a frame, and its pictures. */
interface Told {
  body: Record<string, unknown>;
  pictures: DataView[];
}

export class LiveSide implements Side {
  readonly #host: Host;
  readonly #facts: Record<string, LayerFacts>;
  readonly #opening: Promise<Engine>;
  /** The frame that is under way, or the last one. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The last frame as the network took it. */
  #last: Look | null = null;
  #shown: { layer: string; channel: number } | null = null;

  constructor(host: Host, facts: Record<string, LayerFacts>, opening: Promise<Engine>) {
    [this.#host, this.#facts, this.#opening] = [host, facts, opening];
  }

  /** Nothing is shown before the camera is. */
  async show(): Promise<void> {}

  changed(trait: string): Record<string, Traits> {
    // An index means nothing in another layer, and may not exist there.
    return trait === "layer" ? { [PART]: { channel: null } } : {};
  }

  async answer(question: Question, [data]: DataView[], reply: Reply): Promise<void> {
    const { layer, channel } = question as unknown as { layer: string; channel: number | null };
    const asked = question.op === "frame" && data ? this.#frame(data) : this.#again(layer, channel);
    const { body, pictures } = await asked;
    reply.chunk(body, pictures, true);
  }

  /** An encoded square of the camera's picture, looked at. */
  async #frame(data: DataView): Promise<Told> {
    const engine = await this.#opening;
    const image = await decoded(new Blob([bytesOf(data)]));
    const photo = pixelsOf(image, null);
    image.close();
    const { preparation } = engine.graph;
    const exact = photo.width === preparation.size && preparation.channels !== "L";
    // The page has cut the square: all of it is looked at.
    const inputs = prepare(photo, { ...preparation, mode: "squash" });
    return this.#next(async () => {
      const model = this.#host.model(PART);
      // Sent before the page knew; what stands still is the frame before.
      if (model.get("frozen")) return { body: { frozen: true }, pictures: [] };
      const began = performance.now();
      const look = await Look.at(engine, inputs, new AbortController().signal);
      this.#last = look;
      const [layer, channel] = [model.get("layer") as string, model.get("channel")];
      const told = await this.#seen(look, layer, channel as number | null);
      if (!exact) told.pictures.push(bitmap(look.seen));
      told.body["ms"] = Math.round(10 * (performance.now() - began)) / 10;
      return told;
    });
  }

  /** The frame that stands still, at another layer or channel. */
  #again(layer: string, channel: number | null): Promise<Told> {
    return this.#next(async () => {
      if (!this.#last) throw new Error("no frame has arrived yet; start the camera first");
      return this.#seen(this.#last, layer, channel);
    });
  }

  #next<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #seen(look: Look, layer: string, channel: number | null): Promise<Told> {
    const began = performance.now();
    const responses = await look.responses(layer);
    const { strongest } = responses;
    const known = channel !== null && channel < strongest.length;
    const neuron = strongest[known ? channel : this.#strongest(layer, strongest)] as Neuron;
    const { height, width } = look.seen;
    let box: readonly number[] = [0, 0, height, width];
    let colours = signedColours(
      { values: new Float32Array(3 * height * width), channels: 3, height, width },
      0,
    );
    let full = 0;
    for await (const { projected } of look.project([neuron], "deconvnet", { urgent: true })) {
      const whole = onCanvas(projected, height, width);
      full = fullContrast(whole.values);
      colours = signedColours(whole, full);
      box = projected.box;
    }
    const map = this.#facts[layer]?.map ?? [1, 1];
    const { shape, levels } = shades(responses, map);
    const strengths = Float32Array.from(strongest, ({ value }) => value);
    return {
      body: {
        layer,
        channel: neuron.channel,
        row: neuron.row,
        col: neuron.col,
        box,
        size: [height, width],
        shape,
        contrast: `±${Number(full.toPrecision(3))}`,
        mime: MIME,
        ms: Math.round(performance.now() - began),
      },
      pictures: [new DataView(levels.buffer), bitmap(colours), new DataView(strengths.buffer)],
    };
  }

  /** The channel that answers most, if by far; else that of the frame before, so that it stands still. */
  #strongest(layer: string, strongest: readonly Neuron[]): number {
    const value = (channel: number) => strongest[channel]?.value ?? 0;
    let best = 0;
    for (const { channel } of strongest) if (value(channel) > value(best)) best = channel;
    const before = this.#shown?.layer === layer ? this.#shown.channel : best;
    if (value(best) < STAY * value(before)) best = before;
    this.#shown = { layer, channel: best };
    return best;
  }
}

/**
 * Maps as a byte a place: 255 is the 90th percentile of the channels' largest values and beyond. One scale for
 * all channels, or the noise of silent ones would flicker as bright as the rest.
 */
function shades(
  { maps, strongest }: Responses,
  [height, width]: readonly [number, number],
): { shape: [number, number, number]; levels: Uint8Array<ArrayBuffer> } {
  const count = strongest.length;
  const shrink = Math.min(1, Math.sqrt(MOST_VALUES / maps.length));
  const [h, w] = [height, width].map((side) => Math.max(1, Math.trunc(side * shrink))) as [
    number,
    number,
  ];
  const small = shrunk({ values: maps, channels: count, height, width }, h, w);
  const scale = quantile(
    strongest.map(({ value }) => value),
    0.9,
  );
  const factor = scale > 0 ? 255 / scale : 0;
  const levels = new Uint8Array(small.values.length);
  small.values.forEach((value, n) => {
    levels[n] = Math.min(255, Math.max(0, Math.round(value * factor)));
  });
  return { shape: [count, h, w], levels };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(at)] ?? 0, sorted[Math.ceil(at)] ?? 0];
  return low + (at - Math.floor(at)) * (high - low);
}
