// @vitest-environment jsdom
/** A notebook's widgets behind the page's engine: who is asked, and what Python hears of it. */
import { afterEach, describe, expect, it } from "vitest";
import { desks } from "../src/core/desk";
import { Rpc } from "../src/core/rpc";
import type { Request } from "../src/core/wire";
import type { Engine } from "../src/engine/engine";
import type { EnginePayload } from "../src/page/payload";
import { Notebook, type NotebookModel } from "../src/page-engine/notebook";
import { FakeModel } from "./fake-model";

afterEach(() => desks().clear());

class Model extends FakeModel {
  /** As a message from Python: listeners hear of it, nothing is saved. */
  set_state(traits: Record<string, unknown>): void {
    for (const [name, value] of Object.entries(traits)) this.set(name, value);
  }
}

const PAYLOAD = {
  graph: { preparation: {}, layers: [] },
  layers: {},
  photos: {},
  filters: {},
  heat: { $blob: 0 },
  signed: { $blob: 0 },
  texts: { engine_title: "It cannot", engine_hint: "" },
} as unknown as EnginePayload;

const settled = () => new Promise((done) => setTimeout(done));

function notebook() {
  const browser = new Model({ _desk: "e/browser", layer: "conv2", mode: "projection", rule: "x" });
  const view = new Model({ _desk: "e/view", place: null });
  const engine = new Model({ photo: 0 });
  const failed: string[] = [];
  const told: unknown[] = [];
  const models = { browser, view, engine } as unknown as Record<string, NotebookModel>;
  const rpc = new Rpc(engine);
  const blobs = [new DataView(new ArrayBuffer(768))];
  const made = new Notebook(models, PAYLOAD, blobs, {} as Engine, rpc, {
    recorded: () => {},
    visit: (layer, channel) => told.push(["visit", layer, channel]),
    proposed: (layer, channel) => told.push(["proposed", layer, channel]),
    shown: () => {},
    failed: (message) => failed.push(message),
  });
  return { browser, view, engine, failed, told, made };
}

describe("a notebook whose page computes", () => {
  it("is empty before Python has a photo, and tells Python nothing of that", async () => {
    const { browser, view } = notebook();
    await settled();
    expect([browser.get("status"), view.get("status")]).toEqual(["empty", "empty"]);
    expect(browser.saves + view.saves).toBe(0);
  });

  it("asks Python for a photo once, for all parts that show it", async () => {
    const { engine, browser } = notebook();
    engine.set("photo", 1);
    await settled();
    const asked = engine.sent as unknown as Request[];
    expect(asked.filter(({ op }) => op === "photo")).toHaveLength(1);
    expect(browser.get("status")).toBe("busy");
  });

  it("says what went wrong, so that Python can go on", async () => {
    const { engine, failed } = notebook();
    engine.set("photo", 1);
    await settled();
    const [question] = (engine.sent as unknown as Request[]).filter(({ op }) => op === "photo");
    const error = { title: "", message: "no photo", hint: "" };
    engine.receive({ v: 1, id: question?.id, ok: false, error });
    await settled();
    expect(failed.length).toBeGreaterThan(0);
    expect(failed[0]).toContain("no photo");
  });

  it("shows the channel it begins with, and leaves it to Python whether that one is chosen", () => {
    const { browser, told, made } = notebook();
    made.propose("conv2", 5);
    expect(browser.get("active")).toBe(5);
    expect(browser.saves).toBe(0);
    expect(told).toEqual([["proposed", "conv2", 5]]);
    made.close();
    made.propose("conv2", 6);
    expect(told).toHaveLength(1);
  });

  it("lets Python go to the layer of a pinned channel", async () => {
    const { browser, told } = notebook();
    const question = { v: 1, id: 1, epoch: 0, op: "visit", layer: "conv1", channel: 2 };
    desks().get("e/browser")?.(question, [], () => {});
    await settled();
    expect(told).toEqual([["visit", "conv1", 2]]);
    expect(browser.saves).toBe(0);
  });

  it("gives the widgets back to Python when it is closed", async () => {
    const { made, browser, engine } = notebook();
    expect([...desks().keys()]).toEqual(["e/browser", "e/view"]);
    made.close();
    expect(desks().size).toBe(0);
    expect(browser.listeners("change:layer")).toBe(0);
    const before = engine.sent.length;
    engine.set("photo", 1);
    await settled();
    expect(engine.sent.length).toBe(before);
  });
});
