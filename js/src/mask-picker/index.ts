/**
 * Several photos side by side; on each a box is drawn around the same part. When every photo has one,
 * Python compares what hiding the part changes (Zeiler & Fergus 2013, Table 1).
 */
import type { RenderProps } from "@anywidget/types";
import type strings from "../../../zfwidgets/widgets/mask_picker/strings.json";
import { h, setAttribute, setText, uid } from "../core/dom";
import { mount, type Shell, type ZFState } from "../core/shell";
import { bytesOf } from "../core/wire";
import { type Box, between, byKey } from "./box";

interface Row {
  layer: string;
  part: string;
  delta: number;
  low: number;
  high: number;
  z: number;
}

interface State extends ZFState {
  boxes: Record<string, (Box | null)[]>;
  part: string;
  running: boolean;
  progress: number;
  _photos: DataView;
  _facts: { count: number; height: number; width: number };
  _table: Row[];
}

type Key = keyof typeof strings;

interface Photo {
  element: HTMLElement;
  box: HTMLElement;
}

class View {
  readonly #shell: Shell<State, Key>;
  readonly #parts = h("div", { class: "zf-segments zf-parts", role: "radiogroup" });
  readonly #name = h("input", { class: "zf-entry zf-part-name", type: "text", maxlength: 40 });
  readonly #add = h("button", { class: "zf-button", type: "submit" });
  readonly #remove = h("button", { class: "zf-button", type: "button" });
  readonly #run = h("button", { class: "zf-button", type: "button" });
  readonly #bar = h("progress", { max: 1, value: 0 });
  readonly #state = h("span", { class: "zf-mask-state" });
  readonly #row = h("div", { class: "zf-mask-photos" });
  readonly #table = h("div", { class: "zf-mask-results" });
  readonly #group = uid("part");
  #photos: Photo[] = [];
  #url = "";
  #compared = "";

  constructor(shell: Shell<State, Key>) {
    this.#shell = shell;
    this.#build();
    this.#listen();
    shell.follow("boxes", () => this.#draw());
    shell.follow("part", () => this.#draw());
    shell.follow("running", () => this.#drawRun());
    shell.follow("progress", () => this.#drawRun());
    shell.follow("_table", () => this.#drawTable());
    shell.greet((alive) => {
      shell.root.dataset["alive"] = String(alive);
      this.#drawRun();
    });
    shell.signal.addEventListener("abort", () => URL.revokeObjectURL(this.#url), { once: true });
  }

  #build(): void {
    const { say, root, model } = this.#shell;
    const { count, height, width } = model.get("_facts");
    this.#url = URL.createObjectURL(
      new Blob([bytesOf(model.get("_photos"))], { type: "image/webp" }),
    );
    this.#parts.setAttribute("aria-label", say("parts"));
    this.#name.placeholder = say("new_part");
    this.#name.setAttribute("aria-label", say("new_part"));
    this.#bar.setAttribute("aria-label", say("progress"));
    setText(this.#add, say("add"));
    this.#photos = Array.from({ length: count }, (_, i) => {
      const box = h("div", { class: "zf-mask-box" });
      const element = h("div", { class: "zf-mask-photo", role: "application", tabindex: 0 }, box);
      element.style.aspectRatio = `${width} / ${height}`;
      element.style.backgroundImage = `url("${this.#url}")`;
      element.style.backgroundSize = `${100 * count}% 100%`;
      element.style.backgroundPosition = `${count > 1 ? (100 * i) / (count - 1) : 0}% 0`;
      this.#drawable(element, i);
      return { element, box };
    });
    this.#row.append(...this.#photos.map((photo) => photo.element));
    const form = h("form", { class: "zf-part-form" }, this.#name, this.#add);
    form.addEventListener("submit", (event) => this.#addPart(event), {
      signal: this.#shell.signal,
    });
    root.append(
      h("div", { class: "zf-tools" }, this.#parts, form, this.#remove),
      this.#row,
      h("p", { class: "zf-hint" }, say("keys")),
      h("div", { class: "zf-tools zf-mask-run" }, this.#run, this.#bar, this.#state),
      this.#table,
    );
  }

  #listen(): void {
    const { signal, model } = this.#shell;
    this.#run.addEventListener(
      "click",
      () => this.#shell.commit("running", !model.get("running")),
      {
        signal,
      },
    );
    this.#parts.addEventListener(
      "change",
      (event) => this.#shell.commit("part", (event.target as HTMLInputElement).value),
      { signal },
    );
    this.#remove.addEventListener("click", () => this.#removePart(), { signal });
  }

  // ------------------------------------------------------------------------------ boxes

  get #boxes(): (Box | null)[] {
    const { model } = this.#shell;
    return model.get("boxes")[model.get("part")] ?? [];
  }

  #set(index: number, box: Box | null): void {
    const { model } = this.#shell;
    const part = model.get("part");
    const boxes = this.#boxes.map((old, i) => (i === index ? box : old));
    this.#shell.commit("boxes", { ...model.get("boxes"), [part]: boxes });
  }

  #drawable(element: HTMLElement, index: number): void {
    const { signal, model } = this.#shell;
    const size = model.get("_facts");
    let from: [number, number] | null = null;
    const at = (event: PointerEvent): [number, number] => {
      const frame = element.getBoundingClientRect();
      return [
        ((event.clientY - frame.top) / frame.height) * size.height,
        ((event.clientX - frame.left) / frame.width) * size.width,
      ];
    };
    const on = (name: "pointerdown" | "pointermove" | "pointerup" | "pointercancel") =>
      element.addEventListener(
        name,
        (event) => {
          if (name === "pointerdown" && event.button === 0) {
            event.preventDefault();
            element.setPointerCapture(event.pointerId);
            element.focus({ preventScroll: true });
            from = at(event);
          }
          const box = from && between(from, at(event), size);
          if (box) this.#place(index, box);
          if (name === "pointerup" && box) this.#set(index, box);
          if (name === "pointerup" || name === "pointercancel") from = null;
        },
        { signal },
      );
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"] as const)
      on(name);
    element.addEventListener(
      "keydown",
      (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const box = byKey(event, this.#boxes[index] ?? null, size);
        if (box === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        this.#set(index, box);
      },
      { signal },
    );
  }

  #place(index: number, box: Box | null): void {
    const { height, width } = this.#shell.model.get("_facts");
    const { say, model } = this.#shell;
    const photo = this.#photos[index];
    if (!photo) return;
    const part = model.get("part");
    photo.box.hidden = box === null;
    let state = say("no_box", { part });
    if (box) {
      const [top, left, bottom, right] = box;
      const values = { part, top, left, height: bottom - top, width: right - left };
      state = say("box", values);
      Object.assign(photo.box.style, {
        top: `${(100 * top) / height}%`,
        left: `${(100 * left) / width}%`,
        height: `${(100 * (bottom - top)) / height}%`,
        width: `${(100 * (right - left)) / width}%`,
      });
    }
    setAttribute(photo.element, "aria-label", say("photo", { number: index + 1, state }));
  }

  // ------------------------------------------------------------------------------ parts

  #addPart(event: Event): void {
    event.preventDefault();
    const { model } = this.#shell;
    const name = this.#name.value.trim();
    if (!name) return;
    const boxes = model.get("boxes");
    if (!(name in boxes)) {
      const none = this.#photos.map(() => null);
      model.set("boxes", { ...boxes, [name]: none });
    }
    this.#name.value = "";
    model.set("part", name);
    model.save_changes();
  }

