/** What a StepsView draws of one step, worked out in the page: the other half of steps_view/pictures.py. */
import type { Graph, GraphNode } from "../engine/graph";
import type { Step as Passage, Standing } from "../engine/reading";
import type { Pixels } from "../engine/resample";
import type { Kind, Part, Side, Step, Switches } from "../steps-view/state";
import { fullContrast, signedMean } from "./painting";
import { sheet } from "./sheet";

/** Most maps shown on either side. */
const TILES = 12;
/** Least rows and columns that a part of a map is shown with, where the map has as many. */
const LEAST = 7;
/** Rows and columns of pooled cells in the drawing of the switches. */
const CELLS = 5;

type Shape = GraphNode["shape"];
type Span = readonly [first: number, last: number];

/** What an operation does on the way back; contrast normalisation passes the signal and is no step. */
const KINDS: Partial<Record<GraphNode["op"], Kind>> = {
  conv: "filter",
  linear: "filter",
  maxpool: "unpool",
  relu: "rectify",
  average: "spread",
  affine: "normalise",
  add: "join",
  concat: "split",
  flatten: "reshape",
};
const OPTIONAL: readonly Kind[] = ["unpool", "rectify", "normalise"];

export const isStep = (graph: Graph, { node }: Passage): boolean =>
  KINDS[nodeOf(graph, node).op] !== undefined;

/** What a step is called where it is left out. */
export const nameOf = ({ op }: GraphNode, index: number): string => `${op} ${index}`;

function nodeOf(graph: Graph, index: number): GraphNode {
  return graph.nodes[index] as GraphNode;
}

/** A signal and the map on which it stands. */
class Maps {
  readonly #standing: Standing;

  constructor(
    readonly shape: Shape,
    standing: Standing,
  ) {
    this.#standing = standing;
  }

  get count(): number {
    return this.shape[0] * this.shape[1] * this.shape[2];
  }

