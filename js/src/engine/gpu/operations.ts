/** How each operation runs on a graphics processor; what it computes is said in ../operations.ts. */
import { type AverageNode, type GraphNode, type LrnNode, type MaxPoolNode, volume } from "../graph";
import type { Shape } from "../operation";
import type { Method } from "../signal";
import { inputsOf, onMap, type Window, wholeBox, windowBack } from "../windows";
import { GpuConvolution } from "./convolution";
import {
  copy,
  fromOf,
  type GpuMachine,
  type GpuOperation,
  type GpuSignal,
  volumeOf,
} from "./signal";

/** Operations that look at one place only. */
class Plain implements GpuOperation {
  readonly record: GpuOperation["record"] = null;

  constructor(
    protected readonly machine: GpuMachine,
    protected readonly shape: Shape,
  ) {}

  run(_inputs: readonly GPUBuffer[], _output: GPUBuffer): void {}

  window(window: Window, _method: Method): Window | null {
    return window;
  }

  back(signal: GpuSignal, _method: Method): GpuSignal[] {
    return [signal];
  }

  /** A whole map of these channels. */
  protected whole(buffer: GPUBuffer, channels = this.shape[0]): GpuSignal {
    return { buffer, box: wholeBox(this.shape), channels, rectified: false };
  }
}

class Flatten extends Plain {
  constructor(
    machine: GpuMachine,
    shape: Shape,
    private readonly input: Shape,
  ) {
    super(machine, shape);
  }

  override window(window: Window): Window | null {
    return this.input[1] * this.input[2] === 1 ? window : null;
  }

  override back(signal: GpuSignal): GpuSignal[] {
    return [{ ...signal, box: wholeBox(this.input), channels: this.input[0] }];
  }
}

class Relu extends Plain {
  override readonly record: GpuOperation["record"];

  constructor(
    machine: GpuMachine,
    shape: Shape,
    private readonly inPlace: boolean,
    private readonly value: GPUBuffer,
  ) {
    super(machine, shape);
    this.record = { kernel: "bytesOfSigns", buffer: value };
  }

  override run([input]: readonly GPUBuffer[], output: GPUBuffer): void {
    if (this.inPlace) return; // whoever gave the input has rectified it
    const signal = { ...this.whole(input as GPUBuffer), rectified: true };
    copy(this.machine, signal, signal.box, { buffer: output, pitch: this.shape[0], first: 0 });
  }

  override back(signal: GpuSignal, { rule }: Method): GpuSignal[] {
    if (rule === "linear") return [signal];
    if (rule === "deconvnet") return [{ ...signal, rectified: true }];
    const { gpu } = this.machine;
    const { box, channels } = signal;
    const buffer = gpu.take(volumeOf(box, channels));
    const rectify = Number(rule === "guided" || signal.rectified);
    const told = { ...box, channels, mapCols: this.shape[2], rectify };
    gpu.each("gate", [signal.buffer, this.value, buffer], told, volumeOf(box, channels));
    gpu.give(signal.buffer);
    return [{ ...signal, buffer, rectified: false }];
  }
}

class MaxPool extends Plain {
  override readonly record: { kernel: "bytesOfCodes"; buffer: GPUBuffer };

  constructor(
    machine: GpuMachine,
    private readonly node: MaxPoolNode,
    private readonly input: Shape,
  ) {
    super(machine, node.shape);
    this.record = { kernel: "bytesOfCodes", buffer: machine.gpu.take(volume(node.shape)) };
  }

