/**
 * The network as a row of blocks to choose a layer from. Up to MAX_ROW layers stand in one row that
 * scrolls sideways; a deeper network wraps into small blocks, a heading for every stage of it.
 */
import type { RenderProps } from "@anywidget/types";
import { h, icon, s, setText } from "../core/dom";
import {
  blockSide,
  by,
  explain,
  fieldMark,
  glyph,
  type LayerItem,
  type Scale,
  shapeLines,
} from "../core/layer-glyph";
import { Listbox } from "../core/listbox";
import { mount, type Shell, type ZFState } from "../core/shell";

interface State extends ZFState {
  layers: LayerItem[];
  value: string;
  disabled: boolean;
  input_size: number[];
}

const MAX_ROW = 24;
const SIDE = 52;
const SMALL_SIDE = 26;
const TICK = "M3 8.5 6.5 12 13 4.5";

class View {
  readonly #shell: Shell<State>;
  readonly #list = h("div", { class: "zf-layers", "aria-label": "Layers of the network" });
  readonly #mark = h("span", { class: "zf-layer-mark" });
  readonly #name = h("strong", {});
  readonly #text = h("span", {});
  readonly #box: Listbox;
  #hovered: string | null = null;

  constructor(shell: Shell<State>) {
    this.#shell = shell;
    this.#box = new Listbox(this.#list, (id) => this.#choose(id), shell.signal);
    const words = h("p", { class: "zf-layer-words" }, this.#name, " ", this.#text);
    shell.root.append(
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
    const { signal } = this.#shell;
    const hover = (event: Event) => {
      const option = (event.target as Element).closest<HTMLElement>('[role="option"]');
      this.#hovered = option?.dataset["id"] ?? null;
      this.#detail();
    };
    this.#list.addEventListener("pointerover", hover, { signal });
    this.#list.addEventListener("focusin", hover, { signal });
    const leave = () => {
      this.#hovered = null;
      this.#detail();
    };
    this.#list.addEventListener("pointerleave", leave, { signal });
    this.#list.addEventListener("focusout", leave, { signal });
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

  #draw(): void {
    const layers = this.#layers;
    const compact = layers.length > MAX_ROW;
    this.#list.dataset["layout"] = compact ? "rows" : "row";
    const scale = this.#scale(compact);
    this.#list.style.setProperty("--zf-side", `${scale.side}px`);
    if (compact) this.#list.replaceChildren(...stages(layers).map((stage) => group(stage, scale)));
    else {
      const options = layers.map((layer) => this.#option(layer, layer.name, scale));
      this.#list.replaceChildren(...this.#picture(scale), ...options);
    }
    if (layers.length === 0) {
      this.#list.replaceChildren(h("p", { class: "zf-layers-empty" }, "No network yet."));
    }
    this.#select();
  }

  #scale(compact: boolean): Scale {
    const sides = this.#layers.flatMap((layer) => [layer.height ?? 1, layer.width ?? 1]);
    return {
      side: compact ? SMALL_SIDE : SIDE,
      largest: Math.max(...sides, ...(this.#input ?? [1])),
    };
  }

  /** What goes in, in front of the first block. */
  #picture(scale: Scale): Node[] {
    const input = this.#input;
    if (!input) return [];
    const [height, width] = [blockSide(input[0], scale), blockSide(input[1], scale)];
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
    return [
      h(
        "div",
        { class: "zf-layer zf-layer-input", "aria-hidden": "true" },
        h("div", { class: "zf-layer-stage" }, frame),
        h("span", { class: "zf-layer-name" }, "input"),
        h("span", { class: "zf-layer-shape" }, by(input)),
        h("span", { class: "zf-layer-shape" }, "pixels"),
      ),
    ];
  }

  #option(layer: LayerItem, label: string, scale: Scale): HTMLElement {
    return option(layer, label, scale, this.#input);
  }

  #select(): void {
    this.#box.mark(this.#shell.model.get("value"));
    this.#detail();
  }

  /** The line below: the layer under the pointer, else the chosen one. */
  #detail(): void {
    const wanted = this.#hovered ?? this.#shell.model.get("value");
    const layer = this.#layers.find((candidate) => candidate.name === wanted);
    setText(this.#name, layer?.name ?? "");
    setText(this.#text, layer ? explain(layer, this.#input) : "");
    const input = this.#input;
    this.#mark.replaceChildren(
      ...(layer?.receptive_field && input ? [fieldMark(layer, input)] : []),
    );
  }
}

interface Stage {
  title: string;
  layers: LayerItem[];
}

/** Runs of layers whose names share the part before the first dot. */
export function stages(layers: LayerItem[]): Stage[] {
  const found: Stage[] = [];
  for (const layer of layers) {
    const dot = layer.name.indexOf(".");
    const title = dot > 0 ? layer.name.slice(0, dot) : "";
    const last = found.at(-1);
    if (last && last.title === title) last.layers.push(layer);
    else found.push({ title, layers: [layer] });
  }
  return found;
}

function group({ title, layers }: Stage, scale: Scale): HTMLElement {
  const cut = title === "" ? 0 : title.length + 1;
  const options = layers.map((layer) => option(layer, layer.name.slice(cut), scale, null));
  const heading = title && h("div", { class: "zf-stage-title", "aria-hidden": "true" }, title);
  const items = h("div", { class: "zf-stage-items", role: "presentation" }, ...options);
  return h(
    "div",
    { class: "zf-stage", role: "group", "aria-label": title || null },
    heading,
    items,
  );
}

function option(
  layer: LayerItem,
  label: string,
  scale: Scale,
  input: [number, number] | null,
): HTMLElement {
  const words = explain(layer, input);
  const [first, second] = shapeLines(layer);
  return h(
    "div",
    {
      class: "zf-layer",
      role: "option",
      "data-id": layer.name,
      "data-text": layer.name,
      "data-kind": layer.kind,
      "aria-label": `${layer.name}, ${words}`,
      title: `${layer.name}: ${words}`,
    },
    h("div", { class: "zf-layer-stage" }, glyph(layer, scale)),
    h("span", { class: "zf-layer-name" }, icon(TICK), h("bdi", {}, label)),
    h("span", { class: "zf-layer-shape" }, first),
    h("span", { class: "zf-layer-shape" }, second),
  );
}

export default {
  render(props: RenderProps<State>) {
    return mount<State>("layer-selector", props, (shell) => {
      new View(shell);
    });
  },
};
