/**
 * Mouse and touch over the pictures: a click chooses, dragging moves what is enlarged, the wheel zooms
 * with Ctrl only, so that the notebook keeps scrolling.
 */
import type { Camera } from "./camera";

export interface GestureOwner {
  moved(): void;
  chosen(row: number, col: number): void;
  hovered(place: [number, number] | null): void;
}

/** Pointers that move less mean a click, CSS pixels. */
const STILL = 4;

export class Gestures {
  readonly #camera: Camera;
  readonly #owner: GestureOwner;
  #from: { x: number; y: number; moved: boolean } | null = null;

  constructor(element: HTMLElement, camera: Camera, signal: AbortSignal, owner: GestureOwner) {
    [this.#camera, this.#owner] = [camera, owner];
    const on = <K extends keyof HTMLElementEventMap>(
      type: K,
      listener: (event: HTMLElementEventMap[K]) => void,
      passive = true,
    ) => element.addEventListener(type, listener, { signal, passive });
    on("pointerdown", (event) => this.#down(event));
    on("pointermove", (event) => this.#move(event));
    on("pointerup", (event) => this.#up(event));
    on("pointercancel", () => {
      this.#from = null;
    });
    on("pointerleave", () => owner.hovered(null));
    on("wheel", (event) => this.#wheel(event), false);
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0 || !frameOf(event)) return;
    this.#from = { x: event.clientX, y: event.clientY, moved: false };
  }

  #move(event: PointerEvent): void {
    const frame = frameOf(event);
    const from = this.#from;
    if (!from) {
      this.#owner.hovered(frame && this.#placeOf(frame, event));
      return;
    }
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    if (!from.moved && Math.hypot(dx, dy) < STILL) return;
    const target = event.currentTarget as HTMLElement;
    if (!from.moved) target.setPointerCapture(event.pointerId);
    from.moved = true;
    const sized = frame ?? target.querySelector<HTMLElement>(".zf-pane-frame");
    if (!sized) return;
    this.#camera.pan(-dy / sized.clientHeight, -dx / sized.clientWidth);
    [from.x, from.y] = [event.clientX, event.clientY];
    this.#owner.moved();
  }

  #up(event: PointerEvent): void {
    const [from, frame] = [this.#from, frameOf(event)];
    this.#from = null;
    if (from && !from.moved && frame) this.#owner.chosen(...this.#placeOf(frame, event));
  }

  #wheel(event: WheelEvent): void {
    const frame = frameOf(event);
    if (!frame || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.#camera.zoomAt(2 ** (-event.deltaY / 200), ...this.#placeOf(frame, event));
    this.#owner.moved();
  }

  #placeOf(frame: HTMLElement, event: MouseEvent): [number, number] {
    const { left, top, width, height } = frame.getBoundingClientRect();
    return this.#camera.at((event.clientY - top) / height, (event.clientX - left) / width);
  }
}

function frameOf(event: Event): HTMLElement | null {
  return (event.target as Element).closest<HTMLElement>(".zf-pane-frame");
}
