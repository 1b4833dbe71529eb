/**
 * How a layer is drawn and put into words. Blocks look like Fig. 3 of Zeiler & Fergus (2013): a stack
 * of planes with the kernel on the front one. The kind can be told without colour: convolutions carry
 * a kernel, pools a grid, normalisations a dashed edge, linear layers are a bar of units, sums and
 * concatenations a sign.
 */
import { s } from "./dom";

type Pair = [number, number];

/** One entry of LayerSelector's `layers`. */
export interface LayerItem {
  name: string;
  kind: string;
  channels: number | null;
  height: number | null;
  width: number | null;
  kernel: Pair | null;
  stride: Pair | null;
  padding: Pair | null;
  receptive_field: Pair | null;
  jump: Pair | null;
  inputs: string[];
}

const KIND_WORDS: Record<string, string> = {
  conv: "convolution",
  pool: "pooling",
  norm: "normalisation",
  linear: "fully connected",
  add: "sum",
  concat: "concatenation",
};

export const by = (pair: Pair): string => `${pair[0]}×${pair[1]}`;
const same = (pair: Pair): string => (pair[0] === pair[1] ? `${pair[0]}` : by(pair));
const isFlat = (layer: LayerItem): boolean =>
  layer.kind === "linear" || (layer.height === 1 && layer.width === 1);

/** The two short lines under a name. */
export function shapeLines(layer: LayerItem): [string, string] {
  const { channels, height, width } = layer;
  if (channels === null) return ["", ""];
  if (isFlat(layer)) return [`${channels}`, channels === 1 ? "unit" : "units"];
  const maps = `${channels} ${channels === 1 ? "map" : "maps"}`;
  return [maps, height === null || width === null ? "" : by([height, width])];
}

/** What the layer does, makes and sees, in words. */
export function explain(layer: LayerItem, input: Pair | null): string {
  return [operation(layer), output(layer), sight(layer, input), origin(layer)]
    .filter((part) => part !== "")
    .join(" · ");
}

function operation(layer: LayerItem): string {
  const { kernel, stride, padding } = layer;
  const parts = [KIND_WORDS[layer.kind] ?? layer.kind];
  if (layer.kind !== "linear") {
    if (kernel) parts[0] += ` ${by(kernel)}`;
    if (kernel && stride) parts.push(`stride ${same(stride)}`);
    if (kernel && padding && (padding[0] || padding[1])) parts.push(`padding ${same(padding)}`);
  }
  return parts.filter((part) => part !== "").join(", ");
}

function output(layer: LayerItem): string {
  const [first, second] = shapeLines(layer);
  if (first === "" || second === "") return first;
  return isFlat(layer) ? `${first} ${second}` : `${first} of ${second}`;
}

function sight(layer: LayerItem, input: Pair | null): string {
  const field = layer.receptive_field;
  if (!field) return "";
  if (input && field[0] >= input[0] && field[1] >= input[1]) return "sees the whole picture";
  const step = layer.jump && !isFlat(layer) ? `, in steps of ${same(layer.jump)}` : "";
  return `one neuron sees ${by(field)} pixels${step}`;
}

function origin(layer: LayerItem): string {
  if (layer.inputs.length === 0) return "";
  if (layer.inputs.length > 4) return `after ${layer.inputs.length} layers`;
  return `after ${layer.inputs.join(" and ")}`;
}

/** Sizes in CSS pixels: `side` is that of the largest map. */
export interface Scale {
  side: number;
  largest: number;
}

/** Side of a block: square root, since 224 and 6 must be visible in one row. */
export function blockSide(pixels: number, scale: Scale): number {
  return Math.max(4, Math.round(scale.side * Math.sqrt(Math.min(pixels / scale.largest, 1))));
}

/** Planes in the stack: one more for every doubling of the channels. */
export function planeCount(channels: number | null): number {
  return Math.min(7, Math.max(1, Math.round(Math.log2(Math.max(channels ?? 1, 1))) - 2));
}

const BACK = 3;

/** The drawing of one layer; decorative, the option carries the words. */
export function glyph(layer: LayerItem, scale: Scale): SVGSVGElement {
  if (layer.kind === "add" || layer.kind === "concat") return joint(layer, scale);
  if (isFlat(layer)) return units(layer, scale);
  return stack(layer, scale);
}

