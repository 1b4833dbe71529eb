/**
 * From a running video to encoded frames, at the pace of whoever takes them: at most `CREDIT` are on
 * their way, the camera's others are skipped, and what is sent next is always the latest.
 */
import { drawSquare } from "../core/camera";
import { h } from "../core/dom";
import { encode } from "../core/encode";

/** Two, so that one can travel while the one before is computed. */
const CREDIT = 2;
const QUALITY = 0.92;
/** Over how long the rate is counted, ms. */
const WINDOW = 2000;

export interface Sent {
  /** The frame as it was sent; close it when it is not shown any more. */
  picture: ImageBitmap;
  data: ArrayBuffer;
}

export interface StreamOptions {
  side: number;
  mirrored: () => boolean;
  /** Take a frame; resolves when the next may come. */
  take: (frame: Sent) => Promise<void>;
  /** A frame could not be made. */
  failed: (reason: unknown) => void;
}

export class FrameStream {
  readonly #video: HTMLVideoElement;
  readonly #options: StreamOptions;
  readonly #canvas: HTMLCanvasElement;
  #inFlight = 0;
  #waiting = false;
  #stopped = false;
  #callback = 0;
  #answered: number[] = [];
  skipped = 0;

  constructor(video: HTMLVideoElement, options: StreamOptions) {
    this.#video = video;
    this.#options = options;
    this.#canvas = h("canvas", { width: options.side, height: options.side });
    this.#listen();
  }

  /** No frame is sent after this. */
  stop(): void {
    this.#stopped = true;
    this.#video.cancelVideoFrameCallback(this.#callback);
  }

  /** Frames answered per second, over the last two. */
  get rate(): number {
    const now = performance.now();
    this.#answered = this.#answered.filter((at) => now - at < WINDOW);
    const first = this.#answered[0];
    if (first === undefined || this.#answered.length < 2) return 0;
    return ((this.#answered.length - 1) * 1000) / Math.max(1, (this.#answered.at(-1) ?? 0) - first);
  }

  #listen(): void {
    this.#callback = this.#video.requestVideoFrameCallback(() => {
      if (this.#stopped) return;
      this.#listen();
      if (this.#inFlight < CREDIT) void this.#send();
      else {
        if (this.#waiting) this.skipped += 1;
        this.#waiting = true;
      }
    });
  }

  async #send(): Promise<void> {
    this.#inFlight += 1;
    this.#waiting = false;
    try {
      const frame = await this.#grab();
      // Whoever has closed the camera meanwhile wants no further picture to leave the page.
      if (this.#stopped) return frame.picture.close();
      await this.#options.take(frame);
      this.#answered.push(performance.now());
    } catch (reason) {
      if (!this.#stopped) this.#options.failed(reason);
    }
    this.#inFlight -= 1;
    // The camera showed something newer meanwhile: no need to wait for its next.
    if (this.#waiting && !this.#stopped) void this.#send();
  }

  async #grab(): Promise<Sent> {
    const context = this.#canvas.getContext("2d");
    if (!context || this.#video.videoWidth === 0) throw new Error("the video has no picture");
    drawSquare(context, this.#video, this.#options.mirrored());
    const { buffer } = encode(this.#canvas, "image/jpeg", QUALITY);
    return { picture: await createImageBitmap(this.#canvas), data: buffer };
  }
}
