/**
 * A gallery of pictures to choose from, and four ways to bring one: a button, drag and drop, paste,
 * and Python. Files are sent in pieces one after another; what fails is said here, in the view that
 * sent it, and the chosen picture stays.
 */
import type { RenderProps } from "@anywidget/types";
import { h, icon } from "../core/dom";
import { Listbox } from "../core/listbox";
import { isAbort, RpcError } from "../core/rpc";
import { mount, type Shell, type ZFState } from "../core/shell";
import { bytesOf, type WireError } from "../core/wire";

interface Item {
  id: string;
  label: string;
  credit: string;
}

interface State extends ZFState {
  items: Item[];
  value: string | null;
  disabled: boolean;
  rows: number;
  _thumbs: DataView | null;
  _columns: number;
  _max_bytes: number;
}

/** Well below the 10 MiB at which Jupyter's web server drops the connection. */
const PIECE = 2 * 2 ** 20;
const MAX_NOTICES = 4;
const WARNING = "M8 1.8 15 14H1L8 1.8zM8 6v4M8 12v.1";
const UPLOAD = "M8 10.5V2.5M4.8 5.5 8 2.3l3.2 3.2M2.5 10.5v3h11v-3";
const CROSS = "M4 4l8 8M12 4l-8 8";
const TICK = "M3 8.5 6.5 12 13 4.5";

class View {
  readonly #shell: Shell<State>;
  readonly #box: Listbox;
  readonly #gallery = h("div", { class: "zf-gallery", "aria-label": "Pictures" });
  readonly #waiting = h("div", { class: "zf-waiting", role: "presentation" });
  readonly #notices = h("div", { class: "zf-notices", role: "alert" });
  readonly #caption = h("p", { class: "zf-picker-caption" });
  readonly #button = h("button", { class: "zf-button", type: "button" }, icon(UPLOAD), "Upload…");
  readonly #file = h("input", { type: "file", accept: "image/*", multiple: true, hidden: true });
  #atlas = "";
  #hovered: string | null = null;
  #queue: Promise<void> = Promise.resolve();

