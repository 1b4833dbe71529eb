/** Unit tests run in jsdom; what needs a real browser is tested from Python with Chromium. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "jsdom",
    // One document for the files of a worker: to make 37 takes longer than the tests.
    pool: "threads",
    isolate: false,
    include: ["test/**/*.test.ts"],
    css: { include: [/\.css\?raw$/] }, // sheets read as text; others are empty
  },
});
