/** Pooling with switches, unpooling, and averages over windows. Maps are channels last. */

/**
 * Max pooling that notes which place of its window each maximum took, in reading order, the first of
 * equals. Places of the window outside the map are not looked at.
 *
 * input: [h, w, C]; output: [rows, cols, C]; codes: u8 [rows, cols, C].
 */
export function maxPool(
  input: usize,
  h: i32,
  w: i32,
  channels: i32,
  kernelRows: i32,
  kernelCols: i32,
  strideRows: i32,
  strideCols: i32,
  top: i32,
  left: i32,
  dilationRows: i32,
  dilationCols: i32,
  output: usize,
  codes: usize,
  rows: i32,
  cols: i32,
): void {
  const fours = channels & ~3;
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      const row = y * strideRows - top;
      const col = x * strideCols - left;
      for (let c = 0; c < fours; c += 4) {
        let best = f32x4.splat(-Infinity);
        let taken = i32x4.splat(-1);
        for (let i = 0; i < kernelRows; i++) {
          const r = row + i * dilationRows;
          if (<u32>r >= <u32>h) continue;
          for (let j = 0; j < kernelCols; j++) {
            const k = col + j * dilationCols;
            if (<u32>k >= <u32>w) continue;
            const v = v128.load(input + ((<usize>((r * w + k) * channels + c)) << 2));
            const code = i32x4.splat(i * kernelCols + j);
            // The first place of a window is taken whatever stands there, as torch does.
            const better = v128.or(f32x4.gt(v, best), i32x4.lt_s(taken, i32x4.splat(0)));
            best = v128.bitselect(v, best, better);
            taken = v128.bitselect(code, taken, better);
          }
        }
        v128.store(output + ((<usize>c) << 2), best);
        store<u8>(codes + <usize>c, <u8>i32x4.extract_lane(taken, 0));
        store<u8>(codes + <usize>c, <u8>i32x4.extract_lane(taken, 1), 1);
        store<u8>(codes + <usize>c, <u8>i32x4.extract_lane(taken, 2), 2);
        store<u8>(codes + <usize>c, <u8>i32x4.extract_lane(taken, 3), 3);
      }
      for (let c = fours; c < channels; c++) {
        let best: f32 = -Infinity;
        let taken = -1;
        for (let i = 0; i < kernelRows; i++) {
          const r = row + i * dilationRows;
          if (<u32>r >= <u32>h) continue;
          for (let j = 0; j < kernelCols; j++) {
            const k = col + j * dilationCols;
            if (<u32>k >= <u32>w) continue;
            const v = load<f32>(input + ((<usize>((r * w + k) * channels + c)) << 2));
            if (taken < 0 || v > best) {
              best = v;
              taken = i * kernelCols + j;
            }
          }
        }
        store<f32>(output + ((<usize>c) << 2), best);
        store<u8>(codes + <usize>c, <u8>taken);
      }
      output += (<usize>channels) << 2;
      codes += <usize>channels;
    }
  }
}

/**
 * Each value to the place that its code names: added there, or, with `overwrite`, put there, so that
 * the last window in reading order wins with whatever it holds.
 *
 * signal: [rows, cols, C], windows from (firstRow, firstCol) of the pooled map on, whose codes are u8
 * [.., pooledCols, C]; target: [height, width, C], whose first place is (top, left) of the window
 * (0, 0)'s first place. What falls outside the target is dropped.
 */
export function unpool(
  signal: usize,
  rows: i32,
  cols: i32,
  channels: i32,
  codes: usize,
  firstRow: i32,
  firstCol: i32,
  pooledCols: i32,
  kernelCols: i32,
  strideRows: i32,
  strideCols: i32,
  dilationRows: i32,
  dilationCols: i32,
  target: usize,
  top: i32,
  left: i32,
  height: i32,
  width: i32,
  floor: f32,
  overwrite: bool,
): void {
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < cols; x++) {
      const code = codes + <usize>(((firstRow + y) * pooledCols + firstCol + x) * channels);
      const row = (firstRow + y) * strideRows - top;
      const col = (firstCol + x) * strideCols - left;
      for (let c = 0; c < channels; c++) {
        let v = load<f32>(signal + ((<usize>c) << 2));
        if (!(v > floor)) v = 0;
        if (v == 0 && !overwrite) continue;
        const place = <i32>load<u8>(code + <usize>c);
        const i = place / kernelCols;
        const r = row + i * dilationRows;
        const k = col + (place - i * kernelCols) * dilationCols;
        if (<u32>r >= <u32>height || <u32>k >= <u32>width) continue;
        const to = target + ((<usize>((r * width + k) * channels + c)) << 2);
        store<f32>(to, overwrite ? v : load<f32>(to) + v);
      }
      signal += (<usize>channels) << 2;
    }
  }
}

/**
 * Averages over windows: output = share * sum. input: [h, w, C], of which the window [first, last)
 * of rows and of columns is summed; share: what one place counts.
 */
export function average(
  input: usize,
  w: i32,
  channels: i32,
  firstRow: i32,
  lastRow: i32,
  firstCol: i32,
  lastCol: i32,
  share: f32,
  output: usize,
): void {
  for (let c = 0; c < channels; c++) {
    let sum: f32 = 0;
    for (let r = firstRow; r < lastRow; r++) {
      for (let k = firstCol; k < lastCol; k++) {
        sum += load<f32>(input + ((<usize>((r * w + k) * channels + c)) << 2));
      }
    }
    store<f32>(output + ((<usize>c) << 2), sum * share);
  }
}

/** The transpose of `average`: what stands in `signal` [C] is added to every place of the window. */
export function share(
  signal: usize,
  w: i32,
  channels: i32,
  firstRow: i32,
  lastRow: i32,
  firstCol: i32,
  lastCol: i32,
  share: f32,
  target: usize,
): void {
  for (let r = firstRow; r < lastRow; r++) {
    for (let k = firstCol; k < lastCol; k++) {
      const to = target + ((<usize>((r * w + k) * channels)) << 2);
      for (let c = 0; c < channels; c++) {
        const at = (<usize>c) << 2;
        store<f32>(to + at, load<f32>(to + at) + load<f32>(signal + at) * share);
      }
    }
  }
}
