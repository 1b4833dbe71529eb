/**
 * The network to choose a layer from. A chain of up to MAX_ROW layers stands in one row that scrolls
 * sideways; a deeper or branched network is drawn in blocks, stage by stage, with a box to find layers.
 */
import { h, s, setText } from "../core/dom";
import { fieldMark, type LayerItem, type Scale, scaleOf } from "../core/layer-glyph";
import { Listbox } from "../core/listbox";
import type { Shell, ZFState } from "../core/shell";
import { isBranched, stages } from "./blocks";
import { type Look, option, stageElement } from "./draw";
import { by, explain, type Key, kindOf } from "./words";

export interface State extends ZFState {
  layers: LayerItem[];
  value: string;
  disabled: boolean;
  input_size: number[];
}

const MAX_ROW = 24;
const ROW = { side: 86, depth: 72 };
const SMALL = { side: 32, depth: 34 };

export class LayerSelectorView {
  readonly #shell: Shell<State, Key>;
  readonly #list: HTMLElement;
  readonly #find = h("input", { class: "zf-entry zf-find", type: "search", autocomplete: "off" });
  readonly #found = h("span", { class: "zf-found", "aria-live": "polite" });
  readonly #bar: HTMLElement;
  readonly #mark = h("span", { class: "zf-layer-mark" });
  readonly #name = h("strong", {});
  readonly #text = h("span", {});
  readonly #box: Listbox;
  #hovered: string | null = null;

