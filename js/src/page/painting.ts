/**
 * From numbers to pictures for people, as zfwidgets/images/ makes them (contrast.py, signed.py, tiles.py):
 * signed pictures around mid-grey, maps as heat, one scale for each picture.
 */
import { type Pixels, taps } from "../engine/resample";

/** The grey that stands for zero. */
export const MID_GREY = 128;
/** Scales below this count as zero. */
const TINY = 1e-30;

/** Numbers in planes: [channels, height, width], row by row. */
export interface Planes {
  values: Float32Array;
  channels: number;
  height: number;
  width: number;
}

/** No higher and no wider than this: bilinear with antialiasing, each axis by itself. */
export function shrunk(planes: Planes, height: number, width: number): Planes {
  const narrow = width < planes.width ? across(planes, width) : planes;
  return height < planes.height ? down(narrow, height) : narrow;
}

function across(planes: Planes, width: number): Planes {
  const { first, count, each, weight } = taps(planes.width, 0, planes.width, width, "bilinear");
  const rows = planes.channels * planes.height;
  const values = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let x = 0; x < width; x++) {
      const from = row * planes.width + (first[x] as number);
      let sum = 0;
      for (let i = 0; i < (count[x] as number); i++) {
        sum += (planes.values[from + i] as number) * (weight[x * each + i] as number);
      }
      values[row * width + x] = sum;
    }
  }
  return { ...planes, values, width };
}

function down(planes: Planes, height: number): Planes {
  const { first, count, each, weight } = taps(planes.height, 0, planes.height, height, "bilinear");
  const { channels, width } = planes;
  const values = new Float32Array(channels * height * width);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < height; y++) {
      const to = (c * height + y) * width;
      for (let i = 0; i < (count[y] as number); i++) {
        const share = weight[y * each + i] as number;
        const from = (c * planes.height + (first[y] as number) + i) * width;
        for (let x = 0; x < width; x++) {
          values[to + x] = (values[to + x] as number) + share * (planes.values[from + x] as number);
        }
      }
    }
  }
  return { ...planes, values, height };
}

/**
 * The |x| of full contrast: a percentile of the numbers that are not zero, nearest rank from above; 0 if
 * all are. Zeros do not count, so that a projection looks the same alone and on an empty canvas.
 */
export function fullContrast(values: Float32Array, percentile = 99.5): number {
  // Without its sign a number's bits are in the order of its size: count by the upper half, then the lower.
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const upper = new Uint32Array(2 ** 15);
  let some = 0;
  for (const word of bits) {
    const size = word & 0x7fffffff;
    if (size === 0) continue;
    some += 1;
    upper[size >>> 16] = (upper[size >>> 16] as number) + 1;
  }
  if (some === 0) return 0;
  let rank = Math.floor((some - 1) * (1 - percentile / 100));
  const high = ranked(upper, rank);
  rank -= high.before;
  const lower = new Uint32Array(2 ** 16);
  for (const word of bits) {
    if ((word & 0x7fffffff) >>> 16 !== high.at || (word & 0x7fffffff) === 0) continue;
    lower[word & 0xffff] = (lower[word & 0xffff] as number) + 1;
  }
  const found = Uint32Array.of((high.at << 16) | ranked(lower, rank).at);
  return new Float32Array(found.buffer)[0] as number;
}

/** Counted down from the last: where the entry of this rank is, and how many are before it. */
function ranked(counts: Uint32Array, rank: number): { at: number; before: number } {
  let before = 0;
  for (let at = counts.length - 1; at > 0; at--) {
    const here = counts[at] as number;
    if (before + here > rank) return { at, before };
    before += here;
  }
  return { at: 0, before };
}

/** A signed picture [3, h, w] as colours: zero is grey 128, `full` and beyond 1 and 255. */
export function signedColours({ values, width, height }: Planes, full: number): Pixels {
  const factor = Math.fround(full < TINY ? 0 : 127 / full);
  const data = new Uint8Array(3 * width * height);
  const plane = width * height;
  for (let n = 0; n < plane; n++) {
    for (let c = 0; c < 3; c++) data[3 * n + c] = level(values[c * plane + n] as number, factor);
  }
  return { data, width, height, channels: 3 };
}

/** The mean of the colours of a signed picture, from the first colour of the table to its last. */
export function signedMean(
  mean: Float32Array,
  width: number,
  height: number,
  full: number,
  table: Uint8Array,
): Pixels {
  const factor = Math.fround(full < TINY ? 0 : 127 / full);
  const data = new Uint8Array(3 * width * height);
  for (let n = 0; n < width * height; n++) {
    const at = 3 * (level(mean[n] as number, factor) - 1);
    data.set(table.subarray(at, at + 3), 3 * n);
  }
  return { data, width, height, channels: 3 };
}

function level(value: number, factor: number): number {
  return Math.min(255, Math.max(1, Math.round(value * factor + MID_GREY)));
}

/** The mean of a picture's colours: [3, h, w] to [h, w]. */
export function colourMean({ values, width, height }: Planes): Float32Array {
  const plane = width * height;
  return Float32Array.from({ length: plane }, (_, n) => {
    const [red, green, blue] = [values[n], values[plane + n], values[2 * plane + n]];
    return ((red as number) + (green as number) + (blue as number)) / 3;
  });
}

/** A map [1, h, w] in the table's 256 colours: zero is the first, `largest` the last. */
export function heat(map: Planes, largest: number, table: Uint8Array): Pixels {
  const { values, width, height } = map;
  const factor = Math.fround(largest < TINY ? 0 : 255 / largest);
  const data = new Uint8Array(3 * width * height);
  for (let n = 0; n < width * height; n++) {
    const at = 3 * Math.min(255, Math.round(Math.max(0, values[n] as number) * factor));
    data.set(table.subarray(at, at + 3), 3 * n);
  }
  return { data, width, height, channels: 3 };
}

/** A flat picture of one grey. */
export function grey(height: number, width: number, shade = MID_GREY): Pixels {
  const data = new Uint8Array(3 * width * height).fill(shade);
  return { data, width, height, channels: 3 };
}

/** A part of a picture, grey where it reaches outside. */
export function cut(
  photo: Pixels,
  top: number,
  left: number,
  height: number,
  width: number,
): Pixels {
  const patch = grey(height, width);
  const first = Math.max(0, -left);
  const end = Math.min(width, photo.width - left);
  for (let y = Math.max(0, -top); y < Math.min(height, photo.height - top) && first < end; y++) {
    const from = 3 * ((top + y) * photo.width + left);
    patch.data.set(photo.data.subarray(from + 3 * first, from + 3 * end), 3 * (y * width + first));
  }
  return patch;
}
