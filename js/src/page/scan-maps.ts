/**
 * The maps of an occlusion scan, coarse to fine: the other half of `_Maps` in zfwidgets/analysis/occlusion.py.
 * What is not measured yet is interpolated, and measured first where the maps change most.
 */

/** Where a new place lies between two old ones. */
interface Between {
  before: number;
  share: number;
}

export interface Place {
  row: number;
  col: number;
}

/** First rows (or columns) of the square's places; the last one touches the border. */
export function places(length: number, size: number, stride: number): number[] {
  const last = length - size;
  const found = Array.from({ length: Math.floor(last / stride) + 1 }, (_, n) => n * stride);
  return found.at(-1) === last ? found : [...found, last];
}

export class ScanMaps {
  readonly size: number;
  top: number[] = [];
  left: number[] = [];
  /** Sum of the watched map, probability of the watched class, and the class that wins; [rows, cols]. */
  total = new Float32Array();
  chance = new Float32Array();
  winner = new Int32Array();
  #measured = new Uint8Array();

  constructor(size: number) {
    this.size = size;
  }

  /** Go over to a finer grid that holds the places of the old one. */
  refine(top: number[], left: number[]): void {
    const old = { ...this.#kept(), wide: this.left.length };
    const rows = between(this.top, top);
    const cols = between(this.left, left);
    const count = top.length * left.length;
    this.total = new Float32Array(count).fill(Number.NaN);
    this.chance = this.total.slice();
    this.winner = new Int32Array(count).fill(-1);
    this.#measured = new Uint8Array(count);
    [this.top, this.left] = [top, left];
    if (old.wide === 0) return;
    rows.forEach((row, r) => {
      cols.forEach((col, c) => {
        const at = r * left.length + c;
        const from = row.before * old.wide + col.before;
        const near = from + (row.share > 0.5 ? old.wide : 0) + (col.share > 0.5 ? 1 : 0);
        this.total[at] = mixed(old.total, from, old.wide, row.share, col.share);
        this.chance[at] = mixed(old.chance, from, old.wide, row.share, col.share);
        this.winner[at] = old.winner[near] ?? -1;
        const exact = row.share % 1 === 0 && col.share % 1 === 0;
        this.#measured[at] = exact ? (old.measured[near] ?? 0) : 0;
      });
    });
  }

  #kept() {
    const { total, chance, winner } = this;
    return { total, chance, winner, measured: this.#measured };
  }

  /** Places that are not measured, those first where the maps change most. */
  unknown(): Place[] {
    const wide = this.left.length;
    const change = this.#change(this.total);
    this.#change(this.chance).forEach((value, n) => {
      change[n] = (change[n] as number) + value;
    });
    return [...change.keys()]
      .filter((n) => !this.#measured[n])
      .sort((a, b) => (change[b] as number) - (change[a] as number) || a - b)
      .map((n) => ({ row: Math.floor(n / wide), col: n % wide }));
  }

  measure({ row, col }: Place, total: number, chance: number, winner: number): void {
    const at = row * this.left.length + col;
    this.total[at] = total;
    this.chance[at] = chance;
    this.winner[at] = winner;
    this.#measured[at] = 1;
  }

  /** How far a map goes up and down around each place, as a share of its whole span. */
  #change(values: Float32Array): Float32Array {
    const [tall, wide] = [this.top.length, this.left.length];
    const known = values.map((value) => (Number.isNaN(value) ? 0 : value));
    const all = range(known);
    const span = Math.max(all[1] - all[0], 1e-12);
    return known.map((_, n) => {
      const [r, c] = [Math.floor(n / wide), n % wide];
      const around: number[] = [];
      for (let y = Math.max(0, r - 1); y <= Math.min(tall - 1, r + 1); y++) {
        for (let x = Math.max(0, c - 1); x <= Math.min(wide - 1, c + 1); x++) {
          around.push(known[y * wide + x] as number);
        }
      }
      const [low, high] = range(around);
      return (high - low) / span;
    });
  }
}

function range(values: Iterable<number>): [low: number, high: number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}

/** For each new place the old one before it, and the share of the way to the next. */
function between(old: readonly number[], places: readonly number[]): Between[] {
  return places.map((place) => {
    if (old.length < 2) return { before: 0, share: 0 };
    const after = old.findIndex((other) => other > place);
    const right = Math.min(after < 0 ? old.length - 1 : after, old.length - 1);
    const [a, b] = [old[right - 1] as number, old[right] as number];
    return { before: right - 1, share: (place - a) / (b - a) };
  });
}

function mixed(
  values: Float32Array,
  at: number,
  wide: number,
  down: number,
  right: number,
): number {
  const line = (from: number) => {
    const value = values[from] as number;
    return right > 0 ? (1 - right) * value + right * (values[from + 1] as number) : value;
  };
  return down > 0 ? (1 - down) * line(at) + down * line(at + wide) : line(at);
}
