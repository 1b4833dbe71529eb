import { describe, expect, it } from "vitest";
import { channelAt, coloursOf, cornerOf, layoutSheet, paintSheet } from "../src/live-view/sheet";

describe("layoutSheet", () => {
  it.each([
    [[256, 26, 26], 700],
    [[96, 40, 40], 500],
    [[4096, 1, 1], 700],
    [[3, 13, 13], 320],
    [[512, 7, 9], 240],
  ] as const)("holds every map of %j within %i pixels", (shape, room) => {
    const layout = layoutSheet(shape, room);
    expect(layout.width).toBeLessThanOrEqual(room);
    expect(layout.rows * layout.columns).toBeGreaterThanOrEqual(shape[0]);
    expect(layout.cell[0] / shape[1]).toBe(layout.cell[1] / shape[2]);
    expect(Number.isInteger(layout.cell[0] / shape[1])).toBe(true);
  });

  it("enlarges few small maps and not many", () => {
    expect(layoutSheet([6, 13, 13], 600).cell[0]).toBeGreaterThan(100);
    expect(layoutSheet([384, 13, 13], 300).cell).toEqual([13, 13]);
  });

  it("takes one column where not even one map fits", () => {
    expect(layoutSheet([8, 40, 40], 20).columns).toBe(1);
  });
});

describe("channelAt", () => {
  const layout = layoutSheet([10, 4, 4], 24, 10);

  it("is the inverse of cornerOf", () => {
    for (let channel = 0; channel < 10; channel++) {
      const [x, y] = cornerOf(layout, channel);
      expect(channelAt(layout, x, y)).toBe(channel);
      expect(channelAt(layout, x + layout.cell[1] - 1, y + layout.cell[0] - 1)).toBe(channel);
    }
  });

  it("is null beyond the last map and outside", () => {
    const [x, y] = cornerOf(layout, 9);
    expect(channelAt(layout, x + layout.pitch[1], y)).toBeNull();
    expect(channelAt(layout, -1, 0)).toBeNull();
    expect(channelAt(layout, 0, layout.height + 20)).toBeNull();
  });
});

describe("paintSheet", () => {
  it("enlarges every place to a block of its colour", () => {
    const palette = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3));
    const colours = coloursOf(palette);
    const layout = layoutSheet([2, 1, 2], 9, 0.3);
    expect(layout.cell).toEqual([2, 4]);
    const pixels = new Uint32Array(layout.width * layout.height);
    paintSheet(pixels, layout, [2, 1, 2], Uint8Array.of(10, 20, 30, 40), colours);
    const grey = (level: number) => colours[level];
    const line = [10, 10, 20, 20, null, 30, 30, 40, 40].map((v) => (v === null ? 0 : grey(v)));
    expect([...pixels.subarray(0, 9)]).toEqual(line);
    expect([...pixels.subarray(9, 18)]).toEqual(line);
    expect(grey(7)).toBe(new Uint32Array(Uint8Array.of(7, 7, 7, 255).buffer)[0]);
  });
});
