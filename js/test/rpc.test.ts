import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { isAbort, Rpc, RpcError, RpcTimeout } from "../src/core/rpc";
import type { Request } from "../src/core/wire";
import { FakeModel } from "./fake-model";

let model: FakeModel;
let rpc: Rpc;

beforeEach(() => {
  vi.useFakeTimers();
  model = new FakeModel({});
  rpc = new Rpc(model);
});
afterEach(() => vi.useRealTimers());

const answer = (to: Request, rest: object = {}, buffers: DataView[] = []) =>
  model.receive({ v: 1, id: to.id, epoch: to.epoch, ok: true, last: true, ...rest }, buffers);

describe("a question", () => {
  it("carries version, id, epoch and operation, and resolves with the last answer", async () => {
    const promise = rpc.request("tiles", { ids: [3] }, { epoch: 7 });
    const sent = model.sent[0] as Request;
    expect(sent).toMatchObject({ v: 1, epoch: 7, op: "tiles", ids: [3] });
    answer(sent, { ids: [3] });
    await expect(promise).resolves.toMatchObject({ ids: [3] });
    expect(rpc.pending).toBe(0);
  });

  it("hands every chunk on as it comes, buffers included", async () => {
    const seen: unknown[] = [];
    const promise = rpc.request("tiles", {}, { onChunk: (a, b) => seen.push([a["n"], b.length]) });
    const sent = model.sent[0] as Request;
    answer(sent, { n: 1, last: false }, [new DataView(new ArrayBuffer(4))]);
    answer(sent, { n: 2 });
    await promise;
    expect(seen).toEqual([
      [1, 1],
      [2, 0],
    ]);
  });

  it("ignores chunks of another epoch", async () => {
    const seen: unknown[] = [];
    const promise = rpc.request("tiles", {}, { epoch: 2, onChunk: (a) => seen.push(a) });
    const sent = model.sent[0] as Request;
    answer(sent, { epoch: 1, last: false });
    answer(sent);
    await promise;
    expect(seen).toHaveLength(1);
  });

  it("is rejected with Python's own words", async () => {
    const promise = rpc.request("tiles");
    const error = { title: "No", message: "there is no conv9", hint: "Choose conv5." };
    model.receive({ v: 1, id: model.sent[0]?.["id"], ok: false, error });
    const reason: unknown = await promise.catch((e: unknown) => e);
    expect(reason).toBeInstanceOf(RpcError);
    expect((reason as RpcError).detail).toEqual(error);
  });

  it("tells Python when it is taken back, and is then deaf", async () => {
    const controller = new AbortController();
    const promise = rpc.request("tiles", {}, { signal: controller.signal });
    controller.abort();
    expect(isAbort(await promise.catch((e: unknown) => e))).toBe(true);
    expect(model.sent[1]).toMatchObject({ v: 1, op: "cancel", id: model.sent[0]?.["id"] });
    expect(() => answer(model.sent[0] as Request)).not.toThrow();
  });

  it("times out on silence, and each chunk starts the clock anew", async () => {
    const promise = rpc.request("tiles", {}, { timeout: 1000 });
    const outcome = promise.catch((e: unknown) => e);
    vi.advanceTimersByTime(900);
    answer(model.sent[0] as Request, { last: false });
    vi.advanceTimersByTime(900);
    expect(rpc.pending).toBe(1);
    vi.advanceTimersByTime(200);
    expect(await outcome).toBeInstanceOf(RpcTimeout);
  });

  it("of one view is not answered by another view's answer", async () => {
    const other = new Rpc(model);
    const seen: string[] = [];
    rpc.request("a", {}, { onChunk: () => seen.push("a") }).catch(() => undefined);
    other.request("b", {}, { onChunk: () => seen.push("b") }).catch(() => undefined);
    answer(model.sent[1] as Request);
    expect(seen).toEqual(["b"]);
  });

  it("to a model without a comm fails instead of waiting", async () => {
    model.send = () => {
      throw new Error("no comm");
    };
    await expect(rpc.request("tiles")).rejects.toBeInstanceOf(RpcTimeout);
  });
});

it("disposing takes all questions back and stops listening", async () => {
  const promise = rpc.request("tiles");
  rpc.dispose();
  expect(isAbort(await promise.catch((e: unknown) => e))).toBe(true);
  expect(model.listeners("msg:custom")).toBe(0);
});
