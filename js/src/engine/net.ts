/**
 * A network in one thread: one photo recorded, any neuron of it sent back to pixels.
 *
 * Nothing here waits, and nothing here knows of pages or workers: `engine.ts` shares the work out.
 * Sums are made in one fixed order, so that two runs give the same bits.
 */
import { EngineError, type Graph, layerOf, volume } from "./graph";
import { Heap } from "./heap";
import { bestVariant, instantiate, type Variant } from "./kernels";
import type { Operation } from "./operation";
import { operation } from "./operations";
import { grown, type Machine, type Method, PAPER, type Signal } from "./signal";
import { WayBack } from "./way-back";
import { Weights } from "./weights";
import { type Box, type Window, wholeBox } from "./windows";

/** One place of one feature map, and what stands there. */
export interface Neuron {
  layer: string;
  channel: number;
  row: number;
  col: number;
  value: number;
}

/**
 * What a neuron looked like once it was sent back: signed pixels [C, h, w] in the network's input
 * space; box: top, left, bottom, right in the input. It may reach outside, where pixels are zero.
 */
export interface Projection {
  pixels: Float32Array<ArrayBuffer>;
  box: [top: number, left: number, bottom: number, right: number];
}

export class Net {
  readonly graph: Graph;
  readonly #machine: Machine;
  readonly #operations: Operation[];
  readonly #back: WayBack;
  /** Address of every node's value. */
  readonly #values: number[];
  #recorded = false;

  /** Throws EngineError: no SIMD, damaged weights, memory refused. */
  constructor(graph: Graph, weights: Uint8Array, variant: Variant = bestVariant()) {
    this.graph = graph;
    const heap = new Heap();
    const kernels = instantiate(heap.memory, variant);
    this.#machine = { heap, kernels, weights: new Weights(graph, weights) };
    const fused = fusions(graph);
    this.#values = [];
    for (const [index, node] of graph.nodes.entries()) {
      const source = node.inputs[0];
      const shared = node.op === "flatten" || (node.op === "relu" && fused.has(index));
      this.#values[index] =
        shared && source !== undefined
          ? (this.#values[source] as number)
          : heap.take(4 * volume(node.shape));
    }
    this.#operations = graph.nodes.map((node, index) => {
      const shapes = node.inputs.map((n) => graph.nodes[n]?.shape ?? node.shape);
      return operation(this.#machine, node, shapes, fused.has(index));
    });
    this.#back = new WayBack(this.#machine, graph, this.#operations);
  }

  /** One forward pass. pixels: the prepared photo, [C, H, W]. */
  record(pixels: Float32Array): void {
    const { heap } = this.#machine;
    const shape = this.#shape(0);
    const [channels, rows, cols] = shape;
    if (pixels.length !== volume(shape)) {
      throw new EngineError(
        `record() got ${pixels.length} numbers; expected [${shape.join(", ")}] of them.`,
      );
    }
    const input = heap.floats(this.#values[0] as number, pixels.length);
    for (let c = 0, from = 0; c < channels; c++) {
      for (let place = 0; place < rows * cols; place++) {
        input[place * channels + c] = pixels[from++] as number;
      }
    }
    this.graph.nodes.forEach((node, index) => {
      const inputs = node.inputs.map((n) => this.#values[n] as number);
      this.#operations[index]?.run(inputs, this.#values[index] as number);
    });
    this.#recorded = true;
  }

  /**
   * Once for nothing: browsers compile well only what has been run, and weights are packed when used.
   * forwards: whether this thread will record, or only go on from others' recordings.
   */
  warmUp(forwards: boolean): void {
    if (forwards) {
      const length = volume(this.#shape(0));
      const pattern = Float32Array.from({ length }, (_, n) => Math.sin(n / 7) + Math.sin(n / 113));
      for (let n = 0; n < 2; n++) this.record(pattern);
    }
    this.#recorded = true;
    const last = this.graph.layers.filter((layer) => layer.kind === "conv").at(-1);
    const [channels, rows, cols] = last ? this.#shape(last.node) : [0, 0, 0];
    for (let channel = 0; last && channel < Math.min(8, channels); channel++) {
      const { name: layer } = last;
      this.project({ layer, channel, row: rows >> 1, col: cols >> 1, value: 1 });
    }
    this.#recorded = false;
  }

  /** All that the way back needs of the photo, for another thread's `restore`. */
  saved(): ArrayBuffer[] {
    return this.#records().map(
      ({ at, bytes }) => this.#machine.heap.bytes(at, bytes).slice().buffer,
    );
  }

  /** Go on from another thread's recording: neurons can be projected, maps are not there. */
  restore(records: readonly ArrayBuffer[]): void {
    this.#records().forEach(({ at, bytes }, n) => {
      this.#machine.heap.bytes(at, bytes).set(new Uint8Array(records[n] as ArrayBuffer));
    });
    this.#recorded = true;
  }

