/** A graphics processor behind a worker's back: what it gives up, the worker does. */
import type { Graph } from "../graph";
import { type Hand, WorkerHand } from "../hands";
import type { Op, Question, Questions, Speed } from "../messages";
import type { Said } from "../said";
import { NoGpu } from "../words";
import { adapterFor } from "./adapter";

export class GpuHand implements Hand {
  readonly #gpu: Hand;
  readonly #worker: Hand;
  readonly speed: Speed;
  /** Why it is not asked any more. */
  #lost: NoGpu | null = null;
  /** Told once why the worker takes over. */
  onlost: (why: Said) => void = () => {};
  /** The present photo, and the one that the worker has recorded. */
  #photo: Float32Array | null = null;
  #recorded: Float32Array | null = null;

  private constructor(gpu: Hand, worker: Hand, speed: Speed) {
    [this.#gpu, this.#worker, this.speed] = [gpu, worker, speed];
  }

  /** software: also processors that only pretend. Rejects with NoGpu, or with EngineError as a worker. */
  static async open(
    code: string,
    graph: Graph,
    weights: Uint8Array | string,
    worker: Hand,
    software: boolean,
  ): Promise<GpuHand> {
    await adapterFor(software); // before a worker is started for nothing
    const gpu = new WorkerHand(code);
    try {
      const place = software ? "any gpu" : "gpu";
      return new GpuHand(gpu, worker, await gpu.ask({ op: "open", graph, weights, place }));
    } catch (reason) {
      gpu.close();
      throw reason;
    }
  }

  async ask<O extends Op>(question: Question<O>): Promise<Questions[O][1]> {
    const asked = question as Question;
    if (asked.op === "record") this.#photo = asked.pixels;
    if (!this.#lost) {
      try {
        return await this.#gpu.ask(question);
      } catch (reason) {
        if (!(reason instanceof NoGpu)) throw reason;
        this.#lose(reason);
      }
    }
    if (asked.op === "record") this.#recorded = asked.pixels;
    else if (this.#photo && this.#recorded !== this.#photo) {
      this.#recorded = this.#photo;
      void this.#worker.ask({ op: "record", pixels: this.#photo });
    }
    return this.#worker.ask(question);
  }

  #lose(reason: NoGpu): void {
    if (this.#lost) return;
    this.#lost = reason;
    this.#gpu.close();
    this.onlost(reason.said);
  }

  close(): void {
    this.#gpu.close();
  }
}
