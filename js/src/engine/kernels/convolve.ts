/**
 * Convolution: each output place is a sum over runs of inputs that lie in one piece of memory.
 *
 * Maps are channels last, [h, w, C]. For a plain convolution a row of the kernel is one run of
 * kw * C numbers; with dilation or groups a run is one place of the kernel. Four places and eight
 * output channels are summed at once in registers, so that each weight is loaded once for four places.
 */
import { madd, V } from "./arithmetic";

/** Bytes of a run that are summed by themselves: errors grow with the root of what is summed at once. */
const PART: usize = 4 * 96;

/**
 * One group of a convolution.
 *
 * input: the map with its padding; places: i32 [count], byte offset of each output's first input;
 * runs: i32 [runCount], byte offset of each run from there; run: numbers in a run;
 * panels: weights [ceil(outputs / 8), runCount * run, 8]; bias: [ceil(outputs / 8), 8];
 * output: [count, pitch]; floor: what is less becomes this (0 rectifies, -inf leaves all).
 */
export function convolve(
  input: usize,
  places: usize,
  count: i32,
  runs: usize,
  runCount: i32,
  run: i32,
  panels: usize,
  bias: usize,
  output: usize,
  outputs: i32,
  pitch: i32,
  floor: f32,
): void {
  const least = f32x4.splat(floor);
  const panelBytes = <usize>runCount * <usize>run * 32;
  const runsEnd = runs + ((<usize>runCount) << 2);
  const runBytes = (<usize>run) << 2;
  const outputBytes = (<usize>pitch) << 2;
  for (let first = 0; first < outputs; first += 8) {
    const bias0 = v128.load(bias);
    const bias1 = v128.load(bias, V);
    const there = min(8, outputs - first);
    for (let place = 0; place < count; place += 4) {
      // The last block repeats its last place; what is repeated is not stored.
      const last = count - 1;
      const a0 = input + <usize>load<i32>(places + ((<usize>place) << 2));
      const a1 = input + <usize>load<i32>(places + ((<usize>min(place + 1, last)) << 2));
      const a2 = input + <usize>load<i32>(places + ((<usize>min(place + 2, last)) << 2));
      const a3 = input + <usize>load<i32>(places + ((<usize>min(place + 3, last)) << 2));
      let t00 = bias0;
      let t01 = bias1;
      let t10 = bias0;
      let t11 = bias1;
      let t20 = bias0;
      let t21 = bias1;
      let t30 = bias0;
      let t31 = bias1;
      let b = panels;
      for (let r = runs; r < runsEnd; r += 4) {
        const offset = <usize>load<i32>(r);
        let p0 = a0 + offset;
        let p1 = a1 + offset;
        let p2 = a2 + offset;
        let p3 = a3 + offset;
        const runEnd = p0 + runBytes;
        while (p0 < runEnd) {
          let c00 = f32x4.splat(0);
          let c01 = c00;
          let c10 = c00;
          let c11 = c00;
          let c20 = c00;
          let c21 = c00;
          let c30 = c00;
          let c31 = c00;
          const end = min(runEnd, p0 + PART);
          while (p0 < end) {
            const b0 = v128.load(b);
            const b1 = v128.load(b, V);
            let a = v128.load32_splat(p0);
            c00 = madd(a, b0, c00);
            c01 = madd(a, b1, c01);
            a = v128.load32_splat(p1);
            c10 = madd(a, b0, c10);
            c11 = madd(a, b1, c11);
            a = v128.load32_splat(p2);
            c20 = madd(a, b0, c20);
            c21 = madd(a, b1, c21);
            a = v128.load32_splat(p3);
            c30 = madd(a, b0, c30);
            c31 = madd(a, b1, c31);
            b += 32;
            p0 += 4;
            p1 += 4;
            p2 += 4;
            p3 += 4;
          }
          t00 = f32x4.add(t00, c00);
          t01 = f32x4.add(t01, c01);
          t10 = f32x4.add(t10, c10);
          t11 = f32x4.add(t11, c11);
          t20 = f32x4.add(t20, c20);
          t21 = f32x4.add(t21, c21);
          t30 = f32x4.add(t30, c30);
          t31 = f32x4.add(t31, c31);
        }
      }
      let out = output + <usize>place * outputBytes;
      const left = count - place;
      put(out, f32x4.max(t00, least), f32x4.max(t01, least), there);
      out += outputBytes;
      if (left > 1) put(out, f32x4.max(t10, least), f32x4.max(t11, least), there);
      out += outputBytes;
      if (left > 2) put(out, f32x4.max(t20, least), f32x4.max(t21, least), there);
      out += outputBytes;
      if (left > 3) put(out, f32x4.max(t30, least), f32x4.max(t31, least), there);
    }
    panels += panelBytes;
    bias += 32;
    output += 32;
  }
}

/** Store the first `there` of eight numbers. */
function put(out: usize, low: v128, high: v128, there: i32): void {
  if (there == 8) {
    v128.store(out, low);
    v128.store(out, high, V);
    return;
  }
  for (let n = 0; n < there; n++) {
    const half = n < 4 ? low : high;
    const pair = n & 2 ? v128.shuffle<f32>(half, half, 2, 3, 2, 3) : half;
    store<f32>(
      out + ((<usize>n) << 2),
      n & 1 ? f32x4.extract_lane(pair, 1) : f32x4.extract_lane(pair, 0),
    );
  }
}
