/** Four numbers at a time, and the one step that everything here is made of: a * b + c. */

/** Bytes in a vector. */
export const V: usize = 16;

/** a * b + c, in one rounding where the machine has it (relaxed SIMD), else in two. */
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}
