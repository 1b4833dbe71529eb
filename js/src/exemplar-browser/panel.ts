/** One channel enlarged: every picture with its projection, name, value and place. */
import { h, icon, setText } from "../core/dom";
import { isAbort } from "../core/rpc";
import type { Shell } from "../core/shell";
import { decodeSheet, drawTile } from "../core/tiles";
import type { SheetHead } from "../core/wire";
import type { ExemplarKey, ExemplarState } from "./state";
import { brief, type Wall } from "./wall";

interface Fact {
  id: string;
  /** What must be said of the picture, if anything. */
  credit?: string;
  row: number;
  col: number;
  value: number;
  outside: boolean;
}

export interface PanelOwner {
  /** The picture of this rank was clicked. */
  pick(wall: Wall, id: number, rank: number): void;
  /** Show the channel that stands so many places further in the order. */
  step(by: number): void;
  close(): void;
  failed(reason: unknown): void;
}

const PICTURE_PX = 224;
const CROSS = "M4 4l8 8M12 4l-8 8";
const LEFT = "M10 3 5 8l5 5";
const RIGHT = "M6 3l5 5-5 5";

export class Panel {
  readonly element: HTMLElement;
  readonly #shell: Shell<ExemplarState, ExemplarKey>;
  readonly #owner: PanelOwner;
  readonly #title = h("h3", { class: "zf-panel-title" });
  readonly #about = h("p", { class: "zf-panel-about" });
  readonly #pairs = h("ol", { class: "zf-pairs zf-scroll" });
  readonly #close: HTMLButtonElement;
  #asking = new AbortController();
  #shown = "";

  constructor(shell: Shell<ExemplarState, ExemplarKey>, owner: PanelOwner) {
    this.#shell = shell;
    this.#owner = owner;
    const { say, signal } = shell;
    const button = (key: "previous" | "next" | "close", path: string, act: () => void) => {
      const made = h(
        "button",
        { class: "zf-button", type: "button", "aria-label": say(key), title: say(key) },
        icon(path),
      );
      made.addEventListener("click", act, { signal });
      return made;
    };
    this.#close = button("close", CROSS, () => owner.close());
    const head = h(
      "div",
      { class: "zf-panel-head" },
      this.#title,
      button("previous", LEFT, () => owner.step(-1)),
      button("next", RIGHT, () => owner.step(1)),
      this.#close,
    );
    this.element = h("section", { class: "zf-panel", role: "dialog", hidden: true });
    this.element.append(head, this.#about, this.#pairs);
    this.element.addEventListener("keydown", (event) => this.#key(event), { signal });
    signal.addEventListener("abort", () => this.#asking.abort(), { once: true });
  }

  get open(): boolean {
    return !this.element.hidden;
  }

  hide(): void {
    this.#asking.abort();
    this.#shown = "";
    this.element.hidden = true;
  }

  focus(): void {
    this.#close.focus({ preventScroll: true });
  }

  /** Show a channel; asks Python for its pictures unless they are shown already. */
  async show(wall: Wall, id: number): Promise<void> {
    const { say, rpc } = this.#shell;
    this.element.hidden = false;
    const title = say("panel", { id, layer: wall.raw.layer });
    if (title !== this.#title.textContent) this.#clear();
    setText(this.#title, title);
    for (const one of [this.element, this.#pairs]) one.setAttribute("aria-label", title);
    const dead = wall.dead(id);
    setText(this.#about, dead ? say("panel_dead") : say("panel_hint"));
    const wanted = `${wall.raw.epoch} ${id}`;
    if (this.#shown === wanted) return;
    this.#shown = wanted;
    this.#asking.abort();
    this.#asking = new AbortController();
    const { signal } = this.#asking;
    let data: DataView | undefined;
    try {
      const px = Math.round(PICTURE_PX * Math.min(2, devicePixelRatio));
      const answer = await rpc.request(
        "panel",
        { ids: [id], px },
        {
          epoch: wall.raw.epoch,
          signal,
          onChunk: (_, [first]) => {
            data = first;
          },
        },
      );
      const facts = answer["facts"] as Fact[];
      const head = answer as unknown as SheetHead;
      const image = data ? await decodeSheet(head, data) : null;
      if (!signal.aborted) this.#fill(wall, id, facts, head, image);
      image?.close();
    } catch (reason) {
      this.#shown = "";
      if (!isAbort(reason)) this.#owner.failed(reason);
    }
  }

  /** Nothing of one channel stands under the name of another; keys stay in the panel. */
  #clear(): void {
    if (this.#pairs.contains(document.activeElement)) this.#pairs.focus({ preventScroll: true });
    this.#pairs.replaceChildren();
  }

  #fill(
    wall: Wall,
    channel: number,
    facts: Fact[],
    head: SheetHead,
    image: ImageBitmap | null,
  ): void {
    const { say, signal } = this.#shell;
    const picture = (index: number) => {
      const [height, width] = head.tile;
      const canvas = h("canvas", { class: "zf-pair-picture", width, height });
      const x = (index % head.columns) * width;
      const y = Math.floor(index / head.columns) * height;
      if (image) drawTile(canvas, { image, x, y, width, height });
      return canvas;
    };
    const rows = facts.map((fact, index) => {
      const { id: name, row, col } = fact;
      const value = brief(fact.value);
      const label = say("panel_pair", { rank: index + 1, name, value, row, col });
      const pictures = h("button", { class: "zf-pair", type: "button", "aria-label": label });
      pictures.append(picture(index), picture(index + facts.length));
      pictures.addEventListener("click", () => this.#owner.pick(wall, channel, index), { signal });
      const where = say("place", { row, col });
      return h(
        "li",
        { title: name },
        pictures,
        h("p", { class: "zf-pair-name" }, h("span", {}, name), h("b", {}, value)),
        h("p", { class: "zf-pair-place" }, fact.outside ? `${where} · ${say("outside")}` : where),
        fact.credit ? h("p", { class: "zf-pair-place" }, fact.credit) : null,
      );
    });
    this.#pairs.replaceChildren(...rows);
    this.#pairs.tabIndex = 0;
  }

  #key(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") this.#owner.close();
    else if (event.key === "ArrowLeft") this.#owner.step(-1);
    else if (event.key === "ArrowRight") this.#owner.step(1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
