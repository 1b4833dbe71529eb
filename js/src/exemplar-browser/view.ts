/**
 * One view of an exemplar browser: toolbar, scan bar, grid of channels, panel of one, status line.
 *
 * A wall is swapped for the next one whole, numbers and first pictures together. Until then the old
 * one stays, dimmed.
 */
import { type Word, word } from "../core/concepts";
import { h, setAttribute, setText } from "../core/dom";
import { Latest } from "../core/latest";
import { type LoaderOwner, TileLoader } from "../core/loader";
import { isAbort, RpcTimeout } from "../core/rpc";
import { ScanBar } from "../core/scan-bar";
import { failed, type Shell } from "../core/shell";
import { decodeSheet, TileStore } from "../core/tiles";
import { type Cell, type GridOwner, type Pick, VirtualGrid } from "../core/virtual-grid";
import { drawMosaic } from "./mosaic";
import { Panel } from "./panel";
import type { ExemplarKey, ExemplarState } from "./state";
import { Toolbar } from "./toolbar";
import { brief, percent, type RawWall, type Sort, Wall } from "./wall";

/** Widths that channels are asked for in, so that a moving slider does not ask for each pixel anew. */
const LADDER = [180, 300, 480, 720, 1080, 1600];
const CAPTION = 20;
const GAP = 14;

