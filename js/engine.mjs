/**
 * Bundles the engine into one file, the worker's script inside as text.
 *
 * `node engine.mjs FILE` gives a classic script that defines `zfEngine`, for pages opened from a disk;
 * `node engine.mjs FILE.mjs` gives a module for node, which works in its own thread.
 */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));

const common = {
  bundle: true,
  target: "es2022",
  charset: "utf8",
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "none",
};

/** `import code from "worker:./worker"`: the module as the text of a classic worker. */
export const workerText = {
  name: "worker-text",
  setup(build) {
    build.onResolve({ filter: /^worker:/ }, ({ path, resolveDir }) => ({
      path: join(resolveDir, `${path.slice("worker:".length)}.ts`),
      namespace: "worker-text",
    }));
    build.onLoad({ filter: /.*/, namespace: "worker-text" }, async ({ path }) => {
      const { outputFiles } = await esbuild.build({
        ...common,
        minifyIdentifiers: true,
        entryPoints: [path],
        format: "iife",
        write: false,
      });
      return { contents: outputFiles[0].text, loader: "text" };
    });
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const outfile = process.argv[2];
  const node = outfile.endsWith(".mjs");
  await esbuild.build({
    ...common,
    entryPoints: [join(here, "src", "engine", node ? "local.ts" : "index.ts")],
    outfile,
    plugins: [workerText],
    logLevel: "warning",
    ...(node ? { format: "esm" } : { format: "iife", globalName: "zfEngine" }),
  });
}
