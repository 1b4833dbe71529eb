/** How far the scan is, and the button that stops it or lets it go on. */
import { h, setText } from "../core/dom";
import type { ExemplarSay, Progress } from "./state";

export class ScanBar {
  readonly element: HTMLElement;
  readonly #say: ExemplarSay;
  readonly #bar = h("progress", { class: "zf-scan-bar" });
  readonly #text = h("span", { class: "zf-scan-text" });
  readonly #button = h("button", { class: "zf-button", type: "button" });

  constructor(say: ExemplarSay, ask: (op: "stop" | "go") => void, signal: AbortSignal) {
    this.#say = say;
    this.#bar.setAttribute("aria-label", say("scan_bar"));
    this.element = h(
      "div",
      { class: "zf-scan", hidden: true },
      this.#bar,
      this.#text,
      this.#button,
    );
    this.#button.addEventListener(
      "click",
      () => ask(this.#button.dataset["op"] === "go" ? "go" : "stop"),
      { signal },
    );
  }

  show(progress: Partial<Progress>, alive: boolean): void {
    const { state, scanned = 0, total = null } = progress;
    this.element.hidden = state !== "running" && state !== "stopped";
    const stopped = state === "stopped";
    if (total === null) this.#bar.removeAttribute("value");
    else {
      this.#bar.max = Math.max(1, total);
      this.#bar.value = scanned;
    }
    const values = { scanned: scanned.toLocaleString(), total: total?.toLocaleString() ?? "?" };
    const text = stopped ? "stopped" : total === null ? "scanning_open" : "scanning";
    setText(this.#text, this.#say(text, values));
    this.#button.dataset["op"] = stopped ? "go" : "stop";
    this.#button.disabled = !alive;
    setText(this.#button, this.#say(stopped ? "go_on" : "stop"));
  }
}
