/** Photo and projections of one neuron, zoomed as one; a click or a key chooses another neuron. */
import { h, perFrame, setAttribute, setText } from "../core/dom";
import type { Shell } from "../core/shell";
import { throttled } from "../core/throttled";
import { decodeSheet } from "../core/tiles";
import { Camera } from "./camera";
import { fieldOf, nearest, neighbour } from "./field";
import { Gestures } from "./gestures";
import { Legend } from "./legend";
import { Pane } from "./pane";
import { compose, copy, download } from "./print";
import { isPhoto, isShown, type Key, type Rule, type Shown, type State } from "./state";
import { type Actions, Toolbar } from "./toolbar";
import { contrast, number, sight, strength, title } from "./words";

export class ProjectionPage implements Actions {
  readonly #shell: Shell<State, Key>;
  readonly #camera = new Camera();
  readonly #photo = new Pane();
  #projections: Pane[] = [];
  readonly #row = h("div", { class: "zf-panes" });
  readonly #toolbar: Toolbar;
  readonly #legend: Legend;
  readonly #title = h("h3", { class: "zf-projection-title" });
  readonly #answer = h("p", { class: "zf-projection-line" });
  readonly #how = h("p", { class: "zf-projection-line zf-projection-how" });
  readonly #progress = h("div", { class: "zf-progress" });
  readonly #saved: HTMLElement;
  readonly #look: () => void;
  readonly #tell: () => void;
  readonly #tellPointed: (place: [number, number] | null) => void;
  #shown: Shown | null = null;
  #drawing = 0;
  #alive = true;

