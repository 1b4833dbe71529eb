/** Tells Python where the pointer is: at once, and then ten times a second at most. */

const LEAST_MS = 100;

export function throttled<T>(tell: (value: T) => void, signal: AbortSignal): (value: T) => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waiting: { value: T } | null = null;
  const next = () => {
    timer = undefined;
    if (!waiting) return;
    const { value } = waiting;
    waiting = null;
    tell(value);
    timer = setTimeout(next, LEAST_MS);
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return (value) => {
    waiting = { value };
    if (timer === undefined && !signal.aborted) next();
  };
}
