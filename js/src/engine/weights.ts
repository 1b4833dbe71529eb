/** The block of weights: checked against its hash, and read tensor by tensor as float32. */
import { type Graph, type TensorRef, volume } from "./graph";
import { digest } from "./sha256";
import { EngineError } from "./words";

/** float32 of every float16, by its bits. */
let halves: Float32Array | null = null;

function table(): Float32Array {
  if (halves) return halves;
  halves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 31;
    const fraction = (bits & 1023) / 1024;
    const value = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
    halves[bits] = sign * (exponent === 31 ? (fraction ? Number.NaN : Infinity) : value);
  }
  return halves;
}

export class Weights {
  readonly #bytes: Uint8Array;

  private constructor(bytes: Uint8Array) {
    // Views need the alignment that the block was written with.
    this.#bytes = bytes.byteOffset % 4 ? bytes.slice() : bytes;
  }

  /**
   * Rejects with EngineError if the block is not the one that the graph was written with. `checked`:
   * somebody else compares it with its hash, and only its length is looked at.
   */
  static async open(graph: Graph, bytes: Uint8Array, checked = false): Promise<Weights> {
    const { bytes: expected, sha256: hash } = graph.weights;
    if (bytes.length !== expected) {
      const values = { net: graph.name, bytes: bytes.length, expected };
      throw new EngineError("damaged_length", values);
    }
    if (!checked && (await digest(bytes)) !== hash) {
      throw new EngineError("damaged_hash", { net: graph.name });
    }
    return new Weights(bytes);
  }

  /** A tensor's numbers, in the order they were written. */
  floats(ref: TensorRef): Float32Array {
    const count = volume(ref.shape);
    const at = this.#bytes.byteOffset + ref.at;
    if (ref.type === "f32") return new Float32Array(this.#bytes.buffer, at, count);
    const bits = new Uint16Array(this.#bytes.buffer, at, count);
    const half = table();
    const floats = new Float32Array(count);
    for (let n = 0; n < count; n++) floats[n] = half[bits[n] as number] as number;
    return floats;
  }
}
