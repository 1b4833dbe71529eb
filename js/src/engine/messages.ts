/**
 * The messages between the page and a worker of the engine, and what a worker does about them.
 *
 * The page asks {id, ...question}; the worker answers {id, answer} or {id, error} in the order asked.
 * Pixels and recordings change hands as transferred buffers.
 */
import { fromBase64 } from "./base64";
import { GpuNet } from "./gpu/net";
import { type Graph, volume } from "./graph";
import { Net } from "./net";
import { type Photo, prepare } from "./prepare";
import type { Neuron, Projection, Step } from "./reading";
import type { Said } from "./said";
import type { Method } from "./signal";
import { Weights } from "./weights";

/** Every question, by name: what it says and what it gets. */
export interface Questions {
  /** Once, first. weights: the block, or base64 of it. */
  open: [{ graph: Graph; weights: Uint8Array | string; place: Place }, Speed];
  /** A decoded photo, u8 RGBA; the answer is the network's input [C, H, W]. */
  prepare: [{ photo: Photo }, Float32Array<ArrayBuffer>];
  /** A forward pass; the answer is what other workers need to go on from it. */
  record: [{ pixels: Float32Array }, ArrayBuffer[]];
  restore: [{ records: ArrayBuffer[] }, null];
  maps: [{ layer: string }, Float32Array<ArrayBuffer>];
  switches: [{ layer: string }, Uint8Array<ArrayBuffer>];
  strongest: [{ layer: string; channels?: readonly number[] | undefined }, Neuron[]];
  neuron: [{ layer: string; channel: number; row: number; col: number }, Neuron];
  classes: [{ k: number }, [index: number, probability: number][]];
  project: [{ neuron: Neuron; method: Method }, Projection];
  map: [{ layer: string; channel: number; method: Method }, Projection];
  /** These three of workers alone: what is looked at step by step. */
  steps: [{ neuron: Neuron; method: Method; off: readonly number[] }, Step[]];
  codes: [{ node: number; channel: number }, Uint8Array<ArrayBuffer>];
  filter: [{ node: number; output: number; input: number }, Float32Array<ArrayBuffer>];
}

/** Where a network computes: in the thread, with or without forward passes, or on a graphics processor. */
export type Place = "recorder" | "helper" | "gpu" | "any gpu";

/** Milliseconds that a forward pass and a neuron of the last convolution take. */
export interface Speed {
  forward: number;
  project: number;
}

export type Op = keyof Questions;
export type Question<O extends Op = Op> = { [P in O]: { op: P } & Questions[P][0] }[O];

export interface Ask {
  id: number;
  question: Question;
}

export type Reply = { id: number; answer: unknown } | { id: number; error: Said; gpu: boolean };

/** A network behind questions. */
export class Answerer {
  #net: Net | GpuNet | null = null;

  /** The answer and the buffers in it that may be given away. Commands are given before it waits. */
  async answer(question: Question): Promise<{ answer: unknown; transfer: ArrayBuffer[] }> {
    if (question.op === "open") {
      const { graph, weights: given, place } = question;
      const block = typeof given === "string" ? fromBase64(given) : given;
      // Helpers get what a recorder gets, and one look at it is enough.
      const weights = await Weights.open(graph, block, place === "helper");
      const onGpu = place === "gpu" || place === "any gpu";
      const net = onGpu
        ? await GpuNet.open(graph, weights, place === "any gpu")
        : new Net(graph, weights);
      this.#net = net;
      return { answer: await warmedUp(net, place !== "helper"), transfer: [] };
    }
    if (!this.#net) throw new Error(`"${question.op}" before "open"`);
    return this.#ask(this.#net, question);
  }

  async #ask(
    net: Net | GpuNet,
    question: Question,
  ): Promise<{ answer: unknown; transfer: ArrayBuffer[] }> {
    switch (question.op) {
      case "prepare": {
        const pixels = prepare(question.photo, net.graph.preparation);
        return { answer: pixels, transfer: [pixels.buffer] };
      }
      case "record": {
        const records = await net.record(question.pixels);
        return { answer: records, transfer: records };
      }
      case "restore":
        if (net instanceof Net) net.restore(question.records);
        return { answer: null, transfer: [] };
      case "maps": {
        const maps = await net.featureMaps(question.layer);
        return { answer: maps, transfer: [maps.buffer] };
      }
      case "switches": {
        const switches = await net.switches(question.layer);
        return { answer: switches, transfer: [switches.buffer] };
      }
      case "strongest":
        return { answer: await net.strongest(question.layer, question.channels), transfer: [] };
      case "neuron": {
        const { layer, channel, row, col } = question;
        return { answer: await net.neuron(layer, channel, row, col), transfer: [] };
      }
      case "classes":
        return { answer: await net.topClasses(question.k), transfer: [] };
      case "project": {
        const projection = await net.project(question.neuron, question.method);
        return { answer: projection, transfer: [projection.pixels.buffer] };
      }
      case "map": {
        const { layer, channel, method } = question;
        const projection = await net.projectMap(layer, channel, method);
        return { answer: projection, transfer: [projection.pixels.buffer] };
      }
      case "steps": {
        const steps = here(net).steps(question.neuron, question.method, question.off);
        const signals = steps.flatMap(({ before, after }) => [before, after]);
        return { answer: steps, transfer: signals.map(({ values }) => values.buffer) };
      }
      case "codes":
        return { answer: here(net).codes(question.node, question.channel), transfer: [] };
      case "filter": {
        const { node, output, input } = question;
        return { answer: here(net).filter(node, output, input), transfer: [] };
      }
      case "open":
        throw new Error('"open" was asked twice');
    }
  }
}

/** The network in this thread. */
function here(net: Net | GpuNet): Net {
  if (net instanceof Net) return net;
  throw new Error("steps are asked of workers");
}

/**
 * Once for nothing: browsers compile well only what has been run, and weights are packed when used.
 * records: whether forward passes will be asked, or only neurons of others' recordings.
 */
async function warmedUp(net: Net | GpuNet, records: boolean): Promise<Speed> {
  const { nodes, layers } = net.graph;
  const length = volume(nodes[0]?.shape ?? []);
  const pattern = Float32Array.from({ length }, (_, n) => Math.sin(n / 7) + Math.sin(n / 113));
  let forward = Number.POSITIVE_INFINITY;
  for (let n = 0; records && n < 2; n++) forward = await timed(() => net.record(pattern));
  if (net instanceof Net) net.ready(true);
  let project = Number.POSITIVE_INFINITY;
  const last = layers.filter((layer) => layer.kind === "conv").at(-1);
  const [channels, rows, cols] = nodes[last?.node ?? 0]?.shape ?? [0, 0, 0];
  for (let channel = 0; last && channel < Math.min(8, channels); channel++) {
    const place = { layer: last.name, channel, row: rows >> 1, col: cols >> 1, value: 1 };
    project = Math.min(project, await timed(() => net.project(place)));
  }
  if (net instanceof Net) net.ready(false);
  return { forward, project };
}

async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
