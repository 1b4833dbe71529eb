/**
 * One view of a channel browser: toolbar, grid and status line around a page.
 *
 * A page is swapped for the next one whole, numbers and first pictures together, so there is never a
 * picture of one layer under the name of another. Until then the old one stays, dimmed.
 */
import { h, perFrame, setAttribute, setText, watchWindow } from "../core/dom";
import { type LoaderOwner, TileLoader } from "../core/loader";
import { RpcTimeout } from "../core/rpc";
import { choose, extend, type Selection, toggle } from "../core/selection";
import { failed } from "../core/shell";
import { throttled } from "../core/throttled";
import { decodeSheet, TileStore } from "../core/tiles";
import { type Cell, type GridOwner, type Pick, VirtualGrid } from "../core/virtual-grid";
import { Inset, subject } from "./inset";
import { type Mode, Page, type RawPage, type Show, type Sort } from "./page";
import { Pinning } from "./pinning";
import type { BrowserShell, BrowserState } from "./state";
import { Status } from "./status";
import { Toolbar } from "./toolbar";
import { brief, name, summary } from "./words";

/** Sizes that tiles are asked for in, so that a moving slider does not ask for each pixel anew. */
const LADDER = [32, 48, 64, 96, 128, 192, 256, 384, 512];
/** Below this tile size (CSS px) a number would not fit under the picture. */
const LEAST_CAPTION = 40;
/** What is cheap is fetched well ahead; projections cost a backward pass each. */
const SCREENS_AHEAD: Record<Mode, number> = {
  "feature map": 6,
  projection: 1,
  "in place": 1,
  "photo patch": 3,
  filter: 6,
  synthesised: 6,
};

const SELECT: Record<
  NonNullable<Pick["select"]>,
  (before: Selection, id: number, order: readonly number[]) => Selection
> = { only: (_, id) => choose(id), toggle, extend };

export class ChannelBrowserView implements GridOwner, LoaderOwner {
  readonly #shell: BrowserShell;
  readonly #store = new TileStore();
  readonly #grid: VirtualGrid;
  readonly #toolbar: Toolbar;
  readonly #pinning: Pinning;
  readonly #inset: Inset;
  readonly #loader: TileLoader;
  readonly #tellHover: (id: number | null) => void;
  readonly #status: Status;
  readonly #lost: () => void;
  #page: Page | null = null;
  #latest = 0;
  #order: readonly number[] = [];
  #chosen = new Set<number>();
  #anchor: number | null = null;
  #regarded: number | null = null;
  #onScreen = true;
  #saved = false;

