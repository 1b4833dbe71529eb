// @vitest-environment jsdom
/** A page without a kernel: models that follow each other, and questions answered from what is there. */
import { describe, expect, it } from "vitest";
import type { RawPinned } from "../src/channel-browser/pins";
import { Rpc, RpcError } from "../src/core/rpc";
import { type Payload, type Ref, StaticKernel } from "../src/page/kernel";

const ABSENT = { title: "Not in this page", message: "left out", hint: "write it again" };
const KERNELLESS = { title: "This page only remembers", message: "no network", hint: "" };

const bytesOf = (some: number[]) => new Uint8Array(new Float32Array(some).buffer);

/** Two photos, two layers, one rule; the view knows channel 1 only. */
function payload(): Payload {
  const browser: Payload["scenes"][0]["states"] = {};
  for (const photo of ["cat", "dogs"]) {
    for (const layer of ["conv1", "conv2"]) {
      const page = { layer, photo, values: { $blob: 0 } };
      browser[JSON.stringify([photo, layer, "linear"])] = { _page: page, error: {} };
    }
  }
  return {
    parts: [
      { name: "picker", bundle: "p", state: { value: "cat", error: {} } },
      { name: "layers", bundle: "l", state: { value: "conv2", error: {} } },
      {
        name: "browser",
        bundle: "b",
        state: { layer: "conv2", rule: "linear", active: 1, _page: {}, error: {} },
      },
      { name: "view", bundle: "v", state: { channel: 1, shown: "", error: {} } },
    ],
    bundles: {},
    links: [
      [
        ["layers", "value"],
        ["browser", "layer"],
      ],
      [
        ["browser", "active"],
        ["view", "channel"],
      ],
    ],
    starts: [
      {
        set: ["browser", "active"],
        when: "layers.value",
        by: [
          ["picker", "value"],
          ["layers", "value"],
        ],
        values: { '["cat","conv1"]': 7, '["cat","conv2"]': 1 },
      },
    ],
    scenes: [
      {
        part: "browser",
        by: [
          ["picker", "value"],
          ["browser", "layer"],
          ["browser", "rule"],
        ],
        states: browser,
      },
      {
        part: "view",
        by: [["view", "channel"]],
        states: { "[1]": { shown: "one", error: {} } },
        otherwise: { by: [["picker", "value"]], states: { '["cat"]': { shown: "photo alone" } } },
      },
    ],
    sheets: {
      browser: {
        5: [
          { head: { ids: [0, 1] }, blobs: [0] },
          { head: { ids: [2] }, blobs: [1] },
        ],
      },
    },
    absent: ABSENT,
    kernelless: KERNELLESS,
    blobs: [btoa("\x01\x02\x03"), btoa("\xff")],
  };
}

function open(change: (payload: Payload) => void = () => undefined) {
  const content = payload();
  change(content);
  const kernel = new StaticKernel(content);
  const model = (name: string) => {
    const found = kernel.models.get(name);
    if (!found) throw new Error(name);
    return found;
  };
  const set = (name: string, trait: string, value: unknown) => {
    model(name).set(trait, value);
    model(name).save_changes();
  };
  return { model, set };
}

