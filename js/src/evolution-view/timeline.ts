/**
 * The slider over the checkpoints, with play, pause and repeat. Checkpoints stand at equal distances,
 * for their steps may lie decades apart.
 */
import { h, icon, setAttribute } from "../core/dom";
import { PAUSE, PLAY, SignButton } from "../core/sign-button";
import { labelled } from "./page";
import type { EvolutionShell } from "./state";

const REPEAT =
  "M3 8V6.5A2.5 2.5 0 0 1 5.5 4H12M10 2l2 2-2 2M13 8v1.5A2.5 2.5 0 0 1 10.5 12H4M6 10l-2 2 2 2";
const MOST_LABELS = 10;

export class Timeline {
  readonly element: HTMLElement;
  readonly #shell: EvolutionShell;
  readonly #slider: HTMLInputElement;
  readonly #ticks = h("div", { class: "zf-ticks", "aria-hidden": "true" });
  readonly #where = h("output", { class: "zf-where" });
  readonly #play: SignButton;
  readonly #repeat: HTMLButtonElement;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(shell: EvolutionShell) {
    this.#shell = shell;
    const { say, signal } = shell;
    this.#slider = h("input", {
      class: "zf-slider",
      type: "range",
      min: 0,
      step: 1,
      "aria-label": say("timeline"),
    });
    this.#play = new SignButton(() => this.#toggle(), signal);
    this.#repeat = h(
      "button",
      { class: "zf-button", type: "button", "aria-label": say("repeat"), title: say("repeat") },
      icon(REPEAT),
    );
    const track = h("div", { class: "zf-track" }, this.#slider, this.#ticks);
    this.element = h(
      "div",
      { class: "zf-timeline" },
      h("div", { class: "zf-play" }, this.#play.element, this.#repeat),
      track,
      this.#where,
    );
    this.#slider.addEventListener("input", () => this.#go(Number(this.#slider.value)), { signal });
    this.#repeat.addEventListener(
      "click",
      () => shell.commit("repeat", !shell.model.get("repeat")),
      { signal },
    );
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    shell.follow("steps", () => this.#layOut());
    shell.follow("repeat", (on) => setAttribute(this.#repeat, "aria-pressed", String(Boolean(on))));
    this.#drawPlay();
  }

  /** A checkpoint in words: "step 1,145". */
  words(column: number): string {
    const { model, say } = this.#shell;
    const step = (model.get("steps")?.[column] ?? 0).toLocaleString("en-US");
    return say(model.get("unit") === "epoch" ? "at_epoch" : "at_step", { step });
  }

  /** Show the place of the trait `step`. */
  show(): void {
    const { say } = this.#shell;
    const count = this.#steps.length;
    const column = this.#column;
    if (column < 0) return;
    this.#slider.value = String(column);
    const place = say("place", { number: column + 1, count });
    setAttribute(this.#slider, "aria-valuetext", `${this.words(column)}, ${place}`);
    this.#where.replaceChildren(h("strong", {}, this.words(column)), h("span", {}, place));
    [...this.#ticks.children].forEach((tick, index) => {
      setAttribute(tick, "data-here", index === column ? "true" : null);
    });
  }

  get #steps(): number[] {
    return this.#shell.model.get("steps") ?? [];
  }

  get #column(): number {
    return this.#steps.indexOf(this.#shell.model.get("step"));
  }

  #layOut(): void {
    const steps = this.#steps;
    this.#slider.max = String(Math.max(0, steps.length - 1));
    const words = labelled(steps.length, MOST_LABELS);
    this.#ticks.replaceChildren(
      ...steps.map((step, index) => {
        const tick = h(
          "span",
          { class: "zf-tick" },
          words[index] ? step.toLocaleString("en-US") : "",
        );
        tick.style.left = `${steps.length > 1 ? (index / (steps.length - 1)) * 100 : 0}%`;
        return tick;
      }),
    );
    this.show();
  }

  #go(column: number): void {
    const step = this.#steps[column];
    if (step !== undefined && step !== this.#shell.model.get("step")) {
      this.#shell.commit("step", step);
    }
  }

  #toggle(): void {
    if (this.#timer !== null) {
      this.#stop();
      return;
    }
    // From the end there is nowhere to go but to the beginning.
    if (this.#column === this.#steps.length - 1) this.#go(0);
    this.#wait();
    this.#drawPlay();
  }

  #wait(): void {
    const seconds = this.#shell.model.get("interval") ?? 0.8;
    this.#timer = setTimeout(() => this.#advance(), seconds * 1000);
  }

  #advance(): void {
    const last = this.#steps.length - 1;
    const next = this.#column + 1;
    const repeat = this.#shell.model.get("repeat");
    this.#go(next > last ? 0 : next);
    if (next >= last && !repeat) this.#stop();
    else this.#wait();
  }

  #stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#drawPlay();
  }

  #drawPlay(): void {
    const playing = this.#timer !== null;
    this.#play.show(playing ? PAUSE : PLAY, this.#shell.say(playing ? "pause" : "play"));
    setAttribute(this.#play.element, "data-playing", playing ? "true" : null);
  }
}
