/**
 * A row of small maps from one sheet, each enlarged to the same side, with its channel under it. A
 * signal that stands on a small part of its map is shown close; a small whole map tells where it is.
 */
import { h, s } from "../core/dom";
import { drawTile } from "../core/tiles";
import type { Side, Words } from "./state";

/** Least length of the longer side of a map, in the canvas's pixels. */
const SIDE = 112;

export function drawMaps(say: Words, side: Side, image: ImageBitmap, named: boolean): HTMLElement {
  const [top, left, bottom, right] = side.part ?? [0, 0, ...side.tile];
  const [height, width] = [bottom - top, right - left];
  const tiles = side.ids.map((id, i) => {
    const canvas = h("canvas", { class: "zf-map", role: "img" });
    canvas.setAttribute("aria-label", named ? say("channel", { channel: id }) : say("result"));
    // Whole multiples keep every value a square.
    const grow = Math.max(1, Math.ceil(SIDE / Math.max(width, height)));
    canvas.width = width * grow;
    canvas.height = height * grow;
    const { x, y } = corner(side, i);
    drawTile(canvas, { image, x: x + left, y: y + top, width, height });
    const label = h("span", { class: "zf-map-label", "aria-hidden": "true" });
    label.textContent = named ? String(id) : "";
    return h("div", { class: "zf-map-cell" }, canvas, label);
  });
  return h("div", { class: "zf-maps", "data-count": tiles.length }, ...tiles);
}

/** The whole first map with a frame around the part that is shown; null where all of it is. */
export function drawWhole(say: Words, side: Side, image: ImageBitmap): HTMLElement | null {
  if (!side.part) return null;
  const [top, left, bottom, right] = side.part;
  const [height, width] = side.tile;
  const canvas = h("canvas", { width, height });
  drawTile(canvas, { image, ...corner(side, 0), width, height });
  const frame = s("rect", { x: left, y: top, width: right - left, height: bottom - top });
  const drawing = s("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, frame);
  const label = say("whole", { channel: side.ids[0] ?? 0 });
  return h("div", { class: "zf-whole", role: "img", "aria-label": label }, canvas, drawing);
}

function corner(side: Side, index: number): { x: number; y: number } {
  const [height, width] = side.tile;
  return { x: (index % side.columns) * width, y: Math.floor(index / side.columns) * height };
}
