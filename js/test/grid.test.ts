import { describe, expect, it } from "vitest";
import { layoutGrid, rowsInView, scrollToRow } from "../src/core/grid-layout";
import { moveInGrid } from "../src/core/keynav";
import { choose, extend, toggle } from "../src/core/selection";

describe("a layout", () => {
  it("fits as many tiles as there is room for, and both edges are flush", () => {
    for (const width of [100, 333, 776, 1376, 2560]) {
      for (const tile of [32, 72, 200]) {
        const { columns, tile: side, columnGap } = layoutGrid(width, tile, 384, 8, 17);
        expect(side).toBeGreaterThanOrEqual(Math.min(tile, width));
        if (tile <= width) expect(columns * tile + (columns - 1) * 8).toBeLessThanOrEqual(width);
        expect((columns + 1) * tile + columns * 8).toBeGreaterThan(width);
        if (columns > 1) expect(columns * side + (columns - 1) * columnGap).toBeCloseTo(width);
      }
    }
  });

  it("has one column however narrow it is, and no rows without channels", () => {
    expect(layoutGrid(10, 72, 5, 8, 17)).toMatchObject({ columns: 1, rows: 5 });
    expect(layoutGrid(500, 72, 0, 8, 17)).toMatchObject({ rows: 0, height: 0 });
  });

  it("knows which rows a window touches", () => {
    const layout = layoutGrid(300, 100, 12, 0, 0);
    expect(layout).toMatchObject({ columns: 3, rows: 4, pitch: 100 });
    expect(rowsInView(layout, 0, 100)).toEqual([0, 1]);
    expect(rowsInView(layout, 50, 100)).toEqual([0, 2]);
    expect(rowsInView(layout, 350, 900)).toEqual([3, 4]);
    expect(rowsInView(layout, -200, 100)).toEqual([0, 0]);
  });

  it("scrolls no further than to make a row whole", () => {
    const layout = layoutGrid(300, 90, 30, 10, 0);
    expect(layout.pitch).toBe(103);
    expect(scrollToRow(layout, 0, 250, 200)).toBe(0);
    expect(scrollToRow(layout, 3, 250, 200)).toBe(250);
    expect(scrollToRow(layout, 5, 250, 200)).toBe(5 * 103 + 93 - 200);
  });
});

describe("keys", () => {
  // 0 1 2 3 / 4 5 6 7 / 8 9
  const shape = { count: 10, columns: 4, pageRows: 2 };
  const press = (key: string, at: number, ctrlKey = false) =>
    moveInGrid({ key, ctrlKey, metaKey: false }, at, shape);

  it.each([
    ["ArrowRight", 3, 4],
    ["ArrowRight", 9, 9],
    ["ArrowLeft", 4, 3],
    ["ArrowLeft", 0, 0],
    ["ArrowDown", 5, 9],
    ["ArrowDown", 6, 6],
    ["ArrowUp", 9, 5],
    ["ArrowUp", 2, 2],
    ["Home", 6, 4],
    ["End", 4, 7],
    ["End", 8, 9],
    ["PageDown", 1, 9],
    ["PageDown", 3, 7],
    ["PageDown", 9, 9],
    ["PageUp", 9, 1],
    ["PageUp", 5, 1],
  ])("%s leads from %i to %i", (key, from, to) => {
    expect(press(key, from)).toBe(to);
  });

  it("with Ctrl, Home and End lead to the first and the last of all", () => {
    expect(press("Home", 6, true)).toBe(0);
    expect(press("End", 1, true)).toBe(9);
  });

  it("that do not move are left to others", () => {
    for (const key of ["Tab", "a", "Enter", " ", "Escape"]) expect(press(key, 3)).toBeNull();
    expect(
      moveInGrid({ key: "End", ctrlKey: false, metaKey: false }, 0, { ...shape, count: 0 }),
    ).toBeNull();
  });
});

describe("a selection", () => {
  const order = [4, 2, 9, 7, 1];

  it("toggles one and keeps the others in the order in which they were chosen", () => {
    const two = toggle(choose(4), 7);
    expect(two.chosen).toEqual([4, 7]);
    expect(toggle(two, 4).chosen).toEqual([7]);
  });

  it("extends along the order on the screen, both ways, from the same anchor", () => {
    const anchor = choose(9);
    expect(extend(anchor, 1, order).chosen).toEqual([9, 7, 1]);
    expect(extend(extend(anchor, 1, order), 4, order).chosen).toEqual([9, 2, 4]);
  });

  it("starts anew where the anchor is gone", () => {
    expect(extend({ chosen: [], anchor: null }, 2, order)).toEqual(choose(2));
    expect(extend({ chosen: [], anchor: 99 }, 2, order)).toEqual(choose(2));
  });
});
