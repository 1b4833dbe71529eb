/**
 * The kernels in WGSL. Each computes every number of its target by itself, in one fixed order (a gather,
 * also on the way back), so that two runs give the same bits.
 *
 * Maps and signals are [rows, cols, channels]; of a signal only a box lies in memory, `top` and `left` say
 * where on its map.
 */

export interface Kernel {
  /** Numbers in the uniform buffer, i32 each. */
  params: readonly string[];
  code: string;
}

/** buffers: `name:type` of what is read, the last ones with `!` what is written. */
function kernel(params: string, buffers: string, body: string): Kernel {
  const names = params.split(" ");
  const bound = buffers.split(" ").map((buffer, n) => {
    const [name, type] = buffer.replace("!", "").split(":");
    const access = buffer.endsWith("!") ? "read_write" : "read";
    return `@group(0) @binding(${n + 1}) var<storage, ${access}> ${name}: array<${type}>;\n`;
  });
  const fields = names.map((name) => `${name}: i32`).join(", ");
  const code = `struct P { ${fields} }
@group(0) @binding(0) var<uniform> p: P;
${bound.join("")}${body}`;
  return { params: names, code };
}

/** One thread a number: `n` is which. count: an expression. */
const each = (count: string, body: string) => `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) all: vec3<u32>) {
  for (var n = i32(id.x); n < ${count}; n += i32(all.x) * 64) {
${body}
  }
}`;

/**
 * Convolution and its transpose, as a product of matrices that is never written down: 32 places by 8 or 32
 * channels a workgroup, of which each thread sums four by one or four.
 *
 * A place (i, j) of the grid reads the source at (i, j) * step + tap for all taps and writes the target at
 * (i, j) * toStep + to. taps: row, column, and which of the weights [tap, inputs, outputs] are its own.
 */
const product = (wide: boolean) =>
  kernel(
    "top left rows cols pitch rectify toTop toLeft toCols toPitch floor " +
      "i0 j0 gridRows gridCols stepY stepX toStepY toStepX toY toX " +
      "firstTap tapCount kernelSize inputs outputs biased",
    "source:f32 weights:f32 bias:f32 taps:vec4<i32> result:f32!",
    `
alias T = ${wide ? "vec4<f32>" : "f32"};
const W = ${wide ? 4 : 1};
var<workgroup> a: array<vec4<f32>, 128>;
var<workgroup> b: array<T, 128>;

fn seen(place: i32, k: i32, first: i32) -> f32 {
  if (place >= p.gridRows * p.gridCols || k >= p.tapCount * p.inputs) { return 0.0; }
  let tap = taps[p.firstTap + k / p.inputs];
  let y = (p.i0 + place / p.gridCols) * p.stepY + tap.x - p.top;
  let x = (p.j0 + place % p.gridCols) * p.stepX + tap.y - p.left;
  if (y < 0 || x < 0 || y >= p.rows || x >= p.cols) { return 0.0; }
  let v = source[(y * p.cols + x) * p.pitch + first + k % p.inputs];
  return select(v, max(v, 0.0), p.rectify == 1);
}

fn weight(k: i32, o: i32, part: i32) -> f32 {
  if (k >= p.tapCount * p.inputs || o >= p.outputs) { return 0.0; }
  let tap = part * p.kernelSize + taps[p.firstTap + k / p.inputs].z;
  return weights[(tap * p.inputs + k % p.inputs) * p.outputs + o];
}

fn put(place: i32, o: i32, part: i32, sum: f32) {
  if (place >= p.gridRows * p.gridCols || o >= p.outputs) { return; }
  let y = (p.i0 + place / p.gridCols) * p.toStepY + p.toY - p.toTop;
  let x = (p.j0 + place % p.gridCols) * p.toStepX + p.toX - p.toLeft;
  var v = sum;
  if (p.biased == 1) { v += bias[part * p.outputs + o]; }
  if (p.floor == 1) { v = max(v, 0.0); }
  result[(y * p.toCols + x) * p.toPitch + part * p.outputs + o] = v;
}

fn putAll(place: i32, o: i32, part: i32, sums: T) {
  ${wide ? [..."xyzw"].map((c, n) => `put(place, o + ${n}, part, sums.${c});`).join(" ") : "put(place, o, part, sums);"}
}

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) me: vec3<u32>,
        @builtin(local_invocation_index) thread: u32) {
  let place0 = i32(group.x) * 32;
  let out0 = i32(group.y) * 8 * W;
  let part = i32(group.z);
  let first = part * p.inputs;
  var s0 = T();
  var s1 = T();
  var s2 = T();
  var s3 = T();
  for (var k0 = 0; k0 < p.tapCount * p.inputs; k0 += 16) {
    for (var n = i32(thread); n < 128; n += 64) {
      let k = k0 + n % 16;
      let place = place0 + n / 16 * 4;
      a[n % 16 * 8 + n / 16] = vec4<f32>(seen(place, k, first), seen(place + 1, k, first),
        seen(place + 2, k, first), seen(place + 3, k, first));
      let row = k0 + n / 8;
      let o = out0 + n % 8 * W;
      b[n] = T(${wide ? "weight(row, o, part), weight(row, o + 1, part), weight(row, o + 2, part), weight(row, o + 3, part)" : "weight(row, o, part)"});
    }
    workgroupBarrier();
    // Parts are summed by themselves: errors grow with what is summed at once.
    var c0 = T();
    var c1 = T();
    var c2 = T();
    var c3 = T();
    for (var k = 0u; k < 16; k++) {
      let v = a[k * 8 + me.y];
      let w = b[k * 8 + me.x];
      c0 += v.x * w;
      c1 += v.y * w;
      c2 += v.z * w;
      c3 += v.w * w;
    }
    s0 += c0;
    s1 += c1;
    s2 += c2;
    s3 += c3;
    workgroupBarrier();
  }
  let place = place0 + i32(me.y) * 4;
  let o = out0 + i32(me.x) * W;
  putAll(place, o, part, s0);
  putAll(place + 1, o, part, s1);
  putAll(place + 2, o, part, s2);
  putAll(place + 3, o, part, s3);
}`,
  );

