// @vitest-environment node
import { expect, test } from "vitest";
import { compile } from "../kernels.mjs";
import { fromBase64 } from "../src/engine/base64";
import { PLAIN, RELAXED } from "../src/engine/kernel-bytes";

const STALE = "run `npm run kernels` and commit what it writes";

test.each([
  [PLAIN, ["simd"]],
  [RELAXED, ["simd", "relaxed-simd"]],
])(
  "the committed kernels are those of the sources",
  async (committed, features) => {
    const fresh = await compile(...features);
    expect(fresh.length).toBeGreaterThan(1000);
    expect([...fresh], STALE).toEqual([...fromBase64(committed)]);
  },
  60_000,
);
