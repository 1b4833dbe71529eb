/** The way back: a signal through the operations, last to first (Zeiler & Fergus 2013, section 2.1). */
import { type Graph, shapeOf } from "./graph";
import type { Reversible } from "./operation";
import type { Carrier, Method, Travelling } from "./signal";
import { covers, NEURON, unionWindow, type Window } from "./windows";

/** How a signal goes through the operation of a node: what stands at each of its inputs. */
export type Through<S> = (index: number, signal: S) => readonly S[];

export class WayBack<S extends Travelling> {
  readonly #carrier: Carrier<S>;
  readonly #graph: Graph;
  readonly #operations: readonly Reversible<S>[];

  constructor(carrier: Carrier<S>, graph: Graph, operations: readonly Reversible<S>[]) {
    this.#carrier = carrier;
    this.#graph = graph;
    this.#operations = operations;
  }

  /**
   * The signal at the input. Branches that meet are added, the later one to the earlier. through: how it
   * goes through each operation; by default as the method says.
   */
  send(
    node: number,
    start: S,
    method: Method,
    through: Through<S> = (index, signal) => this.#operations[index]?.back(signal, method) ?? [],
  ): S {
    const carrier = this.#carrier;
    const pending = new Map<number, S>([[node, start]]);
    for (let index = node; index > 0; index--) {
      const signal = pending.get(index);
      if (!signal) continue;
      pending.delete(index);
      const parts = through(index, signal);
      this.#graph.nodes[index]?.inputs.forEach((source, n) => {
        const part = parts[n] as S;
        const other = pending.get(source);
        // What only looked at padding has no way to the photo.
        if (part.box.rows < 1 || part.box.cols < 1) carrier.give(part);
        else pending.set(source, other ? carrier.sum(other, part) : part);
      });
    }
    const arrived = pending.get(0);
    return arrived ? carrier.settled(arrived) : carrier.nowhere(shapeOf(this.#graph, 0)[0]);
  }

  /** The window of input pixels that a node's neurons see; null is the whole photo. */
  seen(node: number, method: Method): Window | null {
    const start = this.#isMap(node) ? NEURON : null;
    const windows = new Map<number, Window | null>([[node, start]]);
    for (let index = node; index > 0; index--) {
      if (!windows.has(index)) continue;
      const window = this.#bounded(index, windows.get(index) ?? null);
      const seen = window && (this.#operations[index] as Reversible<S>).window(window, method);
      for (const source of this.#graph.nodes[index]?.inputs ?? []) {
        const other = windows.get(source);
        windows.set(source, windows.has(source) ? unionWindow(other ?? null, seen) : seen);
      }
    }
    return this.#bounded(0, windows.get(0) ?? null);
  }

  /** A window as large as its map counts as the whole map. */
  #bounded(index: number, window: Window | null): Window | null {
    return window && (!this.#isMap(index) || covers(window, shapeOf(this.#graph, index)))
      ? null
      : window;
  }

  #isMap(index: number): boolean {
    const node = this.#graph.nodes[index];
    if (!node) return false;
    if (node.op === "linear" || node.op === "flatten") return false;
    if (node.op === "relu" || node.op === "affine" || node.op === "add") {
      return this.#isMap(node.inputs[0] as number);
    }
    return true;
  }
}
