// @vitest-environment jsdom
/** Pictures are asked for while they can be seen, and what is seen is what was told last. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import texts from "../../zfwidgets/widgets/channel_browser/strings.json";
import channelBrowser from "../src/channel-browser/index";
import { channelTable, furnish, open } from "./whole-widget";

let told: (seen: boolean[]) => void;

beforeEach(() => {
  furnish();
  class Sight {
    constructor(callback: (entries: { isIntersecting: boolean }[]) => void) {
      told = (seen) => callback(seen.map((isIntersecting) => ({ isIntersecting })));
    }
    observe() {}
    disconnect() {}
  }
  vi.stubGlobal("IntersectionObserver", Sight);
});
afterEach(() => vi.restoreAllMocks());

/** A table whose next page comes once it has been scrolled, and how often its tiles were asked for. */
async function scrolled(seen: boolean[]): Promise<number> {
  const traits = channelTable("conv1", "projection", 12);
  const { model, asked } = open(channelBrowser, texts, traits);
  await vi.waitFor(() => expect(asked("tiles")).toHaveLength(1));
  told(seen);
  model.update({ epoch: 2, _page: { ...traits._page, epoch: 2 } });
  await new Promise((done) => setTimeout(done, 50));
  return asked("tiles").filter(({ epoch }) => epoch === 2).length;
}

it("asks for no pictures once it is out of sight", async () => {
  expect(await scrolled([false])).toBe(0);
});

it("asks for them when it went and came back before it was told", async () => {
  expect(await scrolled([false, true])).toBe(1);
});
