/**
 * One picture in a frame: the pixels as they are in canvases that CSS enlarges, and marks over them in
 * SVG, whose lines stay thin at any zoom.
 */
import { h, s, setAttribute, setText } from "../core/dom";
import type { Box, Camera } from "./camera";

/** From here on pixels are squares; below, uneven squares would mislead more than smoothing. */
const CRISP = 2;

export class Pane {
  readonly element: HTMLElement;
  readonly frame = h("div", { class: "zf-pane-frame" });
  readonly canvas = h("canvas", { class: "zf-pane-picture" });
  readonly over = h("canvas", { class: "zf-pane-over", hidden: true, "aria-hidden": "true" });
  readonly #name = h("span", { class: "zf-pane-name" });
  readonly #note = h("span", { class: "zf-pane-note" });
  readonly #svg = s("svg", { class: "zf-pane-marks", "aria-hidden": "true" });
  readonly #boxes = [mark("zf-mark-under"), mark("zf-mark-over")];
  readonly #cross = [cross("zf-mark-under"), cross("zf-mark-over")];
  readonly #ghost = mark("zf-mark-ghost");

  constructor() {
    setAttribute(this.#svg, "preserveAspectRatio", "none");
    this.#svg.append(this.#ghost, ...this.#boxes, ...this.#cross);
    this.frame.append(this.canvas, this.over, this.#svg);
    const head = h("figcaption", { class: "zf-pane-head" }, this.#name, this.#note);
    this.element = h("figure", { class: "zf-pane" }, head, this.frame);
  }

  title(name: string, note = "", hint = ""): void {
    setText(this.#name, name);
    setText(this.#note, note);
    this.#name.title = hint;
  }

  /** Draw a part of a decoded picture, pixel for pixel. */
  draw(image: ImageBitmap, x: number, y: number, width: number, height: number): void {
    paint(this.canvas, image, x, y, width, height);
    this.frame.style.aspectRatio = `${width} / ${height}`;
  }

  /** Lay the part of another pane's picture that is in the box over this one; null takes it away. */
  cover(source: HTMLCanvasElement | null, box: Box, opacity: number): void {
    this.over.hidden = source === null || opacity === 0;
    if (!source || this.over.hidden) return;
    this.over.width = source.width;
    this.over.height = source.height;
    this.over.style.opacity = String(opacity);
    const [top, left, bottom, right] = box;
    const context = this.over.getContext("2d");
    context?.beginPath();
    context?.rect(left, top, right - left, bottom - top);
    context?.clip();
    context?.drawImage(source, 0, 0);
  }

  /** Show what the camera sees. */
  look(camera: Camera): void {
    const [top, left, bottom, right] = camera.window;
    const { width, height } = this.canvas;
    const shift = `translate(${(-left / width) * 100}%, ${(-top / height) * 100}%)`;
    const transform = `scale(${camera.zoom}) ${shift}`;
    const perPixel = (this.frame.clientWidth / Math.max(width, 1)) * camera.zoom;
    for (const canvas of [this.canvas, this.over]) {
      canvas.style.transform = transform;
      canvas.style.imageRendering = perPixel * devicePixelRatio >= CRISP ? "pixelated" : "auto";
    }
    setAttribute(this.#svg, "viewBox", `${left} ${top} ${right - left} ${bottom - top}`);
  }

  /** Mark a receptive field, and its centre where the neuron stands. */
  outline(box: Box | null, centre: boolean): void {
    for (const rect of this.#boxes) place(rect, box && clipped(box, this.canvas));
    for (const line of this.#cross) {
      setAttribute(line, "visibility", box && centre ? null : "hidden");
      if (box) setAttribute(line, "d", plus((box[0] + box[2]) / 2, (box[1] + box[3]) / 2));
    }
  }

  /** The receptive field that a click would choose. */
  ghost(box: Box | null): void {
    place(this.#ghost, box && clipped(box, this.canvas));
  }
}

function paint(
  canvas: HTMLCanvasElement,
  image: ImageBitmap,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.drawImage(image, x, y, width, height, 0, 0, width, height);
}

const mark = (kind: string) => s("rect", { class: `zf-mark ${kind}`, visibility: "hidden" });
const cross = (kind: string) => s("path", { class: `zf-mark ${kind}`, visibility: "hidden" });
const plus = (row: number, col: number) => `M${col - 4} ${row}h8M${col} ${row - 4}v8`;

function place(rect: SVGElement, box: Box | null): void {
  setAttribute(rect, "visibility", box ? null : "hidden");
  if (!box) return;
  const [top, left, bottom, right] = box;
  for (const [name, value] of Object.entries({
    x: left,
    y: top,
    width: right - left,
    height: bottom - top,
  })) {
    setAttribute(rect, name, value);
  }
}

function clipped([top, left, bottom, right]: Box, { width, height }: HTMLCanvasElement): Box {
  return [Math.max(top, 0), Math.max(left, 0), Math.min(bottom, height), Math.min(right, width)];
}
