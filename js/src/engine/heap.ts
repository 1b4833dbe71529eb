/** Memory of the kernels, handed out in pieces: first fit, neighbours that are free grow together. */
import { EngineError } from "./words";

const PAGE = 65536;
/** Every piece starts on a cache line. */
const LINE = 64;

interface Piece {
  at: number;
  bytes: number;
}

export class Heap {
  readonly memory: WebAssembly.Memory;
  /** By address. */
  readonly #free: Piece[] = [];
  readonly #taken = new Map<number, number>();
  #end = LINE; // address 0 stays nobody's

  constructor() {
    this.memory = new WebAssembly.Memory({ initial: 1 });
  }

  /** Bytes of the memory as it is now; it never shrinks. */
  get size(): number {
    return this.memory.buffer.byteLength;
  }

  /** A piece of so many bytes; what stands there is not defined. */
  take(bytes: number): number {
    const need = Math.max(LINE, Math.ceil(bytes / LINE) * LINE);
    const fit = this.#free.findIndex((piece) => piece.bytes >= need);
    const piece = this.#free[fit];
    if (piece) {
      const { at } = piece;
      piece.at += need;
      piece.bytes -= need;
      if (!piece.bytes) this.#free.splice(fit, 1);
      this.#taken.set(at, need);
      return at;
    }
    const at = this.#end;
    this.#reach(at + need);
    this.#end += need;
    this.#taken.set(at, need);
    return at;
  }

  /** A piece that holds zeros. */
  zeros(bytes: number): number {
    const at = this.take(bytes);
    this.bytes(at, bytes).fill(0);
    return at;
  }

  give(at: number): void {
    const bytes = this.#taken.get(at);
    if (bytes === undefined) throw new Error(`nothing was taken at ${at}`);
    this.#taken.delete(at);
    let next = this.#free.findIndex((piece) => piece.at > at);
    if (next < 0) next = this.#free.length;
    this.#free.splice(next, 0, { at, bytes });
    this.#join(next);
    this.#join(next - 1);
  }

  // Views are good until the next `take`: a memory that grows leaves them empty.

  floats(at: number, count: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, count);
  }

  ints(at: number, count: number): Int32Array {
    return new Int32Array(this.memory.buffer, at, count);
  }

  bytes(at: number, count: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, count);
  }

  /** Numbers put down in a piece of their own. */
  keep(numbers: Float32Array | Int32Array): number {
    const at = this.take(numbers.byteLength);
    if (numbers instanceof Float32Array) this.floats(at, numbers.length).set(numbers);
    else this.ints(at, numbers.length).set(numbers);
    return at;
  }

  #join(index: number): void {
    const piece = this.#free[index];
    const next = this.#free[index + 1];
    if (!piece || !next || piece.at + piece.bytes !== next.at) return;
    piece.bytes += next.bytes;
    this.#free.splice(index + 1, 1);
  }

  #reach(end: number): void {
    const missing = end - this.size;
    if (missing <= 0) return;
    try {
      this.memory.grow(Math.ceil(missing / PAGE));
    } catch {
      const megabytes = Math.round(end / 2 ** 20);
      throw new EngineError("memory", { megabytes });
    }
  }
}
