/**
 * Who in this page answers a widget's questions instead of Python. Widgets do not know: `Rpc` looks here
 * before it asks. Each bundle is a module of its own, so the desks are the page's.
 */

/** Takes a question; answers come as from Python, in their envelopes. */
export type Desk = (
  question: object,
  buffers: readonly (ArrayBuffer | ArrayBufferView)[],
  receive: (message: never, buffers: DataView[]) => void,
) => void;

/** The desks of the page, by the trait `_desk` of the widgets that they answer. */
export function desks(): Map<unknown, Desk> {
  const page = globalThis as { zfDesks?: Map<unknown, Desk> };
  page.zfDesks ??= new Map();
  return page.zfDesks;
}
