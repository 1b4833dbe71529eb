/**
 * Training as a film: one slider over the checkpoints, the chosen channels large at its place, and the
 * whole of Fig. 4 (channels x checkpoints) below. All tiles lie on one sheet that came with the numbers,
 * so that moving needs no kernel; saved notebooks play as well.
 */
import type { RenderProps } from "@anywidget/types";
import { h, setAttribute, setText, uid } from "../core/dom";
import { mount } from "../core/shell";
import { decodeSheet, drawTile } from "../core/tiles";
import { ChannelField } from "./channel-field";
import { type EvolutionPage, isPage, tileOf } from "./page";
import type { EvolutionShell, EvolutionState, Key } from "./state";
import { Table } from "./table";
import { Timeline } from "./timeline";

const MODES = ["projection", "patch", "filter"] as const;

class View {
  readonly #shell: EvolutionShell;
  readonly #timeline: Timeline;
  readonly #table: Table;
  readonly #field: ChannelField;
  readonly #layer: HTMLSelectElement;
  readonly #modes: HTMLInputElement[];
  readonly #large = h("div", { class: "zf-now", role: "group" });
  readonly #facts = h("p", { class: "zf-facts" });
  readonly #busy = h("p", { class: "zf-busy" });
  readonly #bar = h("div", { class: "zf-progress" });
  #page: EvolutionPage | null = null;
  #sheet: ImageBitmap | null = null;

