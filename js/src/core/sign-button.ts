/** A button whose sign and word change with what it does, and the signs of whatever moves. */
import { h, icon, setText } from "./dom";

export const PLAY = "M5 3.2 12.5 8 5 12.8z";
export const PAUSE = "M5.5 3.5v9M10.5 3.5v9";

export class SignButton {
  readonly element = h("button", { class: "zf-button", type: "button" });
  readonly #word = h("span");
  #path = "";

  constructor(clicked: () => void, signal: AbortSignal) {
    this.element.addEventListener("click", clicked, { signal });
  }

  /** What is shown already stays: a browser takes no press for a click whose place it has lost. */
  show(path: string, word: string): void {
    setText(this.#word, word);
    if (path === this.#path) return;
    this.#path = path;
    this.element.replaceChildren(icon(path), this.#word);
  }
}
