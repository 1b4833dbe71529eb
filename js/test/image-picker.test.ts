// @vitest-environment jsdom
/** The picker's view: whose square is chosen, what is pasted, whose thumbnail is shown. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import core from "../../zfwidgets/widgets/core/strings.json";
import own from "../../zfwidgets/widgets/image_picker/strings.json";
import picker from "../src/image-picker";
import { FakeModel } from "./fake-model";
import { furnish } from "./whole-widget";

const texts = Object.fromEntries(
  Object.entries({ ...core, ...own }).map(([key, languages]) => [key, languages.en]),
);

let leave = () => {};

beforeEach(() => {
  furnish();
  let made = 0;
  Object.assign(URL, { createObjectURL: () => `blob:${++made}`, revokeObjectURL: () => {} });
  Object.assign(HTMLImageElement.prototype, { decode: async () => {} });
});

afterEach(() => {
  leave();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const item = (id: string) => ({ id, label: id, credit: "" });

function open(state: Record<string, unknown> = {}) {
  const model = new FakeModel({
    _strings: texts,
    items: [item("A"), item("B")],
    value: "A",
    crop: null,
    order: "given",
    recent: [],
    left_out: 0,
    disabled: false,
    rows: 0,
    gallery: true,
    _accept: "image/*",
    _seen_note: "",
    _thumbs: null,
    _slots: {},
    _columns: 1,
    _max_bytes: 1e6,
    _share: 1,
    ...state,
  });
  const el = document.createElement("div");
  document.body.replaceChildren(el);
  leave = picker.render({ model, el } as never) as () => void;
  const one = <E extends HTMLElement>(selector: string) => el.querySelector<E>(selector) as E;
  const press = (title: keyof typeof own) => one(`button[title="${texts[title]}"]`).click();
  const asked = (op: string) => model.sent.filter((sent) => sent["op"] === op);
  /** Python answers the question that was the nth of its kind. */
  const answer = (op: string, n: number, body: object) => {
    const envelope = { v: 1, id: asked(op)[n]?.["id"], epoch: 0, ok: true, last: true };
    model.receive({ ...body, ...envelope }, [new DataView(new ArrayBuffer(8))]);
  };
  return { model, one, press, asked, answer };
}

/** Everything that waits for nothing more has happened. */
const settled = () => vi.advanceTimersByTimeAsync(0);

describe("the square of a photo", () => {
  beforeEach(() => vi.useFakeTimers());

  /** The panel, open on photo A of 100 x 100. */
  async function cropping() {
    const opened = open();
    opened.press("crop_title");
    opened.answer("photo", 0, { size: [100, 100] });
    await settled();
    const { one } = opened;
    const type = (key: string) =>
      one(".zf-crop-stage").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    return {
      ...opened,
      type,
      told: () => one(".zf-crop-told").textContent,
      loading: () => one(".zf-crop-stage").classList.contains("zf-crop-loading"),
      photo: () => one<HTMLImageElement>(".zf-crop-photo").src,
    };
  }

  it("stays that of the chosen one where another one was chosen and left before it came", async () => {
    const { model, answer, told, photo, loading, type } = await cropping();
    const [mine, said] = [photo(), told()];
    model.set("value", "B");
    expect(loading()).toBe(true);
    model.set("value", "A");
    expect([photo(), told(), loading()]).toEqual([mine, said, false]);
    answer("photo", 1, { size: [1000, 2000] });
    await settled();
    expect([photo(), told()]).toEqual([mine, said]);
    model.set("value", "B");
    answer("photo", 2, { size: [1000, 2000] });
    model.set("value", "A"); // in the same moment
    await settled();
    expect([photo(), told()]).toEqual([mine, said]);
    type("+");
    await vi.advanceTimersByTimeAsync(1000);
    const [top, left, size] = model.get("crop") as [number, number, number];
    expect(Math.max(top, left) + size).toBeLessThanOrEqual(100);
  });

  it("is asked for anew where another photo's picture was being decoded", async () => {
    const { model, answer, asked, told, loading } = await cropping();
    const said = told();
    let given: (reason: Error) => void = () => {};
    const decoding = new Promise<void>((_, reject) => {
      given = reject;
    });
    vi.spyOn(HTMLImageElement.prototype, "decode").mockReturnValueOnce(decoding);
    model.set("value", "B");
    answer("photo", 1, { size: [1000, 2000] });
    await settled();
    model.set("value", "A");
    expect(loading()).toBe(true);
    answer("photo", 2, { size: [100, 100] });
    await settled();
    given(new DOMException("another address was given", "EncodingError"));
    await settled();
    expect(asked("photo").map((sent) => sent["picture"])).toEqual(["A", "B", "A"]);
    expect([told(), loading()]).toEqual([said, false]);
  });

  it("is not sent for a photo that is still on its way", async () => {
    const { model, type } = await cropping();
    model.set("value", "B");
    type("+");
    await vi.advanceTimersByTimeAsync(1000);
    expect(model.get("crop")).toBeNull();
  });

  it("is shown when the panel was closed before the photo came and is opened again", async () => {
    const { press, answer, asked, told, loading } = await cropping();
    const said = told();
    press("crop_title");
    press("crop_title");
    press("crop_title");
    answer("photo", 1, { size: [100, 100] });
    await settled();
    press("crop_title");
    answer("photo", asked("photo").length - 1, { size: [100, 100] });
    await settled();
    expect([told(), loading()]).toEqual([said, false]);
  });
});

