/**
 * The network as blocks: a block ends with a layer through which everything passes that comes later. A
 * chain gives blocks of one layer; a residual unit or an Inception module is one block with lanes. Pure.
 */
import type { LayerItem } from "../core/layer-glyph";

/** A layer in its block: how far along it stands, and beside how many branches. */
export interface Cell {
  layer: LayerItem;
  column: number;
  lane: number;
}

/** A way of the signal. From cell -1 it comes in from before the block; `lane` is where it runs. */
export interface Edge {
  from: number;
  to: number;
  lane: number;
}

export interface Block {
  cells: Cell[];
  edges: Edge[];
  columns: number;
  lanes: number;
}

export interface Stage {
  title: string;
  blocks: Block[];
}

/** A block with more columns is shown as a row of single layers: a drawing of it would help nobody. */
const MOST_COLUMNS = 16;

export const isBranched = (layers: LayerItem[]): boolean =>
  layers.some((layer) => layer.inputs.length > 1);

/** Blocks in stages: runs whose names share the part before the first dot. */
export function stages(layers: LayerItem[]): Stage[] {
  const found: Stage[] = [];
  for (const block of blocks(layers)) {
    const title = stageOf(block);
    const last = found.at(-1);
    if (last && last.title === title) last.blocks.push(block);
    else found.push({ title, blocks: [block] });
  }
  return found;
}

function stageOf(block: Block): string {
  const name = block.cells[0]?.layer.name ?? "";
  const dot = name.indexOf(".");
  return dot > 0 ? name.slice(0, dot) : "";
}

export function blocks(layers: LayerItem[]): Block[] {
  const index = new Map(layers.map((layer, i) => [layer.name, i]));
  const lastUse = layers.map(() => -1);
  layers.forEach((layer, i) => {
    for (const name of layer.inputs) {
      const source = index.get(name);
      if (source !== undefined) lastUse[source] = i;
    }
  });
  const found: Block[] = [];
  let start = 0;
  let open = -1; // the last layer that reads something from before the present one
  layers.forEach((_, i) => {
    if (open <= i) {
      found.push(...laidOut(layers.slice(start, i + 1)));
      start = i + 1;
    }
    open = Math.max(open, lastUse[i] ?? -1);
  });
  if (start < layers.length) found.push(...laidOut(layers.slice(start)));
  return found;
}

function laidOut(layers: LayerItem[]): Block[] {
  const block = layOut(layers);
  if (block.columns <= MOST_COLUMNS) return [block];
  return layers.map((layer) => layOut([layer]));
}

/** Columns by the longest way from the block's beginning, lanes by branch. */
function layOut(layers: LayerItem[]): Block {
  const index = new Map(layers.map((layer, i) => [layer.name, i]));
  const cells: Cell[] = [];
  const taken = new Set<string>();
  const continued = new Set<number>();
  layers.forEach((layer, i) => {
    const before = layer.inputs.flatMap((name) => index.get(name) ?? []).filter((j) => j < i);
    const column = Math.max(-1, ...before.map((j) => cells[j]?.column ?? -1)) + 1;
    const heir = before.find((j) => !continued.has(j));
    if (heir !== undefined) continued.add(heir);
    let lane = heir === undefined ? 0 : (cells[heir]?.lane ?? 0);
    // A branch keeps its lane to itself: another one that begins must not stand behind it.
    while (taken.has(`${column} ${lane}`) || (heir === undefined && crowded(cells, lane))) lane++;
    taken.add(`${column} ${lane}`);
    cells.push({ layer, column, lane });
  });
  const columns = Math.max(...cells.map((cell) => cell.column)) + 1;
  let lanes = Math.max(...cells.map((cell) => cell.lane)) + 1;
  const edges: Edge[] = [];
  cells.forEach((cell, to) => {
    const inside = cell.layer.inputs.map((name) => index.get(name) ?? -1);
    for (const from of new Set(inside)) {
      const source = cells[from];
      const lane = source?.lane ?? cell.lane;
      const blocked = cells.some(
        (other) =>
          other.lane === lane &&
          other.column > (source?.column ?? -1) &&
          other.column < cell.column,
      );
      edges.push({ from, to, lane: blocked ? lanes++ : lane });
    }
  });
  return { cells, edges, columns, lanes };
}

const crowded = (cells: Cell[], lane: number): boolean => cells.some((cell) => cell.lane === lane);