const BOX = "top left rows cols channels";
/** Of a target's number n: its channel c and its place (y, x) on the map. */
const PLACE = `
    let c = n % p.channels;
    let x = p.left + n / p.channels % p.cols;
    let y = p.top + n / p.channels / p.cols;`;
const SIZE = "p.rows * p.cols * p.channels";
/** What a signal in the box (fromTop, fromLeft, fromRows, fromCols) holds at (r, k); zero outside. */
const SIGNAL = `
fn signal(r: i32, k: i32, c: i32) -> f32 {
  let i = r - p.fromTop;
  let j = k - p.fromLeft;
  if (i < 0 || j < 0 || i >= p.fromRows || j >= p.fromCols) { return 0.0; }
  let v = source[(i * p.fromCols + j) * p.channels + c];
  return select(v, max(v, 0.0), p.rectify == 1);
}`;
const FROM = "fromTop fromLeft fromRows fromCols rectify";
const MOVING = "kernelY kernelX strideY strideX padY padX dilationY dilationX";

export const KERNELS = {
  product: product(true),
  narrow: product(false),

  /** Max pooling; codes: which place of its window each took, the first of equals. */
  maxPool: kernel(
    `${BOX} height width ${MOVING}`,
    "source:f32 result:f32! codes:i32!",
    each(
      SIZE,
      `${PLACE}
    var best = 0.0;
    var taken = -1;
    for (var i = 0; i < p.kernelY; i++) {
      let r = y * p.strideY - p.padY + i * p.dilationY;
      if (r < 0 || r >= p.height) { continue; }
      for (var j = 0; j < p.kernelX; j++) {
        let k = x * p.strideX - p.padX + j * p.dilationX;
        if (k < 0 || k >= p.width) { continue; }
        let v = source[(r * p.width + k) * p.channels + c];
        if (taken < 0 || v > best) { best = v; taken = i * p.kernelX + j; }
      }
    }
    result[n] = best;
    codes[n] = taken;`,
    ),
  ),

  /** Its way back, by the switches. Windows are asked in reading order; overwrite: the last one stays. */
  unpool: kernel(
    `${BOX} ${FROM} pooledRows pooledCols ${MOVING} overwrite`,
    "source:f32 codes:i32 result:f32!",
    SIGNAL +
      each(
        SIZE,
        `${PLACE}
    var v = 0.0;
    for (var i = p.kernelY - 1; i >= 0; i--) {
      let down = y + p.padY - i * p.dilationY;
      let r = down / p.strideY;
      if (down < 0 || down % p.strideY != 0 || r >= p.pooledRows) { continue; }
      for (var j = p.kernelX - 1; j >= 0; j--) {
        let right = x + p.padX - j * p.dilationX;
        let k = right / p.strideX;
        if (right < 0 || right % p.strideX != 0 || k >= p.pooledCols) { continue; }
        if (codes[(r * p.pooledCols + k) * p.channels + c] != i * p.kernelX + j) { continue; }
        v = select(v, 0.0, p.overwrite == 1) + signal(r, k, c);
      }
    }
    result[n] = v;`,
      ),
  ),

  /** Averages; spans: first, last and count of each row of windows, then of each column. */
  average: kernel(
    `${BOX} width`,
    "source:f32 spans:i32 result:f32!",
    each(
      SIZE,
      `${PLACE}
    let down = 3 * y;
    let right = 3 * (p.rows + x);
    var v = 0.0;
    for (var r = spans[down]; r < spans[down + 1]; r++) {
      for (var k = spans[right]; k < spans[right + 1]; k++) {
        v += source[(r * p.width + k) * p.channels + c];
      }
    }
    result[n] = v * (1.0 / f32(spans[down + 2] * spans[right + 2]));`,
    ),
  ),

  /** Their way back. */
  share: kernel(
    `${BOX} ${FROM} windowRows`,
    "source:f32 spans:i32 result:f32!",
    SIGNAL +
      each(
        SIZE,
        `${PLACE}
    var v = 0.0;
    for (var r = p.fromTop; r < p.fromTop + p.fromRows; r++) {
      let down = 3 * r;
      if (y < spans[down] || y >= spans[down + 1]) { continue; }
      for (var k = p.fromLeft; k < p.fromLeft + p.fromCols; k++) {
        let right = 3 * (p.windowRows + k);
        if (x < spans[right] || x >= spans[right + 1]) { continue; }
        v += signal(r, k, c) * (1.0 / f32(spans[down + 2] * spans[right + 2]));
      }
    }
    result[n] = v;`,
      ),
  ),

  /** Contrast normalisation across channels; alpha, beta and k as bits. */
  lrn: kernel(
    "count channels size alpha beta k",
    "source:f32 result:f32!",
    each(
      "p.count",
      `
    let c = n % p.channels;
    var v = 0.0;
    for (var o = max(0, c - p.size / 2); o < min(p.channels, c - p.size / 2 + p.size); o++) {
      let s = source[n - c + o];
      v += s * s;
    }
    let base = bitcast<f32>(p.k) + bitcast<f32>(p.alpha) / f32(p.size) * v;
    result[n] = source[n] / pow(base, bitcast<f32>(p.beta));`,
    ),
  ),

  /** scale * x + shift by channel; on the way back without the shift. */
  affine: kernel(
    "count channels shifted rectify",
    "source:f32 scale:f32 shift:f32 result:f32!",
    each(
      "p.count",
      `
    let v = source[n];
    let c = n % p.channels;
    result[n] = select(v, max(v, 0.0), p.rectify == 1) * scale[c]
      + select(0.0, shift[c], p.shifted == 1);`,
    ),
  ),

  /** What passes a rectifier backwards where its forward value is positive. */
  gate: kernel(
    `${BOX} mapCols rectify`,
    "source:f32 forward:f32 result:f32!",
    each(
      SIZE,
      `${PLACE}
    let v = select(source[n], max(source[n], 0.0), p.rectify == 1);
    result[n] = select(0.0, v, forward[(y * p.mapCols + x) * p.channels + c] > 0.0);`,
    ),
  ),

  /** A box of a target, `channels` from `first` on: one signal, or the sum of two, where they are. */
  combine: kernel(
    `${BOX} pitch first ${FROM} fromPitch fromFirst ` +
      "otherTop otherLeft otherRows otherCols otherRectify",
    "source:f32 other:f32 result:f32!",
    each(
      SIZE,
      `${PLACE}
    var v = 0.0;
    let i = y - p.fromTop;
    let j = x - p.fromLeft;
    if (i >= 0 && j >= 0 && i < p.fromRows && j < p.fromCols) {
      let one = source[(i * p.fromCols + j) * p.fromPitch + p.fromFirst + c];
      v = select(one, max(one, 0.0), p.rectify == 1);
    }
    let r = y - p.otherTop;
    let k = x - p.otherLeft;
    if (r >= 0 && k >= 0 && r < p.otherRows && k < p.otherCols) {
      let one = other[(r * p.otherCols + k) * p.channels + c];
      v += select(one, max(one, 0.0), p.otherRectify == 1);
    }
    result[n / p.channels * p.pitch + p.first + c] = v;`,
    ),
  ),

  /** Four bytes a word: codes as they are. */
  bytesOfCodes: kernel(
    "count words",
    "source:i32 result:u32!",
    each("p.words", bytes("u32(source[4 * n + b])")),
  ),
  /** Four bytes a word: 1 where a value is positive. */
  bytesOfSigns: kernel(
    "count words",
    "source:f32 result:u32!",
    each("p.words", bytes("select(0u, 1u, source[4 * n + b] > 0.0)")),
  ),
} as const satisfies Record<string, Kernel>;

function bytes(value: string): string {
  return `
    var v = 0u;
    for (var b = 0; b < 4; b++) {
      if (4 * n + b < p.count) { v |= ${value} << u32(8 * b); }
    }
    result[n] = v;`;
}

export type KernelName = keyof typeof KERNELS;
