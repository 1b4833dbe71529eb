/** The traits of a channel browser, as Python's BrowserState has them. */
import type { Shell, ZFState } from "../core/shell";
import type { RawPhoto } from "./inset";
import type { Mode, RawPage, Show, Sort } from "./page";
import type { Pin, RawPinned } from "./pins";
import type { Key } from "./words";

/** The trait `_without`; empty while nothing is known. */
export interface RawWithout {
  /** How many channels are switched off. */
  off: number;
  /** The most probable classes with all channels, and what is the most probable now. */
  labels: string[];
  before: number[];
  now: number[];
  /** Whether it is of another photo or of other pins. */
  old?: boolean;
}

export interface BrowserState extends ZFState {
  layer: string;
  mode: Mode;
  sort: Sort;
  show: Show;
  threshold: number;
  rule: string;
  tile_size: number;
  height: number;
  inset: boolean;
  selected: number[];
  active: number | null;
  hover: number | null;
  pins: Pin[];
  /** Null where nobody can be asked. */
  without: boolean | null;
  epoch: number;
  status: "empty" | "busy" | "ready" | "error";
  _page: Partial<RawPage>;
  _photo: Partial<RawPhoto>;
  _pinned: Partial<RawPinned>;
  _without: Partial<RawWithout>;
}

export type BrowserShell = Shell<BrowserState, Key>;
