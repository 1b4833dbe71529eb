/**
 * The thumbnails as a listbox. Those of handed-over pictures come on one atlas with the state; those of
 * files are asked for when they come into sight.
 */
import { h, icon, setAttribute, setText } from "../core/dom";
import { Listbox } from "../core/listbox";
import { isAbort } from "../core/rpc";
import { bytesOf } from "../core/wire";
import { type Item, type PickerShell, SIGNS } from "./state";

/** Few, so that the kernel has a chance to do something else between two questions. */
const BATCH = 8;

export interface GalleryOwner {
  choose(id: string): void;
  remove(id: string): void;
  /** The pointer is over a picture; null: no more. */
  regard(id: string | null): void;
}

export class Gallery {
  readonly element: HTMLElement;
  readonly box: Listbox;
  readonly #shell: PickerShell;
  readonly #owner: GalleryOwner;
  readonly #options = new Map<string, HTMLElement>();
  readonly #urls = new Map<string, string>();
  readonly #wanted = new Set<string>();
  readonly #observer: IntersectionObserver;
  #atlas = "";
  #asking = false;
  #order: string[] = [];

  constructor(shell: PickerShell, owner: GalleryOwner) {
    this.#shell = shell;
    this.#owner = owner;
    const { signal } = shell;
    this.element = h("div", { class: "zf-gallery", "aria-label": shell.say("pictures") });
    this.box = new Listbox(this.element, (id) => this.#take(id), signal);
    this.#observer = new IntersectionObserver((entries) => this.#sighted(entries), {
      root: this.element,
      rootMargin: "64px",
    });
    const resized = new ResizeObserver(() => this.box.mark(shell.model.get("value")));
    resized.observe(this.element);
    signal.addEventListener(
      "abort",
      () => {
        this.#observer.disconnect();
        resized.disconnect();
        for (const url of [this.#atlas, ...this.#urls.values()]) URL.revokeObjectURL(url);
      },
      { once: true },
    );
    this.#listen();
    shell.follow("_thumbs", () => this.#loadAtlas());
    shell.follow("_slots", () => this.#draw());
    shell.follow("items", () => this.#arrange());
    shell.follow("order", () => this.#arrange());
    shell.follow("value", () => this.mark());
  }

  /** Give the focus to the chosen picture, or to the first. */
  focus(): void {
    this.element.querySelector<HTMLElement>('[role="option"][tabindex="0"]')?.focus();
  }

  mark(): void {
    this.box.mark(this.#shell.model.get("value"));
  }

  get #items(): Item[] {
    return this.#shell.model.get("items") ?? [];
  }

  #take(id: string): void {
    const item = this.#items.find((one) => one.id === id);
    if (item?.problem) {
      this.#shell.announce(item.problem);
      return;
    }
    this.#owner.choose(id);
    this.mark();
  }

  #listen(): void {
    const { signal } = this.#shell;
    const idOf = (event: Event) =>
      (event.target as Element).closest<HTMLElement>('[role="option"]')?.dataset["id"] ?? null;
    const on = <K extends keyof HTMLElementEventMap>(
      type: K,
      listener: (event: HTMLElementEventMap[K]) => void,
    ) => this.element.addEventListener(type, listener, { signal });
    on("pointerover", (event) => this.#owner.regard(idOf(event)));
    on("pointerleave", () => this.#owner.regard(null));
    on("keydown", (event) => {
      const id = idOf(event);
      if ((event.key !== "Delete" && event.key !== "Backspace") || id === null) return;
      event.preventDefault();
      event.stopPropagation();
      if (!this.box.disabled) this.#owner.remove(id);
    });
    // Nothing changes places under the hand or the focus: only once they have left.
    on("focusout", (event) => {
      if (this.element.contains(event.relatedTarget as Node | null)) return;
      // Not at once: a picture that is being removed loses the focus in the middle of it.
      queueMicrotask(() => signal.aborted || this.#arrange());
    });
  }

  // -------------------------------------------------------------------------- order

  #arrange(): void {
    const { model } = this.#shell;
    const ids = this.#items.map(({ id }) => id);
    const known = new Set(ids);
    if (model.get("order") === "recent") {
      const recent = model.get("recent").filter((id) => known.has(id));
      const others = ids.filter((id) => !recent.includes(id));
      this.#order = [...recent, ...others];
    } else this.#order = ids;
    for (const [id, option] of this.#options) {
      if (known.has(id)) continue;
      this.#observer.unobserve(option);
      option.remove();
      this.#options.delete(id);
      // Another picture may get its name.
      URL.revokeObjectURL(this.#urls.get(id) ?? "");
      this.#urls.delete(id);
    }
    this.#draw();
  }

  #draw(): void {
    const items = new Map(this.#items.map((item) => [item.id, item]));
    const focused = this.element.contains(document.activeElement);
    let before: Element | null = null;
    for (const id of this.#order) {
      const item = items.get(id);
      if (!item) continue;
      const option = this.#options.get(id) ?? this.#make(id);
      this.#fill(option, item);
      const next: Element | null = before
        ? before.nextElementSibling
        : this.element.firstElementChild;
      if (next !== option) this.element.insertBefore(option, next);
      before = option;
    }
    this.element.hidden = items.size === 0;
    this.mark();
    if (focused && !this.element.contains(document.activeElement)) this.focus();
  }

  #make(id: string): HTMLElement {
    const thumb = h(
      "div",
      { class: "zf-thumb" },
      h("span", { class: "zf-thumb-tick" }, icon(SIGNS.tick)),
    );
    const label = h("span", { class: "zf-photo-label" }, h("bdi"));
    const option = h(
      "div",
      { class: "zf-photo", role: "option", "data-id": id, "aria-selected": "false", tabindex: -1 },
      thumb,
      label,
    );
    this.#options.set(id, option);
    return option;
  }

  #fill(option: HTMLElement, item: Item): void {
    const { say } = this.#shell;
    const { id, label, credit, problem } = item;
    const name = problem
      ? say("unreadable", { label, problem })
      : credit
        ? say("by", { label, credit })
        : label;
    option.dataset["text"] = label;
    setAttribute(option, "aria-label", name);
    setAttribute(option, "aria-disabled", problem ? "true" : null);
    const title = credit && !problem ? `${label} · ${credit}` : name;
    if (option.title !== title) option.title = title;
    setText(option.querySelector("bdi") as HTMLElement, label);
    this.#paint(option, id, problem !== undefined);
  }

  // --------------------------------------------------------------------- thumbnails

  #paint(option: HTMLElement, id: string, unreadable: boolean): void {
    const thumb = option.firstElementChild as HTMLElement;
    const slot = this.#shell.model.get("_slots")[id];
    const url = this.#urls.get(id);
    const { style } = thumb;
    thumb.classList.toggle("zf-thumb-unread", unreadable);
    if (slot !== undefined && url === undefined) {
      const columns = this.#shell.model.get("_columns");
      const count = Object.keys(this.#shell.model.get("_slots")).length;
      const rows = Math.max(1, Math.ceil(count / columns));
      const across = columns > 1 ? ((slot % columns) / (columns - 1)) * 100 : 0;
      const down = rows > 1 ? (Math.floor(slot / columns) / (rows - 1)) * 100 : 0;
      style.backgroundImage = this.#atlas ? `url("${this.#atlas}")` : "";
      style.backgroundSize = `${columns * 100}% ${rows * 100}%`;
      style.backgroundPosition = `${across}% ${down}%`;
    } else {
      style.backgroundImage = url ? `url("${url}")` : "";
      style.backgroundSize = "100% 100%";
      style.backgroundPosition = "";
    }
    const missing = slot === undefined && url === undefined && !unreadable;
    thumb.classList.toggle("zf-thumb-missing", missing);
    if (missing) this.#observer.observe(option);
    else this.#observer.unobserve(option);
  }

  #loadAtlas(): void {
    const thumbs = this.#shell.model.get("_thumbs");
    URL.revokeObjectURL(this.#atlas);
    this.#atlas =
      thumbs && thumbs.byteLength > 0
        ? URL.createObjectURL(new Blob([bytesOf(thumbs)], { type: "image/webp" }))
        : "";
    this.#draw();
  }

  #sighted(entries: IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const id = (target as HTMLElement).dataset["id"];
      if (id === undefined) continue;
      if (isIntersecting) this.#wanted.add(id);
      else this.#wanted.delete(id);
    }
    void this.#ask();
  }

  async #ask(): Promise<void> {
    if (this.#asking) return;
    this.#asking = true;
    const { rpc, signal } = this.#shell;
    try {
      while (this.#wanted.size > 0 && !signal.aborted) {
        const ids = [...this.#wanted].slice(0, BATCH);
        for (const id of ids) this.#wanted.delete(id);
        await rpc.request(
          "thumbs",
          { ids, ahead: true },
          {
            signal,
            onChunk: ({ item }, [data]) => data && this.#arrived(String(item), data),
          },
        );
      }
    } catch (reason) {
      // A silent kernel is asked again when something else comes into sight.
      if (isAbort(reason)) return;
    } finally {
      this.#asking = false;
    }
  }

  #arrived(id: string, data: DataView): void {
    const option = this.#options.get(id);
    if (!option) return;
    const blob = new Blob([bytesOf(data)], { type: "image/webp" });
    this.#urls.set(id, URL.createObjectURL(blob));
    this.#paint(option, id, false);
  }
}
