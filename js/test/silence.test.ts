// @vitest-environment jsdom
/** A kernel that is silent for a while: what was asked meanwhile is asked again when it speaks. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import channelTexts from "../../zfwidgets/widgets/channel_browser/strings.json";
import exemplarTexts from "../../zfwidgets/widgets/exemplar_browser/strings.json";
import channelBrowser from "../src/channel-browser/index";
import exemplarBrowser from "../src/exemplar-browser/index";
import { bytes, floats, furnish, open } from "./whole-widget";

beforeEach(() => {
  vi.useFakeTimers();
  furnish();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const COUNT = 300;
const strengths = () => floats(Array.from({ length: COUNT }, (_, channel) => channel));

function channels() {
  const page = {
    ...{ epoch: 1, layer: "conv4", mode: "feature map", rule: "deconvnet", count: COUNT },
    ...{ map: [13, 13], native: [13, 13], field: [1, 1], jump: [1, 1], offset: [0, 0] },
    ...{ filters: false, synthesised: false, labels: [], sheet: null, picture: null },
    places: new DataView(new Int32Array(2 * COUNT).buffer),
    measures: Object.fromEntries(
      ["strength", "mean", "sparsity", "energy"].map((name) => [name, strengths()]),
    ),
  };
  return open(channelBrowser, channelTexts, {
    ...{ _page: page, epoch: 1, layer: "conv4", mode: "feature map", rule: "deconvnet" },
    ...{ height: 300, tile_size: 72, sort: "index", show: "all", threshold: 0, inset: true },
    ...{ pins: [], _pinned: {}, selected: [], active: null, hover: null, _photo: {} },
    ...{ status: "ready", without: false, _without: {} },
  });
}

function exemplars() {
  const page = {
    ...{ epoch: 1, layer: "conv4", rule: "deconvnet", count: COUNT, side: 3, k: 9 },
    ...{ native: [32, 32], scanned: 9, complete: true, strength: strengths(), usage: {} },
    sheet: { ids: [], mime: "image/bmp", tile: [1, 1], columns: 1 },
    picture: bytes(),
  };
  return open(exemplarBrowser, exemplarTexts, {
    ...{ _page: page, epoch: 1, layers: ["conv4"], layer: "conv4", rule: "deconvnet" },
    ...{ sort: "index", tile_size: 240, height: 300, active: null, status: "ready", progress: {} },
  });
}

it.each([
  ["channels", channels],
  ["exemplars", exemplars],
])("a grid of %s goes on after a cell that ran for a minute", async (_, start) => {
  const { asked, answer, one } = start();
  await vi.advanceTimersByTimeAsync(100);
  answer("hello");
  const state = () => one(".zf-root").dataset["state"];
  expect([asked("tiles").length > 0, state()]).toEqual([true, "ready"]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(state()).toBe("saved");
  const before = asked("tiles").length;
  answer("hello");
  await vi.advanceTimersByTimeAsync(100);
  expect(state()).toBe("ready");
  expect(asked("tiles").length).toBeGreaterThan(before);
  // However many questions were lost: whether it is there is asked once.
  expect(asked("hello")).toHaveLength(2);
});
