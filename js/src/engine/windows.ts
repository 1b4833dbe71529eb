/**
 * Receptive-field arithmetic, as zfwidgets/deconv/windows.py: which places of a map one neuron can
 * touch. Going back through kernel k, stride s, padding p, dilation d, the outputs [first, first +
 * size) see the inputs first' = first * s - p, size' = (size - 1) * s + (k - 1) * d + 1.
 */
import type { Pair } from "./graph";

/** A rectangle of a map. */
export interface Box {
  top: number;
  left: number;
  rows: number;
  cols: number;
}

/** How a window moves over its inputs. */
export interface Moving {
  kernel: Pair;
  stride: Pair;
  padding: Pair;
  dilation: Pair;
}

/** The inputs that a box of outputs sees; it may reach outside the map. */
export function inputsOf(box: Box, { kernel, stride, padding, dilation }: Moving): Box {
  return {
    top: box.top * stride[0] - padding[0],
    left: box.left * stride[1] - padding[1],
    rows: (box.rows - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1,
    cols: (box.cols - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1,
  };
}

export function wholeBox(shape: readonly number[]): Box {
  return { top: 0, left: 0, rows: shape[1] as number, cols: shape[2] as number };
}

export function sameBox(a: Box, b: Box): boolean {
  return a.top === b.top && a.left === b.left && a.rows === b.rows && a.cols === b.cols;
}

/** The part of a box that lies on the map. */
export function onMap(box: Box, shape: readonly number[]): Box {
  const top = Math.max(0, box.top);
  const left = Math.max(0, box.left);
  return {
    top,
    left,
    rows: Math.max(0, Math.min(box.top + box.rows, shape[1] as number) - top),
    cols: Math.max(0, Math.min(box.left + box.cols, shape[2] as number) - left),
  };
}

/** The smallest box that holds both. */
export function unionBox(a: Box, b: Box): Box {
  const top = Math.min(a.top, b.top);
  const left = Math.min(a.left, b.left);
  return {
    top,
    left,
    rows: Math.max(a.top + a.rows, b.top + b.rows) - top,
    cols: Math.max(a.left + a.cols, b.left + b.cols) - left,
  };
}

/**
 * The window of any neuron of a layer: at jump * position + offset, of this size. Unlike a box it says
 * where the pixels of a projection lie for all neurons alike, also where they reach outside the photo.
 */
export interface Window {
  jump: Pair;
  offset: Pair;
  size: Pair;
}

export const NEURON: Window = { jump: [1, 1], offset: [0, 0], size: [1, 1] };

export function windowBack(window: Window, { kernel, stride, padding, dilation }: Moving): Window {
  const axis = (a: 0 | 1) => ({
    jump: window.jump[a] * stride[a],
    offset: window.offset[a] * stride[a] - padding[a],
    size: (window.size[a] - 1) * stride[a] + (kernel[a] - 1) * dilation[a] + 1,
  });
  const [rows, cols] = [axis(0), axis(1)];
  return {
    jump: [rows.jump, cols.jump],
    offset: [rows.offset, cols.offset],
    size: [rows.size, cols.size],
  };
}

/** The smallest window that holds both; null, the whole map, if they do not move alike. */
export function unionWindow(a: Window | null, b: Window | null): Window | null {
  if (!a || !b || a.jump[0] !== b.jump[0] || a.jump[1] !== b.jump[1]) return null;
  const axis = (n: 0 | 1) => {
    const offset = Math.min(a.offset[n], b.offset[n]);
    return { offset, size: Math.max(a.offset[n] + a.size[n], b.offset[n] + b.size[n]) - offset };
  };
  const [rows, cols] = [axis(0), axis(1)];
  return { jump: a.jump, offset: [rows.offset, cols.offset], size: [rows.size, cols.size] };
}

/** True if the window has as many places as a whole map of this shape, or more. */
export function covers(window: Window, shape: readonly number[]): boolean {
  return window.size[0] * window.size[1] >= (shape[1] as number) * (shape[2] as number);
}
