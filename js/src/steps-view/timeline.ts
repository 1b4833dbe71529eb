/** The line of steps, one button each: arrows walk, the layer stands over its steps. */
import { h, s, setAttribute } from "../core/dom";
import type { Kind, Step, Words } from "./state";

/** A sign for each kind, legible without colour: paths in a 16 x 16 box. */
const SIGNS: Partial<Record<Kind, string>> = {
  unpool: "M2.5 2.5h11v11h-11zM8 2.5v11M2.5 8h11M10 4.5h2v2h-2z",
  rectify: "M2 12h6L14 4M2 14h12",
  filter: "M2.5 2.5h4v4h-4zM6.5 6.5 9 9M9 9h4.5v4.5H9z",
  spread: "M8 3v3M8 6 3 12M8 6v6M8 6l5 6",
  normalise: "M3 13V8M6.5 13V4M10 13V7M13 13V5",
  join: "M3 4h4l3 4h4M3 12h4l3-4",
  split: "M3 8h4l3-4h4M7 8l3 4h4",
};

export class Timeline {
  readonly element: HTMLElement;
  readonly #say: Words;
  readonly #list = h("ol", { class: "zf-steps" });
  #buttons: HTMLButtonElement[] = [];

  constructor(say: Words, choose: (index: number) => void, signal: AbortSignal) {
    this.#say = say;
    this.element = h("nav", { class: "zf-timeline zf-scroll", "aria-label": say("steps") });
    this.element.append(this.#list);
    this.#list.addEventListener(
      "click",
      (event) => {
        const button = (event.target as Element).closest("button");
        if (button) choose(this.#buttons.indexOf(button));
      },
      { signal },
    );
  }

  draw(steps: Step[]): void {
    const focused = this.#buttons.indexOf(document.activeElement as HTMLButtonElement);
    this.#buttons = steps.map((step, index) => this.#button(step, index));
    const items = this.#buttons.map((button, i) => {
      const first = steps[i]?.layer !== steps[i - 1]?.layer;
      const layer = h("span", { class: "zf-step-layer", "aria-hidden": "true" });
      layer.textContent = first ? (steps[i]?.layer ?? "") : "";
      return h("li", { class: first ? "zf-step-first" : "" }, layer, button);
    });
    this.#list.replaceChildren(...items);
    if (focused >= 0) this.#buttons[Math.min(focused, steps.length - 1)]?.focus();
  }

  mark(current: number, focus: boolean): void {
    this.#buttons.forEach((button, i) => {
      setAttribute(button, "aria-current", i === current ? "step" : null);
      button.tabIndex = i === current ? 0 : -1;
    });
    const button = this.#buttons[current];
    if (!button) return;
    if (focus) button.focus({ preventScroll: true });
    const [list, item] = [this.element.getBoundingClientRect(), button.getBoundingClientRect()];
    if (item.left < list.left) this.element.scrollLeft += item.left - list.left - 40;
    if (item.right > list.right) this.element.scrollLeft += item.right - list.right + 40;
  }

  has(element: Element | null): boolean {
    return element !== null && this.#list.contains(element);
  }

  #button(step: Step, index: number): HTMLButtonElement {
    const kind = this.#say(`kind_${step.kind}`);
    const name = this.#say("step_name", { number: index + 1, kind, layer: step.layer });
    const button = h("button", {
      class: "zf-step",
      type: "button",
      "data-kind": step.kind,
      "data-off": String(step.off),
      title: name,
      "aria-label": step.off ? `${name}, ${this.#say("left_out")}` : name,
    });
    const sign = s("svg", {
      class: "zf-icon",
      viewBox: "0 0 16 16",
      width: 16,
      height: 16,
      "aria-hidden": "true",
    });
    sign.append(s("path", { d: SIGNS[step.kind] ?? "M4 8h8" }));
    button.append(sign, h("span", { class: "zf-step-kind" }, kind));
    return button;
  }
}
