import { describe, expect, it } from "vitest";
import strings from "../../zfwidgets/widgets/channel_browser/strings.json";
import { Page, type RawPage } from "../src/channel-browser/page";
import { Toolbar, type ToolbarActions } from "../src/channel-browser/toolbar";
import { brief, type Key, name, summary, describe as tell } from "../src/channel-browser/words";
import { speaker } from "../src/core/strings";
import { bytesOf, floatsOf, intsOf } from "../src/core/wire";

/** A view at an odd offset in a larger buffer, as hosts hand them out. */
function offset(data: ArrayBuffer): DataView {
  const room = new Uint8Array(data.byteLength + 9);
  room.set(new Uint8Array(data), 5);
  return new DataView(room.buffer, 5, data.byteLength);
}

const english = Object.fromEntries(Object.entries(strings).map(([key, { en }]) => [key, en]));
const korean = Object.fromEntries(Object.entries(strings).map(([key, { ko }]) => [key, ko]));
const say = speaker<Key>(english);

const floats = (values: number[]) => offset(new Float32Array(values).buffer);

const raw = (values: number[], rest: Partial<RawPage> = {}): RawPage => ({
  epoch: 1,
  layer: "conv4",
  mode: "feature map",
  rule: "deconvnet",
  count: values.length,
  map: [13, 13],
  native: [13, 13],
  field: [107, 107],
  jump: [16, 16],
  offset: [-45, -45],
  filters: false,
  synthesised: false,
  labels: [],
  measures: {
    strength: floats(values),
    mean: floats(values.map((_, i) => i)),
    sparsity: floats(values.map((value, i) => (value === 0 ? Number.NaN : 1 - i / 10))),
    energy: floats(values.map((value) => value ** 2)),
  },
  places: offset(new Int32Array(values.flatMap((_, i) => [i, 2 * i])).buffer),
  sheet: null,
  picture: null,
  ...rest,
});

it("offers synthesised pictures where there are some, and keeps a mode that was chosen", () => {
  const actions = Object.fromEntries(
    ["mode", "sort", "show", "rule", "size", "threshold", "inset", "clear", "goTo", "leave"].map(
      (action) => [action, () => false],
    ),
  ) as unknown as ToolbarActions;
  const toolbar = new Toolbar(say, actions, new AbortController().signal);
  const input = toolbar.element.querySelector<HTMLInputElement>("[value=synthesised]");
  const label = input?.closest("label");
  toolbar.setSynthesised(false);
  expect(label?.hidden).toBe(true);
  toolbar.setSynthesised(true);
  expect(label?.hidden).toBe(false);
  expect(label?.textContent).toBe("Synthesised");
  toolbar.setMode("synthesised");
  toolbar.setSynthesised(false);
  expect(label?.hidden).toBe(false);
  expect(input?.checked).toBe(true);
});

it("buffers are read at their offset, whatever it is", () => {
  const numbers = new Float32Array([1.5, -2, 3e9]);
  expect([...floatsOf(offset(numbers.buffer))]).toEqual([...numbers]);
  expect([...intsOf(offset(new Int32Array([-7, 70000]).buffer))]).toEqual([-7, 70000]);
  expect([...bytesOf(offset(new Uint8Array([9, 8]).buffer))]).toEqual([9, 8]);
});

describe("a page", () => {
  const page = new Page(raw([0.5, 2, 0, 2]));

  it("orders by falling strength, equals by number", () => {
    expect(page.order("strength")).toEqual([1, 3, 0, 2]);
    expect(page.order("index")).toEqual([0, 1, 2, 3]);
  });

  it("orders by any measure; a channel without that number comes last", () => {
    expect(page.order("mean")).toEqual([3, 2, 1, 0]);
    expect(page.order("sparsity")).toEqual([0, 1, 3, 2]);
    expect(page.order("energy")).toEqual([1, 3, 0, 2]);
  });

  it("keeps the alive, the dead, or those from a share of the largest on", () => {
    expect(page.order("strength", "alive")).toEqual([1, 3, 0]);
    expect(page.order("index", "dead", 0.9)).toEqual([2]);
    expect(page.order("index", "all", 0.25)).toEqual([0, 1, 3]);
    expect(page.order("index", "all", 0.26)).toEqual([1, 3]);
    expect(page.order("index", "alive", 0)).toEqual([0, 1, 3]);
  });

  it("knows what a neuron sees, and that a silent channel has none", () => {
    expect(page.box(3)).toEqual([3 * 16 - 45, 6 * 16 - 45, 3 * 16 + 62, 6 * 16 + 62]);
    expect(page.box(2)).toBeNull();
    expect(page.place(2)).toBeNull();
  });

  it("measures strength against the layer's strongest", () => {
    expect([0, 1, 2].map((id) => page.share(id))).toEqual([0.25, 1, 0]);
  });

  it("names channels for the eye and for the ear", () => {
    expect(name(say, page, 0)).toBe("channel 0, strength 0.5");
    expect(name(say, page, 2)).toBe("channel 2, silent");
    expect(tell(say, page, 3)).toBe("channel 3 · strength 2 · row 3, column 6");
    expect(tell(speaker<Key>(korean), page, 3)).toBe("채널 3 · 강도 2 · 3행 6열");
  });

  it("says in a line what is shown, with the rule where there is one", () => {
    expect(summary(say, page)).toBe("conv4 · 4 channels · 13 × 13 · feature map");
    const placed = new Page(raw([1], { mode: "in place" }));
    expect(summary(say, placed)).toBe("conv4 · 1 channel · 13 × 13 · in place, deconvnet");
  });

  it("of a fully connected layer has names but no places", () => {
    const classes = new Page(raw([1, 3], { map: [1, 1], labels: ["tabby", "tiger cat"] }));
    expect(tell(say, classes, 1)).toBe("channel 1 (tiger cat) · strength 3");
    expect(classes.find("tiger")).toBe(1);
  });

  it("finds channels by number, and says when there is none", () => {
    expect(page.find(" 3 ")).toBe(3);
    for (const text of ["4", "", "-1", "1.5", "dog"]) expect(page.find(text)).toBeNull();
  });

  it("is none while the trait is empty", () => {
    expect(Page.read({})).toBeNull();
  });

  it("with negative values only has no bars, but says the values", () => {
    const logits = new Page(raw([-1, -0.25]));
    expect(logits.share(0)).toBe(0);
    expect(logits.order("index", "alive", 0)).toEqual([0, 1]);
    expect(name(say, logits, 0)).toBe("channel 0, strength -1");
  });
});

it("numbers are brief", () => {
  const told = [0, 0.8214, 12.345, 1310.2, 0.000123, 4.5e7, -2.346].map(brief);
  expect(told).toEqual(["0", "0.821", "12.3", "1310", "1.2e-4", "4.5e+7", "-2.35"]);
});
