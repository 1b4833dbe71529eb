/** What runs in a worker of the engine: a network that answers the page, one question at a time. */
import { Answerer, type Ask, type Reply } from "./messages";
import type { Said } from "./said";
import { EngineError, NoGpu } from "./words";

declare const self: {
  onmessage: ((event: MessageEvent<Ask>) => void) | null;
  postMessage(reply: Reply, transfer: ArrayBuffer[]): void;
};

const answerer = new Answerer();

self.onmessage = async ({ data: { id, question } }) => {
  try {
    const { answer, transfer } = await answerer.answer(question);
    self.postMessage({ id, answer }, transfer);
  } catch (reason) {
    self.postMessage({ id, error: said(reason), gpu: reason instanceof NoGpu }, []);
  }
};

function said(reason: unknown): Said {
  if (reason instanceof EngineError) return reason.said;
  const why = reason instanceof Error ? reason.message : String(reason);
  return { key: "broken", values: { why } };
}
