import { describe, expect, it } from "vitest";
import type { Switches } from "../src/steps-view/state";
import { covered } from "../src/steps-view/switches";

const drawn = (rest: Partial<Switches>): Switches => ({
  channel: 0,
  top: 0,
  left: 0,
  rows: 2,
  cols: 3,
  size: [26, 26],
  window: [
    [3, 3],
    [2, 2],
    [0, 0],
  ],
  cells: [],
  ...rest,
});

describe("the part of the larger map that is drawn", () => {
  it("is what the windows of the cells reach", () => {
    expect(covered(drawn({ top: 4, left: 1 }))).toEqual({ top: 8, left: 2, rows: 5, cols: 7 });
  });

  it("ends at the map's edge, where pools round up", () => {
    expect(covered(drawn({ top: 11, left: 10 }))).toEqual({ top: 22, left: 20, rows: 4, cols: 6 });
  });

  it("does not reach into the padding", () => {
    const padded = drawn({
      window: [
        [3, 3],
        [2, 2],
        [1, 1],
      ],
    });
    expect(covered(padded)).toEqual({ top: 0, left: 0, rows: 4, cols: 6 });
  });
});
