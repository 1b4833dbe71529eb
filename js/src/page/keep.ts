/** Has the browser keep the whole site, so that it opens without a connection; the page says whether it does. */
import type { SitePayload } from "./payload";

export function keep({ worker, texts }: SitePayload): void {
  const line = document.querySelector<HTMLElement>(".zf-page-kept");
  const tell = (state: keyof typeof texts) => {
    document.documentElement.dataset["kept"] = state;
    if (line) line.textContent = texts[state];
  };
  if (location.protocol === "file:") tell("from_disk");
  else if (!window.isSecureContext) tell("insecure");
  else if ("serviceWorker" in navigator) afterwards(() => register(worker, tell));
  else tell("not_kept");
}

/** The page's own files first: its photo is waited for, this is not. */
function afterwards(work: () => void): void {
  if (document.readyState === "complete") work();
  else window.addEventListener("load", work, { once: true });
}

async function register(address: string, tell: (state: "kept" | "not_kept") => void) {
  const container = navigator.serviceWorker;
  try {
    const made = await container.register(address, { updateViaCache: "none" });
    const { installing } = made;
    installing?.addEventListener("statechange", () => {
      if (installing.state === "redundant" && !made.active) tell("not_kept");
    });
    await container.ready;
    tell("kept");
  } catch {
    tell("not_kept");
  }
}