describe("what is pasted", () => {
  /** Paste where the selector leads; whether the browser may do what it does with it. */
  function paste(one: ReturnType<typeof open>["one"], where: string, files: File[]): boolean {
    const event = new Event("paste", { bubbles: true, cancelable: true });
    Object.assign(event, { clipboardData: { files } });
    return one(where).dispatchEvent(event);
  }

  it("is text of the search where it is pasted into the wall's search", () => {
    const { one, press } = open();
    press("wall_title");
    expect(paste(one, ".zf-wall-search", [])).toBe(true);
    expect(one(".zf-notices").textContent).toBe("");
  });

  it("is a picture where it is one, even in the search", async () => {
    const { one, press, asked } = open();
    press("wall_title");
    const picture = new File(["jay"], "jay.png", { type: "image/png" });
    Object.assign(picture, { slice: () => ({ arrayBuffer: async () => new ArrayBuffer(3) }) });
    expect(paste(one, ".zf-wall-search", [picture])).toBe(false);
    await vi.waitFor(() => expect(asked("upload")).toMatchObject([{ name: "jay.png", size: 3 }]));
  });

  it("is said to be no picture anywhere else", () => {
    const { one } = open();
    expect(paste(one, ".zf-gallery", [])).toBe(false);
    expect(one(".zf-notices").textContent).toContain(texts["nothing_pasted"]);
  });
});

describe("a thumbnail", () => {
  /** Everything comes into sight at once. */
  class Sight {
    readonly #sighted: IntersectionObserverCallback;

    constructor(sighted: IntersectionObserverCallback) {
      this.#sighted = sighted;
    }

    observe(target: Element) {
      this.#sighted([{ target, isIntersecting: true }] as never, this as never);
    }
    unobserve() {}
    disconnect() {}
  }

  it("is not that of a picture which had the name before", async () => {
    vi.stubGlobal("IntersectionObserver", Sight);
    const freed = vi.spyOn(URL, "revokeObjectURL");
    const { model, one, asked, answer } = open({ items: [item("cat.jpg")], value: null });
    const shown = () => one(".zf-thumb").style.backgroundImage;
    await vi.waitFor(() => expect(asked("thumbs")).toHaveLength(1));
    answer("thumbs", 0, { item: "cat.jpg" });
    const before = shown();
    expect(before).toContain("blob:1");
    model.set("items", []);
    expect(freed).toHaveBeenCalledWith("blob:1");
    model.set("items", [item("cat.jpg")]);
    expect(shown()).toBe("");
    await vi.waitFor(() => expect(asked("thumbs")).toHaveLength(2));
    answer("thumbs", 1, { item: "cat.jpg" });
    expect(shown()).not.toBe(before);
  });

  it("of a picture that is gone before it comes is left out", async () => {
    vi.stubGlobal("IntersectionObserver", Sight);
    const { model, one, asked, answer } = open({ items: [item("cat.jpg")], value: null });
    await vi.waitFor(() => expect(asked("thumbs")).toHaveLength(1));
    model.set("items", []);
    answer("thumbs", 0, { item: "cat.jpg" });
    model.set("items", [item("cat.jpg")]);
    expect(one(".zf-thumb").style.backgroundImage).toBe("");
  });
});
