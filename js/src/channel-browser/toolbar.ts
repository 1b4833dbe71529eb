/** The browser's controls: native inputs, so that the keyboard and screen readers know them. */
import { h, uid } from "../core/dom";

export interface Segments {
  element: HTMLElement;
  set(value: string): void;
}

/** Radio buttons in one segmented control. */
export function segments(
  name: string,
  choices: Record<string, string>,
  signal: AbortSignal,
  chosen: (value: string) => void,
): Segments {
  const group = uid("zf");
  const inputs = Object.keys(choices).map((value) =>
    h("input", { type: "radio", name: group, value }),
  );
  const element = h("div", { class: "zf-segments", role: "radiogroup", "aria-label": name });
  inputs.forEach((input) => {
    element.append(h("label", {}, input, choices[input.value]));
    input.addEventListener("change", () => input.checked && chosen(input.value), { signal });
  });
  return {
    element,
    set(value) {
      for (const input of inputs) input.checked = input.value === value;
    },
  };
}

export interface ToolbarActions {
  mode(value: string): void;
  sort(value: string): void;
  rule(value: string): void;
  /** While the slider moves, and once when it is let go. */
  size(value: number, done: boolean): void;
  clear(): void;
  /** Go to what the text names; false if there is no such channel. */
  goTo(text: string): boolean;
  leave(): void;
}

/** What each backward rule does with a signal, in a line. */
const RULES: Record<string, string> = {
  deconvnet: "deconvnet: rectify the signal (Zeiler & Fergus)",
  guided: "guided: rectify the signal and mask by the forward pass",
  gradient: "gradient: mask by the forward pass",
  linear: "linear: no rectification on the way back",
};

export class Toolbar {
  readonly element: HTMLElement;
  readonly mode: Segments;
  readonly sort: Segments;
  readonly #rule = h("select", { class: "zf-select", "aria-label": "backward rule" });
  readonly #size = h("input", { class: "zf-range", type: "range", min: 32, max: 224, step: 4 });
  readonly #goTo = h("input", { class: "zf-goto", type: "text", placeholder: "go to  /" });
  /** How many are selected, and a way to have none; stands in the status line. */
  readonly chosen = h("button", { class: "zf-chosen", type: "button" });

  constructor(actions: ToolbarActions, signal: AbortSignal) {
    const modes = { "feature map": "Feature map", projection: "Projection" };
    this.mode = segments("pictures", modes, signal, actions.mode);
    const sorts = { index: "Number", strength: "Strength" };
    this.sort = segments("order", sorts, signal, actions.sort);
    for (const [value, title] of Object.entries(RULES)) {
      this.#rule.append(h("option", { value, title }, value));
    }
    this.#size.setAttribute("aria-label", "tile size");
    this.#goTo.setAttribute("aria-label", "go to channel number or name");
    this.#goTo.setAttribute("autocomplete", "off");
    this.#goTo.setAttribute("aria-keyshortcuts", "/");
    const field = (label: string, control: HTMLElement) =>
      h("div", { class: "zf-field" }, h("span", { "aria-hidden": "true" }, label), control);
    this.element = h("div", {
      class: "zf-toolbar",
      role: "group",
      "aria-label": "channel browser",
    });
    this.element.append(
      this.mode.element,
      field("Rule", this.#rule),
      field("Order", this.sort.element),
      field("Size", this.#size),
      this.#goTo,
    );
    this.#listen(actions, signal);
  }

  setRule(value: string, applies: boolean): void {
    this.#rule.value = value;
    this.#rule.disabled = !applies;
    this.#rule.title = applies ? (RULES[value] ?? "") : "for projections";
  }

  setSize(value: number): void {
    this.#size.value = String(value);
  }

  setChosen(count: number): void {
    this.chosen.textContent = `${count} selected ×`;
    this.chosen.setAttribute("aria-label", `${count} selected, clear selection`);
    this.chosen.style.visibility = count === 0 ? "hidden" : "visible";
  }

  focusGoTo(): void {
    this.#goTo.focus();
    this.#goTo.select();
  }

  #listen(actions: ToolbarActions, signal: AbortSignal): void {
    const on = (element: HTMLElement, type: string, listener: (event: Event) => void) =>
      element.addEventListener(type, listener, { signal });
    on(this.#rule, "change", () => actions.rule(this.#rule.value));
    on(this.#size, "input", () => actions.size(Number(this.#size.value), false));
    on(this.#size, "change", () => actions.size(Number(this.#size.value), true));
    on(this.chosen, "click", actions.clear);
    on(this.#goTo, "input", () => this.#goTo.setAttribute("aria-invalid", "false"));
    on(this.#goTo, "keydown", (event) => {
      const { key } = event as KeyboardEvent;
      if (key === "Enter") {
        const found = actions.goTo(this.#goTo.value);
        this.#goTo.setAttribute("aria-invalid", String(!found));
        if (found) this.#goTo.value = "";
      } else if (key === "Escape") {
        actions.leave();
      } else {
        return;
      }
      event.preventDefault();
    });
  }
}
