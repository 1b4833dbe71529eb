/** What stands on a canvas, as the bytes of a picture file. */
import { fromBase64 } from "../engine/base64";

/**
 * At once, in some milliseconds: `toBlob` and `convertToBlob` wait for moments in which a page has
 * nothing to do, and Chromium counts none on a page that stands still: after the first they take
 * seven seconds.
 */
export function encode(
  canvas: HTMLCanvasElement,
  type: "image/jpeg" | "image/png",
  quality?: number,
): Uint8Array<ArrayBuffer> {
  const text = canvas.toDataURL(type, quality).split(",")[1];
  if (!text) throw new Error(`no picture of ${canvas.width} × ${canvas.height} pixels can be made`);
  return fromBase64(text);
}
