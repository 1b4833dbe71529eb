/**
 * Transposed convolution of a sparse signal: each value that is there spreads its filter.
 *
 * After unpooling a 3x3/2 pool at most 22 % of a map is not zero, and rectifying halves that. `list`
 * writes down what stands at each place; `spread` adds all of a place's filters up in registers,
 * thirty-two pixels of one run at a time, and touches each pixel once. Filters lie in panels of so
 * many pixels, so that a panel stays in the nearest cache while all places go by.
 */
import { madd, V } from "./arithmetic";

/**
 * What is greater than `floor` and not zero at each place, channel by channel.
 *
 * source: [h, w, pitch], of which `channels` from the first are looked at; targets: bytes from one
 * row and from one column of the source to the next in what it is spread onto.
 * values: f32 and i32 pairs, value and channel, filled up with zeros to an even number per place;
 * places: i32 triples for the places where something stands: first and last byte in `values`, byte
 * offset in the target. Returns how many places there are.
 */
export function list(
  source: usize,
  rows: i32,
  cols: i32,
  channels: i32,
  pitch: i32,
  floor: f32,
  rowStep: i32,
  colStep: i32,
  values: usize,
  places: usize,
): i32 {
  const least = f32x4.splat(floor);
  const zero = f32x4.splat(0);
  const fours = channels & ~3;
  let at = values;
  let count = 0;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      const begin = at;
      for (let c = 0; c < fours; c += 4) {
        const v = v128.load(source + ((<usize>c) << 2));
        let mask = i32x4.bitmask(v128.and(f32x4.gt(v, least), f32x4.ne(v, zero)));
        while (mask) {
          const lane = ctz(mask);
          mask &= mask - 1;
          store<u32>(at, load<u32>(source + ((<usize>(c + lane)) << 2)));
          store<i32>(at, c + lane, 4);
          at += 8;
        }
      }
      for (let c = fours; c < channels; c++) {
        const v = load<f32>(source + ((<usize>c) << 2));
        if (v > floor && v != 0) {
          store<f32>(at, v);
          store<i32>(at, c, 4);
          at += 8;
        }
      }
      if (at > begin) {
        while ((at - begin) & 15) {
          store<u64>(at, 0);
          at += 8;
        }
        store<i32>(places, <i32>(begin - values));
        store<i32>(places, <i32>(at - values), 4);
        store<i32>(places, y * rowStep + x * colStep, 8);
        places += 12;
        count++;
      }
      source += (<usize>pitch) << 2;
    }
  }
  return count;
}

/**
 * Add one panel of every filter that is listed. panel: [channels, 4 * vectors]; target: where the
 * panel's pixels of the place with offset 0 begin; vectors: 8, 6, 4, 2 or 1. A panel that is wider than
 * what is left of its run holds zeros there, which change nothing.
 */
export function spread(
  values: usize,
  places: usize,
  count: i32,
  panel: usize,
  target: usize,
  vectors: i32,
): void {
  if (vectors == 8) spread8(values, places, count, panel, target);
  else if (vectors == 6) spread6(values, places, count, panel, target);
  else if (vectors == 4) spread4(values, places, count, panel, target);
  else if (vectors == 2) spread2(values, places, count, panel, target);
  else spread1(values, places, count, panel, target);
}

function spread8(values: usize, places: usize, count: i32, panel: usize, target: usize): void {
  for (const end = places + <usize>count * 12; places < end; places += 12) {
    const to = target + <usize>load<i32>(places, 8);
    const last = values + <usize>load<i32>(places, 4);
    let t0 = v128.load(to);
    let t1 = v128.load(to, V);
    let t2 = v128.load(to, 2 * V);
    let t3 = v128.load(to, 3 * V);
    let t4 = v128.load(to, 4 * V);
    let t5 = v128.load(to, 5 * V);
    let t6 = v128.load(to, 6 * V);
    let t7 = v128.load(to, 7 * V);
    for (let at = values + <usize>load<i32>(places); at < last; at += 8) {
      const v = v128.load32_splat(at);
      const f = panel + ((<usize>load<i32>(at, 4)) << 7);
      t0 = madd(v, v128.load(f), t0);
      t1 = madd(v, v128.load(f, V), t1);
      t2 = madd(v, v128.load(f, 2 * V), t2);
      t3 = madd(v, v128.load(f, 3 * V), t3);
      t4 = madd(v, v128.load(f, 4 * V), t4);
      t5 = madd(v, v128.load(f, 5 * V), t5);
      t6 = madd(v, v128.load(f, 6 * V), t6);
      t7 = madd(v, v128.load(f, 7 * V), t7);
    }
    v128.store(to, t0);
    v128.store(to, t1, V);
    v128.store(to, t2, 2 * V);
    v128.store(to, t3, 3 * V);
    v128.store(to, t4, 4 * V);
    v128.store(to, t5, 5 * V);
    v128.store(to, t6, 6 * V);
    v128.store(to, t7, 7 * V);
  }
}

