/** The pictures with their captions on one sheet for print, drawn in the page: it needs no kernel. */

import { encode } from "../core/encode";

export interface Sheet {
  title: string;
  /** Lines under the pictures. */
  lines: string[];
  panes: { canvas: HTMLCanvasElement; name: string; note: string; mark: boolean }[];
  /** The receptive field: top, left, bottom, right. */
  box: [number, number, number, number] | null;
  font: string;
}

/** Pictures stand side by side over at least so many pixels: 15 cm at 300 dots an inch. */
const LEAST = 1800;
const INK = "#1b1b1b";
const QUIET = "#555555";
/** White pictures need an edge on white paper. */
const EDGE = "#cccccc";

/** Every pixel of a picture becomes a square of whole pixels, white around it. */
export function compose(sheet: Sheet): HTMLCanvasElement {
  const first = sheet.panes[0]?.canvas;
  const [width, height] = [first?.width ?? 1, first?.height ?? 1];
  const grow = Math.max(1, Math.ceil(LEAST / (width * sheet.panes.length)));
  const unit = (width * grow * sheet.panes.length) / 100;
  const gap = Math.round(unit);
  const inner = sheet.panes.length * (width * grow + gap) - gap;
  const margin = Math.round(2 * unit);
  const font = (size: number, weight = 400) =>
    `${weight} ${Math.round(size * unit)}px ${sheet.font}`;
  const canvas = document.createElement("canvas");
  let pen = context(canvas);
  pen.font = font(1.5);
  const lines = sheet.lines.flatMap((line) => wrapped(pen, line, inner));
  const top = margin + 6.2 * unit;
  canvas.width = inner + 2 * margin;
  canvas.height = Math.round(top + height * grow + (2 + lines.length * 2.2) * unit + margin);
  pen = context(canvas);
  pen.fillStyle = "#ffffff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.textBaseline = "top";
  const write = (text: string, x: number, y: number, how: string, ink: string) => {
    pen.font = how;
    pen.fillStyle = ink;
    pen.fillText(text, x, y);
  };
  write(sheet.title, margin, margin, font(2.2, 600), INK);
  sheet.panes.forEach((pane, i) => {
    const x = margin + i * (width * grow + gap);
    write(pane.name, x, top - 2.2 * unit, font(1.5, 600), INK);
    const after = x + pen.measureText(`${pane.name}  `).width;
    write(pane.note, after, top - 2.2 * unit, font(1.5), QUIET);
    pen.imageSmoothingEnabled = false;
    pen.drawImage(pane.canvas, x, top, width * grow, height * grow);
    pen.strokeStyle = EDGE;
    pen.lineWidth = 2;
    pen.strokeRect(x, top, width * grow, height * grow);
    if (sheet.box && pane.mark) outline(pen, sheet.box, x, top, grow, width, height);
  });
  lines.forEach((line, i) => {
    write(line, margin, top + height * grow + (1.4 + 2.2 * i) * unit, font(1.5), QUIET);
  });
  return canvas;
}

function outline(
  pen: CanvasRenderingContext2D,
  [top, left, bottom, right]: [number, number, number, number],
  x: number,
  y: number,
  grow: number,
  width: number,
  height: number,
): void {
  const [t, l] = [Math.max(top, 0), Math.max(left, 0)];
  const [b, r] = [Math.min(bottom, height), Math.min(right, width)];
  for (const [ink, thick] of [
    ["#000000", 3.2],
    ["#e69f00", 1.6],
  ] as const) {
    pen.strokeStyle = ink;
    pen.lineWidth = Math.max(2, (thick * grow * width) / 200);
    pen.strokeRect(x + l * grow, y + t * grow, (r - l) * grow, (b - t) * grow);
  }
}

function context(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const found = canvas.getContext("2d");
  if (!found) throw new Error("this browser draws no canvas");
  return found;
}

function wrapped(pen: CanvasRenderingContext2D, text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const longer = lines.length ? `${lines.at(-1)} ${word}` : word;
    if (lines.length && pen.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

export function download(canvas: HTMLCanvasElement, name: string): void {
  const url = URL.createObjectURL(png(canvas));
  const link = document.createElement("a");
  [link.href, link.download] = [url, name];
  link.click();
  // The download begins after this turn; a freed address would end it.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Put a PNG on the clipboard; false if the browser does not let us. */
export async function copy(canvas: HTMLCanvasElement): Promise<boolean> {
  try {
    // Nothing is awaited before: Safari would forget the click that allows it.
    await navigator.clipboard.write([new ClipboardItem({ "image/png": png(canvas) })]);
    return true;
  } catch {
    return false;
  }
}

function png(canvas: HTMLCanvasElement): Blob {
  return new Blob([encode(canvas, "image/png")], { type: "image/png" });
}
