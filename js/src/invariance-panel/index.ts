/**
 * The changed photo under the cursor of the curves: what the network makes of it, and how far its
 * features have moved (Zeiler & Fergus 2013, Fig. 5). The curves are bqplot figures beside this widget.
 */
import type { RenderProps } from "@anywidget/types";
import type strings from "../../../zfwidgets/widgets/invariance_panel/strings.json";
import { Bars, percent } from "../core/bars";
import { h, setText } from "../core/dom";
import { Latest } from "../core/latest";
import { isAbort, RpcError } from "../core/rpc";
import { mount, type Shell, type ZFState } from "../core/shell";
import { bytesOf } from "../core/wire";
import { Cursor } from "./cursor";

interface Facts {
  low: number;
  high: number;
  step: number;
  layers: string[];
  colours: string[];
  names: string[];
  p: number[];
}

interface Look {
  value: number;
  shares: number[];
  p?: number[];
  best: string;
  same: boolean;
  best_p: number;
}

interface State extends ZFState {
  transform: string;
  value: number;
  running: boolean;
  progress: number;
  status: "empty" | "busy" | "ready" | "error";
  _transforms: string[];
  epoch: number;
  facts: Facts | Record<string, never>;
  photo: DataView | null;
}

type Key = keyof typeof strings;

const SETTLE_MS = 250;
/** As the lines of the curves, see widgets/plots.py. */
const DASHES = ["solid", "dashed", "dotted"];

class View {
  readonly #shell: Shell<State, Key>;
  readonly #latest: Latest<number>;
  readonly #cursor: Cursor;
  readonly #select = h("select", { class: "zf-select" });
  readonly #slider = h("input", { class: "zf-range", type: "range" });
  readonly #amount = h("output", { class: "zf-amount" });
  readonly #photo = h("img", { class: "zf-changed" });
  readonly #verdict = h("p", { class: "zf-verdict" });
  readonly #run = h("button", { class: "zf-button", type: "button" });
  readonly #bar = h("progress", { max: 1, value: 0 });
  readonly #state = h("span", { class: "zf-panel-state" });
  readonly #classBars: Bars;
  readonly #layerBars: Bars;
  #value = 0;
  #url = "";
  #settle: ReturnType<typeof setTimeout> | undefined;

