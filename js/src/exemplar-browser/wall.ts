/** What is being shown: one layer's numbers and first pictures, as one trait and hence one message. */
import { bytesOf, floatsOf, type SheetHead } from "../core/wire";

export const SORTS = ["index", "strength", "energy", "fires", "lifetime"] as const;
export type Sort = (typeof SORTS)[number];
type Measure = "energy" | "fires" | "lifetime";

/** The trait `_page` as Python sets it; empty before the first picture. */
export interface RawWall {
  epoch: number;
  layer: string;
  rule: string;
  count: number;
  /** Pictures in a row of a channel's square, and in all. */
  side: number;
  k: number;
  /** Height and width of one picture at full resolution. */
  native: [number, number];
  scanned: number;
  complete: boolean;
  /** float32 per channel. */
  strength: DataView;
  usage: Partial<Record<Measure, DataView>>;
  sheet: SheetHead;
  picture: DataView;
}

export class Wall {
  readonly #strength: Float32Array;
  readonly #usage = new Map<string, Float32Array>();
  readonly #largest: number;

  constructor(readonly raw: RawWall) {
    this.#strength = floatsOf(raw.strength);
    for (const [name, values] of Object.entries(raw.usage)) {
      this.#usage.set(name, floatsOf(values));
    }
    this.#largest = this.#strength.reduce((most, value) => Math.max(most, value), 0);
  }

  /** A wall from a trait's value; null if there is none yet. */
  static read(raw: Partial<RawWall>): Wall | null {
    return typeof raw.count === "number" && raw.strength ? new Wall(raw as RawWall) : null;
  }

  /** Longer side of a channel's picture at full resolution: two squares side by side. */
  get native(): number {
    return 2 * this.raw.side * Math.max(...this.raw.native);
  }

  get aspect(): number {
    const [height, width] = this.raw.native;
    return height / (2 * width);
  }

  get picture(): Uint8Array<ArrayBuffer> {
    return bytesOf(this.raw.picture);
  }

  knows(sort: Sort): boolean {
    return sort === "index" || sort === "strength" || this.#usage.has(sort);
  }

  /** Channels in the order of `sort`, by number if it is not known; equals by number. */
  order(sort: Sort): number[] {
    const channels = Array.from({ length: this.raw.count }, (_, i) => i);
    if (sort === "index" || !this.knows(sort)) return channels;
    const key = (id: number) => (sort === "strength" ? this.strength(id) : this.measure(sort, id));
    const way = sort === "fires" ? 1 : -1;
    return channels.sort((a, b) => way * (key(a) - key(b)) || a - b);
  }

  /** The channel's strongest activation. */
  strength(id: number): number {
    return this.#strength[id] ?? 0;
  }

  /** The same as a share of the layer's largest. */
  share(id: number): number {
    return this.#largest > 0 ? Math.max(0, this.strength(id) / this.#largest) : 0;
  }

  measure(name: Measure, id: number): number {
    return this.#usage.get(name)?.[id] ?? 0;
  }

  /** A channel's energy as a share of the layer's. */
  energy(id: number): number {
    const all = this.#usage.get("energy")?.reduce((sum, value) => sum + value, 0) ?? 0;
    return all > 0 ? this.measure("energy", id) / all : 0;
  }

  /** Fires in no picture; without usage, a strongest activation that is not positive says as much. */
  dead(id: number): boolean {
    return this.#usage.has("fires") ? this.measure("fires", id) === 0 : this.strength(id) <= 0;
  }

  get deadCount(): number {
    return Array.from({ length: this.raw.count }, (_, id) => id).filter((id) => this.dead(id))
      .length;
  }

  get knowsUsage(): boolean {
    return this.#usage.size > 0;
  }
}

/** Three significant digits. */
export function brief(value: number): string {
  return value === 0 ? "0" : String(Number(value.toPrecision(3)));
}

/** A share as per cent with two significant digits. */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`;
}
