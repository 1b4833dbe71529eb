/** What a ChannelBrowser shows, worked out in the page: its numbers, its photo, its pins. */
import type { Box, Mode, RawPage } from "../channel-browser/page";
import type { Pin, RawPinned } from "../channel-browser/pins";
import type { Pixels } from "../engine/resample";
import type { Responses } from "./look";
import type { LayerFacts } from "./payload";
import { sheet } from "./sheet";
import { drawn, nativeSize, seesAll, type View } from "./tiles";

/** Longer side of a pin's picture. */
const PIN_PX = 112;

/** The trait `_page`: the layer's numbers; its tiles are asked for. */
export function pageOf(
  epoch: number,
  view: View,
  responses: Responses,
  filters: boolean,
  labels: readonly string[],
): RawPage {
  const { facts, layer, mode, rule } = view;
  const { measures, strongest } = responses;
  const places = Int32Array.from(strongest.flatMap(({ row, col }) => [row, col]));
  const bytes = (values: Float32Array | Int32Array) => new DataView(values.slice().buffer);
  const pair = ([rows, cols]: readonly [number, number]): [number, number] => [rows, cols];
  return {
    epoch,
    layer,
    mode,
    rule,
    count: strongest.length,
    map: pair(facts.map),
    native: pair(nativeSize(view)),
    field: pair(facts.field),
    jump: pair(facts.jump),
    offset: pair(facts.offset),
    filters,
    synthesised: false,
    labels: [...labels],
    measures: {
      strength: bytes(measures.strength),
      mean: bytes(measures.mean),
      sparsity: bytes(measures.sparsity),
      energy: bytes(measures.energy),
    },
    places: bytes(places),
    sheet: null,
    picture: null,
  };
}

/** The channel that answers most, the first of equals. */
export function strongestChannel({ measures }: Responses): number {
  return measures.strength.reduce(
    (best, value, channel) => (value > (measures.strength[best] as number) ? channel : best),
    0,
  );
}

/** The trait `_pinned`: per pin its numbers and where its picture is; one sheet per layer. */
export async function pinned(
  epoch: number,
  pins: readonly Pin[],
  view: (layer: string, mode: Mode) => View | null,
  mode: Mode,
  signal: AbortSignal,
): Promise<RawPinned> {
  const facts: RawPinned["pins"] = pins.map((pin) => ({ ...pin, sheet: null }));
  const sheets: RawPinned["sheets"] = [];
  for (const layer of new Set(pins.map((pin) => pin.layer))) {
    // Filters have colours in few layers: pins of others show projections.
    const own = view(layer, mode === "filter" ? "projection" : mode);
    const responses = await own?.look.responses(layer);
    const mine = facts.filter(
      (fact) => fact.layer === layer && responses && fact.channel < responses.strongest.length,
    );
    if (!own || !responses || mine.length === 0) continue;
    const tiles = new Map<number, Pixels>();
    const ids = mine.map((fact) => fact.channel);
    for await (const batch of drawn(own, ids, PIN_PX, signal)) {
      for (const [n, id] of batch.ids.entries()) tiles.set(id, batch.tiles[n] as Pixels);
    }
    const made = sheet(
      ids,
      ids.map((id) => tiles.get(id) as Pixels),
    );
    for (const fact of mine) {
      Object.assign(fact, where(own.facts, responses, fact.channel), { sheet: sheets.length });
    }
    sheets.push(made);
  }
  return { epoch, pins: facts, sheets };
}

/** Where the channel's strongest neuron is, and its receptive field; a silent channel has none. */
function where(
  facts: LayerFacts,
  { strongest }: Responses,
  channel: number,
): { value: number; row: number | null; col: number | null; box: Box | null } {
  const { row, col, value } = strongest[channel] ?? { row: 0, col: 0, value: 0 };
  if (value === 0) return { value, row: null, col: null, box: null };
  const { field, jump, offset } = facts;
  const [top, left] = seesAll(facts)
    ? [0, 0]
    : [row * jump[0] + offset[0], col * jump[1] + offset[1]];
  return { value, row, col, box: [top, left, top + field[0], left + field[1]] };
}
