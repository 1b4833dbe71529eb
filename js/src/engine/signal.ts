/** The signal of one neuron on its way back, and the machine that it lives in. */
import type { Heap } from "./heap";
import type { Kernels } from "./kernels";
import type { Weights } from "./weights";
import { type Box, onMap, sameBox, unionBox } from "./windows";

export type RuleName = "deconvnet" | "guided" | "gradient" | "linear";
export type SeedName = "activation" | "one";
export type UnpoolName = "sum" | "overwrite";

/** How signals are sent back; as zfwidgets.deconv.Method, contrast normalisation passes them on. */
export interface Method {
  rule: RuleName;
  seed: SeedName;
  unpool: UnpoolName;
}

export const PAPER: Method = { rule: "deconvnet", seed: "activation", unpool: "sum" };

export interface Machine {
  heap: Heap;
  kernels: Kernels;
  weights: Weights;
}

/**
 * A signal on its way, wherever its numbers lie. box: where it stands on its map, never outside;
 * rectified: negative values count as zero. Whoever spreads the signal skips them on the way, which is
 * cheaper than a pass of its own.
 */
export interface Travelling {
  box: Box;
  channels: number;
  rectified: boolean;
}

/** What can be done with signals, whoever computes. Those that are given are used up. */
export interface Carrier<S extends Travelling> {
  sum(one: S, other: S): S;
  /** The signal with its negative values put to zero, if they only counted so. */
  settled(signal: S): S;
  give(signal: S): void;
  nowhere(channels: number): S;
}

/** at: [rows, cols, channels] in memory, owned by whoever holds the signal. */
export interface Signal extends Travelling {
  at: number;
}

export const NOWHERE: Box = { top: 0, left: 0, rows: 0, cols: 0 };

/** Signals in the machine's memory. */
export function carrier(machine: Machine): Carrier<Signal> {
  const { heap, kernels } = machine;
  return {
    sum(one, other) {
      let [a, b] = [settled(machine, one), settled(machine, other)];
      if (!sameBox(a.box, b.box)) {
        const box = unionBox(a.box, b.box);
        [a, b] = [grown(machine, a, box), grown(machine, b, box)];
      }
      kernels.add(b.at, a.at, count(a));
      heap.give(b.at);
      return a;
    },
    settled: (signal) => settled(machine, signal),
    give: (signal) => heap.give(signal.at),
    nowhere: (channels) => ({ at: heap.take(0), box: NOWHERE, channels, rectified: false }),
  };
}

/** What is not above this counts as zero. */
export function floorOf(signal: Signal): number {
  return signal.rectified ? 0 : Number.NEGATIVE_INFINITY;
}

export function count(signal: Signal): number {
  return signal.box.rows * signal.box.cols * signal.channels;
}

/** The signal with its negative values put to zero, if they only counted so. */
export function settled({ kernels }: Machine, signal: Signal): Signal {
  if (signal.rectified) kernels.rectify(signal.at, signal.at, count(signal), 0);
  return { ...signal, rectified: false };
}

/** A second signal like this one. */
export function copied({ heap, kernels }: Machine, signal: Signal): Signal {
  const at = heap.take(4 * count(signal));
  kernels.copy(signal.at, 0, at, 0, 1, count(signal));
  return { ...signal, at };
}

/** The signal in a box that holds its own, zero around it. */
export function grown(machine: Machine, signal: Signal, box: Box): Signal {
  if (sameBox(signal.box, box)) return signal;
  const { heap, kernels } = machine;
  const { channels } = signal;
  const at = heap.zeros(4 * box.rows * box.cols * channels);
  const first = (signal.box.top - box.top) * box.cols + signal.box.left - box.left;
  const run = signal.box.cols * channels;
  const to = at + 4 * first * channels;
  kernels.copy(signal.at, run, to, box.cols * channels, signal.box.rows, run);
  heap.give(signal.at);
  return { ...signal, at, box };
}

/** The signal without what lies outside a map of this shape: that is padding. */
export function cropped(machine: Machine, signal: Signal, shape: readonly number[]): Signal {
  const box = onMap(signal.box, shape);
  if (sameBox(signal.box, box)) return signal;
  const { heap, kernels } = machine;
  const { channels } = signal;
  const at = heap.take(4 * box.rows * box.cols * channels);
  const first = (box.top - signal.box.top) * signal.box.cols + box.left - signal.box.left;
  const from = signal.at + 4 * first * channels;
  const run = box.cols * channels;
  kernels.copy(from, signal.box.cols * channels, at, run, box.rows, run);
  heap.give(signal.at);
  return { ...signal, at, box };
}