  constructor(shell: BrowserShell) {
    this.#shell = shell;
    const { signal, root, say } = shell;
    this.#tellHover = throttled((id) => shell.commit("hover", id), signal);
    this.#grid = new VirtualGrid(this, signal);
    this.#toolbar = new Toolbar(say, this.#actions(), signal);
    this.#pinning = new Pinning(shell, this.#grid, {
      page: () => this.#page,
      tile: (id) => this.#store.peek(id),
      tell: (pin) => (pin ? this.#inset.tell(pin) : this.#showDetail()),
    });
    this.#inset = new Inset(say);
    this.#loader = new TileLoader(shell.rpc, this.#store, this);
    this.#status = new Status(shell, () => this.#showEvery());
    const { progress, notice, detail, summary } = this.#status;
    const table = h("div", { class: "zf-table" }, this.#grid.element, notice);
    const body = h("div", { class: "zf-body" }, table, this.#inset.element);
    const footer = h("div", { class: "zf-footer" }, summary, this.#toolbar.chosen, detail);
    const pins = this.#pinning.elements;
    root.append(this.#toolbar.element, progress, ...pins, body, footer);
    this.#observe();
    this.#followTraits();
    this.#lost = shell.greet((alive) => this.#showSaved(!alive));
    signal.addEventListener("abort", () => this.#store.clear(), { once: true });
  }

  // ------------------------------------------------------------------ what the grid asks of its owner

  fill(cell: Cell): void {
    const page = this.#page;
    if (!page) return;
    const { id, element } = cell;
    const { say, model } = this.#shell;
    const active = model.get("active") === id;
    const pinned = this.#pinning.has(id);
    const states = [pinned && say("pinned"), active && say("active")].filter(Boolean);
    setAttribute(element, "aria-label", [name(say, page, id), ...states].join(", "));
    setAttribute(element, "aria-selected", this.#chosen.has(id));
    setAttribute(element, "aria-current", active ? "true" : null);
    this.#pinning.fill(cell);
    setAttribute(element, "data-silent", page.silent(id));
    setText(cell.label, String(id));
    cell.bar.style.width = `${(100 * page.share(id)).toFixed(1)}%`;
  }

  tile(id: number) {
    return this.#store.get(id);
  }

  furnish = (cell: Cell): void => this.#pinning.furnish(cell);

  pick(id: number, how: Pick): void {
    if (this.#isStale()) return;
    const { model } = this.#shell;
    const before: Selection = { chosen: model.get("selected"), anchor: this.#anchor };
    const after = how.select ? SELECT[how.select](before, id, this.#order) : before;
    this.#anchor = after.anchor;
    if (after !== before) model.set("selected", [...after.chosen]);
    if (how.activate) model.set("active", id);
    model.save_changes();
    const { say, announce } = this.#shell;
    const told = this.#page ? name(say, this.#page, id) : String(id);
    announce(`${told}, ${say("chosen", { count: after.chosen.length })}`);
  }

  /** Whether the table is of another layer than the chosen one, which is not there yet or cannot be shown. */
  #isStale(): boolean {
    const { model } = this.#shell;
    return model.get("status") !== "ready" && this.#page?.raw.layer !== model.get("layer");
  }

  regard(id: number | null): void {
    if (id === this.#regarded) return;
    this.#regarded = id;
    this.#tellHover(id);
    this.#showDetail();
  }

  key(event: KeyboardEvent): boolean {
    if (event.key === "Escape" && this.#chosen.size > 0) {
      this.#select([]);
    } else if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
      this.#select([...this.#order]);
    } else if (event.key.toLowerCase() === "p" && !event.ctrlKey && !event.metaKey) {
      const id = this.#grid.focused;
      if (id !== null) this.#pinning.toggle(id);
    } else {
      return false;
    }
    return true;
  }

  moved(): void {
    this.#want();
  }

  // ---------------------------------------------------------------- what the loader tells its owner

  arrived(ids: number[]): void {
    this.#shell.fail(null);
    this.#grid.refill(ids);
    this.#pinning.draw();
  }

  failed(reason: unknown): void {
    if (reason instanceof RpcTimeout) this.#lost();
    else failed(this.#shell, reason);
  }

  progressed(): void {
    this.#showBusy();
  }

  // -------------------------------------------------------------------------------------- wiring

  #actions() {
    const { model, commit } = this.#shell;
    const slide = <K extends "tile_size" | "threshold">(name: K) => {
      return (value: number, done: boolean) => {
        model.set(name, value as BrowserState[K]);
        if (done) model.save_changes();
      };
    };
    return {
      mode: (value: string) => commit("mode", value as Mode),
      sort: (value: string) => commit("sort", value as Sort),
      show: (value: string) => commit("show", value as Show),
      rule: (value: string) => commit("rule", value),
      size: slide("tile_size"),
      threshold: slide("threshold"),
      inset: (shown: boolean) => commit("inset", shown),
      clear: () => this.#select([]),
      goTo: (text: string) => this.#goTo(text),
      leave: () => this.#pinning.leavePins(),
    };
  }

  #observe(): void {
    const { signal, root } = this.#shell;
    watchWindow(root, signal, (inside) => {
      this.#onScreen = inside;
      this.#want();
    });
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
    follow("rule", (rule) => {
      this.#toolbar.setRule(rule);
      this.#toolbar.setMode(model.get("mode"));
    });
    follow("mode", (mode) => {
      this.#toolbar.setMode(mode);
      this.#toolbar.setFilters(this.#page?.raw.filters ?? true);
    });
    follow("inset", (shown) => {
      this.#toolbar.setInset(shown);
      this.#inset.element.hidden = !shown;
    });
    follow("_photo", (raw) => void this.#inset.photo(raw));
    const reorder = perFrame(() => this.#reorder(this.#page), this.#shell.signal);
    follow("sort", (sort) => {
      this.#toolbar.setSort(sort);
      reorder();
    });
    follow("show", (show) => {
      this.#toolbar.setShow(show);
      reorder();
    });
    follow("threshold", reorder);
    follow("pins", () => this.#pinning.show());
    follow("_pinned", (raw) => void this.#pinning.take(raw));
    follow("selected", (selected) => {
      this.#chosen = new Set(selected);
      this.#toolbar.setChosen(selected.length);
      this.#grid.refill();
    });
    follow("active", (active) => {
      if (active !== null && !this.#grid.hasFocus) this.#grid.reveal(active, false);
      this.#grid.refill();
      this.#showDetail();
    });
    for (const trait of ["status", "layer"] as const) follow(trait, () => this.#showBusy());
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
    const other = page?.raw.layer !== this.#page?.raw.layer;
    if (other) {
      this.#anchor = null;
      this.#grid.element.scrollTop = 0;
    }
    if (image && sheet) this.#store.add(sheet, image);
    this.#page = page;
    const { say, model } = this.#shell;
    this.#grid.name = page ? say("grid_of", { layer: page.raw.layer }) : say("grid");
    this.#toolbar.setFilters(page?.raw.filters ?? true);
    this.#toolbar.setSynthesised(page?.raw.synthesised ?? false);
    if (other) this.#pinning.show();
    if (page && same) this.#grid.refill();
    else this.#reorder(page);
    const active = model.get("active");
    if (other && active !== null) this.#grid.reveal(active, false);
    this.#pinning.draw();
    this.#status.explain(this.#page, this.#order.length);
    this.#showBusy();
    this.#showDetail();
    if (page && !same) this.#shell.announce(summary(say, page));
    this.#want();
  }

  #reorder(page: Page | null): void {
    const { model, say, announce } = this.#shell;
    const before = this.#order.length;
    const share = model.get("threshold");
    this.#order = page?.order(model.get("sort"), model.get("show"), share) ?? [];
    const [shown, count] = [this.#order.length, page?.raw.count ?? 0];
    this.#toolbar.setThreshold(share, brief(share * (page?.largest ?? 0)), shown, count);
    this.#grid.show(this.#order);
    this.#status.explain(this.#page, this.#order.length);
    if (shown !== before && shown < count) announce(say("shown_announced", { shown, count }));
    this.#want();
  }

  #showEvery(): void {
    const { model } = this.#shell;
    model.set("show", "all");
    model.set("threshold", 0);
    model.save_changes();
    this.#reorder(this.#page);
    this.#pinning.leavePins();
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
    const { commit, announce, say } = this.#shell;
    commit("selected", ids);
    announce(ids.length ? say("chosen", { count: ids.length }) : say("cleared"));
  }

  #goTo(text: string): boolean {
    const { announce, say } = this.#shell;
    const id = this.#page?.find(text) ?? null;
    if (id !== null && this.#grid.reveal(id, true)) return true;
    const last = (this.#page?.raw.count ?? 1) - 1;
    announce(say(id === null ? "no_channel" : "hidden_channel", { text: text.slice(0, 20), last }));
    return false;
  }

  // -------------------------------------------------------------------------------------- status

  #showSaved(saved: boolean): void {
    if (saved === this.#saved) return;
    this.#saved = this.#pinning.saved = saved;
    this.#want();
    this.#showBusy();
  }

  #showBusy(): void {
    const { model } = this.#shell;
    // Ready is what can be seen: a page that has come may still be decoding.
    const turning = this.#page?.raw.epoch !== model.get("epoch") && model.get("status") === "ready";
    const preparing = (model.get("status") === "busy" || turning) && !this.#saved;
    const loading = this.#loader.busy;
    setAttribute(this.#grid.element, "aria-busy", preparing || loading);
    this.#status.show(this.#page, preparing, loading, this.#saved);
  }

  #showDetail(): void {
    const page = this.#page;
    const asked = this.#regarded ?? this.#shell.model.get("active");
    const id = page && asked !== null && asked < page.raw.count ? asked : null;
    this.#status.regard(page, id);
    this.#inset.tell(page && id !== null ? subject(this.#shell.say, page, id) : null);
  }
}
