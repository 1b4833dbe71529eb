/** The engine in the page, with the text of its workers inside. */
import workerCode from "worker:./worker";
import { Engine, workers } from "./engine";
import { GpuHand } from "./gpu/hand";
import type { Graph } from "./graph";
import { unpack } from "./packing";
import type { Said } from "./said";
import { EngineError } from "./words";

export { Engine, type Options, type Recording, Superseded } from "./engine";
export type { Graph } from "./graph";
export { unpack } from "./packing";
export type { Photo } from "./prepare";
export type { Neuron, Projection } from "./reading";
export type { Method } from "./signal";
export { EngineError } from "./words";

/**
 * Whether a graphics processor is asked: where it is measured faster, whatever was measured (one that is
 * simulated, too), or not at all.
 */
export type GpuUse = "faster" | "always" | "never";

/** What the graphics processor does, and why it does no more. */
export interface OnGpu {
  records: boolean;
  projects: boolean;
  why: Said;
}

/**
 * An engine for this network. weights: the block of bytes, or base64 of it; cores: how many workers at
 * most. Rejects with EngineError: no SIMD, damaged weights, memory refused, no workers.
 */
export async function open(
  graph: Graph,
  weights: Uint8Array | string,
  cores = navigator.hardwareConcurrency,
): Promise<Engine> {
  const engine = await Engine.open(graph, weights, workers(workerCode, graph, cores));
  engine.spare = () => open(graph, weights, 1);
  return engine;
}

/** Have a graphics processor help an engine. onlost: told why when the workers go on without it. */
export async function accelerate(
  engine: Engine,
  weights: Uint8Array | string,
  use: GpuUse = "faster",
  onlost: (why: Said) => void = () => {},
): Promise<OnGpu> {
  const none = { records: false, projects: false };
  if (use === "never") return { ...none, why: { key: "gpu_unasked", values: {} } };
  try {
    const always = use === "always";
    const gpu = await GpuHand.open(workerCode, engine.graph, weights, engine.worker, always);
    gpu.onlost = onlost;
    const [forward, project] = [gpu.speed.forward.toFixed(1), gpu.speed.project.toFixed(1)];
    const why: Said = { key: "gpu_speed", values: { forward, project } };
    return { ...engine.accelerate(gpu, always), why };
  } catch (reason) {
    if (reason instanceof EngineError) return { ...none, why: reason.said };
    throw reason;
  }
}

/** The engine as a page's module, which it gets as a whole. */
export default { open, accelerate, unpack };
