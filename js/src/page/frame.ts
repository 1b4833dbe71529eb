/**
 * A page in a frame of somebody's article: it says how tall it is and what it shows, and shows what it is asked
 * for. The other end is js/src/article/index.ts, or an `onload` of the frame (zfwidgets/widgets/export/frame.py).
 *
 *     from the page: {zf: "ready"} once; {zf: "height", height} in CSS pixels; {zf: "state", state}, from "#" on
 *     to the page: {zf: "hello"}, answered by height and state; {zf: "show", state?, parts?}
 */

/** The address of an Inspector's page. */
export interface Places {
  readonly text: string;
  show(text: string): void;
  onchange: (text: string) => void;
}

export function framed(places: Places | undefined): void {
  const around = window.parent;
  if (around === window) return;
  const root = document.documentElement;
  root.dataset["framed"] = "";
  // Anyone's article may hold the page, and nothing that is told is a secret of somebody's.
  const tell = (message: object) => around.postMessage(message, "*");
  const height = () => {
    const { bottom } = document.body.getBoundingClientRect();
    tell({ zf: "height", height: Math.ceil(bottom + window.scrollY) });
  };
  const state = (text: string) => tell({ zf: "state", state: text });
  if (places) places.onchange = state;
  new ResizeObserver(height).observe(document.body);
  window.addEventListener("message", ({ source, data }: MessageEvent<unknown>) => {
    if (source !== around || typeof data !== "object" || data === null) return;
    const { zf, state: wanted, parts } = data as Record<string, unknown>;
    if (zf === "hello") {
      height();
      if (places) state(places.text);
    } else if (zf === "show") {
      if (typeof wanted === "string") places?.show(wanted);
      if (Array.isArray(parts)) only(parts);
    }
  });
  tell({ zf: "ready" });
}

/** Show these parts alone, without the words around them. */
function only(parts: unknown[]): void {
  const places = [...document.querySelectorAll<HTMLElement>("[data-part]")];
  const named = places.filter((place) => parts.includes(place.dataset["part"]));
  if (named.length === 0) return;
  for (const place of places) place.hidden = !named.includes(place);
  document.documentElement.dataset["framed"] = "parts";
}
