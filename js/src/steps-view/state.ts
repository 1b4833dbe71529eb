/** What Python's StepsView sends. */
import type strings from "../../../zfwidgets/widgets/steps_view/strings.json";
import type { ZFState } from "../core/shell";
import type { Say } from "../core/strings";
import type { Answer, SheetHead } from "../core/wire";

export type Key = keyof typeof strings;
export type Words = Say<Key>;
type Pair = [number, number];

export type Kind =
  | "unpool"
  | "rectify"
  | "filter"
  | "spread"
  | "normalise"
  | "join"
  | "split"
  | "reshape"
  | "other";

/** A step in numbers; `before` and `after` are channels, rows, columns. */
export interface Step {
  name: string;
  layer: string;
  kind: Kind;
  off: boolean;
  optional: boolean;
  before: [number, number, number];
  after: [number, number, number];
  zeros: Pair;
  negative: number;
  kernel: Pair | null;
}

export interface Plan {
  net: string;
  layer: string;
  channel: number;
  row: number;
  col: number;
  value: number;
  steps: Step[];
  epoch: number;
  sheet: SheetHead;
  data: DataView;
}

/** Where on its map a signal stands: top, left, bottom, right in places; the last two are outside. */
export type Part = [top: number, left: number, bottom: number, right: number];

/** A sheet of maps, the |x| of full colour, and the part that is shown; null for all of it. */
export type Side = SheetHead & { full: number; part: Part | null };

/** A pooled cell: its place, its value, where it goes and where the switch points. */
export interface Cell {
  row: number;
  col: number;
  value: number;
  to: Pair;
  switch: Pair;
}

export interface Switches {
  channel: number;
  top: number;
  left: number;
  rows: number;
  cols: number;
  size: Pair;
  /** Kernel, stride and padding of the pooling. */
  window: [Pair, Pair, Pair];
  cells: Cell[];
}

export interface Drawn extends Answer {
  before: Side;
  after: Side;
  filter?: Side;
  switches: Switches | null;
}

export interface State extends ZFState {
  rule: "deconvnet" | "guided" | "gradient" | "linear";
  off: string[];
  step: number;
  status: "empty" | "busy" | "ready" | "error";
  _plan: Plan | Record<string, never>;
}

export const isPlan = (plan: State["_plan"]): plan is Plan => Array.isArray(plan?.["steps"]);
