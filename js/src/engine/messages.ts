/**
 * The messages between the page and a worker of the engine, and what a worker does about them.
 *
 * The page asks {id, ...question}; the worker answers {id, answer} or {id, error} in the order asked.
 * Pixels and recordings change hands as transferred buffers.
 */
import type { Graph } from "./graph";
import { Net, type Neuron, type Projection } from "./net";
import { type Photo, prepare } from "./prepare";
import type { Method } from "./signal";
import { fromBase64 } from "./weights";

/** Every question, by name: what it says and what it gets. */
export interface Questions {
  /** Once, first. weights: the block, or base64 of it; records: whether forward passes will be asked. */
  open: [{ graph: Graph; weights: Uint8Array | string; records: boolean }, null];
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
}

export type Op = keyof Questions;
export type Question<O extends Op = Op> = { [P in O]: { op: P } & Questions[P][0] }[O];

export interface Ask {
  id: number;
  question: Question;
}

export type Reply = { id: number; answer: unknown } | { id: number; error: string };

/** A network behind questions. */
export class Answerer {
  #net: Net | null = null;

  /** The answer and the buffers in it that may be given away. */
  answer(question: Question): { answer: unknown; transfer: ArrayBuffer[] } {
    if (question.op === "open") {
      const { graph, weights, records } = question;
      const bytes = typeof weights === "string" ? fromBase64(weights) : weights;
      this.#net = new Net(graph, bytes);
      this.#net.warmUp(records);
      return { answer: null, transfer: [] };
    }
    if (!this.#net) throw new Error(`"${question.op}" before "open"`);
    return this.#ask(this.#net, question);
  }

  #ask(net: Net, question: Question): { answer: unknown; transfer: ArrayBuffer[] } {
    switch (question.op) {
      case "prepare": {
        const pixels = prepare(question.photo, net.graph.preparation);
        return { answer: pixels, transfer: [pixels.buffer] };
      }
      case "record": {
        net.record(question.pixels);
        const records = net.saved();
        return { answer: records, transfer: records };
      }
      case "restore":
        net.restore(question.records);
        return { answer: null, transfer: [] };
      case "maps": {
        const maps = net.featureMaps(question.layer);
        return { answer: maps, transfer: [maps.buffer] };
      }
      case "switches": {
        const switches = net.switches(question.layer);
        return { answer: switches, transfer: [switches.buffer] };
      }
      case "strongest":
        return { answer: net.strongest(question.layer, question.channels), transfer: [] };
      case "neuron": {
        const { layer, channel, row, col } = question;
        return { answer: net.neuron(layer, channel, row, col), transfer: [] };
      }
      case "classes":
        return { answer: net.topClasses(question.k), transfer: [] };
      case "project": {
        const projection = net.project(question.neuron, question.method);
        return { answer: projection, transfer: [projection.pixels.buffer] };
      }
      case "map": {
        const { layer, channel, method } = question;
        const projection = net.projectMap(layer, channel, method);
        return { answer: projection, transfer: [projection.pixels.buffer] };
      }
      case "open":
        throw new Error('"open" was asked twice');
    }
  }
}
