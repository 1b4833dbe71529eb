/**
 * The strip of pinned channels: they stay in sight while layers and photos change. One tab stop; arrows
 * move, Enter goes to the channel, Delete takes the pin away.
 */
import { h, icon, setAttribute, setText } from "../core/dom";
import { decodeSheet, drawTile, type Tile, TileStore } from "../core/tiles";
import type { SheetHead } from "../core/wire";
import type { Subject } from "./inset";
import type { Box } from "./page";
import { type BrowserSay, brief } from "./words";

export interface Pin {
  layer: string;
  channel: number;
}

interface Fact extends Pin {
  value?: number;
  row?: number | null;
  col?: number | null;
  box?: Box | null;
  /** Which sheet has its picture; null if the network has no such channel. */
  sheet: number | null;
}

/** The trait `_pinned`; empty while nothing is pinned. */
export interface RawPinned {
  epoch: number;
  pins: Fact[];
  sheets: { head: SheetHead; picture: DataView }[];
}

export interface PinOwner {
  visit(pin: Pin): void;
  unpin(pin: Pin): void;
  /** The pin under the pointer or with the focus; null if neither. */
  regardPin(subject: Subject | null): void;
  /** A picture of the channel if the grid has one; what Python draws comes later. */
  tileOf(pin: Pin): Tile | undefined;
  /** The last pin is gone, and with it the focus. */
  leavePins(): void;
}

/** Side of a pin's picture, CSS pixels; as in the style sheet. */
const SIDE = 56;
const OFF = "M4.5 4.5l7 7M11.5 4.5l-7 7";

export const samePin = (a: Pin, b: Pin): boolean => a.layer === b.layer && a.channel === b.channel;

export class PinStrip {
  readonly element: HTMLElement;
  readonly #say: BrowserSay;
  readonly #owner: PinOwner;
  readonly #stores: TileStore[] = [];
  #pins: readonly Pin[] = [];
  #facts: readonly Fact[] = [];
  #buttons: HTMLButtonElement[] = [];
  #stop = 0;
  #latest = 0;

  constructor(say: BrowserSay, owner: PinOwner, signal: AbortSignal) {
    this.#say = say;
    this.#owner = owner;
    this.element = h("div", {
      class: "zf-pins zf-scroll",
      role: "toolbar",
      "aria-label": say("pins"),
      hidden: true,
    });
    const listen = (type: string, listener: (event: Event) => void) =>
      this.element.addEventListener(type, listener, { signal });
    listen("keydown", (event) => this.#key(event as KeyboardEvent));
    listen("click", (event) => this.#click(event));
    listen("pointerover", (event) => this.#regard(event.target));
    listen("focusin", (event) => {
      this.#stop = Math.max(0, this.#at(event.target));
      this.#regard(event.target);
    });
    listen("pointerleave", () => owner.regardPin(null));
    listen("focusout", () => owner.regardPin(null));
    signal.addEventListener(
      "abort",
      () => {
        this.#latest += 1;
        this.#forget();
      },
      { once: true },
    );
  }

  /** Show these pins; pictures that are there already stay. */
  show(pins: readonly Pin[]): void {
    const hadFocus = this.element.contains(document.activeElement);
    this.#pins = pins;
    this.element.hidden = pins.length === 0;
    this.#buttons = pins.map(() =>
      h(
        "button",
        { class: "zf-pin-go", type: "button", "aria-keyshortcuts": "Delete" },
        h("span", { class: "zf-well" }, h("canvas", { "aria-hidden": "true" })),
        h("span", { class: "zf-pin-label", "aria-hidden": "true" }),
      ),
    );
    this.element.replaceChildren(
      ...pins.map((pin, i) => {
        const label = this.#say("pin_remove", { layer: pin.layer, id: pin.channel });
        const off = { class: "zf-pin-off", type: "button", "aria-label": label, title: label };
        const item = h("div", { class: "zf-pin-item" }, this.#buttons[i]);
        item.append(h("button", { ...off, tabindex: -1 }, icon(OFF)));
        return item;
      }),
    );
    this.draw();
    this.#moveTo(this.#stop, hadFocus);
    if (hadFocus && pins.length === 0) this.#owner.leavePins();
  }

  /** Take what Python has drawn. */
  async take(raw: Partial<RawPinned>): Promise<void> {
    this.#latest += 1;
    const mine = this.#latest;
    const sheets = raw.sheets ?? [];
    const images = await Promise.all(sheets.map(({ head, picture }) => decodeSheet(head, picture)));
    if (mine !== this.#latest) {
      for (const image of images) image.close();
      return;
    }
    this.#forget();
    images.forEach((image, i) => {
      const store = new TileStore();
      const head = sheets[i]?.head;
      if (head) store.add(head, image);
      this.#stores.push(store);
    });
    this.#facts = raw.pins ?? [];
    this.draw();
  }

  /** Draw and name all pins anew. */
  draw(): void {
    this.#pins.forEach((pin, i) => {
      const button = this.#buttons[i];
      if (!button) return;
      const fact = this.#factOf(pin);
      const label = this.#named(pin, fact);
      setAttribute(button, "aria-label", label);
      button.title = `${label} – ${this.#say("pins_help")}`;
      setAttribute(button, "data-missing", fact?.sheet === null);
      setAttribute(button, "data-silent", fact?.value === 0);
      const caption = button.querySelector(".zf-pin-label");
      if (caption) setText(caption, `${pin.layer} · ${pin.channel}`);
      const own = fact && this.#stores[fact.sheet ?? -1]?.get(pin.channel);
      const tile = own ?? this.#owner.tileOf(pin);
      const canvas = button.querySelector("canvas");
      setAttribute(button, "data-waiting", !tile && fact?.sheet !== null);
      if (!tile || !canvas) return;
      canvas.width = canvas.height = Math.round(SIDE * devicePixelRatio);
      drawTile(canvas, tile);
    });
  }

  #factOf(pin: Pin): Fact | undefined {
    return this.#facts.find((fact) => samePin(fact, pin));
  }

