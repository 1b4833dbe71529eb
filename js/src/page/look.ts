/**
 * One photo as the network took it: what the engine recorded, asked for layer by layer. The other half of
 * zfwidgets/widgets/channel_browser/responses.py.
 */
import type { Engine, Options, Recording } from "../engine/engine";
import type { Neuron, Step } from "../engine/net";
import { undo } from "../engine/prepare";
import type { Pixels } from "../engine/resample";
import type { RuleName } from "../engine/signal";
import type { Planes } from "./painting";
import { photoOf } from "./sheet";

/** Layers whose maps are kept: the present one and the one before. */
const KEPT = 2;

/** A layer's maps [C, H, W], its strongest neuron per channel, and what channels are ordered by. */
export interface Responses {
  maps: Float32Array;
  strongest: Neuron[];
  measures: Record<"strength" | "mean" | "sparsity" | "energy", Float32Array>;
  /** The largest value of all maps. */
  largest: number;
}

/** A signed picture [3, h, w] in pixels' units, and where it lies: top, left, bottom, right. */
export interface Projected {
  planes: Planes;
  box: [number, number, number, number];
}

export class Look {
  readonly engine: Engine;
  /** The photo as the network takes it, [C, H, W]. */
  readonly inputs: Float32Array;
  /** What the network saw, its preparation undone. */
  readonly seen: Pixels;
  /** The same as widgets are given it. */
  readonly photo: ReturnType<typeof photoOf>;
  readonly #recording: Recording;
  readonly #layers = new Map<string, Promise<Responses>>();

  private constructor(engine: Engine, inputs: Float32Array, recording: Recording) {
    [this.engine, this.inputs, this.#recording] = [engine, inputs, recording];
    this.seen = undo(inputs, engine.graph.preparation);
    this.photo = photoOf(this.seen);
  }

  /** Record a prepared photo [C, H, W]. */
  static async at(engine: Engine, inputs: Float32Array, signal: AbortSignal): Promise<Look> {
    return new Look(engine, inputs, await engine.record(inputs, { signal }));
  }

  async classes(k: number): Promise<{ label: string; p: number }[]> {
    if (this.engine.graph.logits === null) return [];
    const found = await this.#recording.topClasses(k);
    return found.map(([label, p]) => ({ label, p }));
  }

  /** The probabilities of all classes; none without a classifier. */
  async chances(): Promise<Float32Array> {
    if (this.engine.graph.logits === null) return new Float32Array();
    return this.#recording.chances();
  }

  responses(layer: string): Promise<Responses> {
    let found = this.#layers.get(layer);
    if (!found) {
      found = this.#ask(layer);
      this.#layers.set(layer, found);
      const [oldest] = this.#layers.keys();
      if (this.#layers.size > KEPT && oldest !== undefined) this.#layers.delete(oldest);
      found.catch(() => this.#layers.delete(layer));
    }
    return found;
  }

  async #ask(layer: string): Promise<Responses> {
    const [maps, strongest] = await Promise.all([
      this.#recording.featureMaps(layer),
      this.#recording.strongest(layer),
    ]);
    return { maps, strongest, ...measured(maps, strongest) };
  }

  neuron(layer: string, channel: number, row: number, col: number): Promise<Neuron> {
    return this.#recording.neuron(layer, channel, row, col);
  }

  /** A neuron's way back, operation by operation; off: nodes that are left out. */
  steps(neuron: Neuron, rule: RuleName, off: readonly number[]): Promise<Step[]> {
    return this.#recording.steps(neuron, { rule, seed: "activation", unpool: "sum" }, off);
  }

  /** Which place of its window each maximum of a channel took, by the pooling's node. */
  codes(node: number, channel: number): Promise<Uint8Array> {
    return this.#recording.codes(node, channel);
  }

  /** The filter of a convolution, by its node, between two channels. */
  filter(node: number, output: number, input: number): Promise<Float32Array> {
    return this.#recording.filter(node, output, input);
  }

  /** Neurons back to pixels, as they are done. A silent one gives nothing and costs nothing. */
  async *project(
    neurons: readonly Neuron[],
    rule: RuleName,
    options: Options = {},
  ): AsyncGenerator<{ index: number; projected: Projected }, void, undefined> {
    const method = { rule, seed: "activation", unpool: "sum" } as const;
    for await (const { index, projection } of this.#recording.project(neurons, method, options)) {
      const [top, left, bottom, right] = projection.box;
      const planes = this.colours(projection.pixels, bottom - top, right - left);
      yield { index, projected: { planes, box: projection.box } };
    }
  }

  /** Input space, where each channel was divided by its own deviation, as balanced colours. */
  colours(pixels: Float32Array, height: number, width: number): Planes {
    const { std, scale, channels } = this.engine.graph.preparation;
    const plane = height * width;
    const values = new Float32Array(3 * plane);
    for (let colour = 0; colour < 3; colour++) {
      const from = std.length < 3 ? 0 : channels === "BGR" ? 2 - colour : colour;
      const gain = Math.fround((std[from] ?? 1) / scale);
      for (let n = 0; n < plane; n++) {
        values[colour * plane + n] = (pixels[from * plane + n] as number) * gain;
      }
    }
    return { values, channels: 3, height, width };
  }
}

/** As `Responses.measures` of Python: NaN where a channel has no such number. */
function measured(
  maps: Float32Array,
  strongest: readonly Neuron[],
): Pick<Responses, "measures" | "largest"> {
  const channels = strongest.length;
  const places = maps.length / channels;
  const numbers = () => new Float32Array(channels);
  const measures = { strength: numbers(), mean: numbers(), sparsity: numbers(), energy: numbers() };
  let total = 0;
  let largest = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < channels; c++) {
    let [sum, height, square] = [0, 0, 0];
    for (let n = c * places; n < (c + 1) * places; n++) {
      const value = maps[n] as number;
      sum += value;
      if (value > 0) height += value;
      if (value > 0) square += value * value;
    }
    square /= places;
    const activity = (height / places) ** 2 / square;
    const scale = places > 1 ? 1 - 1 / places : Number.NaN;
    measures.strength[c] = strongest[c]?.value ?? 0;
    measures.mean[c] = sum / places;
    measures.sparsity[c] = Math.min(1, Math.max(0, (1 - activity) / scale));
    measures.energy[c] = square;
    total += square;
    largest = Math.max(largest, strongest[c]?.value ?? 0);
  }
  if (total > 0) measures.energy = measures.energy.map((value) => value / total);
  return { measures, largest };
}

/** A projection on the whole picture, zero elsewhere. */
export function onCanvas({ planes, box }: Projected, height: number, width: number): Planes {
  const [top, left] = box;
  const values = new Float32Array(3 * height * width);
  const first = Math.max(0, -left);
  const end = Math.min(planes.width, width - left);
  for (let c = 0; c < 3; c++) {
    for (let y = Math.max(0, -top); y < Math.min(planes.height, height - top); y++) {
      if (first >= end) continue;
      const from = (c * planes.height + y) * planes.width;
      const to = (c * height + top + y) * width + left;
      values.set(planes.values.subarray(from + first, from + end), to + first);
    }
  }
  return { values, channels: 3, height, width };
}