  constructor(shell: Shell<State, Key>) {
    this.#shell = shell;
    const { say, signal } = shell;
    this.#toolbar = new Toolbar(say, this, signal);
    this.#legend = new Legend(say);
    this.#saved = h("p", { class: "zf-projection-line", hidden: true }, say("saved"));
    this.#photo.title(say("photo"));
    this.#row.append(this.#photo.element);
    this.#look = perFrame(() => this.#lookNow(), signal);
    this.#tell = perFrame(() => this.#tellNow(), signal);
    this.#tellPointed = throttled((place) => shell.commit("pointed", place), signal);
    const head = h("div", { class: "zf-projection-head" }, this.#title, this.#toolbar.looks);
    shell.root.append(
      head,
      this.#answer,
      this.#progress,
      this.#row,
      this.#legend.element,
      this.#how,
      this.#toolbar.settings,
      h("p", { class: "zf-projection-line zf-projection-hint" }, say("hint")),
      this.#saved,
    );
    this.#makeFocusable();
    new Gestures(this.#row, this.#camera, signal, {
      moved: () => this.#moved(),
      chosen: (row, col) => this.#choose(row, col),
      hovered: (place) => this.#hover(place),
    });
    this.#follow();
    const observer = new ResizeObserver(this.#look);
    observer.observe(this.#row);
    signal.addEventListener("abort", () => observer.disconnect(), { once: true });
    shell.greet((alive) => {
      this.#alive = alive;
      this.#saved.hidden = alive;
      this.#enable();
    });
  }

  // ------------------------------------------------------------------------- what the controls do

  set: Actions["set"] = (name, value) => this.#shell.commit(name, value);

  strongest = (): void => this.#shell.commit("place", null);

  frame = (what: "picture" | "field"): void => {
    this.#shell.commit("frame", what);
    this.#aim();
    this.#tell();
  };

  zoom = (factor: number): void => {
    const [row, col] = this.#camera.at(0.5, 0.5);
    this.#camera.zoomAt(factor, row, col);
    this.#moved();
  };

  copy = (): void => {
    const sheet = this.#print();
    const { say, fail, announce } = this.#shell;
    void copy(sheet).then((done) => {
      const refused = {
        title: say("no_copy_title"),
        message: say("no_copy_text"),
        hint: say("no_copy_hint"),
      };
      fail(done ? null : refused);
      if (done) announce(say("copied", { width: sheet.width, height: sheet.height }));
    });
  };

  save = (): void => {
    const sheet = this.#print();
    const { say, announce } = this.#shell;
    const shown = this.#shown;
    const name = `${shown?.layer ?? "photo"}-channel-${shown?.channel ?? ""}.png`;
    download(sheet, name.replace(/[^\w.-]+/g, "_"));
    announce(say("saved_as", { name, width: sheet.width, height: sheet.height }));
  };

  // -------------------------------------------------------------------------------------- neurons

  #choose(row: number, col: number): void {
    if (!this.#shown || !this.#alive) return;
    this.#shell.commit("place", nearest(this.#shown, row, col));
  }

  #hover(place: [number, number] | null): void {
    this.#mark(place);
    if (this.#alive) this.#tellPointed(place && this.#camera.share(...place));
  }

  /** Mark what the neuron sees that a click at this place would choose. */
  #mark(place: [number, number] | null): void {
    const shown = this.#shown;
    const single = shown?.map[0] === 1 && shown.map[1] === 1;
    const box =
      place && shown && !single && this.#alive ? fieldOf(shown, nearest(shown, ...place)) : null;
    this.#photo.ghost(box);
  }

  #makeFocusable(): void {
    const { say, signal } = this.#shell;
    const { frame } = this.#photo;
    setAttribute(frame, "tabindex", 0);
    setAttribute(frame, "role", "application");
    setAttribute(frame, "aria-label", say("photo_help"));
    frame.addEventListener("keydown", (event) => this.#onKey(event), { signal });
  }

  #onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const [down, right] = way[event.key as keyof typeof way] ?? [];
    if (down !== undefined && right !== undefined) {
      if (event.shiftKey) {
        this.#camera.pan(down / 8, right / 8);
        this.#moved();
      } else this.#step(down, right);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.frame("picture");
    else if (event.key === "f" || event.key === "F") this.frame("field");
    else if (event.key === "s" || event.key === "S") this.strongest();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.#look();
  }

  #step(down: number, right: number): void {
    const shown = this.#shown;
    if (!shown || !this.#alive) return;
    // From what was asked for last: keys come faster than answers.
    const from = this.#shell.model.get("place") ?? [shown.row, shown.col];
    this.#shell.commit("place", neighbour(shown, from, down, right));
  }

  // -------------------------------------------------------------------------------------- drawing

  #follow(): void {
    const { follow, model } = this.#shell;
    follow("_photo", () => void this.#draw());
    follow("_shown", () => void this.#draw());
    follow("window", () => this.#seeWindow());
    follow("pointed", (share) => {
      // One's own pointer is ahead of what is told of it.
      if (!this.#row.matches(":hover")) this.#mark(share && this.#camera.place(...share));
    });
    follow("hovered", (other) => this.#photo.ghost(other?.box ?? null));
    follow("status", (status) => {
      this.#progress.dataset["busy"] = String(status === "busy");
      setAttribute(this.#row, "aria-busy", status === "busy");
      this.#speak();
    });
    for (const name of ["rule", "all_rules", "contrast", "full", "colours", "opacity"] as const) {
      follow(name, () => {
        this.#toolbar.show((trait) => model.get(trait));
        this.#enable();
        if (name === "opacity") this.#cover();
      });
    }
  }

  /** Photo and projections, once both are decoded; a later call overtakes an earlier one. */
  async #draw(): Promise<void> {
    const turn = ++this.#drawing;
    const photo = this.#shell.model.get("_photo");
    const raw = this.#shell.model.get("_shown");
    const shown = isShown(raw) ? raw : null;
    const pictures = await Promise.all([
      isPhoto(photo) ? decodeSheet(plain(photo.mime), photo.data) : null,
      shown ? decodeSheet(shown.sheet, shown.data) : null,
    ]);
    if (turn === this.#drawing && !this.#shell.signal.aborted) {
      const [seen, sheet] = pictures;
      if (seen) this.#drawPhoto(seen);
      this.#shown = shown;
      if (shown && sheet) this.#drawProjections(shown, sheet);
      else this.#keep(0);
      this.#finish();
    }
    for (const picture of pictures) picture?.close();
  }

  #drawPhoto(image: ImageBitmap): void {
    this.#photo.draw(image, 0, 0, image.width, image.height);
    this.#camera.resize(image.height, image.width);
    this.#seeWindow();
  }

  #drawProjections(shown: Shown, image: ImageBitmap): void {
    const { say } = this.#shell;
    this.#keep(shown.rules.length);
    const [height, width] = shown.sheet.tile;
    shown.rules.forEach((rule, i) => {
      const pane = this.#projections[i];
      const x = (i % shown.sheet.columns) * width;
      const y = Math.floor(i / shown.sheet.columns) * height;
      pane?.draw(image, x, y, width, height);
      pane?.title(rule, `±${number(shown.full[i] ?? 0)}`, say(`rule_${rule}`));
      if (pane) setAttribute(pane.frame, "role", "img");
      if (pane) setAttribute(pane.frame, "aria-label", say("projection_of", { rule }));
    });
  }

  /** As many panes as there are projections. */
  #keep(count: number): void {
    while (this.#projections.length > count) this.#projections.pop()?.element.remove();
    while (this.#projections.length < count) {
      const pane = new Pane();
      this.#projections.push(pane);
      this.#row.append(pane.element);
    }
  }

  #finish(): void {
    const shown = this.#shown;
    this.#photo.outline(shown?.box ?? null, true);
    for (const pane of this.#projections) pane.outline(shown?.box ?? null, false);
    this.#legend.show(shown);
    this.#cover();
    this.#speak();
    this.#enable();
    if (this.#shell.model.get("frame") === "field") this.#aim();
    this.#look();
  }

  #aim(): void {
    const box = this.#shown?.box;
    if (box && this.#shell.model.get("frame") === "field") this.#camera.fit(box);
    else this.#camera.reset();
    this.#look();
  }

  /** Somebody moved the camera here: others may want to follow. */
  #moved(): void {
    this.#look();
    this.#tell();
  }

  #tellNow(): void {
    const seen = this.#camera.zoom > 1 ? this.#camera.shares : null;
    const told = this.#shell.model.get("window") ?? null;
    if (String(seen) !== String(told)) this.#shell.commit("window", seen);
  }

  /** Somebody else moved it. */
  #seeWindow(): void {
    this.#camera.show(this.#shell.model.get("window") ?? [0, 0, 1, 1]);
    this.#look();
  }

  #cover(): void {
    const shown = this.#shown;
    const rule = this.#shell.model.get("rule");
    const which = Math.max(0, shown?.rules.indexOf(rule as Rule) ?? 0);
    const source = shown ? this.#projections[which]?.canvas : undefined;
    this.#photo.cover(source ?? null, shown?.box ?? [0, 0, 0, 0], this.#shell.model.get("opacity"));
    this.#look();
  }

