/** What runs in a worker of the engine: a network that answers the page, one question at a time. */
import { NoGpu } from "./graph";
import { Answerer, type Ask, type Reply } from "./messages";

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
    const error = reason instanceof Error ? reason.message : String(reason);
    self.postMessage({ id, error, gpu: reason instanceof NoGpu }, []);
  }
};
