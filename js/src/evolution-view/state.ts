/** The traits of an evolution view, as Python's EvolutionView has them, and the keys of its texts. */
import type strings from "../../../zfwidgets/widgets/evolution_view/strings.json";
import type { Shell, ZFState } from "../core/shell";
import type { EvolutionPage } from "./page";

export interface EvolutionState extends ZFState {
  step: number;
  steps: number[];
  unit: string;
  layer: string;
  layers: string[];
  channels: number[];
  count: number;
  mode: string;
  active: number | null;
  interval: number;
  repeat: boolean;
  status: string;
  progress: number;
  _page: EvolutionPage | Record<string, never>;
}

export type Key = keyof typeof strings;
export type EvolutionShell = Shell<EvolutionState, Key>;
