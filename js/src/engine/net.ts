/**
 * A network in one thread: one photo recorded, any neuron of it sent back to pixels.
 *
 * Nothing here waits, and nothing here knows of pages or workers: `engine.ts` shares the work out.
 * Sums are made in one fixed order, so that two runs give the same bits.
 */
import { EngineError, type Graph, volume } from "./graph";
import { Heap } from "./heap";
import { bestVariant, instantiate, type Variant } from "./kernels";
import type { Operation } from "./operation";
import { operation } from "./operations";
import { MaxPool } from "./pooling";
import {
  boxOf,
  codePlanes,
  logitsOf,
  mostProbable,
  type Neuron,
  type Projection,
  placeOf,
  places,
  planes,
  projection,
  type Standing,
  type Step,
  strongestOf,
} from "./reading";
import {
  carrier,
  count,
  grown,
  type Machine,
  type Method,
  PAPER,
  type Signal,
  settled,
} from "./signal";
import { WayBack } from "./way-back";
import { Weights } from "./weights";
import { type Box, wholeBox } from "./windows";

export type { Neuron, Projection, Standing, Step } from "./reading";

export class Net {
  readonly graph: Graph;
  readonly #machine: Machine;
  readonly #operations: Operation[];
  readonly #back: WayBack<Signal>;
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
    this.#back = new WayBack(carrier(this.#machine), graph, this.#operations);
  }

  /** One forward pass of a prepared photo [C, H, W]; what other threads need to go on from it. */
  record(pixels: Float32Array): ArrayBuffer[] {
    const { heap } = this.#machine;
    const shape = this.#shape(0);
    if (pixels.length !== volume(shape)) {
      throw new EngineError(
        `record() got ${pixels.length} numbers; expected [${shape.join(", ")}] of them.`,
      );
    }
    places(pixels, shape[0], heap.floats(this.#values[0] as number, pixels.length));
    this.graph.nodes.forEach((node, index) => {
      const inputs = node.inputs.map((n) => this.#values[n] as number);
      this.#operations[index]?.run(inputs, this.#values[index] as number);
    });
    this.#recorded = true;
    return this.#records().map(({ at, bytes }) => heap.bytes(at, bytes).slice().buffer);
  }

  /** Whether neurons may be projected: to warm up, before anything was recorded. */
  ready(recorded: boolean): void {
    this.#recorded = recorded;
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
    const { node, shape } = placeOf(this.graph, layer);
    return planes(this.#numbers(node), shape[0]);
  }

  /** Which place of its window each maximum took, of a max pooling: u8 [C, H, W], in reading order. */
  switches(layer: string): Uint8Array<ArrayBuffer> {
    const { node, shape } = placeOf(this.graph, layer);
    const record = this.#operations[node]?.record;
    if (!record || this.graph.nodes[node]?.op !== "maxpool") throw noSwitches(layer);
    return codePlanes(this.#machine.heap.bytes(record.at, record.bytes), shape);
  }

  /** Per channel the neuron with the highest activation, the first in reading order of equals. */
  strongest(layer: string, channels?: readonly number[]): Neuron[] {
    for (const channel of channels ?? []) placeOf(this.graph, layer, channel);
    const { node, shape } = placeOf(this.graph, layer);
    return strongestOf(this.#numbers(node), layer, shape, channels);
  }

  /** One neuron by its indices. */
  neuron(layer: string, channel: number, row: number, col: number): Neuron {
    const { node, shape } = placeOf(this.graph, layer, channel, row, col);
    const value = this.#numbers(node)[(row * shape[2] + col) * shape[0] + channel] ?? 0;
    return { layer, channel, row, col, value };
  }

  /** The k most probable classes: index and softmax probability. */
  topClasses(k = 5): [index: number, probability: number][] {
    return mostProbable(this.#numbers(logitsOf(this.graph)), k);
  }

  /** Send a neuron back to pixels, on the window that it can touch (Zeiler & Fergus, section 2.1). */
  project(neuron: Neuron, method: Method = PAPER): Projection {
    const { layer, channel, row, col } = neuron;
    const { node, shape } = placeOf(this.graph, layer, channel, row, col);
    this.#checkRecorded();
    const arrived = this.#back.send(node, this.#seed(neuron, shape[0], method), method);
    return this.#picture(arrived, boxOf(this.#back.seen(node, method), row, col, this.#shape(0)));
  }

  /** Send the whole map of one channel back, not a single neuron. */
  projectMap(layer: string, channel: number, method: Method = PAPER): Projection {
    const { node, shape } = placeOf(this.graph, layer, channel);
    this.#checkRecorded();
    const [channels] = shape;
    const at = this.#machine.heap.zeros(4 * volume(shape));
    const signal = this.#machine.heap.floats(at, volume(shape));
    const values = this.#numbers(node);
    for (let n = channel; n < values.length; n += channels) {
      signal[n] = method.seed === "activation" ? (values[n] as number) : 1;
    }
    const start = { at, box: wholeBox(shape), channels, rectified: false };
    return this.#picture(this.#back.send(node, start, method), wholeBox(this.#shape(0)));
  }

  /**
   * A neuron's way back, operation by operation, as zfwidgets/deconv/steps.py. off: nodes that are left out;
   * the signal passes, and an unpooling puts every value into the middle of its window.
   */
  steps(neuron: Neuron, method: Method, off: readonly number[]): Step[] {
    const { node, shape } = placeOf(this.graph, neuron.layer, neuron.channel);
    this.#checkRecorded();
    const { heap } = this.#machine;
    const standing = (signal: Signal): Standing => {
      const numbers = heap.floats(signal.at, count(signal));
      return { values: planes(numbers, signal.channels), box: signal.box };
    };
    const found: Step[] = [];
    const through = (index: number, given: Signal): Signal[] => {
      const operation = this.#operations[index] as Operation;
      const before = standing(given);
      const gone = off.includes(index);
      const without = () => (operation instanceof MaxPool ? operation.blind(given) : [given]);
      const parts = gone ? without() : operation.back(given, method);
      // What only counts as zero becomes so, to be seen.
      const seen = parts.map((part) => settled(this.#machine, part));
      found.push({ node: index, before, after: standing(seen[0] as Signal), off: gone });
      return seen;
    };
    const start = this.#seed(neuron, shape[0], method);
    heap.give(this.#back.send(node, start, method, through).at);
    return found;
  }

  /** Which place of its window each maximum of a channel took: u8 [H, W]. */
  codes(node: number, channel: number): Uint8Array<ArrayBuffer> {
    const record = this.#operations[node]?.record;
    const [channels, rows, cols] = this.#shape(node);
    if (!record || this.graph.nodes[node]?.op !== "maxpool") throw noSwitches(`node ${node}`);
    const codes = this.#machine.heap.bytes(record.at, record.bytes);
    return Uint8Array.from({ length: rows * cols }, (_, n) => codes[n * channels + channel] ?? 0);
  }

  /** The filter [h, w] of a convolution between one channel of what it gives and one that it takes. */
  filter(index: number, output: number, input: number): Float32Array<ArrayBuffer> {
    const node = this.graph.nodes[index];
    if (node?.op !== "conv") throw new EngineError(`node ${index} is no convolution.`);
    const [, group = 1, rows = 1, cols = 1] = node.weight.shape;
    const first = (output * group + (input % group)) * rows * cols;
    return this.#machine.weights.floats(node.weight).slice(first, first + rows * cols);
  }

  /** The neuron alone in its layer. */
  #seed({ channel, row, col, value }: Neuron, channels: number, method: Method): Signal {
    const { heap } = this.#machine;
    const at = heap.zeros(4 * channels);
    heap.floats(at, channels)[channel] = method.seed === "activation" ? value : 1;
    return { at, box: { top: row, left: col, rows: 1, cols: 1 }, channels, rectified: false };
  }

  /** The signal in its window of the photo, as planes. */
  #picture(signal: Signal, box: Box): Projection {
    const { heap } = this.#machine;
    const { at, channels } = grown(this.#machine, signal, box);
    const made = projection(heap.floats(at, box.rows * box.cols * channels), channels, box);
    heap.give(at);
    return made;
  }

  /** What stands at a node, [H, W, C]; good until the heap grows. */
  #numbers(node: number): Float32Array {
    return this.#machine.heap.floats(this.#values[node] as number, volume(this.#shape(node)));
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
}

export function noSwitches(layer: string): EngineError {
  return new EngineError(`layer "${layer}" is no max pooling: it has no switches.`);
}

/** Rectifiers that can work in the memory of the convolution before them, and these convolutions. */
export function fusions(graph: Graph): Set<number> {
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
