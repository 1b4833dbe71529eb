/**
 * What the engine needs of Python, fetched once a page: the engine's own code, and the weights of each network
 * by their hash, so that a second widget of the same network sends nothing.
 */
import type { Rpc } from "../core/rpc";
import { bytesOf } from "../core/wire";
import type * as engineModule from "../engine";
import type { Graph } from "../engine/graph";

type Module = (typeof engineModule)["default"];

/** Networks whose weights are kept, the latest ones: tens of megabytes each. */
const KEPT = 3;
/** Python may be busy with a cell. */
const PATIENCE = 120_000;

interface Shelf {
  code: Map<string, Promise<Module>>;
  weights: Map<string, Promise<Uint8Array>>;
}

function shelf(): Shelf {
  const page = globalThis as { zfEngineSupplies?: Shelf };
  page.zfEngineSupplies ??= { code: new Map(), weights: new Map() };
  return page.zfEngineSupplies;
}

/** The engine's bundle, by the hash that Python gave. */
export function code(rpc: Rpc, hash: string): Promise<Module> {
  return once(shelf().code, hash, async () => {
    const url = URL.createObjectURL(
      new Blob([await pulled(rpc, "code")], { type: "text/javascript" }),
    );
    try {
      return ((await import(url)) as { default: Module }).default;
    } finally {
      URL.revokeObjectURL(url);
    }
  });
}

/** The weights that the graph was written with. The engine checks their hash. */
export function weights(rpc: Rpc, graph: Graph): Promise<Uint8Array> {
  return once(shelf().weights, graph.weights.sha256, () => pulled(rpc, "weights"));
}

async function pulled(rpc: Rpc, op: string): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  await rpc.request(
    op,
    {},
    { timeout: PATIENCE, onChunk: (_, buffers) => pieces.push(...buffers.map(bytesOf)) },
  );
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}

function once<T>(map: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const found = map.get(key) ?? make();
  map.delete(key);
  map.set(key, found); // the latest last
  found.catch(() => {
    // Whoever waited for it may have begun anew.
    if (map.get(key) === found) map.delete(key);
  });
  const [oldest] = map.keys();
  if (map.size > KEPT && oldest !== undefined) map.delete(oldest);
  return found;
}
