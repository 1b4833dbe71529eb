/** Pins and takes pins away, from the grid's cells and from the strip; goes where a pin leads. */
import { h, icon, setAttribute } from "../core/dom";
import { RpcError } from "../core/rpc";
import type { Tile } from "../core/tiles";
import type { Cell, VirtualGrid } from "../core/virtual-grid";
import type { Subject } from "./inset";
import type { Page } from "./page";
import { type Pin, type PinOwner, PinStrip, type RawPinned, samePin } from "./pins";
import type { BrowserShell } from "./state";
import { Without } from "./without";

/** As MOST of pins.py. */
const MOST = 64;
const ICON = "M6 1.8h4l-.4 4.4 2.6 2.6H3.8l2.6-2.6zM8 9v5";

/** What pins need of the view. */
interface Around {
  page(): Page | null;
  tile(id: number): Tile | undefined;
  /** Tell of a pin; null: of what was told of before. */
  tell(pin: Subject | null): void;
}

export class Pinning implements PinOwner {
  readonly #shell: BrowserShell;
  readonly #grid: VirtualGrid;
  readonly #around: Around;
  readonly #strip: PinStrip;
  readonly #without: Without;
  /** Channels of the present layer that are pinned. */
  #here = new Set<number>();

  constructor(shell: BrowserShell, grid: VirtualGrid, around: Around) {
    this.#shell = shell;
    this.#grid = grid;
    this.#around = around;
    this.#strip = new PinStrip(shell.say, this, shell.signal);
    this.#without = new Without(shell);
    this.#listen();
  }

  get elements(): HTMLElement[] {
    return [this.#strip.element, this.#without.element];
  }

  /** Whether nobody answers. */
  set saved(saved: boolean) {
    this.#without.saved = saved;
  }

  has(id: number): boolean {
    return this.#here.has(id);
  }

  /** The trait `pins` or the layer has changed. */
  show(): void {
    const pins = this.#shell.model.get("pins");
    const layer = this.#around.page()?.raw.layer;
    this.#here = new Set(pins.filter((pin) => pin.layer === layer).map((pin) => pin.channel));
    const grid = this.#grid.element;
    const before = grid.getBoundingClientRect().top;
    this.#strip.show(pins);
    this.#without.show();
    // The first pin pushes the grid down; what was under the pointer stays under it.
    grid.scrollTop += grid.getBoundingClientRect().top - before;
    this.#grid.refill();
  }

  draw(): void {
    this.#strip.draw();
  }

  take(raw: Partial<RawPinned>): Promise<void> {
    return this.#strip.take(raw);
  }

  toggle(channel: number): void {
    const layer = this.#around.page()?.raw.layer;
    if (layer === undefined) return;
    const pin = { layer, channel };
    const { model, commit, announce, say } = this.#shell;
    const pins = model.get("pins");
    if (pins.some((other) => samePin(other, pin))) {
      this.unpin(pin);
    } else if (pins.length >= MOST) {
      announce(say("pins_full", { most: MOST }));
    } else {
      commit("pins", [...pins, pin]);
      announce(say("pinned_now", { layer, id: channel }));
    }
  }

  /** Give a new cell its button; one listener on the grid hears them all. */
  furnish(cell: Cell): void {
    const button = h("button", { class: "zf-pin", type: "button", tabindex: -1 }, icon(ICON));
    cell.element.append(button);
  }

  /** Show whether the cell's channel is pinned. */
  fill({ element, id }: Cell): void {
    setAttribute(element, "data-pinned", this.has(id));
    const button = element.lastElementChild as HTMLElement;
    const text = this.#shell.say(this.has(id) ? "unpin" : "pin", { id });
    setAttribute(button, "aria-label", text);
    button.title = text;
  }

  #listen(): void {
    const { signal } = this.#shell;
    const on = (type: string, listener: (event: Event, id: number) => void) => {
      const heard = (event: Event) => {
        const button = (event.target as Element).closest(".zf-pin");
        const cell = button?.closest<HTMLElement>("[data-channel]");
        if (cell) listener(event, Number(cell.dataset["channel"]));
      };
      this.#grid.element.addEventListener(type, heard, { signal, capture: true });
    };
    // The focus stays on the cell: it is the cell's key that does the same.
    on("mousedown", (event) => event.preventDefault());
    on("click", (event, id) => {
      event.stopPropagation();
      this.toggle(id);
    });
  }

  // --------------------------------------------------------------------- what the strip asks for

  visit(pin: Pin): void {
    const { rpc, commit, model, fail } = this.#shell;
    if (pin.layer === this.#around.page()?.raw.layer) {
      commit("active", pin.channel);
      this.#grid.reveal(pin.channel, false);
      return;
    }
    rpc.request("visit", { ...pin }, { epoch: model.get("epoch") }).catch((reason) => {
      if (reason instanceof RpcError) fail(reason.detail);
    });
  }

  unpin(pin: Pin): void {
    const { model, commit, announce, say } = this.#shell;
    const pins = model.get("pins").filter((other) => !samePin(other, pin));
    commit("pins", pins);
    announce(say("unpinned_now", { layer: pin.layer, id: pin.channel }));
  }

  regardPin(pin: Subject | null): void {
    this.#around.tell(pin);
  }

  tileOf({ layer, channel }: Pin): Tile | undefined {
    return layer === this.#around.page()?.raw.layer ? this.#around.tile(channel) : undefined;
  }

  leavePins(): void {
    const id = this.#grid.focused;
    if (id !== null) this.#grid.reveal(id, true);
  }
}
