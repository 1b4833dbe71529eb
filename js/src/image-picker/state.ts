/** What the parts of the picker share: the traits, the texts, the signs. */
import type strings from "../../../zfwidgets/widgets/image_picker/strings.json";
import { h, icon } from "../core/dom";
import type { Shell, ZFState } from "../core/shell";

export interface Item {
  id: string;
  label: string;
  credit: string;
  /** Why it cannot be read; absent as far as is known. */
  problem?: string;
  /** What decoding had to guess. */
  note?: string;
  /** Of photographs that ship, with the address of its page. */
  author?: string;
  source?: string;
  licence?: string;
  licence_url?: string;
  /** What was done to the photograph as its author published it. */
  changes?: string;
}

/** Top, left and size in pixels of the photo. */
export type Crop = [top: number, left: number, size: number];

export interface PickerState extends ZFState {
  items: Item[];
  value: string | null;
  crop: Crop | null;
  order: "given" | "recent";
  recent: string[];
  left_out: number;
  disabled: boolean;
  rows: number;
  gallery: boolean;
  _accept: string;
  _seen_note: string;
  _thumbs: DataView | null;
  _slots: Record<string, number>;
  _columns: number;
  _max_bytes: number;
  _share: number;
}

export type Key = keyof typeof strings;
export type PickerShell = Shell<PickerState, Key>;

export const SIGNS = {
  upload: "M8 10.5V2.5M4.8 5.5 8 2.3l3.2 3.2M2.5 10.5v3h11v-3",
  camera: "M1.5 4.5h3l1-2h5l1 2h3v9h-13zM8 6.2a2.4 2.4 0 1 0 0 4.8 2.4 2.4 0 0 0 0-4.8z",
  crop: "M4 1v11h11M1 4h11v11",
  remove: "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.7 9h6.6l.7-9M6.7 7v4M9.3 7v4",
  recent: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 4.5V8l2.5 1.5",
  wall: "M2 2.5h5v4.5H2zM9 2.5h5v4.5H9zM2 9h5v4.5H2zM9 9h5v4.5H9z",
  search: "M7 2.2a4.8 4.8 0 1 0 0 9.6 4.8 4.8 0 0 0 0-9.6zM10.5 10.5 14 14",
  note: "M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8zM8 7.2v4M8 4.6v.1",
  tick: "M3 8.5 6.5 12 13 4.5",
  cross: "M4 4l8 8M12 4l-8 8",
  warning: "M8 1.8 15 14H1L8 1.8zM8 6v4M8 12v.1",
} as const;

/** A push button with a sign; `word` is seen, or only told if `quiet`. */
export function signButton(
  sign: keyof typeof SIGNS,
  word: string,
  options: { title?: string; quiet?: boolean } = {},
): HTMLButtonElement {
  const { title, quiet } = options;
  const named = { class: "zf-button", type: "button", "aria-label": quiet ? word : null, title };
  return h("button", named, icon(SIGNS[sign]), quiet ? null : h("span", {}, word));
}
