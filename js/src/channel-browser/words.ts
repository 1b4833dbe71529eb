/** Channels in words, for the eye and for the ear. */

import type strings from "../../../zfwidgets/widgets/channel_browser/strings.json";
import { brief } from "../core/numbers";
import type { Say } from "../core/strings";
import type { Mode, Page } from "./page";

/** Numbers are said as everywhere. */
export { brief };

export type Key = keyof typeof strings;
export type BrowserSay = Say<Key>;

export const MODE_KEYS: Record<Mode, Key> = {
  "feature map": "mode_map",
  projection: "mode_projection",
  "in place": "mode_place",
  "photo patch": "mode_patch",
  filter: "mode_filter",
  synthesised: "mode_synthesised",
};

/** "channel 17", with its name if it has one. */
export function title(say: BrowserSay, page: Page, id: number): string {
  const label = page.raw.labels[id];
  return label ? say("channel_named", { id, label }) : say("channel", { id });
}

/** "channel 17 (tabby), strength 0.82", for screen readers; "silent" if it is nowhere active. */
export function name(say: BrowserSay, page: Page, id: number): string {
  const strength = page.silent(id)
    ? say("silent")
    : say("strength", { value: brief(page.value(id)) });
  return `${title(say, page, id)}, ${strength}`;
}

/** The same with its place, for the status line. */
export function describe(say: BrowserSay, page: Page, id: number): string {
  if (page.silent(id)) return `${title(say, page, id)} · ${say("silent_here")}`;
  const parts = [title(say, page, id), say("strength", { value: brief(page.value(id)) })];
  const place = page.place(id);
  if (place) parts.push(say("place", { row: place[0], column: place[1] }));
  return parts.join(" · ");
}

/** What is shown, in a line: layer, channels, size of the maps, kind of picture. */
export function summary(say: BrowserSay, page: Page): string {
  const { layer, count, map, mode, rule } = page.raw;
  const parts = [say(count === 1 ? "summary_one" : "summary", { layer, count })];
  if (map[0] * map[1] > 1) parts.push(`${map[0]} × ${map[1]}`);
  const what = say(MODE_KEYS[mode]).toLowerCase();
  const ruled = mode === "projection" || mode === "in place";
  parts.push(ruled ? say("summary_projection", { mode: what, rule }) : what);
  return parts.join(" · ");
}
