// @vitest-environment node
/** The service worker of a site: what it keeps when the site is written anew. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const SCOPE = "https://school.example/site/";
const WEIGHTS = "files/alexnet-weights-0123456789.js";
const QUIZ = "files/alexnet-quiz-0123456789.js";

interface Kept {
  ok: boolean;
  hash: string;
}
interface Asked {
  url: string;
  integrity: string;
}
interface Site {
  version: string;
  files: Record<string, string>;
  later: string[];
}

/** The browser's stores by their names, and whether there is a connection. */
const stores = new Map<string, Map<string, Kept>>();
let online = true;
/** Whether the browser has room for a file that one store hands to another. */
let room = true;

class Store {
  readonly #files: Map<string, Kept>;

  constructor(name: string) {
    this.#files = stores.get(name) ?? new Map();
    stores.set(name, this.#files);
  }

  async match({ url }: Asked) {
    return this.#files.get(url);
  }

  async put({ url }: Asked, file: Kept) {
    if (!room) throw new DOMException("no room", "QuotaExceededError");
    this.#files.set(url, file);
  }

  async add({ url, integrity }: Asked) {
    if (!online) throw new TypeError("Failed to fetch");
    this.#files.set(url, { ok: true, hash: integrity });
  }

  async addAll(asked: Asked[]) {
    for (const one of asked) await this.add(one);
  }
}

beforeEach(() => {
  stores.clear();
  [online, room] = [true, true];
  vi.stubGlobal("registration", { scope: SCOPE });
  vi.stubGlobal("caches", {
    open: async (name: string) => new Store(name),
    keys: async () => [...stores.keys()],
    delete: async (name: string) => stores.delete(name),
  });
});

afterEach(() => vi.unstubAllGlobals());

/** A worker of this version of the site; what it does with each of its events. */
async function worker(site: Site) {
  const listeners = new Map<string, (event: object) => void>();
  vi.stubGlobal("zfSite", site);
  vi.stubGlobal("addEventListener", (name: string, listener: (event: object) => void) => {
    listeners.set(name, listener);
  });
  vi.resetModules();
  await import("../src/offline/index");
  const on = async (name: string, more: object = {}) => {
    const works: Promise<unknown>[] = [];
    const waitUntil = (work: Promise<unknown>) => works.push(work);
    listeners.get(name)?.({ waitUntil, ...more });
    await Promise.all(works);
  };
  return {
    async start() {
      await on("install");
      await on("activate");
    },
    /** What a page is told that has needed a file. */
    async needed(path: string) {
      const told: unknown[] = [];
      await on("message", { data: path, ports: [{ postMessage: (ok: unknown) => told.push(ok) }] });
      return told;
    },
    async answer(path: string) {
      let answer: Promise<Kept> | undefined;
      const respondWith = (given: Promise<Kept>) => {
        answer = given;
      };
      await on("fetch", { request: { url: SCOPE + path, method: "GET" }, respondWith });
      return answer;
    },
  };
}

const first = {
  version: "1",
  files: { "index.html": "page 1", [WEIGHTS]: "weights", [QUIZ]: "quiz" },
  later: [QUIZ, WEIGHTS],
};
const second = {
  version: "2",
  files: { "index.html": "page 2", [WEIGHTS]: "weights" },
  later: [WEIGHTS],
};

describe("a site that is written anew", () => {
  it("has without a connection what it had kept, where the file is the same", async () => {
    const before = await worker(first);
    await before.start();
    expect([await before.needed(WEIGHTS), await before.needed(QUIZ)]).toEqual([[true], [true]]);
    const after = await worker(second);
    await after.start();
    online = false;
    expect(await after.answer(WEIGHTS)).toMatchObject({ hash: "weights" });
    expect(await after.answer("index.html")).toMatchObject({ hash: "page 2" });
    expect([...stores].map(([name, files]) => [name, files.size])).toEqual([
      [`zfwidgets ${SCOPE} 2`, 2],
    ]);
  });

  it("fetches it again where there was no room for both", async () => {
    const before = await worker(first);
    await before.start();
    await before.needed(WEIGHTS);
    room = false;
    const after = await worker(second);
    await after.start();
    expect([...stores.keys()]).toEqual([`zfwidgets ${SCOPE} 2`]);
    expect(await after.answer(WEIGHTS)).toMatchObject({ hash: "weights" });
  });

  it("says of a file that only the newer version knows that it is not kept", async () => {
    const before = await worker(second);
    await before.start();
    expect(await before.needed(QUIZ)).toEqual([false]);
    online = false;
    expect(await before.needed(WEIGHTS)).toEqual([false]);
  });
});