  get #told(): Record<string, number> {
    const { kernel, stride, padding, dilation } = this.node;
    return {
      ...{ kernelY: kernel[0], kernelX: kernel[1], strideY: stride[0], strideX: stride[1] },
      ...{ padY: padding[0], padX: padding[1], dilationY: dilation[0], dilationX: dilation[1] },
    };
  }

  override run([input]: readonly GPUBuffer[], output: GPUBuffer): void {
    const [channels, height, width] = [this.shape[0], this.input[1], this.input[2]];
    const told = { ...wholeBox(this.shape), channels, height, width, ...this.#told };
    const buffers = [input as GPUBuffer, output, this.record.buffer];
    this.machine.gpu.each("maxPool", buffers, told, volume(this.shape));
  }

  override window(window: Window, { unpool }: Method): Window | null {
    return unpool === "sum" ? windowBack(window, this.node) : null;
  }

  override back(signal: GpuSignal, { unpool }: Method): GpuSignal[] {
    const { gpu } = this.machine;
    const box = onMap(inputsOf(signal.box, this.node), this.input);
    const { channels } = signal;
    const buffer = gpu.take(volumeOf(box, channels));
    const [, pooledRows, pooledCols] = this.shape;
    gpu.each(
      "unpool",
      [signal.buffer, this.record.buffer, buffer],
      {
        ...{ ...box, channels, ...fromOf(signal), pooledRows, pooledCols, ...this.#told },
        overwrite: Number(unpool === "overwrite"),
      },
      volumeOf(box, channels),
    );
    gpu.give(signal.buffer);
    return [{ buffer, box, channels, rectified: false }];
  }
}

class Average extends Plain {
  readonly #spans: GPUBuffer;

  constructor(
    machine: GpuMachine,
    private readonly node: AverageNode,
    private readonly input: Shape,
  ) {
    super(machine, node.shape);
    this.#spans = machine.gpu.keep(Int32Array.from([...node.rows, ...node.cols].flat()));
  }

  override run([input]: readonly GPUBuffer[], output: GPUBuffer): void {
    const told = { ...wholeBox(this.shape), channels: this.shape[0], width: this.input[2] };
    const buffers = [input as GPUBuffer, this.#spans, output];
    this.machine.gpu.each("average", buffers, told, volume(this.shape));
  }

  override window(window: Window): Window | null {
    const { moving } = this.node;
    return moving && windowBack(window, { ...moving, dilation: [1, 1] });
  }

  override back(signal: GpuSignal): GpuSignal[] {
    const { gpu } = this.machine;
    const { channels, box: given } = signal;
    const rows = this.node.rows.slice(given.top, given.top + given.rows);
    const cols = this.node.cols.slice(given.left, given.left + given.cols);
    const top = Math.min(...rows.map((span) => span[0]));
    const left = Math.min(...cols.map((span) => span[0]));
    const box = {
      top,
      left,
      rows: Math.max(...rows.map((span) => span[1])) - top,
      cols: Math.max(...cols.map((span) => span[1])) - left,
    };
    const buffer = gpu.take(volumeOf(box, channels));
    const told = { ...box, channels, ...fromOf(signal), windowRows: this.shape[1] };
    gpu.each("share", [signal.buffer, this.#spans, buffer], told, volumeOf(box, channels));
    gpu.give(signal.buffer);
    return [{ buffer, box, channels, rectified: false }];
  }
}

class Lrn extends Plain {
  constructor(
    machine: GpuMachine,
    private readonly node: LrnNode,
  ) {
    super(machine, node.shape);
  }

  override run([input]: readonly GPUBuffer[], output: GPUBuffer): void {
    const { size, alpha, beta, k } = this.node;
    const bits = new Int32Array(Float32Array.of(alpha, beta, k).buffer);
    const [a = 0, b = 0, c = 0] = bits;
    const told = { channels: this.shape[0], size, alpha: a, beta: b, k: c };
    const count = volume(this.shape);
    this.machine.gpu.each("lrn", [input as GPUBuffer, output], { ...told, count }, count);
  }
}

class Affine extends Plain {
  readonly #scale: GPUBuffer;
  readonly #shift: GPUBuffer;

  constructor(machine: GpuMachine, node: GraphNode & { op: "affine" }) {
    super(machine, node.shape);
    const { gpu, weights } = machine;
    this.#scale = gpu.keep(weights.floats(node.scale));
    this.#shift = gpu.keep(weights.floats(node.shift));
  }

  override run([input]: readonly GPUBuffer[], output: GPUBuffer): void {
    this.#affine(this.whole(input as GPUBuffer), output, 1);
  }

  override back(signal: GpuSignal): GpuSignal[] {
    const buffer = this.machine.gpu.take(volumeOf(signal.box, signal.channels));
    this.#affine(signal, buffer, 0);
    this.machine.gpu.give(signal.buffer);
    return [{ ...signal, buffer, rectified: false }];
  }

  #affine({ buffer, box, channels, rectified }: GpuSignal, output: GPUBuffer, shifted: number) {
    const count = volumeOf(box, channels);
    const told = { count, channels, shifted, rectify: Number(rectified) };
    this.machine.gpu.each("affine", [buffer, this.#scale, this.#shift, output], told, count);
  }
}

class Add extends Plain {
  override run(inputs: readonly GPUBuffer[], output: GPUBuffer): void {
    const { gpu } = this.machine;
    const channels = this.shape[0];
    const box = wholeBox(this.shape);
    const [one, other] = inputs as [GPUBuffer, GPUBuffer];
    gpu.each(
      "combine",
      [one, other, output],
      {
        ...{ ...box, channels, pitch: channels, first: 0, ...fromOf(this.whole(one)) },
        ...{ fromPitch: channels, fromFirst: 0, otherTop: 0, otherLeft: 0, otherRectify: 0 },
        ...{ otherRows: box.rows, otherCols: box.cols },
      },
      volume(this.shape),
    );
  }

  override back(signal: GpuSignal): GpuSignal[] {
    const { gpu } = this.machine;
    const { box, channels } = signal;
    const buffer = gpu.take(volumeOf(box, channels));
    copy(this.machine, signal, box, { buffer, pitch: channels, first: 0 });
    return [signal, { buffer, box, channels, rectified: false }];
  }
}

class Concat extends Plain {
  constructor(
    machine: GpuMachine,
    shape: Shape,
    private readonly widths: readonly number[],
  ) {
    super(machine, shape);
  }

  override run(inputs: readonly GPUBuffer[], output: GPUBuffer): void {
    let first = 0;
    inputs.forEach((input, n) => {
      const part = this.whole(input, this.widths[n]);
      copy(this.machine, part, part.box, { buffer: output, pitch: this.shape[0], first });
      first += part.channels;
    });
  }

  override back(signal: GpuSignal): GpuSignal[] {
    const { gpu } = this.machine;
    const { box } = signal;
    let from = 0;
    const parts = this.widths.map((channels) => {
      const buffer = gpu.take(volumeOf(box, channels));
      copy(this.machine, signal, box, { buffer, pitch: channels, first: 0 }, channels, from);
      from += channels;
      return { buffer, box, channels, rectified: false };
    });
    gpu.give(signal.buffer);
    return parts;
  }
}

/** The operation of a node. fused: its rectifier is done with it; value: where the node's numbers stand. */
export function gpuOperation(
  machine: GpuMachine,
  node: GraphNode,
  inputs: readonly Shape[],
  fused: boolean,
  value: GPUBuffer,
): GpuOperation {
  const first = inputs[0] ?? node.shape;
  switch (node.op) {
    case "conv":
    case "linear":
      return new GpuConvolution(machine, node, first, fused);
    case "maxpool":
      return new MaxPool(machine, node, first);
    case "average":
      return new Average(machine, node, first);
    case "lrn":
      return new Lrn(machine, node);
    case "affine":
      return new Affine(machine, node);
    case "relu":
      return new Relu(machine, node.shape, fused, value);
    case "add":
      return new Add(machine, node.shape);
    case "concat":
      return new Concat(
        machine,
        node.shape,
        inputs.map((shape) => shape[0]),
      );
    case "flatten":
      return new Flatten(machine, node.shape, first);
    case "input":
      return new Plain(machine, node.shape);
  }
}
