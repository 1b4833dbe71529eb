// @vitest-environment jsdom
/** A table that stays because the chosen layer cannot be shown: its channels are not that layer's. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import texts from "../../zfwidgets/widgets/channel_browser/strings.json";
import channelBrowser from "../src/channel-browser/index";
import { floats, furnish, open } from "./whole-widget";

beforeEach(furnish);
afterEach(() => vi.restoreAllMocks());

const COUNT = 12;
const strengths = () => floats(Array.from({ length: COUNT }, (_, channel) => channel));

/** The table of conv1, and a click on one of its channels. */
function table() {
  const page = {
    ...{ epoch: 1, layer: "conv1", mode: "filter", rule: "deconvnet", count: COUNT },
    ...{ map: [13, 13], native: [13, 13], field: [1, 1], jump: [1, 1], offset: [0, 0] },
    ...{ filters: true, synthesised: false, labels: [], sheet: null, picture: null },
    places: new DataView(new Int32Array(2 * COUNT).buffer),
    measures: Object.fromEntries(
      ["strength", "mean", "sparsity", "energy"].map((name) => [name, strengths()]),
    ),
  };
  const { model, one } = open(channelBrowser, texts, {
    ...{ _page: page, epoch: 1, layer: "conv1", mode: "filter", rule: "deconvnet" },
    ...{ height: 300, tile_size: 72, sort: "index", show: "all", threshold: 0, inset: true },
    ...{ pins: [], _pinned: {}, selected: [], active: null, hover: null, _photo: {} },
    ...{ status: "ready", without: false, _without: {} },
  });
  const click = (channel: number) => one(`[data-channel="${channel}"]`).click();
  return { model, click };
}

it("chooses no channel of the layer that cannot be shown, and again some of one that can", () => {
  const { model, click } = table();
  model.update({ layer: "conv2", status: "busy", epoch: 2 });
  click(3);
  model.update({ status: "error", epoch: 1 });
  click(4);
  expect([model.get("active"), model.get("selected")]).toEqual([null, []]);
  model.update({ layer: "conv1", status: "ready", epoch: 3 });
  click(5);
  expect([model.get("active"), model.get("selected")]).toEqual([5, [5]]);
});

it("chooses channels of a layer that is called by its path", () => {
  const { model, click } = table();
  model.update({ layer: "features.0" });
  click(3);
  expect(model.get("active")).toBe(3);
});
