/** Choosing one or several of an ordered set, as in a file manager; pure. */

export interface Selection {
  chosen: readonly number[];
  /** Where a range starts: the last item chosen without Shift. */
  anchor: number | null;
}

/** Only `id`. */
export function choose(id: number): Selection {
  return { chosen: [id], anchor: id };
}

/** Add `id`, or take it away. */
export function toggle(selection: Selection, id: number): Selection {
  const chosen = selection.chosen.includes(id)
    ? selection.chosen.filter((other) => other !== id)
    : [...selection.chosen, id];
  return { chosen, anchor: id };
}

/** Everything between the anchor and `id`, as shown: `order` lists the ids in their order on screen. */
export function extend(selection: Selection, id: number, order: readonly number[]): Selection {
  const from = selection.anchor === null ? -1 : order.indexOf(selection.anchor);
  const to = order.indexOf(id);
  if (from < 0 || to < 0) return choose(id);
  const range = order.slice(Math.min(from, to), Math.max(from, to) + 1);
  return { chosen: from <= to ? range : range.reverse(), anchor: selection.anchor };
}
