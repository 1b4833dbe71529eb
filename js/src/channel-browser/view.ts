/**
 * One view of a channel browser: toolbar, grid and status line around a page.
 *
 * A page is swapped for the next one whole, numbers and first pictures together, so there is never a
 * picture of one layer under the name of another. Until then the old one stays, dimmed.
 */
import { h, perFrame, setAttribute, setText } from "../core/dom";
import type { GridLayout } from "../core/grid-layout";
import { type LoaderOwner, TileLoader } from "../core/loader";
import { RpcError, RpcTimeout } from "../core/rpc";
import { choose, extend, type Selection, toggle } from "../core/selection";
import type { Shell, ZFState } from "../core/shell";
import { decodeSheet, drawTile, type Tile, TileStore } from "../core/tiles";
import { type Cell, type GridOwner, type Pick, VirtualGrid } from "../core/virtual-grid";
import { type Mode, Page, type RawPage, type Sort } from "./page";
import { Toolbar } from "./toolbar";

export interface BrowserState extends ZFState {
  layer: string;
  mode: Mode;
  sort: Sort;
  rule: string;
  tile_size: number;
  height: number;
  selected: number[];
  active: number | null;
  epoch: number;
  status: "empty" | "busy" | "ready" | "error";
  _page: Partial<RawPage>;
}

/** Sizes that tiles are asked for in, so that a moving slider does not ask for each pixel anew. */
const LADDER = [32, 48, 64, 96, 128, 192, 256, 384, 512];
/** Below this tile size (CSS px) a number would not fit under the picture. */
const LEAST_CAPTION = 40;
/** Feature maps are cheap enough to fetch well ahead; projections cost a backward pass each. */
const SCREENS_AHEAD: Record<Mode, number> = { "feature map": 6, projection: 1 };

const SELECT: Record<
  NonNullable<Pick["select"]>,
  (before: Selection, id: number, order: readonly number[]) => Selection
> = { only: (_, id) => choose(id), toggle, extend };

interface Drawn {
  tile: Tile;
  size: number;
}

