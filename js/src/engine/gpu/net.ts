/**
 * A network on a graphics processor: the same questions as ../net.ts, answered when it is done. Commands
 * are given in the order of the questions, so that a later photo does not disturb an earlier neuron.
 */
import { type Graph, shapeOf, volume } from "../graph";
import { fusions, valuesOf } from "../layout";
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
  strongestOf,
} from "../reading";
import { type Method, PAPER } from "../signal";
import { WayBack } from "../way-back";
import type { Weights } from "../weights";
import { type Box, wholeBox } from "../windows";
import { EngineError } from "../words";
import { Gpu } from "./gpu";
import { gpuOperation } from "./operations";
import {
  type GpuMachine,
  type GpuOperation,
  type GpuSignal,
  gpuCarrier,
  inBox,
  volumeOf,
} from "./signal";

export class GpuNet {
  readonly graph: Graph;
  readonly #machine: GpuMachine;
  readonly #operations: GpuOperation[];
  readonly #back: WayBack<GpuSignal>;
  /** Every node's value. */
  readonly #values: GPUBuffer[];

  private constructor(gpu: Gpu, graph: Graph, weights: Weights) {
    this.graph = graph;
    this.#machine = { gpu, weights };
    const fused = fusions(graph);
    this.#values = valuesOf(graph, fused, (shape) => gpu.take(volume(shape)));
    this.#operations = graph.nodes.map((node, index) => {
      const shapes = node.inputs.map((n) => shapeOf(graph, n));
      const value = this.#values[index] as GPUBuffer;
      return gpuOperation(this.#machine, node, shapes, fused.has(index), value);
    });
    this.#back = new WayBack(gpuCarrier(this.#machine), graph, this.#operations);
  }

  /** software: also on processors that only pretend. Rejects with NoGpu. */
  static async open(graph: Graph, weights: Weights, software: boolean): Promise<GpuNet> {
    return new GpuNet(await Gpu.open(software), graph, weights);
  }

  /** One forward pass of a prepared photo [C, H, W]; what other threads need to go on from it. */
  async record(pixels: Float32Array): Promise<ArrayBuffer[]> {
    const { gpu } = this.#machine;
    const shape = shapeOf(this.graph, 0);
    checkSize(pixels, shape);
    const input = new Float32Array(pixels.length);
    places(pixels, shape[0], input);
    gpu.write(this.#values[0] as GPUBuffer, input);
    this.graph.nodes.forEach((node, index) => {
      const inputs = node.inputs.map((n) => this.#values[n] as GPUBuffer);
      this.#operations[index]?.run(inputs, this.#values[index] as GPUBuffer);
    });
    return Promise.all(
      this.#operations.flatMap(({ record }, index) =>
        record ? [this.#bytes(record, volume(shapeOf(this.graph, index)))] : [],
      ),
    );
  }

  async #bytes({ kernel, buffer }: NonNullable<GpuOperation["record"]>, count: number) {
    const { gpu } = this.#machine;
    const words = Math.ceil(count / 4);
    const packed = gpu.take(words);
    gpu.each(kernel, [buffer, packed], { count, words }, words);
    const reading = gpu.read(packed, count);
    gpu.give(packed);
    return reading;
  }

  async featureMaps(layer: string): Promise<Float32Array<ArrayBuffer>> {
    const { node, shape } = placeOf(this.graph, layer);
    return planes(await this.#numbers(node), shape[0]);
  }

  async switches(layer: string): Promise<Uint8Array<ArrayBuffer>> {
    const { node, shape } = placeOf(this.graph, layer);
    const record = this.#operations[node]?.record;
    if (record?.kernel !== "bytesOfCodes") throw new EngineError("no_switches", { layer });
    return codePlanes(new Uint8Array(await this.#bytes(record, volume(shape))), shape);
  }

  async strongest(layer: string, channels?: readonly number[]): Promise<Neuron[]> {
    for (const channel of channels ?? []) placeOf(this.graph, layer, channel);
    const { node, shape } = placeOf(this.graph, layer);
    return strongestOf(await this.#numbers(node), layer, shape, channels);
  }

  async neuron(layer: string, channel: number, row: number, col: number): Promise<Neuron> {
    const { node, shape } = placeOf(this.graph, layer, channel, row, col);
    const numbers = await this.#numbers(node);
    const value = numbers[(row * shape[2] + col) * shape[0] + channel] ?? 0;
    return { layer, channel, row, col, value };
  }

  async topClasses(k = 5): Promise<[index: number, probability: number][]> {
    return mostProbable(await this.#numbers(logitsOf(this.graph)), k);
  }

  /** On the window that the neuron can touch (Zeiler & Fergus 2013, section 2.1). */
  async project(neuron: Neuron, method: Method = PAPER): Promise<Projection> {
    const { layer, channel, row, col, value } = neuron;
    const { node, shape } = placeOf(this.graph, layer, channel, row, col);
    const seed = new Float32Array(shape[0]);
    seed[channel] = method.seed === "activation" ? value : 1;
    const box = boxOf(this.#back.seen(node, method), row, col, shapeOf(this.graph, 0));
    return this.#send(node, seed, { top: row, left: col, rows: 1, cols: 1 }, method, box);
  }

  async projectMap(layer: string, channel: number, method: Method = PAPER): Promise<Projection> {
    const { node, shape } = placeOf(this.graph, layer, channel);
    const seed = new Float32Array(volume(shape));
    const values = method.seed === "activation" ? await this.#numbers(node) : null;
    for (let n = channel; n < seed.length; n += shape[0]) seed[n] = values?.[n] ?? 1;
    return this.#send(node, seed, wholeBox(shape), method, wholeBox(shapeOf(this.graph, 0)));
  }

  async #send(node: number, seed: Float32Array, from: Box, method: Method, box: Box) {
    const { gpu } = this.#machine;
    const channels = shapeOf(this.graph, node)[0];
    const buffer = gpu.take(seed.length);
    gpu.write(buffer, seed);
    const start = { buffer, box: from, channels, rectified: false };
    const arrived = inBox(this.#machine, this.#back.send(node, start, method), box);
    const reading = gpu.read(arrived.buffer, 4 * volumeOf(box, arrived.channels));
    gpu.give(arrived.buffer);
    return projection(new Float32Array(await reading), arrived.channels, box);
  }

  async #numbers(node: number): Promise<Float32Array> {
    const buffer = this.#values[node] as GPUBuffer;
    return new Float32Array(
      await this.#machine.gpu.read(buffer, 4 * volume(shapeOf(this.graph, node))),
    );
  }
}
