/**
 * How each operation runs and how a signal goes back through it: one class per kind of node, as the
 * rules of zfwidgets/deconv. What an operation must remember of a photo for the way back (switches,
 * masks) is its `record`; it can be carried to another worker.
 */
import { Convolution } from "./convolution";
import { type AffineNode, type GraphNode, type LrnNode, type PlainNode, volume } from "./graph";
import { type Operation, Plain, type Shape } from "./operation";
import { Average, MaxPool } from "./pooling";
import { copied, count, floorOf, type Machine, type Method, type Signal, settled } from "./signal";
import { type Window, wholeBox, windowBack } from "./windows";

/** The photo: whoever records puts it there. */
class Input extends Plain {
  run(): void {}
}

/** Another shape over the same numbers: rows of numbers are kept as [H, W, C]. */
class Flatten extends Plain {
  constructor(
    machine: Machine,
    shape: Shape,
    private readonly input: Shape,
  ) {
    super(machine, shape);
  }

  run(): void {}

  override window(window: Window): Window | null {
    return this.input[1] * this.input[2] === 1 ? window : null;
  }

  override back(signal: Signal): Signal[] {
    return [{ ...signal, box: wholeBox(this.input), channels: this.input[0] }];
  }
}

/** Convolutions and fully connected layers; `floor` is 0 where a rectifier follows in place. */
class Filter implements Operation {
  readonly record = null;
  readonly #convolution: Convolution;
  readonly #floor: number;

  constructor(convolution: Convolution, rectified: boolean) {
    this.#convolution = convolution;
    this.#floor = rectified ? 0 : Number.NEGATIVE_INFINITY;
  }

  run([input = 0]: readonly number[], output: number): void {
    this.#convolution.run(input, output, this.#floor);
  }