  /** How many of all values are so. */
  share(so: (value: number) => boolean): number {
    let many = 0;
    for (const value of this.#standing.values) if (so(value)) many += 1;
    return many / Math.max(this.count, 1);
  }

  /** The channels with the largest |x|, at most TILES, largest first; zero ones are left out. */
  strongest(): number[] {
    const [channels] = this.shape;
    const places = this.#standing.values.length / channels;
    const largest = Float32Array.from({ length: channels }, (_, c) =>
      this.#standing.values
        .subarray(c * places, (c + 1) * places)
        .reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    );
    const order = [...largest.keys()].sort(
      (a, b) => (largest[b] as number) - (largest[a] as number) || a - b,
    );
    const alive = largest.reduce((many, value) => many + Number(value > 0), 0);
    return order.slice(0, Math.min(TILES, Math.max(1, alive)));
  }

  /** One channel on all of its map, row by row. */
  map(channel: number): Float32Array {
    const [, height, width] = this.shape;
    const { values, box } = this.#standing;
    const whole = new Float32Array(height * width);
    for (let y = 0; y < box.rows; y++) {
      const from = (channel * box.rows + y) * box.cols;
      whole.set(values.subarray(from, from + box.cols), (box.top + y) * width + box.left);
    }
    return whole;
  }

  /** First and last row and column with anything that is not zero; null: all is zero. */
  alive(): [rows: Span, cols: Span] | null {
    const { values, box } = this.#standing;
    let [top, bottom, left, right] = [box.rows, -1, box.cols, -1];
    for (let n = 0; n < values.length; n++) {
      if (values[n] === 0) continue;
      const [y, x] = [Math.floor(n / box.cols) % box.rows, n % box.cols];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
      [left, right] = [Math.min(left, x), Math.max(right, x)];
    }
    if (bottom < 0) return null;
    const at = (first: number, last: number, start: number): Span => [first + start, last + start];
    return [at(top, bottom, box.top), at(left, right, box.left)];
  }
}

/** The signal as it arrives at a step and as it leaves. */
function mapsOf(graph: Graph, { node, before, after }: Passage): [Maps, Maps] {
  const here = nodeOf(graph, node);
  const there = nodeOf(graph, here.inputs[0] as number);
  return [new Maps(here.shape, before), new Maps(there.shape, after)];
}

/** A square around all that is not zero in maps of one size, with a rim of one; null: the whole map. */
function partOf(...signals: Maps[]): Part | null {
  const [, height, width] = (signals[0] as Maps).shape;
  const spans = signals.flatMap((maps) => {
    const found = maps.alive();
    return found ? [found] : [];
  });
  if (spans.length === 0) return null;
  const axis = (n: 0 | 1): Span => [
    Math.min(...spans.map((one) => one[n][0])),
    Math.max(...spans.map((one) => one[n][1])),
  ];
  const both = [axis(0), axis(1)] as const;
  const side = Math.max(LEAST, ...both.map(([first, last]) => last - first + 3));
  const [top, bottom] = around(both[0], side, height);
  const [left, right] = around(both[1], side, width);
  const whole = top === 0 && left === 0 && bottom === height && right === width;
  return whole ? null : [top, left, bottom, right];
}

/** `side` places with first to last in their middle, moved so that they are on the map. */
function around([first, last]: Span, side: number, limit: number): Span {
  const middle = Math.floor((first + last + 1 - side) / 2);
  const start = Math.min(Math.max(middle, 0), Math.max(limit - side, 0));
  return [start, Math.min(start + side, limit)];
}

/** A side as the page has it, and its picture. */
export interface Drawing {
  side: Side;
  picture: DataView;
}

/** Maps of these channels in signed colours, all on one scale. */
function drawing(
  maps: Maps,
  channels: readonly number[],
  part: Part | null,
  table: Uint8Array,
  called: (channel: number) => number,
): Drawing {
  const [, height, width] = maps.shape;
  const tiles = channels.map((channel) => maps.map(channel));
  const all = new Float32Array(tiles.length * height * width);
  for (const [n, tile] of tiles.entries()) all.set(tile, n * height * width);
  const full = fullContrast(all);
  const painted = tiles.map((tile) => signedMean(tile, width, height, full, table));
  const { head, picture } = sheet(channels.map(called), painted);
  return { side: { ...head, full, part }, picture };
}

/** The strongest maps before and after, the same channels where the step keeps them. */
export function sides(graph: Graph, step: Passage, table: Uint8Array): [Drawing, Drawing] {
  const [before, after] = mapsOf(graph, step);
  const first = before.strongest();
  const second = OPTIONAL.includes(kindOf(graph, step)) ? first : after.strongest();
  const alike = before.shape[1] === after.shape[1] && before.shape[2] === after.shape[2];
  const [here, there] = alike
    ? Array(2).fill(partOf(before, after))
    : [partOf(before), partOf(after)];
  const source = nodeOf(graph, step.node).inputs[0] as number;
  return [
    drawing(before, first, here, table, unitsOf(graph, step.node)),
    drawing(after, second, there, table, unitsOf(graph, source)),
  ];
}

/** The projection in place of the maps after the last step. */
export function inColours(picture: Pixels, part: Part | null): Drawing {
  const made = sheet([0], [picture]);
  return { side: { ...made.head, full: 0, part }, picture: made.picture };
}

/** Numbers of units: the engine keeps flattened maps channels last, networks count channels first. */
function unitsOf(graph: Graph, index: number): (unit: number) => number {
  const node = nodeOf(graph, index);
  const [source] = node.inputs;
  if (source === undefined) return (unit) => unit;
  if (node.op === "relu" || node.op === "add") return unitsOf(graph, source);
  if (node.op !== "flatten") return (unit) => unit;
  const [channels, rows, cols] = nodeOf(graph, source).shape;
  return (unit) => (unit % channels) * rows * cols + Math.floor(unit / channels);
}

function kindOf(graph: Graph, { node }: Passage): Kind {
  return KINDS[nodeOf(graph, node).op] ?? "other";
}

/** A step in numbers, for the line of steps. */
export function factsOf(graph: Graph, step: Passage): Step {
  const [before, after] = mapsOf(graph, step);
  const node = nodeOf(graph, step.node);
  const kind = kindOf(graph, step);
  const shape = ({ shape: [channels, rows, cols] }: Maps): [number, number, number] => [
    channels,
    rows,
    cols,
  ];
  const zeros = (maps: Maps) => 1 - maps.share((value) => value !== 0);
  const [, , rows = 1, cols = 1] = node.op === "conv" ? node.weight.shape : [];
  return {
    name: nameOf(node, step.node),
    layer: graph.layers.find((layer) => layer.node >= step.node)?.name ?? "",
    kind,
    off: step.off,
    optional: OPTIONAL.includes(kind),
    before: shape(before),
    after: shape(after),
    zeros: [zeros(before), zeros(after)],
    negative: before.share((value) => value < 0),
    kernel: node.op === "conv" ? [rows, cols] : null,
  };
}

/** Between which channels the filter of a step is shown; null: it has none. */
export function filterOf(graph: Graph, step: Passage): { output: number; input: number } | null {
  if (nodeOf(graph, step.node).op !== "conv") return null;
  const [output, input] = mapsOf(graph, step).map((maps) => maps.strongest()[0] as number);
  return { output: output as number, input: input as number };
}

/** The filter in signed colours. */
export function filterDrawing(
  graph: Graph,
  step: Passage,
  output: number,
  values: Float32Array,
  table: Uint8Array,
): Drawing {
  const [rows, cols] = factsOf(graph, step).kernel ?? [1, 1];
  const full = fullContrast(values, 100);
  const { head, picture } = sheet([output], [signedMean(values, cols, rows, full, table)]);
  return { side: { ...head, full, part: null }, picture };
}

/** The channel whose switches are drawn; null: the step has none. */
export function switched(graph: Graph, step: Passage): number | null {
  if (nodeOf(graph, step.node).op !== "maxpool") return null;
  return mapsOf(graph, step)[0].strongest()[0] as number;
}

/** A few pooled cells of a channel, and where unpooling puts them. codes: of all cells of the channel. */
export function switches(
  graph: Graph,
  step: Passage,
  channel: number,
  codes: Uint8Array,
): Switches | null {
  const node = nodeOf(graph, step.node);
  if (node.op !== "maxpool") return null;
  const [before, after] = mapsOf(graph, step);
  const pooled = before.map(channel);
  const [, height, width] = before.shape;
  const best = pooled.reduce(
    (most, value, n) => (Math.abs(value) > Math.abs(pooled[most] as number) ? n : most),
    0,
  );
  const [rows, cols] = [Math.min(CELLS, height), Math.min(CELLS, width)];
  const first = (at: number, some: number, limit: number) =>
    Math.min(Math.max(at - Math.floor(some / 2), 0), limit - some);
  const top = first(Math.floor(best / width), rows, height);
  const left = first(best % width, cols, width);
  const { kernel, stride, padding, dilation } = node;
  const cells = Array.from({ length: rows * cols }, (_, n) => {
    const [row, col] = [top + Math.floor(n / cols), left + (n % cols)];
    const code = codes[row * width + col] as number;
    const start = [row * stride[0] - padding[0], col * stride[1] - padding[1]] as const;
    const goal: [number, number] = [
      start[0] + Math.floor(code / kernel[1]) * dilation[0],
      start[1] + (code % kernel[1]) * dilation[1],
    ];
    const middle: [number, number] = [start[0] + (kernel[0] >> 1), start[1] + (kernel[1] >> 1)];
    const value = pooled[row * width + col] as number;
    return { row, col, value, to: step.off ? middle : goal, switch: goal };
  });
  const pair = ([a, b]: readonly [number, number]): [number, number] => [a, b];
  return {
    channel,
    top,
    left,
    rows,
    cols,
    size: [after.shape[1], after.shape[2]],
    window: [pair(kernel), pair(stride), pair(padding)],
    cells,
  };
}
