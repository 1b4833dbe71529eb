/**
 * A square that hides one place of the photo: drag it and watch what the network then thinks, or let
 * it slide over the whole photo and look at the maps (Zeiler & Fergus 2013, Fig. 7).
 */
import type { RenderProps } from "@anywidget/types";
import type strings from "../../../zfwidgets/widgets/occlusion_view/strings.json";
import { Bars, percent } from "../core/bars";
import { h, setText, uid } from "../core/dom";
import { Latest } from "../core/latest";
import { isAbort, RpcError } from "../core/rpc";
import { mount, type Shell, type ZFState } from "../core/shell";
import { Maps, type Overlay, type RawMaps, strip } from "./maps";
import { inside, type Square, Stage } from "./stage";

interface Facts {
  height: number;
  width: number;
  layer: string;
  channel: number;
  activation: number;
  names: string[];
  p: number[];
  label: string;
  winner: number;
  mean: [number, number, number];
}

interface Look {
  activation: number;
  p: number[];
  best: string;
  same: boolean;
  best_p: number;
}

interface State extends ZFState {
  size: number;
  fill: "grey" | "mean";
  place: [number, number];
  overlay: Overlay;
  scanning: boolean;
  progress: number;
  status: "empty" | "busy" | "ready" | "error";
  _epoch: number;
  _facts: Facts | Record<string, never>;
  _photo: DataView | null;
  _maps: RawMaps | Record<string, never>;
  _palette: DataView;
}

type Key = keyof typeof strings;

const OVERLAYS: readonly Overlay[] = ["none", "activation", "probability", "class"];
const SETTLE_MS = 250;

const brief = (value: number) => Number(value.toPrecision(3)).toString();

class View {
  readonly #shell: Shell<State, Key>;
  readonly #stage: Stage;
  readonly #latest: Latest<Square>;
  readonly #size = h("input", { class: "zf-range", type: "range", min: 8, step: 4 });
  readonly #sizeText = h("span", { class: "zf-occlusion-size" });
  readonly #scan = h("button", { class: "zf-button", type: "button" });
  readonly #bar = h("progress", { max: 1, value: 0 });
  readonly #state = h("span", { class: "zf-occlusion-state" });
  readonly #legend = h("div", { class: "zf-legend" });
  readonly #verdict = h("p", { class: "zf-verdict" });
  readonly #mapName = h("p", { class: "zf-readout-title" });
  readonly #classBars: Bars;
  readonly #mapBar: Bars;
  #maps: Maps | null = null;
  #settle: ReturnType<typeof setTimeout> | undefined;
  #told: ReturnType<typeof setTimeout> | undefined;
  #square: Square = { top: 0, left: 0, size: 32 };

