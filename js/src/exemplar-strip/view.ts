/**
 * One view of a strip: the question as a heading that folds it, what the pictures have in common, the
 * pictures as buttons into their photos, the way back, and a scan where there is none yet.
 *
 * Pictures are swapped whole, together with what is said of them; until then the old ones stay, dimmed.
 */
import { word, wordHint } from "../core/concepts";
import { h, icon, setAttribute, setText, uid, watchWindow } from "../core/dom";
import { ScanBar } from "../core/scan-bar";
import { type Shell, tell } from "../core/shell";
import { decodeSheet, drawTile } from "../core/tiles";
import { AnswersView, panel } from "./answers";
import { isShown, type Shown, type StripKey, type StripState } from "./state";
import { brief, detail, summary } from "./words";

const FOLD = "M6 4l4 4-4 4";
const BACK = "M7 3 3 7l4 4M3 7h6a4 4 0 0 1 0 8";

export class StripView {
  readonly #shell: Shell<StripState, StripKey>;
  readonly #fold: HTMLButtonElement;
  readonly #title = h("span", {});
  readonly #words = h("ul", { class: "zf-strip-words" });
  readonly #back: HTMLButtonElement;
  readonly #backText = h("span", {});
  readonly #body: HTMLElement;
  readonly #list = h("ol", { class: "zf-strip-pictures" });
  readonly #summary = h("p", { class: "zf-strip-line" });
  readonly #detail = h("p", { class: "zf-strip-line zf-strip-detail" });
  readonly #lacking = h("p", { class: "zf-strip-line zf-strip-lacking" });
  readonly #lackingText = h("span", {});
  readonly #offer: HTMLButtonElement;
  readonly #scan: ScanBar;
  readonly #progress = h("div", { class: "zf-progress" });
  readonly #answers: AnswersView;
  readonly #nine: HTMLElement;
  #shown: Shown | null = null;
  #turn = 0;
  #alive = true;

  constructor(shell: Shell<StripState, StripKey>) {
    this.#shell = shell;
    const { root, say, signal, model, commit } = shell;
    const id = uid("strip");
    this.#fold = h(
      "button",
      { class: "zf-strip-fold", type: "button", "aria-controls": id },
      icon(FOLD),
      this.#title,
    );
    this.#fold.addEventListener("click", () => commit("opened", !model.get("opened")), { signal });
    this.#back = this.#button("back", icon(BACK), this.#backText);
    this.#offer = this.#button("scan");
    this.#lacking.append(this.#lackingText, " ", this.#offer);
    this.#scan = new ScanBar(say, (op) => tell(shell, op), signal);
    const head = h("h3", { class: "zf-strip-title" }, this.#fold);
    this.#answers = new AnswersView(shell, (op) => tell(shell, op));
    this.#nine = panel(say("nine"), say("nine_note"), this.#lacking, this.#list);
    this.#nine.dataset["answer"] = "nine";
    this.#body = h(
      "div",
      { id, class: "zf-strip-body" },
      this.#progress,
      h(
        "div",
        { class: "zf-answers" },
        ...this.#answers.elements("filter", "photo"),
        this.#nine,
        ...this.#answers.elements("synthesised"),
      ),
      this.#detail,
      this.#summary,
    );
    root.append(
      h("div", { class: "zf-strip-head" }, head, this.#words, this.#back),
      this.#scan.element,
      this.#body,
    );
    this.#listen();
    this.#follow();
    this.#watch();
    shell.greet((alive) => {
      this.#alive = alive;
      this.#show();
    });
  }

