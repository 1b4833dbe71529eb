/** What a ProjectionView shows, worked out in the page: the other half of projection_view/answer.py. */
import type { Neuron } from "../engine/net";
import type { Pixels } from "../engine/resample";
import type { RuleName } from "../engine/signal";
import type { Colours, Contrast, Shown } from "../projection-view/state";
import { type Look, onCanvas, type Projected } from "./look";
import { colourMean, fullContrast, type Planes, signedColours, signedMean } from "./painting";
import type { LayerFacts } from "./payload";
import { sheet } from "./sheet";

/** A neuron, and what each rule made of it on the whole picture. */
export interface Found {
  look: Look;
  neuron: Neuron;
  box: Projected["box"];
  rules: readonly RuleName[];
  pictures: Planes[];
  /** Whether somebody chose its place. */
  chosen: boolean;
}

export type Place = readonly [row: number, col: number] | null;

/** Send a neuron back by every rule; place null: the strongest of the channel. */
export async function found(
  look: Look,
  layer: string,
  channel: number,
  place: Place,
  rules: readonly RuleName[],
  signal: AbortSignal,
): Promise<Found> {
  const neuron = place
    ? await look.neuron(layer, channel, ...place)
    : ((await look.responses(layer)).strongest[channel] as Neuron);
  const { height, width } = look.seen;
  const pictures: Planes[] = [];
  let box: Projected["box"] = [0, 0, height, width];
  for (const rule of rules) {
    // Before all tiles: somebody has clicked.
    for await (const { projected } of look.project([neuron], rule, { signal, urgent: true })) {
      pictures.push(onCanvas(projected, height, width));
      box = projected.box;
    }
  }
  return { look, neuron, box, rules, pictures, chosen: place !== null };
}

/** How the pictures are painted, and by which |x| each has full contrast. */
export interface Paint {
  contrast: Contrast;
  colours: Colours;
  /** The |x| of full contrast where it is fixed. */
  full: number;
  /** The table of the signed colours. */
  signed: Uint8Array;
}

function painted(pictures: readonly Planes[], paint: Paint): { tiles: Pixels[]; full: number[] } {
  const { contrast, colours, signed } = paint;
  const numbers = pictures.map((picture) =>
    colours === "signed" ? colourMean(picture) : picture.values,
  );
  const percentile = contrast === "largest" ? 100 : 99.5;
  const full = (() => {
    if (contrast === "fixed") return numbers.map(() => paint.full);
    if (contrast !== "shared") return numbers.map((values) => fullContrast(values, percentile));
    const all = new Float32Array(numbers.reduce((sum, values) => sum + values.length, 0));
    numbers.reduce((at, values) => {
      all.set(values, at);
      return at + values.length;
    }, 0);
    const one = fullContrast(all, percentile);
    return numbers.map(() => one);
  })();
  const tiles = pictures.map((picture, n) => {
    const [values, most] = [numbers[n] as Float32Array, full[n] as number];
    const { width, height } = picture;
    return colours === "signed"
      ? signedMean(values, width, height, most, signed)
      : signedColours(picture, most);
  });
  return { tiles, full };
}

/** The trait `_shown`. */
export function shown(
  { look, neuron, box, rules, pictures, chosen }: Found,
  facts: LayerFacts,
  paint: Paint,
): Shown {
  const { tiles, full } = painted(pictures, paint);
  const { head, picture } = sheet([...tiles.keys()], tiles);
  const [top, left, bottom, right] = box;
  const { height, width } = look.seen;
  const pair = ([rows, cols]: readonly [number, number]): [number, number] => [rows, cols];
  return {
    net: look.engine.graph.name,
    layer: neuron.layer,
    channel: neuron.channel,
    row: neuron.row,
    col: neuron.col,
    value: neuron.value,
    box,
    map: pair(facts.map),
    field: pair(facts.field),
    jump: pair(facts.jump),
    offset: pair(facts.offset),
    chosen,
    beyond: top < 0 || left < 0 || bottom > height || right > width,
    all: top <= 0 && left <= 0 && bottom >= height && right >= width,
    rules: [...rules],
    full,
    contrast: paint.contrast,
    colours: paint.colours,
    sheet: head,
    data: picture,
  };
}
