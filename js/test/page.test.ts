import { describe, expect, it } from "vitest";
import { brief, Page, type RawPage } from "../src/channel-browser/page";
import { bytesOf, floatsOf, intsOf } from "../src/core/wire";

/** A view at an odd offset in a larger buffer, as hosts hand them out. */
function offset(data: ArrayBuffer): DataView {
  const room = new Uint8Array(data.byteLength + 9);
  room.set(new Uint8Array(data), 5);
  return new DataView(room.buffer, 5, data.byteLength);
}

const raw = (values: number[], rest: Partial<RawPage> = {}): RawPage => ({
  epoch: 1,
  layer: "conv4",
  mode: "feature map",
  rule: "deconvnet",
  count: values.length,
  map: [13, 13],
  native: [13, 13],
  note: "",
  labels: [],
  values: offset(new Float32Array(values).buffer),
  places: offset(new Int32Array(values.flatMap((_, i) => [i, 2 * i])).buffer),
  sheet: null,
  picture: null,
  ...rest,
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

  it("measures strength against the layer's strongest", () => {
    expect([0, 1, 2].map((id) => page.share(id))).toEqual([0.25, 1, 0]);
  });

  it("names channels for the eye and for the ear", () => {
    expect(page.name(0)).toBe("channel 0, strength 0.5");
    expect(page.name(2)).toBe("channel 2, silent");
    expect(page.describe(3)).toBe("channel 3 · strength 2 · row 3, column 6");
  });

  it("of a fully connected layer has names but no places", () => {
    const classes = new Page(raw([1, 3], { map: [1, 1], labels: ["tabby", "tiger cat"] }));
    expect(classes.describe(1)).toBe("channel 1 (tiger cat) · strength 3");
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
    expect(logits.name(0)).toBe("channel 0, strength -1");
  });
});

it("numbers are brief", () => {
  const told = [0, 0.8214, 12.345, 1310.2, 0.000123, 4.5e7, -2.346].map(brief);
  expect(told).toEqual(["0", "0.821", "12.3", "1310", "1.2e-4", "4.5e+7", "-2.35"]);
});
