/**
 * Bundles every src/NAME/index.ts (+ style.css) into ../zfwidgets/widgets/static/NAME.{js,css}.
 *
 * The results are committed, so that `pip install` needs no node; the same input gives the same bytes.
 * One file per widget, because the host evaluates it from a Blob URL where relative imports cannot work.
 */
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { workerText } from "./engine.mjs";

/** The module is sent with every widget and saved with every notebook, hence a ceiling. */
const MAX_BYTES = 60 * 1024;
/** The engine and the exported page's own module are sent with no widget. */
const CEILINGS = { "engine.js": 80 * 1024, "page.js": 80 * 1024 };

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, "src");
const argument = process.argv.indexOf("--outdir");
const outdir =
  argument > 0 ? process.argv[argument + 1] : join(here, "..", "zfwidgets", "widgets", "static");

const entryPoints = readdirSync(source)
  .sort()
  .flatMap((name) => ["style.css", "index.ts"].map((file) => [name, join(source, name, file)]))
  .filter(([, file]) => existsSync(file))
  .map(([name, file]) => ({ in: file, out: name }));

const options = {
  entryPoints,
  outdir,
  bundle: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: true,
  legalComments: "none",
  // UMD code would find RequireJS in exported HTML and register itself instead of loading.
  define: { "define.amd": "false" },
  plugins: [workerText],
  logLevel: "info",
};

if (process.argv.includes("--watch")) {
  const context = await esbuild.context(options);
  await context.watch();
} else {
  await esbuild.build(options);
  for (const file of readdirSync(outdir)) {
    const bytes = statSync(join(outdir, file)).size;
    const ceiling = CEILINGS[file] ?? MAX_BYTES;
    if (bytes > ceiling) {
      console.error(`${file}: ${bytes} bytes, the ceiling is ${ceiling}.`);
      process.exitCode = 1;
    }
    if (!entryPoints.some(({ out }) => file === `${out}.js` || file === `${out}.css`)) {
      console.error(`${file} has no source in js/src: delete it or add the source.`);
      process.exitCode = 1;
    }
  }
}
