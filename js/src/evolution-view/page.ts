/** What Python computed, as the trait `_page` brings it. Arrays are [checkpoint][channel]. */
import type { Tile } from "../core/tiles";
import type { SheetHead } from "../core/wire";

export interface EvolutionPage {
  layer: string;
  mode: string;
  /** Whether the layer's filters can be shown as pictures. */
  filters: boolean;
  channels: number[];
  steps: number[];
  scanned: number;
  ids: string[];
  value: number[][];
  image: number[][];
  jumps: boolean[][];
  similarity: (number | null)[];
  overlap: (number | null)[];
  /** Tile i is checkpoint floor(i / channels), channel i % channels. */
  sheet: SheetHead;
  picture: DataView;
}

export function isPage(page: unknown): page is EvolutionPage {
  return typeof page === "object" && page !== null && "sheet" in page && "picture" in page;
}

/** Where on the sheet the tile of a checkpoint and a channel is. */
export function tileOf(page: EvolutionPage, image: ImageBitmap, column: number, row: number): Tile {
  const [height, width] = page.sheet.tile;
  const index = column * page.channels.length + row;
  const x = (index % page.sheet.columns) * width;
  const y = Math.floor(index / page.sheet.columns) * height;
  return { image, x, y, width, height };
}

/** Which of `count` ticks carry a label, so that about `most` do, the first and the last among them. */
export function labelled(count: number, most: number): boolean[] {
  const every = Math.max(1, Math.ceil(count / most));
  return Array.from({ length: count }, (_, i) => {
    const last = count - 1;
    return i === last || (i % every === 0 && last - i >= every);
  });
}

/** The numbers in a text, each once; null if anything else is in it, or a number is not below `count`. */
export function parseChannels(text: string, count: number, most: number): number[] | null {
  const parts = text.split(/[\s,;]+/).filter((part) => part !== "");
  const numbers = [...new Set(parts.map((part) => (/^\d+$/.test(part) ? Number(part) : -1)))];
  const fit = numbers.every((number) => number >= 0 && number < count);
  return fit && numbers.length > 0 && numbers.length <= most ? numbers : null;
}
