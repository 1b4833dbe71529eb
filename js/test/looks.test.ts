// @vitest-environment jsdom
/** Looks at another photo than the one that was asked about: Python does not answer them. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import panelTexts from "../../zfwidgets/widgets/invariance_panel/strings.json";
import occlusionTexts from "../../zfwidgets/widgets/occlusion_view/strings.json";
import invariancePanel from "../src/invariance-panel/index";
import occlusionView from "../src/occlusion-view/index";
import { bytes, furnish, open } from "./whole-widget";

beforeEach(() => {
  vi.useFakeTimers();
  furnish();
  vi.stubGlobal("URL", { createObjectURL: () => "blob:1", revokeObjectURL: () => {} });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const LOOK = { p: [0.5], best: "cat", same: true, best_p: 0.5 };

function occlusion() {
  const facts = (label: string) => ({
    ...{ height: 224, width: 224, layer: "conv5", channel: 1, activation: 1 },
    ...{ names: [label], p: [0.5], label, winner: 0, mean: [1, 2, 3] },
  });
  const page = open(occlusionView, occlusionTexts, {
    ...{ size: 32, fill: "grey", place: [0, 0], overlay: "none", scanning: false, progress: 0 },
    ...{ status: "ready", _epoch: 1, _facts: facts("cat"), _photo: bytes(), _maps: {} },
    _palette: new DataView(new ArrayBuffer(768)),
  });
  return {
    ...page,
    look: () => page.answer("look", { ...LOOK, activation: 1 }),
    move: () => page.model.set("place", [8, 8]),
    other: { _epoch: 2, _facts: facts("dog") },
  };
}

function invariance() {
  const facts = (name: string) => ({
    ...{ low: -10, high: 10, step: 1, layers: ["conv1"], colours: ["red"], names: [name], p: [1] },
  });
  const page = open(invariancePanel, panelTexts, {
    ...{ transform: "rotation", value: 0, running: false, progress: 1, status: "ready" },
    ...{ _transforms: ["rotation"], epoch: 1, facts: facts("cat"), photo: null },
  });
  return {
    ...page,
    look: () => page.answer("look", { ...LOOK, value: 0, shares: [0] }),
    move: () => page.model.set("value", 5),
    other: { epoch: 2, facts: facts("dog") },
  };
}

describe.each([
  ["a square", occlusion],
  ["an amount", invariance],
])("a look at %s", (_, start) => {
  /** With all answers there, and what is asked from then on. */
  async function looked() {
    const page = start();
    await vi.advanceTimersByTimeAsync(10);
    let answered = 0;
    for (; answered < page.asked("look").length; answered++) {
      page.look();
      await vi.advanceTimersByTimeAsync(10);
    }
    return { ...page, since: () => page.asked("look").slice(answered) };
  }
  const epochs = (asked: { epoch: number }[]) => asked.map(({ epoch }) => epoch);

  it("does not wait for the answer about the photo before, which is taken back", async () => {
    const { model, asked, since, move, other } = await looked();
    move();
    expect(epochs(since())).toEqual([1]);
    model.update(other);
    await vi.advanceTimersByTimeAsync(10);
    expect(epochs(since())).toEqual([1, 2]);
    expect(asked("cancel").map(({ id }) => id)).toEqual([since()[0]?.id]);
  });

  it("at the new photo stays, whichever of its traits is heard of first", async () => {
    const { model, asked, since, other } = await looked();
    model.update(Object.fromEntries(Object.entries(other).reverse()));
    await vi.advanceTimersByTimeAsync(10);
    expect(epochs(since())).toEqual([2]);
    expect(asked("cancel")).toEqual([]);
  });
});
