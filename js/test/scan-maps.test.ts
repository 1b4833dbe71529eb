/** The maps of an occlusion scan: where the square goes, what is known, what comes next. */
import { expect, it } from "vitest";
import { places, ScanMaps } from "../src/page/scan-maps";

it("the last place touches the border, even if it is less than a stride away", () => {
  expect(places(32, 16, 8)).toEqual([0, 8, 16]);
  expect(places(33, 16, 8)).toEqual([0, 8, 16, 17]);
  expect(places(16, 16, 8)).toEqual([0]);
});

it("before anything is measured nothing is known", () => {
  const maps = new ScanMaps(16);
  maps.refine([0, 16], [0, 16]);
  expect([...maps.total].every(Number.isNaN)).toBe(true);
  expect([...maps.winner]).toEqual([-1, -1, -1, -1]);
  expect(maps.unknown()).toHaveLength(4);
});

it("a finer grid keeps what was measured and is linear in between", () => {
  const maps = new ScanMaps(16);
  maps.refine([0, 16], [0, 16]);
  const values = [0, 4, 8, 12];
  for (const [n, place] of maps.unknown().entries()) {
    maps.measure(place, values[n] ?? 0, (values[n] ?? 0) / 16, n);
  }
  maps.refine([0, 8, 16], [0, 8, 16]);
  expect([...maps.total]).toEqual([0, 2, 4, 4, 6, 8, 8, 10, 12]);
  expect([...maps.chance].map((p) => 16 * p)).toEqual([0, 2, 4, 4, 6, 8, 8, 10, 12]);
  expect([maps.winner[0], maps.winner[2], maps.winner[6], maps.winner[8]]).toEqual([0, 1, 2, 3]);
  expect(maps.unknown()).toHaveLength(5);
});

it("what changes most is measured first", () => {
  const maps = new ScanMaps(8);
  maps.refine([0], [0, 16, 32, 48]);
  // A step between the last two places.
  for (const place of maps.unknown()) maps.measure(place, place.col === 3 ? 1 : 0, 0, 0);
  maps.refine([0], [0, 8, 16, 24, 32, 40, 48]);
  expect(maps.unknown()[0]).toEqual({ row: 0, col: 5 });
});
