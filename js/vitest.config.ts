/** Unit tests run in jsdom; what needs a real browser is tested from Python with Chromium. */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "jsdom",
    include: ["test/**/*.test.ts"],
    css: { include: [/\.css\?raw$/] }, // sheets read as text; others are empty
  },
});
