/** Elements of the layer selector: options, and blocks of options with the signal's ways between them. */
import { h, icon, s } from "../core/dom";
import { fieldMark, glyph, isJoint, type LayerItem, type Scale, sizeOf } from "../core/layer-glyph";
import type { Block, Stage } from "./blocks";
import { by, explain, shapeLines, type Words } from "./words";

const TICK = "M3 8.5 6.5 12 13 4.5";
/** A cell of a block, CSS pixels; the drawing's middle stands at MIDDLE from its top. */
const CELL = { width: 92, height: 66 };
const MIDDLE = 20;
/** Where ways run that pass under a lane's layers. */
const DETOUR = 14;

export interface Look {
  say: Words;
  scale: Scale;
  input: [number, number] | null;
  compact: boolean;
}

export function option(layer: LayerItem, label: string, look: Look): HTMLElement {
  const { say, scale, input, compact } = look;
  const words = explain(say, layer, input);
  const [first, second] = shapeLines(say, layer);
  // Written by CSS, as a part of the drawing: the option's name says it in whole words.
  const shape = (text: string, mark?: Node | null | false) =>
    h("span", { class: "zf-layer-shape", "data-shape": text }, mark);
  const mark = input && layer.receptive_field && fieldMark(layer, input, compact ? 9 : 20);
  const lines = compact
    ? [shape(compactShape(layer, first), mark)]
    : [shape(first), shape(second), h("span", { class: "zf-layer-sight" }, mark)];
  return h(
    "div",
    {
      class: "zf-layer",
      role: "option",
      "data-id": layer.name,
      "data-text": layer.name,
      "data-kind": layer.kind,
      "aria-label": `${layer.name}, ${words}`,
      title: `${layer.name}: ${words}`,
    },
    h("div", { class: "zf-layer-stage" }, glyph(layer, scale)),
    h("span", { class: "zf-layer-name" }, icon(TICK), h("bdi", {}, label)),
    ...lines,
  );
}

/** "64 · 56×56": no room for words. */
function compactShape(layer: LayerItem, first: string): string {
  const { channels, height, width } = layer;
  if (channels === null || height === null || width === null) return first;
  return height === 1 && width === 1 ? `${channels}` : `${channels} · ${by([height, width])}`;
}

export function stageElement({ title, blocks }: Stage, look: Look): HTMLElement {
  const cut = title === "" ? 0 : title.length + 1;
  const heading = title && h("div", { class: "zf-stage-title", "aria-hidden": "true" }, title);
  const made = blocks.map((block) => blockElement(block, cut, look));
  const items = h("div", { class: "zf-stage-items", role: "presentation" }, ...made);
  return h(
    "div",
    { class: "zf-stage", role: "group", "aria-label": title || null },
    heading,
    items,
  );
}

function blockElement(block: Block, cut: number, look: Look): HTMLElement {
  const prefix = commonPrefix(block, cut);
  const options = block.cells.map(({ layer, column, lane }) => {
    const element = option(layer, shortened(layer.name.slice(prefix)), look);
    element.style.left = `${column * CELL.width + LEAD}px`;
    element.style.top = `${lane * CELL.height}px`;
    return element;
  });
  const lanes = Math.max(...block.cells.map((cell) => cell.lane)) + 1;
  const detours = block.lanes - lanes;
  const width = block.columns * CELL.width + LEAD;
  const height = lanes * CELL.height + detours * DETOUR;
  const name = prefix > cut ? block.cells[0]?.layer.name.slice(cut, prefix - 1) : "";
  const element = h("div", {
    class: "zf-block",
    role: "presentation",
    "data-cells": block.cells.length,
    title: name || null,
  });
  element.style.width = `${width}px`;
  element.style.height = `${height}px`;
  element.append(ways(block, lanes, width, height, look.scale), ...options);
  return element;
}

/** Without what the drawing says already, if something is left. */
const shortened = (label: string): string => label.replace(/(?<=.)\.conv$/, "");

/** Room in front of a block's first column, where the signal comes in. */
const LEAD = 12;

function ways(
  block: Block,
  lanes: number,
  width: number,
  height: number,
  scale: Scale,
): SVGSVGElement {
  const drawing = s("svg", { class: "zf-ways", width, height, "aria-hidden": "true" });
  const x = (column: number) => LEAD + (column + 0.5) * CELL.width;
  const y = (lane: number) =>
    lane < lanes
      ? lane * CELL.height + MIDDLE
      : lanes * CELL.height + (lane - lanes + 0.5) * DETOUR - 2;
  const entry = { x: 3, y: y(0) };
  const entered = block.edges.some((edge) => edge.from < 0);
  for (const { from, to, lane } of block.edges) {
    const [source, target] = [block.cells[from], block.cells[to]];
    if (!target) continue;
    const half = source ? sizeOf(source.layer, scale)[0] / 2 : 0;
    const startX = source ? x(source.column) + half : entry.x;
    const startY = source ? y(source.lane) : entry.y;
    const endX = x(target.column) - sizeOf(target.layer, scale)[0] / 2 - 3;
    const endY = y(target.lane);
    const rises = lane !== target.lane && isJoint(target.layer);
    const turn = LEAD + target.column * CELL.width;
    const line = rises
      ? rising(startX, startY, y(lane), turn, endX, endY)
      : running(startX, startY, endX, endY);
    drawing.append(
      s("path", { class: "zf-way", d: line }),
      s("path", { class: "zf-tip", d: `M${endX + 2} ${endY}l-5 -2.6v5.2Z` }),
    );
  }
  if (entered && block.cells.length > 1) {
    drawing.append(s("circle", { class: "zf-entry", cx: entry.x, cy: entry.y, r: 2.5 }));
  }
  return drawing;
}

/** Straight, or in a bend at the beginning from one lane to another. */
function running(x1: number, y1: number, x2: number, y2: number): string {
  if (y1 === y2) return `M${x1} ${y1}H${x2}`;
  const bend = Math.min(18, Math.max(8, x2 - x1));
  return `M${x1} ${y1}C${x1 + bend / 2} ${y1} ${x1} ${y2} ${x1 + bend} ${y2}H${x2}`;
}

/** Along its own lane, up between two columns, then into a sum or a concatenation. */
function rising(
  x1: number,
  y1: number,
  lane: number,
  turn: number,
  x2: number,
  y2: number,
): string {
  const start =
    y1 === lane ? `M${x1} ${y1}` : `M${x1} ${y1}C${x1} ${lane} ${x1} ${lane} ${x1 + 12} ${lane}`;
  return `${start}H${turn - 6}Q${turn} ${lane} ${turn} ${lane - 6}V${y2 + 6}Q${turn} ${y2} ${turn + 6} ${y2}H${x2}`;
}

/** Length of what all names of a block begin with, up to a dot. */
function commonPrefix(block: Block, cut: number): number {
  const names = block.cells.map((cell) => cell.layer.name);
  const first = names[0] ?? "";
  if (names.length < 2) return cut;
  let length = cut;
  for (let dot = first.indexOf(".", cut); dot > 0; dot = first.indexOf(".", dot + 1)) {
    if (!names.every((name) => name.startsWith(first.slice(0, dot + 1)))) break;
    length = dot + 1;
  }
  return length;
}
