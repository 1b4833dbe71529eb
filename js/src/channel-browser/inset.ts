/** The photo beside the grid, with what a neuron sees of it, and the channel's numbers. */
import { h, s, setAttribute, setText } from "../core/dom";
import { decodeSheet } from "../core/tiles";
import type { Box, Page } from "./page";
import { type BrowserSay, brief, title } from "./words";

/** The trait `_photo`; empty if there is no picture. */
export interface RawPhoto {
  size: [height: number, width: number];
  mime: string;
  data: DataView;
}

/** What the inset can tell of a neuron: lines of name and value. */
export interface Subject {
  title: string;
  box: Box | null;
  lines: [name: string, value: string][];
}

const LINES = 6;

export class Inset {
  readonly element: HTMLElement;
  readonly #canvas = h("canvas", { class: "zf-inset-photo", "aria-hidden": "true" });
  readonly #shade = s("path", { class: "zf-inset-shade", "fill-rule": "evenodd" });
  readonly #frames = ["zf-inset-ground", "zf-inset-line"].map((name) => s("rect", { class: name }));
  readonly #drawing: SVGSVGElement;
  readonly #title = h("p", { class: "zf-inset-title" });
  readonly #lines = Array.from({ length: LINES }, () => [h("dt"), h("dd")] as const);
  readonly #hint: string;
  #size: [number, number] = [1, 1];
  #latest = 0;

  constructor(say: BrowserSay) {
    this.#hint = say("inset_hint");
    this.#drawing = s("svg", { preserveAspectRatio: "none", "aria-hidden": "true" });
    this.#drawing.append(this.#shade, ...this.#frames);
    const list = h("dl", {}, ...this.#lines.map(([term, value]) => h("div", {}, term, value)));
    const frame = h("div", { class: "zf-inset-frame" }, this.#canvas);
    frame.append(this.#drawing);
    this.element = h("aside", { class: "zf-inset", "aria-label": say("inset") });
    this.element.append(frame, this.#title, list);
    this.tell(null);
  }

  /** Show another photo, or none. */
  async photo(raw: Partial<RawPhoto>): Promise<void> {
    this.#latest += 1;
    const mine = this.#latest;
    const { size, mime, data } = raw;
    setAttribute(this.element, "data-photo", size ? "yes" : "no");
    if (!size || !mime || !data) return;
    const image = await decodeSheet({ ids: [], mime, tile: size, columns: 1 }, data);
    if (mine === this.#latest) {
      this.#size = size;
      this.#canvas.width = image.width;
      this.#canvas.height = image.height;
      this.#canvas.getContext("2d")?.drawImage(image, 0, 0);
      setAttribute(this.#drawing, "viewBox", `0 0 ${size[1]} ${size[0]}`);
    }
    image.close();
  }

  /** Tell of a neuron; null: of none. */
  tell(subject: Subject | null): void {
    setText(this.#title, subject?.title ?? this.#hint);
    setAttribute(this.#title, "data-hint", subject === null);
    this.#lines.forEach(([term, value], i) => {
      const [label, text] = subject?.lines[i] ?? ["", ""];
      setText(term, label);
      setText(value, text);
    });
    this.#outline(subject?.box ?? null);
  }

  #outline(box: Box | null): void {
    setAttribute(this.#drawing, "data-box", box !== null);
    if (!box) return;
    const [height, width] = this.#size;
    const [top, left] = [Math.max(0, box[0]), Math.max(0, box[1])];
    const [bottom, right] = [Math.min(height, box[2]), Math.min(width, box[3])];
    const hole = `M${left} ${top}V${bottom}H${right}V${top}z`;
    setAttribute(this.#shade, "d", `M0 0H${width}V${height}H0z${hole}`);
    for (const frame of this.#frames) {
      setAttribute(frame, "x", left);
      setAttribute(frame, "y", top);
      setAttribute(frame, "width", Math.max(0, right - left));
      setAttribute(frame, "height", Math.max(0, bottom - top));
    }
  }
}

/** What there is to tell of a channel of the page. */
export function subject(say: BrowserSay, page: Page, id: number): Subject {
  const place = page.place(id);
  const sparsity = page.measure("sparsity", id);
  const energy = brief(100 * page.measure("energy", id));
  const [rows, columns] = page.raw.field;
  const lines: Subject["lines"] = [
    [say("fact_strength"), page.silent(id) ? say("silent") : brief(page.value(id))],
    [say("fact_place"), place ? say("place", { row: place[0], column: place[1] }) : "–"],
    [say("fact_sees"), page.seesAll ? say("fact_sees_all") : say("fact_pixels", { rows, columns })],
    [say("fact_mean"), brief(page.measure("mean", id))],
    [say("fact_sparsity"), Number.isNaN(sparsity) ? "–" : sparsity.toFixed(2)],
    [say("fact_energy"), say("fact_percent", { value: energy })],
  ];
  return { title: title(say, page, id), box: page.box(id), lines };
}
