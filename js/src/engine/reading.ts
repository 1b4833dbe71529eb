/** What is read from numbers that an engine has recorded or sent back, wherever it computed them. */
import { type Graph, layerOf, shapeOf, volume } from "./graph";
import { type Box, type Window, wholeBox } from "./windows";
import { EngineError } from "./words";

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

/** A signal on a map: [C, rows, cols] where it stands, zero everywhere else. */
export interface Standing {
  values: Float32Array<ArrayBuffer>;
  box: Box;
}

/** One operation on the way back: the signal as it arrives at a node, and as it leaves to its first input. */
export interface Step {
  node: number;
  before: Standing;
  after: Standing;
  off: boolean;
}

type Shape = readonly [channels: number, rows: number, cols: number];

/** The node of the layer, and its shape. Throws EngineError for a place that it does not have. */
export function placeOf(
  graph: Graph,
  layer: string,
  channel = 0,
  row = 0,
  col = 0,
): { node: number; shape: Shape } {
  const { node } = layerOf(graph, layer);
  const shape = shapeOf(graph, node);
  for (const [axis, given, limit] of [
    ["channel", channel, shape[0]],
    ["row", row, shape[1]],
    ["col", col, shape[2]],
  ] as const) {
    if (!Number.isInteger(given) || given < 0 || given >= limit) {
      throw new EngineError("no_place", { axis, given, layer, last: limit - 1 });
    }
  }
  return { node, shape };
}

/** Throws EngineError for a photo that is none of the network's: prepared, it is [C, H, W]. */
export function checkSize(pixels: Float32Array, shape: Shape): void {
  const [given, expected] = [pixels.length, volume(shape)];
  if (given !== expected) throw new EngineError("wrong_size", { given, expected });
}

/** [H, W, C] as [C, H, W]. */
export function planes(values: Float32Array, channels: number): Float32Array<ArrayBuffer> {
  const made = new Float32Array(values.length);
  for (let c = 0, to = 0; c < channels; c++) {
    for (let n = c; n < values.length; n += channels) made[to++] = values[n] as number;
  }
  return made;
}

/** [C, H, W] as [H, W, C], into `to`. */
export function places(pixels: Float32Array, channels: number, to: Float32Array): void {
  const count = pixels.length / channels;
  for (let c = 0, from = 0; c < channels; c++) {
    for (let place = 0; place < count; place++) {
      to[place * channels + c] = pixels[from++] as number;
    }
  }
}

/** Codes u8 [H, W, C] as [C, H, W]. */
export function codePlanes(codes: Uint8Array, [channels, rows, cols]: Shape) {
  return Uint8Array.from({ length: channels * rows * cols }, (_, n) => {
    const place = n % (rows * cols);
    return codes[place * channels + Math.floor(n / (rows * cols))] as number;
  });
}

/** Per channel the neuron with the highest value [H, W, C], the first in reading order of equals. */
export function strongestOf(
  values: Float32Array,
  layer: string,
  [all, , cols]: Shape,
  channels: readonly number[] = Array.from({ length: all }, (_, n) => n),
): Neuron[] {
  const places = values.length / all;
  return channels.map((channel) => {
    let best = 0;
    for (let place = 1; place < places; place++) {
      const value = values[place * all + channel] as number;
      if (value > (values[best * all + channel] as number)) best = place;
    }
    const value = values[best * all + channel] as number;
    return { layer, channel, row: Math.floor(best / cols), col: best % cols, value };
  });
}

/** The node with one number per class. Throws EngineError for a network that has none. */
export function logitsOf({ logits, name }: Graph): number {
  if (logits === null) throw new EngineError("no_classes", { net: name });
  return logits;
}

/** The k most probable classes: index and softmax probability. */
export function mostProbable(numbers: Float32Array, k: number): [number, number][] {
  const logits = Array.from(numbers);
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers
    .map((power, index): [number, number] => [index, power / total])
    .sort((a, b) => b[1] - a[1] || a[0] - b[0])
    .slice(0, k);
}

/** Where the pixels of a neuron's projection lie; null: the whole photo, of this shape. */
export function boxOf(window: Window | null, row: number, col: number, shape: Shape): Box {
  if (!window) return wholeBox(shape);
  return {
    top: window.jump[0] * row + window.offset[0],
    left: window.jump[1] * col + window.offset[1],
    rows: window.size[0],
    cols: window.size[1],
  };
}

export function projection(values: Float32Array, channels: number, box: Box): Projection {
  const { top, left, rows, cols } = box;
  return { pixels: planes(values, channels), box: [top, left, top + rows, left + cols] };
}
