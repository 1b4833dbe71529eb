/** The browser's controls: native inputs, so that the keyboard and screen readers know them. */
import { h, setAttribute, setText, uid } from "../core/dom";
import type { Show, Sort } from "./page";
import { type BrowserSay, type Key, MODE_KEYS } from "./words";

export interface ToolbarActions {
  mode(value: string): void;
  sort(value: string): void;
  show(value: string): void;
  rule(value: string): void;
  /** While a slider moves, and once when it is let go. */
  size(value: number, done: boolean): void;
  threshold(value: number, done: boolean): void;
  inset(shown: boolean): void;
  clear(): void;
  /** Go to what the text names; false if there is no such channel. */
  goTo(text: string): boolean;
  leave(): void;
}

const RULES = ["deconvnet", "guided", "gradient", "linear"] as const;
const SORTS: Sort[] = ["index", "strength", "mean", "sparsity", "energy"];
const SHOWS: Show[] = ["all", "alive", "dead"];

export class Toolbar {
  readonly element: HTMLElement;
  readonly #say: BrowserSay;
  readonly #modes: HTMLInputElement[];
  readonly #rule: HTMLSelectElement;
  readonly #sort: HTMLSelectElement;
  readonly #show: HTMLSelectElement;
  readonly #threshold = range({ min: 0, max: 100, step: 1 });
  readonly #shown = h("span", { class: "zf-shown" });
  readonly #size = range({ min: 32, max: 224, step: 4 });
  readonly #photo = h("button", { class: "zf-button zf-toggle", type: "button" });
  readonly #goTo = h("input", { class: "zf-entry zf-goto", type: "text", autocomplete: "off" });
  /** How many are selected, and a way to have none; stands in the status line. */
  readonly chosen = h("button", { class: "zf-chosen", type: "button" });