function canvas(kind: string, width: number, height: number): SVGSVGElement {
  return s("svg", {
    class: `zf-glyph zf-glyph-${kind || "other"}`,
    viewBox: `-0.5 -0.5 ${width + 1} ${height + 1}`,
    width: width + 1,
    height: height + 1,
    "aria-hidden": "true",
  });
}

function stack(layer: LayerItem, scale: Scale): SVGSVGElement {
  const tall = blockSide(layer.height ?? scale.largest, scale);
  const wide = blockSide(layer.width ?? scale.largest, scale);
  const depth = (planeCount(layer.channels) - 1) * BACK;
  const drawing = canvas(layer.kind, wide + depth, tall + depth);
  for (let back = depth; back >= 0; back -= BACK) {
    drawing.append(
      s("rect", { class: "zf-plane", x: back, y: depth - back, width: wide, height: tall, rx: 1 }),
    );
  }
  const front = s("g", { transform: `translate(0 ${depth})` });
  if (layer.kind === "conv") front.append(kernelMark(layer, wide, tall));
  if (layer.kind === "pool") front.append(poolGrid(wide, tall));
  drawing.append(front);
  return drawing;
}

function kernelMark(layer: LayerItem, wide: number, tall: number): SVGElement {
  const [rows, columns] = layer.kernel ?? [3, 3];
  const size = (kernel: number, map: number | null, side: number) =>
    Math.min(side - 2, Math.max(4, Math.round((kernel / Math.max(map ?? kernel, 1)) * side)));
  const width = Math.max(2, size(columns, layer.width, wide));
  const height = Math.max(2, size(rows, layer.height, tall));
  const x = Math.round((wide - width) * 0.3);
  const y = Math.round((tall - height) * 0.65);
  return s("rect", { class: "zf-kernel", x, y, width, height });
}

function poolGrid(wide: number, tall: number): SVGElement {
  const cells = wide >= 24 ? 4 : wide >= 12 ? 3 : 2;
  let path = "";
  for (let i = 1; i < cells; i++) {
    const x = Math.round((wide * i) / cells);
    const y = Math.round((tall * i) / cells);
    path += `M${x} 0V${tall}M0 ${y}H${wide}`;
  }
  return s("path", { class: "zf-grid", d: path });
}

/** A bar of units; its height is the logarithm of their number. */
function units(layer: LayerItem, scale: Scale): SVGSVGElement {
  const share = Math.log2(Math.max(layer.channels ?? 2, 2)) / 12;
  const height = Math.max(14, Math.round(scale.side * Math.min(share, 1)));
  const drawing = canvas("linear", 9, height);
  drawing.append(s("rect", { class: "zf-plane", x: 0, y: 0, width: 9, height, rx: 4.5 }));
  for (let y = 5; y <= height - 4; y += 6) {
    drawing.append(s("circle", { class: "zf-unit", cx: 4.5, cy: y, r: 1.7 }));
  }
  return drawing;
}

function joint(layer: LayerItem, scale: Scale): SVGSVGElement {
  const size = Math.min(20, scale.side);
  const drawing = canvas(layer.kind, size, size);
  const middle = size / 2;
  const arm = size * 0.25;
  const sign =
    layer.kind === "add"
      ? `M${middle - arm} ${middle}h${2 * arm}M${middle} ${middle - arm}v${2 * arm}`
      : `M${middle - 2.5} ${middle - arm}v${2 * arm}M${middle + 2.5} ${middle - arm}v${2 * arm}`;
  drawing.append(
    s("circle", { class: "zf-plane", cx: middle, cy: middle, r: middle }),
    s("path", { class: "zf-sign", d: sign }),
  );
  return drawing;
}

/** The receptive field inside the input, both to scale. */
export function fieldMark(layer: LayerItem, input: Pair): SVGSVGElement {
  const unit = 22 / Math.max(...input);
  const [tall, wide] = [input[0] * unit, input[1] * unit];
  const field = layer.receptive_field ?? [0, 0];
  const height = Math.max(1.5, Math.min(field[0] * unit, tall));
  const width = Math.max(1.5, Math.min(field[1] * unit, wide));
  const drawing = canvas("field", wide, tall);
  drawing.append(
    s("rect", { class: "zf-plane", x: 0, y: 0, width: wide, height: tall }),
    s("rect", {
      class: "zf-field",
      x: (wide - width) / 2,
      y: (tall - height) / 2,
      width,
      height,
    }),
  );
  return drawing;
}
