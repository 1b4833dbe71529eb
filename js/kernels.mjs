/**
 * Compiles src/engine/kernels (AssemblyScript) into src/engine/kernel-bytes.ts, twice: with plain SIMD
 * and with relaxed SIMD. The result is committed; test/engine-kernels.test.ts compiles anew and compares.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "src", "engine", "kernel-bytes.ts");

/** The bytes of the kernels, with these features of WebAssembly. */
export async function compile(...features) {
  let binary;
  const { error, stderr } = await asc.main(
    [
      join("src", "engine", "kernels", "index.ts"),
      ...["-O3", "--converge", "--runtime", "stub", "--noAssert", "--importMemory"],
      ...["--disableWarning", "112", "--outFile", "kernels.wasm", "--baseDir", here],
      ...features.flatMap((feature) => ["--enable", feature]),
    ],
    {
      writeFile: (_name, contents) => {
        binary = contents;
      },
    },
  );
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
  return binary;
}

/** The whole text of kernel-bytes.ts. */
async function kernelBytes() {
  const plain = Buffer.from(await compile("simd"));
  const relaxed = Buffer.from(await compile("simd", "relaxed-simd"));
  return [
    "/** Written by `npm run kernels` from kernels/*.ts: WebAssembly as base64. */",
    "",
    `/** With plain SIMD, ${plain.length} bytes. */`,
    "export const PLAIN =",
    `  "${plain.toString("base64")}";`,
    "",
    `/** With relaxed SIMD, ${relaxed.length} bytes. */`,
    "export const RELAXED =",
    `  "${relaxed.toString("base64")}";`,
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, await kernelBytes());
