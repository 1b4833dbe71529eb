/** Drawing a channel as the paper prints it: a square of projections, a gap, a square of patches. */
import type { Area, Tile } from "../core/tiles";

/** Draw the `side` x 2 `side` pictures of a tile into a part of a canvas; gaps stay transparent. */
export function drawMosaic(canvas: HTMLCanvasElement, area: Area, tile: Tile, side: number): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const gap = Math.max(1, Math.round(devicePixelRatio));
  const middle = 4 * gap;
  const columns = 2 * side;
  const [fromWide, fromTall] = [tile.width / columns, tile.height / side];
  const wide = Math.floor((area.width - middle - (columns - 2) * gap) / columns);
  const tall = Math.min(
    Math.floor((area.height - (side - 1) * gap) / side),
    Math.round((wide * fromTall) / fromWide),
  );
  const rest = area.width - columns * wide - (columns - 2) * gap - middle;
  const left = area.x + Math.floor(rest / 2);
  context.clearRect(area.x, area.y, area.width, area.height);
  context.imageSmoothingEnabled = wide < fromWide;
  context.imageSmoothingQuality = "high";
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < columns; column++) {
      const x = left + column * (wide + gap) + (column >= side ? middle - gap : 0);
      const from = [tile.x + column * fromWide, tile.y + row * fromTall] as const;
      const y = area.y + row * (tall + gap);
      context.drawImage(tile.image, ...from, fromWide, fromTall, x, y, wide, tall);
    }
  }
}
