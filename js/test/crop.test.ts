import { describe, expect, it } from "vitest";
import { keyed, LEAST, moved, resized, seenOf, whole, within } from "../src/image-picker/crop";
import type { Crop } from "../src/image-picker/state";

const photo = [300, 400] as const;

const inside = ([top, left, size]: Crop) =>
  top >= 0 && left >= 0 && top + size <= photo[0] && left + size <= photo[1];

describe("the square on a photo", () => {
  it("is the largest middle one to begin with", () => {
    expect(whole(photo)).toEqual([0, 50, 300]);
    expect(whole([500, 200])).toEqual([150, 0, 200]);
  });

  it.each([
    [
      [-40, 500, 100],
      [0, 300, 100],
    ],
    [
      [10, 20, 900],
      [0, 20, 300],
    ],
    [
      [10, 20, 2],
      [10, 20, LEAST],
    ],
    [
      [10.4, 20.6, 99.5],
      [10, 21, 100],
    ],
  ] as [Crop, Crop][])("%j is brought into the photo as %j", (given, expected) => {
    expect(within(given, photo)).toEqual(expected);
  });

  it("moves as far as the photo goes", () => {
    expect(moved([100, 100, 80], 10, -20, photo)).toEqual([110, 80, 80]);
    expect(moved([100, 100, 80], 9999, 9999, photo)).toEqual([220, 320, 80]);
  });

  it("keeps the point under the pointer when it is resized", () => {
    const at = [150, 120] as const;
    const before: Crop = [100, 100, 100];
    const after = resized(before, 50, photo, at);
    const share = ([top, left, size]: Crop) => [(at[0] - top) / size, (at[1] - left) / size];
    expect(after[2]).toBe(50);
    share(after).forEach((value, i) => {
      expect(value).toBeCloseTo(share(before)[i] ?? 0, 1);
    });
  });

  it("never leaves the photo, whatever keys are pressed", () => {
    let crop = whole(photo);
    const keys = ["+", "ArrowDown", "ArrowRight", "-", "ArrowLeft", "+", "+", "ArrowUp"];
    for (let i = 0; i < 400; i++) {
      crop = keyed(crop, keys[(i * 7) % keys.length] ?? "", i % 3 === 0, photo) ?? crop;
      expect(inside(crop)).toBe(true);
      expect(crop.every(Number.isInteger)).toBe(true);
    }
    expect(keyed(crop, "x", false, photo)).toBeNull();
  });

  it("is seen in its middle", () => {
    expect(seenOf([0, 50, 256], 224 / 256)).toEqual([16, 66, 224]);
    expect(seenOf([3, 5, 100], 1)).toEqual([3, 5, 100]);
  });
});