  /** The layer's maps [C, H, W], rectified: what the next layer sees. */
  featureMaps(layer: string): Float32Array<ArrayBuffer> {
    const { node } = layerOf(this.graph, layer);
    return this.#planes(this.#values[node] as number, this.#shape(node));
  }

  /** Which place of its window each maximum took, of a max pooling: u8 [C, H, W], in reading order. */
  switches(layer: string): Uint8Array<ArrayBuffer> {
    const { node } = layerOf(this.graph, layer);
    const record = this.#operations[node]?.record;
    if (!record || this.graph.nodes[node]?.op !== "maxpool") {
      throw new EngineError(`layer "${layer}" is no max pooling: it has no switches.`);
    }
    const [channels, rows, cols] = this.#shape(node);
    const codes = this.#machine.heap.bytes(record.at, record.bytes);
    return Uint8Array.from(codes, (_, n) => {
      const place = n % (rows * cols);
      return codes[place * channels + Math.floor(n / (rows * cols))] as number;
    });
  }

  /** Per channel the neuron with the highest activation, the first in reading order of equals. */
  strongest(layer: string, channels?: readonly number[]): Neuron[] {
    const { node } = layerOf(this.graph, layer);
    const [all, rows, cols] = this.#shape(node);
    const values = this.#machine.heap.floats(this.#values[node] as number, all * rows * cols);
    return (channels ?? Array.from({ length: all }, (_, n) => n)).map((channel) => {
      this.#check(layer, channel, 0, 0);
      let best = 0;
      for (let place = 1; place < rows * cols; place++) {
        const value = values[place * all + channel] as number;
        if (value > (values[best * all + channel] as number)) best = place;
      }
      const value = values[best * all + channel] as number;
      return { layer, channel, row: Math.floor(best / cols), col: best % cols, value };
    });
  }

  /** One neuron by its indices. */
  neuron(layer: string, channel: number, row: number, col: number): Neuron {
    this.#check(layer, channel, row, col);
    const { node } = layerOf(this.graph, layer);
    const [channels, rows, cols] = this.#shape(node);
    const at = this.#values[node] as number;
    const values = this.#machine.heap.floats(at, channels * rows * cols);
    return {
      layer,
      channel,
      row,
      col,
      value: values[(row * cols + col) * channels + channel] ?? 0,
    };
  }

  /** The k most probable classes: index and softmax probability. */
  topClasses(k = 5): [index: number, probability: number][] {
    if (this.graph.logits === null) {
      throw new EngineError(`${this.graph.name} gives no classes; topClasses needs a classifier.`);
    }
    const at = this.#values[this.graph.logits] as number;
    const logits = Array.from(
      this.#machine.heap.floats(at, volume(this.#shape(this.graph.logits))),
    );
    const highest = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - highest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers
      .map((power, index): [number, number] => [index, power / total])
      .sort((a, b) => b[1] - a[1] || a[0] - b[0])
      .slice(0, k);
  }

  /** Send a neuron back to pixels, on the window that it can touch (Zeiler & Fergus, section 2.1). */
  project(neuron: Neuron, method: Method = PAPER): Projection {
    const { layer, channel, row, col, value } = neuron;
    this.#check(layer, channel, row, col);
    this.#checkRecorded();
    const { node } = layerOf(this.graph, layer);
    const [channels] = this.#shape(node);
    const at = this.#machine.heap.zeros(4 * channels);
    const seed = method.seed === "activation" ? value : 1;
    this.#machine.heap.floats(at, channels)[channel] = seed;
    const box = { top: row, left: col, rows: 1, cols: 1 };
    const arrived = this.#back.send(node, { at, box, channels, rectified: false }, method);
    return this.#picture(arrived, this.#back.seen(node, method), row, col);
  }

