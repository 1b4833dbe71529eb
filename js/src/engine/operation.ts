/** What every operation can do, and those that look at one place only. */
import type { GraphNode } from "./graph";
import type { Machine, Method, Signal, Travelling } from "./signal";
import type { Window } from "./windows";

export type Shape = GraphNode["shape"];

/** The way back through an operation, whoever computes. */
export interface Reversible<S extends Travelling> {
  /** The inputs that a window of outputs sees; null for all of them. */
  window(window: Window, method: Method): Window | null;
  /** The signal at each input. The given one is used up. */
  back(signal: S, method: Method): S[];
}

export interface Operation extends Reversible<Signal> {
  /** Forwards: from the inputs' addresses to the output's. */
  run(inputs: readonly number[], output: number): void;
  /** Bytes to remember of a photo, and where they are. */
  readonly record: { at: number; bytes: number } | null;
}

/** Operations that remember nothing and look at one place only. */
export abstract class Plain implements Operation {
  readonly record: Operation["record"] = null;

  constructor(
    protected readonly machine: Machine,
    protected readonly shape: Shape,
  ) {}

  abstract run(inputs: readonly number[], output: number): void;

  window(window: Window, _method: Method): Window | null {
    return window;
  }

  back(signal: Signal, _method: Method): Signal[] {
    return [signal];
  }
}
