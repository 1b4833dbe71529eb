/** The elements of the live view: controls, the two pictures, the sheet. They know no state. */

import type strings from "../../../zfwidgets/widgets/live_view/strings.json";
import { h, icon, setText, uid } from "../core/dom";
import { PAUSE, PLAY, SignButton } from "../core/sign-button";
import type { Say } from "../core/strings";

export type LiveSay = Say<keyof typeof strings>;

const CAMERA = "M1.5 4.5h9v7h-9zM10.5 7l4-2v6l-4-2";
const STOP = "M4 4h8v8H4z";

export interface ControlActions {
  power(): void;
  freeze(): void;
  layer(name: string): void;
  /** null: the strongest. */
  channel(index: number | null): void;
  mirrored(value: boolean): void;
}

export class Controls {
  readonly element: HTMLElement;
  readonly status = h("p", { class: "zf-live-status" });
  readonly layer = h("select", { class: "zf-select" });
  readonly channel = h("input", {
    class: "zf-entry zf-live-channel",
    type: "number",
    min: 0,
    step: 1,
  });
  readonly strongest = h("input", { type: "checkbox" });
  readonly mirrored = h("input", { type: "checkbox" });
  readonly #say: LiveSay;
  readonly #power: SignButton;
  readonly #freeze: SignButton;

  constructor(say: LiveSay, actions: ControlActions, signal: AbortSignal) {
    this.#say = say;
    this.#power = new SignButton(actions.power, signal);
    this.#freeze = new SignButton(actions.freeze, signal);
    this.channel.id = uid("zf-channel");
    this.element = h(
      "div",
      { class: "zf-live-bar", role: "group", "aria-label": say("controls") },
      this.#power.element,
      this.#freeze.element,
      h("label", { class: "zf-live-field" }, say("layer"), this.layer),
      h(
        "span",
        { class: "zf-live-field" },
        h("label", { for: this.channel.id }, say("channel")),
        this.channel,
        h("label", { class: "zf-live-check" }, this.strongest, say("strongest")),
      ),
      h("label", { class: "zf-live-check" }, this.mirrored, say("mirrored")),
      this.status,
    );
    const on = (element: HTMLElement, listener: () => void) =>
      element.addEventListener("change", listener, { signal });
    on(this.layer, () => actions.layer(this.layer.value));
    on(this.mirrored, () => actions.mirrored(this.mirrored.checked));
    const number = () => {
      const value = Number(this.channel.value);
      const most = Number(this.channel.max);
      return Number.isFinite(value) ? Math.min(most, Math.max(0, Math.round(value))) : 0;
    };
    on(this.strongest, () => actions.channel(this.strongest.checked ? null : number()));
    this.channel.addEventListener(
      "input",
      () => this.channel.value !== "" && actions.channel(number()),
      { signal },
    );
  }

  get powerButton(): HTMLButtonElement {
    return this.#power.element;
  }

  show(state: { on: boolean; frozen: boolean; started: boolean; alive: boolean }): void {
    const { on, frozen, alive } = state;
    this.#power.show(on ? STOP : CAMERA, this.#say(on ? "stop" : "start"));
    this.#power.element.disabled = !alive;
    this.#freeze.show(frozen ? PLAY : PAUSE, this.#say(frozen ? "go_on" : "freeze"));
    this.#freeze.element.disabled = !(frozen || (on && state.started));
  }
}

/** A captioned picture with the outline of what the neuron sees. */
export class Figure {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly #box = h("span", { class: "zf-live-box", hidden: true });
  readonly #caption = h("figcaption");

  constructor(side: number, caption: string) {
    this.canvas = h("canvas", { width: side, height: side, role: "img", "aria-label": caption });
    setText(this.#caption, caption);
    const well = h("div", { class: "zf-live-well" }, this.canvas, this.#box);
    this.element = h("figure", { class: "zf-live-figure" }, this.#caption, well);
  }

  draw(image: ImageBitmap): void {
    if (this.canvas.width !== image.width || this.canvas.height !== image.height) {
      [this.canvas.width, this.canvas.height] = [image.width, image.height];
    }
    this.canvas.getContext("2d")?.drawImage(image, 0, 0);
  }

  caption(text: string): void {
    setText(this.#caption, text);
    if (this.canvas.ariaLabel !== text) this.canvas.ariaLabel = text;
  }

  outline([top, left, bottom, right]: number[], [height, width]: number[]): void {
    const { style } = this.#box;
    const share = (value = 0, whole = 1) => `${(100 * value) / whole}%`;
    style.top = share(top, height);
    style.left = share(left, width);
    style.height = share((bottom ?? 0) - (top ?? 0), height);
    style.width = share((right ?? 0) - (left ?? 0), width);
    this.#box.hidden = false;
  }
}

/** A projection; what the neuron sees of the picture fills the frame, since low layers see little. */
export class Enlarged extends Figure {
  zoomTo([top = 0, left = 0, bottom = 0, right = 0]: number[], [height = 1, width = 1]: number[]) {
    const zoom = Math.max(1, Math.min(height / (bottom - top), width / (right - left)));
    const shift = (start: number, end: number, whole: number) => {
      const middle = zoom > 1 ? (start + end) / 2 : whole / 2;
      return `${(100 * (whole / 2 / zoom - middle)) / whole}%`;
    };
    const { style } = this.canvas;
    style.transform = `scale(${zoom}) translate(${shift(left, right, width)}, ${shift(top, bottom, height)})`;
  }
}

/** What stands there before the first frame. */
export function invitation(say: LiveSay): HTMLElement {
  const here = /^(localhost|127\.0\.0\.1|\[::1\]|)$/.test(location.hostname);
  return h(
    "div",
    { class: "zf-live-invite" },
    icon(CAMERA),
    h("p", {}, say("invite")),
    h(
      "p",
      { class: "zf-live-private" },
      here ? say("private_here") : say("private_there", { host: location.hostname }),
    ),
  );
}
