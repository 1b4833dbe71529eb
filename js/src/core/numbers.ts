/** Numbers in words. */

/** Three significant digits: 0.82, 12.4, 1310. */
export function brief(value: number): string {
  if (value === 0) return "0";
  const size = Math.floor(Math.log10(Math.abs(value)));
  if (size >= 3 || size < -3)
    return size >= 6 || size < 0 ? value.toExponential(1) : value.toFixed(0);
  return String(Number(value.toPrecision(3)));
}
