/** Convolution and fully connected layers, forwards and back, with the weights packed for each way. */
import { type ConvNode, type LinearNode, type Pair, volume } from "./graph";
import { cropped, floorOf, type Machine, type Signal } from "./signal";
import { inputsOf, type Moving } from "./windows";

type Shape = readonly [channels: number, rows: number, cols: number];

/** Runs of a kernel that lie in one piece: a row of it, or a place of it if dilated or grouped. */
interface Runs {
  /** Numbers in a run. */
  length: number;
  /** Row and column of the kernel at which each begins. */
  starts: Pair[];
}

/** Weights for the way forward: panels and biases by group; where outputs and runs begin. */
interface Forward {
  panels: number[];
  biases: number[];
  places: number;
  runs: number;
}

/** A panel of filters for the way back: vectors of four pixels, from `first` of run `run` on. */
interface Panel {
  at: number;
  run: number;
  first: number;
  vectors: number;
}

/** Who is connected to whom: of a fully connected layer, as a convolution. */
export function connections(
  node: ConvNode | LinearNode,
  input: Shape,
): { input: Shape; groups: number; moving: Moving } {
  if (node.op === "linear") {
    // A row of numbers is a map of one place.
    const moving: Moving = { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
    return { input: [volume(input), 1, 1], groups: 1, moving };
  }
  const { groups, stride, padding, dilation } = node;
  const [, , rows = 1, cols = 1] = node.weight.shape;
  return { input, groups, moving: { kernel: [rows, cols], stride, padding, dilation } };
}

export class Convolution {
  readonly moving: Moving;
  readonly #machine: Machine;
  readonly #weight: ConvNode["weight"];
  readonly #bias: ConvNode["bias"];
  readonly #groups: number;
  readonly #input: Shape;
  readonly #output: Shape;
  readonly #runs: Runs;
  #forward: Forward | null = null;
  /** Back: panels by group. */
  #back: Panel[][] | null = null;

  constructor(machine: Machine, node: ConvNode | LinearNode, input: Shape) {
    this.#machine = machine;
    this.#weight = node.weight;
    this.#bias = node.bias;
    this.#output = node.shape;
    const { input: taken, groups, moving } = connections(node, input);
    [this.#input, this.#groups, this.moving] = [taken, groups, moving];
    this.#runs = this.#cut();
  }

  #cut(): Runs {
    const { kernel, dilation } = this.moving;
    const starts: Pair[] = [];
    const inOne = this.#groups === 1 && (dilation[1] === 1 || kernel[1] === 1);
    for (let row = 0; row < kernel[0]; row++) {
      for (let col = 0; col < (inOne ? 1 : kernel[1]); col++) starts.push([row, col]);
    }
    const channels = this.#input[0] / this.#groups;
    return { length: channels * (inOne ? kernel[1] : 1), starts };
  }

  /** Byte offset of each run from where a window begins, on a map `cols` wide. */
  #offsets(cols: number): number[] {
    const { dilation } = this.moving;
    return this.#runs.starts.map(
      ([row, col]) => 4 * this.#input[0] * (row * dilation[0] * cols + col * dilation[1]),
    );
  }

  /** output [rows, cols, K] = weights * input [h, w, C] + bias, not below `floor`. */
  run(input: number, output: number, floor: number): void {
    const { heap, kernels } = this.#machine;
    const padded = this.#padded(input);
    this.#forward ??= this.#pack();
    const { panels, biases, places, runs } = this.#forward;
    const [outputs, rows, cols] = this.#output;
    const each = outputs / this.#groups;
    for (let group = 0; group < this.#groups; group++) {
      kernels.convolve(
        padded + (4 * group * this.#input[0]) / this.#groups,
        places,
        rows * cols,
        runs,
        this.#runs.starts.length,
        this.#runs.length,
        panels[group] as number,
        biases[group] as number,
        output + 4 * group * each,
        each,
        outputs,
        floor,
      );
    }
    if (padded !== input) heap.give(padded);
  }

  /** Rows and columns of the map with its padding, as far as it is looked at. */
  #paddedSize(): Pair {
    const [, rows, cols] = this.#output;
    const seen = inputsOf({ top: 0, left: 0, rows, cols }, this.moving);
    return this.#padless ? [this.#input[1], this.#input[2]] : [seen.rows, seen.cols];
  }

  get #padless(): boolean {
    const [, rows, cols] = this.#output;
    const seen = inputsOf({ top: 0, left: 0, rows, cols }, this.moving);
    const inside = seen.rows <= this.#input[1] && seen.cols <= this.#input[2];
    return inside && seen.top === 0 && seen.left === 0;
  }

  #padded(input: number): number {
    if (this.#padless) return input;
    const { heap, kernels } = this.#machine;
    const [channels, height, width] = this.#input;
    const [rows, cols] = this.#paddedSize();
    const [top, left] = this.moving.padding;
    const at = heap.zeros(4 * rows * cols * channels);
    const run = Math.min(width, cols - left) * channels;
    const to = at + 4 * (top * cols + left) * channels;
    kernels.copy(input, width * channels, to, cols * channels, Math.min(height, rows - top), run);
    return at;
  }

  /** Weights as `convolve` reads them: eight outputs side by side. */
  #pack(): Forward {
    const { heap, weights } = this.#machine;
    const [outputs, rows, cols] = this.#output;
    const { stride, kernel } = this.moving;
    const each = outputs / this.#groups;
    const channels = this.#input[0] / this.#groups;
    const kernelSize = kernel[0] * kernel[1];
    const filter = weights.floats(this.#weight);
    const bias = this.#bias ? weights.floats(this.#bias) : new Float32Array(outputs);
    const eights = Math.ceil(each / 8);
    const panels: number[] = [];
    const biases: number[] = [];
    for (let group = 0; group < this.#groups; group++) {
      const packed = new Float32Array(eights * 8 * channels * kernelSize);
      const shifts = new Float32Array(eights * 8);
      shifts.set(bias.subarray(group * each, (group + 1) * each));
      let from = group * each * channels * kernelSize;
      for (let o = 0; o < each; o++) {
        const to = (o >> 3) * channels * kernelSize * 8 + (o & 7);
        for (let c = 0; c < channels; c++) {
          for (let k = 0; k < kernelSize; k++) {
            packed[to + (k * channels + c) * 8] = filter[from++] as number;
          }
        }
      }
      panels.push(heap.keep(packed));
      biases.push(heap.keep(shifts));
    }
    const [, padded] = this.#paddedSize();
    const places = new Int32Array(rows * cols);
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < cols; x++) {
        places[y * cols + x] = 4 * this.#input[0] * (y * stride[0] * padded + x * stride[1]);
      }
    }
    const runs = Int32Array.from(this.#offsets(padded));
    return { panels, biases, places: heap.keep(places), runs: heap.keep(runs) };
  }

  /** Each value spread out through its filter, without bias (Zeiler & Fergus 2013, section 2.1). */
  back(signal: Signal): Signal {
    const { heap, kernels } = this.#machine;
    this.#back ??= this.#packBack();
    const [outputs] = this.#output;
    const [channels] = this.#input;
    const each = outputs / this.#groups;
    const box = inputsOf(signal.box, this.moving);
    // The last panels of the last run reach beyond the map by less than a vector's zeros.
    const at = heap.zeros(4 * box.rows * box.cols * channels + 128);
    const places = signal.box.rows * signal.box.cols;
    const values = heap.take(8 * places * (each + 4));
    const triples = heap.take(12 * places);
    const { stride } = this.moving;
    const offsets = this.#offsets(box.cols);
    this.#back.forEach((panels, group) => {
      const there = kernels.list(
        signal.at + 4 * group * each,
        signal.box.rows,
        signal.box.cols,
        each,
        outputs,
        floorOf(signal),
        4 * stride[0] * box.cols * channels,
        4 * stride[1] * channels,
        values,
        triples,
      );
      const begin = at + (4 * group * channels) / this.#groups;
      for (const panel of panels) {
        const target = begin + (offsets[panel.run] as number) + 4 * panel.first;
        kernels.spread(values, triples, there, panel.at, target, panel.vectors);
      }
    });
    for (const piece of [values, triples, signal.at]) heap.give(piece);
    return cropped(this.#machine, { at, box, channels, rectified: false }, this.#input);
  }

  /** Weights as `spread` reads them: panels of a few pixels, one filter after the other. */
  #packBack(): Panel[][] {
    const { heap, weights } = this.#machine;
    const [outputs] = this.#output;
    const { kernel } = this.moving;
    const each = outputs / this.#groups;
    const channels = this.#input[0] / this.#groups;
    const kernelSize = kernel[0] * kernel[1];
    const filter = weights.floats(this.#weight);
    const groups: Panel[][] = [];
    for (let group = 0; group < this.#groups; group++) {
      const panels: Panel[] = [];
      this.#runs.starts.forEach(([row, col], run) => {
        for (let first = 0; first < this.#runs.length; ) {
          const vectors = vectorsFor(this.#runs.length - first);
          const there = Math.min(4 * vectors, this.#runs.length - first);
          const packed = new Float32Array(each * vectors * 4);
          for (let n = 0; n < there; n++) {
            const place = Math.floor((first + n) / channels);
            const k = row * kernel[1] + col + place;
            let from = (group * each * channels + ((first + n) % channels)) * kernelSize + k;
            for (let o = 0, to = n; o < each; o++, to += 4 * vectors) {
              packed[to] = filter[from] as number;
              from += channels * kernelSize;
            }
          }
          panels.push({ at: heap.keep(packed), run, first, vectors });
          first += there;
        }
      });
      groups.push(panels);
    }
    return groups;
  }
}

/** How many vectors a panel takes of a run with so many numbers left. */
function vectorsFor(left: number): number {
  if (left > 24) return 8;
  if (left > 16) return 6;
  if (left > 8) return 4;
  return left > 4 ? 2 : 1;
}
