/** The photo with the square on it: dragged, clicked to, or moved with the keyboard. */
import { h, setAttribute } from "../core/dom";
import { bytesOf } from "../core/wire";
import type { Maps, Overlay } from "./maps";

export interface Square {
  top: number;
  left: number;
  size: number;
}

export interface StageOwner {
  /** The square was moved by a person; `done`: the hand has let go. */
  moved(square: Square, done: boolean): void;
  /** A person wants another size. */
  resized(by: number): void;
}

const STEP = 8;
const OVERLAY_SIDE = 448;

/** The square inside the picture. */
export function inside(square: Square, height: number, width: number): Square {
  const size = Math.max(1, Math.min(square.size, height, width));
  const within = (value: number, limit: number) =>
    Math.round(Math.max(0, Math.min(limit - size, value)));
  return { size, top: within(square.top, height), left: within(square.left, width) };
}

/** Where a key takes the square, or null if it is none of its keys. */
export function byKey(event: Pick<KeyboardEvent, "key" | "shiftKey">, from: Square): Square | null {
  const step = event.shiftKey ? 1 : STEP;
  const to = (down: number, right: number) => ({
    ...from,
    top: from.top + down * step,
    left: from.left + right * step,
  });
  switch (event.key) {
    case "ArrowUp":
      return to(-1, 0);
    case "ArrowDown":
      return to(1, 0);
    case "ArrowLeft":
      return to(0, -1);
    case "ArrowRight":
      return to(0, 1);
    case "Home":
      return { ...from, left: 0 };
    case "End":
      return { ...from, left: Number.MAX_SAFE_INTEGER };
    case "PageUp":
      return { ...from, top: 0 };
    case "PageDown":
      return { ...from, top: Number.MAX_SAFE_INTEGER };
    default:
      return null;
  }
}

export class Stage {
  readonly element: HTMLElement;
  readonly square: HTMLElement;
  readonly #photo = h("img", { class: "zf-stage-photo", alt: "", draggable: "false" });
  readonly #overlay = h("canvas", { class: "zf-stage-map" });
  readonly #owner: StageOwner;
  #at: Square = { top: 0, left: 0, size: 32 };
  #height = 1;
  #width = 1;
  #url = "";

  constructor(owner: StageOwner, name: string, movable: string, signal: AbortSignal) {
    this.#owner = owner;
    this.square = h("div", {
      class: "zf-square",
      role: "application",
      tabindex: 0,
      "aria-roledescription": movable,
    });
    this.element = h(
      "div",
      { class: "zf-stage", role: "group", "aria-label": name },
      this.#photo,
      this.#overlay,
      this.square,
    );
    this.#listen(signal);
    signal.addEventListener("abort", () => URL.revokeObjectURL(this.#url), { once: true });
  }

  photo(data: DataView | null, height: number, width: number): void {
    [this.#height, this.#width] = [height, width];
    this.element.style.aspectRatio = `${width} / ${height}`;
    URL.revokeObjectURL(this.#url);
    const some = data && data.byteLength > 0;
    this.#url = some ? URL.createObjectURL(new Blob([bytesOf(data)], { type: "image/webp" })) : "";
    setAttribute(this.#photo, "src", this.#url || null);
    this.#photo.hidden = !some;
    this.square.hidden = !some;
  }

  place(square: Square, label: string, colour: string): void {
    this.#at = square;
    const share = (value: number, of: number) => `${(100 * value) / of}%`;
    Object.assign(this.square.style, {
      top: share(square.top, this.#height),
      left: share(square.left, this.#width),
      height: share(square.size, this.#height),
      width: share(square.size, this.#width),
      background: colour,
    });
    setAttribute(this.square, "aria-label", label);
  }

  overlay(maps: Maps | null, which: Overlay, palette: DataView): void {
    const context = this.#overlay.getContext("2d");
    this.#overlay.width = OVERLAY_SIDE;
    this.#overlay.height = Math.round((OVERLAY_SIDE * this.#height) / this.#width);
    const scale = OVERLAY_SIDE / this.#width;
    this.element.dataset["overlay"] = maps ? which : "none";
    if (context && maps) maps.draw(context, which, palette, [scale, scale]);
  }

  #listen(signal: AbortSignal): void {
    let grip: { x: number; y: number } | null = null;
    const { element } = this;
    const move = (event: PointerEvent, done: boolean) => {
      if (!grip) return;
      const box = element.getBoundingClientRect();
      const left = ((event.clientX - box.left) / box.width) * this.#width - grip.x;
      const top = ((event.clientY - box.top) / box.height) * this.#height - grip.y;
      this.#owner.moved(inside({ ...this.#at, top, left }, this.#height, this.#width), done);
    };
    element.addEventListener(
      "pointerdown",
      (event) => {
        if (event.button !== 0 || this.square.hidden) return;
        event.preventDefault();
        element.setPointerCapture(event.pointerId);
        const held = event.target === this.square;
        const box = this.square.getBoundingClientRect();
        const half = this.#at.size / 2;
        // Held where it was gripped; a click elsewhere brings its middle there.
        grip = held
          ? {
              x: ((event.clientX - box.left) / box.width) * this.#at.size,
              y: ((event.clientY - box.top) / box.height) * this.#at.size,
            }
          : { x: half, y: half };
        this.square.focus({ preventScroll: true });
        move(event, false);
      },
      { signal },
    );
    element.addEventListener("pointermove", (event) => move(event, false), { signal });
    for (const end of ["pointerup", "pointercancel"] as const) {
      element.addEventListener(
        end,
        (event) => {
          move(event, true);
          grip = null;
        },
        { signal },
      );
    }
    this.square.addEventListener("keydown", (event) => this.#onKey(event), { signal });
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const grow = event.key === "+" || event.key === "=" ? 1 : event.key === "-" ? -1 : 0;
    const to = byKey(event, this.#at);
    if (!grow && !to) return;
    event.preventDefault();
    event.stopPropagation();
    if (grow) this.#owner.resized(grow * STEP);
    else if (to) this.#owner.moved(inside(to, this.#height, this.#width), true);
  }
}
