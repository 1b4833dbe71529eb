/**
 * The service worker of a site that `zfwidgets site` wrote: it keeps all files of the site in the browser, and
 * answers from there. Python writes the list of them before it, as `zfSite`.
 *
 * A file that does not have the hash with which it was written is not kept: neither a damaged one, nor one of
 * another version. A new version takes over when no page of the old one is open any more, and with it what that one
 * had kept of files that have not changed.
 */

/** Files by their way from the site's folder, with their hashes as in `integrity`. */
interface Site {
  version: string;
  files: Record<string, string>;
  /** Those of them that are kept only when a page needs them. */
  later: string[];
}

/** What of a service worker's own interface is used here. */
interface Lasting extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Asked extends Lasting {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
interface Told extends Lasting {
  readonly data: unknown;
  readonly ports: readonly MessagePort[];
}
interface Worker {
  readonly zfSite: Site;
  readonly registration: { readonly scope: string };
  addEventListener(name: "install" | "activate", listener: (event: Lasting) => void): void;
  addEventListener(name: "fetch", listener: (event: Asked) => void): void;
  addEventListener(name: "message", listener: (event: Told) => void): void;
}

const worker = globalThis as unknown as Worker;
const { version, files, later } = worker.zfSite;
const { scope } = worker.registration;
/** Other sites may share the address's store. */
const mine = `zfwidgets ${scope} `;
const store = () => caches.open(mine + version);

/** To the file itself, and asked anew if the browser's own copy is an old one. */
function request(path: string): Request {
  const integrity = files[path] as string;
  return new Request(new URL(path, scope), { integrity, cache: "no-cache" });
}

async function kept(path: string): Promise<Response> {
  const cache = await store();
  let found = await cache.match(request(path));
  if (!found) {
    await cache.add(request(path)); // needed for the first time, or the browser had thrown it away
    found = await cache.match(request(path));
  }
  if (!found) return Response.error();
  // Some servers send one page on to another address; a page may not be answered by such an answer.
  return found.redirected ? new Response(found.body, { headers: found.headers }) : found;
}

worker.addEventListener("install", (event) => {
  const first = Object.keys(files).filter((path) => !later.includes(path));
  event.waitUntil(store().then((cache) => cache.addAll(first.map(request))));
});

// A page that was opened before the worker was there says what it has needed.
worker.addEventListener("message", (event) => {
  const path = later.find((one) => one === event.data);
  // A page of a newer version may need what this one does not know: the page waits for a word all the same.
  const done = path === undefined ? Promise.resolve(Response.error()) : kept(path);
  const told = done.then(
    ({ ok }) => event.ports[0]?.postMessage(ok),
    () => event.ports[0]?.postMessage(false),
  );
  event.waitUntil(told);
});

worker.addEventListener("activate", (event) => event.waitUntil(takeOver()));

/** From the versions before: the files that only some pages need. Their names carry their hashes. */
async function takeOver(): Promise<void> {
  const cache = await store();
  for (const name of await caches.keys()) {
    if (!name.startsWith(mine) || name === mine + version) continue;
    const old = await caches.open(name);
    for (const path of later) {
      const found = await old.match(request(path));
      // Without room for it, it is fetched anew when a page needs it.
      if (found) await cache.put(request(path), found).catch(() => {});
    }
    await caches.delete(name);
  }
}

worker.addEventListener("fetch", (event) => {
  const { url, method } = event.request;
  const { origin, pathname } = new URL(url);
  const whole = origin + pathname;
  if (method !== "GET" || !whole.startsWith(scope)) return;
  const path = whole.slice(scope.length).replace(/(^|\/)$/, "$1index.html");
  if (Object.hasOwn(files, path)) event.respondWith(kept(path));
});

export {};
