/**
 * The wall: all photographs of `zf.gallery()`, searched by words and families. Names come once, when it
 * is first opened; thumbnails as they come into sight. The arrow keys walk, Enter chooses.
 */
import { h, icon, setAttribute, setText } from "../core/dom";
import { type LoaderOwner, TileLoader } from "../core/loader";
import { isAbort } from "../core/rpc";
import { TileStore } from "../core/tiles";
import { type Cell, type GridOwner, type Pick, VirtualGrid } from "../core/virtual-grid";
import { Photos, type RawPhotos } from "./photos";
import { type PickerShell, SIGNS, signButton } from "./state";

/** Widths that thumbnails are asked for in; the last is that of the photographs. */
const LADDER = [96, 128, 192, 256];
const TILE = { tile: 88, gap: 8, caption: 20 };

export interface WallOwner {
  /** A question was refused or not answered. */
  failed(reason: unknown): void;
  /** The panel was closed, one way or another. */
  closed(): void;
}

export class WallPanel implements GridOwner, LoaderOwner {
  readonly element: HTMLElement;
  readonly #shell: PickerShell;
  readonly #owner: WallOwner;
  readonly #store = new TileStore();
  readonly #grid: VirtualGrid;
  readonly #loader: TileLoader;
  readonly #search: HTMLInputElement;
  readonly #family: HTMLSelectElement;
  readonly #close: HTMLButtonElement;
  readonly #clear: HTMLButtonElement;
  readonly #count = h("span", { class: "zf-wall-count", role: "status" });
  readonly #detail = h("span", { class: "zf-detail" });
  readonly #nothing = h("p", { class: "zf-wall-nothing" });
  readonly #empty: HTMLElement;
  readonly #table: HTMLElement;
  #photos: Photos | null = null;
  #asked = false;
  #disabled = false;

