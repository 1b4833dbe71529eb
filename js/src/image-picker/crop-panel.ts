/**
 * Choosing the square: the photo with what the network sees of it bright, moved and resized with mouse,
 * wheel, keyboard or slider. The preview follows at once; Python's own, pixel for pixel, when it rests.
 */
import { h, setAttribute, setText } from "../core/dom";
import { bytesOf } from "../core/wire";
import { keyed, LEAST, moved, resized, type Size, seenOf, whole, within } from "./crop";
import { type Crop, type PickerShell, signButton } from "./state";

const PREVIEW = 224;
/** How long a square must rest before it is sent: each one is a new forward pass. */
const REST = 250;

export class CropPanel {
  readonly element: HTMLElement;
  readonly #shell: PickerShell;
  readonly #closed: () => void;
  readonly #photo = h("img", { class: "zf-crop-photo", alt: "", draggable: "false" });
  readonly #cut = h("span", { class: "zf-crop-cut" });
  readonly #seen = h("span", { class: "zf-crop-seen" }, h("span", { class: "zf-crop-corner" }));
  readonly #stage: HTMLElement;
  readonly #preview: HTMLCanvasElement;
  readonly #zoom: HTMLInputElement;
  readonly #told = h("p", { class: "zf-panel-note zf-crop-told" });
  #crop: Crop = [0, 0, 1];
  /** Of the photo that is shown. */
  #size: Size = [1, 1];
  #url = "";
  #shownFor: string | null = null;
  #loading: AbortController | null = null;
  #rest: ReturnType<typeof setTimeout> | undefined;

