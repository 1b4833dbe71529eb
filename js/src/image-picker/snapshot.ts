/** One picture by the camera: asked for at a click, and let go of when it is taken or nobody looks. */
import { type Camera, CameraError, openCamera, watchSight } from "../core/camera";
import { h } from "../core/dom";
import { encode } from "../core/encode";
import { isAbort } from "../core/rpc";
import type { WireError } from "../core/wire";
import { type PickerShell, signButton } from "./state";

export interface SnapshotOwner {
  taken(file: File): void;
  failed(error: WireError): void;
  /** The panel was closed, one way or another. */
  closed(): void;
}

export class Snapshot {
  readonly element: HTMLElement;
  readonly #shell: PickerShell;
  readonly #owner: SnapshotOwner;
  readonly #video: HTMLVideoElement;
  readonly #take: HTMLButtonElement;
  readonly #close: HTMLButtonElement;
  #camera: Camera | null = null;
  #opening: AbortController | null = null;

  constructor(shell: PickerShell, owner: SnapshotOwner) {
    this.#shell = shell;
    this.#owner = owner;
    const { say, signal } = shell;
    this.#video = h("video", { class: "zf-snapshot-video", "aria-label": say("camera_view") });
    this.#take = signButton("camera", say("take"));
    this.#close = signButton("cross", say("close_camera"));
    this.element = h(
      "div",
      { class: "zf-panel zf-snapshot", role: "group", "aria-label": say("camera"), hidden: true },
      this.#video,
      h(
        "div",
        { class: "zf-panel-side" },
        h("div", { class: "zf-panel-buttons" }, this.#take, this.#close),
        h("p", { class: "zf-panel-note" }, say("camera_private")),
      ),
    );
    this.#take.addEventListener("click", () => this.#shoot(), { signal });
    this.#close.addEventListener("click", () => this.close(), { signal });
    this.element.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        this.close();
      },
      { signal },
    );
    watchSight(shell.root, signal, (seen) => !seen && this.close());
    signal.addEventListener("abort", () => this.#release(), { once: true });
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  async open(): Promise<void> {
    this.#release();
    this.element.hidden = false;
    this.#take.disabled = true;
    this.#close.focus();
    const opening = new AbortController();
    this.#opening = opening;
    try {
      this.#camera = await openCamera(this.#video, opening.signal);
      this.#take.disabled = false;
      // Whoever has scrolled on meanwhile is not fetched back.
      this.#take.focus({ preventScroll: true });
    } catch (reason) {
      if (isAbort(reason)) return;
      this.close();
      this.#owner.failed(this.#explain(reason));
    }
  }

  close(): void {
    this.#release();
    if (!this.isOpen) return;
    this.element.hidden = true;
    this.#owner.closed();
  }

  #release(): void {
    this.#opening?.abort();
    this.#opening = null;
    this.#camera?.stop();
    this.#camera = null;
  }

  #shoot(): void {
    const { videoWidth, videoHeight } = this.#video;
    const canvas = h("canvas", { width: videoWidth, height: videoHeight });
    canvas.getContext("2d")?.drawImage(this.#video, 0, 0);
    this.close();
    if (videoWidth === 0) return;
    const picture = encode(canvas, "image/jpeg", 0.95);
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", ".");
    this.#owner.taken(new File([picture], this.#shell.say("camera_file", { time })));
  }

  #explain(reason: unknown): WireError {
    const { say } = this.#shell;
    const trouble = reason instanceof CameraError ? reason.trouble : "broken";
    return {
      title: say(`camera_${trouble}`),
      message: trouble === "broken" ? String(reason) : "",
      hint: say(`camera_${trouble}_hint`, { origin: location.origin }),
    };
  }
}
