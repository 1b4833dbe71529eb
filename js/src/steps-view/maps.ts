/** A row of small maps from one sheet, each enlarged to the same side, with its channel under it. */
import { h } from "../core/dom";
import { drawTile } from "../core/tiles";
import type { Side, Words } from "./state";

export function drawMaps(say: Words, side: Side, image: ImageBitmap, named: boolean): HTMLElement {
  const [height, width] = side.tile;
  const tiles = side.ids.map((id, i) => {
    const canvas = h("canvas", { class: "zf-map", role: "img" });
    canvas.setAttribute("aria-label", named ? say("channel", { channel: id }) : say("result"));
    // Whole multiples keep every value a square.
    const grow = Math.max(1, Math.ceil(112 / Math.max(width, height)));
    canvas.width = width * grow;
    canvas.height = height * grow;
    const x = (i % side.columns) * width;
    const y = Math.floor(i / side.columns) * height;
    drawTile(canvas, { image, x, y, width, height });
    const label = h("span", { class: "zf-map-label", "aria-hidden": "true" });
    label.textContent = named ? String(id) : "";
    return h("div", { class: "zf-map-cell" }, canvas, label);
  });
  return h("div", { class: "zf-maps", "data-count": tiles.length }, ...tiles);
}
