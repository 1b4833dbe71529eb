/** What Python's ProjectionView sends. */
import type strings from "../../../zfwidgets/widgets/projection_view/strings.json";
import type { ZFState } from "../core/shell";
import type { Say } from "../core/strings";
import type { SheetHead } from "../core/wire";
import type { Box } from "./camera";
import type { Sight } from "./field";

export type Key = keyof typeof strings;
export type Words = Say<Key>;

export const RULES = ["deconvnet", "guided", "gradient", "linear"] as const;
export const CONTRASTS = ["percentile", "largest", "shared", "fixed"] as const;
export const COLOURS = ["colour", "signed"] as const;
export type Rule = (typeof RULES)[number];
export type Contrast = (typeof CONTRASTS)[number];
export type Colours = (typeof COLOURS)[number];

/** The neuron, and the sheet of its projections. */
export interface Shown extends Sight {
  net: string;
  layer: string;
  channel: number;
  row: number;
  col: number;
  value: number;
  box: Box;
  chosen: boolean;
  beyond: boolean;
  all: boolean;
  rules: Rule[];
  full: number[];
  contrast: Contrast;
  colours: Colours;
  sheet: SheetHead;
  data: DataView;
}

export interface Photo {
  mime: string;
  data: DataView;
  size: [number, number];
}

export interface State extends ZFState {
  place: [number, number] | null;
  rule: Rule;
  all_rules: boolean;
  contrast: Contrast;
  full: number;
  colours: Colours;
  opacity: number;
  frame: "picture" | "field";
  /** Another neuron, of which the field is marked. */
  hovered: { box: Box | null } | null;
  /** Where the pointer is, in shares of the picture; null: nowhere. */
  pointed: [number, number] | null;
  /** What is in sight, in shares of the picture; null: all of it. */
  window: Box | null;
  status: "empty" | "busy" | "ready" | "error";
  _photo: Photo | Record<string, never>;
  _shown: Shown | Record<string, never>;
}

export const isShown = (value: State["_shown"]): value is Shown =>
  typeof value?.["layer"] === "string";
export const isPhoto = (value: State["_photo"]): value is Photo => Array.isArray(value?.["size"]);