  constructor(shell: EvolutionShell) {
    this.#shell = shell;
    const { say, signal } = shell;
    this.#layer = h("select", { class: "zf-select", "aria-label": say("layer") });
    this.#modes = MODES.map((value) => h("input", { type: "radio", name: uid("mode"), value }));
    this.#field = new ChannelField(shell);
    this.#timeline = new Timeline(shell);
    this.#table = new Table(shell);
    shell.root.append(this.#toolbar(), this.#timeline.element, this.#bar, this.#busy);
    shell.root.append(this.#facts, this.#large, this.#table.element);
    this.#follow();
    signal.addEventListener("abort", () => this.#sheet?.close(), { once: true });
    shell.greet((alive) => {
      shell.root.dataset["alive"] = String(alive);
    });
  }

  #toolbar(): HTMLElement {
    const { say, signal } = this.#shell;
    const group = uid("zf-mode");
    const segments = h("div", {
      class: "zf-segments",
      role: "radiogroup",
      "aria-label": say("shows"),
    });
    for (const input of this.#modes) {
      input.name = group;
      input.addEventListener("change", () => this.#shell.commit("mode", input.value), { signal });
      segments.append(h("label", {}, input, say(input.value as Key)));
    }
    this.#layer.addEventListener("change", () => this.#shell.commit("layer", this.#layer.value), {
      signal,
    });
    return h("div", { class: "zf-toolbar" }, this.#layer, segments, this.#field.element);
  }

  #follow(): void {
    const { follow, model } = this.#shell;
    follow("layers", (layers) => {
      this.#layer.replaceChildren(
        ...(layers ?? []).map((name) => h("option", { value: name }, name)),
      );
      this.#layer.value = model.get("layer");
    });
    follow("layer", (layer) => {
      this.#layer.value = layer;
    });
    follow("mode", (mode) => {
      for (const input of this.#modes) input.checked = input.value === mode;
    });
    follow("status", () => this.#showStatus());
    follow("progress", () => this.#showStatus());
    follow("_page", (page) => void this.#take(page));
    follow("step", () => this.#showStep());
    follow("active", () => this.#mark());
  }

  #showStatus(): void {
    const { model, say, root } = this.#shell;
    const status = model.get("status");
    root.dataset["state"] = status;
    setAttribute(root, "aria-busy", status === "busy" ? "true" : "false");
    const count = model.get("steps")?.length ?? 0;
    const number = Math.min(count, Math.floor((model.get("progress") ?? 0) * count) + 1);
    const busy = status === "busy";
    this.#bar.style.setProperty("--zf-done", `${busy ? (model.get("progress") ?? 0) * 100 : 0}%`);
    setText(this.#busy, busy ? say("computing", { number, count }) : "");
    if (status !== "busy" && !this.#page) setText(this.#busy, say("empty"));
  }

  async #take(page: unknown): Promise<void> {
    if (!isPage(page)) return;
    const sheet = await decodeSheet(page.sheet, page.picture);
    if (this.#shell.signal.aborted || this.#shell.model.get("_page") !== page) {
      sheet.close();
      return;
    }
    this.#sheet?.close();
    [this.#page, this.#sheet] = [page, sheet];
    const filter = this.#modes.find((input) => input.value === "filter");
    if (filter) {
      filter.disabled = !page.filters;
      const label = filter.parentElement as HTMLElement;
      label.classList.toggle("zf-off", !page.filters);
      label.title = page.filters ? "" : this.#shell.say("no_filter");
    }
    this.#makeLarge(page);
    this.#table.show(page, sheet);
    this.#showStatus();
    this.#showStep();
    this.#mark();
  }

  /** One button a channel; the focus stays with the channel that had it. */
  #makeLarge(page: EvolutionPage): void {
    const { signal } = this.#shell;
    const held = this.#large.querySelector<HTMLElement>(":focus")?.dataset["channel"];
    const [height, width] = page.sheet.tile;
    const ratio = Math.max(1, Math.ceil(224 / Math.max(height, width)));
    const buttons = page.channels.map((channel) => {
      const canvas = h("canvas", { width: width * ratio, height: height * ratio });
      const button = h(
        "button",
        { class: "zf-large", type: "button", "data-channel": channel },
        h("span", { class: "zf-picture" }, canvas),
        h("span", { class: "zf-caption" }, h("strong", {}, String(channel)), " ", h("span", {})),
        h("span", { class: "zf-visually-hidden" }),
      );
      button.addEventListener("click", () => this.#choose(channel), { signal });
      return button;
    });
    this.#large.replaceChildren(...buttons);
    if (held) buttons.find((button) => button.dataset["channel"] === held)?.focus();
  }

  #choose(channel: number): void {
    const chosen = this.#shell.model.get("active") === channel ? null : channel;
    this.#shell.commit("active", chosen);
    this.#mark();
  }

  #mark(): void {
    const active = this.#shell.model.get("active");
    for (const button of this.#large.querySelectorAll<HTMLElement>(".zf-large")) {
      setAttribute(button, "aria-pressed", String(Number(button.dataset["channel"]) === active));
    }
    this.#table.activate(active);
  }

  #showStep(): void {
    const [page, sheet] = [this.#page, this.#sheet];
    const { model, say } = this.#shell;
    this.#timeline.show();
    if (!page || !sheet) return;
    const column = page.steps.indexOf(model.get("step"));
    if (column < 0) return;
    const at = this.#timeline.words(column);
    setAttribute(this.#large, "aria-label", say("now", { layer: page.layer, at }));
    const buttons = [...this.#large.querySelectorAll<HTMLElement>(".zf-large")];
    buttons.forEach((button, row) => {
      const canvas = button.querySelector("canvas");
      if (canvas) drawTile(canvas, tileOf(page, sheet, column, row));
      const caption = button.querySelector(".zf-caption span");
      const silent = (page.value[column]?.[row] ?? 0) <= 0;
      const image = page.ids[page.image[column]?.[row] ?? -1] ?? "";
      const from = silent ? say("silent") : say("from", { image });
      if (caption) setText(caption, from);
      const jumped = page.jumps[column]?.[row] ?? false;
      setAttribute(button, "data-jumped", jumped ? "true" : null);
      const unseen = button.querySelector(".zf-visually-hidden");
      if (unseen) setText(unseen, jumped ? `(${say("jumped")})` : "");
      setAttribute(button, "title", jumped ? `${from} · ${say("jumped")}` : from);
    });
    this.#table.mark(column);
    setText(this.#facts, this.#factsOf(page, column));
  }

  #factsOf(page: EvolutionPage, column: number): string {
    const { say } = this.#shell;
    const parts: string[] = [];
    const similarity = page.similarity[column];
    const overlap = page.overlap[column];
    if (column > 0) {
      const jumped = (page.jumps[column] ?? []).filter(Boolean).length;
      parts.push(say("jumps", { jumped, count: page.channels.length }));
    }
    if (overlap !== null && overlap !== undefined) {
      parts.push(say("overlap", { share: `${Math.round(overlap * 100)} %` }));
    }
    if (similarity !== null && similarity !== undefined) {
      parts.push(say("similarity", { value: similarity.toFixed(2) }));
    }
    return parts.join(" · ");
  }
}

export default {
  render: (props: RenderProps<EvolutionState>) =>
    mount<EvolutionState, Key>("evolution-view", props, (shell) => {
      new View(shell);
    }),
};
