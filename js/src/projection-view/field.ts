/** Receptive-field arithmetic: what a neuron sees, and which neuron sees a place best. */
import type { Box } from "./camera";

type Pair = [number, number];

/** Where the neurons of a map look: neuron (0, 0) sees `field` pixels from `offset`, the next `jump` on. */
export interface Sight {
  map: Pair;
  field: Pair;
  jump: Pair;
  offset: Pair;
}

/** The receptive field of a neuron; it may reach beyond the picture. */
export function fieldOf(sight: Sight, [row, col]: Pair): Box {
  const top = row * sight.jump[0] + sight.offset[0];
  const left = col * sight.jump[1] + sight.offset[1];
  return [top, left, top + sight.field[0], left + sight.field[1]];
}

/** The neuron whose field has its centre nearest to a place of the picture. */
export function nearest(sight: Sight, row: number, col: number): Pair {
  return [along(sight, 0, row), along(sight, 1, col)];
}

function along({ map, field, jump, offset }: Sight, axis: 0 | 1, place: number): number {
  if (jump[axis] === 0) return 0; // every neuron sees all of it
  const at = Math.round((place - offset[axis] - field[axis] / 2) / jump[axis]);
  return Math.min(Math.max(at, 0), map[axis] - 1);
}

/** A neighbour on the map; at the edge the neuron itself. */
export function neighbour(sight: Sight, [row, col]: Pair, down: number, right: number): Pair {
  return [
    Math.min(Math.max(row + down, 0), sight.map[0] - 1),
    Math.min(Math.max(col + right, 0), sight.map[1] - 1),
  ];
}
