/** The way back step by step: a line of steps, the maps before and after, the switches between. */
import { h, icon, s, setAttribute, setText } from "../core/dom";
import { isAbort, RpcError } from "../core/rpc";
import type { Shell } from "../core/shell";
import { PAUSE, PLAY, SignButton } from "../core/sign-button";
import { decodeSheet } from "../core/tiles";
import { drawMaps, drawWhole } from "./maps";
import { type Drawn, isPlan, type Key, type Plan, type State, type Step } from "./state";
import { drawSwitches } from "./switches";
import { Timeline } from "./timeline";

const PREVIOUS = "M10 3.5 5.5 8 10 12.5";
const NEXT = "M6 3.5 10.5 8 6 12.5";
/** How long a step is shown while playing, milliseconds. */
const PACE = 1600;

const percent = (share: number): string => {
  const rounded = Math.round(share * 100);
  if (rounded === 100 && share < 1) return ">99 %";
  return rounded === 0 && share > 0 ? "<1 %" : `${rounded} %`;
};
const digits = (value: number): string => Number(value.toPrecision(3)).toString();

export class StepsPage {
  readonly #shell: Shell<State, Key>;
  readonly #timeline: Timeline;
  readonly #title = h("h3", { class: "zf-steps-title" });
  readonly #neuron = h("span", { class: "zf-steps-neuron" });
  readonly #progress = h("div", { class: "zf-progress" });
  readonly #at = h("strong", {});
  readonly #does = h("p", { class: "zf-steps-does" });
  readonly #stage = h("div", { class: "zf-stage-row" });
  readonly #results = h("div", { class: "zf-results" });
  readonly #leave = h("input", { type: "checkbox" });
  readonly #previous: HTMLButtonElement;
  readonly #next: HTMLButtonElement;
  readonly #play: SignButton;
  readonly #all: HTMLButtonElement;
  readonly #relu: HTMLButtonElement;
  #playing = 0;
  #asking = new AbortController();

  constructor(shell: Shell<State, Key>) {
    this.#shell = shell;
    const { say, signal, root } = shell;
    this.#timeline = new Timeline(say, (index) => this.#go(index), signal);
    this.#previous = this.#button(PREVIOUS, "previous", () => this.#walk(-1));
    this.#next = this.#button(NEXT, "next", () => this.#walk(1));
    this.#play = new SignButton(() => this.#toggle(), signal);
    this.#showPlaying();
    this.#all = this.#button("", "all_back", () => shell.commit("off", []));
    this.#relu = this.#button("", "without_relu", () => this.#withoutRelu());
    const leave = h("label", { class: "zf-check" }, this.#leave, say("leave_out"));
    this.#leave.addEventListener("change", () => this.#leaveOut(), { signal });
    const bar = h(
      "div",
      { class: "zf-bar" },
      this.#previous,
      this.#play.element,
      this.#next,
      this.#at,
    );
    bar.append(leave, this.#relu, this.#all);
    root.append(
      h("div", { class: "zf-steps-head" }, this.#title, this.#neuron),
      this.#progress,
      this.#timeline.element,
      bar,
      this.#does,
      this.#stage,
      this.#results,
      h("p", { class: "zf-steps-hint" }, `${say("legend")}. ${say("hint")}`),
    );
    const saved = h("p", { class: "zf-steps-hint", hidden: true }, say("saved"));
    root.append(saved);
    shell.greet((alive) => {
      saved.hidden = alive;
    });
    root.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    signal.addEventListener("abort", () => this.#stop(), { once: true });
    this.#follow();
  }

  get #plan(): Plan | null {
    const plan = this.#shell.model.get("_plan");
    return isPlan(plan) ? plan : null;
  }

  get #last(): number {
    return (this.#plan?.steps.length ?? 1) - 1;
  }

  get #index(): number {
    return Math.min(this.#shell.model.get("step"), this.#last);
  }

  get #step(): Step | undefined {
    return this.#plan?.steps[this.#index];
  }

  // ---------------------------------------------------------------------------------------- walking

  #go(index: number, focus = true): void {
    this.#shell.commit("step", Math.min(Math.max(index, 0), this.#last));
    this.#timeline.mark(this.#index, focus);
  }

  #walk(by: number): void {
    this.#go(this.#index + by, this.#timeline.has(document.activeElement));
  }

