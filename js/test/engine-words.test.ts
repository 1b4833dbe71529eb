/// <reference types="vite/client" />
/** What the engine says: the same in both halves, and in the page's language. */
import { expect, test } from "vitest";
import strings from "../../zfwidgets/widgets/page_engine/strings.json";
import { explained, inWords } from "../src/engine/said";
import { ENGLISH, EngineError, NoGpu } from "../src/engine/words";

const KOREAN = Object.fromEntries(Object.entries(strings).map(([key, { ko }]) => [key, ko]));
const SOURCES = Object.values<string>(
  import.meta.glob(["../src/engine/**/*.ts", "!../src/engine/words.ts"], {
    query: "?raw",
    import: "default",
    eager: true,
  }),
);

test("every message of the engine is there in every language, and no other", () => {
  const english = Object.fromEntries(Object.entries(strings).map(([key, { en }]) => [key, en]));
  expect(english).toEqual(ENGLISH);
  for (const key of Object.keys(ENGLISH)) expect(KOREAN[key]).toMatch(/[가-힣]/);
});

test("every message is said somewhere, by its key", () => {
  const said = (key: string) => SOURCES.some((text) => text.includes(`"${key}"`));
  expect(SOURCES.length).toBeGreaterThan(20);
  expect(Object.keys(ENGLISH).filter((key) => !said(key))).toEqual([]);
});

test("an error says in English what was given, unless a page has other words", () => {
  const error = new EngineError("memory", { megabytes: 512 });
  expect(error.message).toContain("refused the engine 512 MB");
  expect(inWords(error, KOREAN)).toContain("메모리 512 MB");
  expect(explained(error, KOREAN)).toBe(inWords(error, KOREAN));
  expect(explained(new NoGpu("gpu_none"), {})).toBe(ENGLISH.gpu_none);
});

test("an error of another bundle is known by its key, any other says its own words", () => {
  const other = Object.assign(new Error("in English"), {
    key: "no_classes",
    values: { net: "zfnet" },
  });
  expect(explained(other, KOREAN)).toBe(KOREAN["no_classes"]?.replace("{net}", "zfnet"));
  expect(explained(new RangeError("Invalid array length"), KOREAN)).toBe("Invalid array length");
  expect(explained({ key: "constructor", values: {} }, KOREAN)).toBe("[object Object]");
  expect(explained(undefined, KOREAN)).toBe("undefined");
});
