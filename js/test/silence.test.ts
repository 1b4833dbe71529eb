// @vitest-environment jsdom
/** A kernel that is silent for a while: what was asked meanwhile is asked again when it speaks. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import channelTexts from "../../zfwidgets/widgets/channel_browser/strings.json";
import exemplarTexts from "../../zfwidgets/widgets/exemplar_browser/strings.json";
import channelBrowser from "../src/channel-browser/index";
import { mount } from "../src/core/shell";
import exemplarBrowser from "../src/exemplar-browser/index";
import { FakeModel } from "./fake-model";
import { bytes, channelTable, floats, furnish, open } from "./whole-widget";

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

const channels = () =>
  open(channelBrowser, channelTexts, channelTable("conv4", "feature map", COUNT));

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

it("whether Python is there is told when it changes, not at every message", async () => {
  const answers: boolean[] = [];
  const model = new FakeModel({ _strings: {} });
  let speak = () => {};
  const el = document.createElement("div");
  const leave = mount("x", { model: model as never, el }, ({ rpc, greet }) => {
    speak = () => {
      rpc.request("tiles").catch(() => undefined);
      model.receive({ ...model.sent.at(-1), ok: true, last: true });
    };
    greet((alive) => answers.push(alive));
  });
  speak();
  speak();
  expect(answers).toEqual([true]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(answers).toEqual([true, false]);
  speak();
  speak();
  expect(answers).toEqual([true, false, true]);
  model.tell("comm_live_update");
  speak();
  expect(answers).toEqual([true, false, true]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(answers).toEqual([true, false, true, false]);
  leave();
});