export class ChannelBrowserView implements GridOwner, LoaderOwner {
  readonly #shell: Shell<BrowserState>;
  readonly #store = new TileStore();
  readonly #grid: VirtualGrid;
  readonly #toolbar: Toolbar;
  readonly #loader: TileLoader;
  readonly #redraw: () => void;
  readonly #progress = h("div", { class: "zf-progress" });
  readonly #summary = h("span", { class: "zf-summary" });
  readonly #detail = h("span", { class: "zf-detail" });
  readonly #empty = h(
    "p",
    { class: "zf-empty" },
    "Choose a picture to see what each channel makes of it.",
  );
  #page: Page | null = null;
  #latest = 0;
  #order: readonly number[] = [];
  #chosen = new Set<number>();
  #anchor: number | null = null;
  #regarded: number | null = null;
  #onScreen = true;
  #saved = false;

  constructor(shell: Shell<BrowserState>) {
    this.#shell = shell;
    const { signal, root } = shell;
    this.#redraw = perFrame(() => {
      this.#grid.render();
      this.#want();
    }, signal);
    this.#grid = new VirtualGrid(this, signal);
    this.#toolbar = new Toolbar(this.#actions(), signal);
    this.#loader = new TileLoader(shell.rpc, this.#store, this);
    const table = h("div", { class: "zf-table" }, this.#grid.element, this.#empty);
    const footer = h("div", { class: "zf-footer" }, this.#summary, this.#toolbar.chosen);
    footer.append(this.#detail);
    root.append(this.#toolbar.element, this.#progress, table, footer);
    this.#observe();
    this.#followTraits();
    shell.greet((alive) => this.#showSaved(!alive));
    signal.addEventListener("abort", () => this.#store.clear(), { once: true });
  }

  // ------------------------------------------------------------------ what the grid asks of its owner

  fill(cell: Cell, layout: GridLayout): void {
    const page = this.#page;
    if (!page) return;
    const { id, element, canvas } = cell;
    const selected = this.#chosen.has(id);
    const active = this.#shell.model.get("active") === id;
    setAttribute(element, "aria-label", page.name(id) + (active ? ", active" : ""));
    setAttribute(element, "aria-selected", selected);
    setAttribute(element, "aria-current", active ? "true" : null);
    setAttribute(element, "data-silent", page.silent(id));
    setText(cell.label, String(id));
    cell.bar.style.transform = `scaleX(${page.share(id).toFixed(3)})`;
    const tile = this.#store.get(id);
    setAttribute(element, "data-waiting", !tile);
    if (!tile) {
      if (cell.drawn) canvas.getContext("2d")?.clearRect(0, 0, canvas.width, canvas.height);
      cell.drawn = null;
      return;
    }
    const size = Math.round(layout.tile * devicePixelRatio);
    const drawn = cell.drawn as Drawn | null;
    if (drawn?.tile === tile && drawn.size === size) return;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    drawTile(canvas, tile);
    cell.drawn = { tile, size } satisfies Drawn;
  }

  pick(id: number, how: Pick): void {
    const { model } = this.#shell;
    const before: Selection = { chosen: model.get("selected"), anchor: this.#anchor };
    const after = how.select ? SELECT[how.select](before, id, this.#order) : before;
    this.#anchor = after.anchor;
    if (after !== before) model.set("selected", [...after.chosen]);
    if (how.activate) model.set("active", id);
    model.save_changes();
    this.#shell.announce(`${this.#page?.name(id) ?? id}, ${after.chosen.length} selected`);
  }

  regard(id: number | null): void {
    this.#regarded = id;
    this.#showDetail();
  }

  key(event: KeyboardEvent): boolean {
    if (event.key === "Escape" && this.#chosen.size > 0) {
      this.#select([]);
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      this.#select([...this.#order]);
    } else {
      return false;
    }
    return true;
  }

  moved(): void {
    this.#redraw();
  }

  // ---------------------------------------------------------------- what the loader tells its owner

  arrived(ids: number[]): void {
    this.#shell.fail(null);
    this.#grid.refill(ids);
  }

  failed(reason: unknown): void {
    if (reason instanceof RpcTimeout) this.#showSaved(true);
    else if (reason instanceof RpcError) this.#shell.fail(reason.detail);
    else {
      const message = reason instanceof Error ? reason.message : String(reason);
      const hint = "Choose the layer again; if that does not help, run the cell again.";
      this.#shell.fail({ title: "The pictures could not be shown", message, hint });
    }
  }

  progressed(): void {
    this.#showBusy();
  }

  // -------------------------------------------------------------------------------------- wiring

  #actions() {
    const { model, commit } = this.#shell;
    return {
      mode: (value: string) => commit("mode", value as Mode),
      sort: (value: string) => commit("sort", value as Sort),
      rule: (value: string) => commit("rule", value),
      size: (value: number, done: boolean) => {
        model.set("tile_size", value);
        if (done) model.save_changes();
      },
      clear: () => this.#select([]),
      goTo: (text: string) => this.#goTo(text),
      leave: () => {
        const id = this.#grid.focused;
        if (id !== null) this.#grid.reveal(id, true);
      },
    };
  }

  #observe(): void {
    const { signal, root } = this.#shell;
    const relayout = perFrame(() => {
      this.#grid.resize();
      this.#want();
    }, signal);
    const sizes = new ResizeObserver(relayout);
    sizes.observe(this.#grid.element);
    const screen = new IntersectionObserver(([entry]) => {
      this.#onScreen = entry?.isIntersecting ?? true;
      this.#want();
    });
    screen.observe(root);
    signal.addEventListener("abort", () => {
      sizes.disconnect();
      screen.disconnect();
    });
    // The same size in CSS pixels may be another one in device pixels: zoom, another screen.
    window.addEventListener("resize", relayout, { signal });
    root.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "/" || event.target instanceof HTMLInputElement) return;
        event.preventDefault();
        this.#toolbar.focusGoTo();
      },
      { signal },
    );
  }

  #followTraits(): void {
    const { follow, model } = this.#shell;
    follow("height", (height) => {
      this.#grid.element.style.height = `${height}px`;
    });
    follow("tile_size", (tile) => {
      this.#toolbar.setSize(tile);
      const bare = tile < LEAST_CAPTION;
      const caption = bare ? 6 : 17;
      setAttribute(this.#grid.element, "data-captions", bare ? "bar" : "number");
      this.#grid.configure({ tile, gap: tile < 64 ? 4 : 8, caption });
      this.#want();
    });
    const rule = () => this.#toolbar.setRule(model.get("rule"), model.get("mode") === "projection");
    follow("mode", (mode) => {
      this.#toolbar.mode.set(mode);
      rule();
    });
    follow("rule", rule);
    follow("sort", (sort) => {
      this.#toolbar.sort.set(sort);
      if (this.#page) this.#reorder(this.#page);
    });
    follow("selected", (selected) => {
      this.#chosen = new Set(selected);
      this.#toolbar.setChosen(selected.length);
      this.#grid.refill();
    });
    follow("active", () => {
      this.#grid.refill();
      this.#showDetail();
    });
    follow("status", () => this.#showBusy());
    follow("layer", () => this.#showSummary());
    follow("_page", (raw) => void this.#turn(raw));
  }

  // --------------------------------------------------------------------------------------- pages

  /** Show another page as soon as its first pictures are decoded, unless a newer one has come. */
  async #turn(raw: Partial<RawPage>): Promise<void> {
    this.#latest += 1;
    const mine = this.#latest;
    const page = Page.read(raw);
    const { sheet, picture } = page?.raw ?? {};
    const image = sheet && picture ? await decodeSheet(sheet, picture) : null;
    if (mine !== this.#latest || this.#shell.signal.aborted) {
      image?.close();
      return;
    }
    const same = page !== null && page.raw.epoch === this.#page?.raw.epoch;
    if (!same) {
      this.#loader.cancel();
      this.#store.clear();
    }
    if (page?.raw.layer !== this.#page?.raw.layer) {
      this.#anchor = null;
      this.#grid.element.scrollTop = 0;
    }
    if (image && sheet) this.#store.add(sheet, image);
    this.#page = page;
    this.#empty.hidden = page !== null;
    setAttribute(
      this.#grid.element,
      "aria-label",
      page ? `channels of ${page.raw.layer}` : "channels",
    );
    if (page && !same) this.#reorder(page);
    else if (page) this.#grid.refill();
    else this.#grid.show([]);
    this.#showBusy();
    this.#showDetail();
    if (page && !same) this.#shell.announce(this.#summary.textContent ?? "");
    this.#want();
  }

  #reorder(page: Page): void {
    this.#order = page.order(this.#shell.model.get("sort"));
    this.#grid.show(this.#order);
    this.#want();
  }

  /** Ask for the tiles that are lacking in and around the window. */
  #want(): void {
    const page = this.#page;
    if (!page || !this.#onScreen || this.#saved) {
      this.#loader.cancel();
      return;
    }
    // A page that is about to be replaced gets no more pictures.
    if (page.raw.epoch !== this.#shell.model.get("epoch")) return;
    const { visible, around } = this.#grid.inView(SCREENS_AHEAD[page.raw.mode]);
    const wish = this.#grid.layout.tile * devicePixelRatio;
    const px = LADDER.find((step) => step >= wish) ?? 512;
    this.#loader.want({ epoch: page.raw.epoch, visible, ahead: around, px, native: page.native });
    this.#showBusy();
  }

  // ----------------------------------------------------------------------------------- selection

  #select(ids: number[]): void {
    this.#shell.commit("selected", ids);
    this.#shell.announce(ids.length ? `${ids.length} selected` : "selection cleared");
  }

  #goTo(text: string): boolean {
    const id = this.#page?.find(text) ?? null;
    if (id === null || !this.#grid.reveal(id, true)) {
      const last = (this.#page?.raw.count ?? 1) - 1;
      this.#shell.announce(`there is no channel ${text.slice(0, 20)}; they go from 0 to ${last}`);
      return false;
    }
    return true;
  }

  // -------------------------------------------------------------------------------------- status

  #showSaved(saved: boolean): void {
    if (saved === this.#saved) return;
    this.#saved = saved;
    this.#showSummary();
    this.#showBusy();
    this.#want();
  }

  #showBusy(): void {
    const preparing = this.#shell.model.get("status") === "busy" && !this.#saved;
    const busy = preparing || this.#loader.busy;
    setAttribute(this.#progress, "data-busy", String(busy));
    setAttribute(this.#grid.element, "aria-busy", busy);
    const state = this.#saved ? "saved" : preparing ? "busy" : "ready";
    setAttribute(this.#shell.root, "data-state", state);
    this.#showSummary();
  }

  #showSummary(): void {
    const page = this.#page;
    const layer = this.#shell.model.get("layer");
    if (!page) {
      setText(this.#summary, layer);
      return;
    }
    const { count, map, mode, rule, note } = page.raw;
    const size = map[0] * map[1] > 1 ? ` · ${map[0]} × ${map[1]}` : "";
    const what = mode === "projection" ? `projection, ${rule}` : "feature map";
    const text = `${page.raw.layer} · ${count} channels${size} · ${what}`;
    setText(this.#summary, this.#saved ? `Saved view – run the cell to explore · ${text}` : text);
    this.#summary.title = note;
  }

  #showDetail(): void {
    const active = this.#shell.model.get("active");
    const id = this.#regarded ?? active;
    const text =
      id === null || !this.#page || id >= this.#page.raw.count ? "" : this.#page.describe(id);
    setText(this.#detail, text);
  }
}
