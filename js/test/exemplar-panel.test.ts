// @vitest-environment jsdom
/** The panel of one channel: its pictures stand under its own name only. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import texts from "../../zfwidgets/widgets/exemplar_browser/strings.json";
import widget from "../src/exemplar-browser/index";
import { bytes, floats, furnish, open } from "./whole-widget";

beforeEach(furnish);
afterEach(() => vi.restoreAllMocks());

const SHEET = { ids: [0], mime: "image/bmp", tile: [8, 8], columns: 1 };
const wall = (epoch: number) => ({
  ...{ epoch, layer: "conv5", rule: "deconvnet", count: 3, side: 3, k: 9, native: [32, 32] },
  ...{ scanned: 9, complete: true, strength: floats([1, 2, 3]), usage: {}, picture: bytes() },
  sheet: { ...SHEET, ids: [] },
});
const JAY = { facts: [{ id: "jay", row: 1, col: 2, value: 9, outside: false }], ...SHEET };

/** With the pictures of channel 1. */
async function panel() {
  const page = open(widget, texts, {
    ...{ _page: wall(1), epoch: 1, layers: ["conv5"], layer: "conv5", rule: "deconvnet" },
    ...{ sort: "index", tile_size: 240, height: 300, active: 1, status: "ready", progress: {} },
  });
  const pairs = () => [...page.el.querySelectorAll<HTMLElement>(".zf-pair")];
  await vi.waitFor(() => expect(page.asked("panel")).toHaveLength(1));
  page.answer("panel", JAY, [bytes()]);
  await vi.waitFor(() => expect(pairs()).toHaveLength(1));
  return { ...page, pairs };
}

describe("the panel of a channel", () => {
  it("shows none of the channel before, whether its own come or are refused", async () => {
    const { model, one, pairs, refuse } = await panel();
    model.set("active", 2);
    expect(one(".zf-panel-title").textContent).toContain("2");
    expect(pairs()).toEqual([]);
    refuse("panel", "Photo gone");
    await vi.waitFor(() => expect(one(".zf-alert").textContent).toContain("Photo gone"));
    expect(pairs()).toEqual([]);
  });

  it("keeps the focus, and so the arrow keys, from channel to channel", async () => {
    const { model, one, pairs } = await panel();
    pairs()[0]?.focus();
    for (const [key, channel] of [
      ["ArrowRight", 2],
      ["ArrowLeft", 1],
    ] as const) {
      document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      expect(model.get("active")).toBe(channel);
      expect(one(".zf-panel").contains(document.activeElement)).toBe(true);
    }
  });

  it("keeps its pictures while newer ones of the same channel are on their way", async () => {
    const { model, asked, pairs } = await panel();
    model.update({ epoch: 2, _page: wall(2) });
    await vi.waitFor(() => expect(asked("panel")).toHaveLength(2));
    expect(pairs()).toHaveLength(1);
  });
});
