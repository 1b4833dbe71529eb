/**
 * The switches as on a blackboard: pooled cells on the left, on the right the part of the larger map
 * that their windows cover, and a line from each value to the place it goes to.
 */
import { s } from "../core/dom";
import type { Cell, Switches } from "./state";

const CELL = 22;
const FINE = 13;
const GAP = 54;
const HEAD = 4;

export function drawSwitches(drawn: Switches, off: boolean): SVGSVGElement {
  const part = covered(drawn);
  const tall = Math.max(drawn.rows * CELL, part.rows * FINE);
  const start = drawn.cols * CELL + GAP;
  const wide = start + part.cols * FINE;
  const down = HEAD + (tall - drawn.rows * CELL) / 2;
  const largest = Math.max(...drawn.cells.map((cell) => Math.abs(cell.value)), 1e-30);
  const picture = s("svg", {
    class: "zf-switches",
    viewBox: `-3 0 ${wide + 6} ${tall + 2 * HEAD}`,
    width: wide + 6,
    height: tall + 2 * HEAD,
    "aria-hidden": "true",
  });
  const x = (col: number) => start + (col - part.left) * FINE;
  const y = (row: number) => HEAD + (row - part.top) * FINE;
  for (let row = 0; row < part.rows; row++) {
    for (let col = 0; col < part.cols; col++) {
      picture.append(
        s("rect", {
          class: "zf-place",
          x: start + col * FINE,
          y: HEAD + row * FINE,
          width: FINE,
          height: FINE,
        }),
      );
    }
  }
  const loudest = [...drawn.cells].sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  for (const cell of drawn.cells) picture.append(windowOf(drawn, cell, x, y));
  for (const cell of [...loudest].reverse()) {
    const share = Math.abs(cell.value) / largest;
    const sign = cell.value < 0 ? "negative" : "positive";
    const left = (cell.col - drawn.left) * CELL;
    const top = down + (cell.row - drawn.top) * CELL;
    const [toX, toY] = [x(cell.to[1]) + FINE / 2, y(cell.to[0]) + FINE / 2];
    const group = s("g", { class: `zf-cell zf-${sign}` });
    group.append(
      s("rect", { class: "zf-pooled", x: left, y: top, width: CELL, height: CELL }),
      s("rect", {
        class: "zf-value",
        x: left + 1.5,
        y: top + 1.5,
        width: CELL - 3,
        height: CELL - 3,
        "fill-opacity": share.toFixed(3),
      }),
    );
    if (share > 0) {
      group.append(
        s("path", {
          class: "zf-way",
          d: `M${left + CELL / 2} ${top + CELL / 2}L${toX} ${toY}`,
          "stroke-opacity": (0.25 + 0.75 * share).toFixed(3),
        }),
        s("circle", { class: "zf-goal", cx: toX, cy: toY, r: FINE / 2 - 2 }),
      );
      if (off) {
        const [ringX, ringY] = [x(cell.switch[1]) + FINE / 2, y(cell.switch[0]) + FINE / 2];
        group.append(s("circle", { class: "zf-ring", cx: ringX, cy: ringY, r: FINE / 2 - 1.5 }));
      }
    }
    picture.append(group);
  }
  return picture;
}

/** The part of the larger map that the windows of the cells reach. */
export function covered({ top, left, rows, cols, size, window }: Switches) {
  const [kernel, stride, padding] = window;
  const first = [top * stride[0] - padding[0], left * stride[1] - padding[1]] as const;
  const from = [Math.max(0, first[0]), Math.max(0, first[1])] as const;
  const to = [
    Math.min(size[0], first[0] + (rows - 1) * stride[0] + kernel[0]),
    Math.min(size[1], first[1] + (cols - 1) * stride[1] + kernel[1]),
  ] as const;
  return { top: from[0], left: from[1], rows: to[0] - from[0], cols: to[1] - from[1] };
}

function windowOf(
  { window: [kernel, stride, padding], size }: Switches,
  cell: Cell,
  x: (col: number) => number,
  y: (row: number) => number,
): SVGElement {
  const [top, left] = [cell.row * stride[0] - padding[0], cell.col * stride[1] - padding[1]];
  const [t, l] = [Math.max(top, 0), Math.max(left, 0)];
  const [b, r] = [Math.min(top + kernel[0], size[0]), Math.min(left + kernel[1], size[1])];
  return s("rect", {
    class: "zf-window",
    x: x(l) + 0.5,
    y: y(t) + 0.5,
    width: (r - l) * FINE - 1,
    height: (b - t) * FINE - 1,
  });
}
