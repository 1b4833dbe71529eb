/** The sheet of all maps: paints each frame, tells what is under the pointer, takes clicks. */
import { h, setText } from "../core/dom";
import { floatsOf } from "../core/wire";
import type { LiveSay } from "./parts";
import { channelAt, coloursOf, cornerOf, layoutSheet, paintSheet, type SheetLayout } from "./sheet";

type Shape = [count: number, height: number, width: number];

export class MapSheet {
  readonly element: HTMLElement;
  readonly #say: LiveSay;
  readonly #colours: Uint32Array;
  readonly #canvas = h("canvas", { class: "zf-live-maps", role: "img" });
  readonly #mark = h("span", { class: "zf-live-mark", hidden: true });
  readonly #well = h("div", { class: "zf-live-sheet-well" }, this.#canvas, this.#mark);
  readonly #caption = h("figcaption");
  readonly #pointed = h("span", { class: "zf-live-pointed" });
  #shape: Shape = [0, 0, 0];
  #layout: SheetLayout | null = null;
  #image: ImageData | null = null;
  #room = 0;
  #strengths: Float32Array = new Float32Array();
  #hovered: number | null = null;
  #shown: number | null = null;
  /** Whether the person chose the channel, or the network did. */
  #chosen = false;

  constructor(
    say: LiveSay,
    palette: Uint8Array,
    signal: AbortSignal,
    choose: (channel: number) => void,
  ) {
    this.#say = say;
    this.#colours = coloursOf(palette);
    setText(this.#caption, say("maps_none"));
    const head = h("div", { class: "zf-live-sheet-head" }, this.#caption, this.#pointed);
    this.element = h("figure", { class: "zf-live-sheet" }, head, this.#well);
    this.#canvas.title = say("scale");
    this.#canvas.ariaLabel = say("maps_none");
    const on = (type: "pointermove" | "pointerleave" | "click", listener: (at: number) => void) =>
      this.#canvas.addEventListener(
        type,
        (event) => listener(this.#at(event as PointerEvent) ?? -1),
        { signal },
      );
    on("pointermove", (at) => this.#point(at < 0 ? null : at));
    on("pointerleave", () => this.#point(null));
    on("click", (at) => at >= 0 && choose(at));
    const observer = new ResizeObserver(() => {
      this.#room = Math.floor(this.#well.clientWidth * devicePixelRatio);
    });
    observer.observe(this.#well);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
    this.#point(null);
  }

  /** The channel that a person chose; null: none, the strongest is followed. */
  mark(channel: number | null): void {
    this.#chosen = channel !== null;
    if (channel !== null) this.#shown = channel;
    this.#place();
  }

  draw(layer: string, shape: Shape, levels: Uint8Array, strengths: DataView, shown: number): void {
    if (this.#room === 0) return;
    const name = this.#say("maps", { layer, count: shape[0] });
    setText(this.#caption, name);
    if (this.#canvas.ariaLabel !== name) this.#canvas.ariaLabel = name;
    this.#arrange(shape);
    const context = this.#canvas.getContext("2d", { alpha: true });
    if (!this.#layout || !this.#image || !context) return;
    const pixels = new Uint32Array(this.#image.data.buffer);
    paintSheet(pixels, this.#layout, shape, levels, this.#colours);
    context.putImageData(this.#image, 0, 0);
    this.#strengths = floatsOf(strengths);
    this.#shown = shown;
    this.#place();
    this.#point(this.#hovered);
  }

  #arrange(shape: Shape): void {
    const layout = layoutSheet(shape, this.#room);
    const same = this.#layout?.width === layout.width && this.#layout.height === layout.height;
    if (same && this.#shape.every((side, i) => side === shape[i])) return;
    this.#shape = shape;
    this.#layout = layout;
    this.#image = new ImageData(layout.width, layout.height);
    [this.#canvas.width, this.#canvas.height] = [layout.width, layout.height];
    this.#canvas.style.width = `${layout.width / devicePixelRatio}px`;
    this.#canvas.style.height = `${layout.height / devicePixelRatio}px`;
  }

  #at(event: PointerEvent): number | null {
    const { offsetX, offsetY } = event;
    const dpr = devicePixelRatio;
    return this.#layout && channelAt(this.#layout, offsetX * dpr, offsetY * dpr);
  }

  #point(channel: number | null): void {
    this.#hovered = channel;
    const value = channel === null ? undefined : this.#strengths[channel];
    const text =
      channel === null || value === undefined
        ? this.#say("pick")
        : this.#say("pointed", { channel, value: value.toPrecision(3) });
    setText(this.#pointed, text);
  }

  #place(): void {
    const layout = this.#layout;
    this.#mark.hidden = !layout || this.#shown === null || this.#shown >= layout.count;
    if (!layout || this.#shown === null) return;
    const [x, y] = cornerOf(layout, this.#shown);
    const { style } = this.#mark;
    style.transform = `translate(${x / devicePixelRatio}px, ${y / devicePixelRatio}px)`;
    style.width = `${layout.cell[1] / devicePixelRatio}px`;
    style.height = `${layout.cell[0] / devicePixelRatio}px`;
    this.#mark.classList.toggle("zf-live-chosen", this.#chosen);
  }
}
