/**
 * A network in one thread: one photo recorded, any neuron of it sent back to pixels.
 *
 * Nothing here waits, and nothing here knows of pages or workers: `engine.ts` shares the work out.
 * Sums are made in one fixed order, so that two runs give the same bits.
 */
import { type Graph, shapeOf, volume } from "./graph";
import { Heap } from "./heap";
import { bestVariant, instantiate, type Variant } from "./kernels";
import { fusions, valuesOf } from "./layout";
import type { Operation } from "./operation";
import { operation } from "./operations";
import { MaxPool } from "./pooling";
import {
  boxOf,
  checkSize,
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
import type { Weights } from "./weights";
import { type Box, wholeBox } from "./windows";
import { EngineError } from "./words";

export type { Neuron, Projection, Standing, Step } from "./reading";

export class Net {
  readonly graph: Graph;
  readonly #machine: Machine;
  readonly #operations: Operation[];
  readonly #back: WayBack<Signal>;
  /** Address of every node's value. */
  readonly #values: number[];
  #recorded = false;

  /** Throws EngineError: no SIMD, memory refused. */
  constructor(graph: Graph, weights: Weights, variant: Variant = bestVariant()) {
    this.graph = graph;
    const heap = new Heap();
    const kernels = instantiate(heap.memory, variant);
    this.#machine = { heap, kernels, weights };
    const fused = fusions(graph);
    this.#values = valuesOf(graph, fused, (shape) => heap.take(4 * volume(shape)));
    this.#operations = graph.nodes.map((node, index) => {
      const shapes = node.inputs.map((n) => shapeOf(graph, n));
      return operation(this.#machine, node, shapes, fused.has(index));
    });
    this.#back = new WayBack(carrier(this.#machine), graph, this.#operations);
  }

  /** One forward pass of a prepared photo [C, H, W]; what other threads need to go on from it. */
  record(pixels: Float32Array): ArrayBuffer[] {
    const { heap } = this.#machine;
    const shape = shapeOf(this.graph, 0);
    checkSize(pixels, shape);
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
    if (!record || this.graph.nodes[node]?.op !== "maxpool")
      throw new EngineError("no_switches", { layer });
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
    const box = boxOf(this.#back.seen(node, method), row, col, shapeOf(this.graph, 0));
    return this.#picture(arrived, box);
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
    return this.#picture(this.#back.send(node, start, method), wholeBox(shapeOf(this.graph, 0)));
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
    const [channels, rows, cols] = shapeOf(this.graph, node);
    if (!record || this.graph.nodes[node]?.op !== "maxpool")
      throw new EngineError("no_switches", { layer: `node ${node}` });
    const codes = this.#machine.heap.bytes(record.at, record.bytes);
    return Uint8Array.from({ length: rows * cols }, (_, n) => codes[n * channels + channel] ?? 0);
  }

  /** The filter [h, w] of a convolution between one channel of what it gives and one that it takes. */
  filter(index: number, output: number, input: number): Float32Array<ArrayBuffer> {
    const node = this.graph.nodes[index];
    if (node?.op !== "conv") throw new EngineError("no_filters", { layer: `node ${index}` });
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
    return this.#machine.heap.floats(
      this.#values[node] as number,
      volume(shapeOf(this.graph, node)),
    );
  }

  #records(): { at: number; bytes: number }[] {
    return this.#operations.flatMap(({ record }) => record ?? []);
  }

  #checkRecorded(): void {
    if (!this.#recorded) throw new EngineError("no_photo");
  }
}
