import { describe, expect, it } from "vitest";
import { Camera } from "../src/projection-view/camera";
import { fieldOf, nearest, neighbour, type Sight } from "../src/projection-view/field";
import { number } from "../src/projection-view/words";

/** As ZFNet's conv5 on 224 pixels: 13 x 13 neurons, 139 pixels, 16 apart. */
const sight: Sight = { map: [13, 13], field: [139, 139], jump: [16, 16], offset: [-52, -52] };

describe("receptive fields", () => {
  it("stand a jump apart, from an offset that may lie beyond the edge", () => {
    expect(fieldOf(sight, [0, 0])).toEqual([-52, -52, 87, 87]);
    expect(fieldOf(sight, [1, 2])).toEqual([-36, -20, 103, 119]);
  });

  it("the nearest is the one whose centre is nearest, by trying all", () => {
    for (let place = 0; place < 224; place += 1.7) {
      const distances = Array.from({ length: 13 }, (_, i) => {
        const [top, , bottom] = fieldOf(sight, [i, 0]);
        return Math.abs((top + bottom) / 2 - place);
      });
      const [row, col] = nearest(sight, place, 223 - place);
      expect(distances[row]).toBeCloseTo(Math.min(...distances));
      expect(col).toBeGreaterThanOrEqual(0);
      expect(col).toBeLessThan(13);
    }
  });

  it("of a fully connected layer there is one", () => {
    const whole: Sight = { map: [1, 1], field: [224, 224], jump: [0, 0], offset: [0, 0] };
    expect(nearest(whole, 200, 10)).toEqual([0, 0]);
  });

  it("neighbours end at the edge of the map", () => {
    expect(neighbour(sight, [0, 12], -1, 1)).toEqual([0, 12]);
    expect(neighbour(sight, [5, 5], 1, 0)).toEqual([6, 5]);
  });
});

describe("the camera", () => {
  const made = (): Camera => {
    const camera = new Camera();
    camera.resize(100, 200);
    return camera;
  };

  it("begins with all of the picture", () => {
    expect(made().window).toEqual([0, 0, 100, 200]);
    expect(made().at(0.5, 0.25)).toEqual([50, 50]);
  });

  it("keeps the place under the pointer when it zooms", () => {
    const camera = made();
    const before = camera.at(0.3, 0.7);
    camera.zoomAt(2.5, ...before);
    const after = camera.at(0.3, 0.7);
    expect(after[0]).toBeCloseTo(before[0]);
    expect(after[1]).toBeCloseTo(before[1]);
    expect(camera.zoom).toBe(2.5);
  });

  it("never leaves the picture, nor makes it smaller than its frame", () => {
    const camera = made();
    camera.zoomAt(0.2, 10, 10);
    expect(camera.zoom).toBe(1);
    camera.zoomAt(4, 50, 100);
    camera.pan(-99, 99);
    expect(camera.window).toEqual([0, 150, 25, 200]);
  });

  it("fits a box with a margin", () => {
    const camera = made();
    camera.fit([40, 90, 60, 110]);
    const [top, left, bottom, right] = camera.window;
    expect(top).toBeLessThan(40);
    expect(bottom).toBeGreaterThan(60);
    expect((top + bottom) / 2).toBeCloseTo(50);
    expect((left + right) / 2).toBeCloseTo(100);
  });
});

it("numbers have three digits", () => {
  expect([2.71128, 0.00488123, 1234.5, 0].map(number)).toEqual(["2.71", "0.00488", "1230", "0"]);
});
