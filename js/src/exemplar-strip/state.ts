/** The traits of a strip of exemplars, as Python's ExemplarStrip has them, and the keys of its texts. */
import type strings from "../../../zfwidgets/widgets/exemplar_strip/strings.json";
import type { Word } from "../core/concepts";
import type { Progress } from "../core/scan-bar";
import type { ZFState } from "../core/shell";
import type { Say } from "../core/strings";
import type { SheetHead } from "../core/wire";

export type StripKey = keyof typeof strings;
export type StripSay = Say<StripKey>;

/** One picture: the neuron in it, and whose it is. */
export interface Fact {
  id: string;
  title: string;
  /** Author and licence; empty if nothing need be said. */
  credit: string;
  row: number;
  col: number;
  value: number;
  /** Whether the neuron sees something beyond the picture's edge. */
  outside: boolean;
}

export interface Shown {
  layer: string;
  channel: number;
  rule: string;
  scanned: number;
  complete: boolean;
  pictures: Fact[];
  /** What they have in common; null where nobody has counted. */
  words: Word[] | null;
  /** Patches of the pictures, then their projections; absent where there are none. */
  sheet?: SheetHead;
  data?: DataView;
}

export type Name = "filter" | "photo" | "synthesised";

/** One of the answers beside the exemplars: a picture, or two above each other, or why there is none. */
export interface Cell {
  sheet?: SheetHead;
  data?: DataView;
  /** Which of the sheet's pictures; default: all. */
  at?: number;
  /** A text, and what stands in it. */
  why?: StripKey;
  values?: Record<string, string | number>;
  /** Whether it can be made here. */
  offer?: boolean;
}

export interface Answers {
  layer: string;
  channel: number;
  rule: string;
  cells: Record<Name, Cell>;
}

/** Of a page that has no answers to this channel: why. */
export interface Unanswered {
  why: StripKey;
}

/** A picture being made. */
export interface Climb {
  layer: string;
  channel: number;
  step: number;
  steps: number;
}

export interface StripState extends ZFState {
  layer: string;
  channel: number | null;
  opened: boolean;
  in_sight: boolean;
  clickable: boolean;
  picked: { id?: string; layer?: string; channel?: number };
  home: string;
  status: "empty" | "busy" | "ready" | "error";
  progress: Partial<Progress>;
  _shown: Partial<Shown>;
  _lacking: string;
  _offered: number;
  four: boolean;
  synthesis: Partial<Climb>;
  _answers: Partial<Answers & Unanswered>;
}

/** What is shown, if it is anything. */
export function isShown(value: Partial<Shown> | undefined): value is Shown {
  return Array.isArray(value?.pictures);
}
