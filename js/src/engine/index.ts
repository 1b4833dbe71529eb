/** The engine in the page, with the text of its workers inside. */
import workerCode from "worker:./worker";
import { Engine, workers } from "./engine";
import type { Graph } from "./graph";
import { unpack } from "./packing";

export { Engine, type Options, type Recording, Superseded } from "./engine";
export { EngineError, type Graph } from "./graph";
export type { Neuron, Projection } from "./net";
export { unpack } from "./packing";
export type { Photo } from "./prepare";
export type { Method } from "./signal";

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

/** The engine as a page's module, which it gets as a whole. */
export default { open, unpack };
