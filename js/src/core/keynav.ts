/** Keys that move through a grid, after the ARIA authoring practices; pure, positions in and out. */

export interface GridShape {
  count: number;
  columns: number;
  /** Rows that fit the window: the step of PageUp and PageDown. */
  pageRows: number;
}

type Keys = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey">;

/**
 * The position a key leads to from `at`, or null if the key does not move. Left and right run on into
 * the next row, because channels are one sequence that is only wrapped to fit.
 */
export function moveInGrid(event: Keys, at: number, shape: GridShape): number | null {
  const { count, columns, pageRows } = shape;
  if (count === 0) return null;
  const whole = event.ctrlKey || event.metaKey;
  const rowStart = at - (at % columns);
  const vertical = (rows: number): number => {
    const to = at + rows * columns;
    if (to >= 0 && to < count) return to;
    const column = at % columns;
    if (to < 0) return column;
    const last = count - 1 - ((count - 1) % columns) + column;
    return last < count ? last : Math.max(at, last - columns);
  };
  switch (event.key) {
    case "ArrowLeft":
      return Math.max(0, at - 1);
    case "ArrowRight":
      return Math.min(count - 1, at + 1);
    case "ArrowUp":
      return at < columns ? at : at - columns;
    case "ArrowDown":
      return at + columns < count ? at + columns : at;
    case "Home":
      return whole ? 0 : rowStart;
    case "End":
      return whole ? count - 1 : Math.min(count - 1, rowStart + columns - 1);
    case "PageUp":
      return vertical(-pageRows);
    case "PageDown":
      return vertical(pageRows);
    default:
      return null;
  }
}
