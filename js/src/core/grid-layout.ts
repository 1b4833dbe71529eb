/** Arithmetic of a virtual grid: equal cells, so that every position is known without measuring. */

export interface GridLayout {
  count: number;
  columns: number;
  rows: number;
  /** Width of the picture in a cell, CSS pixels. */
  tile: number;
  /** Its height: the same, unless an aspect is given. */
  tall: number;
  /** Least distance of two tiles; columns stand further apart by what whole pixels leave over. */
  gap: number;
  columnGap: number;
  /** Height of the caption under the picture, CSS pixels. */
  caption: number;
  /** Distance from one row's top to the next. */
  pitch: number;
  /** Height of all rows together. */
  height: number;
}

/**
 * Tiles are at least `tile` wide and share what is left of the line, so that both edges are flush.
 * `aspect` is their height as a share of their width.
 */
export function layoutGrid(
  width: number,
  tile: number,
  count: number,
  gap: number,
  caption: number,
  aspect = 1,
): GridLayout {
  const columns = Math.max(1, Math.floor((width + gap) / (tile + gap)));
  const side = Math.max(1, Math.floor((width + gap) / columns) - gap);
  const rows = Math.ceil(count / columns);
  const tall = Math.round(side * aspect);
  const pitch = tall + caption + gap;
  const columnGap = columns > 1 ? (width - columns * side) / (columns - 1) : gap;
  const height = rows * pitch;
  return { count, columns, rows, tile: side, tall, gap, columnGap, caption, pitch, height };
}

/** First row and the row after the last that a window onto the grid touches. */
export function rowsInView(
  layout: GridLayout,
  top: number,
  height: number,
): [first: number, end: number] {
  const first = Math.min(layout.rows, Math.max(0, Math.floor(top / layout.pitch)));
  const end = Math.min(layout.rows, Math.max(first, Math.ceil((top + height) / layout.pitch)));
  return [first, end];
}

/** How far to scroll so that `row` is wholly visible; the same `top` if it is. */
export function scrollToRow(layout: GridLayout, row: number, top: number, height: number): number {
  const start = row * layout.pitch;
  const end = start + layout.pitch - layout.gap;
  if (start < top) return start;
  if (end > top + height) return Math.max(0, end - height);
  return top;
}
