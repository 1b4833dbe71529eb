// @vitest-environment jsdom
/** A page with an engine: whose maps are shown under whose name, and what is said of a photo it cannot look at. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Engine } from "../src/engine/engine";
import { Album } from "../src/page/album";
import { StaticKernel } from "../src/page/kernel";
import { Live } from "../src/page/live";
import type { EnginePayload, Payload } from "../src/page/payload";

const PHOTOS = ["cat", "dog", "own"];
const SIDE = 4;

/** Pictures that are still to be decoded; without, they are at once. */
let decoding: Promise<void> | null = null;
/** Left edges from which squares were cut. */
const cut: number[] = [];

/** A photo is as many bytes as its place in the gallery says, and all its pixels have that value. */
beforeEach(() => {
  decoding = null;
  cut.length = 0;
  vi.stubGlobal(
    "Image",
    class {
      readonly naturalWidth = SIDE;
      readonly naturalHeight = SIDE;
      onload = () => {};
      set src(_: string) {
        queueMicrotask(() => this.onload());
      }
    },
  );
  vi.stubGlobal("createImageBitmap", async ({ size }: Blob) => {
    await decoding;
    return { width: SIDE, height: SIDE, value: size };
  });
  Object.assign(URL, { createObjectURL: () => "blob:", revokeObjectURL: () => {} });
  let value = 0;
  const context = {
    drawImage: (image: { value: number }, left: number) => {
      value = image.value;
      cut.push(left);
    },
    getImageData: (_x: number, _y: number, width: number, height: number) => ({
      data: new Uint8ClampedArray(4 * width * height).fill(value),
    }),
  };
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(() => context as never);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

/** Takes every photo for what it is, but those that it fails on. */
function engine(failing: readonly string[] = []): Engine {
  const preparation = { size: SIDE, mean: [0, 0, 0], std: [1, 1, 1], scale: 255, channels: "RGB" };
  return {
    graph: { preparation, layers: [{ name: "conv1", node: 0 }], logits: 1 },
    prepare: async ({ data }: { data: Uint8ClampedArray }) =>
      new Float32Array(3 * SIDE * SIDE).fill(data[0] as number),
    record: async ([value]: Float32Array) => {
      const name = PHOTOS[(value as number) - 1] as string;
      if (failing.includes(name)) throw new Error("out of memory");
      return {
        featureMaps: async () => new Float32Array(8),
        strongest: async () => [0, 1].map((channel) => ({ channel, row: 0, col: 0, value: 1 })),
        topClasses: async () => [[name, 1]],
      };
    },
  } as unknown as Engine;
}

/** Three photos, of which the cat was recorded when the page was written. */
function payload(): Payload {
  const bytes = (count: number) => btoa("\0".repeat(count));
  const ready = { status: "ready", error: {} };
  const cat = { classes: [{ label: "cat, recorded", p: 1 }], ...ready };
  return {
    parts: [
      {
        name: "picker",
        bundle: "",
        state: {
          value: "cat",
          crop: null,
          items: PHOTOS.map((id) => ({ id, label: id, credit: "" })),
          recent: [],
        },
      },
      { name: "head", bundle: "", state: { classes: [], ...ready } },
    ],
    bundles: {},
    links: [],
    starts: [],
    scenes: [
      {
        part: "head",
        by: [
          ["picker", "value"],
          ["picker", "crop"],
        ],
        states: { '["cat",null]': cat },
      },
    ],
    sheets: {},
    absent: { title: "", message: "", hint: "" },
    kernelless: { title: "", message: "", hint: "" },
    blobs: [bytes(1), bytes(2), bytes(3), bytes(768)],
  };
}

function open(opening: Promise<Engine>) {
  const own = {
    graph: { layers: [] },
    layers: {},
    photos: { cat: { $blob: 0 }, dog: { $blob: 1 }, own: { $blob: 2 } },
    filters: {},
    heat: { $blob: 3 },
    signed: { $blob: 3 },
    texts: { engine_title: "It cannot" },
  } as unknown as EnginePayload;
  const kernel = new StaticKernel(payload(), (host) => new Live(host, own, opening));
  const choose = (photo: string) => {
    kernel.model("picker").set("value", photo);
    kernel.model("picker").save_changes();
  };
  const head = (trait: string) => kernel.model("head").get(trait);
  const chosen = () => kernel.model("picker").get("value");
  /** Waits for the next error. */
  const said = () =>
    new Promise<void>((done) => {
      kernel.model("head").on("change:error", () => done());
    });
  return { choose, head, chosen, said };
}

function later<T>(): [Promise<T>, (value: T) => void] {
  let done: (value: T) => void = () => {};
  return [
    new Promise<T>((resolve) => {
      done = resolve;
    }),
    done,
  ];
}

/** Everything that waits for nothing more has happened. */
const settled = () => new Promise((done) => setTimeout(done));

describe("a photo that is chosen while the engine opens", () => {
  it("never lends its name to the one that is chosen when it is there", async () => {
    const [opening, ready] = later<Engine>();
    const { choose, head } = open(opening);
    choose("dog");
    choose("cat");
    ready(engine());
    await settled();
    expect(head("classes")).toEqual([{ label: "cat, recorded", p: 1 }]);
    choose("dog");
    await vi.waitFor(() => expect(head("classes")).toEqual([{ label: "dog", p: 1 }]));
  });

  it("nor where it is chosen again while the other one is decoded", async () => {
    const [opening, ready] = later<Engine>();
    const { choose, head } = open(opening);
    choose("dog");
    choose("cat");
    const [slow, decoded] = later<void>();
    decoding = slow;
    ready(engine());
    await settled();
    choose("dog");
    decoded();
    await vi.waitFor(() => expect(head("classes")).toEqual([{ label: "dog", p: 1 }]));
  });
});

describe("an album", () => {
  it("prepares the square that was chosen when it was asked", async () => {
    const traits: Record<string, unknown> = {
      items: [{ id: "dog", label: "dog", credit: "" }],
      value: "dog",
      crop: [0, 2, 2],
    };
    const shelf = { get: (name: string) => traits[name], set: () => {} };
    const album = new Album(shelf, { dog: new Blob(["12"]) }, String, () => Promise.reject());
    const asked = album.inputs(engine());
    traits["crop"] = null;
    await asked;
    expect(cut).toEqual([2]);
  });
});

describe("a photo that the engine cannot look at", () => {
  const refused = { title: "It cannot", message: "out of memory" };

  /** The page, on the dog; `refuse` chooses the photo that fails and waits until the dog is back. */
  async function failing() {
    const page = open(Promise.resolve(engine(["own"])));
    const back = (classes: unknown) =>
      vi.waitFor(() => {
        const { chosen, head } = page;
        expect([head("status"), head("classes"), chosen()]).toEqual(["ready", classes, "dog"]);
      });
    const dog = [{ label: "dog", p: 1 }];
    page.choose("dog");
    await back(dog);
    const refuse = async () => {
      page.choose("own");
      await back(dog);
    };
    return { ...page, refuse };
  }

  it("is left, and why stays there beside the photo from before", async () => {
    const { refuse, head } = await failing();
    await refuse();
    await settled();
    expect(head("error")).toMatchObject(refused);
  });

  it("is said again each time, and no longer once another one is chosen", async () => {
    const { refuse, choose, head } = await failing();
    await refuse();
    choose("cat");
    expect(head("error")).toEqual({});
    choose("dog");
    await vi.waitFor(() => expect(head("classes")).toEqual([{ label: "dog", p: 1 }]));
    expect(head("error")).toEqual({});
    await refuse();
    expect(head("error")).toMatchObject(refused);
  });

  it("is forgotten where another one is chosen before the one from before is back", async () => {
    const { choose, head, chosen, said } = await failing();
    const first = said();
    choose("own");
    await first;
    expect([chosen(), head("status")]).toEqual(["dog", "busy"]);
    choose("cat");
    choose("dog");
    await vi.waitFor(() => expect(head("status")).toBe("ready"));
    expect(head("error")).toEqual({});
  });
});
