/**
 * SHA-256 (FIPS 180-4) of a block of bytes. The browser's own is some twenty times as fast, but has to
 * be waited for, and is missing on pages that came over plain http from another machine.
 */

/** The first 32 bits of the fractional parts of the `power`-th roots of the first primes. */
function roots(count: number, power: number): Int32Array {
  const words = new Int32Array(count);
  for (let prime = 2, found = 0; found < count; prime++) {
    let divisor = 2;
    while (divisor * divisor <= prime && prime % divisor) divisor++;
    if (divisor * divisor <= prime) continue;
    const root = prime ** (1 / power);
    words[found++] = ((root - Math.floor(root)) * 2 ** 32) | 0;
  }
  return words;
}

const CONSTANTS = roots(64, 3);

/** The digest in hexadecimal by the browser, or as {@link sha256} makes it where it has no way. */
export async function digest(bytes: Uint8Array): Promise<string> {
  const native = globalThis.crypto?.subtle;
  if (!native) return sha256(bytes);
  const found = await native.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return hexadecimal(new Uint8Array(found), 2);
}

function hexadecimal(numbers: Uint8Array | Int32Array, digits: number): string {
  const each = (one: number) => (one >>> 0).toString(16).padStart(digits, "0");
  return Array.from(numbers, each).join("");
}

/** The digest in hexadecimal, as hashlib.sha256(...).hexdigest(). */
export function sha256(bytes: Uint8Array): string {
  const state = roots(8, 2);
  const words = new Int32Array(64);
  const whole = bytes.length & ~63;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at < whole; at += 64) round(state, words, view, at);

  const rest = bytes.length - whole;
  const tail = new Uint8Array(rest < 56 ? 64 : 128);
  tail.set(bytes.subarray(whole));
  tail[rest] = 0x80;
  const end = new DataView(tail.buffer);
  end.setUint32(tail.length - 8, Math.floor(bytes.length / 2 ** 29));
  end.setUint32(tail.length - 4, (bytes.length << 3) >>> 0);
  for (let at = 0; at < tail.length; at += 64) round(state, words, end, at);
  return hexadecimal(state, 8);
}

function round(state: Int32Array, words: Int32Array, view: DataView, at: number): void {
  for (let t = 0; t < 16; t++) words[t] = view.getInt32(at + 4 * t);
  for (let t = 16; t < 64; t++) {
    const x = words[t - 15] as number;
    const y = words[t - 2] as number;
    const s0 = turn(x, 7) ^ turn(x, 18) ^ (x >>> 3);
    const s1 = turn(y, 17) ^ turn(y, 19) ^ (y >>> 10);
    words[t] = ((words[t - 16] as number) + s0 + (words[t - 7] as number) + s1) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let t = 0; t < 64; t++) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const one =
      (h + s1 + ((e & f) ^ (~e & g)) + (CONSTANTS[t] as number) + (words[t] as number)) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + one) | 0;
    d = c;
    c = b;
    b = a;
    a = (one + two) | 0;
  }
  const next = [a, b, c, d, e, f, g, h];
  for (let n = 0; n < 8; n++) state[n] = (state[n] as number) + (next[n] as number);
}

function turn(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
