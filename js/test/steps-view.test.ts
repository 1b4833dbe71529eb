// @vitest-environment jsdom
/** The way back, step by step: playing ends where the way ends, and an error with the next good answer. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import texts from "../../zfwidgets/widgets/steps_view/strings.json";
import widget from "../src/steps-view/index";
import { bytes, furnish, open } from "./whole-widget";

beforeEach(() => {
  vi.useFakeTimers();
  furnish();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const SHEET = { ids: [0], mime: "image/bmp", tile: [8, 8], columns: 1 };
const SIDE = { ...SHEET, full: 1, part: null };
const SIDES = { before: SIDE, after: SIDE, switches: null };

const plan = (count: number, epoch = 1) => ({
  ...{ net: "alexnet", layer: `conv${count}`, channel: 0, row: 0, col: 0, value: 1, epoch },
  ...{ sheet: SHEET, data: bytes() },
  steps: Array.from({ length: count }, (_, index) => ({
    ...{ name: `filter${index}`, layer: "conv", kind: "filter", off: false, optional: false },
    ...{ before: [1, 1, 1], after: [1, 1, 1], zeros: [0, 0], negative: 0, kernel: [1, 1] },
  })),
});

function steps(count: number) {
  const page = open(widget, texts, {
    ...{ rule: "deconvnet", off: [], step: 0, status: "ready", _plan: plan(count) },
  });
  const buttons = [...page.el.querySelectorAll("button")];
  const play = buttons.find(({ textContent }) => textContent === texts.play.en);
  if (!play) throw new Error("no button to play");
  return { ...page, play, alert: page.one(".zf-alert") };
}

describe("playing", () => {
  it("ends at the last step", async () => {
    const { model, play } = steps(3);
    play.click();
    expect(play.textContent).toBe(texts.pause.en);
    await vi.advanceTimersByTimeAsync(10_000);
    expect([model.get("step"), play.textContent]).toEqual([2, texts.play.en]);
  });

  it("ends at the last step of a shorter way that has come meanwhile", async () => {
    const { model, play } = steps(12);
    play.click();
    await vi.advanceTimersByTimeAsync(2000);
    model.set("_plan", plan(4, 2));
    await vi.advanceTimersByTimeAsync(10_000);
    expect([model.get("step"), play.textContent]).toEqual([3, texts.play.en]);
    const saves = model.saves;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(model.saves).toBe(saves);
  });
});

describe("an error of a step", () => {
  it("goes when a step is there again", async () => {
    const { model, alert, answer, refuse } = steps(3);
    refuse("step", "Out of memory");
    await vi.advanceTimersByTimeAsync(10);
    expect([alert.hidden, alert.textContent]).toEqual([false, "Out of memory"]);
    model.set("step", 1);
    answer("step", SIDES, [bytes(), bytes()]);
    await vi.advanceTimersByTimeAsync(10);
    expect(alert.hidden).toBe(true);
  });

  it("stays when the step before is drawn late", async () => {
    const decoding: ((image: object) => void)[] = [];
    const { model, alert, answer, refuse } = steps(3);
    vi.stubGlobal("createImageBitmap", () => new Promise((resolve) => decoding.push(resolve)));
    answer("step", SIDES, [bytes(), bytes()]);
    await vi.advanceTimersByTimeAsync(10);
    model.set("step", 1);
    refuse("step", "Out of memory");
    for (const done of decoding) done({ close() {} });
    await vi.advanceTimersByTimeAsync(10);
    expect(alert.hidden).toBe(false);
  });
});
