/** The colours and what they mean: a bar from the lowest value over zero to the highest. */
import { h, setText } from "../core/dom";
import type { Shown, Words } from "./state";
import { number } from "./words";

export class Legend {
  readonly element = h("div", { class: "zf-legend", hidden: true });
  readonly #low = h("span", { class: "zf-legend-end" });
  readonly #high = h("span", { class: "zf-legend-end" });
  readonly #bar = h("span", { class: "zf-legend-bar", "aria-hidden": "true" });
  readonly #words = h("span", { class: "zf-legend-words" });
  readonly #say: Words;

  constructor(say: Words) {
    this.#say = say;
    const zero = h("span", { class: "zf-legend-zero", "aria-hidden": "true" }, "0");
    this.#bar.append(zero);
    this.element.append(this.#low, this.#bar, this.#high, this.#words);
  }

  show(shown: Shown | null): void {
    this.element.hidden = shown === null;
    if (!shown) return;
    this.#bar.dataset["colours"] = shown.colours;
    // With a scale each, the numbers stand over the pictures.
    const alike = shown.full.every((full) => full === shown.full[0]);
    const end = alike ? number(shown.full[0] ?? 0) : "|x|";
    setText(this.#low, `−${end}`);
    setText(this.#high, `+${end}`);
    setText(this.#words, this.#say(`legend_${shown.colours}`));
  }
}