  constructor(shell: PickerShell, closed: () => void) {
    this.#shell = shell;
    this.#closed = closed;
    const { say, signal } = shell;
    this.#stage = h(
      "div",
      { class: "zf-crop-stage", role: "group", tabindex: 0, "aria-label": say("crop_stage") },
      this.#photo,
      this.#cut,
      this.#seen,
    );
    const preview = {
      width: PREVIEW,
      height: PREVIEW,
      role: "img",
      "aria-label": say("crop_seen"),
    };
    this.#preview = h("canvas", { class: "zf-crop-preview", ...preview });
    this.#zoom = h("input", { class: "zf-range", type: "range", min: 0, max: 1, step: "any" });
    const reset = h("button", { class: "zf-button", type: "button" }, say("crop_whole"));
    const done = signButton("tick", say("crop_done"));
    const margin = shell.model.get("_share") < 1;
    this.element = h(
      "div",
      { class: "zf-panel zf-crop", role: "group", "aria-label": say("crop_title"), hidden: true },
      this.#stage,
      h(
        "div",
        { class: "zf-panel-side" },
        h("p", { class: "zf-panel-head" }, say("crop_seen")),
        this.#preview,
        h("label", { class: "zf-crop-zoom" }, say("crop_zoom"), this.#zoom),
        h("div", { class: "zf-panel-buttons" }, reset, done),
        this.#told,
        margin && h("p", { class: "zf-panel-note" }, say("crop_margin")),
      ),
    );
    reset.addEventListener("click", () => this.#reset(), { signal });
    done.addEventListener("click", () => this.close(), { signal });
    this.#listen();
    shell.follow("value", () => void this.#load());
    shell.follow("crop", () => this.#sync());
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(this.#rest);
        URL.revokeObjectURL(this.#url);
      },
      { once: true },
    );
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  open(): void {
    this.element.hidden = false;
    void this.#load();
    this.#stage.focus({ preventScroll: true });
  }

  close(): void {
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.#loading?.abort();
    this.#shownFor = null;
    this.#closed();
  }

  // ------------------------------------------------------------------------- photo

  async #load(): Promise<void> {
    const { model, rpc, signal, say } = this.#shell;
    const value = model.get("value");
    if (!this.isOpen) return;
    clearTimeout(this.#rest);
    if (value === null) {
      this.close();
      return;
    }
    this.#loading?.abort();
    if (value === this.#shownFor) {
      // Back before another one came.
      this.#arrived();
      return;
    }
    this.#loading = new AbortController();
    const both = AbortSignal.any([signal, this.#loading.signal]);
    this.#stage.classList.add("zf-crop-loading");
    setText(this.#told, say("crop_loading"));
    try {
      let data: DataView | undefined;
      const onChunk = (_answer: unknown, buffers: DataView[]) => {
        data = buffers[0];
      };
      const question = { picture: value };
      const answer = await rpc.request("photo", question, { signal: both, onChunk });
      if (!data || both.aborted) return;
      this.#shownFor = null;
      this.#size = answer["size"] as [number, number];
      URL.revokeObjectURL(this.#url);
      this.#url = URL.createObjectURL(new Blob([bytesOf(data)], { type: "image/jpeg" }));
      this.#photo.src = this.#url;
      await this.#photo.decode();
      both.throwIfAborted();
      this.#shownFor = value;
      this.#arrived();
    } catch (reason) {
      if (!both.aborted) setText(this.#told, reason instanceof Error ? reason.message : "");
    }
  }

  #arrived(): void {
    this.#stage.classList.remove("zf-crop-loading");
    this.#sync();
  }

  // ------------------------------------------------------------------------ square

  #sync(): void {
    if (!this.isOpen || this.#shownFor !== this.#shell.model.get("value")) return;
    const crop = this.#shell.model.get("crop");
    this.#draw(within(crop ?? whole(this.#size), this.#size));
    void this.#ask();
  }

  #draw(crop: Crop): void {
    this.#crop = crop;
    const { model, say } = this.#shell;
    const [height, width] = this.#size;
    const place = (element: HTMLElement, [top, left, size]: Crop) => {
      const { style } = element;
      style.top = `${(100 * top) / height}%`;
      style.left = `${(100 * left) / width}%`;
      style.width = `${(100 * size) / width}%`;
      style.height = `${(100 * size) / height}%`;
    };
    const share = model.get("_share");
    const seen = seenOf(crop, share);
    place(this.#cut, crop);
    place(this.#seen, seen);
    this.#cut.hidden = share >= 1;
    const [top, left, size] = crop;
    const least = Math.min(LEAST, height, width);
    const range = Math.log(Math.min(height, width) / least);
    this.#zoom.value = String(range > 0 ? 1 - Math.log(size / least) / range : 0);
    const text = say("crop_now", { size, top, left });
    setText(this.#told, text);
    setAttribute(this.#zoom, "aria-valuetext", text);
    this.#sketch(seen);
  }

  /** What the network will see, as the page can draw it. */
  #sketch([top, left, size]: Crop): void {
    const context = this.#preview.getContext("2d");
    if (!context || this.#photo.naturalWidth === 0) return;
    const scale = this.#photo.naturalWidth / this.#size[1];
    [this.#preview.width, this.#preview.height] = [PREVIEW, PREVIEW];
    context.imageSmoothingQuality = "high";
    const [x, y, side] = [left * scale, top * scale, size * scale];
    context.drawImage(this.#photo, x, y, side, side, 0, 0, PREVIEW, PREVIEW);
  }

  /** The same as Python will do it, once it is sent. */
  async #ask(): Promise<void> {
    const { rpc, signal, model } = this.#shell;
    const question = () => ({ picture: model.get("value"), crop: model.get("crop") });
    const asked = question();
    let data: DataView | undefined;
    const onChunk = (_answer: unknown, buffers: DataView[]) => {
      data = buffers[0];
    };
    try {
      await rpc.request("seen", asked, { signal, onChunk });
      const now = question();
      if (!data || asked.picture !== now.picture || `${asked.crop}` !== `${now.crop}`) return;
      const image = await createImageBitmap(new Blob([bytesOf(data)]));
      [this.#preview.width, this.#preview.height] = [image.width, image.height];
      this.#preview.getContext("2d")?.drawImage(image, 0, 0);
      image.close();
    } catch {
      // The sketch stays.
    }
  }

  /** Show a square now, and send it once it rests. */
  #change(crop: Crop): void {
    const sentFor = this.#shell.model.get("value");
    if (sentFor !== this.#shownFor) return;
    this.#draw(crop);
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      const { model, commit, announce } = this.#shell;
      if (sentFor !== model.get("value") || model.get("disabled")) return;
      commit("crop", crop);
      announce(this.#told.textContent ?? "");
    }, REST);
  }

  #reset(): void {
    clearTimeout(this.#rest);
    this.#shell.commit("crop", null);
    this.#sync();
  }

  // ------------------------------------------------------------------- mouse and keys

  #listen(): void {
    const { signal } = this.#shell;
    const stage = this.#stage;
    this.#zoom.addEventListener(
      "input",
      () => {
        const least = Math.min(LEAST, ...this.#size);
        const range = Math.log(Math.min(...this.#size) / least);
        const size = least * Math.exp((1 - Number(this.#zoom.value)) * range);
        this.#change(resized(this.#crop, size, this.#size));
      },
      { signal },
    );
    stage.addEventListener("pointerdown", (event) => this.#drag(event), { signal });
    stage.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const grow = Math.exp(Math.max(-0.3, Math.min(0.3, event.deltaY * 0.002)));
        this.#change(resized(this.#crop, this.#crop[2] * grow, this.#size, this.#at(event)));
      },
      { signal, passive: false },
    );
    this.element.addEventListener("keydown", (event) => this.#key(event), { signal });
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") this.close();
    else if (event.target !== this.#stage) return;
    else if (event.key === "0") this.#reset();
    else {
      const crop = keyed(this.#crop, event.key, event.shiftKey, this.#size);
      if (!crop) return;
      this.#change(crop);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Row and column of the photo under the pointer. */
  #at(event: MouseEvent): [number, number] {
    const box = this.#photo.getBoundingClientRect();
    const [height, width] = this.#size;
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    return [(y / box.height) * height, (x / box.width) * width];
  }

  /** The corner resizes, anything else moves. */
  #drag(event: PointerEvent): void {
    if (event.button !== 0 || this.#shell.model.get("disabled")) return;
    const stage = this.#stage;
    const from = this.#crop;
    const [row, column] = this.#at(event);
    const corner = (event.target as Element).classList.contains("zf-crop-corner");
    const share = this.#shell.model.get("_share");
    const move = (next: PointerEvent) => {
      const [r, c] = this.#at(next);
      const [down, right] = [r - row, c - column];
      const larger = from[2] + Math.max(down, right) / share;
      const [top, left] = from;
      if (corner) this.#change(resized(from, larger, this.#size, [top, left]));
      else this.#change(moved(from, down, right, this.#size));
    };
    const listening = new AbortController();
    const signal = AbortSignal.any([this.#shell.signal, listening.signal]);
    stage.setPointerCapture(event.pointerId);
    stage.addEventListener("pointermove", move, { signal });
    for (const end of ["pointerup", "pointercancel"] as const)
      stage.addEventListener(end, () => listening.abort(), { signal });
  }
}
