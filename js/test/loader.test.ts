import { beforeEach, describe, expect, it, vi } from "vitest";
import { TileLoader, type Wanted } from "../src/core/loader";
import { Rpc } from "../src/core/rpc";
import { TileStore } from "../src/core/tiles";
import type { Request, SheetHead } from "../src/core/wire";
import { FakeModel } from "./fake-model";

const bitmap = () => ({ close: vi.fn() }) as unknown as ImageBitmap;
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
const head = (ids: number[], px: number): SheetHead => ({
  ids,
  mime: "image/webp",
  tile: [px, px],
  columns: 4,
});

describe("the store", () => {
  it("frees a sheet with its last tile, and not before", () => {
    const store = new TileStore();
    const [old, fresh] = [bitmap(), bitmap()];
    store.add(head([1, 2], 8), old);
    store.add(head([1], 16), fresh);
    expect(old.close).not.toHaveBeenCalled();
    store.add(head([2], 16), bitmap());
    expect(old.close).toHaveBeenCalledOnce();
    store.clear();
    expect(fresh.close).toHaveBeenCalledOnce();
    expect(store.size).toBe(0);
  });

  it("drops what was drawn longest ago when it is full", () => {
    const store = new TileStore(3 * 100 * 4);
    for (const id of [1, 2, 3]) store.add(head([id], 10), bitmap());
    store.get(1);
    store.add(head([4], 10), bitmap());
    const there = [1, 2, 3, 4].map((id) => store.peek(id) !== undefined);
    expect(there).toEqual([true, false, true, true]);
  });

  it("counts whole sheets, which stay as long as one of their tiles is in use", () => {
    const store = new TileStore(4 * 100 * 4);
    const old = bitmap();
    store.add(head([1, 2, 3], 10), old);
    store.get(1);
    expect(store.bytes).toBe(3 * 100 * 4);
    store.add(head([4, 5], 10), bitmap());
    expect(old.close).toHaveBeenCalledOnce();
    expect(store.bytes).toBe(2 * 100 * 4);
    expect(store.size).toBe(2);
    store.clear();
    expect(store.bytes).toBe(0);
  });

  it("does not replace a tile by a smaller one", () => {
    const store = new TileStore();
    const small = bitmap();
    store.add(head([1], 64), bitmap());
    expect(store.add(head([1], 32), small)).toEqual([]);
    expect(store.peek(1)?.width).toBe(64);
    expect(small.close).toHaveBeenCalledOnce();
  });

  it("knows where on the sheet a tile is", () => {
    const store = new TileStore();
    store.add({ ids: range(0, 6), mime: "", tile: [5, 7], columns: 4 }, bitmap());
    expect(store.peek(5)).toMatchObject({ x: 7, y: 5, width: 7, height: 5 });
  });
});

describe("the loader", () => {
  let model: FakeModel;
  let store: TileStore;
  let loader: TileLoader;
  const owner = { arrived: vi.fn(), failed: vi.fn(), progressed: vi.fn() };
  const asked = () => model.sent.filter((m) => m["op"] === "tiles") as Request[];
  const want = (rest: Partial<Wanted>) =>
    loader.want({ epoch: 1, visible: [], ahead: [], px: 64, native: 139, ...rest });
  const answer = async (request: Request, ids: number[]) => {
    const body = { v: 1, id: request.id, epoch: request.epoch, ok: true, last: true };
    model.receive({ ...body, ...head(ids, 64) }, [new DataView(new ArrayBuffer(1))]);
    await vi.waitFor(() => expect(owner.progressed).toHaveBeenCalled());
    owner.progressed.mockClear();
  };

  beforeEach(() => {
    vi.clearAllMocks();
    vi.stubGlobal("createImageBitmap", async () => bitmap());
    model = new FakeModel({});
    store = new TileStore();
    loader = new TileLoader(new Rpc(model), store, owner);
  });

  it("asks for what is on screen first, 64 at a time, two batches at once", async () => {
    want({ visible: range(0, 200), ahead: range(200, 300) });
    expect(asked().map((m) => m["ids"])).toEqual([range(0, 64), range(64, 128)]);
    await answer(asked()[0] as Request, range(0, 64));
    expect(asked()[2]?.["ids"]).toEqual(range(128, 192));
    expect(store.size).toBe(64);
  });

  it("asks ahead only when nothing on screen is lacking", async () => {
    want({ visible: [1], ahead: [2, 3] });
    expect(asked()).toHaveLength(1);
    expect(loader.busy).toBe(true);
    await answer(asked()[0] as Request, [1]);
    expect(asked()[1]).toMatchObject({ ids: [2, 3], ahead: true });
    expect(loader.busy).toBe(false);
  });

  it("takes a batch back when nothing of it is wanted any more", () => {
    want({ visible: [1, 2] });
    want({ visible: [50, 51] });
    const [first] = asked();
    expect(model.sent).toContainEqual({ v: 1, op: "cancel", id: first?.id });
    expect(asked()[1]?.["ids"]).toEqual([50, 51]);
  });

  it("does not ask twice, nor for more pixels than there are", async () => {
    want({ visible: [1, 2] });
    want({ visible: [2, 3] });
    expect(asked().map((m) => m["ids"])).toEqual([[1, 2], [3]]);
    want({ visible: [7], px: 384, native: 13 });
    expect(asked().at(-1)).toMatchObject({ px: 13 });
  });

  it("asks anew where larger tiles are wanted", async () => {
    want({ visible: [1] });
    await answer(asked()[0] as Request, [1]);
    want({ visible: [1], px: 128 });
    expect(asked()[1]).toMatchObject({ ids: [1], px: 128 });
  });

  it("drops pictures of an older epoch", async () => {
    want({ visible: [1] });
    const [old] = asked();
    want({ epoch: 2, visible: [1] });
    model.receive({ v: 1, id: old?.id, epoch: 1, ok: true, last: true, ...head([1], 64) }, [
      new DataView(new ArrayBuffer(1)),
    ]);
    await Promise.resolve();
    expect(store.size).toBe(0);
    expect(asked()[1]).toMatchObject({ epoch: 2, ids: [1] });
  });

  it("stops after an error until something else is wanted", async () => {
    want({ visible: [1] });
    const error = { title: "No", message: "out of memory", hint: "" };
    model.receive({ v: 1, id: asked()[0]?.id, ok: false, error });
    await vi.waitFor(() => expect(owner.failed).toHaveBeenCalled());
    expect(asked()).toHaveLength(1);
    want({ visible: [1, 2] });
    expect(asked()).toHaveLength(2);
  });
});
