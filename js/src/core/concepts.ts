/** Words for channels: what the strongest pictures have in common, as Python's `concepts` finds it. */
import type { Say } from "./strings";

/** `count` of `of` pictures show it, `lift` times the share of a draw by lot; `p` is its chance. */
export interface Word {
  name: string;
  count: number;
  of: number;
  lift: number;
  p: number;
}

/** "insect: 30 of 50, 8.9 times its share". */
export function word(say: Say<never>, { name, count, of, lift }: Word): string {
  return say("word", { name, count, of, lift: digits(lift, 2) });
}

/** The same at length, with how sure it is and what it does not mean. */
export function wordHint(say: Say<never>, { name, count, of, lift, p }: Word): string {
  const chance = p < 1e-3 ? p.toExponential(0) : digits(p, 2);
  return `${name}. ${say("word_hint", { count, of, lift: digits(lift, 2), p: chance })}`;
}

function digits(value: number, number: number): string {
  return String(Number(value.toPrecision(number)));
}
