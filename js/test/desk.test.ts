// @vitest-environment jsdom
/** Who answers a widget: Python, or an engine in the page that has taken it over. */
import { afterEach, expect, it } from "vitest";
import { desks } from "../src/core/desk";
import { Rpc } from "../src/core/rpc";
import type { Answer, Request } from "../src/core/wire";
import { FakeModel } from "./fake-model";

afterEach(() => desks().clear());

/** Answers every question with its own text and one byte. */
function echo(asked: Request[]) {
  desks().set("engine/browser", (question, _, receive) => {
    const request = question as Request;
    asked.push(request);
    const answer = {
      v: 1,
      id: request.id,
      epoch: request.epoch,
      ok: true,
      last: true,
      text: "page",
    };
    queueMicrotask(() => receive(answer as never, [new DataView(new ArrayBuffer(1))]));
  });
}

it("a widget of the page's engine is answered there, and Python hears nothing", async () => {
  const asked: Request[] = [];
  echo(asked);
  const model = new FakeModel({ _desk: "engine/browser" });
  const sizes: number[] = [];
  const answer = await new Rpc(model).request(
    "tiles",
    { ids: [3] },
    { epoch: 7, onChunk: (_: Answer, buffers) => sizes.push(...buffers.map((b) => b.byteLength)) },
  );
  expect(answer["text"]).toBe("page");
  expect(sizes).toEqual([1]);
  expect(asked).toMatchObject([{ op: "tiles", ids: [3], epoch: 7 }]);
  expect(model.sent).toEqual([]);
});

it("whether the kernel is there, the kernel is asked", () => {
  const asked: Request[] = [];
  echo(asked);
  const model = new FakeModel({ _desk: "engine/browser" });
  void new Rpc(model).request("hello");
  expect(model.sent).toMatchObject([{ op: "hello" }]);
  expect(asked).toEqual([]);
});

it("a question that is taken back is taken back from whoever answers", async () => {
  const asked: Request[] = [];
  desks().set("engine/browser", (question) => void asked.push(question as Request));
  const stop = new AbortController();
  const model = new FakeModel({ _desk: "engine/browser" });
  const question = new Rpc(model).request("tiles", {}, { signal: stop.signal });
  stop.abort();
  await expect(question).rejects.toThrow("taken back");
  expect(asked.map(({ op }) => op)).toEqual(["tiles", "cancel"]);
  expect(asked[1]?.id).toBe(asked[0]?.id);
});

it("as soon as Python computes again, it is Python that is asked", () => {
  echo([]);
  const model = new FakeModel({ _desk: "engine/browser" });
  const rpc = new Rpc(model);
  model.set("_desk", "");
  void rpc.request("tiles");
  expect(model.sent).toMatchObject([{ op: "tiles" }]);
});

it("other widgets of the page are Python's", () => {
  echo([]);
  const model = new FakeModel({});
  void new Rpc(model).request("tiles");
  expect(model.sent).toMatchObject([{ op: "tiles" }]);
});
