/** Fig. 4 as a table: a row per channel, a column per checkpoint, the current one marked. */
import { h, icon, setAttribute, setText } from "../core/dom";
import { drawTile } from "../core/tiles";
import { type EvolutionPage, tileOf } from "./page";
import type { EvolutionShell } from "./state";

/** Least side of a tile on its canvas, in pixels. */
const SIDE = 96;
const DOT = "M8 8m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0";

export class Table {
  readonly element: HTMLElement;
  readonly #shell: EvolutionShell;
  readonly #title = h("span", {});
  readonly #head = h("thead", {});
  readonly #body = h("tbody", {});

  constructor(shell: EvolutionShell) {
    this.#shell = shell;
    const legend = h(
      "p",
      { class: "zf-legend", "aria-hidden": "true" },
      h("span", { class: "zf-jump" }, icon(DOT)),
      shell.say("legend"),
    );
    const table = h(
      "table",
      { class: "zf-figure" },
      h("caption", {}, this.#title),
      this.#head,
      this.#body,
    );
    this.element = h(
      "div",
      { class: "zf-whole" },
      // A region that scrolls must be reachable by keyboard.
      h("div", { class: "zf-scroll", tabindex: 0, role: "region" }, table),
      legend,
    );
    this.element.hidden = true;
    table.addEventListener("click", (event) => this.#click(event), { signal: shell.signal });
  }

  show(page: EvolutionPage, sheet: ImageBitmap): void {
    const { say } = this.#shell;
    this.element.hidden = false;
    const title = say("table", { layer: page.layer, count: page.scanned });
    setText(this.#title, title);
    setAttribute(this.element.querySelector(".zf-scroll") as Element, "aria-label", title);
    this.#head.replaceChildren(
      h(
        "tr",
        {},
        h("th", { scope: "col" }, say("channel")),
        ...page.steps.map((step, column) =>
          h("th", { scope: "col", "data-column": column }, step.toLocaleString("en-US")),
        ),
      ),
    );
    this.#body.replaceChildren(...page.channels.map((_, row) => this.#row(page, sheet, row)));
  }

  #row(page: EvolutionPage, sheet: ImageBitmap, row: number): HTMLElement {
    const { say, model } = this.#shell;
    const channel = page.channels[row] ?? 0;
    const [height, width] = page.sheet.tile;
    const ratio = Math.max(1, Math.ceil(SIDE / Math.max(height, width)));
    const unit = model.get("unit") === "epoch" ? "at_epoch" : "at_step";
    const cells = page.steps.map((step, column) => {
      const silent = (page.value[column]?.[row] ?? 0) <= 0;
      const image = page.ids[page.image[column]?.[row] ?? -1] ?? "";
      const from = silent ? say("silent") : say("from", { image });
      const jumped = page.jumps[column]?.[row] ?? false;
      const at = say(unit, { step: step.toLocaleString("en-US") });
      const words = say("tile", { channel, at, image: from });
      const label = jumped ? `${words}, ${say("jumped")}` : words;
      const canvas = h("canvas", {
        width: width * ratio,
        height: height * ratio,
        role: "img",
        "aria-label": label,
        title: label,
      });
      drawTile(canvas, tileOf(page, sheet, column, row));
      const mark = jumped && h("span", { class: "zf-jump", "aria-hidden": "true" }, icon(DOT));
      return h(
        "td",
        { "data-column": column, "data-silent": silent },
        h("span", { class: "zf-cell" }, canvas, mark),
      );
    });
    return h(
      "tr",
      { "data-channel": channel },
      h("th", { scope: "row" }, h("span", {}, String(channel))),
      ...cells,
    );
  }

  /** Mark the current column and bring it into sight, within the table only. */
  mark(column: number): void {
    let head: HTMLElement | null = null;
    for (const cell of this.element.querySelectorAll<HTMLElement>("[data-column]")) {
      const here = Number(cell.dataset["column"]) === column;
      setAttribute(cell, "data-here", here ? "true" : null);
      if (cell.tagName === "TH") {
        setAttribute(cell, "aria-current", here ? "true" : null);
        if (here) head = cell;
      }
    }
    const scroll = this.element.querySelector<HTMLElement>(".zf-scroll");
    if (!head || !scroll) return;
    // The channel numbers stay at the left edge, over what is scrolled away.
    const numbers = this.#head.querySelector("th")?.offsetWidth ?? 0;
    const [from, to] = [head.offsetLeft - numbers, head.offsetLeft + head.offsetWidth];
    if (from < scroll.scrollLeft) scroll.scrollLeft = from;
    if (to > scroll.scrollLeft + scroll.clientWidth) scroll.scrollLeft = to - scroll.clientWidth;
  }

  activate(channel: number | null): void {
    for (const row of this.#body.querySelectorAll<HTMLElement>("tr")) {
      const active = Number(row.dataset["channel"]) === channel;
      setAttribute(row, "data-active", active ? "true" : null);
    }
  }

  /** A click on a column goes to its checkpoint; the slider is the keyboard's way. */
  #click(event: MouseEvent): void {
    const cell = (event.target as Element).closest<HTMLElement>("[data-column]");
    const step = this.#shell.model.get("steps")?.[Number(cell?.dataset["column"] ?? -1)];
    if (step !== undefined) this.#shell.commit("step", step);
  }
}
