/**
 * The messages between a widget in the page and its Python half; mirrors zfwidgets/widgets/wire.py.
 *
 * The page asks: {v, id, epoch, op, ...} + buffers. Python answers with one or more
 * {v, id, epoch, ok: true, last, ...} + buffers, or once with {v, id, ok: false, error}.
 * {v, op: "cancel", id} takes a question back. `epoch` is the version of what is being looked at;
 * both sides drop what belongs to an older one.
 */

export const PROTOCOL = 1;

/** What went wrong, what exactly, and what a person can do about it. */
export interface WireError {
  title: string;
  message: string;
  hint: string;
}

export interface Request {
  v: number;
  id: number;
  epoch: number;
  op: string;
  [field: string]: unknown;
}

export interface Answer {
  v: number;
  id: number;
  epoch: number;
  ok: true;
  last: boolean;
  [field: string]: unknown;
}

export interface Refusal {
  v: number;
  id: number;
  ok: false;
  error: WireError;
}

/** N equally large tiles, row-major on one picture; `count` of them are filled. */
export interface SheetHead {
  ids: number[];
  mime: string;
  /** Size of one tile on the sheet, in pixels. */
  tile: [height: number, width: number];
  columns: number;
}

/**
 * The bytes of a received buffer. Hosts may hand out views into a larger buffer, so the offset counts.
 */
export function bytesOf(view: DataView | ArrayBuffer): Uint8Array<ArrayBuffer> {
  if (view instanceof ArrayBuffer) return new Uint8Array(view);
  return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
}

/** Little-endian float32 values; copied, since a view's offset need not be a multiple of four. */
export function floatsOf(view: DataView | ArrayBuffer): Float32Array {
  return new Float32Array(bytesOf(view).slice().buffer);
}

/** Little-endian int32 values. */
export function intsOf(view: DataView | ArrayBuffer): Int32Array {
  return new Int32Array(bytesOf(view).slice().buffer);
}

/** Whether a value received from outside has the shape of an error to show. */
export function isWireError(value: unknown): value is WireError {
  return (
    typeof value === "object" &&
    value !== null &&
    typeof (value as WireError).title === "string" &&
    (value as WireError).title !== ""
  );
}
