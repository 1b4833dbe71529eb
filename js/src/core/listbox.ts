/**
 * The keyboard of a single-choice listbox whose options may wrap into rows: one tab stop, arrows,
 * Home and End, type-ahead. Choice follows focus, as with native radio buttons.
 *
 * Options are the descendants with role="option"; `data-id` names one, `data-text` is what typing
 * is compared with.
 */
import { setAttribute } from "./dom";

const TYPE_AHEAD_MS = 800;

export class Listbox {
  readonly element: HTMLElement;
  readonly #choose: (id: string) => void;
  /** Place and name of the option that was brought into sight last. */
  #revealed = "";
  #typed = "";
  #typedAt = 0;

  constructor(element: HTMLElement, choose: (id: string) => void, signal: AbortSignal) {
    this.element = element;
    this.#choose = choose;
    setAttribute(element, "role", "listbox");
    element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
    element.addEventListener("click", (event) => this.#onClick(event), { signal });
  }

  get disabled(): boolean {
    return this.element.getAttribute("aria-disabled") === "true";
  }

  set disabled(value: boolean) {
    setAttribute(this.element, "aria-disabled", value || null);
  }

  /** All options but those in a hidden part. */
  get options(): HTMLElement[] {
    const all = [...this.element.querySelectorAll<HTMLElement>('[role="option"]')];
    return all.filter((option) => option.closest("[hidden]") === null);
  }

  option(id: string | null): HTMLElement | undefined {
    return this.options.find((option) => option.dataset["id"] === id);
  }

  /**
   * Mark the chosen option, make it the tab stop, and bring it into sight within the list. Whoever has scrolled on is
   * not fetched back: that is done once for each choice, and when the option has got another place.
   */
  mark(id: string | null): void {
    const options = this.options;
    const chosen = options.find((option) => option.dataset["id"] === id);
    const stop = chosen ?? options[0];
    const hadFocus = options.includes(document.activeElement as HTMLElement);
    for (const option of options) {
      setAttribute(option, "aria-selected", option === chosen ? "true" : "false");
      option.tabIndex = option === stop ? 0 : -1;
    }
    if (!chosen) {
      this.#revealed = "";
      return;
    }
    if (hadFocus && document.activeElement !== chosen) chosen.focus({ preventScroll: true });
    const place = `${options.indexOf(chosen)} ${id}`;
    if (place === this.#revealed) return;
    this.reveal(chosen);
    // Before the list is on the screen nothing comes into sight.
    if (this.element.clientWidth > 0) this.#revealed = place;
  }

  /** Scroll the list, never the page, so that the option is in sight. */
  reveal(option: HTMLElement): void {
    const list = this.element;
    const outer = list.getBoundingClientRect();
    const inner = option.getBoundingClientRect();
    // Half an option more, so that the list shows that it goes on.
    const more = inner.width / 2;
    list.scrollLeft += overhang(inner.left - more, inner.right + more, outer.left, outer.right);
    list.scrollTop += overhang(inner.top, inner.bottom, outer.top, outer.bottom);
  }

  #onClick(event: MouseEvent): void {
    const option = (event.target as Element).closest<HTMLElement>('[role="option"]');
    if (option && !event.defaultPrevented) this.#take(option);
  }

  #onKey(event: KeyboardEvent): void {
    const current = (event.target as Element).closest<HTMLElement>('[role="option"]');
    if (!current || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = this.#target(event.key, current);
    if (!target) return;
    event.preventDefault();
    event.stopPropagation();
    this.#take(target);
  }

  #target(key: string, current: HTMLElement): HTMLElement | undefined {
    const options = this.options;
    const at = options.indexOf(current);
    const step = (by: number) => options[Math.min(Math.max(at + by, 0), options.length - 1)];
    if (key === "ArrowRight") return step(1);
    if (key === "ArrowLeft") return step(-1);
    if (key === "ArrowDown") return inNextRow(options, current, 1) ?? step(1);
    if (key === "ArrowUp") return inNextRow(options, current, -1) ?? step(-1);
    if (key === "Home") return options[0];
    if (key === "End") return options.at(-1);
    if (key === "Enter" || (key === " " && !this.#isTyping())) return current;
    return key.length === 1 ? this.#find(key, options, at) : undefined;
  }

  #isTyping(): boolean {
    return this.#typed !== "" && performance.now() - this.#typedAt < TYPE_AHEAD_MS;
  }

  /** The next option that starts with what was typed; one letter again and again walks on. */
  #find(key: string, options: HTMLElement[], at: number): HTMLElement | undefined {
    this.#typed = (this.#isTyping() ? this.#typed : "") + key.toLowerCase();
    this.#typedAt = performance.now();
    const same = new Set(this.#typed).size === 1;
    const wanted = same && !this.#starts(options[at], this.#typed) ? key : this.#typed;
    const from = wanted.length === 1 ? at + 1 : at;
    const order = [...options.slice(from), ...options.slice(0, from)];
    return order.find((option) => this.#starts(option, wanted.toLowerCase()));
  }

  #starts(option: HTMLElement | undefined, text: string): boolean {
    return (option?.dataset["text"] ?? "").toLowerCase().startsWith(text);
  }

  #take(option: HTMLElement): void {
    const id = option.dataset["id"];
    if (this.disabled || id === undefined) return;
    option.focus({ preventScroll: true });
    this.#choose(id);
  }
}

function overhang(start: number, end: number, low: number, high: number): number {
  if (start < low) return start - low;
  return end > high ? end - high : 0;
}

/** The option of the row below (or above) whose middle is nearest; undefined if all are in one row. */
function inNextRow(
  options: HTMLElement[],
  current: HTMLElement,
  way: 1 | -1,
): HTMLElement | undefined {
  const here = current.getBoundingClientRect();
  let best: HTMLElement | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  let rows = false;
  for (const option of options) {
    const there = option.getBoundingClientRect();
    if (Math.abs(there.top - here.top) > here.height / 2) rows = true;
    const down = (there.top - here.top) * way;
    if (down <= here.height / 2) continue;
    const aside = Math.abs(there.left + there.width / 2 - here.left - here.width / 2);
    const score = down * 4096 + aside;
    if (score < bestScore) [best, bestScore] = [option, score];
  }
  return best ?? (rows ? current : undefined);
}
