// @vitest-environment node
import { afterEach, expect, test, vi } from "vitest";
import { fromBase64 } from "../src/engine/base64";
import type { Graph } from "../src/engine/graph";
import { Heap } from "../src/engine/heap";
import { bestVariant } from "../src/engine/kernels";
import { digest, sha256 } from "../src/engine/sha256";
import { Weights } from "../src/engine/weights";
import { EngineError } from "../src/engine/words";
import { shrunk } from "../src/page/painting";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const bytes = (text: string) => new TextEncoder().encode(text);

/** A graph of nothing but these weights. */
function graphOf(block: Uint8Array): Graph {
  return {
    format: 1,
    name: "net",
    nodes: [],
    layers: [],
    logits: null,
    categories: null,
    preparation: {
      size: 8,
      resize: 8,
      mean: [0, 0, 0],
      std: [1, 1, 1],
      scale: 1,
      channels: "RGB",
      mode: "crop",
      interpolation: "bilinear",
    },
    weights: { bytes: block.length, sha256: sha256(block) },
  };
}

test("SHA-256 gives the digests of FIPS 180-4", () => {
  expect(sha256(bytes(""))).toBe(
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
  expect(sha256(bytes("abc"))).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  // 56 bytes: the length no longer fits the last block.
  expect(sha256(bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))).toBe(
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
  );
  expect(sha256(bytes("a".repeat(1_000_000)))).toBe(
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
  );
});

test.each([
  ["the browser's", {}],
  ["our own, where a page has none", { crypto: undefined }],
])("a digest is that of FIPS 180-4 by %s SHA-256", async (_, missing) => {
  for (const [name, value] of Object.entries(missing)) vi.stubGlobal(name, value);
  expect(await digest(bytes("abc"))).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
});

test("float16 is read as IEEE 754 says: normal, subnormal, signs, infinity", async () => {
  const bits = [0x3c00, 0xc000, 0x3555, 0x0001, 0x03ff, 0x7bff, 0x7c00, 0x8000];
  const block = new Uint8Array(Uint16Array.from(bits).buffer);
  const weights = await Weights.open(graphOf(block), block);
  const floats = weights.floats({ at: 0, shape: [8], type: "f16" });
  expect([...floats]).toEqual([
    1,
    -2,
    0.333251953125,
    2 ** -24,
    1023 * 2 ** -24,
    65504,
    Number.POSITIVE_INFINITY,
    -0,
  ]);
});

test("a tensor is found at its place, also in a block that is not aligned", async () => {
  const block = new Uint8Array(Float32Array.of(1.5, -2.25, 4).buffer);
  const odd = new Uint8Array(block.length + 1);
  odd.set(block, 1);
  const weights = await Weights.open(graphOf(block), odd.subarray(1));
  expect([...weights.floats({ at: 4, shape: [2, 1], type: "f32" })]).toEqual([-2.25, 4]);
});

test("one flipped bit in the weights is an error that says what to do", async () => {
  const block = Uint8Array.from({ length: 100 }, (_, n) => n);
  const graph = graphOf(block);
  const damaged = block.slice();
  damaged[50] = (damaged[50] as number) ^ 1;
  await expect(Weights.open(graph, damaged)).rejects.toThrow(EngineError);
  await expect(Weights.open(graph, damaged)).rejects.toThrow(/damaged.*export the page again/);
  await expect(Weights.open(graph, damaged.slice(1), true)).rejects.toThrow(/damaged/);
});

test("base64 is read where the browser has no way of its own", () => {
  expect([...fromBase64("AP+AfwE=")]).toEqual([0, 255, 128, 127, 1]);
});

test("the heap gives pieces that do not overlap, and takes back what grows together", () => {
  const heap = new Heap();
  const pieces = [100, 1, 5000, 64].map((size) => ({ at: heap.take(size), size }));
  const sorted = [...pieces].sort((a, b) => a.at - b.at);
  for (let n = 1; n < sorted.length; n++) {
    const [before, after] = [sorted[n - 1], sorted[n]];
    expect((before?.at ?? 0) + (before?.size ?? 0)).toBeLessThanOrEqual(after?.at ?? 0);
  }
  const { size } = heap;
  for (const { at } of pieces) heap.give(at);
  const again = heap.take(5000 + 100);
  expect(again).toBe(sorted[0]?.at);
  expect(heap.size).toBe(size);
  expect(() => heap.give(again + 64)).toThrow("nothing was taken");
});

test("memory that the browser refuses is an error that says what to do", () => {
  const heap = new Heap();
  vi.spyOn(heap.memory, "grow").mockImplementation(() => {
    throw new RangeError("no");
  });
  expect(() => heap.take(2 ** 30)).toThrow(/refused the engine 1024 MB.*Close other pages/);
});

test("relaxed SIMD is chosen where there is some, plain SIMD else", () => {
  const validate = vi.spyOn(WebAssembly, "validate");
  validate.mockReturnValueOnce(true);
  expect(bestVariant()).toBe("relaxed");
  validate.mockReturnValueOnce(false).mockReturnValueOnce(true);
  expect(bestVariant()).toBe("plain");
});

test("a browser without SIMD is told which browsers have it", () => {
  vi.spyOn(WebAssembly, "validate").mockReturnValue(false);
  expect(bestVariant).toThrow(/no WebAssembly SIMD.*Firefox 89/);
});

test("what lies at the very edge of an output's reach counts nothing in it", () => {
  // 224 places to 96, 7 to 3: output 60 ends where place 143 has its centre.
  const row = Float32Array.from({ length: 224 }, (_, x) => (x < 143 ? 0 : 1));
  const wide = shrunk({ values: row, channels: 1, height: 1, width: 224 }, 1, 96).values;
  const high = shrunk({ values: row, channels: 1, height: 224, width: 1 }, 96, 1).values;
  for (const small of [wide, high]) {
    expect(small.findIndex((value) => value !== 0)).toBe(61);
    expect(small[95]).toBeCloseTo(1, 6);
  }
});
