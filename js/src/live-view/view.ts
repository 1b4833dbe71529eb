/**
 * The live view: opens the camera at a click, sends frames, shows what comes back, and lets go of the
 * camera when stopped, closed or out of sight. What was shown last stays in all of these cases.
 */
import type strings from "../../../zfwidgets/widgets/live_view/strings.json";
import { type Camera, CameraError, mayReopen, openCamera, watchSight } from "../core/camera";
import { h, setAttribute, setText } from "../core/dom";
import { isAbort, RpcError, RpcTimeout } from "../core/rpc";
import type { Shell, ZFState } from "../core/shell";
import { type Answer, bytesOf } from "../core/wire";
import { MapSheet } from "./map-sheet";
import { Controls, Enlarged, Figure, invitation } from "./parts";
import { FrameStream, type Sent } from "./stream";

export type Key = keyof typeof strings;

export interface LiveState extends ZFState {
  layer: string;
  channel: number | null;
  mirrored: boolean;
  frozen: boolean;
  _layers: { name: string; channels: number }[];
  _side: number;
  _palette: DataView;
}

/** What Python says of a frame; the pictures come as buffers. */
interface Told extends Answer {
  frozen?: boolean;
  layer: string;
  channel: number;
  box: number[];
  size: number[];
  shape: [count: number, height: number, width: number];
  contrast: string;
  /** Of the pictures; an engine in the page has no time to compress them. */
  mime?: string;
  ms: number;
}

type Mode = "off" | "starting" | "on" | "paused";

const TIMEOUT = 15_000;
const STATUS_EVERY = 500;

export class LiveViewPage {
  readonly #shell: Shell<LiveState, Key>;
  readonly #controls: Controls;
  readonly #seen: Figure;
  readonly #projection: Enlarged;
  readonly #sheet: MapSheet;
  readonly #invite: HTMLElement;
  readonly #stage: HTMLElement;
  /** In the document, out of sight: some browsers play no video that is in no document. */
  readonly #video = h("video", { class: "zf-visually-hidden", "aria-hidden": "true" });
  #mode: Mode = "off";
  #alive = true;
  #camera: Camera | null = null;
  #stream: FrameStream | null = null;
  #opening: AbortController | null = null;
  /** Whether any frame has been shown. */
  #started = false;
  #latest = -1;
  #milliseconds = 0;