function spread6(values: usize, places: usize, count: i32, panel: usize, target: usize): void {
  for (const end = places + <usize>count * 12; places < end; places += 12) {
    const to = target + <usize>load<i32>(places, 8);
    const last = values + <usize>load<i32>(places, 4);
    let t0 = v128.load(to);
    let t1 = v128.load(to, V);
    let t2 = v128.load(to, 2 * V);
    let t3 = v128.load(to, 3 * V);
    let t4 = v128.load(to, 4 * V);
    let t5 = v128.load(to, 5 * V);
    for (let at = values + <usize>load<i32>(places); at < last; at += 8) {
      const v = v128.load32_splat(at);
      const f = panel + <usize>load<i32>(at, 4) * 96;
      t0 = madd(v, v128.load(f), t0);
      t1 = madd(v, v128.load(f, V), t1);
      t2 = madd(v, v128.load(f, 2 * V), t2);
      t3 = madd(v, v128.load(f, 3 * V), t3);
      t4 = madd(v, v128.load(f, 4 * V), t4);
      t5 = madd(v, v128.load(f, 5 * V), t5);
    }
    v128.store(to, t0);
    v128.store(to, t1, V);
    v128.store(to, t2, 2 * V);
    v128.store(to, t3, 3 * V);
    v128.store(to, t4, 4 * V);
    v128.store(to, t5, 5 * V);
  }
}

function spread4(values: usize, places: usize, count: i32, panel: usize, target: usize): void {
  for (const end = places + <usize>count * 12; places < end; places += 12) {
    const to = target + <usize>load<i32>(places, 8);
    const last = values + <usize>load<i32>(places, 4);
    let t0 = v128.load(to);
    let t1 = v128.load(to, V);
    let t2 = v128.load(to, 2 * V);
    let t3 = v128.load(to, 3 * V);
    for (let at = values + <usize>load<i32>(places); at < last; at += 16) {
      let v = v128.load32_splat(at);
      let f = panel + ((<usize>load<i32>(at, 4)) << 6);
      t0 = madd(v, v128.load(f), t0);
      t1 = madd(v, v128.load(f, V), t1);
      t2 = madd(v, v128.load(f, 2 * V), t2);
      t3 = madd(v, v128.load(f, 3 * V), t3);
      v = v128.load32_splat(at, 8);
      f = panel + ((<usize>load<i32>(at, 12)) << 6);
      t0 = madd(v, v128.load(f), t0);
      t1 = madd(v, v128.load(f, V), t1);
      t2 = madd(v, v128.load(f, 2 * V), t2);
      t3 = madd(v, v128.load(f, 3 * V), t3);
    }
    v128.store(to, t0);
    v128.store(to, t1, V);
    v128.store(to, t2, 2 * V);
    v128.store(to, t3, 3 * V);
  }
}

function spread2(values: usize, places: usize, count: i32, panel: usize, target: usize): void {
  for (const end = places + <usize>count * 12; places < end; places += 12) {
    const to = target + <usize>load<i32>(places, 8);
    const last = values + <usize>load<i32>(places, 4);
    let t0 = v128.load(to);
    let t1 = v128.load(to, V);
    for (let at = values + <usize>load<i32>(places); at < last; at += 8) {
      const v = v128.load32_splat(at);
      const f = panel + ((<usize>load<i32>(at, 4)) << 5);
      t0 = madd(v, v128.load(f), t0);
      t1 = madd(v, v128.load(f, V), t1);
    }
    v128.store(to, t0);
    v128.store(to, t1, V);
  }
}

function spread1(values: usize, places: usize, count: i32, panel: usize, target: usize): void {
  for (const end = places + <usize>count * 12; places < end; places += 12) {
    const to = target + <usize>load<i32>(places, 8);
    const last = values + <usize>load<i32>(places, 4);
    let t0 = v128.load(to);
    for (let at = values + <usize>load<i32>(places); at < last; at += 8) {
      const f = panel + ((<usize>load<i32>(at, 4)) << 4);
      t0 = madd(v128.load32_splat(at), v128.load(f), t0);
    }
    v128.store(to, t0);
  }
}
