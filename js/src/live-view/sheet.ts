/** All maps of a layer as one picture: where each stands, what the pointer means, and the painting. */

export interface SheetLayout {
  count: number;
  columns: number;
  rows: number;
  /** Device pixels of one map on the sheet, and from one to the next. */
  cell: [height: number, width: number];
  pitch: [down: number, across: number];
  width: number;
  height: number;
}

const GAP = 1;

/**
 * Fill `room` device pixels in width; maps are enlarged by a whole number, so that their places stay
 * square and alike: the largest with which the sheet is at most `shape` times as high as wide.
 */
export function layoutSheet(
  [count, height, width]: readonly [number, number, number],
  room: number,
  shape = 0.75,
): SheetLayout {
  let layout = zoomed(count, height, width, room);
  for (let zoom = 2; zoom * width <= room; zoom++) {
    const larger = zoomed(count, height * zoom, width * zoom, room);
    if (larger.height > room * shape) break;
    layout = larger;
  }
  return layout;
}

function zoomed(count: number, height: number, width: number, room: number): SheetLayout {
  const pitch: [number, number] = [height + GAP, width + GAP];
  const columns = Math.max(1, Math.min(count, Math.floor((room + GAP) / pitch[1])));
  const rows = Math.ceil(count / columns);
  const size = { width: columns * pitch[1] - GAP, height: rows * pitch[0] - GAP };
  return { count, columns, rows, cell: [height, width], pitch, ...size };
}

/** The map at a place on the sheet; null between and beyond them. */
export function channelAt(layout: SheetLayout, x: number, y: number): number | null {
  const column = Math.floor(x / layout.pitch[1]);
  const row = Math.floor(y / layout.pitch[0]);
  const channel = row * layout.columns + column;
  const inside = x >= 0 && y >= 0 && column < layout.columns && channel < layout.count;
  return inside ? channel : null;
}

/** Left and top of a map on the sheet. */
export function cornerOf(layout: SheetLayout, channel: number): [x: number, y: number] {
  const row = Math.floor(channel / layout.columns);
  return [(channel % layout.columns) * layout.pitch[1], row * layout.pitch[0]];
}

/** 256 colours as the four bytes of a pixel each. */
export function coloursOf(palette: Uint8Array): Uint32Array {
  const bytes = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level++) {
    bytes.set(palette.subarray(level * 3, level * 3 + 3), level * 4);
    bytes[level * 4 + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

/** Paint maps of one byte a place, one after another, into the pixels of a sheet. */
export function paintSheet(
  pixels: Uint32Array,
  layout: SheetLayout,
  [count, height, width]: readonly [number, number, number],
  levels: Uint8Array,
  colours: Uint32Array,
): void {
  const zoom = layout.cell[1] / width;
  const line = new Uint32Array(layout.cell[1]);
  for (let channel = 0; channel < count; channel++) {
    const [left, top] = cornerOf(layout, channel);
    for (let row = 0; row < height; row++) {
      const from = (channel * height + row) * width;
      for (let x = 0; x < line.length; x++) {
        line[x] = colours[levels[from + Math.floor(x / zoom)] ?? 0] ?? 0;
      }
      for (let copy = 0; copy < zoom; copy++) {
        pixels.set(line, (top + row * zoom + copy) * layout.width + left);
      }
    }
  }
}
