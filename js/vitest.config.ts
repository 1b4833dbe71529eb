/** Unit tests run in jsdom; what needs a real browser is tested from Python with Chromium. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "jsdom",
    // Each file in a context of its own, whose timers end with it; jsdom is read once for all.
    pool: "vmThreads",
    include: ["test/**/*.test.ts"],
    css: { include: [/\.css\?raw$/] }, // sheets read as text; others are empty
  },
});