  #button(op: string, ...children: Node[]): HTMLButtonElement {
    const made = h("button", { class: "zf-button", type: "button", hidden: true }, ...children);
    made.addEventListener("click", () => tell(this.#shell, op), { signal: this.#shell.signal });
    return made;
  }

  #listen(): void {
    const { signal } = this.#shell;
    const button = (event: Event) => (event.target as Element).closest<HTMLElement>("[data-rank]");
    const rank = (event: Event) => Number(button(event)?.dataset["rank"]);
    const list = this.#list;
    list.addEventListener(
      "click",
      (event) => {
        const name = button(event)?.dataset["id"];
        if (name !== undefined && this.#clickable)
          tell(this.#shell, "pick", { ids: [rank(event)], name });
      },
      { signal },
    );
    for (const type of ["pointerover", "focusin"]) {
      list.addEventListener(type, (event) => button(event) && this.#tell(rank(event)), { signal });
    }
    for (const type of ["pointerleave", "focusout"]) {
      list.addEventListener(type, () => this.#tell(null), { signal });
    }
    list.addEventListener("keydown", (event) => this.#key(event), { signal });
  }

  /** Arrows, Home and End go from picture to picture. */
  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const all = [...this.#list.querySelectorAll("button")];
    const at = all.indexOf(event.target as HTMLButtonElement);
    const where = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 };
    const to = all[where[event.key as keyof typeof where] ?? -1];
    if (at < 0 || !to) return;
    to.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  #follow(): void {
    const { follow } = this.#shell;
    follow("_shown", (raw) => void this.#turnTo(raw));
    for (const trait of [
      ...(["opened", "channel", "layer", "picked", "home", "status", "progress"] as const),
      ...(["_lacking", "_offered", "four"] as const),
    ]) {
      follow(trait, () => this.#show());
    }
  }

  /** Say once that somebody can see the strip: nothing is computed before. */
  #watch(): void {
    const { model, root, signal, commit } = this.#shell;
    watchWindow(root, signal, (inside) => {
      if (inside && !model.get("in_sight")) commit("in_sight", true);
    });
  }

  get #clickable(): boolean {
    return this.#alive && this.#shell.model.get("clickable");
  }

  // ------------------------------------------------------------------------------------- pictures

  async #turnTo(raw: Partial<Shown>): Promise<void> {
    const turn = ++this.#turn;
    const shown = isShown(raw) ? raw : null;
    const { sheet, data } = shown ?? {};
    const image = sheet && data ? await decodeSheet(sheet, data) : null;
    if (turn === this.#turn && !this.#shell.signal.aborted) {
      this.#shown = shown;
      this.#fill(image);
      this.#show();
    }
    image?.close();
  }

  #fill(image: ImageBitmap | null): void {
    const { say, announce } = this.#shell;
    const shown = this.#shown;
    const [height, width] = shown?.sheet?.tile ?? [1, 1];
    const columns = shown?.sheet?.columns ?? 1;
    const count = shown?.pictures.length ?? 0;
    const picture = (index: number) => {
      const canvas = h("canvas", { class: "zf-strip-picture", width, height });
      const x = (index % columns) * width;
      const y = Math.floor(index / columns) * height;
      if (image) drawTile(canvas, { image, x, y, width, height });
      return canvas;
    };
    const focused = this.#list.contains(document.activeElement);
    const pairs = shown?.pictures.map((fact, rank) => {
      const { title, row, col } = fact;
      const known = { rank: rank + 1, title, value: brief(fact.value), row, col };
      return h(
        "li",
        {},
        h(
          "button",
          {
            class: "zf-strip-pair",
            type: "button",
            "data-rank": rank,
            "data-id": fact.id,
            "aria-label": say("pair", known),
          },
          picture(rank),
          picture(rank + count),
          h("span", { class: "zf-strip-name" }, title),
        ),
      );
    });
    this.#list.replaceChildren(...(pairs ?? []));
    if (focused) this.#list.querySelector("button")?.focus({ preventScroll: true });
    const said = (shown?.words ?? []).map((one) =>
      h("li", { class: "zf-strip-word", title: wordHint(say, one) }, word(say, one)),
    );
    this.#words.replaceChildren(...said);
    this.#tell(null);
    if (shown?.words?.length) announce(shown.words.map((one) => word(say, one)).join("; "));
  }

  /** What is known of a picture; without one, what can be done. */
  #tell(rank: number | null): void {
    const { say } = this.#shell;
    const fact = rank === null ? undefined : this.#shown?.pictures[rank];
    const invitation = this.#shown?.pictures.length && this.#clickable ? say("invite") : "";
    setText(this.#detail, fact && rank !== null ? detail(say, rank, fact) : invitation);
  }

  // --------------------------------------------------------------------------------------- status

  #show(): void {
    const { model, say, root } = this.#shell;
    const [layer, channel] = [model.get("layer"), model.get("channel")];
    const [opened, shown, status] = [model.get("opened"), this.#shown, model.get("status")];
    const lacking = model.get("_lacking");
    const current = shown !== null && shown.layer === layer && shown.channel === channel;
    const four = model.get("four");
    const [none, some] = four
      ? (["four_title_none", "four_title"] as const)
      : (["title_none", "title"] as const);
    setText(this.#title, channel === null ? say(none) : say(some, { channel, layer }));
    root.dataset["four"] = String(four);
    this.#fold.setAttribute("aria-expanded", String(opened));
    this.#body.hidden = !opened;
    for (const one of [this.#list, this.#summary, this.#detail]) one.hidden = lacking !== "";
    this.#answers.show(this.#alive);
    this.#words.hidden = !opened || !current;
    setAttribute(this.#list, "aria-label", say("strip", { channel: channel ?? "" }));
    setAttribute(this.#list, "aria-busy", status === "busy");
    root.dataset["state"] = current ? "ready" : "waiting";
    this.#progress.dataset["busy"] = String(status === "busy" && this.#alive);
    this.#lacking.hidden = lacking === "";
    setText(this.#lackingText, lacking);
    const offered = model.get("_offered");
    this.#offer.hidden = offered === 0 || !this.#alive;
    setText(this.#offer, say("offer", { count: offered }));
    this.#scan.show(model.get("progress"), this.#alive);
    this.#showWay();
    setText(this.#summary, this.#line(current));
  }

  /** One sentence on what is in sight. */
  #line(current: boolean): string {
    const { model, say } = this.#shell;
    const shown = this.#shown;
    if (model.get("channel") === null) return say("choose");
    if (!shown || !current) return model.get("status") === "busy" ? say("waiting") : "";
    if (shown.pictures.length === 0) return say("dead");
    const none = shown.words?.length === 0 ? ` ${say("no_word")}` : "";
    return `${summary(say, shown)}${none}`;
  }

  #showWay(): void {
    const { model, say } = this.#shell;
    const [home, picked] = [model.get("home"), model.get("picked")];
    const stranded = document.activeElement === this.#back;
    this.#back.hidden = home === "" || !this.#alive;
    if (stranded && this.#back.hidden) this.#fold.focus({ preventScroll: true });
    setText(this.#backText, say("back", { home }));
    const shown = this.#shown;
    const here = shown?.layer === picked.layer && shown?.channel === picked.channel;
    for (const button of this.#list.querySelectorAll("button")) {
      const visited = here && button.dataset["id"] === picked.id;
      setAttribute(button, "aria-current", visited ? "true" : null);
      // Not disabled: it can still be pointed at, and tells whose picture it is.
      setAttribute(button, "aria-disabled", this.#clickable ? null : "true");
    }
  }
}
