/** Pictures that the browser decodes: upright, in sRGB, no larger than is needed. */
import type { Photo } from "../engine/prepare";
import type { Pixels } from "../engine/resample";

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
  const { data } = drawnOn(width, height, image, left, top, width, height);
  return { data, width, height };
}

/** The middle square, at most `side` wide. */
export function thumbnail(image: ImageBitmap, side: number): Pixels {
  const least = Math.min(image.width, image.height);
  const [left, top] = [(image.width - least) / 2, (image.height - least) / 2];
  return colours(drawnOn(side, side, image, left, top, least, least));
}

/** The whole picture with sides of at most `side`. */
export function contained(image: ImageBitmap, side: number): Pixels {
  const scale = Math.min(1, side / Math.max(image.width, image.height));
  const [width, height] = [image.width, image.height].map((n) =>
    Math.max(1, Math.round(n * scale)),
  );
  return colours(
    drawnOn(width as number, height as number, image, 0, 0, image.width, image.height),
  );
}

/** Without opacity, on white. */
function colours({ data, width, height }: ImageData): Pixels {
  const out = new Uint8ClampedArray(3 * width * height);
  for (let n = 0, to = 0; n < data.length; n += 4) {
    const alpha = (data[n + 3] as number) / 255;
    for (let c = 0; c < 3; c++) out[to++] = (data[n + c] as number) * alpha + 255 * (1 - alpha);
  }
  return { data: out, width, height, channels: 3 };
}

function drawnOn(
  width: number,
  height: number,
  image: ImageBitmap,
  ...[left, top, wide, high]: [number, number, number, number]
): ImageData {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Unreadable("no canvas");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, left, top, wide, high, 0, 0, width, height);
  const pixels = context.getImageData(0, 0, width, height);
  canvas.width = canvas.height = 0; // gives the memory back at once
  return pixels;
}