export class ExemplarBrowserView implements GridOwner, LoaderOwner {
  readonly #shell: Shell<ExemplarState, ExemplarKey>;
  readonly #store = new TileStore();
  readonly #grid: VirtualGrid;
  readonly #toolbar: Toolbar;
  readonly #scan: ScanBar;
  readonly #panel: Panel;
  readonly #loader: TileLoader;
  readonly #lost: () => void;
  readonly #busy = h("div", { class: "zf-progress" });
  readonly #summary = h("span", { class: "zf-summary" });
  readonly #detail = h("span", { class: "zf-detail" });
  readonly #empty = h("p", { class: "zf-empty" });
  /** By channel, as far as they are known. */
  readonly #words = new Map<number, Word[]>();
  readonly #asked = new Latest((question: { epoch: number; id: number }) =>
    this.#askWords(question),
  );
  #wall: Wall | null = null;
  #latest = 0;
  #order: readonly number[] = [];
  #regarded: number | null = null;
  #saved = false;

  constructor(shell: Shell<ExemplarState, ExemplarKey>) {
    this.#shell = shell;
    const { signal, root, say, rpc } = shell;
    this.#grid = new VirtualGrid(this, signal);
    this.#grid.element.setAttribute("aria-multiselectable", "false");
    this.#toolbar = new Toolbar(say, this.#actions(), signal);
    const ask = (op: string) => void rpc.request(op, {}, { signal }).catch((e) => this.failed(e));
    this.#scan = new ScanBar(say, ask, signal);
    this.#panel = new Panel(shell, {
      step: (by) => this.#step(by),
      close: () => this.#close(),
      pick: (wall, id, rank) => {
        const options = { epoch: wall.raw.epoch, signal };
        rpc.request("pick", { ids: [id], rank }, options).catch((e) => this.failed(e));
      },
      failed: (reason) => this.failed(reason),
    });
    this.#loader = new TileLoader(rpc, this.#store, this);
    const table = h("div", { class: "zf-table" }, this.#grid.element, this.#empty);
    table.append(this.#panel.element);
    const footer = h("div", { class: "zf-footer" }, this.#summary, this.#detail);
    root.append(this.#toolbar.element, this.#scan.element, this.#busy, table, footer);
    signal.addEventListener("abort", () => this.#store.clear(), { once: true });
    this.#followTraits();
    this.#lost = shell.greet((alive) => this.#showSaved(!alive));
  }

  // ------------------------------------------------------------------ what the grid asks of its owner

  fill(cell: Cell): void {
    const wall = this.#wall;
    if (!wall) return;
    const { say } = this.#shell;
    const { id, element, canvas, area } = cell;
    const value = brief(wall.strength(id));
    const dead = wall.dead(id);
    setAttribute(element, "aria-label", say(dead ? "cell_dead" : "cell", { id, value }));
    setAttribute(element, "data-dead", dead);
    const active = this.#shell.model.get("active") === id;
    setAttribute(element, "aria-current", active ? "true" : null);
    setText(cell.label, dead ? `${id} · ${say("dead")}` : `${id} · ${value}`);
    cell.bar.style.transform = `scaleX(${wall.share(id).toFixed(3)})`;
    const tile = this.#store.get(id);
    setAttribute(element, "data-waiting", !tile);
    if (cell.drawn === (tile ?? null)) return;
    cell.drawn = tile ?? null;
    if (tile) drawMosaic(canvas, area, tile, wall.raw.side);
    else canvas.getContext("2d")?.clearRect(area.x, area.y, area.width, area.height);
  }

  pick(id: number, how: Pick): void {
    if (how.activate || how.select === "toggle") this.#shell.commit("active", id);
  }

  regard(id: number | null): void {
    this.#regarded = id;
    this.#showDetail();
  }

  key(event: KeyboardEvent): boolean {
    if (event.key !== "Escape" || !this.#panel.open) return false;
    this.#close();
    return true;
  }

  moved(): void {
    this.#want();
  }

  // ---------------------------------------------------------------- what the loader tells its owner

  arrived(ids: number[]): void {
    this.#shell.fail(null);
    this.#grid.refill(ids);
  }

  failed(reason: unknown): void {
    if (reason instanceof RpcTimeout) this.#lost();
    else failed(this.#shell, reason);
  }

  progressed(): void {
    this.#showState();
  }

  // -------------------------------------------------------------------------------------- wiring

  #actions() {
    const { model, commit } = this.#shell;
    return {
      layer: (value: string) => commit("layer", value),
      sort: (value: string) => commit("sort", value as Sort),
      rule: (value: string) => commit("rule", value),
      size: (value: number, done: boolean) => {
        model.set("tile_size", value);
        if (done) model.save_changes();
      },
    };
  }

  #followTraits(): void {
    const { follow, model } = this.#shell;
    follow("height", (height) => {
      this.#grid.element.style.height = `${height}px`;
    });
    follow("tile_size", (tile) => {
      this.#toolbar.setSize(tile);
      this.#configure();
      this.#want();
    });
    follow("layers", (layers) => {
      this.#toolbar.setLayers(layers);
      this.#toolbar.setLayer(model.get("layer"));
    });
    follow("layer", (layer) => this.#toolbar.setLayer(layer));
    follow("rule", (rule) => this.#toolbar.setRule(rule));
    follow("sort", (sort) => {
      this.#toolbar.setSort(sort, this.#wall);
      if (this.#wall) this.#reorder(this.#wall);
    });
    follow("active", () => this.#showActive());
    follow("status", () => this.#showState());
    follow("progress", () => this.#showState());
    follow("_page", (raw) => void this.#turn(raw));
  }

  #configure(): void {
    const tile = this.#shell.model.get("tile_size");
    const aspect = this.#wall?.aspect ?? 0.5;
    this.#grid.configure({ tile, gap: GAP, caption: CAPTION, aspect });
  }

  // --------------------------------------------------------------------------------------- walls

  /** Show another wall as soon as its first pictures are decoded, unless a newer one has come. */
  async #turn(raw: Partial<RawWall>): Promise<void> {
    this.#latest += 1;
    const mine = this.#latest;
    const wall = Wall.read(raw);
    const image = wall ? await decodeSheet(wall.raw.sheet, wall.raw.picture) : null;
    if (mine !== this.#latest || this.#shell.signal.aborted) {
      image?.close();
      return;
    }
    this.#loader.cancel();
    this.#store.clear();
    if (wall?.raw.layer !== this.#wall?.raw.layer) this.#grid.element.scrollTop = 0;
    this.#wall = wall;
    this.#words.clear();
    if (image && wall) this.#store.add(wall.raw.sheet, image);
    this.#configure();
    this.#toolbar.setSort(this.#shell.model.get("sort"), wall);
    this.#grid.name = this.#shell.say("grid", { layer: wall?.raw.layer ?? "" });
    if (wall) this.#reorder(wall);
    else this.#grid.show([]);
    this.#showState();
    this.#showDetail();
    this.#showActive();
  }

  #reorder(wall: Wall): void {
    this.#order = wall.order(this.#shell.model.get("sort"));
    this.#grid.show(this.#order);
    this.#want();
  }

  /** Ask for the pictures that are lacking in and around the window. */
  #want(): void {
    const wall = this.#wall;
    if (!wall || this.#saved) {
      this.#loader.cancel();
      return;
    }
    const { visible, around } = this.#grid.inView(0.5);
    const wish = this.#grid.layout.tile * devicePixelRatio;
    const px = LADDER.find((step) => step >= wish) ?? 1600;
    const { epoch } = wall.raw;
    this.#loader.want({ epoch, visible, ahead: around, px, native: wall.native });
    this.#showState();
  }

  // --------------------------------------------------------------------------------------- panel

  #showActive(): void {
    const id = this.#shell.model.get("active");
    this.#grid.refill();
    if (id === null || !this.#wall || id >= this.#wall.raw.count) {
      this.#panel.hide();
      return;
    }
    const opening = !this.#panel.open;
    void this.#panel.show(this.#wall, id);
    if (opening && this.#grid.hasFocus) this.#panel.focus();
    this.#showDetail();
  }

  #step(by: number): void {
    const at = this.#order.indexOf(this.#shell.model.get("active") ?? -1);
    const next = this.#order[at + by];
    if (at >= 0 && next !== undefined) this.#shell.commit("active", next);
  }

  #close(): void {
    const id = this.#shell.model.get("active");
    this.#panel.hide();
    this.#shell.commit("active", null);
    if (id !== null) this.#grid.reveal(id, true);
  }

  // -------------------------------------------------------------------------------------- status

  #showSaved(saved: boolean): void {
    if (saved === this.#saved) return;
    this.#saved = saved;
    this.#want();
    this.#showState();
  }

  #showState(): void {
    const { model, root, say } = this.#shell;
    const preparing = model.get("status") === "busy" && !this.#saved;
    const progress = model.get("progress");
    const running = progress.state === "running" && !this.#saved;
    const busy = preparing || this.#loader.busy || (running && !this.#wall);
    setAttribute(this.#busy, "data-busy", String(busy));
    setAttribute(this.#grid.element, "aria-busy", busy);
    // While a scan goes on its newer results replace the older ones without dimming them.
    const dim = preparing && model.get("layer") !== this.#wall?.raw.layer;
    setAttribute(root, "data-state", this.#saved ? "saved" : dim ? "busy" : "ready");
    this.#scan.show(progress, !this.#saved);
    this.#empty.hidden = this.#wall !== null;
    setText(this.#empty, say(running || preparing ? "waiting" : "nothing"));
    this.#showSummary();
  }

  #showSummary(): void {
    const { say } = this.#shell;
    const wall = this.#wall;
    if (!wall) {
      setText(this.#summary, "");
      return;
    }
    const { layer, count, complete } = wall.raw;
    const scanned = wall.raw.scanned.toLocaleString();
    const key = complete ? "summary" : "summary_part";
    const parts = [say(key, { layer, count, scanned })];
    if (wall.deadCount) parts.push(say("dead_count", { count: wall.deadCount }));
    if (this.#saved) parts.unshift(say("saved"));
    setText(this.#summary, parts.join(" · "));
  }

  #showDetail(): void {
    const wall = this.#wall;
    const id = this.#regarded ?? this.#shell.model.get("active");
    if (id === null || !wall || id >= wall.raw.count) {
      setText(this.#detail, "");
      return;
    }
    const words = this.#spoken(wall, id);
    const values = {
      id,
      value: brief(wall.strength(id)),
      fires: percent(wall.measure("fires", id)),
      energy: percent(wall.energy(id)),
      lifetime: brief(wall.measure("lifetime", id)),
    };
    const text = this.#shell.say(wall.knowsUsage ? "detail_usage" : "detail", values);
    setText(this.#detail, words ? `${text} · ${words}` : text);
  }

  /** What a channel's strongest pictures have in common, once Python has said it. */
  #spoken(wall: Wall, id: number): string {
    const known = this.#words.get(id);
    if (!known && !this.#saved) this.#asked.ask({ epoch: wall.raw.epoch, id });
    return (known ?? []).map((one) => word(this.#shell.say, one)).join(" · ");
  }

  async #askWords({ epoch, id }: { epoch: number; id: number }): Promise<void> {
    const { rpc, signal } = this.#shell;
    if (epoch !== this.#wall?.raw.epoch || this.#words.has(id)) return;
    try {
      const answer = await rpc.request("words", { ids: [id], ahead: true }, { epoch, signal });
      if (epoch !== this.#wall?.raw.epoch) return;
      this.#words.set(id, answer["words"] as Word[]);
      this.#showDetail();
    } catch (reason) {
      if (!isAbort(reason)) this.failed(reason);
    }
  }
}