  #named(pin: Pin, fact: Fact | undefined): string {
    const values = { layer: pin.layer, id: pin.channel };
    if (fact?.sheet === null) return this.#say("pin_missing", values);
    const label = this.#say("pin_label", values);
    if (fact?.value === undefined) return label;
    const told = fact.value === 0 ? this.#say("silent") : brief(fact.value);
    return `${label}, ${fact.value === 0 ? told : this.#say("strength", { value: told })}`;
  }

  #at(target: EventTarget | null): number {
    const item = target instanceof Element ? target.closest(".zf-pin-item") : null;
    return item ? [...this.element.children].indexOf(item) : -1;
  }

  #regard(target: EventTarget | null): void {
    const pin = this.#pins[this.#at(target)];
    const fact = pin && this.#factOf(pin);
    if (!pin || !fact || fact.value === undefined) return;
    const say = this.#say;
    const { value, row, col: column, box } = fact;
    const single = row === null || row === undefined || column === null || column === undefined;
    this.#owner.regardPin({
      title: say("pin_label", { layer: pin.layer, id: pin.channel }),
      box: box ?? null,
      lines: [
        [say("fact_strength"), value === 0 ? say("silent") : brief(value)],
        [say("fact_place"), single ? "–" : say("place", { row, column })],
      ],
    });
  }

  #click(event: Event): void {
    const pin = this.#pins[this.#at(event.target)];
    if (!pin) return;
    if ((event.target as Element).closest(".zf-pin-off")) this.#owner.unpin(pin);
    else this.#owner.visit(pin);
  }

  #key(event: KeyboardEvent): void {
    const last = this.#pins.length - 1;
    const to = { ArrowLeft: this.#stop - 1, ArrowRight: this.#stop + 1, Home: 0, End: last }[
      event.key
    ];
    const pin = this.#pins[this.#stop];
    if (to !== undefined) this.#moveTo(Math.min(last, Math.max(0, to)), true);
    else if ((event.key === "Delete" || event.key === "Backspace") && pin) this.#owner.unpin(pin);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #moveTo(at: number, focus: boolean): void {
    this.#stop = Math.min(at, Math.max(0, this.#pins.length - 1));
    this.#buttons.forEach((button, i) => {
      button.tabIndex = i === this.#stop ? 0 : -1;
    });
    if (focus) this.#buttons[this.#stop]?.focus();
  }

  #forget(): void {
    for (const store of this.#stores) store.clear();
    this.#stores.length = 0;
  }
}
