/**
 * The lines above photo and projection: which neuron it is, how strongly it answers, by which rule and
 * contrast it is shown. The pictures themselves are bqplot figures beside this widget in one box.
 */
import type { RenderProps } from "@anywidget/types";
import { h, icon, setText } from "../core/dom";
import { mount, type Shell, type ZFState } from "../core/shell";

interface Facts {
  layer: string;
  channel: number;
  row: number;
  col: number;
  map: [number, number];
  value: number;
  field: [number, number];
  beyond: boolean;
  all: boolean;
  rule: string;
  contrast: string;
}

type Frame = "picture" | "field";

interface State extends ZFState {
  facts: Facts | Record<string, never>;
  status: "empty" | "busy" | "ready" | "error";
  frame: Frame;
  _asked: number;
}

const WHOLE = "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10";
const FIELD = "M4.5 4.5h7v7h-7zM8 1v2M8 13v2M1 8h2M13 8h2";

class View {
  readonly #shell: Shell<State>;
  readonly #title = h("span", { class: "zf-caption-title" });
  readonly #value = h("p", { class: "zf-caption-line" });
  readonly #how = h("p", { class: "zf-caption-line zf-caption-how" });
  readonly #progress = h("div", { class: "zf-progress" });
  readonly #whole = frameButton(WHOLE, "Whole picture", "Show the whole picture (double click)");
  readonly #field = frameButton(FIELD, "Receptive field", "Zoom to what the neuron can see");

  constructor(shell: Shell<State>) {
    this.#shell = shell;
    shell.root.append(
      h("div", { class: "zf-caption-bar" }, this.#title, this.#whole, this.#field),
      this.#value,
      this.#how,
      this.#progress,
    );
    const { signal } = shell;
    this.#whole.addEventListener("click", () => this.#look("picture"), { signal });
    this.#field.addEventListener("click", () => this.#look("field"), { signal });
    this.#resetOnDoubleClick();
    shell.follow("facts", () => this.#draw());
    shell.follow("status", () => this.#draw());
  }

  /** The pictures are siblings in a box that is made after this view. */
  #resetOnDoubleClick(): void {
    const { root, signal } = this.#shell;
    const attach = () => {
      const box = root.closest(".zf-projection-view");
      box?.addEventListener(
        "dblclick",
        (event) => {
          if ((event.target as Element).closest(".zf-linked-figure")) this.#look("picture");
        },
        { signal },
      );
      return box !== null;
    };
    if (attach()) return;
    const observer = new ResizeObserver(() => {
      if (attach()) observer.disconnect();
    });
    observer.observe(root);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  #look(frame: Frame): void {
    const { model } = this.#shell;
    model.set("frame", frame);
    model.set("_asked", model.get("_asked") + 1);
    model.save_changes();
  }

  #draw(): void {
    const facts = this.#shell.model.get("facts");
    const status = this.#shell.model.get("status");
    this.#progress.dataset["busy"] = String(status === "busy");
    const shown = isFacts(facts) ? facts : null;
    this.#field.disabled = shown === null || shown.all;
    setText(this.#title, shown ? `${shown.layer} · channel ${shown.channel}` : "Projection");
    setText(this.#value, shown ? answer(shown) : invitation(status));
    setText(this.#how, shown ? manner(shown) : "");
    if (shown && status === "ready") {
      this.#shell.announce(`${shown.layer}, channel ${shown.channel}, ${answer(shown)}`);
    }
  }
}

function isFacts(facts: State["facts"]): facts is Facts {
  return typeof facts?.layer === "string";
}

function frameButton(path: string, label: string, title: string): HTMLButtonElement {
  return h("button", { class: "zf-button", type: "button", title }, icon(path), label);
}

function invitation(status: State["status"]): string {
  return status === "busy" ? "Working…" : "Choose a channel to send it back to pixels.";
}

function answer(facts: Facts): string {
  const [rows, columns] = facts.map;
  const single = rows === 1 && columns === 1;
  if (facts.value === 0) return "silent: this channel does not answer to this picture";
  const value = Number(facts.value.toPrecision(3)).toString();
  if (single) return `activation ${value}`;
  return `strongest activation ${value} at row ${facts.row}, column ${facts.col} of ${rows}×${columns}`;
}

function manner(facts: Facts): string {
  const [height, width] = facts.field;
  const field = facts.all ? "sees the whole picture" : `sees ${height}×${width} pixels`;
  const beyond = facts.beyond && !facts.all ? ", partly beyond the edge" : "";
  return `${facts.rule} · ${field}${beyond} · ${facts.contrast}`;
}

export default {
  render(props: RenderProps<State>) {
    return mount<State>("projection-caption", props, (shell) => {
      new View(shell);
    });
  },
};