describe("a page without a kernel", () => {
  it("begins with the scene of its traits, bytes in their place", () => {
    const { model } = open();
    const page = model("browser").get("_page") as { layer: string; values: DataView };
    expect(page.layer).toBe("conv2");
    expect([page.values.getUint8(0), page.values.byteLength]).toEqual([1, 3]);
    expect(model("view").get("shown")).toBe("one");
  });

  it("follows a choice through all parts, and says it to each once", () => {
    const { model, set } = open();
    let told = 0;
    model("browser").on("change:_page", () => {
      told += 1;
    });
    set("layers", "value", "conv1");
    expect(model("browser").get("_page")).toMatchObject({ layer: "conv1", photo: "cat" });
    expect(model("view").get("channel")).toBe(7);
    set("picker", "value", "dogs");
    expect(model("browser").get("_page")).toMatchObject({ layer: "conv1", photo: "dogs" });
    expect(told).toBe(2);
  });

  it("says what was left out, and takes it back when something is there again", () => {
    const { model, set } = open();
    set("browser", "active", 3);
    expect(model("view").get("error")).toEqual(ABSENT);
    expect(model("view").get("shown")).toBe("photo alone");
    set("browser", "active", 1);
    expect(model("view").get("error")).toEqual({});
    expect(model("view").get("shown")).toBe("one");
  });

  it("refuses a setting that was not recorded and goes back to the last one", () => {
    const { model, set } = open();
    set("browser", "rule", "guided");
    expect(model("browser").get("rule")).toBe("linear");
    expect(model("browser").get("error")).toEqual(ABSENT);
    expect(model("browser").get("_page")).toMatchObject({ layer: "conv2" });
    set("layers", "value", "conv1");
    expect(model("browser").get("error")).toEqual({});
  });

  it("sets on one side what another follows, and never undoes the choice itself", () => {
    const { model, set } = open((payload) => {
      const table = { "[1]": 5, "[2]": 6 };
      const by: Ref[] = [["view", "channel"]];
      payload.parts.push({ name: "other", bundle: "v", state: { channel: 0, window: null } });
      payload.starts.push(
        { set: ["other", "channel"], when: "view.channel", by, values: table },
        { set: ["view", "channel"], when: "other.channel", by, values: { "[2]": 1 } },
        {
          set: ["other", "window"],
          when: "view.window",
          by: [["picker", "value"]],
          values: { '["cat"]': true },
          copies: true,
        },
      );
    });
    set("view", "channel", 2);
    expect([model("view").get("channel"), model("other").get("channel")]).toEqual([2, 6]);
    set("view", "window", [0, 0, 9, 9]);
    expect(model("other").get("window")).toEqual([0, 0, 9, 9]);
    set("picker", "value", "dogs");
    set("view", "window", [1, 1, 5, 5]);
    expect(model("other").get("window")).toEqual([0, 0, 9, 9]);
  });

  it("answers questions for tiles with the sheets that have them", async () => {
    const { model } = open();
    const rpc = new Rpc(model("browser") as never);
    const got: [number[], number][] = [];
    const onChunk = (answer: object, [data]: DataView[]) => {
      if (data) got.push([(answer as { ids: number[] }).ids, data.getUint8(0)]);
    };
    await rpc.request("hello");
    await rpc.request("tiles", { ids: [2] }, { epoch: 5, onChunk });
    expect(got).toEqual([[[2], 255]]);
    rpc.dispose();
  });

  it("shows pins of every layer for the photo of now, and goes where a pin leads", async () => {
    const numbers = (some: number[]) => btoa(String.fromCharCode(...bytesOf(some)));
    const { model, set } = open((payload) => {
      const [scene] = payload.scenes;
      payload.blobs = [numbers([0.5, 0, 2]), ...payload.blobs];
      let epoch = 10;
      for (const [key, state] of Object.entries(scene?.states ?? {})) {
        const [, layer] = JSON.parse(key) as string[];
        epoch += 1;
        const strength = { $blob: 0 };
        const measures = { strength, mean: strength, sparsity: strength, energy: strength };
        const map = { map: [1, 1], field: [3, 3], jump: [1, 1], offset: [0, 0] };
        state["_page"] = { epoch, layer, count: 3, measures, places: { $blob: 0 }, ...map };
        const head = { ids: [0, 1, 2], columns: 3, tile: [1, 1] as [number, number] };
        const sheets = payload.sheets["browser"];
        if (sheets) sheets[epoch] = [{ head, blobs: [epoch % 2] }];
      }
    });
    const pins = [
      { layer: "conv1", channel: 2 },
      { layer: "conv2", channel: 1 },
      { layer: "conv9", channel: 1 },
    ];
    set("browser", "pins", pins);
    const shown = () => model("browser").get("_pinned") as RawPinned;
    expect(shown().pins.map(({ value, sheet }) => [value, sheet])).toEqual([
      [2, 0],
      [0, 1],
      [undefined, null],
    ]);
    const before = shown();
    set("picker", "value", "dogs");
    expect(shown().epoch).not.toBe(before.epoch);
    expect(shown().sheets).toHaveLength(2);
    set("picker", "value", "cat");
    const rpc = new Rpc(model("browser") as never);
    await rpc.request("visit", { layer: "conv1", channel: 2 });
    expect(model("layers").get("value")).toBe("conv1");
    expect(model("browser").get("active")).toBe(2);
    set("browser", "pins", []);
    expect(shown().pins).toEqual([]);
    rpc.dispose();
  });

  it("says that nothing can be computed", async () => {
    const { model } = open();
    const rpc = new Rpc(model("picker") as never);
    const refusal = await rpc.request("upload", { name: "mine.png" }).catch((reason) => reason);
    expect(refusal).toBeInstanceOf(RpcError);
    expect((refusal as RpcError).detail).toEqual(KERNELLESS);
    rpc.dispose();
  });
});
