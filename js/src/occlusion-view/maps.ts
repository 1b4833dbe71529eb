/** The maps of a scan, drawn over the photo, and their legend. */
import { h } from "../core/dom";
import { bytesOf, floatsOf } from "../core/wire";

export type Overlay = "none" | "activation" | "probability" | "class";

export interface RawMaps {
  top: number[];
  left: number[];
  size: number;
  activation: DataView;
  probability: DataView;
  class: DataView;
  names: string[];
}

type Colour = readonly [number, number, number];

/** Okabe and Ito's colours, told apart by colour-blind people. */
export const CLASS_COLOURS: readonly Colour[] = [
  [0, 114, 178],
  [230, 159, 0],
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [213, 94, 0],
];
const OTHERS: Colour = [153, 153, 153];

/** Where the cells between the middles of neighbouring squares begin and end, in input pixels. */
export function edges(first: readonly number[], size: number): number[] {
  const middle = first.map((start) => start + size / 2);
  const step = middle.length > 1 ? (middle[1] ?? 0) - (middle[0] ?? 0) : size;
  const last = middle.at(-1) ?? 0;
  const before = middle.at(-2) ?? last - step;
  const between = middle.slice(1).map((end, i) => (end + (middle[i] ?? 0)) / 2);
  return [(middle[0] ?? 0) - step / 2, ...between, last + (last - before) / 2];
}

export class Maps {
  readonly raw: RawMaps;
  readonly #values: Record<Exclude<Overlay, "none">, Float32Array>;

  constructor(raw: RawMaps) {
    this.raw = raw;
    this.#values = {
      activation: floatsOf(raw.activation),
      probability: floatsOf(raw.probability),
      class: floatsOf(raw.class),
    };
  }

  /** What the trait holds, or null while it is empty. */
  static read(raw: RawMaps | Record<string, never> | undefined): Maps | null {
    return raw && "top" in raw ? new Maps(raw as RawMaps) : null;
  }

  /** The largest value, which gets the brightest colour; NaN stands for what is not measured. */
  highest(which: "activation" | "probability"): number {
    return Math.max(0, ...this.#values[which].filter((value) => !Number.isNaN(value)));
  }

  /** Draw into a canvas that covers the photo, `scale` canvas pixels an input pixel. */
  draw(
    context: CanvasRenderingContext2D,
    which: Overlay,
    palette: DataView,
    scale: [x: number, y: number],
  ): void {
    if (which === "none") return;
    const values = this.#values[which];
    const colour = which === "class" ? classColour : heatColour(palette, this.highest(which));
    const [rows, cols] = [edges(this.raw.top, this.raw.size), edges(this.raw.left, this.raw.size)];
    const at = (places: number[], i: number, by: number) => Math.round((places[i] ?? 0) * by);
    this.raw.top.forEach((_, r) => {
      this.raw.left.forEach((__, c) => {
        const value = values[r * this.raw.left.length + c] ?? Number.NaN;
        const shown = Number.isNaN(value) || value < -0.5 ? null : colour(value);
        if (!shown) return;
        const [x, y] = [at(cols, c, scale[0]), at(rows, r, scale[1])];
        context.fillStyle = `rgb(${shown.join(" ")})`;
        context.fillRect(x, y, at(cols, c + 1, scale[0]) - x, at(rows, r + 1, scale[1]) - y);
      });
    });
  }

  /** The classes of the map by colour; those beyond the palette share one entry. */
  classes(others: string): HTMLElement {
    const shown = this.raw.names.slice(0, CLASS_COLOURS.length);
    const entry = (name: string, colour: Colour) => {
      const swatch = h("span", { class: "zf-swatch", "aria-hidden": "true" });
      swatch.style.background = `rgb(${colour.join(" ")})`;
      return h("li", {}, swatch, h("bdi", {}, name));
    };
    const list = shown.map((name, i) => entry(name, CLASS_COLOURS[i] ?? OTHERS));
    if (this.raw.names.length > shown.length) list.push(entry(others, OTHERS));
    return h("ul", { class: "zf-classes" }, ...list);
  }
}

function classColour(index: number): Colour {
  return CLASS_COLOURS[index] ?? OTHERS;
}

function heatColour(palette: DataView, most: number): (value: number) => Colour {
  const table = bytesOf(palette);
  return (value) => {
    const at = 3 * Math.round(255 * Math.min(1, Math.max(0, most > 0 ? value / most : 0)));
    return [table[at] ?? 0, table[at + 1] ?? 0, table[at + 2] ?? 0];
  };
}

/** The heat colours as a strip from left (zero) to right. */
export function strip(palette: DataView): HTMLElement {
  const table = bytesOf(palette);
  const stops = Array.from({ length: 16 }, (_, i) => {
    const at = 3 * Math.round((i * 255) / 15);
    return `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
  });
  const element = h("span", { class: "zf-strip", "aria-hidden": "true" });
  element.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
  return element;
}
