/** How far the scan is, and the button that stops it or lets it go on. */
import { h, setText } from "./dom";
import type { Say } from "./strings";

/** The trait `progress` of a widget that scans. */
export interface Progress {
  state: "running" | "stopped" | "done";
  scanned: number;
  total: number | null;
}

export type ScanKey = "scan_bar" | "scanning" | "scanning_open" | "stopped" | "stop" | "go_on";

export class ScanBar {
  readonly element: HTMLElement;
  readonly #say: Say<ScanKey>;
  readonly #bar = h("progress", { class: "zf-scan-bar" });
  readonly #text = h("span", { class: "zf-scan-text" });
  readonly #button = h("button", { class: "zf-button", type: "button" });

  constructor(say: Say<ScanKey>, ask: (op: "stop" | "go") => void, signal: AbortSignal) {
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