  constructor(shell: Shell<State>) {
    this.#shell = shell;
    this.#box = new Listbox(this.#gallery, (id) => this.#choose(id), shell.signal);
    const hint = h("span", { class: "zf-picker-hint" }, "or drop, or paste");
    shell.root.append(
      this.#notices,
      h("div", { class: "zf-picker-bar" }, this.#button, hint, this.#caption, this.#file),
      h("div", { class: "zf-picker-strip" }, this.#gallery, this.#waiting),
      h("div", { class: "zf-drop", "aria-hidden": "true" }, icon(UPLOAD), "Drop pictures here"),
    );
    this.#listen();
    this.#takeDrops();
    shell.follow("_thumbs", () => this.#loadAtlas());
    shell.follow("items", () => this.#draw());
    shell.follow("value", () => this.#select());
    shell.follow("rows", (rows) => {
      shell.root.dataset["rows"] = String(rows ?? 0);
    });
    shell.follow("disabled", (disabled) => {
      this.#box.disabled = disabled;
      this.#button.disabled = disabled;
    });
    shell.signal.addEventListener("abort", () => URL.revokeObjectURL(this.#atlas), { once: true });
  }

  // ------------------------------------------------------------------------ gallery

  #loadAtlas(): void {
    const thumbs = this.#shell.model.get("_thumbs");
    URL.revokeObjectURL(this.#atlas);
    this.#atlas =
      thumbs && thumbs.byteLength > 0
        ? URL.createObjectURL(new Blob([bytesOf(thumbs)], { type: "image/webp" }))
        : "";
    const value = this.#atlas ? `url("${this.#atlas}")` : "none";
    this.#shell.root.style.setProperty("--zf-thumbs", value);
  }

  get #items(): Item[] {
    return this.#shell.model.get("items") ?? [];
  }

  #draw(): void {
    const items = this.#items;
    const columns = this.#shell.model.get("_columns");
    const rows = Math.max(1, Math.ceil(items.length / columns));
    this.#shell.root.style.setProperty("--zf-atlas", `${columns * 100}% ${rows * 100}%`);
    this.#gallery.replaceChildren(...items.map((item, index) => photo(item, index, columns, rows)));
    this.#gallery.hidden = items.length === 0;
    this.#select();
  }

  #select(): void {
    this.#box.mark(this.#shell.model.get("value"));
    this.#describe();
  }

  #choose(id: string): void {
    if (id !== this.#shell.model.get("value")) this.#shell.commit("value", id);
    this.#select();
  }

  /** The line beside the button: the picture under the pointer, else the chosen one. */
  #describe(): void {
    const wanted = this.#hovered ?? this.#shell.model.get("value");
    const item = this.#items.find((candidate) => candidate.id === wanted);
    const label = h("strong", {}, item?.label ?? "");
    this.#caption.replaceChildren(label, item?.credit ? ` · ${item.credit}` : "");
    this.#caption.title = item ? [item.label, item.credit].filter(Boolean).join(" · ") : "";
  }

  #listen(): void {
    const { signal } = this.#shell;
    const hover = (event: Event) => {
      const option = (event.target as Element).closest<HTMLElement>('[role="option"]');
      this.#hovered = event.type === "pointerleave" ? null : (option?.dataset["id"] ?? null);
      this.#describe();
    };
    this.#gallery.addEventListener("pointerover", hover, { signal });
    this.#gallery.addEventListener("pointerleave", hover, { signal });
    this.#button.addEventListener("click", () => this.#file.click(), { signal });
    this.#file.addEventListener(
      "change",
      () => {
        this.#take([...(this.#file.files ?? [])]);
        this.#file.value = "";
      },
      { signal },
    );
    this.#shell.root.addEventListener("paste", (event) => this.#onPaste(event), { signal });
    const observer = new ResizeObserver(() => this.#box.mark(this.#shell.model.get("value")));
    observer.observe(this.#gallery);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
  }

  // -------------------------------------------------------------- pictures from outside

  #onPaste(event: ClipboardEvent): void {
    event.preventDefault();
    event.stopPropagation();
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) this.#take(files);
    else
      this.#notice({
        title: "Nothing to paste",
        message: "The clipboard holds no picture.",
        hint: "Copy a picture itself, not its address.",
      });
  }

  #takeDrops(): void {
    const { root, signal } = this.#shell;
    let depth = 0; // enter and leave come in pairs for every element on the way
    const show = () => root.classList.toggle("zf-dropping", depth > 0);
    const on = (name: "dragenter" | "dragover" | "dragleave" | "drop", change: number) =>
      root.addEventListener(
        name,
        (event) => {
          event.preventDefault();
          event.stopPropagation();
          depth = name === "drop" ? 0 : Math.max(0, depth + change);
          show();
          if (name === "drop") this.#onDrop(event);
        },
        { signal },
      );
    on("dragenter", 1);
    on("dragover", 0);
    on("dragleave", -1);
    on("drop", 0);
  }

  #onDrop(event: DragEvent): void {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) this.#take(files);
    else
      this.#notice({
        title: "Nothing to read",
        message: "What was dropped is not a file.",
        hint: "Save the picture first, then drop the file.",
      });
  }

  // ------------------------------------------------------------------------- upload

  #take(files: File[]): void {
    if (this.#box.disabled) return;
    this.#notices.replaceChildren();
    for (const file of files) {
      const refusal = unfit(file, this.#shell.model.get("_max_bytes"));
      if (refusal) this.#notice(refusal);
      else this.#enqueue(file);
    }
  }

  #enqueue(file: File): void {
    const name = file.name || "pasted picture";
    const bar = h("progress", { max: file.size, value: 0, "aria-label": `Reading ${name}` });
    const ghost = h(
      "div",
      { class: "zf-photo zf-photo-waiting" },
      h("div", { class: "zf-thumb" }, bar),
      h("span", { class: "zf-photo-label" }, h("bdi", {}, name)),
    );
    this.#waiting.append(ghost);
    this.#shell.announce(`Reading ${name}`);
    this.#queue = this.#queue
      .then(() => this.#send(file, name, bar))
      .then(() => this.#shell.announce(`${name} is ready`))
      .catch((reason: unknown) => {
        if (!isAbort(reason)) this.#notice(explain(reason, name));
      })
      .finally(() => ghost.remove());
  }

  async #send(file: File, name: string, bar: HTMLProgressElement): Promise<void> {
    const { rpc, signal } = this.#shell;
    const key = `${Math.random().toString(36).slice(2)}${file.size}`;
    for (let at = 0; at < file.size; at += PIECE) {
      const piece = await file.slice(at, at + PIECE).arrayBuffer();
      // Decoding comes with the last piece and has no measure: a bar without a value.
      if (at + PIECE >= file.size) bar.removeAttribute("value");
      const body = { key, name, at, size: file.size };
      await rpc.request("upload", body, { signal, buffers: [piece], timeout: 120_000 });
      if (at + PIECE < file.size) bar.value = at + PIECE;
    }
  }

  #notice({ title, message, hint }: WireError): void {
    const dismiss = h(
      "button",
      { class: "zf-dismiss", type: "button", "aria-label": "Dismiss", title: "Dismiss" },
      icon(CROSS),
    );
    const notice = h(
      "div",
      { class: "zf-alert" },
      icon(WARNING),
      h(
        "div",
        { class: "zf-alert-body" },
        h("p", { class: "zf-alert-title" }, title),
        h("p", { class: "zf-alert-text" }, message),
        h("p", { class: "zf-alert-hint" }, hint),
      ),
      dismiss,
    );
    dismiss.addEventListener(
      "click",
      () => {
        notice.remove();
        this.#button.focus();
      },
      { signal: this.#shell.signal },
    );
    this.#notices.append(notice);
    while (this.#notices.childElementCount > MAX_NOTICES) this.#notices.firstElementChild?.remove();
  }
}

/** What can be said before anything is sent. */
function unfit(file: File, limit: number): WireError | null {
  const name = file.name || "The pasted picture";
  if (file.size === 0) {
    return {
      title: `${name} is empty`,
      message: "The file has no bytes.",
      hint: "A folder or a download that has not finished looks like this.",
    };
  }
  if (file.size > limit) {
    return {
      title: `${name} is too large`,
      message: `It has ${mebibytes(file.size)} MiB; at most ${mebibytes(limit)} MiB are read.`,
      hint: "Save it smaller, or raise the limit with zf.images.set_limits(max_bytes=…).",
    };
  }
  return null;
}

function mebibytes(bytes: number): string {
  const value = bytes / 2 ** 20;
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

function explain(reason: unknown, name: string): WireError {
  if (reason instanceof RpcError) return reason.detail;
  return {
    title: `${name} was not read`,
    message: reason instanceof Error ? reason.message : String(reason),
    hint: "If the kernel is busy or was restarted, run the cell again.",
  };
}

function photo(item: Item, index: number, columns: number, rows: number): HTMLElement {
  const across = columns > 1 ? ((index % columns) / (columns - 1)) * 100 : 0;
  const down = rows > 1 ? (Math.floor(index / columns) / (rows - 1)) * 100 : 0;
  const thumb = h("div", { class: "zf-thumb" }, h("span", { class: "zf-thumb-tick" }, icon(TICK)));
  thumb.style.backgroundPosition = `${across}% ${down}%`;
  const credit = item.credit ? `, by ${item.credit}` : "";
  const label = h("span", { class: "zf-photo-label" }, h("bdi", {}, item.label));
  return h(
    "div",
    {
      class: "zf-photo",
      role: "option",
      "data-id": item.id,
      "data-text": item.label,
      "aria-label": `${item.label}${credit}`,
      title: item.credit ? `${item.label} · ${item.credit}` : item.label,
    },
    thumb,
    label,
  );
}

export default {
  render(props: RenderProps<State>) {
    return mount<State>("image-picker", props, (shell) => {
      new View(shell);
    });
  },
};