  /** Send the whole map of one channel back, not a single neuron. */
  projectMap(layer: string, channel: number, method: Method = PAPER): Projection {
    this.#check(layer, channel, 0, 0);
    this.#checkRecorded();
    const { node } = layerOf(this.graph, layer);
    const shape = this.#shape(node);
    const [channels, rows, cols] = shape;
    const at = this.#machine.heap.zeros(4 * volume(shape));
    const signal = this.#machine.heap.floats(at, volume(shape));
    const values = this.#machine.heap.floats(this.#values[node] as number, volume(shape));
    for (let n = channel; n < channels * rows * cols; n += channels) {
      signal[n] = method.seed === "activation" ? (values[n] as number) : 1;
    }
    const start = { at, box: wholeBox(shape), channels, rectified: false };
    return this.#picture(this.#back.send(node, start, method), null, 0, 0);
  }

  /** The signal in its window of the photo, as planes. */
  #picture(signal: Signal, window: Window | null, row: number, col: number): Projection {
    const { heap } = this.#machine;
    const box: Box = window
      ? {
          top: window.jump[0] * row + window.offset[0],
          left: window.jump[1] * col + window.offset[1],
          rows: window.size[0],
          cols: window.size[1],
        }
      : wholeBox(this.#shape(0));
    const whole = grown(this.#machine, signal, box);
    const pixels = this.#planes(whole.at, [signal.channels, box.rows, box.cols]);
    heap.give(whole.at);
    return { pixels, box: [box.top, box.left, box.top + box.rows, box.left + box.cols] };
  }

  /** [H, W, C] in memory as [C, H, W] of its own. */
  #planes(at: number, shape: readonly [number, number, number]): Float32Array<ArrayBuffer> {
    const [channels, rows, cols] = shape;
    const values = this.#machine.heap.floats(at, volume(shape));
    const planes = new Float32Array(values.length);
    for (let c = 0, to = 0; c < channels; c++) {
      for (let n = c; n < values.length; n += channels) planes[to++] = values[n] as number;
    }
    return planes.length === channels * rows * cols ? planes : new Float32Array();
  }

  #records(): { at: number; bytes: number }[] {
    return this.#operations.flatMap(({ record }) => record ?? []);
  }

  #shape(index: number): readonly [number, number, number] {
    const node = this.graph.nodes[index];
    if (!node) throw new EngineError(`the graph has no node ${index}.`);
    return node.shape;
  }

  #checkRecorded(): void {
    if (!this.#recorded) throw new EngineError("project() before any photo was recorded.");
  }

  #check(layer: string, channel: number, row: number, col: number): void {
    const shape = this.#shape(layerOf(this.graph, layer).node);
    for (const [name, given, limit] of [
      ["channel", channel, shape[0]],
      ["row", row, shape[1]],
      ["col", col, shape[2]],
    ] as const) {
      if (!Number.isInteger(given) || given < 0 || given >= limit) {
        throw new EngineError(`${name} ${given} of layer "${layer}": expected 0 to ${limit - 1}.`);
      }
    }
  }
}

/** Rectifiers that can work in the memory of the convolution before them, and these convolutions. */
function fusions(graph: Graph): Set<number> {
  const users = new Map<number, number>();
  for (const node of graph.nodes) {
    for (const source of node.inputs) users.set(source, (users.get(source) ?? 0) + 1);
  }
  const shown = new Set(graph.layers.map((layer) => layer.node));
  const fused = new Set<number>();
  graph.nodes.forEach((node, index) => {
    const source = node.inputs[0];
    if (node.op !== "relu" || source === undefined) return;
    const before = graph.nodes[source]?.op;
    if (before !== "conv" && before !== "linear") return;
    if (users.get(source) === 1 && !shown.has(source)) fused.add(index).add(source);
  });
  return fused;
}
