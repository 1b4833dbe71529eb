/** The browser's controls: native inputs, so that the keyboard and screen readers know them. */
import { h } from "../core/dom";
import type { ExemplarSay } from "./state";
import { SORTS, type Wall } from "./wall";

export interface ToolbarActions {
  layer(value: string): void;
  sort(value: string): void;
  rule(value: string): void;
  /** While the slider moves, and once when it is let go. */
  size(value: number, done: boolean): void;
}

const RULES = ["deconvnet", "guided", "gradient", "linear"];

export class Toolbar {
  readonly element: HTMLElement;
  readonly #layer: HTMLSelectElement;
  readonly #sort: HTMLSelectElement;
  readonly #rule: HTMLSelectElement;
  readonly #size = h("input", { class: "zf-range", type: "range", min: 120, max: 800, step: 20 });

  constructor(say: ExemplarSay, actions: ToolbarActions, signal: AbortSignal) {
    const select = (name: string, chosen: (value: string) => void) => {
      const made = h("select", { class: "zf-select", "aria-label": name });
      made.addEventListener("change", () => chosen(made.value), { signal });
      return made;
    };
    this.#layer = select(say("layer"), actions.layer);
    this.#sort = select(say("order"), actions.sort);
    this.#rule = select(say("rule"), actions.rule);
    for (const sort of SORTS) this.#sort.append(h("option", { value: sort }, say(`sort_${sort}`)));
    for (const rule of RULES) this.#rule.append(h("option", { value: rule }, rule));
    this.#size.setAttribute("aria-label", say("size_name"));
    const size = () => Number(this.#size.value);
    this.#size.addEventListener("input", () => actions.size(size(), false), { signal });
    this.#size.addEventListener("change", () => actions.size(size(), true), { signal });
    const field = (label: string, control: HTMLElement) =>
      h("div", { class: "zf-field" }, h("span", { "aria-hidden": "true" }, label), control);
    this.element = h("div", { class: "zf-toolbar", role: "group", "aria-label": say("browser") });
    this.element.append(
      field(say("layer"), this.#layer),
      field(say("order"), this.#sort),
      field(say("rule"), this.#rule),
      field(say("size"), this.#size),
    );
  }

  setLayers(names: string[]): void {
    this.#layer.replaceChildren(...names.map((name) => h("option", { value: name }, name)));
    this.#layer.disabled = names.length === 0;
  }

  setLayer(name: string): void {
    this.#layer.value = name;
  }

  setSort(sort: string, wall: Wall | null): void {
    for (const option of this.#sort.options) {
      option.disabled = wall !== null && !wall.knows(option.value as (typeof SORTS)[number]);
    }
    this.#sort.value = sort;
  }

  setRule(rule: string): void {
    this.#rule.value = rule;
  }

  setSize(value: number): void {
    this.#size.value = String(value);
  }
}
