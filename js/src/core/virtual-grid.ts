/**
 * An ARIA grid that has elements only for the rows in and near its window, and follows its own size. The
 * owner fills cells, and is told about clicks, keys and the pointer by channel.
 *
 * A row has one canvas for the pictures of all its cells: browsers make a layer of every canvas, and put
 * layers in order in a time that grows with the square of their number. For the same reason cells have
 * no transforms, opacities and clips of their own.
 */
import { h, perFrame, setAttribute } from "./dom";
import { type GridLayout, layoutGrid, rowsInView, scrollToRow } from "./grid-layout";
import { moveInGrid } from "./keynav";
import { type Area, drawTile, type Tile } from "./tiles";

export interface Cell {
  element: HTMLElement;
  /** The row's canvas, and the cell's part of it. */
  canvas: HTMLCanvasElement;
  area: Area;
  label: HTMLElement;
  bar: HTMLElement;
  id: number;
  /** What the owner last drew, to draw only what changed. */
  drawn: unknown;
}

/** What a click or a key does with a channel. */
export interface Pick {
  select: "only" | "toggle" | "extend" | null;
  activate: boolean;
}

export interface GridOwner {
  /** Add to a new cell what the owner's cells have beside picture, number and bar. */
  furnish?(cell: Cell): void;
  /** Give a cell that now stands for `cell.id` its name and state. */
  fill(cell: Cell, layout: GridLayout): void;
  /** The picture of a channel, if it is there; of owners that leave the drawing to the grid. */
  tile?(id: number): Tile | undefined;
  /** A click, or a key that chooses. */
  pick(id: number, how: Pick): void;
  /** The channel under the pointer or with the focus; null if neither. */
  regard(id: number | null): void;
  /** A key that the grid does not use itself; true if the owner did. */
  key(event: KeyboardEvent): boolean;
  /** The window moved or changed its size, and has its elements; once a frame. */
  moved(): void;
}

export interface GridOptions {
  tile: number;
  gap: number;
  caption: number;
  /** Height of a picture as a share of its width; 1 if it is not given. */
  aspect?: number;
}

interface Row {
  element: HTMLElement;
  canvas: HTMLCanvasElement;
  cells: Cell[];
}

/** Rows with elements beyond the window, as a share of its height on either side. */
const OVERSCAN = 0.3;

export class VirtualGrid {
  readonly element: HTMLElement;
  readonly #spacer = h("div", { class: "zf-grid-space", role: "presentation" });
  readonly #owner: GridOwner;
  readonly #moved: () => void;
  readonly #rows = new Map<number, Row>();
  readonly #spare: Row[] = [];
  #order: readonly number[] = [];
  #layout: GridLayout = layoutGrid(1, 1, 0, 0, 0);
  #options: GridOptions = { tile: 72, gap: 6, caption: 16 };
  /** The cell that Tab leads to; its row always has elements, lest the focus be lost. */
  #focus = 0;

