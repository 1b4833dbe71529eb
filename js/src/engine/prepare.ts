/** From a decoded photo to the network's input, as zfwidgets.Preprocess prepares it. */
import type { Preparation } from "./graph";
import { type Part, type Pixels, resize } from "./resample";

/** A decoded photo, upright: u8 RGBA [height, width, 4], as `getImageData` gives it. */
export interface Photo {
  data: Uint8ClampedArray | Uint8Array;
  width: number;
  height: number;
}

/** Where in the input the photo goes, and which part of it, in pixels of the photo. */
interface Placement {
  left: number;
  top: number;
  width: number;
  height: number;
  part: Part;
}

/**
 * Transparent parts of the photo are laid on white. Returns (pixel / 255 * scale - mean) / std, [C, size, size]; zero where there is no photo.
 */
export function prepare(photo: Photo, preparation: Preparation): Float32Array<ArrayBuffer> {
  const { size, interpolation, channels, mean, std, scale } = preparation;
  const { left, top, width, height, part } = placement(photo.width, photo.height, preparation);
  const made = resize(opaque(photo, channels === "L"), width, height, interpolation, part);
  const planes = mean.length;
  const input = new Float32Array(planes * size * size);
  for (let plane = 0; plane < planes; plane++) {
    const from = channels === "BGR" ? planes - 1 - plane : plane;
    const values = table(scale, mean[plane] ?? 0, std[plane] ?? 1);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const pixel = made.data[(y * width + x) * made.channels + from] as number;
        input[(plane * size + top + y) * size + left + x] = values[pixel] as number;
      }
    }
  }
  return input;
}

/** What the network sees, for people: an input [C, size, size] as colours, or grey alone. */
export function undo(input: Float32Array, preparation: Preparation): Pixels {
  const { size, channels, mean, std, scale } = preparation;
  const planes = mean.length;
  const data = new Uint8ClampedArray(3 * size * size);
  for (let colour = 0; colour < 3; colour++) {
    const plane = planes < 3 ? 0 : channels === "BGR" ? 2 - colour : colour;
    const [gain, middle] = [std[plane] ?? 1, mean[plane] ?? 0];
    for (let n = 0; n < size * size; n++) {
      const value = (input[plane * size * size + n] as number) * gain + middle;
      data[3 * n + colour] = value * (255 / scale); // rounded and clipped by the array
    }
  }
  return { data, width: size, height: size, channels: 3 };
}

/** What each of the 256 shades becomes, rounded as torch rounds. */
function table(scale: number, mean: number, std: number): Float32Array {
  const f = Math.fround;
  return Float32Array.from({ length: 256 }, (_, n) =>
    f(f(f(n * f(scale / 255)) - f(mean)) / f(std)),
  );
}

/** Three colours, or one shade of grey. */
function opaque(photo: Photo, grey: boolean): Pixels {
  const { data, width, height } = photo;
  const channels = grey ? 1 : 3;
  const out = new Uint8Array(width * height * channels);
  for (let n = 0, to = 0; n < 4 * width * height; n += 4) {
    const alpha = data[n + 3] as number;
    const on = (c: number) =>
      Math.round(((data[n + c] as number) * alpha + 255 * (255 - alpha)) / 255);
    if (grey) {
      out[to++] = (19595 * on(0) + 38470 * on(1) + 7471 * on(2) + 0x8000) >> 16;
    } else {
      out[to++] = on(0);
      out[to++] = on(1);
      out[to++] = on(2);
    }
  }
  return { data: out, width, height, channels };
}

function placement(width: number, height: number, preparation: Preparation): Placement {
  const { size, mode } = preparation;
  const whole: Part = [0, 0, width, height];
  if (mode === "squash") return { left: 0, top: 0, width: size, height: size, part: whole };
  if (mode === "fit") {
    const shrink = size / Math.max(width, height);
    const w = Math.max(1, halfEven(width * shrink));
    const h = Math.max(1, halfEven(height * shrink));
    const [left, top] = [Math.floor((size - w) / 2), Math.floor((size - h) / 2)];
    return { left, top, width: w, height: h, part: whole };
  }
  // The resized photo is (w, h); only the crop at (x, y) of it is ever computed.
  const short = Math.min(width, height);
  const w = Math.floor((preparation.resize * width) / short);
  const h = Math.floor((preparation.resize * height) / short);
  const [x, y] = [halfEven((w - size) / 2), halfEven((h - size) / 2)];
  const [stepX, stepY] = [width / w, height / h];
  const right = Math.min((x + size) * stepX, width);
  const bottom = Math.min((y + size) * stepY, height);
  return {
    left: 0,
    top: 0,
    width: size,
    height: size,
    part: [x * stepX, y * stepY, right, bottom],
  };
}

/** Python's round(): halves go to the even neighbour. */
export function halfEven(value: number): number {
  const low = Math.floor(value);
  const over = value - low;
  if (over !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}
