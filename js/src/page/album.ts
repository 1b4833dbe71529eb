/**
 * The gallery of a page with an engine: the photos that came with it, and those that a person brings. It
 * answers what the ImagePicker asks as zfwidgets/widgets/image_picker/ does in a notebook.
 */
import { bytesOf, type WireError } from "../core/wire";
import type { Engine } from "../engine/engine";
import type { Photo } from "../engine/prepare";
import type { Pixels } from "../engine/resample";
import type { Crop, Item } from "../image-picker/state";
import type { Photos } from "./kernel";
import { contained, decoded, type Part, pixelsOf, thumbnail } from "./photos";
import { bitmap } from "./sheet";

const THUMB = 128;
const LARGE = 1024;
const RECENT = 12;
const LABEL = 60;

/** What the picker's model holds of it. */
export interface Shelf {
  get(trait: string): unknown;
  /** Set traits as Python would; what follows from them follows. */
  set(traits: Record<string, unknown>): void;
}

/** A picture that there is not, or that cannot be read; in words. */
export class PhotoError extends Error {
  override readonly name = "PhotoError";

  constructor(readonly detail: WireError) {
    super(detail.title);
  }
}

export interface Question {
  op: string;
  [field: string]: unknown;
}

/** One chunk of an answer. */
export type Tell = (body: Record<string, unknown>, buffers: DataView[]) => void;

type Say = (key: string, values?: Record<string, string>) => string;

/** A photo, and the square of it that is looked at; `key` names both. */
export interface Shot {
  key: string;
  item: Item;
  crop: Crop | null;
}

interface Entry {
  item: Item;
  file: Blob;
}

export class Album implements Photos {
  readonly #shelf: Shelf;
  readonly #say: Say;
  /** What the network sees of a photo, for the panel in which its square is chosen. */
  readonly #see: (photo: Photo) => Promise<Pixels>;
  readonly #entries = new Map<string, Entry>();
  readonly #crops = new Map<string, Crop | null>();
  readonly #pieces = new Map<string, Blob[]>();
  /** Ids are given once: what was recorded of a photo is kept by them. */
  readonly #used = new Set<string>();
  #removed: { at: number; entry: Entry } | null = null;
  #open: { id: string; image: Promise<ImageBitmap> } | null = null;

