/**
 * Pins in a page without a kernel: what each shows is in the recorded scene of its own layer, for the
 * photo, mode and rule of now. What `pinned` of channel_browser/pins.py draws is looked up here.
 */
import { Page, type RawPage } from "../channel-browser/page";
import type { Pin, RawPinned } from "../channel-browser/pins";
import type { SheetHead } from "../core/wire";

/** The page of a layer, and the sheets of all its tiles. */
export interface Layer {
  page: RawPage;
  sheets: { head: SheetHead; picture: DataView }[];
}

/** The trait `_pinned`. A pin whose layer is not in the file keeps its place, without a picture. */
export function pinned(
  pins: readonly Pin[],
  epoch: number,
  layerOf: (name: string) => Layer | null,
): RawPinned {
  const layers = new Map<string, Layer | null>();
  const sheets: RawPinned["sheets"] = [];
  const facts = pins.map((pin) => {
    const layer = layers.get(pin.layer) ?? layerOf(pin.layer);
    layers.set(pin.layer, layer);
    const own = layer?.sheets.find(({ head }) => head.ids.includes(pin.channel));
    if (!layer || !own) return { ...pin, sheet: null };
    if (!sheets.includes(own)) sheets.push(own);
    const page = new Page(layer.page);
    const [row, col] = page.place(pin.channel) ?? [null, null];
    const value = page.value(pin.channel);
    return { ...pin, value, row, col, box: page.box(pin.channel), sheet: sheets.indexOf(own) };
  });
  return { epoch, pins: facts, sheets };
}
