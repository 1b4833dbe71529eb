/** What runs in a worker of the engine: a network that answers the page, one question at a time. */
import { Answerer, type Ask, type Reply } from "./messages";

declare const self: {
  onmessage: ((event: MessageEvent<Ask>) => void) | null;
  postMessage(reply: Reply, transfer: ArrayBuffer[]): void;
};

const answerer = new Answerer();

self.onmessage = ({ data: { id, question } }) => {
  try {
    const { answer, transfer } = answerer.answer(question);
    self.postMessage({ id, answer }, transfer);
  } catch (error) {
    self.postMessage({ id, error: error instanceof Error ? error.message : String(error) }, []);
  }
};