  #lookNow(): void {
    for (const pane of [this.#photo, ...this.#projections]) pane.look(this.#camera);
    this.#row.dataset["zoomed"] = String(this.#camera.zoom > 1);
  }

  #speak(): void {
    const { say, model, announce } = this.#shell;
    const [shown, status] = [this.#shown, model.get("status")];
    setText(this.#title, title(say, shown));
    const invitation = say(status === "busy" ? "busy" : "invite");
    setText(this.#answer, shown ? strength(say, shown) : invitation);
    setText(this.#how, shown ? `${sight(say, shown)}. ${contrast(say, shown)}` : "");
    if (shown && status === "ready") announce(`${title(say, shown)}, ${strength(say, shown)}`);
  }

  #enable(): void {
    const shown = this.#shown;
    this.#toolbar.enable({
      strongest: shown?.chosen ?? false,
      field: shown !== null && !shown.all,
      outputs: shown !== null,
      alive: this.#alive,
    });
  }

  #print(): HTMLCanvasElement {
    const { say, root } = this.#shell;
    const shown = this.#shown;
    const panes = shown?.rules.map((rule, i) => ({
      canvas: this.#projections[i]?.canvas ?? this.#photo.canvas,
      name: rule,
      note: `±${number(shown.full[i] ?? 0)}`,
      mark: false,
    }));
    const lines = shown
      ? [
          `${strength(say, shown)}; ${sight(say, shown)}.`,
          contrast(say, shown),
          `${say(`legend_${shown.colours}`)}.`,
        ]
      : [];
    return compose({
      title: shown ? `${shown.net} · ${title(say, shown)}` : "",
      lines,
      panes: [
        { canvas: this.#photo.canvas, name: say("photo"), note: "", mark: true },
        ...(panes ?? []),
      ],
      box: shown?.box ?? null,
      font: getComputedStyle(root).fontFamily,
    });
  }
}

const plain = (mime: string) => ({ ids: [], mime, tile: [1, 1] as [number, number], columns: 1 });
