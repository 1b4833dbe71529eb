/** What is being looked at: one layer's numbers and first pictures, as one trait and hence one message. */
import { floatsOf, intsOf, type SheetHead } from "../core/wire";

export type Mode =
  | "feature map"
  | "projection"
  | "in place"
  | "photo patch"
  | "filter"
  | "synthesised";
export type Measure = "strength" | "mean" | "sparsity" | "energy";
export type Sort = "index" | Measure;
export type Show = "all" | "alive" | "dead";
type Pair = [number, number];
export type Box = [top: number, left: number, bottom: number, right: number];

/** The trait `_page` as Python sets it; empty before the first picture. */
export interface RawPage {
  epoch: number;
  layer: string;
  mode: Mode;
  rule: string;
  count: number;
  /** Height and width of a feature map, and of a tile at full resolution. */
  map: Pair;
  native: Pair;
  /** Receptive field: rows and columns, its step from neuron to neuron, and where the first one lies. */
  field: Pair;
  jump: Pair;
  offset: Pair;
  /** Whether the layer's filters have colours. */
  filters: boolean;
  /** Whether there are synthesised pictures of the layer. */
  synthesised: boolean;
  /** Names of the channels, where they have any (classes). */
  labels: string[];
  /** float32 per channel; NaN where a channel has no such number. */
  measures: Record<Measure, DataView>;
  /** int32 row and column of the strongest neuron per channel. */
  places: DataView;
  sheet: SheetHead | null;
  picture: DataView | null;
}

export class Page {
  readonly #measures: Record<Measure, Float32Array>;
  readonly #places: Int32Array;
  readonly #largest: number;
  readonly #sorted = new Map<Sort, number[]>();

  constructor(readonly raw: RawPage) {
    const { strength, mean, sparsity, energy } = raw.measures;
    this.#measures = {
      strength: floatsOf(strength),
      mean: floatsOf(mean),
      sparsity: floatsOf(sparsity),
      energy: floatsOf(energy),
    };
    this.#places = intsOf(raw.places);
    this.#largest = this.#measures.strength.reduce((most, value) => Math.max(most, value), 0);
  }

  /** A page from a trait's value; null if there is none yet. */
  static read(raw: Partial<RawPage>): Page | null {
    if (typeof raw.count !== "number" || !raw.measures || !raw.places) return null;
    return new Page(raw as RawPage);
  }

  /** Pixels of the longer side of a tile at full resolution. */
  get native(): number {
    return Math.max(...this.raw.native);
  }

  /** The layer's largest activation; 0 if there is none above. */
  get largest(): number {
    return this.#largest;
  }

  /** Channels to be seen, in order, as `Responses.order` has them; equals keep the order of their numbers. */
  order(sort: Sort, show: Show = "all", threshold = 0): readonly number[] {
    const all = this.#all(sort);
    if (show === "dead") return all.filter((id) => this.silent(id));
    if (show === "all" && threshold <= 0) return all;
    // As Python has it: a product of float32 numbers.
    const product = Math.fround(Math.fround(threshold) * this.#largest);
    const least = threshold > 0 ? product : Number.NEGATIVE_INFINITY;
    return all.filter((id) => this.value(id) >= least && !(show === "alive" && this.silent(id)));
  }

  /** The channel's largest activation. */
  value(id: number): number {
    return this.#measures.strength[id] ?? 0;
  }

  /** One of the channel's numbers; NaN if it has none. */
  measure(name: Measure, id: number): number {
    return this.#measures[name][id] ?? Number.NaN;
  }

  /** Nowhere active. Class scores may be negative; that is not silence. */
  silent(id: number): boolean {
    return this.value(id) === 0;
  }

  /** The value as a share of the layer's largest. */
  share(id: number): number {
    return this.#largest > 0 ? Math.max(0, this.value(id) / this.#largest) : 0;
  }

  /** Row and column of the strongest neuron on the map; null if silent, or if there is one place only. */
  place(id: number): Pair | null {
    const [height, width] = this.raw.map;
    if (this.silent(id) || height * width === 1) return null;
    return [this.#places[2 * id] ?? 0, this.#places[2 * id + 1] ?? 0];
  }

  /** What the strongest neuron sees, in pixels of the picture; null if the channel is silent. */
  box(id: number): Box | null {
    if (this.silent(id)) return null;
    const { field, jump, offset } = this.raw;
    const [row, column] = this.place(id) ?? [0, 0];
    const [top, left] = [row * jump[0] + offset[0], column * jump[1] + offset[1]];
    return [top, left, top + field[0], left + field[1]];
  }

  /** Whether each neuron sees the whole picture. */
  get seesAll(): boolean {
    return this.raw.jump[0] === 0 && this.raw.jump[1] === 0;
  }

  /** The channel that a person means: a number, or the beginning of a name. */
  find(text: string): number | null {
    const wanted = text.trim().toLowerCase();
    if (/^\d+$/.test(wanted)) return Number(wanted) < this.raw.count ? Number(wanted) : null;
    if (wanted === "") return null;
    const at = this.raw.labels.findIndex((label) => label.toLowerCase().includes(wanted));
    return at < 0 ? null : at;
  }

  #all(sort: Sort): number[] {
    let order = this.#sorted.get(sort);
    if (!order) {
      order = Array.from({ length: this.raw.count }, (_, i) => i);
      if (sort !== "index") {
        const key = this.#measures[sort].map((value) => (Number.isNaN(value) ? -Infinity : value));
        const at = (id: number) => key[id] ?? 0;
        order.sort((a, b) => (at(b) === at(a) ? a - b : at(b) - at(a)));
      }
      this.#sorted.set(sort, order);
    }
    return order;
  }
}
