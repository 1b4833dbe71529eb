/** Max pooling with its switches, and averages over windows. */
import { type AverageNode, type MaxPoolNode, volume } from "./graph";
import { type Operation, Plain, type Shape } from "./operation";
import { floorOf, grown, type Machine, type Method, PAPER, type Signal, settled } from "./signal";
import {
  type Box,
  inputsOf,
  type Moving,
  onMap,
  unionBox,
  type Window,
  windowBack,
} from "./windows";

/** Unpooling: the signal goes to the place that the recorded switch names (section 2.1). */
export class MaxPool implements Operation {
  readonly record: { at: number; bytes: number };
  readonly #moving: Moving;

  constructor(
    private readonly machine: Machine,
    node: MaxPoolNode,
    private readonly input: Shape,
  ) {
    this.#moving = node;
    this.shape = node.shape;
    const bytes = volume(node.shape);
    this.record = { at: machine.heap.take(bytes), bytes };
  }

  private readonly shape: Shape;

  run([input = 0]: readonly number[], output: number): void {
    const { kernel, stride, padding, dilation } = this.#moving;
    const [channels, height, width] = this.input;
    this.machine.kernels.maxPool(
      input,
      height,
      width,
      channels,
      ...kernel,
      ...stride,
      ...padding,
      ...dilation,
      output,
      this.record.at,
      this.shape[1],
      this.shape[2],
    );
  }

  window(window: Window, { unpool }: Method): Window | null {
    return unpool === "sum" ? windowBack(window, this.#moving) : null;
  }

  back(signal: Signal, { unpool }: Method): Signal[] {
    const { heap, kernels } = this.machine;
    const { kernel, stride, padding, dilation } = this.#moving;
    const box = onMap(inputsOf(signal.box, this.#moving), this.input);
    const { channels } = signal;
    // A later window overwrites with its zero, too: all that look at the box have to be there.
    const all = unpool === "sum" ? signal : grown(this.machine, signal, this.#looking(box, signal));
    const at = heap.zeros(4 * box.rows * box.cols * channels);
    kernels.unpool(
      all.at,
      all.box.rows,
      all.box.cols,
      channels,
      this.record.at,
      all.box.top,
      all.box.left,
      this.shape[2],
      kernel[1],
      ...stride,
      ...dilation,
      at,
      box.top + padding[0],
      box.left + padding[1],
      box.rows,
      box.cols,
      floorOf(signal),
      unpool === "overwrite",
    );
    heap.give(all.at);
    return [{ at, box, channels, rectified: false }];
  }

  /** Back without switches: as if the maximum had stood in the middle of every window. */
  blind(signal: Signal): Signal[] {
    const { kernel } = this.#moving;
    const { at, bytes } = this.record;
    const { heap } = this.machine;
    const recorded = heap.bytes(at, bytes).slice();
    heap.bytes(at, bytes).fill((kernel[0] >> 1) * kernel[1] + (kernel[1] >> 1));
    const parts = this.back(signal, PAPER);
    heap.bytes(at, bytes).set(recorded);
    return parts;
  }

  /** The pooled places whose windows touch a box of inputs, and those of the signal. */
  #looking(box: Box, signal: Signal): Box {
    const { kernel, stride, padding, dilation } = this.#moving;
    const axis = (first: number, size: number, a: 0 | 1) => {
      const reach = (kernel[a] - 1) * dilation[a];
      const begin = Math.ceil((first + padding[a] - reach) / stride[a]);
      return [begin, Math.floor((first + size - 1 + padding[a]) / stride[a]) + 1 - begin] as const;
    };
    const [top, rows] = axis(box.top, box.rows, 0);
    const [left, cols] = axis(box.left, box.cols, 1);
    return onMap(unionBox({ top, left, rows, cols }, signal.box), this.shape);
  }
}

/** Averages over windows; the signal is spread evenly over the places that were averaged. */
export class Average extends Plain {
  constructor(
    machine: Machine,
    private readonly node: AverageNode,
    private readonly input: Shape,
  ) {
    super(machine, node.shape);
  }

  run([input = 0]: readonly number[], output: number): void {
    const [channels, , width] = this.input;
    let to = output;
    for (const row of this.node.rows) {
      for (const col of this.node.cols) {
        const share = 1 / (row[2] * col[2]);
        const { average } = this.machine.kernels;
        average(input, width, channels, row[0], row[1], col[0], col[1], share, to);
        to += 4 * channels;
      }
    }
  }

  override window(window: Window): Window | null {
    const { moving } = this.node;
    return moving && windowBack(window, { ...moving, dilation: [1, 1] });
  }

  override back(given: Signal): Signal[] {
    const { heap, kernels } = this.machine;
    const signal = settled(this.machine, given);
    const { channels } = signal;
    const rows = this.node.rows.slice(signal.box.top, signal.box.top + signal.box.rows);
    const cols = this.node.cols.slice(signal.box.left, signal.box.left + signal.box.cols);
    const top = Math.min(...rows.map((span) => span[0]));
    const left = Math.min(...cols.map((span) => span[0]));
    const box = {
      top,
      left,
      rows: Math.max(...rows.map((span) => span[1])) - top,
      cols: Math.max(...cols.map((span) => span[1])) - left,
    };
    const at = heap.zeros(4 * box.rows * box.cols * channels);
    let from = signal.at;
    for (const [y0, y1, high] of rows) {
      for (const [x0, x1, wide] of cols) {
        const share = 1 / (high * wide);
        const window = [y0 - top, y1 - top, x0 - left, x1 - left] as const;
        kernels.share(from, box.cols, channels, ...window, share, at);
        from += 4 * channels;
      }
    }
    heap.give(signal.at);
    return [{ at, box, channels, rectified: false }];
  }
}
