/** Has the browser keep the whole site, so that it opens without a connection; the page says whether it does. */
import type { SitePayload } from "./payload";

export function keep({ worker, later, texts }: SitePayload): void {
  const line = document.querySelector<HTMLElement>(".zf-page-kept");
  const tell = (state: keyof typeof texts) => {
    document.documentElement.dataset["kept"] = state;
    if (line) line.textContent = texts[state];
  };
  if (location.protocol === "file:") tell("from_disk");
  else if (!window.isSecureContext) tell("insecure");
  else if ("serviceWorker" in navigator) afterwards(() => register(worker, later, tell));
  else tell("not_kept");
}

/** The page's own files first: its photo is waited for, this is not. */
function afterwards(work: () => void): void {
  if (document.readyState === "complete") work();
  else window.addEventListener("load", work, { once: true });
}

async function register(
  address: string,
  later: string[],
  tell: (state: "kept" | "not_kept") => void,
) {
  const container = navigator.serviceWorker;
  try {
    const made = await container.register(address, { updateViaCache: "none" });
    const { installing } = made;
    installing?.addEventListener("statechange", () => {
      if (installing.state === "redundant" && !made.active) tell("not_kept");
    });
    const { active } = await container.ready;
    const kept = await Promise.all(later.map((path) => keptLater(active, path)));
    tell(kept.every(Boolean) ? "kept" : "not_kept");
  } catch {
    tell("not_kept");
  }
}

/** Whether the worker has kept a file that only some pages need. */
function keptLater(worker: ServiceWorker | null, path: string): Promise<boolean> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((done) => {
    port1.onmessage = ({ data }) => done(data === true);
    worker?.postMessage(path, [port2]);
  });
}
