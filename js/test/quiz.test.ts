// @vitest-environment jsdom
/** The quiz's keys. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import texts from "../../zfwidgets/widgets/quiz/strings.json";
import widget from "../src/quiz/index";
import { bytes, furnish, open } from "./whole-widget";

beforeEach(furnish);
afterEach(() => vi.restoreAllMocks());

/** A question that has been answered. */
async function answered() {
  const sheet = { ids: [0], mime: "image/bmp", tile: [8, 8], columns: 1 };
  const page = open(widget, texts, {
    ...{ at: 0, count: 5, code: "zf1:1", status: "ready" },
    _question: { at: 0, layer: "conv5", channel: 1, credits: [], sheet, data: bytes() },
    _solution: { at: 0, exciting: 0, chosen: 0, values: [1, 0] },
    _score: { rows: [{ layer: "", asked: 1, right: 1, low: 0, high: 1 }] },
  });
  await vi.waitFor(() => expect(page.one(".zf-quiz-body").hidden).toBe(false));
  /** Press Enter; whether that key is left to the browser. */
  const enter = (selector: string) => {
    const event = new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true });
    return page.one(selector).dispatchEvent(event);
  };
  return { ...page, enter };
}

it("Enter goes to the next question, but on the button that copies it copies", async () => {
  const { asked, enter } = await answered();
  expect(enter(".zf-quiz-codes button")).toBe(true);
  expect(asked("go")).toHaveLength(0);
  expect(enter(".zf-quiz-choice")).toBe(false);
  expect(asked("go")).toHaveLength(1);
});
