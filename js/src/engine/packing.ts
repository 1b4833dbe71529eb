/**
 * Weights as they stand in a page, written by zfwidgets/page/packing.py: the first bytes of all pairs,
 * then the second ones (exponents are alike, fractions are not), deflated, in base64.
 */
import { fromBase64 } from "./base64";
import { EngineError } from "./words";

/** The block of weights from its text, or from the bytes of it. Rejects with EngineError if they are damaged. */
export async function unpack(written: string | Uint8Array): Promise<Uint8Array> {
  if (typeof DecompressionStream === "undefined") {
    throw new EngineError("unpacking");
  }
  let planes: Uint8Array;
  try {
    const packed = typeof written === "string" ? fromBase64(written.trim()) : written;
    const stream = new Blob([packed as BlobPart])
      .stream()
      .pipeThrough(new DecompressionStream("deflate"));
    planes = new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new EngineError("damaged_packing");
  }
  const half = planes.length / 2;
  const bytes = new Uint8Array(planes.length);
  for (let n = 0; n < half; n++) {
    bytes[2 * n] = planes[n] as number;
    bytes[2 * n + 1] = planes[half + n] as number;
  }
  return bytes;
}
