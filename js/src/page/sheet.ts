/** Pictures as the wire has them: tiles on a sheet, and the file around its pixels. */

import type { SheetHead } from "../core/wire";
import type { Pixels } from "../engine/resample";

/** What browsers decode without loss, and what is written without a canvas. */
const MIME = "image/bmp";
const HEADER = 54;

/** Colours as the bytes of a BMP file: 24 bits a pixel, from the last row to the first. */
export function bitmap({ data, width, height }: Pixels): DataView {
  const stride = Math.ceil((3 * width) / 4) * 4;
  const view = new DataView(new ArrayBuffer(HEADER + stride * height));
  const bytes = new Uint8Array(view.buffer);
  view.setUint16(0, 0x424d); // "BM"
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, HEADER, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  for (let y = 0; y < height; y++) {
    let to = HEADER + (height - 1 - y) * stride;
    for (let from = 3 * y * width; from < 3 * (y + 1) * width; from += 3) {
      bytes[to++] = data[from + 2] as number;
      bytes[to++] = data[from + 1] as number;
      bytes[to++] = data[from] as number;
    }
  }
  return view;
}

/** Equally large tiles on one picture, as square as possible. */
export function sheet(
  ids: readonly number[],
  tiles: readonly Pixels[],
): { head: SheetHead; picture: DataView } {
  const { width, height } = tiles[0] as Pixels;
  const count = tiles.length;
  const columns = Math.min(count, Math.max(1, Math.round(Math.sqrt((count * height) / width))));
  const rows = Math.ceil(count / columns);
  const whole = new Uint8Array(3 * width * columns * height * rows);
  tiles.forEach(({ data }, n) => {
    const at = Math.floor(n / columns) * height * columns + (n % columns);
    for (let y = 0; y < height; y++) {
      const row = data.subarray(3 * y * width, 3 * (y + 1) * width);
      whole.set(row, 3 * (at + y * columns) * width);
    }
  });
  const head: SheetHead = { ids: [...ids], mime: MIME, tile: [height, width], columns };
  const picture = bitmap({
    data: whole,
    width: width * columns,
    height: height * rows,
    channels: 3,
  });
  return { head, picture };
}

/** A photo as the traits `_photo` have it. */
export function photoOf(seen: Pixels): { size: [number, number]; mime: string; data: DataView } {
  return { size: [seen.height, seen.width], mime: MIME, data: bitmap(seen) };
}
