import { describe, expect, it } from "vitest";
import { brief, percent, type RawWall, Wall } from "../src/exemplar-browser/wall";

const floats = (...values: number[]) => new DataView(new Float32Array(values).buffer);

function wall(usage: RawWall["usage"] = {}): Wall {
  return new Wall({
    epoch: 1,
    layer: "conv2",
    rule: "deconvnet",
    count: 4,
    side: 3,
    k: 9,
    native: [27, 27],
    scanned: 18,
    complete: true,
    strength: floats(2, 5, 0, 5),
    usage,
    sheet: { ids: [], mime: "image/webp", tile: [1, 1], columns: 1 },
    picture: floats(),
  });
}

describe("a wall of exemplars", () => {
  it("is nothing before the first pictures", () => {
    expect(Wall.read({})).toBeNull();
  });

  it("puts the strongest first and equals by number", () => {
    expect(wall().order("strength")).toEqual([1, 3, 0, 2]);
    expect(wall().order("index")).toEqual([0, 1, 2, 3]);
  });

  it("orders by usage only where that is known", () => {
    expect(wall().knows("energy")).toBe(false);
    expect(wall().order("energy")).toEqual([0, 1, 2, 3]);
    const known = wall({ energy: floats(1, 2, 4, 1), fires: floats(0.5, 1, 0.25, 0) });
    expect(known.order("energy")).toEqual([2, 1, 0, 3]);
    expect(known.order("fires")).toEqual([3, 2, 0, 1]);
    expect(known.energy(2)).toBe(0.5);
  });

  it("calls a channel dead that fires in no picture", () => {
    expect(wall().dead(2)).toBe(true);
    const known = wall({ fires: floats(0.5, 1, 0.25, 0) });
    expect([known.dead(2), known.dead(3), known.deadCount]).toEqual([false, true, 1]);
  });

  it("is twice as wide as high, and six receptive fields at full resolution", () => {
    expect([wall().aspect, wall().native]).toEqual([0.5, 162]);
  });

  it("writes numbers with few digits", () => {
    expect([brief(13.5678), brief(0), percent(0.05678)]).toEqual(["13.6", "0", "5.7 %"]);
  });
});
