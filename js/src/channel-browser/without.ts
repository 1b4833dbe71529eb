/** The line below the pins: a box that switches them off, and what the network says without them. */
import { percent } from "../core/bars";
import { h, setAttribute, setText } from "../core/dom";
import type { BrowserShell, RawWithout } from "./state";

export class Without {
  readonly element: HTMLElement;
  readonly #shell: BrowserShell;
  readonly #box = h("input", { type: "checkbox" });
  readonly #said = h("span", { class: "zf-without-said" });
  #told = "";

  constructor(shell: BrowserShell) {
    this.#shell = shell;
    const { say, signal, commit } = shell;
    const title = say("without_hint");
    const label = h("label", { class: "zf-without-box", title }, this.#box, say("without"));
    this.element = h("div", { class: "zf-without", hidden: true }, label, this.#said);
    this.#box.addEventListener("change", () => commit("without", this.#box.checked), { signal });
    for (const trait of ["without", "_without", "status"] as const) {
      shell.follow(trait, () => this.show());
    }
  }

  /** A saved view has nobody to ask. */
  set saved(saved: boolean) {
    this.#box.disabled = saved;
  }

  /** Any of its traits, or `pins`, has changed. */
  show(): void {
    const { model } = this.#shell;
    const [pins, off] = [model.get("pins"), model.get("without")];
    // An exported page has no such choice.
    this.element.hidden = pins.length === 0 || typeof off !== "boolean";
    this.#box.checked = off === true;
    const raw = model.get("_without");
    this.#said.hidden = !off;
    if (!off) this.#told = "";
    else if (raw.labels === undefined) this.#tell(this.#shell.say("without_busy"));
    else this.#answer(raw as RawWithout);
    // What is known of another photo or other pins stays until the network has been asked anew.
    setAttribute(this.#said, "data-old", raw.old || model.get("status") === "busy");
  }

  #answer({ off, labels, before, now }: RawWithout): void {
    const { say, announce } = this.#shell;
    if (labels.length === 0) {
      this.#tell(say(off === 0 ? "without_missing" : "without_none"));
      return;
    }
    const decided = now.indexOf(Math.max(...now));
    const lines = labels.map((label, i) => {
      const values = { label, before: percent(before[i] ?? 0), now: percent(now[i] ?? 0) };
      return say("without_class", values);
    });
    const other = decided === 0 ? [] : [say("without_now", { label: labels[decided] ?? "" })];
    const told = [...lines, ...other].join(" · ");
    if (told === this.#told) return;
    this.#told = told;
    const parts = lines.map((line, i) => h("span", { "data-decided": i === decided }, line));
    this.#said.replaceChildren(...parts, ...other.map((text) => h("strong", {}, text)));
    announce(`${say("without")}: ${told}`);
  }

  #tell(text: string): void {
    this.#told = text;
    setText(this.#said, text);
  }
}