  constructor(shell: PickerShell, owner: WallOwner) {
    this.#shell = shell;
    this.#owner = owner;
    const { say, signal, rpc } = shell;
    this.#grid = new VirtualGrid(this, signal);
    this.#grid.name = say("wall_grid");
    setAttribute(this.#grid.element, "aria-multiselectable", "false");
    this.#grid.configure(TILE);
    this.#loader = new TileLoader(rpc, this.#store, this);
    const named = { "aria-label": say("wall_search"), placeholder: say("wall_hint") };
    const plain = { type: "search", autocomplete: "off", spellcheck: "false" };
    this.#search = h("input", { class: "zf-wall-search", ...plain, ...named });
    this.#family = h("select", { class: "zf-select", "aria-label": say("wall_family") });
    this.#close = signButton("cross", say("wall_close"), {
      title: say("wall_close"),
      quiet: true,
    });
    this.#clear = h("button", { class: "zf-button", type: "button" }, say("wall_clear"));
    this.#empty = h(
      "div",
      { class: "zf-wall-empty", hidden: true },
      this.#nothing,
      h("p", { class: "zf-panel-note" }, say("wall_none_hint")),
      this.#clear,
    );
    this.#table = h("div", { class: "zf-table" }, this.#grid.element, this.#empty);
    const label = h("label", { class: "zf-wall-field" }, icon(SIGNS.search), this.#search);
    this.element = h(
      "div",
      { class: "zf-wall zf-browser", role: "group", "aria-label": say("wall"), hidden: true },
      h("div", { class: "zf-toolbar" }, label, this.#family, this.#close),
      this.#table,
      h("div", { class: "zf-footer" }, this.#count, this.#detail),
    );
    this.#listen();
    shell.follow("value", () => this.#grid.refill());
    shell.follow("items", () => this.#grid.refill());
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  set disabled(value: boolean) {
    this.#disabled = value;
    setAttribute(this.#grid.element, "aria-disabled", value || null);
  }

  open(): void {
    this.element.hidden = false;
    this.#search.focus();
    if (this.#photos) this.#find();
    else void this.#ask();
  }

  close(): void {
    this.element.hidden = true;
    this.#loader.cancel();
    this.#owner.closed();
  }

  #listen(): void {
    const { signal } = this.#shell;
    signal.addEventListener("abort", () => this.#store.clear(), { once: true });
    this.#search.addEventListener("input", (event) => this.#typed(event as InputEvent), { signal });
    this.#search.addEventListener("compositionend", () => this.#find(), { signal });
    this.#search.addEventListener("keydown", (event) => this.#searchKey(event), { signal });
    this.#family.addEventListener("change", () => this.#find(), { signal });
    this.#close.addEventListener("click", () => this.close(), { signal });
    this.#clear.addEventListener("click", () => this.#showAll(), { signal });
    this.element.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || event.isComposing) return;
        event.stopPropagation();
        this.close();
      },
      { signal },
    );
  }

  // ------------------------------------------------------------------------------------ searching

  async #ask(): Promise<void> {
    if (this.#asked) return;
    this.#asked = true;
    const { rpc, signal, say } = this.#shell;
    setText(this.#count, say("wall_loading"));
    try {
      const answer: unknown = await rpc.request("wall", {}, { signal });
      this.#photos = new Photos(answer as RawPhotos);
      this.#family.replaceChildren(
        h("option", { value: "" }, say("wall_families")),
        ...this.#photos.families.map(({ key, label, count }) =>
          h("option", { value: key }, `${label} (${count})`),
        ),
      );
      this.#find();
    } catch (reason) {
      if (isAbort(reason)) return;
      this.close();
      this.#owner.failed(reason);
    } finally {
      this.#asked = false;
    }
  }

  /** A syllable under way ("엋" of 어치) may be found nowhere: what was found before stays until it is done. */
  #typed(event: InputEvent): void {
    this.#find(event.isComposing);
  }

  #find(keep = false): void {
    const photos = this.#photos;
    if (!photos || !this.isOpen) return;
    const { say } = this.#shell;
    const words = this.#search.value.trim();
    const family = this.#family.value;
    const found = photos.search(words, family);
    if (keep && found.length === 0) return;
    const all = photos.all.length;
    const everything = found.length === all;
    const label = photos.families.find(({ key }) => key === family)?.label ?? "";
    setText(this.#nothing, say(family ? "wall_none_in" : "wall_none", { words, family: label }));
    this.#empty.hidden = found.length > 0;
    this.#grid.element.classList.toggle("zf-wall-bare", found.length === 0);
    this.#grid.element.scrollTop = 0;
    this.#grid.show(found);
    const count = everything
      ? say("wall_all", { count: all, kinds: photos.kinds })
      : say("wall_found", { count: found.length, all });
    setText(this.#count, count);
    setText(this.#detail, "");
    this.#want();
  }

  #showAll(): void {
    this.#search.value = "";
    this.#family.value = "";
    this.#find();
    this.#search.focus();
  }

  #searchKey(event: KeyboardEvent): void {
    if (event.isComposing) return;
    if (event.key === "Escape" && this.#search.value) this.#showAll();
    else if ((event.key === "ArrowDown" || event.key === "Enter") && this.#grid.focused !== null) {
      this.#grid.reveal(this.#grid.focused, true);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // ------------------------------------------------------------------ what the grid asks of its owner

  fill(cell: Cell): void {
    const photo = this.#photos?.all[cell.id];
    if (!photo) return;
    const { label, other, author, name } = photo;
    const chosen = this.#shell.model.get("value") === name;
    setAttribute(
      cell.element,
      "aria-label",
      this.#shell.say("wall_cell", { label, other, author }),
    );
    setAttribute(cell.element, "aria-selected", chosen ? "true" : "false");
    if (cell.element.title !== label) cell.element.title = label;
    setText(cell.label, label);
  }

  tile(id: number) {
    return this.#store.get(id);
  }

  pick(id: number, how: Pick): void {
    if (!how.activate && how.select !== "toggle") return;
    if (this.#disabled) return;
    const { rpc, signal, say, announce } = this.#shell;
    const name = this.#photos?.all[id]?.label ?? "";
    rpc
      .request("hang", { number: id }, { signal })
      .then(() => announce(say("ready", { name })))
      .catch((reason: unknown) => this.#owner.failed(reason));
  }

  regard(id: number | null): void {
    const photo = id === null ? undefined : this.#photos?.all[id];
    const { label = "", other = "", author = "" } = photo ?? {};
    const text = photo && this.#shell.say("wall_detail", { label, other, author });
    setText(this.#detail, text ?? "");
  }

  /** Letters go on searching, wherever the focus is. */
  key(event: KeyboardEvent): boolean {
    const { key, ctrlKey, metaKey } = event;
    if (key === "Backspace" || ([...key].length === 1 && !ctrlKey && !metaKey))
      this.#search.focus();
    return false;
  }

  moved(): void {
    this.#want();
  }

  // ---------------------------------------------------------------- what the loader tells its owner

  arrived(ids: number[]): void {
    this.#grid.refill(ids);
  }

  failed(reason: unknown): void {
    this.#owner.failed(reason);
  }

  progressed(): void {
    setAttribute(this.#grid.element, "aria-busy", this.#loader.busy);
  }

  /** Ask for the thumbnails that are lacking in and around the window. */
  #want(): void {
    if (!this.#photos || !this.isOpen) return;
    const { visible, around } = this.#grid.inView(0.5);
    const wish = this.#grid.layout.tile * devicePixelRatio;
    const native = LADDER.at(-1) ?? wish;
    const px = LADDER.find((step) => step >= wish) ?? native;
    this.#loader.want({ epoch: 0, visible, ahead: around, px, native });
  }
}