  #toggle(): void {
    if (this.#playing) {
      this.#stop();
      return;
    }
    if (this.#index >= this.#last) this.#go(0, false);
    this.#playing = window.setInterval(() => {
      this.#walk(1);
      if (this.#index >= this.#last) this.#stop();
    }, PACE);
    this.#showPlaying();
  }

  #stop(): void {
    clearInterval(this.#playing);
    this.#playing = 0;
    this.#showPlaying();
  }

  #showPlaying(): void {
    const playing = this.#playing !== 0;
    this.#play.show(playing ? PAUSE : PLAY, this.#shell.say(playing ? "pause" : "play"));
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const onStep = this.#timeline.has(event.target as Element);
    const { key } = event;
    if (key === "o" || key === "O") this.#leaveOut();
    else if (!onStep) return;
    else if (key === "ArrowLeft") this.#walk(-1);
    else if (key === "ArrowRight") this.#walk(1);
    else if (key === "Home") this.#go(0);
    else if (key === "End") this.#go(Number.MAX_SAFE_INTEGER);
    else if (key === " ") this.#toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #leaveOut(): void {
    const step = this.#step;
    if (!step?.optional) return;
    const off = this.#shell.model.get("off");
    const without = off.filter((name) => name !== step.name);
    this.#shell.commit("off", without.length < off.length ? without : [...off, step.name]);
  }

  #withoutRelu(): void {
    const steps = this.#plan?.steps ?? [];
    const names = steps.filter((step) => step.kind === "rectify").map((step) => step.name);
    this.#shell.commit("off", names);
  }

  // ---------------------------------------------------------------------------------------- drawing

  #follow(): void {
    const { follow } = this.#shell;
    follow("_plan", () => {
      const plan = this.#plan;
      this.#timeline.draw(plan?.steps ?? []);
      this.#head(plan);
      void this.#drawResults(plan);
      this.#show();
    });
    follow("step", () => this.#show());
    follow("status", (status) => {
      this.#progress.dataset["busy"] = String(status === "busy");
      this.#head(this.#plan);
    });
  }

  #head(plan: Plan | null): void {
    const { say, model } = this.#shell;
    const invitation = say(model.get("status") === "busy" ? "busy" : "invite");
    setText(this.#title, plan ? say("title", { ...named(plan) }) : say("title_none"));
    setText(
      this.#neuron,
      plan ? say("neuron", { ...named(plan), value: digits(plan.value) }) : invitation,
    );
  }

  #show(): void {
    const { say } = this.#shell;
    const [plan, step, index, last] = [this.#plan, this.#step, this.#index, this.#last];
    this.#timeline.mark(index, false);
    this.#previous.disabled = !step || index === 0;
    this.#next.disabled = !step || index === last;
    this.#play.element.disabled = !step;
    this.#leave.disabled = !step?.optional;
    this.#leave.checked = step?.off ?? false;
    this.#relu.disabled = !step;
    this.#all.disabled = !plan?.steps.some((one) => one.off);
    setText(this.#at, step ? say("at", { number: index + 1, count: last + 1 }) : "");
    setText(this.#does, step ? this.#explained(step) : "");
    if (step) this.#shell.announce(`${say(`kind_${step.kind}`)}, ${step.layer}`);
    void this.#drawStep();
  }

  #explained(step: Step): string {
    const { say, model } = this.#shell;
    const rule = model.get("rule");
    const negatives = say("negatives", { share: percent(step.negative) });
    const tail = step.kind === "rectify" ? ` ${negatives}` : "";
    if (step.off && step.optional) return say(`off_${step.kind as "unpool"}`) + tail;
    if (step.kind === "rectify" && rule !== "deconvnet") return say(`does_rectify_${rule}`) + tail;
    return say(`does_${step.kind}`) + tail;
  }

  /** Ask for the maps of the step in view; another step takes the question back. */
  async #drawStep(): Promise<void> {
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    const [plan, step, index] = [this.#plan, this.#step, this.#index];
    if (!plan || !step) {
      this.#stage.replaceChildren();
      return;
    }
    try {
      let data: DataView[] = [];
      const options = {
        epoch: plan.epoch,
        signal,
        onChunk: (_: unknown, buffers: DataView[]) => {
          data = buffers;
        },
      };
      const answer = await this.#shell.rpc.request("step", { index }, options);
      if (answer["before"]) await this.#fill(answer as Drawn, data, step, signal);
      if (!signal.aborted) this.#shell.fail(null);
    } catch (reason) {
      if (reason instanceof RpcError) this.#shell.fail(reason.detail);
      else if (!isAbort(reason)) this.#shell.fail(null);
    }
  }

  async #fill(drawn: Drawn, data: DataView[], step: Step, signal: AbortSignal): Promise<void> {
    const { say } = this.#shell;
    const sides = [drawn.before, drawn.after, ...(drawn.filter ? [drawn.filter] : [])];
    const images = await Promise.all(
      sides.map((side, i) => decodeSheet(side, data[i] ?? new ArrayBuffer(0))),
    );
    const [before, after, filter] = images;
    if (!signal.aborted && !this.#shell.signal.aborted && before && after) {
      const middle = h("div", { class: "zf-stage-middle" });
      if (drawn.switches) {
        const words = say("switches", { channel: drawn.switches.channel });
        const more = step.off ? ` ${say("switches_off")}` : "";
        middle.append(drawSwitches(drawn.switches, step.off), note(words + more));
      } else if (drawn.filter && filter) {
        const [rows, columns] = drawn.filter.tile;
        const values = { channel: drawn.filter.ids[0] ?? 0, kernel: `${rows}×${columns}` };
        middle.append(drawMaps(say, drawn.filter, filter, true), note(say("filter", values)));
        middle.dataset["what"] = "filter";
      } else if (step.kind === "rectify") middle.append(ramp(step.off));
      this.#stage.replaceChildren(
        this.#side("before", step.before, step.zeros[0], drawn.before, before),
        middle,
        this.#side("after", step.after, step.zeros[1], drawn.after, after),
      );
    }
    for (const image of images) image.close();
  }

  #side(
    name: "before" | "after",
    [channels, rows, columns]: [number, number, number],
    zeros: number,
    side: Drawn["before"],
    image: ImageBitmap,
  ): HTMLElement {
    const { say } = this.#shell;
    const values = { channels, map: `${rows}×${columns}`, zeros: percent(zeros) };
    const single = rows === 1 && columns === 1;
    const pixels = side.full === 0;
    const scale = { count: side.ids.length, full: digits(side.full) };
    const head = h(
      "div",
      {},
      h("h4", { class: "zf-side-title" }, say(name)),
      note(say(single ? "shape_units" : "shape", values)),
    );
    if (side.part) {
      const [top, left, bottom, right] = side.part;
      head.append(note(say("part", { top, left, bottom: bottom - 1, right: right - 1 })));
    }
    return h(
      "section",
      { class: "zf-side", "data-side": name },
      h("div", { class: "zf-side-head" }, head, drawWhole(say, side, image)),
      drawMaps(say, side, image, !pixels),
      note(pixels ? say("pixels") : say(side.ids.length > 1 ? "strongest" : "only", scale)),
    );
  }

  /** The projection at the end of the way; beside it the one with every step, if some are left out. */
  async #drawResults(plan: Plan | null): Promise<void> {
    if (!plan) {
      this.#results.replaceChildren();
      return;
    }
    const { say } = this.#shell;
    const image = await decodeSheet(plan.sheet, plan.data);
    if (plan === this.#plan && !this.#shell.signal.aborted) {
      const [height, width] = plan.sheet.tile;
      const names: Key[] = plan.sheet.ids.length > 1 ? ["result_all", "result_off"] : ["result"];
      const figures = names.map((name, i) => {
        const canvas = h("canvas", { class: "zf-result", width, height, role: "img" });
        setAttribute(canvas, "aria-label", say(name));
        const x = (i % plan.sheet.columns) * width;
        const y = Math.floor(i / plan.sheet.columns) * height;
        drawTile(canvas, image, x, y, width, height);
        return h("figure", {}, h("figcaption", {}, say(name)), canvas);
      });
      this.#results.replaceChildren(...figures);
    }
    image.close();
  }

  #button(path: string, label: Key, act: () => void): HTMLButtonElement {
    const text = this.#shell.say(label);
    const button = h("button", { class: "zf-button", type: "button" }, path ? icon(path) : null);
    button.append(text);
    button.addEventListener("click", act, { signal: this.#shell.signal });
    return button;
  }
}

function drawTile(
  canvas: HTMLCanvasElement,
  image: ImageBitmap,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  canvas.getContext("2d")?.drawImage(image, x, y, width, height, 0, 0, width, height);
}

const note = (text: string): HTMLElement => h("p", { class: "zf-note" }, text);

const named = ({ layer, channel, row, col }: Plan) => ({ layer, channel, row, col });

/** The rectifier's curve: what goes in to the right, what comes out upwards. */
function ramp(off: boolean): HTMLElement {
  const curve = s(
    "svg",
    { class: "zf-ramp", viewBox: "0 0 16 16", width: 96, height: 96, "aria-hidden": "true" },
    s("path", { class: "zf-axes", d: "M8 1v14M1 8h14" }),
    s("path", { class: "zf-curve", d: off ? "M2 14 14 2" : "M2 8h6L14 2" }),
  );
  return h("div", { class: "zf-ramp-box" }, curve);
}