  constructor(shell: Shell<LiveState, Key>) {
    this.#shell = shell;
    const { say, signal, model } = shell;
    const side = model.get("_side");
    this.#controls = new Controls(
      say,
      {
        power: () => void this.#power(),
        freeze: () => this.#freeze(),
        layer: (name) => shell.commit("layer", name),
        channel: (index) => shell.commit("channel", index),
        mirrored: (value) => shell.commit("mirrored", value),
      },
      signal,
    );
    this.#seen = new Figure(side, say("seen"));
    this.#projection = new Enlarged(side, say("projection_none"));
    this.#sheet = new MapSheet(say, bytesOf(model.get("_palette")), signal, (channel) =>
      shell.commit("channel", channel),
    );
    this.#invite = invitation(say);
    this.#stage = h(
      "div",
      { class: "zf-live-stage" },
      h("div", { class: "zf-live-pair" }, this.#seen.element, this.#projection.element),
      this.#sheet.element,
    );
    shell.root.append(this.#controls.element, this.#invite, this.#stage, this.#video);
    this.#follow();
    watchSight(shell.root, signal, (seen) => void this.#sighted(seen));
    const status = setInterval(() => this.#tell(), STATUS_EVERY);
    signal.addEventListener(
      "abort",
      () => {
        clearInterval(status);
        this.#release();
      },
      { once: true },
    );
    shell.greet((alive) => {
      this.#alive = alive;
      this.#show();
    });
    this.#show();
  }

  // -------------------------------------------------------------------------- state

  #follow(): void {
    const { model, follow } = this.#shell;
    const { layer, channel, strongest, mirrored } = this.#controls;
    follow("_layers", (layers) => {
      layer.replaceChildren(...layers.map(({ name }) => h("option", { value: name }, name)));
      layer.value = model.get("layer");
    });
    follow("layer", (name) => {
      layer.value = name;
      const found = model.get("_layers").find((one) => one.name === name);
      channel.max = String((found?.channels ?? 1) - 1);
      void this.#again();
    });
    follow("channel", (index) => {
      strongest.checked = index === null;
      channel.disabled = index === null;
      if (index !== null && Number(channel.value) !== index) channel.value = String(index);
      this.#sheet.mark(index);
      void this.#again();
    });
    follow("mirrored", (value) => {
      mirrored.checked = value;
    });
    follow("frozen", () => {
      this.#show();
      if (!model.get("frozen") && this.#mode === "on") this.#startStream();
      else this.#stopStream();
    });
  }

  #show(): void {
    const frozen = this.#shell.model.get("frozen");
    const on = this.#mode === "on" || this.#mode === "starting";
    this.#controls.show({ on, frozen, started: this.#started, alive: this.#alive });
    this.#invite.hidden = this.#started || on;
    this.#stage.hidden = !this.#started && !on;
    setAttribute(this.#shell.root, "data-mode", frozen && this.#started ? "frozen" : this.#mode);
    this.#tell();
  }

  /** The status line. */
  #tell(): void {
    const { say, model } = this.#shell;
    const stream = this.#stream;
    let text = "";
    if (!this.#alive) text = say("saved");
    else if (this.#mode === "starting") text = say("starting");
    else if (model.get("frozen") && this.#started) text = say("frozen");
    else if (this.#mode === "paused") text = say("paused");
    else if (stream && stream.rate > 0) {
      const rate = stream.rate < 9.95 ? stream.rate.toFixed(1) : stream.rate.toFixed(0);
      text = say("rate", { rate, skipped: stream.skipped, ms: this.#milliseconds.toFixed(0) });
    } else if (stream) text = say("waiting");
    setText(this.#controls.status, text);
    this.#controls.status.title = stream ? say("rate_title") : "";
  }

  // ------------------------------------------------------------------------- camera

  async #power(): Promise<void> {
    if (this.#mode === "off" || this.#mode === "paused") {
      if (this.#shell.model.get("frozen")) this.#shell.commit("frozen", false);
      await this.#open();
    } else this.#close("off");
  }

  async #open(): Promise<void> {
    const { say } = this.#shell;
    this.#shell.fail(null);
    if (!("requestVideoFrameCallback" in this.#video)) {
      const title = say("old_browser");
      this.#shell.fail({ title, message: "", hint: say("old_browser_hint") });
      return;
    }
    this.#release();
    this.#opening = new AbortController();
    this.#mode = "starting";
    this.#show();
    try {
      this.#camera = await openCamera(this.#video, this.#opening.signal);
    } catch (reason) {
      if (isAbort(reason)) return;
      this.#close("off");
      this.#explain(reason);
      return;
    }
    this.#mode = "on";
    this.#shell.announce(say("seen"));
    if (!this.#shell.model.get("frozen")) this.#startStream();
    this.#show();
  }

  #close(mode: "off" | "paused"): void {
    this.#release();
    this.#mode = mode;
    this.#show();
  }

  /** No camera and no stream after this, whatever was going on. */
  #release(): void {
    this.#stopStream();
    this.#opening?.abort();
    this.#opening = null;
    this.#camera?.stop();
    this.#camera = null;
  }

  async #sighted(seen: boolean): Promise<void> {
    if (!seen && (this.#mode === "on" || this.#mode === "starting")) this.#close("paused");
    // Where a browser asks each time, a person must have clicked.
    else if (seen && this.#mode === "paused" && (await mayReopen()) && this.#mode === "paused") {
      await this.#open();
    }
  }

  #freeze(): void {
    const frozen = !this.#shell.model.get("frozen");
    this.#shell.commit("frozen", frozen);
    const closed = this.#mode === "off" || this.#mode === "paused";
    if (!frozen && closed) void this.#open();
  }

  #explain(reason: unknown): void {
    const { say } = this.#shell;
    if (reason instanceof CameraError) {
      const { trouble, detail } = reason;
      const title = say(`camera_${trouble}`);
      const hint = say(`camera_${trouble}_hint`, { origin: location.origin });
      this.#shell.fail({ title, message: trouble === "broken" ? detail : "", hint });
    } else if (reason instanceof RpcError) this.#shell.fail(reason.detail);
    else {
      const message =
        reason instanceof RpcTimeout
          ? say("silent_text", { seconds: TIMEOUT / 1000 })
          : `${reason}`;
      this.#shell.fail({ title: say("silent"), message, hint: say("silent_hint") });
    }
  }

  // ------------------------------------------------------------------------- frames

  #startStream(): void {
    this.#stopStream();
    this.#stream = new FrameStream(this.#video, {
      side: this.#shell.model.get("_side"),
      mirrored: () => this.#shell.model.get("mirrored"),
      take: (frame) => this.#ask(frame),
      failed: (reason) => {
        if (isAbort(reason)) return;
        this.#close("off");
        this.#explain(reason);
      },
    });
  }

  #stopStream(): void {
    this.#stream?.stop();
    this.#stream = null;
  }

  async #ask({ picture, data }: Sent): Promise<void> {
    const { rpc, signal } = this.#shell;
    let shown: Promise<void> = Promise.resolve();
    try {
      await rpc.request(
        "frame",
        {},
        {
          signal,
          buffers: [data],
          timeout: TIMEOUT,
          onChunk: (answer, buffers) => {
            shown = this.#draw(answer as Told, buffers, picture);
          },
        },
      );
      await shown;
    } finally {
      picture.close();
    }
  }

  /** The frame that stands still, as its layer or channel is another now. */
  async #again(): Promise<void> {
    const { rpc, signal, model } = this.#shell;
    if (!model.get("frozen") || !this.#started) return;
    const [layer, channel] = [model.get("layer"), model.get("channel")];
    const channels = model.get("_layers").find(({ name }) => name === layer)?.channels ?? 0;
    const body = { layer, channel: channel !== null && channel < channels ? channel : null };
    try {
      const onChunk = (answer: Answer, buffers: DataView[]) =>
        void this.#draw(answer as Told, buffers);
      await rpc.request("again", body, { signal, onChunk });
    } catch (reason) {
      if (!isAbort(reason)) this.#explain(reason);
    }
  }

  /** Maps, projection, strengths and, where the network sees something else than was sent, that. */
  async #draw(told: Told, [levels, encoded, strengths, own]: DataView[], sent?: ImageBitmap) {
    if (told.frozen || !levels || !encoded || !strengths) return;
    const [projection, other] = await Promise.all([
      picture(encoded, told.mime),
      own && picture(own, told.mime),
    ]);
    // Two are on their way: an older one must not overtake. A view that has ended draws no more.
    if (told.id > this.#latest && !this.#shell.signal.aborted) {
      this.#latest = told.id;
      const seen = other ?? sent;
      if (seen) this.#seen.draw(seen);
      this.#projection.draw(projection);
      const { layer, channel, contrast } = told;
      this.#projection.caption(this.#shell.say("projection", { layer, channel }));
      this.#projection.element.title = contrast;
      this.#seen.outline(told.box, told.size);
      this.#projection.zoomTo(told.box, told.size);
      if (this.#controls.strongest.checked) this.#controls.channel.value = String(channel);
      this.#sheet.draw(layer, told.shape, bytesOf(levels), strengths, channel);
      this.#milliseconds = told.ms;
      if (!this.#started) {
        this.#started = true;
        this.#show();
      }
    }
    projection.close();
    other?.close();
  }
}

/** An encoded picture without colour management: its pixels are data. */
function picture(encoded: DataView, type = "image/webp"): Promise<ImageBitmap> {
  const blob = new Blob([bytesOf(encoded)], { type });
  return createImageBitmap(blob, { colorSpaceConversion: "none" });
}
