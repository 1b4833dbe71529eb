/** The traits of a quiz, as Python's Quiz has them, and the keys of its texts. */
import type strings from "../../../zfwidgets/widgets/quiz/strings.json";
import type { ZFState } from "../core/shell";
import type { SheetHead } from "../core/wire";

export type QuizKey = keyof typeof strings;

export interface Question {
  at: number;
  layer: string;
  channel: number;
  /** Whose each picture is: the nine that are shown, then the two that are asked for. */
  credits: string[];
  sheet: SheetHead;
  data: DataView;
}

export interface Solution {
  at: number;
  /** Which of the two excites the channel more, 0 or 1, and which was chosen. */
  exciting: number;
  chosen: number;
  /** What the channel makes of each. */
  values: [number, number];
}

/** Right answers of a layer, of all where it has no name; their share may lie from low to high. */
export interface ScoreRow {
  layer: string;
  asked: number;
  right: number;
  low: number;
  high: number;
}

export interface QuizState extends ZFState {
  at: number;
  count: number;
  code: string;
  status: "busy" | "ready" | "done" | "error";
  _question: Partial<Question>;
  _solution: Partial<Solution>;
  _score: { rows: ScoreRow[] };
}

export const isQuestion = (value: Partial<Question>): value is Question =>
  value.sheet !== undefined && value.data !== undefined;

export const isSolution = (value: Partial<Solution>): value is Solution =>
  value.exciting !== undefined;
