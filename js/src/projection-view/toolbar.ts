/** The controls of a ProjectionView; native inputs, so that the keyboard and screen readers know them. */
import { h, icon } from "../core/dom";
import { COLOURS, CONTRASTS, type Key, RULES, type State, type Words } from "./state";

const WHOLE = "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10";
const FIELD = "M4.5 4.5h7v7h-7zM8 1v2M8 13v2M1 8h2M13 8h2";
const STAR = "M8 2.2l1.7 3.7 4 .4-3 2.7.9 4L8 11l-3.6 2 .9-4-3-2.7 4-.4z";
const PLUS = "M8 3.500v9M3.5 8h9";
const MINUS = "M3.5 8h9";
const COPY = "M5.5 5.500h8v8h-8zM10.5 5.500v-3h-8v8h3";
const SAVE = "M8 2.500v7.500M5 7.500l3 3 3-3M3 13.500h10";

export interface Actions {
  set<K extends "rule" | "all_rules" | "contrast" | "full" | "colours" | "opacity">(
    name: K,
    value: State[K],
  ): void;
  strongest(): void;
  frame(what: "picture" | "field"): void;
  zoom(factor: number): void;
  copy(): void;
  save(): void;
}

export class Toolbar {
  readonly looks: HTMLElement;
  readonly settings: HTMLElement;
  readonly #say: Words;
  readonly #signal: AbortSignal;
  readonly #strongest: HTMLButtonElement;
  readonly #field: HTMLButtonElement;
  readonly #outputs: HTMLButtonElement[];
  readonly #rule: HTMLSelectElement;
  readonly #all: HTMLInputElement;
  readonly #contrast: HTMLSelectElement;
  readonly #full = h("input", {
    class: "zf-entry zf-full-scale",
    type: "number",
    min: 0,
    step: "any",
  });
  readonly #fullField: HTMLElement;
  readonly #colours: HTMLSelectElement;
  readonly #opacity = h("input", { class: "zf-range", type: "range", min: 0, max: 1, step: 0.05 });

  constructor(say: Words, actions: Actions, signal: AbortSignal) {
    [this.#say, this.#signal] = [say, signal];
    this.#strongest = this.#button(STAR, "strongest", "strongest_hint", actions.strongest);
    this.#field = this.#button(FIELD, "field", "field_hint", () => actions.frame("field"));
    this.#outputs = [
      this.#button(COPY, "copy", "copy_hint", actions.copy),
      this.#button(SAVE, "save", "save_hint", actions.save),
    ];
    this.looks = h(
      "div",
      { class: "zf-bar", role: "group", "aria-label": say("controls") },
      this.#strongest,
      this.#button(WHOLE, "whole", "whole_hint", () => actions.frame("picture")),
      this.#field,
      this.#button(MINUS, null, "zoom_out", () => actions.zoom(1 / 1.5)),
      this.#button(PLUS, null, "zoom_in", () => actions.zoom(1.5)),
      ...this.#outputs,
    );
    this.#rule = this.#select("one_rule", RULES, (rule) => rule);
    this.#all = h("input", { type: "checkbox" });
    this.#contrast = this.#select("contrast", CONTRASTS, (it) => say(`contrast_${it}`));
    this.#colours = this.#select("colours", COLOURS, (it) => say(`colours_${it}`));
    this.#fullField = field(say("full"), this.#full);
    const all = h("label", { class: "zf-check", title: say("all_rules_hint") }, this.#all);
    all.append(say("all_rules"));
    this.#opacity.title = say("opacity_hint");
    this.settings = h(
      "div",
      { class: "zf-bar zf-settings" },
      field(say("one_rule"), this.#rule),
      all,
      field(say("contrast"), this.#contrast),
      this.#fullField,
      field(say("colours"), this.#colours),
      field(say("opacity"), this.#opacity),
    );
    this.#listen(actions);
  }

  /** Show what the traits are. */
  show(get: <K extends keyof State & string>(name: K) => State[K]): void {
    this.#rule.value = get("rule");
    this.#rule.disabled = this.#all.checked = get("all_rules");
    this.#contrast.value = get("contrast");
    this.#fullField.hidden = get("contrast") !== "fixed";
    if (document.activeElement !== this.#full) {
      this.#full.value = Number(get("full").toPrecision(3)).toString();
    }
    this.#colours.value = get("colours");
    this.#opacity.value = String(get("opacity"));
    for (const name of RULES) {
      const option = this.#rule.namedItem(name);
      if (option) option.title = this.#say(`rule_${name}`);
    }
  }

  enable(what: { strongest: boolean; field: boolean; outputs: boolean; alive: boolean }): void {
    this.#strongest.disabled = !(what.strongest && what.alive);
    this.#field.disabled = !what.field;
    for (const button of this.#outputs) button.disabled = !what.outputs;
    const asking = [this.#rule, this.#all, this.#contrast, this.#full, this.#colours];
    for (const control of asking) control.disabled = !what.alive;
    if (this.#all.checked) this.#rule.disabled = true;
  }

  #button(path: string, label: Key | null, hint: Key, act: () => void): HTMLButtonElement {
    const title = this.#say(hint);
    const text = label && h("span", { class: "zf-button-text" }, this.#say(label));
    const name = label ? null : title;
    const button = h(
      "button",
      { class: "zf-button", type: "button", title, "aria-label": name },
      icon(path),
      text,
    );
    button.addEventListener("click", act, { signal: this.#signal });
    return button;
  }

  #select<T extends string>(name: Key, choices: readonly T[], text: (choice: T) => string) {
    const options = choices.map((choice) =>
      h("option", { value: choice, name: choice }, text(choice)),
    );
    return h("select", { class: "zf-select", "aria-label": this.#say(name) }, ...options);
  }

  #listen(actions: Actions): void {
    const on = (element: HTMLElement, type: string, act: () => void) =>
      element.addEventListener(type, act, { signal: this.#signal });
    on(this.#rule, "change", () => actions.set("rule", this.#rule.value as State["rule"]));
    on(this.#all, "change", () => actions.set("all_rules", this.#all.checked));
    on(this.#contrast, "change", () =>
      actions.set("contrast", this.#contrast.value as State["contrast"]),
    );
    on(this.#full, "change", () => {
      const value = Number(this.#full.value);
      if (value > 0 && Number.isFinite(value)) actions.set("full", value);
    });
    on(this.#colours, "change", () =>
      actions.set("colours", this.#colours.value as State["colours"]),
    );
    on(this.#opacity, "input", () => actions.set("opacity", Number(this.#opacity.value)));
  }
}

function field(label: string, control: HTMLElement): HTMLElement {
  return h("label", { class: "zf-labelled" }, h("span", {}, label), control);
}