  constructor(shell: Shell<State, Key>) {
    this.#shell = shell;
    const { say, signal } = shell;
    this.#latest = new Latest(
      (value, wanted) => this.#look(value, wanted),
      () => shell.model.get("epoch"),
    );
    this.#classBars = new Bars(say("classes"));
    this.#layerBars = new Bars(say("distances"));
    this.#layerBars.element.classList.add("zf-keyed");
    this.#build();
    this.#cursor = new Cursor(
      shell.root,
      (share, done) => {
        const facts = this.#facts;
        if (facts) this.#move(facts.low + share * (facts.high - facts.low), done);
      },
      signal,
    );
    this.#listen();
    this.#follow();
    shell.greet((alive) => {
      shell.root.dataset["alive"] = String(alive);
      this.#drawRun();
      if (!alive) setText(this.#state, say("saved"));
    });
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(this.#settle);
        URL.revokeObjectURL(this.#url);
      },
      { once: true },
    );
  }

  get #facts(): Facts | null {
    const facts = this.#shell.model.get("facts");
    return facts && "low" in facts ? (facts as Facts) : null;
  }

  #build(): void {
    const { say, root, model } = this.#shell;
    for (const name of model.get("_transforms"))
      this.#select.append(h("option", { value: name }, say(name as Key)));
    this.#select.setAttribute("aria-label", say("transform"));
    this.#slider.setAttribute("aria-label", say("value"));
    this.#bar.setAttribute("aria-label", say("progress"));
    this.#photo.alt = say("photo");
    const title = (text: string) => h("p", { class: "zf-readout-title" }, text);
    root.append(
      h("div", { class: "zf-tools" }, this.#select, this.#run, this.#bar, this.#state),
      h("div", { class: "zf-tools zf-amounts" }, this.#slider, this.#amount),
      h(
        "div",
        { class: "zf-panel-body" },
        this.#photo,
        h(
          "div",
          { class: "zf-readout" },
          this.#verdict,
          title(say("classes")),
          this.#classBars.element,
          title(say("distances")),
          this.#layerBars.element,
          h("p", { class: "zf-hint" }, say("tick")),
        ),
      ),
      h("p", { class: "zf-hint" }, say("keys")),
    );
  }

  #listen(): void {
    const { signal, model } = this.#shell;
    this.#select.addEventListener(
      "change",
      () => this.#shell.commit("transform", this.#select.value),
      { signal },
    );
    this.#slider.addEventListener("input", () => this.#move(Number(this.#slider.value), true), {
      signal,
    });
    this.#run.addEventListener(
      "click",
      () => this.#shell.commit("running", !model.get("running")),
      {
        signal,
      },
    );
  }

  #follow(): void {
    const shell = this.#shell;
    shell.follow("epoch", () => this.#latest.renewed());
    shell.follow("transform", (name) => {
      this.#select.value = name;
    });
    shell.follow("facts", (facts) => {
      if (!("low" in facts)) return;
      const { low, high, step } = facts as Facts;
      Object.assign(this.#slider, { min: String(low), max: String(high), step: String(step) });
      this.#show(this.#shell.model.get("value"));
    });
    shell.follow("photo", (photo) => this.#draw(photo));
    shell.follow("value", (value) => this.#show(value));
    for (const name of ["running", "progress", "status"] as const)
      shell.follow(name, () => this.#drawRun());
  }

  /** A hand is at this amount. */
  #move(value: number, done: boolean): void {
    this.#show(value);
    clearTimeout(this.#settle);
    const keep = () => this.#shell.commit("value", this.#value);
    // A mouse that only points leaves the curves where it likes: keep that amount, too.
    this.#settle = setTimeout(keep, done ? SETTLE_MS : 2 * SETTLE_MS);
  }

  #show(value: number): void {
    const facts = this.#facts;
    if (!facts) return;
    const { say, model } = this.#shell;
    this.#value = value;
    this.#slider.value = String(value);
    const words = say(`value_${model.get("transform")}` as Key, { value: brief(value) });
    setText(this.#amount, words);
    this.#slider.setAttribute("aria-valuetext", words);
    this.#cursor.place((value - facts.low) / (facts.high - facts.low));
    this.#latest.ask(value);
  }

  async #look(value: number, wanted: AbortSignal): Promise<void> {
    const { rpc, model, signal } = this.#shell;
    const epoch = model.get("epoch");
    const both = AbortSignal.any([signal, wanted]);
    let photo: DataView | undefined;
    const onChunk = (_: unknown, [data]: DataView[]) => {
      photo = data;
    };
    try {
      const answer = await rpc.request("look", { value }, { epoch, signal: both, onChunk });
      if (epoch !== model.get("epoch")) return;
      if (photo) this.#draw(photo);
      this.#tell(answer as unknown as Look);
      this.#shell.fail(null);
    } catch (reason) {
      if (isAbort(reason)) return;
      if (reason instanceof RpcError) this.#shell.fail(reason.detail);
      else setText(this.#state, this.#shell.say("silent"));
    }
  }

  #draw(photo: DataView | null): void {
    if (!photo || photo.byteLength === 0) return;
    URL.revokeObjectURL(this.#url);
    this.#url = URL.createObjectURL(new Blob([bytesOf(photo)], { type: "image/jpeg" }));
    this.#photo.src = this.#url;
  }

  #tell(look: Look): void {
    const facts = this.#facts;
    if (!facts) return;
    const { say, announce } = this.#shell;
    const p = look.p ?? [];
    const most = Math.max(0.05, ...facts.p, ...p) * 1.05;
    this.#classBars.show(
      facts.names.map((label, i) => ({
        label,
        share: (p[i] ?? 0) / most,
        tick: (facts.p[i] ?? 0) / most,
        text: percent(p[i] ?? 0),
      })),
    );
    const far = Math.max(1, ...look.shares) * 1.05;
    this.#layerBars.show(
      facts.layers.map((label, i) => ({
        label,
        share: (look.shares[i] ?? 0) / far,
        tick: null,
        text: say("share", { share: percent(look.shares[i] ?? 0) }),
      })),
    );
    this.#layerBars.element.querySelectorAll<HTMLElement>(".zf-bar").forEach((bar, i) => {
      bar.style.setProperty("--zf-accent", facts.colours[i % facts.colours.length] ?? "");
      bar.style.setProperty("--zf-dash", DASHES[i % DASHES.length] ?? "solid");
    });
    if (look.p === undefined) return;
    const words = say(look.same ? "still" : "now", {
      label: look.best,
      p: percent(look.best_p),
    });
    setText(this.#verdict, words);
    this.#verdict.dataset["changed"] = String(!look.same);
    announce(words);
  }

  #drawRun(): void {
    const { model, say, root } = this.#shell;
    const running = model.get("running");
    const progress = model.get("progress");
    setText(this.#run, say(running ? "stop" : "run"));
    this.#run.disabled = model.get("status") !== "ready" || root.dataset["alive"] === "false";
    this.#run.hidden = !running && progress >= 1;
    this.#bar.hidden = !running;
    this.#bar.value = progress;
    const share = percent(progress);
    if (model.get("status") === "empty") setText(this.#state, say("empty"));
    else if (running) setText(this.#state, share);
    else setText(this.#state, progress > 0 && progress < 1 ? say("stopped", { share }) : "");
  }
}

/** Three digits at most; "0" and not "-0" or "1e-17". */
function brief(value: number): string {
  return Number(Math.abs(value) < 1e-9 ? 0 : value.toPrecision(3)).toString();
}

export default {
  render(props: RenderProps<State>) {
    return mount<State, Key>("invariance-panel", props, (shell) => {
      new View(shell);
    });
  },
};
