/**
 * The camera, asked for only when a person clicked, and let go of by `stop` without exception: a lamp
 * that stays on is a bug.
 */
import { watchWindow } from "./dom";

/** Why there is no camera; each has a text of its own that says what to do. */
export type CameraTrouble = "insecure" | "denied" | "none" | "busy" | "broken";

export class CameraError extends Error {
  constructor(
    readonly trouble: CameraTrouble,
    /** What the browser said, for "broken". */
    readonly detail: string,
  ) {
    super(`${trouble}: ${detail}`);
    this.name = "CameraError";
  }
}

export interface Camera {
  video: HTMLVideoElement;
  /** Let go of the camera; may be called twice. */
  stop: () => void;
}

/**
 * Open the camera into `video`. Rejects with a CameraError; with an AbortError when `signal` aborts
 * meanwhile, the camera let go of even if the answer comes later.
 */
export async function openCamera(video: HTMLVideoElement, signal: AbortSignal): Promise<Camera> {
  // Browsers hide the camera from pages that others on the way could have changed.
  if (!navigator.mediaDevices) throw new CameraError("insecure", location.origin);
  let stream: MediaStream;
  try {
    const size = { width: { ideal: 640 }, height: { ideal: 480 } };
    stream = await navigator.mediaDevices.getUserMedia({ video: size, audio: false });
  } catch (reason) {
    throw explained(reason);
  }
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
    if (video.srcObject === stream) video.srcObject = null;
  };
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) {
    stop();
    throw new DOMException("nobody wants the camera any more", "AbortError");
  }
  video.srcObject = stream;
  video.muted = true;
  video.playsInline = true;
  await video.play().catch((reason: unknown) => {
    if (signal.aborted) throw new DOMException("closed while starting", "AbortError");
    stop();
    throw explained(reason);
  });
  return { video, stop };
}

const TROUBLES: Record<string, CameraTrouble> = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "none",
  OverconstrainedError: "none",
  NotReadableError: "busy",
  AbortError: "busy",
};

function explained(reason: unknown): CameraError {
  const name = reason instanceof Error || reason instanceof DOMException ? reason.name : "";
  const detail = reason instanceof Error ? reason.message : String(reason);
  return new CameraError(TROUBLES[name] ?? "broken", detail);
}

/** Whether the camera may be opened again without asking the person. */
export async function mayReopen(): Promise<boolean> {
  try {
    const status = await navigator.permissions.query({ name: "camera" as PermissionName });
    return status.state === "granted";
  } catch {
    return false;
  }
}

/** The largest middle square of a video, drawn into all of `context`, mirrored if asked. */
export function drawSquare(
  context: CanvasRenderingContext2D,
  video: HTMLVideoElement,
  mirrored: boolean,
): void {
  const { width, height } = context.canvas;
  const { videoWidth, videoHeight } = video;
  const side = Math.min(videoWidth, videoHeight);
  const [x, y] = [(videoWidth - side) / 2, (videoHeight - side) / 2];
  context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? width : 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(video, x, y, side, side, 0, 0, width, height);
}

/** Call back when the element leaves or enters the sight of the person, by scrolling or by tab. */
export function watchSight(
  element: Element,
  signal: AbortSignal,
  changed: (seen: boolean) => void,
): void {
  let onPage = true;
  let seen = true;
  const update = () => {
    const now = onPage && document.visibilityState === "visible";
    if (now === seen) return;
    seen = now;
    changed(seen);
  };
  watchWindow(element, signal, (inside) => {
    onPage = inside;
    update();
  });
  document.addEventListener("visibilitychange", update, { signal });
}
