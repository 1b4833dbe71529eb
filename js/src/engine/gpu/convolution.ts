/** Convolution and fully connected layers on a graphics processor, forwards and back. */
import { connections } from "../convolution";
import type { ConvNode, LinearNode, Pair } from "../graph";
import { inputsOf, type Moving, onMap, type Window, wholeBox, windowBack } from "../windows";
import { type GpuMachine, type GpuOperation, type GpuSignal, volumeOf } from "./signal";

type Shape = readonly [channels: number, rows: number, cols: number];

/** Places of the target that are `step` apart, from (row, col) on, and the taps that reach them. */
interface Phase {
  row: number;
  col: number;
  firstTap: number;
  tapCount: number;
}

/** Weights [group, tap, inputs, outputs] and what they are summed over. */
interface Packed {
  weights: GPUBuffer;
  taps: GPUBuffer;
  phases: Phase[];
}

export class GpuConvolution implements GpuOperation {
  readonly record = null;
  readonly #machine: GpuMachine;
  readonly #node: ConvNode | LinearNode;
  readonly #moving: Moving;
  readonly #groups: number;
  readonly #input: Shape;
  readonly #output: Shape;
  readonly #floor: number;
  readonly #bias: GPUBuffer;
  #forward: Packed | null = null;
  #back: Packed | null = null;

