/** What is being looked at: one layer's numbers and first pictures, as one trait and hence one message. */
import { bytesOf, floatsOf, intsOf, type SheetHead } from "../core/wire";

export type Mode = "feature map" | "projection";
export type Sort = "index" | "strength";

/** The trait `_page` as Python sets it; empty before the first picture. */
export interface RawPage {
  epoch: number;
  layer: string;
  mode: Mode;
  rule: string;
  count: number;
  /** Height and width of a feature map, and of a tile at full resolution. */
  map: [number, number];
  native: [number, number];
  /** How numbers became colours, for people. */
  note: string;
  /** Names of the channels, where they have any (classes). */
  labels: string[];
  /** float32 per channel; int32 row and column per channel. */
  values: DataView;
  places: DataView;
  sheet: SheetHead | null;
  picture: DataView | null;
}

export class Page {
  readonly values: Float32Array;
  readonly #places: Int32Array;
  readonly #largest: number;
  #byStrength: number[] | null = null;

  constructor(readonly raw: RawPage) {
    this.values = floatsOf(raw.values);
    this.#places = intsOf(raw.places);
    this.#largest = this.values.reduce((most, value) => Math.max(most, value), 0);
  }

  /** A page from a trait's value; null if there is none yet. */
  static read(raw: Partial<RawPage>): Page | null {
    if (typeof raw.count !== "number" || !raw.values || !raw.places) return null;
    return new Page(raw as RawPage);
  }

  /** Pixels of the longer side of a tile at full resolution. */
  get native(): number {
    return Math.max(...this.raw.native);
  }

  get picture(): Uint8Array<ArrayBuffer> | null {
    return this.raw.picture && bytesOf(this.raw.picture);
  }

  /** Channels in the order of `sort`; equals keep the order of their numbers. */
  order(sort: Sort): number[] {
    const index = Array.from({ length: this.raw.count }, (_, i) => i);
    if (sort === "index") return index;
    this.#byStrength ??= index.sort((a, b) => this.value(b) - this.value(a) || a - b);
    return this.#byStrength;
  }

  /** The channel's largest activation. */
  value(id: number): number {
    return this.values[id] ?? 0;
  }

  /** Nowhere active. Class scores may be negative; that is not silence. */
  silent(id: number): boolean {
    return this.value(id) === 0;
  }

  /** The value as a share of the layer's largest. */
  share(id: number): number {
    return this.#largest > 0 ? Math.max(0, this.value(id) / this.#largest) : 0;
  }

  /** "channel 17 (tabby), strength 0.82", for screen readers; "silent" if it is nowhere active. */
  name(id: number): string {
    const strength = this.silent(id) ? "silent" : `strength ${brief(this.value(id))}`;
    return `${this.#title(id)}, ${strength}`;
  }

  /** The same with its place, for the status line. */
  describe(id: number): string {
    const value = this.value(id);
    if (this.silent(id)) return `${this.#title(id)} · silent on this picture`;
    const [height, width] = this.raw.map;
    const [row, column] = [this.#places[2 * id] ?? 0, this.#places[2 * id + 1] ?? 0];
    const place = height * width > 1 ? ` · row ${row}, column ${column}` : "";
    return `${this.#title(id)} · strength ${brief(value)}${place}`;
  }

  /** The channel that a person means: a number, or the beginning of a name. */
  find(text: string): number | null {
    const wanted = text.trim().toLowerCase();
    if (/^\d+$/.test(wanted)) return Number(wanted) < this.raw.count ? Number(wanted) : null;
    if (wanted === "") return null;
    const at = this.raw.labels.findIndex((label) => label.toLowerCase().includes(wanted));
    return at < 0 ? null : at;
  }

  #title(id: number): string {
    const label = this.raw.labels[id];
    return label ? `channel ${id} (${label})` : `channel ${id}`;
  }
}

/** Three significant digits: 0.82, 12.4, 1310. */
export function brief(value: number): string {
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size >= 3 || size < -3)
    return size >= 6 || size < 0 ? value.toExponential(1) : value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}
