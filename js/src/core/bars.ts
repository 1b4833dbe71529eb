/** Shares as bars with a tick for the value that they are compared with; colour only adds to length. */
import { h, setText } from "./dom";

export interface Bar {
  label: string;
  /** From 0 to 1, the length of the bar. */
  share: number;
  /** Where the tick stands, from 0 to 1; null: none. */
  tick: number | null;
  /** The value in words. */
  text: string;
}

/** "62 %", and never "0 %" or "100 %" for what is neither. */
export function percent(p: number): string {
  const rounded = Math.round(p * 100);
  if (rounded === 0 && p > 0) return "<1 %";
  if (rounded === 100 && p < 1) return ">99 %";
  return `${rounded} %`;
}

const clip = (value: number) => String(Math.max(0, Math.min(1, value)));

/** A list of bars; `show` redraws in place. Its style is core/bars.css. */
export class Bars {
  readonly element: HTMLElement;

  constructor(name: string) {
    this.element = h("ul", { class: "zf-bars", "aria-label": name });
  }

  show(bars: readonly Bar[]): void {
    while (this.element.childElementCount < bars.length) this.element.append(row());
    while (this.element.childElementCount > bars.length) this.element.lastElementChild?.remove();
    bars.forEach((bar, i) => {
      const item = this.element.children[i] as HTMLElement;
      const [label, value] = item.querySelectorAll("bdi, small");
      if (label) setText(label, bar.label);
      if (value) setText(value, bar.text);
      item.style.setProperty("--zf-share", clip(bar.share));
      item.style.setProperty("--zf-tick", clip(bar.tick ?? 0));
      item.toggleAttribute("data-ticked", bar.tick !== null);
    });
  }
}

function row(): HTMLElement {
  return h(
    "li",
    { class: "zf-bar" },
    h("span", { class: "zf-bar-text" }, h("bdi"), h("small")),
    h("span", { class: "zf-bar-track", "aria-hidden": "true" }),
  );
}
