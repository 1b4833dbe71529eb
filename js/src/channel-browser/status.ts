/** What the browser says of itself: busy or not, what is shown, the regarded channel, or why there is none. */
import { h, setAttribute, setText } from "../core/dom";
import type { Page } from "./page";
import type { BrowserShell } from "./state";
import { describe, summary } from "./words";

export class Status {
  readonly progress = h("div", { class: "zf-progress" });
  readonly summary = h("span", { class: "zf-summary" });
  readonly detail = h("span", { class: "zf-detail" });
  readonly notice: HTMLElement;
  readonly #why = h("p", { class: "zf-empty" });
  readonly #all = h("button", { class: "zf-button", type: "button", hidden: true });
  readonly #shell: BrowserShell;

  /** `showAll` takes every filter away. */
  constructor(shell: BrowserShell, showAll: () => void) {
    this.#shell = shell;
    this.notice = h("div", { class: "zf-notice" }, this.#why, this.#all);
    this.#all.addEventListener("click", showAll, { signal: shell.signal });
  }

  /** How it goes: `preparing` another page, or `loading` pictures of this one, or without a kernel. */
  show(page: Page | null, preparing: boolean, loading: boolean, saved: boolean): void {
    const { say, model, root } = this.#shell;
    setAttribute(this.progress, "data-busy", String(preparing || loading));
    setAttribute(root, "data-state", saved ? "saved" : preparing ? "busy" : "ready");
    const text = page ? summary(say, page) : model.get("layer");
    setText(this.summary, saved ? `${say("saved")} · ${text}` : text);
  }

  /** What stands in place of the channels when there are none. */
  explain(page: Page | null, shown: number): void {
    const { say } = this.#shell;
    const nothing = page !== null && shown === 0;
    setText(this.#why, page === null ? say("empty") : nothing ? say("nothing") : "");
    setText(this.#all, say("show_every", { count: page?.raw.count ?? 0 }));
    this.#all.hidden = !nothing;
  }

  regard(page: Page | null, id: number | null): void {
    setText(this.detail, page && id !== null ? describe(this.#shell.say, page, id) : "");
  }
}
