/**
 * A network as the page knows it: nodes in the order of the forward pass, written by
 * zfwidgets/page/graph.py. Node 0 is the prepared photo. Shapes are [C, H, W]; what is no map has
 * H = W = 1. Weights are references into one block of bytes.
 */
import { EngineError } from "./words";

export type Pair = readonly [rows: number, cols: number];

/** Where a tensor lies in the block: little-endian, aligned to its own size. */
export interface TensorRef {
  at: number;
  shape: readonly number[];
  type: "f16" | "f32";
}

interface NodeBase {
  inputs: readonly number[];
  shape: readonly [channels: number, height: number, width: number];
}

export interface ConvNode extends NodeBase {
  op: "conv";
  /** [outputs, inputs / groups, rows, cols]; batch normalisation is folded in. */
  weight: TensorRef;
  bias: TensorRef | null;
  stride: Pair;
  /** Rows above and columns left of the map; what lies below and right follows from the shape. */
  padding: Pair;
  dilation: Pair;
  groups: number;
}

export interface LinearNode extends NodeBase {
  op: "linear";
  /** [outputs, inputs]; inputs that were a map are in the order [H, W, C]. */
  weight: TensorRef;
  bias: TensorRef | null;
}

export interface MaxPoolNode extends NodeBase {
  op: "maxpool";
  kernel: Pair;
  stride: Pair;
  padding: Pair;
  dilation: Pair;
}

/** One window along one axis: places [first, last), divided by `count`. */
export type Span = readonly [first: number, last: number, count: number];

export interface AverageNode extends NodeBase {
  op: "average";
  rows: readonly Span[];
  cols: readonly Span[];
  /** Of a pooling with a moving window; absent where windows share the map out. */
  moving: { kernel: Pair; stride: Pair; padding: Pair } | null;
}

export interface LrnNode extends NodeBase {
  op: "lrn";
  size: number;
  alpha: number;
  beta: number;
  k: number;
}

export interface AffineNode extends NodeBase {
  op: "affine";
  scale: TensorRef;
  shift: TensorRef;
}

export interface PlainNode extends NodeBase {
  op: "input" | "relu" | "add" | "concat" | "flatten";
}

export type GraphNode =
  | ConvNode
  | LinearNode
  | MaxPoolNode
  | AverageNode
  | LrnNode
  | AffineNode
  | PlainNode;

/** A place of the network that people choose; `node` gives its rectified feature maps. */
export interface GraphLayer {
  name: string;
  kind: string;
  node: number;
}

/** As zfwidgets.Preprocess. */
export interface Preparation {
  size: number;
  resize: number;
  mean: readonly number[];
  std: readonly number[];
  scale: number;
  channels: "RGB" | "BGR" | "L";
  mode: "crop" | "squash" | "fit";
  interpolation: "nearest" | "bilinear" | "bicubic" | "lanczos";
}

export interface Graph {
  format: 1;
  name: string;
  nodes: readonly GraphNode[];
  layers: readonly GraphLayer[];
  /** The node with one number per class; null if the network is no classifier. */
  logits: number | null;
  categories: readonly string[] | null;
  preparation: Preparation;
  weights: { bytes: number; sha256: string };
}

/** The layer of this name. */
export function layerOf(graph: Graph, name: string): GraphLayer {
  const found = graph.layers.find((layer) => layer.name === name);
  if (found) return found;
  const layers = graph.layers.map((layer) => layer.name).join(", ");
  throw new EngineError("no_layer", { layer: name, layers });
}

/** The shape of a node's value. */
export function shapeOf({ nodes }: Graph, index: number): GraphNode["shape"] {
  const node = nodes[index];
  if (!node) throw new Error(`the graph has no node ${index}`);
  return node.shape;
}

/** How many numbers a shape holds. */
export function volume(shape: readonly number[]): number {
  return shape.reduce((product, n) => product * n, 1);
}
