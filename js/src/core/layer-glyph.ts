/**
 * How a layer is drawn: a stack of planes as in Fig. 3 of Zeiler & Fergus (2013), to scale: the sides of
 * a plane are proportional to the map's, the depth of the stack to the channels. The kind can be told
 * without colour: convolutions carry a kernel, pools a grid, normalisations a dashed edge, linear layers
 * are a bar of units, sums and concatenations a sign.
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

export const isFlat = (layer: LayerItem): boolean =>
  layer.kind === "linear" || (layer.height === 1 && layer.width === 1);

export const isJoint = (layer: LayerItem): boolean =>
  layer.kind === "add" || layer.kind === "concat";

/** CSS pixels per pixel of a map, per channel, and the most that a drawing may be high. */
export interface Scale {
  pixel: number;
  channel: number;
  side: number;
}

/** The scale at which the largest of `layers` (and the input) fills `side`, the deepest `depth`. */
export function scaleOf(layers: LayerItem[], input: Pair | null, side: number, depth: number) {
  const maps = layers.filter((layer) => !isFlat(layer));
  const sides = maps.flatMap((layer) => [layer.height ?? 1, layer.width ?? 1]);
  const deepest = Math.max(...maps.map((layer) => layer.channels ?? 1), 1);
  return { pixel: side / Math.max(...sides, ...(input ?? [1])), channel: depth / deepest, side };
}

/** The direction in which depth is drawn: to the right and up. */
const ASIDE = 0.82;
const UP = 0.38;
/** No plane is smaller than can be seen, no stack has more planes than can be told apart. */
const LEAST = 2;
const APART = 2.6;

/** Width and height of a drawing. */
export function sizeOf(layer: LayerItem, scale: Scale): Pair {
  if (isJoint(layer)) return [jointSize(scale), jointSize(scale)];
  if (isFlat(layer)) return [9, barHeight(layer, scale)];
  const { tall, wide, depth } = box(layer, scale);
  return [wide + depth * ASIDE, tall + depth * UP];
}

function box(layer: LayerItem, scale: Scale) {
  const unknown = scale.side / 2;
  const side = (size: number | null) =>
    Math.max(LEAST, size === null ? unknown : size * scale.pixel);
  return {
    tall: side(layer.height),
    wide: side(layer.width),
    depth: (layer.channels ?? 1) * scale.channel,
  };
}

/** The drawing of one layer; decorative, the option carries the words. */
export function glyph(layer: LayerItem, scale: Scale): SVGSVGElement {
  if (isJoint(layer)) return joint(layer, scale);
  return isFlat(layer) ? units(layer, scale) : stack(layer, scale);
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
  const { tall, wide, depth } = box(layer, scale);
  const drawing = canvas(layer.kind, wide + depth * ASIDE, tall + depth * UP);
  const gaps = Math.min(Math.round(depth / APART), (layer.channels ?? 1) - 1);
  for (let plane = gaps; plane >= 0; plane--) {
    const back = gaps === 0 ? 0 : (depth * plane) / gaps;
    const [x, y] = [back * ASIDE, (depth - back) * UP];
    drawing.append(s("rect", { class: "zf-plane", x, y, width: wide, height: tall, rx: 0.5 }));
  }
  const front = s("g", { transform: `translate(0 ${depth * UP})` });
  if (layer.kind === "conv" && Math.min(wide, tall) >= 5) front.append(kernel(layer, scale, wide));
  if (layer.kind === "pool" && Math.min(wide, tall) >= 5) front.append(poolGrid(wide, tall));
  drawing.append(front);
  return drawing;
}

function kernel(layer: LayerItem, scale: Scale, wide: number): SVGElement {
  const [rows, columns] = layer.kernel ?? [3, 3];
  const [width, height] = [columns * scale.pixel, rows * scale.pixel].map((size) =>
    Math.min(wide - 2, Math.max(2, size)),
  );
  return s("rect", { class: "zf-kernel", x: wide * 0.25, y: wide * 0.25, width, height });
}

function poolGrid(wide: number, tall: number): SVGElement {
  const cells = wide >= 24 ? 4 : wide >= 12 ? 3 : 2;
  let path = "";
  for (let i = 1; i < cells; i++) {
    path += `M${(wide * i) / cells} 0V${tall}M0 ${(tall * i) / cells}H${wide}`;
  }
  return s("path", { class: "zf-grid", d: path });
}

/** The one drawing that is not to scale: thousands of units of one pixel each. */
const barHeight = (layer: LayerItem, scale: Scale): number => {
  const share = Math.log2(Math.max(layer.channels ?? 2, 2)) / 12;
  return Math.max(14, Math.round(scale.side * 0.75 * Math.min(share, 1)));
};

function units(layer: LayerItem, scale: Scale): SVGSVGElement {
  const height = barHeight(layer, scale);
  const drawing = canvas("linear", 9, height);
  drawing.append(s("rect", { class: "zf-plane", x: 0, y: 0, width: 9, height, rx: 4.5 }));
  for (let y = 5; y <= height - 4; y += 6) {
    drawing.append(s("circle", { class: "zf-unit", cx: 4.5, cy: y, r: 1.7 }));
  }
  return drawing;
}

const jointSize = (scale: Scale): number => Math.min(20, scale.side);

function joint(layer: LayerItem, scale: Scale): SVGSVGElement {
  const size = jointSize(scale);
  const drawing = canvas(layer.kind, size, size);
  const [middle, arm] = [size / 2, size * 0.25];
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

/** The receptive field inside the input, both to scale; `side` is the input's longer side. */
export function fieldMark(layer: LayerItem, input: Pair, side: number): SVGSVGElement {
  const unit = side / Math.max(...input);
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
