/**
 * The answers beside the exemplars: filter, projection in the photo, synthesised picture. Each is a label, a
 * picture or a word on why there is none, and half a sentence on what it can say and what it cannot.
 */
import { h, setText } from "../core/dom";
import type { Shell } from "../core/shell";
import { decodeSheet, drawTile } from "../core/tiles";
import type { Answers, Cell, Name, StripKey, StripState, Unanswered } from "./state";

/** In the order of the panel; the exemplars stand before the last. */
const NAMES: readonly Name[] = ["filter", "photo", "synthesised"];
const HEAD = "zf-answer-head";
const NOTE = "zf-answer-note";

interface Panel {
  element: HTMLElement;
  pictures: HTMLElement;
  why: HTMLElement;
}

/** A label, what it is about, and what that says. */
export function panel(label: string, note: string, ...content: Node[]): HTMLElement {
  return h(
    "section",
    { class: "zf-answer", "aria-label": label },
    h("h4", { class: HEAD }, label),
    ...content,
    h("p", { class: NOTE }, note),
  );
}

export class AnswersView {
  readonly #shell: Shell<StripState, StripKey>;
  readonly #panels = new Map<Name, Panel>();
  readonly #make: HTMLButtonElement;
  readonly #bar = h("progress", { class: "zf-scan-bar" });
  readonly #climb: HTMLElement;
  readonly #step = h("span", { "aria-live": "off" });
  #answers: Partial<Answers & Unanswered> = {};
  #alive = true;
  #turn = 0;

  constructor(shell: Shell<StripState, StripKey>, ask: (op: string) => void) {
    this.#shell = shell;
    const { say, signal, follow } = shell;
    const button = (op: string, key: StripKey) => {
      const made = h("button", { class: "zf-button", type: "button" }, say(key));
      made.addEventListener("click", () => ask(op), { signal });
      return made;
    };
    this.#make = button("synthesise", "synthesise");
    this.#bar.setAttribute("aria-label", say("climb_bar"));
    this.#climb = h("div", { class: "zf-climb" }, this.#bar, this.#step, button("halt", "stop"));
    for (const name of NAMES) {
      const pictures = h("div", { class: "zf-answer-pictures" });
      const why = h("p", { class: "zf-answer-why" });
      const more = name === "synthesised" ? [this.#make, this.#climb] : [];
      const element = panel(say(name), say(`${name}_note`), pictures, why, ...more);
      element.dataset["answer"] = name;
      this.#panels.set(name, { element, pictures, why });
    }
    follow("_answers", (raw) => void this.#turnTo(raw));
    for (const trait of ["synthesis", "layer", "channel", "four"] as const) {
      follow(trait, () => this.show(this.#alive));
    }
  }

  /** The panels, those of `names`. */
  elements(...names: Name[]): HTMLElement[] {
    return names.map((name) => (this.#panels.get(name) as Panel).element);
  }

  async #turnTo(raw: Partial<Answers & Unanswered>): Promise<void> {
    const turn = ++this.#turn;
    const drawn = await Promise.all(NAMES.map((name) => pictures(raw.cells?.[name])));
    if (turn !== this.#turn || this.#shell.signal.aborted) return;
    this.#answers = raw;
    NAMES.forEach((name, index) => {
      const panel = this.#panels.get(name) as Panel;
      const [cell, made] = [raw.cells?.[name], drawn[index] ?? []];
      panel.pictures.replaceChildren(...made);
      if (made.length) {
        panel.pictures.setAttribute("role", "img");
        panel.pictures.setAttribute("aria-label", this.#told(name));
      } else panel.pictures.removeAttribute("role");
      const why = raw.why ?? cell?.why;
      setText(panel.why, why ? this.#shell.say(why, cell?.values ?? {}) : "");
      panel.why.hidden = why === undefined;
      panel.pictures.hidden = why !== undefined;
    });
    this.show(this.#alive);
  }

  #told(name: Name): string {
    const { say } = this.#shell;
    return name === "photo"
      ? say("photo_pair", { channel: this.#answers.channel ?? "" })
      : say(name);
  }

  /** alive: whether there is anybody who could make a picture. */
  show(alive: boolean): void {
    this.#alive = alive;
    const { model, say } = this.#shell;
    const [layer, channel] = [model.get("layer"), model.get("channel")];
    const [answers, climb] = [this.#answers, model.get("synthesis")];
    const current = answers.why !== undefined || same(answers, layer, channel);
    for (const { element } of this.#panels.values()) {
      element.dataset["state"] = current ? "ready" : "waiting";
      element.hidden = !model.get("four");
    }
    const climbing = same(climb, layer, channel);
    this.#climb.hidden = !climbing;
    this.#make.hidden = climbing || !alive || !answers.cells?.synthesised.offer;
    if (!climbing) return;
    const { step = 0, steps = 1 } = climb;
    this.#bar.max = steps;
    this.#bar.value = step;
    setText(this.#step, say("climbing", { step, steps }));
  }
}

function same(
  one: { layer?: string; channel?: number },
  layer: string,
  channel: number | null,
): boolean {
  return one.layer === layer && one.channel === channel;
}

/** What a cell shows, each a canvas. */
async function pictures(cell: Cell | undefined): Promise<HTMLElement[]> {
  const { sheet, data, at } = cell ?? {};
  if (!sheet || !data) return [];
  const image = await decodeSheet(sheet, data);
  const [height, width] = sheet.tile;
  const numbers = at === undefined ? [...sheet.ids.keys()] : [at];
  const made = numbers.map((number) => {
    const canvas = h("canvas", { class: "zf-strip-picture", width, height });
    const x = (number % sheet.columns) * width;
    const y = Math.floor(number / sheet.columns) * height;
    drawTile(canvas, { image, x, y, width, height });
    return canvas;
  });
  image.close();
  return made;
}