  constructor(shell: Shell<State, Key>) {
    this.#shell = shell;
    const { say } = shell;
    this.#list = h("div", { class: "zf-layers zf-scroll", "aria-label": say("layers") });
    this.#find.setAttribute("aria-label", say("filter"));
    this.#find.setAttribute("aria-keyshortcuts", "/");
    this.#find.placeholder = `${say("filter")}  /`;
    this.#find.title = say("filter_hint");
    this.#bar = h("div", { class: "zf-find-bar", hidden: true }, this.#find, this.#found);
    this.#bar.append(h("span", { class: "zf-scale-note" }, say("scale")));
    this.#box = new Listbox(this.#list, (id) => this.#choose(id), shell.signal);
    const words = h("p", { class: "zf-layer-words" }, this.#name, " ", this.#text);
    shell.root.append(
      this.#bar,
      this.#list,
      h("div", { class: "zf-layer-detail", "aria-hidden": "true" }, this.#mark, words),
    );
    this.#listen();
    shell.follow("layers", () => this.#draw());
    shell.follow("input_size", () => this.#draw());
    shell.follow("value", () => this.#select());
    shell.follow("disabled", (disabled) => {
      this.#box.disabled = disabled;
    });
  }

  get #layers(): LayerItem[] {
    return this.#shell.model.get("layers") ?? [];
  }

  get #input(): [number, number] | null {
    const [height, width] = this.#shell.model.get("input_size") ?? [];
    return height && width ? [height, width] : null;
  }

  #listen(): void {
    const { signal, root } = this.#shell;
    const hover = (event: Event) => {
      const found = (event.target as Element).closest<HTMLElement>('[role="option"]');
      this.#hovered = found?.dataset["id"] ?? null;
      this.#detail();
    };
    const leave = () => {
      this.#hovered = null;
      this.#detail();
    };
    this.#list.addEventListener("pointerover", hover, { signal });
    this.#list.addEventListener("focusin", hover, { signal });
    this.#list.addEventListener("pointerleave", leave, { signal });
    this.#list.addEventListener("focusout", leave, { signal });
    this.#find.addEventListener("input", () => this.#filter(), { signal });
    this.#find.addEventListener("keydown", (event) => this.#onFindKey(event), { signal });
    root.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "/" || this.#bar.hidden || event.target === this.#find) return;
        event.preventDefault();
        this.#find.focus();
        this.#find.select();
      },
      { signal },
    );
    // A view is drawn before it is on the page; only then can the choice be scrolled into sight.
    const observer = new ResizeObserver(() => this.#select());
    observer.observe(this.#list);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  #choose(id: string): void {
    this.#hovered = id;
    if (id !== this.#shell.model.get("value")) this.#shell.commit("value", id);
    else this.#select();
  }

  // ---------------------------------------------------------------------------------------- finding

  #onFindKey(event: KeyboardEvent): void {
    if (event.key === "Escape" && this.#find.value !== "") {
      this.#find.value = "";
      this.#filter();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      const first = this.#matches()[0];
      if (!first || this.#box.disabled) return;
      const element = this.#box.option(first.name);
      element?.focus({ preventScroll: true });
      this.#choose(first.name);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #matches(): LayerItem[] {
    const wanted = this.#find.value.trim().toLowerCase();
    const { say } = this.#shell;
    return this.#layers.filter(
      (layer) =>
        layer.name.toLowerCase().includes(wanted) || kindOf(say, layer).toLowerCase() === wanted,
    );
  }

  /** Blocks without a match go; in the others the layers that do not match step back. */
  #filter(): void {
    const { say } = this.#shell;
    const wanted = this.#find.value.trim();
    const names = new Set(this.#matches().map((layer) => layer.name));
    for (const found of this.#list.querySelectorAll<HTMLElement>('[role="option"]')) {
      found.dataset["match"] = String(names.has(found.dataset["id"] ?? ""));
    }
    for (const group of this.#list.querySelectorAll<HTMLElement>(".zf-block, .zf-stage")) {
      group.hidden = group.querySelector('[data-match="true"]') === null;
    }
    const count = say("found", { count: names.size, all: this.#layers.length });
    const text = names.size === 0 ? say("found_none") : count;
    setText(this.#found, wanted === "" ? "" : text);
    this.#select();
  }

  // ---------------------------------------------------------------------------------------- drawing

  #draw(): void {
    const layers = this.#layers;
    const compact = layers.length > MAX_ROW || isBranched(layers);
    this.#list.dataset["layout"] = compact ? "blocks" : "row";
    this.#bar.hidden = !compact;
    const size = compact ? SMALL : ROW;
    const input = this.#input;
    // In blocks the input is not drawn: the maps may have its room.
    const scale = scaleOf(layers, compact ? null : input, size.side, size.depth);
    const look: Look = { say: this.#shell.say, scale, input, compact };
    if (compact) {
      this.#list.replaceChildren(...stages(layers).map((stage) => stageElement(stage, look)));
    } else {
      const options = layers.map((layer) => option(layer, layer.name, look));
      this.#list.replaceChildren(...this.#picture(scale), ...options);
    }
    if (layers.length === 0) {
      this.#list.replaceChildren(h("p", { class: "zf-layers-empty" }, this.#shell.say("none")));
    }
    this.#filter();
  }

  /** What goes in, in front of the first block, to the same scale. */
  #picture(scale: Scale): Node[] {
    const input = this.#input;
    if (!input) return [];
    const { say } = this.#shell;
    const [height, width] = [input[0] * scale.pixel, input[1] * scale.pixel];
    const frame = s(
      "svg",
      { class: "zf-glyph", width: width + 1, height: height + 1, "aria-hidden": "true" },
      s("rect", { class: "zf-plane", x: 0.5, y: 0.5, width, height, rx: 1 }),
      s("path", {
        class: "zf-scene",
        d: `M4 ${height - 6} ${width * 0.35} ${height * 0.5} ${width * 0.55} ${height * 0.72} ${width * 0.7} ${height * 0.58} ${width - 3} ${height - 6}`,
      }),
      s("circle", { class: "zf-scene", cx: width * 0.7, cy: height * 0.28, r: height * 0.09 }),
    );
    const shape = (text: string) => h("span", { class: "zf-layer-shape" }, text);
    return [
      h(
        "div",
        { class: "zf-layer zf-layer-input", "aria-hidden": "true" },
        h("div", { class: "zf-layer-stage" }, frame),
        h("span", { class: "zf-layer-name" }, say("input")),
        shape(by(input)),
        shape(say("pixels")),
      ),
    ];
  }

  #select(): void {
    this.#box.mark(this.#shell.model.get("value"));
    this.#detail();
  }

  /** The line below: the layer under the pointer, else the chosen one. */
  #detail(): void {
    const wanted = this.#hovered ?? this.#shell.model.get("value");
    const layer = this.#layers.find((candidate) => candidate.name === wanted);
    const input = this.#input;
    setText(this.#name, layer?.name ?? "");
    setText(this.#text, layer ? explain(this.#shell.say, layer, input) : "");
    const mark = layer?.receptive_field && input ? [fieldMark(layer, input, 28)] : [];
    this.#mark.replaceChildren(...mark);
  }
}
