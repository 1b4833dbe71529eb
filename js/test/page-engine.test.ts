// @vitest-environment node
/** The start of the page's engine in a notebook: who asks Python for what widgets share. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import pageEngine from "../src/page-engine/index";
import { FakeModel } from "./fake-model";

/** Bytes with which engines were opened. */
const opened: number[][] = [];

beforeEach(() => {
  opened.length = 0;
  const module = {
    open: async (_graph: object, bytes: Uint8Array) => {
      opened.push([...bytes]);
      return { workers: 1, close: () => {} };
    },
  };
  const code = new Map([["code", Promise.resolve(module)]]);
  vi.stubGlobal("zfEngineSupplies", { code, weights: new Map() });
});

afterEach(() => vi.unstubAllGlobals());

const NET = { payload: { texts: {}, graph: { weights: { sha256: "net" } } }, code: "code" };

/** A widget whose Python has described the one network there is. */
async function widget() {
  const model = new FakeModel({ parts: {}, active: true, photo: 0 });
  const close = pageEngine.initialize({ model } as never);
  const asked = (op: string) => model.sent.filter((sent) => sent["op"] === op);
  const answer = (op: string, body: object, buffers: DataView[] = []) => {
    const id = asked(op).at(-1)?.["id"];
    model.receive({ ...body, v: 1, id, epoch: 0, ok: true, last: true }, buffers);
  };
  answer("net", NET);
  await settled();
  return { close, answer, asked: (op: string) => asked(op).length };
}

const settled = () => new Promise((done) => setTimeout(done));

describe("widgets of one network", () => {
  it("ask for its weights once; should the one that asked be closed, another one asks", async () => {
    const [first, second, third] = [await widget(), await widget(), await widget()];
    const asked = () => [first, second, third].map((one) => one.asked("weights"));
    expect(asked()).toEqual([1, 0, 0]);
    first.close();
    await settled();
    expect(asked()).toEqual([1, 1, 0]);
    second.close();
    await vi.waitFor(() => expect(asked()).toEqual([1, 1, 1]));
    third.answer("weights", {}, [new DataView(Uint8Array.of(7, 8).buffer)]);
    await vi.waitFor(() => expect(third.asked("ready")).toBe(1));
    expect(opened).toEqual([[7, 8]]);
  });

  it("ask for nothing more once they are closed", async () => {
    const [first, second] = [await widget(), await widget()];
    second.close();
    first.close();
    await settled();
    expect([first.asked("weights"), second.asked("weights")]).toEqual([1, 0]);
  });
});
