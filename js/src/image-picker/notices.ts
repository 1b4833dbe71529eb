/** What could not be read, each with a button to dismiss it; and what was removed, with its way back. */
import { h, icon } from "../core/dom";
import type { WireError } from "../core/wire";
import { type PickerShell, SIGNS } from "./state";

const MOST = 4;

export class Notices {
  readonly element = h("div", { class: "zf-notices", role: "alert" });
  readonly undo = h("div", { class: "zf-undo", role: "status" });
  readonly #shell: PickerShell;
  readonly #leave: () => void;

  /** `leave` gives the focus to something else when a notice goes. */
  constructor(shell: PickerShell, leave: () => void) {
    this.#shell = shell;
    this.#leave = leave;
  }

  clear(): void {
    this.element.replaceChildren();
    this.undo.replaceChildren();
  }

  show({ title, message, hint }: WireError): void {
    const say = this.#shell.say("dismiss");
    const dismiss = h(
      "button",
      { class: "zf-dismiss", type: "button", "aria-label": say, title: say },
      icon(SIGNS.cross),
    );
    const lines = h(
      "div",
      { class: "zf-alert-body" },
      h("p", { class: "zf-alert-title" }, title),
      message && h("p", { class: "zf-alert-text" }, message),
      hint && h("p", { class: "zf-alert-hint" }, hint),
    );
    const notice = h("div", { class: "zf-alert" }, icon(SIGNS.warning), lines, dismiss);
    const close = () => {
      notice.remove();
      this.#leave();
    };
    dismiss.addEventListener("click", close, { signal: this.#shell.signal });
    this.element.append(notice);
    while (this.element.childElementCount > MOST) this.element.firstElementChild?.remove();
  }

  /** Say what was removed, and offer to put it back. */
  removed(name: string, restore: () => void): void {
    const { say, signal } = this.#shell;
    const button = h("button", { class: "zf-button", type: "button" }, say("undo"));
    button.addEventListener("click", restore, { signal });
    this.undo.replaceChildren(h("span", {}, say("removed", { name })), button);
  }
}
