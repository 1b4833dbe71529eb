/** The kernels, compiled by the browser: with relaxed SIMD where it has that, with plain SIMD else. */

import { fromBase64 } from "./base64";
import { PLAIN, RELAXED } from "./kernel-bytes";
import { EngineError } from "./words";

/** Addresses and sizes in, numbers in memory out; see kernels/*.ts for what each one does. */
export interface Kernels {
  convolve(...n: Twelve): void;
  list(...n: Ten): number;
  spread(
    values: number,
    places: number,
    count: number,
    panel: number,
    target: number,
    vectors: number,
  ): void;
  maxPool(...n: [...Twelve, codesAt: number, codes: number, rows: number, cols: number]): void;
  unpool(...n: [...Twelve, ...Six, floor: number, overwrite: boolean]): void;
  average(...n: Nine): void;
  share(...n: Nine): void;
  rectify(input: number, output: number, count: number, floor: number): void;
  positive(input: number, mask: number, count: number): void;
  gate(signal: number, mask: number, count: number, floor: number): void;
  add(signal: number, target: number, count: number): void;
  affine(...n: Six): void;
  copy(...n: Six): void;
}

type Six = [number, number, number, number, number, number];
type Nine = [...Six, number, number, number];
type Ten = [...Nine, number];
type Twelve = [...Six, ...Six];

export type Variant = "relaxed" | "plain";

/** The best variant that this browser takes. Throws EngineError if it takes none. */
export function bestVariant(): Variant {
  if (typeof WebAssembly === "object") {
    if (WebAssembly.validate(fromBase64(RELAXED) as BufferSource)) return "relaxed";
    if (WebAssembly.validate(fromBase64(PLAIN) as BufferSource)) return "plain";
  }
  throw new EngineError("simd");
}

export function instantiate(memory: WebAssembly.Memory, variant: Variant): Kernels {
  const bytes = fromBase64(variant === "relaxed" ? RELAXED : PLAIN) as BufferSource;
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  return instance.exports as unknown as Kernels;
}
