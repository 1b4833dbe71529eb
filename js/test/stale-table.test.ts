// @vitest-environment jsdom
/** A table that stays because the chosen layer cannot be shown: its channels are not that layer's. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import texts from "../../zfwidgets/widgets/channel_browser/strings.json";
import channelBrowser from "../src/channel-browser/index";
import { channelTable, furnish, open } from "./whole-widget";

beforeEach(furnish);
afterEach(() => vi.restoreAllMocks());

/** The table of conv1, and a click on one of its channels. */
function table() {
  const { model, one } = open(channelBrowser, texts, channelTable("conv1", "filter", 12));
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
