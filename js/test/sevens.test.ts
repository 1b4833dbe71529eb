/** Seven bits a letter: read as zfwidgets/widgets/site/sevens.py writes them. */
import { describe, expect, it } from "vitest";
import { fromSevens } from "../src/page/sevens";

/** By the definition: all bits in a row, seven at a time. */
function written(bytes: number[]): string {
  const bits = bytes.map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = bits.match(/.{1,7}/g) ?? [];
  return String.fromCharCode(...letters.map((some) => Number.parseInt(some.padEnd(7, "0"), 2)));
}

describe("bytes of seven bits a letter", () => {
  it("are read whatever their number", () => {
    for (let count = 0; count < 20; count++) {
      const bytes = Array.from({ length: count }, (_, n) => (n * 89 + count * 31) % 256);
      expect([...fromSevens(written(bytes))]).toEqual(bytes);
    }
  });
});
