/** The traits of a channel browser, as Python's BrowserState has them. */
import type { Shell, ZFState } from "../core/shell";
import type { RawPhoto } from "./inset";
import type { Mode, RawPage, Show, Sort } from "./page";
import type { Pin, RawPinned } from "./pins";
import type { Key } from "./words";

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
  epoch: number;
  status: "empty" | "busy" | "ready" | "error";
  _page: Partial<RawPage>;
  _photo: Partial<RawPhoto>;
  _pinned: Partial<RawPinned>;
}

export type BrowserShell = Shell<BrowserState, Key>;
