/** Arithmetic of a square on a photo; pure. Everything is in whole pixels of the photo. */
import type { Crop } from "./state";

export type Size = readonly [height: number, width: number];

/** Pixels that a square has at least, as Python says too. */
export const LEAST = 16;

/** The largest square, in the middle: what a network's own preparation begins with. */
export function whole([height, width]: Size): Crop {
  const size = Math.min(height, width);
  return [Math.round((height - size) / 2), Math.round((width - size) / 2), size];
}

/** The nearest square that lies within the photo. */
export function within([top, left, size]: Crop, photo: Size): Crop {
  const [height, width] = photo;
  const least = Math.min(LEAST, height, width);
  const side = Math.round(Math.min(Math.max(size, least), height, width));
  const clip = (start: number, room: number) =>
    Math.round(Math.min(Math.max(start, 0), room - side));
  return [clip(top, height), clip(left, width), side];
}

export function moved([top, left, size]: Crop, down: number, right: number, photo: Size): Crop {
  return within([top + down, left + right, size], photo);
}

/** Another size, the point `at` of the photo staying where it is in the square. */
export function resized(
  [top, left, size]: Crop,
  to: number,
  photo: Size,
  at: readonly [number, number] = [top + size / 2, left + size / 2],
): Crop {
  const side = Math.min(Math.max(to, Math.min(LEAST, ...photo)), ...photo);
  const grow = side / size;
  return within([at[0] - (at[0] - top) * grow, at[1] - (at[1] - left) * grow, side], photo);
}

/** The middle part of a square, `share` of its side: what the network sees of it. Not rounded. */
export function seenOf([top, left, size]: Crop, share: number): Crop {
  const margin = (size * (1 - share)) / 2;
  return [top + margin, left + margin, size * share];
}

/** What a key does to a square; null if nothing. */
export function keyed(crop: Crop, key: string, far: boolean, photo: Size): Crop | null {
  const step = Math.max(1, Math.round((far ? 0.1 : 0.01) * Math.min(...photo)));
  switch (key) {
    case "ArrowUp":
      return moved(crop, -step, 0, photo);
    case "ArrowDown":
      return moved(crop, step, 0, photo);
    case "ArrowLeft":
      return moved(crop, 0, -step, photo);
    case "ArrowRight":
      return moved(crop, 0, step, photo);
    case "+":
    case "=":
      return resized(crop, crop[2] / 1.1, photo);
    case "-":
    case "_":
      return resized(crop, crop[2] * 1.1, photo);
    default:
      return null;
  }
}
