/** What a network takes the picture for: a class with its probability, over a bar of that length. */
import { percent } from "./bars";
import { h } from "./dom";

export interface Guess {
  label: string;
  p: number;
}

/** One entry of a list of classes; its style is guesses.css. */
export function guess({ label, p }: Guess): HTMLElement {
  const bar = h("span", { class: "zf-guess-bar", "aria-hidden": "true" });
  bar.style.setProperty("--zf-p", String(Math.max(0, Math.min(1, p))));
  return h(
    "li",
    { class: "zf-guess", title: `${label}: ${percent(p)}` },
    h("span", { class: "zf-guess-text" }, h("bdi", {}, label), " ", h("small", {}, percent(p))),
    bar,
  );
}