  constructor(machine: GpuMachine, node: ConvNode | LinearNode, input: Shape, rectified: boolean) {
    this.#machine = machine;
    this.#node = node;
    this.#output = node.shape;
    this.#floor = Number(rectified);
    const { input: taken, groups, moving } = connections(node, input);
    [this.#input, this.#groups, this.#moving] = [taken, groups, moving];
    const { gpu, weights } = machine;
    this.#bias = gpu.keep(node.bias ? weights.floats(node.bias) : new Float32Array(1));
  }

  run([input]: readonly GPUBuffer[], output: GPUBuffer): void {
    const { stride, padding, kernel, dilation } = this.#moving;
    this.#forward ??= {
      weights: this.#packed(false),
      taps: this.#tapsOf((row, col) => [
        row * dilation[0] - padding[0],
        col * dilation[1] - padding[1],
      ]),
      phases: [{ row: 0, col: 0, firstTap: 0, tapCount: kernel[0] * kernel[1] }],
    };
    const [outputs, rows, cols] = this.#output;
    const source = {
      buffer: input as GPUBuffer,
      box: wholeBox(this.#input),
      channels: this.#input[0],
      rectified: false,
    };
    const target = {
      buffer: output,
      box: { top: 0, left: 0, rows, cols },
      channels: outputs,
      rectified: false,
    };
    this.#product(this.#forward, source, target, {
      source: stride,
      target: [1, 1],
      forward: true,
    });
  }

  window(window: Window): Window | null {
    return windowBack(window, this.#moving);
  }

  /** Each input gathers what its outputs send, without bias (Zeiler & Fergus 2013, section 2.1). */
  back(signal: GpuSignal): GpuSignal[] {
    this.#back ??= this.#packBack();
    const box = onMap(inputsOf(signal.box, this.#moving), this.#input);
    const [channels] = this.#input;
    const buffer = this.#machine.gpu.take(volumeOf(box, channels));
    const arrived = { buffer, box, channels, rectified: false };
    this.#product(this.#back, signal, arrived, {
      source: [1, 1],
      target: this.#moving.stride,
      forward: false,
    });
    this.#machine.gpu.give(signal.buffer);
    return [arrived];
  }

  #product(
    { weights, taps, phases }: Packed,
    source: GpuSignal,
    target: GpuSignal,
    step: { source: Pair; target: Pair; forward: boolean },
  ): void {
    const [inputs, outputs] = [source.channels / this.#groups, target.channels / this.#groups];
    const wide = outputs > 8;
    const { top, left, rows, cols } = target.box;
    for (const { row, col, firstTap, tapCount } of phases) {
      const [i0, gridRows] = along(top, rows, row, step.target[0]);
      const [j0, gridCols] = along(left, cols, col, step.target[1]);
      if (gridRows < 1 || gridCols < 1) continue;
      this.#machine.gpu.run(
        wide ? "product" : "narrow",
        [source.buffer, weights, this.#bias, taps, target.buffer],
        {
          ...{ ...source.box, pitch: source.channels, rectify: Number(source.rectified) },
          ...{ toTop: top, toLeft: left, toCols: cols, toPitch: target.channels },
          ...{ i0, j0, gridRows, gridCols },
          ...{ stepY: step.source[0], stepX: step.source[1] },
          ...{ toStepY: step.target[0], toStepX: step.target[1], toY: row, toX: col },
          ...{ firstTap, tapCount, inputs, outputs },
          kernelSize: this.#moving.kernel[0] * this.#moving.kernel[1],
          floor: step.forward ? this.#floor : 0,
          biased: Number(step.forward && this.#node.bias !== null),
        },
        [Math.ceil((gridRows * gridCols) / 32), Math.ceil(outputs / (wide ? 32 : 8)), this.#groups],
      );
    }
  }

  /** Inputs that are `stride` apart are reached by the same places of the kernel. */
  #packBack(): Packed {
    const { stride, padding, kernel, dilation } = this.#moving;
    const taps: number[] = [];
    const phases: Phase[] = [];
    for (let y = 0; y < stride[0]; y++) {
      for (let x = 0; x < stride[1]; x++) {
        const firstTap = taps.length / 4;
        for (let n = 0; n < kernel[0] * kernel[1]; n++) {
          const down = y - Math.floor(n / kernel[1]) * dilation[0];
          const right = x - (n % kernel[1]) * dilation[1];
          if (down % stride[0] || right % stride[1]) continue;
          taps.push(down / stride[0], right / stride[1], n, 0);
        }
        const tapCount = taps.length / 4 - firstTap;
        phases.push({ row: y - padding[0], col: x - padding[1], firstTap, tapCount });
      }
    }
    const { gpu } = this.#machine;
    return { weights: this.#packed(true), taps: gpu.keep(Int32Array.from(taps)), phases };
  }

  #tapsOf(place: (row: number, col: number) => readonly [number, number]): GPUBuffer {
    const [rows, cols] = this.#moving.kernel;
    const taps = new Int32Array(4 * rows * cols);
    for (let n = 0; n < rows * cols; n++) {
      taps.set([...place(Math.floor(n / cols), n % cols), n], 4 * n);
    }
    return this.#machine.gpu.keep(taps);
  }

  /** [O, C, k] as [group, k, C, O]; backwards as [group, k, O, C]. */
  #packed(backwards: boolean): GPUBuffer {
    const { gpu, weights } = this.#machine;
    const filter = weights.floats(this.#node.weight);
    const size = this.#moving.kernel[0] * this.#moving.kernel[1];
    const inputs = this.#input[0] / this.#groups;
    const outputs = this.#output[0] / this.#groups;
    const packed = new Float32Array(filter.length);
    let from = 0;
    for (let group = 0; group < this.#groups; group++) {
      const begin = group * size * inputs * outputs;
      for (let o = 0; o < outputs; o++) {
        for (let c = 0; c < inputs; c++) {
          const place = backwards ? o * inputs + c : c * outputs + o;
          for (let k = 0; k < size; k++) {
            packed[begin + k * inputs * outputs + place] = filter[from++] as number;
          }
        }
      }
    }
    return gpu.keep(packed);
  }
}

/** Places first + step * i inside [begin, begin + size): the first i, and how many. */
function along(begin: number, size: number, first: number, step: number): [number, number] {
  const i = Math.ceil((begin - first) / step);
  return [i, Math.floor((begin + size - 1 - first) / step) - i + 1];
}
