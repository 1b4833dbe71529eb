/**
 * How the channels of a layer become pictures in the page: the other half of
 * zfwidgets/widgets/channel_browser/tiles.py, to the same pixels.
 */
import type { Mode } from "../channel-browser/page";
import type { Neuron } from "../engine/net";
import { halfEven } from "../engine/prepare";
import { type Pixels, resize } from "../engine/resample";
import type { RuleName } from "../engine/signal";
import { type Look, onCanvas, type Projected, type Responses } from "./look";
import { cut, fullContrast, grey, heat, type Planes, shrunk, signedColours } from "./painting";
import type { LayerFacts } from "./payload";

type Size = readonly [height: number, width: number];

/** One layer of one photo, seen one way. */
export interface View {
  look: Look;
  layer: string;
  facts: LayerFacts;
  mode: Mode;
  rule: RuleName;
  heat: Uint8Array;
}

export interface Drawn {
  ids: number[];
  tiles: Pixels[];
}

/** Tiles that are sent together: few enough to come soon, enough to be worth a message. */
const AT_ONCE = 8;

/** Every neuron sees the whole picture, however its receptive field is counted. */
export function seesAll({ jump }: LayerFacts): boolean {
  return jump[0] === 0 && jump[1] === 0;
}

/** Height and width of a tile at full resolution. */
export function nativeSize({ look, facts, mode }: View): Size {
  const whole: Size = [look.seen.height, look.seen.width];
  if (mode === "feature map") return facts.map;
  if (mode === "filter") return facts.kernel;
  return mode === "in place" || seesAll(facts) ? whole : facts.field;
}

/** The size of a picture that is no longer than `px`, and no larger than it is. */
export function sizeWithin([height, width]: Size, px: number): Size {
  const scale = Math.min(1, px / Math.max(height, width));
  return [Math.max(1, halfEven(height * scale)), Math.max(1, halfEven(width * scale))];
}

/** The pictures of channels, longer side at most `px`, in batches as they are ready. */
export async function* drawn(
  view: View,
  ids: readonly number[],
  px: number,
  signal: AbortSignal,
): AsyncGenerator<Drawn, void, undefined> {
  const { look, layer, mode } = view;
  const responses = await look.responses(layer);
  const size = sizeWithin(nativeSize(view), px);
  if (mode === "feature map") {
    yield { ids: [...ids], tiles: ids.map((id) => mapTile(view, responses, id, size)) };
  } else if (mode === "photo patch") {
    for (let n = 0; n < ids.length; n += AT_ONCE) {
      const some = ids.slice(n, n + AT_ONCE);
      const { strongest } = responses;
      yield { ids: some, tiles: some.map((id) => patchTile(view, strongest[id], size)) };
      await breath();
      signal.throwIfAborted();
    }
  } else yield* projections(view, responses, ids, size, signal);
}

async function* projections(
  view: View,
  { strongest }: Responses,
  ids: readonly number[],
  size: Size,
  signal: AbortSignal,
): AsyncGenerator<Drawn, void, undefined> {
  const { look, mode, rule } = view;
  const silent = ids.filter((id) => !strongest[id]?.value);
  if (silent.length) yield { ids: silent, tiles: silent.map(() => grey(...size)) };
  const wanted = ids.filter((id) => strongest[id]?.value);
  const neurons = wanted.flatMap((id) => strongest[id] ?? []);
  let some: Drawn = { ids: [], tiles: [] };
  for await (const { index, projected } of look.project(neurons, rule, { signal })) {
    some.ids.push(wanted[index] as number);
    some.tiles.push(projectionTile(mode, look, projected, size));
    if (some.ids.length === AT_ONCE) {
      yield some;
      some = { ids: [], tiles: [] };
    }
  }
  if (some.ids.length) yield some;
}

export function projectionTile(
  mode: Mode,
  look: Look,
  projected: Projected,
  [height, width]: Size,
): Pixels {
  const { seen } = look;
  const whole =
    mode === "in place" ? onCanvas(projected, seen.height, seen.width) : projected.planes;
  const small = shrunk(whole, height, width);
  return signedColours(small, fullContrast(small.values));
}

function mapTile(
  { facts, heat: table }: View,
  { maps, largest }: Responses,
  id: number,
  size: Size,
) {
  const [height, width] = facts.map;
  const places = height * width;
  const values = maps.subarray(id * places, (id + 1) * places);
  const small = shrunk({ values, channels: 1, height, width } satisfies Planes, ...size);
  // One value alone would always be its own largest: compare with the layer's largest.
  const most = places === 1 ? largest : small.values.reduce((a, b) => Math.max(a, b), 0);
  return heat(small, most, table);
}

/** What a neuron sees of the photo. */
export function patchTile({ look, facts }: View, neuron: Neuron | undefined, size: Size): Pixels {
  const { seen } = look;
  const all = seesAll(facts);
  const [height, width] = all ? [seen.height, seen.width] : facts.field;
  if (!neuron?.value) return grey(...size);
  const [top, left] = all
    ? [0, 0]
    : [neuron.row * facts.jump[0] + facts.offset[0], neuron.col * facts.jump[1] + facts.offset[1]];
  const patch = cut(seen, top, left, height, width);
  const whole = [0, 0, width, height] as const;
  return resize(patch, size[1], size[0], "bilinear", whole);
}

/** Let the page answer a person in between. */
function breath(): Promise<void> {
  return new Promise((done) => setTimeout(done));
}
