import { describe, expect, it } from "vitest";
import type { EvolutionPage } from "../src/evolution-view/page";
import { labelled, parseChannels, tileOf } from "../src/evolution-view/page";

describe("the evolution page", () => {
  it("takes channel numbers in any usual writing, each once", () => {
    expect(parseChannels("3, 1;7  3", 8, 4)).toEqual([3, 1, 7]);
  });

  it("takes nothing where one number is wrong", () => {
    for (const text of ["", "8", "-1", "1.5", "x", "1,2,3,4,5"]) {
      expect(parseChannels(text, 8, 4)).toBeNull();
    }
  });

  it("labels the first and the last checkpoint, and no two too near", () => {
    expect(labelled(7, 10)).toEqual(Array(7).fill(true));
    const many = labelled(41, 10);
    expect([many[0], many[40]]).toEqual([true, true]);
    const places = many.flatMap((on, i) => (on ? [i] : []));
    const gaps = places.slice(1).map((at, i) => at - (places[i] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(5);
  });

  it("finds a tile by checkpoint and channel", () => {
    const page = {
      channels: [4, 9, 2],
      sheet: { ids: [], mime: "", tile: [10, 20], columns: 4 },
    } as unknown as EvolutionPage;
    const image = {} as ImageBitmap;
    // Checkpoint 1, channel 2: tile 5, in the second row of the sheet.
    expect(tileOf(page, image, 1, 2)).toEqual({ image, x: 20, y: 10, width: 20, height: 10 });
  });
});