  constructor(say: BrowserSay, actions: ToolbarActions, signal: AbortSignal) {
    this.#say = say;
    const group = uid("zf");
    this.#modes = Object.keys(MODE_KEYS).map((value) =>
      h("input", { type: "radio", name: group, value }),
    );
    const choice = (values: readonly string[], prefix: "sort" | "show") => {
      const text = (value: string) => say(`${prefix}_${value}` as Key);
      return values.map((value) => h("option", { value }, text(value)));
    };
    this.#sort = select(say("order"), choice(SORTS, "sort"));
    this.#show = select(say("show"), choice(SHOWS, "show"));
    this.#show.title = say("show_hint");
    const rules = RULES.map((value) => h("option", { value, title: say(`rule_${value}`) }, value));
    this.#rule = select(say("rule_label"), rules);
    this.#labels();
    this.element = h(
      "div",
      { class: "zf-toolbar", role: "group", "aria-label": say("widget") },
      this.#segments(),
      field(say("rule"), this.#rule),
      field(say("order"), this.#sort),
      field(say("show"), this.#show),
      field(say("threshold"), this.#threshold, this.#shown),
      field(say("size"), this.#size),
      this.#goTo,
      this.#photo,
    );
    this.#listen(actions, signal);
  }

  setMode(mode: string): void {
    for (const input of this.#modes) input.checked = input.value === mode;
    this.#rule.disabled = mode !== "projection" && mode !== "in place";
    this.#rule.title = this.#rule.disabled
      ? this.#say("rule_idle")
      : this.#say(`rule_${this.#rule.value}` as Key);
  }

  /** Whether the layer's filters have colours. */
  setFilters(there: boolean): void {
    const input = this.#modes.find((each) => each.value === "filter");
    if (!input) return;
    input.disabled = !there && !input.checked;
    const hint = there ? "mode_filter_hint" : "mode_filter_none";
    if (input.parentElement) input.parentElement.title = this.#say(hint);
  }

  /** Whether there are synthesised pictures: of other networks than the bundled ones there are none. */
  setSynthesised(there: boolean): void {
    const input = this.#modes.find((each) => each.value === "synthesised");
    if (input?.parentElement) input.parentElement.hidden = !there && !input.checked;
  }

  setRule(value: string): void {
    this.#rule.value = value;
  }

  setSort(value: Sort): void {
    this.#sort.value = value;
    this.#sort.title = this.#say(`sort_${value}_hint`);
  }

  setShow(value: Show): void {
    this.#show.value = value;
    this.#threshold.disabled = value === "dead";
  }

  setSize(value: number): void {
    this.#size.value = String(value);
  }

  /** The threshold as a share, the value that this is, in words, and how many channels pass it. */
  setThreshold(share: number, value: string, shown: number, count: number): void {
    const percent = Math.round(100 * share);
    if (Number(this.#threshold.value) !== percent) this.#threshold.value = String(percent);
    const told = this.#say("threshold_value", { percent, value });
    setAttribute(this.#threshold, "aria-valuetext", told);
    this.#threshold.title = told;
    setText(this.#shown, count ? this.#say("shown_of", { shown, count }) : "");
    setAttribute(this.#shown, "data-some", shown < count);
  }

  setInset(shown: boolean): void {
    setAttribute(this.#photo, "aria-pressed", String(shown));
  }

  setChosen(count: number): void {
    this.chosen.textContent = `${this.#say("chosen", { count })} ×`;
    this.chosen.setAttribute("aria-label", this.#say("chosen_clear", { count }));
    this.chosen.style.visibility = count === 0 ? "hidden" : "visible";
  }

  focusGoTo(): void {
    this.#goTo.focus();
    this.#goTo.select();
  }

  #labels(): void {
    const say = this.#say;
    setAttribute(this.#threshold, "aria-label", say("threshold_label"));
    setAttribute(this.#size, "aria-label", say("size_label"));
    setAttribute(this.#goTo, "aria-label", say("goto_label"));
    setAttribute(this.#goTo, "aria-keyshortcuts", "/");
    this.#goTo.placeholder = say("goto");
    setText(this.#photo, say("photo"));
    this.#photo.title = say("photo_hint");
  }

  #segments(): HTMLElement {
    const say = this.#say;
    const element = h("div", {
      class: "zf-segments",
      role: "radiogroup",
      "aria-label": say("pictures"),
    });
    for (const input of this.#modes) {
      const key = MODE_KEYS[input.value as keyof typeof MODE_KEYS];
      element.append(h("label", { title: say(`${key}_hint` as Key) }, input, say(key)));
    }
    return element;
  }

  #listen(actions: ToolbarActions, signal: AbortSignal): void {
    const on = (element: HTMLElement, type: string, listener: (event: Event) => void) =>
      element.addEventListener(type, listener, { signal });
    for (const input of this.#modes) {
      on(input, "change", () => input.checked && actions.mode(input.value));
    }
    on(this.#rule, "change", () => actions.rule(this.#rule.value));
    on(this.#sort, "change", () => actions.sort(this.#sort.value));
    on(this.#show, "change", () => actions.show(this.#show.value));
    on(this.#photo, "click", () =>
      actions.inset(this.#photo.getAttribute("aria-pressed") !== "true"),
    );
    const share = () => Number(this.#threshold.value) / 100;
    on(this.#threshold, "input", () => actions.threshold(share(), false));
    on(this.#threshold, "change", () => actions.threshold(share(), true));
    on(this.#size, "input", () => actions.size(Number(this.#size.value), false));
    on(this.#size, "change", () => actions.size(Number(this.#size.value), true));
    on(this.chosen, "click", actions.clear);
    on(this.#goTo, "input", () => this.#goTo.setAttribute("aria-invalid", "false"));
    on(this.#goTo, "keydown", (event) => this.#goToKey(event as KeyboardEvent, actions));
  }

  #goToKey(event: KeyboardEvent, actions: ToolbarActions): void {
    if (event.key === "Enter") {
      const found = actions.goTo(this.#goTo.value);
      this.#goTo.setAttribute("aria-invalid", String(!found));
      if (found) this.#goTo.value = "";
    } else if (event.key === "Escape") {
      actions.leave();
    } else {
      return;
    }
    event.preventDefault();
  }
}

function range(bounds: { min: number; max: number; step: number }): HTMLInputElement {
  return h("input", { class: "zf-range", type: "range", ...bounds });
}

function select(label: string, options: HTMLOptionElement[]): HTMLSelectElement {
  return h("select", { class: "zf-select", "aria-label": label }, ...options);
}

function field(label: string, ...controls: HTMLElement[]): HTMLElement {
  return h(
    "div",
    { class: "zf-field" },
    h("span", { class: "zf-field-name", "aria-hidden": "true" }, label),
    ...controls,
  );
}
