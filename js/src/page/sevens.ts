/** Bytes as they stand in a site's scripts, seven bits a letter; zfwidgets/widgets/site/sevens.py writes them. */
export function fromSevens(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.floor((text.length * 7) / 8));
  let [bits, held, next] = [0, 0, 0];
  for (let n = 0; n < text.length; n++) {
    bits = (bits << 7) | text.charCodeAt(n);
    held += 7;
    if (held < 8) continue;
    held -= 8;
    bytes[next++] = bits >> held;
    bits &= (1 << held) - 1;
  }
  return bytes;
}
