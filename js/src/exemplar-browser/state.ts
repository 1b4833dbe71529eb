/** The traits of an exemplar browser, as Python's ExemplarBrowser has them, and the keys of its texts. */
import type strings from "../../../zfwidgets/widgets/exemplar_browser/strings.json";
import type { Progress } from "../core/scan-bar";
import type { ZFState } from "../core/shell";
import type { Say } from "../core/strings";
import type { RawWall, Sort } from "./wall";

export type ExemplarKey = keyof typeof strings;
export type ExemplarSay = Say<ExemplarKey>;

export interface ExemplarState extends ZFState {
  layers: string[];
  layer: string;
  sort: Sort;
  rule: string;
  tile_size: number;
  height: number;
  active: number | null;
  status: "empty" | "busy" | "ready" | "error";
  progress: Partial<Progress>;
  epoch: number;
  _page: Partial<RawWall>;
}
