/**
 * Decoded pictures of tiles. Many tiles share a sheet; a sheet is freed with its last tile. The least
 * recently drawn tiles go first when the sheets take more bytes than they may.
 */
import { bytesOf, type SheetHead } from "./wire";

export interface Tile {
  image: ImageBitmap;
  x: number;
  y: number;
  width: number;
  height: number;
}

interface Sheet {
  image: ImageBitmap;
  bytes: number;
  users: number;
}

/** What decoded pictures take: red, green, blue and opacity. */
const BYTES_PER_PIXEL = 4;

export class TileStore {
  readonly #tiles = new Map<number, { tile: Tile; sheet: Sheet }>();
  readonly #capacity: number;
  #bytes = 0;

  /** `capacity` in bytes of decoded pictures, whole sheets counted as long as one tile is in use. */
  constructor(capacity = 96 * 2 ** 20) {
    this.#capacity = capacity;
  }

  /** Memory that the sheets take. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#tiles.size;
  }

  /** The tile of a channel, which counts as drawn now. */
  get(id: number): Tile | undefined {
    const entry = this.#tiles.get(id);
    if (!entry) return undefined;
    this.#tiles.delete(id);
    this.#tiles.set(id, entry);
    return entry.tile;
  }

  /** The tile of a channel, not counted as drawn. */
  peek(id: number): Tile | undefined {
    return this.#tiles.get(id)?.tile;
  }

  /** Take a sheet over; tiles replace older ones of the same channels unless those are larger. */
  add(head: SheetHead, image: ImageBitmap): number[] {
    const [height, width] = head.tile;
    const bytes = head.ids.length * height * width * BYTES_PER_PIXEL;
    const sheet = { image, bytes, users: 0 };
    const taken: number[] = [];
    head.ids.forEach((id, i) => {
      if ((this.peek(id)?.width ?? 0) > width) return;
      this.#drop(id);
      const x = (i % head.columns) * width;
      const y = Math.floor(i / head.columns) * height;
      this.#tiles.set(id, { tile: { image, x, y, width, height }, sheet });
      sheet.users += 1;
      taken.push(id);
    });
    if (sheet.users === 0) image.close();
    else this.#bytes += bytes;
    for (const id of this.#tiles.keys()) {
      if (this.#bytes <= this.#capacity || head.ids.includes(id)) break;
      this.#drop(id);
    }
    return taken;
  }

  clear(): void {
    for (const id of [...this.#tiles.keys()]) this.#drop(id);
  }

  #drop(id: number): void {
    const entry = this.#tiles.get(id);
    if (!entry) return;
    this.#tiles.delete(id);
    entry.sheet.users -= 1;
    if (entry.sheet.users > 0) return;
    this.#bytes -= entry.sheet.bytes;
    entry.sheet.image.close();
  }
}

/** Decode off the main thread, without colour management: the pixels are data. */
export function decodeSheet(head: SheetHead, data: DataView | ArrayBuffer): Promise<ImageBitmap> {
  const blob = new Blob([bytesOf(data)], { type: head.mime });
  return createImageBitmap(blob, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

/** A part of a canvas, in its pixels. */
export interface Area {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** Draw a tile into a canvas or a part of it, whole and undistorted; enlarged pixels stay square and sharp. */
export function drawTile(
  canvas: HTMLCanvasElement,
  tile: Tile,
  area: Area = { x: 0, y: 0, width: canvas.width, height: canvas.height },
): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const scale = Math.min(area.width / tile.width, area.height / tile.height);
  const width = Math.max(1, Math.round(tile.width * scale));
  const height = Math.max(1, Math.round(tile.height * scale));
  const x = area.x + Math.floor((area.width - width) / 2);
  const y = area.y + Math.floor((area.height - height) / 2);
  if (width < area.width || height < area.height) {
    context.clearRect(area.x, area.y, area.width, area.height);
  }
  context.imageSmoothingEnabled = scale < 1;
  context.imageSmoothingQuality = "high";
  context.drawImage(tile.image, tile.x, tile.y, tile.width, tile.height, x, y, width, height);
}