  window(window: Window): Window | null {
    return windowBack(window, this.#convolution.moving);
  }

  back(signal: Signal): Signal[] {
    return [this.#convolution.back(signal)];
  }
}

/** The signal is rectified, masked by the forward value, both, or neither. */
class Relu extends Plain {
  override readonly record: { at: number; bytes: number };

  constructor(
    machine: Machine,
    shape: Shape,
    private readonly inPlace: boolean,
  ) {
    super(machine, shape);
    const bytes = volume(shape);
    this.record = { at: machine.heap.take(bytes), bytes };
  }

  run([input = 0]: readonly number[], output: number): void {
    const { kernels } = this.machine;
    if (!this.inPlace) kernels.rectify(input, output, volume(this.shape), 0);
    kernels.positive(output, this.record.at, volume(this.shape));
  }

  override back(signal: Signal, { rule }: Method): Signal[] {
    if (rule === "linear") return [signal];
    if (rule === "deconvnet") return [{ ...signal, rectified: true }];
    const { box, channels } = signal;
    const floor = rule === "guided" ? 0 : floorOf(signal);
    for (let row = 0; row < box.rows; row++) {
      const first = ((box.top + row) * this.shape[2] + box.left) * channels;
      const at = signal.at + 4 * row * box.cols * channels;
      this.machine.kernels.gate(at, this.record.at + first, box.cols * channels, floor);
    }
    return [{ ...signal, rectified: false }];
  }
}

/** Contrast normalisation across channels; on the way back the signal passes (the paper is silent). */
class Lrn extends Plain {
  constructor(
    machine: Machine,
    private readonly node: LrnNode,
  ) {
    super(machine, node.shape);
  }

  run([input = 0]: readonly number[], output: number): void {
    const { size, alpha, beta, k } = this.node;
    const [channels] = this.shape;
    const total = volume(this.shape);
    const from = this.machine.heap.floats(input, total);
    const to = this.machine.heap.floats(output, total);
    for (let place = 0; place < total; place += channels) {
      for (let c = 0; c < channels; c++) {
        const first = Math.max(0, c - (size >> 1));
        const last = Math.min(channels, c - (size >> 1) + size);
        let sum = 0;
        for (let n = first; n < last; n++) sum += (from[place + n] as number) ** 2;
        to[place + c] = (from[place + c] as number) / (k + (alpha / size) * sum) ** beta;
      }
    }
  }
}

/** A scale and a shift per channel; the shift is dropped on the way back, like a bias. */
class Affine extends Plain {
  readonly #scale: number;
  readonly #shift: number;
  readonly #none: number;

  constructor(machine: Machine, node: AffineNode) {
    super(machine, node.shape);
    const { heap, weights } = machine;
    this.#scale = heap.keep(weights.floats(node.scale));
    this.#shift = heap.keep(weights.floats(node.shift));
    this.#none = heap.keep(new Float32Array(node.shape[0]));
  }

  run([input = 0]: readonly number[], output: number): void {
    const [channels, rows, cols] = this.shape;
    const { affine } = this.machine.kernels;
    affine(input, output, rows * cols, channels, this.#scale, this.#shift);
  }

  override back(given: Signal): Signal[] {
    const signal = settled(this.machine, given);
    const { at, box, channels } = signal;
    const { affine } = this.machine.kernels;
    affine(at, at, box.rows * box.cols, channels, this.#scale, this.#none);
    return [signal];
  }
}

/** A sum of branches: each receives the signal. */
class Add extends Plain {
  run(inputs: readonly number[], output: number): void {
    const { kernels } = this.machine;
    const total = volume(this.shape);
    kernels.copy(inputs[0] as number, 0, output, 0, 1, total);
    for (const input of inputs.slice(1)) kernels.add(input, output, total);
  }

  override back(signal: Signal): Signal[] {
    return [signal, copied(this.machine, signal)];
  }
}

/** Maps one after the other: each receives its channels of the signal. */
class Concat extends Plain {
  constructor(
    machine: Machine,
    shape: Shape,
    private readonly widths: number[],
  ) {
    super(machine, shape);
  }

  run(inputs: readonly number[], output: number): void {
    const [channels, rows, cols] = this.shape;
    let to = output;
    inputs.forEach((input, n) => {
      const width = this.widths[n] as number;
      this.machine.kernels.copy(input, width, to, channels, rows * cols, width);
      to += 4 * width;
    });
  }

  override back(signal: Signal): Signal[] {
    const { heap, kernels } = this.machine;
    const places = count(signal) / signal.channels;
    let from = signal.at;
    const parts = this.widths.map((width) => {
      const at = heap.take(4 * places * width);
      kernels.copy(from, signal.channels, at, width, places, width);
      from += 4 * width;
      return { ...signal, at, channels: width };
    });
    heap.give(signal.at);
    return parts;
  }
}

/** The operation of a node. fused: its output and its rectifier's are the same memory. */
export function operation(
  machine: Machine,
  node: GraphNode,
  inputs: readonly Shape[],
  fused: boolean,
): Operation {
  const first = inputs[0] ?? node.shape;
  switch (node.op) {
    case "conv":
    case "linear":
      return new Filter(new Convolution(machine, node, first), fused);
    case "maxpool":
      return new MaxPool(machine, node, first);
    case "average":
      return new Average(machine, node, first);
    case "lrn":
      return new Lrn(machine, node);
    case "affine":
      return new Affine(machine, node);
    default:
      return plain(machine, node, inputs, fused);
  }
}

function plain(
  machine: Machine,
  node: PlainNode,
  inputs: readonly Shape[],
  fused: boolean,
): Operation {
  switch (node.op) {
    case "input":
      return new Input(machine, node.shape);
    case "relu":
      return new Relu(machine, node.shape, fused);
    case "add":
      return new Add(machine, node.shape);
    case "concat":
      return new Concat(
        machine,
        node.shape,
        inputs.map((shape) => shape[0]),
      );
    case "flatten":
      return new Flatten(machine, node.shape, inputs[0] ?? node.shape);
  }
}
