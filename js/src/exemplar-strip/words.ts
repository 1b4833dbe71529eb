/** What a strip says of its channel and of each picture. */
import type { Fact, Shown, StripSay } from "./state";

/** Three significant digits. */
export function brief(value: number): string {
  return String(Number(value.toPrecision(3)));
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