  constructor(shell: Shell<State, Key>) {
    this.#shell = shell;
    const { say, signal } = shell;
    this.#latest = new Latest(
      (square, wanted) => this.#look(square, wanted),
      () => shell.model.get("_epoch"),
    );
    this.#stage = new Stage(
      {
        moved: (square, done) => this.#move(square, done),
        resized: (by) => this.#resize(this.#square.size + by),
      },
      say("stage"),
      say("movable"),
      signal,
    );
    this.#classBars = new Bars(say("classes"));
    this.#mapBar = new Bars(say("sum"));
    this.#build();
    this.#listen();
    this.#follow();
    shell.greet((alive) => this.#alive(alive));
    signal.addEventListener("abort", () => this.#forget(), { once: true });
  }

  #forget(): void {
    clearTimeout(this.#settle);
    clearTimeout(this.#told);
  }

  get #facts(): Facts | null {
    const facts = this.#shell.model.get("_facts");
    return facts && "height" in facts ? (facts as Facts) : null;
  }

  #build(): void {
    const { say, root } = this.#shell;
    this.#size.setAttribute("aria-label", say("size"));
    this.#bar.setAttribute("aria-label", say("progress"));
    this.#scan.title = say("scan_hint");
    const size = h("label", { class: "zf-field" }, say("size"), this.#size, this.#sizeText);
    const fill = this.#segments("fill", ["grey", "mean"], (value) => say(value as Key));
    const tools = h("div", { class: "zf-tools" }, size, fill, this.#scan, this.#bar, this.#state);
    const readout = h(
      "div",
      { class: "zf-readout" },
      this.#verdict,
      h("p", { class: "zf-readout-title" }, say("classes")),
      this.#classBars.element,
      this.#mapName,
      this.#mapBar.element,
      h("p", { class: "zf-hint" }, say("tick")),
      h("p", { class: "zf-hint" }, say("keys")),
    );
    const below = h(
      "div",
      { class: "zf-below" },
      this.#segments("overlay", OVERLAYS, (value) => say(value as Key)),
      this.#legend,
    );
    const photo = h("div", { class: "zf-photo-side" }, this.#stage.element, below);
    root.append(tools, h("div", { class: "zf-occlusion-body" }, photo, readout));
  }

  /** A radio group bound to a trait of the same name. */
  #segments(
    trait: "fill" | "overlay",
    values: readonly string[],
    text: (value: string) => string,
  ): HTMLElement {
    const shell = this.#shell;
    const name = uid(trait);
    const inputs = values.map((value) => h("input", { type: "radio", name, value }));
    const group = h(
      "div",
      { class: "zf-segments", role: "radiogroup", "aria-label": shell.say(trait) },
      ...inputs.map((input) => h("label", {}, input, text(input.value))),
    );
    group.addEventListener(
      "change",
      (event) =>
        shell.commit(trait, (event.target as HTMLInputElement).value as State["fill"] & Overlay),
      { signal: shell.signal },
    );
    shell.follow(trait, (chosen) => {
      for (const input of inputs) input.checked = input.value === chosen;
    });
    return group;
  }

  #listen(): void {
    const { signal, model } = this.#shell;
    this.#size.addEventListener("input", () => this.#resize(Number(this.#size.value)), { signal });
    this.#scan.addEventListener(
      "click",
      () => this.#shell.commit("scanning", !model.get("scanning")),
      { signal },
    );
  }

  #follow(): void {
    const shell = this.#shell;
    shell.follow("_epoch", () => this.#latest.renewed());
    shell.follow("_facts", () => this.#open());
    shell.follow("place", () => this.#fromPython());
    shell.follow("size", () => this.#fromPython());
    shell.follow("fill", () => this.#draw());
    shell.follow("_maps", (raw) => {
      this.#maps = Maps.read(raw);
      this.#drawMaps();
    });
    shell.follow("overlay", () => this.#drawMaps());
    shell.follow("scanning", () => this.#drawScan());
    shell.follow("progress", () => this.#drawScan());
    shell.follow("status", () => this.#drawScan());
  }

  #open(): void {
    const facts = this.#facts;
    const { model } = this.#shell;
    this.#stage.photo(model.get("_photo"), facts?.height ?? 1, facts?.width ?? 1);
    if (!facts) return;
    this.#size.max = String(Math.floor(Math.min(facts.height, facts.width) / 2));
    setText(this.#mapName, this.#shell.say("map", facts as unknown as Record<string, string>));
    this.#fromPython();
    this.#drawMaps();
  }

  // -------------------------------------------------------------------------- the square

  #fromPython(): void {
    const { model } = this.#shell;
    const [top, left] = model.get("place");
    const next = { top, left, size: model.get("size") };
    const facts = this.#facts;
    this.#square = facts ? inside(next, facts.height, facts.width) : next;
    this.#draw();
  }

  #move(square: Square, done: boolean): void {
    this.#square = square;
    this.#draw();
    clearTimeout(this.#settle);
    // Traits are for what stays; a hand on its way asks by message only.
    const keep = () => this.#keep();
    if (done) this.#settle = setTimeout(keep, SETTLE_MS);
  }

  #resize(size: number): void {
    const facts = this.#facts;
    if (!facts) return;
    const { top, left, size: old } = this.#square;
    const wanted = Math.max(Number(this.#size.min), Math.min(Number(this.#size.max), size));
    const shift = (old - wanted) / 2;
    const next = { size: wanted, top: top + shift, left: left + shift };
    this.#move(inside(next, facts.height, facts.width), true);
  }

  #keep(): void {
    const { model } = this.#shell;
    const { top, left, size } = this.#square;
    model.set("size", size);
    const [oldTop, oldLeft] = model.get("place");
    if (oldTop !== top || oldLeft !== left) model.set("place", [top, left]);
    model.save_changes();
  }

  #draw(): void {
    const facts = this.#facts;
    const { say, model } = this.#shell;
    const { size } = this.#square;
    setText(this.#sizeText, say("pixels", { size }));
    this.#size.value = String(size);
    if (!facts) return;
    const colour =
      model.get("fill") === "mean" ? `rgb(${facts.mean.join(" ")})` : "rgb(128 128 128)";
    this.#stage.place(this.#square, say("square", { ...this.#square }), colour);
    this.#latest.ask(this.#square);
  }

  async #look(square: Square, wanted: AbortSignal): Promise<void> {
    const { rpc, model, signal } = this.#shell;
    const body = { ...square, fill: model.get("fill") };
    const epoch = model.get("_epoch");
    const both = AbortSignal.any([signal, wanted]);
    try {
      const answer = await rpc.request("look", body, { epoch, signal: both });
      if (epoch === model.get("_epoch")) this.#show(answer as unknown as Look);
      this.#shell.fail(null);
    } catch (reason) {
      if (isAbort(reason)) return;
      if (reason instanceof RpcError) this.#shell.fail(reason.detail);
      else setText(this.#state, this.#shell.say("silent"));
    }
  }

  #show(look: Look): void {
    const facts = this.#facts;
    if (!facts) return;
    const { say } = this.#shell;
    const bars = facts.names.map((label, i) => {
      const now = look.p[i] ?? 0;
      return { label, share: now, tick: facts.p[i] ?? null, text: percent(now) };
    });
    // The scale ends where something ends, or weak networks would show nothing but empty tracks.
    const most = Math.max(0.05, ...facts.p, ...look.p) * 1.05;
    for (const bar of bars) {
      bar.share /= most;
      bar.tick = bar.tick === null ? null : bar.tick / most;
    }
    this.#classBars.show(bars);
    const full = 1.25 * Math.max(facts.activation, look.activation, 1e-9);
    const text = say("of_clean", { now: brief(look.activation), clean: brief(facts.activation) });
    this.#mapBar.show([
      { label: say("sum"), share: look.activation / full, tick: facts.activation / full, text },
    ]);
    const p = percent(look.best_p);
    setText(this.#verdict, say(look.same ? "still" : "now", { label: look.best, p }));
    this.#verdict.dataset["changed"] = String(!look.same);
    const share = percent(look.activation / Math.max(1e-9, facts.activation));
    clearTimeout(this.#told);
    this.#told = setTimeout(
      () => this.#shell.announce(say("told", { label: look.best, p, share })),
      SETTLE_MS,
    );
  }

  // ---------------------------------------------------------------------------- the maps

  #drawMaps(): void {
    const { model, say } = this.#shell;
    const which = model.get("overlay");
    const palette = model.get("_palette");
    const facts = this.#facts;
    const { root } = this.#shell;
    root.dataset["maps"] = String(this.#maps !== null);
    this.#stage.overlay(this.#maps, which, palette);
    this.#legend.replaceChildren();
    if (!this.#maps || !facts || which === "none") return;
    const values = { layer: facts.layer, channel: facts.channel, label: facts.label };
    const size = say("of_square", { size: this.#maps.raw.size });
    const lead = h("p", { class: "zf-legend-text" }, `${say(`legend_${which}`, values)} · ${size}`);
    if (which === "class") {
      this.#legend.append(lead, this.#maps.classes(say("others")));
      return;
    }
    const most = this.#maps.highest(which);
    const end = which === "probability" ? percent(most) : brief(most);
    this.#legend.append(lead, h("p", { class: "zf-scale" }, "0", strip(palette), end));
  }

  #drawScan(): void {
    const { model, say, root } = this.#shell;
    const scanning = model.get("scanning");
    const progress = model.get("progress");
    const status = model.get("status");
    setText(this.#scan, say(scanning ? "stop" : "scan"));
    this.#scan.disabled = status !== "ready" || root.dataset["alive"] === "false";
    this.#bar.hidden = !scanning;
    this.#bar.value = progress;
    const stopped = progress > 0 && progress < 1;
    const share = percent(progress);
    if (scanning) setText(this.#state, share);
    else if (status === "empty") setText(this.#state, say("empty"));
    else if (stopped) setText(this.#state, say("stopped", { share }));
    else setText(this.#state, progress >= 1 ? say("scanned") : "");
  }

  #alive(alive: boolean): void {
    this.#shell.root.dataset["alive"] = String(alive);
    this.#drawScan();
    if (!alive) setText(this.#state, this.#shell.say("saved"));
  }
}

export default {
  render(props: RenderProps<State>) {
    return mount<State, Key>("occlusion-view", props, (shell) => {
      new View(shell);
    });
  },
};
