/** Pictures that the browser decodes: upright, in sRGB, no larger than is needed. */
import { encode } from "../core/encode";
import type { Photo } from "../engine/prepare";

/** Larger ones are decoded smaller: the network takes a fraction of it, and memory is short on phones. */
const MOST_PIXELS = 16e6;

/** The browser does not know this kind of picture, or it is damaged. */
export class Unreadable extends Error {
  override readonly name = "Unreadable";
}

/** Decode a file. Rejects with Unreadable. */
export async function decoded(file: Blob): Promise<ImageBitmap> {
  const pixels = await size(file);
  const options: ImageBitmapOptions = { imageOrientation: "from-image" };
  if (pixels.width * pixels.height > MOST_PIXELS) {
    const scale = Math.sqrt(MOST_PIXELS / (pixels.width * pixels.height));
    options.resizeWidth = Math.max(1, Math.round(pixels.width * scale));
    options.resizeHeight = Math.max(1, Math.round(pixels.height * scale));
    options.resizeQuality = "high";
  }
  try {
    return await createImageBitmap(file, options);
  } catch (reason) {
    throw new Unreadable(String(reason));
  }
}

/** Width and height from the file's header; nothing is decoded yet. */
async function size(file: Blob): Promise<{ width: number; height: number }> {
  const url = URL.createObjectURL(file);
  const image = new Image();
  try {
    await new Promise((done, fail) => {
      image.onload = done;
      image.onerror = () => fail(new Unreadable("no picture"));
      image.src = url;
    });
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    // Drawings without a size of their own (SVG) are programs, not pictures.
    if (width === 0 || height === 0 || file.type === "image/svg+xml") {
      throw new Unreadable("no pixels");
    }
    return { width, height };
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** A square of the picture, top, left and size; null: all of it. */
export type Part = readonly [top: number, left: number, size: number] | null;

/** The pixels of a part of a picture, as they are. */
export function pixelsOf(image: ImageBitmap, part: Part): Photo {
  const [top, left, width, height] = part
    ? [part[0], part[1], part[2], part[2]]
    : [0, 0, image.width, image.height];
  const canvas = canvasOf(width, height, image, left, top, width, height);
  const pixels = canvas.getContext("2d")?.getImageData(0, 0, width, height);
  canvas.width = canvas.height = 0; // gives the memory back at once
  if (!pixels) throw new Unreadable("no canvas");
  return { data: pixels.data, width, height };
}

/** The middle square, `side` wide, as a file. */
export function thumbnail(image: ImageBitmap, side: number): DataView {
  const least = Math.min(image.width, image.height);
  const [left, top] = [(image.width - least) / 2, (image.height - least) / 2];
  return file(canvasOf(side, side, image, left, top, least, least));
}

/** The whole picture with sides of at most `side`, as a file. */
export function contained(image: ImageBitmap, side: number): DataView {
  const scale = Math.min(1, side / Math.max(image.width, image.height));
  const width = Math.max(1, Math.round(image.width * scale));
  const height = Math.max(1, Math.round(image.height * scale));
  return file(canvasOf(width, height, image, 0, 0, image.width, image.height));
}

function file(canvas: HTMLCanvasElement): DataView {
  const context = canvas.getContext("2d");
  if (context) {
    context.globalCompositeOperation = "destination-over"; // JPEG has no holes: white behind
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
  }
  return new DataView(encode(canvas, "image/jpeg", 0.88).buffer);
}

function canvasOf(
  width: number,
  height: number,
  image: ImageBitmap,
  ...[left, top, wide, high]: [number, number, number, number]
): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Unreadable("no canvas");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left, top, wide, high, 0, 0, width, height);
  return canvas;
}
