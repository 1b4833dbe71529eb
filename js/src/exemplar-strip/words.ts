/** What a strip says of its channel and of each picture. */
import type { Fact, Shown, StripSay, Word } from "./state";

/** Three significant digits. */
export function brief(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** "insect: 30 of 50, 8.9 times its share". */
export function word(say: StripSay, { name, count, of, lift }: Word): string {
  return say("word", { name, count, of, lift: String(Number(lift.toPrecision(2))) });
}

/** The same at length, with how sure it is. */
export function wordHint(say: StripSay, { name, count, of, lift, p }: Word): string {
  const values = {
    name,
    count,
    of,
    lift: brief(lift),
    p: p < 1e-3 ? p.toExponential(0) : brief(p),
  };
  return `${name}. ${say("word_hint", values)}`;
}

export function summary(say: StripSay, { complete, scanned }: Shown): string {
  return say(complete ? "summary" : "summary_part", { scanned: scanned.toLocaleString() });
}

/** Everything about one picture, its author included. */
export function detail(say: StripSay, rank: number, fact: Fact): string {
  const { id: name, title, row, col, credit } = fact;
  const known = { rank: rank + 1, name, title, value: brief(fact.value), row, col };
  const text = say("detail", known);
  const plain = title === name ? text.replace(` (${name})`, "") : text;
  return [plain, fact.outside ? say("outside") : "", credit].filter(Boolean).join(" · ");
}
