/** Signals on a graphics processor, what they live in, and what an operation does with them. */
import type { Reversible } from "../operation";
import { type Carrier, NOWHERE, type Travelling } from "../signal";
import type { Weights } from "../weights";
import { type Box, unionBox } from "../windows";
import type { Gpu } from "./gpu";

export interface GpuMachine {
  gpu: Gpu;
  weights: Weights;
}

/** buffer: [rows, cols, channels], owned by whoever holds the signal. */
export interface GpuSignal extends Travelling {
  buffer: GPUBuffer;
}

export interface GpuOperation extends Reversible<GpuSignal> {
  run(inputs: readonly GPUBuffer[], output: GPUBuffer): void;
  /** What other workers must know of a photo, as bytes made by a kernel from a buffer. */
  readonly record: { kernel: "bytesOfCodes" | "bytesOfSigns"; buffer: GPUBuffer } | null;
}

/** How many numbers a box of so many channels holds. */
export function volumeOf({ rows, cols }: Box, channels: number): number {
  return rows * cols * channels;
}

/** The box of a signal as kernels are told it. */
export function fromOf({ box, rectified }: Travelling): Record<string, number> {
  return {
    fromTop: box.top,
    fromLeft: box.left,
    fromRows: box.rows,
    fromCols: box.cols,
    rectify: Number(rectified),
  };
}

const NO_OTHER = { otherTop: 0, otherLeft: 0, otherRows: 0, otherCols: 0, otherRectify: 0 };

/** Channels of a signal, in another box; from those that begin at `from` to those at `first` of a target. */
export function copy(
  { gpu }: GpuMachine,
  signal: GpuSignal,
  box: Box,
  target: { buffer: GPUBuffer; pitch: number; first: number },
  channels = signal.channels,
  from = 0,
): void {
  const { pitch, first } = target;
  gpu.each(
    "combine",
    [signal.buffer, signal.buffer, target.buffer],
    {
      ...{ ...box, channels, pitch, first },
      ...fromOf(signal),
      ...{ fromPitch: signal.channels, fromFirst: from },
      ...NO_OTHER,
    },
    volumeOf(box, channels),
  );
}

/** The signal in another box, settled, zero where it was not. It is used up. */
export function inBox(machine: GpuMachine, signal: GpuSignal, box: Box): GpuSignal {
  const { channels } = signal;
  const buffer = machine.gpu.take(volumeOf(box, channels));
  copy(machine, signal, box, { buffer, pitch: channels, first: 0 });
  machine.gpu.give(signal.buffer);
  return { buffer, box, channels, rectified: false };
}

export function gpuCarrier(machine: GpuMachine): Carrier<GpuSignal> {
  const { gpu } = machine;
  return {
    sum(one, other) {
      const { channels } = one;
      const box = unionBox(one.box, other.box);
      const buffer = gpu.take(volumeOf(box, channels));
      gpu.each(
        "combine",
        [one.buffer, other.buffer, buffer],
        {
          ...{ ...box, channels, pitch: channels, first: 0 },
          ...fromOf(one),
          ...{ fromPitch: channels, fromFirst: 0 },
          otherTop: other.box.top,
          otherLeft: other.box.left,
          otherRows: other.box.rows,
          otherCols: other.box.cols,
          otherRectify: Number(other.rectified),
        },
        volumeOf(box, channels),
      );
      gpu.give(one.buffer);
      gpu.give(other.buffer);
      return { buffer, box, channels, rectified: false };
    },
    settled: (signal) => (signal.rectified ? inBox(machine, signal, signal.box) : signal),
    give: (signal) => gpu.give(signal.buffer),
    nowhere: (channels) => ({ buffer: gpu.take(1), box: NOWHERE, channels, rectified: false }),
  };
}
