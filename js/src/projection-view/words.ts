/** The neuron and how it is shown, in words. */
import type { Shown, Words } from "./state";

/** Three digits, without an exponent where one reads better without. */
export function number(value: number): string {
  return Number(value.toPrecision(3)).toString();
}

const by = ([rows, columns]: [number, number]): string => `${rows}×${columns}`;

export function title(say: Words, shown: Shown | null): string {
  if (!shown) return say("title_none");
  return say("title", { layer: shown.layer, channel: shown.channel });
}

/** How strongly which neuron answers. */
export function strength(say: Words, shown: Shown): string {
  const [rows, columns] = shown.map;
  const values = {
    value: number(shown.value),
    row: shown.row,
    col: shown.col,
    map: by(shown.map),
  };
  if (shown.value === 0) return shown.chosen ? say("silent_here", values) : say("silent");
  if (rows === 1 && columns === 1) return say("single_is", values);
  return say(shown.chosen ? "chosen_is" : "strongest_is", values);
}

export function sight(say: Words, shown: Shown): string {
  if (shown.all) return say("sees_all");
  return say(shown.beyond ? "sees_beyond" : "sees", { field: by(shown.field) });
}

export function contrast(say: Words, shown: Shown): string {
  return say(`says_${shown.contrast}`, { full: number(shown.full[0] ?? 0) });
}
