/**
 * Pictures made smaller or larger as Pillow's `resize(size, filter, box)` does it, to the last bit: each
 * axis by itself, weights that widen when shrinking (antialiasing), eight bits between the two.
 */
import type { Preparation } from "./graph";

export type Interpolation = Preparation["interpolation"];

/** Pixels u8 [height, width, channels]. */
export interface Pixels {
  data: Uint8Array | Uint8ClampedArray;
  width: number;
  height: number;
  channels: number;
}

/** left, top, right, bottom, in pixels of the source, not rounded. */
export type Part = readonly [left: number, top: number, right: number, bottom: number];

/** Bits of a weight behind the point: 32 less the pixel's eight and two for what filters overshoot. */
const PRECISION = 22;

const FILTERS: Record<Exclude<Interpolation, "nearest">, [reach: number, (x: number) => number]> = {
  bilinear: [1, (x) => Math.max(0, 1 - Math.abs(x))],
  bicubic: [2, bicubic],
  lanczos: [3, (x) => (x > -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)],
};

function bicubic(given: number): number {
  const a = -0.5;
  const x = Math.abs(given);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** A part of a picture at another size. */
export function resize(
  source: Pixels,
  width: number,
  height: number,
  interpolation: Interpolation,
  part: Part,
): Pixels {
  const box = part.map(Math.fround) as unknown as Part; // Pillow keeps boxes in single precision
  if (interpolation === "nearest") return nearest(source, width, height, box);
  const across = weights(source.width, box[0], box[2], width, interpolation);
  const down = weights(source.height, box[1], box[3], height, interpolation);
  const wide =
    width === source.width && box[0] === 0 && box[2] === width
      ? source
      : horizontal(source, across);
  const same = height === source.height && box[1] === 0 && box[3] === height;
  return same ? wide : vertical(wide, down);
}

/** For every output which inputs it is made of, from `first` on, and their weights; `each` at most. */
export interface Taps {
  first: Int32Array;
  count: Int32Array;
  each: number;
  weight: Float64Array;
}

/**
 * A weight that is zero but for rounding, at the very edge of what an output reaches. With it the output would
 * be tiny where nothing is, and count among what is not zero when contrast is set.
 */
const NOTHING = 1e-12;

/** The taps of `outputs` places that share out the inputs from `begin` to `end`. */
export function taps(
  inputs: number,
  begin: number,
  end: number,
  outputs: number,
  interpolation: Exclude<Interpolation, "nearest">,
): Taps {
  const [reach, filter] = FILTERS[interpolation];
  const scale = Math.fround(end - begin) / outputs;
  const widen = Math.max(1, scale);
  const support = reach * widen;
  const each = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(outputs);
  const count = new Int32Array(outputs);
  const weight = new Float64Array(outputs * each);
  for (let n = 0; n < outputs; n++) {
    const centre = begin + (n + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(inputs, Math.trunc(centre + support + 0.5));
    const raw = Array.from({ length: high - low }, (_, i) => {
      const value = filter((i + low - centre + 0.5) * (1 / widen));
      return Math.abs(value) < NOTHING ? 0 : value;
    });
    const total = raw.reduce((sum, value) => sum + value, 0);
    weight.set(total ? raw.map((value) => value / total) : raw, n * each);
    first[n] = low;
    count[n] = high - low;
  }
  return { first, count, each, weight };
}

/** Weights as whole numbers, with PRECISION bits behind the point. */
interface Weights extends Omit<Taps, "weight"> {
  weight: Int32Array;
}

function weights(...given: Parameters<typeof taps>): Weights {
  const made = taps(...given);
  const weight = Int32Array.from(made.weight, (value) => {
    const share = value * 2 ** PRECISION;
    return Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
  });
  return { ...made, weight };
}

function rounded(sum: number): number {
  return Math.min(255, Math.max(0, sum >> PRECISION));
}

function horizontal(source: Pixels, { first, count, each, weight }: Weights): Pixels {
  const { height, channels, data } = source;
  const width = first.length;
  const out = new Uint8Array(height * width * channels);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * source.width + (first[x] as number)) * channels;
      const many = count[x] as number;
      for (let c = 0; c < channels; c++) {
        let sum = 1 << (PRECISION - 1);
        for (let i = 0; i < many; i++) {
          sum += (data[from + i * channels + c] as number) * (weight[x * each + i] as number);
        }
        out[to++] = rounded(sum);
      }
    }
  }
  return { data: out, width, height, channels };
}

function vertical(source: Pixels, { first, count, each, weight }: Weights): Pixels {
  const { width, channels, data } = source;
  const height = first.length;
  const row = width * channels;
  const out = new Uint8Array(height * row);
  for (let y = 0; y < height; y++) {
    const from = (first[y] as number) * row;
    const many = count[y] as number;
    for (let x = 0; x < row; x++) {
      let sum = 1 << (PRECISION - 1);
      for (let i = 0; i < many; i++) {
        sum += (data[from + i * row + x] as number) * (weight[y * each + i] as number);
      }
      out[y * row + x] = rounded(sum);
    }
  }
  return { data: out, width, height, channels };
}

function nearest(source: Pixels, width: number, height: number, box: Part): Pixels {
  const { channels, data } = source;
  const cols = steps(box[0], box[2], width, source.width);
  const rows = steps(box[1], box[3], height, source.height);
  const out = new Uint8Array(width * height * channels);
  let to = 0;
  for (const row of rows) {
    for (const col of cols) {
      const from = (row * source.width + col) * channels;
      for (let c = 0; c < channels; c++) out[to++] = data[from + c] as number;
    }
  }
  return { data: out, width, height, channels };
}

/** The input that each output takes; the steps are added up, as Pillow does. */
function steps(begin: number, end: number, outputs: number, inputs: number): Int32Array {
  const step = Math.fround(end - begin) / outputs;
  let at = begin + step * 0.5;
  return Int32Array.from({ length: outputs }, () => {
    const place = Math.min(inputs - 1, Math.floor(at));
    at += step;
    return place;
  });
}
