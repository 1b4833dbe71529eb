/** A layer in words: what it does, makes and sees, and what comes before it. */
import type strings from "../../../zfwidgets/widgets/layer_selector/strings.json";
import { isFlat, type LayerItem } from "../core/layer-glyph";
import type { Say } from "../core/strings";

export type Key = keyof typeof strings;
export type Words = Say<Key>;
type Pair = [number, number];

const KINDS: Record<string, Key> = {
  conv: "kind_conv",
  pool: "kind_pool",
  norm: "kind_norm",
  linear: "kind_linear",
  add: "kind_add",
  concat: "kind_concat",
};

export const by = (pair: Pair): string => `${pair[0]}×${pair[1]}`;
const same = (pair: Pair): string => (pair[0] === pair[1] ? `${pair[0]}` : by(pair));

export function kindOf(say: Words, layer: LayerItem): string {
  const key = KINDS[layer.kind];
  return key ? say(key) : layer.kind;
}

/** The two short lines under a name. */
export function shapeLines(say: Words, layer: LayerItem): [string, string] {
  const { channels, height, width } = layer;
  if (channels === null) return ["", ""];
  if (isFlat(layer)) return [`${channels}`, say(channels === 1 ? "unit" : "units")];
  const maps = say(channels === 1 ? "one_map" : "maps", { count: channels });
  return [maps, height === null || width === null ? "" : by([height, width])];
}

/** What the layer does, makes and sees. */
export function explain(say: Words, layer: LayerItem, input: Pair | null): string {
  return [operation(say, layer), output(say, layer), sight(say, layer, input), origin(say, layer)]
    .filter((part) => part !== "")
    .join(" · ");
}

function operation(say: Words, layer: LayerItem): string {
  const { kernel, stride, padding } = layer;
  const parts = [kindOf(say, layer)];
  if (layer.kind !== "linear") {
    if (kernel) parts[0] += ` ${by(kernel)}`;
    if (kernel && stride) parts.push(say("stride", { stride: same(stride) }));
    if (kernel && padding && (padding[0] || padding[1])) {
      parts.push(say("padding", { padding: same(padding) }));
    }
  }
  return parts.filter((part) => part !== "").join(", ");
}

function output(say: Words, layer: LayerItem): string {
  const [first, second] = shapeLines(say, layer);
  if (first === "" || second === "") return first;
  return isFlat(layer) ? `${first} ${second}` : say("of", { maps: first, size: second });
}

function sight(say: Words, layer: LayerItem, input: Pair | null): string {
  const field = layer.receptive_field;
  if (!field) return "";
  if (input && field[0] >= input[0] && field[1] >= input[1]) return say("sees_all");
  const sees = say("sees", { field: by(field) });
  if (!layer.jump || isFlat(layer)) return sees;
  return `${sees}, ${say("steps", { step: same(layer.jump) })}`;
}

function origin(say: Words, layer: LayerItem): string {
  if (layer.inputs.length === 0) return "";
  if (layer.inputs.length > 4) return say("after_many", { count: layer.inputs.length });
  return say("after", { names: layer.inputs.join(say("and")) });
}
