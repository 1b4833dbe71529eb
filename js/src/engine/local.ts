/** The engine in the thread that asks, for node: the same code without workers. */
import { Engine } from "./engine";
import type { Graph } from "./graph";
import type { Hand } from "./hands";
import { Answerer, type Op, type Question, type Questions } from "./messages";

export { Superseded } from "./engine";
export { Net } from "./net";
export { prepare } from "./prepare";
export { EngineError } from "./words";

class OwnHand implements Hand {
  readonly #answerer = new Answerer();

  async ask<O extends Op>(question: Question<O>): Promise<Questions[O][1]> {
    await Promise.resolve(); // answers never come before the asker goes on
    const { answer } = await this.#answerer.answer(question as Question);
    return answer as Questions[O][1];
  }

  close(): void {}
}

/** As `open` of page.ts, with `hands` that take turns in this thread. */
export function open(graph: Graph, weights: Uint8Array | string, hands = 1): Promise<Engine> {
  return Engine.open(
    graph,
    weights,
    Array.from({ length: hands }, () => new OwnHand()),
  );
}
