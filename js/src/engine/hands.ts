/** Those who do the work: workers, made from one text. */
import type { Op, Question, Questions, Reply } from "./messages";
import { EngineError, type Key, NoGpu } from "./words";

export interface Hand {
  /** Questions are answered in the order asked. Rejects with EngineError. */
  ask<O extends Op>(question: Question<O>, transfer?: ArrayBuffer[]): Promise<Questions[O][1]>;
  close(): void;
}

/** A worker made from a Blob, which works on file:// too. */
export class WorkerHand implements Hand {
  readonly #worker: Worker;
  readonly #url: string;
  readonly #open = new Map<
    number,
    { resolve: (answer: never) => void; reject: (e: Error) => void }
  >();
  #next = 0;

  constructor(code: string) {
    this.#url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    this.#worker = new Worker(this.#url);
    this.#worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const asked = this.#open.get(data.id);
      this.#open.delete(data.id);
      if ("error" in data) {
        const { key, values } = data.error;
        asked?.reject(new (data.gpu ? NoGpu : EngineError)(key as Key, values));
      } else asked?.resolve(data.answer as never);
    };
    this.#worker.onerror = (event) => {
      const why = event.message;
      this.#give(why ? new EngineError("worker", { why }) : new EngineError("no_worker"));
    };
  }

  ask<O extends Op>(question: Question<O>, transfer: ArrayBuffer[] = []): Promise<Questions[O][1]> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#open.set(id, { resolve, reject });
      this.#worker.postMessage({ id, question }, transfer);
    });
  }

  close(): void {
    this.#worker.terminate();
    URL.revokeObjectURL(this.#url);
    this.#give(new EngineError("closed"));
  }

  #give(reason: Error): void {
    for (const { reject } of this.#open.values()) reject(reason);
    this.#open.clear();
  }
}