  #removePart(): void {
    const { model } = this.#shell;
    const { [model.get("part")]: _gone, ...rest } = model.get("boxes");
    const [next] = Object.keys(rest);
    if (next === undefined) return;
    model.set("part", next);
    model.set("boxes", rest);
    model.save_changes();
  }

  #draw(): void {
    const { model, say } = this.#shell;
    const boxes = model.get("boxes");
    const part = model.get("part");
    const focused = this.#parts.contains(document.activeElement);
    this.#parts.replaceChildren(
      ...Object.entries(boxes).map(([name, each]) => {
        const input = h("input", { type: "radio", name: this.#group, value: name });
        input.checked = name === part;
        const done = each.filter((box) => box !== null).length;
        const count = h("small", {}, say("count", { done, all: each.length }));
        return h("label", {}, input, h("bdi", {}, name), " ", count);
      }),
    );
    if (focused) this.#parts.querySelector<HTMLInputElement>("input:checked")?.focus();
    setText(this.#remove, say("remove", { part }));
    this.#remove.disabled = Object.keys(boxes).length < 2;
    this.#photos.forEach((_, i) => {
      this.#place(i, boxes[part]?.[i] ?? null);
    });
    this.#drawRun();
  }

  // ---------------------------------------------------------------------------- results

  #drawRun(): void {
    const { model, say, root } = this.#shell;
    const running = model.get("running");
    const lists = Object.values(model.get("boxes"));
    const ready = lists.some((each) => each.length > 0 && each.every((box) => box !== null));
    setText(this.#run, say(running ? "stop" : "run"));
    this.#run.disabled = root.dataset["alive"] === "false" || (!ready && !running);
    this.#bar.hidden = !running;
    this.#bar.value = model.get("progress");
    const stale = this.#compared !== "" && this.#compared !== JSON.stringify(model.get("boxes"));
    const text = root.dataset["alive"] === "false" ? say("saved") : ready ? "" : say("need");
    setText(this.#state, text || (stale && !running ? say("older") : ""));
  }

  #drawTable(): void {
    const { model, say, announce } = this.#shell;
    const rows = model.get("_table") ?? [];
    if (rows.length === 0) return;
    this.#compared = JSON.stringify(model.get("boxes"));
    const head = (["layer", "part", "delta", "interval", "z"] as const).map((key) =>
      h("th", { scope: "col" }, say(key)),
    );
    const body = rows.map((row) => {
      const random = row.part === "random";
      const cells = [
        row.delta.toFixed(3),
        `${row.low.toFixed(3)} – ${row.high.toFixed(3)}`,
        random ? "" : row.z.toFixed(1),
      ];
      return h(
        "tr",
        {},
        h("td", {}, row.layer),
        h("td", {}, random ? say("random") : row.part),
        ...cells.map((cell) => h("td", { class: "zf-number" }, cell)),
      );
    });
    const table = h("table", {}, h("caption", {}, say("results")));
    table.append(h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...body));
    this.#table.replaceChildren(table, h("p", { class: "zf-hint" }, say("meaning")));
    announce(say("results"));
    this.#drawRun();
  }
}

export default {
  render(props: RenderProps<State>) {
    return mount<State, Key>("mask-picker", props, (shell) => {
      new View(shell);
    });
  },
};
