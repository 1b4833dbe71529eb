/** Boxes on a photo in its own pixels: drawn by two corners, moved and resized by keys. */

export type Box = [top: number, left: number, bottom: number, right: number];

/** The smallest side; what is smaller was a click. */
export const LEAST = 4;

export interface Size {
  height: number;
  width: number;
}

const clip = (value: number, low: number, high: number) =>
  Math.round(Math.max(low, Math.min(high, value)));

/** The box between two corners given as [row, column]; null if it is too small to be meant. */
export function between(a: [number, number], b: [number, number], size: Size): Box | null {
  const top = clip(Math.min(a[0], b[0]), 0, size.height);
  const bottom = clip(Math.max(a[0], b[0]), 0, size.height);
  const left = clip(Math.min(a[1], b[1]), 0, size.width);
  const right = clip(Math.max(a[1], b[1]), 0, size.width);
  return bottom - top < LEAST || right - left < LEAST ? null : [top, left, bottom, right];
}

/** A box in the middle, a quarter of the photo's sides. */
export function middle({ height, width }: Size): Box {
  const [h, w] = [Math.round(height / 4), Math.round(width / 4)];
  const [top, left] = [Math.round((height - h) / 2), Math.round((width - w) / 2)];
  return [top, left, top + h, left + w];
}

const STEP = 4;
const ARROWS: Record<string, [number, number]> = {
  ArrowUp: [-STEP, 0],
  ArrowDown: [STEP, 0],
  ArrowLeft: [0, -STEP],
  ArrowRight: [0, STEP],
};

/** What a key makes of a box; undefined if it is none of its keys. */
export function byKey(
  event: Pick<KeyboardEvent, "key" | "shiftKey">,
  box: Box | null,
  size: Size,
): Box | null | undefined {
  if (event.key === "Enter" || event.key === " ") return box ?? middle(size);
  if (event.key === "Delete" || event.key === "Backspace") return null;
  const arrow = ARROWS[event.key];
  if (!arrow) return undefined;
  if (!box) return middle(size);
  const [top, left, bottom, right] = box;
  if (event.shiftKey) {
    const low = clip(bottom + arrow[0], top + LEAST, size.height);
    return [top, left, low, clip(right + arrow[1], left + LEAST, size.width)];
  }
  const [height, width] = [bottom - top, right - left];
  const row = clip(top + arrow[0], 0, size.height - height);
  const column = clip(left + arrow[1], 0, size.width - width);
  return [row, column, row + height, column + width];
}