  constructor(
    shelf: Shelf,
    files: Record<string, Blob>,
    say: Say,
    see: (photo: Photo) => Promise<Pixels>,
  ) {
    [this.#shelf, this.#say, this.#see] = [shelf, say, see];
    for (const item of shelf.get("items") as Item[]) {
      const file = files[item.id];
      this.#used.add(item.id);
      if (file) this.#entries.set(item.id, { item, file });
    }
  }

  /** The chosen photo and its square, as a name; null: none is chosen. */
  key(): string | null {
    const id = this.#shelf.get("value");
    return id === null ? null : JSON.stringify([id, this.#shelf.get("crop")]);
  }

  /** The chosen photo, or its square, as the network takes it. Rejects with PhotoError. */
  async inputs(engine: Engine): Promise<Float32Array> {
    const [id, part] = [this.#shelf.get("value") as string, this.#shelf.get("crop") as Part];
    return engine.prepare(pixelsOf(await this.#image(id), part));
  }

  /** All photos, each with the square of it that was chosen. */
  shots(): Shot[] {
    return [...this.#entries.values()].map(({ item }) => {
      const crop = this.#crops.get(item.id) ?? null;
      return { key: JSON.stringify([item.id, crop]), item, crop };
    });
  }

  /** One of them as the network takes it; the photo that is open stays open. Rejects with PhotoError. */
  async inputsOf(engine: Engine, { item, crop }: Shot): Promise<Float32Array> {
    return engine.prepare(pixelsOf(await this.#image(item.id, false), crop as Part));
  }

  /** Another photo was chosen, or another square of it: what else has changed with that. */
  changed(trait: string): Record<string, unknown> {
    const id = this.#shelf.get("value") as string | null;
    if (trait === "crop" && id !== null)
      this.#crops.set(id, this.#shelf.get("crop") as Crop | null);
    if (trait !== "value" || id === null) return {};
    const recent = (this.#shelf.get("recent") as string[]).filter((other) => other !== id);
    return { crop: this.#crops.get(id) ?? null, recent: [id, ...recent].slice(0, RECENT) };
  }

  /** Answer a question; `tell` is called for each chunk. Rejects with PhotoError. */
  async answer(question: Question, buffers: DataView[], tell: Tell): Promise<void> {
    switch (question.op) {
      case "upload":
        return tell(await this.#upload(question, buffers[0]), []);
      case "thumbs":
        for (const id of question["ids"] as string[]) {
          if (!this.#entries.has(id)) continue;
          tell({ item: id }, [thumbnail(await this.#image(id, false), THUMB)]);
        }
        return;
      case "photo": {
        const image = await this.#image(question["picture"] as string);
        return tell({ size: [image.height, image.width] }, [contained(image, LARGE)]);
      }
      case "seen": {
        const image = await this.#image(question["picture"] as string);
        const seen = await this.#see(pixelsOf(image, question["crop"] as Part));
        return tell({ known: true }, [bitmap(seen)]);
      }
      case "remove":
        return tell({ value: this.#remove(question["picture"] as string) }, []);
      case "restore":
        return tell({ item: this.#restore() }, []);
    }
  }

  // ------------------------------------------------------------------------------ pictures

  /** Decoded; the last one is kept. */
  async #image(id: string, keep = true): Promise<ImageBitmap> {
    if (this.#open?.id === id) return this.#open.image;
    const entry = this.#entries.get(id);
    if (!entry) throw this.#trouble("gone", id);
    const image = decoded(entry.file).catch(() => {
      throw this.#trouble("unread", entry.item.label);
    });
    if (keep) this.#keep(id, image);
    return image;
  }

  #keep(id: string, image: Promise<ImageBitmap>): void {
    this.#open = { id, image };
    image.catch(() => {
      if (this.#open?.id === id) this.#open = null;
    });
  }

  #trouble(key: "gone" | "unread" | "interrupted", name: string): PhotoError {
    const text = (part: string) => this.#say(`${key}_${part}`, { name });
    return new PhotoError({
      title: text("title"),
      message: text("message"),
      hint: text("hint"),
    });
  }

  // ------------------------------------------------------------------------------- gallery

  /** One piece of a file; the last one is answered by the id of the new picture. */
  async #upload(question: Question, piece?: DataView): Promise<Record<string, unknown>> {
    const { key, name, at, size } = question as unknown as {
      key: string;
      name: string;
      at: number;
      size: number;
    };
    const pieces = at === 0 ? [] : this.#pieces.get(key);
    const before = pieces?.reduce((sum, part) => sum + part.size, 0);
    if (!pieces || !piece || before !== at) throw this.#trouble("interrupted", name);
    pieces.push(new Blob([bytesOf(piece)]));
    this.#pieces.set(key, pieces);
    const received = at + piece.byteLength;
    if (received < size) return { received };
    this.#pieces.delete(key);
    const file = new Blob(pieces);
    const label = cleaned(name);
    const image = await decoded(file).catch(() => {
      throw this.#trouble("unread", label);
    });
    const id = this.#newId(label);
    this.#entries.set(id, { item: { id, label, credit: "" }, file });
    this.#keep(id, Promise.resolve(image));
    this.#shelf.set({ items: this.#items(), value: id });
    return { item: id };
  }

  #newId(label: string): string {
    let id = label;
    for (let n = 2; this.#used.has(id); n++) id = `${label} (${n})`;
    this.#used.add(id);
    return id;
  }

  #items(): Item[] {
    return [...this.#entries.values()].map(({ item }) => item);
  }

  /** Take a picture away; the next one is chosen instead. */
  #remove(id: string): string | null {
    const ids = [...this.#entries.keys()];
    const at = ids.indexOf(id);
    const entry = this.#entries.get(id);
    if (!entry) throw this.#trouble("gone", id);
    this.#removed = { at, entry };
    this.#entries.delete(id);
    this.#crops.delete(id);
    const recent = (this.#shelf.get("recent") as string[]).filter((other) => other !== id);
    const value = this.#shelf.get("value");
    const next = value === id ? (ids[at + 1] ?? ids[at - 1] ?? null) : value;
    this.#shelf.set({ items: this.#items(), recent, value: next });
    return next as string | null;
  }

  #restore(): string | null {
    if (!this.#removed) return null;
    const { at, entry } = this.#removed;
    this.#removed = null;
    const others = [...this.#entries];
    const { id } = entry.item;
    this.#entries.clear();
    for (const [key, other] of [
      ...others.slice(0, at),
      [id, entry] as const,
      ...others.slice(at),
    ]) {
      this.#entries.set(key, other);
    }
    this.#shelf.set({ items: this.#items(), value: id });
    return id;
  }
}

/** A file's name as one short line of text, without its folders. */
function cleaned(name: string): string {
  const last = name.replaceAll("\\", "/").split("/").at(-1) ?? "";
  const line = last.replace(/\p{C}/gu, " ").trim().split(/\s+/u).join(" ");
  const letters = [...line];
  if (letters.length <= LABEL) return line || "picture";
  return `${letters.slice(0, LABEL - 13).join("")}…${letters.slice(-12).join("")}`;
}