  constructor(owner: GridOwner, signal: AbortSignal) {
    this.#owner = owner;
    this.element = h("div", {
      class: "zf-grid zf-scroll",
      role: "grid",
      "aria-multiselectable": true,
    });
    this.element.append(this.#spacer);
    this.#moved = perFrame(() => {
      this.render();
      owner.moved();
    }, signal);
    this.#followSize(signal);
    const listen = <K extends keyof HTMLElementEventMap>(
      type: K,
      listener: (event: HTMLElementEventMap[K]) => void,
    ) => this.element.addEventListener(type, listener, { signal });
    listen("scroll", this.#moved);
    listen("click", (event) => this.#click(event));
    listen("keydown", (event) => this.#key(event));
    listen("pointerover", (event) => this.#owner.regard(this.#idOf(event.target)));
    listen("pointerleave", () => this.#owner.regard(this.hasFocus ? this.focused : null));
    listen("focusin", (event) => {
      const id = this.#idOf(event.target);
      if (id !== null) this.#setFocus(this.#order.indexOf(id));
      this.#owner.regard(id);
    });
    listen("focusout", (event) => {
      if (!this.element.contains(event.relatedTarget as Node | null)) this.#owner.regard(null);
    });
  }

  get layout(): GridLayout {
    return this.#layout;
  }

  /** What the grid is called, for screen readers. */
  set name(text: string) {
    setAttribute(this.element, "aria-label", text);
  }

  get hasFocus(): boolean {
    return this.element.contains(document.activeElement);
  }

  /** The channel that Tab leads to. */
  get focused(): number | null {
    return this.#order[this.#focus] ?? null;
  }

  /** Show `order`, a list of channels; the focus stays on its channel if that is still there. */
  show(order: readonly number[]): void {
    const { focused, hasFocus } = this;
    this.#order = order;
    this.#focus = focused === null ? 0 : Math.max(0, order.indexOf(focused));
    this.resize();
    if (hasFocus) this.#goTo(this.#focus, true);
  }

  /** Set the least tile width, the gap and the caption's height, in CSS pixels. */
  configure(options: GridOptions): void {
    this.#options = options;
    this.resize();
  }

  /** Lay out anew for the present width; keeps the first visible channel in place. */
  resize(): void {
    const { tile, gap, caption, aspect } = this.#options;
    const before = this.#layout;
    const first = Math.round(this.element.scrollTop / before.pitch) * before.columns;
    const width = this.#spacer.clientWidth;
    if (width === 0) return;
    const hadFocus = this.hasFocus;
    const layout = layoutGrid(width, tile, this.#order.length, gap, caption, aspect);
    this.#layout = layout;
    this.#spacer.style.height = `${Math.max(0, layout.height - gap)}px`;
    setAttribute(this.element, "aria-rowcount", layout.rows);
    setAttribute(this.element, "aria-colcount", layout.columns);
    if (layout.columns !== before.columns) {
      this.#recycleAll(true);
      if (before.count === layout.count) {
        this.element.scrollTop = Math.floor(first / layout.columns) * layout.pitch;
      }
    } else if (
      layout.tile !== before.tile ||
      layout.caption !== before.caption ||
      layout.columnGap !== before.columnGap
    ) {
      this.#recycleAll(false);
    }
    this.render(true);
    if (hadFocus && !this.hasFocus)
      this.#cellAt(this.#focus)?.element.focus({ preventScroll: true });
  }

  /** Channels in the window, and those up to `screens` window heights around it, nearest first. */
  inView(screens: number): { visible: number[]; around: number[] } {
    const { scrollTop, clientHeight } = this.element;
    const [first, end] = rowsInView(this.#layout, scrollTop, clientHeight);
    const extra = Math.ceil((screens * clientHeight) / this.#layout.pitch);
    const { columns } = this.#layout;
    const slice = (from: number, to: number) =>
      this.#order.slice(Math.max(0, from) * columns, Math.max(0, to) * columns);
    return {
      visible: slice(first, end),
      around: [...slice(end, end + extra), ...slice(first - extra, first).reverse()],
    };
  }

  /** Make the elements match the window; the owner fills those that are new to it, or `all`. */
  render(all = false): void {
    const { scrollTop, clientHeight } = this.element;
    const over = clientHeight * OVERSCAN;
    const [first, end] = rowsInView(this.#layout, scrollTop - over, clientHeight + 2 * over);
    const focusRow = Math.floor(this.#focus / this.#layout.columns);
    const needed = (row: number) => (row >= first && row < end) || row === focusRow;
    for (const [index, row] of this.#rows) {
      if (!needed(index) || index >= this.#layout.rows) this.#recycle(index, row);
    }
    const filled: Cell[] = [];
    for (let index = first; index < end; index++) filled.push(...this.#place(index, all));
    if (focusRow < this.#layout.rows) filled.push(...this.#place(focusRow, all));
    this.#fill(filled);
  }

  /** All first, then the pictures: a canvas that has just been put somewhere has the page laid out. */
  #fill(cells: readonly Cell[]): void {
    for (const cell of cells) this.#owner.fill(cell, this.#layout);
    if (this.#owner.tile) for (const cell of cells) drawCell(cell, this.#owner.tile(cell.id));
  }

  /** Fill again the cells of these channels, if they have elements. */
  refill(ids?: readonly number[]): void {
    for (const { cells } of this.#rows.values()) {
      this.#fill(cells.filter((c) => !c.element.hidden && (!ids || ids.includes(c.id))));
    }
  }

  /** Bring a channel into view and, if asked, give it the keyboard's focus. */
  reveal(id: number, focus: boolean): boolean {
    const at = this.#order.indexOf(id);
    if (at < 0) return false;
    this.#goTo(at, focus);
    return true;
  }

  #goTo(at: number, focus: boolean): void {
    this.#setFocus(at);
    const row = Math.floor(at / this.#layout.columns);
    const { scrollTop, clientHeight } = this.element;
    const top = scrollToRow(this.#layout, row, scrollTop, clientHeight);
    if (top !== scrollTop) this.element.scrollTop = top;
    this.render();
    if (focus) this.#cellAt(at)?.element.focus({ preventScroll: true });
    this.#moved();
  }

  #followSize(signal: AbortSignal): void {
    const resized = perFrame(() => {
      this.resize();
      this.#owner.moved();
    }, signal);
    const sizes = new ResizeObserver(resized);
    sizes.observe(this.element);
    signal.addEventListener("abort", () => sizes.disconnect(), { once: true });
    // The same size in CSS pixels may be another one in device pixels: zoom, another screen.
    window.addEventListener("resize", resized, { signal });
  }

  #setFocus(at: number): void {
    if (at < 0 || at === this.#focus) return;
    this.#cellAt(this.#focus)?.element.setAttribute("tabindex", "-1");
    this.#focus = at;
    this.#cellAt(at)?.element.setAttribute("tabindex", "0");
  }

  #cellAt(at: number): Cell | undefined {
    const { columns } = this.#layout;
    return this.#rows.get(Math.floor(at / columns))?.cells[at % columns];
  }

  #click(event: MouseEvent): void {
    const id = this.#idOf(event.target);
    if (id === null) return;
    const toggle = event.ctrlKey || event.metaKey;
    this.reveal(id, true);
    const select = event.shiftKey ? "extend" : toggle ? "toggle" : "only";
    this.#owner.pick(id, { select, activate: true });
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey) return;
    const id = this.focused;
    const pageRows = Math.max(1, Math.floor(this.element.clientHeight / this.#layout.pitch));
    const { count, columns } = this.#layout;
    const to = moveInGrid(event, this.#focus, { count, columns, pageRows });
    if (to !== null) {
      this.#goTo(to, true);
      const arrived = this.focused;
      if (event.shiftKey && arrived !== null) {
        this.#owner.pick(arrived, { select: "extend", activate: false });
      }
    } else if (event.key === " " && id !== null) {
      this.#owner.pick(id, { select: event.shiftKey ? "extend" : "toggle", activate: false });
    } else if (event.key === "Enter" && id !== null) {
      this.#owner.pick(id, { select: null, activate: true });
    } else if (!this.#owner.key(event)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #idOf(target: EventTarget | null): number | null {
    const element =
      target instanceof Element ? target.closest<HTMLElement>("[data-channel]") : null;
    return element ? Number(element.dataset["channel"]) : null;
  }

  /** Give a row its elements; those of its cells that are to be filled. */
  #place(index: number, again: boolean): Cell[] {
    const { columns, pitch, columnGap, caption, tile, tall } = this.#layout;
    let row = this.#rows.get(index);
    if (!row) {
      row = this.#spare.pop() ?? this.#makeRow(columns);
      this.#rows.set(index, row);
      row.element.style.transform = `translateY(${index * pitch}px)`;
      row.element.style.setProperty("--zf-tile", `${tile}px`);
      row.element.style.setProperty("--zf-tall", `${tall}px`);
      row.element.style.setProperty("--zf-caption", `${caption}px`);
      row.element.style.setProperty("--zf-gap", `${columnGap}px`);
      setAttribute(row.element, "aria-rowindex", index + 1);
      this.#fit(row);
      if (!row.element.isConnected) this.#insert(index, row.element);
    } else if (!again) {
      return [];
    }
    return row.cells.filter((cell, column) => {
      const at = index * columns + column;
      const id = this.#order[at];
      cell.element.hidden = id === undefined;
      if (id === undefined) {
        blank(cell); // the row may have stood elsewhere, where it was full
        return false;
      }
      cell.id = id;
      cell.element.dataset["channel"] = String(id);
      setAttribute(cell.element, "tabindex", at === this.#focus ? 0 : -1);
      return true;
    });
  }

  /** Give a row's canvas the size of the row, in the screen's pixels. */
  #fit({ canvas, cells }: Row): void {
    const { columns, columnGap, tile, tall } = this.#layout;
    const step = tile + columnGap;
    const width = Math.round((columns * step - columnGap) * devicePixelRatio);
    const side = Math.round(tile * devicePixelRatio);
    const height = Math.round(tall * devicePixelRatio);
    if (canvas.width === width && canvas.height === height) return;
    canvas.width = width;
    canvas.height = height;
    canvas.style.width = `${width / devicePixelRatio}px`;
    canvas.style.height = `${height / devicePixelRatio}px`;
    cells.forEach((cell, column) => {
      const x = Math.round(column * step * devicePixelRatio);
      cell.area = { x, y: 0, width: side, height };
      cell.drawn = null;
    });
  }

  /** Rows stand in the document in their order on screen, which is what screen readers read. */
  #insert(index: number, element: HTMLElement): void {
    const after = [...this.#rows.keys()].filter((other) => other > index).sort((a, b) => a - b)[0];
    const before = after === undefined ? null : (this.#rows.get(after)?.element ?? null);
    this.#spacer.insertBefore(element, before);
  }

  #makeRow(columns: number): Row {
    const element = h("div", { class: "zf-grid-row", role: "row" });
    const canvas = h("canvas", { class: "zf-row-canvas", "aria-hidden": "true" });
    const cells = Array.from({ length: columns }, (_, column) => makeCell(column, canvas));
    if (this.#owner.furnish) for (const cell of cells) this.#owner.furnish(cell);
    element.append(canvas, ...cells.map((cell) => cell.element));
    return { element, canvas, cells };
  }

  #recycle(index: number, row: Row): void {
    this.#rows.delete(index);
    row.element.remove();
    this.#spare.push(row);
  }

  #recycleAll(discard: boolean): void {
    for (const [index, row] of this.#rows) this.#recycle(index, row);
    if (discard) this.#spare.length = 0;
  }
}

function makeCell(column: number, canvas: HTMLCanvasElement): Cell {
  const label = h("span", { class: "zf-tile-label", "aria-hidden": "true" });
  const bar = h("span", { class: "zf-tile-bar", "aria-hidden": "true" });
  const caption = h(
    "span",
    { class: "zf-tile-caption" },
    label,
    h("span", { class: "zf-tile-track" }, bar),
  );
  const element = h("div", { class: "zf-cell", role: "gridcell", "aria-colindex": column + 1 });
  element.append(h("span", { class: "zf-well" }, h("span", { class: "zf-tick" })), caption);
  const area = { x: 0, y: 0, width: 0, height: 0 };
  return { element, canvas, area, label, bar, id: -1, drawn: null };
}

/** Draw a cell's tile if it is not there yet; without one the cell is waiting. */
function drawCell(cell: Cell, tile: Tile | undefined): void {
  const { element, canvas, area } = cell;
  setAttribute(element, "data-waiting", !tile);
  if (cell.drawn === (tile ?? null)) return;
  cell.drawn = tile ?? null;
  if (tile) drawTile(canvas, tile, area);
  else blank(cell);
}

function blank(cell: Cell): void {
  const { canvas, area } = cell;
  cell.drawn = null;
  canvas.getContext("2d")?.clearRect(area.x, area.y, area.width, area.height);
}
