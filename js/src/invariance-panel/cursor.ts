/**
 * A line over bqplot's figures beside the panel, and what a hand does there. The figures are siblings
 * in a box that may be made after this view; the plotting area is the rectangle that bqplot draws.
 */
import { h } from "../core/dom";

const AREA = ".plotarea_background";

/** The amount under a place, clipped to the ends of the axis. */
export function amountAt(x: number, left: number, width: number, low: number, high: number) {
  const share = width > 0 ? Math.max(0, Math.min(1, (x - left) / width)) : 0;
  return low + share * (high - low);
}

export class Cursor {
  readonly #root: HTMLElement;
  readonly #lines = new Map<Element, HTMLElement>();
  readonly #moved: (share: number, done: boolean) => void;
  readonly #signal: AbortSignal;
  #share = 0;

  /** `moved` gets the place along the axis, from 0 to 1; `done`: the hand has let go. */
  constructor(
    root: HTMLElement,
    moved: (share: number, done: boolean) => void,
    signal: AbortSignal,
  ) {
    this.#root = root;
    this.#moved = moved;
    this.#signal = signal;
    // The size changes when the box is put on the page, when figures are drawn, and with the window.
    const observer = new ResizeObserver(() => this.#draw());
    const attach = () => {
      const box = root.closest(".zf-invariance-view");
      if (!box) return;
      this.#listen(box);
      observer.observe(box);
      const grown = new MutationObserver(() => this.#draw());
      grown.observe(box, { childList: true, subtree: true });
      signal.addEventListener("abort", () => grown.disconnect(), { once: true });
    };
    requestAnimationFrame(attach);
    signal.addEventListener(
      "abort",
      () => {
        observer.disconnect();
        for (const line of this.#lines.values()) line.remove();
      },
      { once: true },
    );
  }

  /** Put the line at a place along the axis, from 0 to 1. */
  place(share: number): void {
    this.#share = share;
    this.#draw();
  }

  #listen(box: Element): void {
    let held = false;
    const on = (name: "pointerdown" | "pointermove" | "pointerup", done: boolean) =>
      box.addEventListener(
        name,
        (event) => {
          const figure = (event.target as Element).closest(".zf-curve-figure");
          const area = figure?.querySelector(AREA)?.getBoundingClientRect();
          if (!area || !(event instanceof PointerEvent)) return;
          if (name === "pointerdown") held = true;
          // A mouse points; a finger that only passes by scrolls the page.
          if (name === "pointermove" && event.pointerType !== "mouse" && !held) return;
          if (name === "pointerup") held = false;
          this.#moved(amountAt(event.clientX, area.left, area.width, 0, 1), done);
        },
        { signal: this.#signal },
      );
    on("pointerdown", false);
    on("pointermove", false);
    on("pointerup", true);
  }

  #draw(): void {
    const figures = this.#root.closest(".zf-invariance-view")?.querySelectorAll(".zf-curve-figure");
    for (const figure of figures ?? []) {
      const area = figure.querySelector(AREA)?.getBoundingClientRect();
      if (!area) continue;
      let line = this.#lines.get(figure);
      if (!line) {
        line = h("div", { class: "zf-cursor", "aria-hidden": "true" });
        this.#lines.set(figure, line);
        figure.append(line);
      }
      const frame = figure.getBoundingClientRect();
      const place = {
        left: `${area.left - frame.left + this.#share * area.width}px`,
        top: `${area.top - frame.top}px`,
        height: `${area.height}px`,
      };
      Object.assign(line.style, place);
    }
  }
}
